#include "core/mask.h"

size_t srq_mask_count(const uint8_t *mask, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < srq_mask_bytes(count); i++) kept += (size_t)__builtin_popcount(mask[i]);
    return kept;
}

bool srq_mask_is_whole(const uint8_t *mask, size_t count)
{
    return count % 8 == 0 || mask[count / 8] >> (count % 8) == 0;
}

void srq_mask_floats(const uint8_t *mask, size_t begin, size_t end, float *x)
{
    for (size_t i = begin; i < end; i++)
        if (!srq_mask_keeps(mask, i)) x[i - begin] = 0;
}

void srq_mask_codes(const uint8_t *mask, size_t count, void *codes)
{
    uint8_t *code = codes;
    for (size_t i = 0; i < count; i++) code[i] = srq_mask_keeps(mask, i) ? code[i] : 0;
}
