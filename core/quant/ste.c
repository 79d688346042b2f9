#include "core/quant/quantizer.h"

/* Straight-through rounding: gradient 1 inside the range and 0 outside, alpha learned (method.md, section 7). */
static void backward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                     size_t n, size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *gradient,
                     double *masks)
{
    (void)quantizer, (void)row, (void)features, (void)masks;
    vector->ste_backward(n, x, dy, grid, dx, gradient);
}

extern const srq_quantizer_method srq_quantizer_ste;
const srq_quantizer_method srq_quantizer_ste = {
    .name = "ste", .summary = "straight-through rounding with a learned step size", .backward = backward};
