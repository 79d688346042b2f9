/* A network that is built from a specification and runs on micro-batches. Its memory is planned once.
 *
 * One step of training, for the rank that owns some shards of the global batch:
 *
 *     srq_graph_begin_step(graph, step)                  draw gates; quantize and pack the weights
 *     for each shard: srq_graph_set_images(graph, lane, n, images), then on all workers of the lane
 *         srq_graph_train_part(graph, worker, &shard)
 *     ... gradients are summed over all slices of all shards (dist/) ...
 *     srq_finish_...                                     core/finish.h: the weight quantizers' backward
 *     srq_optimizer_step(optimizer, gradient, ...)       core/optimizer.h
 *
 * Call srq_graph_prepare(graph) before an evaluation, which has no noise. Nothing is allocated after srq_graph_create.
 *
 * A shard consists of S slices. A lane has memory for one shard, as one pass for each slice; several lanes run several
 * shards at the same time. The T workers are divided among L lanes, L <= T. So lanes and workers decide what runs at
 * the same time, and slices what is computed:
 *
 *     T = 4, L = 2, S = 4     lane 0: worker 0 runs slices 0 and 1, worker 1 runs slices 2 and 3
 *                             lane 1: worker 2 runs slices 0 and 1, worker 3 runs slices 2 and 3
 */
#ifndef SRQ_CORE_GRAPH_H
#define SRQ_CORE_GRAPH_H

#include "core/ops/op.h"
#include "core/workers.h"

typedef struct srq_graph srq_graph;

typedef struct srq_graph_options {
    int capacity;             /* largest number of images in a shard, >= 1 */
    int slices;               /* S, 1 to SRQ_SLICES_MAX; 0: 1 */
    srq_workers *workers;     /* NULL: one worker, the caller. They must outlive the graph */
    int lanes;                /* L; 0 or more than there are workers: as many as workers */
    const char *engine;       /* a name of core/kernels/engine.h; NULL: "auto" */
    srq_observer observer;    /* optional */
    bool plain;               /* for tests: run every operator by itself, without chains (core/ops/chain.h) */
    const srq_isa *isa;       /* instruction set to compute with; NULL: srq_isa_here */
    const srq_vector *vector; /* NULL: that of `isa` */
    size_t numbers_max;       /* SRQ_ERROR_DATA if the parameters have more numbers; 0: any number */
    size_t bytes_max; /* SRQ_ERROR_RUN, before it is taken, if the activations need more memory; 0: any amount */
} srq_graph_options;

/* A training step. Its noise is a function of the seed and the number of the step. */
typedef struct srq_step {
    uint64_t seed;
    long number;
    float sigma_ratio;     /* above 0: every sigma is set to sigma_ratio times its alpha (annealing) */
    float label_smoothing; /* 0 to below 1 (core/ops/softmax_loss.h) */
    bool gates_held;       /* gates are fixed: training uses the grid of evaluation, and gates get no gradient */
} srq_step;

typedef struct srq_metrics {
    double loss;  /* cross-entropy summed over images, in nats */
    long correct; /* number of images whose largest logit is at the label */
    long count;
} srq_metrics;

/* Builds the network of `spec`, which must outlive the graph. The message of SRQ_ERROR_USAGE names the file and line of
 * the layer, and what does not fit. The caller destroys *graph. */
srq_status srq_graph_create(const srq_model_spec *spec, const srq_graph_options *options, srq_graph **graph);
void srq_graph_destroy(srq_graph **graph);

/* Parameters, including statistics, and the vector of srq_graph_size() floats that holds their values. Gradients are
 * vectors with the same layout. Each parameter starts on a 64-byte boundary; the gaps stay 0. */
int srq_graph_parameter_count(const srq_graph *graph);
size_t srq_graph_size(const srq_graph *graph);
const srq_parameter *srq_graph_parameter(const srq_graph *graph, int index);
float *srq_graph_values(const srq_graph *graph);
/* Moves the values to `values` [size], on a 64-byte boundary, which must outlive the graph. Gaps in it must be 0. Call
 * srq_graph_prepare afterwards. */
