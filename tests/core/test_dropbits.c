/* DropBits: the gates against the closed forms of the hard concrete distribution, the quantizer under fractional gates
 * against the formulas over all 2^b codes in float64, their gradients against central differences. */
#include "core/kernels/gates.h"
#include "core/quant/methods.h"
#include "core/random.h"
#include "tests/suite.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double sigmoid(double t)
{
    return 1 / (1 + exp(-t));
}

/* --- Gates */

enum { DRAWS = 100000 };
static const float logits[SRQ_LEVELS_MAX] = {-4, -2, -0.5f, 0, 1, 2.1972246f, 4};

static void draw(srq_gates *gates, uint64_t seed, long step, int layer)
{
    *gates = (srq_gates){.min_bits = 1, .count = SRQ_LEVELS_MAX};
    srq_gates_draw(gates, seed, step, layer, logits);
}

/* Mean of f(Z)^power over u, by the midpoint rule: Z(u) has two corners, so the error is of order 1 / points^2 at them
 * and far below the 1e-3 that sampling leaves. */
static double moment(double phi, int power)
{
    enum { POINTS = 100000 };
    double sum = 0, slope;
    for (int i = 0; i < POINTS; i++)
        sum += pow(srq_concrete_gate(&srq_dropbits_concrete, phi, (i + 0.5) / POINTS, &slope), power);
    return sum / POINTS;
}

/* Five standard errors: by chance one of these 21 would fail for one seed in 80,000; the seed is fixed. */
START_TEST(gates_follow_their_distribution)
{
    double sum[SRQ_LEVELS_MAX] = {0}, zeros[SRQ_LEVELS_MAX] = {0}, ones[SRQ_LEVELS_MAX] = {0};
    for (long step = 0; step < DRAWS; step++) {
        srq_gates gates;
        draw(&gates, 11, step, 3);
        for (int c = 0; c < SRQ_LEVELS_MAX; c++) {
            ck_assert(gates.z[c] >= 0 && gates.z[c] <= 1);
            sum[c] += gates.z[c];
            zeros[c] += gates.z[c] == 0;
            ones[c] += gates.z[c] == 1;
        }
    }
    /* s = S((log u/(1-u) + phi)/tau) is stretched to (-0.1, 1.1): Z = 0 for s <= 1/12, Z = 1 for s >= 11/12. */
    for (int c = 0; c < SRQ_LEVELS_MAX; c++) {
        const double phi = (double)logits[c], tau = 2.0 / 3.0;
        const double zero = sigmoid(-tau * log(11) - phi), one = sigmoid(phi - tau * log(11));
        const double mean = moment(phi, 1), deviation = sqrt(moment(phi, 2) - mean * mean);
        const double root = sqrt(DRAWS);
        double slope;
        ck_assert_msg(fabs(zeros[c] / DRAWS - zero) <= 5 * sqrt(zero * (1 - zero)) / root, "phi %g: %g of 0, not %g",
                      phi, zeros[c] / DRAWS, zero);
        ck_assert_msg(fabs(ones[c] / DRAWS - one) <= 5 * sqrt(one * (1 - one)) / root, "phi %g: %g of 1, not %g", phi,
                      ones[c] / DRAWS, one);
        ck_assert_msg(fabs(sum[c] / DRAWS - mean) <= 5 * deviation / root, "phi %g: mean %g, not %g", phi,
                      sum[c] / DRAWS, mean);
        ck_assert_double_eq_tol(srq_concrete_open(&srq_dropbits_concrete, phi, &slope), 1 - zero, 1e-14);
    }
}
END_TEST

static double correlation(int lag, int layer, uint64_t seed, int level)
{
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    for (long step = 0; step < DRAWS; step++) {
        srq_gates here, there;
        draw(&here, 11, step, 3);
        draw(&there, seed, step + lag, layer);
        const double x = here.z[3], y = there.z[level];
        a += x, b += y, aa += x * x, bb += y * y, ab += x * y;
    }
    a /= DRAWS, b /= DRAWS;
    return (ab / DRAWS - a * b) / sqrt((aa / DRAWS - a * a) * (bb / DRAWS - b * b));
}

/* Another level, step, layer or seed is another number: correlations within five standard errors, 1 / sqrt(draws). */
START_TEST(gates_are_independent)
{
    const double bound = 5 / sqrt(DRAWS);
    ck_assert_double_gt(correlation(0, 3, 11, 3), 0.999); /* what this test can see */
    ck_assert_double_le(fabs(correlation(0, 3, 11, 4)), bound);
    ck_assert_double_le(fabs(correlation(1, 3, 11, 3)), bound);
    ck_assert_double_le(fabs(correlation(0, 4, 11, 3)), bound);
    ck_assert_double_le(fabs(correlation(0, 3, 12, 3)), bound);
    /* The last level of a layer is not the first of the next. */
    srq_gates here, next;
    int same = 0;
    for (long step = 0; step < 100; step++) {
        draw(&here, 11, step, 3), draw(&next, 11, step, 4);
        same += here.z[6] == next.z[0] && here.z[6] > 0 && here.z[6] < 1;
    }
    ck_assert_int_eq(same, 0);
}
END_TEST

