/* Makes a data set from a folder of IDX files. */
#include "io/dataset_write.h"
#include "io/digest.h"
#include "io/file.h"
#include "io/idx.h"
#include "io/import_formats.h"
#include "io/path.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TRAIN_IMAGES = 0, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, FILES };

static const char *const stems[FILES] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                         "t10k-labels-idx1-ubyte"};

typedef struct source {
    const char *folder;
    char name[64];
    char paths[FILES][SRQ_PATH_SIZE];
    char checksum[SRQ_DIGEST_SIZE];
    srq_idx files[FILES];
    int classes;
} source;

/* --- Finding the files */

static srq_status find_files(source *s)
{
    struct stat info;
    for (int i = 0; i < FILES; i++) {
        snprintf(s->paths[i], SRQ_PATH_SIZE, "%s/%s", s->folder, stems[i]);
        if (stat(s->paths[i], &info) != 0) {
            snprintf(s->paths[i], SRQ_PATH_SIZE, "%s/%s.gz", s->folder, stems[i]);
            if (stat(s->paths[i], &info) != 0)
                return srq_fail(
                    SRQ_ERROR_DATA,
                    "%s: %s (or with .gz) is missing; the folder must hold %s, %s, %s and %s, plain or gzipped",
                    s->folder, stems[i], stems[0], stems[1], stems[2], stems[3]);
        }
        if (!S_ISREG(info.st_mode))
            return srq_fail(SRQ_ERROR_DATA, "%s: it is %s, but an IDX file is expected", s->paths[i],
                            S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
    }
    return SRQ_OK;
}

static srq_status take_checksum(source *s)
{
    srq_digest *digest = NULL;
    SRQ_TRY(srq_digest_create(&digest));
    srq_status status = SRQ_OK;
    /* In the order of names: t10k before train. */
    static const int order[FILES] = {TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS};
    for (int i = 0; status == SRQ_OK && i < FILES; i++) status = srq_digest_add_file(digest, s->paths[order[i]]);
    srq_digest_finish(&digest, s->checksum);
    return status;
}

/* --- Reading and checking */

static srq_status check_pair(const source *s, int images, int labels)
{
    const srq_idx *x = &s->files[images], *y = &s->files[labels];
    if (x->rank != 3 && x->rank != 4)
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: %d dimensions, but images have 3 (count, height, width) or 4 (and channels); are images and labels "
            "mixed up?",
            s->paths[images], x->rank);
    if (y->rank != 1)
        return srq_fail(SRQ_ERROR_DATA, "%s: %d dimensions, but labels have 1; are images and labels mixed up?",
                        s->paths[labels], y->rank);
    if (x->shape[0] != y->shape[0])
        return srq_fail(SRQ_ERROR_DATA, "%s has %zu labels, but %s has %zu images; one of them is not of this data set",
                        s->paths[labels], y->shape[0], s->paths[images], x->shape[0]);
    return SRQ_OK;
}

static srq_status check_files(source *s)
{
    SRQ_TRY(check_pair(s, TRAIN_IMAGES, TRAIN_LABELS));
    SRQ_TRY(check_pair(s, TEST_IMAGES, TEST_LABELS));
    const srq_idx *train = &s->files[TRAIN_IMAGES], *test = &s->files[TEST_IMAGES];
    bool same = train->rank == test->rank;
    for (int i = 1; same && i < train->rank; i++) same = train->shape[i] == test->shape[i];
    if (!same)
        return srq_fail(SRQ_ERROR_DATA, "%s and %s contain images of different sizes", s->paths[TRAIN_IMAGES],
                        s->paths[TEST_IMAGES]);
    const srq_idx *labels = &s->files[TRAIN_LABELS], *test_labels = &s->files[TEST_LABELS];
    for (size_t i = 0; i < labels->size; i++)
        if (labels->data[i] >= s->classes) s->classes = labels->data[i] + 1;
    if (s->classes < 2)
        return srq_fail(SRQ_ERROR_DATA, "%s: every label is 0; at least 2 classes are expected",
                        s->paths[TRAIN_LABELS]);
    for (size_t i = 0; i < test_labels->size; i++)
        if (test_labels->data[i] >= s->classes)
            return srq_fail(
                SRQ_ERROR_DATA,
                "%s: label %zu is %d, but the training labels go from 0 to %d; the file is damaged or of another data "
                "set",
                s->paths[TEST_LABELS], i, test_labels->data[i], s->classes - 1);
    return SRQ_OK;
}

