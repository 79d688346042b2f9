#include "core/finish.h"

#include <stdlib.h>
#include <string.h>

/* A piece of one layer's weights: [begin, end) of them. */
typedef struct unit {
    const srq_layer *layer;
    size_t begin, end;
    size_t offset; /* of its first weight in the vector */
    size_t slot;   /* of its first slot */
} unit;

struct srq_finish {
    srq_graph *graph;
    int unit_count;
    unit *units; /* in the order of the vector */
    size_t slot_count;
};

/* Slot 0 of a unit: above 0 if its gradient holds an infinity or NaN; the others are the operator's. */
enum { BAD = 0, OWN = 1 };

static size_t unit_slots(const srq_layer *layer)
{
    return OWN + layer->op->unit_slots(layer);
}

static int units_of(const srq_graph *graph, const srq_layer *layer)
{
    const size_t count = srq_graph_parameter(graph, layer->weight)->count, size = layer->op->unit_size(layer);
    return (int)((count + size - 1) / size);
}

static void add_units(srq_finish *f, const srq_layer *layer)
{
    const srq_parameter *weight = srq_graph_parameter(f->graph, layer->weight);
    const size_t size = layer->op->unit_size(layer);
    for (size_t at = 0; at < weight->count; at += size) {
        const size_t end = at + size < weight->count ? at + size : weight->count;
        f->units[f->unit_count++] =
            (unit){.layer = layer, .begin = at, .end = end, .offset = weight->offset + at, .slot = f->slot_count};
        f->slot_count += unit_slots(layer);
    }
}

srq_status srq_finish_create(srq_graph *graph, srq_finish **out)
{
    srq_finish *f = calloc(1, sizeof *f);
    if (!f) return srq_fail_memory(sizeof *f, "the end of a step");
    f->graph = graph;
    size_t units = 1;
    for (int i = 0; i < srq_graph_layer_count(graph); i++)
        if (srq_graph_layer(graph, i)->weight >= 0) units += (size_t)units_of(graph, srq_graph_layer(graph, i));
    f->units = calloc(units, sizeof *f->units);
    if (!f->units) {
        srq_finish_destroy(&f);
        return srq_fail_memory(units * sizeof *f->units, "the end of a step");
    }
    for (int i = 0; i < srq_graph_layer_count(graph); i++)
        if (srq_graph_layer(graph, i)->weight >= 0) add_units(f, srq_graph_layer(graph, i));
    *out = f;
    return SRQ_OK;
}

void srq_finish_destroy(srq_finish **finish)
{
    if (!*finish) return;
    free((*finish)->units);
    free(*finish);
    *finish = NULL;
}

/* The first unit at or behind the even border of `part`. */
static int first_unit(const srq_finish *f, int part, int parts)
{
    const size_t border = (size_t)((double)srq_graph_size(f->graph) * part / parts);
    int u = 0;
    while (u < f->unit_count && (part == parts || f->units[u].offset < border)) u++;
    return part == 0 ? 0 : u;
}

size_t srq_finish_slice(const srq_finish *f, int part, int parts)
{
    const int u = first_unit(f, part, parts);
    if (part == 0) return 0;
    return part == parts || u == f->unit_count ? srq_graph_size(f->graph) : f->units[u].offset;
}

size_t srq_finish_slots(const srq_finish *f, int part, int parts)
{
    const int u = first_unit(f, part, parts);
    return u == f->unit_count ? f->slot_count : f->units[u].slot;
}

void srq_finish_unpack(const srq_finish *f, float *gradient)
{
    for (int i = 0; i < srq_graph_layer_count(f->graph); i++) {
        const srq_layer *layer = srq_graph_layer(f->graph, i);
        if (layer->weight < 0) continue;
        layer->op->unpack(layer, gradient + srq_graph_parameter(f->graph, layer->weight)->offset);
    }
}

void srq_finish_run(srq_finish *f, float *gradient, int part, int parts, double *slots)
{
    const srq_vector *vector = srq_graph_vector(f->graph);
    const srq_pass *pass = srq_graph_pass(f->graph);
    for (int i = first_unit(f, part, parts); i < first_unit(f, part + 1, parts); i++) {
        const unit *u = &f->units[i];
        double *own = slots + u->slot;
        float *g = gradient + u->offset;
        memset(own, 0, unit_slots(u->layer) * sizeof *own);
        u->layer->op->finish_unit(u->layer, pass, u->begin, u->end, g, own + OWN);
        own[BAD] = vector->finite(u->end - u->begin, g) ? 0 : 1;
    }
}

int srq_finish_collect(srq_finish *f, const double *slots, float *gradient)
{
    srq_pass *pass = srq_graph_pass(f->graph);
    int bad = srq_graph_parameter_count(f->graph);
    pass->gradient = gradient;
    for (int i = 0; i < f->unit_count;) {
        const srq_layer *layer = f->units[i].layer;
        const int count = units_of(f->graph, layer);
        const size_t stride = unit_slots(layer);
        const double *own = slots + f->units[i].slot;
        layer->op->collect(layer, pass, count, stride, own + OWN);
        for (int k = 0; k < count; k++)
            if (own[(size_t)k * stride + BAD] > 0 && layer->weight < bad) bad = layer->weight;
        i += count;
    }
    for (int i = 0; i < bad; i++) {
        const srq_parameter *p = srq_graph_parameter(f->graph, i);
        if (p->kind != SRQ_PARAMETER_WEIGHT && !srq_graph_vector(f->graph)->finite(p->count, gradient + p->offset))
            bad = i;
    }
    return bad < srq_graph_parameter_count(f->graph) ? bad : -1;
}
