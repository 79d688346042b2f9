/* Gradients of 8 bits: rounding, the scale, the sums by weights, and what they do to the gradient of a network. */
#include "core/kernels/engine.h"
#include "core/kernels/vnni/by_weights.h"
#include "core/ops/gradient8.h"
#include "tests/core/network.h"

#include <stdlib.h>

static void *memory(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    memset(p, 0, (bytes + 127) / 64 * 64);
    return p;
}

/* --- Rounding */

static const char *const tables[] = {"x86-64", "avx2", "avx512"};

/* The definition in vector.h, from srq_random. */
static int8_t rounded_to(float x, const srq_rounding *r, size_t element)
{
    const uint64_t place = element % 128, j = place % 64;
    uint32_t bits[4];
    srq_random(r->seed, SRQ_RANDOM_GRADIENT, r->step, (16 * (element / 128) + j % 16) | r->stream << 40, bits);
    const uint32_t noise = (place < 64 ? bits[j / 16] : bits[j / 16] >> 16) & 0x7fff;
    const double y = floor((nearbyint((double)x) + noise) / 32768);
    return (int8_t)fmin(127, fmax(-127, y));
}

/* Loop: tables. Every instruction set gives the defined bits, wherever a call begins and ends. */
START_TEST(rounds_as_defined)
{
    enum { N = 1000 };
    const srq_vector *vector = srq_vector_best(tables[_i]);
    if (!vector) return;
    const srq_rounding r = {.seed = 0x123456789abcdef0, .step = 77, .stream = 4096 * 5 + 3};
    float x[N];
    int8_t y[N];
    srq_random_normal(1, SRQ_RANDOM_TEST, 0, N, 40 * 32768.0f, x);
    x[0] = 127 * 32768, x[1] = -127 * 32768, x[2] = 0, x[3] = 0.5f, x[4] = -0.5f, x[5] = 1.5f;
    for (int i = 0; i < N; i++) x[i] = fminf(127 * 32768.0f, fmaxf(-127 * 32768.0f, x[i]));
    static const size_t starts[] = {0, 1, 63, 64, 127, 128, 1000};
    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
        ck_assert(vector->round_s8(N - s, x, &r, starts[s], y));
        for (size_t i = 0; i < N - s; i++) ck_assert_int_eq(y[i], rounded_to(x[i], &r, starts[s] + i));
    }
}
END_TEST

START_TEST(rounding_rejects_what_is_not_finite)
{
    const srq_vector *vector = srq_vector_best(NULL);
    const srq_rounding r = {.seed = 1};
    static const float bad[] = {NAN, INFINITY, -INFINITY, 4194560.0f, -4194560.0f};
    float x[200] = {0};
    int8_t y[200];
    ck_assert(vector->round_s8(200, x, &r, 0, y));
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
        for (int place = 0; place < 200; place += 33) {
            x[place] = bad[b];
            ck_assert_msg(!vector->round_s8(200, x, &r, 0, y), "%g at %d", (double)bad[b], place);
            x[place] = 0;
        }
}
END_TEST

/* The mean of n draws has the standard deviation sqrt(f (1 - f) / n), at most 0.5 / sqrt(n). */
START_TEST(rounding_has_the_right_mean)
{
    enum { N = 1 << 18 };
    static const float values[] = {0.001f, 0.25f, 0.5f, 3.9f, -0.001f, -0.7f, -100.3f, 126.99f, 5};
    const srq_vector *vector = srq_vector_best(NULL);
    float *x = memory(N * sizeof *x);
    int8_t *y = memory(N);
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        const srq_rounding r = {.seed = 9, .step = (uint32_t)v, .stream = 1};
        double sum = 0;
        for (int i = 0; i < N; i++) x[i] = values[v] * 32768;
        ck_assert(vector->round_s8(N, x, &r, 0, y));
        for (int i = 0; i < N; i++) sum += y[i];
        const double f = (double)values[v] - floor((double)values[v]);
        const double bound = 5 * sqrt(f * (1 - f) / N) + 1.0 / 65536;
        ck_assert_msg(fabs(sum / N - (double)values[v]) <= bound, "the mean of %g is %g", (double)values[v], sum / N);
    }
    free(x), free(y);
}
END_TEST

