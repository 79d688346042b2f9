/* Operators: shape inference, parameters, forward and backward of one kind of layer, behind one table.
 *
 * Tensors are dense and channels-last, [n][height][width][channels], n <= the graph's capacity. An operator writes its
 * output and, in the backward pass, the gradient of each input; the graph sums gradients where an output has several
 * users, so an operator always overwrites. */
#ifndef SRQ_CORE_OPS_OP_H
#define SRQ_CORE_OPS_OP_H

#include "core/kernels/kernels.h"
#include "core/ops/setting.h"
#include "core/quant/quantizer.h"
#include "core/spec.h"
#include "core/status.h"

#include <stdint.h>

typedef struct srq_graph srq_graph;
typedef struct srq_layer srq_layer;

/* An activation of n images. */
typedef struct srq_tensor {
    int height, width, channels;
    size_t features;     /* height * width * channels */
    bool non_negative;   /* no element is below 0: an unsigned grid serves it */
    int most;            /* of codes: the largest magnitude */
    srq_operand operand; /* data [n][height][width][channels] */
    /* The value is scales[c] * element + bias[c], [channels] each, where the layer's `deferred` is set. */
    const float *scales, *bias;
} srq_tensor;

/* What a parameter is decides how a step changes it. */
typedef enum srq_parameter_kind {
    SRQ_PARAMETER_WEIGHT,    /* conv and dense weights: the only ones with weight decay */
    SRQ_PARAMETER_BIAS,      /* biases, batch-norm scale and shift */
    SRQ_PARAMETER_ALPHA,     /* step size: stays positive, learned as log alpha */
    SRQ_PARAMETER_SIGMA,     /* noise scale: likewise */
    SRQ_PARAMETER_GATE,      /* logit phi of a DropBits gate */
    SRQ_PARAMETER_STATISTIC, /* not learned: moves by `momentum` towards the batch's own, found in its gradient's place
                              */
} srq_parameter_kind;

enum { SRQ_PARAMETER_NAME_SIZE = SRQ_NAME_SIZE + 32 };

typedef struct srq_parameter {
    char name[SRQ_PARAMETER_NAME_SIZE]; /* "conv1/weight" */
    srq_parameter_kind kind;
    int rank;        /* 0 for a scalar */
    size_t shape[4]; /* weights [out][in / groups][kernel 0][kernel 1] or [out][in] */
    size_t count;    /* product of the shape */
    size_t offset;   /* of its first float in the graph's vector of values, and of gradients */
    float momentum;  /* statistics only */
} srq_parameter;

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

/* One run of the network over n images. */
typedef struct srq_pass {
    const srq_vector *vector;
    int n;
    bool training; /* batch-norm by the batch's own statistics, and its statistics into `gradient` */
    bool starting; /* quantizers take alpha and sigma from what they see */
    bool changing; /* quantizers with next_bits go over to them */
    uint64_t seed; /* noise of this step is a function of these and of the shard */
    long step;
    bool gates_held; /* see srq_step */
    int shard;
    float share;     /* n / images of the global batch: weight of this shard's batch statistics */
    float *values;   /* the graph's vector */
    float *gradient; /* the vector that this shard's gradients go into */
    int bad;         /* index of the first layer that met an infinity or NaN, or -1 */
    srq_observer observer;
    /* Called in the backward pass when the gradients from `offset` to the end of the vector are final. NULL: nobody. */
    void (*ready)(void *context, size_t offset);
    void *ready_context;
    srq_status failed; /* of a pass that starts or changes quantizers, which may need memory for it */
} srq_pass;

/* What a layer quantizes by the configuration's settings for weights or for activations. */
typedef enum srq_quantizes { SRQ_QUANTIZES_NOTHING, SRQ_QUANTIZES_WEIGHTS, SRQ_QUANTIZES_OUTPUT } srq_quantizes;

typedef struct srq_op {
    const char *type;
    int min_inputs, max_inputs;
    bool reads_codes;  /* takes inputs as codes; else the graph gives it float32 */
    bool keeps_input;  /* backward reads the input ... */
    bool keeps_output; /* ... or the output of forward */
    /* Infers output shape from spec and inputs, adds parameters and buffers. Errors name what does not fit. */
    srq_status (*create)(srq_graph *graph, srq_layer *layer);
    void (*destroy)(srq_layer *layer);
    /* Starting values of the parameters (srq_graph_initialize). Draws are keyed by the layer's index. Optional. */
    void (*initialize)(srq_graph *graph, srq_layer *layer, uint64_t seed, double gain);
    /* Once after the values have changed: quantize and pack weights. Optional. */
    void (*prepare)(srq_layer *layer, srq_pass *pass);
    void (*forward)(srq_layer *layer, srq_pass *pass);
    void (*backward)(srq_layer *layer, srq_pass *pass);
    /* Layers with weights, once a step, for core/finish.h, which see. Weights are cut into units of unit_size; each has
     * `unit_slots` float64 for what it adds to the gradients of alpha, sigma and gates, zeroed before. */
    size_t (*unit_size)(const srq_layer *layer);
    size_t (*unit_slots)(const srq_layer *layer);
    /* The gradient of all weights, out of the kernels' order, in place. */
    void (*unpack)(const srq_layer *layer, float *gradient);
    /* Weights [begin, end), whose gradient is at `gradient`, in place. */
    void (*finish_unit)(const srq_layer *layer, const srq_pass *pass, size_t begin, size_t end, float *gradient,
                        double *slots);
    /* The gradients of alpha, sigma and gates into pass->gradient, from the slots of `units` units, `stride` apart. */
    void (*collect)(const srq_layer *layer, const srq_pass *pass, int units, size_t stride, const double *slots);
    const char *meaning;                          /* one line for `srq help layers` and docs/configuration.md */
    srq_op_setting settings[SRQ_OP_SETTINGS_MAX]; /* in the order of printing; the first without a name ends them */
    const char *family;                           /* under which `srq bench step` adds up times; NULL: `type` */
    srq_quantizes quantizes;
    bool selects; /* every value of the output is one of the input: bit-lengths are looked for through it */
} srq_op;

