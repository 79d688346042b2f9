/* Relaxed Quantization (arXiv 1810.01875), built three times like vector.c.
 *
 * In z = softmax((log r_k + G_k) / temperature), all terms of log r_k (method.md, section 2) that are equal for all
 * codes cancel, including the truncation. With G = -log E, where E is exponentially distributed, the remaining term is
 * the score
 *     log w_k,   w_k = S(u_k) S(-v_k) / E_k,   v_k = u_{k-1}:
 * the code with the largest w is drawn at any temperature, and at temperature 1, z is w divided by its sum. At other
 * temperatures, a first pass computes the scores as
 *     min(u_k, 0) + min(-v_k, 0) - log((1 + e^-|u_k|) (1 + e^-|v_k|) E_k),
 * which also covers codes whose w underflows in float32.
 *
 * Derivatives of the score, without terms that are common to all codes, for codes k = c + i counted from the nearest
 * one, c:
 *     by x:      (S(u_k) + S(v_k)) / sigma                                                        =: X_k / sigma
 *     by alpha:  (-c X_k + A_k) / sigma,   A_k = S(-u_k)(i + 1/2) - S(v_k)(i - 1/2)
 *     by sigma:  ((alpha c - x) X_k - alpha A_k) / sigma^2     (the score depends on x/sigma and alpha/sigma only)
 * and for any parameter d/dp sum_k z_k alpha k = alpha / temperature * sum_k z_k (i - mean of i) d score_k / dp, from
 * the sums of w, w i, w X, w i X, w A and w i A.
 *
 * An edge t between two codes is kept as three numbers with S(t) = low / sum and S(-t) = high / sum, so that
 *     w_k = low_u high_v / (sum_u sum_v E_k) :
 * one division for each code, which also gives S(u_k) and S(-u_k). There are two kinds of edges.
 *
 * Wide: low and high are 1 and q = e^-|t| (which one is which depends on the sign of t), sum = 1 + q, and |t| is cut at
 * 84, far beyond the point where S(t) and S(-t) become 0 and 1. Of low_u and high_v one is 1, as u > v, and E is 2^-32
 * to 22.2. So w is above e^-84 / 22.2 = 3e-38, a normal number, or near to 1 / (4 * 22.2), and below 2^32. Where the
 * cut changes S(u) or S(-v), w is below e^-84 2^32 = e^-61.8. The nearest code has at least e^-24 / 22.2 = e^-27.1, as
 * x is cut to 24 sigma beyond the grid: 8e-16 of it, by which the cut changes no sum of 256 codes and no decision.
 *
 * Narrow: used if no edge of a local grid is further than 40 from x, as with the usual reach. low = e^t, high = 1, sum
 * = 1 + e^t, and e^t is e^t of the lowest edge times e^(j alpha / sigma) from a table. So there is one exponential for
 * each element. sum_u sum_v E is below e^84 and w above e^-40 / (4 * 22.2). A block also computes edges above an
 * element's local grid. They are cut at e^40, so their results are finite, and they are not used.
 *
 * A block of LANES elements processes its local grids together, with as many codes as the largest of them has. */
#include "core/kernels/relaxed.h"

#include "core/kernels/philox.h"

#include <math.h>
#include <string.h>

enum { LANES = PHILOX_NUMBERS, CODES_MAX = 256 };

/* Values that are equal for all blocks of a tensor. */
typedef struct tensor {
    float alpha, sigma;
    float ratio;  /* alpha / sigma: the distance between edges in units of sigma */
    float radius; /* half the width of the local grid, in codes */
    float min, max;
    /* x is cut to 24 sigma outside of the grid. There S of an edge differs from 1 by 4e-11, which is nothing in
     * float32. So scores are precise and finite for any x. */
    float x_min, x_max;
    float sharpness; /* 1 / temperature */
    int levels;      /* codes of the whole grid */
    const srq_relaxation *relaxation;
    philox_keys noise;
    bool direct;                /* compute z from w: the temperature is 1 */
    bool narrow;                /* use narrow edges; only if `direct` */
    float power[CODES_MAX + 1]; /* e^(j ratio), if narrow */
} tensor;

