#include "io/dataset.h"

#include "io/h5.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DATASET_FORMAT "srq-dataset"
enum { DATASET_VERSION = 1, SIDE_MAX = 1 << 16, CHANNELS_MAX = 1024, CLASSES_MAX = 1000000 };

static const char *const split_names[2] = {"train", "test"};

static srq_status open_dataset(const char *path, srq_h5_reader **reader)
{
    return srq_h5_reader_open(path, "a data set made by `srq data import`", DATASET_FORMAT, DATASET_VERSION, reader);
}

static srq_status read_attributes(const srq_h5_reader *reader, srq_dataset *d)
{
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", "name", d->name, sizeof d->name));
    return srq_h5_read_attribute_text(reader, "/", "source_sha256", d->checksum, sizeof d->checksum);
}

static srq_status read_classes(const srq_h5_reader *reader, srq_dataset *d)
{
    size_t count;
    SRQ_TRY(srq_h5_read_texts(reader, "classes", &count, &d->class_names));
    d->classes = (int)count;
    if (count >= 2 && count <= CLASSES_MAX) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: data set classes has %zu names, but at least 2 are expected",
                    srq_h5_reader_path(reader), count);
}

/* The size of the images and of both splits. */
static srq_status read_sizes(const srq_h5_reader *reader, srq_dataset *d)
{
    for (int s = 0; s < 2; s++) {
        char name[32];
        int rank;
        size_t shape[8];
        snprintf(name, sizeof name, "%s/images", split_names[s]);
        SRQ_TRY(srq_h5_shape(reader, name, H5T_INTEGER, &rank, shape));
        bool sane = rank == 4 && shape[0] >= 1 && shape[0] < ((size_t)1 << 40) && shape[1] >= 1 &&
                    shape[1] <= SIDE_MAX && shape[2] >= 1 && shape[2] <= SIDE_MAX && shape[3] >= 1 &&
                    shape[3] <= CHANNELS_MAX;
        if (!sane)
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: data set %s must be [count][height][width][channels] with all of them above 0",
                            srq_h5_reader_path(reader), name);
        if (s == 1 && ((int)shape[1] != d->height || (int)shape[2] != d->width || (int)shape[3] != d->channels))
            return srq_fail(SRQ_ERROR_DATA, "%s: test images are %zu x %zu x %zu, but training images are %d x %d x %d",
                            srq_h5_reader_path(reader), shape[1], shape[2], shape[3], d->height, d->width, d->channels);
        d->splits[s].count = shape[0];
        d->height = (int)shape[1];
        d->width = (int)shape[2];
        d->channels = (int)shape[3];
    }
    return SRQ_OK;
}

static srq_status read_statistics(const srq_h5_reader *reader, srq_dataset *d)
{
    const size_t channels = (size_t)d->channels;
    d->mean = malloc(channels * sizeof *d->mean);
    d->std = malloc(channels * sizeof *d->std);
    if (!d->mean || !d->std) return srq_fail_memory(2 * channels * sizeof *d->mean, "statistics");
    SRQ_TRY(srq_h5_read(reader, "mean", H5T_NATIVE_FLOAT, 1, &channels, d->mean));
    SRQ_TRY(srq_h5_read(reader, "std", H5T_NATIVE_FLOAT, 1, &channels, d->std));
    for (size_t c = 0; c < channels; c++)
        if (!isfinite(d->mean[c]) || !isfinite(d->std[c]) || !(d->std[c] > 0))
            return srq_fail(
                SRQ_ERROR_DATA,
                "%s: channel %zu has mean %g and std %g, but both must be finite and std above 0; import it again",
                srq_h5_reader_path(reader), c, (double)d->mean[c], (double)d->std[c]);
    return SRQ_OK;
}

static srq_status check_labels(const char *path, const char *name, const int32_t *labels, size_t count, int classes)
{
    for (size_t i = 0; i < count; i++)
        if (labels[i] < 0 || labels[i] >= classes)
            return srq_fail(SRQ_ERROR_DATA, "%s: %s: label %zu is %d, but with %d classes it must be 0 to %d", path,
                            name, i, labels[i], classes, classes - 1);
    return SRQ_OK;
}

