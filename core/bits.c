#include "core/bits.h"

#include "core/prune.h"

#include <math.h>
#include <stdlib.h>

srq_status srq_bits_history_add(srq_bits_history *history, srq_bits_change change)
{
    if (history->count == history->room) {
        const int room = history->room ? 2 * history->room : 64;
        srq_bits_change *larger = realloc(history->changes, (size_t)room * sizeof *larger);
        if (!larger) return srq_fail_memory((size_t)room * sizeof *larger, "the history of bit-lengths");
        history->changes = larger;
        history->room = room;
    }
    history->changes[history->count++] = change;
    return SRQ_OK;
}

void srq_bits_history_free(srq_bits_history *history)
{
    free(history->changes);
    *history = (srq_bits_history){0};
}

srq_status srq_bits_history_note(srq_bits_history *history, const srq_graph *graph, long step)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_quantizer *q = &srq_graph_layer(graph, i)->quantizer;
        int last = 0;
        for (int k = 0; k < history->count; k++)
            if (history->changes[k].layer == i) last = history->changes[k].bits;
        if (q->method && q->bits != last)
            SRQ_TRY(srq_bits_history_add(history, (srq_bits_change){.step = step, .layer = i, .bits = q->bits}));
    }
    return SRQ_OK;
}

/* The quantize layer that produces a layer's input, or NULL. */
static const srq_layer *input_layer(const srq_graph *graph, const srq_layer *layer)
{
    int producer = layer->producers[0];
    while (producer >= 0) {
        const srq_layer *p = srq_graph_layer(graph, producer);
        if (p->op->quantizes == SRQ_QUANTIZES_OUTPUT) return p;
        if (!p->op->selects) return NULL;
        producer = p->producers[0];
    }
    return NULL;
}

/* The quantizer of a layer's input, NULL for 32 bits. */
static const srq_quantizer *input_quantizer(const srq_graph *graph, const srq_layer *layer)
{
    const srq_layer *from = input_layer(graph, layer);
    return from && from->quantizer.method ? &from->quantizer : NULL;
}

int srq_graph_input_bits(const srq_graph *graph, const srq_layer *layer)
{
    const srq_quantizer *q = input_quantizer(graph, layer);
    return q ? q->bits : 32;
}

bool srq_graph_input_is_quantizable(const srq_graph *graph, const srq_layer *layer)
{
    return input_layer(graph, layer) != NULL;
}

bool srq_layer_learns_bits(const srq_layer *layer)
{
    return layer->gates >= 0 && layer->quantizer.gates.count && layer->quantizer.spec.dropbits == SRQ_DROPBITS_LEARN;
}

/* The size of a layer by which its share of the penalty is computed. */
static double size_of(const srq_graph *graph, const srq_layer *layer, srq_penalty_weights weights)
{
    if (weights == SRQ_PENALTY_UNIFORM) return 1;
    if (weights == SRQ_PENALTY_PARAMS) return (double)srq_graph_parameter(graph, layer->weight)->count;
    return (double)layer->macs * srq_graph_input_bits(graph, layer);
}

double srq_graph_penalize(const srq_graph *graph, srq_penalty_weights weights, double lambda, float *gradient)
{
    double whole = 0, penalty = 0, slope;
    for (int i = 0; i < srq_graph_layer_count(graph); i++)
        if (srq_layer_learns_bits(srq_graph_layer(graph, i)))
            whole += size_of(graph, srq_graph_layer(graph, i), weights);
    if (weights == SRQ_PENALTY_UNIFORM) whole = 1;
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (!srq_layer_learns_bits(layer)) continue;
        const double share = lambda * size_of(graph, layer, weights) / whole;
        const size_t offset = srq_graph_parameter(graph, layer->gates)->offset;
        for (int c = 0; c < layer->quantizer.gates.count; c++) {
            const size_t at = offset + (size_t)c;
            penalty += share * srq_concrete_open(&srq_dropbits_concrete, (double)srq_graph_values(graph)[at], &slope);
            gradient[at] += (float)(share * slope);
        }
    }
    return penalty;
}

/* --- Means, with the bit-lengths that gates give in training or in evaluation, or with the smallest or largest
 * possible ones */

typedef enum state { EXPECTED, EVALUATED, LEAST, MOST } state;

static int scheduled_bits(const srq_quantizer *q, state which)
{
    if (which == LEAST) return srq_bits_shortest(&q->spec.bits);
    return which == MOST ? srq_bits_longest(&q->spec.bits) : q->trained_bits;
}

/* The bit-length of a layer's weights. */
static double weight_bits(const srq_graph *graph, const srq_layer *layer, state which)
{
    const srq_quantizer *q = &layer->quantizer;
    if (!q->method) return 32;
    if (which == LEAST && q->spec.dropbits == SRQ_DROPBITS_LEARN)
        return fmin(q->spec.min_bits, scheduled_bits(q, LEAST));
    if (which == LEAST || which == MOST || !srq_layer_learns_bits(layer)) return scheduled_bits(q, which);
    const float *phi = srq_graph_values(graph) + srq_graph_parameter(graph, layer->gates)->offset;
    return which == EXPECTED ? srq_gates_mean_bits(q->spec.min_bits, q->gates.count, phi)
                             : srq_gates_bits(q->spec.min_bits, q->gates.count, phi);
}

/* What one bit of a layer's weights counts: kept weights, or their MACs times the bits of the input. */
static double size_in(const srq_graph *graph, const srq_layer *layer, bool bops, state which)
{
    if (layer->weight < 0) return 0;
    const double kept = (double)srq_layer_kept(graph, layer);
    if (!bops) return kept;
    const srq_quantizer *input = input_quantizer(graph, layer);
    const double weights = (double)srq_graph_parameter(graph, layer->weight)->count;
    return (double)layer->macs / weights * kept * (input ? scheduled_bits(input, which) : 32);
}

double srq_layer_bits_size(const srq_graph *graph, const srq_layer *layer, bool bops)
{
    return size_in(graph, layer, bops, EVALUATED);
}

double srq_graph_bits_whole(const srq_graph *graph, bool bops)
{
    double whole = 0;
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (layer->weight < 0) continue;
        if (bops)
            whole +=
                (double)layer->macs * (layer->quantizer.method ? 8 : 32) * (input_quantizer(graph, layer) ? 8 : 32);
        else
            whole += (double)srq_layer_kept(graph, layer);
    }
    return whole;
}

static double measure(const srq_graph *graph, bool bops, state which)
{
    const double whole = srq_graph_bits_whole(graph, bops);
    double sum = 0;
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (layer->weight >= 0) sum += size_in(graph, layer, bops, which) * weight_bits(graph, layer, which);
    }
    return whole > 0 ? sum / whole : 0;
}

double srq_graph_expected(const srq_graph *graph, bool bops)
{
    return measure(graph, bops, EXPECTED);
}

double srq_graph_evaluated(const srq_graph *graph, bool bops)
{
    return measure(graph, bops, EVALUATED);
}

void srq_graph_bits_range(const srq_graph *graph, bool bops, double *least, double *most)
{
    *least = measure(graph, bops, LEAST);
    *most = measure(graph, bops, MOST);
}