/* One block. Codes are counted from the nearest one. */
typedef struct block {
    _Alignas(64) float near[LANES];            /* the nearest code */
    float gap[LANES];                          /* alpha * near - x */
    float first[LANES];                        /* of the local grid, minus near */
    float count[LANES];                        /* codes in the local grid */
    float lowest[LANES];                       /* e^t of the lowest edge, if narrow */
    float low[LANES], high[LANES], sum[LANES]; /* of the edge below the current code */
    float below[LANES];                        /* S(t) of it */
    float at[LANES];                           /* t of it */
    float rate[LANES];                         /* E of the current code */
    float best[LANES], highest[LANES];         /* position of the largest w in the local grid, and that w */
    float total[LANES], place[LANES];          /* sums of w and w i */
    float by_x[LANES], by_x_place[LANES];      /* of w X and w i X */
    float by_a[LANES], by_a_place[LANES];      /* of w A and w i A */
    float top[LANES];                          /* the score of `best` */
    float score[CODES_MAX][LANES];             /* -1e30 beyond the local grid */
    int codes;                                 /* the largest count */
} block;

/* e^(j ratio) for j up to `count`, infinite if float32 overflows. It is not computed with the C library's exp, which
 * differs between machines. The series of e^(ratio / 1024), squared ten times, is accurate to 1e-12 for ratios
 * below 40. */
static void make_powers(double ratio, int count, float *power)
{
    const double part = ratio / 1024;
    double step = 1, all = 1;
    for (int i = 8; i > 0; i--) step = 1 + step * part / i;
    for (int i = 0; i < 10; i++) step *= step;
    for (int j = 0; j <= count; j++, all *= step) power[j] = all < 3e38 ? (float)all : INFINITY;
}

/* The furthest edge of any local grid: of the nearest code only, of a grid around x, or of the whole grid. */
static double furthest_edge(const tensor *t)
{
    const double ratio = (double)t->ratio, one = 24 + ratio, around = ((double)t->radius + 1) * ratio,
                 whole = 24 + t->levels * ratio;
    const double some = around > one ? around : one;
    return some < whole ? some : whole;
}

