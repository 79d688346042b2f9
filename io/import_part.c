#include "io/import_part.h"

#include "io/h5.h"
#include "io/image.h"
#include "io/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum {
    SIDE_KEPT = 256,    /* the short side of a larger image is resized to this */
    SIDE_SMALL = 64,    /* images with the same size, at most this, are stored as pixels */
    QUALITY = 95,       /* JPEG quality of images that are encoded again */
    FILE_MAX = 1 << 28, /* largest size of an image file */
    RATIO_MAX = SRQ_IMAGE_PIXELS_MAX / (SIDE_KEPT * SIDE_KEPT), /* of the long side to the short one */
    MESSAGE_MAX = 400
};

/* Buffers that are used for all images. */
typedef struct bench {
    srq_image image, smaller;
    uint8_t *file;
    size_t size, file_room; /* size of the file that was read */
    float *resize;
    size_t resize_room;
    uint8_t *encoded;    /* size of an image that was encoded again */
    size_t filled, room; /* allocated size of the part's bytes */
} bench;

/* --- One image */

static srq_status read_stream(FILE *stream, size_t size, bench *b)
{
    /* Reads one byte more than expected, because the file may have grown. */
    if (size + 1 > b->file_room) {
        uint8_t *larger = realloc(b->file, size + 1);
        if (!larger) return srq_fail_memory(size + 1, "an image file");
        b->file = larger;
        b->file_room = size + 1;
    }
    b->size = fread(b->file, 1, size + 1, stream);
    if (ferror(stream)) return srq_fail(SRQ_ERROR_DATA, "cannot be read: %s", strerror(errno));
    return b->size == size ? SRQ_OK : srq_fail(SRQ_ERROR_DATA, "it changed while it was read");
}

static srq_status read_file(const char *path, bench *b)
{
    struct stat info;
    b->size = 0;
    if (stat(path, &info) != 0) return srq_fail(SRQ_ERROR_DATA, "%s", strerror(errno));
    if (!S_ISREG(info.st_mode)) return srq_fail(SRQ_ERROR_DATA, "not a regular file");
    if (info.st_size > FILE_MAX) return srq_fail(SRQ_ERROR_DATA, "larger than %d bytes; is it an image?", FILE_MAX);
    FILE *stream = fopen(path, "rb");
    if (!stream) return srq_fail(SRQ_ERROR_DATA, "%s", strerror(errno));
    srq_status status = read_stream(stream, (size_t)info.st_size, b);
    fclose(stream);
    return status;
}

/* Resizes and encodes an image with a short side above the limit. */
static srq_status make_smaller(bench *b)
{
    const int height = b->image.height, width = b->image.width, side = height < width ? height : width;
    const int out_height = (int)(((long)height * SIDE_KEPT + side / 2) / side);
    const int out_width = (int)(((long)width * SIDE_KEPT + side / 2) / side);
    const size_t room = srq_image_resize_room(height, width, out_height, out_width);
    SRQ_TRY(srq_image_reserve(&b->smaller, out_height, out_width));
    if (room > b->resize_room) {
        float *larger = realloc(b->resize, room * sizeof *larger);
        if (!larger) return srq_fail_memory(room * sizeof *larger, "resizing an image");
        b->resize = larger;
        b->resize_room = room;
    }
    srq_image_resize(&b->image, (srq_box){0, 0, height, width}, out_height, out_width, b->smaller.pixels, b->resize);
    return SRQ_OK;
}

static srq_status keep_bytes(srq_part *p, size_t i, bench *b, const uint8_t *bytes, size_t size)
{
    if (b->filled + size > b->room) {
        const size_t room = 2 * (b->filled + size);
        uint8_t *larger = realloc(p->bytes, room);
        if (!larger) return srq_fail_memory(room, "a part of the images");
        p->bytes = larger;
        b->room = room;
    }
    memcpy(p->bytes + b->filled, bytes, size);
    b->filled += size;
    p->checks[i] = (uint32_t)crc32(0, bytes, (uInt)size);
    return SRQ_OK;
}

