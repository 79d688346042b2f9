/* Polynomials with different coefficients for each lane, for the files that are built once for each instruction set
 * (lanes.h). */
#ifndef SRQ_CORE_KERNELS_POLYNOMIAL_H
#define SRQ_CORE_KERNELS_POLYNOMIAL_H

#include "core/kernels/lanes.h"

/* Loads coefficients first..first+3 of each lane into coefficient[4], from the table of `lookup`. */
typedef void (*look_up_function)(const void *lookup, int first, pack coefficient[4]);

/* sum_i c_i t^i of degree SRQ_CURVE_DEGREE, where c_0 is coefficient `first`. Even and odd powers are summed
 * separately, for two short dependency chains instead of a long one. */
static inline __attribute__((always_inline)) pack polynomial_at(look_up_function look_up, const void *lookup, int first,
                                                                pack t, pack square)
{
    pack c[4];
    look_up(lookup, first + SRQ_CURVE_DEGREE - 3, c);
    pack even = c[2] * square + c[0], odd = c[3] * square + c[1];
#pragma GCC unroll 2
    for (int p = SRQ_CURVE_DEGREE - 7; p >= 0; p -= 4) {
        look_up(lookup, first + p, c);
        even = (even * square + c[2]) * square + c[0];
        odd = (odd * square + c[3]) * square + c[1];
    }
    return even + odd * t;
}

/* A table with a row of coefficients for each bin, and where the row of each lane starts. */
typedef struct row_lookup {
    const float *table;
    int32_t start[PACK];
} row_lookup;

/* `bin` holds integers. */
static inline row_lookup find_rows(const float *table, int row, pack bin)
{
    row_lookup l = {.table = table};
    const pack_mask start = __builtin_convertvector(bin * (float)row, pack_mask);
    memcpy(l.start, &start, sizeof start);
    return l;
}

#if defined __AVX2__
/* Loads four coefficients of eight lanes, lanes i and i + 4 in the halves of one register, and transposes them. */
static inline void look_up_eight(const float *table, const int32_t *start, __m256 coefficient[4])
{
    __m256 r[4];
    for (int i = 0; i < 4; i++)
        r[i] = _mm256_set_m128(_mm_loadu_ps(table + start[i + 4]), _mm_loadu_ps(table + start[i]));
    const __m256 a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 c = _mm256_unpacklo_ps(r[2], r[3]), d = _mm256_unpackhi_ps(r[2], r[3]);
    coefficient[0] = _mm256_shuffle_ps(a, c, 0x44);
    coefficient[1] = _mm256_shuffle_ps(a, c, 0xEE);
    coefficient[2] = _mm256_shuffle_ps(b, d, 0x44);
    coefficient[3] = _mm256_shuffle_ps(b, d, 0xEE);
}
#endif

/* A look_up_function of a row_lookup. */
static inline void look_up_rows(const void *lookup, int first, pack coefficient[4])
{
    const row_lookup *l = lookup;
    const float *table = l->table + first;
#if defined __AVX512F__
    __m256 low[4], high[4];
    look_up_eight(table, l->start, low);
    look_up_eight(table, l->start + 8, high);
    for (int i = 0; i < 4; i++) coefficient[i] = _mm512_insertf32x8(_mm512_castps256_ps512(low[i]), high[i], 1);
#elif defined __AVX2__
    look_up_eight(table, l->start, coefficient);
#else
    for (int i = 0; i < 4; i++) coefficient[i] = _mm_loadu_ps(table + l->start[i]);
    _MM_TRANSPOSE4_PS(coefficient[0], coefficient[1], coefficient[2], coefficient[3]);
#endif
}

#endif
