/* Relaxed Quantization against float64: the plain formulas of method.md with given noise, differentiated by central
 * differences; the noise and the samples against their distributions; the instruction sets against each other. */
#include "core/kernels/vector.h"
#include "core/random.h"
#include "tests/suite.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double deviation = 1.8137993642342178; /* of logistic noise with sigma = 1: pi / sqrt(3) */

static srq_grid make_grid(int bits, bool is_signed, float alpha, float ratio)
{
    srq_grid grid = {.alpha = alpha, .sigma = alpha * ratio, .min = is_signed ? -(1 << (bits - 1)) : 0};
    grid.max = grid.min + (1 << bits) - 1;
    return grid;
}

/* --- The formulas in float64. */

static double log_sigmoid(double t)
{
    return t < 0 ? t - log1p(exp(t)) : -log1p(exp(-t));
}

/* log r_k truncated to lo..hi, method.md section 2. */
static double log_probability(double x, double alpha, double sigma, int lo, int hi, int k)
{
    double u = (alpha * (k + 0.5) - x) / sigma, v = (alpha * (k - 0.5) - x) / sigma;
    double top = (alpha * (hi + 0.5) - x) / sigma, bottom = (alpha * (lo - 0.5) - x) / sigma;
    return log_sigmoid(u) + log_sigmoid(-v) - log_sigmoid(top) - log_sigmoid(-bottom) + log(-expm1(-alpha / sigma)) -
           log(-expm1(-(hi - lo + 1) * alpha / sigma));
}

/* One element: its nearest code and local grid, and the noise of all codes from `grid->min`. */
typedef struct element {
    int near, lo, hi, min;
    const float *gumbel;
} element;

/* False if x / alpha is so near to a change of the local grid or of the nearest code that float32 may decide
 * differently. */
static bool find_element(const srq_grid *grid, float reach, float x, element *e)
{
    double v = (double)x / (double)grid->alpha;
    double radius = (double)reach * deviation * (double)grid->sigma / (double)grid->alpha;
    double low = reach > 0 ? fmax(v - radius, grid->min) : grid->min;
    double high = reach > 0 ? fmin(v + radius, grid->max) : grid->max;
    e->min = grid->min;
    e->near = (int)fmin(fmax(rint(v), grid->min), grid->max);
    e->lo = low > e->near ? e->near : (int)ceil(low);
    e->hi = high < e->near ? e->near : (int)floor(high);
    bool inside = v > grid->min - 1 && v < grid->max + 1;
    double doubt = fabs(v - floor(v) - 0.5);
    if (reach > 0) doubt = fmin(doubt, fmin(fabs(v - radius - rint(v - radius)), fabs(v + radius - rint(v + radius))));
    return !inside || doubt > 1e-3;
}

/* z of the codes of the local grid. */
static void soft_sample(double x, double alpha, double sigma, double temperature, const element *e, double *z)
{
    double top = -INFINITY, total = 0;
    for (int k = e->lo; k <= e->hi; k++) {
        z[k - e->lo] = log_probability(x, alpha, sigma, e->lo, e->hi, k) + (double)e->gumbel[k - e->min];
        top = fmax(top, z[k - e->lo]);
    }
    for (int k = e->lo; k <= e->hi; k++) total += z[k - e->lo] = exp((z[k - e->lo] - top) / temperature);
    for (int k = e->lo; k <= e->hi; k++) z[k - e->lo] /= total;
}

/* sum_k z_k (k - near). Subtracting `near` preserves the precision of differences. */
static double mean_code(double x, double alpha, double sigma, double temperature, const element *e)
{
    double z[256], mean = 0;
    soft_sample(x, alpha, sigma, temperature, e, z);
    for (int k = e->lo; k <= e->hi; k++) mean += z[k - e->lo] * (k - e->near);
    return mean;
}

/* The code that is sampled; false if the two highest scores are too close for float32. */
static bool hard_sample(double x, double alpha, double sigma, const element *e, int *code)
{
    double top = -INFINITY, next = -INFINITY;
    for (int k = e->lo; k <= e->hi; k++) {
        double score = log_probability(x, alpha, sigma, e->lo, e->hi, k) + (double)e->gumbel[k - e->min];
        if (score > top) {
            next = top;
            top = score;
            *code = k;
        } else {
            next = fmax(next, score);
        }
    }
    return top - next > 1e-4;
}

