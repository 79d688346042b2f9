/* Batch normalization as two lines for each channel, for core/ops/batchnorm.c and core/ops/chain.c. The input may be
 * elements with scales and a bias still to be applied (weighted.h): they go into the lines. */
#ifndef SRQ_CORE_OPS_BATCHNORM_H
#define SRQ_CORE_OPS_BATCHNORM_H

#include "core/ops/op.h"

/* Of each channel, [channels] all: from the elements x of the input to y = a x + b, and to the normalized
 * x^ = p x + q. */
typedef struct srq_batch_norm_lines {
    float *a, *b;
    double *p, *q;
} srq_batch_norm_lines;

/* What a pass computes by the channel, from forward to backward, [channels] each. */
typedef struct srq_batch_norm_work {
    srq_batch_norm_lines lines;
    double *sums, *products;
    float *by_g, *by_x, *constant;
    float *ones, *zeros;
} srq_batch_norm_work;

/* Its bytes in the memory of a pass, and itself at a place there. */
size_t srq_batch_norm_work_size(size_t channels);
srq_batch_norm_work srq_batch_norm_work_at(const srq_pass *pass, size_t place, size_t channels);

/* The lines of a pass over `rows` rows. In training by the batch's own statistics, from the sums of x and of x^2, which
 * also go into the gradient's place; otherwise (sums and squares unread) by the running ones. */
void srq_batch_norm_forward_lines(const srq_layer *layer, const srq_pass *pass, size_t rows, const double *sums,
                                  const double *squares, const float *scales, const float *bias,
                                  const srq_batch_norm_lines *lines);

/* From the sums of g and of g x, g = dL/dy: the gradients of scale and shift, and dL/d(value of the input), times
 * factors[c] (NULL: 1), as by_g g + by_x x + constant. `scales` are those given to the forward lines (NULL: 1). */
void srq_batch_norm_backward_lines(const srq_layer *layer, const srq_pass *pass, size_t rows, const double *sums,
                                   const double *products, const srq_batch_norm_lines *lines, const float *scales,
                                   const float *factors, float *by_g, float *by_x, float *constant);

#endif
