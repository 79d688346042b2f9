/* How operators add themselves to a deployed network: the function `deploy` of their table (core/ops/op.h). */
#ifndef SRQ_CORE_DEPLOY_BUILD_H
#define SRQ_CORE_DEPLOY_BUILD_H

#include "core/deploy.h"
#include "core/layer.h"

/* A deployed network that is being made, and which of its operations gives the output of each layer. */
typedef struct srq_deployer srq_deployer;

srq_status srq_deployer_create(const srq_deploy_input *input, int layer_count, srq_deployer **deployer);
/* Frees the deployer, and the network unless `net` is not NULL: then the caller has it. */
void srq_deployer_destroy(srq_deployer **deployer, srq_deploy **net);

/* The operation that gives input `k` of a layer as float32. If it is codes until now, or sums of a convolution without
 * scales and bias, an operation that converts them is added once. */
srq_status srq_deployer_floats(srq_deployer *deployer, const srq_layer *layer, int k, int *index);
/* For operators that can read codes: the operation that gives the codes of input `k` if it has some, else as above. The
 * points of the tensor are the network's. */
srq_status srq_deployer_operand(srq_deployer *deployer, const srq_layer *layer, int k, int *index,
                                srq_deploy_tensor *tensor);
/* For an operator that can apply the scales and the bias of the layer before it, if that is `deferred` (layer.h):
 * whether input 0 is its sums, with their scales and bias, which are the deployer's. Otherwise *index gives float32. */
srq_status srq_deployer_sums(srq_deployer *deployer, const srq_layer *layer, bool *sums, const float **scales,
                             const float **bias, int *index);

/* Adds an operation with the members of `op`, the name of the layer and the shape of its output. Arrays of `op` become
 * the network's, also after a failure, except output.grid.points, which is copied. */
srq_status srq_deployer_add(srq_deployer *deployer, const srq_layer *layer, const srq_deploy_op *op, int *index);
/* Operation `index` gives the output of the layer. */
void srq_deployer_put(srq_deployer *deployer, const srq_layer *layer, int index);
/* Operation `index` gives sums, of which the layer's output is scales[c] x + bias[c]; both [channels] are copied. */
srq_status srq_deployer_put_sums(srq_deployer *deployer, const srq_layer *layer, int index, const float *scales,
                                 const float *bias);
/* Adds an operation a[c] x + b[c]; both [channels] are copied. */
srq_status srq_deployer_add_affine(srq_deployer *deployer, const srq_layer *layer, int input, const float *a,
                                   const float *b, int *index);
/* Adds the operation `op` on the float32 inputs of the layer; it gives the layer's output. For most operators, this is
 * all. */
srq_status srq_deployer_simple(srq_deployer *deployer, const srq_layer *layer, const srq_deploy_op *op);

/* The operation that gives the output of a layer as float32. */
srq_status srq_deployer_output(srq_deployer *deployer, const srq_layer *layer, int *index);

#endif