/* Expected values and how far float32 may be off.
 *
 * A score is (edge - x) / sigma with three roundings of 6e-8 and logarithms good to 4e-7. Codes count while their
 * |edge - x| / sigma is below about 16 (1 + temperature): z is off by a factor of 1 + epsilon,
 * epsilon = 3 * 6e-8 * 16 (1 + temperature) / temperature, twice that with its sum, and so are slopes. Errors are
 * then at most epsilon times the sum of the magnitudes of the terms: spread = sum_k z_k |i - mean|, i = k - near, for
 * a slope by x, each term |i| + 1 times as large for one by alpha. The mean itself is rounded to 3e-7 (|mean| + 1). */
typedef struct expected {
    double y, x, alpha, sigma;
    double y_error, x_error, alpha_error, sigma_error;
} expected;

static expected expect(double x, const srq_grid *grid, double temperature, const element *e, bool hard)
{
    const double a = (double)grid->alpha, s = (double)grid->sigma, h = 1e-5 * fmin(1, temperature);
    const double mean = mean_code(x, a, s, temperature, e), rounding = 3e-7 * (fabs(mean) + 1);
    const double epsilon = 6e-6 * (1 + 1 / temperature), scale = a / (s * temperature);
    double z[256], spread = rounding, spread_a = rounding * (fabs(mean) + 1);
    int code = e->near;
    expected d;
    d.y = a * (e->near + mean);
    /* 40 sigma beyond the grid r has its limit to e^-40, and differences keep their digits. Steps are small against
     * sigma for every edge that matters, which moves by its code times the step in alpha. */
    const double at = fmax(fmin(x, a * (grid->max + 0.5) + 40 * s), a * (grid->min - 0.5) - 40 * s);
    const double hx = h * s, ha = h * fmin(a, s) / (abs(e->near) + 1), hs = h * s / 40;
    d.x = a * (mean_code(at + hx, a, s, temperature, e) - mean_code(at - hx, a, s, temperature, e)) / (2 * hx);
    d.alpha = a * (mean_code(at, a + ha, s, temperature, e) - mean_code(at, a - ha, s, temperature, e)) / (2 * ha);
    d.sigma = a * (mean_code(at, a, s + hs, temperature, e) - mean_code(at, a, s - hs, temperature, e)) / (2 * hs);
    if (hard) (void)hard_sample(x, a, s, e, &code);
    d.alpha += hard ? code : e->near + mean;
    soft_sample(x, a, s, temperature, e, z);
    for (int k = e->lo; k <= e->hi; k++) {
        double term = z[k - e->lo] * fabs(k - e->near - mean);
        spread += epsilon * term;
        spread_a += epsilon * term * (abs(k - e->near) + 1);
    }
    d.y_error = a * (spread + 2e-7 * (abs(e->near) + 1));
    d.x_error = 6 * scale * spread;
    d.alpha_error = 6 * scale * (spread_a + abs(e->near) * spread) + spread + 3e-7 * (abs(e->near) + 1);
    d.sigma_error = 6 * scale * (fmin(fabs(a * e->near - x) / s, 24 + a / s) * spread + a / s * spread_a);
    return d;
}

/* --- Against the formulas. */

enum { N = 70, LEVELS = 256 };

/* Inputs across the grid and beyond, far beyond, zeros of both signs and a denormal; noise for every code. */
static void make_inputs(const srq_grid *grid, float reach, float *x, float *dy, float *gumbel)
{
    const float width = grid->alpha * (float)(grid->max - grid->min + 4);
    const size_t levels = (size_t)(grid->max - grid->min + 1);
    const float special[] = {0.0f, -0.0f, 1e-42f, 30 * width, -30 * width, 1e4f * width, -1e4f * width};
    element e;
    srq_random_normal(3, SRQ_RANDOM_TEST, 1, N, 0.4f * width, x);
    srq_random_normal(3, SRQ_RANDOM_TEST, 2, N, 1, dy);
    memcpy(x, special, sizeof special);
    for (int i = 0; i < N; i++)
        while (!find_element(grid, reach, x[i], &e)) x[i] += 0.01f * grid->alpha;
    for (size_t i = 0; i < N * levels; i++) {
        uint32_t bits[4];
        srq_random(4, SRQ_RANDOM_TEST, 3, i, bits);
        gumbel[i] = (float)-log(-log(((double)bits[0] + 0.5) / 4294967296.0));
    }
}

