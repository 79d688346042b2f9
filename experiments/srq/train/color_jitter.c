#include "experiments/srq/train/color_jitter.h"

#include <math.h>
#include <stdbool.h>

srq_jitter srq_jitter_draw(const double widths[SRQ_COLOR_CHANGES], const uint32_t bits[5])
{
    srq_jitter jitter = {.order = {SRQ_BRIGHTNESS, SRQ_CONTRAST, SRQ_SATURATION, SRQ_HUE}};
    for (int i = 0; i < SRQ_COLOR_CHANGES; i++) {
        const double least = i == SRQ_HUE ? -widths[i] : fmax(0, 1 - widths[i]);
        const double most = i == SRQ_HUE ? widths[i] : 1 + widths[i];
        jitter.amount[i] = (float)(least + (most - least) * ((double)bits[i] + 0.5) / 4294967296.0);
    }
    /* Fisher and Yates' shuffle, by the digits of a number of 0 to 23. */
    int number = (int)((uint64_t)bits[4] * 24 >> 32);
    for (int left = SRQ_COLOR_CHANGES; left > 1; number /= left, left--) {
        const int with = number % left;
        const srq_color_change kept = jitter.order[left - 1];
        jitter.order[left - 1] = jitter.order[with];
        jitter.order[with] = kept;
    }
    return jitter;
}

static uint8_t to_byte(float x)
{
    return (uint8_t)fminf(255, fmaxf(0, x));
}

/* factor * a + (1 - factor) * b */
static uint8_t blend(float a, float b, float factor)
{
    return to_byte(factor * a + (1 - factor) * b);
}

/* ITU-R BT.601's luma, as torchvision's rgb_to_grayscale. */
static float gray(const uint8_t *p)
{
    return (float)to_byte(0.2989f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2]);
}

static float mean_of(long count, int channels, const uint8_t *pixels)
{
    double sum = 0;
    if (channels == 3) {
        for (long i = 0; i < count; i++) sum += (double)gray(pixels + 3 * i);
        return (float)(sum / (double)count);
    }
    for (long i = 0; i < count * channels; i++) sum += pixels[i];
    return (float)(sum / (double)(count * channels));
}

/* From bytes to hue (in turns), saturation and value, all of 0 to 1. */
static void to_hsv(const uint8_t *p, float hsv[3])
{
    const float r = (float)p[0] / 255, g = (float)p[1] / 255, b = (float)p[2] / 255;
    const float most = fmaxf(r, fmaxf(g, b)), range = most - fminf(r, fminf(g, b));
    hsv[0] = hsv[1] = 0;
    hsv[2] = most;
    if (range <= 0) return;
    const float rc = (most - r) / range, gc = (most - g) / range, bc = (most - b) / range;
    const float sixth = most <= r ? bc - gc : most <= g ? 2 + rc - bc : 4 + gc - rc;
    hsv[0] = fmodf(sixth / 6 + 1, 1);
    hsv[1] = range / most;
}

static void from_hsv(const float hsv[3], uint8_t *p)
{
    const float v = hsv[2], whole = floorf(hsv[0] * 6), part = hsv[0] * 6 - whole;
    const float x = v * (1 - hsv[1]), q = v * (1 - hsv[1] * part), t = v * (1 - hsv[1] * (1 - part));
    const float table[6][3] = {{v, t, x}, {q, v, x}, {x, v, t}, {x, q, v}, {t, x, v}, {v, x, q}};
    const float *rgb = table[(int)whole % 6];
    for (int c = 0; c < 3; c++) p[c] = to_byte(rgb[c] * 255.999f);
}

static void shift_hue(float shift, long count, uint8_t *pixels)
{
    for (long i = 0; i < count; i++) {
        float hsv[3];
        to_hsv(pixels + 3 * i, hsv);
        hsv[0] = hsv[0] + shift - floorf(hsv[0] + shift);
        from_hsv(hsv, pixels + 3 * i);
    }
}

void srq_jitter_change(srq_color_change change, float amount, long count, int channels, uint8_t *pixels)
{
    if (change >= SRQ_SATURATION && channels != 3) return;
    if (change == SRQ_HUE) {
        shift_hue(amount, count, pixels);
        return;
    }
    const float mean = change == SRQ_CONTRAST ? mean_of(count, channels, pixels) : 0;
    for (long i = 0; i < count; i++, pixels += channels) {
        const float other = change == SRQ_SATURATION ? gray(pixels) : mean;
        for (int c = 0; c < channels; c++) pixels[c] = blend((float)pixels[c], other, amount);
    }
}
