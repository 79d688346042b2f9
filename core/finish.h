/* What is done once a step with the gradient that was summed over shards: weights out of the kernels' order, the
 * backward of their quantizers, and the sums that belong to alpha, sigma and gates.
 *
 * The work is cut into units, pieces of weights, so that ranks can share it: the vector of parameters is cut into as
 * many slices as there are parts, at borders of units, and each part finishes the units of its slice. What a unit adds
 * to sums goes into slots of its own; they are added in the order of units, so the result does not depend on the parts.
 * All of it can be done group by group, as soon as the gradients of a group of layers are there.
 *
 *     srq_finish_unpack(finish, group, gradient)
 *     srq_finish_run(finish, gradient, group, part, parts, slots)   each part
 *     ... the slots of all parts, and parameters that are no weights, are brought together ...
 *     srq_finish_collect(finish, slots, gradient)                   every part */
#ifndef SRQ_CORE_FINISH_H
#define SRQ_CORE_FINISH_H

#include "core/graph.h"

typedef struct srq_finish srq_finish;

/* For `graph`, which must live as long. Layers are taken together into groups of at least `bytes` of gradients, from
 * the last layer to the first, as a backward pass has them; SIZE_MAX makes one group. The caller destroys *finish. */
srq_status srq_finish_create(srq_graph *graph, size_t bytes, srq_finish **finish);
void srq_finish_destroy(srq_finish **finish);

/* Group g is [begin(g), begin(g - 1)) of the vector, group 0 its end. */
int srq_finish_group_count(const srq_finish *finish);
size_t srq_finish_begin(const srq_finish *finish, int group);
size_t srq_finish_end(const srq_finish *finish, int group);

/* Where the slice of `part` of a group begins in the vector; part = parts gives its end. */
size_t srq_finish_slice(const srq_finish *finish, int group, int part, int parts);
/* The same for the slots, float64 each. */
size_t srq_finish_slots(const srq_finish *finish, int group, int part, int parts);
size_t srq_finish_slot_count(const srq_finish *finish);

/* The gradients of a group as srq_graph_train left them in a vector, summed or not: puts weights into their own order.
 */
void srq_finish_unpack(const srq_finish *finish, int group, float *gradient);

/* Weights of the slice: from the gradient with respect to what the kernels multiplied to that of the weights, in place.
 * Fills the slice's slots. */
void srq_finish_run(srq_finish *finish, float *gradient, int group, int part, int parts, double *slots);

/* The gradients of weights' alpha, sigma and gates, from all slots. Returns -1, or the first parameter whose gradient
 * holds an infinity or NaN: of weights by what their part has seen. */
int srq_finish_collect(srq_finish *finish, const double *slots, float *gradient);

#endif
