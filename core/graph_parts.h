/* The inside of a srq_graph, for the files that make it up: graph_build.c makes layers, chains and the memory plan,
 * graph_quantizer.c ties layers' quantizers to their parameters, graph.c runs it. Nobody else includes this. */
#ifndef SRQ_CORE_GRAPH_PARTS_H
#define SRQ_CORE_GRAPH_PARTS_H

#include "core/graph.h"
#include "core/plan.h"

/* A buffer that an operator or the graph asked for, and where its address goes. */
typedef struct request {
    srq_buffer buffer;
    void **slot;
} request;

struct srq_graph {
    const srq_model_spec *spec;
    srq_graph_options options;
    const srq_kernels *kernels;
    srq_tensor images;
    int layer_count;
    srq_layer *layers;
    /* For a layer whose codes are read by an operator that wants float32: that copy. */
    srq_tensor *widened;
    int parameter_count, parameter_room;
    srq_parameter *parameters;
    size_t size;
    float *values;
    int request_count, request_room;
    request *requests;
    char *memory;
    size_t memory_size;
    size_t scratch_size;
    void *scratch;
    float *logit_gradient;
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
/* Makes what spec and options of a zeroed graph ask for: layers, chains, memory. On failure the graph can be destroyed.
 */
srq_status srq_graph_build(srq_graph *graph);

#endif
