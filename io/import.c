/* srq_dataset_import: a folder of IDX files into a data set. */
#include "io/dataset.h"
#include "io/digest.h"
#include "io/file.h"
#include "io/h5.h"
#include "io/idx.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4352, TRAIN_IMAGES = 0, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, FILES };

static const char *const stems[FILES] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                         "t10k-labels-idx1-ubyte"};

typedef struct source {
    const char *folder;
    char name[64];
    char paths[FILES][PATH_SIZE];
    char checksum[SRQ_DIGEST_SIZE];
    srq_idx files[FILES];
    int classes;
} source;

/* --- Finding the files */

static srq_status find_files(source *s)
{
    struct stat info;
    if (stat(s->folder, &info) != 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: %s; name a folder with IDX files", s->folder, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return srq_fail(SRQ_ERROR_DATA, "%s: it is a file; name the folder that holds the four IDX files", s->folder);
    for (int i = 0; i < FILES; i++) {
        snprintf(s->paths[i], PATH_SIZE, "%s/%s", s->folder, stems[i]);
        if (stat(s->paths[i], &info) != 0) {
            snprintf(s->paths[i], PATH_SIZE, "%s/%s.gz", s->folder, stems[i]);
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

/* The last part of the folder's real path: that of "." is a name, too. */
static void take_name(source *s)
{
    char *real = realpath(s->folder, NULL);
    const char *path = real ? real : s->folder, *slash = strrchr(path, '/');
    snprintf(s->name, sizeof s->name, "%s", slash && slash[1] ? slash + 1 : path);
    free(real);
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
        return srq_fail(SRQ_ERROR_DATA, "%s and %s hold images of different sizes", s->paths[TRAIN_IMAGES],
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

static srq_status write_default_classes(srq_h5_writer *writer, const source *s)
{
    if (s->classes == 10 && strstr(s->name, "fashion")) return srq_h5_write_texts(writer, "classes", 10, fashion);
    char numbers[256][4];
    const char *names[256];
    for (int c = 0; c < s->classes; c++) {
        snprintf(numbers[c], sizeof numbers[c], "%d", c & 255);
        names[c] = numbers[c];
    }
    return srq_h5_write_texts(writer, "classes", (size_t)s->classes, names);
}

/* Names from classes.txt beside the files, one a line, if it is there. */
static srq_status write_classes(srq_h5_writer *writer, const source *s)
{
    char path[PATH_SIZE], *text = NULL;
    struct stat info;
    snprintf(path, sizeof path, "%s/classes.txt", s->folder);
    if (stat(path, &info) != 0) return write_default_classes(writer, s);
    SRQ_TRY(srq_file_read_text(path, 1 << 20, &text));
    const char *names[257];
    int count = 0;
    for (char *line = strtok(text, "\r\n"); line && count < 257; line = strtok(NULL, "\r\n")) names[count++] = line;
    srq_status status =
        count == s->classes
            ? srq_h5_write_texts(writer, "classes", (size_t)count, names)
            : srq_fail(SRQ_ERROR_DATA, "%s: %d names, but the labels have %d classes; write one name a line", path,
                       count, s->classes);
    free(text);
    return status;
}

static srq_status write_statistics(srq_h5_writer *writer, const srq_idx *images, size_t channels)
{
    float mean[256], std[256];
    if (channels > 256) return srq_fail(SRQ_ERROR_DATA, "images of %zu channels: at most 256 are expected", channels);
    for (size_t c = 0; c < channels; c++) {
        /* Sums of bytes are exact in integers. */
        uint64_t sum = 0, squares = 0;
        const double n = (double)(images->size / channels);
        for (size_t i = c; i < images->size; i += channels) {
            sum += images->data[i];
            squares += (uint64_t)images->data[i] * images->data[i];
        }
        double m = (double)sum / n, variance = (double)squares / n - m * m;
        mean[c] = (float)(m / 255);
        /* A channel that is the same everywhere carries nothing: any scale serves. */
        std[c] = variance > 0 ? (float)(sqrt(variance) / 255) : 1;
    }
    SRQ_TRY(srq_h5_write(writer, "mean", H5T_NATIVE_FLOAT, 1, &channels, mean));
    return srq_h5_write(writer, "std", H5T_NATIVE_FLOAT, 1, &channels, std);
}

static srq_status write_split(srq_h5_writer *writer, const char *split, const srq_idx *images, const srq_idx *labels)
{
    char name[32];
    const size_t shape[4] = {images->shape[0], images->shape[1], images->shape[2],
                             images->rank == 4 ? images->shape[3] : 1};
    int32_t *wide = malloc(labels->size * sizeof *wide);
    if (!wide) return srq_fail_memory(labels->size * sizeof *wide, "labels");
    for (size_t i = 0; i < labels->size; i++) wide[i] = labels->data[i];
    snprintf(name, sizeof name, "%s/images", split);
    srq_status status = srq_h5_write(writer, name, H5T_NATIVE_UINT8, 4, shape, images->data);
    snprintf(name, sizeof name, "%s/labels", split);
    if (status == SRQ_OK) status = srq_h5_write(writer, name, H5T_NATIVE_INT32, 1, shape, wide);
    free(wide);
    return status;
}

static srq_status fill(srq_h5_writer *writer, const source *s)
{
    const srq_idx *train = &s->files[TRAIN_IMAGES];
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "name", s->name));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "source", s->folder));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "source_sha256", s->checksum));
    SRQ_TRY(write_classes(writer, s));
    SRQ_TRY(write_statistics(writer, train, train->rank == 4 ? train->shape[3] : 1));
    SRQ_TRY(write_split(writer, "train", train, &s->files[TRAIN_LABELS]));
    return write_split(writer, "test", &s->files[TEST_IMAGES], &s->files[TEST_LABELS]);
}

