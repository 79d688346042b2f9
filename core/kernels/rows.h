/* Arithmetic on rows of channels, [rows][n] (see vector.h); built once for each instruction set. Only vector.c includes
 * it. */
#ifndef SRQ_CORE_KERNELS_ROWS_H
#define SRQ_CORE_KERNELS_ROWS_H

#include "core/kernels/lanes.h"

void SRQ_ISA_NAME(srq_affine_rows)(size_t rows, size_t n, const float *x, const float *a, const float *b, float low,
                                   float high, float *y);
void SRQ_ISA_NAME(srq_affine_add_rows)(size_t rows, size_t n, const float *x, const float *a, const float *b,
                                       const float *z, float low, float high, float *y);
void SRQ_ISA_NAME(srq_scale_rows)(size_t rows, size_t n, const float *x, const float *s, float *y);
void SRQ_ISA_NAME(srq_scale_rows_bf16)(size_t rows, size_t n, const float *x, const float *s, uint16_t *y);
void SRQ_ISA_NAME(srq_combine_rows)(size_t rows, size_t n, const float *g, const float *x, const float *a,
                                    const float *b, const float *c, float *y);
void SRQ_ISA_NAME(srq_combine_rows_bf16)(size_t rows, size_t n, const float *g, const float *x, const float *a,
                                         const float *b, const float *c, uint16_t *y);
void SRQ_ISA_NAME(srq_sum_rows)(size_t rows, size_t n, const float *y, float *s);
void SRQ_ISA_NAME(srq_sum_rows_s8)(size_t rows, size_t n, const int8_t *y, float *s);
void SRQ_ISA_NAME(srq_extremes)(size_t rows, size_t n, const float *x, float *low, float *high);
void SRQ_ISA_NAME(srq_sum_rows_bf16)(size_t rows, size_t n, const uint16_t *y, float *s);
void SRQ_ISA_NAME(srq_moments)(size_t rows, size_t n, const float *x, double *sums, double *squares);
void SRQ_ISA_NAME(srq_products)(size_t rows, size_t n, const float *g, const float *x, double *sums, double *products);
void SRQ_ISA_NAME(srq_clip_backward)(size_t n, const float *y, const float *dy, float low, float high, float *dx);
void SRQ_ISA_NAME(srq_max_pool_line)(size_t width, size_t n, int k0, int k1, const float *x, float *y, int32_t *where);
void SRQ_ISA_NAME(srq_max_unpool_line)(size_t width, size_t n, int k0, int k1, const float *dy, const int32_t *where,
                                       float *dx);

#endif