/* --- The scale */

/* By g x + by x x + constant, over all pairs of the extremes: at most 127 steps, and reached. */
START_TEST(scale_is_the_smallest_that_nothing_exceeds)
{
    enum { N = 300, CHANNELS = 3 };
    const srq_vector *vector = srq_vector_best(NULL);
    float g[N * CHANNELS], x[N * CHANNELS], room[5 * CHANNELS];
    float by_g[] = {0.5f, -2, 0}, by_x[] = {0.25f, 0.125f, -1}, constant[] = {0, -0.5f, 0.25f};
    const float before[3][CHANNELS] = {{0.5f, -2, 0}, {0.25f, 0.125f, -1}, {0, -0.5f, 0.25f}};
    const srq_gradient8 t = {room, room + 3, room + 6, room + 9, room + 12};
    srq_random_normal(1, SRQ_RANDOM_TEST, 0, N * CHANNELS, 1, g);
    srq_random_normal(1, SRQ_RANDOM_TEST, 1, N * CHANNELS, 1, x);
    srq_gradient8_clear(&t, CHANNELS);
    vector->extremes(N, CHANNELS, g, t.low_g, t.high_g);
    vector->extremes(N, CHANNELS, x, t.low_x, t.high_x);
    srq_gradient8_set_scale(&t, CHANNELS, by_g, by_x, constant);
    double most = 0;
    for (int c = 0; c < CHANNELS; c++)
        for (int i = 0; i < 4; i++) {
            const double gg = (double)(i & 1 ? t.low_g : t.high_g)[c], xx = (double)(i & 2 ? t.low_x : t.high_x)[c];
            most = fmax(most, fabs((double)before[0][c] * gg + (double)before[1][c] * xx + (double)before[2][c]));
            ck_assert_double_eq_tol((double)by_g[c] * (double)*t.scale, 32768 * (double)before[0][c], 0.01);
        }
    ck_assert_double_eq_tol((double)*t.scale * 127, most, 1e-5 * most);
}
END_TEST

