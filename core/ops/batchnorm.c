#include "core/ops/batchnorm.h"

#include "core/deploy_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Batch normalization over the images of one shard, arXiv 1502.03167: y = scale (x - mean) / sqrt(variance + epsilon) +
 * shift, for each channel. The running statistics move towards the average over shards; the variance kept is the
 * unbiased one, as in other frameworks. Sums are float64, in which products of float32 are exact. So the variance can
 * be computed as the mean square minus the squared mean, without a loss that is visible in float32. */

typedef struct batch_norm {
    int scale, shift, mean, variance; /* parameter indices */
    size_t work;                      /* place of srq_batch_norm_work in a pass, if the layer runs outside of a chain */
} batch_norm;

enum { WORK_DOUBLES = 8, WORK_FLOATS = 7 };

/* Rounded up to whole cache lines of 64 bytes, for float32 and for float64. */
static size_t work_line(size_t channels)
{
    return (channels + 15) / 16 * 16;
}

static size_t work_size(size_t channels)
{
    return work_line(channels) * (WORK_DOUBLES * sizeof(double) + WORK_FLOATS * sizeof(float));
}

srq_status srq_batch_norm_reserve(srq_network *network, int index, size_t channels, size_t *place)
{
    return srq_network_reserve_for(network, index, srq_network_end(network), work_size(channels), place);
}

/* Sums that begin at number `at` of the work. */
static srq_batch_norm_sums sums_at(double *numbers, size_t place, size_t line, size_t at)
{
    return (srq_batch_norm_sums){
        .first = numbers + at * line, .second = numbers + (at + 1) * line, .place = place, .offset = at * line};
}

srq_batch_norm_work srq_batch_norm_work_at(const srq_pass *pass, size_t place, size_t channels)
{
    const size_t line = work_line(channels);
    double *d = srq_pass_at(pass, place);
    float *f = (float *)(d + WORK_DOUBLES * line);
    return (srq_batch_norm_work){.lines = {.p = d, .q = d + line, .a = f, .b = f + line},
                                 .forward = sums_at(d, place, line, 2),
                                 .backward = sums_at(d, place, line, 4),
                                 .total = sums_at(d, place, line, 6),
                                 .by_g = f + 2 * line,
                                 .by_x = f + 3 * line,
                                 .constant = f + 4 * line,
                                 .ones = f + 5 * line,
                                 .zeros = f + 6 * line};
}

void srq_batch_norm_clear(const srq_batch_norm_sums *sums, size_t channels)
{
    memset(sums->first, 0, channels * sizeof *sums->first);
    memset(sums->second, 0, channels * sizeof *sums->second);
}

/* The two arrays of a pair of sums are one line apart. */
srq_batch_norm_sums srq_batch_norm_total(const srq_pass *pass, const srq_batch_norm_work *work,
                                         const srq_batch_norm_sums *own, size_t channels)
{
    if (pass->slices == 1) return *own;
    srq_pass_total(pass, own->place, own->offset, channels, work->total.first);
    srq_pass_total(pass, own->place, own->offset + work_line(channels), channels, work->total.second);
    return work->total;
}

static srq_status create(srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output = (srq_tensor){.height = x->height, .width = x->width, .channels = x->channels};
    batch_norm *b = calloc(1, sizeof *b);
    if (!b) return srq_fail_memory(sizeof *b, layer->spec->name);
    layer->state = b;
    const size_t shape[1] = {(size_t)x->channels};
    const struct {
        const char *suffix;
        srq_parameter_kind kind;
        int *index;
    } parameters[] = {{"scale", SRQ_PARAMETER_BIAS, &b->scale},
                      {"shift", SRQ_PARAMETER_BIAS, &b->shift},
                      {"running_mean", SRQ_PARAMETER_STATISTIC, &b->mean},
                      {"running_variance", SRQ_PARAMETER_STATISTIC, &b->variance}};
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
        SRQ_TRY(srq_network_add_parameter(layer->network, layer->spec, parameters[i].suffix, parameters[i].kind, 1,
                                          shape, parameters[i].index));
    return srq_batch_norm_reserve(layer->network, layer->index, shape[0], &b->work);
}

static void destroy(srq_layer *layer)
{
    free(layer->state);
    layer->state = NULL;
}

