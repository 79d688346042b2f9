/* What convolution and dense layers share: weights, their quantizer, the bias, and the kernel's plan. */
#ifndef SRQ_CORE_OPS_WEIGHTED_H
#define SRQ_CORE_OPS_WEIGHTED_H

#include "core/ops/op.h"

/* Adds the parameters of `shape` (weights as `rank` dimensions of `dimensions`) and makes the plan. */
srq_status srq_weighted_create(srq_graph *graph, srq_layer *layer, const srq_conv_shape *shape, int rank,
                               const size_t *dimensions);
void srq_weighted_destroy(srq_layer *layer);
/* He et al., arXiv 1502.01852: normal with variance 2 / fan-in; biases 0; alpha and sigma from the weights. */
void srq_weighted_initialize(srq_graph *graph, srq_layer *layer, uint64_t seed);
void srq_weighted_prepare(srq_layer *layer, srq_pass *pass);
void srq_weighted_forward(srq_layer *layer, srq_pass *pass);
void srq_weighted_backward(srq_layer *layer, srq_pass *pass);
void srq_weighted_finish(srq_layer *layer, srq_pass *pass);

#endif