/* Stores the pixels of small images, as long as all have the same size. */
static srq_status keep_pixels(srq_part *p, size_t i, const srq_image *image, bool first)
{
    const size_t bytes = (size_t)image->height * (size_t)image->width * SRQ_IMAGE_CHANNELS;
    if (first && image->height <= SIDE_SMALL && image->width <= SIDE_SMALL) {
        p->height = image->height;
        p->width = image->width;
        p->pixels = calloc(p->count, bytes);
        if (!p->pixels) return srq_fail_memory(p->count * bytes, "a part of the images");
    }
    if (p->height == image->height && p->width == image->width) {
        memcpy(p->pixels + i * bytes, image->pixels, bytes);
    } else {
        p->height = p->width = 0;
        free(p->pixels);
        p->pixels = NULL;
    }
    return SRQ_OK;
}

static srq_status keep(srq_part *p, size_t i, bench *b)
{
    const srq_image *image = &b->image;
    const uint8_t *bytes = b->file;
    size_t size = b->size;
    if (image->height > SIDE_KEPT && image->width > SIDE_KEPT) {
        SRQ_TRY(make_smaller(b));
        free(b->encoded);
        b->encoded = NULL;
        SRQ_TRY(srq_image_encode(&b->smaller, QUALITY, &b->encoded, &size));
        image = &b->smaller;
        bytes = b->encoded;
    }
    SRQ_TRY(keep_bytes(p, i, b, bytes, size));
    SRQ_TRY(keep_pixels(p, i, image, p->sums.pixels == 0));
    p->sizes[i][0] = image->height;
    p->sizes[i][1] = image->width;
    srq_sums_add(&p->sums, image->pixels, (size_t)image->height * (size_t)image->width, SRQ_IMAGE_CHANNELS);
    return SRQ_OK;
}

/* Training resizes the short side. A line of pixels of a few bytes would grow to gigabytes. */
static srq_status check_ratio(const srq_image *image)
{
    const int height = image->height, width = image->width;
    const int shorter = height < width ? height : width, longer = height < width ? width : height;
    if (longer / RATIO_MAX < shorter || longer == shorter * RATIO_MAX) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "an image of %d x %d pixels (height x width); the long side must be at most %d times the short one",
                    height, width, RATIO_MAX);
}

static srq_status take_image(srq_part *p, size_t i, const char *path, bench *b)
{
    SRQ_TRY(read_file(path, b));
    srq_digest *digest = NULL;
    SRQ_TRY(srq_digest_create(&digest));
    srq_digest_add(digest, b->file, b->size);
    srq_digest_finish(&digest, p->digests[i]);
    SRQ_TRY(srq_image_decode(b->file, b->size, &b->image));
    SRQ_TRY(check_ratio(&b->image));
    p->cmyk += b->image.cmyk;
    return keep(p, i, b);
}

/* --- All images */

static srq_part *allocate(size_t count)
{
    srq_part *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->count = count;
    p->digests = calloc(count, sizeof *p->digests);
    p->messages = calloc(count, sizeof *p->messages);
    p->sizes = calloc(count, sizeof *p->sizes);
    p->offsets = calloc(count + 1, sizeof *p->offsets);
    p->checks = calloc(count, sizeof *p->checks);
    if (p->digests && p->messages && p->sizes && p->offsets && p->checks) return p;
    srq_part_destroy(&p);
    return NULL;
}

static srq_status fill(srq_part *p, const srq_folder *folder, size_t first, bench *b, srq_import_counts *counts,
                       srq_import_tick tick, void *context)
{
    for (size_t i = 0; i < p->count; i++) {
        char path[SRQ_PATH_SIZE], message[MESSAGE_MAX] = "";
        snprintf(path, sizeof path, "%s/%s", folder->source, folder->paths[first + i]);
        srq_status status = take_image(p, i, path, b);
        if (status == SRQ_ERROR_DATA)
            snprintf(message, sizeof message, "%s", srq_message());
        else
            SRQ_TRY(status);
        p->messages[i] = strdup(message);
        if (!p->messages[i]) return srq_fail_memory(sizeof message, "a message");
        p->offsets[i + 1] = (int64_t)b->filled;
        counts->images++;
        counts->bytes += (double)b->size;
        counts->bad += message[0] != '\0';
        if (tick) tick(context, counts);
    }
    return SRQ_OK;
}

