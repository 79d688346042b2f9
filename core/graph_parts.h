/* The struct srq_graph, only for the files that implement it: graph_build.c makes layers, chains and the memory plan;
 * graph.c prepares them, and graph_run.c runs them. */
#ifndef SRQ_CORE_GRAPH_PARTS_H
#define SRQ_CORE_GRAPH_PARTS_H

#include "core/graph.h"
#include "core/ops/op.h"
#include "core/workers.h"

/* Workers [first, first + members) run the slices of one shard at a time. */
typedef struct srq_graph_lane {
    int first, members;
    srq_barrier meeting;
} srq_graph_lane;

struct srq_graph {
    const srq_model_spec *spec;
    srq_graph_options options;
    /* What belongs to the network: */
    srq_network network;
    srq_tensor images;
    float *statistics; /* [2][channels]: mean and standard deviation of pixels, or NULL */
    int layer_count;
    srq_layer *layers;
    /* [layer_count]: the float32 copy of a layer's codes, for operators that cannot read codes. It has 0 features if it
     * is not needed. */
    srq_tensor *widened;
    size_t logit_gradient; /* a place */
    int *order;            /* [layer_count]: layers from the most weights to the fewest */
    /* What belongs to passes, which are those of lane 0, then of lane 1, ...: */
    int slices, lane_count, pass_count, worker_count;
    srq_graph_lane *lanes;
    srq_pass *passes;
    void **scratch; /* [worker_count] */
};

/* The inputs of a layer when it runs. The last layer of a chain has the inputs of the chain; the other layers of a
 * chain do not run. */
static inline bool runs(const srq_layer *layer)
{
    return !layer->in_chain;
}

static inline int source_count(const srq_layer *layer)
{
    return layer->in_chain ? 0 : layer->chain ? layer->chain_input_count : layer->input_count;
}

static inline int source(const srq_layer *layer, int k)
{
    return layer->chain ? layer->chain_producers[k] : layer->producers[k];
}

static inline const srq_tensor *source_tensor(const srq_layer *layer, int k)
{
    return layer->chain ? layer->chain_inputs[k] : layer->inputs[k];
}

/* The first image of a slice of a shard of n images. */
static inline int slice_start(const srq_graph *graph, int n, int slice)
{
    return (int)((long)n * slice / graph->slices);
}

static inline void set_training(srq_graph *graph, bool training)
{
    for (int i = 0; i < graph->pass_count; i++) graph->passes[i].training = training;
}

#endif
