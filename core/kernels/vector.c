/* Built three times, with SRQ_ISA = baseline, avx2, avx512: see vector.h and CMakeLists.txt.
 *
 * The inner loops run over LANES elements held in arrays, which the compiler keeps in vector registers; sums have
 * LANES accumulators that are added in one order at the end, whatever the width of a register is. */
#include "core/kernels/vector.h"

#include "core/kernels/lanes.h"
#include "core/kernels/relaxed.h"

#include <math.h>
#include <string.h>

enum { LANES = 64, EDGES_MAX = 513 };

static void add(size_t n, float *y, const float *x)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

static bool is_finite(size_t n, const float *x)
{
    float lanes[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lanes[l] += x[i + (size_t)l] - x[i + (size_t)l];
    for (; i < n; i++) lanes[0] += x[i] - x[i];
    float sum = 0;
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum == 0;
}

static void relu(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i];
}

static void relu_backward(size_t n, const float *y, const float *dy, float *dx)
{
    for (size_t i = 0; i < n; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
}

static void add_rows(size_t rows, size_t n, float *y, const float *b)
{
    for (size_t r = 0; r < rows; r++, y += n)
        for (size_t c = 0; c < n; c++) y[c] += b[c];
}

static void sum_rows(size_t rows, size_t n, const float *y, float *s)
{
    /* Blocks of 256 rows summed apart keep the rounding error of long sums small. */
    enum { BLOCK = 256, WIDTH = 64 };
    for (size_t c0 = 0; c0 < n; c0 += WIDTH) {
        size_t width = n - c0 < WIDTH ? n - c0 : WIDTH;
        double total[WIDTH] = {0};
        for (size_t r0 = 0; r0 < rows; r0 += BLOCK) {
            size_t r1 = rows - r0 < BLOCK ? rows : r0 + BLOCK;
            float block[WIDTH] = {0};
            for (size_t r = r0; r < r1; r++)
                for (size_t c = 0; c < width; c++) block[c] += y[r * n + c0 + c];
            for (size_t c = 0; c < width; c++) total[c] += (double)block[c];
        }
        for (size_t c = 0; c < width; c++) s[c0 + c] = (float)total[c];
    }
}

static void max_update(size_t n, const float *x, int32_t k, float *y, int32_t *where)
{
    for (size_t i = 0; i < n; i++) {
        int larger = !(x[i] <= y[i]);
        y[i] = larger ? x[i] : y[i];
        where[i] = larger ? k : where[i];
    }
}

static void max_scatter(size_t n, const float *dy, const int32_t *where, int32_t k, float *dx)
{
    for (size_t i = 0; i < n; i++) dx[i] += where[i] == k ? dy[i] : 0;
}

static void widen_u8(size_t n, const uint8_t *x, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = (float)x[i];
}

static void widen_s8(size_t n, const int8_t *x, float *y)
{
    for (size_t i = 0; i < n; i++) y[i] = (float)x[i];
}

static bool quantize(size_t n, const float *x, const srq_grid *grid, void *codes)
{
    const float alpha = grid->alpha, min = (float)grid->min, max = (float)grid->max;
    /* One byte holds either sign: an int8_t and the uint8_t of the same value modulo 256 are the same bits. */
    uint8_t *out = codes;
    for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(int32_t)round_lane(x[i] / alpha, min, max);
    return is_finite(n, x);
}

static double quantize_error(size_t n, const float *x, const srq_grid *grid)
{
    const float alpha = grid->alpha, min = (float)grid->min, max = (float)grid->max;
    double lanes[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES) {
        int count = n - i < LANES ? (int)(n - i) : LANES;
        for (int l = 0; l < count; l++) {
            float v = x[i + (size_t)l];
            double d = (double)v - (double)alpha * (double)round_lane(v / alpha, min, max);
            lanes[l] += d * d;
        }
    }
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

/* --- Backward of the quantizers. A block of LANES elements is copied in (zeros with gradient 0 fill the last one),
 * computed, and copied out, so that the arithmetic below always sees whole blocks. */

typedef struct block {
    float x[LANES], dy[LANES], dx[LANES];
    float alpha[LANES], sigma[LANES]; /* dy times the derivative of the output by alpha and by sigma */
} block;

/* What the blocks of one tensor share. */
typedef struct grid_tables {
    float alpha, sigma;
    float min, max;
    int n;      /* codes */
    int window; /* edges on each side of x that matter */
    /* q[EDGES_MAX + d] = e^(-d alpha / sigma), the factor from one edge to the one d above it. Cut at 1e37:
     * an edge that far below x has S = 0 in float32 either way. */
    float q[2 * EDGES_MAX];
} grid_tables;

typedef void (*block_function)(const grid_tables *tables, block *b);

static inline void run_blocks(block_function function, const grid_tables *tables, size_t n, const float *x,
                              const float *dy, float *dx, srq_grid_gradient *sums)
{
    double alpha[LANES] = {0}, sigma[LANES] = {0};
    block b;
    for (size_t i = 0; i < n; i += LANES) {
        size_t count = n - i < LANES ? n - i : LANES;
        if (count < LANES) {
            memset(b.x, 0, sizeof b.x);
            memset(b.dy, 0, sizeof b.dy);
        }
        memcpy(b.x, x + i, count * sizeof *x);
        memcpy(b.dy, dy + i, count * sizeof *dy);
        function(tables, &b);
        memcpy(dx + i, b.dx, count * sizeof *dx);
        for (int l = 0; l < LANES; l++) alpha[l] += (double)b.alpha[l];
        for (int l = 0; l < LANES; l++) sigma[l] += (double)b.sigma[l];
    }
    sums->alpha = sums->sigma = 0;
    for (int l = 0; l < LANES; l++) {
        sums->alpha += alpha[l];
        sums->sigma += sigma[l];
    }
}

static inline void ste_block(const grid_tables *t, block *b)
{
    for (int l = 0; l < LANES; l++) {
        float v = b->x[l] / t->alpha;
        float code = round_lane(v, t->min, t->max);
        bool inside = v >= t->min && v <= t->max;
        b->dx[l] = inside ? b->dy[l] : 0;
        b->alpha[l] = b->dy[l] * (inside ? code - v : code);
        b->sigma[l] = 0;
    }
}

static void ste_backward(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                         srq_grid_gradient *sums)
{
    grid_tables t = {.alpha = grid->alpha, .min = (float)grid->min, .max = (float)grid->max};
    run_blocks(ste_block, &t, n, x, dy, dx, sums);
}

/* SRQ. Edges of the bins are e_j = alpha a_j, a_j = m - 1/2 + j, j = 0..n, and F_j = S((e_j - x) / sigma), so that
 * r_k = (F_{j+1} - F_j) / (F_n - F_0) with j = k - m.
 *
 * Reflection: x below the middle of the grid is replaced by -x on the mirrored grid, so differences of F are taken
 * where they are well conditioned. The reflected code has max' = -min; dx is the same, the sums change sign.
 *
 * Reference edge p, the nearest to x: with s = e^((e_p - x)/sigma) and Q_d = e^(-d alpha/sigma),
 *     F_j = s / (s + Q_{j-p}),   1 - F_j = Q_{j-p} / (s + Q_{j-p}),   H_j = F_j / F_p = (1 + s) / (s + Q_{j-p}).
 * One exponential an element; and H keeps its relative precision when x is so far above the grid that every F
 * underflows.
 *
 * `full`: with R = sum_{0<j<n} (H_j - H_0) / (H_n - H_0) the expectation is E = alpha (M - R), and
 *     dE/dx = alpha F_p / (sigma (H_n - H_0)) * sum_{0<j<n} (H_j - H_0)(H_n - H_j):
 * every term is positive, nothing cancels. For alpha, edges move by a_j = a_p + (j - p):
 *     sum_k g_k dr_k/dalpha = -a_p dE/dx - (alpha / sigma) C,
 *     C = [sum_{0<j<n} (j-p) h_j - (n-1-R) (0-p) h_0 - R (n-p) h_n] / (H_n - H_0),   h_j = H_j (1 - F_j),
 * and by homogeneity sum_k g_k dr_k/dsigma = -((x - e_p) dE/dx - alpha^2/sigma C) / sigma. Edges farther than the
 * window from x have h = 0 and (H_j - H_0)(H_n - H_j) = 0 to float32's precision; above the window they count 1
 * each in R.
 *
 * `argmax`: with edges p1 = p or p + 1 above the code i and p1 - 1 below it, r = (H_{p1} - H_{p1-1}) / (H_n - H_0),
 *     dr/dx = (r / sigma) F_p (H_{p1} + H_{p1-1} - H_n - H_0),
 *     dr/dalpha = -a_p dr/dx + [(p1-p) h_{p1} - (p1-1-p) h_{p1-1} - r ((n-p) h_n + p h_0)] / (sigma (H_n - H_0)). */
typedef struct srq_lanes {
    float x[LANES];    /* reflected */
    float gap[LANES];  /* from x up to edge p */
    float sign[LANES]; /* -1 where reflected */
    float code[LANES], p[LANES], s[LANES];
    float h0[LANES], hn[LANES];         /* H_0, H_n */
    float slope0[LANES], slopen[LANES]; /* h_0, h_n */
} srq_lanes;

static inline float q_at(const grid_tables *t, float d)
{
    return t->q[EDGES_MAX + (int)d];
}

static void fill_tables(grid_tables *t, const srq_grid *grid)
{
    t->alpha = grid->alpha;
    t->sigma = grid->sigma;
    t->min = (float)grid->min;
    t->max = (float)grid->max;
    t->n = grid->max - grid->min + 1;
    double ratio = (double)grid->alpha / (double)grid->sigma;
    double window = ceil(0.5 + 24.0 / ratio);
    t->window = window < t->n ? (int)window : t->n;
    for (int d = -t->n; d <= t->n; d++) {
        double q = exp(-d * ratio);
        t->q[EDGES_MAX + d] = q < 1e37 ? (float)q : 1e37f;
    }
}

static inline void srq_prepare(const grid_tables *t, const block *b, srq_lanes *r)
{
    const float middle = 0.5f * (t->min + t->max), n = (float)t->n;
    float v[LANES], min[LANES];
    for (int l = 0; l < LANES; l++) {
        v[l] = b->x[l] / t->alpha;
        bool mirrored = v[l] < middle;
        r->sign[l] = mirrored ? -1.0f : 1.0f;
        min[l] = mirrored ? -t->max : t->min;
        r->x[l] = mirrored ? -b->x[l] : b->x[l];
        v[l] = mirrored ? -v[l] : v[l];
        r->code[l] = round_lane(v[l], min[l], mirrored ? -t->min : t->max);
        r->p[l] = round_lane(v[l] - min[l] + 0.5f, 0, n);
    }
    for (int l = 0; l < LANES; l++) {
        /* In float64, where the product is exact: at code 255 a float32 edge is off by 1e-5 alpha, 1e-4 sigma. */
        r->gap[l] = (float)((double)t->alpha * (double)(min[l] - 0.5f + r->p[l]) - (double)r->x[l]);
    }
    for (int l = 0; l < LANES; l++) r->s[l] = exp_lane(r->gap[l] / t->sigma);
    for (int l = 0; l < LANES; l++) {
        float s = r->s[l], q0 = q_at(t, -r->p[l]), qn = q_at(t, n - r->p[l]);
        r->h0[l] = (1 + s) / (s + q0);
        r->slope0[l] = r->h0[l] * (q0 / (s + q0));
        r->hn[l] = (1 + s) / (s + qn);
        r->slopen[l] = r->hn[l] * (qn / (s + qn));
    }
}

/* The sums over edges of PACK elements from lane `l` on. Written with the compiler's vector types, because it does
 * not vectorize the conditions by itself: the lanes of a comparison are 0 or all ones. */
#if defined __AVX512F__
enum { PACK = 16 };
#elif defined __AVX2__
enum { PACK = 8 };
#else
enum { PACK = 4 };
#endif
typedef float pack __attribute__((vector_size(PACK * sizeof(float))));
typedef int32_t pack_mask __attribute__((vector_size(PACK * sizeof(float))));

static inline pack pack_load(const float *x)
{
    pack v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline pack pack_where(pack_mask mask, pack v)
{
    return (pack)(mask & (pack_mask)v);
}

static inline void srq_full_sums(const grid_tables *t, const srq_lanes *r, int l, int below, int above, float *sum_r,
                                 float *sum_x, float *sum_a)
{
    const pack s = pack_load(r->s + l), p = pack_load(r->p + l), h0 = pack_load(r->h0 + l), hn = pack_load(r->hn + l);
    const float n = (float)t->n;
    pack by_r = {0}, by_x = {0}, by_a = {0};
    for (int d = -below; d <= above; d++) {
        const float q = t->q[EDGES_MAX + d], offset = (float)d;
        pack j = p + offset, inverse = 1 / (s + q);
        pack h = (1 + s) * inverse, rise = h - h0;
        pack_mask inner = (j > 0) & (j < n);
        by_r += pack_where(inner, rise);
        by_x += pack_where(inner, rise * (hn - h));
        by_a += pack_where(inner, offset * (h * (q * inverse)));
    }
    memcpy(sum_r, &by_r, sizeof by_r);
    memcpy(sum_x, &by_x, sizeof by_x);
    memcpy(sum_a, &by_a, sizeof by_a);
}

static inline void srq_full_block(const grid_tables *t, block *b)
{
    srq_lanes r;
    srq_prepare(t, b, &r);
    float sum_r[LANES], sum_x[LANES], sum_a[LANES];
    const float n = (float)t->n;
    /* After reflection p is at least n / 2, rounded down. */
    const int below = t->window < t->n - 1 ? t->window : t->n - 1;
    const int above = t->window < t->n - 1 - t->n / 2 ? t->window : t->n - 1 - t->n / 2;
    for (int l = 0; l < LANES; l += PACK) srq_full_sums(t, &r, l, below, above, sum_r + l, sum_x + l, sum_a + l);
    for (int l = 0; l < LANES; l++) {
        float range = 1 / (r.hn[l] - r.h0[l]);
        float beyond = n - 1 - (r.p[l] + (float)above);
        beyond = beyond > 0 ? beyond : 0;
        float rank = sum_r[l] * range + beyond;
        float fp = r.s[l] / (1 + r.s[l]);
        float ex = t->alpha / t->sigma * fp * range * sum_x[l];
        float c = range * (sum_a[l] + (n - 1 - rank) * r.p[l] * r.slope0[l] - rank * (n - r.p[l]) * r.slopen[l]);
        float min = r.sign[l] < 0 ? -t->max : t->min;
        float a = min - 0.5f + r.p[l];
        float by_alpha = -a * ex - t->alpha / t->sigma * c;
        float by_sigma = (r.gap[l] * ex + t->alpha * (t->alpha / t->sigma) * c) / t->sigma;
        b->dx[l] = b->dy[l] * ex;
        b->alpha[l] = b->dy[l] * r.sign[l] * (r.code[l] + by_alpha);
        b->sigma[l] = b->dy[l] * r.sign[l] * by_sigma;
    }
}

static inline void srq_argmax_block(const grid_tables *t, block *b)
{
    srq_lanes r;
    srq_prepare(t, b, &r);
    const float n = (float)t->n;
    for (int l = 0; l < LANES; l++) {
        float min = r.sign[l] < 0 ? -t->max : t->min, s = r.s[l];
        float up = r.code[l] - min + 1 - r.p[l], down = up - 1; /* edges of the code, counted from p */
        float qu = q_at(t, up), qd = q_at(t, down);
        float hu = (1 + s) / (s + qu), hd = (1 + s) / (s + qd);
        float range = 1 / (r.hn[l] - r.h0[l]);
        float rate = (hu - hd) * range, fp = s / (1 + s);
        float by_x = rate / t->sigma * fp * ((hu - r.hn[l]) + (hd - r.h0[l]));
        float c = up * (hu * (qu / (s + qu))) - down * (hd * (qd / (s + qd))) -
                  rate * ((n - r.p[l]) * r.slopen[l] + r.p[l] * r.slope0[l]);
        c *= range / t->sigma;
        float a = min - 0.5f + r.p[l];
        float by_alpha = -a * by_x + c;
        float by_sigma = (r.gap[l] * by_x - t->alpha * c) / t->sigma;
        float point = t->alpha * r.code[l];
        /* The code carries the sign of the reflection once more: g_i dr_i/dx keeps the sign of x's axis. */
        b->dx[l] = b->dy[l] * point * by_x;
        b->alpha[l] = b->dy[l] * r.sign[l] * (r.code[l] + point * by_alpha);
        b->sigma[l] = b->dy[l] * r.sign[l] * point * by_sigma;
    }
}

static void srq_full_backward(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                              srq_grid_gradient *sums)
{
    grid_tables t;
    fill_tables(&t, grid);
    run_blocks(srq_full_block, &t, n, x, dy, dx, sums);
}

static void srq_argmax_backward(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                                srq_grid_gradient *sums)
{
    grid_tables t;
    fill_tables(&t, grid);
    run_blocks(srq_argmax_block, &t, n, x, dy, dx, sums);
}

static void sgd(size_t n, float *w, float *v, const float *g, float rate, float momentum, float decay)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = momentum * v[i] + (g[i] + decay * w[i]);
        w[i] -= rate * v[i];
    }
}

static void adam(size_t n, float *w, float *m, float *v, const float *g, const srq_adam_step *step)
{
    const srq_adam_step s = *step;
    for (size_t i = 0; i < n; i++) {
        float d = g[i] + s.decay * w[i];
        m[i] = s.beta1 * m[i] + (1 - s.beta1) * d;
        v[i] = s.beta2 * v[i] + (1 - s.beta2) * (d * d);
        w[i] -= s.rate * m[i] / (sqrtf(v[i]) + s.epsilon);
    }
}

#define TABLE_NAME_(isa) srq_vector_##isa
#define TABLE_NAME(isa) TABLE_NAME_(isa)
#define ISA_TEXT_baseline "x86-64"
#define ISA_TEXT_avx2 "avx2"
#define ISA_TEXT_avx512 "avx512"
#define ISA_TEXT_(isa) ISA_TEXT_##isa
#define ISA_TEXT(isa) ISA_TEXT_(isa)

extern const srq_vector TABLE_NAME(SRQ_ISA);
const srq_vector TABLE_NAME(SRQ_ISA) = {
    .isa = ISA_TEXT(SRQ_ISA),
    .add = add,
    .finite = is_finite,
    .relu = relu,
    .relu_backward = relu_backward,
    .add_rows = add_rows,
    .sum_rows = sum_rows,
    .max_update = max_update,
    .max_scatter = max_scatter,
    .widen_u8 = widen_u8,
    .widen_s8 = widen_s8,
    .quantize = quantize,
    .quantize_error = quantize_error,
    .ste_backward = ste_backward,
    .srq_full_backward = srq_full_backward,
    .srq_argmax_backward = srq_argmax_backward,
    .gumbel = SRQ_ISA_NAME(srq_gumbel),
    .rq_forward = SRQ_ISA_NAME(srq_rq_forward),
    .rq_backward = SRQ_ISA_NAME(srq_rq_backward),
    .rq_st_forward = SRQ_ISA_NAME(srq_rq_st_forward),
    .rq_st_backward = SRQ_ISA_NAME(srq_rq_st_backward),
    .sgd = sgd,
    .adam = adam,
};
