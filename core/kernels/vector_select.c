#include "core/kernels/vector.h"

#include <string.h>

extern const srq_vector srq_vector_baseline;
#ifdef SRQ_HAVE_X86
extern const srq_vector srq_vector_avx2;
extern const srq_vector srq_vector_avx512;
#endif

const srq_vector *srq_vector_best(const char *limit)
{
    const srq_vector *tables[3] = {&srq_vector_baseline, NULL, NULL};
#ifdef SRQ_HAVE_X86
    __builtin_cpu_init();
    /* The compiler was allowed all of x86-64-v3 and -v4 for these two: each part is asked for. */
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
              __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    if (v3) tables[1] = &srq_vector_avx2;
    if (v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        tables[2] = &srq_vector_avx512;
#endif
    for (int i = 2; i >= 0; i--)
        if (tables[i] && (!limit || strcmp(tables[i]->isa, limit) == 0)) return tables[i];
    return NULL;
}
