#include "io/dataset.h"

#include "io/escape.h"
#include "io/h5.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define DATASET_FORMAT "srq-dataset"
enum {
    PLAIN = 1,
    ENCODED = 2 /* versions */,
    ENCODED_MAX = 1 << 28,
    SIDE_MAX = 1 << 16,
    CHANNELS_MAX = 1024,
    CLASSES_MAX = 1000000
};

static const char *const split_names[2] = {"train", "test"};

static srq_status read_attributes(const srq_h5_reader *reader, srq_dataset *d)
{
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", "name", d->name, sizeof d->name));
    return srq_h5_read_attribute_text(reader, "/", "source_sha256", d->checksum, sizeof d->checksum);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Two classes of one name could not be told apart in results. */
static srq_status check_classes(const char *path, size_t count, char **names)
{
    char **sorted = malloc(count * sizeof *sorted);
    srq_status status = SRQ_OK;
    if (!sorted) return srq_fail_memory(count * sizeof *sorted, "the names of classes");
    memcpy(sorted, names, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_text);
    for (size_t i = 0; status == SRQ_OK && i < count; i++)
        if (sorted[i][0] == '\0' || (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0))
            status =
                srq_fail(SRQ_ERROR_DATA, "%s: data set classes names \"%.60s\" %s; give each class a name of its own",
                         path, sorted[i], sorted[i][0] ? "twice" : "as a class");
    free(sorted);
    return status;
}

static srq_status read_classes(const srq_h5_reader *reader, srq_dataset *d)
{
    size_t count;
    SRQ_TRY(srq_h5_read_texts(reader, "classes", &count, &d->class_names));
    d->classes = (int)count;
    if (count >= 2 && count <= CLASSES_MAX) return check_classes(srq_h5_reader_path(reader), count, d->class_names);
    return srq_fail(SRQ_ERROR_DATA, "%s: data set classes has %zu names, but at least 2 are expected",
                    srq_h5_reader_path(reader), count);
}

/* Reads the size of the images and of both splits. */
static srq_status read_plain_sizes(const srq_h5_reader *reader, srq_dataset *d)
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

/* Encoded images are RGB. There are as many as labels. */
static srq_status read_encoded_counts(const srq_h5_reader *reader, srq_dataset *d)
{
    d->channels = 3;
    for (int s = 0; s < 2; s++) {
        char name[32];
        int rank;
        size_t shape[8];
        snprintf(name, sizeof name, "%s/labels", split_names[s]);
        SRQ_TRY(srq_h5_shape(reader, name, H5T_INTEGER, &rank, shape));
        if (rank != 1 || shape[0] < 1 || shape[0] > ((size_t)1 << 32))
            return srq_fail(SRQ_ERROR_DATA, "%s: data set %s must be [count] with at least one image",
                            srq_h5_reader_path(reader), name);
        d->splits[s].count = shape[0];
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
        if (!srq_normalization_is_possible(d->mean[c], d->std[c]))
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: channel %zu has mean %g and std %g, but both must be finite, std above 0, and 1 / std "
                            "and mean / std finite; import it again",
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

static srq_status read_labels(const srq_h5_reader *reader, const srq_dataset *d, int s, srq_split *split)
{
    char name[32];
    split->labels = malloc(split->count * sizeof *split->labels);
    if (!split->labels)
        return srq_fail(SRQ_ERROR_DATA, "%s: no memory for %zu %s labels; is the file whole?",
                        srq_h5_reader_path(reader), split->count, split_names[s]);
    snprintf(name, sizeof name, "%s/labels", split_names[s]);
    SRQ_TRY(srq_h5_read(reader, name, H5T_NATIVE_INT32, 1, &split->count, split->labels));
    return check_labels(srq_h5_reader_path(reader), name, split->labels, split->count, d->classes);
}

/* The bytes of the images of a split. */
static size_t bytes_of(const srq_dataset *d, int s)
{
    return d->splits[s].count * (size_t)d->height * (size_t)d->width * (size_t)d->channels;
}

static srq_status check_size(const srq_h5_reader *reader, const srq_dataset *d, int s)
{
    const size_t image = (size_t)d->height * (size_t)d->width * (size_t)d->channels;
    if (image <= ((size_t)1 << 42) / d->splits[s].count) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: %s images of more than 2^42 bytes", srq_h5_reader_path(reader),
                    split_names[s]);
}

static srq_status read_pixels_to(const srq_h5_reader *reader, const srq_dataset *d, int s, uint8_t *images)
{
    char name[32];
    const size_t shape[4] = {d->splits[s].count, (size_t)d->height, (size_t)d->width, (size_t)d->channels};
    snprintf(name, sizeof name, "%s/images", split_names[s]);
    return srq_h5_read(reader, name, H5T_NATIVE_UINT8, 4, shape, images);
}

static srq_status read_pixels(const srq_h5_reader *reader, const srq_dataset *d, int s, srq_split *split)
{
    split->images = malloc(bytes_of(d, s));
    if (!split->images)
        return srq_fail(SRQ_ERROR_DATA, "%s: no memory for its %zu %s images (%zu bytes); is the file whole?",
                        srq_h5_reader_path(reader), split->count, split_names[s], bytes_of(d, s));
    return read_pixels_to(reader, d, s, split->images);
}

/* Offsets must increase from 0 to the number of bytes, and sizes must be possible. */
static srq_status check_tables(const char *path, const srq_split *split, int s, size_t total, srq_dataset *d)
{
    const char *name = split_names[s];
    if (split->offsets[0] != 0 || split->offsets[split->count] != (int64_t)total)
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: data set %s/offsets goes from %lld to %lld, but the bytes go from 0 to %zu; use another copy", path,
            name, (long long)split->offsets[0], (long long)split->offsets[split->count], total);
    for (size_t i = 0; i < split->count; i++) {
        const int64_t begin = split->offsets[i], end = split->offsets[i + 1];
        if (begin < 0 || end <= begin || end > (int64_t)total || end - begin > ENCODED_MAX)
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: data set %s/offsets puts image %zu at bytes %lld to %lld of %zu; offsets must "
                            "increase, by at most 2^28: use another copy",
                            path, name, i, (long long)begin, (long long)end, total);
        if ((size_t)(end - begin) > d->largest_bytes) d->largest_bytes = (size_t)(end - begin);
        for (int k = 0; k < 2; k++) {
            const int32_t side = split->sizes[i][k];
            if (side < 1 || side > 1 << 20)
                return srq_fail(SRQ_ERROR_DATA, "%s: data set %s/sizes says %d x %d of image %zu; use another copy",
                                path, name, split->sizes[i][0], split->sizes[i][1], i);
            if (!d->smallest[k] || side < d->smallest[k]) d->smallest[k] = side;
            if (side > d->largest[k]) d->largest[k] = side;
        }
    }
    return SRQ_OK;
}

