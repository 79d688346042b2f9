#include "core/graph_parts.h"

#include "core/mask.h"
#include "core/ops/chain.h"
#include "core/ops/layer_quantizer.h"
#include "core/ops/softmax_loss.h"
#include "core/ops/weighted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Access */

int srq_graph_parameter_count(const srq_graph *graph)
{
    return graph->network.parameter_count;
}

const srq_parameter *srq_graph_parameter(const srq_graph *graph, int index)
{
    return &graph->network.parameters[index];
}

int srq_graph_find_parameter(const srq_graph *graph, const char *name)
{
    for (int i = 0; i < graph->network.parameter_count; i++)
        if (strcmp(graph->network.parameters[i].name, name) == 0) return i;
    return -1;
}

size_t srq_graph_size(const srq_graph *graph)
{
    return graph->network.size;
}

float *srq_graph_values(const srq_graph *graph)
{
    return graph->network.values;
}

int srq_graph_layer_count(const srq_graph *graph)
{
    return graph->layer_count;
}

const srq_layer *srq_graph_layer(const srq_graph *graph, int index)
{
    return &graph->layers[index];
}

srq_layer *srq_graph_layer_at(srq_graph *graph, int index)
{
    return &graph->layers[index];
}

const srq_model_spec *srq_graph_spec(const srq_graph *graph)
{
    return graph->spec;
}

int srq_graph_classes(const srq_graph *graph)
{
    return graph->layers[graph->layer_count - 1].output.channels;
}

srq_graph_memory srq_graph_count_memory(const srq_graph *graph)
{
    const srq_network *network = &graph->network;
    srq_graph_memory m = {.parameters = network->size * sizeof *network->values,
                          .packed = network->shared_size,
                          .passes = network->pass_size,
                          .scratch = network->scratch_size};
    for (int i = 0; i < graph->layer_count; i++)
        if (graph->layers[i].weight >= 0) m.packed += srq_weighted_info(&graph->layers[i])->weights;
    return m;
}

int srq_graph_capacity(const srq_graph *graph)
{
    return graph->network.capacity;
}

const srq_vector *srq_graph_vector(const srq_graph *graph)
{
    return graph->network.vector;
}

const srq_kernels *srq_graph_kernels(const srq_graph *graph)
{
    return graph->network.kernels;
}

srq_pass *srq_graph_pass(srq_graph *graph)
{
    return &graph->pass;
}

float *srq_graph_input(srq_graph *graph)
{
    return srq_pass_floats(&graph->pass, graph->images.place);
}

const float *srq_graph_logits(const srq_graph *graph)
{
    return srq_pass_output(&graph->pass, &graph->layers[graph->layer_count - 1]);
}

/* --- Running */

/* Weights that masks do not keep are 0 from the start. */
static void apply_masks(srq_graph *graph)
{
    for (int i = 0; i < graph->layer_count; i++) {
        const srq_layer *layer = &graph->layers[i];
        if (!layer->mask) continue;
        const srq_parameter *w = &graph->network.parameters[layer->weight];
        srq_mask_floats(layer->mask, 0, w->count, graph->network.values + w->offset);
    }
}

void srq_graph_initialize(srq_graph *graph, uint64_t seed, double gain)
{
    memset(graph->network.values, 0, graph->network.size * sizeof *graph->network.values);
    for (int i = 0; i < graph->layer_count; i++)
        if (graph->layers[i].op->initialize) graph->layers[i].op->initialize(&graph->layers[i], seed, gain);
    apply_masks(graph);
    /* A valid step size until srq_graph_start computes one from data. */
    for (int i = 0; i < graph->network.parameter_count; i++) {
        const srq_parameter *p = &graph->network.parameters[i];
        bool positive = p->kind == SRQ_PARAMETER_ALPHA || p->kind == SRQ_PARAMETER_SIGMA;
        for (size_t k = 0; positive && k < p->count; k++) graph->network.values[p->offset + k] = 1;
    }
}

static srq_status prepare(srq_graph *graph)
{
    graph->pass.bad = -1;
    for (int i = 0; i < graph->layer_count; i++)
        if (graph->layers[i].op->prepare) {
            graph->layers[i].op->prepare(&graph->layers[i], &graph->pass);
            srq_pass_done(&graph->pass, &graph->layers[i], SRQ_PHASE_PREPARE);
        }
    if (graph->pass.bad < 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN,
                    "layer \"%s\": its weights hold an infinity or NaN; use a lower optimizer.learning_rate",
                    graph->spec->layers[graph->pass.bad].name);
}

