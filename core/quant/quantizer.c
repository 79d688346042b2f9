#include "core/quant/quantizer.h"

#include <math.h>
#include <string.h>

extern const srq_quantizer_method srq_quantizer_ste, srq_quantizer_lsq, srq_quantizer_rq, srq_quantizer_rq_st,
    srq_quantizer_srq;

const srq_quantizer_method *srq_quantizer_list(int index)
{
    static const srq_quantizer_method *const methods[] = {&srq_quantizer_ste, &srq_quantizer_lsq, &srq_quantizer_rq,
                                                          &srq_quantizer_rq_st, &srq_quantizer_srq};
    return index < (int)(sizeof methods / sizeof *methods) ? methods[index] : NULL;
}

const srq_quantizer_method *srq_quantizer_find(const char *name)
{
    const srq_quantizer_method *method;
    for (int i = 0; (method = srq_quantizer_list(i)); i++)
        if (strcmp(method->name, name) == 0) return method;
    return NULL;
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

static srq_status check_gates(const srq_quantizer *q)
{
    if (q->spec.dropbits == SRQ_DROPBITS_OFF) return SRQ_OK;
    if (!q->method->has_gates || !q->is_signed)
        return srq_fail(SRQ_ERROR_USAGE,
                        "DropBits works on weights quantized by srq, and this is %s; use srq or "
                        "dropbits.mode = \"off\"",
                        q->method->name);
    return SRQ_OK;
}

srq_status srq_quantizer_init(const srq_quantizer_spec *spec, bool is_signed, int channels, srq_quantizer *q)
{
    *q = (srq_quantizer){.spec = *spec, .is_signed = is_signed, .grid = {.alpha = 1, .sigma = 1}};
    q->channels = spec->per_channel ? channels : 1;
    if (strcmp(spec->method, "float32") == 0) return SRQ_OK;
    q->method = srq_quantizer_find(spec->method);
    if (!q->method)
        return srq_fail(SRQ_ERROR_USAGE, "no quantizer is called \"%s\"; use float32, ste, lsq, rq, rq_st or srq",
                        spec->method);
    for (int i = 0; i < spec->bits.count; i++)
        if (spec->bits.bits[i] < 1 || spec->bits.bits[i] > 8)
            return srq_fail(SRQ_ERROR_USAGE, "a bit-length of %d: it must be 1 to 8", spec->bits.bits[i]);
    if (spec->bits.count < 1) return srq_fail(SRQ_ERROR_USAGE, "no bit-length is given; it must be 1 to 8");
    q->gates.min_bits = spec->min_bits;
    srq_quantizer_set_bits(q, spec->bits.bits[0], spec->bits.bits[0]);
    return check_gates(q);
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

bool srq_quantizer_forward(const srq_quantizer *q, const srq_vector *vector, size_t n, const float *x, void *out)
{
    const size_t rows = (size_t)q->channels, length = n / rows;
    const bool own = q->training && q->method->forward;
    const size_t size = own && q->method->floats ? sizeof(float) : 1;
    bool finite = true;
    for (size_t row = 0; row < rows; row++) {
        const srq_grid grid = srq_quantizer_grid(q, row);
        void *to = (char *)out + row * length * size;
        if (own)
            finite = q->method->forward(q, vector, &grid, row, length, x + row * length, to) && finite;
        else
            finite = vector->quantize(length, x + row * length, &grid, to) && finite;
    }
    return finite;
}

bool srq_quantizer_values(const srq_quantizer *q, const srq_vector *vector, size_t n, const float *x, float *values)
{
    const size_t rows = (size_t)q->channels, length = n / rows;
    bool finite = vector->finite(n, x);
    for (size_t row = 0; row < rows; row++) {
        const srq_grid grid = srq_quantizer_grid(q, row);
        for (size_t i = row * length; i < (row + 1) * length; i++)
            values[i] = grid.alpha * fmaxf((float)grid.min, fminf((float)grid.max, rintf(x[i] / grid.alpha)));
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

float srq_quantizer_best_step(const srq_vector *vector, int min, int max, size_t n, const float *x)
{
    enum { CANDIDATES = 64 };
    float largest = 0, best = 1e-3f;
    for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(x[i]));
    if (!(largest > 0) || !isfinite(largest)) return best;
    srq_grid grid = {.alpha = 1, .sigma = 1, .min = min, .max = max};
    const int reach = max > -min ? max : -min;
    double best_error = INFINITY;
    /* From the step that just covers the largest value down to a fiftieth of it, evenly in the logarithm. */
    for (int i = 0; i < CANDIDATES; i++) {
        grid.alpha = largest / (float)reach * (float)pow(50, -(double)i / (CANDIDATES - 1));
        double error = vector->quantize_error(n, x, &grid);
        if (error < best_error) {
            best_error = error;
            best = grid.alpha;
        }
    }
    return best;
}

void srq_quantizer_start(const srq_quantizer *q, const srq_vector *vector, size_t n, const float *x, float *alpha,
                         float *sigma)
{
    const size_t rows = (size_t)q->channels, length = n / rows;
    const int min = smallest_code(q->is_signed, q->trained_bits), max = largest_code(q->is_signed, q->trained_bits);
    for (size_t row = 0; row < rows; row++) {
        alpha[row] = srq_quantizer_best_step(vector, min, max, length, x + row * length);
        if (sigma) sigma[row] = q->spec.sigma_ratio * alpha[row];
    }
}

void srq_quantizer_rescale(const srq_quantizer *q, const srq_vector *vector, int from, int to, size_t n, const float *x,
                           float *alpha, float *sigma)
{
    const size_t rows = (size_t)q->channels, length = n / rows;
    for (size_t row = 0; row < rows; row++) {
        const float *values = x + row * length;
        const float old = srq_quantizer_best_step(vector, smallest_code(q->is_signed, from),
                                                  largest_code(q->is_signed, from), length, values);
        const float new = srq_quantizer_best_step(vector, smallest_code(q->is_signed, to),
                                                  largest_code(q->is_signed, to), length, values);
        alpha[row] *= new / old;
        if (sigma) sigma[row] *= new / old;
    }
}
