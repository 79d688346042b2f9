/* CPU instruction sets, as far as results depend on them: by these oneDNN takes its kernels, and the engine "mixed" its
 * integers and bfloat16. */
#ifndef SRQ_CORE_KERNELS_ISA_H
#define SRQ_CORE_KERNELS_ISA_H

#include "core/status.h"

#include <stdbool.h>

/* A set of bits, in which a richer instruction set has all the bits of a poorer one: what several CPUs have in common
 * is their `and`, which is one of these again. */
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

/* "sse41" and so on, as train.isa has them; "x86-64" for none of these. */
const char *srq_isa_name(srq_isa isa);
/* The instruction set of a name; upper case and the "_core" of oneDNN's names are taken too. SRQ_ERROR_USAGE, with the
 * names that there are, for another word. */
srq_status srq_isa_parse(const char *name, srq_isa *isa);

/* What this CPU has, no more than the environment's SRQ_MAX_ISA and ONEDNN_MAX_CPU_ISA (or DNNL_MAX_CPU_ISA) leave of
 * it. SRQ_ERROR_USAGE if SRQ_MAX_ISA is not a name. */
srq_status srq_isa_here(srq_isa *isa);

/* Whether this CPU multiplies and adds in one rounding, by which the C library takes its exp and log. */
bool srq_isa_has_fma(void);

#endif
