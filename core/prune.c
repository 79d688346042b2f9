#include "core/prune.h"

#include "core/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool srq_graph_has_masks(const srq_graph *graph)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++)
        if (srq_graph_layer(graph, i)->mask) return true;
    return false;
}

/* Applies a changed mask to the layer. */
static void take_mask(srq_graph *graph, srq_layer *layer)
{
    const srq_parameter *w = srq_graph_parameter(graph, layer->weight);
    layer->kept = layer->mask ? srq_mask_count(layer->mask, w->count) : 0;
    if (layer->mask) srq_mask_floats(layer->mask, 0, w->count, srq_graph_values(graph) + w->offset);
}

srq_status srq_graph_set_mask(srq_graph *graph, int index, const uint8_t *mask)
{
    srq_layer *layer = srq_graph_layer_at(graph, index);
    const size_t bytes = srq_mask_bytes(srq_graph_parameter(graph, layer->weight)->count);
    uint8_t *copy = NULL;
    if (mask) {
        copy = malloc(bytes);
        if (!copy) return srq_fail_memory(bytes, "a mask of weights");
        memcpy(copy, mask, bytes);
    }
    free(layer->mask);
    layer->mask = copy;
    take_mask(graph, layer);
    return SRQ_OK;
}

size_t srq_layer_kept(const srq_graph *graph, const srq_layer *layer)
{
    if (layer->weight < 0) return 0;
    return layer->mask ? layer->kept : srq_graph_parameter(graph, layer->weight)->count;
}

/* --- Pruning. Non-negative floats are ordered like their bits. A radix selection counts the upper half of the bits
 * first, then the lower half. */

enum { HALF = 1 << 16 };

/* Layers [first, last), pruned together. */
typedef struct pruning {
    srq_graph *graph;
    int first, last;
    size_t *counts;     /* [HALF] */
    uint32_t threshold; /* bits of a magnitude: all weights below it are pruned, and ... */
    size_t equal;       /* ... the first so many of those equal to it */
} pruning;

static uint32_t magnitude(float w)
{
    uint32_t bits;
    const float size = fabsf(w);
    memcpy(&bits, &size, sizeof bits);
    return bits;
}

static size_t kept_in(const pruning *p)
{
    size_t kept = 0;
    for (int i = p->first; i < p->last; i++) kept += srq_layer_kept(p->graph, srq_graph_layer(p->graph, i));
    return kept;
}

/* Counts the kept weights by one half of their magnitude's bits: the upper half, or the lower half of those whose upper
 * half is `upper`. */
static void count_halves(pruning *p, bool lower, uint32_t upper)
{
    memset(p->counts, 0, HALF * sizeof *p->counts);
    for (int i = p->first; i < p->last; i++) {
        const srq_layer *layer = srq_graph_layer(p->graph, i);
        if (layer->weight < 0) continue;
        const srq_parameter *w = srq_graph_parameter(p->graph, layer->weight);
        const float *values = srq_graph_values(p->graph) + w->offset;
        for (size_t k = 0; k < w->count; k++) {
            if (!srq_mask_keeps(layer->mask, k)) continue;
            const uint32_t bits = magnitude(values[k]);
            if (!lower)
                p->counts[bits >> 16]++;
            else if (bits >> 16 == upper)
                p->counts[bits & (HALF - 1)]++;
        }
    }
}

/* The value of the half for the weight at position *place in the order. *place becomes its position among the weights
 * with that value. */
static uint32_t find_half(const pruning *p, size_t *place)
{
    uint32_t half = 0;
    while (half + 1 < HALF && *place >= p->counts[half]) *place -= p->counts[half++];
    return half;
}

static void remove_below(pruning *p)
{
    for (int i = p->first; i < p->last; i++) {
        srq_layer *layer = srq_graph_layer_at(p->graph, i);
        if (layer->weight < 0) continue;
        const srq_parameter *w = srq_graph_parameter(p->graph, layer->weight);
        const float *values = srq_graph_values(p->graph) + w->offset;
        for (size_t k = 0; k < w->count; k++) {
            if (!srq_mask_keeps(layer->mask, k)) continue;
            const uint32_t bits = magnitude(values[k]);
            if (bits > p->threshold || (bits == p->threshold && p->equal == 0)) continue;
            p->equal -= bits == p->threshold;
            layer->mask[k / 8] &= (uint8_t) ~(1u << (k % 8));
        }
        take_mask(p->graph, layer);
    }
}

static void prune(pruning *p, double rate)
{
    /* Finds the magnitude of the first weight that is kept: smaller ones are pruned, and the first of those equal to
     * it. */
    size_t place = (size_t)floor(rate * (double)kept_in(p));
    if (place == 0) return;
    if (place >= kept_in(p)) place = kept_in(p) - 1;
    count_halves(p, false, 0);
    const uint32_t upper = find_half(p, &place);
    count_halves(p, true, upper);
    p->threshold = upper << 16 | find_half(p, &place);
    p->equal = place;
    remove_below(p);
}

/* Gives layers without a mask one that keeps all weights. */
static srq_status start_mask(srq_graph *graph, int index)
{
    const srq_layer *layer = srq_graph_layer(graph, index);
    if (layer->weight < 0 || layer->mask) return SRQ_OK;
    const size_t count = srq_graph_parameter(graph, layer->weight)->count, bytes = srq_mask_bytes(count);
    uint8_t *mask = malloc(bytes);
    if (!mask) return srq_fail_memory(bytes, "a mask of weights");
    memset(mask, 0xFF, bytes);
    if (count % 8) mask[bytes - 1] = (uint8_t)((1u << (count % 8)) - 1);
    srq_status status = srq_graph_set_mask(graph, index, mask);
    free(mask);
    return status;
}

srq_status srq_graph_prune(srq_graph *graph, double rate, bool global)
{
    const int layers = srq_graph_layer_count(graph);
    for (int i = 0; i < layers; i++) SRQ_TRY(start_mask(graph, i));
    pruning p = {.graph = graph, .last = layers, .counts = malloc(HALF * sizeof *p.counts)};
    if (!p.counts) return srq_fail_memory(HALF * sizeof *p.counts, "pruning");
    if (global) prune(&p, rate);
    for (int i = 0; !global && i < layers; i++) {
        p.first = i;
        p.last = i + 1;
        if (srq_graph_layer(graph, i)->weight >= 0) prune(&p, rate);
    }
    free(p.counts);
    return SRQ_OK;
}

/* The first weights in a random order of all weights of the layer. */
static void draw_mask(uint64_t seed, int index, size_t count, size_t kept, uint8_t *mask)
{
    uint32_t draw[4];
    srq_random(seed, SRQ_RANDOM_MASK, 0, (uint64_t)index, draw);
    const uint64_t key = draw[0] | (uint64_t)draw[1] << 32;
    memset(mask, 0, srq_mask_bytes(count));
    for (size_t place = 0; place < kept; place++) {
        const uint64_t at = srq_random_order(key, 0, count, place);
        mask[at / 8] |= (uint8_t)(1u << (at % 8));
    }
}

srq_status srq_graph_mask_random(srq_graph *graph, uint64_t seed)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (layer->weight < 0 || !layer->mask) continue;
        const size_t count = srq_graph_parameter(graph, layer->weight)->count;
        uint8_t *mask = malloc(srq_mask_bytes(count));
        if (!mask) return srq_fail_memory(srq_mask_bytes(count), "a mask of weights");
        draw_mask(seed, i, count, layer->kept, mask);
        const srq_status status = srq_graph_set_mask(graph, i, mask);
        free(mask);
        SRQ_TRY(status);
    }
    return SRQ_OK;
}