/* A gate's draw depends on its own key alone: not on when it is asked for, how many gates there are, or their logits.
 */
START_TEST(gates_go_by_their_key)
{
    srq_gates all, again, few = {.min_bits = 4, .count = 2};
    draw(&all, 5, 77, 2);
    draw(&again, 5, 78, 2);
    draw(&again, 5, 77, 2);
    ck_assert_mem_eq(&all, &again, sizeof all);
    srq_gates_draw(&few, 5, 77, 2, (const float[]){logits[0], 100});
    ck_assert_double_eq(few.z[0], all.z[0]);
    ck_assert_double_eq(few.z[1], 1);
}
END_TEST

START_TEST(slopes_of_gates)
{
    int inside = 0;
    for (int i = -40; i <= 40; i++)
        for (int j = 1; j < 20; j++) {
            const double phi = 0.1 * i, u = 0.05 * j, h = 1e-5;
            double slope, unused;
            const double z = srq_concrete_gate(&srq_dropbits_concrete, phi, u, &slope);
            const double up = srq_concrete_gate(&srq_dropbits_concrete, phi + h, u, &unused);
            const double down = srq_concrete_gate(&srq_dropbits_concrete, phi - h, u, &unused);
            if (z == 0 || z == 1) ck_assert_double_eq(slope, 0);
            if (down > 0 && up < 1) {
                inside++;
                ck_assert_double_eq_tol(slope, (up - down) / (2 * h), 1e-9); /* h^2 and 1e-16 / h */
            }
            const double open = srq_concrete_open(&srq_dropbits_concrete, phi + h, &unused) -
                                srq_concrete_open(&srq_dropbits_concrete, phi - h, &unused);
            srq_concrete_open(&srq_dropbits_concrete, phi, &slope);
            ck_assert_double_eq_tol(slope, open / (2 * h), 1e-9);
        }
    ck_assert_int_gt(inside, 200);
    ck_assert_double_eq_tol(srq_concrete_mean(&srq_dropbits_concrete, 0), 0.5, 1e-15);
    ck_assert_double_eq(srq_concrete_mean(&srq_dropbits_concrete, 9), 1);
    ck_assert_double_eq(srq_concrete_mean(&srq_dropbits_concrete, -9), 0);
}
END_TEST

static srq_gates set(int min_bits, int count, const double *z)
{
    srq_gates gates = {.min_bits = min_bits, .count = count};
    srq_gates_set(&gates, z);
    return gates;
}

/* Open gates at the bottom belong to the grid, a closed one ends it. */
START_TEST(levels_that_gates_leave)
{
    srq_gates g = set(2, 5, (const double[]){1, 1, 0.5, 0.25, 0});
    ck_assert_int_eq(g.levels.min_bits, 4);
    ck_assert_int_eq(g.levels.count, 2);
    ck_assert_float_eq(g.levels.mask[0], 0.5f);
    ck_assert_float_eq(g.levels.mask[1], 0.125f);
    g = set(2, 3, (const double[]){0, 1, 1});
    ck_assert_int_eq(g.levels.min_bits, 2);
    ck_assert_int_eq(g.levels.count, 0);
    g = set(1, 3, (const double[]){0.5, 1, 1});
    ck_assert_int_eq(g.levels.min_bits, 1);
    ck_assert_int_eq(g.levels.count, 3);
    ck_assert_float_eq(g.levels.mask[2], 0.5f);
    g = set(1, 7, (const double[]){1, 1, 1, 1, 1, 1, 1});
    ck_assert_int_eq(g.levels.min_bits, 8);
    ck_assert_int_eq(g.levels.count, 0);
    ck_assert_int_eq(srq_gates_bits(2, 3, (const float[]){0.1f, -0.1f, 5}), 3);
    ck_assert_int_eq(srq_gates_bits(2, 3, (const float[]){0, 5, 5}), 2);
    ck_assert_int_eq(srq_gates_bits(1, 3, (const float[]){1, 1, 1}), 4);
    ck_assert_double_eq_tol(srq_gates_mean_bits(2, 2, (const float[]){100, -100}), 3, 1e-12);
    /* P(Z != 0) at phi = 0 is 11^(2/3) / (1 + 11^(2/3)) = 0.831822. */
    ck_assert_double_eq_tol(srq_gates_mean_bits(2, 2, (const float[]){0, 0}), 2 + 0.831822 + 0.831822 * 0.831822, 1e-5);
}
END_TEST