srq_status srq_part_make(const srq_folder *folder, size_t first, size_t count, srq_import_counts *counts,
                         srq_import_tick tick, void *context, srq_part **part)
{
    bench b = {0};
    srq_part *p = allocate(count);
    srq_status status = p ? fill(p, folder, first, &b, counts, tick, context)
                          : srq_fail_memory(count * SRQ_DIGEST_SIZE, "a part of the images");
    srq_image_free(&b.image);
    srq_image_free(&b.smaller);
    free(b.file);
    free(b.resize);
    free(b.encoded);
    if (status != SRQ_OK)
        srq_part_destroy(&p);
    else
        *part = p;
    return status;
}

void srq_part_destroy(srq_part **part)
{
    srq_part *p = *part;
    if (!p) return;
    for (size_t i = 0; p->messages && i < p->count; i++) free(p->messages[i]);
    free(p->messages);
    free(p->digests);
    free(p->sizes);
    free(p->offsets);
    free(p->bytes);
    free(p->checks);
    free(p->pixels);
    free(p);
    *part = NULL;
}

/* --- In a file */

#define PART_FORMAT "srq-import-part"
enum { PART_VERSION = 2 }; /* 2: decoders that use nothing but the samples; CMYK */

static srq_status write_texts(srq_h5_writer *writer, const srq_part *p)
{
    const char **digests = calloc(p->count, sizeof *digests);
    if (!digests) return srq_fail_memory(p->count * sizeof *digests, "checksums");
    for (size_t i = 0; i < p->count; i++) digests[i] = p->digests[i];
    srq_status status = srq_h5_write_texts(writer, "digests", p->count, digests);
    free(digests);
    if (status != SRQ_OK) return status;
    return srq_h5_write_texts(writer, "messages", p->count, (const char *const *)p->messages);
}

static srq_status write_all(srq_h5_writer *writer, const srq_part *p, const char *fingerprint)
{
    const size_t count = p->count, pair[2] = {count, 2}, behind = count + 1, total = (size_t)p->offsets[count];
    const size_t images[4] = {count, (size_t)p->height, (size_t)p->width, SRQ_IMAGE_CHANNELS};
    uint64_t sums[1 + 2 * SRQ_IMAGE_CHANNELS] = {p->sums.pixels};
    const size_t sums_count = sizeof sums / sizeof *sums;
    for (int c = 0; c < SRQ_IMAGE_CHANNELS; c++) {
        sums[1 + c] = p->sums.sum[c];
        sums[1 + SRQ_IMAGE_CHANNELS + c] = p->sums.squares[c];
    }
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "fingerprint", fingerprint));
    SRQ_TRY(srq_h5_write_attribute_int(writer, "/", "cmyk", (int64_t)p->cmyk));
    SRQ_TRY(write_texts(writer, p));
    SRQ_TRY(srq_h5_write(writer, "sizes", H5T_NATIVE_INT32, 2, pair, p->sizes));
    SRQ_TRY(srq_h5_write(writer, "offsets", H5T_NATIVE_INT64, 1, &behind, p->offsets));
    SRQ_TRY(srq_h5_write(writer, "crc32", H5T_NATIVE_UINT32, 1, &count, p->checks));
    SRQ_TRY(srq_h5_write(writer, "sums", H5T_NATIVE_UINT64, 1, &sums_count, sums));
    if (total) SRQ_TRY(srq_h5_write(writer, "bytes", H5T_NATIVE_UINT8, 1, &total, p->bytes));
    if (p->height) SRQ_TRY(srq_h5_write(writer, "pixels", H5T_NATIVE_UINT8, 4, images, p->pixels));
    return SRQ_OK;
}

srq_status srq_part_write(const srq_part *p, const char *fingerprint, const char *path)
{
    srq_h5_writer *writer = NULL;
    SRQ_TRY(srq_h5_writer_create(PART_FORMAT, PART_VERSION, &writer));
    srq_status status = write_all(writer, p, fingerprint);
    if (status == SRQ_OK) status = srq_h5_writer_commit(writer, path);
    srq_h5_writer_destroy(&writer);
    return status;
}

static srq_status read_texts(const srq_h5_reader *reader, srq_part *p)
{
    size_t count = 0;
    char **digests = NULL;
    free(p->messages);
    p->messages = NULL;
    SRQ_TRY(srq_h5_read_texts(reader, "messages", &count, &p->messages));
    if (count != p->count) {
        for (size_t i = p->count; i < count; i++) free(p->messages[i]);
        return srq_fail(SRQ_ERROR_DATA, "%s: %zu messages", srq_h5_reader_path(reader), count);
    }
    SRQ_TRY(srq_h5_read_texts(reader, "digests", &count, &digests));
    for (size_t i = 0; i < count; i++) {
        if (i < p->count) snprintf(p->digests[i], sizeof p->digests[i], "%s", digests[i]);
        free(digests[i]);
    }
    free(digests);
    return SRQ_OK;
}