static srq_status read_files(source *s, FILE *progress)
{
    for (int i = 0; i < FILES; i++) {
        SRQ_TRY(srq_idx_read(s->paths[i], &s->files[i]));
        if (progress) fprintf(progress, "read %s: %zu\n", s->paths[i], s->files[i].shape[0]);
    }
    return check_files(s);
}

/* --- Writing */

static const char *const fashion[10] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                        "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/* Reads the names from classes.txt beside the files, one per line, if it exists. They point into `text`. */
static srq_status read_classes(const source *s, char **text, const char *names[257], bool *found)
{
    char path[SRQ_PATH_SIZE];
    struct stat info;
    snprintf(path, sizeof path, "%s/classes.txt", s->folder);
    *found = stat(path, &info) == 0;
    if (!*found) return SRQ_OK;
    SRQ_TRY(srq_file_read_text(path, 1 << 20, text));
    int count = 0;
    for (char *line = strtok(*text, "\r\n"); line && count < 257; line = strtok(NULL, "\r\n")) names[count++] = line;
    if (count == s->classes) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: %d names, but the labels have %d classes; write one name per line", path,
                    count, s->classes);
}

static srq_status write_named(const source *s, const char *const *class_names, const char *dest)
{
    const srq_idx *train = &s->files[TRAIN_IMAGES];
    const size_t shape[3] = {train->shape[1], train->shape[2], train->rank == 4 ? train->shape[3] : 1};
    const srq_about about = {s->name, s->folder, s->checksum, s->classes, class_names};
    const size_t counts[2] = {s->files[TRAIN_LABELS].size, s->files[TEST_LABELS].size};
    int32_t *labels = malloc((counts[0] + counts[1]) * sizeof *labels);
    if (!labels) return srq_fail_memory((counts[0] + counts[1]) * sizeof *labels, "labels");
    for (size_t i = 0; i < counts[0]; i++) labels[i] = s->files[TRAIN_LABELS].data[i];
    for (size_t i = 0; i < counts[1]; i++) labels[counts[0] + i] = s->files[TEST_LABELS].data[i];
    const srq_plain_split splits[2] = {{counts[0], train->data, labels},
                                       {counts[1], s->files[TEST_IMAGES].data, labels + counts[0]}};
    srq_status status = srq_plain_write(&about, shape, splits, dest);
    free(labels);
    return status;
}

static srq_status write_dataset(const source *s, const char *dest)
{
    char numbers[256][4], *text = NULL;
    const char *names[257];
    bool found = false;
    srq_status status = read_classes(s, &text, names, &found);
    const bool is_fashion = s->classes == 10 && strstr(s->name, "fashion");
    for (int c = 0; !found && c < s->classes; c++) {
        snprintf(numbers[c], sizeof numbers[c], "%d", c & 255);
        names[c] = is_fashion ? fashion[c] : numbers[c];
    }
    if (status == SRQ_OK) status = write_named(s, names, dest);
    free(text);
    return status;
}

srq_status srq_import_idx(const char *folder, const char *dest, FILE *progress, bool *done_already)
{
    source *s = calloc(1, sizeof *s);
    if (!s) return srq_fail_memory(sizeof *s, "the import");
    s->folder = folder;
    srq_source_name(folder, s->name, sizeof s->name);
    srq_status status = find_files(s);
    if (status == SRQ_OK) status = take_checksum(s);
    if (status == SRQ_OK) status = srq_dest_check(dest, s->checksum, done_already);
    if (status == SRQ_OK && !*done_already) {
        status = read_files(s, progress);
        if (status == SRQ_OK) status = write_dataset(s, dest);
    }
    for (int i = 0; i < FILES; i++) srq_idx_free(&s->files[i]);
    free(s);
    return status;
}