static void fill_tensor(tensor *t, const srq_grid *grid, const srq_relaxation *relaxation)
{
    t->alpha = grid->alpha;
    t->sigma = grid->sigma;
    t->ratio = grid->alpha / grid->sigma;
    t->min = (float)grid->min;
    t->max = (float)grid->max;
    t->levels = grid->max - grid->min + 1;
    t->x_min = grid->alpha * (t->min - 0.5f) - 24 * grid->sigma;
    t->x_max = grid->alpha * (t->max + 0.5f) + 24 * grid->sigma;
    const double deviation = 1.8137993642342178; /* pi / sqrt(3) */
    const double most = 1e7;                     /* above any |x / alpha| that `prepare` accepts */
    double radius = relaxation->reach > 0 ? (double)relaxation->reach * deviation / (double)t->ratio : most;
    t->radius = (float)(radius < most ? radius : most);
    t->sharpness = 1 / relaxation->temperature;
    t->relaxation = relaxation;
    philox_make_keys(relaxation->seed, &t->noise);
    t->direct = t->sharpness == 1;
    t->narrow = t->direct && furthest_edge(t) <= 40;
    if (t->narrow) make_powers((double)grid->alpha / (double)grid->sigma, t->levels, t->power);
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
        /* In float64, in which the product is exact. */
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

/* The numbers of code `code` of the elements from `element` on, ordered by output word (the layout in vector.h). */
static inline void draw(const srq_relaxation *r, const philox_keys *keys, size_t element, int code,
                        uint32_t bits[PHILOX_NUMBERS])
{
    philox_block((uint32_t)(element / 4), (uint32_t)code | (uint32_t)r->stream << 8, r->step, SRQ_RANDOM_GUMBEL, keys,
                 bits);
}

/* -log(1 - V), V = (bits / 2 + 1/2) / 2^31. If 1 - V is near 1, V itself is used in the logarithm, so it keeps all of
 * its digits. Small values of V become the upper tail of the Gumbel variable. */
static inline float exponential_lane(uint32_t bits)
{
    const float unit = 4.656612873077393e-10f; /* 2^-31 */
    int32_t low = (int32_t)(bits >> 1), high = low ^ 0x7FFFFFFF;
    float v = ((float)low + 0.5f) * unit, rest = ((float)high + 0.5f) * unit;
    int32_t e = exponent_of(rest);
    return -log_parts((float)e, e == 0 ? -v : mantissa_of(rest, e) - 1.0f);
}

/* Sets b->rate to the noise of local code j of the elements from `element` on. */
static inline void make_noise(const tensor *t, size_t element, size_t count, int j, block *b)
{
    const float *gumbel = t->relaxation->gumbel;
    if (!gumbel) {
        _Alignas(64) uint32_t bits[LANES];
        draw(t->relaxation, &t->noise, element, j, bits);
        for (int l = 0; l < LANES; l++) b->rate[l] = exponential_lane(bits[l]);
        return;
    }
    for (int l = 0; l < LANES; l++) {
        b->rate[l] = 1;
        if ((size_t)l >= count || (float)j >= b->count[l]) continue;
        size_t code = (size_t)(int)(b->near[l] + b->first[l] - t->min) + (size_t)j;
        b->rate[l] = exp_lane(-gumbel[(element + (size_t)l) * (size_t)t->levels + code]);
    }
}

typedef struct edge {
    float at, low, high, sum;
} edge;

/* The edge below local code j of lane l. */
static inline edge edge_lane(const tensor *t, const block *b, int j, int l, bool narrow)
{
    if (narrow) {
        const float most = 2.3538526e17f; /* e^40 */
        float low = b->lowest[l] * t->power[j];
        low = low < most ? low : most;
        return (edge){.low = low, .high = 1, .sum = 1 + low};
    }
    float at = b->gap[l] * (1 / t->sigma) + (b->first[l] + ((float)j - 0.5f)) * t->ratio, far = -fabsf(at);
    float q = exp_near_lane(far >= -84.0f ? far : -84.0f);
    return (edge){.at = at, .low = at >= 0 ? 1 : q, .high = at >= 0 ? q : 1, .sum = 1 + q};
}

static inline void keep_edge(block *b, int l, edge e, bool narrow)
{
    b->low[l] = e.low;
    b->sum[l] = e.sum;
    if (narrow) return;
    b->at[l] = e.at;
    b->high[l] = e.high;
}

/* Computes the lowest edge, and sets the sums to 0. */
static inline void begin_codes(const tensor *t, bool narrow, block *b)
{
    if (narrow)
        for (int l = 0; l < LANES; l++)
            b->lowest[l] = exp_near_lane(b->gap[l] * (1 / t->sigma) + (b->first[l] - 0.5f) * t->ratio);
    for (int l = 0; l < LANES; l++) {
        const edge e = edge_lane(t, b, 0, l, narrow);
        keep_edge(b, l, e, narrow);
        b->below[l] = e.low / e.sum;
        b->total[l] = b->place[l] = 0;
        b->by_x[l] = b->by_x_place[l] = b->by_a[l] = b->by_a_place[l] = 0;
    }
}

/* Adds local code j of weight w to the sums. S(-u) is `above`, S(u) is `below`, of the edge above the code. */
static inline void add_code(block *b, int l, int j, float w, bool slopes, float below, float above)
{
    const float i = b->first[l] + (float)j, w_i = w * i;
    b->total[l] += w;
    b->place[l] += w_i;
    if (!slopes) return;
    const float x = below + b->below[l], a = above * (i + 0.5f) - b->below[l] * (i - 0.5f);
    b->by_x[l] += w * x;
    b->by_x_place[l] += w_i * x;
    b->by_a[l] += w * a;
    b->by_a_place[l] += w_i * a;
    b->below[l] = below;
}

/* What a pass over the codes of a block computes. All except FIND_MEAN also find the best code. */
typedef enum find { FIND_BEST, FIND_MEAN, FIND_SLOPES, FIND_SCORES } find;

static inline __attribute__((always_inline)) void scan(const tensor *t, size_t element, size_t count, bool narrow,
                                                       find what, block *b)
{
    const bool sums = what == FIND_MEAN || what == FIND_SLOPES, slopes = what == FIND_SLOPES;
    begin_codes(t, narrow, b);
    for (int l = 0; l < LANES; l++) b->best[l] = b->highest[l] = 0;
    for (int j = 0; j < b->codes; j++) {
        const float here = (float)j;
        make_noise(t, element, count, j, b);
        for (int l = 0; l < LANES; l++) {
            const edge u = edge_lane(t, b, j + 1, l, narrow);
            const float rest = b->sum[l] * b->rate[l], q = 1 / (u.sum * rest);
            float w = narrow ? u.low * q : u.low * b->high[l] * q;
            w = here < b->count[l] ? w : 0;
            const bool higher = w > b->highest[l];
            if (what != FIND_MEAN) {
                b->best[l] = higher ? here : b->best[l];
                b->highest[l] = higher ? w : b->highest[l];
            }
            if (what == FIND_SCORES) {
                const float under = u.at < 0 ? u.at : 0, over = b->at[l] > 0 ? -b->at[l] : 0;
                const float score = under + over - log_lane(u.sum * rest);
                b->score[j][l] = here < b->count[l] ? score : -1e30f;
                b->top[l] = higher ? score : b->top[l];
            }
            if (sums) {
                const float above = u.high * (q * rest);
                add_code(b, l, j, w, slopes, u.low * (q * rest), above);
            }
            keep_edge(b, l, u, narrow);
        }
    }
}

/* Computes the sums from the scores. */
static inline __attribute__((always_inline)) void soften(const tensor *t, bool slopes, block *b)
{
    begin_codes(t, false, b);
    for (int j = 0; j < b->codes; j++) {
        const float here = (float)j;
        for (int l = 0; l < LANES; l++) {
            const edge u = edge_lane(t, b, j + 1, l, false);
            float w = exp_lane((b->score[j][l] - b->top[l]) * t->sharpness);
            w = here < b->count[l] ? w : 0;
            add_code(b, l, j, w, slopes, u.low / u.sum, u.high / u.sum);
        }
    }
}

/* Computes the sums of a block and, if `slopes`, the best code. */
static void sum_up(const tensor *t, size_t element, size_t count, bool slopes, block *b)
{
    if (!t->direct) {
        scan(t, element, count, false, FIND_SCORES, b);
        slopes ? soften(t, true, b) : soften(t, false, b);
    } else if (t->narrow) {
        slopes ? scan(t, element, count, true, FIND_SLOPES, b) : scan(t, element, count, true, FIND_MEAN, b);
    } else {
        slopes ? scan(t, element, count, false, FIND_SLOPES, b) : scan(t, element, count, false, FIND_MEAN, b);
    }
}

static void find_best(const tensor *t, size_t element, size_t count, block *b)
{
    if (t->narrow)
        scan(t, element, count, true, FIND_BEST, b);
    else
        scan(t, element, count, false, FIND_BEST, b);
}

/* Computes dx and the contributions to the sums. `hard`: alpha scales the drawn code, not the mean. */
static inline void finish(const tensor *t, const block *b, bool hard, const float *dy, float *dx, float *alpha,
                          float *sigma)
{
    const float scale = t->ratio * t->sharpness, inverse_sigma = 1 / t->sigma;
    for (int l = 0; l < LANES; l++) {
        float share = 1 / b->total[l], mean = b->place[l] * share;
        float by_x = scale * ((b->by_x_place[l] - mean * b->by_x[l]) * share);
        float by_a = scale * ((b->by_a_place[l] - mean * b->by_a[l]) * share);
        float code = b->near[l] + (hard ? b->first[l] + b->best[l] : mean);
        dx[l] = dy[l] * by_x;
        alpha[l] = dy[l] * (code + (by_a - b->near[l] * by_x));
        sigma[l] = dy[l] * (b->gap[l] * inverse_sigma * by_x - t->ratio * by_a);
    }
}

/* Loads `count` elements of x; the rest of the block is zeros. */
static inline void load(float lanes[LANES], const float *x, size_t count)
{
    if (count < LANES) memset(lanes, 0, LANES * sizeof *lanes);
    memcpy(lanes, x, count * sizeof *x);
}

static inline size_t block_size(size_t n, size_t i)
{
    return n - i < LANES ? n - i : LANES;
}

static void backward(size_t n, const float *x, const float *dy, const srq_grid *grid, const srq_relaxation *relaxation,
                     bool hard, float *dx, srq_grid_gradient *sums)
{
    tensor t;
    block b;
    _Alignas(64) float in[LANES], gradient[LANES], out[LANES], by_alpha[LANES], by_sigma[LANES];
    double alpha[LANES] = {0}, sigma[LANES] = {0};
    fill_tensor(&t, grid, relaxation);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t count = block_size(n, i);
        load(in, x + i, count);
        load(gradient, dy + i, count);
        prepare(&t, in, &b);
        sum_up(&t, i, count, true, &b);
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
    _Alignas(64) float in[LANES], out[LANES];
    bool finite = true;
    fill_tensor(&t, grid, relaxation);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t count = block_size(n, i);
        load(in, x + i, count);
        finite = prepare(&t, in, &b) && finite;
        sum_up(&t, i, count, false, &b);
        for (int l = 0; l < LANES; l++) out[l] = t.alpha * (b.near[l] + b.place[l] / b.total[l]);
        memcpy(y + i, out, count * sizeof *y);
    }
    return finite;
}

