/* Batch normalization as two linear functions for each channel, used by core/ops/batchnorm.c and core/ops/chain.c. If
 * scales and a bias still have to be applied to the input (weighted.h), they become part of these functions. */
#ifndef SRQ_CORE_OPS_BATCHNORM_H
#define SRQ_CORE_OPS_BATCHNORM_H

#include "core/ops/op.h"

/* The functions of each channel, all arrays [channels]: from an input element x to y = a x + b, and to the normalized
 * x^ = p x + q. */
typedef struct srq_batch_norm_lines {
    float *a, *b;
    double *p, *q;
} srq_batch_norm_lines;

/* Sums of each channel, [channels] each, in the memory of a pass: of x and of x^2 in the forward pass; of g and of g x
 * in the backward pass. `place` and `offset` are those of the first, for srq_pass_total. */
typedef struct srq_batch_norm_sums {
    double *first, *second;
    size_t place, offset;
} srq_batch_norm_sums;

/* Values per channel that a pass keeps from forward to backward, [channels] each. */
typedef struct srq_batch_norm_work {
    srq_batch_norm_lines lines;
    srq_batch_norm_sums forward, backward; /* of this slice */
    srq_batch_norm_sums total;             /* of the whole shard */
    float *by_g, *by_x, *constant;
    float *ones, *zeros;
} srq_batch_norm_work;

/* Requests memory for them in every pass, for layer `index`, and returns the struct for its place. The memory is kept
 * to the end of the pass: another slice may still read the sums when this one has completed the layer. */
srq_status srq_batch_norm_reserve(srq_network *network, int index, size_t channels, size_t *place);
srq_batch_norm_work srq_batch_norm_work_at(const srq_pass *pass, size_t place, size_t channels);

/* Sets the sums of a slice to 0. */
void srq_batch_norm_clear(const srq_batch_norm_sums *sums, size_t channels);
/* The sums of the whole shard, from those that every slice has written. */
srq_batch_norm_sums srq_batch_norm_total(const srq_pass *pass, const srq_batch_norm_work *work,
                                         const srq_batch_norm_sums *own, size_t channels);

/* Computes the functions for a shard of `rows` rows. In training, they use the statistics of the batch, from the sums
 * of x and of x^2, and the statistics are also stored in place of the gradient. Otherwise they use the running
 * statistics, and `sums` and `squares` are not read. */
void srq_batch_norm_forward_lines(const srq_layer *layer, const srq_pass *pass, size_t rows, const double *sums,
                                  const double *squares, const float *scales, const float *bias,
                                  const srq_batch_norm_lines *lines);

/* Computes the gradients of scale and shift from the sums of g and of g x, where g = dL/dy. The gradient of the input,
 * multiplied by factors[c] (NULL: 1), is by_g g + by_x x + constant. `scales` are those of the forward pass (NULL: 1).
 */
void srq_batch_norm_backward_lines(const srq_layer *layer, const srq_pass *pass, size_t rows, const double *sums,
                                   const double *products, const srq_batch_norm_lines *lines, const float *scales,
                                   const float *factors, float *by_g, float *by_x, float *constant);

#endif
