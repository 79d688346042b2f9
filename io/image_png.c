/* PNG with libpng's simplified interface, which returns errors. */
#include "io/image.h"

#include <png.h>
#include <stdbool.h>
#include <string.h>

enum { RGBA = 4 };

static void drop_alpha(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++) memmove(pixels + i * SRQ_IMAGE_CHANNELS, pixels + i * RGBA, SRQ_IMAGE_CHANNELS);
}

static srq_status read_pixels(png_image *png, srq_image *image)
{
    const int height = (int)png->height, width = (int)png->width;
    const bool alpha = (png->format & PNG_FORMAT_FLAG_ALPHA) != 0;
    if (png->height > 1 << 20 || png->width > 1 << 20)
        return srq_fail(SRQ_ERROR_DATA, "a PNG of %u x %u pixels; sides of at most %d are expected", png->height,
                        png->width, 1 << 20);
    /* A third more rows give space for the fourth channel. */
    SRQ_TRY(srq_image_reserve(image, alpha ? height + (height + 2) / 3 : height, width));
    image->height = height;
    png->format = alpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
    png->flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
    if (!png_image_finish_read(png, NULL, image->pixels, 0, NULL))
        return srq_fail(SRQ_ERROR_DATA, "a truncated or damaged PNG (%s)", png->message);
    if (alpha) drop_alpha(image->pixels, (size_t)height * (size_t)width);
    return SRQ_OK;
}

srq_status srq_png_decode(const uint8_t *bytes, size_t size, srq_image *image)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_memory(&png, bytes, size))
        return srq_fail(SRQ_ERROR_DATA, "a truncated or damaged PNG (%s)", png.message);
    srq_status status = read_pixels(&png, image);
    png_image_free(&png);
    return status;
}
