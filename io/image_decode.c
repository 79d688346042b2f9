/* Detects the format of an encoded image from its first bytes. */
#include "io/image.h"

#include <string.h>

srq_status srq_image_decode(const uint8_t *bytes, size_t size, srq_image *image)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (size == 0) return srq_fail(SRQ_ERROR_DATA, "an empty file");
    if (size >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff)
        return srq_jpeg_decode(bytes, size, image);
    if (size >= sizeof png && memcmp(bytes, png, sizeof png) == 0) return srq_png_decode(bytes, size, image);
    return srq_fail(SRQ_ERROR_DATA, "neither a JPEG nor a PNG image (it begins with the bytes %02x %02x %02x)",
                    bytes[0], size > 1 ? bytes[1] : 0, size > 2 ? bytes[2] : 0);
}
