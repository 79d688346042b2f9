/* Masks: which weights of a layer are kept, one bit each. Bit i % 8 of byte i / 8 is 1 for a kept weight i; the bits
 * beyond the last weight are 0. A weight that is not kept is 0: in its value, its code, its gradient and the
 * optimizer's state (core/ops/weighted.c); it adds nothing to the gradients of alpha, sigma and gates. Every grid has
 * the code 0, at 1 bit too (-1 and 0). */
#ifndef SRQ_CORE_MASK_H
#define SRQ_CORE_MASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t srq_mask_bytes(size_t count)
{
    return (count + 7) / 8;
}

static inline bool srq_mask_keeps(const uint8_t *mask, size_t i)
{
    return mask[i / 8] >> (i % 8) & 1;
}

/* Kept weights among the first `count`. */
size_t srq_mask_count(const uint8_t *mask, size_t count);
/* False if a bit beyond the last of `count` weights is set. */
bool srq_mask_is_whole(const uint8_t *mask, size_t count);
/* Sets what is not kept to 0: x[0] is weight `begin`. */
void srq_mask_floats(const uint8_t *mask, size_t begin, size_t end, float *x);
void srq_mask_codes(const uint8_t *mask, size_t count, void *codes);

#endif
