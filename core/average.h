/* The exponential moving average of the values of a network over training steps (docs/method.md, section 10). The
 * optimizer updates it after each step. */
#ifndef SRQ_CORE_AVERAGE_H
#define SRQ_CORE_AVERAGE_H

#include "core/graph.h"

/* Whether parameters of this kind are averaged: weights, biases, scales and shifts of batch-norm, and its running
 * statistics. The others stay as the last step left them. */
bool srq_average_has(srq_parameter_kind kind);

/* The decay at a step, the `steps`-th from the start of training (1 is the first): smaller at the start, where the
 * average would otherwise be that of the initial values. */
double srq_average_decay(double decay, long steps);

/* Moves average[count] towards values[count]: a <- a + (1 - decay) (v - a). */
void srq_average_move(size_t count, float *average, const float *values, double decay);

/* Copies the averaged parameters of the vector `from` to the vector `to`, both with the layout of the graph's values.
 */
void srq_average_copy(const srq_graph *graph, float *to, const float *from);
/* Exchanges a[count] and b[count]. */
void srq_average_exchange(size_t count, float *a, float *b);

#endif
