/* Random changes of brightness, contrast, saturation and hue, with the formulas of torchvision's ColorJitter for uint8
 * tensors: after each change, pixels are clamped to 0..255 and truncated to integers. */
#ifndef SRQ_EXPERIMENTS_TRAIN_COLOR_JITTER_H
#define SRQ_EXPERIMENTS_TRAIN_COLOR_JITTER_H

#include <stdint.h>

typedef enum srq_color_change {
    SRQ_BRIGHTNESS,
    SRQ_CONTRAST,
    SRQ_SATURATION,
    SRQ_HUE,
    SRQ_COLOR_CHANGES
} srq_color_change;

/* The changes of one image: their order, and a factor for each (of SRQ_HUE: the shift, in turns). */
typedef struct srq_jitter {
    srq_color_change order[SRQ_COLOR_CHANGES];
    float amount[SRQ_COLOR_CHANGES];
} srq_jitter;

/* Draws from the random numbers bits[5]: brightness, contrast and saturation evenly from [max(0, 1 - w), 1 + w], hue
 * from [-w, w], where w is the width of the change, and one of the 24 orders. */
srq_jitter srq_jitter_draw(const double widths[SRQ_COLOR_CHANGES], const uint32_t bits[5]);

/* One change of pixels[count][channels]. Saturation and hue change only images of 3 channels (RGB). */
void srq_jitter_change(srq_color_change change, float amount, long count, int channels, uint8_t *pixels);

#endif
