/* The common part of convolutions and dense layers: weights, their quantizer, the bias, and the kernel's plan. */
#ifndef SRQ_CORE_OPS_WEIGHTED_H
#define SRQ_CORE_OPS_WEIGHTED_H

#include "core/ops/gradient8.h"
#include "core/ops/op.h"

/* Adds the parameters of `shape` (weights as `rank` dimensions of `dimensions`) and makes the plan. */
srq_status srq_weighted_create(srq_layer *layer, const srq_conv_shape *shape, int rank, const size_t *dimensions);
void srq_weighted_destroy(srq_layer *layer);
void srq_weighted_initialize(srq_layer *layer, uint64_t seed, double gain);
void srq_weighted_prepare(srq_layer *layer, srq_pass *pass);
void srq_weighted_forward(const srq_layer *layer, srq_pass *pass);
void srq_weighted_backward(const srq_layer *layer, srq_pass *pass);
size_t srq_weighted_unit_size(const srq_layer *layer);
size_t srq_weighted_unit_slots(const srq_layer *layer);
void srq_weighted_unpack(const srq_layer *layer, const srq_pass *pass, float *gradient);
void srq_weighted_finish_unit(const srq_layer *layer, const srq_pass *pass, size_t begin, size_t end, float *gradient,
                              double *slots);
void srq_weighted_collect(const srq_layer *layer, const srq_pass *pass, int units, size_t stride, const double *slots);
/* The number formats of the layer's kernels; NULL for a layer without weights. */
const srq_conv_info *srq_weighted_info(const srq_layer *layer);
/* The scales of the weights, [out], from the last prepare. */
const float *srq_weighted_scales(const srq_layer *layer);
/* For a `deferred` layer, whose output holds sums without scales and bias, [out]: the value is scales[c] * element +
 * bias[c]. The scales are those of the last forward pass. */
const float *srq_weighted_output_scales(const srq_layer *layer, const srq_pass *pass);
const float *srq_weighted_bias(const srq_layer *layer);
/* For a layer whose gradient_type is SRQ_INT8: who writes the gradient of its output also writes this. */
srq_gradient8 srq_weighted_gradient8(const srq_layer *layer, const srq_pass *pass);

srq_status srq_weighted_deploy(const srq_layer *layer, struct srq_deployer *deployer);

/* The common part of the tables of both operators. */
#define SRQ_WEIGHTED_OP                                                                                                \
    .min_inputs = 1, .max_inputs = 1, .reads_codes = true, .keeps_input = true, .destroy = srq_weighted_destroy,       \
    .initialize = srq_weighted_initialize, .prepare = srq_weighted_prepare, .forward = srq_weighted_forward,           \
    .backward = srq_weighted_backward, .unit_size = srq_weighted_unit_size, .unit_slots = srq_weighted_unit_slots,     \
    .unpack = srq_weighted_unpack, .finish_unit = srq_weighted_finish_unit, .collect = srq_weighted_collect,           \
    .quantizes = SRQ_QUANTIZES_WEIGHTS, .deploy = srq_weighted_deploy

#endif
