#include "experiments/srq/train/holdout.h"

#include "core/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* An image with its random number. */
typedef struct draw {
    int32_t label;
    uint64_t number;
    size_t image;
} draw;

/* By class; in a class, by number. Equal numbers are possible, so the image decides in the end. */
static int by_number(const void *a, const void *b)
{
    const draw *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return (x->image > y->image) - (x->image < y->image);
}

static void draw_all(const srq_split *split, uint64_t seed, draw *draws)
{
    for (size_t i = 0; i < split->count; i++) {
        uint32_t bits[4];
        srq_random(seed, SRQ_RANDOM_VALIDATION, 0, i, bits);
        draws[i] = (draw){.label = split->labels[i], .number = (uint64_t)bits[1] << 32 | bits[0], .image = i};
    }
    qsort(draws, split->count, sizeof *draws, by_number);
}

/* A class: the number of its images, of its validation images, and the remainder of the division, in images * count. */
typedef struct class_share {
    uint64_t images, taken, remainder;
} class_share;

/* Divides `wanted` images among the classes: the method of largest remainders. */
static void share_out(uint64_t wanted, uint64_t count, int classes, class_share *shares)
{
    uint64_t taken = 0;
    for (int c = 0; c < classes; c++) {
        shares[c].taken = wanted * shares[c].images / count;
        shares[c].remainder = wanted * shares[c].images % count;
        taken += shares[c].taken;
    }
    for (; taken < wanted; taken++) {
        int most = 0;
        for (int c = 1; c < classes; c++)
            if (shares[c].remainder > shares[most].remainder) most = c;
        shares[most].taken++;
        shares[most].remainder = 0;
    }
}

static void mark(const srq_split *split, const class_share *shares, const draw *draws, bool *held)
{
    uint64_t of_class = 0;
    for (size_t i = 0; i < split->count; i++) {
        of_class = i > 0 && draws[i].label == draws[i - 1].label ? of_class + 1 : 0;
        held[draws[i].image] = of_class < shares[draws[i].label].taken;
    }
}

static void list(const srq_split *split, const bool *held, srq_holdout *h)
{
    size_t train = 0, validation = 0;
    for (size_t i = 0; i < split->count; i++)
        if (held[i])
            h->validation[validation++] = i;
        else
            h->train[train++] = i;
}

static srq_status choose(const srq_dataset *d, uint64_t seed, srq_holdout *h)
{
    const srq_split *split = &d->splits[SRQ_TRAIN];
    draw *draws = malloc(split->count * sizeof *draws);
    bool *held = malloc(split->count * sizeof *held);
    class_share *shares = calloc((size_t)d->classes, sizeof *shares);
    h->validation = malloc(h->count * sizeof *h->validation);
    h->train = malloc(h->train_count * sizeof *h->train);
    const bool whole = draws && held && shares && h->validation && h->train;
    if (whole) {
        draw_all(split, seed, draws);
        for (size_t i = 0; i < split->count; i++) shares[split->labels[i]].images++;
        share_out(h->count, split->count, d->classes, shares);
        mark(split, shares, draws, held);
        list(split, held, h);
    }
    free(draws);
    free(held);
    free(shares);
    return whole ? SRQ_OK : srq_fail_memory(split->count * sizeof *draws, "the validation images");
}

srq_status srq_holdout_create(const srq_dataset *d, double wanted, uint64_t seed, srq_holdout *h)
{
    const size_t images = d->splits[SRQ_TRAIN].count;
    *h = (srq_holdout){.train_count = images};
    if (wanted == 0) return SRQ_OK;
    const double count = wanted < 1 ? rint(wanted * (double)images) : wanted;
    if (!(count >= 1 && count < (double)images))
        return srq_fail(SRQ_ERROR_USAGE,
                        "data.validation is %g, which is %.0f of the %zu training images of %s, but at least one must "
                        "be for validation and at least one for training; use another number or share",
                        wanted, count, images, d->path);
    h->count = (size_t)count;
    h->train_count = images - h->count;
    const srq_status status = choose(d, seed, h);
    if (status != SRQ_OK) srq_holdout_free(h);
    return status;
}

void srq_holdout_free(srq_holdout *holdout)
{
    free(holdout->train);
    free(holdout->validation);
    *holdout = (srq_holdout){0};
}
