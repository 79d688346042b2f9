/* Relaxed Quantization (arXiv 1810.01875), built three times like vector.c.
 *
 * In z = softmax((log r_k + G_k) / temperature) everything in log r_k (method.md, section 2) that is the same for all
 * codes drops out, truncation included; what is left is the score
 *     l(u_k) + l(-v_k) + G_k,   l(t) = log S(t) = min(t, 0) - log(1 + e^-|t|),   v_k = u_{k-1}:
 * one exponential for each edge between two codes. With G = -log E, E exponentially distributed, the logarithms join:
 *     score_k = min(u_k, 0) + min(-v_k, 0) - log((1 + e^-|u_k|) (1 + e^-|v_k|) E_k).
 * Derivatives of the score, up to what is common to all codes, for codes k = c + i counted from the nearest one, c:
 *     by x:      (S(u_k) + S(v_k)) / sigma                                                        =: X_k / sigma
 *     by alpha:  (-c X_k + A_k) / sigma,   A_k = S(-u_k)(i + 1/2) - S(v_k)(i - 1/2)
 *     by sigma:  ((alpha c - x) X_k - alpha A_k) / sigma^2     (the score depends on x/sigma and alpha/sigma only)
 * and for any parameter d/dp sum_k z_k alpha k = alpha / temperature * sum_k z_k (i - mean of i) d score_k / dp.
 *
 * A block of LANES elements runs through its local grids together, as many codes as the largest of them has. */
#include "core/kernels/relaxed.h"

#include "core/random.h"

#include <math.h>
#include <string.h>

enum { LANES = 64, CALLS = LANES / 4, CODES_MAX = 256 };

/* What the blocks of one tensor share. */
typedef struct tensor {
    float alpha, sigma;
    float ratio;  /* alpha / sigma: an edge is this far from the next, in units of sigma */
    float radius; /* of the local grid, in codes */
    float min, max;
    /* x is cut to 24 sigma beyond the grid: S of an edge there is 4e-11 of 1, which changes nothing in float32, and
     * scores keep their precision, and stay finite, for any x. */
    float x_min, x_max;
    float sharpness; /* 1 / temperature */
    int levels;      /* codes of the whole grid */
    const srq_relaxation *relaxation;
} tensor;

/* One block. Everything is counted from the nearest code. */
typedef struct block {
    float near[LANES];               /* the nearest code */
    float gap[LANES];                /* alpha * near - x */
    float first[LANES];              /* of the local grid, minus near */
    float count[LANES];              /* codes in the local grid */
    int codes;                       /* the largest count */
    float rate[LANES], shift[LANES]; /* noise of the code at hand: G = shift - log(rate) */
    float best[LANES], top[LANES];   /* place in the local grid of the highest score, and that score */
    float total[LANES], mean[LANES]; /* sum of e^((score - top) / temperature), and the mean of i */
    float score[CODES_MAX][LANES];   /* then e^((score - top) / temperature), 0 beyond the local grid */
    float slope_x[CODES_MAX][LANES]; /* X */
    float slope_a[CODES_MAX][LANES]; /* A */
} block;

/* The edge between two codes: t = (edge - x) / sigma. */
typedef struct edge {
    float t[LANES];
    float one_q[LANES];               /* 1 + e^-|t| */
    float below[LANES], above[LANES]; /* S(t), S(-t) */
} edge;

static void fill_tensor(tensor *t, const srq_grid *grid, const srq_relaxation *relaxation)
{
    *t = (tensor){.alpha = grid->alpha, .sigma = grid->sigma, .ratio = grid->alpha / grid->sigma};
    t->min = (float)grid->min;
    t->max = (float)grid->max;
    t->levels = grid->max - grid->min + 1;
    t->x_min = grid->alpha * (t->min - 0.5f) - 24 * grid->sigma;
    t->x_max = grid->alpha * (t->max + 0.5f) + 24 * grid->sigma;
    const double deviation = 1.8137993642342178; /* pi / sqrt(3) */
    const double most = 1e7;                     /* above any |x / alpha| that `prepare` lets through */
    double radius = relaxation->reach > 0 ? (double)relaxation->reach * deviation / (double)t->ratio : most;
    t->radius = (float)(radius < most ? radius : most);
    t->sharpness = 1 / relaxation->temperature;
    t->relaxation = relaxation;
}

static inline float clamp_lane(float v, float min, float max)
{
    v = v >= min ? v : min;
    return v <= max ? v : max;
}

