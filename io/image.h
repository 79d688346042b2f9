/* Images: JPEG and PNG (told apart by their first bytes, not by a name) to RGB bytes, and back to JPEG.
 *
 * Whatever comes in: a file that cannot be decoded whole is SRQ_ERROR_DATA with a message that says what is wrong with
 * it ("a truncated JPEG ..."); the caller puts the file's name before it (srq_fail_in). Memory is bounded: 2^26 pixels,
 * 200 scans of a progressive JPEG. */
#ifndef SRQ_IO_IMAGE_H
#define SRQ_IO_IMAGE_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

enum { SRQ_IMAGE_CHANNELS = 3 };

/* An RGB image; start from {0}. The buffer is kept from image to image and grows when it must. */
typedef struct srq_image {
    int height, width;
    uint8_t *pixels; /* [height][width][3] */
    size_t room;     /* bytes of the buffer */
} srq_image;

/* Room for height x width pixels, whatever comes. */
srq_status srq_image_reserve(srq_image *image, int height, int width);
void srq_image_free(srq_image *image);

/* Decodes. Grey and palette images become RGB, 16 bits become 8, alpha is left out (the colour under it stays), as
 * Pillow's convert("RGB") does. A JPEG of four colours (CMYK) is an error: its colours depend on an ink. */
srq_status srq_image_decode(const uint8_t *bytes, size_t size, srq_image *image);

/* Encodes as JPEG of this quality (1..100) into *bytes, which the caller frees with free(). The same pixels make the
 * same bytes with the same libjpeg. */
srq_status srq_image_encode(const srq_image *image, int quality, uint8_t **bytes, size_t *size);

/* Part of an image, in pixels. */
typedef struct srq_box {
    int top, left, height, width;
} srq_box;

/* Floats that srq_image_resize needs to bring an image of at most `height` rows to `out_height` x `out_width`. */
size_t srq_image_resize_room(int height, int width, int out_height, int out_width);
/* Brings the box, which must lie in the image, to out_height x out_width RGB bytes at `to`: linear interpolation, over
 * the area that a pixel of the result covers where it gets smaller (a triangle filter, as Pillow's BILINEAR).
 * `room` has srq_image_resize_room floats. */
void srq_image_resize(const srq_image *image, srq_box box, int out_height, int out_width, uint8_t *to, float *room);

/* What srq_image_decode chooses from: decoders of one format each. */
srq_status srq_jpeg_decode(const uint8_t *bytes, size_t size, srq_image *image);
srq_status srq_png_decode(const uint8_t *bytes, size_t size, srq_image *image);

#endif
