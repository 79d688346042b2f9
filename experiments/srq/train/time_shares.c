#include "experiments/srq/train/time_shares.h"

#include "experiments/srq/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* After a rank was named, no rank is named for so many windows. */
enum { QUIET_WINDOWS = 50 };
/* If a shard takes fewer seconds than this, the differences between ranks are noise. */
#define SHORTEST 0.05

/* Each rank gathers one line of these values. */
enum { COMPUTE, EXCHANGE, DATA, EACH_SHARD, WIDTH };

struct srq_shares {
    srq_comm *comm;
    int ranks;
    long own;
    srq_times before;     /* of this rank, at the beginning of the window */
    double *lines;        /* [ranks][WIDTH] */
    double *each, *room;  /* [ranks] */
    size_t *borders;      /* [ranks + 1] */
    int suspect, windows; /* the rank that was slow, and in how many windows in a row */
    int quiet;            /* windows in which no rank is to be named */
};

srq_status srq_shares_create(srq_comm *comm, long own, srq_shares **out)
{
    const size_t ranks = (size_t)srq_comm_size(comm);
    srq_shares *s = calloc(1, sizeof *s);
    bool whole = s != NULL;
    if (whole) {
        *s = (srq_shares){.comm = comm, .ranks = (int)ranks, .own = own, .suspect = -1};
        s->lines = calloc(ranks * WIDTH, sizeof *s->lines);
        s->each = calloc(ranks, sizeof *s->each);
        s->room = calloc(ranks, sizeof *s->room);
        s->borders = calloc(ranks + 1, sizeof *s->borders);
        whole = s->lines && s->each && s->room && s->borders;
    }
    *out = s;
    srq_status status = whole ? SRQ_OK : srq_fail_memory(ranks * WIDTH * sizeof(double), "the times of ranks");
    SRQ_TRY(srq_comm_agree(comm, status));
    for (size_t r = 0; r <= ranks; r++) s->borders[r] = r * WIDTH;
    return SRQ_OK;
}

void srq_shares_destroy(srq_shares **shares)
{
    srq_shares *s = *shares;
    if (!s) return;
    free(s->lines);
    free(s->each);
    free(s->room);
    free(s->borders);
    free(s);
    *shares = NULL;
}

void srq_shares_leave_out(srq_shares *s, double data)
{
    s->before.data += data;
}

srq_times srq_shares_now(const srq_shares *s, const srq_times *times, double seconds)
{
    const double part = 1 / fmax(1e-9, seconds);
    return (srq_times){.compute = (times->compute - s->before.compute) * part,
                       .exchange = (times->exchange - s->before.exchange) * part,
                       .data = (times->data - s->before.data) * part,
                       .passes = (times->passes - s->before.passes) * part};
}

int srq_slowest(const double *seconds, int ranks, double *room, double *factor)
{
    int slowest = 0;
    for (int r = 1; r < ranks; r++)
        if (seconds[r] > seconds[slowest]) slowest = r;
    memcpy(room, seconds, (size_t)ranks * sizeof *room);
    qsort(room, (size_t)ranks, sizeof *room, srq_ascending);
    const double middle = room[(ranks - 1) / 2];
    *factor = middle > 0 ? seconds[slowest] / middle : 1;
    return slowest;
}

/* Names a rank that is slow in several windows in a row, but not in every window. */
static void find_slow(srq_shares *s, srq_window *window)
{
    double factor;
    const int slowest = srq_slowest(s->each, s->ranks, s->room, &factor);
    const bool slow = factor > SRQ_SLOW_FACTOR && s->each[slowest] > SHORTEST * factor;
    s->windows = !slow ? 0 : slowest == s->suspect ? s->windows + 1 : 1;
    s->suspect = slow ? slowest : -1;
    if (s->quiet > 0) s->quiet--;
    window->slow_rank = -1;
    if (s->windows < SRQ_SLOW_WINDOWS || s->quiet > 0) return;
    window->slow_rank = slowest;
    window->slow_factor = factor;
    s->quiet = QUIET_WINDOWS;
}

srq_window srq_shares_end_window(srq_shares *s, const srq_times *times, double seconds)
{
    srq_window window = {0};
    double *own = s->lines + srq_comm_rank(s->comm) * WIDTH;
    const srq_times shares = srq_shares_now(s, times, seconds);
    own[COMPUTE] = shares.compute;
    own[EXCHANGE] = shares.exchange;
    own[DATA] = shares.data;
    own[EACH_SHARD] = (times->passes - s->before.passes) / (double)s->own;
    s->before = *times;
    srq_comm_gather(s->comm, s->lines, s->borders, sizeof *s->lines);
    for (int r = 0; r < s->ranks; r++) {
        const double *line = s->lines + r * WIDTH;
        window.mean.compute += line[COMPUTE] / s->ranks;
        window.mean.exchange += line[EXCHANGE] / s->ranks;
        window.mean.data += line[DATA] / s->ranks;
        s->each[r] = line[EACH_SHARD];
        if (line[COMPUTE] > s->lines[window.slowest_rank * WIDTH + COMPUTE]) window.slowest_rank = r;
    }
    const double *line = s->lines + window.slowest_rank * WIDTH;
    window.slowest = (srq_times){.compute = line[COMPUTE], .exchange = line[EXCHANGE], .data = line[DATA]};
    find_slow(s, &window);
    return window;
}
