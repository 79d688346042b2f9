/* exp and log of float32 in plain C. They use only sums and products in a fixed order, so they give the same bits on
 * every CPU. The functions of C libraries differ in their last digits. The compiler vectorizes loops over them. */
#ifndef SRQ_CORE_KERNELS_ELEMENTARY_H
#define SRQ_CORE_KERNELS_ELEMENTARY_H

#include <stdint.h>

typedef union float_bits {
    float value;
    uint32_t bits;
} float_bits;

/* e^x to 2 units in the last place for |x| <= 87, where e^-x is a normal number. The polynomial is that of Cephes. */
static inline float exp_near_lane(float x)
{
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
    float_bits scale = {.bits = (uint32_t)((int32_t)k + 127) << 23};
    return p * scale.value;
}

/* The same with x clamped to [-60, 60]. 1 / (1 + e^-60) is 1 in float32. e^60 is well below 1e37, at which dropbits.c
 * cuts its table, so that sums of the two are valid. */
static inline float exp_lane(float x)
{
    x = x >= -60.0f ? x : -60.0f;
    x = x <= 60.0f ? x : 60.0f;
    return exp_near_lane(x);
}

/* log(2^e (1 + f)) for sqrt(1/2) <= 1 + f < sqrt(2), to 2 units in the last place; e is an integer. The polynomial is
 * that of Cephes. */
static inline float log_parts(float e, float f)
{
    float square = f * f;
    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    p = p * f * square;
    p = (p - e * 2.12194440e-4f) - 0.5f * square;
    return (f + p) + e * 0.693359375f;
}

/* The exponent e of x = 2^e m with sqrt(1/2) <= m < sqrt(2), as an integer; x is positive and normal. */
static inline int32_t exponent_of(float x)
{
    float_bits b = {.value = x};
    return (int32_t)(b.bits - 0x3f3504f3u) >> 23; /* the bits of sqrt(1/2) */
}

/* The mantissa m of x = 2^e m. */
static inline float mantissa_of(float x, int32_t exponent)
{
    float_bits b = {.value = x};
    b.bits -= (uint32_t)exponent << 23;
    return b.value;
}

/* log x of a positive normal x. */
static inline float log_lane(float x)
{
    int32_t e = exponent_of(x);
    return log_parts((float)e, mantissa_of(x, e) - 1.0f);
}

#endif
