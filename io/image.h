/* Decodes JPEG and PNG images to RGB bytes, and encodes JPEG. The format is detected from the first bytes, not from a
 * name.
 *
 * Any input is safe: if it cannot be decoded completely, the result is SRQ_ERROR_DATA with a message that says what is
 * wrong ("a truncated JPEG ..."). The caller adds the file name (srq_fail_in). Images are limited to 2^26 pixels and to
 * sides of 2^20, and progressive JPEGs to 200 scans. */
#ifndef SRQ_IO_IMAGE_H
#define SRQ_IO_IMAGE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SRQ_IMAGE_CHANNELS = 3, SRQ_IMAGE_PIXELS_MAX = 1 << 26, SRQ_IMAGE_SIDE_MAX = 1 << 20 };

/* An RGB image. Initialize it with {0}. The buffer is reused for the next image, and grows if necessary. */
typedef struct srq_image {
    int height, width;
    uint8_t *pixels; /* [height][width][3] */
    size_t room;     /* size of the buffer in bytes */
    bool cmyk;       /* whether it was decoded from a CMYK or YCCK JPEG */
} srq_image;

/* Makes the buffer large enough for height x width pixels. SRQ_ERROR_DATA beyond the limits above. */
srq_status srq_image_reserve(srq_image *image, int height, int width);
void srq_image_free(srq_image *image);

/* Decodes an image. Grey, palette and CMYK images become RGB as by Pillow's convert("RGB"). Of 16 bits the upper 8 are
 * kept. Alpha, orientation and everything that describes colours (gamma, chromaticities, ICC profiles) are ignored. */
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
