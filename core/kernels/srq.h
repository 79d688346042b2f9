/* The functions of srq.c, compiled for the instruction set SRQ_ISA; vector.h says what they do. */
#ifndef SRQ_CORE_KERNELS_SRQ_H
#define SRQ_CORE_KERNELS_SRQ_H

#include "core/kernels/lanes.h"

void SRQ_ISA_NAME(srq_full_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                                     srq_grid_gradient *sums);
void SRQ_ISA_NAME(srq_curves_backward)(size_t n, const float *x, const float *dy, const srq_curves *curves, float *dx,
                                       srq_grid_gradient *sums);
void SRQ_ISA_NAME(srq_argmax_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                                       srq_grid_gradient *sums);

#endif
