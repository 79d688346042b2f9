/* What the imports share, and which of them takes a folder. */
#include "io/import.h"

#include "io/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- Source and destination */

static bool holds(const char *source, const char *name, bool folder)
{
    char path[SRQ_PATH_SIZE];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", source, name);
    return stat(path, &info) == 0 && (S_ISDIR(info.st_mode) != 0) == folder;
}

static bool holds_any(const char *source, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (holds(source, names[i], false)) return true;
    return false;
}

srq_status srq_source_find(const char *source, srq_source_kind *kind)
{
    static const char *const cifar10[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                          "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"};
    static const char *const cifar100[] = {"train.bin", "test.bin"};
    static const char *const idx[] = {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz",
                                      "train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz",
                                      "t10k-images-idx3-ubyte",  "t10k-images-idx3-ubyte.gz",
                                      "t10k-labels-idx1-ubyte",  "t10k-labels-idx1-ubyte.gz"};
    struct stat info;
    if (stat(source, &info) != 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: %s; name the folder that holds the data", source, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return srq_fail(SRQ_ERROR_DATA, "%s: it is a file; name the folder that holds the data", source);
    *kind = holds_any(source, idx, sizeof idx / sizeof *idx)                  ? SRQ_SOURCE_IDX
            : holds_any(source, cifar10, sizeof cifar10 / sizeof *cifar10)    ? SRQ_SOURCE_CIFAR10
            : holds_any(source, cifar100, sizeof cifar100 / sizeof *cifar100) ? SRQ_SOURCE_CIFAR100
                                                                              : SRQ_SOURCE_FOLDER;
    if (*kind != SRQ_SOURCE_FOLDER || holds(source, "train", true)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: nothing in it that is known; it must hold one of: images as train/CLASS/IMAGE.jpg (or .jpeg, "
                    ".png) and test/CLASS/... or val/CLASS/...; CIFAR-10 as data_batch_1.bin to data_batch_5.bin, "
                    "test_batch.bin and batches.meta.txt; CIFAR-100 as train.bin, test.bin and fine_label_names.txt; "
                    "IDX files as train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
                    "t10k-labels-idx1-ubyte, plain or with .gz",
                    source);
}

/* The last part of the folder's real path: that of "." is a name, too. */
void srq_source_name(const char *source, char *name, size_t size)
{
    char *real = realpath(source, NULL);
    const char *path = real ? real : source, *slash = strrchr(path, '/');
    snprintf(name, size, "%s", slash && slash[1] ? slash + 1 : path);
    free(real);
}

srq_status srq_dest_check(const char *dest, const char *checksum, bool *done_already)
{
    struct stat info;
    *done_already = false;
    if (lstat(dest, &info) != 0) return SRQ_OK;
    srq_dataset *old = NULL;
    if (srq_dataset_load(dest, SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &old) != SRQ_OK)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: it is there already and not a whole data set; remove it or choose another name", dest);
    *done_already = checksum && strcmp(old->checksum, checksum) == 0;
    srq_dataset_destroy(&old);
    if (*done_already || !checksum) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: it is there already and holds another data set; remove it or choose another name", dest);
}

srq_status srq_dest_make_folder(const char *dest)
{
    char folder[SRQ_PATH_SIZE];
    snprintf(folder, sizeof folder, "%s", dest);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder) return SRQ_OK;
    *slash = '\0';
    return srq_folder_create(folder);
}

srq_status srq_dataset_import(const char *source, const char *dest, FILE *progress, bool *done_already)
{
    srq_source_kind kind;
    srq_import *import = NULL;
    srq_import_counts counts = {0};
    *done_already = false;
    SRQ_TRY(srq_source_find(source, &kind));
    if (kind == SRQ_SOURCE_IDX) return srq_import_idx(source, dest, progress, done_already);
    if (kind != SRQ_SOURCE_FOLDER)
        return srq_import_cifar(source, kind == SRQ_SOURCE_CIFAR100, dest, progress, done_already);
    srq_status status = srq_import_open(source, dest, done_already, &import);
    if (status == SRQ_OK && !*done_already) {
        for (size_t p = 0; status == SRQ_OK && p < import->parts; p++)
            status = srq_import_make_part(import, p, &counts, NULL, NULL);
        if (status == SRQ_OK) status = srq_import_join(import, false, progress);
    }
    srq_import_destroy(&import);
    return status;
}

/* --- Statistics */

void srq_sums_add(srq_sums *sums, const uint8_t *bytes, size_t pixels, size_t channels)
{
    sums->pixels += pixels;
    for (size_t c = 0; c < channels; c++) {
        uint64_t sum = 0, squares = 0;
        for (size_t i = 0; i < pixels; i++) {
            const uint64_t v = bytes[i * channels + c];
            sum += v;
            squares += v * v;
        }
        sums->sum[c] += sum;
        sums->squares[c] += squares;
    }
}

void srq_sums_join(srq_sums *sums, const srq_sums *others)
{
    sums->pixels += others->pixels;
    for (int c = 0; c < SRQ_SUMS_CHANNELS; c++) {
        sums->sum[c] += others->sum[c];
        sums->squares[c] += others->squares[c];
    }
}

srq_status srq_sums_write(const srq_sums *sums, size_t channels, srq_h5_writer *writer)
{
    float mean[SRQ_SUMS_CHANNELS], std[SRQ_SUMS_CHANNELS];
    for (size_t c = 0; c < channels; c++) {
        const double n = (double)sums->pixels, m = (double)sums->sum[c] / n;
        const double variance = (double)sums->squares[c] / n - m * m;
        mean[c] = (float)(m / 255);
        /* A channel that is the same everywhere carries nothing: any scale serves. */
        std[c] = variance > 0 ? (float)(sqrt(variance) / 255) : 1;
    }
    SRQ_TRY(srq_h5_write(writer, "mean", H5T_NATIVE_FLOAT, 1, &channels, mean));
    return srq_h5_write(writer, "std", H5T_NATIVE_FLOAT, 1, &channels, std);
}

/* --- Writing */

srq_status srq_about_write(const srq_about *about, srq_h5_writer *writer)
{
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "name", about->name));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "source", about->source));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "source_sha256", about->checksum));
    return srq_h5_write_texts(writer, "classes", (size_t)about->classes, about->class_names);
}