static char text[160];
static const char *describe(const srq_grid *grid, const srq_relaxation *r, bool hard)
{
    snprintf(text, sizeof text, "codes %d..%d sigma/alpha %g temperature %g reach %g%s", grid->min, grid->max,
             (double)(grid->sigma / grid->alpha), (double)r->temperature, (double)r->reach, hard ? " hard" : "");
    return text;
}

static void check_case(const srq_grid *grid, srq_relaxation *r, bool hard)
{
    static float gumbel[N * LEVELS];
    const srq_vector *v = srq_vector_best(NULL);
    float x[N], dy[N], y[N], dx[N];
    int8_t codes[N];
    srq_grid_gradient sums;
    expected sum = {0};
    make_inputs(grid, r->reach, x, dy, gumbel);
    r->gumbel = gumbel;
    ck_assert(v->rq_forward(N, x, grid, r, y));
    ck_assert(v->rq_st_forward(N, x, grid, r, codes));
    (hard ? v->rq_st_backward : v->rq_backward)(N, x, dy, grid, r, dx, &sums);
    for (int i = 0; i < N; i++) {
        element e;
        (void)find_element(grid, r->reach, x[i], &e);
        e.gumbel = gumbel + i * (grid->max - grid->min + 1);
        const expected d = expect((double)x[i], grid, (double)r->temperature, &e, hard);
        const double g = (double)dy[i];
        int code = 0, got = grid->min < 0 ? codes[i] : (uint8_t)codes[i];
        if (hard_sample((double)x[i], (double)grid->alpha, (double)grid->sigma, &e, &code))
            ck_assert_msg(got == code, "%s: x %g: code %d, not %d", describe(grid, r, hard), (double)x[i], got, code);
        ck_assert_msg(fabs((double)y[i] - d.y) <= d.y_error, "%s: x %g: y %.9g, not %.9g (%g)", describe(grid, r, hard),
                      (double)x[i], (double)y[i], d.y, d.y_error);
        ck_assert_msg(fabs((double)dx[i] - g * d.x) <= fabs(g) * d.x_error, "%s: x %g: dx %g, not %g (%g)",
                      describe(grid, r, hard), (double)x[i], (double)dx[i], g * d.x, g * d.x_error);
        if (e.lo == e.hi) ck_assert_float_eq(dx[i], 0); /* one code: it cannot change */
        sum.alpha += g * d.alpha;
        sum.sigma += g * d.sigma;
        sum.alpha_error += fabs(g) * d.alpha_error;
        sum.sigma_error += fabs(g) * d.sigma_error;
    }
    ck_assert_msg(fabs(sums.alpha - sum.alpha) <= sum.alpha_error, "%s: alpha %.9g, not %.9g (%g)",
                  describe(grid, r, hard), sums.alpha, sum.alpha, sum.alpha_error);
    ck_assert_msg(fabs(sums.sigma - sum.sigma) <= sum.sigma_error, "%s: sigma %.9g, not %.9g (%g)",
                  describe(grid, r, hard), sums.sigma, sum.sigma, sum.sigma_error);
}

START_TEST(against_formulas)
{
    static const float ratios[] = {0.01f, 0.1f, 1.0f / 3, 1, 3, 10}, temperatures[] = {0.1f, 1, 10};
    static const int bits[] = {1, 2, 4, 8};
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++)
        for (int k = 0; k < 8; k++) /* signed or not, whole grid or not, hard or not */
            for (size_t s = 0; s < sizeof ratios / sizeof *ratios; s += SRQ_STRIDE)
                for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++) {
                    srq_grid grid = make_grid(bits[b], k & 1, 0.037f, ratios[s]);
                    srq_relaxation r = {.temperature = temperatures[t], .reach = k & 2 ? 3 : 0};
                    check_case(&grid, &r, k & 4);
                }
}
END_TEST

