/* What a network sees of an image of a data set: decoding, augmentation, cropping, normalisation.
 *
 * A view is a function of the image and, in training, of (seed, epoch, image): the same on any rank, in any order,
 * after any restart. It changes nothing of its own, so that threads share it, each with a bench. */
#ifndef SRQ_EXPERIMENTS_TRAIN_IMAGE_VIEW_H
#define SRQ_EXPERIMENTS_TRAIN_IMAGE_VIEW_H

#include "io/config.h"
#include "io/dataset.h"
#include "io/image.h"

typedef struct srq_view {
    const srq_dataset *dataset;
    uint64_t seed;
    int height, width, channels; /* of the network's input */
    bool resized, flip;
    int pad, side; /* side: the short one that encoded images are brought to */
    double scale[2], ratio[2];
    float *multiply, *add; /* [width * channels]: a row of bytes to floats */
} srq_view;

/* What making a view needs, made once: nothing is allocated for an image but what libjpeg and libpng need. */
typedef struct srq_view_bench {
    srq_image decoded;
    uint8_t *file, *base, *window; /* the encoded bytes; the image resized; what the network sees of it, as bytes */
    float *resize;
} srq_view_bench;

/* For the settings' data group, model and seed. The caller destroys it. */
srq_status srq_view_create(const srq_dataset *dataset, const srq_settings *settings, srq_view *view);
void srq_view_destroy(srq_view *view);
srq_status srq_view_bench_create(const srq_view *view, srq_view_bench *bench);
void srq_view_bench_destroy(srq_view_bench *bench);

enum { SRQ_VIEW_TEST = -1 };

/* Image `index` of a split as training sees it in `epoch`, or as a test does (SRQ_VIEW_TEST), to
 * to[height][width][channels]. SRQ_ERROR_DATA names the image if its bytes are damaged. */
srq_status srq_view_make(const srq_view *view, srq_view_bench *bench, srq_split_name split, size_t index, long epoch,
                         float *to);

/* The part of a height x width image that a random resized crop takes in an epoch: torchvision's RandomResizedCrop. */
srq_box srq_view_random_box(const srq_view *view, int height, int width, size_t index, long epoch);

#endif
