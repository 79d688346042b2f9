/* Views of images in training, against a second implementation, and torchvision's rule for random crops. */
#include "core/random.h"
#include "experiments/srq/train/image_view.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 40, HEIGHT = 6, WIDTH = 5, CHANNELS = 3, BYTES = HEIGHT * WIDTH * CHANNELS };

static uint8_t pixels[IMAGES * BYTES];
static int32_t labels[IMAGES];
static float mean[CHANNELS] = {0.5f, 0.25f, 0.125f}, deviation[CHANNELS] = {0.5f, 0.25f, 2};
static srq_dataset dataset = {.height = HEIGHT, .width = WIDTH, .channels = CHANNELS, .classes = 2, .file = -1};

static srq_settings *make_settings(const char *crop, int pad, bool flip)
{
    static srq_settings s;
    memset(&s, 0, sizeof s);
    snprintf(s.data.crop, sizeof s.data.crop, "%s", crop);
    snprintf(s.data.normalize, sizeof s.data.normalize, "dataset");
    s.data.pad = pad;
    s.data.flip = flip;
    s.data.scale_min = 0.08;
    s.data.scale_max = 1;
    s.data.ratio_min = 0.75;
    s.data.ratio_max = 4.0 / 3;
    s.train.seed = 3;
    return &s;
}

static void setup(void)
{
    for (int i = 0; i < IMAGES * BYTES; i++) pixels[i] = (uint8_t)(i * 37 + i / 256);
    dataset.mean = mean;
    dataset.std = deviation;
    dataset.splits[SRQ_TRAIN] = (srq_split){.count = IMAGES, .images = pixels, .labels = labels};
    dataset.splits[SRQ_TEST] = dataset.splits[SRQ_TRAIN];
}

/* Pixel (y, x) of a padded and maybe mirrored image whose window begins at (top, left). */
static float expected(size_t image, int top, int left, bool mirrored, int y, int x, int c)
{
    const int from_y = top + y, from_x = left + (mirrored ? WIDTH - 1 - x : x);
    const bool inside = from_y >= 0 && from_y < HEIGHT && from_x >= 0 && from_x < WIDTH;
    const float value = inside ? pixels[image * BYTES + (size_t)((from_y * WIDTH + from_x) * CHANNELS + c)] : 0;
    return (value / 255 - mean[c]) / deviation[c];
}

static bool is_window(const float *found, size_t image, int top, int left, bool mirrored)
{
    for (int i = 0; i < BYTES; i++)
        if (fabsf(found[i] - expected(image, top, left, mirrored, i / CHANNELS / WIDTH, i / CHANNELS % WIDTH,
                                      i % CHANNELS)) > 1e-5f)
            return false;
    return true;
}

/* Every view is a window of the padded image, mirrored or not. Over many epochs, all windows occur. */
START_TEST(padded_and_mirrored)
{
    enum { PAD = 2, EPOCHS = 60, SIDE = 2 * PAD + 1 };
    srq_view v;
    srq_view_bench bench;
    float to[BYTES], again[BYTES];
    int seen[2][SIDE][SIDE] = {0}, mirrored_count = 0;
    ck_assert_int_eq(srq_view_create(&dataset, make_settings("plain", PAD, true), &v), SRQ_OK);
    ck_assert_int_eq(srq_view_bench_create(&v, &bench), SRQ_OK);
    for (long epoch = 0; epoch < EPOCHS; epoch++)
        for (size_t i = 0; i < IMAGES; i++) {
            int matches = 0;
            ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TRAIN, i, epoch, to), SRQ_OK);
            for (int m = 0; m < 2; m++)
                for (int top = -PAD; top <= PAD; top++)
                    for (int left = -PAD; left <= PAD; left++) {
                        if (!is_window(to, i, top, left, m)) continue;
                        matches++;
                        seen[m][top + PAD][left + PAD]++;
                        mirrored_count += m;
                    }
            ck_assert_int_eq(matches, 1);
        }
    ck_assert_int_lt(abs(mirrored_count - EPOCHS * IMAGES / 2), 150);                 /* 6 standard deviations */
    for (int i = 0; i < 2 * SIDE * SIDE; i++) ck_assert_int_gt(((int *)seen)[i], 15); /* 48 on average */
    /* Views are the same in another order, and different in another epoch. Evaluation has no augmentation. */
    ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TRAIN, 7, 3, to), SRQ_OK);
    ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TRAIN, 8, 3, again), SRQ_OK);
    ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TRAIN, 7, 3, again), SRQ_OK);
    ck_assert_int_eq(memcmp(to, again, sizeof to), 0);
    ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TEST, 7, SRQ_VIEW_TEST, to), SRQ_OK);
    ck_assert(is_window(to, 7, 0, 0, false));
    srq_view_bench_destroy(&bench);
    srq_view_destroy(&v);
}
END_TEST

