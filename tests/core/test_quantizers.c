/* Quantizers against float64: the plain formulas of method.md differentiated by central differences, the golden limits
 * of hard inputs, and the three instruction sets against each other. */
#include "core/kernels/curves.h"
#include "core/quant/methods.h"
#include "core/random.h"
#include "tests/suite.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const isas[] = {"x86-64", "avx2", "avx512"};

static double log_sigmoid(double t)
{
    return t < 0 ? t - log1p(exp(t)) : -log1p(exp(-t));
}

/* log r_k by the identity of method.md, section 2: finite for every finite x. */
static double probability(double x, double alpha, double sigma, int m, int M, int k)
{
    const double n = M - m + 1;
    double uk = (alpha * (k + 0.5) - x) / sigma, vk = (alpha * (k - 0.5) - x) / sigma;
    double uM = (alpha * (M + 0.5) - x) / sigma, vm = (alpha * (m - 0.5) - x) / sigma;
    return exp(log_sigmoid(uk) + log_sigmoid(-vk) - log_sigmoid(uM) - log_sigmoid(-vm) + log(-expm1(-alpha / sigma)) -
               log(-expm1(-n * alpha / sigma)));
}

/* sum_k g_k r_k with the points g_k = point_alpha * k held fixed; `argmax`: the one term of code `i`. */
static double relaxed(double x, double alpha, double sigma, double point_alpha, const srq_grid *grid, bool argmax,
                      int i)
{
    if (argmax) return point_alpha * i * probability(x, alpha, sigma, grid->min, grid->max, i);
    double sum = 0;
    for (int k = grid->min; k <= grid->max; k++)
        sum += point_alpha * k * probability(x, alpha, sigma, grid->min, grid->max, k);
    return sum;
}

static int code_of(double x, const srq_grid *grid)
{
    double v = rint((double)((float)x / grid->alpha));
    return (int)(v < grid->min ? grid->min : v > grid->max ? grid->max : v);
}

typedef struct slopes {
    double x, alpha, sigma;
} slopes;

/* Beyond 60 sigma from the grid everything has reached its limit, and float64 can still tell edges apart here. */
static double within_sight(double x, const srq_grid *grid)
{
    double beyond = 0.5 * (double)grid->alpha + 60 * (double)grid->sigma;
    return fmin(fmax(x, (double)grid->alpha * grid->min - beyond), (double)grid->alpha * grid->max + beyond);
}

/* Central differences; the step balances truncation (h^2) and rounding (1e-16 / h) at a relative error near 1e-8. */
static slopes expected_slopes(double x, const srq_grid *grid, bool argmax)
{
    const double a = (double)grid->alpha, s = (double)grid->sigma;
    const double hx = 1e-5 * s, ha = 1e-6 * fmin(a, s), hs = 1e-5 * s;
    const int i = code_of(x, grid);
    slopes d;
    d.x = (relaxed(x + hx, a, s, a, grid, argmax, i) - relaxed(x - hx, a, s, a, grid, argmax, i)) / (2 * hx);
    d.alpha = i + (relaxed(x, a + ha, s, a, grid, argmax, i) - relaxed(x, a - ha, s, a, grid, argmax, i)) / (2 * ha);
    d.sigma = (relaxed(x, a, s + hs, a, grid, argmax, i) - relaxed(x, a, s - hs, a, grid, argmax, i)) / (2 * hs);
    return d;
}

enum { N = 200 };

/* Inputs across the grid and beyond, near edges in units of the noise (the outer edges and beyond them too), far
 * beyond, zeros of both signs, and a denormal. */
static void make_inputs(const srq_grid *grid, float *x, float *dy)
{
    const int codes = grid->max - grid->min + 1;
    float reach = grid->alpha * (float)(codes + 4), noise[N];
    srq_random_normal(3, SRQ_RANDOM_TEST, 1, N, 0.4f * reach, x);
    srq_random_normal(3, SRQ_RANDOM_TEST, 2, N, 1, dy);
    srq_random_normal(3, SRQ_RANDOM_TEST, 3, N, 4 * grid->sigma, noise);
    for (int i = N / 2; i < N; i++) x[i] = grid->alpha * ((float)(grid->min + i % (codes + 1)) - 0.5f) + noise[i];
    const float special[] = {0.0f, -0.0f, 1e-42f, 30 * reach, -30 * reach, 1e4f * reach, -1e4f * reach, 1e30f, -1e30f};
    memcpy(x, special, sizeof special);
}

