/* The back ends that use oneDNN, only for core/kernels/engine.c. */
#ifndef SRQ_CORE_KERNELS_ONEDNN_ONEDNN_H
#define SRQ_CORE_KERNELS_ONEDNN_ONEDNN_H

#include "core/kernels/kernels.h"

/* float32 only: codes are converted first. */
extern const srq_kernels srq_kernels_onednn_float32;
/* Integers in the forward pass and bfloat16 in the backward pass if both operands are codes; otherwise float32. */
extern const srq_kernels srq_kernels_onednn_mixed;

/* Integers in both passes for convolutions whose input is unsigned codes and whose weights are codes; the rest is
 * mixed. Only if srq_onednn_has_integer. */
extern const srq_kernels srq_kernels_onednn_integer;
/* Whether the CPU has the instructions: AVX-512 with VNNI. */
bool srq_onednn_has_integer(void);

#endif