START_TEST(plain)
{
    srq_view v;
    srq_view_bench bench;
    float to[BYTES];
    srq_settings *s = make_settings("plain", 0, false);
    ck_assert_int_eq(srq_view_create(&dataset, s, &v), SRQ_OK);
    ck_assert_int_eq(srq_view_bench_create(&v, &bench), SRQ_OK);
    for (size_t i = 0; i < IMAGES; i++) {
        ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TRAIN, i, 5, to), SRQ_OK);
        ck_assert(is_window(to, i, 0, 0, false));
    }
    srq_view_destroy(&v);
    snprintf(s->data.normalize, sizeof s->data.normalize, "none");
    ck_assert_int_eq(srq_view_create(&dataset, s, &v), SRQ_OK);
    ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TRAIN, 3, 5, to), SRQ_OK);
    for (size_t i = 0; i < BYTES; i++) ck_assert_float_eq_tol(to[i], (float)pixels[3 * BYTES + i] / 255, 1e-6f);
    srq_view_bench_destroy(&bench);
    srq_view_destroy(&v);
}
END_TEST

/* Boxes lie in the image. Area and ratio are in their ranges (up to rounding) and cover them. */
START_TEST(random_boxes)
{
    srq_view v;
    double least_area = 1, most_area = 0, least_ratio = 9, most_ratio = 0, mean_area = 0;
    enum { SIZE_Y = 300, SIZE_X = 400, COUNT = 4000 };
    ck_assert_int_eq(srq_view_create(&dataset, make_settings("resized", 0, false), &v), SRQ_OK);
    for (size_t i = 0; i < COUNT; i++) {
        const srq_box b = srq_view_random_box(&v, SIZE_Y, SIZE_X, i, 1);
        ck_assert(b.top >= 0 && b.left >= 0 && b.height > 0 && b.width > 0);
        ck_assert(b.top + b.height <= SIZE_Y && b.left + b.width <= SIZE_X);
        const double area = (double)b.height * b.width / (SIZE_Y * SIZE_X), ratio = (double)b.width / b.height;
        ck_assert(area > 0.078 && ratio > 0.74 && ratio < 1.345);
        least_area = fmin(least_area, area);
        most_area = fmax(most_area, area);
        least_ratio = fmin(least_ratio, ratio);
        most_ratio = fmax(most_ratio, ratio);
        mean_area += area / COUNT;
    }
    ck_assert(least_area < 0.085 && most_area > 0.95 && least_ratio < 0.76 && most_ratio > 1.32);
    /* A box with area share s and ratio r fits if 4/3 s <= r <= 4/3 / s, so large boxes seldom fit. The integral over
     * both is 0.4317. */
    ck_assert_double_eq_tol(mean_area, 0.4317, 0.02);
    /* Nothing of these ratios fits in: as much of the middle as may be. */
    v.scale[0] = 0.9;
    srq_box b = srq_view_random_box(&v, 10, 100, 0, 0);
    ck_assert(b.top == 0 && b.height == 10 && b.width == 13 && b.left == 43);
    b = srq_view_random_box(&v, 100, 10, 0, 0);
    ck_assert(b.left == 0 && b.width == 10 && b.height == 13 && b.top == 43);
    srq_view_destroy(&v);
}
END_TEST

