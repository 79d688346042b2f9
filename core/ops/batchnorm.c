#include "core/ops/op.h"

#include <math.h>
#include <stdlib.h>

/* Batch normalization over the images of one shard, arXiv 1502.03167: y = scale (x - mean) / sqrt(variance + epsilon)
 * + shift, for each channel. The running statistics move towards the average over shards; the variance kept is the
 * unbiased one, as in other frameworks. */

typedef struct batch_norm {
    const srq_graph *graph;
    int scale, shift, mean, variance; /* parameter indices */
    float *batch_mean, *batch_rate;   /* [c]: of this pass; rate = 1 / sqrt(variance + epsilon) */
} batch_norm;

static srq_status create(srq_graph *graph, srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output = (srq_tensor){.height = x->height, .width = x->width, .channels = x->channels};
    batch_norm *b = calloc(1, sizeof *b);
    if (!b) return srq_fail_memory(sizeof *b, layer->spec->name);
    layer->state = b;
    b->graph = graph;
    const size_t shape[1] = {(size_t)x->channels}, bytes = shape[0] * sizeof(float);
    SRQ_TRY(srq_graph_add_parameter(graph, layer, "scale", SRQ_PARAMETER_BIAS, 1, shape, &b->scale));
    SRQ_TRY(srq_graph_add_parameter(graph, layer, "shift", SRQ_PARAMETER_BIAS, 1, shape, &b->shift));
    SRQ_TRY(srq_graph_add_parameter(graph, layer, "running_mean", SRQ_PARAMETER_STATISTIC, 1, shape, &b->mean));
    SRQ_TRY(srq_graph_add_parameter(graph, layer, "running_variance", SRQ_PARAMETER_STATISTIC, 1, shape, &b->variance));
    SRQ_TRY(srq_graph_add_buffer(graph, layer, bytes, false, (void **)&b->batch_mean));
    return srq_graph_add_buffer(graph, layer, bytes, false, (void **)&b->batch_rate);
}

static void destroy(srq_layer *layer)
{
    free(layer->state);
    layer->state = NULL;
}

static void initialize(srq_graph *graph, srq_layer *layer, uint64_t seed)
{
    (void)seed;
    const batch_norm *b = layer->state;
    float *values = srq_graph_values(graph);
    for (size_t c = 0; c < (size_t)layer->output.channels; c++) {
        values[srq_graph_parameter(graph, b->scale)->offset + c] = 1;
        values[srq_graph_parameter(graph, b->variance)->offset + c] = 1;
    }
}

/* Mean and variance of the batch in float64, into the pass and, weighted by the shard's share, into the gradient. */
static void take_statistics(const batch_norm *b, const srq_layer *layer, srq_pass *pass)
{
    const size_t channels = (size_t)layer->output.channels;
    const size_t rows = (size_t)pass->n * layer->output.features / channels;
    const float *x = layer->inputs[0]->operand.data;
    float *mean = pass->gradient ? pass->gradient + srq_graph_parameter(b->graph, b->mean)->offset : NULL;
    float *variance = pass->gradient ? pass->gradient + srq_graph_parameter(b->graph, b->variance)->offset : NULL;
    const double unbiased = rows > 1 ? (double)rows / (double)(rows - 1) : 1;
    for (size_t c = 0; c < channels; c++) {
        double sum = 0, squares = 0;
        for (size_t r = 0; r < rows; r++) sum += (double)x[r * channels + c];
        const double m = sum / (double)rows;
        for (size_t r = 0; r < rows; r++) {
            double d = (double)x[r * channels + c] - m;
            squares += d * d;
        }
        const double v = squares / (double)rows;
        b->batch_mean[c] = (float)m;
        b->batch_rate[c] = (float)(1 / sqrt(v + (double)layer->spec->epsilon));
        if (mean) mean[c] = pass->share * (float)m;
        if (variance) variance[c] = pass->share * (float)(v * unbiased);
    }
}

static void use_running(const batch_norm *b, const srq_layer *layer, const srq_pass *pass)
{
    const float *mean = pass->values + srq_graph_parameter(b->graph, b->mean)->offset;
    const float *variance = pass->values + srq_graph_parameter(b->graph, b->variance)->offset;
    for (int c = 0; c < layer->output.channels; c++) {
        b->batch_mean[c] = mean[c];
        b->batch_rate[c] = 1 / sqrtf(variance[c] + layer->spec->epsilon);
    }
}

static void forward(srq_layer *layer, srq_pass *pass)
{
    const batch_norm *b = layer->state;
    const size_t channels = (size_t)layer->output.channels;
    const size_t rows = (size_t)pass->n * layer->output.features / channels;
    const float *x = layer->inputs[0]->operand.data;
    const float *scale = pass->values + srq_graph_parameter(b->graph, b->scale)->offset;
    const float *shift = pass->values + srq_graph_parameter(b->graph, b->shift)->offset;
    float *y = (float *)layer->output.operand.data;
    if (pass->training)
        take_statistics(b, layer, pass);
    else
        use_running(b, layer, pass);
    for (size_t r = 0; r < rows; r++, x += channels, y += channels)
        for (size_t c = 0; c < channels; c++)
            y[c] = scale[c] * ((x[c] - b->batch_mean[c]) * b->batch_rate[c]) + shift[c];
}

/* With x^ = (x - mean) rate: dscale = sum dy x^, dshift = sum dy,
 * dx = scale rate (dy - dshift / rows - x^ dscale / rows). */
static void backward(srq_layer *layer, srq_pass *pass)
{
    const batch_norm *b = layer->state;
    const size_t channels = (size_t)layer->output.channels;
    const size_t rows = (size_t)pass->n * layer->output.features / channels;
    const float *x = layer->inputs[0]->operand.data, *dy = layer->output_gradient;
    const float *scale = pass->values + srq_graph_parameter(b->graph, b->scale)->offset;
    float *dscale = pass->gradient + srq_graph_parameter(b->graph, b->scale)->offset;
    float *dshift = pass->gradient + srq_graph_parameter(b->graph, b->shift)->offset;
    float *dx = layer->input_gradients[0];
    for (size_t c = 0; c < channels; c++) {
        const float mean = b->batch_mean[c], rate = b->batch_rate[c];
        double by_scale = 0, by_shift = 0;
        for (size_t r = 0; r < rows; r++) {
            by_scale += (double)dy[r * channels + c] * (double)((x[r * channels + c] - mean) * rate);
            by_shift += (double)dy[r * channels + c];
        }
        dscale[c] = (float)by_scale;
        dshift[c] = (float)by_shift;
        if (!dx) continue;
        const float a = (float)(by_scale / (double)rows), s = (float)(by_shift / (double)rows);
        for (size_t r = 0; r < rows; r++)
            dx[r * channels + c] =
                scale[c] * rate * (dy[r * channels + c] - s - (x[r * channels + c] - mean) * rate * a);
    }
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
};
