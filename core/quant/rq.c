#include "core/quant/quantizer.h"

/* Relaxed Quantization, arXiv 1810.01875, and its straight-through variant (method.md, section 7): training uses a soft
 * or hard sample from the probabilities of the codes on the local grid; evaluation uses the nearest code. */
static srq_relaxation relaxation_of(const srq_quantizer *quantizer, size_t row)
{
    /* In the stream of random numbers, the row of weights replaces the shard of activations: weights have no shards. */
    enum { ROWS = SRQ_SHARDS_MAX };
    return (srq_relaxation){.temperature = quantizer->spec.temperature,
                            .reach = quantizer->spec.reach,
                            .seed = quantizer->seed + (uint64_t)(row / ROWS) * 0x9E3779B97F4A7C15u,
                            .step = (uint32_t)quantizer->step,
                            .stream = quantizer->stream + row % ROWS};
}

static bool forward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                    size_t n, const float *x, void *out)
{
    const srq_relaxation relaxation = relaxation_of(quantizer, row);
    return vector->rq_forward(n, x, grid, &relaxation, out);
}

static void backward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                     size_t n, size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *gradient,
                     double *masks)
{
    (void)features, (void)masks;
    const srq_relaxation relaxation = relaxation_of(quantizer, row);
    vector->rq_backward(n, x, dy, grid, &relaxation, dx, gradient);
}

static bool st_forward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                       size_t n, const float *x, void *out)
{
    const srq_relaxation relaxation = relaxation_of(quantizer, row);
    return vector->rq_st_forward(n, x, grid, &relaxation, out);
}

static void st_backward(const srq_quantizer *quantizer, const srq_vector *vector, const srq_grid *grid, size_t row,
                        size_t n, size_t features, const float *x, const float *dy, float *dx,
                        srq_grid_gradient *gradient, double *masks)
{
    (void)features, (void)masks;
    const srq_relaxation relaxation = relaxation_of(quantizer, row);
    vector->rq_st_backward(n, x, dy, grid, &relaxation, dx, gradient);
}

extern const srq_quantizer_method srq_quantizer_rq, srq_quantizer_rq_st;
static const char *const settings[] = {"quantizer.temperature", "quantizer.local_grid", NULL};
const srq_quantizer_method srq_quantizer_rq = {.name = "rq",
                                               .summary = "relaxed quantization (arXiv 1810.01875)",
                                               .settings = settings,
                                               .has_sigma = true,
                                               .floats = true,
                                               .by_place = true,
                                               .forward = forward,
                                               .backward = backward};
const srq_quantizer_method srq_quantizer_rq_st = {.name = "rq_st",
                                                  .summary = "relaxed quantization, straight-through",
                                                  .settings = settings,
                                                  .has_sigma = true,
                                                  .by_place = true,
                                                  .forward = st_forward,
                                                  .backward = st_backward};
