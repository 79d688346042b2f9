/* Parallel calls of srq_philox, only for the files that are built once for each instruction set (see vector.h). */
#ifndef SRQ_CORE_KERNELS_PHILOX_H
#define SRQ_CORE_KERNELS_PHILOX_H

#include "core/kernels/lanes.h"
#include "core/random.h"

enum { PHILOX_CALLS = 16, PHILOX_NUMBERS = 4 * PHILOX_CALLS, PHILOX_ROUNDS = 10 };

/* The keys of the rounds. */
typedef struct philox_keys {
    uint64_t of[PHILOX_ROUNDS][2];
} philox_keys;

static inline void philox_make_keys(uint64_t seed, philox_keys *keys)
{
    for (uint32_t i = 0; i < PHILOX_ROUNDS; i++) {
        keys->of[i][0] = (uint32_t)((uint32_t)seed + i * 0x9E3779B9u);
        keys->of[i][1] = (uint32_t)((uint32_t)(seed >> 32) + i * 0xBB67AE85u);
    }
}

/* One word of each call in the lower halves; the upper halves are arbitrary. */
typedef uint64_t philox_words __attribute__((vector_size(PACK * sizeof(uint32_t))));

static inline philox_words philox_all(uint64_t value)
{
    return (philox_words){0} + value;
}

/* The products of the lower halves. */
static inline philox_words philox_multiply(philox_words a, uint64_t b)
{
#if defined __AVX512F__
    return (philox_words)_mm512_mul_epu32((__m512i)a, (__m512i)philox_all(b));
#elif defined __AVX2__
    return (philox_words)_mm256_mul_epu32((__m256i)a, (__m256i)philox_all(b));
#else
    return (philox_words)_mm_mul_epu32((__m128i)a, (__m128i)philox_all(b));
#endif
}

static inline void philox_round(philox_words c[4], const uint64_t keys[2])
{
    const philox_words p0 = philox_multiply(c[0], 0xD2511F53u), p1 = philox_multiply(c[2], 0xCD9E8D57u);
    c[0] = (p1 >> 32) ^ c[1] ^ philox_all(keys[0]);
    c[1] = p1;
    c[2] = (p0 >> 32) ^ c[3] ^ philox_all(keys[1]);
    c[3] = p0;
}

/* The numbers of srq_random for the indices high * 2^32 + first .. first + PHILOX_CALLS - 1: word i of call l is
 * bits[i * PHILOX_CALLS + l]. Even and odd calls are computed separately, and their words are merged at the end. */
static inline void philox_block(uint32_t first, uint32_t high, uint32_t step, srq_purpose purpose,
                                const philox_keys *keys, uint32_t bits[PHILOX_NUMBERS])
{
    philox_words twice;
    for (int i = 0; i < PACK / 2; i++) twice[i] = 2 * (uint64_t)i;
    for (uint32_t l = 0; l < PHILOX_CALLS; l += PACK) {
        philox_words even[4] = {twice + (first + l), philox_all(high), philox_all(step), philox_all(purpose)};
        philox_words odd[4] = {even[0] + 1, even[1], even[2], even[3]};
#pragma GCC unroll 10
        for (int i = 0; i < PHILOX_ROUNDS; i++) {
            philox_round(even, keys->of[i]);
            philox_round(odd, keys->of[i]);
        }
        for (int i = 0; i < 4; i++) {
            const philox_words both = (even[i] & 0xFFFFFFFFu) | odd[i] << 32;
            memcpy(bits + (uint32_t)i * PHILOX_CALLS + l, &both, sizeof both);
        }
    }
}

#endif
