#include "core/graph_parts.h"

#include "core/memory.h"
#include "core/ops/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Times of the plan: layer i runs forward at i, the loss is taken at L, layer i runs backward at 2L - i. */
static int backward_time(const srq_graph *graph, int layer)
{
    return 2 * graph->layer_count - layer;
}

static void *grown(void *array, int count, int *room, size_t size)
{
    if (count < *room) return array;
    int wanted = *room ? 2 * *room : 16;
    void *larger = realloc(array, (size_t)wanted * size);
    if (larger) *room = wanted;
    return larger;
}

static srq_status add_request(srq_graph *graph, size_t bytes, int birth, int death, void **slot)
{
    request *larger = grown(graph->requests, graph->request_count, &graph->request_room, sizeof *larger);
    if (!larger) return srq_fail_memory(sizeof *larger, "the memory plan");
    graph->requests = larger;
    graph->requests[graph->request_count++] =
        (request){.buffer = {.bytes = bytes, .birth = birth, .death = death}, .slot = slot};
    return SRQ_OK;
}

srq_status srq_graph_add_buffer(srq_graph *graph, const srq_layer *layer, size_t bytes, bool whole, void **slot)
{
    /* The pass before the first layer (prepare) and after the last (finish) see buffers that are kept. */
    int birth = whole ? -1 : layer->index;
    int death = whole ? 2 * graph->layer_count + 1 : backward_time(graph, layer->index);
    return add_request(graph, bytes, birth, death, slot);
}

void srq_graph_need_scratch(srq_graph *graph, size_t bytes)
{
    if (bytes > graph->scratch_size) graph->scratch_size = bytes;
}

srq_pass *srq_graph_pass(srq_graph *graph)
{
    return &graph->pass;
}

void *srq_graph_scratch(const srq_graph *graph)
{
    return graph->scratch;
}

srq_status srq_graph_add_parameter(srq_graph *graph, const srq_layer *layer, const char *suffix,
                                   srq_parameter_kind kind, int rank, const size_t *shape, int *index)
{
    srq_parameter *larger = grown(graph->parameters, graph->parameter_count, &graph->parameter_room, sizeof *larger);
    if (!larger) return srq_fail_memory(sizeof *larger, "the list of parameters");
    graph->parameters = larger;
    srq_parameter *p = &graph->parameters[graph->parameter_count];
    *p = (srq_parameter){
        .kind = kind, .rank = rank, .count = 1, .offset = graph->size, .momentum = layer->spec->momentum};
    snprintf(p->name, sizeof p->name, "%s/%s", layer->spec->name, suffix);
    for (int i = 0; i < rank; i++) {
        p->shape[i] = shape[i];
        if (shape[i] > ((size_t)1 << 33) / p->count)
            return srq_fail(SRQ_ERROR_USAGE, "more than 2^33 weights in one layer; make it smaller");
        p->count *= shape[i];
    }
    graph->size += (p->count + 15) / 16 * 16;
    *index = graph->parameter_count++;
    return SRQ_OK;
}
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
            return srq_fail(SRQ_ERROR_USAGE, "input \"%s\" is not an earlier layer; use the name of one, or \"input\"",
                            name);
        layer->inputs[k] = &graph->images;
        return SRQ_OK;
    }
    const srq_tensor *output = &graph->layers[producer].output;
    bool widen = output->operand.dtype != SRQ_FLOAT32 && !layer->op->reads_codes;
    if (widen) {
        graph->widened[producer] = *output;
        graph->widened[producer].operand = (srq_operand){.dtype = SRQ_FLOAT32, .scale = 1};
    }
    layer->inputs[k] = widen ? &graph->widened[producer] : output;
    return SRQ_OK;
}

