#include "core/quant/quantizer.h"

#include <math.h>
#include <string.h>

bool srq_quantizer_lists(const srq_quantizer_method *method, const char *setting)
{
    for (int i = 0; method->settings && method->settings[i]; i++)
        if (strcmp(method->settings[i], setting) == 0) return true;
    return false;
}

/* --- Grids */

static int smallest_code(bool is_signed, int bits)
{
    return is_signed ? -(1 << (bits - 1)) : 0;
}

static int largest_code(bool is_signed, int bits)
{
    return is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
}

int srq_bits_longest(const srq_bits_schedule *schedule)
{
    int longest = 0;
    for (int i = 0; i < schedule->count; i++)
        if (schedule->bits[i] > longest) longest = schedule->bits[i];
    return longest;
}

int srq_bits_shortest(const srq_bits_schedule *schedule)
{
    int shortest = schedule->bits[0];
    for (int i = 1; i < schedule->count; i++)
        if (schedule->bits[i] < shortest) shortest = schedule->bits[i];
    return shortest;
}

void srq_quantizer_set_bits(srq_quantizer *q, int trained_bits, int bits)
{
    q->trained_bits = trained_bits;
    q->bits = bits;
    q->grid.min = smallest_code(q->is_signed, bits);
    q->grid.max = largest_code(q->is_signed, bits);
    q->gates.count = 0;
    if (q->spec.dropbits != SRQ_DROPBITS_OFF && trained_bits > q->spec.min_bits)
        q->gates.count = trained_bits - q->spec.min_bits;
}

/* --- Forward and backward, row by row */

srq_grid srq_quantizer_grid(const srq_quantizer *q, size_t row)
{
    srq_grid grid = q->grid;
    if (q->alpha) grid.alpha = q->alpha[row];
    if (q->sigma) grid.sigma = q->sigma[row];
    int bits = q->bits;
    if (q->training) bits = q->gates.count ? q->gates.levels.min_bits + q->gates.levels.count : q->trained_bits;
    grid.min = smallest_code(q->is_signed, bits);
    grid.max = largest_code(q->is_signed, bits);
    return grid;
}

void srq_quantizer_begin(srq_quantizer *q)
{
    q->curves.fitted = q->gate_curves.fitted = false;
    if (q->method->begin && q->channels == 1) q->method->begin(q);
}

void srq_quantizer_points(const srq_quantizer *q, srq_points *points)
{
    srq_points_make(q->grid.min, q->grid.max, q->method->point, points);
}

static bool nearest_codes(const srq_quantizer *q, const srq_vector *vector, const srq_grid *grid, size_t n,
                          const float *x, uint8_t *codes)
{
    srq_points points;
    if (!q->method->point) return vector->quantize(n, x, grid, codes);
    srq_points_make(grid->min, grid->max, q->method->point, &points);
    for (size_t i = 0; i < n; i++) codes[i] = (uint8_t)srq_points_nearest(&points, x[i] / grid->alpha);
    return vector->finite(n, x);
}

static bool nearest_values(const srq_quantizer *q, const srq_vector *vector, const srq_grid *grid, size_t n,
                           const float *x, float *values)
{
    srq_points points;
    const float min = (float)grid->min, max = (float)grid->max;
    if (!q->method->point) {
        for (size_t i = 0; i < n; i++) values[i] = grid->alpha * fmaxf(min, fminf(max, rintf(x[i] / grid->alpha)));
        return vector->finite(n, x);
    }
    srq_points_make(grid->min, grid->max, q->method->point, &points);
    for (size_t i = 0; i < n; i++)
        values[i] = grid->alpha * srq_points_at(&points, srq_points_nearest(&points, x[i] / grid->alpha));
    return vector->finite(n, x);
}

bool srq_quantizer_forward(const srq_quantizer *q, const srq_vector *vector, size_t n, const float *x, void *out)
{
    const size_t rows = (size_t)q->channels, length = n / rows;
    const bool own = q->training && q->method->forward, floats = q->training && q->method->floats;
    bool finite = true;
    for (size_t row = 0; row < rows; row++) {
        const srq_grid grid = srq_quantizer_grid(q, row);
        const float *from = x + row * length;
        void *to = (char *)out + row * length * (floats ? sizeof(float) : 1);
        if (own)
            finite = q->method->forward(q, vector, &grid, row, length, from, to) && finite;
        else if (floats)
            finite = nearest_values(q, vector, &grid, length, from, to) && finite;
        else
            finite = nearest_codes(q, vector, &grid, length, from, to) && finite;
    }
    return finite;
}

bool srq_quantizer_values(const srq_quantizer *q, const srq_vector *vector, size_t n, const float *x, float *values)
{
    const size_t rows = (size_t)q->channels, length = n / rows;
    bool finite = true;
    for (size_t row = 0; row < rows; row++) {
        const srq_grid grid = srq_quantizer_grid(q, row);
        finite = nearest_values(q, vector, &grid, length, x + row * length, values + row * length) && finite;
    }
    return finite;
}