typedef enum kernel { FULL, ARGMAX, CURVES } kernel;

static void run_kernel(const srq_vector *v, kernel which, const float *x, const float *dy, const srq_grid *grid,
                       float *dx, srq_grid_gradient *sums)
{
    srq_curves curves;
    if (which == CURVES) ck_assert(srq_curves_fit(grid, &curves));
    if (which == FULL) v->srq_full_backward(N, x, dy, grid, dx, sums);
    if (which == ARGMAX) v->srq_argmax_backward(N, x, dy, grid, dx, sums);
    if (which == CURVES) v->srq_curves_backward(N, x, dy, &curves, dx, sums);
}

static void check_case(const srq_vector *v, const srq_grid *grid, kernel which)
{
    const bool argmax = which == ARGMAX;
    float x[N], dy[N], dx[N];
    double largest = 1e-300, error = 0, alpha = 0, sigma = 0, alpha_size = 0, sigma_size = 0;
    srq_grid_gradient sums;
    make_inputs(grid, x, dy);
    run_kernel(v, which, x, dy, grid, dx, &sums);
    for (int i = 0; i < N; i++) {
        slopes d = expected_slopes(within_sight((double)x[i], grid), grid, argmax);
        ck_assert_msg(isfinite(dx[i]), "x = %g: gradient %g", (double)x[i], (double)dx[i]);
        largest = fmax(largest, fabs((double)dy[i] * d.x));
        error = fmax(error, fabs((double)dx[i] - (double)dy[i] * d.x));
        alpha += (double)dy[i] * d.alpha;
        sigma += (double)dy[i] * d.sigma;
        alpha_size += fabs((double)dy[i] * d.alpha);
        sigma_size += fabs((double)dy[i] * d.sigma);
    }
    /* float32 rounds the argument log2 s by 1e-6, because it is at most 8 if s (1 + s)^-2 is more than 1 % of its
     * maximum. Sums and products are rounded by the same amount. 5e-6 is a safe bound for dx. The sums are measured by
     * their terms, and in `full` those are differences: of the code, up to 255, and the edge p times dE/dx, near 1
     * inside the grid. The polynomials of curves are off by up to 1e-5 where sigma is smallest. */
    ck_assert_msg(error <= (which == CURVES ? 1e-5 : 5e-6) * largest,
                  "bits %d..%d sigma/alpha %g argmax %d: dx off by %g of %g", grid->min, grid->max,
                  (double)(grid->sigma / grid->alpha), argmax, error, largest);
    ck_assert_msg(fabs(sums.alpha - alpha) <= 5e-6 * alpha_size,
                  "bits %d..%d sigma/alpha %g argmax %d: alpha %g, not %g", grid->min, grid->max,
                  (double)(grid->sigma / grid->alpha), argmax, sums.alpha, alpha);
    ck_assert_msg(fabs(sums.sigma - sigma) <= 1e-5 * sigma_size + 1e-9,
                  "bits %d..%d sigma/alpha %g argmax %d: sigma %g, not %g", grid->min, grid->max,
                  (double)(grid->sigma / grid->alpha), argmax, sums.sigma, sigma);
}

START_TEST(srq_against_differences)
{
    static const float ratios[] = {0.01f, 0.05f, 0.1f, 1.0f / 3, 1, 3, 10};
    const srq_vector *v = srq_vector_best(NULL);
    for (int bits = 1; bits <= 8; bits++)
        for (int is_signed = 0; is_signed < 2; is_signed++)
            for (size_t r = 0; r < sizeof ratios / sizeof *ratios; r += SRQ_STRIDE)
                for (int argmax = 0; argmax < 2; argmax++) { /* FULL, ARGMAX */
                    srq_grid grid = {.alpha = 0.037f, .sigma = 0.037f * ratios[r]};
                    grid.min = is_signed ? -(1 << (bits - 1)) : 0;
                    grid.max = grid.min + (1 << bits) - 1;
                    check_case(v, &grid, (kernel)argmax);
                    /* With an odd number of codes, the middle of the grid is not an edge. (With one code, all gradients
                     * are 0.) */
                    grid.min++;
                    if (grid.min < grid.max) check_case(v, &grid, (kernel)argmax);
                }
}
END_TEST

