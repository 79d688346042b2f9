#include "core/ops/batchnorm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Batch normalization over the images of one shard, arXiv 1502.03167: y = scale (x - mean) / sqrt(variance + epsilon)
 * + shift, for each channel. The running statistics move towards the average over shards; the variance kept is the
 * unbiased one, as in other frameworks. Sums are float64, in which products of float32 are exact: the variance as the
 * mean square less the squared mean loses nothing that float32 could show. */

typedef struct batch_norm {
    const srq_graph *graph;
    int scale, shift, mean, variance; /* parameter indices */
    /* Of this layer's own passes; in a chain they are the chain's. */
    srq_batch_norm_lines lines;
    double *sums, *products;       /* [c] */
    float *by_g, *by_x, *constant; /* [c] */
    float *ones, *zeros;           /* [c] */
} batch_norm;

static srq_status add_lines(srq_graph *graph, srq_layer *layer, batch_norm *b, size_t channels)
{
    void **floats[] = {(void **)&b->lines.a,  (void **)&b->lines.b, (void **)&b->by_g, (void **)&b->by_x,
                       (void **)&b->constant, (void **)&b->ones,    (void **)&b->zeros};
    void **doubles[] = {(void **)&b->lines.p, (void **)&b->lines.q, (void **)&b->sums, (void **)&b->products};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        SRQ_TRY(srq_graph_add_buffer(graph, layer, channels * sizeof(float), true, floats[i]));
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        SRQ_TRY(srq_graph_add_buffer(graph, layer, channels * sizeof(double), true, doubles[i]));
    return SRQ_OK;
}

static srq_status create(srq_graph *graph, srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output = (srq_tensor){.height = x->height, .width = x->width, .channels = x->channels};
    batch_norm *b = calloc(1, sizeof *b);
    if (!b) return srq_fail_memory(sizeof *b, layer->spec->name);
    layer->state = b;
    b->graph = graph;
    const size_t shape[1] = {(size_t)x->channels};
    SRQ_TRY(srq_graph_add_parameter(graph, layer, "scale", SRQ_PARAMETER_BIAS, 1, shape, &b->scale));
    SRQ_TRY(srq_graph_add_parameter(graph, layer, "shift", SRQ_PARAMETER_BIAS, 1, shape, &b->shift));
    SRQ_TRY(srq_graph_add_parameter(graph, layer, "running_mean", SRQ_PARAMETER_STATISTIC, 1, shape, &b->mean));
    SRQ_TRY(srq_graph_add_parameter(graph, layer, "running_variance", SRQ_PARAMETER_STATISTIC, 1, shape, &b->variance));
    return add_lines(graph, layer, b, shape[0]);
}

static void destroy(srq_layer *layer)
{
    free(layer->state);
    layer->state = NULL;
}

static void initialize(srq_graph *graph, srq_layer *layer, uint64_t seed, double gain)
{
    (void)seed, (void)gain;
    const batch_norm *b = layer->state;
    float *values = srq_graph_values(graph);
    for (size_t c = 0; c < (size_t)layer->output.channels; c++) {
        values[srq_graph_parameter(graph, b->scale)->offset + c] = 1;
        values[srq_graph_parameter(graph, b->variance)->offset + c] = 1;
    }
}

