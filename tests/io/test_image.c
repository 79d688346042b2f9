/* Decoding, encoding and resizing: all kinds of JPEG and PNG, truncated files, and files that are no images. */
#include "core/random.h"
#include "io/image.h"
#include "tests/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>

enum { HEIGHT = 20, WIDTH = 31 };

typedef struct file {
    uint8_t *bytes;
    size_t size;
} file;

/* A smooth image: JPEG keeps it well. */
static uint8_t smooth(int y, int x, int c)
{
    return (uint8_t)(40 + 6 * y + 2 * x + 20 * c);
}

static void draw(uint8_t *pixels, int channels)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < channels; c++) pixels[(y * WIDTH + x) * channels + c] = smooth(y, x, c);
}

static file make_jpeg(int channels, J_COLOR_SPACE space, bool progressive)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    uint8_t pixels[HEIGHT * WIDTH * 4];
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    draw(pixels, channels);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = WIDTH;
    jpeg.image_height = HEIGHT;
    jpeg.input_components = channels;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 98, TRUE);
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < HEIGHT; y++) {
        JSAMPROW row = pixels + (size_t)y * WIDTH * (size_t)channels;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return (file){bytes, size};
}

static file make_png(png_uint_32 format, const void *pixels, const void *palette)
{
    png_image png = {.version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = format};
    png.colormap_entries = palette ? 2 : 0;
    file f = {malloc(1 << 16), 1 << 16};
    ck_assert(png_image_write_to_memory(&png, f.bytes, &f.size, 0, pixels, 0, palette));
    return f;
}

