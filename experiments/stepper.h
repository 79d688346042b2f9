/* One training step over all ranks: what `srq train` repeats and `srq bench step` times.
 *
 * Each rank runs its shards; what is left of their sum is put into the weights' order and exchanged in slices; each
 * rank finishes its slice (quantizers' backward, optimizer) and the new weights are gathered. Everything that is no
 * weight is small, and every rank does all of it. The optimizer's state of weights is each rank's for its slice until
 * srq_stepper_join_state. */
#ifndef SRQ_EXPERIMENTS_STEPPER_H
#define SRQ_EXPERIMENTS_STEPPER_H

#include "core/finish.h"
#include "core/optimizer.h"
#include "dist/reduce.h"

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
    SRQ_STEP_UNPACK,   /* weights' gradients out of the kernels' order */
    SRQ_STEP_EXCHANGE, /* sums over ranks, and waiting for the others */
    SRQ_STEP_FINISH,   /* the weight quantizers' backward */
    SRQ_STEP_OPTIMIZE,
    SRQ_STEP_JOIN, /* new weights from all ranks */
    SRQ_STEP_PARTS
} srq_step_part;

typedef struct srq_stepper {
    srq_comm *comm;
    srq_graph *graph;
    srq_optimizer *optimizer;
    srq_finish *finish;
    srq_reduce *reduce;
    long shards;
    double *gathered; /* [shards][SRQ_SHARD_VALUES] */
    double *slots;    /* srq_finish */
    float *others;    /* gradients of what is no weight, without gaps */
    /* [ranks + 1]: slices of the vector, of the slots and of `others` */
    size_t *slices, *slot_slices, *other_slices;
    float *gradient; /* of this step, from srq_stepper_sum on */
    double seconds[SRQ_STEP_PARTS];
} srq_stepper;

/* Collective. The graph and the optimizer must live as long. SRQ_ERROR_USAGE if there are more ranks than shards. */
srq_status srq_stepper_create(srq_comm *comm, srq_graph *graph, srq_optimizer *optimizer, long shards,
                              srq_stepper *stepper);
void srq_stepper_destroy(srq_stepper *stepper);

/* This rank's shards: [*first, *last), to be run in this order after srq_graph_begin_step. */
void srq_stepper_range(const srq_stepper *stepper, long *first, long *last);
/* Forward and backward of the n images in the graph's input. */
void srq_stepper_run(srq_stepper *stepper, long shard, int n, const int32_t *labels, int batch, bool stop);
/* Collective, after all of them: what shards brought is in `gathered`, and `gradient` holds this rank's slice of the
 * weights' gradient and all of everything else's. *bad is -1, or a parameter whose gradient holds an infinity or NaN
 * (the same on every rank). */
void srq_stepper_sum(srq_stepper *stepper, int *bad);
/* Collective: the optimizer's step with every rate times `factor`. */
void srq_stepper_update(srq_stepper *stepper, double factor);
/* The sum over shards of one of their values. */
double srq_stepper_total(const srq_stepper *stepper, int value);

/* Collective: the optimizer's whole state to every rank, for a checkpoint. */
void srq_stepper_join_state(srq_stepper *stepper);

#endif