void srq_graph_move_values(srq_graph *graph, float *values);
int srq_graph_find_parameter(const srq_graph *graph, const char *name); /* -1 if there is none */

int srq_graph_layer_count(const srq_graph *graph);
const srq_layer *srq_graph_layer(const srq_graph *graph, int index);
srq_layer *srq_graph_layer_at(srq_graph *graph, int index); /* to change it */
const srq_model_spec *srq_graph_spec(const srq_graph *graph);
int srq_graph_classes(const srq_graph *graph);  /* number of logits of an image */
int srq_graph_capacity(const srq_graph *graph); /* largest number of images in a pass: capacity / S, rounded up */
int srq_graph_slices(const srq_graph *graph);
int srq_graph_lanes(const srq_graph *graph);
/* The number of passes that srq_graph_evaluate_on can run at the same time: L x S, but not more than workers. */
int srq_graph_passes(const srq_graph *graph);
srq_workers *srq_graph_workers(const srq_graph *graph);
const srq_vector *srq_graph_vector(const srq_graph *graph);
const srq_kernels *srq_graph_kernels(const srq_graph *graph);
/* The first pass of the graph. */
srq_pass *srq_graph_pass(srq_graph *graph);
/* A pass without activations and without the settings of a step, with the number and the scratch memory of `worker`:
 * for functions that need nothing else, while other workers run passes. */
srq_pass srq_graph_pass_of(const srq_graph *graph, int worker);
/* The memory of the graph in bytes, by purpose. */
typedef struct srq_graph_memory {
    size_t parameters; /* values of parameters, float32 */
    size_t packed;     /* codes of weights, and weights in the order of the kernels */
    size_t passes;     /* activations and their gradients, of all passes */
    size_t scratch;    /* used by one operator at a time, of all workers */
} srq_graph_memory;
srq_graph_memory srq_graph_count_memory(const srq_graph *graph);

/* The gain of He et al., arXiv 1502.01852, for layers before a ReLU: sqrt(2). */
#define SRQ_GAIN_HE 1.4142135623730951
/* Initializes all parameters. Weights are drawn for `seed` from a normal distribution with standard deviation gain /
 * sqrt(fan-in), where fan-in is the number of weights of one output. Biases are 0. alpha and sigma are 1 until
 * srq_graph_start. */
void srq_graph_initialize(srq_graph *graph, uint64_t seed, double gain);
/* Initializes the quantizers layer by layer: alpha and sigma of weights from the weights, those of activations from the
 * n images of lane 0. SRQ_ERROR_RUN after an infinity or NaN. */
srq_status srq_graph_start(srq_graph *graph, int n);

/* The input buffer of the first pass, [capacity of a pass][height][width][channels]. */
float *srq_graph_input(srq_graph *graph);
/* The same of pass `pass`. */
float *srq_graph_input_of(srq_graph *graph, int pass);
/* Copies the n images of a shard, [n][height][width][channels], to the inputs of the slices of a lane. Slice s gets
 * images [n s / S, n (s + 1) / S). */
void srq_graph_set_images(srq_graph *graph, int lane, int n, const float *images);
/* The logits of the last run of the first pass, [n][classes]. */
const float *srq_graph_logits(const srq_graph *graph);
/* The same of pass `pass`. */
const float *srq_graph_logits_of(const srq_graph *graph, int pass);

/* Sets the bit-length of a layer's quantizer. alpha and sigma stay unchanged. */
void srq_graph_set_bits(srq_graph *graph, int layer, int bits);
/* Changes bit-lengths during training to bits[layers]; 0 means no change. alpha and sigma are adapted, from the weights
 * and the n images of lane 0 (srq_quantizer_rescale). */
srq_status srq_graph_change_bits(srq_graph *graph, int n, const int *bits);

