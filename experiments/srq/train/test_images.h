/* The test images of a data set as a deployed network reads them (core/deploy.h): pixels, prepared as in evaluation. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TEST_IMAGES_H
#define SRQ_EXPERIMENTS_TRAIN_TEST_IMAGES_H

#include "core/deploy.h"
#include "experiments/srq/train/image_view.h"

typedef struct srq_test_images {
    srq_dataset *dataset;
    long count;
    const int32_t *labels; /* [count] */
    /* Private: */
    srq_settings settings;
    srq_view view;
    srq_view_bench bench;
    float *floats; /* an image */
} srq_test_images;

/* Opens the test split of the data set `file`. SRQ_ERROR_DATA if its images or classes do not fit the network. The
 * caller closes *images, also after a failure; do not move it in memory before. */
srq_status srq_test_images_open(const char *file, const srq_deploy *net, srq_test_images *images);
void srq_test_images_close(srq_test_images *images);
/* Writes image `index` to pixels[height][width][channels]. SRQ_ERROR_DATA. */
srq_status srq_test_images_read(srq_test_images *images, long index, uint8_t *pixels);

#endif
