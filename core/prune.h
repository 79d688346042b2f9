/* Sets the masks of a network's layers (core/mask.h), given by the caller or found by pruning. */
#ifndef SRQ_CORE_PRUNE_H
#define SRQ_CORE_PRUNE_H

#include "core/graph.h"
#include "core/mask.h"

/* Sets the mask of a layer with weights to a copy of `mask`; NULL removes it. Weights that it does not keep become 0.
 * Do not call it in the middle of a training step. SRQ_ERROR_RUN without memory. */
srq_status srq_graph_set_mask(srq_graph *graph, int layer, const uint8_t *mask);
/* Whether any layer has a mask. */
bool srq_graph_has_masks(const srq_graph *graph);
/* The number of kept weights of a layer: all of them if there is no mask, 0 for a layer without weights. */
size_t srq_layer_kept(const srq_graph *graph, const srq_layer *layer);

/* Prunes the share `rate` (0..1) of the kept weights, rounded down: those of the smallest magnitude, and among equal
 * magnitudes the first ones. The share applies to each layer, or with `global` to all layers together. SRQ_ERROR_RUN
 * without memory. */
srq_status srq_graph_prune(srq_graph *graph, double rate, bool global);

/* Replaces every mask by one that keeps as many weights of the layer, drawn at random. The draw depends only on `seed`,
 * the layer, its number of weights and the number of kept ones. With the same seed, the kept weights of a smaller
 * number are among those of a larger one. SRQ_ERROR_RUN without memory. */
srq_status srq_graph_mask_random(srq_graph *graph, uint64_t seed);

#endif
