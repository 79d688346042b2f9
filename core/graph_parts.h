/* The inside of a srq_graph, for the files that make it up: graph_build.c makes layers, chains and the memory plan,
 * graph.c runs it. Nobody else includes this. */
#ifndef SRQ_CORE_GRAPH_PARTS_H
#define SRQ_CORE_GRAPH_PARTS_H

#include "core/graph.h"
#include "core/ops/op.h"

struct srq_graph {
    const srq_model_spec *spec;
    srq_graph_options options;
    /* What belongs to the network: */
    srq_network network;
    srq_tensor images;
    int layer_count;
    srq_layer *layers;
    /* For a layer whose codes are read by an operator that wants float32: that copy. Without features if none does. */
    srq_tensor *widened;
    size_t logit_gradient; /* a place */
    /* What belongs to a pass: */
    srq_pass pass;
};

/* What a layer reads when it runs: for its whole chain if it has one, nothing inside of one. */
static inline bool runs(const srq_layer *layer)
{
    return !layer->in_chain;
}

static inline int source_count(const srq_layer *layer)
{
    return layer->in_chain ? 0 : layer->chain ? 1 : layer->input_count;
}

static inline int source(const srq_layer *layer, int k)
{
    return layer->chain ? layer->chain_producer : layer->producers[k];
}

static inline const srq_tensor *source_tensor(const srq_layer *layer, int k)
{
    return layer->chain ? layer->chain_input : layer->inputs[k];
}

#endif