srq_status srq_graph_prepare(srq_graph *graph)
{
    graph->pass.training = false;
    return prepare(graph);
}

/* With annealing, the schedule sets sigma. */
static void set_sigma(srq_graph *graph, float ratio)
{
    for (int i = 0; i < graph->layer_count; i++) {
        const srq_layer *layer = &graph->layers[i];
        if (layer->sigma < 0) continue;
        const srq_parameter *alpha = &graph->network.parameters[layer->alpha],
                            *sigma = &graph->network.parameters[layer->sigma];
        for (size_t k = 0; k < sigma->count; k++)
            graph->network.values[sigma->offset + k] = ratio * graph->network.values[alpha->offset + k];
    }
}

srq_status srq_graph_begin_step(srq_graph *graph, const srq_step *step)
{
    graph->pass.training = true;
    graph->pass.seed = step->seed;
    graph->pass.step = step->number;
    graph->pass.gates_held = step->gates_held;
    graph->pass.label_smoothing = step->label_smoothing;
    if (step->sigma_ratio > 0) set_sigma(graph, step->sigma_ratio);
    return prepare(graph);
}

/* Makes the float32 copy of a layer's codes, for operators that do not read codes. */
static void widen_output(const srq_graph *graph, const srq_layer *layer, const srq_pass *pass)
{
    const srq_tensor *copy = &graph->widened[layer->index];
    if (!copy->features) return;
    const size_t count = (size_t)pass->n * copy->features;
    const float alpha = layer->output.scale;
    const void *codes = srq_pass_output(pass, layer);
    float *y = srq_pass_floats(pass, copy->place);
    if (layer->output.dtype == SRQ_UINT8)
        pass->vector->widen_u8(count, codes, y);
    else
        pass->vector->widen_s8(count, codes, y);
    for (size_t i = 0; i < count; i++) y[i] *= alpha;
}

static void run_forward(const srq_graph *graph, const srq_layer *layer, srq_pass *pass)
{
    if (layer->chain)
        srq_chain_forward(layer->chain, pass);
    else
        layer->op->forward(layer, pass);
    widen_output(graph, layer, pass);
    srq_pass_done(pass, layer, SRQ_PHASE_FORWARD);
}

static void forward(const srq_graph *graph, srq_pass *pass)
{
    for (int i = 0; i < graph->layer_count; i++)
        if (runs(&graph->layers[i])) run_forward(graph, &graph->layers[i], pass);
}

/* The first user of an output has written its gradient. Adds the gradients of all other users. */
static void sum_gradients(const srq_graph *graph, const srq_layer *layer, const srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    float *sum = srq_pass_output_gradient(pass, layer);
    for (int i = layer->index + 1; i < graph->layer_count; i++)
        for (int k = 0; k < source_count(&graph->layers[i]); k++) {
            const float *other = srq_pass_input_gradient(pass, &graph->layers[i], k);
            if (source(&graph->layers[i], k) == layer->index && other != sum) pass->vector->add(count, sum, other);
        }
}

static void backward(const srq_graph *graph, srq_pass *pass)
{
    for (int i = graph->layer_count - 1; i >= 0; i--) {
        const srq_layer *layer = &graph->layers[i];
        if (!runs(layer)) continue;
        sum_gradients(graph, layer, pass);
        if (layer->chain)
            srq_chain_backward(layer->chain, pass);
        else
            layer->op->backward(layer, pass);
        if (layer->weight < 0) srq_pass_done(pass, layer, SRQ_PHASE_BACKWARD);
        /* A chain runs with its last layer, so the gradients of all later layers are final as well. */
        if (pass->ready) pass->ready(pass->ready_context, layer->offset);
    }
}

void srq_graph_on_ready(srq_graph *graph, void (*ready)(void *context, size_t offset), void *context)
{
    graph->pass.ready = ready;
    graph->pass.ready_context = context;
}

