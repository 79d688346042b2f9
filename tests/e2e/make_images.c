/* make_images FOLDER SPLIT CLASSES COUNT HEIGHT WIDTH [VARY]: images for the end-to-end tests, FOLDER/SPLIT/cN/NNN.jpg.
 * Each class has a pattern of its own under noise; with VARY, sides grow by up to so many pixels.
 * make_images cmyk FILE: a JPEG of four colours. */
#include "core/random.h"
#include "io/file.h"
#include "io/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

static void draw(srq_image *image, int class_number, uint64_t number)
{
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            uint32_t noise[4];
            srq_random(number, SRQ_RANDOM_TEST, (uint64_t)class_number, (uint64_t)(y * image->width + x), noise);
            uint8_t *pixel = image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
            const double at = class_number % 2 ? (double)y / image->height : (double)x / image->width;
            const double wave = sin(6.28 * at * (1 + class_number));
            for (int c = 0; c < 3; c++) pixel[c] = (uint8_t)(128 + 70 * wave * (c + 1) / 3 + (double)(noise[c] >> 27));
        }
}

static int make(const char *folder, int class_number, int number, int height, int width, int vary)
{
    char path[1000];
    uint8_t *bytes = NULL;
    size_t size = 0;
    uint32_t more[4];
    srq_image image = {0};
    srq_random(9, SRQ_RANDOM_TEST, (uint64_t)class_number, (uint64_t)number, more);
    if (vary) height += (int)(more[0] % (unsigned)(vary + 1));
    if (vary) width += (int)(more[1] % (unsigned)(vary + 1));
    snprintf(path, sizeof path, "%s/c%d", folder, class_number);
    int failed = srq_image_reserve(&image, height, width) != SRQ_OK || srq_folder_create(path) != SRQ_OK;
    if (!failed) draw(&image, class_number, (uint64_t)number);
    snprintf(path, sizeof path, "%s/c%d/%03d.jpg", folder, class_number, number);
    failed = failed || srq_image_encode(&image, 92, &bytes, &size) != SRQ_OK ||
             srq_file_write_atomic(path, bytes, size) != SRQ_OK;
    if (failed) fprintf(stderr, "make_images: %s\n", srq_message());
    free(bytes);
    srq_image_free(&image);
    return failed;
}

static int make_cmyk(const char *path)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    JSAMPLE row[4 * 16] = {0};
    JSAMPROW rows = row;
    FILE *out = fopen(path, "wb");
    if (!out) return 1;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, out);
    jpeg.image_width = jpeg.image_height = 16;
    jpeg.input_components = 4;
    jpeg.in_color_space = JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    while (jpeg.next_scanline < jpeg.image_height) jpeg_write_scanlines(&jpeg, &rows, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return fclose(out) != 0;
}

int main(int argc, char **argv)
{
    char folder[900];
    if (argc == 3 && strcmp(argv[1], "cmyk") == 0) return make_cmyk(argv[2]);
    if (argc < 7) return 2;
    const int classes = atoi(argv[3]), count = atoi(argv[4]), height = atoi(argv[5]), width = atoi(argv[6]);
    snprintf(folder, sizeof folder, "%s/%s", argv[1], argv[2]);
    for (int c = 0; c < classes; c++)
        for (int i = 0; i < count; i++)
            if (make(folder, c, strcmp(argv[2], "train") ? 1000 + i : i, height, width, argc > 7 ? atoi(argv[7]) : 0))
                return 1;
    return 0;
}