/* The curves over their whole range, on every instruction set. */
START_TEST(curves_against_differences)
{
    const srq_vector *v = srq_vector_best(isas[_i]);
    if (!v) return;
    for (int bits = 1; bits <= 8; bits++)
        for (int is_signed = 0; is_signed < 2; is_signed++)
            for (double rho = 2.01; rho < 4.5; rho += 0.31 * SRQ_STRIDE) {
                srq_grid grid = {.alpha = 0.037f, .sigma = (float)(0.037 / rho)};
                grid.min = is_signed ? -(1 << (bits - 1)) : 0;
                grid.max = grid.min + (1 << bits) - 1;
                check_case(v, &grid, CURVES);
                grid.min++;
                if (grid.min < grid.max) check_case(v, &grid, CURVES);
            }
    srq_curves curves;
    const srq_grid narrow = {.alpha = 1, .sigma = 0.1f, .max = 3}, wide = {.alpha = 1, .sigma = 1, .max = 3},
                   one = {.alpha = 1, .sigma = 0.3f};
    ck_assert(!srq_curves_fit(&narrow, &curves) && !srq_curves_fit(&wide, &curves) && !srq_curves_fit(&one, &curves));
    ck_assert(!curves.fitted);
}
END_TEST

/* Noise much smaller and larger than a step, and inputs far outside: gradients are finite, and 0 if the output is
 * constant. */
START_TEST(srq_extremes_are_finite)
{
    static const float ratios[] = {1e-6f, 0.001f, 0.01f, 10, 100};
    const float x[] = {0, -0.0f, FLT_MAX, -FLT_MAX, FLT_MIN, 1e-45f, 1, -1, 0.5f, -0.5f, 1.5f, 100, -100, 7.49999f};
    enum { COUNT = sizeof x / sizeof *x };
    float dy[COUNT], dx[COUNT];
    for (int i = 0; i < COUNT; i++) dy[i] = 1;
    const srq_vector *v = srq_vector_best(NULL);
    for (size_t r = 0; r < sizeof ratios / sizeof *ratios; r++)
        for (int bits = 1; bits <= 8; bits++) {
            srq_grid grid = {.alpha = 1, .sigma = ratios[r], .min = -(1 << (bits - 1)), .max = (1 << (bits - 1)) - 1};
            srq_grid_gradient sums;
            for (int argmax = 0; argmax < 2; argmax++) {
                (argmax ? v->srq_argmax_backward : v->srq_full_backward)(COUNT, x, dy, &grid, dx, &sums);
                for (int i = 0; i < COUNT; i++)
                    ck_assert_msg(isfinite(dx[i]), "sigma %g bits %d argmax %d x %g: %g", (double)ratios[r], bits,
                                  argmax, (double)x[i], (double)dx[i]);
                ck_assert(isfinite(sums.alpha) && isfinite(sums.sigma));
            }
        }
}
END_TEST

/* dx may be dy. A NaN affects only its own element. An element's gradient does not depend on its position in a block.
 */