/* A square of zeros around a pixel of the image, at most once for each image and epoch; everywhere equally often. */
START_TEST(cutout)
{
    enum { EPOCHS = 100, SIDE = 3 };
    srq_view v;
    srq_view_bench bench;
    float to[BYTES];
    int centers[HEIGHT][WIDTH] = {0};
    srq_settings *s = make_settings("plain", 0, false);
    s->data.cutout = SIDE;
    ck_assert_int_eq(srq_view_create(&dataset, s, &v), SRQ_OK);
    ck_assert_int_eq(srq_view_bench_create(&v, &bench), SRQ_OK);
    for (long epoch = 0; epoch < EPOCHS; epoch++)
        for (size_t i = 0; i < IMAGES; i++) {
            ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TRAIN, i, epoch, to), SRQ_OK);
            int found = 0, y = 0, x = 0;
            for (int top = -1; top < HEIGHT - 1; top++)
                for (int left = -1; left < WIDTH - 1; left++) {
                    bool fits = true;
                    for (int k = 0; k < BYTES; k++) {
                        const int at_y = k / CHANNELS / WIDTH, at_x = k / CHANNELS % WIDTH;
                        const bool inside = at_y >= top && at_y < top + SIDE && at_x >= left && at_x < left + SIDE;
                        const float wanted = inside ? 0 : expected(i, 0, 0, false, at_y, at_x, k % CHANNELS);
                        fits = fits && fabsf(to[k] - wanted) < 1e-5f;
                    }
                    if (fits) found++, y = top + 1, x = left + 1;
                }
            ck_assert_int_eq(found, 1);
            centers[y][x]++;
        }
    for (int k = 0; k < HEIGHT * WIDTH; k++) ck_assert_int_gt(((int *)centers)[k], 70); /* 133 on average */
    ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TEST, 7, SRQ_VIEW_TEST, to), SRQ_OK);
    ck_assert(is_window(to, 7, 0, 0, false));
    srq_view_bench_destroy(&bench);
    srq_view_destroy(&v);
}
END_TEST

