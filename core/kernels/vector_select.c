#include "core/kernels/vector.h"

#include <string.h>

extern const srq_vector srq_vector_baseline;
#ifdef SRQ_HAVE_X86
extern const srq_vector srq_vector_avx2;
extern const srq_vector srq_vector_avx512;
#endif

const srq_vector *srq_vector_of(srq_isa isa)
{
#ifdef SRQ_HAVE_X86
    if ((isa & SRQ_ISA_AVX512) == SRQ_ISA_AVX512) return &srq_vector_avx512;
    if ((isa & SRQ_ISA_AVX2) == SRQ_ISA_AVX2) return &srq_vector_avx2;
#endif
    (void)isa;
    return &srq_vector_baseline;
}

const srq_vector *srq_vector_best(const char *limit)
{
    srq_isa here;
    (void)srq_isa_here(&here); /* srq_graph_create reports a wrong SRQ_MAX_ISA */
    const srq_isa tables[] = {SRQ_ISA_AVX512, SRQ_ISA_AVX2, SRQ_ISA_BASELINE};
    for (int i = 0; i < 3; i++) {
        const srq_vector *vector = srq_vector_of(here & tables[i]);
        if (!limit || strcmp(vector->isa, limit) == 0) return vector;
    }
    return NULL;
}
