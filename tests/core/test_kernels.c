/* Every back end's convolutions and dense layers against the reference back end, over a grid of shapes. */
#include "core/kernels/engine.h"
#include "core/random.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CAPACITY = 3 };

typedef struct shape_row {
    int height, width, in, out, kernel[2], stride[2], padding[2];
    bool covers;
    int groups;
} shape_row;

static const shape_row shapes[] = {
    {8, 8, 16, 32, {3, 3}, {1, 1}, {1, 1}, false, 1},   {7, 5, 3, 5, {3, 2}, {2, 1}, {0, 1}, false, 1},
    {5, 6, 2, 4, {3, 3}, {1, 1}, {1, 1}, false, 1},     {9, 9, 1, 32, {5, 5}, {1, 1}, {0, 0}, false, 1},
    {12, 12, 32, 64, {5, 5}, {1, 1}, {0, 0}, false, 1}, {6, 6, 24, 16, {1, 1}, {1, 1}, {0, 0}, false, 1},
    {9, 7, 17, 33, {1, 1}, {2, 2}, {0, 0}, false, 1},   {8, 3, 7, 3, {3, 3}, {3, 3}, {2, 2}, false, 1},
    {15, 15, 3, 64, {7, 7}, {2, 2}, {3, 3}, false, 1},  {1, 9, 4, 8, {1, 4}, {1, 2}, {0, 3}, false, 1},
    {10, 10, 128, 8, {3, 3}, {1, 1}, {1, 1}, false, 1}, {4, 4, 64, 96, {4, 4}, {1, 1}, {0, 0}, true, 1},
    {1, 1, 130, 10, {1, 1}, {1, 1}, {0, 0}, true, 1},   {3, 2, 5, 7, {3, 2}, {1, 1}, {0, 0}, true, 1},
    {8, 8, 32, 32, {3, 3}, {1, 1}, {1, 1}, false, 32},  {9, 7, 17, 17, {3, 3}, {2, 2}, {1, 1}, false, 17},
    {7, 6, 6, 12, {3, 3}, {1, 2}, {1, 1}, false, 6},    {5, 5, 32, 64, {3, 3}, {1, 1}, {1, 1}, false, 2},
    {6, 9, 9, 6, {1, 4}, {2, 1}, {0, 2}, false, 3},     {4, 5, 24, 16, {1, 1}, {1, 1}, {0, 0}, false, 8},
    {6, 6, 1, 3, {1, 1}, {2, 2}, {0, 0}, false, 1},     {9, 7, 4, 8, {1, 1}, {2, 2}, {0, 0}, false, 1},
    {8, 8, 8, 24, {1, 1}, {1, 2}, {0, 0}, false, 1},    {5, 9, 12, 16, {1, 1}, {2, 1}, {0, 0}, false, 1},
    {16, 16, 15, 5, {1, 1}, {2, 2}, {0, 0}, false, 1},  {8, 8, 16, 32, {1, 1}, {2, 2}, {0, 0}, false, 1},
    {7, 9, 20, 12, {1, 1}, {2, 2}, {0, 0}, false, 1},   {8, 8, 12, 24, {1, 1}, {2, 2}, {0, 0}, false, 4},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const char *const engines[] = {"float32", "mixed", "integer"};

/* What an operand's elements are. */
typedef struct kind {
    const char *name;
    srq_dtype input;
    int input_min, input_max; /* codes */
    bool weight_codes;
    int weight_max; /* codes: -weight_max - 1 to weight_max */
} kind;

static const kind kinds[] = {
    {"u8 x s8, 8 bits", SRQ_UINT8, 0, 255, true, 127},
    {"u8 x s8, 4 bits", SRQ_UINT8, 0, 15, true, 7},
    {"s8 x s8, 8 bits", SRQ_INT8, -128, 127, true, 127},
    {"s8 x s8, 2 bits", SRQ_INT8, -2, 1, true, 1},
    {"f32 x s8", SRQ_FLOAT32, 0, 0, true, 7},
    {"f32 x f32", SRQ_FLOAT32, 0, 0, false, 0},
    {"u8 x f32", SRQ_UINT8, 0, 15, false, 0},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void *memory(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    memset(p, 0xff, (bytes + 127) / 64 * 64); /* NaN, for what is not written */
    return p;
}

static void draw_codes(size_t n, int min, int max, uint32_t purpose, void *codes)
{
    uint32_t r[4];
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 0) srq_random(3, SRQ_RANDOM_TEST, purpose, i / 4, r);
        ((uint8_t *)codes)[i] = (uint8_t)(min + (int)(r[i % 4] % (uint32_t)(max - min + 1)));
    }
}

