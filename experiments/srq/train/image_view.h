/* From an image of a data set to the input of a network: decoding, augmentation, cropping, normalization.
 *
 * A view is a function of the image and, in training, of (seed, epoch, image). So it is the same on any rank, in any
 * order and after any restart. An srq_view is constant after it is built, so several threads can use it. Each needs an
 * srq_bench of its own. */
#ifndef SRQ_EXPERIMENTS_TRAIN_IMAGE_VIEW_H
#define SRQ_EXPERIMENTS_TRAIN_IMAGE_VIEW_H

#include "experiments/srq/train/color_jitter.h"
#include "io/config.h"
#include "io/dataset.h"
#include "io/image.h"

typedef struct srq_view {
    const srq_dataset *dataset;
    uint64_t seed;
    int height, width, channels; /* shape of the network's input */
    bool normalized;             /* data.normalize is "dataset" */
    bool resized, flip;
    int pad, side; /* side: the length to which the short side of encoded images is resized */
    int cutout;    /* side of the square that is cut out; 0: none */
    double jitter[SRQ_COLOR_CHANGES];
    double scale[2], ratio[2];
    float *multiply, *add; /* [width * channels]: factors from bytes to floats, for one row */
} srq_view;

/* Work space for making views. It is allocated once: for an image, only libjpeg and libpng allocate memory. */
typedef struct srq_view_bench {
    srq_image decoded;
    uint8_t *file, *base, *window; /* the encoded bytes; the resized image; the view as bytes */
    float *resize;
    size_t base_room, resize_room; /* bytes and floats of the last two, once an image from outside has come */
} srq_view_bench;

/* For the settings' data group, model and seed. SRQ_ERROR_USAGE if a change of colour cannot act on these images. The
 * caller destroys it. */
srq_status srq_view_create(const srq_dataset *dataset, const srq_settings *settings, srq_view *view);
void srq_view_destroy(srq_view *view);
/* For a trained network: images are normalized by these, both [channels], in place of the statistics of the data set.
 * Without effect if data.normalize is "none", or if they are NULL. Call it before the first image. */
void srq_view_set_statistics(srq_view *view, const float *mean, const float *std);
srq_status srq_view_bench_create(const srq_view *view, srq_view_bench *bench);
void srq_view_bench_destroy(srq_view_bench *bench);

/* The number of fraction bits of the pixels of this view (srq_graph_set_fraction). */
int srq_view_fraction(const srq_view *view);

enum { SRQ_VIEW_TEST = -1 };

/* Writes the view of image `index` of a split to to[height][width][channels]: as training sees it in `epoch`, or as
 * evaluation sees it (SRQ_VIEW_TEST). SRQ_ERROR_DATA names the image if its bytes are damaged. */
srq_status srq_view_make(const srq_view *view, srq_view_bench *bench, srq_split_name split, size_t index, long epoch,
                         float *to);

/* Writes the view of an image that is in no data set: a JPEG or PNG of any size, as evaluation would see it in the data
 * set. The short side is resized to data.resize (a data set of encoded images) or to the network's input (a data set of
 * images of one size), and the middle is cut out; an image of that size stays as it is. For a network with one channel,
 * colours become grey before that: 0.299 R + 0.587 G + 0.114 B, as Pillow's convert("L"). The bench grows with the
 * image. SRQ_ERROR_DATA if it cannot be decoded, or is too large after resizing; the caller adds its name. */
srq_status srq_view_make_encoded(const srq_view *view, srq_view_bench *bench, const uint8_t *bytes, size_t size,
                                 float *to);

/* The part of a height x width image that a random resized crop selects in an epoch, as in torchvision's
 * RandomResizedCrop. */
srq_box srq_view_random_box(const srq_view *view, int height, int width, size_t index, long epoch);

#endif
