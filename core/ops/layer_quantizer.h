/* The quantizer of a layer, of its weights or of its output: how it is tied to parameters of the network. */
#ifndef SRQ_CORE_OPS_LAYER_QUANTIZER_H
#define SRQ_CORE_OPS_LAYER_QUANTIZER_H

#include "core/pass.h"

/* While a layer is created: adds alpha and, if the method has them, sigma and gates of layer->quantizer, called
 * LAYER/prefix_alpha and so on. */
srq_status srq_layer_add_quantizer(srq_layer *layer, const char *prefix);

/* Takes the quantizer's parameters, bit-lengths and this step's gates into layer->quantizer. */
void srq_layer_load_quantizer(srq_layer *layer, const srq_pass *pass);

/* In a pass that starts quantizers or changes bit-lengths: sets alpha and sigma in the network's values from x[n]. */
void srq_layer_start_quantizer(srq_layer *layer, const srq_pass *pass, size_t n, const float *x);

/* Where gates have come to stand for another bit-length (srq_quantizer_spec's follow): alpha and sigma of the weights
 * go over to its grid. */
void srq_layer_follow_gates(srq_layer *layer);

/* Puts the gradients of alpha and sigma, [channels], where they belong in pass->gradient; and with masks those of the
 * gates. */
void srq_layer_put_gradient(const srq_layer *layer, const srq_pass *pass, const srq_grid_gradient *sums,
                            const double *masks);

#endif
