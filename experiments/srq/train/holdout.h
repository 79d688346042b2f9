/* The validation images: a part of the training images that is not trained on (docs/validation.md). */
#ifndef SRQ_EXPERIMENTS_TRAIN_HOLDOUT_H
#define SRQ_EXPERIMENTS_TRAIN_HOLDOUT_H

#include "io/dataset.h"

typedef struct srq_holdout {
    size_t count;               /* validation images */
    size_t train_count;         /* the other training images */
    size_t *validation, *train; /* their places in the training split, ascending; NULL without validation images */
} srq_holdout;

/* Selects the validation images of the training split, which must be loaded. `wanted` is data.validation: 0, a share
 * below 1, or a number of images. Every class gives its share of them, rounded so that the sum is right (largest
 * remainders; of equal ones, the class with the lower number). Of a class, the images with the smallest random numbers
 * are taken. The number of an image depends only on the seed and on its place in the data set. SRQ_ERROR_USAGE if no
 * image would be left for training or for validation. The caller frees *holdout. */
srq_status srq_holdout_create(const srq_dataset *dataset, double wanted, uint64_t seed, srq_holdout *holdout);
void srq_holdout_free(srq_holdout *holdout);

#endif
