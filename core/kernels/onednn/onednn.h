/* The back ends on oneDNN, for core/kernels/kernels.c alone. */
#ifndef SRQ_CORE_KERNELS_ONEDNN_ONEDNN_H
#define SRQ_CORE_KERNELS_ONEDNN_ONEDNN_H

#include "core/kernels/kernels.h"

/* float32 throughout: codes are widened first. */
extern const srq_kernels srq_kernels_onednn_float32;
/* Integers forward, bfloat16 backward where both operands are codes; else float32. */
extern const srq_kernels srq_kernels_onednn_mixed;

/* Whether this CPU multiplies bfloat16 in hardware; without, the mixed back end would be slower than float32. */
bool srq_onednn_has_mixed(void);
/* srq_kernels_limit. */
srq_status srq_onednn_limit(srq_isa isa);
/* oneDNN's threads are OpenMP's: one. */
void srq_onednn_pin_threads(void);

#endif
