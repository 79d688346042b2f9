/* What the files built once for each instruction set share (see vector.h): lanes, packs, and the elementary functions.
 * Only they include it. */
#ifndef SRQ_CORE_KERNELS_LANES_H
#define SRQ_CORE_KERNELS_LANES_H

#include "core/kernels/vector.h"

#include <math.h>
#include <string.h>

/* `name` as compiled for the instruction set SRQ_ISA: name_baseline, name_avx2, name_avx512. */
#define SRQ_ISA_NAME(name) SRQ_ISA_NAME_(name, SRQ_ISA)
#define SRQ_ISA_NAME_(name, isa) SRQ_ISA_NAME__(name, isa)
#define SRQ_ISA_NAME__(name, isa) name##_##isa

/* PACK elements in one register. The compiler does not vectorize every condition by itself; with its vector types it
 * must: the lanes of a comparison are 0 or all ones. */
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

static inline pack pack_select(pack_mask mask, pack yes, pack no)
{
    return (pack)((mask & (pack_mask)yes) | (~mask & (pack_mask)no));
}

/* e^x to 2 units in the last place, with x clamped to [-60, 60]: 1 / (1 + e^-60) is 1 in float32, and e^60 stays well
 * below the cut of the table q, so that sums of the two keep their meaning. The polynomial is that of Cephes. */
static inline float exp_lane(float x)
{
    x = x >= -60.0f ? x : -60.0f;
    x = x <= 60.0f ? x : 60.0f;
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float k = (x * 1.44269504f + magic) - magic;
    float r = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
    union {
        uint32_t bits;
        float value;
    } scale = {.bits = (uint32_t)((int32_t)k + 127) << 23};
    return p * scale.value;
}

/* clamp(rint(v), min, max), exactly: the bounds are integers, so clamping first changes nothing, and then the
 * magic number rounds to nearest, ties to even. NaN gives min. */
static inline float round_lane(float v, float min, float max)
{
    const float magic = 12582912.0f;
    v = v >= min ? v : min;
    v = v <= max ? v : max;
    return (v + magic) - magic;
}

#endif