/* Sums of one element: where the sums above hide an error of alpha or sigma behind larger terms. */
START_TEST(each_element_against_formulas)
{
    static float gumbel[N * LEVELS];
    const srq_vector *v = srq_vector_best(NULL);
    float x[N], dy[N], dx[N];
    const srq_grid grid = make_grid(4, true, 0.5f, 1.0f / 3);
    srq_relaxation r = {.temperature = 0.5f, .reach = 3};
    const float one = 1;
    make_inputs(&grid, r.reach, x, dy, gumbel);
    for (int i = 0; i < N; i++) {
        srq_grid_gradient sums;
        element e;
        (void)find_element(&grid, r.reach, x[i], &e);
        e.gumbel = r.gumbel = gumbel + 16 * i;
        const expected d = expect((double)x[i], &grid, 0.5, &e, false);
        v->rq_backward(1, x + i, &one, &grid, &r, dx, &sums);
        ck_assert_double_eq_tol(sums.alpha, d.alpha, d.alpha_error);
        ck_assert_double_eq_tol(sums.sigma, d.sigma, d.sigma_error);
    }
}
END_TEST

START_TEST(extremes_are_finite)
{
    static const float ratios[] = {0.01f, 0.1f, 1, 10}, temperatures[] = {0.1f, 1, 10}, alphas[] = {1e-6f, 1, 1e4f};
    const float x[] = {0,    -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN, 1e-45f, -1e-45f, 1,     -1,   0.5f,
                       1.5f, 1e9f,  -1e9f,   127.5f,   -128.5f, 255,    256,     1e-6f, 1e6f, -1e6f};
    enum { COUNT = sizeof x / sizeof *x };
    float dy[COUNT], y[COUNT], dx[COUNT];
    uint8_t codes[COUNT];
    const srq_vector *v = srq_vector_best(NULL);
    for (int i = 0; i < COUNT; i++) dy[i] = 1;
    for (int k = 0; k < 4 * 3 * 3 * 8 * 4; k++) {
        const int bits = 1 + k / 36 % 8, flags = k / 288;
        const srq_grid grid = make_grid(bits, flags & 1, alphas[k / 12 % 3], ratios[k % 4]);
        const srq_relaxation r = {.temperature = temperatures[k / 4 % 3], .reach = flags & 2 ? 3 : 0, .seed = 5};
        srq_grid_gradient sums;
        ck_assert(v->rq_forward(COUNT, x, &grid, &r, y));
        ck_assert(v->rq_st_forward(COUNT, x, &grid, &r, codes));
        v->rq_backward(COUNT, x, dy, &grid, &r, dx, &sums);
        for (int i = 0; i < COUNT; i++) {
            int code = grid.min < 0 ? (int8_t)codes[i] : codes[i];
            float code_y = y[i] / grid.alpha, slack = 1e-6f * (float)(grid.max - grid.min);
            ck_assert_msg(code >= grid.min && code <= grid.max, "%s: x %g: code %d", describe(&grid, &r, false),
                          (double)x[i], code);
            ck_assert_msg(code_y >= (float)grid.min - slack && code_y <= (float)grid.max + slack, "%s: x %g: y %g",
                          describe(&grid, &r, false), (double)x[i], (double)y[i]);
            ck_assert_msg(isfinite(dx[i]), "%s: x %g: dx %g", describe(&grid, &r, false), (double)x[i], (double)dx[i]);
        }
        ck_assert_msg(isfinite(sums.alpha) && isfinite(sums.sigma), "%s", describe(&grid, &r, false));
    }
}
END_TEST

START_TEST(bad_numbers_are_reported)
{
    float x[100] = {0}, y[100];
    int8_t codes[100];
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const srq_grid grid = make_grid(2, true, 1, 0.3f);
    const srq_relaxation r = {.temperature = 1, .reach = 3};
    for (int b = 0; b < 3; b++)
        for (int at = 0; at < 100; at += 33) {
            memset(x, 0, sizeof x);
            x[at] = bad[b];
            ck_assert(!srq_vector_best(NULL)->rq_forward(100, x, &grid, &r, y));
            ck_assert(!srq_vector_best(NULL)->rq_st_forward(100, x, &grid, &r, codes));
            for (int i = 0; i < 100; i++) ck_assert(codes[i] >= -2 && codes[i] <= 1);
        }
}
END_TEST