/* Call it after a step has changed the values. If the gates of a layer now select another bit-length, and its
 * spec.follow is set, alpha and sigma of its weights are adapted to the new grid. So they always fit the bit-length of
 * evaluation. */
void srq_graph_follow_gates(srq_graph *graph);

/* Sets the number of fraction bits of pixels in evaluation (srq_deploy_fraction): if the first layer has weights of
 * codes, srq_graph_evaluate then computes its sums exactly, as the deployed network does. Training does not use it.
 * Below 0, as at first: these sums are float32 sums in the order of the kernels. */
void srq_graph_set_fraction(srq_graph *graph, int fraction);

/* The mean and the standard deviation of pixels / 255, both [channels], by which the images of this network's training
 * were normalized. They belong to the network as its weights do: whoever fills the input of a trained network uses
 * them. srq_graph_set_statistics copies them; with NULL, as at first, there are none. */
srq_status srq_graph_set_statistics(srq_graph *graph, const float *mean, const float *std);
const float *srq_graph_mean(const srq_graph *graph);
const float *srq_graph_std(const srq_graph *graph);

/* Call it once after values have changed, before an evaluation or a training step. The message of SRQ_ERROR_RUN names
 * the layer whose weights hold an infinity or NaN. */
srq_status srq_graph_prepare(srq_graph *graph);
srq_status srq_graph_begin_step(srq_graph *graph, const srq_step *step);
/* A shard of a global batch, to be trained on by one lane. */
typedef struct srq_shard {
    int number;
    int n;                 /* its images, may be 0. They are in the inputs of the lane (srq_graph_set_images) */
    int batch;             /* images of the global batch. The loss is the mean over them */
    const int32_t *labels; /* [n] */
    /* [S] vectors [size], for the gradient of each slice. They are overwritten, except the gaps between parameters,
     * which must be 0. */
    float **gradients;
    srq_metrics *metrics; /* [S]: of each slice */
    int *bad;             /* [S]: -1, or the index of the first layer of the slice with an infinity or NaN */
} srq_shard;

/* The lane of a worker, or -1 if it has no slices to run; and whether it is the first worker of this lane. */
int srq_graph_lane_of(const srq_graph *graph, int worker, bool *leads);
/* Waits for the other workers of a lane. */
void srq_graph_meet(srq_graph *graph, int lane);
/* Runs the forward and backward pass of this worker's slices of the shard. All workers of its lane must call it with
 * the same shard at the same time. */
void srq_graph_train_part(srq_graph *graph, int worker, const srq_shard *shard);
/* The same on one worker, for a graph with one slice and the images in srq_graph_input(). Returns srq_shard.bad. */
int srq_graph_train(srq_graph *graph, int shard, int n, const int32_t *labels, int batch, float *gradient,
                    srq_metrics *metrics);
/* During later backward passes, `ready` is called after each layer, from the last to the first, on the worker that runs
 * the pass, with the offset from which on the pass's vector of gradients is final. NULL: no call. */
void srq_graph_on_ready(srq_graph *graph, void (*ready)(void *context, const srq_pass *pass, size_t offset),
                        void *context);
/* Computes batch-norm statistics again. Runs the forward pass of the n images of lane 0 with weights and activations as
 * in evaluation (after srq_graph_prepare), but normalizes by the statistics of these images. Their mean over calls
 * replaces the running statistics; `before` is the number of earlier calls. The elements of statistics in `scratch`
 * [size] are overwritten. Returns -1, or the index of the first layer with an infinity or NaN. */
int srq_graph_take_statistics(srq_graph *graph, int n, int before, float *scratch);
/* Runs the forward pass of the n images in the first pass's input, in evaluation mode. Returns as above. */
int srq_graph_evaluate(srq_graph *graph, int n, const int32_t *labels, srq_metrics *metrics);
/* The same on worker `worker` with pass `worker`, below srq_graph_passes. Several workers may do so at the same time.
 */
int srq_graph_evaluate_on(srq_graph *graph, int worker, int n, const int32_t *labels, srq_metrics *metrics);

#endif
