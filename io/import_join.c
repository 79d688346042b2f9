/* Joins the parts of an image folder to a data set. */
#include "io/dataset.h"
#include "io/dataset_write.h"
#include "io/file.h"
#include "io/image.h"
#include "io/import_folder.h"
#include "io/readable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTED_MAX = 100 };

/* --- Data about all images */

typedef struct joined {
    const srq_import *import;
    uint8_t *good;       /* [images] */
    int32_t (*sizes)[2]; /* [images] */
    int64_t *lengths;    /* [images]: size of the stored image */
    uint32_t *checks;    /* [images] */
    size_t counts[2];    /* number of good images by split */
    size_t totals[2];    /* their bytes */
    size_t bad, cmyk;    /* number of bad images, and of CMYK JPEGs */
    char *bad_list;      /* "PATH: what is wrong", one per line */
    size_t bad_size;
    srq_sums sums;     /* of training images */
    int height, width; /* of all images, if they are stored as pixels; else 0 */
    bool plain;        /* number of images added so far */
    char checksum[SRQ_DIGEST_SIZE];
} joined;

/* One line, whatever bytes the names hold. */
static void print_bad(const srq_folder *f, const char *image, const char *message, FILE *out)
{
    char source[4 * SRQ_PATH_SIZE], path[4 * SRQ_PATH_SIZE];
    srq_name_readable(f->source, source, sizeof source);
    srq_name_readable(image, path, sizeof path);
    fprintf(out, "%s/%s: %s\n", source, path, message);
}

static void gather_part(joined *j, const srq_part *p, size_t first, srq_digest *digest, FILE *bad)
{
    bool any = false;
    j->cmyk += p->cmyk;
    const srq_folder *f = j->import->folder;
    const int split = srq_import_split_of(j->import, first);
    for (size_t i = 0; i < p->count; i++) {
        const size_t image = first + i;
        srq_import_add_checksum(digest, f->paths[image], p->digests[i]);
        if (p->messages[i][0]) {
            j->bad++;
            print_bad(f, f->paths[image], p->messages[i], bad);
            continue;
        }
        any = true;
        j->good[image] = 1;
        memcpy(j->sizes[image], p->sizes[i], sizeof j->sizes[image]);
        j->lengths[image] = p->offsets[i + 1] - p->offsets[i];
        j->checks[image] = p->checks[i];
        j->counts[split]++;
        j->totals[split] += (size_t)j->lengths[image];
    }
    if (split == SRQ_TRAIN) srq_sums_join(&j->sums, &p->sums);
    if (!any) return;
    if (!j->height) {
        j->height = p->height;
        j->width = p->width;
    }
    j->plain = j->plain && p->height && p->height == j->height && p->width == j->width;
}

static srq_status gather(joined *j)
{
    srq_digest *digest = NULL;
    FILE *bad = open_memstream(&j->bad_list, &j->bad_size);
    if (!bad) return srq_fail_memory(0, "the list of bad images");
    srq_status status = srq_digest_create(&digest);
    j->plain = true;
    for (size_t index = 0; status == SRQ_OK && index < j->import->parts; index++) {
        srq_part *part = NULL;
        size_t first;
        status = srq_import_read_part(j->import, index, 0, &first, &part);
        if (status == SRQ_OK) gather_part(j, part, first, digest, bad);
        srq_part_destroy(&part);
    }
    if (digest) srq_digest_finish(&digest, j->checksum);
    if (fclose(bad) != 0 && status == SRQ_OK) status = srq_fail_memory(j->bad_size, "the list of bad images");
    return status;
}

