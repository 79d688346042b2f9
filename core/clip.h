/* Clipping of the gradient by its norm over everything that is learned (docs/method.md, section 9).
 *
 * The squares are summed in float64 along an order that is fixed by the network: the norm does not depend on the number
 * of ranks, nor on the instruction set. */
#ifndef SRQ_CORE_CLIP_H
#define SRQ_CORE_CLIP_H

#include "core/optimizer.h"

/* The sum of the squares of x[count]. */
double srq_clip_squares(size_t count, const float *x);
/* The same of the gradient of all learned parameters that are not weights. Step sizes and noise scales v are learned as
 * log v, so their gradient is v dL/dv. Kinds of parameters with learning rate 0 are not learned. */
double srq_clip_squares_of_others(const srq_optimizer *optimizer, const srq_graph *graph, const float *gradient);
/* Multiplies the gradient of the weights in [begin, end) of the vector by `factor`, or of all other parameters. The
 * statistics in the vector stay unchanged. */
void srq_clip_weights(const srq_graph *graph, float *gradient, size_t begin, size_t end, float factor);
void srq_clip_others(const srq_graph *graph, float *gradient, float factor);

#endif
