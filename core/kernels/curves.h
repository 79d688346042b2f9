/* The backward pass of SRQ, estimator `full`, from two curves.
 *
 * For one grid, E / alpha = e(v, rho) is a function of v = x / alpha and rho = alpha / sigma alone. Its slopes
 *     D = de/dv = dE/dx   and   T = rho de/drho
 * give all three gradients (method.md, section 3, by the chain rule through v and rho):
 *     dx = dy D,   alpha: dy (i - v D + T),   sigma: -dy rho T.
 * D is 1 and T is 0 but for a ripple of period 1 in v, and what the ends of the grid add, which is nothing some bins
 * away from them. So a few bins hold everything: OUTSIDE of them before the lower end of the grid, INSIDE behind it,
 * the last of which stands for all bins in the middle; the upper end is the lower one turned round (D is even about the
 * middle, T odd). In a bin both curves are polynomials in v - rint(v): their nearest poles are pi / rho away, which
 * makes degree DEGREE good to 1e-5 at the upper bound on rho. A table of 16 fits one register of AVX-512; smaller
 * registers bring the rows of their elements' bins together. */
#ifndef SRQ_CORE_KERNELS_CURVES_H
#define SRQ_CORE_KERNELS_CURVES_H

#include "core/kernels/vector.h"

/* False, and nothing is filled, where the polynomials would not do: alpha / sigma outside of 2 to 4.5, or one
 * code. */
bool srq_curves_fit(const srq_grid *grid, srq_curves *curves);

/* How polynomials in t, |t| <= 1/2, are fitted: through the values at the Chebyshev nodes at[]. */
typedef struct srq_curve_basis {
    double at[SRQ_CURVE_DEGREE + 1];
    double powers[SRQ_CURVE_DEGREE + 1][SRQ_CURVE_DEGREE + 1]; /* power p is the sum of powers[p][i] * values[i] */
} srq_curve_basis;
void srq_curve_basis_make(srq_curve_basis *basis);
/* powers[p] of t^p from the values at the nodes. */
void srq_curve_fit(const srq_curve_basis *basis, const double *values, double *powers);

#endif
