/* Limits oneDNN in this process: instruction sets and threads. */
#ifndef SRQ_CORE_KERNELS_ONEDNN_LIMITS_H
#define SRQ_CORE_KERNELS_ONEDNN_LIMITS_H

#include "core/kernels/isa.h"
#include "core/status.h"

#include <dnnl.h>
#include <stdbool.h>

/* Whether oneDNN uses all instructions of `isa`: the CPU has them, and oneDNN is not limited to fewer. */
bool srq_onednn_cpu_has(dnnl_cpu_isa_t isa);
/* Whether this CPU multiplies bfloat16 fast enough. Without AVX2, the mixed back end would be slower than float32. */
bool srq_onednn_has_mixed(void);
/* The implementation of srq_kernels_limit. */
srq_status srq_onednn_limit(srq_isa isa);
/* Limits OpenMP, which oneDNN uses, to one thread for each thread that calls this. */
void srq_onednn_pin_threads(void);

#endif