void srq_quantizer_backward_part(const srq_quantizer *q, const srq_vector *vector, size_t row, size_t n,
                                 size_t features, const float *x, const float *dy, float *dx, srq_grid_gradient *sums,
                                 double *masks)
{
    const srq_grid grid = srq_quantizer_grid(q, row);
    srq_grid_gradient part;
    q->method->backward(q, vector, &grid, row, n, features, x, dy, dx, &part, masks);
    sums->alpha += part.alpha;
    sums->sigma += part.sigma;
}

void srq_quantizer_gate_gradients(const srq_quantizer *q, const double *masks, float *gates)
{
    double z[SRQ_LEVELS_MAX] = {0};
    srq_gates_backward(&q->gates, masks, z);
    const int levels = srq_bits_longest(&q->spec.bits) - q->spec.min_bits;
    for (int i = 0; i < levels; i++) gates[i] = i < q->gates.count ? (float)(z[i] * q->gates.slope[i]) : 0;
}

void srq_quantizer_backward(const srq_quantizer *q, const srq_vector *vector, size_t n, size_t features, const float *x,
                            const float *dy, float *dx, float *alpha, float *sigma, float *gates)
{
    const size_t rows = (size_t)q->channels, length = n / rows;
    double masks[SRQ_LEVELS_MAX] = {0};
    for (size_t row = 0; row < rows; row++) {
        const size_t at = row * length;
        srq_grid_gradient sums = {0};
        srq_quantizer_backward_part(q, vector, row, length, features, x + at, dy + at, dx + at, &sums, masks);
        alpha[row] = (float)sums.alpha;
        if (sigma) sigma[row] = (float)sums.sigma;
    }
    if (gates) srq_quantizer_gate_gradients(q, masks, gates);
}

/* --- Step sizes from data */

/* The sum of (x - value)^2 with values on the grid of `points`. */
static double points_error(size_t n, const float *x, float alpha, const srq_points *points)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float point = srq_points_at(points, srq_points_nearest(points, x[i] / alpha));
        const double difference = (double)x[i] - (double)alpha * (double)point;
        sum += difference * difference;
    }
    return sum;
}

static float best_step(const srq_vector *vector, const srq_points *points, size_t n, const float *x)
{
    enum { CANDIDATES = 64 };
    float largest = 0, best = 1e-3f;
    for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(x[i]));
    if (!(largest > 0) || !isfinite(largest)) return best;
    srq_grid grid = {.alpha = 1, .sigma = 1, .min = points->min, .max = points->min + points->count - 1};
    const float reach = fmaxf(srq_points_at(points, grid.max), -srq_points_at(points, grid.min));
    double best_error = INFINITY;
    /* The candidates go from the step that just covers the largest value down to a fiftieth of it, evenly spaced in the
     * logarithm. */
    for (int i = 0; i < CANDIDATES; i++) {
        grid.alpha = fmaxf(SRQ_STEP_MIN, largest / reach * (float)pow(50, -(double)i / (CANDIDATES - 1)));
        const double error =
            points->uniform ? vector->quantize_error(n, x, &grid) : points_error(n, x, grid.alpha, points);
        if (error < best_error) {
            best_error = error;
            best = grid.alpha;
        }
    }
    return best;
}

float srq_quantizer_best_step(const srq_vector *vector, int min, int max, size_t n, const float *x)
{
    srq_points points;
    srq_points_make(min, max, NULL, &points);
    return best_step(vector, &points, n, x);
}

/* The points of the grid with `bits` bits. */
static void points_of_bits(const srq_quantizer *q, int bits, srq_points *points)
{
    srq_points_make(smallest_code(q->is_signed, bits), largest_code(q->is_signed, bits), q->method->point, points);
}

void srq_quantizer_start(const srq_quantizer *q, const srq_vector *vector, size_t n, const float *x, float *alpha,
                         float *sigma)
{
    const size_t rows = (size_t)q->channels, length = n / rows;
    srq_points points;
    points_of_bits(q, q->trained_bits, &points);
    for (size_t row = 0; row < rows; row++) {
        alpha[row] = best_step(vector, &points, length, x + row * length);
        if (sigma) sigma[row] = q->spec.sigma_ratio * alpha[row];
    }
}

void srq_quantizer_rescale(const srq_quantizer *q, const srq_vector *vector, int from, int to, size_t n, const float *x,
                           float *alpha, float *sigma)
{
    const size_t rows = (size_t)q->channels, length = n / rows;
    srq_points before, after;
    points_of_bits(q, from, &before);
    points_of_bits(q, to, &after);
    for (size_t row = 0; row < rows; row++) {
        const float *values = x + row * length;
        const float old = best_step(vector, &before, length, values);
        const float new = best_step(vector, &after, length, values);
        alpha[row] *= new / old;
        if (sigma) sigma[row] *= new / old;
    }
}
