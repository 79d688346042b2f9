#include "core/ops/gradient8.h"

#include <math.h>

enum { LINE = 16, RANGES = 4 };

static size_t line_of(size_t channels)
{
    return (channels + LINE - 1) / LINE * LINE;
}

srq_status srq_gradient8_reserve(srq_network *network, int index, size_t channels, size_t *place)
{
    return srq_network_reserve(network, index, (LINE + RANGES * line_of(channels)) * sizeof(float), place);
}

srq_gradient8 srq_gradient8_at(const srq_pass *pass, size_t place, size_t channels)
{
    float *scale = srq_pass_floats(pass, place), *ranges = scale + LINE;
    const size_t line = line_of(channels);
    return (srq_gradient8){.scale = scale,
                           .low_g = ranges,
                           .high_g = ranges + line,
                           .low_x = ranges + 2 * line,
                           .high_x = ranges + 3 * line};
}

void srq_gradient8_clear(const srq_gradient8 *g, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        g->low_g[c] = g->low_x[c] = INFINITY;
        g->high_g[c] = g->high_x[c] = -INFINITY;
    }
}

/* The largest and smallest value of factor * x for x from low to high; 0 for an empty range, which had no element. */
static void add_product(float factor, float low, float high, double *least, double *most)
{
    if (low > high) return;
    const double a = (double)factor * (double)low, b = (double)factor * (double)high;
    *least += a < b ? a : b;
    *most += a < b ? b : a;
}

/* NaN is larger than any number. */
static double larger(double a, double b)
{
    return a >= b || isnan(a) ? a : b;
}

void srq_gradient8_set_scale(const srq_gradient8 *g, size_t channels, float *by_g, float *by_x, float *constant)
{
    /* Below the smallest one, the factors of the lines would overflow. Such gradients become 0. */
    const double smallest = 1e-30;
    double bound = 0;
    for (size_t c = 0; c < channels; c++) {
        double least = (double)constant[c], most = least;
        add_product(by_g[c], g->low_g[c], g->high_g[c], &least, &most);
        add_product(by_x[c], g->low_x[c], g->high_x[c], &least, &most);
        bound = larger(bound, larger(fabs(least), fabs(most)));
    }
    const double step = bound >= smallest || isnan(bound) ? bound / SRQ_GRADIENT_MOST : 1;
    const float factor = (float)((1 << SRQ_ROUNDING_BITS) / step);
    *g->scale = isfinite(step) ? (float)step : NAN;
    for (size_t c = 0; c < channels; c++) {
        by_g[c] *= factor;
        by_x[c] *= factor;
        constant[c] *= factor;
    }
}

void srq_gradient8_round(const srq_gradient8 *g, const srq_pass *pass, int index, size_t n, const float *values,
                         size_t element, int8_t *to)
{
    const srq_rounding rounding = {.seed = pass->seed,
                                   .step = (uint32_t)pass->step,
                                   .stream = (uint64_t)index * SRQ_SHARDS_MAX + (uint64_t)pass->leaf};
    if (!pass->vector->round_s8(n, values, &rounding, element, to)) *g->scale = NAN;
}
