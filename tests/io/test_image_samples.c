/* That images give their samples and nothing else: CMYK as Pillow, PNG without colour corrections, 16 bits, chunks of
 * text that would take long to read, and the sides that images may have. */
#include "io/image.h"
#include "tests/io/cmyk_images.h"
#include "tests/suite.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <zlib.h>

/* --- CMYK */

static void expect_exactly(const uint8_t *bytes, size_t size, int height, int width, const uint8_t *rgb, bool cmyk)
{
    srq_image image = {0};
    ck_assert_msg(srq_image_decode(bytes, size, &image) == SRQ_OK, "%s", srq_message());
    ck_assert(image.height == height && image.width == width && image.cmyk == cmyk);
    for (int i = 0; i < height * width * 3; i++)
        ck_assert_msg(image.pixels[i] == rgb[i], "sample %d is %d, not %d", i, image.pixels[i], rgb[i]);
    srq_image_free(&image);
}

START_TEST(cmyk_as_pillow)
{
    expect_exactly(cmyk_adobe, sizeof cmyk_adobe, 3, 5, cmyk_adobe_rgb, true);
    expect_exactly(ycck_adobe, sizeof ycck_adobe, 3, 5, ycck_adobe_rgb, true);
    expect_exactly(cmyk_bare, sizeof cmyk_bare, 3, 5, cmyk_bare_rgb, true);
    /* Every truncated file is refused, without a leak of the row of inks. */
    srq_image image = {0};
    for (size_t size = 3; size < sizeof ycck_adobe - 2; size++)
        ck_assert_int_eq(srq_image_decode(ycck_adobe, size, &image), SRQ_ERROR_DATA);
    srq_image_free(&image);
}
END_TEST

/* --- PNG files made by hand */

typedef struct png {
    uint8_t *bytes;
    size_t size, room;
} png;

static void put_number(uint8_t *to, size_t value)
{
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put(png *p, const void *bytes, size_t size)
{
    if (p->size + size > p->room) {
        p->room = 2 * (p->size + size);
        p->bytes = realloc(p->bytes, p->room);
        ck_assert_ptr_nonnull(p->bytes);
    }
    memcpy(p->bytes + p->size, bytes, size);
    p->size += size;
}

static void put_chunk(png *p, const char *type, const void *data, size_t size)
{
    uint8_t number[4];
    const size_t begin = p->size + 4;
    put_number(number, size);
    put(p, number, 4);
    put(p, type, 4);
    if (size) put(p, data, size);
    put_number(number, crc32(0, p->bytes + begin, (uInt)(size + 4)));
    put(p, number, 4);
}

enum { GREY = 0, RGB = 2, PALETTE = 3, RGBA = 6 };

static png begin_png(int type, int bits, size_t height, size_t width)
{
    png p = {0};
    uint8_t header[13] = {0};
    put(&p, "\x89PNG\r\n\x1a\n", 8);
    put_number(header, width);
    put_number(header + 4, height);
    header[8] = (uint8_t)bits;
    header[9] = (uint8_t)type;
    put_chunk(&p, "IHDR", header, sizeof header);
    return p;
}

/* `rows` holds each row behind the byte 0 of its filter. */
static void end_png(png *p, const void *rows, size_t size)
{
    uLongf packed_size = compressBound(size);
    uint8_t *packed = malloc(packed_size);
    ck_assert_ptr_nonnull(packed);
    ck_assert_int_eq(compress2(packed, &packed_size, rows, size, 1), Z_OK);
    put_chunk(p, "IDAT", packed, packed_size);
    put_chunk(p, "IEND", NULL, 0);
    free(packed);
}

static const uint8_t pair_of_pixels[] = {0, 64, 128, 200, 1, 2, 254};

START_TEST(colour_chunks_change_nothing)
{
    static const struct {
        const char *type;
        size_t size;
        uint8_t data[40];
    } chunks[] = {
        {"gAMA", 4, {0, 1, 0x86, 0xa0}}, /* 1.0: linear light */
        {"gAMA", 4, {0, 0, 0xb1, 0x8f}},
        {"sRGB", 1, {0}},
        {"cHRM", 32, {0, 0, 0x7a, 0x26, 0, 0, 0x80, 0x84, 0, 0, 0xfa, 0,    0, 0, 0x80, 0xe8,
                      0, 0, 0x75, 0x30, 0, 0, 0xea, 0x60, 0, 0, 0x3a, 0x98, 0, 0, 0x17, 0x70}},
        {"iCCP", 10, {'x', 0, 0, 'n', 'o', ' ', 'z', 'l', 'i', 'b'}},
        {"sBIT", 3, {5, 5, 5}},
        {"bKGD", 6, {0, 9, 0, 9, 0, 9}},
    };
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        png p = begin_png(RGB, 8, 1, 2);
        put_chunk(&p, chunks[i].type, chunks[i].data, chunks[i].size);
        end_png(&p, pair_of_pixels, sizeof pair_of_pixels);
        expect_exactly(p.bytes, p.size, 1, 2, pair_of_pixels + 1, false);
        free(p.bytes);
    }
}
END_TEST

