#include "core/random.h"

#include <math.h>

void srq_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void srq_random(uint64_t seed, srq_purpose purpose, uint64_t step, uint64_t index, uint32_t out[4])
{
    /* The purpose has a word of its own. The step is cut to the remaining 32 bits. */
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)step, (uint32_t)purpose};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    srq_philox(counter, key, out);
}

/* (0, 1): never 0, so that its logarithm is finite. */
static double unit(uint32_t bits)
{
    return ((double)bits + 0.5) / 4294967296.0;
}

void srq_random_normal(uint64_t seed, srq_purpose purpose, uint64_t step, size_t n, float deviation, float *out)
{
    for (size_t i = 0; i < n; i += 4) {
        uint32_t bits[4];
        srq_random(seed, purpose, step, i / 4, bits);
        for (size_t pair = 0; pair < 2; pair++) {
            double radius = sqrt(-2 * log(unit(bits[2 * pair])));
            double angle = 6.283185307179586 * unit(bits[2 * pair + 1]);
            if (i + 2 * pair < n) out[i + 2 * pair] = deviation * (float)(radius * cos(angle));
            if (i + 2 * pair + 1 < n) out[i + 2 * pair + 1] = deviation * (float)(radius * sin(angle));
        }
    }
}

uint64_t srq_random_order(uint64_t seed, uint64_t epoch, uint64_t n, uint64_t place)
{
    enum { ROUNDS = 8 };
    int half = 1; /* number of bits in each half of the Feistel network */
    while (half < 31 && ((uint64_t)1 << (2 * half)) < n) half++;
    const uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t x = place;
    do {
        uint64_t left = x >> half, right = x & mask;
        for (uint64_t round = 0; round < ROUNDS; round++) {
            uint32_t bits[4];
            srq_random(seed, SRQ_RANDOM_ORDER, epoch, right | round << 32, bits);
            uint64_t next = left ^ (bits[0] & mask);
            left = right;
            right = next;
        }
        x = left << half | right;
    } while (x >= n);
    return x;
}