/* Lists the bad images, and decides whether the import fails. */
static srq_status judge(const joined *j, bool skip_bad, FILE *out)
{
    const srq_folder *f = j->import->folder;
    const size_t all = f->counts[0] + f->counts[1];
    const char *line = j->bad_list;
    for (size_t i = 0; out && i < j->bad && i < LISTED_MAX; i++) {
        const int length = (int)strcspn(line, "\n");
        fprintf(out, "bad image: %.*s\n", length, line);
        line += length + 1;
    }
    if (out && j->bad > LISTED_MAX) fprintf(out, "... and %zu more\n", j->bad - LISTED_MAX);
    if (j->bad && !skip_bad)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: %zu of %zu images are bad, the first is %.*s; repair or remove them, or skip them with "
                        "--skip-bad (finished parts are kept in %s)",
                        f->source, j->bad, all, (int)strcspn(j->bad_list, "\n"), j->bad_list, j->import->parts_folder);
    for (int s = 0; s < 2; s++)
        if (j->counts[s] == 0)
            return srq_fail(SRQ_ERROR_DATA, "%s: all of its %zu %s images are bad", f->source, f->counts[s],
                            s == SRQ_TRAIN ? "training" : "test");
    if (out && j->cmyk)
        fprintf(out, "converted %zu CMYK JPEG%s to RGB, without colour profiles\n", j->cmyk, j->cmyk == 1 ? "" : "s");
    return SRQ_OK;
}

static srq_about about_of(const joined *j)
{
    const srq_folder *f = j->import->folder;
    return (srq_about){j->import->name, f->source, j->checksum, f->classes, (const char *const *)f->class_names};
}

static int32_t *good_labels(const joined *j, int split)
{
    const srq_folder *f = j->import->folder;
    int32_t *labels = malloc(j->counts[split] * sizeof *labels);
    size_t n = 0;
    for (size_t i = 0; labels && i < f->counts[0] + f->counts[1]; i++)
        if (j->good[i] && srq_import_split_of(j->import, i) == split) labels[n++] = f->labels[i];
    return labels;
}

/* --- A data set of pixels */

static srq_status copy_pixels(const joined *j, uint8_t *images)
{
    const size_t bytes = (size_t)j->height * (size_t)j->width * SRQ_IMAGE_CHANNELS;
    for (size_t index = 0; index < j->import->parts; index++) {
        srq_part *part = NULL;
        size_t first;
        SRQ_TRY(srq_import_read_part(j->import, index, SRQ_PART_PIXELS, &first, &part));
        for (size_t i = 0; i < part->count; i++) {
            if (!j->good[first + i] || !part->pixels) continue;
            memcpy(images, part->pixels + i * bytes, bytes);
            images += bytes;
        }
        srq_part_destroy(&part);
    }
    return SRQ_OK;
}

static srq_status write_plain(const joined *j, const char *path)
{
    const size_t shape[3] = {(size_t)j->height, (size_t)j->width, SRQ_IMAGE_CHANNELS};
    const size_t bytes = shape[0] * shape[1] * shape[2];
    uint8_t *images = malloc((j->counts[0] + j->counts[1]) * bytes);
    int32_t *labels[2] = {good_labels(j, SRQ_TRAIN), good_labels(j, SRQ_TEST)};
    srq_status status = SRQ_OK;
    if (!images || !labels[0] || !labels[1])
        status = srq_fail_memory((j->counts[0] + j->counts[1]) * bytes, "the images");
    if (status == SRQ_OK) status = copy_pixels(j, images);
    if (status == SRQ_OK) {
        const srq_plain_split splits[2] = {{j->counts[0], images, labels[0]},
                                           {j->counts[1], images + j->counts[0] * bytes, labels[1]}};
        const srq_about about = about_of(j);
        status = srq_plain_write(&about, shape, splits, path);
    }
    free(images);
    free(labels[0]);
    free(labels[1]);
    return status;
}

/* --- A data set of encoded images */

