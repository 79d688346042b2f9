/* Engines: a back end (core/kernels/kernels.h) and its number formats. */
#ifndef SRQ_CORE_KERNELS_ENGINE_H
#define SRQ_CORE_KERNELS_ENGINE_H

#include "core/kernels/isa.h"
#include "core/kernels/kernels.h"

/* The back end of an engine. "reference" is plain C and OpenBLAS. "float32" is oneDNN in float32. "mixed" is oneDNN
 * with integers in the forward pass and bfloat16 gradients if both operands are codes, on CPUs that have instructions
 * for them. "integer" is "mixed" with integer gradients of convolutions (core/kernels/onednn/integer.c). "auto" is
 * "mixed", or "float32" if this CPU or build lacks that. NULL if there is no such name, or if this build or CPU lacks
 * it. A build without oneDNN uses "reference" for "float32". */
const srq_kernels *srq_kernels_find(const char *engine);

/* What an engine needs that not every CPU and build has, for messages; NULL if it needs nothing. */
const char *srq_kernels_need(const char *engine);

/* Limits oneDNN in this process to `isa`. Call it before oneDNN makes its first kernel; after that, only the same limit
 * returns SRQ_OK.
 */
srq_status srq_kernels_limit(srq_isa isa);

/* Limits BLAS and oneDNN to one thread, because results must not depend on the environment. srq_graph_create calls it.
 */
void srq_kernels_pin_threads(void);
/* The same for a new thread of this process, which calls it before it uses a back end: oneDNN's limit is one of the
 * calling thread. */
void srq_kernels_enter_thread(void);

#endif
