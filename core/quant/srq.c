#include "core/quant/quantizer.h"

/* Semi-Relaxed Quantization, arXiv 1911.12990, both estimators of method.md, section 3. */
static void backward(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, size_t features,
                     const float *x, const float *dy, float *dx, srq_grid_gradient *gradient)
{
    (void)features;
    if (quantizer->spec.estimator == SRQ_ESTIMATOR_ARGMAX)
        vector->srq_argmax_backward(n, x, dy, &quantizer->grid, dx, gradient);
    else
        vector->srq_full_backward(n, x, dy, &quantizer->grid, dx, gradient);
}

extern const srq_quantizer_method srq_quantizer_srq;
const srq_quantizer_method srq_quantizer_srq = {.name = "srq", .has_sigma = true, .backward = backward};
