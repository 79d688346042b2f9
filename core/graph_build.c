#include "core/graph_parts.h"

#include "core/kernels/engine.h"
#include "core/memory.h"
#include "core/ops/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Building */

static int find_layer(const srq_graph *graph, const char *name, int before)
{
    for (int i = 0; i < before; i++)
        if (strcmp(graph->spec->layers[i].name, name) == 0) return i;
    return -1;
}

static srq_status connect_input(srq_graph *graph, srq_layer *layer, int k)
{
    const char *name = layer->spec->inputs[k];
    int producer = find_layer(graph, name, layer->index);
    layer->producers[k] = producer;
    if (producer < 0) {
        if (strcmp(name, "input") != 0)
            return srq_fail(SRQ_ERROR_USAGE,
                            "input \"%s\" is not an earlier layer; use the name of an earlier layer, or \"input\"",
                            name);
        layer->inputs[k] = &graph->images;
        return SRQ_OK;
    }
    const srq_tensor *output = &graph->layers[producer].output;
    bool widen = output->dtype != SRQ_FLOAT32 && !layer->op->reads_codes;
    if (widen) {
        graph->widened[producer] = *output;
        graph->widened[producer].dtype = SRQ_FLOAT32;
        graph->widened[producer].scale = 1;
    }
    layer->inputs[k] = widen ? &graph->widened[producer] : output;
    return SRQ_OK;
}

/* Checks the numbers of an image, and those of all images of a pass as float32. */
static srq_status check_tensor(const srq_graph *graph, const srq_tensor *t, const char *name)
{
    char what[128];
    const size_t sizes[5] = {(size_t)t->height, (size_t)t->width, (size_t)t->channels, (size_t)graph->network.capacity,
                             sizeof(float)};
    snprintf(what, sizeof what, "%s of %d x %d x %d numbers an image", name, t->height, t->width, t->channels);
    SRQ_TRY(srq_network_check_product(3, sizes, SRQ_NUMBERS_MAX, what));
    snprintf(what, sizeof what, "%s of %d images of %d x %d x %d numbers in bytes", name, graph->network.capacity,
             t->height, t->width, t->channels);
    SRQ_TRY(srq_network_check_product(5, sizes, SRQ_BUFFER_BYTES_MAX, what));
    /* Kernels count them in an int. */
    const size_t pixels[3] = {sizes[3], sizes[0], sizes[1]};
    snprintf(what, sizeof what, "%s of %d images of %d x %d pixels", name, graph->network.capacity, t->height,
             t->width);
    return srq_network_check_product(3, pixels, SRQ_NUMBERS_MAX, what);
}

static srq_status create_layer(srq_graph *graph, int index)
{
    srq_layer *layer = &graph->layers[index];
    const srq_layer_spec *spec = &graph->spec->layers[index];
    *layer = (srq_layer){.spec = spec,
                         .network = &graph->network,
                         .index = index,
                         .offset = graph->network.size,
                         .output_gradient = SRQ_NOWHERE,
                         .input_count = spec->input_count,
                         .alpha = -1,
                         .sigma = -1,
                         .gates = -1,
                         .weight = -1,
                         .bias = -1};
    layer->op = srq_op_find(spec->type);
    if (!layer->op) return srq_fail(SRQ_ERROR_USAGE, "no layer type is called \"%s\"", spec->type);
    if (spec->input_count < layer->op->min_inputs || spec->input_count > layer->op->max_inputs)
        return srq_fail(SRQ_ERROR_USAGE, "%d inputs, but a layer of type %s takes %d to %d", spec->input_count,
                        spec->type, layer->op->min_inputs, layer->op->max_inputs);
    for (int k = 0; k < SRQ_INPUTS_MAX; k++) layer->input_gradients[k] = SRQ_NOWHERE;
    for (int k = 0; k < layer->input_count; k++) SRQ_TRY(connect_input(graph, layer, k));
    SRQ_TRY(layer->op->create(layer));
    srq_tensor *out = &layer->output;
    SRQ_TRY(check_tensor(graph, out, "the output"));
    out->features = (size_t)out->height * (size_t)out->width * (size_t)out->channels;
    if (out->scale == 0) out->scale = 1;
    return SRQ_OK;
}