static srq_status read_split(const srq_h5_reader *reader, const srq_dataset *d, int s, srq_split *split)
{
    char name[32];
    const size_t shape[4] = {split->count, (size_t)d->height, (size_t)d->width, (size_t)d->channels};
    const size_t image = shape[1] * shape[2] * shape[3];
    if (image > ((size_t)1 << 42) / split->count)
        return srq_fail(SRQ_ERROR_DATA, "%s: %s images of more than 2^42 bytes", srq_h5_reader_path(reader),
                        split_names[s]);
    split->images = malloc(split->count * image);
    split->labels = malloc(split->count * sizeof *split->labels);
    if (!split->images || !split->labels)
        return srq_fail(SRQ_ERROR_DATA, "%s: no memory for its %zu %s images (%zu bytes); is the file whole?",
                        srq_h5_reader_path(reader), split->count, split_names[s], split->count * image);
    snprintf(name, sizeof name, "%s/labels", split_names[s]);
    SRQ_TRY(srq_h5_read(reader, name, H5T_NATIVE_INT32, 1, shape, split->labels));
    SRQ_TRY(check_labels(srq_h5_reader_path(reader), name, split->labels, split->count, d->classes));
    snprintf(name, sizeof name, "%s/images", split_names[s]);
    return srq_h5_read(reader, name, H5T_NATIVE_UINT8, 4, shape, split->images);
}

static srq_status read_all(const srq_h5_reader *reader, unsigned which, srq_dataset *d)
{
    SRQ_TRY(read_attributes(reader, d));
    SRQ_TRY(read_classes(reader, d));
    SRQ_TRY(read_sizes(reader, d));
    SRQ_TRY(read_statistics(reader, d));
    for (int s = 0; s < 2; s++)
        if (which & (1u << s)) SRQ_TRY(read_split(reader, d, s, &d->splits[s]));
    return SRQ_OK;
}

srq_status srq_dataset_load(const char *path, unsigned which, srq_dataset **out)
{
    srq_h5_reader *reader = NULL;
    SRQ_TRY(open_dataset(path, &reader));
    srq_dataset *d = calloc(1, sizeof *d);
    srq_status status = d ? read_all(reader, which, d) : srq_fail_memory(sizeof *d, path);
    srq_h5_reader_close(&reader);
    if (status != SRQ_OK)
        srq_dataset_destroy(&d);
    else
        *out = d;
    return status;
}

void srq_dataset_destroy(srq_dataset **dataset)
{
    srq_dataset *d = *dataset;
    if (!d) return;
    for (int c = 0; d->class_names && c < d->classes; c++) free(d->class_names[c]);
    free(d->class_names);
    free(d->mean);
    free(d->std);
    for (int s = 0; s < 2; s++) {
        free(d->splits[s].images);
        free(d->splits[s].labels);
    }
    free(d);
    *dataset = NULL;
}

static srq_status print_counts(const srq_dataset *d, FILE *out)
{
    const size_t bytes = 2 * (size_t)d->classes * sizeof(size_t);
    size_t *counts = calloc(1, bytes); /* [classes][split] */
    if (!counts) return srq_fail_memory(bytes, "the counts of the classes");
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < d->splits[s].count; i++) counts[2 * d->splits[s].labels[i] + s]++;
    fprintf(out, "  %-16s %10s %10s\n", "class", "training", "test");
    for (int c = 0; c < d->classes; c++)
        fprintf(out, "  %-16s %10zu %10zu\n", d->class_names[c], counts[2 * c], counts[2 * c + 1]);
    free(counts);
    return SRQ_OK;
}

srq_status srq_dataset_info(const char *path, FILE *out)
{
    srq_dataset *d = NULL;
    SRQ_TRY(srq_dataset_load(path, SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &d));
    fprintf(out, "%s: %zu training and %zu test images of %d x %d x %d, %d classes\n", d->name,
            d->splits[SRQ_TRAIN].count, d->splits[SRQ_TEST].count, d->height, d->width, d->channels, d->classes);
    srq_status status = print_counts(d, out);
    for (int c = 0; c < d->channels; c++)
        fprintf(out, "  channel %d: mean %.4f, std %.4f (of pixels / 255)\n", c, (double)d->mean[c], (double)d->std[c]);
    fprintf(out, "  source SHA-256 %s\n", d->checksum);
    srq_dataset_destroy(&d);
    return status;
}