START_TEST(scale_of_extreme_gradients)
{
    float room[5], by_g = 1, by_x = 0, constant = 0;
    const srq_gradient8 t = {room, room + 1, room + 2, room + 3, room + 4};
    static const struct {
        float low, high;
        bool finite;
    } cases[] = {{0, 0, true}, {-1e-38f, 1e-38f, true}, {0, 3e38f, true}, {0, INFINITY, false}, {-INFINITY, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        by_g = 1;
        srq_gradient8_clear(&t, 1);
        *t.low_g = cases[i].low, *t.high_g = cases[i].high;
        srq_gradient8_set_scale(&t, 1, &by_g, &by_x, &constant);
        ck_assert_int_eq(isfinite(*t.scale) && isfinite(by_g), cases[i].finite);
    }
    by_g = NAN;
    srq_gradient8_clear(&t, 1);
    *t.low_g = 0, *t.high_g = 1;
    srq_gradient8_set_scale(&t, 1, &by_g, &by_x, &constant);
    ck_assert(isnan(*t.scale));
}
END_TEST

/* --- Sums by weights: the instructions against plain C, and against the definition */

typedef struct sums_shape {
    int n, height, width, in, out, kernel[2], stride[2], padding[2];
} sums_shape;

static const sums_shape sums_shapes[] = {
    {5, 9, 7, 17, 9, {3, 3}, {1, 1}, {1, 1}},    {8, 8, 8, 64, 24, {3, 3}, {1, 1}, {1, 1}},
    {3, 33, 40, 33, 20, {3, 2}, {2, 1}, {1, 0}}, {9, 4, 4, 96, 144, {1, 1}, {1, 1}, {0, 0}},
    {1, 6, 5, 1, 1, {5, 3}, {1, 2}, {2, 2}},     {4, 5, 5, 48, 7, {1, 1}, {2, 2}, {0, 0}},
    {6, 70, 9, 32, 8, {3, 3}, {3, 3}, {0, 2}},   {2, 3, 130, 80, 40, {3, 3}, {1, 1}, {1, 1}},
};
enum { SUMS_SHAPES = sizeof sums_shapes / sizeof *sums_shapes };

static srq_conv_shape shape_of(const sums_shape *r)
{
    srq_conv_shape s = {.capacity = r->n + 1,
                        .workers = 1,
                        .height = r->height,
                        .width = r->width,
                        .in = r->in,
                        .out = r->out,
                        .kernel = {r->kernel[0], r->kernel[1]},
                        .stride = {r->stride[0], r->stride[1]},
                        .padding = {r->padding[0], r->padding[1]},
                        .groups = 1,
                        .input = SRQ_UINT8,
                        .weight_codes = true,
                        .input_most = 255};
    s.out_height = (s.height + 2 * s.padding[0] - s.kernel[0]) / s.stride[0] + 1;
    s.out_width = (s.width + 2 * s.padding[1] - s.kernel[1]) / s.stride[1] + 1;
    return s;
}

static float *sums_of(const srq_conv_shape *s, bool plain, int n, const uint8_t *x, const int8_t *dy, float scale)
{
    srq_by_weights *plan = NULL;
    ck_assert_int_eq(srq_by_weights_create(s, plain, &plan), SRQ_OK);
    void *scratch = memory(srq_by_weights_scratch(plan));
    memset(scratch, 0x55, srq_by_weights_scratch(plan));
    float *dw = memory((size_t)(s->in * s->out * s->kernel[0] * s->kernel[1]) * sizeof *dw);
    srq_by_weights_run(plan, n, x, dy, scale, dw, scratch);
    srq_by_weights_unpack(plan, dw, scratch);
    srq_by_weights_destroy(&plan);
    free(scratch);
    return dw;
}

static double sum_at(const srq_conv_shape *s, int n, const uint8_t *x, const int8_t *dy, int o, int i, int ky, int kx)
{
    double sum = 0;
    for (int b = 0; b < n; b++)
        for (int oy = 0; oy < s->out_height; oy++)
            for (int ox = 0; ox < s->out_width; ox++) {
                const int y = oy * s->stride[0] + ky - s->padding[0], c = ox * s->stride[1] + kx - s->padding[1];
                if (y < 0 || y >= s->height || c < 0 || c >= s->width) continue;
                sum += (double)x[((b * s->height + y) * s->width + c) * s->in + i] *
                       dy[((b * s->out_height + oy) * s->out_width + ox) * s->out + o];
            }
    return sum;
}

static bool has_vnni(void)
{
    srq_isa here;
    ck_assert_int_eq(srq_isa_here(&here), SRQ_OK);
    return srq_by_weights_built() && (here & SRQ_ISA_AVX512_VNNI) == SRQ_ISA_AVX512_VNNI;
}

/* Loop: shapes. */
START_TEST(sums_by_weights)
{
    const sums_shape *row = &sums_shapes[_i];
    const srq_conv_shape s = shape_of(row);
    const size_t inputs = (size_t)(row->n * s.height * s.width * s.in);
    const size_t outputs = (size_t)(row->n * s.out_height * s.out_width * s.out);
    const int area = s.kernel[0] * s.kernel[1], count = s.in * s.out * area;
    uint8_t *x = memory(inputs);
    int8_t *dy = memory(outputs);
    uint32_t r[4];
    for (size_t i = 0; i < inputs || i < outputs; i++) {
        srq_random(5, SRQ_RANDOM_TEST, 0, i, r);
        if (i < inputs) x[i] = (uint8_t)r[0];
        if (i < outputs) dy[i] = (int8_t)((int)(r[1] % 255) - 127);
    }
    float *plain = sums_of(&s, true, row->n, x, dy, 0.5f);
    float *fast = has_vnni() ? sums_of(&s, false, row->n, x, dy, 0.5f) : NULL;
    if (fast) ck_assert_mem_eq(plain, fast, (size_t)count * sizeof *fast);
    for (int k = 0; k < count; k += count < 200 ? 1 : count / 97) {
        const double sum =
            sum_at(&s, row->n, x, dy, k / (s.in * area), k / area % s.in, k % area / s.kernel[1], k % s.kernel[1]);
        ck_assert_double_eq_tol((double)plain[k], 0.5 * sum, 1e-7 * fabs(sum));
    }
    free(x), free(dy), free(plain), free(fast);
}
END_TEST

/* 67,600 products of 255 and 127 are above 2^31, so the sum has to be kept in parts. */
START_TEST(sums_do_not_overflow)
{
    enum { SIDE = 130, IMAGES_HERE = 4, N = SIDE * SIDE * IMAGES_HERE };
    const sums_shape row = {IMAGES_HERE, SIDE, SIDE, 1, 1, {1, 1}, {1, 1}, {0, 0}};
    const srq_conv_shape s = shape_of(&row);
    uint8_t *x = memory(N);
    int8_t *dy = memory(N);
    memset(x, 255, N);
    for (int sign = -1; sign <= 1; sign += 2) {
        memset(dy, sign * 127, N);
        for (int plain = 0; plain < 2; plain++) {
            if (!plain && !has_vnni()) continue;
            float *dw = sums_of(&s, plain, IMAGES_HERE, x, dy, 1);
            ck_assert_double_eq_tol((double)dw[0], sign * 255.0 * 127 * N, 300);
            free(dw);
        }
    }
    free(x), free(dy);
}
END_TEST

/* --- The gradient of a network */

/* Quantized convolutions with and without batch-norm, with a bias and pooling, and with a stride, after one that reads
 * the images. */
static void quantize(srq_layer_spec *l, int bits)
{
    snprintf(l->quantizer.method, sizeof l->quantizer.method, "ste");
    l->quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {bits}};
}