/* dL/dZ for L = sum a_c m_c(Z): each mask is linear in each gate, so differences are exact but for rounding. */
START_TEST(gradient_of_gates)
{
    static const double cases[][4] = {{0.5, 0.25, 0.75, 0.9}, {1, 0.5, 1, 0.3}, {1, 1, 0.2, 0}, {0.7, 0, 0.5, 0.5}};
    const double a[4] = {0.3, -1.2, 2, 0.7}, h = 1e-3;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        srq_gates g = set(2, 4, cases[k]);
        double masks[SRQ_LEVELS_MAX] = {0}, z[SRQ_LEVELS_MAX] = {0};
        for (int i = 0; i < g.levels.count; i++) masks[i] = a[g.levels.min_bits - 2 + i];
        srq_gates_backward(&g, masks, z);
        for (int c = 0; c < 4; c++) {
            double side[2];
            for (int s = 0; s < 2; s++) {
                double mask = 1;
                side[s] = 0;
                for (int i = 0; i < 4; i++) {
                    mask *= cases[k][i] + (i == c ? (s ? h : -h) : 0);
                    side[s] += a[i] * mask;
                }
            }
            /* A gate that is 0 or 1 passes nothing to its logit (its slope is 0). */
            const bool fractional = cases[k][c] > 0 && cases[k][c] < 1;
            const bool dead = k == 3 && c > 1; /* above a closed gate */
            const double expected = fractional && !dead ? (side[1] - side[0]) / (2 * h) : 0;
            ck_assert_msg(fabs(z[c] - expected) <= 1e-6, "case %zu gate %d: %g, not %g", k, c, z[c], expected);
        }
    }
}
END_TEST

/* --- The quantizer under gates: the definition over all codes, in float64 */

typedef struct definition {
    double alpha, sigma, mask[SRQ_LEVELS_MAX + 1]; /* of level c0 + i */
    int min_bits, count;
} definition;

static double log_sigmoid(double t)
{
    return t < 0 ? t - log1p(exp(t)) : -log1p(exp(-t));
}

static int level_of(const definition *d, int code)
{
    int i = 0;
    while (code < -(1 << (d->min_bits + i - 1)) || code >= 1 << (d->min_bits + i - 1)) i++;
    return i;
}

/* log p_k but for what all codes share: S(u) - S(v) = S(u) S(-v) (1 - e^(v-u)). */
static double log_mass(const definition *d, double x, int k)
{
    return log_sigmoid((d->alpha * (k + 0.5) - x) / d->sigma) + log_sigmoid((x - d->alpha * (k - 0.5)) / d->sigma);
}

/* r_k of every code, r[k - min]. */
static void probabilities(const definition *d, double x, double *r)
{
    const int half = 1 << (d->min_bits + d->count - 1);
    double largest = -INFINITY, sum = 0;
    for (int k = -half; k < half; k++) largest = fmax(largest, r[k + half] = log_mass(d, x, k));
    for (int k = -half; k < half; k++) sum += r[k + half] = d->mask[level_of(d, k)] * exp(r[k + half] - largest);
    for (int k = -half; k < half; k++) r[k + half] /= sum;
}

/* The relaxed output, points alpha0 * k held fixed; `argmax`: the one term of code i. */
static double relaxed(const definition *d, double x, double alpha0, bool argmax, int i)
{
    const int half = 1 << (d->min_bits + d->count - 1);
    double r[256], sum = 0;
    probabilities(d, x, r);
    if (argmax) return alpha0 * i * r[i + half];
    for (int k = -half; k < half; k++) sum += alpha0 * k * r[k + half];
    return sum;
}

typedef struct slopes {
    double x, alpha, sigma, mask[SRQ_LEVELS_MAX];
} slopes;

/* Central differences: steps balance truncation against rounding at a relative error near 1e-8. */
static slopes expected_slopes(const definition *d, double x, bool argmax, int code)
{
    slopes s;
    const double a = d->alpha;
    definition up = *d, down = *d;
    double h = 1e-5 * d->sigma;
    s.x = (relaxed(d, x + h, a, argmax, code) - relaxed(d, x - h, a, argmax, code)) / (2 * h);
    up.sigma += h, down.sigma -= h;
    s.sigma = (relaxed(&up, x, a, argmax, code) - relaxed(&down, x, a, argmax, code)) / (2 * h);
    up = down = *d;
    h = 1e-6 * fmin(a, d->sigma);
    up.alpha += h, down.alpha -= h;
    s.alpha = code + (relaxed(&up, x, a, argmax, code) - relaxed(&down, x, a, argmax, code)) / (2 * h);
    for (int i = 1; i <= d->count; i++) {
        up = down = *d;
        h = 1e-5 * d->mask[i];
        up.mask[i] += h, down.mask[i] -= h;
        s.mask[i - 1] = (relaxed(&up, x, a, argmax, code) - relaxed(&down, x, a, argmax, code)) / (2 * h);
    }
    return s;
}