/* --- The same numbers from every implementation. */

enum { MOST = SRQ_SANITIZED ? 263 : 1031 };

typedef struct outputs {
    float y[MOST], dx[MOST], dx_hard[MOST], gumbel[4 * MOST];
    int8_t codes[MOST];
    srq_grid_gradient sums, sums_hard;
} outputs;

static outputs *run_all(const srq_vector *v, size_t n, const float *x, const float *dy, const srq_grid *grid,
                        const srq_relaxation *r)
{
    outputs *o = calloc(1, sizeof *o); /* its padding is compared as well */
    ck_assert_ptr_nonnull(o);
    v->gumbel(n, 4, r, o->gumbel);
    v->rq_forward(n, x, grid, r, o->y);
    v->rq_st_forward(n, x, grid, r, o->codes);
    v->rq_backward(n, x, dy, grid, r, o->dx, &o->sums);
    memcpy(o->dx_hard, dy, n * sizeof *dy);
    v->rq_st_backward(n, x, o->dx_hard, grid, r, o->dx_hard, &o->sums_hard); /* dx may be dy */
    return o;
}

static void expect_equal(outputs *a, outputs *b, bool equal)
{
    ck_assert((memcmp(a, b, sizeof *a) == 0) == equal);
    free(a);
    free(b);
}

START_TEST(instruction_sets_agree)
{
    static const size_t lengths[] = {1, 3, 15, 16, 63, 64, 65, 200, MOST};
    static const char *const isas[] = {"avx2", "avx512"};
    static float x[MOST], dy[MOST], given[MOST * 16];
    const srq_vector *base = srq_vector_best("x86-64");
    srq_random_normal(9, SRQ_RANDOM_TEST, 0, MOST, 1, x);
    srq_random_normal(9, SRQ_RANDOM_TEST, 1, MOST, 1, dy);
    srq_random_normal(9, SRQ_RANDOM_TEST, 2, MOST * 16, 1, given);
    x[0] = 1e30f;
    for (int isa = 0; isa < 2; isa++) {
        const srq_vector *v = srq_vector_best(isas[isa]);
        if (!v) {
            printf("skipped: this CPU or build has no %s\n", isas[isa]);
            continue;
        }
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
            for (int kind = 0; kind < 8; kind++) { /* logarithms or not, the whole grid or not, given noise or not */
                const srq_grid grid = make_grid(4, true, 0.3f, 0.4f);
                srq_relaxation r = {.temperature = kind & 1 ? 1 : 0.7f,
                                    .reach = kind & 2 ? 3 : 0,
                                    .seed = 1ull << 40 | 7,
                                    .step = 9,
                                    .stream = 4097};
                if (kind & 4) r.gumbel = given;
                expect_equal(run_all(base, lengths[k], x, dy, &grid, &r), run_all(v, lengths[k], x, dy, &grid, &r),
                             true);
            }
    }
}
END_TEST

