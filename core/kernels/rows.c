/* Arithmetic on rows of channels, built three times like vector.c. Sums are computed down the rows in one order,
 * independent of the width of a register and of how rows are divided into calls. */
#include "core/kernels/rows.h"

typedef uint32_t pack_bits __attribute__((vector_size(PACK * sizeof(uint32_t))));
typedef uint16_t pack_halves __attribute__((vector_size(PACK * sizeof(uint16_t))));

static inline uint16_t to_bf16(float x)
{
    float_bits b = {.value = x};
    uint32_t rounded = (b.bits + 0x7fffu + ((b.bits >> 16) & 1u)) >> 16;
    /* NaN is kept, because rounding could make it infinite. */
    return (uint16_t)((b.bits & 0x7fffffffu) > 0x7f800000u ? (b.bits >> 16) | 0x40u : rounded);
}

/* The same for a pack. */
static inline void store_bf16(uint16_t *y, pack v)
{
    const pack_bits bits = (pack_bits)v, high = bits >> 16, rounded = (bits + 0x7fffu + (high & 1u)) >> 16;
    const pack_bits nan = (pack_bits)((bits & 0x7fffffffu) > 0x7f800000u);
    const pack_bits chosen = (nan & (high | 0x40u)) | (~nan & rounded);
    const pack_halves halves = __builtin_convertvector(chosen, pack_halves);
    memcpy(y, &halves, sizeof halves);
}

static inline float from_bf16(uint16_t x)
{
    float_bits b = {.bits = (uint32_t)x << 16};
    return b.value;
}

/* Functions of rows are compiled for any n, and for the n of one register of AVX-512: with so few channels, a loop over
 * them costs more than their arithmetic. Factors then stay in registers. */
#define BY_CHANNELS(function, n, ...)                                                                                  \
    do {                                                                                                               \
        if ((n) == FEW)                                                                                                \
            function(rows, FEW, __VA_ARGS__);                                                                          \
        else                                                                                                           \
            function(rows, (n), __VA_ARGS__);                                                                          \
    } while (0)
enum { FEW = 16 };
#define ROWS_FUNCTION static inline __attribute__((always_inline)) void

static inline float clamp_value(float v, float low, float high)
{
    v = v < low ? low : v;
    return v > high ? high : v;
}

ROWS_FUNCTION affine(size_t rows, size_t n, const float *x, const float *restrict a, const float *restrict b, float low,
                     float high, float *y)
{
    for (size_t r = 0; r < rows; r++, x += n, y += n)
        for (size_t c = 0; c < n; c++) y[c] = clamp_value(a[c] * x[c] + b[c], low, high);
}

void SRQ_ISA_NAME(srq_affine_rows)(size_t rows, size_t n, const float *x, const float *a, const float *b, float low,
                                   float high, float *y)
{
    BY_CHANNELS(affine, n, x, a, b, low, high, y);
}

ROWS_FUNCTION affine_add(size_t rows, size_t n, const float *x, const float *restrict a, const float *restrict b,
                         const float *z, float low, float high, float *y)
{
    for (size_t r = 0; r < rows; r++, x += n, z += n, y += n)
        for (size_t c = 0; c < n; c++) y[c] = clamp_value((a[c] * x[c] + b[c]) + z[c], low, high);
}

void SRQ_ISA_NAME(srq_affine_add_rows)(size_t rows, size_t n, const float *x, const float *a, const float *b,
                                       const float *z, float low, float high, float *y)
{
    BY_CHANNELS(affine_add, n, x, a, b, z, low, high, y);
}

ROWS_FUNCTION scale(size_t rows, size_t n, const float *x, const float *restrict s, float *y)
{
    for (size_t r = 0; r < rows; r++, x += n, y += n)
        for (size_t c = 0; c < n; c++) y[c] = x[c] * s[c];
}

void SRQ_ISA_NAME(srq_scale_rows)(size_t rows, size_t n, const float *x, const float *s, float *y)
{
    BY_CHANNELS(scale, n, x, s, y);
}

ROWS_FUNCTION scale_bf16(size_t rows, size_t n, const float *x, const float *restrict s, uint16_t *restrict y)
{
    for (size_t r = 0; r < rows; r++, x += n, y += n) {
        size_t c = 0;
        for (; c + PACK <= n; c += PACK) store_bf16(y + c, pack_load(x + c) * pack_load(s + c));
        for (; c < n; c++) y[c] = to_bf16(x[c] * s[c]);
    }
}

void SRQ_ISA_NAME(srq_scale_rows_bf16)(size_t rows, size_t n, const float *x, const float *s, uint16_t *y)
{
    BY_CHANNELS(scale_bf16, n, x, s, y);
}

ROWS_FUNCTION combine(size_t rows, size_t n, const float *g, const float *x, const float *restrict a,
                      const float *restrict b, const float *restrict c, float *y)
{
    for (size_t r = 0; r < rows; r++, g += n, x += n, y += n)
        for (size_t i = 0; i < n; i++) y[i] = a[i] * g[i] + (b[i] * x[i] + c[i]);
}

