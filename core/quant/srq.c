#include "core/kernels/curves.h"
#include "core/kernels/gates.h"
#include "core/quant/quantizer.h"

/* Semi-Relaxed Quantization, arXiv 1911.12990, with both estimators of method.md, section 3, and with the gates of
 * section 4. If all gates are 0 or 1, the grid is an ordinary one. */
static bool forward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                    size_t n, const float *x, void *out)
{
    (void)row;
    const srq_levels *levels = &quantizer->gates.levels;
    if (quantizer->gates.count && levels->count) return vector->dropbits->quantize(n, x, grid, levels, out);
    return vector->quantize(n, x, grid, out);
}

/* Fractional gates have separate kernels. Every rank fits their curves. On AVX2, this takes as long as the backward
 * pass without curves for 40 to 75 elements per code. On AVX-512, that backward pass is 2.5 times as fast. */
static void begin(srq_quantizer *quantizer)
{
    if (quantizer->spec.estimator == SRQ_ESTIMATOR_ARGMAX) return;
    const srq_grid grid = srq_quantizer_grid(quantizer, 0);
    const srq_levels *levels = &quantizer->gates.levels;
    if (!quantizer->gates.count || !levels->count)
        srq_curves_fit(&grid, &quantizer->curves);
    else if (quantizer->gate_curves.rows && quantizer->elements >= 200 * (size_t)(grid.max - grid.min + 1))
        srq_gate_curves_fit(&grid, levels, &quantizer->gate_curves);
}

static void backward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                     size_t n, size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *gradient,
                     double *masks)
{
    (void)features;
    const bool argmax = quantizer->spec.estimator == SRQ_ESTIMATOR_ARGMAX;
    const srq_levels *levels = &quantizer->gates.levels;
    if (quantizer->gates.count && levels->count) {
        double here[SRQ_LEVELS_MAX];
        if (row == 0 && quantizer->gate_curves.fitted)
            vector->dropbits->curves_backward(n, x, dy, &quantizer->gate_curves, dx, gradient, here);
        else
            vector->dropbits->backward(n, x, dy, grid, levels, argmax, dx, gradient, here);
        for (int i = 0; i < levels->count; i++) masks[i] += here[i];
    } else if (row == 0 && quantizer->curves.fitted) {
        vector->srq_curves_backward(n, x, dy, &quantizer->curves, dx, gradient);
    } else if (argmax) {
        vector->srq_argmax_backward(n, x, dy, grid, dx, gradient);
    } else {
        vector->srq_full_backward(n, x, dy, grid, dx, gradient);
    }
}

extern const srq_quantizer_method srq_quantizer_srq;
static const char *const settings[] = {"quantizer.estimator", "quantizer.activation_estimator", NULL};
const srq_quantizer_method srq_quantizer_srq = {.name = "srq",
                                                .summary = "semi-relaxed quantization (arXiv 1911.12990)",
                                                .settings = settings,
                                                .has_sigma = true,
                                                .has_gates = true,
                                                .begin = begin,
                                                .forward = forward,
                                                .backward = backward};