enum { N = 70 };

typedef struct drop_case {
    srq_grid grid;
    srq_levels levels;
    definition d;
} drop_case;

/* Masks from nearly 1 to nearly closed, falling: products of gates. */
static drop_case make_case(int bits, int min_bits, float ratio, int kind)
{
    static const float gates[3][3] = {{0.9f, 0.5f, 0.99f}, {0.05f, 0.7f, 0.3f}, {1e-3f, 1, 0.02f}};
    drop_case c = {.grid = {.alpha = 0.037f, .sigma = 0.037f * ratio}};
    c.grid.min = -(1 << (bits - 1)), c.grid.max = (1 << (bits - 1)) - 1;
    c.levels = (srq_levels){.min_bits = min_bits, .count = bits - min_bits};
    c.d = (definition){.alpha = (double)c.grid.alpha, .sigma = (double)c.grid.sigma};
    c.d.min_bits = min_bits, c.d.count = bits - min_bits;
    float mask = 1;
    c.d.mask[0] = 1;
    for (int i = 0; i < c.levels.count; i++) {
        c.levels.mask[i] = mask *= gates[kind][i % 3];
        c.d.mask[i + 1] = (double)mask;
    }
    return c;
}

/* Across the grid and beyond, around edges in units of the noise; far outside, so far that x / alpha is infinite, zeros
 * of both signs, a denormal. */
static void make_inputs(const srq_grid *grid, float *x, float *dy)
{
    const int codes = grid->max - grid->min + 1;
    const float reach = grid->alpha * (float)(codes + 4);
    float noise[N];
    srq_random_normal(3, SRQ_RANDOM_TEST, 1, N, 0.4f * reach, x);
    srq_random_normal(3, SRQ_RANDOM_TEST, 2, N, 1, dy);
    srq_random_normal(3, SRQ_RANDOM_TEST, 3, N, 4 * grid->sigma, noise);
    for (int i = N / 2; i < N; i++) x[i] = grid->alpha * ((float)(grid->min + i % (codes + 1)) - 0.5f) + noise[i];
    const float special[] = {0.0f,          -0.0f, 1e-42f, 30 * reach, -30 * reach, 1e4f * reach,
                             -1e4f * reach, 1e30f, -1e30f, FLT_MAX,    -FLT_MAX};
    memcpy(x, special, sizeof special);
}

/* Beyond 80 sigma from the grid the odds of codes no longer change: they are in the proportion of e^(alpha k / sigma)
 * times their masks, and float64 can still tell edges apart here. */
static double within_sight(double x, const srq_grid *grid)
{
    const double beyond = 0.5 * (double)grid->alpha + 80 * (double)grid->sigma;
    return fmin(fmax(x, (double)grid->alpha * grid->min - beyond), (double)grid->alpha * grid->max + beyond);
}

static int nearness; /* inputs whose two best codes float32 cannot tell apart */
static int inputs;

static void check_codes(const srq_vector *v, const drop_case *c, const float *x, int8_t *codes)
{
    double r[256];
    ck_assert(v->dropbits->quantize(N, x, &c->grid, &c->levels, codes));
    for (int i = 0; i < N; i++) {
        probabilities(&c->d, within_sight((double)x[i], &c->grid), r);
        int best = c->grid.min;
        for (int k = c->grid.min; k <= c->grid.max; k++)
            if (r[k - c->grid.min] > r[best - c->grid.min]) best = k;
        inputs++;
        if (codes[i] == best) continue;
        /* x / alpha + 1/2 and a threshold are rounded to 6e-8 of up to 256, which is 1.5e-5 of a step: in the log odds
         * of two codes at most that times alpha / sigma, in units of which they change with x; twice for both. */
        const double odds = log(r[best - c->grid.min] / r[codes[i] - c->grid.min]);
        ck_assert_msg(odds <= 3e-5 * c->d.alpha / c->d.sigma,
                      "bits %d from %d, sigma/alpha %g, x %g: code %d, not %d (%g)",
                      c->levels.min_bits + c->levels.count, c->levels.min_bits, c->d.sigma / c->d.alpha,
                      (double)x[i] / c->d.alpha, codes[i], best, odds);
        nearness++;
    }
}

/* The ways of the backward pass. */
typedef enum way { FULL, ARGMAX, CURVES, WAYS } way;

static bool has_way(way w, const drop_case *c)
{
    const float rho = c->grid.alpha / c->grid.sigma;
    return w != CURVES || (rho >= 2 && rho <= 4.2f && c->levels.mask[c->levels.count - 1] >= 1e-3f);
}

