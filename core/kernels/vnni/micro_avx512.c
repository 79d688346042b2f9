/* The sums with vpdpbusd: it multiplies four unsigned by four signed bytes in every 32-bit lane and adds the products
 * to the lane. Sixteen sums stay in registers, which hides the latency of the instruction. */
#ifdef SRQ_HAVE_X86
#include "core/kernels/vnni/micro.h"

#include <immintrin.h>
#include <string.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define EACH _Pragma("GCC unroll 8") for (int j = 0; j < SRQ_VNNI_PANEL; j++)

enum { BYTES = 64 };

static inline int four(const int8_t *dy)
{
    int v;
    memcpy(&v, dy, sizeof v);
    return v;
}

VNNI static void wide(const srq_vnni_strip *s, const uint8_t *x, const int8_t *dy, size_t panel_step, int32_t *acc)
{
    __m512i a[SRQ_VNNI_PANEL], b[SRQ_VNNI_PANEL];
    (void)panel_step;
    EACH
    {
        a[j] = _mm512_load_si512(acc + 32 * j);
        b[j] = _mm512_load_si512(acc + 32 * j + 16);
    }
    for (int g = 0; g < s->groups; g++)
        for (int r = 0; r < s->rows; r++) {
            const uint8_t *from = x + (size_t)g * s->group_step + (size_t)r * s->row_step;
            for (int c = 0; c < s->width; c++) {
                const __m512i u = _mm512_load_si512(from), v = _mm512_load_si512(from + BYTES);
                EACH
                {
                    const __m512i d = _mm512_set1_epi32(four(dy + 4 * j));
                    a[j] = _mm512_dpbusd_epi32(a[j], u, d);
                    b[j] = _mm512_dpbusd_epi32(b[j], v, d);
                }
                from += s->pixel_step;
                dy += SRQ_VNNI_PANEL * SRQ_VNNI_IMAGES;
            }
        }
    EACH
    {
        _mm512_store_si512(acc + 32 * j, a[j]);
        _mm512_store_si512(acc + 32 * j + 16, b[j]);
    }
}

VNNI static void narrow(const srq_vnni_strip *s, const uint8_t *x, const int8_t *dy, size_t panel_step, int32_t *acc)
{
    __m512i a[SRQ_VNNI_PANEL], b[SRQ_VNNI_PANEL];
    EACH
    {
        a[j] = _mm512_load_si512(acc + 16 * j);
        b[j] = _mm512_load_si512(acc + 16 * (SRQ_VNNI_PANEL + j));
    }
    for (int g = 0; g < s->groups; g++)
        for (int r = 0; r < s->rows; r++) {
            const uint8_t *from = x + (size_t)g * s->group_step + (size_t)r * s->row_step;
            for (int c = 0; c < s->width; c++) {
                const __m512i u = _mm512_load_si512(from);
                EACH
                {
                    a[j] = _mm512_dpbusd_epi32(a[j], u, _mm512_set1_epi32(four(dy + 4 * j)));
                    b[j] = _mm512_dpbusd_epi32(b[j], u, _mm512_set1_epi32(four(dy + panel_step + 4 * j)));
                }
                from += s->pixel_step;
                dy += SRQ_VNNI_PANEL * SRQ_VNNI_IMAGES;
            }
        }
    EACH
    {
        _mm512_store_si512(acc + 16 * j, a[j]);
        _mm512_store_si512(acc + 16 * (SRQ_VNNI_PANEL + j), b[j]);
    }
}

VNNI static void single(const srq_vnni_strip *s, const uint8_t *x, const int8_t *dy, size_t panel_step, int32_t *acc)
{
    __m512i a[SRQ_VNNI_PANEL];
    (void)panel_step;
    EACH a[j] = _mm512_load_si512(acc + 16 * j);
    for (int g = 0; g < s->groups; g++)
        for (int r = 0; r < s->rows; r++) {
            const uint8_t *from = x + (size_t)g * s->group_step + (size_t)r * s->row_step;
            for (int c = 0; c < s->width; c++) {
                const __m512i u = _mm512_load_si512(from);
                EACH a[j] = _mm512_dpbusd_epi32(a[j], u, _mm512_set1_epi32(four(dy + 4 * j)));
                from += s->pixel_step;
                dy += SRQ_VNNI_PANEL * SRQ_VNNI_IMAGES;
            }
        }
    EACH _mm512_store_si512(acc + 16 * j, a[j]);
}

const srq_vnni_micros srq_vnni_avx512 = {wide, narrow, single};
#else
typedef int srq_vnni_avx512_is_not_built; /* ISO C wants a declaration */
#endif
