/* Tables of elementwise functions, one for each instruction set.
 *
 * vector.c, rows.c, srq.c, dropbits.c and relaxed.c are plain C that the compiler vectorizes. They are built for
 * x86-64, AVX2 and AVX-512, and the best table for the CPU is chosen at run time. Floating-point contraction is off,
 * and every sum has a fixed number of lanes. So all three give the same bits (tests/core/test_quantizers.c). */
#ifndef SRQ_CORE_KERNELS_VECTOR_H
#define SRQ_CORE_KERNELS_VECTOR_H

#include "core/kernels/isa.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One quantizer's grid (method.md, section 1): codes min..max, grid points alpha * k. Codes are stored in a byte:
 * int8_t if min < 0, else uint8_t. */
typedef struct srq_grid {
    float alpha; /* step size, > 0 */
    float sigma; /* noise scale, > 0; used by srq and rq */
    int min, max;
} srq_grid;

/* Sums over a tensor that become the gradients of alpha and sigma. */
typedef struct srq_grid_gradient {
    double alpha, sigma;
} srq_grid_gradient;

/* The slopes of E for one grid, by bins (core/kernels/curves.h). */
enum {
    SRQ_CURVE_BINS = 16,
    SRQ_CURVE_OUTSIDE = 7,
    SRQ_CURVE_DEGREE = 11,
    SRQ_CURVE_POWERS = 2 * (SRQ_CURVE_DEGREE + 1)
};
typedef struct srq_curves {
    bool fitted;
    srq_grid grid;
    /* The polynomials of 1 - D, then those of T. They are stored twice: as a table for registers, and as rows. */
    float by_power[SRQ_CURVE_POWERS][SRQ_CURVE_BINS], by_bin[SRQ_CURVE_BINS][SRQ_CURVE_POWERS];
} srq_curves;

enum { SRQ_LEVELS_MAX = 7 };

/* The gates of a signed grid (method.md, section 4). The codes of level min_bits + 1 + i have the factor mask[i]. */
typedef struct srq_levels {
    int min_bits, count;        /* c0 >= 1; the grid has c0 + count bits */
    float mask[SRQ_LEVELS_MAX]; /* m_c: above 0, at most 1, and not increasing */
} srq_levels;

/* Where the hard code moves from one level to another (core/kernels/gates.h). Level i ends at |x / alpha + 1/2| =
 * limit[i]. The code at its end is the hard code up to threshold[i], unless that of a lower level is. */
typedef struct srq_level_ends {
    int levels; /* 0..levels */
    float limit[SRQ_LEVELS_MAX + 1], threshold[SRQ_LEVELS_MAX + 1];
} srq_level_ends;

/* The slopes of E for one grid with fractional gates, by bins (core/kernels/gates.h). */
typedef struct srq_gate_curves {
    bool fitted;
    srq_grid grid;
    srq_level_ends ends;
    int bins, powers; /* rows[bins][powers], memory of the caller with srq_gate_curves_size() floats */
    float *rows;
} srq_gate_curves;

/* SRQ with fractional gates. `grid` is signed and has min_bits + count bits. */
typedef struct srq_dropbits_kernels {
    /* codes = argmax_k r_k; false if an x is infinite or NaN. */
    bool (*quantize)(size_t n, const float *x, const srq_grid *grid, const srq_levels *levels, int8_t *codes);
    /* Computes dx from dy like the functions of srq_vector, and gates[i] = dL/dmask[i]. dx may be dy. */
    void (*backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, const srq_levels *levels,
                     bool argmax, float *dx, srq_grid_gradient *sums, double *gates);
    /* The same for `full` with its curves, several times as fast. Needs curves->fitted. */
    void (*curves_backward)(size_t n, const float *x, const float *dy, const srq_gate_curves *curves, float *dx,
                            srq_grid_gradient *sums, double *gates);
} srq_dropbits_kernels;

/* Noise and temperature of Relaxed Quantization (arXiv 1810.01875). x is perturbed by logistic noise of scale sigma,
 * whose standard deviation is pi sigma / sqrt(3). Only the local grid is used: the codes within `reach` standard
 * deviations of x (section 2.3 there uses 3). The probabilities are truncated to the local grid, and its ends are
 * constants for differentiation. It always contains the nearest code. */
typedef struct srq_relaxation {
    float temperature; /* > 0 */
    float reach;       /* 0: the whole grid */
    /* [n][max - min + 1], the noise G of every code, from -4 to 24; NULL: drawn by the members below */
    const float *gumbel;
    /* The random number of element i and local code j (code - lowest code of its local grid) is word l / 16 of
     * srq_random(seed, SRQ_RANDOM_GUMBEL, step, index), where l = i % 64. index has 16 (i / 64) + l % 16 in bits 0..31,
     * j in bits 32..39 and `stream` in bits 40..63. So with streams below 2^24 and tensors of at most 2^34 elements, no
     * number is used twice. */
    uint64_t seed;
    uint32_t step;
    uint64_t stream; /* the tensor: layer * 4096 + shard */
} srq_relaxation;