static srq_status write_split_table(const joined *j, int split, int32_t *sizes, int64_t *offsets, uint32_t *checks,
                                    srq_h5_writer *writer)
{
    char name[32];
    const srq_folder *f = j->import->folder;
    const size_t count = j->counts[split], pair[2] = {count, 2}, behind = count + 1;
    size_t n = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < f->counts[0] + f->counts[1]; i++) {
        if (!j->good[i] || srq_import_split_of(j->import, i) != split) continue;
        memcpy(sizes + 2 * n, j->sizes[i], sizeof j->sizes[i]);
        offsets[n + 1] = offsets[n] + j->lengths[i];
        checks[n++] = j->checks[i];
    }
    snprintf(name, sizeof name, "%s/sizes", split == SRQ_TRAIN ? "train" : "test");
    SRQ_TRY(srq_h5_write(writer, name, H5T_NATIVE_INT32, 2, pair, sizes));
    snprintf(name, sizeof name, "%s/offsets", split == SRQ_TRAIN ? "train" : "test");
    SRQ_TRY(srq_h5_write(writer, name, H5T_NATIVE_INT64, 1, &behind, offsets));
    snprintf(name, sizeof name, "%s/crc32", split == SRQ_TRAIN ? "train" : "test");
    return srq_h5_write(writer, name, H5T_NATIVE_UINT32, 1, &count, checks);
}

static srq_status write_split_tables(const joined *j, int split, srq_h5_writer *writer)
{
    const size_t count = j->counts[split];
    int32_t *labels = good_labels(j, split), *sizes = malloc(2 * count * sizeof *sizes);
    int64_t *offsets = malloc((count + 1) * sizeof *offsets);
    uint32_t *checks = malloc(count * sizeof *checks);
    srq_status status = labels && sizes && offsets && checks ? SRQ_OK : srq_fail_memory(count * 24, "the tables");
    if (status == SRQ_OK)
        status = srq_h5_write(writer, split == SRQ_TRAIN ? "train/labels" : "test/labels", H5T_NATIVE_INT32, 1, &count,
                              labels);
    if (status == SRQ_OK) status = write_split_table(j, split, sizes, offsets, checks, writer);
    free(labels);
    free(sizes);
    free(offsets);
    free(checks);
    return status;
}

/* Everything except the bytes. */
static srq_status write_tables(const joined *j, const char *path)
{
    srq_h5_writer *writer = NULL;
    const srq_about about = about_of(j);
    SRQ_TRY(srq_h5_writer_create("srq-dataset", 2, &writer));
    srq_status status = srq_about_write(&about, writer);
    if (status == SRQ_OK) status = srq_sums_write(&j->sums, SRQ_IMAGE_CHANNELS, writer);
    for (int s = 0; status == SRQ_OK && s < 2; s++) status = write_split_tables(j, s, writer);
    if (status == SRQ_OK) status = srq_h5_writer_commit(writer, path);
    srq_h5_writer_destroy(&writer);
    return status;
}

static srq_status put(int file, const char *path, const uint8_t *bytes, size_t size, int64_t *at)
{
    while (size > 0) {
        const ssize_t n = pwrite(file, bytes, size, *at);
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0)
            return srq_fail(SRQ_ERROR_RUN, "cannot write %s: %s; free some space or choose another folder", path,
                            strerror(errno));
        bytes += n;
        size -= (size_t)n;
        *at += n;
    }
    return SRQ_OK;
}

/* In the order of parts. Bad images have no bytes. */
static srq_status put_bytes(const joined *j, int file, const char *path, const int64_t begin[2])
{
    int64_t at[2] = {begin[0], begin[1]};
    for (size_t index = 0; index < j->import->parts; index++) {
        srq_part *part = NULL;
        size_t first;
        SRQ_TRY(srq_import_read_part(j->import, index, SRQ_PART_BYTES, &first, &part));
        srq_status status = put(file, path, part->bytes, (size_t)part->offsets[part->count],
                                &at[srq_import_split_of(j->import, first)]);
        srq_part_destroy(&part);
        SRQ_TRY(status);
    }
    return SRQ_OK;
}