START_TEST(srq_in_place_and_with_nan)
{
    enum { COUNT = 300 };
    float x[COUNT], dy[COUNT], dx[COUNT], one[1], in_place[COUNT];
    const srq_vector *v = srq_vector_best(NULL);
    srq_random_normal(4, SRQ_RANDOM_TEST, 1, COUNT, 1, x);
    srq_random_normal(4, SRQ_RANDOM_TEST, 2, COUNT, 1, dy);
    for (int bits = 2; bits <= 8; bits += 6)
        for (int argmax = 0; argmax < 2; argmax++) {
            srq_grid grid = {
                .alpha = 4.0f / (float)(1 << bits), .min = -(1 << (bits - 1)), .max = (1 << (bits - 1)) - 1};
            grid.sigma = grid.alpha / 3;
            srq_grid_gradient sums, again;
            void (*backward)(size_t, const float *, const float *, const srq_grid *, float *, srq_grid_gradient *) =
                argmax ? v->srq_argmax_backward : v->srq_full_backward;
            backward(COUNT, x, dy, &grid, dx, &sums);
            memcpy(in_place, dy, sizeof dy);
            backward(COUNT, x, in_place, &grid, in_place, &again);
            ck_assert_mem_eq(in_place, dx, sizeof dx);
            ck_assert_mem_eq(&again, &sums, sizeof sums);
            for (int i = 0; i < COUNT; i += 7) {
                backward(1, x + i, dy + i, &grid, one, &again);
                ck_assert_mem_eq(one, dx + i, sizeof *one);
            }
            float kept = x[100];
            x[100] = NAN;
            backward(COUNT, x, dy, &grid, in_place, &again);
            x[100] = kept;
            ck_assert_mem_eq(in_place, dx, 100 * sizeof *dx);
            ck_assert_mem_eq(in_place + 101, dx + 101, (COUNT - 101) * sizeof *dx);
        }
}
END_TEST

START_TEST(ste_by_hand)
{
    /* alpha = 0.5, codes -2..1: x / alpha = 0.8, 2.4 (above), -3 (below), -1.2 */
    const float x[] = {0.4f, 1.2f, -1.5f, -0.6f}, dy[] = {1, 10, 100, 1000};
    float dx[4];
    srq_grid grid = {.alpha = 0.5f, .min = -2, .max = 1};
    srq_grid_gradient sums;
    srq_vector_best(NULL)->ste_backward(4, x, dy, &grid, dx, &sums);
    const float expected[] = {1, 0, 0, 1000};
    ck_assert_mem_eq(dx, expected, sizeof dx);
    /* (1 - 0.8) + 10 * 1 + 100 * -2 + 1000 * (-1 + 1.2), with x / alpha in float32 */
    ck_assert_double_eq_tol(sums.alpha, 0.2 + 10 - 200 + 200, 1e-3);
}
END_TEST

START_TEST(lsq_scales_the_gradient_of_alpha)
{
    srq_quantizer q;
    srq_quantizer_spec spec = {.method = "lsq", .bits = {.count = 1, .bits = {3}}};
    ck_assert_int_eq(srq_quantizer_init(&spec, true, 1, &q), SRQ_OK);
    const float x[] = {0.1f, 5, -7}, dy[] = {1, 2, 3};
    float dx[3];
    float scaled;
    srq_grid_gradient plain;
    srq_vector_best(NULL)->ste_backward(3, x, dy, &q.grid, dx, &plain);
    srq_quantizer_backward(&q, srq_vector_best(NULL), 3, 12, x, dy, dx, &scaled, NULL, NULL);
    ck_assert_float_eq(scaled, (float)(plain.alpha / sqrt(12.0 * 3)));
}
END_TEST

START_TEST(codes_round_and_clamp)
{
    const float x[] = {0.49f, 0.5f, 1.5f, -0.5f, -1.5f, 100, -100, 0.0f};
    const int8_t with_sign[] = {0, 0, 1, 0, -2, 1, -2, 0}; /* ties to even, clamped to -2..1 */
    const uint8_t without[] = {0, 0, 2, 0, 0, 3, 0, 0};
    int8_t codes[8];
    const srq_vector *v = srq_vector_best(NULL);
    srq_grid grid = {.alpha = 1, .min = -2, .max = 1};
    ck_assert(v->quantize(8, x, &grid, codes));
    ck_assert_mem_eq(codes, with_sign, 8);
    grid = (srq_grid){.alpha = 1, .min = 0, .max = 3};
    ck_assert(v->quantize(8, x, &grid, codes));
    ck_assert_mem_eq(codes, without, 8);
}
END_TEST

static float table_point(int code, int min, int max)
{
    static const float points[] = {-4, -1, 0, 1.5f};
    ck_assert(min == -2 && max == 1);
    return points[code + 2];
}

/* A grid that is not uniform: rounding to the nearest point, and to the lower one if two are equally near; errors,
 * positions and step sizes use its points. */
