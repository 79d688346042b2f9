/* Limits of oneDNN: instruction sets and threads. */
#include "core/kernels/onednn/limits.h"

#include <omp.h>

bool srq_onednn_cpu_has(dnnl_cpu_isa_t isa)
{
    return ((unsigned)dnnl_get_effective_cpu_isa() & (unsigned)isa) == (unsigned)isa;
}

bool srq_onednn_has_mixed(void)
{
    return srq_onednn_cpu_has(dnnl_cpu_isa_avx2);
}

/* From the smallest to the largest. The lowest limit that oneDNN accepts is SSE4.1. It checks the CPU before it uses
 * that.
 */
static const struct {
    srq_isa ours;
    dnnl_cpu_isa_t theirs;
} isas[] = {
    {SRQ_ISA_BASELINE, dnnl_cpu_isa_sse41},
    {SRQ_ISA_SSE41, dnnl_cpu_isa_sse41},
    {SRQ_ISA_AVX, dnnl_cpu_isa_avx},
    {SRQ_ISA_AVX2, dnnl_cpu_isa_avx2},
    {SRQ_ISA_AVX2_VNNI, dnnl_cpu_isa_avx2_vnni},
    {SRQ_ISA_AVX512, dnnl_cpu_isa_avx512_core},
    {SRQ_ISA_AVX512_VNNI, dnnl_cpu_isa_avx512_core_vnni},
    {SRQ_ISA_AVX512_BF16, dnnl_cpu_isa_avx512_core_bf16},
    {SRQ_ISA_AVX512_AMX, dnnl_cpu_isa_avx512_core_amx},
};
enum { ISAS = sizeof isas / sizeof *isas };

srq_status srq_onednn_limit(srq_isa isa)
{
    int wanted = 0;
    for (int i = 0; i < ISAS; i++)
        if (isas[i].ours == isa) wanted = i;
    /* oneDNN refuses a new limit after its first use, so the limit in force is checked. */
    (void)dnnl_set_max_cpu_isa(isas[wanted].theirs);
    if (dnnl_get_effective_cpu_isa() == isas[wanted].theirs || isas[wanted].theirs == dnnl_cpu_isa_sse41) return SRQ_OK;
    int now = 0;
    for (int i = 0; i < ISAS; i++)
        if (srq_onednn_cpu_has(isas[i].theirs)) now = i;
    return srq_fail(SRQ_ERROR_USAGE,
                    "oneDNN computes with %s in this process, but %s is required; set train.isa to an instruction set "
                    "that this CPU and its operating system have, and use only one in a process",
                    srq_isa_name(isas[now].ours), srq_isa_name(isa));
}

void srq_onednn_pin_threads(void)
{
    omp_set_num_threads(1);
}
