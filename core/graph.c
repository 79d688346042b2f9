#include "core/graph_parts.h"

#include "core/mask.h"
#include "core/ops/chain.h"
#include "core/ops/softmax_loss.h"
#include "core/ops/weighted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

srq_status srq_graph_create(const srq_model_spec *spec, const srq_graph_options *options, srq_graph **out)
{
    srq_isa isa;
    srq_kernels_pin_threads();
    if (options->isa)
        isa = *options->isa;
    else
        SRQ_TRY(srq_isa_here(&isa));
    SRQ_TRY(srq_kernels_limit(isa));
    srq_graph *graph = calloc(1, sizeof *graph);
    if (!graph) return srq_fail_memory(sizeof *graph, "the network");
    graph->spec = spec;
    graph->options = *options;
    graph->options.isa = NULL;
    graph->layer_count = spec->layer_count;
    graph->kernels = srq_kernels_find(options->engine ? options->engine : "auto");
    if (!graph->kernels) {
        free(graph);
        return srq_fail(SRQ_ERROR_USAGE,
                        "train.engine is \"%s\", which this CPU or this build does not have; use \"auto\" or "
                        "\"reference\"",
                        options->engine);
    }
    if (!graph->options.vector) graph->options.vector = srq_vector_of(isa);
    srq_status status = srq_graph_build(graph);
    if (status != SRQ_OK) {
        srq_graph_destroy(&graph);
        return status;
    }
    graph->pass = (srq_pass){.vector = graph->options.vector, .values = graph->values, .observer = options->observer};
    *out = graph;
    return SRQ_OK;
}

void srq_graph_destroy(srq_graph **graph)
{
    srq_graph *g = *graph;
    if (!g) return;
    for (int i = 0; g->layers && i < g->layer_count; i++) {
        free(g->layers[i].mask);
        if (g->layers[i].op && g->layers[i].op->destroy) g->layers[i].op->destroy(&g->layers[i]);
        srq_chain_destroy(&g->layers[i].chain);
    }
    free(g->layers);
    free(g->widened);
    free(g->parameters);
    free(g->requests);
    free(g->memory);
    free(g->values);
    free(g);
    *graph = NULL;
}

/* --- Looking into it */

int srq_graph_parameter_count(const srq_graph *graph)
{
    return graph->parameter_count;
}

const srq_parameter *srq_graph_parameter(const srq_graph *graph, int index)
{
    return &graph->parameters[index];
}

int srq_graph_find_parameter(const srq_graph *graph, const char *name)
{
    for (int i = 0; i < graph->parameter_count; i++)
        if (strcmp(graph->parameters[i].name, name) == 0) return i;
    return -1;
}

size_t srq_graph_size(const srq_graph *graph)
{
    return graph->size;
}

float *srq_graph_values(const srq_graph *graph)
{
    return graph->values;
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
    srq_graph_memory m = {.parameters = graph->size * sizeof *graph->values, .scratch = graph->scratch_size};
    size_t kept = 0; /* from before the first layer to after the last */
    for (int i = 0; i < graph->request_count; i++) {
        const srq_buffer *b = &graph->requests[i].buffer;
        if (b->birth == -1 && b->death == 2 * graph->layer_count + 1) kept += b->bytes;
    }
    kept -= graph->scratch_size + (size_t)graph->options.capacity * graph->images.features * sizeof(float);
    m.packed = kept;
    for (int i = 0; i < graph->layer_count; i++)
        if (graph->layers[i].weight >= 0) m.packed += srq_weighted_info(&graph->layers[i])->weights;
    m.passes = graph->memory_size - kept - graph->scratch_size;
    return m;
}

int srq_graph_capacity(const srq_graph *graph)
{
    return graph->options.capacity;
}

const srq_vector *srq_graph_vector(const srq_graph *graph)
{
    return graph->options.vector;
}

const srq_kernels *srq_graph_kernels(const srq_graph *graph)
{
    return graph->kernels;
}

float *srq_graph_input(srq_graph *graph)
{
    return (float *)graph->images.operand.data;
}

const float *srq_graph_logits(const srq_graph *graph)
{
    return graph->layers[graph->layer_count - 1].output.operand.data;
}

/* --- Running it */

