/* A mask says which weights of a layer are kept, with one bit for each weight. Bit i % 8 of byte i / 8 is 1 if weight i
 * is kept. The bits after the last weight are 0. The value, the code, the gradient and the optimizer's state of a
 * weight that is not kept are 0 (core/ops/weighted.c). It adds nothing to the gradients of alpha, sigma and gates.
 * Every grid has the code 0, even at 1 bit (-1 and 0). */
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

/* The number of kept weights among the first `count`. */
size_t srq_mask_count(const uint8_t *mask, size_t count);
/* False if a bit after the last of `count` weights is set. */
bool srq_mask_is_whole(const uint8_t *mask, size_t count);
/* Sets weights that are not kept to 0. x[0] is weight `begin`. */
void srq_mask_floats(const uint8_t *mask, size_t begin, size_t end, float *x);
void srq_mask_codes(const uint8_t *mask, size_t count, void *codes);

#endif