/* Temperature 1 has separate code for near and for far edges. Temperatures beside it use logarithms. */
START_TEST(temperature_1_is_near_its_neighbour)
{
    static const float ratios[] = {0.01f, 0.06f, 0.1f, 1.0f / 3, 1, 10, 30};
    static float x[MOST], dy[MOST];
    const srq_vector *v = srq_vector_best(NULL);
    for (int i = 0; i < MOST; i++) dy[i] = 1;
    for (int bits = 1; bits <= 8; bits++)
        for (int k = 0; k < 4; k++) /* signed or not, whole grid or not */
            for (size_t s = 0; s < sizeof ratios / sizeof *ratios; s += SRQ_STRIDE) {
                const srq_grid grid = make_grid(bits, k & 1, 0.037f, ratios[s]);
                const float width = grid.alpha * (float)(grid.max - grid.min + 4) + 30 * grid.sigma;
                srq_relaxation r = {.temperature = 1, .reach = k & 2 ? 3 : 0, .seed = 8, .step = (uint32_t)bits};
                srq_random_normal(9, SRQ_RANDOM_TEST, 3, MOST, 0.5f * width, x);
                x[0] = FLT_MAX;
                x[1] = -FLT_MAX;
                outputs *one = run_all(v, MOST, x, dy, &grid, &r);
                r.temperature = 1 + FLT_EPSILON;
                outputs *beside = run_all(v, MOST, x, dy, &grid, &r);
                ck_assert_mem_eq(one->codes, beside->codes, MOST);
                /* Codes that can be drawn: rounding moves what is made of them by 2e-5 (1 + reach in codes). */
                const float codes = fminf(20 * ratios[s], (float)(grid.max - grid.min)) + 1, slack = 2e-5f * codes;
                for (int i = 0; i < MOST; i++) {
                    const float unit = 1 / ratios[s];
                    ck_assert_msg(fabsf(one->y[i] - beside->y[i]) <= slack * grid.alpha, "%s: x %g: y %g, %g",
                                  describe(&grid, &r, false), (double)x[i], (double)one->y[i], (double)beside->y[i]);
                    ck_assert_msg(fabsf(one->dx[i] - beside->dx[i]) <= slack * unit, "%s: x %g: dx %g, %g",
                                  describe(&grid, &r, false), (double)x[i], (double)one->dx[i], (double)beside->dx[i]);
                    ck_assert_float_eq_tol(one->dx_hard[i], beside->dx_hard[i], slack * unit);
                }
                free(one);
                free(beside);
            }
}
END_TEST

/* A reach beyond both ends gives the whole grid, for any noise. Another position gives other noise. The first elements
 * of a tensor do not depend on its length. */
START_TEST(noise_goes_by_place)
{
    static float x[MOST], dy[MOST];
    const srq_vector *v = srq_vector_best(NULL);
    const srq_grid grid = make_grid(4, true, 0.3f, 0.4f);
    const srq_relaxation here = {.temperature = 0.7f, .seed = 1, .step = 2, .stream = 3};
    srq_relaxation other = here;
    srq_random_normal(9, SRQ_RANDOM_TEST, 0, MOST, 1, x);
    srq_random_normal(9, SRQ_RANDOM_TEST, 1, MOST, 1, dy);
    other.reach = 1000;
    expect_equal(run_all(v, MOST, x, dy, &grid, &here), run_all(v, MOST, x, dy, &grid, &other), true);
    other = here, other.seed = 1ull << 32 | 1;
    expect_equal(run_all(v, MOST, x, dy, &grid, &here), run_all(v, MOST, x, dy, &grid, &other), false);
    other = here, other.step = 3;
    expect_equal(run_all(v, MOST, x, dy, &grid, &here), run_all(v, MOST, x, dy, &grid, &other), false);
    other = here, other.stream = 3 + 4096;
    expect_equal(run_all(v, MOST, x, dy, &grid, &here), run_all(v, MOST, x, dy, &grid, &other), false);
    outputs *whole = run_all(v, MOST, x, dy, &grid, &here), *part = run_all(v, 77, x, dy, &grid, &here);
    ck_assert_mem_eq(whole->y, part->y, 77 * sizeof(float));
    ck_assert_mem_eq(whole->codes, part->codes, 77);
    ck_assert_mem_eq(whole->dx, part->dx, 77 * sizeof(float));
    free(whole);
    free(part);
}
END_TEST

