/* The quantizer with fractional gates of DropBits by its definition, a sum over all 2^b codes in float64; its central
 * differences; and cases for tests. */
#ifndef SRQ_TESTS_CORE_DROPBITS_H
#define SRQ_TESTS_CORE_DROPBITS_H

#include "core/quant/methods.h"
#include "core/random.h"
#include "tests/suite.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct definition {
    double alpha, sigma, mask[SRQ_LEVELS_MAX + 1]; /* of level c0 + i */
    int min_bits, count;
} definition;

static inline double log_sigmoid(double t)
{
    return t < 0 ? t - log1p(exp(t)) : -log1p(exp(-t));
}

static inline int level_of(const definition *d, int code)
{
    int i = 0;
    while (code < -(1 << (d->min_bits + i - 1)) || code >= 1 << (d->min_bits + i - 1)) i++;
    return i;
}

/* log p_k, without terms that are equal for all codes: S(u) - S(v) = S(u) S(-v) (1 - e^(v-u)). */
static inline double log_mass(const definition *d, double x, int k)
{
    return log_sigmoid((d->alpha * (k + 0.5) - x) / d->sigma) + log_sigmoid((x - d->alpha * (k - 0.5)) / d->sigma);
}

/* r_k of every code, r[k - min]. */
static inline void probabilities(const definition *d, double x, double *r)
{
    const int half = 1 << (d->min_bits + d->count - 1);
    double largest = -INFINITY, sum = 0;
    for (int k = -half; k < half; k++) largest = fmax(largest, r[k + half] = log_mass(d, x, k));
    for (int k = -half; k < half; k++) sum += r[k + half] = d->mask[level_of(d, k)] * exp(r[k + half] - largest);
    for (int k = -half; k < half; k++) r[k + half] /= sum;
}

/* The relaxed output with fixed points alpha0 * k; with `argmax`, only the term of code i. */
static inline double relaxed(const definition *d, double x, double alpha0, bool argmax, int i)
{
    const int half = 1 << (d->min_bits + d->count - 1);
    double r[256] = {0}, sum = 0;
    probabilities(d, x, r);
    if (argmax) return alpha0 * i * r[i + half];
    for (int k = -half; k < half; k++) sum += alpha0 * k * r[k + half];
    return sum;
}

typedef struct slopes {
    double x, alpha, sigma, mask[SRQ_LEVELS_MAX];
} slopes;

/* Central differences. The steps balance truncation and rounding at a relative error near 1e-8. */
static inline slopes expected_slopes(const definition *d, double x, bool argmax, int code)
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
static inline drop_case make_case(int bits, int min_bits, float ratio, int kind)
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

/* Inputs across the grid and beyond it, around edges in units of the noise, far outside, so far that x / alpha is
 * infinite, zeros of both signs, and a denormal. */
static inline void make_inputs(const srq_grid *grid, float *x, float *dy)
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

/* Beyond 80 sigma from the grid, the ratios of the codes are constant: they are proportional to e^(alpha k / sigma)
 * times their masks. float64 can still distinguish edges here. */
static inline double within_sight(double x, const srq_grid *grid)
{
    const double beyond = 0.5 * (double)grid->alpha + 80 * (double)grid->sigma;
    return fmin(fmax(x, (double)grid->alpha * grid->min - beyond), (double)grid->alpha * grid->max + beyond);
}

#endif
