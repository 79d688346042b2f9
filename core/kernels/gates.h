/* SRQ with fractional gates of DropBits: what is computed once for a tensor, before its elements (method.md, section 4;
 * dropbits.c). */
#ifndef SRQ_CORE_KERNELS_GATES_H
#define SRQ_CORE_KERNELS_GATES_H

#include "core/kernels/vector.h"

/* Computes where the hard code moves from one level to the next. */
void srq_level_ends_find(const srq_grid *grid, const srq_levels *levels, srq_level_ends *ends);

/* Fits the curves for the backward pass of `full`, as in curves.h. For one grid and one set of masks, E / alpha is a
 * function of t = x / alpha + 1/2 and rho = alpha / sigma. Apart from the constant 1/2, it is odd about t = 0. A row
 * holds the polynomials of a bin [j, j + 1) of |t|: of 1 - D, of T, and of the derivative of E / alpha by each mask.
 * The transition between codes of different levels is as smooth as that between neighbours (its width is pi / rho), so
 * polynomials of the same degree suffice. Their error is 1.5e-5 of the largest slope at the upper bound on rho, and
 * 1e-6 for rho up to 3.2. The last bin is so far outside that the curves are constant there.
 *
 * Returns false, and fits nothing, if they would be inaccurate: rho outside of 2 to 4.2, or a mask below 1e-3. */
bool srq_gate_curves_fit(const srq_grid *grid, const srq_levels *levels, srq_gate_curves *curves);
/* The number of floats of `rows` for any masks on grids of min_bits to `bits`. */
size_t srq_gate_curves_size(int min_bits, int bits);

#endif