bool SRQ_ISA_NAME(srq_rq_st_forward)(size_t n, const float *x, const srq_grid *grid, const srq_relaxation *relaxation,
                                     void *codes)
{
    tensor t;
    block b;
    _Alignas(64) float in[LANES];
    uint8_t *out = codes; /* of either sign, as in vector.c */
    bool finite = true;
    fill_tensor(&t, grid, relaxation);
    for (size_t i = 0; i < n; i += LANES) {
        const size_t count = block_size(n, i);
        load(in, x + i, count);
        finite = prepare(&t, in, &b) && finite;
        find_best(&t, i, count, &b);
        uint8_t bytes[LANES];
        for (int l = 0; l < LANES; l++) bytes[l] = (uint8_t)(int32_t)(b.near[l] + (b.first[l] + b.best[l]));
        memcpy(out + i, bytes, count);
    }
    return finite;
}

void SRQ_ISA_NAME(srq_gumbel)(size_t n, int codes, const srq_relaxation *relaxation, float *g)
{
    philox_keys noise;
    philox_make_keys(relaxation->seed, &noise);
    for (size_t i = 0; i < n; i += LANES)
        for (int j = 0; j < codes; j++) {
            const size_t count = block_size(n, i);
            uint32_t bits[LANES];
            float lanes[LANES];
            draw(relaxation, &noise, i, j, bits);
            for (int l = 0; l < LANES; l++) lanes[l] = -log_lane(exponential_lane(bits[l]));
            for (size_t l = 0; l < count; l++) g[(i + l) * (size_t)codes + (size_t)j] = lanes[l];
        }
}