/* The numbers are those of srq_random in the layout of vector.h, and the samplers use the same ones. */
START_TEST(noise_is_as_documented)
{
    enum { CODES = 16 };
    static float g[MOST * CODES], x[MOST], y[MOST], y_given[MOST];
    int8_t codes[MOST], codes_given[MOST];
    const srq_vector *v = srq_vector_best(NULL);
    srq_relaxation r = {.temperature = 1, .seed = 0x123456789ABCDEFull, .step = 77, .stream = 0xABCDEF};
    const srq_grid grid = make_grid(4, true, 0.3f, 0.4f);
    v->gumbel(MOST, CODES, &r, g);
    for (uint64_t i = 0; i < MOST; i++)
        for (uint64_t j = 0; j < CODES; j++) {
            uint32_t bits[4];
            srq_random(r.seed, SRQ_RANDOM_GUMBEL, r.step, (16 * (i / 64) + i % 16) | j << 32 | r.stream << 40, bits);
            double u = ((double)(bits[i % 64 / 16] >> 1) + 0.5) / 2147483648.0;
            /* V, E and two logarithms are each good to 2 units in the last place of at most 22. */
            ck_assert_double_eq_tol((double)g[i * CODES + j], -log(-log1p(-u)), 6e-6);
        }
    srq_random_normal(9, SRQ_RANDOM_TEST, 0, MOST, 1, x);
    v->rq_forward(MOST, x, &grid, &r, y);
    v->rq_st_forward(MOST, x, &grid, &r, codes);
    r.gumbel = g;
    v->rq_forward(MOST, x, &grid, &r, y_given);
    v->rq_st_forward(MOST, x, &grid, &r, codes_given);
    for (int i = 0; i < MOST; i++) ck_assert_float_eq_tol(y[i], y_given[i], 3e-6f);
    ck_assert_mem_eq(codes, codes_given, MOST);
}
END_TEST

/* --- Distributions. The numbers are fixed by their seeds: these tests pass always or never. Bounds are 4.5 standard
 * deviations, which a right generator leaves with probability 7e-6. */

enum { DRAWS = 1 << 18 };

static int by_value(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static double correlation(const float *a, const float *b, size_t n, size_t stride)
{
    double ab = 0, aa = 0, bb = 0;
    const double mean = 0.5772156649015329;
    for (size_t i = 0; i < n; i++) {
        double p = (double)a[i * stride] - mean, q = (double)b[i * stride] - mean;
        ab += p * q, aa += p * p, bb += q * q;
    }
    return ab / sqrt(aa * bb);
}

START_TEST(noise_is_gumbel)
{
    float *g = malloc(DRAWS * sizeof *g);
    ck_assert_ptr_nonnull(g);
    const srq_relaxation r = {.seed = 11, .step = 1, .stream = 5};
    double sum = 0, squares = 0, distance = 0, rank = 0, beyond = 0;
    const double mean = 0.5772156649015329, variance = 1.6449340668482264, n = DRAWS;
    srq_vector_best(NULL)->gumbel(DRAWS / 4, 4, &r, g);
    qsort(g, DRAWS, sizeof *g, by_value);
    for (size_t i = 0; i < DRAWS; i++) {
        double d = (double)g[i] - mean, below = exp(-exp(-(double)g[i]));
        sum += d;
        squares += d * d;
        distance = fmax(distance, fmax(fabs(below - rank / n), fabs(below - (rank + 1) / n)));
        beyond += g[i] > 7;
        rank++;
    }
    ck_assert_double_eq_tol(sum / n, 0, 4.5 * sqrt(variance / n));
    /* The fourth central moment of a Gumbel variable is 5.4 variance^2. */
    ck_assert_double_eq_tol(squares / n, variance, 4.5 * variance * sqrt(4.4 / n));
    /* Kolmogorov: P(distance > t / sqrt(n)) = 2 e^(-2 t^2), 2e-5 for t = 2.4. */
    ck_assert_double_le(distance, 2.4 / sqrt(n));
    /* The tail that selects improbable codes: a Poisson number with mean 240. */
    double tail = n * -expm1(-exp(-7));
    ck_assert_double_eq_tol(beyond, tail, 4.5 * sqrt(tail));
    free(g);
}
END_TEST

START_TEST(noise_is_independent)
{
    /* Distances between elements: neighbours, the same call of the cipher (16, 32, 48), the next block (64). */
    static const size_t apart[] = {1, 2, 15, 16, 32, 48, 64};
    enum { CODES = 4, ELEMENTS = DRAWS / CODES };
    float *a = malloc(DRAWS * sizeof *a), *b = malloc(DRAWS * sizeof *b);
    ck_assert(a && b);
    const srq_vector *v = srq_vector_best(NULL);
    const srq_relaxation here = {.seed = 11, .step = 1, .stream = 5};
    const double bound = 4.5 / sqrt(ELEMENTS - 64);
    v->gumbel(ELEMENTS, CODES, &here, a);
    for (size_t k = 0; k < sizeof apart / sizeof *apart; k++)
        ck_assert_double_le(fabs(correlation(a, a + apart[k] * CODES, ELEMENTS - 64, CODES)), bound);
    for (size_t j = 1; j < CODES; j++) ck_assert_double_le(fabs(correlation(a, a + j, ELEMENTS - 64, CODES)), bound);
    const srq_relaxation others[] = {{.seed = 12, .step = 1, .stream = 5},
                                     {.seed = 11, .step = 2, .stream = 5},
                                     {.seed = 11, .step = 1, .stream = 6},
                                     {.seed = 11, .step = 1, .stream = 5 + 4096}};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        v->gumbel(ELEMENTS, CODES, &others[k], b);
        ck_assert_double_le(fabs(correlation(a, b, DRAWS, 1)), bound);
    }
    free(a);
    free(b);
}
END_TEST

