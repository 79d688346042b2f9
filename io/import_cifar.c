/* A folder of the binary files of CIFAR-10 or CIFAR-100 (Krizhevsky, "Learning multiple layers of features from tiny
 * images", 2009): records of one label (CIFAR-100: a coarse label, which is ignored, and the fine one) and 32 x 32
 * pixels, plane after plane. */
#include "io/dataset.h"
#include "io/dataset_write.h"
#include "io/digest.h"
#include "io/file.h"
#include "io/import_formats.h"
#include "io/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 32, PIXELS = SIDE * SIDE, CHANNELS = 3, FILES_MAX = 6, RECORDS_MAX = 1 << 22 };

/* The differences between the two. */
typedef struct variant {
    int labels, used, classes; /* number of labels in a record; index of the one that is used; number of its values */
    int files, train_files;
    const char *files_named[FILES_MAX]; /* training, then test */
    const char *names;                  /* one class per line */
} variant;

static const variant cifar10 = {1,
                                0,
                                10,
                                6,
                                5,
                                {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                                 "data_batch_5.bin", "test_batch.bin"},
                                "batches.meta.txt"};
static const variant cifar100 = {2, 1, 100, 2, 1, {"train.bin", "test.bin"}, "fine_label_names.txt"};

typedef struct source {
    const variant *v;
    const char *folder;
    char name[64], checksum[SRQ_DIGEST_SIZE];
    char paths[FILES_MAX][SRQ_PATH_SIZE];
    size_t counts[FILES_MAX]; /* records */
    size_t split_counts[2];
    uint8_t *images[2];
    int32_t *labels[2];
    char *names_text;
    const char *names[100];
} source;

static size_t record_size(const source *s)
{
    return (size_t)s->v->labels + PIXELS * CHANNELS;
}

static srq_status find_files(source *s)
{
    for (int i = 0; i < s->v->files; i++) {
        struct stat info;
        const size_t record = record_size(s);
        snprintf(s->paths[i], SRQ_PATH_SIZE, "%s/%s", s->folder, s->v->files_named[i]);
        if (stat(s->paths[i], &info) != 0)
            return srq_fail(SRQ_ERROR_DATA, "%s: %s; the folder must hold %s to %s and %s", s->paths[i],
                            strerror(errno), s->v->files_named[0], s->v->files_named[s->v->files - 1], s->v->names);
        if (!S_ISREG(info.st_mode)) return srq_fail(SRQ_ERROR_DATA, "%s: it is not a regular file", s->paths[i]);
        if (info.st_size == 0) return srq_fail(SRQ_ERROR_DATA, "%s: it is empty; fetch the file again", s->paths[i]);
        const size_t size = (size_t)info.st_size;
        if (size % record != 0 || size / record > RECORDS_MAX)
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: cut short or not of CIFAR-%d: %zu bytes, but records of %zu bytes make %zu or %zu; "
                            "fetch the file again",
                            s->paths[i], s->v->classes, size, record, size / record * record,
                            (size / record + 1) * record);
        s->counts[i] = size / record;
        s->split_counts[i < s->v->train_files ? SRQ_TRAIN : SRQ_TEST] += s->counts[i];
    }
    return SRQ_OK;
}

static srq_status take_checksum(source *s)
{
    srq_digest *digest = NULL;
    SRQ_TRY(srq_digest_create(&digest));
    srq_status status = SRQ_OK;
    /* In the order of names: for CIFAR-100, test before train. */
    for (int i = 0; status == SRQ_OK && i < s->v->files; i++)
        status = srq_digest_add_file(digest, s->paths[s->v->files == 2 ? 1 - i : i]);
    srq_digest_finish(&digest, s->checksum);
    return status;
}

static srq_status read_names(source *s)
{
    char path[SRQ_PATH_SIZE];
    int count = 0;
    snprintf(path, sizeof path, "%s/%s", s->folder, s->v->names);
    SRQ_TRY(srq_file_read_text(path, 1 << 20, &s->names_text));
    for (char *line = strtok(s->names_text, "\r\n"); line; line = strtok(NULL, "\r\n"), count++)
        if (count < s->v->classes) s->names[count] = line;
    if (count == s->v->classes) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: %d names, but CIFAR-%d has %d classes; fetch the file again", path, count,
                    s->v->classes, s->v->classes);
}