static void make(net *n)
{
    start(n, 8, 8, 3);
    with_window(add(n, "conv1", "conv", "input"), 16, 3, 3, 1, 1, 1, 1);
    add(n, "relu1", "relu", "conv1");
    quantize(add(n, "act1", "quantize", "relu1"), 4);
    srq_layer_spec *conv2 = with_window(add(n, "conv2", "conv", "act1"), 20, 3, 3, 1, 1, 1, 1);
    quantize(conv2, 4);
    conv2->bias = false;
    add(n, "bn2", "batch_norm", "conv2");
    add(n, "relu2", "relu", "bn2");
    quantize(add(n, "act2", "quantize", "relu2"), 4);
    quantize(with_window(add(n, "conv3", "conv", "act2"), 33, 3, 3, 1, 1, 0, 0), 4);
    add(n, "relu3", "relu", "conv3");
    with_window(add(n, "pool3", "max_pool", "relu3"), 0, 2, 2, 2, 2, 0, 0);
    quantize(add(n, "act3", "quantize", "pool3"), 4);
    quantize(with_window(add(n, "conv4", "conv", "act3"), 16, 2, 2, 1, 1, 0, 0), 4);
    add(n, "fc", "dense", "conv4")->out = 5;
}

static float *gradient_of(net *n, long step)
{
    srq_metrics metrics;
    const srq_step s = {.seed = 3, .number = step};
    float *gradient = calloc(srq_graph_size(n->graph), sizeof *gradient);
    ck_assert_int_eq(srq_graph_begin_step(n->graph, &s), SRQ_OK);
    ck_assert_int_eq(srq_graph_train(n->graph, 0, IMAGES, n->labels, IMAGES, gradient, &metrics), -1);
    finish_step(n, gradient);
    return gradient;
}

static void build_for(net *n, const char *engine, bool plain)
{
    const way w = {engine, plain, 0};
    current = &w;
    make(n);
    build(n);
    current = &ways[0];
    ck_assert_int_eq(srq_graph_start(n->graph, IMAGES), SRQ_OK);
}

/* Loop: operators one by one, and in chains. Over many draws, the gradient of every parameter has the mean of float32,
 * within five times the standard deviation of that mean. One draw already points the same way. */
