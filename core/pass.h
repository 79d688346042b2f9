/* One run of a network over n images: what belongs to the pass, not to the network (core/network.h). Each pass has
 * memory of its own, and layers are constant while it runs. */
#ifndef SRQ_CORE_PASS_H
#define SRQ_CORE_PASS_H

#include "core/layer.h"

/* What a layer has just done; the backward pass of a layer with weights is the last two. */
typedef enum srq_phase {
    SRQ_PHASE_PREPARE,
    SRQ_PHASE_FORWARD,
    SRQ_PHASE_BACKWARD,
    SRQ_PHASE_BACKWARD_DATA,
    SRQ_PHASE_BACKWARD_WEIGHTS,
    SRQ_PHASES
} srq_phase;

/* Someone who wants to know when, such as a benchmark with a clock. */
typedef struct srq_observer {
    void (*done)(void *context, const srq_layer *layer, srq_phase phase); /* NULL: nobody */
    void *context;
} srq_observer;

typedef struct srq_pass {
    const srq_vector *vector;
    char *memory;  /* [pass_size of the network] */
    void *scratch; /* [scratch_size]: what an operator leaves there does not stay */
    int n;
    bool training; /* batch-norm by the batch's own statistics, and its statistics into `gradient` */
    bool starting; /* quantizers take alpha and sigma from what they see */
    bool changing; /* quantizers with next_bits go over to them */
    uint64_t seed; /* noise of this step is a function of these and of the shard */
    long step;
    bool gates_held; /* gates leave the grid that evaluation has (core/graph.h, srq_step) */
    int shard;
    float share;     /* n / images of the global batch: weight of this shard's batch statistics */
    float *values;   /* the network's vector */
    float *gradient; /* the vector that this shard's gradients go into */
    int bad;         /* index of the first layer that met an infinity or NaN, or -1 */
    srq_observer observer;
    /* Called in the backward pass when the gradients from `offset` to the end of the vector are final. NULL: nobody. */
    void (*ready)(void *context, size_t offset);
    void *ready_context;
} srq_pass;

/* Gets the memory of a pass over `network`, which is planned. SRQ_ERROR_RUN without memory. The caller frees it. */
srq_status srq_pass_create(const srq_network *network, srq_pass *pass);
void srq_pass_free(srq_pass *pass);

static inline void *srq_pass_at(const srq_pass *pass, size_t place)
{
    return pass->memory + place;
}

/* What is at a place, or NULL for SRQ_NOWHERE. */
static inline float *srq_pass_floats(const srq_pass *pass, size_t place)
{
    return place == SRQ_NOWHERE ? NULL : (float *)(void *)(pass->memory + place);
}

/* Input k of a layer: float32, unless the operator reads codes. */
static inline const float *srq_pass_input(const srq_pass *pass, const srq_layer *layer, int k)
{
    return srq_pass_floats(pass, layer->inputs[k]->place);
}

static inline float *srq_pass_output(const srq_pass *pass, const srq_layer *layer)
{
    return srq_pass_floats(pass, layer->output.place);
}

/* dL/d(input k), to be overwritten; NULL for the images. */
static inline float *srq_pass_input_gradient(const srq_pass *pass, const srq_layer *layer, int k)
{
    return srq_pass_floats(pass, layer->input_gradients[k]);
}

/* dL/d(output). */
static inline float *srq_pass_output_gradient(const srq_pass *pass, const srq_layer *layer)
{
    return srq_pass_floats(pass, layer->output_gradient);
}

/* A tensor as the kernels take it. */
static inline srq_operand srq_pass_operand(const srq_pass *pass, const srq_tensor *tensor)
{
    return (srq_operand){.data = pass->memory + tensor->place, .dtype = tensor->dtype, .scale = tensor->scale};
}

/* A parameter's values, and its gradient; NULL for index -1, or in a pass without gradients. */
static inline float *srq_pass_values(const srq_pass *pass, const srq_layer *layer, int parameter)
{
    return srq_network_in(layer->network, pass->values, parameter);
}

static inline float *srq_pass_gradient(const srq_pass *pass, const srq_layer *layer, int parameter)
{
    return srq_network_in(layer->network, pass->gradient, parameter);
}

static inline void srq_pass_done(const srq_pass *pass, const srq_layer *layer, srq_phase phase)
{
    if (pass->observer.done) pass->observer.done(pass->observer.context, layer, phase);
}

#endif
