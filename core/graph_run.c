/* Passes over a graph: the slices of a shard go from layer to layer together (core/pass.h). */
#include "core/graph_parts.h"

#include "core/ops/chain.h"
#include "core/ops/softmax_loss.h"

#include <math.h>
#include <string.h>

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

void srq_graph_set_fraction(srq_graph *graph, int fraction)
{
    graph->network.fraction = fraction;
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
    pass->exact = true;
    pass->bad = -1;
    forward(&p);
    pass->exact = false;
    srq_softmax_loss(n, srq_graph_classes(graph), srq_graph_logits_of(graph, worker), labels, 0, 0, NULL,
                     &metrics->loss, &metrics->correct);
    if (pass->bad < 0 && !isfinite(metrics->loss)) pass->bad = graph->layer_count - 1;
    return pass->bad;
}

int srq_graph_evaluate(srq_graph *graph, int n, const int32_t *labels, srq_metrics *metrics)
{
    return srq_graph_evaluate_on(graph, 0, n, labels, metrics);
}
