/* The sums in plain C. micro_avx512.c is tested against them. */
#include "core/kernels/vnni/micro.h"

static void add_pixel(const uint8_t *x, const int8_t *dy, int lanes, int32_t *acc)
{
    for (int o = 0; o < SRQ_VNNI_PANEL; o++)
        for (int i = 0; i < lanes; i++)
            for (int k = 0; k < SRQ_VNNI_IMAGES; k++)
                acc[o * lanes + i] += x[i * SRQ_VNNI_IMAGES + k] * dy[o * SRQ_VNNI_IMAGES + k];
}

static void add_strip(const srq_vnni_strip *s, const uint8_t *x, const int8_t *dy, size_t panel_step, int lanes,
                      int panels, int32_t *acc)
{
    for (int g = 0; g < s->groups; g++)
        for (int r = 0; r < s->rows; r++)
            for (int c = 0; c < s->width; c++, dy += SRQ_VNNI_PANEL * SRQ_VNNI_IMAGES)
                for (int p = 0; p < panels; p++)
                    add_pixel(x + (size_t)g * s->group_step + (size_t)r * s->row_step + (size_t)c * s->pixel_step,
                              dy + (size_t)p * panel_step, lanes, acc + p * SRQ_VNNI_PANEL * lanes);
}

static void wide(const srq_vnni_strip *strip, const uint8_t *x, const int8_t *dy, size_t panel_step, int32_t *acc)
{
    add_strip(strip, x, dy, panel_step, 2 * SRQ_VNNI_LANES, 1, acc);
}

static void narrow(const srq_vnni_strip *strip, const uint8_t *x, const int8_t *dy, size_t panel_step, int32_t *acc)
{
    add_strip(strip, x, dy, panel_step, SRQ_VNNI_LANES, 2, acc);
}

static void single(const srq_vnni_strip *strip, const uint8_t *x, const int8_t *dy, size_t panel_step, int32_t *acc)
{
    add_strip(strip, x, dy, panel_step, SRQ_VNNI_LANES, 1, acc);
}

const srq_vnni_micros srq_vnni_plain = {wide, narrow, single};