static srq_status read_tables(const srq_h5_reader *reader, srq_dataset *d, int s, srq_split *split)
{
    char name[32];
    const size_t count = split->count, behind = count + 1, pair[2] = {count, 2};
    size_t total = 0;
    split->offsets = malloc(behind * sizeof *split->offsets);
    split->sizes = malloc(count * sizeof *split->sizes);
    split->checks = malloc(count * sizeof *split->checks);
    if (!split->offsets || !split->sizes || !split->checks)
        return srq_fail(SRQ_ERROR_DATA, "%s: no memory for the tables of its %zu %s images; is the file whole?",
                        srq_h5_reader_path(reader), count, split_names[s]);
    snprintf(name, sizeof name, "%s/offsets", split_names[s]);
    SRQ_TRY(srq_h5_read(reader, name, H5T_NATIVE_INT64, 1, &behind, split->offsets));
    snprintf(name, sizeof name, "%s/sizes", split_names[s]);
    SRQ_TRY(srq_h5_read(reader, name, H5T_NATIVE_INT32, 2, pair, split->sizes));
    snprintf(name, sizeof name, "%s/crc32", split_names[s]);
    SRQ_TRY(srq_h5_read(reader, name, H5T_NATIVE_UINT32, 1, &count, split->checks));
    snprintf(name, sizeof name, "%s/bytes", split_names[s]);
    SRQ_TRY(srq_h5_room(reader, name, &split->begin, &total));
    return check_tables(srq_h5_reader_path(reader), split, s, total, d);
}

