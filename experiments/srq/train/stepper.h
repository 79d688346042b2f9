/* One training step over all ranks: what `srq train` repeats and `srq bench step` times.
 *
 * Each rank runs its shards; while the last of them goes backward, buckets of gradients that are complete are put into
 * the weights' order and exchanged in slices. Each rank finishes its slices (quantizers' backward, optimizer) and the
 * new weights are gathered. Everything that is no weight is small, and every rank does all of it. The optimizer's state
 * of weights is each rank's for its slices until srq_stepper_join_state. */
#ifndef SRQ_EXPERIMENTS_TRAIN_STEPPER_H
#define SRQ_EXPERIMENTS_TRAIN_STEPPER_H

#include "core/finish.h"
#include "core/optimizer.h"
#include "dist/reduce.h"
#include "experiments/srq/train/trace.h"

/* What each shard contributes to a step besides its gradient. */
enum {
    SRQ_SHARD_LOSS,
    SRQ_SHARD_CORRECT,
    SRQ_SHARD_COUNT,
    SRQ_SHARD_BAD_LAYER, /* index + 1 of the first layer that met an infinity or NaN, or 0 */
    SRQ_SHARD_STOP,      /* the caller's: whether this rank was asked to stop */
    SRQ_SHARD_VALUES
};

/* Where the time of a step goes, in seconds since the stepper was made. */
typedef enum srq_step_part {
    SRQ_STEP_COMPUTE,  /* forward and backward of this rank's shards */
    SRQ_STEP_SUM,      /* within those: sums over this rank's shards, sending them off */
    SRQ_STEP_UNPACK,   /* within those: weights' gradients out of the kernels' order */
    SRQ_STEP_EXCHANGE, /* sums over ranks and waiting for the others: communication that is exposed */
    SRQ_STEP_FINISH,   /* the weight quantizers' backward */
    SRQ_STEP_OPTIMIZE,
    SRQ_STEP_JOIN, /* new weights from all ranks */
    SRQ_STEP_PARTS
} srq_step_part;

typedef struct srq_stepper_options {
    long shards;
    size_t bucket_bytes; /* of gradients exchanged together, at least; SIZE_MAX: all */
    bool late;           /* no bucket is sent before the last shard has ended */
    bool coarse;         /* gradients of weights cross the wire as bfloat16 */
} srq_stepper_options;

typedef struct srq_stepper {
    srq_comm *comm;
    srq_graph *graph;
    srq_optimizer *optimizer;
    srq_finish *finish;
    srq_reduce *reduce;
    long shards;
    double *gathered; /* [shards][SRQ_SHARD_VALUES] */
    double *slots;    /* srq_finish */
    /* What ranks tell each other besides: of each rank the rows of its shards, the slots of its slices, and the
     * gradients of what is no weight in its slices. small_at[ranks + 1] is where it begins. */
    double *small;
    size_t *small_at;
    float *gradient; /* of this step, from srq_stepper_sum on */
    double seconds[SRQ_STEP_PARTS];
    srq_trace *trace; /* the caller's to set; NULL for none */
} srq_stepper;

/* Collective. The graph and the optimizer must live as long. SRQ_ERROR_USAGE if there are more ranks than shards. */
srq_status srq_stepper_create(srq_comm *comm, srq_graph *graph, srq_optimizer *optimizer,
                              const srq_stepper_options *options, srq_stepper *stepper);
void srq_stepper_destroy(srq_stepper *stepper);

/* This rank's shards: [*first, *last), to be run in this order after srq_graph_begin_step. */
void srq_stepper_range(const srq_stepper *stepper, long *first, long *last);
/* Forward and backward of the n images in the graph's input. */
void srq_stepper_run(srq_stepper *stepper, long shard, int n, const int32_t *labels, int batch, bool stop);
/* Collective, after all of them: what shards brought is in `gathered`, and `gradient` holds this rank's slices of the
 * weights' gradient and all of everything else's. *bad is -1, or a parameter whose gradient holds an infinity or NaN
 * (the same on every rank). */
void srq_stepper_sum(srq_stepper *stepper, int *bad);
/* Collective: the optimizer's step with every rate times `factor`. */
void srq_stepper_update(srq_stepper *stepper, double factor);
/* The sum over shards of one of their values. */
double srq_stepper_total(const srq_stepper *stepper, int value);
/* Bytes that this rank sends to others in a step. */
size_t srq_stepper_traffic(const srq_stepper *stepper);

/* Collective: the optimizer's whole state to every rank, for a checkpoint. */
void srq_stepper_join_state(srq_stepper *stepper);

#endif