/* A forward pass in which each quantizer initializes its step size from its input before it runs. */
static srq_status start_layers(srq_graph *graph, srq_pass *pass)
{
    for (int i = 0; i < graph->layer_count; i++) {
        srq_layer *layer = &graph->layers[i];
        if (!runs(layer)) continue;
        if (layer->chain)
            SRQ_TRY(srq_chain_start(layer->chain, pass));
        else if (layer->op->start)
            SRQ_TRY(layer->op->start(layer, pass));
        run_forward(graph, layer, pass);
    }
    return SRQ_OK;
}

/* Runs such a pass of n images as in evaluation, except that batch-norm uses the statistics of the batch. */
static srq_status look(srq_graph *graph, int n)
{
    srq_pass *pass = &graph->pass;
    pass->n = n;
    pass->gradient = NULL;
    SRQ_TRY(srq_graph_prepare(graph));
    pass->training = true;
    srq_status status = start_layers(graph, pass);
    pass->training = false;
    SRQ_TRY(status);
    if (pass->bad < 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "layer \"%s\" produces an infinity or NaN in the first batch; look at the data set",
                    graph->spec->layers[pass->bad].name);
}

srq_status srq_graph_start(srq_graph *graph, int n)
{
    graph->pass.starting = true;
    srq_status status = look(graph, n);
    graph->pass.starting = false;
    return status;
}

int srq_graph_take_statistics(srq_graph *graph, int n, int before, float *scratch)
{
    srq_pass *pass = &graph->pass;
    pass->n = n;
    pass->share = 1;
    pass->gradient = scratch;
    pass->training = true;
    pass->bad = -1;
    forward(graph, pass);
    pass->training = false;
    for (int i = 0; i < graph->network.parameter_count; i++) {
        const srq_parameter *p = &graph->network.parameters[i];
        if (p->kind != SRQ_PARAMETER_STATISTIC) continue;
        float *mean = graph->network.values + p->offset;
        for (size_t k = 0; k < p->count; k++)
            mean[k] = before == 0 ? scratch[p->offset + k]
                                  : mean[k] + (scratch[p->offset + k] - mean[k]) / (float)(before + 1);
    }
    return pass->bad;
}

void srq_graph_follow_gates(srq_graph *graph)
{
    for (int i = 0; i < graph->layer_count; i++) srq_layer_follow_gates(&graph->layers[i]);
}

void srq_graph_set_bits(srq_graph *graph, int layer, int bits)
{
    srq_quantizer_set_bits(&graph->layers[layer].quantizer, bits, bits);
}

srq_status srq_graph_change_bits(srq_graph *graph, int n, const int *bits)
{
    for (int i = 0; i < graph->layer_count; i++) graph->layers[i].next_bits = bits[i];
    graph->pass.changing = true;
    srq_status status = look(graph, n);
    graph->pass.changing = false;
    for (int i = 0; i < graph->layer_count; i++) graph->layers[i].next_bits = 0;
    return status;
}

int srq_graph_train(srq_graph *graph, int shard, int n, const int32_t *labels, int batch, float *gradient,
                    srq_metrics *metrics)
{
    *metrics = (srq_metrics){.count = n};
    if (n == 0) {
        memset(gradient, 0, graph->network.size * sizeof *gradient);
        return -1;
    }
    srq_pass *pass = &graph->pass;
    pass->n = n;
    pass->shard = shard;
    pass->training = true;
    pass->share = (float)n / (float)batch;
    pass->gradient = gradient;
    pass->bad = -1;
    forward(graph, pass);
    srq_softmax_loss(n, srq_graph_classes(graph), srq_graph_logits(graph), labels, (double)pass->label_smoothing,
                     1.0f / (float)batch, srq_pass_floats(pass, graph->logit_gradient), &metrics->loss,
                     &metrics->correct);
    if (pass->bad < 0 && !isfinite(metrics->loss)) pass->bad = graph->layer_count - 1;
    backward(graph, pass);
    pass->training = false;
    return pass->bad;
}

int srq_graph_evaluate(srq_graph *graph, int n, const int32_t *labels, srq_metrics *metrics)
{
    *metrics = (srq_metrics){.count = n};
    srq_pass *pass = &graph->pass;
    pass->n = n;
    pass->training = false;
    pass->bad = -1;
    forward(graph, pass);
    srq_softmax_loss(n, srq_graph_classes(graph), srq_graph_logits(graph), labels, 0, 0, NULL, &metrics->loss,
                     &metrics->correct);
    if (pass->bad < 0 && !isfinite(metrics->loss)) pass->bad = graph->layer_count - 1;
    return pass->bad;
}
