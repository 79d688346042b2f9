/* CPU instruction sets, as far as results depend on them. oneDNN chooses its kernels by them, and the engine "mixed"
 * chooses its number formats. */
#ifndef SRQ_CORE_KERNELS_ISA_H
#define SRQ_CORE_KERNELS_ISA_H

#include "core/status.h"

#include <stdbool.h>

/* Bit sets. A larger instruction set has all the bits of a smaller one. The bitwise AND of the sets of several CPUs is
 * the set that they have in common, and is one of these values again. */
typedef enum srq_isa {
    SRQ_ISA_BASELINE = 0x0, /* x86-64, or another architecture */
    SRQ_ISA_SSE41 = 0x1,
    SRQ_ISA_AVX = 0x3,
    SRQ_ISA_AVX2 = 0x7,
    SRQ_ISA_AVX2_VNNI = 0x407,
    SRQ_ISA_AVX512 = 0x27,
    SRQ_ISA_AVX512_VNNI = 0x67,
    SRQ_ISA_AVX512_BF16 = 0xe7,
    SRQ_ISA_AVX512_AMX = 0x3e7
} srq_isa;

/* The name as in train.isa, for example "sse41"; "x86-64" for the baseline. */
const char *srq_isa_name(srq_isa isa);
/* Finds the instruction set of a name. Upper case and oneDNN's names with "_core" are accepted as well.
 * SRQ_ERROR_USAGE, with a list of the names, if there is none. */
srq_status srq_isa_parse(const char *name, srq_isa *isa);

/* The instruction set of this CPU, limited by SRQ_MAX_ISA and ONEDNN_MAX_CPU_ISA (or DNNL_MAX_CPU_ISA) in the
 * environment. SRQ_ERROR_USAGE if SRQ_MAX_ISA is not a name. */
srq_status srq_isa_here(srq_isa *isa);

/* Whether this CPU has fused multiply-add. The C library chooses its exp and log by it. */
bool srq_isa_has_fma(void);

#endif