/* Labels are read first. If the file stores fewer than the counts say, this fails before more memory is allocated. */
static srq_status read_split(const srq_h5_reader *reader, srq_dataset *d, int s, bool later)
{
    SRQ_TRY(read_labels(reader, d, s, &d->splits[s]));
    if (d->encoded) return read_tables(reader, d, s, &d->splits[s]);
    SRQ_TRY(check_size(reader, d, s));
    return later ? SRQ_OK : read_pixels(reader, d, s, &d->splits[s]);
}

static srq_status read_all(const srq_h5_reader *reader, unsigned which, srq_dataset *d)
{
    SRQ_TRY(read_attributes(reader, d));
    SRQ_TRY(read_classes(reader, d));
    SRQ_TRY(d->encoded ? read_encoded_counts(reader, d) : read_plain_sizes(reader, d));
    SRQ_TRY(read_statistics(reader, d));
    for (int s = 0; s < 2; s++)
        if (which & (1u << s)) SRQ_TRY(read_split(reader, d, s, which & SRQ_LOAD_LATER));
    if (!d->encoded) return SRQ_OK;
    d->file = open(d->path, O_RDONLY | O_CLOEXEC);
    return d->file >= 0 ? SRQ_OK : srq_fail(SRQ_ERROR_DATA, "%s: %s; check its rights", d->path, strerror(errno));
}

srq_status srq_dataset_load(const char *path, unsigned which, srq_dataset **out)
{
    srq_h5_reader *reader = NULL;
    int64_t version = 0;
    SRQ_TRY(srq_h5_reader_open_versions(path, "a data set made by `srq data import`", DATASET_FORMAT, ENCODED, &version,
                                        &reader));
    srq_dataset *d = calloc(1, sizeof *d);
    srq_status status = d ? SRQ_OK : srq_fail_memory(sizeof *d, path);
    if (d) {
        d->file = -1;
        d->encoded = version == ENCODED;
        snprintf(d->path, sizeof d->path, "%s", path);
        status = read_all(reader, which, d);
    }
    srq_h5_reader_close(&reader);
    if (status != SRQ_OK)
        srq_dataset_destroy(&d);
    else
        *out = d;
    return status;
}

size_t srq_dataset_images_size(const srq_dataset *d)
{
    size_t bytes = 0;
    for (int s = 0; s < 2 && !d->encoded; s++) bytes += d->splits[s].labels ? bytes_of(d, s) : 0;
    return bytes;
}

srq_status srq_dataset_read_images(const srq_dataset *d, uint8_t *images)
{
    srq_h5_reader *reader = NULL;
    int64_t version = 0;
    SRQ_TRY(srq_h5_reader_open_versions(d->path, "a data set made by `srq data import`", DATASET_FORMAT, ENCODED,
                                        &version, &reader));
    srq_status status = SRQ_OK;
    for (int s = 0; s < 2 && status == SRQ_OK; s++) {
        if (!d->splits[s].labels) continue;
        status = read_pixels_to(reader, d, s, images);
        images += bytes_of(d, s);
    }
    srq_h5_reader_close(&reader);
    return status;
}

void srq_dataset_use_images(srq_dataset *d, uint8_t *images)
{
    d->images_are_foreign = true;
    for (int s = 0; s < 2; s++) {
        if (!d->splits[s].labels) continue;
        d->splits[s].images = images;
        images += bytes_of(d, s);
    }
}

void srq_normalization(int channels, const float *mean, const float *std, float *multiply, float *add)
{
    for (int c = 0; c < channels; c++) {
        multiply[c] = mean ? 1 / (255 * std[c]) : 1.0f / 255;
        add[c] = mean ? -mean[c] / std[c] : 0;
    }
}

bool srq_normalization_is_possible(float mean, float std)
{
    float multiply, add;
    srq_normalization(1, &mean, &std, &multiply, &add);
    return std > 0 && isfinite(std) && isfinite(multiply) && isfinite(add);
}

static srq_status read_bytes(const srq_dataset *d, int64_t at, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t n = pread(d->file, bytes, size, at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return srq_fail(SRQ_ERROR_DATA, "%s: cannot be read: %s", d->path,
                            n < 0 ? strerror(errno) : "it ends early");
        bytes += n;
        size -= (size_t)n;
        at += n;
    }
    return SRQ_OK;
}