START_TEST(gradient_of_a_network)
{
    enum { DRAWS = 60 };
    net eight, whole;
    if (!srq_kernels_find("integer")) return;
    build_for(&eight, "integer", _i == 0);
    build_for(&whole, "float32", _i == 0);
    const size_t size = srq_graph_size(eight.graph);
    double *sum = calloc(2 * size, sizeof *sum), *squares = sum + size;
    float *expected = gradient_of(&whole, 0);
    for (int d = 0; d < DRAWS; d++) {
        float *g = gradient_of(&eight, d);
        for (size_t i = 0; i < size; i++) {
            const double off = (double)g[i] - (double)expected[i];
            sum[i] += off, squares[i] += off * off;
        }
        free(g);
    }
    for (int p = 0; p < srq_graph_parameter_count(eight.graph); p++) {
        const srq_parameter *q = srq_graph_parameter(eight.graph, p);
        if (q->kind == SRQ_PARAMETER_STATISTIC) continue;
        double norm = 0, noise = 0, bias = 0;
        for (size_t i = q->offset; i < q->offset + q->count; i++) {
            norm += pow((double)expected[i], 2);
            noise += squares[i] / DRAWS;
            bias += pow(sum[i] / DRAWS, 2);
        }
        /* The bias that noise alone leaves is noise / DRAWS. Its own deviation is largest if one element has it all. */
        ck_assert_msg(bias <= (1 + 5 * sqrt(2)) * noise / DRAWS + 1e-9 * norm, "%s: bias %g, noise %g of %g", q->name,
                      sqrt(bias), sqrt(noise), sqrt(norm));
        /* The noise of the many terms of a step size's gradient does not cancel as that of weights does. */
        const double most = q->kind == SRQ_PARAMETER_ALPHA ? 0.03 : 0.01;
        ck_assert_msg(noise <= most * norm, "%s: noise %g of %g", q->name, sqrt(noise), sqrt(norm));
        const bool exact = strncmp(q->name, "fc/", 3) == 0;
        ck_assert_msg(exact || noise > 0, "%s: no noise; is its gradient rounded at all?", q->name);
    }
    free(sum), free(expected);
    finish(&eight), finish(&whole);
}
END_TEST

/* A NaN in the gradient reaches the weights, where every step looks for it. */
START_TEST(nan_is_not_hidden)
{
    net n;
    if (!srq_kernels_find("integer")) return;
    build_for(&n, "integer", _i == 0);
    srq_graph_values(n.graph)[named(&n, "fc/weight")->offset] = NAN;
    srq_metrics metrics;
    float *gradient = calloc(srq_graph_size(n.graph), sizeof *gradient);
    ck_assert_int_eq(srq_graph_begin_step(n.graph, &first_step), SRQ_OK);
    srq_graph_train(n.graph, 0, IMAGES, n.labels, IMAGES, gradient, &metrics);
    for (int c = 2; c <= 4; c++) {
        char name[32];
        snprintf(name, sizeof name, "conv%d/weight", c);
        ck_assert_msg(isnan(gradient[named(&n, name)->offset]), "%s has no NaN", name);
    }
    free(gradient);
    finish(&n);
}
END_TEST

/* The engine is refused, with what it needs, where the CPU does not have it. */
START_TEST(needs_are_named)
{
    net n;
    srq_graph *graph = NULL;
    if (srq_kernels_find("integer")) return;
    make(&n);
    const srq_graph_options options = {.capacity = 1, .engine = "integer"};
    ck_assert_int_eq(srq_graph_create(&n.spec, &options, &graph), SRQ_ERROR_USAGE);
    ck_assert_msg(strstr(srq_message(), "needs a CPU with AVX-512 and VNNI"), "%s", srq_message());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gradient8");
    TCase *tests = tcase_create("gradient8");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, rounds_as_defined, 0, (int)(sizeof tables / sizeof *tables));
    tcase_add_test(tests, rounding_rejects_what_is_not_finite);
    tcase_add_test(tests, rounding_has_the_right_mean);
    tcase_add_test(tests, scale_is_the_smallest_that_nothing_exceeds);
    tcase_add_test(tests, scale_of_extreme_gradients);
    tcase_add_loop_test(tests, sums_by_weights, 0, SUMS_SHAPES);
    tcase_add_test(tests, sums_do_not_overflow);
    tcase_add_loop_test(tests, gradient_of_a_network, 0, 2);
    tcase_add_loop_test(tests, nan_is_not_hidden, 0, 2);
    tcase_add_test(tests, needs_are_named);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
