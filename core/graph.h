/* A network: built from a specification, its memory planned once, run on micro-batches.
 *
 * One step of training, for the rank that owns some shards of the global batch:
 *
 *     srq_graph_prepare(graph)                           quantize and pack the weights
 *     for each shard: fill srq_graph_input(graph), then
 *         srq_graph_train(graph, n, labels, batch, gradient, &metrics)
 *     ... gradients are summed over all shards (dist/) ...
 *     srq_graph_finish(graph, gradient)                  the weight quantizers' backward
 *     srq_optimizer_step(optimizer, gradient, ...)       core/optimizer.h
 *
 * Nothing is allocated after srq_graph_create. */
#ifndef SRQ_CORE_GRAPH_H
#define SRQ_CORE_GRAPH_H

#include "core/ops/op.h"

typedef struct srq_graph_options {
    int capacity;             /* most images of one pass, >= 1 */
    const srq_vector *vector; /* NULL: the best of this CPU */
} srq_graph_options;

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
int srq_graph_find_parameter(const srq_graph *graph, const char *name); /* -1 if there is none */

int srq_graph_layer_count(const srq_graph *graph);
const srq_layer *srq_graph_layer(const srq_graph *graph, int index);
const srq_model_spec *srq_graph_spec(const srq_graph *graph);
int srq_graph_classes(const srq_graph *graph); /* logits of one image */
/* Bytes planned for activations and gradients of a pass, and for buffers that stay. */
size_t srq_graph_memory(const srq_graph *graph);

/* Sets every parameter to its start: weights drawn for `seed`; alpha and sigma 1 until srq_graph_start. */
void srq_graph_initialize(srq_graph *graph, uint64_t seed);
/* Sets alpha and sigma of weights from the weights, and of activations from the first n images in the input, layer
 * after layer. SRQ_ERROR_RUN if an infinity or NaN is met. */
srq_status srq_graph_start(srq_graph *graph, int n);

/* Where images go before a pass: [capacity][height][width][channels]. */
float *srq_graph_input(srq_graph *graph);
/* The logits of the last pass, [n][classes]. */
const float *srq_graph_logits(const srq_graph *graph);

/* Once after values have changed. SRQ_ERROR_RUN names the layer whose weights hold an infinity or NaN. */
srq_status srq_graph_prepare(srq_graph *graph);
/* Forward and backward of n images (0 is fine) of a global batch of `batch`; the loss is the mean over that batch.
 * `gradient` [size] is overwritten but for the gaps between parameters, which must be 0. Returns -1, or the index of
 * the first layer that met an infinity or NaN. */
int srq_graph_train(srq_graph *graph, int n, const int32_t *labels, int batch, float *gradient, srq_metrics *metrics);
/* Forward of n images in evaluation mode; the same answer as above. */
int srq_graph_evaluate(srq_graph *graph, int n, const int32_t *labels, srq_metrics *metrics);
/* Turns the summed gradient with respect to quantized weights into that of weights, alpha and sigma, in place. */
void srq_graph_finish(srq_graph *graph, float *gradient);
/* The first parameter whose gradient holds an infinity or NaN, or -1. */
int srq_graph_bad_gradient(const srq_graph *graph, const float *gradient);

#endif
