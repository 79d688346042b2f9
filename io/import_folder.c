#include "io/import_folder.h"

#include "io/dataset.h"
#include "io/dataset_write.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- The plan */

static size_t parts_of(size_t images)
{
    return (images + SRQ_PART_IMAGES - 1) / SRQ_PART_IMAGES;
}

int srq_import_split_of(const srq_import *import, size_t image)
{
    return image < import->folder->counts[SRQ_TRAIN] ? SRQ_TRAIN : SRQ_TEST;
}

/* The images of a part. No part holds training and test images. */
static void part_range(const srq_import *import, size_t part, size_t *first, size_t *count)
{
    const size_t train = import->folder->counts[SRQ_TRAIN], test = import->folder->counts[SRQ_TEST];
    const size_t train_parts = parts_of(train);
    const size_t begin = part < train_parts ? 0 : train, end = part < train_parts ? train : train + test;
    *first = begin + (part < train_parts ? part : part - train_parts) * SRQ_PART_IMAGES;
    *count = end - *first < SRQ_PART_IMAGES ? end - *first : SRQ_PART_IMAGES;
}

static srq_status plan(srq_folder *folder, const char *dest, srq_import **out)
{
    srq_import *import = calloc(1, sizeof *import);
    if (!import) {
        srq_folder_destroy(&folder);
        return srq_fail_memory(sizeof *import, "the import");
    }
    import->folder = folder;
    import->lock = SRQ_DEST_NONE;
    import->parts = parts_of(folder->counts[SRQ_TRAIN]) + parts_of(folder->counts[SRQ_TEST]);
    srq_source_name(folder->source, import->name, sizeof import->name);
    snprintf(import->dest, sizeof import->dest, "%s", dest);
    *out = import;
    if ((size_t)snprintf(import->parts_folder, sizeof import->parts_folder - 64, "%s.parts", dest) >=
        sizeof import->parts_folder - 64)
        return srq_fail(SRQ_ERROR_USAGE, "%s: the path is too long; choose a shorter one", dest);
    return SRQ_OK;
}

srq_status srq_import_from_text(const char *source, const char *dest, const char *text, size_t size,
                                srq_import **import)
{
    srq_folder *folder = NULL;
    SRQ_TRY(srq_folder_from_text(source, text, size, &folder));
    srq_status status = plan(folder, dest, import);
    if (status != SRQ_OK) srq_import_destroy(import);
    return status;
}

void srq_import_destroy(srq_import **import)
{
    if (!*import) return;
    srq_dest_unlock((*import)->dest, &(*import)->lock);
    srq_folder_destroy(&(*import)->folder);
    free(*import);
    *import = NULL;
}

/* --- Checksums */

void srq_import_add_checksum(srq_digest *digest, const char *path, const char *of_file)
{
    srq_digest_add(digest, path, strlen(path) + 1);
    srq_digest_add(digest, of_file, strlen(of_file) + 1);
}

/* The checksum of the current content of the folder. */
static srq_status checksum_files(const srq_folder *f, char checksum[SRQ_DIGEST_SIZE])
{
    srq_digest *whole = NULL;
    SRQ_TRY(srq_digest_create(&whole));
    srq_status status = SRQ_OK;
    for (size_t i = 0; status == SRQ_OK && i < f->counts[0] + f->counts[1]; i++) {
        char path[SRQ_PATH_SIZE], of_file[SRQ_DIGEST_SIZE];
        struct stat info;
        srq_digest *digest = NULL;
        snprintf(path, sizeof path, "%s/%s", f->source, f->paths[i]);
        status = srq_digest_create(&digest);
        if (status != SRQ_OK) break;
        const bool read =
            stat(path, &info) == 0 && S_ISREG(info.st_mode) && srq_digest_add_file(digest, path) == SRQ_OK;
        srq_digest_finish(&digest, of_file);
        srq_import_add_checksum(whole, f->paths[i], read ? of_file : "");
    }
    srq_digest_finish(&whole, checksum);
    return status;
}