static srq_status create_layer(srq_graph *graph, int index)
{
    srq_layer *layer = &graph->layers[index];
    const srq_layer_spec *spec = &graph->spec->layers[index];
    *layer = (srq_layer){.spec = spec,
                         .index = index,
                         .offset = graph->size,
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
    for (int k = 0; k < layer->input_count; k++) SRQ_TRY(connect_input(graph, layer, k));
    SRQ_TRY(layer->op->create(graph, layer));
    srq_tensor *out = &layer->output;
    out->features = (size_t)out->height * (size_t)out->width * (size_t)out->channels;
    if (out->features > ((size_t)1 << 33))
        return srq_fail(SRQ_ERROR_USAGE, "an output of more than 2^33 numbers for one image; make the layer smaller");
    if (out->operand.scale == 0) out->operand.scale = 1;
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
    if (logits->operand.dtype != SRQ_FLOAT32 || logits->height != 1 || logits->width != 1 || logits->channels < 2) {
        const srq_layer_spec *spec = &graph->spec->layers[graph->layer_count - 1];
        return srq_fail(
            SRQ_ERROR_USAGE,
            "%s: the last layer, \"%s\", gives %d x %d x %d numbers an image (height x width x channels) and must "
            "give 1 x 1 x classes logits; end with a dense layer",
            spec->origin, spec->name, logits->height, logits->width, logits->channels);
    }
    return SRQ_OK;
}

/* --- Chains */

/* The only user of a layer's output, if it takes it as its only input; else NULL. */
static srq_layer *only_user(const srq_graph *graph, int producer)
{
    srq_layer *user = NULL;
    for (int i = producer + 1; i < graph->layer_count; i++)
        for (int k = 0; k < graph->layers[i].input_count; k++) {
            if (graph->layers[i].producers[k] != producer) continue;
            if (user || graph->layers[i].input_count > 1) return NULL;
            user = &graph->layers[i];
        }
    return user;
}

enum { CHAIN_MAX = 4 };

/* The layers that a chain after `producer` takes. */
static int find_chain(const srq_graph *graph, srq_layer *layer, srq_layer **members)
{
    int count = 0;
    while (layer && count < CHAIN_MAX && srq_chain_takes((const srq_layer *const *)members, count, layer)) {
        members[count++] = layer;
        layer = only_user(graph, layer->index);
    }
    return count;
}

static srq_status make_chain(srq_graph *graph, srq_layer *const *members, int count)
{
    srq_layer *first = members[0], *last = members[count - 1], *producer = &graph->layers[first->producers[0]];
    const bool defers = producer->weight >= 0 && only_user(graph, producer->index) == first;
    for (int i = 0; i < count - 1; i++) members[i]->in_chain = true;
    last->chain_input = first->inputs[0];
    last->chain_producer = first->producers[0];
    producer->deferred = defers;
    return srq_chain_create(graph, members, count, defers ? producer : NULL, &last->chain);
}

static srq_status make_chains(srq_graph *graph)
{
    for (int i = 0; i < graph->layer_count; i++) {
        srq_layer *layer = &graph->layers[i], *members[CHAIN_MAX];
        if (layer->in_chain || layer->chain || layer->input_count != 1 || layer->producers[0] < 0) continue;
        const int count = find_chain(graph, layer, members);
        if (count > 0) SRQ_TRY(make_chain(graph, members, count));
    }
    return SRQ_OK;
}

static bool keeps_input(const srq_layer *layer)
{
    return layer->chain || layer->op->keeps_input;
}

/* Until when the output of layer `producer` (or its float32 copy) is read. */
static int last_use(const srq_graph *graph, int producer, const srq_tensor *tensor)
{
    int last = producer;
    for (int i = 0; i < graph->layer_count; i++)
        for (int k = 0; k < source_count(&graph->layers[i]); k++) {
            if (source_tensor(&graph->layers[i], k) != tensor) continue;
            int use = keeps_input(&graph->layers[i]) ? backward_time(graph, i) : i;
            if (use > last) last = use;
        }
    return last;
}

static srq_status request_outputs(srq_graph *graph)
{
    const size_t capacity = (size_t)graph->options.capacity;
    for (int i = 0; i < graph->layer_count; i++) {
        srq_layer *layer = &graph->layers[i];
        srq_tensor *out = &layer->output, *copy = &graph->widened[i];
        if (!runs(layer)) continue;
        int death = last_use(graph, i, out);
        if (layer->op->keeps_output && !layer->chain) death = backward_time(graph, i);
        if (i == graph->layer_count - 1) death = 2 * graph->layer_count + 1; /* the caller may read the logits */
        SRQ_TRY(add_request(graph, capacity * out->features * srq_dtype_size(out->operand.dtype), i, death,
                            (void **)&out->operand.data));
        if (copy->features)
            SRQ_TRY(add_request(graph, capacity * copy->features * sizeof(float), i, last_use(graph, i, copy),
                                (void **)&copy->operand.data));
    }
    return SRQ_OK;
}

static srq_status request_gradients(srq_graph *graph)
{
    const size_t capacity = (size_t)graph->options.capacity;
    for (int i = 0; i < graph->layer_count; i++) {
        srq_layer *layer = &graph->layers[i];
        for (int k = 0; k < source_count(layer); k++) {
            const int from = source(layer, k);
            if (from < 0) continue;
            const srq_layer *producer = &graph->layers[from];
            const srq_dtype type = producer->deferred ? producer->gradient_type : SRQ_FLOAT32;
            SRQ_TRY(add_request(graph, capacity * source_tensor(layer, k)->features * srq_dtype_size(type),
                                backward_time(graph, i), backward_time(graph, from),
                                (void **)&layer->input_gradients[k]));
        }
    }
    const srq_tensor *logits = &graph->layers[graph->layer_count - 1].output;
    return add_request(graph, capacity * logits->features * sizeof(float), graph->layer_count,
                       backward_time(graph, graph->layer_count - 1), (void **)&graph->logit_gradient);
}

static srq_status plan_memory(srq_graph *graph)
{
    SRQ_TRY(request_outputs(graph));
    SRQ_TRY(request_gradients(graph));
    srq_buffer *buffers = calloc((size_t)graph->request_count, sizeof *buffers);
    if (!buffers) return srq_fail_memory((size_t)graph->request_count * sizeof *buffers, "the memory plan");
    for (int i = 0; i < graph->request_count; i++) buffers[i] = graph->requests[i].buffer;
    srq_status status = srq_plan_buffers(buffers, graph->request_count, &graph->memory_size);
    if (status == SRQ_OK) {
        /* One line more than planned: reading a whole vector at the end of a buffer stays inside. */
        graph->memory = srq_memory(graph->memory_size + 64);
        if (!graph->memory)
            status = srq_fail_memory(graph->memory_size, "activations");
        else
            for (int i = 0; i < graph->request_count; i++) *graph->requests[i].slot = graph->memory + buffers[i].offset;
    }
    free(buffers);
    return status;
}

/* The gradient of a layer's output is that of its first user; the others are added to it before it is needed. */
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
        if (runs(&graph->layers[i]) && !graph->layers[i].output_gradient)
            return srq_fail(
                SRQ_ERROR_USAGE,
                "%s: the output of layer \"%s\" is not used; name it in the inputs of a later layer or remove it",
                graph->spec->layers[i].origin, graph->spec->layers[i].name);
    return SRQ_OK;
}

