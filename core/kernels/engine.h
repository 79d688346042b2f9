/* Engines: which back end computes (core/kernels/kernels.h), and with what. */
#ifndef SRQ_CORE_KERNELS_ENGINE_H
#define SRQ_CORE_KERNELS_ENGINE_H

#include "core/kernels/isa.h"
#include "core/kernels/kernels.h"

/* The back end of an engine: "reference" is plain C and OpenBLAS; "float32" is oneDNN in float32 throughout; "mixed" is
 * oneDNN with integers forward and bfloat16 gradients where both operands are codes, on CPUs that have instructions
 * for these; "auto" is the fastest of them here. NULL if this build or CPU does not have it, or there is no such name.
 * A build without oneDNN takes "reference" for "float32". */
const srq_kernels *srq_kernels_find(const char *engine);

/* Holds oneDNN in this process to `isa`, before it makes its first kernel; once it has, only the same again is SRQ_OK.
 */
srq_status srq_kernels_limit(srq_isa isa);

/* One thread for BLAS and oneDNN, whatever the environment says: results must not depend on it. Called by
 * srq_graph_create. */
void srq_kernels_pin_threads(void);

#endif
