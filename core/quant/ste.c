#include "core/quant/quantizer.h"

/* Straight-through rounding: gradient 1 inside the range and 0 outside, alpha learned (method.md, section 7). */
static void backward(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, size_t features,
                     const float *x, const float *dy, float *dx, srq_grid_gradient *gradient)
{
    (void)features;
    vector->ste_backward(n, x, dy, &quantizer->grid, dx, gradient);
}

extern const srq_quantizer_method srq_quantizer_ste;
const srq_quantizer_method srq_quantizer_ste = {.name = "ste", .has_sigma = false, .backward = backward};