static void initialize(srq_layer *layer, uint64_t seed, double gain)
{
    (void)seed, (void)gain;
    const batch_norm *b = layer->state;
    float *scale = srq_network_in(layer->network, layer->network->values, b->scale);
    float *variance = srq_network_in(layer->network, layer->network->values, b->variance);
    for (int c = 0; c < layer->output.channels; c++) scale[c] = variance[c] = 1;
}

void srq_batch_norm_forward_lines(const srq_layer *layer, const srq_pass *pass, size_t rows, const double *sums,
                                  const double *squares, const float *scales, const float *bias,
                                  const srq_batch_norm_lines *lines)
{
    const batch_norm *b = layer->state;
    const float *scale = srq_pass_values(pass, layer, b->scale);
    const float *shift = srq_pass_values(pass, layer, b->shift);
    const float *running_mean = srq_pass_values(pass, layer, b->mean);
    const float *running_variance = srq_pass_values(pass, layer, b->variance);
    float *kept_mean = srq_pass_gradient(pass, layer, b->mean);
    float *kept = srq_pass_gradient(pass, layer, b->variance);
    const double count = (double)rows, unbiased = rows > 1 ? count / (count - 1) : 1;
    const bool writes = srq_pass_writes(pass);
    for (int c = 0; c < layer->output.channels; c++) {
        double mean = (double)running_mean[c], variance = (double)running_variance[c];
        if (pass->training) {
            const double m = sums[c] / count, v = fmax(0, squares[c] / count - m * m); /* of the elements */
            mean = (double)scales[c] * m + (double)bias[c];
            variance = (double)scales[c] * (double)scales[c] * v;
            if (isnan(sums[c]) || isnan(squares[c])) variance = NAN; /* fmax would hide a NaN */
            if (kept_mean) kept_mean[c] = writes ? pass->share * (float)mean : 0;
            if (kept) kept[c] = writes ? pass->share * (float)(variance * unbiased) : 0;
        }
        const double rate = 1 / sqrt(variance + (double)layer->spec->epsilon);
        lines->p[c] = (double)scales[c] * rate;
        lines->q[c] = ((double)bias[c] - mean) * rate;
        lines->a[c] = (float)((double)scale[c] * lines->p[c]);
        lines->b[c] = (float)((double)scale[c] * lines->q[c] + (double)shift[c]);
    }
}

/* dscale = sum g x^, dshift = sum g, dL/dx = scale rate (g - dshift / rows - x^ dscale / rows). */
void srq_batch_norm_backward_lines(const srq_layer *layer, const srq_pass *pass, size_t rows, const double *sums,
                                   const double *products, const srq_batch_norm_lines *lines, const float *scales,
                                   const float *factors, float *by_g, float *by_x, float *constant)
{
    const batch_norm *b = layer->state;
    const float *scale = srq_pass_values(pass, layer, b->scale);
    float *dscale = srq_pass_gradient(pass, layer, b->scale);
    float *dshift = srq_pass_gradient(pass, layer, b->shift);
    for (int c = 0; c < layer->output.channels; c++) {
        const double by_scale = lines->p[c] * products[c] + lines->q[c] * sums[c];
        const double rate = lines->p[c] / (scales ? (double)scales[c] : 1);
        const double slope = (double)scale[c] * rate * (factors ? (double)factors[c] : 1), share = 1 / (double)rows;
        dscale[c] = srq_pass_writes(pass) ? (float)by_scale : 0;
        dshift[c] = srq_pass_writes(pass) ? (float)sums[c] : 0;
        by_g[c] = (float)slope;
        by_x[c] = (float)(-slope * share * by_scale * lines->p[c]);
        constant[c] = (float)(-slope * share * (sums[c] + by_scale * lines->q[c]));
    }
}

static size_t rows_of(const srq_layer *layer, int n)
{
    return (size_t)n * layer->output.features / (size_t)layer->output.channels;
}

static void measure(const srq_layer *layer, srq_pass *pass)
{
    const batch_norm *b = layer->state;
    const size_t channels = (size_t)layer->output.channels;
    const srq_batch_norm_sums sums = srq_batch_norm_work_at(pass, b->work, channels).forward;
    srq_batch_norm_clear(&sums, channels);
    if (pass->n)
        pass->vector->moments(rows_of(layer, pass->n), channels, srq_pass_input(pass, layer, 0), sums.first,
                              sums.second);
}

