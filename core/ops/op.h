/* Operators: shape inference, parameters, forward and backward of one kind of layer, behind one table.
 *
 * Tensors are dense and channels-last, [n][height][width][channels], n <= the network's capacity. An operator writes
 * its output and, in the backward pass, the gradient of each input; the graph sums gradients where an output has
 * several users, so an operator always overwrites.
 *
 * While it is created, a layer asks its network for parameters and memory (core/network.h). In a pass it writes to the
 * memory of that pass (core/pass.h) and changes nothing of its own. docs/adding-an-operator.md shows a complete one. */
#ifndef SRQ_CORE_OPS_OP_H
#define SRQ_CORE_OPS_OP_H

#include "core/ops/setting.h"
#include "core/pass.h"

/* What a layer quantizes by the configuration's settings for weights or for activations. */
typedef enum srq_quantizes { SRQ_QUANTIZES_NOTHING, SRQ_QUANTIZES_WEIGHTS, SRQ_QUANTIZES_OUTPUT } srq_quantizes;

/* What a chain (core/ops/chain.h) does in an operator's place, in the order in which it does it. */
typedef enum srq_chain_stage {
    SRQ_CHAIN_NONE, /* the operator is not in chains */
    SRQ_CHAIN_NORM,
    SRQ_CHAIN_CLIP, /* to 0 and spec->max */
    SRQ_CHAIN_POOL, /* the largest of windows of spec->kernel */
    SRQ_CHAIN_QUANTIZE
} srq_chain_stage;

typedef struct srq_op {
    const char *type;
    int min_inputs, max_inputs;
    bool reads_codes;  /* takes inputs as codes; else the graph gives it float32 */
    bool keeps_input;  /* backward reads the input ... */
    bool keeps_output; /* ... or the output of forward */
    /* Infers the shape of layer->output from spec and inputs; asks for parameters and memory. Errors name what does not
     * fit. */
    srq_status (*create)(srq_layer *layer);
    void (*destroy)(srq_layer *layer);
    /* Starting values of the parameters (srq_graph_initialize). Draws are keyed by the layer's index. Optional. */
    void (*initialize)(srq_layer *layer, uint64_t seed, double gain);
    /* Once after the values have changed, before any pass: quantize and pack weights, with the scratch memory of
     * `pass`. Optional. */
    void (*prepare)(srq_layer *layer, srq_pass *pass);
    /* In a pass that starts quantizers or changes bit-lengths, ahead of forward: sets alpha and sigma of the output's
     * quantizer from the input. Runs alone. Optional. */
    srq_status (*start)(srq_layer *layer, srq_pass *pass);
    void (*forward)(const srq_layer *layer, srq_pass *pass);
    void (*backward)(const srq_layer *layer, srq_pass *pass);
    /* Layers with weights, once a step, for core/finish.h, which see. Weights are cut into units of unit_size; each has
     * `unit_slots` float64 for what it adds to the gradients of alpha, sigma and gates, zeroed before. */
    size_t (*unit_size)(const srq_layer *layer);
    size_t (*unit_slots)(const srq_layer *layer);
    /* The gradient of all weights, out of the kernels' order, in place. */
    void (*unpack)(const srq_layer *layer, const srq_pass *pass, float *gradient);
    /* Weights [begin, end), whose gradient is at `gradient`, in place. */
    void (*finish_unit)(const srq_layer *layer, const srq_pass *pass, size_t begin, size_t end, float *gradient,
                        double *slots);
    /* The gradients of alpha, sigma and gates into pass->gradient, from the slots of `units` units, `stride` apart. */
    void (*collect)(const srq_layer *layer, const srq_pass *pass, int units, size_t stride, const double *slots);
    const char *meaning;                          /* one line for `srq help layers` and docs/configuration.md */
    srq_op_setting settings[SRQ_OP_SETTINGS_MAX]; /* in the order of printing; the first without a name ends them */
    const char *family;                           /* under which `srq bench step` adds up times; NULL: `type` */
    srq_quantizes quantizes;
    srq_chain_stage stage; /* operators of which a chain computes what they do */
    bool selects;          /* every value of the output is one of the input: bit-lengths are looked for through it */
} srq_op;

/* The operator called `type`, or NULL. */
const srq_op *srq_op_find(const char *type);
/* All of them, in the order of core/ops/operators.def. */
int srq_op_count(void);
const srq_op *srq_op_at(int index);
/* How many settings its table has, and the one called `name`, or NULL. */
int srq_op_setting_count(const srq_op *op);
const srq_op_setting *srq_op_setting_find(const srq_op *op, const char *name);

#endif
