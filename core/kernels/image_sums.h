/* Exact sums of products of images and weight codes, for evaluation.
 *
 * A convolution of normalized pixels, which are float32, gives other rounding errors in every order of its additions.
 * So that evaluation has the bits of the deployed network (core/deploy.h) on every machine, it makes integers X =
 * rint(x 2^fraction) of the pixels, as that does. The integers and the codes are multiplied as float64, which is exact
 * in any order as long as sums stay below 2^53; longer sums are added in parts. */
#ifndef SRQ_CORE_KERNELS_IMAGE_SUMS_H
#define SRQ_CORE_KERNELS_IMAGE_SUMS_H

#include "core/kernels/kernels.h"

#include <stdint.h>

/* The number of float64 of the reordered weights, and the bytes of scratch memory for a call of srq_image_sums_run. */
size_t srq_image_sums_weights(const srq_conv_shape *shape);
size_t srq_image_sums_scratch(const srq_conv_shape *shape);
/* Reorders codes [out][in / groups][kernel 0][kernel 1] for the function below. */
void srq_image_sums_pack(const srq_conv_shape *shape, const int8_t *codes, double *weights);
/* y[n][out_height][out_width][out], float32: the sums over X times codes, each rounded to float32 once, times
 * 2^-fraction. x[n][height][width][in] is below 2^30 in magnitude after the multiplication by 2^fraction. */
void srq_image_sums_run(const srq_conv_shape *shape, const double *weights, int fraction, int n, const float *x,
                        float *y, void *scratch);

#endif