/* The upper byte, as Pillow and OpenCV take; with a gamma, too. */
START_TEST(sixteen_bits)
{
    static const uint8_t colour[] = {0, 0x12, 0xff, 0x80, 0x80, 0xff, 0xff}, right[] = {0x12, 0x80, 0xff};
    static const uint8_t grey[] = {0, 0x12, 0xff, 0xfe, 0xff}, right_grey[] = {0x12, 0x12, 0x12, 0xfe, 0xfe, 0xfe};
    for (int gamma = 0; gamma < 2; gamma++) {
        png p = begin_png(RGB, 16, 1, 1), q = begin_png(GREY, 16, 1, 2);
        if (gamma) put_chunk(&p, "gAMA", "\0\1\x86\xa0", 4);
        if (gamma) put_chunk(&q, "gAMA", "\0\1\x86\xa0", 4);
        end_png(&p, colour, sizeof colour);
        end_png(&q, grey, sizeof grey);
        expect_exactly(p.bytes, p.size, 1, 1, right, false);
        expect_exactly(q.bytes, q.size, 1, 2, right_grey, false);
        free(p.bytes);
        free(q.bytes);
    }
}
END_TEST

/* Of fewer bits, black and white keep their values. A transparent colour is a colour. */
START_TEST(few_bits_and_transparency)
{
    static const uint8_t bits[] = {0, 0x50}, right[] = {0, 0, 0, 255, 255, 255, 0, 0, 0};
    static const uint8_t levels[] = {0, 0x1e}, right_levels[] = {17, 17, 17, 238, 238, 238};
    static const uint8_t places[] = {0, 0x10}, palette[] = {9, 8, 7, 60, 50, 40}, transparent[] = {0, 128};
    static const uint8_t right_palette[] = {60, 50, 40, 9, 8, 7};
    png p = begin_png(GREY, 1, 1, 3), q = begin_png(GREY, 4, 1, 2), s = begin_png(PALETTE, 4, 1, 2);
    put_chunk(&p, "tRNS", "\0\1", 2);
    put_chunk(&s, "PLTE", palette, sizeof palette);
    put_chunk(&s, "tRNS", transparent, sizeof transparent);
    end_png(&p, bits, sizeof bits);
    end_png(&q, levels, sizeof levels);
    end_png(&s, places, sizeof places);
    expect_exactly(p.bytes, p.size, 1, 3, right, false);
    expect_exactly(q.bytes, q.size, 1, 2, right_levels, false);
    expect_exactly(s.bytes, s.size, 1, 2, right_palette, false);
    free(p.bytes);
    free(q.bytes);
    free(s.bytes);
}
END_TEST

/* A thousand texts of 4 MB that take 4 kB each. Reading them would take half a minute, and the test's time limit. */
START_TEST(texts_are_not_read)
{
    const size_t size = 4 << 20;
    uint8_t *text = calloc(1, size), *packed = malloc(compressBound(size) + 3);
    uLongf packed_size = compressBound(size);
    png p = begin_png(RGB, 8, 1, 2);
    ck_assert(text && packed);
    ck_assert_int_eq(compress2(packed + 3, &packed_size, text, size, 1), Z_OK);
    memcpy(packed, "k\0", 3);
    for (int i = 0; i < 1000; i++) put_chunk(&p, "zTXt", packed, packed_size + 3);
    end_png(&p, pair_of_pixels, sizeof pair_of_pixels);
    expect_exactly(p.bytes, p.size, 1, 2, pair_of_pixels + 1, false);
    free(p.bytes);
    free(text);
    free(packed);
}
END_TEST

/* --- Sides */

/* What has a fourth channel needs no more room than what has three, so it may be as large. */
START_TEST(four_channels_need_no_more_room)
{
    static const uint8_t row[] = {0, 1, 2, 3, 0, 4, 5, 6, 255};
    png p = begin_png(RGBA, 8, 1, 2);
    srq_image image = {0};
    end_png(&p, row, sizeof row);
    ck_assert_msg(srq_image_decode(p.bytes, p.size, &image) == SRQ_OK, "%s", srq_message());
    ck_assert_uint_eq(image.room, 6);
    ck_assert_int_eq(memcmp(image.pixels, "\1\2\3\4\5\6", 6), 0);
    srq_image_free(&image);
    free(p.bytes);
}
END_TEST

/* Messages name the size that the file says. */
START_TEST(large_sides)
{
    static const struct {
        int type;
        size_t height, width;
        const char *words;
    } cases[] = {{GREY, 1, (1 << 20) + 1, "an image of 1 x 1048577 pixels"},
                 {RGBA, 8192, 8193, "an image of 8192 x 8193 pixels"},
                 {RGBA, 0x7fffffff, 0x7fffffff, "an image of 2147483647 x 2147483647 pixels"}};
    srq_image image = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        png p = begin_png(cases[i].type, 8, cases[i].height, cases[i].width);
        end_png(&p, "", 1);
        ck_assert_int_eq(srq_image_decode(p.bytes, p.size, &image), SRQ_ERROR_DATA);
        ck_assert_msg(strstr(srq_message(), cases[i].words) != NULL, "%s", srq_message());
        free(p.bytes);
    }
    srq_image_free(&image);
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("image samples");
    TCase *tests = tcase_create("image samples");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, cmyk_as_pillow);
    tcase_add_test(tests, colour_chunks_change_nothing);
    tcase_add_test(tests, sixteen_bits);
    tcase_add_test(tests, few_bits_and_transparency);
    tcase_add_test(tests, texts_are_not_read);
    tcase_add_test(tests, four_channels_need_no_more_room);
    tcase_add_test(tests, large_sides);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
