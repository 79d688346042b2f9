/* The function of round.c, compiled for the instruction set SRQ_ISA; vector.h says what it does. */
#ifndef SRQ_CORE_KERNELS_ROUND_H
#define SRQ_CORE_KERNELS_ROUND_H

#include "core/kernels/lanes.h"

bool SRQ_ISA_NAME(srq_round_s8)(size_t n, const float *x, const srq_rounding *rounding, size_t element, int8_t *y);

#endif