/* False if an x is infinite or NaN. */
static inline bool prepare(const tensor *t, const float *x, block *b)
{
    int32_t codes = 1;
    uint32_t bad = 0;
    for (int l = 0; l < LANES; l++) {
        float v = clamp_lane(x[l] / t->alpha, -1e6f, 1e6f);
        float near = round_lane(v, t->min, t->max);
        float low = clamp_lane(v - t->radius, t->min, t->max), high = clamp_lane(v + t->radius, t->min, t->max);
        float ceiling = round_lane(low, t->min, t->max), floor = round_lane(high, t->min, t->max);
        ceiling = ceiling < low ? ceiling + 1 : ceiling;
        floor = floor > high ? floor - 1 : floor;
        ceiling = ceiling < near ? ceiling : near;
        floor = floor > near ? floor : near;
        b->near[l] = near;
        b->first[l] = ceiling - near;
        b->count[l] = floor - ceiling + 1;
    }
    for (int l = 0; l < LANES; l++) {
        /* In float64, where the product is exact. */
        b->gap[l] = (float)((double)t->alpha * (double)b->near[l] - (double)clamp_lane(x[l], t->x_min, t->x_max));
    }
    for (int l = 0; l < LANES; l++) {
        float_bits value = {.value = x[l]};
        bad |= (value.bits & 0x7F800000u) == 0x7F800000u;
        int32_t here = (int32_t)b->count[l];
        codes = here > codes ? here : codes;
    }
    b->codes = codes;
    return !bad;
}

static inline void philox_round(uint32_t *c0, uint32_t *c1, uint32_t *c2, uint32_t *c3, uint32_t k0, uint32_t k1)
{
    uint64_t p0 = (uint64_t)0xD2511F53u * *c0, p1 = (uint64_t)0xCD9E8D57u * *c2;
    *c0 = (uint32_t)(p1 >> 32) ^ *c1 ^ k0;
    *c1 = (uint32_t)p1;
    *c2 = (uint32_t)(p0 >> 32) ^ *c3 ^ k1;
    *c3 = (uint32_t)p0;
}

/* CALLS calls of srq_philox side by side, their first outputs first: the layout in vector.h. */
static inline void draw(const srq_relaxation *r, size_t element, int code, uint32_t bits[LANES])
{
    const uint32_t first = (uint32_t)(element / 4), place = (uint32_t)code | (uint32_t)r->stream << 8, step = r->step;
    uint32_t k0[10], k1[10];
    for (uint32_t i = 0; i < 10; i++) {
        k0[i] = (uint32_t)r->seed + i * 0x9E3779B9u;
        k1[i] = (uint32_t)(r->seed >> 32) + i * 0xBB67AE85u;
    }
    for (uint32_t l = 0; l < CALLS; l++) {
        uint32_t c0 = first + l, c1 = place, c2 = step, c3 = SRQ_RANDOM_GUMBEL;
#pragma GCC unroll 10
        for (int i = 0; i < 10; i++) philox_round(&c0, &c1, &c2, &c3, k0[i], k1[i]);
        bits[l] = c0;
        bits[CALLS + l] = c1;
        bits[2 * CALLS + l] = c2;
        bits[3 * CALLS + l] = c3;
    }
}

/* -log(1 - V), V = (bits / 2 + 1/2) / 2^31. Where 1 - V is near 1, V itself is the mantissa's part of the logarithm and
 * keeps all of its digits: small values become the upper tail of the Gumbel variable. */
static inline float exponential_lane(uint32_t bits)
{
    const float unit = 4.656612873077393e-10f; /* 2^-31 */
    int32_t low = (int32_t)(bits >> 1), high = low ^ 0x7FFFFFFF;
    float v = ((float)low + 0.5f) * unit, rest = ((float)high + 0.5f) * unit;
    int32_t e = exponent_of(rest);
    return -log_parts((float)e, e == 0 ? -v : mantissa_of(rest, e) - 1.0f);
}

/* Sets b->rate and b->shift to the noise of local code j of the elements from `element` on. */
static inline void make_noise(const tensor *t, size_t element, size_t count, int j, block *b)
{
    const float *gumbel = t->relaxation->gumbel;
    if (!gumbel) {
        uint32_t bits[LANES];
        draw(t->relaxation, element, j, bits);
        for (int l = 0; l < LANES; l++) b->rate[l] = exponential_lane(bits[l]);
        for (int l = 0; l < LANES; l++) b->shift[l] = 0;
        return;
    }
    for (int l = 0; l < LANES; l++) {
        b->rate[l] = 1;
        b->shift[l] = 0;
        if ((size_t)l >= count || (float)j >= b->count[l]) continue;
        size_t code = (size_t)(int)(b->near[l] + b->first[l] - t->min) + (size_t)j;
        b->shift[l] = gumbel[(element + (size_t)l) * (size_t)t->levels + code];
    }
}