void srq_batch_norm_forward_lines(const srq_layer *layer, const srq_pass *pass, size_t rows, const double *sums,
                                  const double *squares, const float *scales, const float *bias,
                                  const srq_batch_norm_lines *lines)
{
    const batch_norm *b = layer->state;
    const float *scale = pass->values + srq_graph_parameter(b->graph, b->scale)->offset;
    const float *shift = pass->values + srq_graph_parameter(b->graph, b->shift)->offset;
    const float *running_mean = pass->values + srq_graph_parameter(b->graph, b->mean)->offset;
    const float *running_variance = pass->values + srq_graph_parameter(b->graph, b->variance)->offset;
    float *kept_mean = pass->gradient ? pass->gradient + srq_graph_parameter(b->graph, b->mean)->offset : NULL;
    float *kept = pass->gradient ? pass->gradient + srq_graph_parameter(b->graph, b->variance)->offset : NULL;
    const double count = (double)rows, unbiased = rows > 1 ? count / (count - 1) : 1;
    for (int c = 0; c < layer->output.channels; c++) {
        double mean = (double)running_mean[c], variance = (double)running_variance[c];
        if (pass->training) {
            const double m = sums[c] / count, v = fmax(0, squares[c] / count - m * m); /* of the elements */
            mean = (double)scales[c] * m + (double)bias[c];
            variance = (double)scales[c] * (double)scales[c] * v;
            if (isnan(sums[c]) || isnan(squares[c])) variance = NAN; /* fmax would hide it */
            if (kept_mean) kept_mean[c] = pass->share * (float)mean;
            if (kept) kept[c] = pass->share * (float)(variance * unbiased);
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
                                   const double *products, const srq_batch_norm_lines *lines, const float *factors,
                                   float *by_g, float *by_x, float *constant)
{
    const batch_norm *b = layer->state;
    const srq_tensor *x = layer->inputs[0];
    const float *scale = pass->values + srq_graph_parameter(b->graph, b->scale)->offset;
    float *dscale = pass->gradient + srq_graph_parameter(b->graph, b->scale)->offset;
    float *dshift = pass->gradient + srq_graph_parameter(b->graph, b->shift)->offset;
    for (int c = 0; c < layer->output.channels; c++) {
        const double by_scale = lines->p[c] * products[c] + lines->q[c] * sums[c];
        const double rate = lines->p[c] / (x->scales ? (double)x->scales[c] : 1);
        const double slope = (double)scale[c] * rate * (factors ? (double)factors[c] : 1), share = 1 / (double)rows;
        dscale[c] = (float)by_scale;
        dshift[c] = (float)sums[c];
        by_g[c] = (float)slope;
        by_x[c] = (float)(-slope * share * by_scale * lines->p[c]);
        constant[c] = (float)(-slope * share * (sums[c] + by_scale * lines->q[c]));
    }
}

static size_t rows_of(const srq_layer *layer, const srq_pass *pass)
{
    return (size_t)pass->n * layer->output.features / (size_t)layer->output.channels;
}

static void forward(srq_layer *layer, srq_pass *pass)
{
    const batch_norm *b = layer->state;
    const size_t channels = (size_t)layer->output.channels, rows = rows_of(layer, pass);
    const float *x = layer->inputs[0]->operand.data;
    memset(b->sums, 0, channels * sizeof *b->sums);
    memset(b->products, 0, channels * sizeof *b->products);
    memset(b->zeros, 0, channels * sizeof *b->zeros);
    for (size_t c = 0; c < channels; c++) b->ones[c] = 1;
    if (pass->training) pass->vector->moments(rows, channels, x, b->sums, b->products);
    srq_batch_norm_forward_lines(layer, pass, rows, b->sums, b->products, b->ones, b->zeros, &b->lines);
    pass->vector->affine_rows(rows, channels, x, b->lines.a, b->lines.b, -INFINITY, INFINITY,
                              (float *)layer->output.operand.data);
}

static void backward(srq_layer *layer, srq_pass *pass)
{
    const batch_norm *b = layer->state;
    const size_t channels = (size_t)layer->output.channels, rows = rows_of(layer, pass);
    const float *x = layer->inputs[0]->operand.data, *dy = layer->output_gradient;
    memset(b->sums, 0, channels * sizeof *b->sums);
    memset(b->products, 0, channels * sizeof *b->products);
    pass->vector->products(rows, channels, dy, x, b->sums, b->products);
    srq_batch_norm_backward_lines(layer, pass, rows, b->sums, b->products, &b->lines, NULL, b->by_g, b->by_x,
                                  b->constant);
    if (layer->input_gradients[0])
        pass->vector->combine_rows(rows, channels, dy, x, b->by_g, b->by_x, b->constant, layer->input_gradients[0]);
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
    .forward = forward,
    .backward = backward,
    .meaning = "batch normalization over the images of one shard",
    .settings = {{"momentum", SRQ_OP_REAL, SRQ_PLACE(momentum), .most = 1, .above = true, .initial = 0.1},
                 {"epsilon", SRQ_OP_REAL, SRQ_PLACE(epsilon), .most = 1, .above = true, .initial = 1e-5}},
};