static srq_status create_layers(srq_graph *graph)
{
    for (int i = 0; i < graph->layer_count; i++) {
        srq_status status = create_layer(graph, i);
        const srq_layer_spec *spec = &graph->spec->layers[i];
        if (status != SRQ_OK) return srq_fail_in(status, "%s: layer \"%s\"", spec->origin, spec->name);
    }
    const srq_tensor *logits = &graph->layers[graph->layer_count - 1].output;
    if (logits->dtype != SRQ_FLOAT32 || logits->height != 1 || logits->width != 1 || logits->channels < 2) {
        const srq_layer_spec *spec = &graph->spec->layers[graph->layer_count - 1];
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: the last layer, \"%s\", gives %d x %d x %d numbers an image (height x width x channels) "
                        "but must give 1 x 1 x classes logits; end with a dense layer",
                        spec->origin, spec->name, logits->height, logits->width, logits->channels);
    }
    return SRQ_OK;
}

/* --- Chains */

/* The users of a layer's output: how many inputs read it, and the first two layers. */
typedef struct users {
    int count;
    srq_layer *layers[2];
} users;

static users find_users(const srq_graph *graph, int producer)
{
    users u = {.count = 0};
    for (int i = producer + 1; i < graph->layer_count; i++)
        for (int k = 0; k < graph->layers[i].input_count; k++) {
            if (graph->layers[i].producers[k] != producer) continue;
            if (u.count < 2) u.layers[u.count] = &graph->layers[i];
            u.count++;
        }
    return u;
}

static srq_layer *only_user(const srq_graph *graph, int producer)
{
    const users u = find_users(graph, producer);
    return u.count == 1 ? u.layers[0] : NULL;
}

enum { CHAIN_MAX = 4 };

typedef struct members {
    int count;
    srq_layer *layers[CHAIN_MAX];
} members;

/* Whether an `add` of two inputs can be in a chain that makes one of them. The gradient of the other is summed over its
 * users in the order of layers; the chain runs later than the add did, which has no effect on the sum of two. */
static bool adds_one(const srq_graph *graph, const srq_layer *add, int main)
{
    if (add->op->stage != SRQ_CHAIN_ADD || add->input_count != 2) return false;
    const int side = add->producers[add->producers[0] == main];
    return side < 0 || find_users(graph, side).count <= 2;
}

/* The next layer of a chain. Usually, it is the only user of the last one. A quantizer can also be one of two users, if
 * the other one runs after it: the chain then writes what they read, too, and `tapped` is set. */
static srq_layer *next_member(const srq_graph *graph, const members *m, bool *tapped)
{
    const srq_layer *last = m->layers[m->count - 1];
    const users u = find_users(graph, last->index);
    srq_layer *next = u.layers[0];
    *tapped = u.count == 2;
    if (u.count < 1 || u.count > 2 || next->in_chain || next->chain) return NULL;
    if (*tapped)
        return next->quantizer.method && srq_chain_taps((const srq_layer *const *)m->layers, m->count) ? next : NULL;
    return next->input_count == 1 || adds_one(graph, next, last->index) ? next : NULL;
}

/* Finds the layers of a chain that begins with `layer`. */
static members find_chain(const srq_graph *graph, srq_layer *layer)
{
    members m = {.count = 0};
    bool tapped = false;
    while (layer && m.count < CHAIN_MAX && srq_chain_takes((const srq_layer *const *)m.layers, m.count, layer)) {
        if (tapped && layer->op->stage != SRQ_CHAIN_QUANTIZE) break;
        if (tapped) m.layers[m.count - 1]->tapped = true;
        m.layers[m.count++] = layer;
        layer = next_member(graph, &m, &tapped);
    }
    return m;
}

static srq_status make_chain(srq_graph *graph, const members *m)
{
    srq_layer *first = m->layers[0], *last = m->layers[m->count - 1], *producer = &graph->layers[first->producers[0]];
    const bool defers = producer->weight >= 0 && only_user(graph, producer->index) == first;
    last->chain_inputs[0] = first->inputs[0];
    last->chain_producers[0] = first->producers[0];
    last->chain_input_count = 1;
    for (int i = 0; i < m->count; i++) {
        const srq_layer *layer = m->layers[i];
        if (layer->op->stage == SRQ_CHAIN_ADD) {
            const int side = layer->producers[0] == m->layers[i - 1]->index;
            last->chain_inputs[1] = layer->inputs[side];
            last->chain_producers[1] = layer->producers[side];
            last->chain_input_count = 2;
        }
        m->layers[i]->in_chain = layer != last;
        m->layers[i]->chain_end = last->index;
    }
    producer->deferred = defers;
    return srq_chain_create(m->layers, m->count, defers ? producer : NULL, &last->chain);
}