static srq_status write_encoded(const joined *j, const char *path)
{
    int64_t begin[2];
    SRQ_TRY(write_tables(j, path));
    SRQ_TRY(srq_h5_add_room(path, "train/bytes", j->totals[SRQ_TRAIN], &begin[SRQ_TRAIN]));
    SRQ_TRY(srq_h5_add_room(path, "test/bytes", j->totals[SRQ_TEST], &begin[SRQ_TEST]));
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) return srq_fail(SRQ_ERROR_RUN, "cannot open %s: %s", path, strerror(errno));
    srq_status status = put_bytes(j, file, path, begin);
    if (close(file) != 0 && status == SRQ_OK)
        status = srq_fail(SRQ_ERROR_RUN, "cannot close %s: %s; free some space", path, strerror(errno));
    const srq_h5_span images[2] = {{begin[SRQ_TRAIN], (int64_t)j->totals[SRQ_TRAIN]},
                                   {begin[SRQ_TEST], (int64_t)j->totals[SRQ_TEST]}};
    return status == SRQ_OK ? srq_h5_finish(path, images) : status;
}

/* --- The whole import */

/* Where this process puts the parts together. The name is its own, also where the file system has no locks. */
static void whole_path(const srq_import *import, char path[SRQ_PATH_SIZE])
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    for (char *c = host; *c; c++)
        if (*c == '/') *c = '-';
    snprintf(path, SRQ_PATH_SIZE, "%.*s/whole.h5.%.63s.%ld", SRQ_PATH_SIZE - 128, import->parts_folder, host,
             (long)getpid());
}

/* Removes the files of this beginning, and their temporary files. */
static void remove_named(const char *folder, const char *beginning)
{
    DIR *stream = opendir(folder);
    if (!stream) return;
    for (struct dirent *entry; (entry = readdir(stream));) {
        const char *name = entry->d_name + (entry->d_name[0] == '.');
        if (strncmp(name, beginning, strlen(beginning)) == 0) unlinkat(dirfd(stream), entry->d_name, 0);
    }
    closedir(stream);
}

/* Removes the files with our names, and then the folder if it is empty. Without a lock, another import may still read
 * them. */
static void remove_parts(const srq_import *import)
{
    if (!import->lock.exclusive) return;
    remove_named(import->parts_folder, "part-");
    remove_named(import->parts_folder, "whole.h5");
    rmdir(import->parts_folder);
}

static srq_status write_skipped(const joined *j, FILE *out)
{
    char path[SRQ_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s.skipped.txt", j->import->dest);
    if (!j->bad) return SRQ_OK;
    SRQ_TRY(srq_file_write_atomic(path, j->bad_list, j->bad_size));
    if (out) fprintf(out, "skipped %zu bad images, listed in %s\n", j->bad, path);
    return SRQ_OK;
}

static srq_status join(joined *j, bool skip_bad, FILE *out)
{
    char made[SRQ_PATH_SIZE];
    whole_path(j->import, made);
    if (j->import->lock.exclusive) remove_named(j->import->parts_folder, "whole.h5"); /* of imports that were killed */
    SRQ_TRY(gather(j));
    SRQ_TRY(judge(j, skip_bad, out));
    srq_status status = j->plain ? write_plain(j, made) : write_encoded(j, made);
    if (status == SRQ_OK) status = write_skipped(j, out);
    if (status == SRQ_OK) status = srq_file_publish_new(made, j->import->dest);
    if (status == SRQ_OK)
        remove_parts(j->import);
    else
        unlink(made); /* free the space; parts are kept for the next attempt */
    return status;
}

srq_status srq_import_join(const srq_import *import, bool skip_bad, FILE *out)
{
    const size_t images = import->folder->counts[0] + import->folder->counts[1];
    joined j = {.import = import,
                .good = calloc(images, sizeof *j.good),
                .sizes = calloc(images, sizeof *j.sizes),
                .lengths = calloc(images, sizeof *j.lengths),
                .checks = calloc(images, sizeof *j.checks)};
    srq_status status = j.good && j.sizes && j.lengths && j.checks ? join(&j, skip_bad, out)
                                                                   : srq_fail_memory(images * 21, "the tables");
    free(j.good);
    free(j.sizes);
    free(j.lengths);
    free(j.checks);
    free(j.bad_list);
    return status;
}