/* The edge below local code j. */
static inline void make_edge(const tensor *t, const block *b, int j, bool slopes, edge *e)
{
    const float below = (float)j - 0.5f, inverse_sigma = 1 / t->sigma;
    for (int l = 0; l < LANES; l++) {
        float at = b->gap[l] * inverse_sigma + (b->first[l] + below) * t->ratio;
        float q = exp_lane(-fabsf(at)), one_q = 1 + q;
        e->t[l] = at;
        e->one_q[l] = one_q;
        if (slopes) {
            float large = 1 / one_q, small = q / one_q;
            e->below[l] = at >= 0 ? large : small;
            e->above[l] = at >= 0 ? small : large;
        }
    }
}

/* Scores of local code j between its two edges. */
static inline void make_scores(const block *b, int j, const edge *lower, const edge *upper, float *score)
{
    const float place = (float)j;
    for (int l = 0; l < LANES; l++) {
        float u = upper->t[l] < 0 ? upper->t[l] : 0, v = lower->t[l] > 0 ? -lower->t[l] : 0;
        float s = ((u + v) - log_lane(upper->one_q[l] * lower->one_q[l] * b->rate[l])) + b->shift[l];
        score[l] = place < b->count[l] ? s : -1e30f;
    }
}

static inline void make_slopes(int j, const edge *lower, const edge *upper, block *b)
{
    for (int l = 0; l < LANES; l++) {
        float below = b->first[l] + (float)j - 0.5f, above = below + 1;
        b->slope_x[j][l] = upper->below[l] + lower->below[l];
        b->slope_a[j][l] = upper->above[l] * above - lower->below[l] * below;
    }
}

/* All scores of a block, their slopes if wanted, and the highest of each element. `keep`: scores are wanted too. */
static inline __attribute__((always_inline)) void scan(const tensor *t, size_t element, size_t count, bool keep,
                                                       bool slopes, block *b)
{
    edge edges[2];
    make_edge(t, b, 0, slopes, &edges[0]);
    for (int l = 0; l < LANES; l++) {
        b->best[l] = 0;
        b->top[l] = -1e30f;
    }
    for (int j = 0; j < b->codes; j++) {
        const edge *lower = &edges[j & 1], *upper = &edges[(j + 1) & 1];
        float *score = b->score[keep ? j : 0];
        make_edge(t, b, j + 1, slopes, &edges[(j + 1) & 1]);
        make_noise(t, element, count, j, b);
        make_scores(b, j, lower, upper, score);
        if (slopes) make_slopes(j, lower, upper, b);
        for (int l = 0; l < LANES; l++) {
            bool higher = score[l] > b->top[l];
            b->best[l] = higher ? (float)j : b->best[l];
            b->top[l] = higher ? score[l] : b->top[l];
        }
    }
}

/* z, but for the division by its sum, in place of the scores; and the mean of i. */
static inline void soften(const tensor *t, block *b)
{
    memset(b->total, 0, sizeof b->total);
    memset(b->mean, 0, sizeof b->mean);
    for (int j = 0; j < b->codes; j++) {
        const float place = (float)j;
        for (int l = 0; l < LANES; l++) {
            float e = exp_lane((b->score[j][l] - b->top[l]) * t->sharpness);
            e = place < b->count[l] ? e : 0;
            b->score[j][l] = e;
            b->total[l] += e;
            b->mean[l] += e * (b->first[l] + place);
        }
    }
    for (int l = 0; l < LANES; l++) b->mean[l] /= b->total[l];
}

/* dx, and what the elements add to the sums, from the slopes and z. `hard`: alpha moves the drawn code, not the mean.
 */
static inline void finish(const tensor *t, const block *b, bool hard, const float *dy, float *dx, float *alpha,
                          float *sigma)
{
    float sum_x[LANES] = {0}, sum_a[LANES] = {0};
    for (int j = 0; j < b->codes; j++)
        for (int l = 0; l < LANES; l++) {
            float weight = b->score[j][l] * (b->first[l] + (float)j - b->mean[l]);
            sum_x[l] += weight * b->slope_x[j][l];
            sum_a[l] += weight * b->slope_a[j][l];
        }
    const float scale = t->ratio * t->sharpness, inverse_sigma = 1 / t->sigma;
    for (int l = 0; l < LANES; l++) {
        float by_x = scale * (sum_x[l] / b->total[l]), by_a = scale * (sum_a[l] / b->total[l]);
        float code = b->near[l] + (hard ? b->first[l] + b->best[l] : b->mean[l]);
        dx[l] = dy[l] * by_x;
        alpha[l] = dy[l] * (code + (by_a - b->near[l] * by_x));
        sigma[l] = dy[l] * (b->gap[l] * inverse_sigma * by_x - t->ratio * by_a);
    }
}

