/* A layer of a network, without what belongs to a single pass: shapes, places in memory, indices of parameters, and the
 * state at the beginning of a training step (core/network.h). */
#ifndef SRQ_CORE_LAYER_H
#define SRQ_CORE_LAYER_H

#include "core/network.h"
#include "core/quant/quantizer.h"

#include <stdint.h>

typedef struct srq_layer srq_layer;

/* No place. The gradient of the images has none, because it is not needed. */
#define SRQ_NOWHERE SIZE_MAX

/* An activation of n images, dense and channels-last: [n][height][width][channels]. */
typedef struct srq_tensor {
    int height, width, channels;
    size_t features;   /* height * width * channels */
    bool non_negative; /* no element is below 0, so an unsigned grid can be used */
    srq_dtype dtype;   /* SRQ_FLOAT32, or codes */
    float scale;       /* alpha of this step for codes; 1 for float32 */
    int most;          /* the largest magnitude of a code */
    size_t place;      /* in the memory of a pass (core/pass.h) */
} srq_tensor;

struct srq_layer {
    const srq_layer_spec *spec;
    const struct srq_op *op; /* core/ops/op.h */
    srq_network *network;
    int index;
    int input_count;
    const srq_tensor *inputs[SRQ_INPUTS_MAX];
    int producers[SRQ_INPUTS_MAX];          /* index of the layer that makes the input, -1 for the images */
    size_t input_gradients[SRQ_INPUTS_MAX]; /* places; SRQ_NOWHERE for the images */
    srq_tensor output;
    size_t output_gradient;  /* place: float32, or as `deferred` says */
    srq_dtype gradient_type; /* layers with weights: the type that their kernels expect */
    /* Layers with weights whose only user is a chain (core/ops/chain.h). The output holds sums without scales and bias.
     * The chain applies these (core/ops/weighted.h). In the backward pass, it gives the gradient of the output
     * multiplied by the scales of the weights, in the type `gradient_type`. */
    bool deferred;
    /* The chain that ends with this layer. It runs instead of all its layers, from its own inputs to input_gradients of
     * this layer. The second one is what an `add` in the chain adds; -1 and NULL without. */
    struct srq_chain *chain;
    const srq_tensor *chain_inputs[2];
    int chain_producers[2];
    int chain_input_count;
    /* In a chain, but not its last layer: does not run, and has no output in memory unless it is tapped. */
    bool in_chain;
    int chain_end;           /* the index of the last layer then */
    bool tapped;             /* a later layer reads the output, too; the chain writes it */
    srq_quantizer quantizer; /* of the weights (conv, dense) or the output (quantize); without one, method is NULL */
    int alpha, sigma, gates; /* parameter indices of the quantizer, or -1 */
    int next_bits;           /* in a pass that changes bit-lengths: the new one, or 0 */
    int weight, bias;        /* parameter indices, or -1 */
    uint8_t *mask;           /* core/mask.h; NULL: all weights are kept */
    size_t kept;             /* with a mask: the number of kept weights */
    size_t offset; /* where its parameters begin in the vector; they end where those of the next layer begin */
    size_t macs;   /* multiply-accumulates for one image */
    void *state;   /* private to the operator; constant during a pass */
};

#endif
