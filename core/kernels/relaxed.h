/* The functions of relaxed.c, compiled for the instruction set SRQ_ISA; vector.h says what they do. */
#ifndef SRQ_CORE_KERNELS_RELAXED_H
#define SRQ_CORE_KERNELS_RELAXED_H

#include "core/kernels/lanes.h"
#include "core/kernels/vector.h"

void SRQ_ISA_NAME(srq_gumbel)(size_t n, int codes, const srq_relaxation *relaxation, float *g);
bool SRQ_ISA_NAME(srq_rq_forward)(size_t n, const float *x, const srq_grid *grid, const srq_relaxation *relaxation,
                                  float *y);
void SRQ_ISA_NAME(srq_rq_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid,
                                   const srq_relaxation *relaxation, float *dx, srq_grid_gradient *sums);
bool SRQ_ISA_NAME(srq_rq_st_forward)(size_t n, const float *x, const srq_grid *grid, const srq_relaxation *relaxation,
                                     void *codes);
void SRQ_ISA_NAME(srq_rq_st_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid,
                                      const srq_relaxation *relaxation, float *dx, srq_grid_gradient *sums);

#endif
