#include "core/finish.h"

#include "core/clip.h"

#include <stdlib.h>
#include <string.h>

/* A piece [begin, end) of one layer's weights. */
typedef struct unit {
    const srq_layer *layer;
    size_t begin, end;
    size_t offset; /* offset of its first weight in the vector */
    size_t slot;   /* index of its first slot */
} unit;

/* Layers [first, last), units [first_unit, last_unit). */
typedef struct group {
    int first, last;
    int first_unit, last_unit;
    size_t begin, end; /* in the vector */
} group;

struct srq_finish {
    srq_graph *graph;
    int unit_count, group_count;
    unit *units;   /* in the order of the vector */
    group *groups; /* from its last group to its first */
    size_t slot_count;
    bool measures; /* slot SQUARES is filled */
};

/* The first slots of a unit: above 0 if its gradient holds an infinity or NaN; the sum of the squares of its gradient,
 * or 0. The others are the operator's. */
enum { BAD, SQUARES, OWN };

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

/* The first layer of the group that ends with layer last - 1, so that the group has at least `bytes`. */
static void add_group(srq_finish *f, int last, size_t bytes)
{
    const group *before = f->group_count ? &f->groups[f->group_count - 1] : NULL;
    group *g = &f->groups[f->group_count++];
    g->last = g->first = last;
    g->end = g->begin = before ? before->begin : srq_graph_size(f->graph);
    g->last_unit = g->first_unit = before ? before->first_unit : f->unit_count;
    while (g->first > 0 && (g->end - g->begin) * sizeof(float) < bytes)
        g->begin = srq_graph_layer(f->graph, --g->first)->offset;
    if (g->begin == 0) g->first = 0; /* the first layers have no parameters and make no group */
    while (g->first_unit > 0 && f->units[g->first_unit - 1].offset >= g->begin) g->first_unit--;
}

srq_status srq_finish_create(srq_graph *graph, size_t bytes, srq_finish **out)
{
    srq_finish *f = calloc(1, sizeof *f);
    if (!f) return srq_fail_memory(sizeof *f, "the end of a step");
    f->graph = graph;
    size_t units = 1;
    for (int i = 0; i < srq_graph_layer_count(graph); i++)
        if (srq_graph_layer(graph, i)->weight >= 0) units += (size_t)units_of(graph, srq_graph_layer(graph, i));
    f->units = calloc(units, sizeof *f->units);
    f->groups = calloc((size_t)srq_graph_layer_count(graph), sizeof *f->groups);
    if (!f->units || !f->groups) {
        srq_finish_destroy(&f);
        return srq_fail_memory(units * sizeof *f->units, "the end of a step");
    }
    for (int i = 0; i < srq_graph_layer_count(graph); i++)
        if (srq_graph_layer(graph, i)->weight >= 0) add_units(f, srq_graph_layer(graph, i));
    int last = srq_graph_layer_count(graph);
    while (last > 0) {
        add_group(f, last, bytes > 0 ? bytes : 1);
        last = f->groups[f->group_count - 1].first;
    }
    *out = f;
    return SRQ_OK;
}

void srq_finish_measure(srq_finish *f)
{
    f->measures = true;
}

double srq_finish_squares(const srq_finish *f, const double *slots)
{
    double sum = 0;
    for (int i = 0; i < f->unit_count; i++) sum += slots[f->units[i].slot + SQUARES];
    return sum;
}

void srq_finish_destroy(srq_finish **finish)
{
    if (!*finish) return;
    free((*finish)->units);
    free((*finish)->groups);
    free(*finish);
    *finish = NULL;
}

int srq_finish_group_count(const srq_finish *f)
{
    return f->group_count;
}

size_t srq_finish_begin(const srq_finish *f, int index)
{
    return f->groups[index].begin;
}

size_t srq_finish_end(const srq_finish *f, int index)
{
    return f->groups[index].end;
}

/* The first unit that begins at or after the border of `part`, if parts were of equal size. */
static int first_unit(const srq_finish *f, const group *g, int part, int parts)
{
    const size_t border = g->begin + (size_t)((double)(g->end - g->begin) * part / parts);
    int u = g->first_unit;
    while (u < g->last_unit && (part == parts || f->units[u].offset < border)) u++;
    return part == 0 ? g->first_unit : u;
}

size_t srq_finish_slice(const srq_finish *f, int index, int part, int parts)
{
    const group *g = &f->groups[index];
    const int u = first_unit(f, g, part, parts);
    if (part == 0) return g->begin;
    return part == parts || u == g->last_unit ? g->end : f->units[u].offset;
}

size_t srq_finish_slots(const srq_finish *f, int index, int part, int parts)
{
    const int u = first_unit(f, &f->groups[index], part, parts);
    return u == f->unit_count ? f->slot_count : f->units[u].slot;
}

size_t srq_finish_slot_count(const srq_finish *f)
{
    return f->slot_count;
}

void srq_finish_unpack(const srq_finish *f, int index, int worker, float *gradient)
{
    const srq_pass pass = srq_graph_pass_of(f->graph, worker);
    for (int i = f->groups[index].first; i < f->groups[index].last; i++) {
        const srq_layer *layer = srq_graph_layer(f->graph, i);
        if (layer->weight < 0) continue;
        layer->op->unpack(layer, &pass, gradient + srq_graph_parameter(f->graph, layer->weight)->offset);
    }
}

void srq_finish_run(const srq_finish *f, float *gradient, int index, int part, int parts, double *slots)
{
    const group *g = &f->groups[index];
    const srq_vector *vector = srq_graph_vector(f->graph);
    const srq_pass *pass = srq_graph_pass(f->graph);
    const int end = first_unit(f, g, part + 1, parts);
    for (int i = first_unit(f, g, part, parts); i < end; i++) {
        const unit *u = &f->units[i];
        double *own = slots + u->slot;
        float *dw = gradient + u->offset;
        memset(own, 0, unit_slots(u->layer) * sizeof *own);
        u->layer->op->finish_unit(u->layer, pass, u->begin, u->end, dw, own + OWN);
        own[BAD] = vector->finite(u->end - u->begin, dw) ? 0 : 1;
        if (f->measures) own[SQUARES] = srq_clip_squares(u->end - u->begin, dw);
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