static void forward(const srq_layer *layer, srq_pass *pass)
{
    const batch_norm *b = layer->state;
    const size_t channels = (size_t)layer->output.channels;
    const srq_batch_norm_work w = srq_batch_norm_work_at(pass, b->work, channels);
    memset(w.zeros, 0, channels * sizeof *w.zeros);
    for (size_t c = 0; c < channels; c++) w.ones[c] = 1;
    const srq_batch_norm_sums sums = pass->training ? srq_batch_norm_total(pass, &w, &w.forward, channels) : w.forward;
    srq_batch_norm_forward_lines(layer, pass, rows_of(layer, pass->shard_n), sums.first, sums.second, w.ones, w.zeros,
                                 &w.lines);
    pass->vector->affine_rows(rows_of(layer, pass->n), channels, srq_pass_input(pass, layer, 0), w.lines.a, w.lines.b,
                              -INFINITY, INFINITY, srq_pass_output(pass, layer));
}

static void measure_backward(const srq_layer *layer, srq_pass *pass)
{
    const batch_norm *b = layer->state;
    const size_t channels = (size_t)layer->output.channels;
    const srq_batch_norm_sums sums = srq_batch_norm_work_at(pass, b->work, channels).backward;
    srq_batch_norm_clear(&sums, channels);
    if (pass->n)
        pass->vector->products(rows_of(layer, pass->n), channels, srq_pass_output_gradient(pass, layer),
                               srq_pass_input(pass, layer, 0), sums.first, sums.second);
}

static void backward(const srq_layer *layer, srq_pass *pass)
{
    const batch_norm *b = layer->state;
    const size_t channels = (size_t)layer->output.channels, rows = rows_of(layer, pass->n);
    const srq_batch_norm_work w = srq_batch_norm_work_at(pass, b->work, channels);
    const srq_batch_norm_sums sums = srq_batch_norm_total(pass, &w, &w.backward, channels);
    const float *x = srq_pass_input(pass, layer, 0), *dy = srq_pass_output_gradient(pass, layer);
    float *dx = srq_pass_input_gradient(pass, layer, 0);
    srq_batch_norm_backward_lines(layer, pass, rows_of(layer, pass->shard_n), sums.first, sums.second, &w.lines, NULL,
                                  NULL, w.by_g, w.by_x, w.constant);
    if (dx) pass->vector->combine_rows(rows, channels, dy, x, w.by_g, w.by_x, w.constant, dx);
}

/* The function of evaluation, into which the scales and the bias of the layer before may be folded. */
static srq_status deploy(const srq_layer *layer, srq_deployer *deployer)
{
    const size_t channels = (size_t)layer->output.channels;
    const srq_pass pass = {.values = layer->network->values};
    const float *scales, *bias;
    bool sums;
    int input, index;
    SRQ_TRY(srq_deployer_sums(deployer, layer, &sums, &scales, &bias, &input));
    double *work = calloc(channels, 2 * sizeof(double) + 4 * sizeof(float));
    if (!work) return srq_fail_memory(channels * 4 * sizeof(double), layer->spec->name);
    float *floats = (float *)(work + 2 * channels), *ones = floats + 2 * channels, *zeros = ones + channels;
    const srq_batch_norm_lines lines = {.p = work, .q = work + channels, .a = floats, .b = floats + channels};
    for (size_t c = 0; c < channels; c++) ones[c] = 1;
    srq_batch_norm_forward_lines(layer, &pass, 1, NULL, NULL, sums ? scales : ones, sums ? bias : zeros, &lines);
    srq_status status = srq_deployer_add_affine(deployer, layer, input, lines.a, lines.b, &index);
    if (status == SRQ_OK) srq_deployer_put(deployer, layer, index);
    free(work);
    return status;
}

extern const srq_op srq_op_batch_norm;
const srq_op srq_op_batch_norm = {
    .type = "batch_norm",
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_input = true,
    .create = create,
    .destroy = destroy,
    .initialize = initialize,
    .measure = measure,
    .measure_backward = measure_backward,
    .forward = forward,
    .backward = backward,
    .deploy = deploy,
    .meaning = "batch normalization over the images of one shard",
    .stage = SRQ_CHAIN_NORM,
    .settings = {{"momentum", SRQ_OP_REAL, SRQ_PLACE(momentum), .most = 1, .initial = 0.1},
                 {"epsilon", SRQ_OP_REAL, SRQ_PLACE(epsilon), .most = 1, .above = true, .initial = 1e-5}},
};