static void run_backward(const srq_vector *v, const drop_case *c, way w, size_t n, const float *x, const float *dy,
                         float *dx, srq_grid_gradient *sums, double *masks)
{
    if (w != CURVES) {
        v->dropbits->backward(n, x, dy, &c->grid, &c->levels, w == ARGMAX, dx, sums, masks);
        return;
    }
    srq_gate_curves curves = {.rows = malloc(srq_gate_curves_size(c->levels.min_bits, 8) * sizeof(float))};
    ck_assert(srq_gate_curves_fit(&c->grid, &c->levels, &curves));
    v->dropbits->curves_backward(n, x, dy, &curves, dx, sums, masks);
    free(curves.rows);
}

static void check_gradients(const srq_vector *v, const drop_case *c, way w, const float *x, const float *dy,
                            const int8_t *codes)
{
    const bool argmax = w == ARGMAX;
    float dx[N];
    double largest = 1e-300, steepest = 0, all = 0, error = 0, masks[SRQ_LEVELS_MAX], mask[SRQ_LEVELS_MAX] = {0},
           mask_size[SRQ_LEVELS_MAX] = {0};
    double alpha = 0, sigma = 0, alpha_size = 0, sigma_size = 0;
    srq_grid_gradient sums;
    run_backward(v, c, w, N, x, dy, dx, &sums, masks);
    for (int i = 0; i < N; i++) {
        const double g = (double)dy[i];
        const slopes s = expected_slopes(&c->d, within_sight((double)x[i], &c->grid), argmax, codes[i]);
        ck_assert_msg(isfinite(dx[i]), "x = %g: gradient %g", (double)x[i], (double)dx[i]);
        largest = fmax(largest, fabs(g * s.x));
        steepest = fmax(steepest, fabs(g));
        all += fabs(g);
        error = fmax(error, fabs((double)dx[i] - g * s.x));
        alpha += g * s.alpha, alpha_size += fabs(g * s.alpha);
        sigma += g * s.sigma, sigma_size += fabs(g * s.sigma);
        for (int k = 0; k < c->levels.count; k++) mask[k] += g * s.mask[k], mask_size[k] += fabs(g * s.mask[k]);
    }
    char which[128];
    snprintf(which, sizeof which, "bits %d from %d, masks to %g, sigma/alpha %g, way %d",
             c->levels.min_bits + c->levels.count, c->levels.min_bits, (double)c->levels.mask[c->levels.count - 1],
             c->d.sigma / c->d.alpha, (int)w);
    /* float32 rounds an argument of S, and the sums and products over the codes nearby, by some 1e-7; where gates close
     * what is left moves little, dE/dx far below 1, and dx is that share of dy. As far in gates: m dL/dm is a
     * difference of positions, in steps. sigma has the distance from an edge in it, up to 128 steps where sigma is ten
     * of them. The polynomials of curves are off by up to 1e-5 where sigma is smallest, and see x / alpha rounded to
     * 6e-8 of itself, which slopes, of D by x / alpha at most alpha / sigma times D, take up. */
    const double fit = w == CURVES ? 1e-5 + 1.2e-7 * (double)c->grid.max * c->d.alpha / c->d.sigma : 0;
    ck_assert_msg(error <= (5e-6 + fit) * largest + 2e-7 * steepest, "%s: dx off by %g of %g", which, error, largest);
    ck_assert_msg(fabs(sums.alpha - alpha) <= 5e-6 * alpha_size, "%s: alpha %g, not %g of %g", which, sums.alpha, alpha,
                  alpha_size);
    ck_assert_msg(fabs(sums.sigma - sigma) <= 1e-4 * sigma_size + 1e-9, "%s: sigma %g, not %g of %g", which, sums.sigma,
                  sigma, sigma_size);
    for (int k = 0; k < c->levels.count; k++) {
        const double rounding = 5e-7 * c->d.alpha * all / c->d.mask[k + 1];
        ck_assert_msg(fabs(masks[k] - mask[k]) <= (5e-6 + fit) * mask_size[k] + rounding,
                      "%s: mask %d: %g, not %g of %g", which, k, masks[k], mask[k], mask_size[k]);
    }
}

START_TEST(quantizer_under_gates)
{
    static const float ratios[] = {0.01f, 0.1f, 0.2382f, 1.0f / 3, 0.4f, 0.5f, 1, 10};
    const srq_vector *v = srq_vector_best(NULL);
    for (int bits = 2; bits <= 8; bits++)
        for (int min_bits = 1; min_bits<bits; min_bits += bits> 4 ? 3 : 1)
            for (size_t r = 0; r < sizeof ratios / sizeof *ratios; r++)
                for (int kind = 0; kind < 3; kind++) {
                    float x[N], dy[N];
                    int8_t codes[N];
                    const drop_case c = make_case(bits, min_bits, ratios[r], kind);
                    make_inputs(&c.grid, x, dy);
                    check_codes(v, &c, x, codes);
                    for (way w = 0; w < WAYS; w++)
                        if (has_way(w, &c)) check_gradients(v, &c, w, x, dy, codes);
                }
    ck_assert_int_le(nearness, inputs / 1000);
}
END_TEST