static srq_status write_dataset(const source *s, const char *dest)
{
    srq_h5_writer *writer = NULL;
    SRQ_TRY(srq_h5_writer_create("srq-dataset", 1, &writer));
    srq_status status = fill(writer, s);
    if (status == SRQ_OK) status = srq_h5_writer_commit(writer, dest);
    srq_h5_writer_destroy(&writer);
    return status;
}

/* A destination that is there is left alone; fine if it is what would be made. */
static srq_status check_dest(const source *s, const char *dest, bool *done_already)
{
    struct stat info;
    *done_already = false;
    if (lstat(dest, &info) != 0) return SRQ_OK;
    srq_dataset *old = NULL;
    if (srq_dataset_load(dest, SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &old) != SRQ_OK)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: it is there already and not a whole data set; remove it or choose another name", dest);
    *done_already = strcmp(old->checksum, s->checksum) == 0;
    srq_dataset_destroy(&old);
    if (*done_already) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: it is there already and holds another data set; remove it or choose another name", dest);
}

static srq_status make_folder(const char *dest)
{
    char folder[PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", dest);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder) return SRQ_OK;
    *slash = '\0';
    return srq_folder_create(folder);
}

srq_status srq_dataset_import(const char *folder, const char *dest, FILE *progress, bool *done_already)
{
    source *s = calloc(1, sizeof *s);
    if (!s) return srq_fail_memory(sizeof *s, "the import");
    s->folder = folder;
    take_name(s);
    *done_already = false;
    srq_status status = find_files(s);
    if (status == SRQ_OK) status = take_checksum(s);
    if (status == SRQ_OK) status = check_dest(s, dest, done_already);
    if (status == SRQ_OK && !*done_already) {
        status = read_files(s, progress);
        if (status == SRQ_OK) status = make_folder(dest);
        if (status == SRQ_OK) status = write_dataset(s, dest);
    }
    for (int i = 0; i < FILES; i++) srq_idx_free(&s->files[i]);
    free(s);
    return status;
}