/* Worked out by hand from torchvision's formulas. */
START_TEST(color_changes)
{
    static const struct {
        srq_color_change change;
        float amount;
        int channels;
        uint8_t before[6], after[6];
    } cases[] = {
        {SRQ_BRIGHTNESS, 1.5f, 3, {0, 100, 200, 255, 1, 33}, {0, 150, 255, 255, 1, 49}},
        {SRQ_BRIGHTNESS, 0, 3, {9, 100, 200, 255, 1, 33}, {0, 0, 0, 0, 0, 0}},
        /* The gray values are 28 and 149, so the mean is 88.5. */
        {SRQ_CONTRAST, 0.5f, 3, {0, 0, 250, 0, 255, 0}, {44, 44, 169, 44, 171, 44}},
        {SRQ_CONTRAST, 2, 1, {0, 10, 20, 30, 40, 50}, {0, 0, 15, 35, 55, 75}},
        {SRQ_SATURATION, 0, 3, {10, 20, 30, 255, 0, 0}, {18, 18, 18, 76, 76, 76}},
        {SRQ_SATURATION, 2, 3, {10, 20, 30, 7, 7, 7}, {2, 22, 42, 8, 8, 8}},
        {SRQ_HUE, 1.0f / 3, 3, {255, 0, 0, 0, 200, 0}, {0, 255, 0, 0, 0, 200}},
        {SRQ_HUE, -0.25f, 3, {255, 0, 0, 90, 90, 90}, {127, 0, 255, 90, 90, 90}},
        {SRQ_HUE, 0.5f, 1, {1, 2, 3, 4, 5, 6}, {1, 2, 3, 4, 5, 6}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t found[6];
        memcpy(found, cases[i].before, sizeof found);
        srq_jitter_change(cases[i].change, cases[i].amount, 6 / cases[i].channels, cases[i].channels, found);
        for (int k = 0; k < 6; k++)
            ck_assert_msg(found[k] == cases[i].after[k], "case %zu, byte %d: %d, not %d", i, k, found[k],
                          cases[i].after[k]);
    }
    /* A whole turn of the hue, or none, changes a colour by at most one step of rounding. */
    for (int i = 0; i + 3 <= IMAGES * BYTES; i += 3) {
        uint8_t color[3];
        memcpy(color, pixels + i, 3);
        srq_jitter_change(SRQ_HUE, i % 2 ? 0.0f : 1.0f, 1, 3, color);
        for (int c = 0; c < 3; c++) ck_assert_int_le(abs(color[c] - pixels[i + c]), 1);
    }
}
END_TEST

/* Each order and the whole range of each amount; a view is that of its changes. */
START_TEST(color_jitter)
{
    enum { DRAWS = 4800, ORDERS = 256 };
    const double widths[SRQ_COLOR_CHANGES] = {0.4, 1.5, 0.2, 0.1};
    const float least[] = {0.6f, 0, 0.8f, -0.1f}, most[] = {1.4f, 2.5f, 1.2f, 0.1f};
    int orders[ORDERS] = {0}, different = 0;
    float lowest[SRQ_COLOR_CHANGES] = {9, 9, 9, 9}, highest[SRQ_COLOR_CHANGES] = {-9, -9, -9, -9};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t bits[8];
        srq_random(5, SRQ_RANDOM_TEST, 0, (uint64_t)(2 * i), bits);
        srq_random(5, SRQ_RANDOM_TEST, 0, (uint64_t)(2 * i + 1), bits + 4);
        const srq_jitter j = srq_jitter_draw(widths, bits);
        int order = 0, seen = 0;
        for (int k = 0; k < SRQ_COLOR_CHANGES; k++) {
            order = order * 4 + (int)j.order[k];
            seen |= 1 << j.order[k];
            lowest[k] = fminf(lowest[k], j.amount[k]);
            highest[k] = fmaxf(highest[k], j.amount[k]);
        }
        ck_assert_int_eq(seen, 15);
        orders[order]++;
    }
    for (int k = 0; k < SRQ_COLOR_CHANGES; k++) {
        const float near = 0.01f * (most[k] - least[k]);
        ck_assert(lowest[k] >= least[k] && lowest[k] < least[k] + near);
        ck_assert(highest[k] <= most[k] && highest[k] > most[k] - near);
    }
    for (int i = 0; i < ORDERS; i++) {
        different += orders[i] > 0;
        ck_assert(orders[i] == 0 || (orders[i] > 120 && orders[i] < 290)); /* 200 on average */
    }
    ck_assert_int_eq(different, 24);

    srq_view v;
    srq_view_bench bench;
    float to[BYTES], again[BYTES];
    srq_settings *s = make_settings("plain", 0, false);
    s->data.brightness = 0.5;
    ck_assert_int_eq(srq_view_create(&dataset, s, &v), SRQ_OK);
    ck_assert_int_eq(srq_view_bench_create(&v, &bench), SRQ_OK);
    uint8_t before[IMAGES * BYTES];
    memcpy(before, pixels, sizeof before);
    for (size_t i = 0; i < IMAGES; i++) {
        /* The factor, from the brightest pixel that is not clamped: everything else follows. */
        ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TRAIN, i, 2, to), SRQ_OK);
        ck_assert_int_eq(srq_view_make(&v, &bench, SRQ_TRAIN, i, 2, again), SRQ_OK);
        ck_assert_int_eq(memcmp(to, again, sizeof to), 0);
        double lower = 0.5, upper = 1.5;
        for (int k = 0; k < BYTES; k++) {
            const double from = pixels[i * BYTES + (size_t)k];
            const double value = round(255 * (double)(to[k] * deviation[k % CHANNELS] + mean[k % CHANNELS]));
            if (from > 0) lower = fmax(lower, (value - 1e-3) / from);
            if (from > 0 && value < 255) upper = fmin(upper, (value + 1) / from);
        }
        ck_assert_msg(lower <= upper, "image %zu: no factor gives this image: %g to %g", i, lower, upper);
    }
    ck_assert_int_eq(memcmp(before, pixels, sizeof before), 0); /* the data set itself stays */
    srq_view_bench_destroy(&bench);
    srq_view_destroy(&v);
    s->data.hue = 0.1;
    dataset.channels = 1;
    ck_assert_int_eq(srq_view_create(&dataset, s, &v), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "data.hue is above 0"));
    dataset.channels = CHANNELS;
}
END_TEST