START_TEST(points_of_its_own)
{
    static const srq_quantizer_method method = {.name = "mine", .floats = true, .point = table_point};
    const float x[] = {-9, -5, -4.9f, -1.1f, -1, 0, 1.5f, 1.51f}; /* by 2: -4.5 -2.5 -2.45 -.55 -.5 0 .75 .755 */
    const int8_t expected[] = {-2, -2, -1, -1, -1, 0, 0, 1};
    const float values[] = {-8, -8, -2, -2, -2, 0, 0, 3};
    const srq_vector *v = srq_vector_best(NULL);
    srq_quantizer q;
    srq_quantizer_spec spec = {.method = "ste", .bits = {.count = 1, .bits = {2}}};
    ck_assert_int_eq(srq_quantizer_init(&spec, true, 1, &q), SRQ_OK);
    q.method = &method;
    q.grid.alpha = 2;
    int8_t codes[8];
    float found[8], trained[8], alpha;
    ck_assert(srq_quantizer_forward(&q, v, 8, x, codes) && srq_quantizer_values(&q, v, 8, x, found));
    ck_assert_mem_eq(codes, expected, sizeof codes);
    q.training = true;
    ck_assert(srq_quantizer_forward(&q, v, 8, x, trained));
    for (int i = 0; i < 8; i++) ck_assert(found[i] == values[i] && trained[i] == values[i]);
    srq_points points;
    srq_quantizer_points(&q, &points);
    ck_assert(srq_points_place(&points, -2.5) == -1.5 && srq_points_place(&points, 0.75) == 0.5);
    ck_assert(srq_points_place(&points, 3) == 2 && srq_points_place(&points, -7) == -3);
    const float exact[] = {-0.4f, -0.1f, 0.15f};
    srq_quantizer_start(&q, v, 3, exact, &alpha, NULL);
    ck_assert_float_eq_tol(alpha, 0.1f, 1e-6f);
    const float bad[] = {NAN, 1};
    ck_assert(!srq_quantizer_values(&q, v, 2, bad, found) && !srq_quantizer_forward(&q, v, 2, bad, trained));
}
END_TEST

/* The list of methods, and what their tables must have. */
START_TEST(methods_are_listed)
{
    const srq_quantizer_method *m;
    char names[200];
    int count = 0;
    for (; (m = srq_quantizer_list(count)); count++) {
        ck_assert(m->name && m->summary && m->backward && strlen(m->name) < 16);
        ck_assert_ptr_eq(srq_quantizer_find(m->name), m);
        ck_assert_msg(!m->point || m->floats, "%s", m->name);
    }
    ck_assert_int_ge(count, 5);
    ck_assert_str_eq(srq_quantizer_names(srq_quantizer_has_gates, " or ", names, sizeof names), "srq");
    ck_assert_ptr_nonnull(strstr(srq_quantizer_names(NULL, " or ", names, sizeof names), "srq, lsq, ste, rq or rq_st"));
    ck_assert(srq_quantizer_reads("rq", "quantizer.temperature") &&
              !srq_quantizer_reads("lsq", "quantizer.temperature"));
    ck_assert(!srq_quantizer_reads("float32", "quantizer.estimator"));
}
END_TEST

START_TEST(bad_numbers_are_reported)
{
    float x[100] = {0};
    uint8_t codes[100];
    const float bad[] = {NAN, INFINITY, -INFINITY};
    srq_grid grid = {.alpha = 1, .min = 0, .max = 3};
    for (int b = 0; b < 3; b++)
        for (int at = 0; at < 100; at += 33) {
            memset(x, 0, sizeof x);
            x[at] = bad[b];
            ck_assert(!srq_vector_best(NULL)->quantize(100, x, &grid, codes));
        }
}
END_TEST

