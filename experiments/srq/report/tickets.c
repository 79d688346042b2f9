#include "experiments/srq/report/tickets.h"

#include "experiments/srq/report/describe.h"
#include "experiments/srq/report/learned.h"
#include "experiments/srq/report/lengths.h"
#include "io/escape.h"
#include "io/ticket_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- Stages and seeds */

static int stage_of(const srq_report_ticket *ticket, const srq_stage *stage)
{
    int at = 0;
    while (at < ticket->stage_count && strcmp(ticket->stages[at].name, stage->name) != 0) at++;
    return at;
}

static int seed_of(const srq_report_ticket *ticket, long long seed)
{
    int at = 0;
    while (at < ticket->seed_count && ticket->seeds[at] != seed) at++;
    return at;
}

static int by_place(const void *a, const void *b)
{
    return srq_stage_place(a) - srq_stage_place(b);
}

static int by_value(const void *a, const void *b)
{
    const long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

static srq_status list_stages(const srq_report_runs *runs, int index, srq_report_ticket *ticket)
{
    const size_t most = (size_t)runs->count;
    ticket->stages = calloc(most, sizeof *ticket->stages);
    ticket->seeds = calloc(most, sizeof *ticket->seeds);
    if (!ticket->stages || !ticket->seeds) return srq_fail_memory(most * sizeof *ticket->stages, "the stages");
    for (int i = 0; i < runs->count; i++) {
        const srq_report_run *run = &runs->items[i];
        if (run->ticket != index) continue;
        ticket->run_count++;
        ticket->finished += srq_report_is_finished(run);
        if (stage_of(ticket, &run->stage) == ticket->stage_count) ticket->stages[ticket->stage_count++] = run->stage;
        if (seed_of(ticket, run->seed) == ticket->seed_count) ticket->seeds[ticket->seed_count++] = run->seed;
    }
    qsort(ticket->stages, (size_t)ticket->stage_count, sizeof *ticket->stages, by_place);
    qsort(ticket->seeds, (size_t)ticket->seed_count, sizeof *ticket->seeds, by_value);
    return SRQ_OK;
}

/* --- Results */

/* A run with two paths counts once. */
static srq_status add_run(srq_report_ticket *ticket, const srq_report_run *run)
{
    const srq_log_eval *e = srq_report_last_eval(run);
    srq_outcome o = {.there = true,
                     .error = e->error,
                     .loss = e->loss,
                     .mean_bits = e->mean_bits,
                     .bytes = e->bytes,
                     .bops = e->bops,
                     .relative_bops = srq_log_relative_bops(e),
                     .kept = e->kept,
                     .of_best = srq_report_validates(run),
                     .learned = srq_report_learned(run)};
    snprintf(o.data_sha256, sizeof o.data_sha256, "%s", run->log->data_sha256);
    const srq_status status = srq_comparison_set(&ticket->comparison, stage_of(ticket, &run->stage),
                                                 seed_of(ticket, run->seed), run->path, &o);
    if (status == SRQ_ERROR_DATA)
        srq_text_append(ticket->note, sizeof ticket->note, "Not compared: %.500s. ", srq_message());
    return status == SRQ_ERROR_DATA ? SRQ_OK : status;
}

static srq_status compare(const srq_report_runs *runs, int index, srq_report_ticket *ticket)
{
    SRQ_TRY(list_stages(runs, index, ticket));
    SRQ_TRY(srq_comparison_create(ticket->stage_count, ticket->stages, ticket->seed_count, ticket->seeds,
                                  &ticket->comparison));
    for (int i = 0; i < runs->count; i++) {
        const srq_report_run *run = &runs->items[i];
        if (run->ticket == index && run->stage.kind == SRQ_STAGE_LEARN)
            srq_comparison_take_learn(&ticket->comparison, srq_config_settings(run->config));
        if (run->ticket == index && srq_report_is_finished(run) && isfinite(srq_report_last_eval(run)->error))
            SRQ_TRY(add_run(ticket, run));
    }
    return SRQ_OK;
}

/* "LeNet-5, srq 6/3, bits learned; seeds 1, 2; 12 of 14 runs are finished; pruned to level 1 of 3" */
static void describe(const srq_report_runs *runs, const srq_report_groups *groups, int index, srq_report_ticket *ticket)
{
    const srq_settings *first = NULL, *s;
    const int last = ticket->stages[ticket->stage_count - 1].level;
    int levels = 0;
    for (int i = 0; !first && i < groups->count; i++)
        if (groups->items[i].ticket == index) first = srq_config_settings(groups->items[i].config);
    for (int i = 0; i < runs->count; i++) {
        if (runs->items[i].ticket != index) continue;
        s = srq_config_settings(runs->items[i].config);
        if (s->prune.levels > levels) levels = s->prune.levels;
    }
    srq_text_append(ticket->about, sizeof ticket->about, "%s, ", first->model.name);
    srq_report_describe(first, ticket->about, sizeof ticket->about);
    srq_text_append(ticket->about, sizeof ticket->about, "; seed%s", ticket->seed_count == 1 ? "" : "s");
    for (int i = 0; i < ticket->seed_count && i < 20; i++)
        srq_text_append(ticket->about, sizeof ticket->about, "%s %lld", i ? "," : "", ticket->seeds[i]);
    if (ticket->seed_count > 20) srq_text_append(ticket->about, sizeof ticket->about, ", ... (%d)", ticket->seed_count);
    if (first->data.validation > 0)
        srq_text_append(ticket->about, sizeof ticket->about, "; of checkpoints with the lowest validation error");
    srq_text_append(ticket->about, sizeof ticket->about, "; %d of %d started runs are finished", ticket->finished,
                    ticket->run_count);
    if (levels > last)
        srq_text_append(ticket->about, sizeof ticket->about, "; pruning is at level %d of %d", last, levels);
}

/* --- ticket.json. Figures come from the runs, but readers of the file should know if it differs. */

static int count_missing(const srq_report_ticket *ticket, const srq_ticket_file *file)
{
    int missing = 0;
    for (int i = 0; i < ticket->stage_count * ticket->seed_count; i++) {
        const srq_outcome *o = &ticket->comparison.outcomes[i];
        if (!o->there) continue;
        const double there = srq_ticket_file_error(file, ticket->stages[i / ticket->seed_count].name,
                                                   ticket->seeds[i % ticket->seed_count]);
        missing += !(fabs(there - o->error) <= 1e-6);
    }
    return missing;
}

static srq_status check_file(srq_report_ticket *ticket)
{
    static const char advice[] = "; the figures here come from the runs (`srq ticket ... --stage compare` writes it). ";
    char path[4400];
    srq_ticket_file *file = NULL;
    snprintf(path, sizeof path, "%s/ticket.json", ticket->folder);
    if (access(path, F_OK) != 0) {
        srq_text_append(ticket->note, sizeof ticket->note, "There is no ticket.json yet%s", advice);
        return SRQ_OK;
    }
    const srq_status status = srq_ticket_file_read(path, &file);
    if (status == SRQ_ERROR_DATA) {
        srq_text_append(ticket->note, sizeof ticket->note, "%.400s%s", srq_message(), advice);
        return SRQ_OK;
    }
    SRQ_TRY(status);
    const int missing = count_missing(ticket, file);
    if (missing)
        srq_text_append(ticket->note, sizeof ticket->note, "ticket.json is older than %d of the finished runs%s",
                        missing, advice);
    srq_ticket_file_destroy(&file);
    return SRQ_OK;
}

srq_status srq_report_compare_tickets(const srq_report_runs *runs, const srq_report_groups *groups,
                                      srq_report_tickets *tickets)
{
    *tickets = (srq_report_tickets){0};
    tickets->items = calloc((size_t)runs->ticket_count + 1, sizeof *tickets->items);
    if (!tickets->items) return srq_fail_memory((size_t)runs->ticket_count * sizeof *tickets->items, "the tickets");
    for (int i = 0; i < runs->ticket_count; i++) {
        srq_report_ticket *ticket = &tickets->items[tickets->count++];
        ticket->folder = runs->tickets[i].path;
        ticket->name = runs->tickets[i].name;
        SRQ_TRY(compare(runs, i, ticket));
        describe(runs, groups, i, ticket);
        SRQ_TRY(check_file(ticket));
    }
    srq_report_find_series(runs, groups, tickets);
    return SRQ_OK;
}

void srq_report_free_tickets(srq_report_tickets *tickets)
{
    for (int i = 0; i < tickets->count; i++) {
        srq_comparison_destroy(&tickets->items[i].comparison);
        free(tickets->items[i].stages);
        free(tickets->items[i].seeds);
    }
    free(tickets->items);
    *tickets = (srq_report_tickets){0};
}

char *srq_report_call_ticket(const srq_report_ticket *ticket, char *out, size_t size)
{
    snprintf(out, size, "%s%s", strcasestr(ticket->name, "ticket") ? "" : "Ticket ", ticket->name);
    return out;
}

/* --- Pruning */

/* The figures of a stage, if it has a finished run. */
static bool find_figures(const srq_report_ticket *ticket, srq_stage_kind kind, int level, const char **stage,
                         srq_stage_figures *figures)
{
    *stage = NULL;
    for (int i = 0; i < ticket->stage_count; i++) {
        if (ticket->stages[i].kind != kind || ticket->stages[i].level != level) continue;
        *figures = srq_comparison_figures(&ticket->comparison, i);
        if (figures->error.count == 0) continue;
        *stage = ticket->stages[i].name;
        return true;
    }
    return false;
}

static bool find_level(const srq_report_ticket *ticket, int n, srq_ticket_level *level)
{
    srq_stage_figures rewound = {0}, random = {0}, drawn = {0};
    bool one = find_figures(ticket, n ? SRQ_STAGE_PRUNE : SRQ_STAGE_REWIND, n, &level->rewound.stage, &rewound);
    bool other = find_figures(ticket, n ? SRQ_STAGE_REINIT : SRQ_STAGE_SCRATCH, n, &level->random.stage, &random);
    if (n == 0 && !one) one = find_figures(ticket, SRQ_STAGE_LEARN, 0, &level->rewound.stage, &rewound);
    if (n == 0 && !other) other = find_figures(ticket, SRQ_STAGE_LEARN, 0, &level->random.stage, &random);
    const bool third = n && find_figures(ticket, SRQ_STAGE_RANDOM, n, &level->drawn.stage, &drawn);
    if (n == 0) level->drawn.stage = NULL;
    level->drawn.error = drawn.error;
    level->level = n;
    level->rewound.error = rewound.error;
    level->random.error = random.error;
    level->kept = one ? rewound.kept.mean : other ? random.kept.mean : drawn.kept.mean;
    return one || other || third;
}

int srq_report_ticket_levels(const srq_report_ticket *ticket, srq_ticket_level *levels)
{
    int count = 0;
    bool pruned = false;
    for (int n = 0; n < SRQ_TICKET_LEVELS; n++) {
        if (!find_level(ticket, n, &levels[count])) continue;
        pruned = pruned || n > 0;
        count++;
    }
    return pruned ? count : 0;
}
