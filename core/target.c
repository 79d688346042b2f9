#include "core/target.h"

#include "core/allot.h"

#include <math.h>
#include <stdlib.h>

/* Shares of the steps with gates: until then, all levels that are not chosen are closed; and for so long, a logit takes
 * from 0 to `sure`. */
static const double reached = 0.4, ramp = 0.2;
/* The logit of a gate that is open in all but 1 % of the steps. */
static const double sure = 6;
/* The logit of a gate that is opened again. It is above 0 by more than a few steps of the optimizer, so that another
 * choice has time to become better. */
static const double lift = 0.1;

struct srq_target {
    bool bops;
    double wanted;
    srq_allotter *allotter;
    srq_allot_layer *layers; /* [layers of the graph] those that learn */
    float **phi;             /* their logits */
    int count;
};

srq_status srq_target_create(const srq_graph *graph, bool bops, double wanted, srq_target **out)
{
    const size_t room = (size_t)srq_graph_layer_count(graph);
    srq_target *t = calloc(1, sizeof *t);
    if (!t) return srq_fail_memory(sizeof *t, "the target of bit-lengths");
    t->bops = bops;
    t->wanted = wanted;
    t->layers = calloc(room, sizeof *t->layers);
    t->phi = calloc(room, sizeof *t->phi);
    srq_status status = t->layers && t->phi ? srq_allotter_create((int)room, &t->allotter)
                                            : srq_fail_memory(room * sizeof *t->layers, "the target of bit-lengths");
    if (status == SRQ_OK)
        *out = t;
    else
        srq_target_destroy(&t);
    return status;
}

void srq_target_destroy(srq_target **target)
{
    if (!*target) return;
    srq_allotter_destroy(&(*target)->allotter);
    free((*target)->layers);
    free((*target)->phi);
    free(*target);
    *target = NULL;
}

double srq_target_tolerance(bool bops, double wanted)
{
    return bops ? 0.03 * wanted : 0.1;
}

double srq_target_reached_by(void)
{
    return reached;
}

/* Lists the layers that learn, and chooses their bits. Returns the measure of the network with this choice. */
static double choose(srq_target *t, const srq_graph *graph, double slack)
{
    const double whole = srq_graph_bits_whole(graph, t->bops);
    double rest = srq_graph_evaluated(graph, t->bops);
    t->count = 0;
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        const srq_quantizer *q = &layer->quantizer;
        if (!srq_layer_learns_bits(layer)) continue;
        float *phi = srq_graph_values(graph) + srq_graph_parameter(graph, layer->gates)->offset;
        srq_allot_layer *l = &t->layers[t->count];
        *l = (srq_allot_layer){
            .share = srq_layer_bits_size(graph, layer, t->bops) / whole, .levels = q->gates.count, .phi = phi};
        t->phi[t->count++] = phi;
        rest -= l->share * (srq_gates_bits(q->spec.min_bits, l->levels, phi) - q->spec.min_bits);
    }
    return rest + srq_allot(t->allotter, t->count, t->layers, t->wanted - rest, slack);
}

void srq_target_move(int open, int levels, float *phi, double progress)
{
    const double floor = fmin(sure, sure * (progress - reached) / ramp);
    for (int c = 0; c < open; c++)
        if ((double)phi[c] < floor || phi[c] <= 0) phi[c] = (float)fmax(lift, floor);
    for (int c = open; c < levels; c++) {
        /* The highest level is the first to be closed. The small number lets it close in the step that is due, in spite
         * of rounding. */
        const double end = reached * (levels - c) / (levels - open) - 1e-9;
        const double ceiling = fmax(-sure, sure * (end - progress) / ramp);
        if ((double)phi[c] > ceiling) phi[c] = (float)ceiling;
    }
}

void srq_target_steer(srq_target *t, srq_graph *graph, double progress)
{
    (void)choose(t, graph, srq_target_tolerance(t->bops, t->wanted) / 2);
    for (int l = 0; l < t->count; l++) srq_target_move(t->layers[l].open, t->layers[l].levels, t->phi[l], progress);
}

double srq_target_closest(srq_target *t, const srq_graph *graph)
{
    return choose(t, graph, 0);
}
