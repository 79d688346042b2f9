#include "experiments/srq/report/lengths.h"

#include "io/schema.h"

#include <math.h>
#include <string.h>

/* The settings of stage learn, if they are equal for all seeds; otherwise NULL. */
static const srq_choices *choices_of(const srq_report_groups *groups, int ticket)
{
    const srq_choices *found = NULL;
    for (int i = 0; i < groups->count; i++) {
        const srq_report_group *group = &groups->items[i];
        if (group->ticket != ticket || group->stage.kind != SRQ_STAGE_LEARN) continue;
        if (found) return NULL;
        found = &group->choices;
    }
    return found;
}

static double epochs_of(const srq_report_runs *runs, int ticket)
{
    for (int i = 0; i < runs->count; i++) {
        const srq_report_run *run = &runs->items[i];
        if (run->ticket != ticket || run->stage.kind != SRQ_STAGE_LEARN || run->log->steps_per_epoch <= 0) continue;
        return (double)run->log->total_steps / (double)run->log->steps_per_epoch;
    }
    return NAN;
}

static bool is_length(const char *path)
{
    const srq_setting *setting = srq_setting_find(path);
    return setting && (setting->type == SRQ_SET_SPAN || setting->type == SRQ_SET_EPOCHS);
}

/* Whether every setting of `a` that is no length has the same value in `b`. */
static bool is_within(const srq_choices *a, const srq_choices *b)
{
    for (int i = 0; i < a->count; i++) {
        const srq_choice *other = srq_choices_find(b, a->items[i].path);
        if (is_length(a->items[i].path)) continue;
        if (!other || strcmp(a->items[i].value, other->value) != 0) return false;
    }
    return true;
}

static bool differ_in_length(const srq_report_groups *groups, const srq_report_tickets *tickets, int one, int other)
{
    const srq_choices *a = choices_of(groups, one), *b = choices_of(groups, other);
    const double reach = fabs(tickets->items[one].epochs - tickets->items[other].epochs);
    return a && b && reach > 1e-9 && is_within(a, b) && is_within(b, a);
}

/* Whether the ticket differs from every ticket that is in the series so far only in the length. */
static bool belongs_to(const srq_report_groups *groups, const srq_report_tickets *tickets, int ticket, int series)
{
    for (int i = 0; i < ticket; i++)
        if (tickets->items[i].series == series && !differ_in_length(groups, tickets, ticket, i)) return false;
    return true;
}

static int members_of(const srq_report_tickets *tickets, int series)
{
    int count = 0;
    for (int i = 0; i < tickets->count; i++) count += tickets->items[i].series == series;
    return count;
}

/* Removes series of one ticket, and closes the gaps in the numbers. */
static void remove_single(srq_report_tickets *tickets, int count)
{
    int last = 0;
    for (int series = 1; series <= count; series++) {
        const int number = members_of(tickets, series) > 1 ? ++last : 0;
        for (int i = 0; i < tickets->count; i++)
            if (tickets->items[i].series == series) tickets->items[i].series = number;
    }
}

void srq_report_find_series(const srq_report_runs *runs, const srq_report_groups *groups, srq_report_tickets *tickets)
{
    int count = 0;
    for (int i = 0; i < tickets->count; i++) {
        srq_report_ticket *ticket = &tickets->items[i];
        ticket->epochs = epochs_of(runs, i);
        if (!isfinite(ticket->epochs) || !choices_of(groups, i)) continue;
        int series = 1;
        while (series <= count && !belongs_to(groups, tickets, i, series)) series++;
        ticket->series = series;
        if (series > count) count = series;
    }
    remove_single(tickets, count);
}
