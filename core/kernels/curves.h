/* The backward pass of SRQ, estimator `full`, from two curves.
 *
 * For one grid, E / alpha = e(v, rho) is a function of v = x / alpha and rho = alpha / sigma alone. Its slopes
 *     D = de/dv = dE/dx   and   T = rho de/drho
 * give all three gradients (method.md, section 3, by the chain rule through v and rho):
 *     dx = dy D,   alpha: dy (i - v D + T),   sigma: -dy rho T.
 * D is 1 and T is 0, apart from a ripple of period 1 in v and from the effect of the ends of the grid, which vanishes
 * some bins away from them. So a few bins describe both curves: OUTSIDE bins before the lower end of the grid, and
 * INSIDE bins after it, the last of which represents all bins in the middle. The upper end mirrors the lower one (D is
 * even about the middle, T is odd). In a bin, both curves are polynomials in v - rint(v). Their nearest poles are pi /
 * rho away, so degree DEGREE is accurate to 1e-5 at the upper bound on rho. A table of 16 bins fits into one AVX-512
 * register; with smaller registers, the rows of the elements' bins are gathered. */
#ifndef SRQ_CORE_KERNELS_CURVES_H
#define SRQ_CORE_KERNELS_CURVES_H

#include "core/kernels/vector.h"

/* Returns false, and fills nothing, if the polynomials would be inaccurate: alpha / sigma outside of 2 to 4.5, or a
 * grid with one code. */
bool srq_curves_fit(const srq_grid *grid, srq_curves *curves);

/* Fits polynomials in t, |t| <= 1/2, through the values at the Chebyshev nodes at[]. */
typedef struct srq_curve_basis {
    double at[SRQ_CURVE_DEGREE + 1];
    double powers[SRQ_CURVE_DEGREE + 1][SRQ_CURVE_DEGREE + 1]; /* power p is the sum of powers[p][i] * values[i] */
} srq_curve_basis;
void srq_curve_basis_make(srq_curve_basis *basis);
/* powers[p] of t^p from the values at the nodes. */
void srq_curve_fit(const srq_curve_basis *basis, const double *values, double *powers);

#endif