srq_status srq_dataset_read(const srq_dataset *d, srq_split_name split, size_t index, uint8_t *bytes, size_t *size)
{
    const srq_split *s = &d->splits[split];
    *size = (size_t)(s->offsets[index + 1] - s->offsets[index]);
    SRQ_TRY(read_bytes(d, s->begin + s->offsets[index], bytes, *size));
    if ((uint32_t)crc32(0, bytes, (uInt)*size) == s->checks[index]) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: the bytes of %s image %zu are damaged (their CRC-32 differs); use another copy, or import "
                    "it again",
                    d->path, split_names[split], index);
}

void srq_dataset_destroy(srq_dataset **dataset)
{
    srq_dataset *d = *dataset;
    if (!d) return;
    if (d->file >= 0) close(d->file);
    for (int c = 0; d->class_names && c < d->classes; c++) free(d->class_names[c]);
    free(d->class_names);
    free(d->mean);
    free(d->std);
    for (int s = 0; s < 2; s++) {
        if (!d->images_are_foreign) free(d->splits[s].images);
        free(d->splits[s].labels);
        free(d->splits[s].offsets);
        free(d->splits[s].sizes);
        free(d->splits[s].checks);
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
    srq_say_to(out, "  %-16s %10s %10s\n", "class", "training", "test");
    for (int c = 0; c < d->classes; c++)
        srq_say_to(out, "  %-16s %10zu %10zu\n", d->class_names[c], counts[2 * c], counts[2 * c + 1]);
    free(counts);
    return SRQ_OK;
}

/* Smallest, median and largest value of a side, over both splits. */
static int compare_sides(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static srq_status print_sides(const srq_dataset *d, int k, FILE *out)
{
    const size_t train = d->splits[SRQ_TRAIN].count, count = train + d->splits[SRQ_TEST].count;
    int32_t *sides = malloc(count * sizeof *sides);
    if (!sides) return srq_fail_memory(count * sizeof *sides, "the sizes of images");
    for (size_t i = 0; i < count; i++)
        sides[i] = i < train ? d->splits[SRQ_TRAIN].sizes[i][k] : d->splits[SRQ_TEST].sizes[i - train][k];
    qsort(sides, count, sizeof *sides, compare_sides);
    srq_say_to(out, "  %-7s %d to %d, median %d\n", k ? "width" : "height", sides[0], sides[count - 1],
               sides[count / 2]);
    free(sides);
    return SRQ_OK;
}

static srq_status print_sizes(const srq_dataset *d, FILE *out)
{
    if (!d->encoded) {
        srq_say_to(out, "%s: %zu training and %zu test images of %d x %d x %d, %d classes\n", d->name,
                   d->splits[SRQ_TRAIN].count, d->splits[SRQ_TEST].count, d->height, d->width, d->channels, d->classes);
        return SRQ_OK;
    }
    srq_say_to(out, "%s: %zu training and %zu test images, encoded (JPEG, PNG), %d classes\n", d->name,
               d->splits[SRQ_TRAIN].count, d->splits[SRQ_TEST].count, d->classes);
    for (int k = 0; k < 2; k++) SRQ_TRY(print_sides(d, k, out));
    for (int s = 0; s < 2; s++) {
        const srq_split *split = &d->splits[s];
        srq_say_to(out, "  %s images: %lld bytes, %.0f on average\n", s == SRQ_TRAIN ? "training" : "test",
                   (long long)split->offsets[split->count],
                   (double)split->offsets[split->count] / (double)split->count);
    }
    return SRQ_OK;
}

srq_status srq_dataset_info(const char *path, FILE *out)
{
    srq_dataset *d = NULL;
    SRQ_TRY(srq_dataset_load(path, SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &d));
    srq_status status = print_sizes(d, out);
    if (status == SRQ_OK) status = print_counts(d, out);
    for (int c = 0; c < d->channels; c++)
        srq_say_to(out, "  channel %d: mean %.4f, std %.4f (of pixels / 255)\n", c, (double)d->mean[c],
                   (double)d->std[c]);
    srq_say_to(out, "  source SHA-256 %s\n", d->checksum);
    srq_dataset_destroy(&d);
    return status;
}