/* `count` of the elements of x; zeros fill up the block. */
static inline void load(float lanes[LANES], const float *x, size_t count)
{
    if (count < LANES) memset(lanes, 0, LANES * sizeof *lanes);
    memcpy(lanes, x, count * sizeof *x);
}

static inline size_t block_size(size_t n, size_t i)
{
    return n - i < LANES ? n - i : LANES;
}

static inline __attribute__((always_inline)) void backward(size_t n, const float *x, const float *dy,
                                                           const srq_grid *grid, const srq_relaxation *relaxation,
                                                           bool hard, float *dx, srq_grid_gradient *sums)
{
    tensor t;
    block b;
    float in[LANES], gradient[LANES], out[LANES], by_alpha[LANES], by_sigma[LANES];
    double alpha[LANES] = {0}, sigma[LANES] = {0};
    fill_tensor(&t, grid, relaxation);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t count = block_size(n, i);
        load(in, x + i, count);
        load(gradient, dy + i, count);
        prepare(&t, in, &b);
        scan(&t, i, count, true, true, &b);
        soften(&t, &b);
        finish(&t, &b, hard, gradient, out, by_alpha, by_sigma);
        memcpy(dx + i, out, count * sizeof *dx);
        for (int l = 0; l < LANES; l++) alpha[l] += (double)by_alpha[l];
        for (int l = 0; l < LANES; l++) sigma[l] += (double)by_sigma[l];
    }
    *sums = (srq_grid_gradient){0};
    for (int l = 0; l < LANES; l++) {
        sums->alpha += alpha[l];
        sums->sigma += sigma[l];
    }
}

void SRQ_ISA_NAME(srq_rq_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid,
                                   const srq_relaxation *relaxation, float *dx, srq_grid_gradient *sums)
{
    backward(n, x, dy, grid, relaxation, false, dx, sums);
}

void SRQ_ISA_NAME(srq_rq_st_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid,
                                      const srq_relaxation *relaxation, float *dx, srq_grid_gradient *sums)
{
    backward(n, x, dy, grid, relaxation, true, dx, sums);
}

bool SRQ_ISA_NAME(srq_rq_forward)(size_t n, const float *x, const srq_grid *grid, const srq_relaxation *relaxation,
                                  float *y)
{
    tensor t;
    block b;
    float in[LANES], out[LANES];
    bool finite = true;
    fill_tensor(&t, grid, relaxation);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t count = block_size(n, i);
        load(in, x + i, count);
        finite = prepare(&t, in, &b) && finite;
        scan(&t, i, count, true, false, &b);
        soften(&t, &b);
        for (int l = 0; l < LANES; l++) out[l] = t.alpha * (b.near[l] + b.mean[l]);
        memcpy(y + i, out, count * sizeof *y);
    }
    return finite;
}

bool SRQ_ISA_NAME(srq_rq_st_forward)(size_t n, const float *x, const srq_grid *grid, const srq_relaxation *relaxation,
                                     void *codes)
{
    tensor t;
    block b;
    float in[LANES];
    uint8_t *out = codes; /* of either sign, as in vector.c */
    bool finite = true;
    fill_tensor(&t, grid, relaxation);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t count = block_size(n, i);
        load(in, x + i, count);
        finite = prepare(&t, in, &b) && finite;
        scan(&t, i, count, false, false, &b);
        uint8_t bytes[LANES];
        for (int l = 0; l < LANES; l++) bytes[l] = (uint8_t)(int32_t)(b.near[l] + (b.first[l] + b.best[l]));
        memcpy(out + i, bytes, count);
    }
    return finite;
}

void SRQ_ISA_NAME(srq_gumbel)(size_t n, int codes, const srq_relaxation *relaxation, float *g)
{
    for (size_t i = 0; i < n; i += LANES)
        for (int j = 0; j < codes; j++) {
            const size_t count = block_size(n, i);
            uint32_t bits[LANES];
            float lanes[LANES];
            draw(relaxation, i, j, bits);
            for (int l = 0; l < LANES; l++) lanes[l] = -log_lane(exponential_lane(bits[l]));
            for (size_t l = 0; l < count; l++) g[(i + l) * (size_t)codes + (size_t)j] = lanes[l];
        }
}