/* A line of pixels would become an image of 59 GB. The message names the table and the image. */
START_TEST(sizes_that_would_grow)
{
    static int32_t sizes[3][2] = {{20, 20}, {1, 300000}, {20, 20}};
    static srq_dataset encoded = {.path = "lines.h5", .channels = CHANNELS, .encoded = true, .mean = mean, .file = -1};
    encoded.std = deviation;
    encoded.splits[SRQ_TEST] = (srq_split){.count = 3, .sizes = sizes};
    srq_settings *s = make_settings("plain", 0, false);
    srq_view v;
    srq_view_bench bench;
    s->model.height = s->model.width = 224;
    ck_assert_int_eq(srq_view_create(&encoded, s, &v), SRQ_OK);
    ck_assert_int_eq(srq_view_bench_create(&v, &bench), SRQ_ERROR_DATA);
    ck_assert_ptr_nonnull(strstr(srq_message(),
                                 "lines.h5: test/sizes says that image 1 has 1 x 300000 pixels (height x "
                                 "width), which become 256 x 76800000 for the network"));
    srq_view_bench_destroy(&bench);
    sizes[1][1] = 1000;
    ck_assert_int_eq(srq_view_bench_create(&v, &bench), SRQ_OK);
    srq_view_bench_destroy(&bench);
    srq_view_destroy(&v);
}
END_TEST

/* --- Images from outside */

/* A JPEG of height x width, and its decoded pixels; the caller frees both. */
static uint8_t *encode(int height, int width, srq_image *decoded, size_t *size)
{
    uint8_t *bytes = NULL;
    srq_image image = {0};
    *decoded = (srq_image){0};
    ck_assert_int_eq(srq_image_reserve(&image, height, width), SRQ_OK);
    for (int i = 0; i < height * width * 3; i++) image.pixels[i] = (uint8_t)(i * 29 + i / 11 * 5);
    ck_assert_int_eq(srq_image_encode(&image, 95, &bytes, size), SRQ_OK);
    ck_assert_int_eq(srq_image_decode(bytes, *size, decoded), SRQ_OK);
    srq_image_free(&image);
    return bytes;
}

