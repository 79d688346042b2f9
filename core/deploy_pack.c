#include "core/deploy.h"

#include "core/mask.h"

#include <string.h>

static size_t bytes_of(const srq_deploy_weights *w, size_t count)
{
    return (count * (size_t)(w->grid.bits ? w->grid.bits : 32) + 7) / 8;
}

bool srq_deploy_packs_mask(const srq_deploy_weights *w)
{
    return w->mask && (w->grid.points || srq_mask_bytes(w->count) + bytes_of(w, w->kept) < bytes_of(w, w->count));
}

size_t srq_deploy_packed_size(const srq_deploy_weights *w)
{
    return bytes_of(w, srq_deploy_packs_mask(w) ? w->kept : w->count);
}

void srq_deploy_put_code(uint8_t *packed, size_t index, int bits, int code)
{
    const size_t at = index * (size_t)bits;
    const unsigned shift = at % 8, field = ((unsigned)code & ((1u << bits) - 1)) << shift;
    packed[at / 8] |= (uint8_t)field;
    if (shift + (unsigned)bits > 8) packed[at / 8 + 1] |= (uint8_t)(field >> 8);
}

int srq_deploy_get_code(const uint8_t *packed, size_t index, int bits)
{
    const size_t at = index * (size_t)bits;
    const unsigned shift = at % 8, sign = 1u << (bits - 1);
    unsigned field = (unsigned)packed[at / 8] >> shift;
    if (shift + (unsigned)bits > 8) field |= (unsigned)packed[at / 8 + 1] << (8 - shift);
    field &= (1u << bits) - 1;
    return (int)(field ^ sign) - (int)sign;
}

void srq_deploy_pack(const srq_deploy_weights *w, uint8_t *packed)
{
    const bool masked = srq_deploy_packs_mask(w);
    memset(packed, 0, srq_deploy_packed_size(w));
    for (size_t i = 0, k = 0; i < w->count; i++) {
        if (masked && !srq_mask_keeps(w->mask, i)) continue;
        if (w->grid.bits)
            srq_deploy_put_code(packed, k++, w->grid.bits, w->codes[i]);
        else
            memcpy(packed + sizeof(float) * k++, &w->floats[i], sizeof(float));
    }
}

void srq_deploy_unpack(const uint8_t *packed, srq_deploy_weights *w)
{
    for (size_t i = 0, k = 0; i < w->count; i++) {
        const bool kept = !w->mask || srq_mask_keeps(w->mask, i);
        if (w->grid.bits)
            w->codes[i] = (int8_t)(kept ? srq_deploy_get_code(packed, k++, w->grid.bits) : 0);
        else if (kept)
            memcpy(&w->floats[i], packed + sizeof(float) * k++, sizeof(float));
        else
            w->floats[i] = 0;
    }
}
