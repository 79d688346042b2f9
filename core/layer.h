/* A layer of a network: what belongs to the network, not to a pass over it. Shapes, where things are, indices of
 * parameters, and the state that a step of training begins with (core/network.h). */
#ifndef SRQ_CORE_LAYER_H
#define SRQ_CORE_LAYER_H

#include "core/network.h"
#include "core/quant/quantizer.h"

#include <stdint.h>

typedef struct srq_layer srq_layer;

/* No place: the gradient of the images, which nobody wants. */
#define SRQ_NOWHERE SIZE_MAX

/* An activation of n images, dense and channels-last: [n][height][width][channels]. */
typedef struct srq_tensor {
    int height, width, channels;
    size_t features;   /* height * width * channels */
    bool non_negative; /* no element is below 0: an unsigned grid serves it */
    srq_dtype dtype;   /* SRQ_FLOAT32, or codes */
    float scale;       /* of codes: alpha, for this step; 1 for float32 */
    int most;          /* of codes: the largest magnitude */
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
    srq_dtype gradient_type; /* layers with weights: what their kernels take */
    /* Layers with weights: the only user is a chain (core/ops/chain.h). The output holds bare sums; the chain applies
     * scales and bias to them (core/ops/weighted.h), and gives the gradient of the output times the scales of the
     * weights, in the type `gradient_type`. */
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
    void *state;             /* the operator's own; nothing in it changes in a pass */
};

#endif