/* How often each code is sampled at one x, by chi-square; codes with fewer than 10 expected samples count together. */
static void check_frequencies(const srq_grid *grid, const srq_relaxation *r, float at)
{
    enum { SAMPLES = 1 << 16 };
    static float x[SAMPLES];
    static int8_t codes[SAMPLES];
    double counts[LEVELS] = {0}, chi_square = 0, rare = 0, rare_expected = 0;
    int cells = 0;
    element e;
    for (int i = 0; i < SAMPLES; i++) x[i] = at;
    ck_assert(find_element(grid, r->reach, at, &e));
    ck_assert(srq_vector_best(NULL)->rq_st_forward(SAMPLES, x, grid, r, codes));
    for (int i = 0; i < SAMPLES; i++) {
        ck_assert(codes[i] >= e.lo && codes[i] <= e.hi);
        counts[codes[i] - e.lo]++;
    }
    for (int k = e.lo; k <= e.hi; k++) {
        double want =
            SAMPLES * exp(log_probability((double)at, (double)grid->alpha, (double)grid->sigma, e.lo, e.hi, k));
        double got = counts[k - e.lo];
        if (want < 10) {
            rare += got, rare_expected += want;
        } else {
            chi_square += (got - want) * (got - want) / want;
            cells++;
        }
    }
    if (rare_expected > 10) chi_square += (rare - rare_expected) * (rare - rare_expected) / rare_expected;
    /* Chi-square with f degrees of freedom has mean f and variance 2 f, and a heavier tail than a normal variable:
     * P(> f + 4.5 sqrt(2 f) + 10) is below 1e-5 for f up to 16. */
    ck_assert_msg(chi_square <= cells + 4.5 * sqrt(2.0 * cells) + 10, "x %g, %d cells: %g", (double)at, cells,
                  chi_square);
    ck_assert_double_le(fabs(rare - rare_expected), 4.5 * sqrt(rare_expected) + 10);
}

START_TEST(samples_follow_the_probabilities)
{
    static const float at[] = {0.01f, 0.26f, -0.2f, 1.11f, -1.6f, 2.9f, -30};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        for (int k = 0; k < 4; k++) {
            const srq_grid grid = make_grid(4, true, 0.25f, k & 1 ? 0.9f : 1.0f / 3);
            const srq_relaxation r = {.temperature = 1, .reach = k & 2 ? 3 : 0, .seed = 21, .step = (uint32_t)i};
            check_frequencies(&grid, &r, at[i]);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relaxed");
    TCase *tests = tcase_create("relaxed");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, against_formulas);
    tcase_add_test(tests, each_element_against_formulas);
    tcase_add_test(tests, extremes_are_finite);
    tcase_add_test(tests, bad_numbers_are_reported);
    tcase_add_test(tests, instruction_sets_agree);
    tcase_add_test(tests, temperature_1_is_near_its_neighbour);
    tcase_add_test(tests, noise_goes_by_place);
    tcase_add_test(tests, noise_is_as_documented);
    tcase_add_test(tests, noise_is_gumbel);
    tcase_add_test(tests, noise_is_independent);
    tcase_add_test(tests, samples_follow_the_probabilities);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