static srq_status make_chains(srq_graph *graph)
{
    for (int i = 0; i < graph->layer_count; i++) {
        srq_layer *layer = &graph->layers[i];
        if (layer->in_chain || layer->chain || layer->input_count != 1 || layer->producers[0] < 0) continue;
        const members m = find_chain(graph, layer);
        if (m.count > 0) SRQ_TRY(make_chain(graph, &m));
    }
    return SRQ_OK;
}

static bool keeps_input(const srq_layer *layer)
{
    return layer->chain || layer->op->keeps_input;
}

/* The time until which the output of layer `producer` (or its float32 copy) is read. */
static int last_use(const srq_graph *graph, int producer, const srq_tensor *tensor)
{
    int last = producer;
    for (int i = 0; i < graph->layer_count; i++)
        for (int k = 0; k < source_count(&graph->layers[i]); k++) {
            if (source_tensor(&graph->layers[i], k) != tensor) continue;
            int use = keeps_input(&graph->layers[i]) ? srq_network_backward_time(&graph->network, i) : i;
            if (use > last) last = use;
        }
    return last;
}

/* What a chain writes besides its last output, from then to its backward pass, which reads it. */
static srq_status reserve_tap(srq_graph *graph, srq_layer *layer)
{
    srq_network *network = &graph->network;
    if (!layer->tapped) return SRQ_OK;
    const int backward = srq_network_backward_time(network, layer->chain_end);
    const int last = last_use(graph, layer->chain_end, &layer->output);
    return srq_network_reserve_for(network, layer->chain_end, last > backward ? last : backward,
                                   (size_t)network->capacity * layer->output.features * sizeof(float),
                                   &layer->output.place);
}

static srq_status reserve_outputs(srq_graph *graph)
{
    srq_network *network = &graph->network;
    const size_t capacity = (size_t)network->capacity;
    for (int i = 0; i < graph->layer_count; i++) {
        srq_layer *layer = &graph->layers[i];
        srq_tensor *out = &layer->output, *copy = &graph->widened[i];
        SRQ_TRY(reserve_tap(graph, layer));
        if (!runs(layer)) continue;
        int death = last_use(graph, i, out);
        if (layer->op->keeps_output && !layer->chain) death = srq_network_backward_time(network, i);
        if (i == graph->layer_count - 1) death = srq_network_end(network); /* the caller may read the logits */
        SRQ_TRY(srq_network_reserve_for(network, i, death, capacity * out->features * srq_dtype_size(out->dtype),
                                        &out->place));
        if (copy->features)
            SRQ_TRY(srq_network_reserve_for(network, i, last_use(graph, i, copy),
                                            capacity * copy->features * sizeof(float), &copy->place));
    }
    return srq_network_reserve_for(network, -1, srq_network_end(network),
                                   capacity * graph->images.features * sizeof(float), &graph->images.place);
}

static srq_status reserve_gradients(srq_graph *graph)
{
    srq_network *network = &graph->network;
    const size_t capacity = (size_t)network->capacity;
    for (int i = 0; i < graph->layer_count; i++) {
        srq_layer *layer = &graph->layers[i];
        for (int k = 0; k < source_count(layer); k++) {
            const int from = source(layer, k);
            if (from < 0) continue;
            const srq_layer *producer = &graph->layers[from];
            const srq_dtype type = producer->deferred ? producer->gradient_type : SRQ_FLOAT32;
            SRQ_TRY(srq_network_reserve_for(
                network, srq_network_backward_time(network, i), srq_network_backward_time(network, from),
                capacity * source_tensor(layer, k)->features * srq_dtype_size(type), &layer->input_gradients[k]));
        }
    }
    const srq_tensor *logits = &graph->layers[graph->layer_count - 1].output;
    return srq_network_reserve_for(network, graph->layer_count,
                                   srq_network_backward_time(network, graph->layer_count - 1),
                                   capacity * logits->features * sizeof(float), &graph->logit_gradient);
}