static srq_conv_shape shape_of(const shape_row *r, const kind *k)
{
    srq_conv_shape s = {.capacity = CAPACITY,
                        .workers = 2,
                        .height = r->height,
                        .width = r->width,
                        .in = r->in,
                        .out = r->out,
                        .kernel = {r->kernel[0], r->kernel[1]},
                        .stride = {r->stride[0], r->stride[1]},
                        .padding = {r->padding[0], r->padding[1]},
                        .groups = r->groups,
                        .covers = r->covers,
                        .input_gradient = k->input != SRQ_FLOAT32,
                        .input = k->input,
                        .weight_codes = k->weight_codes,
                        .input_most = k->input_max > -k->input_min ? k->input_max : -k->input_min,
                        .weights_most = k->weight_max + 1};
    s.out_height = (s.height + 2 * s.padding[0] - s.kernel[0]) / s.stride[0] + 1;
    s.out_width = (s.width + 2 * s.padding[1] - s.kernel[1]) / s.stride[1] + 1;
    return s;
}

/* One back end's answers. */
typedef struct answers {
    size_t outputs, inputs, weights;
    float *y, *dx, *dw;
    srq_conv_info info;
} answers;

/* dy has 8 bits if that is what `like` expects; for other back ends it is then multiplied by its scale. */
static answers compute(const srq_kernels *kernels, const srq_conv_shape *s, const kind *k, int n, srq_dtype like)
{
    const srq_vector *vector = srq_vector_best(NULL);
    const size_t image = (size_t)(s->height * s->width * s->in), out = (size_t)(s->out_height * s->out_width * s->out);
    answers a = {.outputs = (size_t)n * out, .inputs = (size_t)n * image};
    a.weights = (size_t)(s->out * (s->in / s->groups) * s->kernel[0] * s->kernel[1]);
    srq_conv_plan *plan = NULL;
    srq_status status = kernels->conv_create(s, vector, &plan);
    ck_assert_msg(status == SRQ_OK, "%s", srq_message());
    a.info = kernels->conv_info(plan);
    if (a.info.gradient == SRQ_INT8) like = SRQ_INT8;
    void *scratch = memory(a.info.scratch);

    srq_operand x = {.dtype = k->input, .scale = 1},
                w = {.dtype = k->weight_codes ? SRQ_INT8 : SRQ_FLOAT32, .scale = 1};
    void *input = memory(CAPACITY * image * sizeof(float)), *weights = memory(a.weights * sizeof(float));
    x.data = input, w.data = weights;
    if (k->input == SRQ_FLOAT32)
        srq_random_normal(3, SRQ_RANDOM_TEST, 1, (size_t)n * image, 1, input);
    else
        draw_codes((size_t)n * image, k->input_min, k->input_max, 1, input);
    if (k->weight_codes)
        draw_codes(a.weights, -k->weight_max - 1, k->weight_max, 2, weights);
    else
        srq_random_normal(3, SRQ_RANDOM_TEST, 2, a.weights, 1, weights);
    /* dy is exact in bfloat16, so that both types mean the same. */
    float *dy = memory(CAPACITY * out * sizeof(float));
    uint16_t *rounded = memory(CAPACITY * out * sizeof(float));
    int8_t *eight = memory(CAPACITY * out);
    const float eighth = 0.125f;
    const float one = 1;
    srq_random_normal(3, SRQ_RANDOM_TEST, 3, a.outputs, 1, dy);
    vector->scale_rows_bf16(a.outputs, 1, dy, &one, rounded);
    for (size_t i = 0; i < a.outputs; i++) {
        uint32_t bits = (uint32_t)rounded[i] << 16;
        memcpy(&dy[i], &bits, sizeof bits);
    }

    draw_codes(a.outputs, -SRQ_GRADIENT_MOST, SRQ_GRADIENT_MOST, 4, eight);
    for (size_t i = 0; like == SRQ_INT8 && i < a.outputs; i++) dy[i] = eighth * (float)eight[i];
    a.y = memory(CAPACITY * out * sizeof(float));
    a.dx = memory(CAPACITY * image * sizeof(float));
    a.dw = memory(a.weights * sizeof(float));
    kernels->conv_pack(plan, 1, &w, true, scratch);
    kernels->conv_forward(plan, 1, n, &x, a.y, scratch);
    srq_operand gradient = {.data = dy, .dtype = a.info.gradient, .scale = 1};
    if (gradient.dtype == SRQ_BFLOAT16) gradient.data = rounded;
    if (gradient.dtype == SRQ_INT8) gradient.data = eight, gradient.scale = eighth;
    if (s->input_gradient) kernels->conv_backward_data(plan, 1, n, &gradient, a.dx, scratch);
    kernels->conv_backward_weights(plan, 1, n, &x, &gradient, a.dw, scratch);
    kernels->conv_unpack(plan, 1, a.dw, scratch);
    kernels->conv_destroy(&plan);
    free(scratch), free(input), free(weights), free(dy), free(rounded), free(eight);
    return a;
}

