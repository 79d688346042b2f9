/* Elementwise arithmetic behind one table, compiled once for each instruction set.
 *
 * vector.c and srq.c are plain C that the compiler vectorizes; they are built for x86-64, AVX2 and AVX-512, and the
 * best one that the CPU has is taken at run time. Floating-point contraction is off and every sum has a fixed number of
 * lanes, so the three give the same bits (tests/core/test_quantizers.c). */
#ifndef SRQ_CORE_KERNELS_VECTOR_H
#define SRQ_CORE_KERNELS_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One quantizer's grid (method.md, section 1): codes min..max, grid points alpha * k. Codes are stored in a byte:
 * int8_t if min < 0, else uint8_t. */
typedef struct srq_grid {
    float alpha; /* step size, > 0 */
    float sigma; /* noise scale, > 0; only srq reads it */
    int min, max;
} srq_grid;

/* Sums over a tensor that become the gradients of alpha and sigma. */
typedef struct srq_grid_gradient {
    double alpha, sigma;
} srq_grid_gradient;

enum { SRQ_LEVELS_MAX = 7 };

/* The gates of a signed grid (method.md, section 4): the codes of level min_bits + 1 + i count mask[i] times. */
typedef struct srq_levels {
    int min_bits, count;        /* c0 >= 1; the grid has c0 + count bits */
    float mask[SRQ_LEVELS_MAX]; /* m_c, above 0 and not rising, at most 1 */
} srq_levels;

/* SRQ under fractional gates. `grid` has min_bits + count bits, signed. */
typedef struct srq_dropbits_kernels {
    /* codes = argmax_k r_k; false if an x is infinite or NaN. */
    bool (*quantize)(size_t n, const float *x, const srq_grid *grid, const srq_levels *levels, int8_t *codes);
    /* dx from dy as in the functions of srq_vector, and gates[i] = dL/dmask[i]; dx may be dy. */
    void (*backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, const srq_levels *levels,
                     bool argmax, float *dx, srq_grid_gradient *sums, double *gates);
} srq_dropbits_kernels;

typedef struct srq_adam_step {
    float rate;         /* learning rate with both bias corrections folded in */
    float beta1, beta2; /* decay of the two moments */
    float epsilon;      /* added to sqrt(v), scaled by the bias correction of v */
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
    /* y[r][c] += b[c] for `rows` rows of n */
    void (*add_rows)(size_t rows, size_t n, float *y, const float *b);
    /* y[r][c] *= s[c] */
    void (*scale_rows)(size_t rows, size_t n, float *y, const float *s);
    /* s[c] = sum over rows of y[r][c] */
    void (*sum_rows)(size_t rows, size_t n, const float *y, float *s);
    /* Where x > y (or x is NaN): y = x, where = k. For max-pooling, one window position k at a time. */
    void (*max_update)(size_t n, const float *x, int32_t k, float *y, int32_t *where);
    /* dx += dy where `where` is k */
    void (*max_scatter)(size_t n, const float *dy, const int32_t *where, int32_t k, float *dx);
    /* Bytes of codes to floats. */
    void (*widen_u8)(size_t n, const uint8_t *x, float *y);
    void (*widen_s8)(size_t n, const int8_t *x, float *y);

    /* codes = clamp(rint(x / alpha), min, max); false if an x is infinite or NaN. */
    bool (*quantize)(size_t n, const float *x, const srq_grid *grid, void *codes);
    /* The sum of squares of x - alpha * code. */
    double (*quantize_error)(size_t n, const float *x, const srq_grid *grid);
    /* Round with gradient 1 inside the range [min, max] of x / alpha and 0 outside (LSQ, arXiv 1902.08153, eq. 3
     * without its gradient scale): dx from dy = dL/d(alpha * code), and the sum for alpha. dx may be dy. */
    void (*ste_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                         srq_grid_gradient *sums);
    /* SRQ, method.md section 3, both estimators; dx may be dy. */
    void (*srq_full_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                              srq_grid_gradient *sums);
    void (*srq_argmax_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                                srq_grid_gradient *sums);

    const srq_dropbits_kernels *dropbits;

    /* SGD with momentum, v = momentum * v + (g + decay * w), w -= rate * v. */
    void (*sgd)(size_t n, float *w, float *v, const float *g, float rate, float momentum, float decay);
    /* Adam (arXiv 1412.6980). */
    void (*adam)(size_t n, float *w, float *m, float *v, const float *g, const srq_adam_step *step);
} srq_vector;

/* The table of the best instruction set that this CPU and this build have; `limit` names the highest one wanted, or
 * NULL. Returns NULL if `limit` is not a name or the CPU does not have it. */
const srq_vector *srq_vector_best(const char *limit);

#endif
