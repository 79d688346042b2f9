/* Random numbers as functions (architecture.md, idea 4): Philox4x32-10 of Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011. There is no state: a number depends only on (seed, purpose, step, index). */
#ifndef SRQ_CORE_RANDOM_H
#define SRQ_CORE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* The purpose of a number. Each purpose has its own stream. Changing these values would change the results of runs. */
typedef enum srq_purpose {
    SRQ_RANDOM_WEIGHTS = 1,
    SRQ_RANDOM_ORDER = 2,
    SRQ_RANDOM_TEST = 3,
    SRQ_RANDOM_GATES = 4,
    SRQ_RANDOM_GUMBEL = 5,
    SRQ_RANDOM_AUGMENT = 6,
    SRQ_RANDOM_SHUFFLE = 7,
    SRQ_RANDOM_VALIDATION = 8,
    SRQ_RANDOM_GRADIENT = 9,
    SRQ_RANDOM_MASK = 10,
} srq_purpose;

/* The block cipher: four 32-bit numbers from a 128-bit counter and a 64-bit key. */
void srq_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Four 32-bit numbers for (seed, purpose, step, index). `step` is below 2^32. */
void srq_random(uint64_t seed, srq_purpose purpose, uint64_t step, uint64_t index, uint32_t out[4]);

/* out[i] drawn from a normal distribution with mean 0 (Box-Muller). */
void srq_random_normal(uint64_t seed, srq_purpose purpose, uint64_t step, size_t n, float deviation, float *out);

/* A random permutation of 0..n-1 that can be evaluated at any position: a Feistel network, keyed by (seed, epoch), on
 * the next power of four, applied again until the result is below n. Returns the sample at position `place` (< n) in
 * the order of this epoch. */
uint64_t srq_random_order(uint64_t seed, uint64_t epoch, uint64_t n, uint64_t place);

#endif