/* The fingerprint of a part: names, sizes and times of its files. */
static srq_status take_fingerprint(const srq_import *import, size_t first, size_t count, char text[SRQ_DIGEST_SIZE])
{
    srq_digest *digest = NULL;
    SRQ_TRY(srq_digest_create(&digest));
    for (size_t i = first; i < first + count; i++) {
        char path[SRQ_PATH_SIZE];
        struct stat info = {0};
        snprintf(path, sizeof path, "%s/%s", import->folder->source, import->folder->paths[i]);
        const int there = stat(path, &info) == 0;
        const int64_t facts[4] = {there, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
        srq_digest_add(digest, path, strlen(path) + 1);
        srq_digest_add(digest, facts, sizeof facts);
    }
    srq_digest_finish(&digest, text);
    return SRQ_OK;
}

srq_status srq_import_open(const char *source, const char *dest, bool *done_already, srq_import **import)
{
    srq_folder *folder = NULL;
    char checksum[SRQ_DIGEST_SIZE];
    struct stat info;
    srq_dest lock = SRQ_DEST_NONE;
    *done_already = false;
    SRQ_TRY(srq_dest_check_name(dest));
    SRQ_TRY(srq_dest_lock(dest, &lock));
    srq_status status = srq_dest_check(dest, NULL, done_already);
    if (status == SRQ_OK) status = srq_folder_list(source, &folder);
    if (status == SRQ_OK) status = plan(folder, dest, import);
    if (status == SRQ_OK)
        (*import)->lock = lock;
    else
        srq_dest_unlock(dest, &lock);
    if (status == SRQ_OK && lstat(dest, &info) == 0) {
        status = checksum_files(folder, checksum);
        if (status == SRQ_OK) status = srq_dest_check(dest, checksum, done_already);
    }
    if (status == SRQ_OK && !*done_already && (*import)->lock.file < 0)
        status = srq_fail(SRQ_ERROR_USAGE, "%s: it was removed while it was looked at; start the import again", dest);
    if (status == SRQ_OK && !*done_already) status = srq_folder_create((*import)->parts_folder);
    if (status != SRQ_OK) srq_import_destroy(import);
    return status;
}

/* --- Parts */

static void part_path(const srq_import *import, size_t part, char path[SRQ_PATH_SIZE])
{
    snprintf(path, SRQ_PATH_SIZE, "%.*s/part-%06zu.h5", SRQ_PATH_SIZE - 64, import->parts_folder, part);
}

static void count_part(const srq_part *p, srq_import_counts *counts)
{
    for (size_t i = 0; i < p->count; i++) counts->bad += p->messages[i][0] != '\0';
    counts->images += (double)p->count;
    counts->reused += (double)p->count;
}

srq_status srq_import_make_part(const srq_import *import, size_t index, srq_import_counts *counts, srq_import_tick tick,
                                void *context)
{
    char path[SRQ_PATH_SIZE], fingerprint[SRQ_DIGEST_SIZE];
    size_t first, count;
    srq_part *part = NULL;
    part_range(import, index, &first, &count);
    part_path(import, index, path);
    SRQ_TRY(take_fingerprint(import, first, count, fingerprint));
    if (access(path, F_OK) == 0 && srq_part_read(path, fingerprint, 0, &part) == SRQ_OK) {
        count_part(part, counts);
        srq_part_destroy(&part);
        return SRQ_OK;
    }
    SRQ_TRY(srq_part_make(import->folder, first, count, counts, tick, context, &part));
    srq_status status = srq_part_write(part, fingerprint, path);
    srq_part_destroy(&part);
    return status;
}

srq_status srq_import_read_part(const srq_import *import, size_t index, unsigned what, size_t *first, srq_part **part)
{
    char path[SRQ_PATH_SIZE], fingerprint[SRQ_DIGEST_SIZE];
    size_t count;
    part_range(import, index, first, &count);
    part_path(import, index, path);
    SRQ_TRY(take_fingerprint(import, *first, count, fingerprint));
    srq_status status = srq_part_read(path, fingerprint, what, part);
    if (status == SRQ_OK && (*part)->count == count) return SRQ_OK;
    srq_part_destroy(part);
    return srq_fail(SRQ_ERROR_DATA, "%s: it cannot be used (%s); did images change during the import? Import again",
                    path, srq_message());
}