START_TEST(start_finds_the_least_error)
{
    float x[1000];
    srq_quantizer q;
    srq_quantizer_spec spec = {.method = "srq", .bits = {.count = 1, .bits = {2}}, .sigma_ratio = 0.25f};
    const srq_vector *v = srq_vector_best(NULL);
    srq_random_normal(1, SRQ_RANDOM_TEST, 0, 1000, 1, x);
    ck_assert_int_eq(srq_quantizer_init(&spec, true, 1, &q), SRQ_OK);
    srq_quantizer_start(&q, v, 1000, x, &q.grid.alpha, &q.grid.sigma);
    double found = v->quantize_error(1000, x, &q.grid);
    for (float alpha = 0.05f; alpha < 4; alpha *= 1.02f) {
        srq_grid other = q.grid;
        other.alpha = alpha;
        /* 64 candidates a factor of 1.064 apart: the error near its minimum is flat to a few percent. */
        ck_assert_double_ge(v->quantize_error(1000, x, &other), 0.95 * found);
    }
    ck_assert_float_eq(q.grid.sigma, 0.25f * q.grid.alpha);
    memset(x, 0, sizeof x);
    srq_quantizer_start(&q, v, 1000, x, &q.grid.alpha, &q.grid.sigma);
    ck_assert(q.grid.alpha > 0 && q.grid.sigma > 0);
}
END_TEST

/* A row with its own (alpha, sigma) has the same bits as a separate tensor, forward and backward, with every method
 * that does not draw noise (the noise of rq depends on the position of the row). */
START_TEST(rows_are_tensors)
{
    enum { ROWS = 3, LENGTH = 37, COUNT = ROWS * LENGTH };
    static const char *const methods[] = {"ste", "lsq", "srq", "srq"};
    const srq_vector *v = srq_vector_best(NULL);
    float x[COUNT], dy[COUNT], alpha[ROWS], sigma[ROWS];
    srq_random_normal(5, SRQ_RANDOM_TEST, 1, COUNT, 1, x);
    srq_random_normal(5, SRQ_RANDOM_TEST, 2, COUNT, 1, dy);
    for (int i = LENGTH; i < COUNT; i++) x[i] *= i < 2 * LENGTH ? 0.1f : 20;
    for (int m = 0; m < 4; m++)
        for (int bits = 1; bits <= 8; bits++) {
            srq_quantizer_spec spec = {.bits = {.count = 1, .bits = {bits}}, .sigma_ratio = 0.3f, .per_channel = true};
            spec.estimator = m == 3 ? SRQ_ESTIMATOR_ARGMAX : SRQ_ESTIMATOR_FULL;
            snprintf(spec.method, sizeof spec.method, "%s", methods[m]);
            srq_quantizer all, one;
            int8_t codes[COUNT], own_codes[LENGTH];
            float values[COUNT], own_values[LENGTH], dx[COUNT], own_dx[LENGTH], by[2][ROWS], own_by[2], start[2];
            ck_assert_int_eq(srq_quantizer_init(&spec, true, ROWS, &all), SRQ_OK);
            srq_quantizer_start(&all, v, COUNT, x, alpha, sigma);
            ck_assert(alpha[1] < alpha[0] && alpha[0] < alpha[2]);
            all.alpha = alpha, all.sigma = sigma, all.training = true;
            ck_assert(srq_quantizer_forward(&all, v, COUNT, x, codes));
            ck_assert(srq_quantizer_values(&all, v, COUNT, x, values));
            srq_quantizer_backward(&all, v, COUNT, COUNT, x, dy, dx, by[0], by[1], NULL);
            spec.per_channel = false;
            for (int row = 0; row < ROWS; row++) {
                const float *from = x + row * LENGTH;
                ck_assert_int_eq(srq_quantizer_init(&spec, true, 1, &one), SRQ_OK);
                srq_quantizer_start(&one, v, LENGTH, from, &start[0], &start[1]);
                ck_assert_float_eq(start[0], alpha[row]);
                ck_assert_float_eq(start[1], sigma[row]);
                one.grid.alpha = alpha[row], one.grid.sigma = sigma[row], one.training = true;
                ck_assert(srq_quantizer_forward(&one, v, LENGTH, from, own_codes));
                ck_assert(srq_quantizer_values(&one, v, LENGTH, from, own_values));
                srq_quantizer_backward(&one, v, LENGTH, LENGTH, from, dy + row * LENGTH, own_dx, &own_by[0], &own_by[1],
                                       NULL);
                ck_assert_mem_eq(codes + row * LENGTH, own_codes, sizeof own_codes);
                ck_assert_mem_eq(values + row * LENGTH, own_values, sizeof own_values);
                ck_assert_mem_eq(dx + row * LENGTH, own_dx, sizeof own_dx);
                ck_assert_float_eq(by[0][row], own_by[0]);
                if (m >= 2) ck_assert_float_eq(by[1][row], own_by[1]);
                for (int i = 0; i < LENGTH; i++) ck_assert_float_eq(own_values[i], alpha[row] * (float)own_codes[i]);
            }
        }
}
END_TEST