/* Converts planes to pixels. */
static srq_status take_record(const source *s, int file, size_t index, const uint8_t *record, uint8_t *image,
                              int32_t *label)
{
    *label = record[s->v->used];
    if (*label >= s->v->classes)
        return srq_fail(SRQ_ERROR_DATA, "%s: image %zu has the label %d, but CIFAR-%d has 0 to %d; the file is damaged",
                        s->paths[file], index, *label, s->v->classes, s->v->classes - 1);
    record += s->v->labels;
    for (size_t p = 0; p < PIXELS; p++)
        for (size_t c = 0; c < CHANNELS; c++) image[p * CHANNELS + c] = record[c * PIXELS + p];
    return SRQ_OK;
}

static srq_status read_records(const source *s, int file, FILE *stream, uint8_t *images, int32_t *labels)
{
    uint8_t record[2 + PIXELS * CHANNELS];
    for (size_t i = 0; i < s->counts[file]; i++) {
        if (fread(record, record_size(s), 1, stream) != 1)
            return srq_fail(SRQ_ERROR_DATA, "%s: cannot be read: %s", s->paths[file],
                            ferror(stream) ? strerror(errno) : "it ends early");
        SRQ_TRY(take_record(s, file, i, record, images + i * PIXELS * CHANNELS, labels + i));
    }
    return SRQ_OK;
}

static srq_status read_files(source *s, FILE *progress)
{
    size_t filled[2] = {0};
    for (int k = 0; k < 2; k++) {
        s->images[k] = malloc(s->split_counts[k] * PIXELS * CHANNELS);
        s->labels[k] = malloc(s->split_counts[k] * sizeof *s->labels[k]);
        if (!s->images[k] || !s->labels[k])
            return srq_fail_memory(s->split_counts[k] * PIXELS * CHANNELS, "the images");
    }
    for (int i = 0; i < s->v->files; i++) {
        const int k = i < s->v->train_files ? SRQ_TRAIN : SRQ_TEST;
        FILE *stream = fopen(s->paths[i], "rb");
        if (!stream) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check its permissions", s->paths[i], strerror(errno));
        srq_status status =
            read_records(s, i, stream, s->images[k] + filled[k] * PIXELS * CHANNELS, s->labels[k] + filled[k]);
        fclose(stream);
        SRQ_TRY(status);
        filled[k] += s->counts[i];
        if (progress) fprintf(progress, "read %s: %zu\n", s->paths[i], s->counts[i]);
    }
    return SRQ_OK;
}

static srq_status write_dataset(const source *s, const char *dest)
{
    const size_t shape[3] = {SIDE, SIDE, CHANNELS};
    const srq_about about = {s->name, s->folder, s->checksum, s->v->classes, s->names};
    const srq_plain_split splits[2] = {{s->split_counts[0], s->images[0], s->labels[0]},
                                       {s->split_counts[1], s->images[1], s->labels[1]}};
    return srq_plain_write(&about, shape, splits, dest);
}

srq_status srq_import_cifar(const char *folder, bool fine, const char *dest, FILE *progress, bool *done_already)
{
    source *s = calloc(1, sizeof *s);
    if (!s) return srq_fail_memory(sizeof *s, "the import");
    s->v = fine ? &cifar100 : &cifar10;
    s->folder = folder;
    srq_source_name(folder, s->name, sizeof s->name);
    srq_status status = find_files(s);
    if (status == SRQ_OK) status = take_checksum(s);
    if (status == SRQ_OK) status = srq_dest_check(dest, s->checksum, done_already);
    if (status == SRQ_OK && !*done_already) {
        status = read_names(s);
        if (status == SRQ_OK) status = read_files(s, progress);
        if (status == SRQ_OK) status = write_dataset(s, dest);
    }
    for (int k = 0; k < 2; k++) {
        free(s->images[k]);
        free(s->labels[k]);
    }
    free(s->names_text);
    free(s);
    return status;
}