void SRQ_ISA_NAME(srq_combine_rows)(size_t rows, size_t n, const float *g, const float *x, const float *a,
                                    const float *b, const float *c, float *y)
{
    BY_CHANNELS(combine, n, g, x, a, b, c, y);
}

ROWS_FUNCTION combine_bf16(size_t rows, size_t n, const float *g, const float *x, const float *restrict a,
                           const float *restrict b, const float *restrict c, uint16_t *restrict y)
{
    for (size_t r = 0; r < rows; r++, g += n, x += n, y += n) {
        size_t i = 0;
        for (; i + PACK <= n; i += PACK)
            store_bf16(y + i,
                       pack_load(a + i) * pack_load(g + i) + (pack_load(b + i) * pack_load(x + i) + pack_load(c + i)));
        for (; i < n; i++) y[i] = to_bf16(a[i] * g[i] + (b[i] * x[i] + c[i]));
    }
}

void SRQ_ISA_NAME(srq_combine_rows_bf16)(size_t rows, size_t n, const float *g, const float *x, const float *a,
                                         const float *b, const float *c, uint16_t *y)
{
    BY_CHANNELS(combine_bf16, n, g, x, a, b, c, y);
}

/* Channels are taken WIDTH at a time, with their sums in registers. */
enum { WIDTH = 32 };

/* Blocks of 256 rows are summed separately, which keeps the rounding error of long float32 sums small. */
enum { BLOCK = 256 };

static inline void block_sums(size_t rows, size_t n, size_t width, const float *y, double *total)
{
    float block[WIDTH] = {0};
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < width; c++) block[c] += y[r * n + c];
    for (size_t c = 0; c < width; c++) total[c] += (double)block[c];
}

static inline void block_sums_bf16(size_t rows, size_t n, size_t width, const uint16_t *y, double *total)
{
    float block[WIDTH] = {0};
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < width; c++) block[c] += from_bf16(y[r * n + c]);
    for (size_t c = 0; c < width; c++) total[c] += (double)block[c];
}

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

void SRQ_ISA_NAME(srq_sum_rows)(size_t rows, size_t n, const float *y, float *s)
{
    for (size_t c0 = 0; c0 < n; c0 += WIDTH) {
        const size_t width = least(WIDTH, n - c0);
        double total[WIDTH] = {0};
        for (size_t r = 0; r < rows; r += BLOCK)
            if (width == WIDTH)
                block_sums(least(BLOCK, rows - r), n, WIDTH, y + r * n + c0, total);
            else
                block_sums(least(BLOCK, rows - r), n, width, y + r * n + c0, total);
        for (size_t c = 0; c < width; c++) s[c0 + c] = (float)total[c];
    }
}

void SRQ_ISA_NAME(srq_sum_rows_bf16)(size_t rows, size_t n, const uint16_t *y, float *s)
{
    for (size_t c0 = 0; c0 < n; c0 += WIDTH) {
        const size_t width = least(WIDTH, n - c0);
        double total[WIDTH] = {0};
        for (size_t r = 0; r < rows; r += BLOCK)
            if (width == WIDTH)
                block_sums_bf16(least(BLOCK, rows - r), n, WIDTH, y + r * n + c0, total);
            else
                block_sums_bf16(least(BLOCK, rows - r), n, width, y + r * n + c0, total);
        for (size_t c = 0; c < width; c++) s[c0 + c] = (float)total[c];
    }
}

/* Exact: 2^24 rows cannot overflow a sum. */
void SRQ_ISA_NAME(srq_sum_rows_s8)(size_t rows, size_t n, const int8_t *y, float *s)
{
    enum { ROWS = 1 << 24 };
    for (size_t c0 = 0; c0 < n; c0 += WIDTH) {
        const size_t width = least(WIDTH, n - c0);
        double total[WIDTH] = {0};
        for (size_t first = 0; first < rows; first += ROWS) {
            int32_t block[WIDTH] = {0};
            for (size_t r = first; r < first + least(ROWS, rows - first); r++)
                for (size_t c = 0; c < width; c++) block[c] += y[r * n + c0 + c];
            for (size_t c = 0; c < width; c++) total[c] += (double)block[c];
        }
        for (size_t c = 0; c < width; c++) s[c0 + c] = (float)total[c];
    }
}

/* One pack of channels, in four chains of comparisons, so that one does not wait for another. */
static inline void widen_ranges(size_t rows, size_t n, const float *x, float *low, float *high)
{
    enum { CHAINS = 4 };
    pack l[CHAINS], h[CHAINS];
    for (int k = 0; k < CHAINS; k++) {
        l[k] = pack_load(low);
        h[k] = pack_load(high);
    }
    size_t r = 0;
    for (; r + CHAINS <= rows; r += CHAINS)
        for (size_t k = 0; k < CHAINS; k++) {
            const pack v = pack_load(x + (r + k) * n);
            l[k] = pack_if_above(l[k], v, v, l[k]);
            h[k] = pack_if_above(v, h[k], v, h[k]);
        }
    for (; r < rows; r++) {
        const pack v = pack_load(x + r * n);
        l[0] = pack_if_above(l[0], v, v, l[0]);
        h[0] = pack_if_above(v, h[0], v, h[0]);
    }
    for (int k = 1; k < CHAINS; k++) {
        l[0] = pack_if_above(l[0], l[k], l[k], l[0]);
        h[0] = pack_if_above(h[k], h[0], h[k], h[0]);
    }
    pack_store(low, l[0]);
    pack_store(high, h[0]);
}

