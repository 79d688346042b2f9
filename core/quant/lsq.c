#include "core/quant/quantizer.h"

#include <math.h>

/* Learned step size quantization, arXiv 1902.08153: straight-through rounding whose gradient of alpha is scaled by
 * 1 / sqrt(N M), N the features of the tensor and M its largest code (section 2.2 there). */
static void backward(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, size_t features,
                     const float *x, const float *dy, float *dx, srq_grid_gradient *gradient)
{
    vector->ste_backward(n, x, dy, &quantizer->grid, dx, gradient);
    int largest = quantizer->grid.max > 0 ? quantizer->grid.max : 1; /* 1 bit, signed: codes -1 and 0 */
    gradient->alpha /= sqrt((double)features * largest);
}

extern const srq_quantizer_method srq_quantizer_lsq;
const srq_quantizer_method srq_quantizer_lsq = {.name = "lsq", .has_sigma = false, .backward = backward};
