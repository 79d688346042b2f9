/* Masks of the layers of a network (core/mask.h): set from outside, or by pruning. */
#ifndef SRQ_CORE_PRUNE_H
#define SRQ_CORE_PRUNE_H

#include "core/graph.h"
#include "core/mask.h"

/* The mask of a layer with weights from now on, a copy of `mask`; NULL for none. Weights that it does not keep become
 * 0. Not between the parts of a step. SRQ_ERROR_RUN without memory. */
srq_status srq_graph_set_mask(srq_graph *graph, int layer, const uint8_t *mask);
/* Whether any layer has one. */
bool srq_graph_has_masks(const srq_graph *graph);
/* Weights of a layer that are kept: all of them without a mask; 0 for a layer without weights. */
size_t srq_layer_kept(const srq_graph *graph, const srq_layer *layer);

/* Masks `rate` (0..1) of the weights that are kept, rounded down, those of least magnitude, and of equals the first: of
 * each layer, or, `global`, of all layers together. SRQ_ERROR_RUN without memory. */
srq_status srq_graph_prune(srq_graph *graph, double rate, bool global);

#endif
