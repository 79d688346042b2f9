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
    srq_pass pass = graph->passes[0];
    pass.worker = worker;
    pass.scratch = graph->scratch[worker];
    return pass;
}

float *srq_graph_input_of(srq_graph *graph, int pass)
{
    return srq_pass_floats(&graph->passes[pass], graph->images.place);
}

float *srq_graph_input(srq_graph *graph)
{
    return srq_graph_input_of(graph, 0);
}

/* The first image of a slice. */
static int slice_start(const srq_graph *graph, int n, int slice)
{
    return (int)((long)n * slice / graph->slices);
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
        srq_pass pass = srq_graph_pass_of(graph, worker);
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

static void set_training(srq_graph *graph, bool training)
{
    for (int i = 0; i < graph->pass_count; i++) graph->passes[i].training = training;
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

/* The slices that a worker runs together: passes [first, last) of its lane. */
typedef struct part {
    srq_graph *graph;
    srq_graph_lane *lane; /* NULL: nobody to wait for */
    srq_pass *first, *last;
} part;

static bool measures(const srq_layer *layer)
{
    return layer->chain ? srq_chain_measures(layer->chain) : layer->op->measure != NULL;
}

/* Every slice computes its sums; then all workers of the lane wait for each other. */
static void measure(const part *p, const srq_layer *layer)
{
    for (srq_pass *pass = p->first; pass < p->last; pass++)
        if (layer->chain)
            srq_chain_measure(layer->chain, pass);
        else
            layer->op->measure(layer, pass);
    if (p->lane) srq_barrier_wait(&p->lane->meeting);
}

static void forward(const part *p)
{
    for (int i = 0; i < p->graph->layer_count; i++) {
        const srq_layer *layer = &p->graph->layers[i];
        if (!runs(layer)) continue;
        if (measures(layer) && p->first->training) measure(p, layer);
        for (srq_pass *pass = p->first; pass < p->last; pass++)
            if (pass->n) run_forward(p->graph, layer, pass);
    }
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

static void run_backward(const srq_layer *layer, srq_pass *pass)
{
    if (layer->chain)
        srq_chain_backward(layer->chain, pass);
    else
        layer->op->backward(layer, pass);
    if (layer->weight < 0) srq_pass_done(pass, layer, SRQ_PHASE_BACKWARD);
}

static void measure_backward(const part *p, const srq_layer *layer)
{
    for (srq_pass *pass = p->first; pass < p->last; pass++)
        if (layer->chain)
            srq_chain_measure_backward(layer->chain, pass);
        else
            layer->op->measure_backward(layer, pass);
    if (p->lane) srq_barrier_wait(&p->lane->meeting);
}

static void backward(const part *p)
{
    for (int i = p->graph->layer_count - 1; i >= 0; i--) {
        const srq_layer *layer = &p->graph->layers[i];
        if (!runs(layer)) continue;
        for (srq_pass *pass = p->first; pass < p->last; pass++)
            if (pass->n) sum_gradients(p->graph, layer, pass);
        if (measures(layer)) measure_backward(p, layer);
        for (srq_pass *pass = p->first; pass < p->last; pass++) {
            if (pass->n) run_backward(layer, pass);
            /* A chain runs with its last layer, so the gradients of all later layers are final as well. */
            if (pass->ready) pass->ready(pass->ready_context, pass, layer->offset);
        }
    }
}

void srq_graph_on_ready(srq_graph *graph, void (*ready)(void *context, const srq_pass *pass, size_t offset),
                        void *context)
{
    for (int i = 0; i < graph->pass_count; i++) {
        graph->passes[i].ready = ready;
        graph->passes[i].ready_context = context;
    }
}

/* Lets worker `worker` run passes [first, last), which are slices of a shard of n images. */
static part set_part(srq_graph *graph, int worker, int first, int last, int n)
{
    for (int i = first; i < last; i++) {
        srq_pass *pass = &graph->passes[i];
        pass->worker = worker;
        pass->scratch = graph->scratch[worker];
        pass->n = slice_start(graph, n, pass->slice + 1) - slice_start(graph, n, pass->slice);
        pass->shard_n = n;
        pass->bad = -1;
        pass->observer = worker == 0 ? graph->options.observer : (srq_observer){0};
    }
    return (part){.graph = graph, .first = &graph->passes[first], .last = &graph->passes[last]};
}

/* The first layer with an infinity or NaN, or -1. */
static int first_bad(const part *p)
{
    int bad = -1;
    for (const srq_pass *pass = p->first; pass < p->last; pass++)
        if (pass->bad >= 0 && (bad < 0 || pass->bad < bad)) bad = pass->bad;
    return bad;
}

/* A forward pass in which each quantizer initializes its step size from its input before it runs. */
static srq_status start_layers(const part *p)
{
    for (int i = 0; i < p->graph->layer_count; i++) {
        srq_layer *layer = &p->graph->layers[i];
        if (!runs(layer)) continue;
        if (measures(layer)) measure(p, layer);
        if (layer->chain)
            SRQ_TRY(srq_chain_start(layer->chain, p->first));
        else if (layer->op->start)
            SRQ_TRY(layer->op->start(layer, p->first));
        for (srq_pass *pass = p->first; pass < p->last; pass++)
            if (pass->n) run_forward(p->graph, layer, pass);
    }
    return SRQ_OK;
}

/* Runs such a pass of the n images of lane 0, as in evaluation, except that batch-norm uses the statistics of the
 * shard.
 */
static srq_status look(srq_graph *graph, int n)
{
    const part p = set_part(graph, 0, 0, graph->slices, n);
    for (srq_pass *pass = p.first; pass < p.last; pass++) pass->gradient = NULL;
    SRQ_TRY(srq_graph_prepare(graph));
    set_training(graph, true);
    srq_status status = start_layers(&p);
    set_training(graph, false);
    SRQ_TRY(status);
    const int bad = first_bad(&p);
    if (bad < 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "layer \"%s\" produces an infinity or NaN in the first batch; look at the data set",
                    graph->spec->layers[bad].name);
}

/* Sets whether quantizers start, or change their bit-lengths, in the passes of lane 0. */
static void set_purpose(srq_graph *graph, bool starting, bool changing)
{
    for (int s = 0; s < graph->slices; s++) {
        graph->passes[s].starting = starting;
        graph->passes[s].changing = changing;
    }
}

srq_status srq_graph_start(srq_graph *graph, int n)
{
    set_purpose(graph, true, false);
    srq_status status = look(graph, n);
    set_purpose(graph, false, false);
    return status;
}

static bool is_statistic(const srq_parameter *p)
{
    return p->kind == SRQ_PARAMETER_STATISTIC;
}

/* A forward pass over the slices of lane 0, on its workers. The last slice writes the statistics. */
typedef struct look_again {
    srq_graph *graph;
    int n;
    float *statistics;
} look_again;

static part part_of(srq_graph *graph, int worker, int n)
{
    bool leads;
    const int index = srq_graph_lane_of(graph, worker, &leads);
    srq_graph_lane *lane = &graph->lanes[index];
    const int member = worker - lane->first, base = index * graph->slices;
    part p = set_part(graph, worker, base + graph->slices * member / lane->members,
                      base + graph->slices * (member + 1) / lane->members, n);
    p.lane = lane;
    return p;
}

static void forward_again(void *context, int worker)
{
    const look_again *l = context;
    bool leads;
    if (srq_graph_lane_of(l->graph, worker, &leads) != 0) return;
    const part p = part_of(l->graph, worker, l->n);
    for (srq_pass *pass = p.first; pass < p.last; pass++) {
        pass->share = 1;
        pass->gradient = srq_pass_writes(pass) ? l->statistics : NULL;
    }
    forward(&p);
}

int srq_graph_take_statistics(srq_graph *graph, int n, int before, float *scratch)
{
    look_again l = {.graph = graph, .n = n, .statistics = scratch};
    set_training(graph, true);
    srq_workers_run(graph->options.workers, forward_again, &l);
    set_training(graph, false);
    for (int i = 0; i < graph->network.parameter_count; i++) {
        const srq_parameter *p = &graph->network.parameters[i];
        if (!is_statistic(p)) continue;
        float *mean = graph->network.values + p->offset;
        for (size_t k = 0; k < p->count; k++)
            mean[k] = before == 0 ? scratch[p->offset + k]
                                  : mean[k] + (scratch[p->offset + k] - mean[k]) / (float)(before + 1);
    }
    const part all = {.first = graph->passes, .last = graph->passes + graph->slices};
    return first_bad(&all);
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
    set_purpose(graph, false, true);
    srq_status status = look(graph, n);
    set_purpose(graph, false, false);
    for (int i = 0; i < graph->layer_count; i++) graph->layers[i].next_bits = 0;
    return status;
}

int srq_graph_lane_of(const srq_graph *graph, int worker, bool *leads)
{
    for (int l = 0; l < graph->lane_count; l++) {
        const srq_graph_lane *lane = &graph->lanes[l];
        *leads = worker == lane->first;
        if (worker >= lane->first && worker < lane->first + lane->members) return l;
    }
    return -1;
}

void srq_graph_meet(srq_graph *graph, int lane)
{
    srq_barrier_wait(&graph->lanes[lane].meeting);
}

/* The loss of a slice, and the gradient of its logits. */
static void compute_loss(srq_graph *graph, const srq_shard *shard, srq_pass *pass)
{
    srq_metrics *metrics = &shard->metrics[pass->slice];
    const float *logits = srq_pass_output(pass, &graph->layers[graph->layer_count - 1]);
    *metrics = (srq_metrics){.count = pass->n};
    if (!pass->n) {
        memset(pass->gradient, 0, graph->network.size * sizeof *pass->gradient);
        return;
    }
    srq_softmax_loss(pass->n, srq_graph_classes(graph), logits,
                     shard->labels + slice_start(graph, shard->n, pass->slice), (double)pass->label_smoothing,
                     1.0f / (float)shard->batch, srq_pass_floats(pass, graph->logit_gradient), &metrics->loss,
                     &metrics->correct);
    if (pass->bad < 0 && !isfinite(metrics->loss)) pass->bad = graph->layer_count - 1;
}

void srq_graph_train_part(srq_graph *graph, int worker, const srq_shard *shard)
{
    const part p = part_of(graph, worker, shard->n);
    for (srq_pass *pass = p.first; pass < p.last; pass++) {
        pass->leaf = shard->number * graph->slices + pass->slice;
        pass->training = true;
        pass->share = (float)shard->n / (float)shard->batch;
        pass->gradient = shard->gradients[pass->slice];
    }
    if (shard->n) forward(&p);
    for (srq_pass *pass = p.first; pass < p.last; pass++) compute_loss(graph, shard, pass);
    if (shard->n) backward(&p);
    for (srq_pass *pass = p.first; pass < p.last; pass++) {
        if (pass->ready) pass->ready(pass->ready_context, pass, 0);
        shard->bad[pass->slice] = pass->bad;
        pass->training = false;
    }
}

int srq_graph_train(srq_graph *graph, int shard, int n, const int32_t *labels, int batch, float *gradient,
                    srq_metrics *metrics)
{
    int bad;
    const srq_shard whole = {.number = shard,
                             .n = n,
                             .batch = batch,
                             .labels = labels,
                             .gradients = &gradient,
                             .metrics = metrics,
                             .bad = &bad};
    srq_graph_train_part(graph, 0, &whole);
    return bad;
}

int srq_graph_evaluate_on(srq_graph *graph, int worker, int n, const int32_t *labels, srq_metrics *metrics)
{
    /* A pass of its own: the images of a slice are those of no shard. */
    srq_pass *pass = &graph->passes[worker];
    const part p = {.graph = graph, .first = pass, .last = pass + 1};
    *metrics = (srq_metrics){.count = n};
    pass->worker = worker;
    pass->scratch = graph->scratch[worker];
    pass->observer = worker == 0 ? graph->options.observer : (srq_observer){0};
    pass->n = pass->shard_n = n;
    pass->training = false;
    pass->bad = -1;
    forward(&p);
    srq_softmax_loss(n, srq_graph_classes(graph), srq_graph_logits_of(graph, worker), labels, 0, 0, NULL,
                     &metrics->loss, &metrics->correct);
    if (pass->bad < 0 && !isfinite(metrics->loss)) pass->bad = graph->layer_count - 1;
    return pass->bad;
}

int srq_graph_evaluate(srq_graph *graph, int n, const int32_t *labels, srq_metrics *metrics)
{
    return srq_graph_evaluate_on(graph, 0, n, labels, metrics);
}
