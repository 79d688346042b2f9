/* DropBits (arXiv 1911.12990; method.md, sections 4 and 5): one hard concrete gate (arXiv 1712.01312) for each level
 * c0+1..b of a signed grid. Dropping a level also drops all higher ones: the mask of level c is m_c = Z_(c0+1) * ... *
 * Z_c. */
#ifndef SRQ_CORE_QUANT_DROPBITS_H
#define SRQ_CORE_QUANT_DROPBITS_H

#include "core/kernels/vector.h"

#include <stdint.h>

/* gamma and zeta, which stretch the sigmoid, and its temperature tau. */
typedef struct srq_concrete {
    double gamma, zeta, tau;
} srq_concrete;
extern const srq_concrete srq_dropbits_concrete; /* -0.1, 1.1, 2/3 */

/* Returns Z for a uniform number u in (0, 1) and the logit phi. *slope = dZ/dphi. */
double srq_concrete_gate(const srq_concrete *concrete, double phi, double u, double *slope);
/* The gate without noise, for evaluation. */
double srq_concrete_mean(const srq_concrete *concrete, double phi);
/* Returns P(Z != 0). *slope is its derivative by phi. */
double srq_concrete_open(const srq_concrete *concrete, double phi, double *slope);

/* The gates of a layer in a step. */
typedef struct srq_gates {
    int min_bits, count; /* c0; there are gates for levels c0+1..c0+count; count is 0 without DropBits */
    double z[SRQ_LEVELS_MAX], slope[SRQ_LEVELS_MAX]; /* Z and dZ/dphi */
    /* The remaining grid: levels with 0 < m_c < 1 above a smaller grid of levels.min_bits, whose gates are all 1. If
     * there are no such levels, it is that smaller grid. */
    srq_levels levels;
} srq_gates;

/* Draws the gates of a layer for a step from the logits phi[count]. The draw depends only on (seed, step, layer). */
void srq_gates_draw(srq_gates *gates, uint64_t seed, long step, int layer, const float *phi);
/* The same for given Z. */
void srq_gates_set(srq_gates *gates, const double *z);
/* Computes z[i] = dL/dZ of all gates from masks[i] = dL/dm of `levels`; 0 for gates that are 0 or 1. */
void srq_gates_backward(const srq_gates *gates, const double *masks, double *z);

/* The bit-length that the logits select: c0 plus the number of leading levels with S(phi) > 1/2. */
int srq_gates_bits(int min_bits, int count, const float *phi);
/* The expected bit-length under the gates: c0 + sum_c prod_(c' <= c) P(Z_c' != 0). */
double srq_gates_mean_bits(int min_bits, int count, const float *phi);

#endif
