/* A pass is one run of a network over n images: a slice of a shard in training, any images in evaluation. This header
 * has what belongs to the pass and not to the network (core/network.h). Each pass has memory of its own. Layers are
 * constant while it runs.
 *
 * The passes of all slices of a shard go from layer to layer together, each on one of several workers. Operators that
 * need a sum over the whole shard compute that of their slice first (srq_op.measure). Then, when all slices have done
 * so, they read the sums of the others (srq_pass_total). */
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
    void *scratch; /* [scratch_size] of the worker that runs the pass: contents are lost when the next operator runs */
    int worker;    /* its number */
    int n;         /* images of this pass, may be 0 in a shard with few images */
    int slice, slices;            /* which part of the shard it is, of how many */
    const struct srq_pass *shard; /* the passes of all slices, [slices] */
    int shard_n;                  /* images of the whole shard */
    bool training;                /* batch-norm uses the statistics of the batch and writes them to `gradient` */
    bool starting;                /* quantizers initialize alpha and sigma from their input */
    bool changing;                /* quantizers with next_bits change to that bit-length */
    bool exact;                   /* sums over images are exact, if the network has a fraction */
    uint64_t seed;                /* the noise is a function of seed, step and leaf */
    long step;
    float label_smoothing;
    bool gates_held; /* gates are fixed (core/graph.h, srq_step) */
    int leaf;        /* number of this slice in the global batch: shard x slices + slice */
    float share;     /* shard_n / images of the global batch: the weight of this shard's statistics */
    float *values;   /* the network's vector of values */
    float *gradient; /* the vector for the gradients of this slice */
    int bad;         /* index of the first layer with an infinity or NaN, or -1 */
    srq_observer observer;
    /* Called during the backward pass when the gradients from `offset` to the end of the vector are final. NULL: no
     * call. */
    void (*ready)(void *context, const struct srq_pass *pass, size_t offset);
    void *ready_context;
} srq_pass;

/* The largest number of slices of a shard. */
enum { SRQ_SLICES_MAX = 256 };

/* Allocates a pass over `network`, which must be planned. It is the only slice of its shard. SRQ_ERROR_RUN without
 * memory. The caller frees it. Do not move it in memory. */
srq_status srq_pass_create(const srq_network *network, srq_pass *pass);
void srq_pass_free(srq_pass *pass);

/* The whole sum over a shard of `count` float64 that each of its passes has at `place`, plus `offset` numbers: added
 * along a fixed tree over slices, [i 2^l, (i + 1) 2^l), as left plus right. All of these passes must have written their
 * part. `to` may be this pass's own part only if the shard has one slice. */
void srq_pass_total(const srq_pass *pass, size_t place, size_t offset, size_t count, double *to);

/* Whether this pass writes what belongs to the whole shard, for example statistics; the other slices write 0. It is the
 * last slice, which has images unless the shard has none. */
static inline bool srq_pass_writes(const srq_pass *pass)
{
    return pass->slice == pass->slices - 1;
}

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
