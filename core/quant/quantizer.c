#include "core/quant/quantizer.h"

#include <math.h>
#include <string.h>

extern const srq_quantizer_method srq_quantizer_ste, srq_quantizer_lsq, srq_quantizer_srq;

const srq_quantizer_method *srq_quantizer_find(const char *name)
{
    static const srq_quantizer_method *const methods[] = {&srq_quantizer_ste, &srq_quantizer_lsq, &srq_quantizer_srq};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(methods[i]->name, name) == 0) return methods[i];
    return NULL;
}

srq_status srq_quantizer_init(const srq_quantizer_spec *spec, bool is_signed, srq_quantizer *quantizer)
{
    *quantizer = (srq_quantizer){.spec = *spec, .grid = {.alpha = 1, .sigma = 1}};
    if (strcmp(spec->method, "float32") == 0) return SRQ_OK;
    quantizer->method = srq_quantizer_find(spec->method);
    if (!quantizer->method)
        return srq_fail(SRQ_ERROR_USAGE, "no quantizer is called \"%s\"; use float32, ste, lsq or srq", spec->method);
    if (spec->bits < 1 || spec->bits > 8)
        return srq_fail(SRQ_ERROR_USAGE, "a bit-length of %d: it must be 1 to 8", spec->bits);
    quantizer->grid.min = is_signed ? -(1 << (spec->bits - 1)) : 0;
    quantizer->grid.max = is_signed ? (1 << (spec->bits - 1)) - 1 : (1 << spec->bits) - 1;
    return SRQ_OK;
}

bool srq_quantizer_forward(const srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x,
                           void *codes)
{
    return vector->quantize(n, x, &quantizer->grid, codes);
}

void srq_quantizer_start(srq_quantizer *quantizer, const srq_vector *vector, size_t n, const float *x)
{
    enum { CANDIDATES = 64 };
    float largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(x[i]));
    float best_alpha = 1e-3f;
    if (largest > 0 && isfinite(largest)) {
        srq_grid grid = quantizer->grid;
        int reach = grid.max > -grid.min ? grid.max : -grid.min;
        double best_error = INFINITY;
        /* From the step that just covers the largest value down to a fiftieth of it, evenly in the logarithm. */
        for (int i = 0; i < CANDIDATES; i++) {
            grid.alpha = largest / (float)reach * (float)pow(50, -(double)i / (CANDIDATES - 1));
            double error = vector->quantize_error(n, x, &grid);
            if (error < best_error) {
                best_error = error;
                best_alpha = grid.alpha;
            }
        }
    }
    quantizer->grid.alpha = best_alpha;
    quantizer->grid.sigma = quantizer->spec.sigma_ratio * best_alpha;
}
