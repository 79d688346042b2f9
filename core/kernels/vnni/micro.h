/* The innermost loops of by_weights.c: sums over the pixels of a strip for one position of the kernel. */
#ifndef SRQ_CORE_KERNELS_VNNI_MICRO_H
#define SRQ_CORE_KERNELS_VNNI_MICRO_H

#include <stddef.h>
#include <stdint.h>

enum {
    SRQ_VNNI_IMAGES = 4, /* images that share a lane */
    SRQ_VNNI_LANES = 16, /* input channels in a register */
    SRQ_VNNI_PANEL = 8,  /* output channels in a panel */
    SRQ_VNNI_PAIR = 2    /* the largest number of registers of a block, and of panels of a call */
};

/* The pixels of a strip: `groups` of images, of each `rows` rows of `width` output pixels. The steps of x are bytes.
 * Pixels of dy follow one another. */
typedef struct srq_vnni_strip {
    int groups, rows, width;
    size_t group_step, row_step, pixel_step;
} srq_vnni_strip;

/* Adds to acc[panel][SRQ_VNNI_PANEL][registers x SRQ_VNNI_LANES] the products of x, [registers][SRQ_VNNI_LANES][images]
 * at every pixel, and dy, [SRQ_VNNI_PANEL][images]. The panels of dy are `panel_step` bytes apart. */
typedef void srq_vnni_micro(const srq_vnni_strip *strip, const uint8_t *x, const int8_t *dy, size_t panel_step,
                            int32_t *acc);

/* By number of registers and panels: two registers with one panel, one with two, one with one. */
typedef struct srq_vnni_micros {
    srq_vnni_micro *wide, *narrow, *single;
} srq_vnni_micros;

extern const srq_vnni_micros srq_vnni_plain;
#ifdef SRQ_HAVE_X86
extern const srq_vnni_micros srq_vnni_avx512;
#endif

#endif