void srq_graph_initialize(srq_graph *graph, uint64_t seed, double gain)
{
    memset(graph->values, 0, graph->size * sizeof *graph->values);
    for (int i = 0; i < graph->layer_count; i++)
        if (graph->layers[i].op->initialize) graph->layers[i].op->initialize(graph, &graph->layers[i], seed, gain);
    srq_graph_apply_masks(graph);
    /* Until srq_graph_start has seen data: a step size that is at least valid. */
    for (int i = 0; i < graph->parameter_count; i++) {
        const srq_parameter *p = &graph->parameters[i];
        bool positive = p->kind == SRQ_PARAMETER_ALPHA || p->kind == SRQ_PARAMETER_SIGMA;
        for (size_t k = 0; positive && k < p->count; k++) graph->values[p->offset + k] = 1;
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

/* Annealed: sigma is what the schedule says. */
static void set_sigma(srq_graph *graph, float ratio)
{
    for (int i = 0; i < graph->layer_count; i++) {
        const srq_layer *layer = &graph->layers[i];
        if (layer->sigma < 0) continue;
        const srq_parameter *alpha = &graph->parameters[layer->alpha], *sigma = &graph->parameters[layer->sigma];
        for (size_t k = 0; k < sigma->count; k++)
            graph->values[sigma->offset + k] = ratio * graph->values[alpha->offset + k];
    }
}

srq_status srq_graph_begin_step(srq_graph *graph, const srq_step *step)
{
    graph->pass.training = true;
    graph->pass.seed = step->seed;
    graph->pass.step = step->number;
    graph->pass.gates_held = step->gates_held;
    if (step->sigma_ratio > 0) set_sigma(graph, step->sigma_ratio);
    return prepare(graph);
}

/* The float32 copy of a layer's codes, for operators that do not read codes. */
static void widen_output(const srq_graph *graph, const srq_layer *layer, int n)
{
    const srq_tensor *copy = &graph->widened[layer->index];
    if (!copy->features) return;
    const size_t count = (size_t)n * copy->features;
    const float alpha = layer->output.operand.scale;
    float *y = (float *)copy->operand.data;
    if (layer->output.operand.dtype == SRQ_UINT8)
        graph->options.vector->widen_u8(count, layer->output.operand.data, y);
    else
        graph->options.vector->widen_s8(count, layer->output.operand.data, y);
    for (size_t i = 0; i < count; i++) y[i] *= alpha;
}

static void forward(srq_graph *graph)
{
    for (int i = 0; i < graph->layer_count; i++) {
        srq_layer *layer = &graph->layers[i];
        if (!runs(layer)) continue;
        if (layer->chain)
            srq_chain_forward(layer->chain, &graph->pass);
        else
            layer->op->forward(layer, &graph->pass);
        widen_output(graph, layer, graph->pass.n);
        srq_pass_done(&graph->pass, layer, SRQ_PHASE_FORWARD);
    }
}

/* Adds what every other user found to the gradient kept by the first. */
static void sum_gradients(const srq_graph *graph, const srq_layer *layer)
{
    const size_t count = (size_t)graph->pass.n * layer->output.features;
    float *sum = (float *)layer->output_gradient;
    for (int i = layer->index + 1; i < graph->layer_count; i++)
        for (int k = 0; k < source_count(&graph->layers[i]); k++) {
            const float *other = graph->layers[i].input_gradients[k];
            if (source(&graph->layers[i], k) == layer->index && other != sum)
                graph->options.vector->add(count, sum, other);
        }
}

static void backward(srq_graph *graph)
{
    for (int i = graph->layer_count - 1; i >= 0; i--) {
        srq_layer *layer = &graph->layers[i];
        if (!runs(layer)) continue;
        sum_gradients(graph, layer);
        if (layer->chain)
            srq_chain_backward(layer->chain, &graph->pass);
        else
            layer->op->backward(layer, &graph->pass);
        if (layer->weight < 0) srq_pass_done(&graph->pass, layer, SRQ_PHASE_BACKWARD);
        /* Chains run with their last layer, so what layers behind this one have is there as well. */
        if (graph->pass.ready) graph->pass.ready(graph->pass.ready_context, layer->offset);
    }
}

void srq_graph_on_ready(srq_graph *graph, void (*ready)(void *context, size_t offset), void *context)
{
    graph->pass.ready = ready;
    graph->pass.ready_context = context;
}

/* A forward pass of n images in which quantizers take their step sizes from what they see: as in evaluation, but
 * batch-norm by the batch's own statistics. */
static srq_status look(srq_graph *graph, int n)
{
    graph->pass.n = n;
    graph->pass.gradient = NULL;
    SRQ_TRY(srq_graph_prepare(graph));
    graph->pass.training = true;
    graph->pass.failed = SRQ_OK;
    forward(graph);
    graph->pass.training = false;
    SRQ_TRY(graph->pass.failed);
    if (graph->pass.bad < 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "layer \"%s\" meets an infinity or NaN in the first batch; look at the data set",
                    graph->spec->layers[graph->pass.bad].name);
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
    forward(graph);
    pass->training = false;
    for (int i = 0; i < graph->parameter_count; i++) {
        const srq_parameter *p = &graph->parameters[i];
        if (p->kind != SRQ_PARAMETER_STATISTIC) continue;
        float *mean = graph->values + p->offset;
        for (size_t k = 0; k < p->count; k++)
            mean[k] = before == 0 ? scratch[p->offset + k]
                                  : mean[k] + (scratch[p->offset + k] - mean[k]) / (float)(before + 1);
    }
    return pass->bad;
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
        memset(gradient, 0, graph->size * sizeof *gradient);
        return -1;
    }
    srq_pass *pass = &graph->pass;
    pass->n = n;
    pass->shard = shard;
    pass->training = true;
    pass->share = (float)n / (float)batch;
    pass->gradient = gradient;
    pass->bad = -1;
    forward(graph);
    srq_softmax_loss(n, srq_graph_classes(graph), srq_graph_logits(graph), labels, 1.0f / (float)batch,
                     graph->logit_gradient, &metrics->loss, &metrics->correct);
    if (pass->bad < 0 && !isfinite(metrics->loss)) pass->bad = graph->layer_count - 1;
    backward(graph);
    pass->training = false;
    return pass->bad;
}

int srq_graph_evaluate(srq_graph *graph, int n, const int32_t *labels, srq_metrics *metrics)
{
    *metrics = (srq_metrics){.count = n};
    graph->pass.n = n;
    graph->pass.training = false;
    graph->pass.bad = -1;
    forward(graph);
    srq_softmax_loss(n, srq_graph_classes(graph), srq_graph_logits(graph), labels, 0, NULL, &metrics->loss,
                     &metrics->correct);
    if (graph->pass.bad < 0 && !isfinite(metrics->loss)) graph->pass.bad = graph->layer_count - 1;
    return graph->pass.bad;
}