static srq_status read_large(const srq_h5_reader *reader, const char *name, int rank, const size_t *shape,
                             uint8_t **data)
{
    size_t bytes = 1;
    for (int i = 0; i < rank; i++) bytes *= shape[i];
    if (bytes == 0) return SRQ_OK;
    *data = malloc(bytes);
    if (!*data) return srq_fail_memory(bytes, "a part of the images");
    return srq_h5_read(reader, name, H5T_NATIVE_UINT8, rank, shape, *data);
}

static srq_status read_all(const srq_h5_reader *reader, unsigned what, srq_part *p)
{
    const size_t count = p->count, pair[2] = {count, 2}, behind = count + 1;
    uint64_t sums[1 + 2 * SRQ_IMAGE_CHANNELS];
    const size_t sums_count = sizeof sums / sizeof *sums;
    int64_t cmyk;
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "cmyk", &cmyk));
    p->cmyk = (size_t)cmyk;
    SRQ_TRY(read_texts(reader, p));
    SRQ_TRY(srq_h5_read(reader, "sizes", H5T_NATIVE_INT32, 2, pair, p->sizes));
    SRQ_TRY(srq_h5_read(reader, "offsets", H5T_NATIVE_INT64, 1, &behind, p->offsets));
    SRQ_TRY(srq_h5_read(reader, "crc32", H5T_NATIVE_UINT32, 1, &count, p->checks));
    SRQ_TRY(srq_h5_read(reader, "sums", H5T_NATIVE_UINT64, 1, &sums_count, sums));
    p->sums.pixels = sums[0];
    for (int c = 0; c < SRQ_IMAGE_CHANNELS; c++) {
        p->sums.sum[c] = sums[1 + c];
        p->sums.squares[c] = sums[1 + SRQ_IMAGE_CHANNELS + c];
    }
    const size_t total = (size_t)p->offsets[count];
    size_t images[8] = {0};
    int rank = 0;
    if (srq_h5_exists(reader, "pixels")) SRQ_TRY(srq_h5_shape(reader, "pixels", H5T_INTEGER, &rank, images));
    p->height = (int)images[1];
    p->width = (int)images[2];
    if (what & SRQ_PART_BYTES) SRQ_TRY(read_large(reader, "bytes", 1, &total, &p->bytes));
    if ((what & SRQ_PART_PIXELS) && p->height) SRQ_TRY(read_large(reader, "pixels", 4, images, &p->pixels));
    return SRQ_OK;
}

static srq_status read_part(const srq_h5_reader *reader, const char *fingerprint, unsigned what, srq_part **part)
{
    char found[SRQ_DIGEST_SIZE] = "";
    int rank;
    size_t shape[8] = {0};
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", "fingerprint", found, sizeof found));
    if (strcmp(found, fingerprint) != 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: it was made from other files", srq_h5_reader_path(reader));
    SRQ_TRY(srq_h5_shape(reader, "sizes", H5T_INTEGER, &rank, shape));
    if (shape[0] < 1 || shape[0] > SRQ_PART_IMAGES)
        return srq_fail(SRQ_ERROR_DATA, "%s: it has %zu images", srq_h5_reader_path(reader), shape[0]);
    *part = allocate(shape[0]);
    if (!*part) return srq_fail_memory(shape[0] * SRQ_DIGEST_SIZE, "a part of the images");
    return read_all(reader, what, *part);
}

srq_status srq_part_read(const char *path, const char *fingerprint, unsigned what, srq_part **part)
{
    srq_h5_reader *reader = NULL;
    srq_part *p = NULL;
    SRQ_TRY(srq_h5_reader_open(path, "a part of an import", PART_FORMAT, PART_VERSION, &reader));
    srq_status status = read_part(reader, fingerprint, what, &p);
    srq_h5_reader_close(&reader);
    if (status != SRQ_OK)
        srq_part_destroy(&p);
    else
        *part = p;
    return status;
}
