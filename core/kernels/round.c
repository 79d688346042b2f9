/* Stochastic rounding to 8 bits, built three times like vector.c. Everything after the first rounding is integers. */
#include "core/kernels/round.h"

#include "core/kernels/kernels.h"
#include "core/kernels/philox.h"

enum { BLOCK = 2 * PHILOX_NUMBERS, BITS = SRQ_ROUNDING_BITS };

/* x + noise / 2^BITS, rounded down. x is an integer after the magic number was added (lanes.h); beyond 2^22 it is not,
 * and rejected. */
static inline int32_t round_down(float x, uint32_t noise)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23 */
    const float_bits whole = {.value = x + magic};
    const int32_t y = ((int32_t)(whole.bits - 0x4B400000u) + (int32_t)noise) >> BITS;
    return y < -SRQ_GRADIENT_MOST ? -SRQ_GRADIENT_MOST : y > SRQ_GRADIENT_MOST ? SRQ_GRADIENT_MOST : y;
}

/* Each number gives two elements of a block: its lower half one of the first half, its upper half one of the second. */
static inline bool round_block(const float *restrict x, const uint32_t *restrict bits, int8_t *restrict y)
{
    enum { MASK = (1 << BITS) - 1 };
    const float most = 4194304.0f; /* 2^22 */
    int bad = 0;
    for (int i = 0; i < PHILOX_NUMBERS; i++) {
        const float low = x[i], high = x[i + PHILOX_NUMBERS];
        bad |= !(low <= most) | !(low >= -most) | !(high <= most) | !(high >= -most);
        y[i] = (int8_t)round_down(low, bits[i] & MASK);
        y[i + PHILOX_NUMBERS] = (int8_t)round_down(high, bits[i] >> 16 & MASK);
    }
    return !bad;
}

bool SRQ_ISA_NAME(srq_round_s8)(size_t n, const float *x, const srq_rounding *rounding, size_t element, int8_t *y)
{
    _Alignas(64) uint32_t bits[PHILOX_NUMBERS];
    philox_keys keys;
    bool good = true;
    philox_make_keys(rounding->seed, &keys);
    for (size_t i = 0; i < n;) {
        const size_t at = element + i, skip = at % BLOCK, rest = BLOCK - skip;
        const size_t count = n - i < rest ? n - i : rest;
        philox_block((uint32_t)(at / BLOCK * PHILOX_CALLS), (uint32_t)rounding->stream << 8, rounding->step,
                     SRQ_RANDOM_GRADIENT, &keys, bits);
        if (count == BLOCK) {
            good = round_block(x + i, bits, y + i) && good;
        } else {
            float from[BLOCK] = {0};
            int8_t to[BLOCK];
            memcpy(from + skip, x + i, count * sizeof *x);
            good = round_block(from, bits, to) && good;
            memcpy(y + i, to + skip, count);
        }
        i += count;
    }
    return good;
}
