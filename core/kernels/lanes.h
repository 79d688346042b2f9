/* Packs and rounding, only for the files that are built once for each instruction set (see vector.h). */
#ifndef SRQ_CORE_KERNELS_LANES_H
#define SRQ_CORE_KERNELS_LANES_H

#include "core/kernels/elementary.h"
#include "core/kernels/vector.h"

#include <math.h>
#include <string.h>
#if defined __AVX2__
#include <immintrin.h>
#else
#include <emmintrin.h>
#endif

/* `name` with the suffix of the instruction set SRQ_ISA: name_baseline, name_avx2, name_avx512. */
#define SRQ_ISA_NAME(name) SRQ_ISA_NAME_(name, SRQ_ISA)
#define SRQ_ISA_NAME_(name, isa) SRQ_ISA_NAME__(name, isa)
#define SRQ_ISA_NAME__(name, isa) name##_##isa

/* PACK elements in one register. The compiler does not vectorize every condition, but with its vector types it has to:
 * each lane of a comparison is 0 or all ones. */
#if defined __AVX512F__
enum { PACK = 16 };
#elif defined __AVX2__
enum { PACK = 8 };
#else
enum { PACK = 4 };
#endif
typedef float pack __attribute__((vector_size(PACK * sizeof(float))));
typedef int32_t pack_mask __attribute__((vector_size(PACK * sizeof(float))));

static inline pack pack_load(const float *x)
{
    pack v;
    memcpy(&v, x, sizeof v);
    return v;
}

static inline void pack_store(float *x, pack v)
{
    memcpy(x, &v, sizeof v);
}

static inline pack pack_where(pack_mask mask, pack v)
{
    return (pack)(mask & (pack_mask)v);
}

/* a > b ? yes : no. This is two instructions; the compiler makes more from its vector types. */
static inline pack pack_if_above(pack a, pack b, pack yes, pack no)
{
#if defined __AVX512F__
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), no, yes);
#elif defined __AVX2__
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_GT_OQ));
#else
    const pack_mask above = a > b;
    return (pack)((above & (pack_mask)yes) | (~above & (pack_mask)no));
#endif
}

/* rint(v) for |v| <= 2^22. */
static inline pack pack_round(pack v)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23 */
    return (v + magic) - magic;
}

/* clamp(rint(v), min, max), exactly. The bounds are integers, so v can be clamped first; then the magic number rounds
 * to nearest, ties to even. NaN gives min. */
static inline float round_lane(float v, float min, float max)
{
    const float magic = 12582912.0f;
    v = v >= min ? v : min;
    v = v <= max ? v : max;
    return (v + magic) - magic;
}

#endif
