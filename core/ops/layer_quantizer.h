/* Connects the quantizer of a layer (of its weights or of its output) with parameters of the network. */
#ifndef SRQ_CORE_OPS_LAYER_QUANTIZER_H
#define SRQ_CORE_OPS_LAYER_QUANTIZER_H

#include "core/pass.h"

/* To be called while a layer is created. Adds the parameters of layer->quantizer: alpha and, if the method has them,
 * sigma and gates, with the names LAYER/prefix_alpha and so on. */
srq_status srq_layer_add_quantizer(srq_layer *layer, const char *prefix);

/* Updates layer->quantizer from its parameters, bit-lengths and the gates of this step. */
void srq_layer_load_quantizer(srq_layer *layer, const srq_pass *pass);

/* In a pass that initializes quantizers or changes bit-lengths: sets alpha and sigma in the network's values from x[n].
 */
void srq_layer_start_quantizer(srq_layer *layer, const srq_pass *pass, size_t n, const float *x);

/* If the gates now select another bit-length and spec.follow is set: adapts alpha and sigma of the weights to the new
 * grid. */
void srq_layer_follow_gates(srq_layer *layer);

/* Writes the gradients of alpha and sigma, [channels], to pass->gradient, and those of the gates if there are any. */
void srq_layer_put_gradient(const srq_layer *layer, const srq_pass *pass, const srq_grid_gradient *sums,
                            const double *masks);

#endif