/* Infinity and NaN are reported; they and dx in dy's place leave every other element as it was. */
START_TEST(bad_numbers_and_places)
{
    const srq_vector *v = srq_vector_best(NULL);
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const drop_case c = make_case(4, 2, 1.0f / 3, 0);
    float x[N], dy[N], dx[N], other[N];
    int8_t codes[N], again[N];
    double masks[SRQ_LEVELS_MAX];
    srq_grid_gradient sums;
    make_inputs(&c.grid, x, dy);
    ck_assert(v->dropbits->quantize(N, x, &c.grid, &c.levels, codes));
    for (way w = 0; w < WAYS; w++) {
        run_backward(v, &c, w, N, x, dy, dx, &sums, masks);
        memcpy(other, dy, sizeof dy);
        run_backward(v, &c, w, N, x, other, other, &sums, masks);
        ck_assert_mem_eq(other, dx, sizeof dx);
        for (int place = 0; place < N; place += 11) {
            float one;
            run_backward(v, &c, w, 1, x + place, dy + place, &one, &sums, masks);
            ck_assert_mem_eq(&one, dx + place, sizeof one);
            const float kept = x[place];
            for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
                x[place] = bad[k];
                ck_assert(!v->dropbits->quantize(N, x, &c.grid, &c.levels, again));
                again[place] = codes[place];
                ck_assert_mem_eq(again, codes, sizeof codes);
                run_backward(v, &c, w, N, x, dy, other, &sums, masks);
                other[place] = dx[place];
                ck_assert_mem_eq(other, dx, sizeof dx);
            }
            x[place] = kept;
        }
    }
}
END_TEST

START_TEST(instruction_sets_agree)
{
    static const char *const names[] = {"avx2", "avx512"};
    const srq_vector *base = srq_vector_best("x86-64");
    ck_assert_ptr_nonnull(base);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const srq_vector *v = srq_vector_best(names[k]);
        if (!v) continue; /* not on this CPU */
        for (int bits = 2; bits <= 8; bits++)
            for (int n = N - 3; n <= N; n++)
                for (way w = 0; w < WAYS; w++) {
                    const drop_case c = make_case(bits, 1, 0.4f, bits % 3);
                    float x[N], dy[N], a[N], b[N];
                    int8_t i[N], j[N];
                    double m[SRQ_LEVELS_MAX] = {0}, others[SRQ_LEVELS_MAX] = {0};
                    srq_grid_gradient s, t;
                    if (!has_way(w, &c)) continue;
                    make_inputs(&c.grid, x, dy);
                    base->dropbits->quantize((size_t)n, x, &c.grid, &c.levels, i);
                    v->dropbits->quantize((size_t)n, x, &c.grid, &c.levels, j);
                    ck_assert_mem_eq(i, j, (size_t)n);
                    run_backward(base, &c, w, (size_t)n, x, dy, a, &s, m);
                    run_backward(v, &c, w, (size_t)n, x, dy, b, &t, others);
                    ck_assert_mem_eq(a, b, (size_t)n * sizeof *a);
                    ck_assert_mem_eq(&s, &t, sizeof s);
                    ck_assert_mem_eq(m, others, sizeof m);
                }
    }
}
END_TEST

/* --- The quantizer as a network has it */

static srq_quantizer make_quantizer(srq_dropbits mode, int bits, int min_bits, int channels, srq_estimator estimator)
{
    srq_quantizer_spec spec = {.method = "srq", .estimator = estimator, .dropbits = mode, .min_bits = min_bits};
    spec.bits = (srq_bits_schedule){.count = 1, .bits = {bits}};
    spec.sigma_ratio = 1.0f / 3, spec.open = 0.9f, spec.per_channel = channels > 1;
    srq_quantizer q;
    ck_assert_msg(srq_quantizer_init(&spec, true, channels, &q) == SRQ_OK, "%s", srq_message());
    q.gates.count = bits - min_bits;
    return q;
}

