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

void srq_graph_move_values(srq_graph *graph, float *values)
{
    srq_network *network = &graph->network;
    memcpy(values, network->values, network->size * sizeof *values);
    if (!network->values_are_foreign) free(network->values);
    network->values = values;
    network->values_are_foreign = true;
    for (int i = 0; i < graph->pass_count; i++) graph->passes[i].values = values;
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
                          .passes = network->pass_size * (size_t)graph->pass_count,
                          .scratch = network->scratch_size * (size_t)graph->worker_count};
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

int srq_graph_slices(const srq_graph *graph)
{
    return graph->slices;
}

int srq_graph_lanes(const srq_graph *graph)
{
    return graph->lane_count;
}

int srq_graph_passes(const srq_graph *graph)
{
    return graph->pass_count < graph->worker_count ? graph->pass_count : graph->worker_count;
}

srq_workers *srq_graph_workers(const srq_graph *graph)
{
    return graph->options.workers;
}

srq_pass *srq_graph_pass(srq_graph *graph)
{
    return &graph->passes[0];
}

srq_pass srq_graph_pass_of(const srq_graph *graph, int worker)
{
    return (srq_pass){.vector = graph->network.vector,
                      .values = graph->network.values,
                      .slices = 1,
                      .bad = -1,
                      .worker = worker,
                      .scratch = graph->scratch[worker]};
}

float *srq_graph_input_of(srq_graph *graph, int pass)
{
    return srq_pass_floats(&graph->passes[pass], graph->images.place);
}

float *srq_graph_input(srq_graph *graph)
{
    return srq_graph_input_of(graph, 0);
}

void srq_graph_set_images(srq_graph *graph, int lane, int n, const float *images)
{
    const size_t features = graph->images.features;
    for (int s = 0; s < graph->slices; s++) {
        const int first = slice_start(graph, n, s), end = slice_start(graph, n, s + 1);
        memcpy(srq_graph_input_of(graph, lane * graph->slices + s), images + (size_t)first * features,
               (size_t)(end - first) * features * sizeof *images);
    }
}

const float *srq_graph_logits_of(const srq_graph *graph, int pass)
{
    return srq_pass_output(&graph->passes[pass], &graph->layers[graph->layer_count - 1]);
}

const float *srq_graph_logits(const srq_graph *graph)
{
    return srq_graph_logits_of(graph, 0);
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

/* Workers prepare layers, each the next one that is left. */
typedef struct preparation {
    srq_graph *graph;
    atomic_int next; /* index in graph->order */
    atomic_int bad;  /* the first layer with an infinity or NaN, or the number of layers */
} preparation;

static void note_bad(preparation *p, int bad)
{
    int before = atomic_load(&p->bad);
    while (bad >= 0 && bad < before && !atomic_compare_exchange_weak(&p->bad, &before, bad)) continue;
}

static void prepare_layers(void *context, int worker)
{
    preparation *p = context;
    srq_graph *graph = p->graph;
    for (;;) {
        const int at = atomic_fetch_add(&p->next, 1);
        if (at >= graph->layer_count) return;
        srq_layer *layer = &graph->layers[graph->order[at]];
        if (!layer->op->prepare) continue;
        srq_pass pass = graph->passes[0]; /* with the settings of the step */
        pass.worker = worker;
        pass.scratch = graph->scratch[worker];
        pass.bad = -1;
        layer->op->prepare(layer, &pass);
        note_bad(p, pass.bad);
        if (worker == 0) srq_pass_done(&pass, layer, SRQ_PHASE_PREPARE);
    }
}

static srq_status prepare(srq_graph *graph)
{
    preparation p = {.graph = graph};
    atomic_init(&p.next, 0);
    atomic_init(&p.bad, graph->layer_count);
    srq_workers_run(graph->options.workers, prepare_layers, &p);
    const int bad = atomic_load(&p.bad);
    if (bad == graph->layer_count) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN,
                    "layer \"%s\": its weights hold an infinity or NaN; use a lower optimizer.learning_rate",
                    graph->spec->layers[bad].name);
}

srq_status srq_graph_prepare(srq_graph *graph)
{
    set_training(graph, false);
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
    for (int i = 0; i < graph->pass_count; i++) {
        srq_pass *pass = &graph->passes[i];
        pass->training = true;
        pass->seed = step->seed;
        pass->step = step->number;
        pass->gates_held = step->gates_held;
        pass->label_smoothing = step->label_smoothing;
    }
    if (step->sigma_ratio > 0) set_sigma(graph, step->sigma_ratio);
    return prepare(graph);
}

void srq_graph_follow_gates(srq_graph *graph)
{
    for (int i = 0; i < graph->layer_count; i++) srq_layer_follow_gates(&graph->layers[i]);
}

srq_status srq_graph_set_statistics(srq_graph *graph, const float *mean, const float *std)
{
    const size_t channels = (size_t)graph->spec->channels;
    float *copy = mean ? malloc(2 * channels * sizeof *copy) : NULL;
    if (mean && !copy) return srq_fail_memory(2 * channels * sizeof *copy, "the mean and standard deviation of pixels");
    if (mean) memcpy(copy, mean, channels * sizeof *copy);
    if (mean) memcpy(copy + channels, std, channels * sizeof *copy);
    free(graph->statistics);
    graph->statistics = copy;
    return SRQ_OK;
}

const float *srq_graph_mean(const srq_graph *graph)
{
    return graph->statistics;
}

const float *srq_graph_std(const srq_graph *graph)
{
    return graph->statistics ? graph->statistics + graph->spec->channels : NULL;
}

void srq_graph_set_bits(srq_graph *graph, int layer, int bits)
{
    srq_quantizer_set_bits(&graph->layers[layer].quantizer, bits, bits);
}
