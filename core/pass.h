/* A pass is one run of a network over n images. This header has what belongs to the pass and not to the network
 * (core/network.h). Each pass has memory of its own. Layers are constant while it runs. */
#ifndef SRQ_CORE_PASS_H
#define SRQ_CORE_PASS_H

#include "core/layer.h"

/* What a layer has just done. For a layer with weights, the backward pass has the last two phases. */
typedef enum srq_phase {
    SRQ_PHASE_PREPARE,
    SRQ_PHASE_FORWARD,
    SRQ_PHASE_BACKWARD,
    SRQ_PHASE_BACKWARD_DATA,
    SRQ_PHASE_BACKWARD_WEIGHTS,
    SRQ_PHASES
} srq_phase;

/* A function to call after each phase of each layer, for example for timing. */
typedef struct srq_observer {
    void (*done)(void *context, const srq_layer *layer, srq_phase phase); /* NULL: no call */
    void *context;
} srq_observer;

typedef struct srq_pass {
    const srq_vector *vector;
    char *memory;  /* [pass_size of the network] */
    void *scratch; /* [scratch_size]: contents are lost when the next operator runs */
    int n;
    bool training; /* batch-norm uses the statistics of the batch and writes them to `gradient` */
    bool starting; /* quantizers initialize alpha and sigma from their input */
    bool changing; /* quantizers with next_bits change to that bit-length */
    uint64_t seed; /* the noise is a function of seed, step and shard */
    long step;
    float label_smoothing;
    bool gates_held; /* gates are fixed (core/graph.h, srq_step) */
    int shard;
    float share;     /* n / images of the global batch: the weight of this shard's statistics */
    float *values;   /* the network's vector of values */
    float *gradient; /* the vector for the gradients of this shard */
    int bad;         /* index of the first layer with an infinity or NaN, or -1 */
    srq_observer observer;
    /* Called during the backward pass when the gradients from `offset` to the end of the vector are final. NULL: no
     * call. */
    void (*ready)(void *context, size_t offset);
    void *ready_context;
} srq_pass;

/* Allocates a pass over `network`, which must be planned. SRQ_ERROR_RUN without memory. The caller frees it. */
srq_status srq_pass_create(const srq_network *network, srq_pass *pass);
void srq_pass_free(srq_pass *pass);

static inline void *srq_pass_at(const srq_pass *pass, size_t place)
{
    return pass->memory + place;
}

/* The memory at a place, or NULL for SRQ_NOWHERE. */
static inline float *srq_pass_floats(const srq_pass *pass, size_t place)
{
    return place == SRQ_NOWHERE ? NULL : (float *)(void *)(pass->memory + place);
}

/* Input k of a layer. It is float32, unless the operator reads codes. */
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

/* A tensor as an operand of the kernels. */
static inline srq_operand srq_pass_operand(const srq_pass *pass, const srq_tensor *tensor)
{
    return (srq_operand){.data = pass->memory + tensor->place, .dtype = tensor->dtype, .scale = tensor->scale};
}

/* The values and the gradient of a parameter. NULL for index -1, or in a pass without gradients. */
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
