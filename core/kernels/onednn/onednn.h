/* The back ends on oneDNN, for core/kernels/engine.c alone. */
#ifndef SRQ_CORE_KERNELS_ONEDNN_ONEDNN_H
#define SRQ_CORE_KERNELS_ONEDNN_ONEDNN_H

#include "core/kernels/kernels.h"

/* float32 throughout: codes are widened first. */
extern const srq_kernels srq_kernels_onednn_float32;
/* Integers forward, bfloat16 backward where both operands are codes; else float32. */
extern const srq_kernels srq_kernels_onednn_mixed;

#endif