/* The first user of a layer writes the gradient of its output. Those of other users are added later. */
static void connect_gradients(srq_graph *graph)
{
    for (int i = graph->layer_count - 1; i >= 0; i--)
        for (int k = source_count(&graph->layers[i]) - 1; k >= 0; k--) {
            int producer = source(&graph->layers[i], k);
            if (producer >= 0) graph->layers[producer].output_gradient = graph->layers[i].input_gradients[k];
        }
    graph->layers[graph->layer_count - 1].output_gradient = graph->logit_gradient;
}

static srq_status check_used(const srq_graph *graph)
{
    for (int i = 0; i < graph->layer_count - 1; i++)
        if (runs(&graph->layers[i]) && graph->layers[i].output_gradient == SRQ_NOWHERE)
            return srq_fail(
                SRQ_ERROR_USAGE,
                "%s: the output of layer \"%s\" is not used; name it in the inputs of a later layer or remove it",
                graph->spec->layers[i].origin, graph->spec->layers[i].name);
    return SRQ_OK;
}

static size_t weights_of(const srq_layer *layer)
{
    return layer->weight < 0 ? 0 : layer->network->parameters[layer->weight].count;
}

/* By insertion: there are few layers. */
static srq_status order_layers(srq_graph *graph)
{
    graph->order = calloc((size_t)graph->layer_count, sizeof *graph->order);
    if (!graph->order) return srq_fail_memory(sizeof *graph->order, "the layers");
    for (int i = 0; i < graph->layer_count; i++) {
        int at = i;
        for (; at > 0 && weights_of(&graph->layers[graph->order[at - 1]]) < weights_of(&graph->layers[i]); at--)
            graph->order[at] = graph->order[at - 1];
        graph->order[at] = i;
    }
    return SRQ_OK;
}

static srq_status check_memory(const srq_graph *graph, size_t scratch)
{
    const double passes = (double)graph->network.pass_size * graph->lane_count * graph->slices;
    const double all = passes + (double)scratch * graph->worker_count, most = (double)graph->options.bytes_max;
    if (most == 0 || all <= most) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "the activations need %.3g GB of memory, but there are %.3g GB", all / 1e9,
                    most / 1e9);
}

/* Divides the workers among lanes, and makes their passes and scratch memory. */
static srq_status create_passes(srq_graph *graph)
{
    const size_t scratch = (graph->network.scratch_size + 64 + 63) / 64 * 64;
    const int workers = graph->worker_count, lanes = graph->lane_count;
    SRQ_TRY(check_memory(graph, scratch));
    graph->lanes = calloc((size_t)lanes, sizeof *graph->lanes);
    graph->passes = calloc((size_t)lanes * (size_t)graph->slices, sizeof *graph->passes);
    graph->scratch = calloc((size_t)workers, sizeof *graph->scratch);
    if (!graph->lanes || !graph->passes || !graph->scratch) return srq_fail_memory(0, "activations");
    for (int l = 0; l < lanes; l++) {
        srq_graph_lane *lane = &graph->lanes[l];
        const int room = workers * (l + 1) / lanes - workers * l / lanes;
        lane->first = workers * l / lanes;
        lane->members = room < graph->slices ? room : graph->slices;
        srq_barrier_init(&lane->meeting, lane->members, srq_workers_spin(graph->options.workers));
        for (int s = 0; s < graph->slices; s++) {
            srq_pass *pass = &graph->passes[graph->pass_count];
            SRQ_TRY(srq_pass_create(&graph->network, pass));
            graph->pass_count++;
            pass->slice = s;
            pass->slices = graph->slices;
            pass->shard = pass - s;
        }
    }
    for (int w = 0; w < workers; w++) {
        graph->scratch[w] = srq_memory(scratch);
        if (!graph->scratch[w]) return srq_fail_memory(scratch, "activations");
    }
    graph->passes[0].scratch = graph->scratch[0];
    return SRQ_OK;
}

