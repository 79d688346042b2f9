#include "experiments/srq/report/group.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Grouping */

static srq_status add_member(srq_report_group *group, int run)
{
    int *larger = realloc(group->members, (size_t)(group->member_count + 1) * sizeof *larger);
    if (!larger) return srq_fail_memory((size_t)(group->member_count + 1) * sizeof *larger, "the runs");
    group->members = larger;
    group->members[group->member_count++] = run;
    return SRQ_OK;
}

static srq_status place_run(srq_report_runs *runs, srq_report_groups *groups, int index)
{
    srq_report_run *run = &runs->items[index];
    srq_report_group *made = &groups->items[groups->count];
    const srq_status status = srq_choices_read(run, &made->choices);
    if (status != SRQ_OK) {
        srq_choices_free(&made->choices);
        return status;
    }
    made->config = run->config;
    made->validates = srq_report_validates(run);
    made->ticket = run->ticket;
    made->stage = run->stage;
    int at = 0;
    while (strcmp(groups->items[at].choices.digest, made->choices.digest) != 0 ||
           groups->items[at].ticket != made->ticket)
        at++;
    if (at < groups->count)
        srq_choices_free(&made->choices);
    else
        groups->count++;
    run->group = at;
    groups->items[at].number = at + 1;
    return add_member(&groups->items[at], index);
}

/* Groups without a ticket come first, in the order in which their runs were found. Those of a ticket are in the order
 * of its stages. */
static int by_ticket(const void *a, const void *b)
{
    const srq_report_group *one = a, *other = b;
    if (one->ticket != other->ticket) return one->ticket < other->ticket ? -1 : 1;
    const int x = one->ticket < 0 ? 0 : srq_stage_place(&one->stage),
              y = one->ticket < 0 ? 0 : srq_stage_place(&other->stage);
    return x != y ? (x > y) - (x < y) : one->number - other->number;
}

static void sort_groups(srq_report_runs *runs, srq_report_groups *groups)
{
    if (groups->count > 0) qsort(groups->items, (size_t)groups->count, sizeof *groups->items, by_ticket);
    for (int i = 0; i < groups->count; i++) {
        groups->items[i].number = i + 1;
        for (int k = 0; k < groups->items[i].member_count; k++) runs->items[groups->items[i].members[k]].group = i;
    }
}

/* --- If several runs have the same seed, only the one with the most steps counts */

static long steps_done(const srq_report_run *run)
{
    const srq_log_eval *eval = srq_report_last_eval(run);
    return eval ? eval->step : -1;
}

static bool further(const srq_report_run *a, const srq_report_run *b)
{
    if (srq_report_is_finished(a) != srq_report_is_finished(b)) return srq_report_is_finished(a);
    return steps_done(a) > steps_done(b);
}

static void sort_members(const srq_report_runs *runs, srq_report_group *group)
{
    for (int i = 1; i < group->member_count; i++)
        for (int k = i; k > 0; k--) {
            int *a = &group->members[k - 1], *b = &group->members[k];
            const srq_report_run *one = &runs->items[*a], *other = &runs->items[*b];
            if (one->seed < other->seed || (one->seed == other->seed && !further(other, one))) break;
            const int kept = *a;
            *a = *b;
            *b = kept;
        }
}

static void count_members(srq_report_runs *runs, srq_report_group *group)
{
    group->finished = 0;
    for (int i = 0; i < group->member_count; i++) {
        srq_report_run *run = &runs->items[group->members[i]];
        run->counted = i == 0 || runs->items[group->members[i - 1]].seed != run->seed;
        group->finished += run->counted && srq_report_is_finished(run);
    }
    group->partial = group->finished == 0;
}

/* --- Figures */

enum { ERROR, LOSS, BITS, ZEROS, BYTES, BOPS, RELATIVE, RATE, KEPT, VALIDATION, FIGURES };

static void read_figures(const srq_report_run *run, double figures[FIGURES])
{
    const srq_log_eval *e = srq_report_last_eval(run);
    const srq_log *log = run->log;
    double rate = 0;
    int rates = 0;
    for (int i = 0; i < log->step_count; i++) {
        if (!isfinite(log->steps[i].rate)) continue;
        rate += log->steps[i].rate;
        rates++;
    }
    figures[ERROR] = e->error;
    figures[LOSS] = e->loss;
    figures[BITS] = e->mean_bits;
    figures[ZEROS] = e->zeros;
    figures[BYTES] = e->bytes;
    figures[BOPS] = e->bops;
    figures[RELATIVE] = srq_log_relative_bops(e);
    figures[RATE] = rates ? rate / rates : NAN;
    figures[KEPT] = e->kept;
    figures[VALIDATION] = srq_report_validation_error(run);
}

static srq_status compute(const srq_report_runs *runs, srq_report_group *group)
{
    const size_t members = (size_t)group->member_count;
    double *values = calloc(FIGURES * members, sizeof *values), one[FIGURES];
    if (!values) return srq_fail_memory(FIGURES * members * sizeof *values, "the figures");
    int count = 0;
    for (int i = 0; i < group->member_count; i++) {
        const srq_report_run *run = &runs->items[group->members[i]];
        if (!run->counted || !srq_report_last_eval(run)) continue;
        if (!group->partial && !srq_report_is_finished(run)) continue;
        read_figures(run, one);
        for (size_t f = 0; f < FIGURES; f++) values[f * members + (size_t)count] = one[f];
        count++;
    }
    srq_statistic *figures[FIGURES] = {&group->error, &group->loss,      &group->bits,          &group->zeros,
                                       &group->bytes, &group->bops,      &group->relative_bops, &group->rate,
                                       &group->kept,  &group->validation};
    for (size_t f = 0; f < FIGURES; f++) *figures[f] = srq_statistic_of(count, values + f * members);
    free(values);
    return SRQ_OK;
}

srq_status srq_report_group_runs(srq_report_runs *runs, srq_report_groups *groups)
{
    *groups = (srq_report_groups){0};
    groups->items = calloc((size_t)runs->count + 1, sizeof *groups->items);
    if (!groups->items) return srq_fail_memory((size_t)runs->count * sizeof *groups->items, "the report");
    for (int i = 0; i < runs->count; i++)
        if (!runs->items[i].problem) SRQ_TRY(place_run(runs, groups, i));
    sort_groups(runs, groups);
    for (int i = 0; i < groups->count; i++) {
        sort_members(runs, &groups->items[i]);
        count_members(runs, &groups->items[i]);
        SRQ_TRY(compute(runs, &groups->items[i]));
    }
    return SRQ_OK;
}

void srq_report_free_groups(srq_report_groups *groups)
{
    for (int i = 0; i < groups->count; i++) {
        srq_choices_free(&groups->items[i].choices);
        free(groups->items[i].members);
    }
    free(groups->items);
    *groups = (srq_report_groups){0};
}