static void expect_pixels(file f, int channels, int tolerance)
{
    srq_image image = {0};
    ck_assert_msg(srq_image_decode(f.bytes, f.size, &image) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(image.height, HEIGHT);
    ck_assert_int_eq(image.width, WIDTH);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            for (int c = 0; c < 3; c++) {
                const int found = image.pixels[(y * WIDTH + x) * 3 + c], right = smooth(y, x, channels == 1 ? 0 : c);
                ck_assert_int_le(abs(found - right), tolerance);
            }
    srq_image_free(&image);
}

START_TEST(kinds)
{
    uint8_t pixels[HEIGHT * WIDTH * 4];
    file f = make_jpeg(3, JCS_RGB, false);
    expect_pixels(f, 3, 8);
    free(f.bytes);
    f = make_jpeg(3, JCS_RGB, true);
    expect_pixels(f, 3, 8);
    free(f.bytes);
    f = make_jpeg(1, JCS_GRAYSCALE, false);
    expect_pixels(f, 1, 3);
    free(f.bytes);
    draw(pixels, 3);
    f = make_png(PNG_FORMAT_RGB, pixels, NULL);
    expect_pixels(f, 3, 0);
    free(f.bytes);
    draw(pixels, 1);
    f = make_png(PNG_FORMAT_GRAY, pixels, NULL);
    expect_pixels(f, 1, 0);
    free(f.bytes);
    /* Transparent all over: the colours under it stay. */
    draw(pixels, 4);
    for (int i = 0; i < HEIGHT * WIDTH; i++) pixels[4 * i + 3] = (uint8_t)(i % 3);
    f = make_png(PNG_FORMAT_RGBA, pixels, NULL);
    expect_pixels(f, 3, 0);
    free(f.bytes);
}
END_TEST

START_TEST(palette_and_16_bits)
{
    static const uint8_t palette[2 * 3] = {10, 20, 30, 200, 100, 50};
    uint8_t places[HEIGHT * WIDTH];
    uint16_t wide[HEIGHT * WIDTH * 3];
    srq_image image = {0};
    for (int i = 0; i < HEIGHT * WIDTH; i++) places[i] = (uint8_t)(i % 2);
    file f = make_png(PNG_FORMAT_RGB_COLORMAP, places, palette);
    ck_assert_int_eq(srq_image_decode(f.bytes, f.size, &image), SRQ_OK);
    ck_assert_int_eq(memcmp(image.pixels, palette, 6), 0);
    free(f.bytes);
    /* The simplified writer interprets 16 bits as linear light and marks the file so. Black, white and the order of
     * values are kept. */
    for (int i = 0; i < HEIGHT * WIDTH * 3; i++) wide[i] = (uint16_t)(i * 65535 / (HEIGHT * WIDTH * 3 - 1));
    f = make_png(PNG_FORMAT_LINEAR_RGB, wide, NULL);
    ck_assert_int_eq(srq_image_decode(f.bytes, f.size, &image), SRQ_OK);
    ck_assert_int_eq(image.pixels[0], 0);
    ck_assert_int_eq(image.pixels[HEIGHT * WIDTH * 3 - 1], 255);
    for (int i = 1; i < HEIGHT * WIDTH * 3; i++) ck_assert_int_ge(image.pixels[i], image.pixels[i - 1]);
    free(f.bytes);
    srq_image_free(&image);
}
END_TEST

static void expect_refused(const void *bytes, size_t size, const char *words)
{
    srq_image image = {0};
    /* A copy of just this size: the sanitizer sees a read past its end. */
    uint8_t *copy = malloc(size ? size : 1);
    if (size) memcpy(copy, bytes, size);
    srq_status status = srq_image_decode(copy, size, &image);
    ck_assert_msg(status == SRQ_ERROR_DATA, "status %d of %zu bytes", status, size);
    ck_assert_msg(strstr(srq_message(), words) != NULL, "\"%s\" is not in: %s", words, srq_message());
    srq_image_free(&image);
    free(copy);
}

START_TEST(what_is_no_image)
{
    expect_refused("", 0, "an empty file");
    expect_refused("Dear Sir", 8, "neither a JPEG nor a PNG image (it begins with the bytes 44 65 61)");
    expect_refused("\xff", 1, "neither");
    expect_refused("\xff\xd8\xff", 3, "JPEG");
    expect_refused("\x89PNG\r\n\x1a\n", 8, "PNG");
    file f = make_jpeg(2, JCS_UNKNOWN, false);
    expect_refused(f.bytes, f.size, "a JPEG of 2 colour components; 1 (grey), 3 (colour) or 4 (CMYK, YCCK)");
    free(f.bytes);
}
END_TEST

START_TEST(cut_short)
{
    uint8_t pixels[HEIGHT * WIDTH * 4];
    draw(pixels, 3);
    file files[] = {make_jpeg(3, JCS_RGB, false), make_jpeg(3, JCS_RGB, true), make_png(PNG_FORMAT_RGB, pixels, NULL)};
    for (size_t k = 0; k < 3; k++) {
        /* libpng does not detect missing bytes after the pixels: the 12 bytes of IEND and 4 of a checksum. */
        const size_t whole = k < 2 ? files[k].size : files[k].size - 16;
        for (size_t size = 0; size < whole; size++)
            expect_refused(files[k].bytes, size, size == 0 ? "empty" : size < 3 ? "neither" : k < 2 ? "JPEG" : "");
        if (k < 2) expect_refused(files[k].bytes, files[k].size - 2, "a truncated JPEG (Premature end of JPEG file)");
        if (k == 2) expect_refused(files[k].bytes, files[k].size / 2, "a truncated or damaged PNG");
        free(files[k].bytes);
    }
}
END_TEST

START_TEST(damaged)
{
    uint8_t pixels[HEIGHT * WIDTH * 4];
    draw(pixels, 3);
    file files[] = {make_jpeg(3, JCS_RGB, false), make_jpeg(3, JCS_RGB, true), make_png(PNG_FORMAT_RGB, pixels, NULL)};
    for (size_t k = 0; k < 3; k++) {
        for (uint64_t i = 0; i < 3000; i++) {
            uint32_t r[4];
            srq_image image = {0};
            srq_random(k, SRQ_RANDOM_TEST, 0, i, r);
            uint8_t *byte = &files[k].bytes[r[0] % files[k].size];
            const uint8_t kept = *byte;
            *byte = (uint8_t)r[1];
            srq_status status = srq_image_decode(files[k].bytes, files[k].size, &image);
            ck_assert_msg(status == SRQ_OK || status == SRQ_ERROR_DATA, "status %d: %s", status, srq_message());
            *byte = kept;
            srq_image_free(&image);
        }
        free(files[k].bytes);
    }
}
END_TEST

/* A header that claims more than there is room for. */
START_TEST(bombs)
{
    uint8_t pixels[HEIGHT * WIDTH * 4];
    draw(pixels, 3);
    file f = make_png(PNG_FORMAT_RGB, pixels, NULL);
    static const uint8_t huge[8] = {0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60};
    memcpy(f.bytes + 16, huge, sizeof huge);
    const uLong check = crc32(0, f.bytes + 12, 17);
    for (int i = 0; i < 4; i++) f.bytes[29 + i] = (uint8_t)(check >> (24 - 8 * i));
    expect_refused(f.bytes, f.size, "an image of 60000 x 60000 pixels");
    free(f.bytes);
    f = make_jpeg(3, JCS_RGB, false);
    for (size_t i = 0; i + 9 < f.size; i++)
        if (f.bytes[i] == 0xff && f.bytes[i + 1] == 0xc0) memcpy(f.bytes + i + 5, "\xea\x60\xea\x60", 4);
    expect_refused(f.bytes, f.size, "an image of 60000 x 60000 pixels");
    free(f.bytes);
}
END_TEST

START_TEST(encoding)
{
    srq_image image = {0};
    uint8_t *bytes = NULL, *again = NULL;
    size_t size = 0, size_again = 0;
    ck_assert_int_eq(srq_image_reserve(&image, HEIGHT, WIDTH), SRQ_OK);
    draw(image.pixels, 3);
    ck_assert_int_eq(srq_image_encode(&image, 95, &bytes, &size), SRQ_OK);
    ck_assert_int_eq(srq_image_encode(&image, 95, &again, &size_again), SRQ_OK);
    ck_assert(size == size_again && memcmp(bytes, again, size) == 0);
    expect_pixels((file){bytes, size}, 3, 8);
    free(bytes);
    free(again);
    srq_image_free(&image);
    ck_assert_int_eq(srq_image_reserve(&image, 0, 5), SRQ_ERROR_DATA);
    ck_assert_int_eq(srq_image_reserve(&image, 1 << 20, 1 << 20), SRQ_ERROR_DATA);
}
END_TEST

static void resize(const srq_image *image, srq_box box, int height, int width, uint8_t *to)
{
    float *room = malloc(srq_image_resize_room(box.height, box.width, height, width) * sizeof *room);
    srq_image_resize(image, box, height, width, to, room);
    free(room);
}

START_TEST(resizing)
{
    srq_image image = {0};
    const srq_box whole = {0, 0, HEIGHT, WIDTH};
    uint8_t to[64 * 64 * 3];
    ck_assert_int_eq(srq_image_reserve(&image, HEIGHT, WIDTH), SRQ_OK);
    draw(image.pixels, 3);
    /* To its own size: itself. A part: itself. */
    resize(&image, whole, HEIGHT, WIDTH, to);
    ck_assert_int_eq(memcmp(to, image.pixels, HEIGHT * WIDTH * 3), 0);
    resize(&image, (srq_box){3, 5, 7, 9}, 7, 9, to);
    for (int y = 0; y < 7; y++) ck_assert_int_eq(memcmp(to + y * 27, image.pixels + ((y + 3) * WIDTH + 5) * 3, 27), 0);
    /* A linear gradient stays one in both directions, except at the edges. */
    resize(&image, whole, 2 * HEIGHT, 2 * WIDTH, to);
    for (int y = 2; y < 2 * HEIGHT - 2; y++)
        for (int x = 2; x < 2 * WIDTH - 2; x++) {
            const double right = 40 + 6 * ((y + 0.5) / 2 - 0.5) + 2 * ((x + 0.5) / 2 - 0.5);
            ck_assert_double_eq_tol(to[(y * 2 * WIDTH + x) * 3], right, 0.51);
        }
    resize(&image, whole, 5, 8, to);
    for (int y = 1; y < 4; y++)
        for (int x = 1; x < 7; x++) {
            const double right = 40 + 6 * ((y + 0.5) * HEIGHT / 5 - 0.5) + 2 * ((x + 0.5) * WIDTH / 8 - 0.5);
            ck_assert_double_eq_tol(to[(y * 8 + x) * 3], right, 1.01);
        }
    /* White stays white and black black, whatever the sizes. */
    for (int white = 0; white < 2; white++)
        for (int side = 1; side < 64; side++) {
            memset(image.pixels, white * 255, HEIGHT * WIDTH * 3);
            resize(&image, (srq_box){1, 2, side % HEIGHT + 1 > HEIGHT - 1 ? 5 : side % HEIGHT + 1, 1 + side % 29}, side,
                   64 - side, to);
            for (int i = 0; i < side * (64 - side) * 3; i++) ck_assert_int_eq(to[i], white * 255);
        }
    srq_image_free(&image);
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("image");
    TCase *tests = tcase_create("image");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, kinds);
    tcase_add_test(tests, palette_and_16_bits);
    tcase_add_test(tests, what_is_no_image);
    tcase_add_test(tests, cut_short);
    tcase_add_test(tests, damaged);
    tcase_add_test(tests, bombs);
    tcase_add_test(tests, encoding);
    tcase_add_test(tests, resizing);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
