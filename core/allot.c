#include "core/allot.h"

#include "core/quant/dropbits.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Steps of the scale of sums. */
enum { STEPS = 1024, PLACES = STEPS + 1 };

/* By how much a level must be better than the one below it in another layer. */
static const double prior = 0.1;

/* The best choice for the first layers whose sum is at a place of the scale. */
typedef struct cell {
    double value, sum; /* value -INFINITY: there is none */
} cell;

/* How a cell of a layer was reached: from this place of the layer before, with so many open levels. */
typedef struct origin {
    uint16_t place;
    uint8_t open;
} origin;

struct srq_allotter {
    int room;
    cell now[PLACES], next[PLACES];
    origin *origins; /* [room][PLACES] */
};

srq_status srq_allotter_create(int room, srq_allotter **out)
{
    srq_allotter *a = calloc(1, sizeof *a);
    if (!a) return srq_fail_memory(sizeof *a, "the bits of layers");
    const size_t count = (size_t)(room > 0 ? room : 1) * PLACES;
    a->room = room;
    a->origins = calloc(count, sizeof *a->origins);
    if (!a->origins) {
        srq_allotter_destroy(&a);
        return srq_fail_memory(count * sizeof(origin), "the bits of layers");
    }
    *out = a;
    return SRQ_OK;
}

void srq_allotter_destroy(srq_allotter **allotter)
{
    if (!*allotter) return;
    free((*allotter)->origins);
    free(*allotter);
    *allotter = NULL;
}

static void clear(cell *cells)
{
    for (int i = 0; i < PLACES; i++) cells[i] = (cell){.value = -INFINITY};
}

/* Extends the best choices for the layers before this one by every number of open levels. */
static void add_layer(srq_allotter *a, const srq_allot_layer *layer, double scale, origin *origins)
{
    double values[SRQ_LEVELS_MAX + 1] = {0};
    for (int k = 0; k < layer->levels; k++) {
        /* Finite, whatever the logit is, so that there is always a choice. */
        const double phi = fmax(-1e6, fmin(1e6, (double)layer->phi[k]));
        values[k + 1] = values[k] + layer->share * (phi - prior * k);
    }
    clear(a->next);
    for (int i = 0; i < PLACES; i++) {
        if (a->now[i].value == -INFINITY) continue;
        for (int k = 0; k <= layer->levels; k++) {
            const cell c = {.value = a->now[i].value + values[k], .sum = a->now[i].sum + layer->share * k};
            const int place = (int)fmin(STEPS, rint(c.sum * scale));
            if (c.value <= a->next[place].value) continue;
            a->next[place] = c;
            origins[place] = (origin){.place = (uint16_t)i, .open = (uint8_t)k};
        }
    }
    memcpy(a->now, a->next, sizeof a->now);
}

/* The place of the result: the best value within the slack, and the closest sum among equal values. */
static int best_place(const srq_allotter *a, double wanted, double slack)
{
    double closest = INFINITY;
    int best = -1;
    for (int i = 0; i < PLACES; i++)
        if (a->now[i].value > -INFINITY) closest = fmin(closest, fabs(a->now[i].sum - wanted));
    for (int i = 0; i < PLACES; i++) {
        const double off = fabs(a->now[i].sum - wanted);
        if (a->now[i].value == -INFINITY || off > fmax(slack, closest)) continue;
        const bool better = best < 0 || a->now[i].value > a->now[best].value ||
                            (a->now[i].value == a->now[best].value && off < fabs(a->now[best].sum - wanted));
        if (better) best = i;
    }
    return best;
}

double srq_allot(srq_allotter *a, int count, srq_allot_layer *layers, double wanted, double slack)
{
    double most = 0;
    for (int l = 0; l < count; l++) most += layers[l].share * layers[l].levels;
    const double scale = most > 0 ? STEPS / most : 0;
    clear(a->now);
    a->now[0] = (cell){0};
    for (int l = 0; l < count; l++) add_layer(a, &layers[l], scale, a->origins + (size_t)l * PLACES);
    int place = best_place(a, wanted, slack);
    const double sum = a->now[place].sum;
    for (int l = count - 1; l >= 0; l--) {
        const origin from = a->origins[(size_t)l * PLACES + (size_t)place];
        layers[l].open = from.open;
        place = from.place;
    }
    return sum;
}
