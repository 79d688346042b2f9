#include "dist/wire.h"

#include <string.h>

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The upper half, rounded. Rounding could turn a NaN into an infinity, so a NaN is made quiet instead; it keeps its
 * sign. */
static uint32_t upper_half(uint32_t bits)
{
    const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
    const uint32_t nan = bits | 0x00400000;
    return ((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded) & 0xffff0000;
}

float srq_wire_round(float x)
{
    return of_bits(upper_half(bits_of(x)));
}

/* Iterates over the pieces of [begin, end), each coarse or not. Returns where the piece that begins at `at` ends. */
static size_t next_piece(size_t at, size_t end, int count, const srq_reduce_range *coarse, int *range, bool *is_coarse)
{
    while (*range < count && coarse[*range].end <= at) (*range)++;
    *is_coarse = *range < count && coarse[*range].begin <= at;
    size_t piece = *range == count ? end : *is_coarse ? coarse[*range].end : coarse[*range].begin;
    return piece < end ? piece : end;
}

void srq_wire_round_ranges(float *x, size_t begin, size_t end, int count, const srq_reduce_range *coarse)
{
    bool is_coarse;
    int range = 0;
    for (size_t at = begin, last; at < end; at = last) {
        last = next_piece(at, end, count, coarse, &range, &is_coarse);
        if (is_coarse)
            for (size_t i = at - begin; i < last - begin; i++) x[i] = srq_wire_round(x[i]);
    }
}

size_t srq_wire_size(size_t begin, size_t end, int count, const srq_reduce_range *coarse)
{
    size_t size = 0;
    bool is_coarse;
    int range = 0;
    for (size_t at = begin, last; at < end; at = last) {
        last = next_piece(at, end, count, coarse, &range, &is_coarse);
        size += (last - at) * (is_coarse ? 1 : 2);
    }
    return size;
}

void srq_wire_encode(const float *x, size_t begin, size_t end, int count, const srq_reduce_range *coarse, uint16_t *to)
{
    bool is_coarse;
    int range = 0;
    for (size_t at = begin, last; at < end; at = last) {
        last = next_piece(at, end, count, coarse, &range, &is_coarse);
        const size_t n = last - at;
        if (is_coarse)
            for (size_t i = 0; i < n; i++) to[i] = (uint16_t)(bits_of(x[i]) >> 16);
        else
            memcpy(to, x, n * sizeof *x);
        x += n;
        to += n * (is_coarse ? 1 : 2);
    }
}

void srq_wire_decode(const uint16_t *from, size_t begin, size_t end, int count, const srq_reduce_range *coarse,
                     float *to)
{
    bool is_coarse;
    int range = 0;
    for (size_t at = begin, last; at < end; at = last) {
        last = next_piece(at, end, count, coarse, &range, &is_coarse);
        const size_t n = last - at;
        if (is_coarse)
            for (size_t i = 0; i < n; i++) to[i] = of_bits((uint32_t)from[i] << 16);
        else
            memcpy(to, from, n * sizeof *to);
        from += n * (is_coarse ? 1 : 2);
        to += n;
    }
}
