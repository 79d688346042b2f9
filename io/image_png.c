/* PNG with libpng. Errors return through setjmp.
 *
 * Only the samples count. Chunks about colour (gAMA, sRGB, iCCP, cHRM), text and all others that pixels do not need are
 * skipped unread: a reader that applied them would store other numbers than Pillow, OpenCV and torchvision, and a
 * compressed text of a few bytes can take megabytes and seconds to read. */
#include "io/image.h"

#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

/* Where to return after an error, and what is left to read. */
typedef struct source {
    const uint8_t *at;
    size_t left;
    jmp_buf out;
    char message[128];
} source;

static void leave(png_structp png, png_const_charp message)
{
    source *s = png_get_error_ptr(png);
    snprintf(s->message, sizeof s->message, "%s", message);
    longjmp(s->out, 1);
}

/* The simple interface of libpng goes on after warnings, too. */
static void ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void take_bytes(png_structp png, png_bytep to, size_t size)
{
    source *s = png_get_io_ptr(png);
    if (size > s->left) png_error(png, "it ends early");
    memcpy(to, s->at, size);
    s->at += size;
    s->left -= size;
}

/* Everything becomes 8-bit RGB. Of 16 bits, the upper 8 are kept. */
static void choose_output(png_structp png)
{
    png_set_palette_to_rgb(png);
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_gray_to_rgb(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
}

static srq_status read_pixels(png_structp png, png_infop info, srq_image *image)
{
    png_read_info(png, info);
    const png_uint_32 height = png_get_image_height(png, info), width = png_get_image_width(png, info);
    SRQ_TRY(srq_image_reserve(image, (int)height, (int)width));
    choose_output(png);
    const int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    const size_t row = (size_t)width * SRQ_IMAGE_CHANNELS;
    if (png_get_rowbytes(png, info) != row) png_error(png, "its rows are not RGB");
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < height; y++) png_read_row(png, image->pixels + y * row, NULL);
    return SRQ_OK;
}

srq_status srq_png_decode(const uint8_t *bytes, size_t size, srq_image *image)
{
    source *s = calloc(1, sizeof *s); /* not a local variable, because it must survive longjmp */
    if (!s) return srq_fail_memory(sizeof *s, "an image");
    s->at = bytes;
    s->left = size;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, s, leave, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    srq_status status = info ? SRQ_OK : srq_fail_memory(sizeof *s, "an image");
    if (info && setjmp(s->out)) {
        status = srq_fail(SRQ_ERROR_DATA, "a truncated or damaged PNG (%s)", s->message);
    } else if (info) {
        png_set_read_fn(png, s, take_bytes);
        png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
        png_set_benign_errors(png, 1);
        png_set_user_limits(png, INT_MAX, INT_MAX); /* srq_image_reserve has its own */
        status = read_pixels(png, info, image);
    }
    png_destroy_read_struct(&png, &info, NULL);
    free(s);
    return status;
}
