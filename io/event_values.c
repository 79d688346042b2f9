/* What a run writes for TensorBoard: the numbers of its log, and histograms of its network. */
#include "io/events.h"
#include "io/log.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG_SIZE = 192 };

static srq_status add_value(srq_events *events, const char *tag, const json_t *value);

/* Members of an object: tag/NAME. */
static srq_status add_members(srq_events *events, const char *tag, const json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        char inner[TAG_SIZE];
        snprintf(inner, sizeof inner, "%s/%s", tag, name);
        SRQ_TRY(add_value(events, inner, value));
    }
    return SRQ_OK;
}

/* Elements of a list: tag/0, tag/1, ... */
static srq_status add_elements(srq_events *events, const char *tag, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        char inner[TAG_SIZE];
        snprintf(inner, sizeof inner, "%s/%zu", tag, i);
        SRQ_TRY(add_value(events, inner, json_array_get(list, i)));
    }
    return SRQ_OK;
}

static srq_status add_value(srq_events *events, const char *tag, const json_t *value)
{
    if (json_is_object(value)) return add_members(events, tag, value);
    if (json_is_array(value)) return add_elements(events, tag, value);
    if (json_is_null(value)) return srq_events_add_scalar(events, tag, NAN);
    return json_is_number(value) ? srq_events_add_scalar(events, tag, json_number_value(value)) : SRQ_OK;
}

static srq_status add_layers(srq_events *events, const json_t *layers)
{
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const json_t *layer = json_array_get(layers, i);
        char tag[TAG_SIZE];
        snprintf(tag, sizeof tag, "layers/%s", json_string_value(json_object_get(layer, "name")));
        SRQ_TRY(add_members(events, tag, layer));
    }
    return SRQ_OK;
}

static srq_status add_line(srq_events *events, const char *group, json_t *line)
{
    /* The layers of the test are those of an earlier evaluation. */
    json_t *layers = strcmp(group, "test") == 0 ? NULL : json_object_get(line, "layers");
    if (layers) SRQ_TRY(add_layers(events, layers));
    json_object_del(line, "layers");
    json_object_del(line, "step");
    return add_members(events, group, line);
}

srq_status srq_events_write_line(srq_events *events, const char *text, size_t size)
{
    char *copy = malloc(size + 1);
    if (!copy) return srq_fail_memory(size, "a line of the log");
    memcpy(copy, text, size);
    json_t *line = srq_log_parse(copy, size);
    free(copy);
    const char *event = json_string_value(json_object_get(line, "event"));
    const bool train = event && strcmp(event, "step") == 0, eval = event && strcmp(event, "eval") == 0;
    const bool test = event && strcmp(event, "test") == 0;
    const long step = (long)json_integer_value(json_object_get(line, "step"));
    srq_status status = SRQ_OK;
    if (train || eval || test) status = add_line(events, train ? "train" : eval ? "eval" : "test", line);
    if (status == SRQ_OK) status = srq_events_write(events, step);
    json_decref(line);
    return status;
}

/* The step sizes of all activations are one histogram: each layer has only one. */
static srq_status add_activations(srq_events *events, const srq_graph *graph)
{
    const int layers = srq_graph_layer_count(graph);
    float *alphas = malloc((size_t)layers * sizeof *alphas);
    size_t count = 0;
    if (!alphas) return srq_fail_memory((size_t)layers * sizeof *alphas, "the step sizes of activations");
    for (int i = 0; i < layers; i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (layer->weight < 0 && layer->alpha >= 0)
            alphas[count++] = srq_graph_values(graph)[srq_graph_parameter(graph, layer->alpha)->offset];
    }
    const srq_status status = srq_events_add_histogram(events, "activation_alpha", count, alphas);
    free(alphas);
    return status;
}

srq_status srq_events_write_graph(srq_events *events, const srq_graph *graph, long step)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        char tag[TAG_SIZE];
        if (p->kind != SRQ_PARAMETER_WEIGHT && (p->kind != SRQ_PARAMETER_ALPHA || p->count == 1)) continue;
        snprintf(tag, sizeof tag, "layers/%s", p->name);
        SRQ_TRY(srq_events_add_histogram(events, tag, p->count, srq_graph_values(graph) + p->offset));
    }
    SRQ_TRY(add_activations(events, graph));
    return srq_events_write(events, step);
}
