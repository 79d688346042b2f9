/* The end of a backward pass, done once a step on the gradient that was summed over shards: it reorders the gradients
 * of weights from the kernels' order, runs the backward pass of their quantizers, and sums the gradients of alpha,
 * sigma and gates.
 *
 * Ranks and their workers can share the work. It is divided into units, which are pieces of weights. The vector of
 * parameters is divided into `parts` slices at borders of units, and each part finishes the units of its slice. A unit
 * writes its contributions to sums into slots of its own. The slots are added in the order of units, so the result does
 * not depend on the number of parts. The work can be done group by group, as soon as the gradients of a group of layers
 * are known.
 *
 *     srq_finish_unpack(finish, group, worker, gradient)
 *     srq_finish_run(finish, gradient, group, part, parts, slots)   each part
 *     ... the slots of all parts and the gradients of other parameters are gathered ...
 *     srq_finish_collect(finish, slots, gradient)                   every part */
#ifndef SRQ_CORE_FINISH_H
#define SRQ_CORE_FINISH_H

#include "core/graph.h"

typedef struct srq_finish srq_finish;

/* For `graph`, which must outlive it. Layers are joined to groups of at least `bytes` of gradients, from the last layer
 * to the first, in the order of the backward pass. SIZE_MAX makes one group. The caller destroys *finish. */
srq_status srq_finish_create(srq_graph *graph, size_t bytes, srq_finish **finish);
void srq_finish_destroy(srq_finish **finish);

/* From now on, srq_finish_run also sums the squares of the weights' gradient. */
void srq_finish_measure(srq_finish *finish);
/* That sum over all weights, from all slots. Units are added in their order, so it does not depend on the number of
 * parts. */
double srq_finish_squares(const srq_finish *finish, const double *slots);

/* Group g is [begin(g), begin(g - 1)) of the vector. Group 0 is the end of the vector. */
int srq_finish_group_count(const srq_finish *finish);
size_t srq_finish_begin(const srq_finish *finish, int group);
size_t srq_finish_end(const srq_finish *finish, int group);

/* Where the slice of `part` in a group begins in the vector; for part = parts, where the last slice ends. */
size_t srq_finish_slice(const srq_finish *finish, int group, int part, int parts);
/* The same for the slots, float64 each. */
size_t srq_finish_slots(const srq_finish *finish, int group, int part, int parts);
size_t srq_finish_slot_count(const srq_finish *finish);

/* Reorders the gradients of a group's weights from the kernels' order to the order of the weights. They may be summed
 * before or after this. `worker` is the number of the calling worker of the graph. */
void srq_finish_unpack(const srq_finish *finish, int group, int worker, float *gradient);

/* Workers may do this for different parts at the same time. For the weights of the slice: computes the gradient with
 * respect to the weights from the gradient with respect to the quantized weights, in place. Fills the slots of the
 * slice. */
void srq_finish_run(const srq_finish *finish, float *gradient, int group, int part, int parts, double *slots);

/* Computes the gradients of the weights' alpha, sigma and gates from all slots. Returns -1, or the index of the first
 * parameter whose gradient holds an infinity or NaN. For weights, the slots say so. */
int srq_finish_collect(srq_finish *finish, const double *slots, float *gradient);

#endif
