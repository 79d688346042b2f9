/* The memory of an image, and resizing. */
#include "io/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

srq_status srq_image_reserve(srq_image *image, int height, int width)
{
    if (height < 1 || width < 1 || height > SRQ_IMAGE_SIDE_MAX || width > SRQ_IMAGE_SIDE_MAX ||
        (long)height * width > SRQ_IMAGE_PIXELS_MAX)
        return srq_fail(SRQ_ERROR_DATA,
                        "an image of %d x %d pixels; 1 to %d pixels in total, and sides of at most %d, are expected",
                        height, width, SRQ_IMAGE_PIXELS_MAX, SRQ_IMAGE_SIDE_MAX);
    const size_t bytes = (size_t)height * (size_t)width * SRQ_IMAGE_CHANNELS;
    if (bytes > image->room) {
        uint8_t *larger = realloc(image->pixels, bytes);
        if (!larger) return srq_fail_memory(bytes, "an image");
        image->pixels = larger;
        image->room = bytes;
    }
    image->height = height;
    image->width = width;
    return SRQ_OK;
}

void srq_image_free(srq_image *image)
{
    free(image->pixels);
    *image = (srq_image){0};
}

/* --- Resizing: rows first, then columns */

/* The weights of one output position along one axis: taps[count], beginning at `first`. Their sum is 1. */
typedef struct kernel {
    int first, count;
} kernel;

static kernel weigh(int place, int from_size, int to_size, float *taps)
{
    const float scale = (float)from_size / (float)to_size, reach = scale > 1 ? scale : 1;
    const float centre = ((float)place + 0.5f) * scale;
    kernel k = {.first = (int)fmaxf(0, floorf(centre - reach + 0.5f))};
    const int last = (int)fminf((float)from_size, floorf(centre + reach + 0.5f));
    float sum = 0;
    for (int i = k.first; i < last; i++) {
        const float weight = fmaxf(0, 1 - fabsf(((float)i + 0.5f - centre) / reach));
        taps[k.count++] = weight;
        sum += weight;
    }
    for (int i = 0; i < k.count; i++) taps[i] /= sum;
    return k;
}

static size_t taps_of(int from_size, int to_size)
{
    return 2 * ((size_t)from_size / (size_t)to_size + 2);
}

size_t srq_image_resize_room(int height, int width, int out_height, int out_width)
{
    /* Resized rows; the taps of all columns, or of one row; where the taps of each column begin. */
    const size_t columns = (size_t)out_width * taps_of(width, out_width), row = taps_of(height, out_height);
    return (size_t)height * (size_t)out_width * SRQ_IMAGE_CHANNELS + (columns > row ? columns : row) +
           (size_t)out_width * 2 + (size_t)out_width * SRQ_IMAGE_CHANNELS;
}

static void narrow_rows(const srq_image *image, srq_box box, int out_width, float *rows, float *taps)
{
    const size_t stride = taps_of(box.width, out_width);
    for (int x = 0; x < out_width; x++) {
        float *tap = taps + (size_t)x * stride;
        const kernel k = weigh(x, box.width, out_width, tap);
        for (int y = 0; y < box.height; y++) {
            const uint8_t *from =
                image->pixels +
                ((size_t)(box.top + y) * (size_t)image->width + (size_t)(box.left + k.first)) * SRQ_IMAGE_CHANNELS;
            float sum[SRQ_IMAGE_CHANNELS] = {0};
            for (int i = 0; i < k.count; i++)
                for (int c = 0; c < SRQ_IMAGE_CHANNELS; c++) sum[c] += tap[i] * (float)*from++;
            memcpy(rows + ((size_t)y * (size_t)out_width + (size_t)x) * SRQ_IMAGE_CHANNELS, sum, sizeof sum);
        }
    }
}

void srq_image_resize(const srq_image *image, srq_box box, int out_height, int out_width, uint8_t *to, float *room)
{
    const size_t length = (size_t)out_width * SRQ_IMAGE_CHANNELS;
    float *rows = room, *sums = rows + (size_t)box.height * length, *taps = sums + length;
    narrow_rows(image, box, out_width, rows, taps);
    for (int y = 0; y < out_height; y++) {
        const kernel k = weigh(y, box.height, out_height, taps);
        memset(sums, 0, length * sizeof *sums);
        for (int i = 0; i < k.count; i++) {
            const float *row = rows + (size_t)(k.first + i) * length, tap = taps[i];
            for (size_t x = 0; x < length; x++) sums[x] += tap * row[x];
        }
        for (size_t x = 0; x < length; x++) *to++ = (uint8_t)(fminf(fmaxf(sums[x], 0), 255) + 0.5f);
    }
}
