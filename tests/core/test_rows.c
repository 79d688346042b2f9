/* Functions of rows of channels (vector.h): every table against a loop over the definition, bit for bit, with numbers
 * of channels that fill registers and that do not, and with values that are not finite. */
#include "core/kernels/vector.h"
#include "core/random.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

static const char *const tables[] = {"x86-64", "avx2", "avx512"};
static const size_t widths[] = {1, 3, 8, 15, 16, 17, 24, 32, 35};
enum { TABLES = 3, WIDTHS = sizeof widths / sizeof *widths, ROWS = 5, MOST = 35, FLOATS = ROWS * MOST };

typedef struct inputs {
    float x[FLOATS], z[FLOATS], a[MOST], b[MOST], c[MOST];
} inputs;

static const srq_vector *table_of(int i, size_t *n)
{
    *n = widths[i % WIDTHS];
    return srq_vector_best(tables[i / WIDTHS]);
}

/* Some values lie in the middle between two of bfloat16, of which the even one is right. */
static inputs make_inputs(void)
{
    inputs in;
    const float special[] = {NAN, INFINITY, -INFINITY, -0.0f, 1e-41f, 3e38f, 1.00390625f, 1.01171875f};
    srq_random_normal(1, SRQ_RANDOM_TEST, 1, FLOATS, 1, in.x);
    srq_random_normal(1, SRQ_RANDOM_TEST, 2, FLOATS, 1, in.z);
    srq_random_normal(1, SRQ_RANDOM_TEST, 3, MOST, 1, in.a);
    srq_random_normal(1, SRQ_RANDOM_TEST, 4, MOST, 1, in.b);
    srq_random_normal(1, SRQ_RANDOM_TEST, 5, MOST, 1, in.c);
    for (size_t i = 0; i < 8; i++) {
        in.x[i * 7 % 35] = special[i];
        in.z[(i * 5 + 2) % 35] = special[7 - i];
    }
    in.a[0] = in.a[2] = 1;
    in.b[0] = in.b[2] = in.c[0] = 0;
    return in;
}

static float clamped(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

/* NaN equals NaN. */
static void check_floats(const float *got, const float *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(memcmp(&got[i], &expected[i], sizeof *got) == 0 || (isnan(got[i]) && isnan(expected[i])),
                      "element %zu is %.9g, not %.9g", i, (double)got[i], (double)expected[i]);
}

static void check_bf16(const uint16_t *got, const float *exact, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)got[i] << 16;
        float value;
        memcpy(&value, &bits, sizeof value);
        ck_assert_int_eq(isnan(value), isnan(exact[i]));
        if (isnan(value) || value == exact[i]) continue;
        uint32_t whole;
        memcpy(&whole, &exact[i], sizeof whole);
        const uint32_t rest = whole & 0xffffu, up = rest > 0x8000u || (rest == 0x8000u && (whole >> 16 & 1u));
        ck_assert_uint_eq(got[i], (whole >> 16) + up);
    }
}

START_TEST(affine)
{
    size_t n;
    const srq_vector *v = table_of(_i, &n);
    if (!v) return;
    const inputs in = make_inputs();
    const float bounds[][2] = {{-INFINITY, INFINITY}, {0, INFINITY}, {0, 0.5f}};
    for (int k = 0; k < 3; k++) {
        float y[FLOATS], sum[FLOATS], expected[FLOATS] = {0}, with[FLOATS] = {0};
        for (size_t i = 0; i < ROWS * n; i++) {
            const float line = in.a[i % n] * in.x[i] + in.b[i % n];
            expected[i] = clamped(line, bounds[k][0], bounds[k][1]);
            with[i] = clamped(line + in.z[i], bounds[k][0], bounds[k][1]);
        }
        v->affine_rows(ROWS, n, in.x, in.a, in.b, bounds[k][0], bounds[k][1], y);
        check_floats(y, expected, ROWS * n);
        v->affine_add_rows(ROWS, n, in.x, in.a, in.b, in.z, bounds[k][0], bounds[k][1], sum);
        check_floats(sum, with, ROWS * n);
        memcpy(y, in.x, sizeof y); /* in place */
        v->affine_rows(ROWS, n, y, in.a, in.b, bounds[k][0], bounds[k][1], y);
        check_floats(y, expected, ROWS * n);
        memcpy(sum, in.z, sizeof sum);
        v->affine_add_rows(ROWS, n, in.x, in.a, in.b, sum, bounds[k][0], bounds[k][1], sum);
        check_floats(sum, with, ROWS * n);
    }
}
END_TEST

START_TEST(scale_and_combine)
{
    size_t n;
    const srq_vector *v = table_of(_i, &n);
    if (!v) return;
    const inputs in = make_inputs();
    float y[FLOATS], scaled[FLOATS] = {0}, combined[FLOATS] = {0};
    uint16_t half[FLOATS];
    for (size_t i = 0; i < ROWS * n; i++) {
        const size_t c = i % n;
        scaled[i] = in.x[i] * in.a[c];
        combined[i] = in.a[c] * in.x[i] + (in.b[c] * in.z[i] + in.c[c]);
    }
    v->scale_rows(ROWS, n, in.x, in.a, y);
    check_floats(y, scaled, ROWS * n);
    v->scale_rows_bf16(ROWS, n, in.x, in.a, half);
    check_bf16(half, scaled, ROWS * n);
    v->combine_rows(ROWS, n, in.x, in.z, in.a, in.b, in.c, y);
    check_floats(y, combined, ROWS * n);
    v->combine_rows_bf16(ROWS, n, in.x, in.z, in.a, in.b, in.c, half);
    check_bf16(half, combined, ROWS * n);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rows");
    TCase *tests = tcase_create("rows");
    tcase_add_loop_test(tests, affine, 0, TABLES * WIDTHS);
    tcase_add_loop_test(tests, scale_and_combine, 0, TABLES * WIDTHS);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
