/* Allots bits to the layers that learn their bit-lengths, so that the network meets a target (method.md, section 5). */
#ifndef SRQ_CORE_ALLOT_H
#define SRQ_CORE_ALLOT_H

#include "core/status.h"

typedef struct srq_allot_layer {
    double share;     /* what one bit of this layer adds to the measure of the target; at least 0 */
    int levels;       /* number of gates, at most SRQ_LEVELS_MAX */
    const float *phi; /* [levels] their logits, lowest level first */
    int open;         /* result: the levels that are to be open, counted from the lowest */
} srq_allot_layer;

/* Working memory, which lets srq_allot run without allocations. */
typedef struct srq_allotter srq_allotter;

/* For at most `room` layers. SRQ_ERROR_RUN without memory. The caller destroys *allotter. */
srq_status srq_allotter_create(int room, srq_allotter **allotter);
void srq_allotter_destroy(srq_allotter **allotter);

/* Sets layers[].open. Among all choices whose sum of share * open differs from `wanted` by at most `slack`, it takes
 * the one with the largest sum of share * (phi - 0.1 * place) over open levels, where the lowest level has the place 0.
 * This is the choice that moves the logits least (weighted by the shares) if open levels must have positive logits and
 * all others negative ones. The second term decides between equal logits: it keeps the bit-lengths of layers close to
 * each other. If no choice is that close, the closest is taken; with slack 0, that is always so. Sums are compared on a
 * scale of 1,024 steps from the least to the largest, so the closest is exact to one such step for each layer.
 *
 * Returns the sum of share * open. The result depends on the arguments alone; all arithmetic is in double precision and
 * in a fixed order. */
double srq_allot(srq_allotter *allotter, int count, srq_allot_layer *layers, double wanted, double slack);

#endif
