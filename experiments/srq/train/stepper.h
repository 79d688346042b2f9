/* One training step over all ranks: what `srq train` repeats and `srq bench step` times.
 *
 * Each rank runs its shards on all workers of the graph. During the backward passes of its last shards, complete
 * buckets of gradients are reordered to the order of the weights and exchanged in slices. Each rank then finishes its
 * own slices (backward pass of the quantizers, optimizer), and all nodes gather the new weights. Parameters that are
 * not weights are few, so every rank updates all of them. A rank has the optimizer's state of the weights, and their
 * average, only for its own slices. Rank 0 has all of them after srq_stepper_join_state. */
#ifndef SRQ_EXPERIMENTS_TRAIN_STEPPER_H
#define SRQ_EXPERIMENTS_TRAIN_STEPPER_H

#include "core/finish.h"
#include "core/optimizer.h"
#include "dist/reduce.h"
#include "experiments/srq/train/node_values.h"
#include "experiments/srq/train/trace.h"

#include <pthread.h>

/* The values of a shard besides its gradient. */
enum {
    SRQ_SHARD_LOSS,
    SRQ_SHARD_CORRECT,
    SRQ_SHARD_COUNT,
    SRQ_SHARD_BAD_LAYER, /* index + 1 of the first layer with an infinity or NaN, or 0 */
    SRQ_SHARD_STOP,      /* set by the caller: whether this rank was asked to stop */
    SRQ_SHARD_VALUES
};

/* Parts of a step. Their seconds on worker 0 are added up since the stepper was made. */
typedef enum srq_step_part {
    SRQ_STEP_COMPUTE,  /* forward and backward of this rank's shards, and waiting for other workers */
    SRQ_STEP_SUM,      /* sums over this rank's shards, and starting to send them */
    SRQ_STEP_UNPACK,   /* reordering of gradients from the kernels' order to the weights' */
    SRQ_STEP_EXCHANGE, /* sums over ranks and waiting for other ranks, if not hidden by computation */
    SRQ_STEP_FINISH,   /* backward pass of the weight quantizers */
    SRQ_STEP_OPTIMIZE,
    SRQ_STEP_JOIN, /* gathering the new weights */
    SRQ_STEP_PARTS
} srq_step_part;

typedef struct srq_stepper_options {
    long shards;
    int capacity;        /* largest number of images in a shard */
    size_t bucket_bytes; /* smallest size of a bucket of gradients; SIZE_MAX: one bucket */
    bool late;           /* send no bucket before the last shard ends */
    bool coarse;         /* send gradients of weights as bfloat16 */
    double clip_norm;    /* largest norm of the gradient, for srq_stepper_clip; 0: no clipping */
} srq_stepper_options;

/* Where the images of shards come from. */
typedef struct srq_stepper_source {
    /* Puts the images of `shard` into the inputs of a lane of the graph (srq_graph_set_images) and their labels into
     * labels [capacity of a shard]; returns how many there are. *stop: whether this rank was asked to stop. Called for
     * one shard at a time, in order, but on any worker; on worker 0 for lane 0. */
    int (*fill)(void *context, long shard, int lane, int32_t *labels, bool *stop);
    void *context;
    int batch; /* images of the global batch */
} srq_stepper_source;

/* What a lane of the graph runs. */
typedef struct srq_stepper_lane {
    srq_shard shard; /* number -1: no more */
    int32_t *labels;
    float **gradients;
    srq_metrics *metrics;
    int *bad;
    bool stop;
} srq_stepper_lane;

typedef struct srq_stepper {
    srq_comm *comm;
    srq_graph *graph;
    srq_optimizer *optimizer;
    srq_finish *finish;
    srq_reduce *reduce;
    srq_node_values values; /* srq_stepper_share_values */
    long shards;
    double *gathered; /* [shards][SRQ_SHARD_VALUES] */
    double *slots;    /* srq_finish */
    /* The small message that all ranks exchange. Each rank contributes the rows of its shards, the slots of its slices,
     * and the gradients of the other parameters in its slices. small_at[ranks + 1] is where the part of each rank
     * begins. */
    double *small;
    size_t *small_at;
    float *gradient; /* of this step, valid after srq_stepper_sum */
    srq_stepper_lane *lanes;
    pthread_mutex_t next_lock; /* of next_shard and the source */
    long next_shard;
    const srq_stepper_source *source;
    int group; /* what workers finish or update together */
    double factor;
    double clip_norm;
    double seconds[SRQ_STEP_PARTS];
    srq_trace *trace; /* to be set by the caller; NULL for none */
} srq_stepper;

/* Collective. The graph and the optimizer must outlive the stepper, and the graph must not be used after it. Errors
 * agreed by all ranks: SRQ_ERROR_USAGE if there are more ranks than shards. */
srq_status srq_stepper_create(srq_comm *comm, srq_graph *graph, srq_optimizer *optimizer,
                              const srq_stepper_options *options, srq_stepper *stepper);
void srq_stepper_destroy(srq_stepper *stepper);

/* Collective. To be called once, when all ranks have the initial values, or those of a checkpoint: the ranks of a node
 * share the weights from now on (srq_node_values_create). Call srq_graph_prepare afterwards. */
srq_status srq_stepper_share_values(srq_stepper *stepper);

/* This rank's shards: [*first, *last). */
void srq_stepper_range(const srq_stepper *stepper, long *first, long *last);
/* Runs the forward and backward passes of this rank's shards on all workers, after srq_graph_begin_step. */
void srq_stepper_run(srq_stepper *stepper, const srq_stepper_source *source);
/* Collective, after all shards: `gathered` receives the values of all shards. `gradient` receives this rank's slices of
 * the weights' gradient and the whole gradient of the other parameters. *bad is -1, or the index of a parameter whose
 * gradient holds an infinity or NaN; it is the same on every rank. */
void srq_stepper_sum(srq_stepper *stepper, int *bad);
/* With clip_norm, between the two: the norm of the gradient over everything that is learned. If it is above clip_norm,
 * the gradient is multiplied by clip_norm / norm. Every rank knows the sums of all ranks, so no message is needed. */
double srq_stepper_clip(srq_stepper *stepper);
/* Collective: the optimizer's step, with every learning rate multiplied by `factor`. */
void srq_stepper_update(srq_stepper *stepper, double factor);
/* The sum of one value over shards. */
double srq_stepper_total(const srq_stepper *stepper, int value);
/* Bytes that this rank sends to other nodes in a step. */
size_t srq_stepper_traffic(const srq_stepper *stepper);

/* Collective: with the optimizer's average, puts it into the graph on every rank, or puts the values of training back
 * (srq_optimizer_show_average). */
void srq_stepper_show_average(srq_stepper *stepper, bool shown);
/* Collective: gathers the optimizer's whole state and average on rank 0, for a checkpoint. */
void srq_stepper_join_state(srq_stepper *stepper);
/* Collective: gives every rank its part of the optimizer's state and average on rank 0. */
void srq_stepper_hand_out_state(srq_stepper *stepper);

#endif