/* Every function of the table gives the same bits, for lengths around the width of vectors. */
/* A channel of subnormal numbers, which a step of its size cannot divide: everything stays finite, by every method. */
START_TEST(tiny_rows_are_finite)
{
    enum { ROWS = 3, LENGTH = 20, COUNT = ROWS * LENGTH };
    static const char *const methods[] = {"ste", "lsq", "srq", "rq", "rq_st"};
    const srq_vector *v = srq_vector_best(NULL);
    float x[COUNT], dy[COUNT], alpha[ROWS], sigma[ROWS], dx[COUNT], values[COUNT], by[2][ROWS];
    srq_random_normal(6, SRQ_RANDOM_TEST, 1, COUNT, 1, x);
    srq_random_normal(6, SRQ_RANDOM_TEST, 2, COUNT, 1, dy);
    for (int i = 0; i < LENGTH; i++) x[i] *= 1e-42f, x[LENGTH + i] *= 1e-33f;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
        for (int bits = 2; bits <= 8; bits += 3) {
            srq_quantizer_spec spec = {.bits = {.count = 1, .bits = {bits}}, .sigma_ratio = 0.3f, .per_channel = true};
            spec.temperature = 1, spec.reach = 3;
            snprintf(spec.method, sizeof spec.method, "%s", methods[m]);
            srq_quantizer q;
            ck_assert_int_eq(srq_quantizer_init(&spec, true, ROWS, &q), SRQ_OK);
            memset(sigma, 0, sizeof sigma);
            srq_quantizer_start(&q, v, COUNT, x, alpha, sigma);
            ck_assert(alpha[0] == SRQ_STEP_MIN && alpha[1] == SRQ_STEP_MIN && alpha[2] > 1e-3f);
            q.alpha = alpha, q.sigma = sigma, q.training = true;
            srq_quantizer_begin(&q);
            float codes[COUNT]; /* some methods make floats, others bytes */
            ck_assert(srq_quantizer_forward(&q, v, COUNT, x, codes));
            ck_assert(srq_quantizer_values(&q, v, COUNT, x, values));
            srq_quantizer_backward(&q, v, COUNT, COUNT, x, dy, dx, by[0], by[1], NULL);
            for (int i = 0; i < COUNT; i++) ck_assert(isfinite(dx[i]) && (i >= 2 * LENGTH || values[i] == 0));
            for (int row = 0; row < ROWS; row++)
                ck_assert(isfinite(by[0][row]) && (!q.method->has_sigma || isfinite(by[1][row])));
        }
}
END_TEST