/* In training the gates cut the grid; in evaluation it is whole, or what the bit-length says. */
START_TEST(gates_act_in_training)
{
    const srq_vector *v = srq_vector_best(NULL);
    const float x[] = {-9, -3.2f, -1.4f, 0, 0.6f, 1.3f, 9}, alpha[] = {1}, sigma[] = {0.3f};
    int8_t codes[7];
    srq_quantizer q = make_quantizer(SRQ_DROPBITS_REGULARIZE, 4, 2, 1, SRQ_ESTIMATOR_FULL);
    q.alpha = alpha, q.sigma = sigma;
    srq_gates_set(&q.gates, (const double[]){0, 0.5});
    q.training = true;
    ck_assert(srq_quantizer_forward(&q, v, 7, x, codes));
    ck_assert_mem_eq(codes, ((int8_t[]){-2, -2, -1, 0, 1, 1, 1}), 7);
    srq_gates_set(&q.gates, (const double[]){1, 0});
    ck_assert(srq_quantizer_forward(&q, v, 7, x, codes));
    ck_assert_mem_eq(codes, ((int8_t[]){-4, -3, -1, 0, 1, 1, 3}), 7);
    q.training = false;
    ck_assert(srq_quantizer_forward(&q, v, 7, x, codes));
    ck_assert_mem_eq(codes, ((int8_t[]){-8, -3, -1, 0, 1, 1, 7}), 7);
    srq_quantizer_set_bits(&q, 4, 3);
    ck_assert(srq_quantizer_forward(&q, v, 7, x, codes));
    ck_assert_mem_eq(codes, ((int8_t[]){-4, -3, -1, 0, 1, 1, 3}), 7);
}
END_TEST

/* dL/dphi through gate, mask and quantizer, for two rows with their own alpha and sigma: the same step's draw at
 * phi +- 1/1024 against the definition. */
START_TEST(gradients_reach_the_logits)
{
    enum { ROWS = 2, BITS = 4, MIN = 2, LEVELS = BITS - MIN };
    const srq_vector *v = srq_vector_best(NULL);
    const float alpha[ROWS] = {0.03f, 0.05f}, sigma[ROWS] = {0.01f, 0.02f}, phi[LEVELS] = {0.75f, 0.5f};
    float x[ROWS * N], dy[ROWS * N], dx[ROWS * N], by_alpha[ROWS], by_sigma[ROWS], gates[LEVELS];
    int8_t codes[ROWS * N];
    int moved[LEVELS] = {0};
    srq_random_normal(8, SRQ_RANDOM_TEST, 1, ROWS * N, 0.2f, x);
    srq_random_normal(8, SRQ_RANDOM_TEST, 2, ROWS * N, 1, dy);
    for (int estimator = 0; estimator < 2; estimator++)
        for (long step = 0; step < 40; step++) {
            srq_quantizer q = make_quantizer(SRQ_DROPBITS_LEARN, BITS, MIN, ROWS, (srq_estimator)estimator);
            q.alpha = alpha, q.sigma = sigma, q.training = true;
            srq_gates_draw(&q.gates, 1, step, 0, phi);
            ck_assert(srq_quantizer_forward(&q, v, ROWS * N, x, codes));
            srq_quantizer_backward(&q, v, ROWS * N, ROWS * N, x, dy, dx, by_alpha, by_sigma, gates);
            for (int c = 0; c < LEVELS; c++) {
                double side[2] = {0}, size = 0;
                const double h = 1.0 / 1024;
                bool corner = false; /* a gate closes or opens between the two: no derivative */
                for (int s = 0; s < 2; s++) {
                    float there[LEVELS];
                    memcpy(there, phi, sizeof phi);
                    there[c] += s ? (float)h : -(float)h;
                    srq_gates moved_gates = q.gates;
                    srq_gates_draw(&moved_gates, 1, step, 0, there);
                    corner = corner || (moved_gates.z[c] > 0) != (q.gates.z[c] > 0) ||
                             (moved_gates.z[c] < 1) != (q.gates.z[c] < 1);
                    definition d = {.mask = {1}, .min_bits = MIN, .count = LEVELS};
                    for (int i = 0; i < LEVELS; i++) d.mask[i + 1] = d.mask[i] * moved_gates.z[i];
                    for (int i = 0; i < ROWS * N; i++) {
                        d.alpha = (double)alpha[i / N], d.sigma = (double)sigma[i / N];
                        const double y =
                            relaxed(&d, (double)x[i], d.alpha, estimator == SRQ_ESTIMATOR_ARGMAX, codes[i]);
                        side[s] += (double)dy[i] * y;
                        size += fabs((double)dy[i] * y);
                    }
                }
                if (corner) continue;
                const double expected = (side[1] - side[0]) / (2 * h);
                moved[c] += expected != 0;
                /* h^2 / 6 times the third derivative by phi, which tau = 2/3 and the shape of r make some 50 of the
                 * values; rounding of float32 sums is less. */
                ck_assert_msg(fabs((double)gates[c] - expected) <= 1e-5 * size,
                              "estimator %d step %ld gate %d: %g, not %g", estimator, step, c, (double)gates[c],
                              expected);
            }
        }
    for (int c = 0; c < LEVELS; c++) ck_assert_int_gt(moved[c], 5);
}
END_TEST