static void release(answers *a)
{
    free(a->y), free(a->dx), free(a->dw);
}

/* Sums of products of float32 numbers in another order: `terms` of them differ by some roundings of the largest partial
 * sum, which random signs keep near the root of their number. */
static void check_close(const char *what, size_t n, const float *got, const float *expected, size_t terms)
{
    double largest = 0, error = 0;
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(isfinite(got[i]), "%s: element %zu is %g", what, i, (double)got[i]);
        largest = fmax(largest, fabs((double)expected[i]));
        error = fmax(error, fabs((double)got[i] - (double)expected[i]));
    }
    const double bound = 1.2e-7 * (4 + sqrt((double)terms)) * largest;
    ck_assert_msg(error <= bound, "%s: off by %g of %g, more than %g", what, error, largest, bound);
}

static void check_equal(const char *what, size_t n, const float *got, const float *expected)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(got[i] == expected[i], "%s: element %zu is %g, not %g", what, i, (double)got[i],
                      (double)expected[i]);
}

/* Loop: engines x shapes. */
START_TEST(as_the_reference)
{
    const char *engine = engines[_i / SHAPES];
    const shape_row *row = &shapes[_i % SHAPES];
    const srq_kernels *kernels = srq_kernels_find(engine);
    if (!kernels) return;
    /* The engine "integer" leaves all other kinds to "mixed", as it does the third one. */
    const int last = strcmp(engine, "integer") == 0 ? 3 : KINDS;
    for (int k = 0; k < last; k++)
        for (int n = 1; n <= CAPACITY; n += 2) {
            const srq_conv_shape s = shape_of(row, &kinds[k]);
            answers got = compute(kernels, &s, &kinds[k], n, SRQ_FLOAT32);
            answers expected = compute(&srq_kernels_reference, &s, &kinds[k], n, got.info.gradient);
            char what[160];
            const size_t depth = got.weights / (size_t)s.out, rows = got.outputs / (size_t)s.out;
            snprintf(what, sizeof what, "%s, shape %d, %s, %d images (%s, %s): y", engine, _i % SHAPES, kinds[k].name,
                     n, got.info.forward, got.info.backward);
            const bool integers = s.input != SRQ_FLOAT32 && s.weight_codes;
            /* Below 2^24 float32 holds every partial sum of the reference. */
            if (integers && (double)depth * s.input_most * s.weights_most < 16777216)
                ck_assert_msg(memcmp(got.y, expected.y, got.outputs * sizeof *got.y) == 0, "%s: not exact", what);
            else
                check_close(what, got.outputs, got.y, expected.y, depth);
            strcpy(strrchr(what, ' '), " dx");
            const bool eight = got.info.gradient == SRQ_INT8;
            const double fan_out = (double)got.weights / (double)s.in * SRQ_GRADIENT_MOST;
            if (eight && fan_out * s.weights_most < 16777216)
                check_equal(what, got.inputs, got.dx, expected.dx);
            else if (s.input_gradient)
                check_close(what, got.inputs, got.dx, expected.dx, got.weights / (size_t)s.in);
            strcpy(strrchr(what, ' '), " dw");
            if (eight && (double)rows * SRQ_GRADIENT_MOST * s.input_most < 16777216)
                check_equal(what, got.weights, got.dw, expected.dw);
            else
                check_close(what, got.weights, got.dw, expected.dw, rows);
            release(&expected);
            release(&got);
        }
}
END_TEST

int main(void)
{
    srq_kernels_pin_threads();
    Suite *suite = suite_create("kernels");
    TCase *tests = tcase_create("kernels");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, as_the_reference, 0, (int)(sizeof engines / sizeof *engines) * SHAPES);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