/* Noise for rounding to 8 bits. Element i of a tensor has the 15 low bits of the lower (i % 128 < 64) or upper half of
 * word j / 16 of srq_random(seed, SRQ_RANDOM_GRADIENT, step, index), where j = i % 64, and index has 16 (i / 128) +
 * j % 16 in bits 0..31 and `stream` in bits 40..63. */
enum { SRQ_ROUNDING_BITS = 15 };
typedef struct srq_rounding {
    uint64_t seed;
    uint32_t step;
    uint64_t stream; /* the tensor: layer * 4096 + leaf */
} srq_rounding;

typedef struct srq_adam_step {
    float rate;         /* learning rate with both bias corrections folded in */
    float beta1, beta2; /* decay of the two moments */
    float epsilon;      /* epsilon, scaled by the bias correction of v */
    float decay;        /* weight decay, added to the gradient */
} srq_adam_step;

typedef struct srq_vector {
    const char *isa; /* "x86-64", "avx2", "avx512" */

    /* y += x */
    void (*add)(size_t n, float *y, const float *x);
    /* True if no element is infinite or NaN. */
    bool (*finite)(size_t n, const float *x);
    /* y = max(x, 0), NaN kept; dx = dy where y > 0, else 0 */
    void (*relu)(size_t n, const float *x, float *y);
    void (*relu_backward)(size_t n, const float *y, const float *dy, float *dx);
    /* y = min(max(x, 0), ceiling), NaN kept; its backward function is clip_backward. */
    void (*relu_under)(size_t n, const float *x, float ceiling, float *y);
    /* Rows of n channels, [rows][n]; bf16 is the upper half of a float32, rounded to nearest, ties to even. */
    /* y = clamp(a[c] x + b[c], low, high), NaN kept; y may be x */
    void (*affine_rows)(size_t rows, size_t n, const float *x, const float *a, const float *b, float low, float high,
                        float *y);
    /* y = clamp((a[c] x + b[c]) + z, low, high), NaN kept; y may be x or z */
    void (*affine_add_rows)(size_t rows, size_t n, const float *x, const float *a, const float *b, const float *z,
                            float low, float high, float *y);
    /* y = x s[c]; y may be x */
    void (*scale_rows)(size_t rows, size_t n, const float *x, const float *s, float *y);
    void (*scale_rows_bf16)(size_t rows, size_t n, const float *x, const float *s, uint16_t *y);
    /* y = a[c] g + b[c] x + c[c]; y may be g */
    void (*combine_rows)(size_t rows, size_t n, const float *g, const float *x, const float *a, const float *b,
                         const float *c, float *y);
    void (*combine_rows_bf16)(size_t rows, size_t n, const float *g, const float *x, const float *a, const float *b,
                              const float *c, uint16_t *y);
    /* low[c] = min(low[c], x[r][c]), high[c] = max(high[c], x[r][c]); NaN is skipped */
    void (*extremes)(size_t rows, size_t n, const float *x, float *low, float *high);
    /* y = floor(rint(x) / 2^SRQ_ROUNDING_BITS + u) with noise u from 0 to below 1, so the mean of y is rint(x) /
     * 2^SRQ_ROUNDING_BITS. x[0] is element `element` of its tensor. False if |x| is above 2^22, or NaN. y is limited to
     * SRQ_GRADIENT_MOST, which changes only x beyond that times 2^SRQ_ROUNDING_BITS. */
    bool (*round_s8)(size_t n, const float *x, const srq_rounding *rounding, size_t element, int8_t *y);
    /* s[c] = sum over rows of y[r][c] */
    void (*sum_rows)(size_t rows, size_t n, const float *y, float *s);
    void (*sum_rows_s8)(size_t rows, size_t n, const int8_t *y, float *s);
    void (*sum_rows_bf16)(size_t rows, size_t n, const uint16_t *y, float *s);
    /* sums[c] += sum of x, squares[c] += sum of x^2 */
    void (*moments)(size_t rows, size_t n, const float *x, double *sums, double *squares);
    /* sums[c] += sum of g, products[c] += sum of g x */
    void (*products)(size_t rows, size_t n, const float *g, const float *x, double *sums, double *products);
    /* dx = dy where low < y < high, else 0; dx may be dy */
    void (*clip_backward)(size_t n, const float *y, const float *dy, float low, float high, float *dx);
    /* Max-pooling of a line of adjacent windows k0 x k1: x [k0][width k1][n] -> y [width][n], and the position of each
     * maximum in its window, counted row by row; the first one if several are equal. The backward function overwrites
     * dx. */
    void (*max_pool_line)(size_t width, size_t n, int k0, int k1, const float *x, float *y, int32_t *where);
    void (*max_unpool_line)(size_t width, size_t n, int k0, int k1, const float *dy, const int32_t *where, float *dx);
    /* If x > y or x is NaN: y = x, where = k. For max-pooling, one window position k at a time. */
    void (*max_update)(size_t n, const float *x, int32_t k, float *y, int32_t *where);
    /* dx += dy if `where` is k */
    void (*max_scatter)(size_t n, const float *dy, const int32_t *where, int32_t k, float *dx);
    /* Converts codes to float32, or to bfloat16, which represents them exactly. */
    void (*widen_u8)(size_t n, const uint8_t *x, float *y);
    void (*widen_s8)(size_t n, const int8_t *x, float *y);
    void (*widen_u8_bf16)(size_t n, const uint8_t *x, uint16_t *y);
    void (*widen_s8_bf16)(size_t n, const int8_t *x, uint16_t *y);

    /* codes = clamp(rint(x / alpha), min, max); false if an x is infinite or NaN. */
    bool (*quantize)(size_t n, const float *x, const srq_grid *grid, void *codes);
    /* The sum of squares of x - alpha * code. */
    double (*quantize_error)(size_t n, const float *x, const srq_grid *grid);
    /* The backward pass of rounding: gradient 1 for x / alpha inside [min, max] and 0 outside (LSQ, arXiv 1902.08153,
     * eq. 3, without its gradient scale). Computes dx from dy = dL/d(alpha * code), and the sum for alpha. dx may be
     * dy. */
    void (*ste_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                         srq_grid_gradient *sums);
    /* SRQ, method.md section 3, both estimators; dx may be dy. */
    void (*srq_full_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                              srq_grid_gradient *sums);
    /* `full` by its curves, several times as fast; curves->fitted. */
    void (*srq_curves_backward)(size_t n, const float *x, const float *dy, const srq_curves *curves, float *dx,
                                srq_grid_gradient *sums);
    void (*srq_argmax_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                                srq_grid_gradient *sums);

    const srq_dropbits_kernels *dropbits;

    /* The noise that the functions below draw: g[i][j] for i < n and local codes j < codes. It is a Gumbel(0, 1)
     * variable -log(-log(1 - V)), where V = (b + 1/2) / 2^31 and b is the upper 31 bits of the random number. Small
     * values of V and of 1 - V have full relative precision. The values lie between -3.10 and 22.18; each tail loses a
     * probability of 2^-32. `relaxation->gumbel` is not read. */
    void (*gumbel)(size_t n, int codes, const srq_relaxation *relaxation, float *g);
    /* Relaxed Quantization, method.md sections 2 and 7: y = sum over the local grid of z_k alpha k, with
     * z = softmax((log r_k + G_k) / temperature). False if an x is infinite or NaN. */
    bool (*rq_forward)(size_t n, const float *x, const srq_grid *grid, const srq_relaxation *relaxation, float *y);
    /* Its backward pass: dx from dy = dL/dy, and the sums for alpha and sigma. dx may be dy. */
    void (*rq_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid,
                        const srq_relaxation *relaxation, float *dx, srq_grid_gradient *sums);
    /* The straight-through variant: codes = argmax_k (log r_k + G_k), the lowest code on a tie. This is a sample from
     * r. False if an x is infinite or NaN. */
    bool (*rq_st_forward)(size_t n, const float *x, const srq_grid *grid, const srq_relaxation *relaxation,
                          void *codes);
    /* Its backward pass: dL/d(alpha * code) is used as the gradient of sum_k z_k g_k with fixed points g_k. The
     * gradient of alpha through the points uses the code that was drawn. dx may be dy. */
    void (*rq_st_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid,
                           const srq_relaxation *relaxation, float *dx, srq_grid_gradient *sums);

    /* SGD with momentum, v = momentum * v + (g + decay * w), w -= rate * v. */
    void (*sgd)(size_t n, float *w, float *v, const float *g, float rate, float momentum, float decay);
    /* Adam (arXiv 1412.6980). */
    void (*adam)(size_t n, float *w, float *m, float *v, const float *g, const srq_adam_step *step);
} srq_vector;

/* The table for CPUs with `isa`. */
const srq_vector *srq_vector_of(srq_isa isa);
/* The table of the best instruction set that srq_isa_here and this build have. `limit` is the name of the highest one
 * to use, or NULL. Returns NULL if `limit` is not a name, or if the CPU does not have it. */
const srq_vector *srq_vector_best(const char *limit);

#endif
