#include "core/kernels/engine.h"

#include <cblas.h>
#include <string.h>
#ifdef SRQ_HAVE_ONEDNN
#include "core/kernels/onednn/limits.h"
#include "core/kernels/onednn/onednn.h"
#endif

#ifdef SRQ_HAVE_ONEDNN
static const srq_kernels *float32_kernels = &srq_kernels_onednn_float32;
#else
static const srq_kernels *float32_kernels = &srq_kernels_reference;
#endif

static const srq_kernels *mixed_kernels(void)
{
#ifdef SRQ_HAVE_ONEDNN
    if (srq_onednn_has_mixed()) return &srq_kernels_onednn_mixed;
#endif
    return NULL;
}

static const srq_kernels *integer_kernels(void)
{
#ifdef SRQ_HAVE_ONEDNN
    if (srq_onednn_has_integer()) return &srq_kernels_onednn_integer;
#endif
    return NULL;
}

const char *srq_kernels_need(const char *engine)
{
    if (strcmp(engine, "integer") == 0) return "a CPU with AVX-512 and VNNI (avx512_vnni) and a build with oneDNN";
    if (strcmp(engine, "mixed") == 0) return "a CPU with AVX2 and a build with oneDNN";
    return NULL;
}

const srq_kernels *srq_kernels_find(const char *engine)
{
    if (strcmp(engine, "reference") == 0) return &srq_kernels_reference;
    if (strcmp(engine, "float32") == 0) return float32_kernels;
    if (strcmp(engine, "mixed") == 0) return mixed_kernels();
    if (strcmp(engine, "integer") == 0) return integer_kernels();
    if (strcmp(engine, "auto") == 0) return mixed_kernels() ? mixed_kernels() : float32_kernels;
    return NULL;
}

srq_status srq_kernels_limit(srq_isa isa)
{
#ifdef SRQ_HAVE_ONEDNN
    return srq_onednn_limit(isa);
#else
    (void)isa;
    return SRQ_OK;
#endif
}

void srq_kernels_pin_threads(void)
{
    openblas_set_num_threads(1);
#ifdef SRQ_HAVE_ONEDNN
    srq_onednn_pin_threads();
#endif
}

void srq_kernels_enter_thread(void)
{
#ifdef SRQ_HAVE_ONEDNN
    srq_onednn_pin_threads();
#endif
}
