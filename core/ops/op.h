/* An operator is a type of layer: a table with its shape inference, parameters, forward and backward functions.
 *
 * Tensors are dense and channels-last, [n][height][width][channels], with n <= the network's capacity. An operator
 * writes its output and, in the backward pass, the gradient of each input. It always overwrites them: if an output has
 * several users, the graph adds their gradients.
 *
 * While it is created, a layer requests parameters and memory from its network (core/network.h). In a pass, it writes
 * only to the memory of that pass (core/pass.h), and does not change itself. docs/adding-an-operator.md has a complete
 * example. */
#ifndef SRQ_CORE_OPS_OP_H
#define SRQ_CORE_OPS_OP_H

#include "core/ops/setting.h"
#include "core/pass.h"

/* What a layer quantizes. The configuration has settings for weights and for activations. */
typedef enum srq_quantizes { SRQ_QUANTIZES_NOTHING, SRQ_QUANTIZES_WEIGHTS, SRQ_QUANTIZES_OUTPUT } srq_quantizes;

/* The part of a chain (core/ops/chain.h) that replaces the operator, in the order of the chain. */
typedef enum srq_chain_stage {
    SRQ_CHAIN_NONE, /* the operator cannot be part of a chain */
    SRQ_CHAIN_NORM,
    SRQ_CHAIN_ADD,  /* the sum with another input, after batch-norm */
    SRQ_CHAIN_CLIP, /* clipping to 0 and spec->max */
    SRQ_CHAIN_POOL, /* maximum over windows of spec->kernel */
    SRQ_CHAIN_QUANTIZE
} srq_chain_stage;

struct srq_deployer; /* core/deploy_build.h */

typedef struct srq_op {
    const char *type;
    int min_inputs, max_inputs;
    bool reads_codes;  /* accepts codes as inputs; otherwise the graph converts them to float32 */
    bool keeps_input;  /* backward reads the input ... */
    bool keeps_output; /* ... or the output of forward */
    /* Infers the shape of layer->output from spec and inputs. Requests parameters and memory. Errors name what does not
     * fit. */
    srq_status (*create)(srq_layer *layer);
    void (*destroy)(srq_layer *layer);
    /* Initializes the parameters (srq_graph_initialize). Random numbers depend on the layer's index. Optional. */
    void (*initialize)(srq_layer *layer, uint64_t seed, double gain);
    /* Called once after values have changed, before the next pass: quantizes and packs weights, with the scratch memory
     * of `pass`. Optional. */
    void (*prepare)(srq_layer *layer, srq_pass *pass);
    /* Called before forward in a pass that initializes quantizers or changes bit-lengths: sets alpha and sigma of the
     * output's quantizer from the input of all slices of the shard (pass->shard). Nothing else runs at the same time.
     * Optional. */
    srq_status (*start)(srq_layer *layer, srq_pass *pass);
    /* For operators that need sums over the whole shard. In training, called before forward and before backward, on
     * every slice of the shard: writes the sums of this slice to the memory of the pass. Forward and backward then
     * begin when all slices have done this. Also called for a slice without images. Optional, both or none. */
    void (*measure)(const srq_layer *layer, srq_pass *pass);
    void (*measure_backward)(const srq_layer *layer, srq_pass *pass);
    void (*forward)(const srq_layer *layer, srq_pass *pass);
    void (*backward)(const srq_layer *layer, srq_pass *pass);
    /* For layers with weights: called once a step by core/finish.h. Weights are divided into units of unit_size
     * weights. Each unit has `unit_slots` float64, initially 0, for its contributions to the gradients of alpha, sigma
     * and gates. */
    size_t (*unit_size)(const srq_layer *layer);
    size_t (*unit_slots)(const srq_layer *layer);
    /* Reorders the gradient of all weights from the kernels' order, in place. */
    void (*unpack)(const srq_layer *layer, const srq_pass *pass, float *gradient);
    /* Finishes weights [begin, end), whose gradient is at `gradient`, in place. */
    void (*finish_unit)(const srq_layer *layer, const srq_pass *pass, size_t begin, size_t end, float *gradient,
                        double *slots);
    /* Writes the gradients of alpha, sigma and gates to pass->gradient, from the slots of `units` units, which are
     * `stride` apart. */
    void (*collect)(const srq_layer *layer, const srq_pass *pass, int units, size_t stride, const double *slots);
    /* Adds what evaluation computes to a deployed network (core/deploy_build.h), after all layers were prepared for it.
     * Optional: without it, networks with such a layer cannot be exported. */
    srq_status (*deploy)(const srq_layer *layer, struct srq_deployer *deployer);
    const char *meaning;                          /* one line for `srq help layers` and docs/configuration.md */
    srq_op_setting settings[SRQ_OP_SETTINGS_MAX]; /* in the order of printing; an entry without a name ends the list */
    const char *family;                           /* the name in the output of `srq bench step`; NULL: `type` */
    srq_quantizes quantizes;
    srq_chain_stage stage; /* for operators that can be part of a chain */
    bool selects;          /* every output value is an input value, so the output has the bit-length of the input */
} srq_op;

/* The operator with the name `type`, or NULL. */
const srq_op *srq_op_find(const char *type);
/* All operators, in the order of core/ops/operators.def. */
int srq_op_count(void);
const srq_op *srq_op_at(int index);
/* The number of settings in its table; the setting with the name `name`, or NULL. */
int srq_op_setting_count(const srq_op *op);
const srq_op_setting *srq_op_setting_find(const srq_op *op, const char *name);

#endif
