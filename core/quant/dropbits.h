/* DropBits (arXiv 1911.12990; method.md, sections 4 and 5): one hard concrete gate (arXiv 1712.01312) for each level
 * c0+1..b of a signed grid. Dropping a level drops every higher one: its mask is m_c = Z_(c0+1) * ... * Z_c. */
#ifndef SRQ_CORE_QUANT_DROPBITS_H
#define SRQ_CORE_QUANT_DROPBITS_H

#include "core/kernels/vector.h"

#include <stdint.h>

/* The stretch of the sigmoid, gamma and zeta, and its temperature tau. */
typedef struct srq_concrete {
    double gamma, zeta, tau;
} srq_concrete;
extern const srq_concrete srq_dropbits_concrete; /* -0.1, 1.1, 2/3 */

/* Z for a uniform number u in (0, 1) and the logit phi, and *slope = dZ/dphi. */
double srq_concrete_gate(const srq_concrete *concrete, double phi, double u, double *slope);
/* The gate without noise, for evaluation. */
double srq_concrete_mean(const srq_concrete *concrete, double phi);
/* P(Z != 0), and *slope = its derivative by phi. */
double srq_concrete_open(const srq_concrete *concrete, double phi, double *slope);

/* The gates of one layer in one step. */
typedef struct srq_gates {
    int min_bits, count;                             /* c0; gates of levels c0+1..c0+count, 0 without DropBits */
    double z[SRQ_LEVELS_MAX], slope[SRQ_LEVELS_MAX]; /* Z and dZ/dphi */
    /* What is left of the grid: the levels with 0 < m_c < 1 above a smaller grid of levels.min_bits, whose gates are
     * all 1. Without any it is that smaller grid. */
    srq_levels levels;
} srq_gates;

/* Draws the gates of a layer for a step from the logits phi[count]: a function of (seed, step, layer) alone. */
void srq_gates_draw(srq_gates *gates, uint64_t seed, long step, int layer, const float *phi);
/* The same from given Z. */
void srq_gates_set(srq_gates *gates, const double *z);
/* masks[i] = dL/dm of `levels`, to z[i] = dL/dZ for all gates; 0 for gates that are 0 or 1. */
void srq_gates_backward(const srq_gates *gates, const double *masks, double *z);

/* The bit-length that the logits stand for: c0 plus the leading levels with S(phi) > 1/2. */
int srq_gates_bits(int min_bits, int count, const float *phi);
/* The mean bit-length under the gates: c0 + sum_c prod_(c' <= c) P(Z_c' != 0). */
double srq_gates_mean_bits(int min_bits, int count, const float *phi);

#endif