struct srq_layer {
    const srq_layer_spec *spec;
    const srq_op *op;
    int index;
    int input_count;
    const srq_tensor *inputs[SRQ_INPUTS_MAX];
    int producers[SRQ_INPUTS_MAX];          /* index of the layer that makes the input, -1 for the images */
    float *input_gradients[SRQ_INPUTS_MAX]; /* NULL for the images */
    srq_tensor output;
    const void *output_gradient; /* float32, or as `deferred` says */
    srq_dtype gradient_type;     /* layers with weights: what their kernels take */
    /* Layers with weights: the only user is a chain (core/ops/chain.h), which applies scales and bias to the output and
     * gives its gradient times the scales of the weights, in the type `gradient_type`. */
    bool deferred;
    struct srq_chain *chain; /* of which this is the last layer; it runs for all of them, from ... */
    const srq_tensor *chain_input;
    int chain_producer;      /* ... to input_gradients[0] of this layer */
    bool in_chain;           /* and not the last: does not run, has no output in memory */
    srq_quantizer quantizer; /* of the weights (conv, dense) or the output (quantize); method NULL without */
    int alpha, sigma, gates; /* parameter indices of the quantizer, -1 without */
    int next_bits;           /* in a pass that changes bit-lengths: the quantizer's new one, or 0 */
    int weight, bias;        /* parameter indices, -1 without */
    uint8_t *mask;           /* core/mask.h: which weights are kept; NULL: all */
    size_t kept;             /* with a mask: how many */
    size_t offset;           /* where its parameters begin in the vector; they end where the next layer's begin */
    size_t macs;             /* multiply-accumulates for one image */
    void *state;             /* the operator's own */
};

static inline void srq_pass_done(const srq_pass *pass, const srq_layer *layer, srq_phase phase)
{
    if (pass->observer.done) pass->observer.done(pass->observer.context, layer, phase);
}

/* For operators, while they are created: */

/* Adds a parameter called LAYER/suffix; its index is returned in *index. */
srq_status srq_graph_add_parameter(srq_graph *graph, const srq_layer *layer, const char *suffix,
                                   srq_parameter_kind kind, int rank, const size_t *shape, int *index);
/* Adds alpha and, if the method has them, sigma and gates of layer->quantizer, called LAYER/prefix_alpha and so on. */
srq_status srq_graph_add_quantizer(srq_graph *graph, srq_layer *layer, const char *prefix);
/* Memory of `bytes` whose address is put into *slot once the graph is planned: kept from this layer's forward to its
 * backward (`whole` false), or always (`whole` true). */
srq_status srq_graph_add_buffer(srq_graph *graph, const srq_layer *layer, size_t bytes, bool whole, void **slot);
/* The pass that runs, or ran last. */
srq_pass *srq_graph_pass(srq_graph *graph);
/* Memory of at least `bytes`, 64-byte aligned, for whatever runs: what is there does not stay. */
void srq_graph_need_scratch(srq_graph *graph, size_t bytes);
void *srq_graph_scratch(const srq_graph *graph);
const srq_parameter *srq_graph_parameter(const srq_graph *graph, int index);
float *srq_graph_values(const srq_graph *graph);
srq_layer *srq_graph_layer_at(srq_graph *graph, int index); /* to change it */
int srq_graph_capacity(const srq_graph *graph);
const srq_vector *srq_graph_vector(const srq_graph *graph);
const srq_kernels *srq_graph_kernels(const srq_graph *graph);

/* Takes the quantizer's parameters, bit-lengths and this step's gates into layer->quantizer. */
void srq_layer_load_quantizer(const srq_graph *graph, srq_layer *layer, const srq_pass *pass);
/* In a pass that starts quantizers or changes bit-lengths: sets alpha and sigma in the graph's values from x[n]. */
void srq_layer_start_quantizer(const srq_graph *graph, srq_layer *layer, const srq_pass *pass, size_t n,
                               const float *x);
/* srq_quantizer_backward with the gradients of parameters put where they belong in pass->gradient. */
void srq_layer_quantizer_backward(const srq_graph *graph, const srq_layer *layer, const srq_pass *pass, size_t n,
                                  size_t features, const float *x, const float *dy, float *dx);
/* Puts the gradients of alpha and sigma, [channels], where they belong in pass->gradient; and with masks those of the
 * gates. */
void srq_layer_put_gradient(const srq_graph *graph, const srq_layer *layer, const srq_pass *pass,
                            const srq_grid_gradient *sums, const double *masks);

/* The operator called `type`, or NULL. */
const srq_op *srq_op_find(const char *type);
/* All of them, in the order of core/ops/operators.def. */
int srq_op_count(void);
const srq_op *srq_op_at(int index);
/* How many settings its table has, and the one called `name`, or NULL. */
int srq_op_setting_count(const srq_op *op);
const srq_op_setting *srq_op_setting_find(const srq_op *op, const char *name);

#endif
