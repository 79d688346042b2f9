#include "core/quant/quantizer.h"

#include <math.h>

/* Learned step size quantization, arXiv 1902.08153: straight-through rounding, with the gradient of alpha multiplied by
 * 1 / sqrt(N M). N is the number of features of the tensor, or of the row if each channel has a step size. M is the
 * largest code (section 2.2 there). */
static void backward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                     size_t n, size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *gradient,
                     double *masks)
{
    (void)row, (void)masks;
    vector->ste_backward(n, x, dy, grid, dx, gradient);
    const int largest = grid->max > 0 ? grid->max : 1; /* 1 bit, signed: codes -1 and 0 */
    gradient->alpha /= sqrt((double)features / quantizer->channels * largest);
}

extern const srq_quantizer_method srq_quantizer_lsq;
const srq_quantizer_method srq_quantizer_lsq = {
    .name = "lsq", .summary = "learned step size quantization (arXiv 1902.08153)", .backward = backward};
