#include "core/ops/weighted.h"

#include "core/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct weighted {
    const srq_graph *graph;
    const srq_kernels *kernels;
    srq_conv_plan *plan;
    size_t rows;    /* output pixels of one image */
    size_t count;   /* weights */
    void *codes;    /* [count] bytes, if quantized */
    float *floats;  /* [count], if the quantizer gives floats in training */
    float *scratch; /* [count] */
} weighted;

static srq_status add_parameters(srq_graph *graph, srq_layer *layer, int rank, const size_t *dimensions)
{
    SRQ_TRY(srq_graph_add_parameter(graph, layer, "weight", SRQ_PARAMETER_WEIGHT, rank, dimensions, &layer->weight));
    if (layer->spec->bias)
        SRQ_TRY(srq_graph_add_parameter(graph, layer, "bias", SRQ_PARAMETER_BIAS, 1, dimensions, &layer->bias));
    SRQ_TRY(srq_quantizer_init(&layer->spec->quantizer, true, (int)dimensions[0], &layer->quantizer));
    return srq_graph_add_quantizer(graph, layer, "weight");
}

srq_status srq_weighted_create(srq_graph *graph, srq_layer *layer, const srq_conv_shape *shape, int rank,
                               const size_t *dimensions)
{
    weighted *w = calloc(1, sizeof *w);
    if (!w) return srq_fail_memory(sizeof *w, layer->spec->name);
    layer->state = w;
    w->graph = graph;
    w->kernels = srq_graph_kernels(graph);
    w->rows = (size_t)shape->out_height * (size_t)shape->out_width;
    SRQ_TRY(add_parameters(graph, layer, rank, dimensions));
    w->count = srq_graph_parameter(graph, layer->weight)->count;
    layer->macs = w->count * w->rows;
    if (layer->quantizer.method) SRQ_TRY(srq_graph_add_buffer(graph, layer, w->count, true, &w->codes));
    if (layer->quantizer.method && layer->quantizer.method->floats)
        SRQ_TRY(srq_graph_add_buffer(graph, layer, w->count * sizeof(float), true, (void **)&w->floats));
    SRQ_TRY(srq_graph_add_buffer(graph, layer, w->count * sizeof(float), true, (void **)&w->scratch));
    srq_conv_shape whole = *shape;
    whole.per_channel = layer->quantizer.channels > 1;
    return w->kernels->conv_create(&whole, srq_graph_vector(graph), &w->plan);
}

void srq_weighted_destroy(srq_layer *layer)
{
    weighted *w = layer->state;
    if (!w) return;
    if (w->plan) w->kernels->conv_destroy(&w->plan);
    free(w);
    layer->state = NULL;
}

void srq_weighted_initialize(srq_graph *graph, srq_layer *layer, uint64_t seed)
{
    const srq_parameter *weight = srq_graph_parameter(graph, layer->weight);
    float *values = srq_graph_values(graph), *w = values + weight->offset;
    size_t fan_in = weight->count / weight->shape[0];
    srq_random_normal(seed, SRQ_RANDOM_WEIGHTS, (uint64_t)layer->index, weight->count, sqrtf(2.0f / (float)fan_in), w);
    if (layer->gates < 0) return;
    const srq_parameter *gates = srq_graph_parameter(graph, layer->gates);
    const double open = (double)layer->quantizer.spec.open;
    for (size_t i = 0; i < gates->count; i++) values[gates->offset + i] = (float)log(open / (1 - open));
}

static srq_operand quantized(const weighted *w, srq_layer *layer, const srq_pass *pass, const float *values)
{
    const srq_quantizer *q = &layer->quantizer;
    srq_layer_start_quantizer(w->graph, layer, pass, w->count, values);
    srq_layer_load_quantizer(w->graph, layer, pass);
    if (q->training && q->method->floats) return (srq_operand){.data = w->floats, .dtype = SRQ_FLOAT32, .scale = 1};
    return (srq_operand){
        .data = w->codes, .dtype = SRQ_INT8, .scale = q->grid.alpha, .scales = q->channels > 1 ? q->alpha : NULL};
}

void srq_weighted_prepare(srq_layer *layer, srq_pass *pass)
{
    weighted *w = layer->state;
    const float *values = pass->values + srq_graph_parameter(w->graph, layer->weight)->offset;
    srq_operand operand = {.data = values, .dtype = SRQ_FLOAT32, .scale = 1};
    if (layer->quantizer.method) {
        operand = quantized(w, layer, pass, values);
        if (!srq_quantizer_forward(&layer->quantizer, pass->vector, w->count, values, (void *)operand.data) &&
            pass->bad < 0)
            pass->bad = layer->index;
    }
    w->kernels->conv_pack(w->plan, &operand);
}

void srq_weighted_forward(srq_layer *layer, srq_pass *pass)
{
    const weighted *w = layer->state;
    float *y = (float *)layer->output.operand.data;
    w->kernels->conv_forward(w->plan, pass->n, &layer->inputs[0]->operand, y);
    if (layer->bias >= 0)
        pass->vector->add_rows((size_t)pass->n * w->rows, (size_t)layer->output.channels, y,
                               pass->values + srq_graph_parameter(w->graph, layer->bias)->offset);
}

void srq_weighted_backward(srq_layer *layer, srq_pass *pass)
{
    const weighted *w = layer->state;
    const float *dy = layer->output_gradient;
    if (layer->input_gradients[0]) w->kernels->conv_backward_data(w->plan, pass->n, dy, layer->input_gradients[0]);
    w->kernels->conv_backward_weights(w->plan, pass->n, &layer->inputs[0]->operand, dy,
                                      pass->gradient + srq_graph_parameter(w->graph, layer->weight)->offset);
    if (layer->bias >= 0)
        pass->vector->sum_rows((size_t)pass->n * w->rows, (size_t)layer->output.channels, dy,
                               pass->gradient + srq_graph_parameter(w->graph, layer->bias)->offset);
}

void srq_weighted_finish(srq_layer *layer, srq_pass *pass)
{
    const weighted *w = layer->state;
    const size_t offset = srq_graph_parameter(w->graph, layer->weight)->offset;
    float *gradient = pass->gradient + offset;
    w->kernels->conv_unpack(w->plan, gradient, w->scratch);
    if (!layer->quantizer.method) {
        memcpy(gradient, w->scratch, w->count * sizeof *gradient);
        return;
    }
    srq_layer_quantizer_backward(w->graph, layer, pass, w->count, w->count, pass->values + offset, w->scratch,
                                 gradient);
}