srq_status srq_graph_build(srq_graph *graph)
{
    const srq_model_spec *spec = graph->spec;
    graph->images = (srq_tensor){.height = spec->height,
                                 .width = spec->width,
                                 .channels = spec->channels,
                                 .features = (size_t)spec->height * (size_t)spec->width * (size_t)spec->channels,
                                 .operand = {.dtype = SRQ_FLOAT32, .scale = 1}};
    if (graph->layer_count < 1)
        return srq_fail(SRQ_ERROR_USAGE, "%s: a model without layers; add some to \"layers\"", spec->origin);
    graph->layers = calloc((size_t)graph->layer_count, sizeof *graph->layers);
    graph->widened = calloc((size_t)graph->layer_count, sizeof *graph->widened);
    if (!graph->layers || !graph->widened) return srq_fail_memory(sizeof *graph->layers, "the layers");
    SRQ_TRY(create_layers(graph));
    if (!graph->options.plain) SRQ_TRY(make_chains(graph));
    SRQ_TRY(add_request(graph, graph->scratch_size, -1, 2 * graph->layer_count + 1, &graph->scratch));
    SRQ_TRY(add_request(graph, (size_t)graph->options.capacity * graph->images.features * sizeof(float), -1,
                        2 * graph->layer_count + 1, (void **)&graph->images.operand.data));
    SRQ_TRY(plan_memory(graph));
    connect_gradients(graph);
    SRQ_TRY(check_used(graph));
    const size_t bytes = graph->size * sizeof(float);
    graph->values = srq_memory_zeros(bytes);
    if (!graph->values) return srq_fail_memory(bytes, "the parameters");
    return SRQ_OK;
}