/* Checks the view of a JPEG against the middle of the decoded image after resizing to base_height x base_width. */
static void check_outside(srq_view *v, srq_view_bench *bench, int height, int width, int base_height, int base_width)
{
    size_t size;
    srq_image decoded;
    uint8_t *bytes = encode(height, width, &decoded, &size), *base = malloc((size_t)(base_height * base_width * 3));
    float *room = malloc(srq_image_resize_room(height, width, base_height, base_width) * sizeof *room);
    float *to = calloc((size_t)(v->height * v->width * v->channels), sizeof *to);
    if (v->channels == 1)
        for (int i = 0; i < height * width; i++) { /* Pillow's convert("L") */
            uint8_t *p = decoded.pixels + 3 * i;
            p[0] = p[1] = p[2] = (uint8_t)((p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16);
        }
    srq_image_resize(&decoded, (srq_box){0, 0, height, width}, base_height, base_width, base, room);
    ck_assert_msg(srq_view_make_encoded(v, bench, bytes, size, to) == SRQ_OK, "%s", srq_message());
    const int top = (base_height - v->height) / 2, left = (base_width - v->width) / 2;
    for (int i = 0; i < v->height * v->width * v->channels; i++) {
        const int c = i % v->channels, x = i / v->channels % v->width, y = i / v->channels / v->width;
        const float pixel = base[((top + y) * base_width + left + x) * 3 + c];
        ck_assert_float_eq_tol(to[i], (pixel / 255 - mean[c]) / deviation[c], 1e-5f);
    }
    srq_image_free(&decoded);
    free(bytes);
    free(base);
    free(room);
    free(to);
}

/* A data set of images of one size: that size stays; others cover the input, and the middle is cut out. */
START_TEST(outside_of_one_size)
{
    srq_view v;
    srq_view_bench bench;
    ck_assert_int_eq(srq_view_create(&dataset, make_settings("plain", 2, true), &v), SRQ_OK);
    ck_assert_int_eq(srq_view_bench_create(&v, &bench), SRQ_OK);
    check_outside(&v, &bench, HEIGHT, WIDTH, HEIGHT, WIDTH);
    check_outside(&v, &bench, 2 * HEIGHT, 2 * WIDTH, HEIGHT, WIDTH);
    check_outside(&v, &bench, 60, 100, HEIGHT, 10); /* the height decides */
    check_outside(&v, &bench, 90, 50, 9, WIDTH);    /* the width decides */
    check_outside(&v, &bench, 3, 3, HEIGHT, HEIGHT);
    float to[BYTES];
    const uint8_t text[] = "text";
    ck_assert_int_eq(srq_view_make_encoded(&v, &bench, text, 4, to), SRQ_ERROR_DATA);
    srq_view_bench_destroy(&bench);
    srq_view_destroy(&v);
}
END_TEST

START_TEST(outside_grey)
{
    srq_view v;
    srq_view_bench bench;
    srq_dataset grey = dataset;
    grey.channels = 1;
    ck_assert_int_eq(srq_view_create(&grey, make_settings("plain", 0, false), &v), SRQ_OK);
    ck_assert_int_eq(srq_view_bench_create(&v, &bench), SRQ_OK);
    check_outside(&v, &bench, HEIGHT, WIDTH, HEIGHT, WIDTH);
    check_outside(&v, &bench, 31, 47, HEIGHT, 9);
    srq_view_bench_destroy(&bench);
    srq_view_destroy(&v);
}
END_TEST

/* A data set of encoded images: the short side gets data.resize, 8/7 of the input by default. */
START_TEST(outside_of_many_sizes)
{
    static srq_dataset encoded = {.path = "many.h5", .channels = CHANNELS, .encoded = true, .mean = mean, .file = -1};
    srq_view v;
    srq_view_bench bench;
    srq_settings *s = make_settings("resized", 0, true);
    encoded.std = deviation;
    s->model.height = s->model.width = 14;
    ck_assert_int_eq(srq_view_create(&encoded, s, &v), SRQ_OK);
    ck_assert_int_eq(srq_view_bench_create(&v, &bench), SRQ_OK);
    check_outside(&v, &bench, 32, 48, 16, 24);
    check_outside(&v, &bench, 14, 14, 16, 16);
    check_outside(&v, &bench, 300, 30, 160, 16); /* a larger one after a smaller one */
    srq_view_bench_destroy(&bench);
    srq_view_destroy(&v);
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1);
    setup();
    Suite *suite = suite_create("view");
    TCase *tests = tcase_create("view");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, padded_and_mirrored);
    tcase_add_test(tests, plain);
    tcase_add_test(tests, random_boxes);
    tcase_add_test(tests, cutout);
    tcase_add_test(tests, color_changes);
    tcase_add_test(tests, color_jitter);
    tcase_add_test(tests, sizes_that_would_grow);
    tcase_add_test(tests, outside_of_one_size);
    tcase_add_test(tests, outside_grey);
    tcase_add_test(tests, outside_of_many_sizes);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