START_TEST(instruction_sets_agree)
{
    enum { MOST = 1031 };
    static const size_t lengths[] = {1, 3, 15, 16, 63, 64, 65, 200, MOST};
    float x[MOST], y[MOST];
    srq_random_normal(9, SRQ_RANDOM_TEST, 0, MOST, 1, x);
    srq_random_normal(9, SRQ_RANDOM_TEST, 1, MOST, 1, y);
    const srq_vector *base = srq_vector_best("x86-64");
    ck_assert_ptr_nonnull(base);
    for (int isa = 1; isa < 3; isa++) {
        const srq_vector *v = srq_vector_best(isas[isa]);
        if (!v) {
            printf("skipped: this CPU or build has no %s\n", isas[isa]);
            continue;
        }
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            const size_t n = lengths[k], bytes = n * sizeof(float);
            float a[MOST], b[MOST], c[MOST], d[MOST];
            uint8_t codes_a[MOST], codes_b[MOST];
            srq_grid_gradient sa, sb;
            srq_grid grid = {.alpha = 0.3f, .sigma = 0.11f, .min = -4, .max = 3};
            base->quantize(n, x, &grid, codes_a);
            v->quantize(n, x, &grid, codes_b);
            ck_assert_mem_eq(codes_a, codes_b, n);
            void (*const backward[2][3])(size_t, const float *, const float *, const srq_grid *, float *,
                                         srq_grid_gradient *) = {
                {base->ste_backward, base->srq_full_backward, base->srq_argmax_backward},
                {v->ste_backward, v->srq_full_backward, v->srq_argmax_backward}};
            /* Both ends of the grid within reach of the noise, one of them, noise far below a step, an odd grid. */
            const srq_grid grids[] = {grid,
                                      {.alpha = 0.02f, .sigma = 0.007f, .min = -128, .max = 127},
                                      {.alpha = 0.3f, .sigma = 0.003f, .min = 0, .max = 15},
                                      {.alpha = 0.3f, .sigma = 0.2f, .min = -3, .max = 3}};
            for (size_t f = 0; f < 3 * sizeof grids / sizeof *grids; f++) {
                backward[0][f % 3](n, x, y, &grids[f / 3], a, &sa);
                backward[1][f % 3](n, x, y, &grids[f / 3], b, &sb);
                ck_assert_mem_eq(a, b, bytes);
                ck_assert_mem_eq(&sa, &sb, sizeof sa);
            }
            const srq_adam_step step = {
                .rate = 1e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f, .decay = 1e-4f};
            memcpy(a, x, bytes), memcpy(b, x, bytes);
            float m[2][MOST] = {{0}}, w[2][MOST] = {{0}};
            base->adam(n, a, m[0], w[0], y, &step);
            v->adam(n, b, m[1], w[1], y, &step);
            ck_assert_mem_eq(a, b, bytes);
            base->sgd(n, a, m[0], y, 0.1f, 0.9f, 0.01f);
            v->sgd(n, b, m[1], y, 0.1f, 0.9f, 0.01f);
            ck_assert_mem_eq(a, b, bytes);
            base->sum_rows(n, 1, x, c);
            v->sum_rows(n, 1, x, d);
            ck_assert_mem_eq(c, d, sizeof(float));
            base->relu(n, x, a), v->relu(n, x, b);
            ck_assert_mem_eq(a, b, bytes);
            base->relu_backward(n, a, y, c), v->relu_backward(n, b, y, d);
            ck_assert_mem_eq(c, d, bytes);
            base->relu_under(n, x, 0.5f, a), v->relu_under(n, x, 0.5f, b);
            ck_assert_mem_eq(a, b, bytes);
            double ea = base->quantize_error(n, x, &grid), eb = v->quantize_error(n, x, &grid);
            ck_assert_mem_eq(&ea, &eb, sizeof ea);
        }
    }
}
END_TEST

START_TEST(unknown_names_are_refused)
{
    srq_quantizer q;
    srq_quantizer_spec spec = {.method = "srqq", .bits = {.count = 1, .bits = {2}}};
    ck_assert_int_eq(srq_quantizer_init(&spec, true, 1, &q), SRQ_ERROR_USAGE);
    snprintf(spec.method, sizeof spec.method, "srq");
    spec.bits.bits[0] = 9;
    ck_assert_int_eq(srq_quantizer_init(&spec, true, 1, &q), SRQ_ERROR_USAGE);
    ck_assert_ptr_null(srq_vector_best("mmx"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quantizers");
    TCase *tests = tcase_create("quantizers");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, srq_against_differences);
    tcase_add_loop_test(tests, curves_against_differences, 0, 3);
    tcase_add_test(tests, srq_extremes_are_finite);
    tcase_add_test(tests, srq_in_place_and_with_nan);
    tcase_add_test(tests, ste_by_hand);
    tcase_add_test(tests, lsq_scales_the_gradient_of_alpha);
    tcase_add_test(tests, codes_round_and_clamp);
    tcase_add_test(tests, points_of_its_own);
    tcase_add_test(tests, methods_are_listed);
    tcase_add_test(tests, bad_numbers_are_reported);
    tcase_add_test(tests, start_finds_the_least_error);
    tcase_add_test(tests, rows_are_tensors);
    tcase_add_test(tests, tiny_rows_are_finite);
    tcase_add_test(tests, instruction_sets_agree);
    tcase_add_test(tests, unknown_names_are_refused);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