void SRQ_ISA_NAME(srq_extremes)(size_t rows, size_t n, const float *x, float *low, float *high)
{
    size_t c = 0;
    for (; c + PACK <= n; c += PACK) widen_ranges(rows, n, x + c, low + c, high + c);
    for (; c < n; c++)
        for (size_t r = 0; r < rows; r++) {
            const float v = x[r * n + c];
            low[c] = v < low[c] ? v : low[c];
            high[c] = v > high[c] ? v : high[c];
        }
}

/* sums += sum of g, products += sum of g x, in float64: exact products of float32. */
static inline void add_products(size_t rows, size_t n, size_t width, const float *g, const float *x,
                                double *restrict sums, double *restrict products)
{
    double s[WIDTH], p[WIDTH];
    memcpy(s, sums, width * sizeof *s);
    memcpy(p, products, width * sizeof *p);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < width; c++) {
            s[c] += (double)g[r * n + c];
            p[c] += (double)g[r * n + c] * (double)x[r * n + c];
        }
    memcpy(sums, s, width * sizeof *s);
    memcpy(products, p, width * sizeof *p);
}

void SRQ_ISA_NAME(srq_products)(size_t rows, size_t n, const float *g, const float *x, double *sums, double *products)
{
    size_t c = 0;
    for (; c + WIDTH <= n; c += WIDTH) add_products(rows, n, WIDTH, g + c, x + c, sums + c, products + c);
    for (; c + 8 <= n; c += 8) add_products(rows, n, 8, g + c, x + c, sums + c, products + c);
    if (c < n) add_products(rows, n, n - c, g + c, x + c, sums + c, products + c);
}

void SRQ_ISA_NAME(srq_moments)(size_t rows, size_t n, const float *x, double *sums, double *squares)
{
    SRQ_ISA_NAME(srq_products)(rows, n, x, x, sums, squares);
}

void SRQ_ISA_NAME(srq_clip_backward)(size_t n, const float *y, const float *dy, float low, float high, float *dx)
{
    for (size_t i = 0; i < n; i++) dx[i] = (y[i] > low) & (y[i] < high) ? dy[i] : 0;
}

/* --- A line of adjacent windows: k0 lines of width * k1 pixels */

static inline void take_larger(float x, int32_t k, float *y, int32_t *where)
{
    const bool larger = !(x <= *y); /* NaN wins */
    *y = larger ? x : *y;
    *where = larger ? k : *where;
}

/* The usual window, 2 x 2, without a loop over it. */
static void max_pool_2x2(size_t width, size_t n, const float *x, float *restrict y, int32_t *restrict where)
{
    const float *below = x + 2 * width * n;
    for (size_t o = 0; o < width; o++, x += 2 * n, below += 2 * n, y += n, where += n)
        for (size_t c = 0; c < n; c++) {
            float best = x[c];
            int32_t k = 0;
            take_larger(x[n + c], 1, &best, &k);
            take_larger(below[c], 2, &best, &k);
            take_larger(below[n + c], 3, &best, &k);
            y[c] = best;
            where[c] = k;
        }
}

void SRQ_ISA_NAME(srq_max_pool_line)(size_t width, size_t n, int k0, int k1, const float *x, float *y, int32_t *where)
{
    if (k0 == 2 && k1 == 2) {
        max_pool_2x2(width, n, x, y, where);
        return;
    }
    const size_t line = width * (size_t)k1 * n;
    for (size_t o = 0; o < width; o++, x += (size_t)k1 * n, y += n, where += n) {
        memcpy(y, x, n * sizeof *y);
        memset(where, 0, n * sizeof *where);
        for (int k = 1; k < k0 * k1; k++) {
            const float *from = x + (size_t)(k / k1) * line + (size_t)(k % k1) * n;
            for (size_t c = 0; c < n; c++) take_larger(from[c], k, &y[c], &where[c]);
        }
    }
}

void SRQ_ISA_NAME(srq_max_unpool_line)(size_t width, size_t n, int k0, int k1, const float *dy, const int32_t *where,
                                       float *dx)
{
    const size_t line = width * (size_t)k1 * n;
    for (size_t o = 0; o < width; o++, dx += (size_t)k1 * n, dy += n, where += n)
        for (int k = 0; k < k0 * k1; k++) {
            float *restrict to = dx + (size_t)(k / k1) * line + (size_t)(k % k1) * n;
            for (size_t c = 0; c < n; c++) to[c] = where[c] == k ? dy[c] : 0;
        }
}
