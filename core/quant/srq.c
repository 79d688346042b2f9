#include "core/quant/quantizer.h"

/* Semi-Relaxed Quantization, arXiv 1911.12990, both estimators of method.md, section 3, and under the gates of
 * section 4. Gates that are 0 or 1 leave an ordinary grid. */
static bool forward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                    size_t n, const float *x, void *out)
{
    (void)row;
    const srq_levels *levels = &quantizer->gates.levels;
    if (quantizer->gates.count && levels->count) return vector->dropbits->quantize(n, x, grid, levels, out);
    return vector->quantize(n, x, grid, out);
}

static void backward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                     size_t n, size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *gradient,
                     double *masks)
{
    (void)row, (void)features;
    const bool argmax = quantizer->spec.estimator == SRQ_ESTIMATOR_ARGMAX;
    const srq_levels *levels = &quantizer->gates.levels;
    if (quantizer->gates.count && levels->count) {
        double here[SRQ_LEVELS_MAX];
        vector->dropbits->backward(n, x, dy, grid, levels, argmax, dx, gradient, here);
        for (int i = 0; i < levels->count; i++) masks[i] += here[i];
    } else if (argmax) {
        vector->srq_argmax_backward(n, x, dy, grid, dx, gradient);
    } else {
        vector->srq_full_backward(n, x, dy, grid, dx, gradient);
    }
}

extern const srq_quantizer_method srq_quantizer_srq;
const srq_quantizer_method srq_quantizer_srq = {
    .name = "srq", .has_sigma = true, .has_gates = true, .forward = forward, .backward = backward};
