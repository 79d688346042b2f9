/* A JPEG or PNG image. */
#include "io/image.h"
#include "tests/fuzz/fuzz.h"

void srq_fuzz_start(void)
{
}

srq_status srq_fuzz_read(const uint8_t *data, size_t size)
{
    srq_image image = {0};
    const srq_status status = srq_image_decode(data, size, &image);
    if (status == SRQ_OK) srq_fuzz_note(image.pixels, (size_t)image.height * (size_t)image.width * SRQ_IMAGE_CHANNELS);
    srq_image_free(&image);
    return status;
}
