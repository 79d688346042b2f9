#include "core/graph.h"

#include "core/mask.h"
#include "core/memory.h"
#include "core/ops/chain.h"
#include "core/ops/softmax_loss.h"
#include "core/ops/weighted.h"
#include "core/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A buffer that an operator or the graph asked for, and where its address goes. */
typedef struct request {
    srq_buffer buffer;
    void **slot;
} request;

struct srq_graph {
    const srq_model_spec *spec;
    srq_graph_options options;
    const srq_kernels *kernels;
    srq_tensor images;
    int layer_count;
    srq_layer *layers;
    /* For a layer whose codes are read by an operator that wants float32: that copy. */
    srq_tensor *widened;
    int parameter_count, parameter_room;
    srq_parameter *parameters;
    size_t size;
    float *values;
    int request_count, request_room;
    request *requests;
    char *memory;
    size_t memory_size;
    size_t scratch_size;
    void *scratch;
    float *logit_gradient;
    srq_pass pass;
};

/* What a layer reads when it runs: for its whole chain if it has one, nothing inside of one. */
static bool runs(const srq_layer *layer)
{
    return !layer->in_chain;
}

static int source_count(const srq_layer *layer)
{
    return layer->in_chain ? 0 : layer->chain ? 1 : layer->input_count;
}

static int source(const srq_layer *layer, int k)
{
    return layer->chain ? layer->chain_producer : layer->producers[k];
}

static const srq_tensor *source_tensor(const srq_layer *layer, int k)
{
    return layer->chain ? layer->chain_input : layer->inputs[k];
}

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

srq_status srq_graph_add_quantizer(srq_graph *graph, srq_layer *layer, const char *prefix)
{
    const srq_quantizer *q = &layer->quantizer;
    if (!q->method) return SRQ_OK;
    char name[32];
    const size_t channels = (size_t)q->channels;
    const int rank = q->spec.per_channel ? 1 : 0;
    snprintf(name, sizeof name, "%s_alpha", prefix);
    SRQ_TRY(srq_graph_add_parameter(graph, layer, name, SRQ_PARAMETER_ALPHA, rank, &channels, &layer->alpha));
    snprintf(name, sizeof name, "%s_sigma", prefix);
    if (q->method->has_sigma)
        SRQ_TRY(srq_graph_add_parameter(graph, layer, name, SRQ_PARAMETER_SIGMA, rank, &channels, &layer->sigma));
    const int levels = srq_bits_longest(&q->spec.bits) - q->spec.min_bits;
    if (q->spec.dropbits == SRQ_DROPBITS_OFF || levels < 1) return SRQ_OK;
    const size_t count = (size_t)levels;
    snprintf(name, sizeof name, "%s_gate_logits", prefix);
    return srq_graph_add_parameter(graph, layer, name, SRQ_PARAMETER_GATE, 1, &count, &layer->gates);
}

static float *parameter_in(const srq_graph *graph, float *vector, int index)
{
    return index < 0 ? NULL : vector + graph->parameters[index].offset;
}

void srq_layer_load_quantizer(const srq_graph *graph, srq_layer *layer, const srq_pass *pass)
{
    srq_quantizer *q = &layer->quantizer;
    q->alpha = parameter_in(graph, graph->values, layer->alpha);
    q->sigma = parameter_in(graph, graph->values, layer->sigma);
    q->grid.alpha = q->alpha[0];
    if (q->sigma) q->grid.sigma = q->sigma[0];
    q->training = pass->training;
    q->seed = pass->seed;
    q->step = pass->step;
    q->stream = (uint64_t)layer->index * SRQ_SHARDS_MAX;
    const float *phi = parameter_in(graph, graph->values, layer->gates);
    if (phi && q->spec.dropbits == SRQ_DROPBITS_LEARN && q->gates.count)
        srq_quantizer_set_bits(q, q->trained_bits, srq_gates_bits(q->spec.min_bits, q->gates.count, phi));
    if (!q->training) return;
    if (phi) srq_gates_draw(&q->gates, pass->seed, pass->step, layer->index, phi);
    srq_quantizer_begin(q);
}

void srq_layer_start_quantizer(const srq_graph *graph, srq_layer *layer, const srq_pass *pass, size_t n, const float *x)
{
    float *alpha = parameter_in(graph, graph->values, layer->alpha);
    float *sigma = parameter_in(graph, graph->values, layer->sigma);
    if (pass->starting) srq_quantizer_start(&layer->quantizer, pass->vector, n, x, alpha, sigma);
    if (pass->changing && layer->next_bits)
        srq_quantizer_rescale(&layer->quantizer, pass->vector, layer->next_bits, n, x, alpha, sigma);
}

void srq_layer_quantizer_backward(const srq_graph *graph, const srq_layer *layer, const srq_pass *pass, size_t n,
                                  size_t features, const float *x, const float *dy, float *dx)
{
    srq_quantizer_backward(
        &layer->quantizer, pass->vector, n, features, x, dy, dx, parameter_in(graph, pass->gradient, layer->alpha),
        parameter_in(graph, pass->gradient, layer->sigma), parameter_in(graph, pass->gradient, layer->gates));
}

void srq_layer_put_gradient(const srq_graph *graph, const srq_layer *layer, const srq_pass *pass,
                            const srq_grid_gradient *sums, const double *masks)
{
    float *alpha = parameter_in(graph, pass->gradient, layer->alpha);
    float *sigma = parameter_in(graph, pass->gradient, layer->sigma);
    float *gates = parameter_in(graph, pass->gradient, layer->gates);
    for (int c = 0; alpha && c < layer->quantizer.channels; c++) alpha[c] = (float)sums[c].alpha;
    for (int c = 0; sigma && c < layer->quantizer.channels; c++) sigma[c] = (float)sums[c].sigma;
    if (gates) srq_quantizer_gate_gradients(&layer->quantizer, masks, gates);
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

static srq_status build(srq_graph *graph)
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
    srq_status status = build(graph);
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

void srq_graph_initialize(srq_graph *graph, uint64_t seed)
{
    memset(graph->values, 0, graph->size * sizeof *graph->values);
    for (int i = 0; i < graph->layer_count; i++)
        if (graph->layers[i].op->initialize) graph->layers[i].op->initialize(graph, &graph->layers[i], seed);
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