static srq_status fill(const srq_about *about, const size_t image[3], const srq_plain_split splits[2],
                       srq_h5_writer *writer)
{
    static const char *const names[2][2] = {{"train/images", "train/labels"}, {"test/images", "test/labels"}};
    srq_sums sums = {0};
    if (image[2] > SRQ_SUMS_CHANNELS)
        return srq_fail(SRQ_ERROR_DATA, "images of %zu channels: at most %d are expected", image[2], SRQ_SUMS_CHANNELS);
    srq_sums_add(&sums, splits[SRQ_TRAIN].images, splits[SRQ_TRAIN].count * image[0] * image[1], image[2]);
    SRQ_TRY(srq_about_write(about, writer));
    SRQ_TRY(srq_sums_write(&sums, image[2], writer));
    for (int s = 0; s < 2; s++) {
        const size_t shape[4] = {splits[s].count, image[0], image[1], image[2]};
        SRQ_TRY(srq_h5_write(writer, names[s][0], H5T_NATIVE_UINT8, 4, shape, splits[s].images));
        SRQ_TRY(srq_h5_write(writer, names[s][1], H5T_NATIVE_INT32, 1, shape, splits[s].labels));
    }
    return SRQ_OK;
}

srq_status srq_plain_write(const srq_about *about, const size_t shape[3], const srq_plain_split splits[2],
                           const char *path)
{
    srq_h5_writer *writer = NULL;
    SRQ_TRY(srq_h5_writer_create("srq-dataset", 1, &writer));
    srq_status status = fill(about, shape, splits, writer);
    if (status == SRQ_OK) status = srq_h5_writer_commit(writer, path);
    srq_h5_writer_destroy(&writer);
    return status;
}
