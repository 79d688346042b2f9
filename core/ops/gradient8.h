/* The gradient of a layer's output in 8 bits, for kernels that expect SRQ_INT8. It is
 *
 *     by_g[c] g + by_x[c] x + constant[c]
 *
 * as in batch-norm, and rounded stochastically, so that its mean is exact. The scale is the smallest one that no
 * element can exceed: it follows from the ranges of g and x in each channel, which are found while these are in the
 * caches for another purpose. So nothing is clipped. A slice has its own scale, which depends on nothing but its images
 * and the step. */
#ifndef SRQ_CORE_OPS_GRADIENT8_H
#define SRQ_CORE_OPS_GRADIENT8_H

#include "core/pass.h"

/* In the memory of a pass: */
typedef struct srq_gradient8 {
    float *scale;                           /* an element is scale times its 8 bits; NaN if a number was not finite */
    float *low_g, *high_g, *low_x, *high_x; /* [channels]: the ranges in this slice */
} srq_gradient8;

/* Requests the memory for layer `index`, from its forward to its backward pass, and returns the struct for its place.
 */
srq_status srq_gradient8_reserve(srq_network *network, int index, size_t channels, size_t *place);
srq_gradient8 srq_gradient8_at(const srq_pass *pass, size_t place, size_t channels);

/* Makes the ranges empty. Then srq_vector.extremes widens them. That of x may stay empty if by_x is 0. */
void srq_gradient8_clear(const srq_gradient8 *g, size_t channels);
/* Sets the scale, and divides by_g, by_x and constant, [channels] each, by it, so that they give the values that
 * srq_gradient8_round expects. */
void srq_gradient8_set_scale(const srq_gradient8 *g, size_t channels, float *by_g, float *by_x, float *constant);
/* Rounds n values, of which the first is element `element` of the gradient of layer `index` in this slice. */
void srq_gradient8_round(const srq_gradient8 *g, const srq_pass *pass, int index, size_t n, const float *values,
                         size_t element, int8_t *to);

#endif