/* Curves are not fitted where they would be off, and a quantizer takes them for a tensor that is worth it. */
START_TEST(curves_where_they_do)
{
    enum { MANY = 1 << 14 };
    const srq_vector *v = srq_vector_best(NULL);
    srq_gate_curves curves = {.rows = malloc(srq_gate_curves_size(1, 8) * sizeof(float))};
    drop_case c = make_case(4, 2, 0.51f, 0);
    ck_assert(!srq_gate_curves_fit(&c.grid, &c.levels, &curves) && !curves.fitted);
    c = make_case(4, 2, 0.23f, 0);
    ck_assert(!srq_gate_curves_fit(&c.grid, &c.levels, &curves));
    c = make_case(8, 2, 1.0f / 3, 2); /* masks below 1e-3 */
    ck_assert(!srq_gate_curves_fit(&c.grid, &c.levels, &curves));
    for (int bits = 2; bits <= 8; bits++) { /* the widest rows that the size allows for */
        c = make_case(bits, 1, 0.4999f, 0);
        for (int i = 0; i < c.levels.count; i++) c.levels.mask[i] = 1e-3f;
        ck_assert(srq_gate_curves_fit(&c.grid, &c.levels, &curves));
        ck_assert_uint_le((size_t)curves.bins * (size_t)curves.powers, srq_gate_curves_size(1, bits));
    }

    float *x = malloc(MANY * sizeof *x), *dy = malloc(MANY * sizeof *dy), *dx = malloc(MANY * sizeof *dx);
    float *other = malloc(MANY * sizeof *other);
    const float alpha[] = {0.05f}, sigma[] = {0.017f};
    float by_alpha[2], by_sigma[2], gates[2][2];
    srq_random_normal(8, SRQ_RANDOM_TEST, 1, MANY, 0.2f, x);
    srq_random_normal(8, SRQ_RANDOM_TEST, 2, MANY, 1, dy);
    srq_quantizer q = make_quantizer(SRQ_DROPBITS_REGULARIZE, 4, 2, 1, SRQ_ESTIMATOR_FULL);
    q.alpha = alpha, q.sigma = sigma, q.training = true;
    srq_gates_set(&q.gates, (const double[]){0.7, 0.4});
    q.gates.slope[0] = q.gates.slope[1] = 1;
    for (int i = 0; i < 2; i++) {
        q.gate_curves.rows = i ? curves.rows : NULL;
        q.elements = MANY;
        srq_quantizer_begin(&q);
        ck_assert_int_eq(q.gate_curves.fitted, i);
        srq_quantizer_backward(&q, v, MANY, MANY, x, dy, i ? dx : other, &by_alpha[i], &by_sigma[i], gates[i]);
    }
    ck_assert(memcmp(dx, other, MANY * sizeof *dx) != 0); /* two ways */
    double error = 0, size = 0;
    for (int i = 0; i < MANY; i++) {
        error = fmax(error, fabs((double)dx[i] - (double)other[i]));
        size += fabs((double)dy[i]);
    }
    /* As above; alpha / sigma is 2.9. */
    ck_assert_double_le(error, 1e-5 * 4);
    ck_assert_double_le(fabs((double)by_alpha[0] - (double)by_alpha[1]), 1e-5 * size);
    ck_assert_double_le(fabs((double)by_sigma[0] - (double)by_sigma[1]), 1e-5 * size);
    for (int i = 0; i < 2; i++)
        ck_assert_double_le(fabs((double)gates[0][i] - (double)gates[1][i]), 1e-5 * size * (double)alpha[0] * 8);
    q.elements = 100; /* fitting would take longer than it saves */
    srq_quantizer_begin(&q);
    ck_assert(!q.gate_curves.fitted);
    srq_gates_set(&q.gates, (const double[]){1, 0}); /* an ordinary grid */
    q.elements = MANY;
    srq_quantizer_begin(&q);
    ck_assert(!q.gate_curves.fitted && q.curves.fitted);
    free(x), free(dy), free(dx), free(other), free(curves.rows);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dropbits");
    TCase *tests = tcase_create("dropbits");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, gates_follow_their_distribution);
    tcase_add_test(tests, gates_are_independent);
    tcase_add_test(tests, gates_go_by_their_key);
    tcase_add_test(tests, slopes_of_gates);
    tcase_add_test(tests, levels_that_gates_leave);
    tcase_add_test(tests, gradient_of_gates);
    tcase_add_test(tests, quantizer_under_gates);
    tcase_add_test(tests, bad_numbers_and_places);
    tcase_add_test(tests, instruction_sets_agree);
    tcase_add_test(tests, curves_where_they_do);
    tcase_add_test(tests, gates_act_in_training);
    tcase_add_test(tests, gradients_reach_the_logits);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
