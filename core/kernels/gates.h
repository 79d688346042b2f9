/* SRQ under DropBits' fractional gates, before the elements are looked at (method.md, section 4; dropbits.c). */
#ifndef SRQ_CORE_KERNELS_GATES_H
#define SRQ_CORE_KERNELS_GATES_H

#include "core/kernels/vector.h"

/* Where the hard code moves from one level to the next. */
void srq_level_ends_find(const srq_grid *grid, const srq_levels *levels, srq_level_ends *ends);

/* The backward pass of `full` from curves, as in curves.h: for one grid and one set of masks E / alpha is a function of
 * t = x / alpha + 1/2 and rho = alpha / sigma, odd about t = 0 but for the constant 1/2. A row holds the polynomials of
 * a bin [j, j + 1) of |t|: of 1 - D, of T, and of the derivative of E / alpha by each mask. Codes give way to those of
 * another level as softly as to their neighbours, over pi / rho, so that polynomials of the same degree do: to 1.5e-5
 * of the largest slope at the upper bound on rho, to 1e-6 from rho = 3.2 down. The last bin is so far outside that
 * nothing moves any more.
 *
 * False, and nothing is fitted, where they would not do: rho outside of 2 to 4.2, or a mask below 1e-3. */
bool srq_gate_curves_fit(const srq_grid *grid, const srq_levels *levels, srq_gate_curves *curves);
/* The floats that `rows` needs for any masks on grids of min_bits to `bits`. */
size_t srq_gate_curves_size(int min_bits, int bits);

#endif
