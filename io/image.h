/* Decodes JPEG and PNG images to RGB bytes, and encodes JPEG. The format is detected from the first bytes, not from a
 * name.
 *
 * Any input is safe: if it cannot be decoded completely, the result is SRQ_ERROR_DATA with a message that says what is
 * wrong ("a truncated JPEG ..."). The caller adds the file name (srq_fail_in). Images are limited to 2^26 pixels, and
 * progressive JPEGs to 200 scans. */
#ifndef SRQ_IO_IMAGE_H
#define SRQ_IO_IMAGE_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

enum { SRQ_IMAGE_CHANNELS = 3 };

/* An RGB image. Initialize it with {0}. The buffer is reused for the next image, and grows if necessary. */
typedef struct srq_image {
    int height, width;
    uint8_t *pixels; /* [height][width][3] */
    size_t room;     /* size of the buffer in bytes */
} srq_image;

/* Makes the buffer large enough for height x width pixels. */
srq_status srq_image_reserve(srq_image *image, int height, int width);
void srq_image_free(srq_image *image);

/* Decodes an image. Like Pillow's convert("RGB"), it converts grey and palette images to RGB and 16 bits to 8, and
 * ignores alpha. A CMYK JPEG is an error, because its colours depend on the ink. */
srq_status srq_image_decode(const uint8_t *bytes, size_t size, srq_image *image);

/* Encodes a JPEG of this quality (1..100) to *bytes, which the caller frees with free(). With the same libjpeg, the
 * same pixels give the same bytes. */
srq_status srq_image_encode(const srq_image *image, int quality, uint8_t **bytes, size_t *size);

/* A part of an image, in pixels. */
typedef struct srq_box {
    int top, left, height, width;
} srq_box;

/* The number of floats that srq_image_resize needs to resize an image of at most `height` rows to `out_height` x
 * `out_width`. */
size_t srq_image_resize_room(int height, int width, int out_height, int out_width);
/* Resizes the box, which must lie inside the image, to out_height x out_width RGB bytes at `to`. Uses linear
 * interpolation; when reducing, the triangle filter covers the area of a pixel of the result, like Pillow's BILINEAR.
 * `room` is work space of srq_image_resize_room floats. */
void srq_image_resize(const srq_image *image, srq_box box, int out_height, int out_width, uint8_t *to, float *room);

/* The decoders from which srq_image_decode chooses. */
srq_status srq_jpeg_decode(const uint8_t *bytes, size_t size, srq_image *image);
srq_status srq_png_decode(const uint8_t *bytes, size_t size, srq_image *image);

#endif
