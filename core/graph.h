/* A network: built from a specification, its memory planned once, run on micro-batches.
 *
 * One step of training, for the rank that owns some shards of the global batch:
 *
 *     srq_graph_begin_step(graph, step)                  draw gates; quantize and pack the weights
 *     for each shard: fill srq_graph_input(graph), then
 *         srq_graph_train(graph, shard, n, labels, batch, gradient, &metrics)
 *     ... gradients are summed over all shards (dist/) ...
 *     srq_finish_...                                     core/finish.h: the weight quantizers' backward
 *     srq_optimizer_step(optimizer, gradient, ...)       core/optimizer.h
 *
 * and srq_graph_prepare(graph) before evaluation, which knows no noise. Nothing is allocated after srq_graph_create. */
#ifndef SRQ_CORE_GRAPH_H
#define SRQ_CORE_GRAPH_H

#include "core/ops/op.h"

typedef struct srq_graph srq_graph;

typedef struct srq_graph_options {
    int capacity;             /* most images of one pass, >= 1 */
    const char *engine;       /* of core/kernels/engine.h; NULL: "auto" */
    srq_observer observer;    /* optional */
    bool plain;               /* every operator by itself, no chains (core/ops/chain.h): for tests */
    const srq_isa *isa;       /* what to compute with; NULL: srq_isa_here */
    const srq_vector *vector; /* NULL: that of `isa` */
} srq_graph_options;

/* A step of training: its noise is a function of the seed and its number. */
typedef struct srq_step {
    uint64_t seed;
    long number;
    float sigma_ratio; /* above 0: every sigma is set to this times its alpha (annealing) */
    bool gates_held;   /* gates leave the grid that evaluation has, and get no gradient */
} srq_step;

typedef struct srq_metrics {
    double loss;  /* sum over images of the cross-entropy, in nats */
    long correct; /* images whose largest logit is at their label */
    long count;
} srq_metrics;

/* Builds the network of `spec`, which must live as long as the graph. SRQ_ERROR_USAGE names the layer's place in its
 * file and what does not fit. The caller destroys *graph. */
srq_status srq_graph_create(const srq_model_spec *spec, const srq_graph_options *options, srq_graph **graph);
void srq_graph_destroy(srq_graph **graph);

/* Parameters, statistics included, and the vector of `srq_graph_size` floats that holds their values; gradients are
 * vectors of the same layout. Each parameter starts on a 64-byte boundary; the gaps stay 0. */
int srq_graph_parameter_count(const srq_graph *graph);
size_t srq_graph_size(const srq_graph *graph);
const srq_parameter *srq_graph_parameter(const srq_graph *graph, int index);
float *srq_graph_values(const srq_graph *graph);
int srq_graph_find_parameter(const srq_graph *graph, const char *name); /* -1 if there is none */

int srq_graph_layer_count(const srq_graph *graph);
const srq_layer *srq_graph_layer(const srq_graph *graph, int index);
srq_layer *srq_graph_layer_at(srq_graph *graph, int index); /* to change it */
const srq_model_spec *srq_graph_spec(const srq_graph *graph);
int srq_graph_classes(const srq_graph *graph);  /* logits of one image */
int srq_graph_capacity(const srq_graph *graph); /* most images of one pass */
const srq_vector *srq_graph_vector(const srq_graph *graph);
const srq_kernels *srq_graph_kernels(const srq_graph *graph);
/* The pass that runs, or ran last. */
srq_pass *srq_graph_pass(srq_graph *graph);
/* Bytes that the graph holds, by what they are for. */
typedef struct srq_graph_memory {
    size_t parameters; /* their values, float32 */
    size_t packed;     /* codes of weights, and weights as the kernels want them */
    size_t passes;     /* activations and their gradients, of one pass */
    size_t scratch;    /* for the moment of one operator */
} srq_graph_memory;
srq_graph_memory srq_graph_count_memory(const srq_graph *graph);

/* That of He et al., arXiv 1502.01852, for what a ReLU follows: sqrt(2). */
#define SRQ_GAIN_HE 1.4142135623730951
/* Sets every parameter to its start: weights drawn for `seed`, normal with standard deviation gain / sqrt(fan-in),
 * where fan-in is how many weights one output has; biases 0; alpha and sigma 1 until srq_graph_start. */
void srq_graph_initialize(srq_graph *graph, uint64_t seed, double gain);
/* Once more sets the weights that masks do not keep to 0 (core/mask.h), after values were drawn or read. */
void srq_graph_apply_masks(srq_graph *graph);
/* Sets alpha and sigma of weights from the weights, and of activations from the first n images in the input, layer
 * after layer. SRQ_ERROR_RUN if an infinity or NaN is met. */
srq_status srq_graph_start(srq_graph *graph, int n);

/* Where images go before a pass: [capacity][height][width][channels]. */
float *srq_graph_input(srq_graph *graph);
/* The logits of the last pass, [n][classes]. */
const float *srq_graph_logits(const srq_graph *graph);

/* The bit-length that the quantizer of a layer has from now on, with alpha and sigma as they are. */
void srq_graph_set_bits(srq_graph *graph, int layer, int bits);
/* Changes bit-lengths in training: bits[layers], 0 where nothing changes. alpha and sigma follow, from the weights and
 * the first n images in the input (srq_quantizer_rescale). */
srq_status srq_graph_change_bits(srq_graph *graph, int n, const int *bits);

/* After a step has changed the values: where gates have come to stand for another bit-length (srq_quantizer_spec's
 * follow), alpha and sigma of these weights go over to its grid, so that at any time they are those of the bit-length
 * that evaluation has. */
void srq_graph_follow_gates(srq_graph *graph);

/* Once after values have changed, before evaluation or before a step of training. SRQ_ERROR_RUN names the layer whose
 * weights hold an infinity or NaN. */
srq_status srq_graph_prepare(srq_graph *graph);
srq_status srq_graph_begin_step(srq_graph *graph, const srq_step *step);
/* Forward and backward of shard `shard`, n images (0 is fine) of a global batch of `batch`; the loss is the mean over
 * that batch.
 * `gradient` [size] is overwritten but for the gaps between parameters, which must be 0. Returns -1, or the index of
 * the first layer that met an infinity or NaN. */
int srq_graph_train(srq_graph *graph, int shard, int n, const int32_t *labels, int batch, float *gradient,
                    srq_metrics *metrics);
/* In the backward passes to come, `ready` is told from which offset on the vector of gradients is final, layer after
 * layer from the last to the first; NULL: nobody is. */
void srq_graph_on_ready(srq_graph *graph, void (*ready)(void *context, size_t offset), void *context);
/* Forward of n images with weights and activations as in evaluation (after srq_graph_prepare), but batch-norm by the
 * images' own statistics, whose mean over calls takes the place of the running ones: `before` calls came before this
 * one. `scratch` [size]: statistics in it are overwritten. The same answer as above. */
int srq_graph_take_statistics(srq_graph *graph, int n, int before, float *scratch);
/* Forward of n images in evaluation mode; the same answer as above. */
int srq_graph_evaluate(srq_graph *graph, int n, const int32_t *labels, srq_metrics *metrics);

#endif