/* Makes layers, chains and the memory plan. After a failure, the graph can be destroyed. */
static srq_status build(srq_graph *graph)
{
    const srq_model_spec *spec = graph->spec;
    graph->images = (srq_tensor){.height = spec->height,
                                 .width = spec->width,
                                 .channels = spec->channels,
                                 .features = (size_t)spec->height * (size_t)spec->width * (size_t)spec->channels,
                                 .dtype = SRQ_FLOAT32,
                                 .scale = 1};
    if (graph->layer_count < 1)
        return srq_fail(SRQ_ERROR_USAGE, "%s: the model has no layers; add some to \"layers\"", spec->origin);
    srq_status status = check_tensor(graph, &graph->images, "the input");
    if (status != SRQ_OK) return srq_fail_in(status, "%s", spec->origin);
    graph->layers = calloc((size_t)graph->layer_count, sizeof *graph->layers);
    graph->widened = calloc((size_t)graph->layer_count, sizeof *graph->widened);
    if (!graph->layers || !graph->widened) return srq_fail_memory(sizeof *graph->layers, "the layers");
    SRQ_TRY(create_layers(graph));
    if (!graph->options.plain) SRQ_TRY(make_chains(graph));
    SRQ_TRY(reserve_outputs(graph));
    SRQ_TRY(reserve_gradients(graph));
    SRQ_TRY(srq_network_plan(&graph->network));
    connect_gradients(graph);
    SRQ_TRY(check_used(graph));
    SRQ_TRY(order_layers(graph));
    return create_passes(graph);
}

static srq_status refuse_engine(const char *engine, srq_isa isa)
{
    const char *needed = srq_kernels_need(engine);
    if (!needed)
        return srq_fail(SRQ_ERROR_USAGE,
                        "train.engine is \"%s\", which this CPU or this build does not have; use \"auto\" or "
                        "\"reference\"",
                        engine);
    return srq_fail(SRQ_ERROR_USAGE,
                    "train.engine is \"%s\", which needs %s, but this run computes with %s%s; use \"auto\" or "
                    "\"reference\"",
                    engine, needed, srq_isa_name(isa),
                    srq_kernels_find("mixed") ? "" : " and without oneDNN's integers");
}

srq_status srq_graph_create(const srq_model_spec *spec, const srq_graph_options *options, srq_graph **out)
{
    srq_isa isa;
    srq_kernels_pin_threads();
    if (options->isa)
        isa = *options->isa;
    else
        SRQ_TRY(srq_isa_here(&isa));
    SRQ_TRY(srq_kernels_limit(isa));
    const srq_kernels *kernels = srq_kernels_find(options->engine ? options->engine : "auto");
    if (!kernels) return refuse_engine(options->engine, isa);
    srq_graph *graph = calloc(1, sizeof *graph);
    if (!graph) return srq_fail_memory(sizeof *graph, "the network");
    graph->spec = spec;
    graph->options = *options;
    graph->options.isa = NULL;
    graph->layer_count = spec->layer_count;
    graph->slices = options->slices ? options->slices : 1;
    graph->worker_count = srq_workers_count(options->workers);
    graph->lane_count =
        options->lanes > 0 && options->lanes < graph->worker_count ? options->lanes : graph->worker_count;
    graph->network = (srq_network){.fraction = -1,
                                   .capacity = (options->capacity + graph->slices - 1) / graph->slices,
                                   .workers = graph->worker_count,
                                   .layer_count = spec->layer_count,
                                   .numbers_max = options->numbers_max,
                                   .kernels = kernels,
                                   .vector = options->vector ? options->vector : srq_vector_of(isa)};
    srq_status status = build(graph);
    if (status != SRQ_OK) {
        srq_graph_destroy(&graph);
        return status;
    }
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
    for (int i = 0; i < g->pass_count; i++) srq_pass_free(&g->passes[i]);
    for (int l = 0; g->lanes && l < g->lane_count; l++)
        if (g->lanes[l].members) srq_barrier_destroy(&g->lanes[l].meeting);
    for (int w = 0; g->scratch && w < g->worker_count; w++) free(g->scratch[w]);
    free(g->passes);
    free(g->lanes);
    free(g->scratch);
    free(g->order);
    free(g->statistics);
    srq_network_free(&g->network);
    free(g);
    *graph = NULL;
}
