/* Built three times, with SRQ_ISA = baseline, avx2, avx512: see vector.h and CMakeLists.txt.
 *
 * The inner loops run over LANES elements in arrays, which the compiler keeps in vector registers. Sums have LANES
 * accumulators, which are added in one order at the end, for any width of a register. */
#include "core/kernels/lanes.h"

#include "core/kernels/relaxed.h"
#include "core/kernels/round.h"
#include "core/kernels/rows.h"
#include "core/kernels/srq.h"

enum { LANES = 64 };

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

static void relu_under(size_t n, const float *x, float ceiling, float *y)
{
    for (size_t i = 0; i < n; i++) {
        const float above = x[i] < 0 ? 0 : x[i];
        y[i] = above > ceiling ? ceiling : above;
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

/* The upper half of a float32 that holds at most 8 significant bits. */
static inline uint16_t code_bf16(float code)
{
    float_bits b = {.value = code};
    return (uint16_t)(b.bits >> 16);
}

static void widen_u8_bf16(size_t n, const uint8_t *x, uint16_t *y)
{
    for (size_t i = 0; i < n; i++) y[i] = code_bf16((float)x[i]);
}

static void widen_s8_bf16(size_t n, const int8_t *x, uint16_t *y)
{
    for (size_t i = 0; i < n; i++) y[i] = code_bf16((float)x[i]);
}

static bool quantize(size_t n, const float *x, const srq_grid *grid, void *codes)
{
    const float alpha = grid->alpha, min = (float)grid->min, max = (float)grid->max;
    /* One conversion for both signs: an int8_t and the uint8_t with the same value modulo 256 have the same bits. */
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

/* One block of `ste`: dx, and dy times the derivative of the output by alpha. Conditions are nested, because the
 * compiler does not vectorize `&&`. */
static inline void ste_block(const srq_grid *grid, const float *x, const float *dy, float *dx, float *by_alpha)
{
    const float alpha = grid->alpha, min = (float)grid->min, max = (float)grid->max;
    for (int l = 0; l < LANES; l++) {
        float v = x[l] / alpha, code = round_lane(v, min, max);
        float moves = v >= min ? code - v : code, passes = v >= min ? dy[l] : 0;
        by_alpha[l] = dy[l] * (v <= max ? moves : code);
        dx[l] = v <= max ? passes : 0;
    }
}

/* Blocks are copied in and out. The last one is filled with zeros and gradient 0, so that the arithmetic always has
 * whole blocks.
 */
static void ste_backward(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                         srq_grid_gradient *sums)
{
    float in[LANES], gradient[LANES], out[LANES], by_alpha[LANES];
    double alpha[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES) {
        const size_t count = n - i < LANES ? n - i : LANES;
        if (count < LANES) {
            memset(in, 0, sizeof in);
            memset(gradient, 0, sizeof gradient);
        }
        memcpy(in, x + i, count * sizeof *x);
        memcpy(gradient, dy + i, count * sizeof *dy);
        ste_block(grid, in, gradient, out, by_alpha);
        memcpy(dx + i, out, count * sizeof *dx);
        for (int l = 0; l < LANES; l++) alpha[l] += (double)by_alpha[l];
    }
    *sums = (srq_grid_gradient){0};
    for (int l = 0; l < LANES; l++) sums->alpha += alpha[l];
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

#define ISA_TEXT_baseline "x86-64"
#define ISA_TEXT_avx2 "avx2"
#define ISA_TEXT_avx512 "avx512"
#define ISA_TEXT_(isa) ISA_TEXT_##isa
#define ISA_TEXT(isa) ISA_TEXT_(isa)

extern const srq_dropbits_kernels SRQ_ISA_NAME(srq_dropbits);
extern const srq_vector SRQ_ISA_NAME(srq_vector);
const srq_vector SRQ_ISA_NAME(srq_vector) = {
    .isa = ISA_TEXT(SRQ_ISA),
    .add = add,
    .finite = is_finite,
    .relu = relu,
    .relu_backward = relu_backward,
    .relu_under = relu_under,
    .affine_rows = SRQ_ISA_NAME(srq_affine_rows),
    .affine_add_rows = SRQ_ISA_NAME(srq_affine_add_rows),
    .scale_rows = SRQ_ISA_NAME(srq_scale_rows),
    .extremes = SRQ_ISA_NAME(srq_extremes),
    .round_s8 = SRQ_ISA_NAME(srq_round_s8),
    .sum_rows_s8 = SRQ_ISA_NAME(srq_sum_rows_s8),
    .scale_rows_bf16 = SRQ_ISA_NAME(srq_scale_rows_bf16),
    .combine_rows = SRQ_ISA_NAME(srq_combine_rows),
    .combine_rows_bf16 = SRQ_ISA_NAME(srq_combine_rows_bf16),
    .sum_rows = SRQ_ISA_NAME(srq_sum_rows),
    .sum_rows_bf16 = SRQ_ISA_NAME(srq_sum_rows_bf16),
    .moments = SRQ_ISA_NAME(srq_moments),
    .products = SRQ_ISA_NAME(srq_products),
    .clip_backward = SRQ_ISA_NAME(srq_clip_backward),
    .max_pool_line = SRQ_ISA_NAME(srq_max_pool_line),
    .max_unpool_line = SRQ_ISA_NAME(srq_max_unpool_line),
    .max_update = max_update,
    .max_scatter = max_scatter,
    .widen_u8 = widen_u8,
    .widen_s8 = widen_s8,
    .widen_u8_bf16 = widen_u8_bf16,
    .widen_s8_bf16 = widen_s8_bf16,
    .quantize = quantize,
    .quantize_error = quantize_error,
    .ste_backward = ste_backward,
    .srq_full_backward = SRQ_ISA_NAME(srq_full_backward),
    .srq_curves_backward = SRQ_ISA_NAME(srq_curves_backward),
    .srq_argmax_backward = SRQ_ISA_NAME(srq_argmax_backward),
    .dropbits = &SRQ_ISA_NAME(srq_dropbits),
    .gumbel = SRQ_ISA_NAME(srq_gumbel),
    .rq_forward = SRQ_ISA_NAME(srq_rq_forward),
    .rq_backward = SRQ_ISA_NAME(srq_rq_backward),
    .rq_st_forward = SRQ_ISA_NAME(srq_rq_st_forward),
    .rq_st_backward = SRQ_ISA_NAME(srq_rq_st_backward),
    .sgd = sgd,
    .adam = adam,
};
