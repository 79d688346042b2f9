#include "experiments/srq/report/tickets.h"

#include "experiments/srq/report/escape.h"
#include "io/ticket_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- Which runs are stages of which ticket */

/* Cuts the last name off a path; NULL if that is all of it. */
static char *cut_name(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || !slash[1]) return NULL;
    *slash = '\0';
    return slash + 1;
}

bool srq_report_find_stage(const char *run, const srq_settings *settings, srq_stage *stage, char **ticket)
{
    char expected[48];
    *ticket = realpath(run, NULL); /* as it may have been named from within the ticket */
    if (!*ticket) return false;
    const char *name = cut_name(*ticket), *seed = name ? cut_name(*ticket) : NULL;
    snprintf(expected, sizeof expected, "seed-%lld", (long long)settings->train.seed);
    if (seed && strcmp(seed, expected) == 0 && srq_stage_parse(name, stage) && srq_stage_fits(stage, settings))
        return true;
    free(*ticket);
    *ticket = NULL;
    return false;
}

/* The run's name without /seed-S/STAGE; of a ticket that was named itself, or from within, that of its folder. */
static char *name_ticket(const char *run, const char *folder)
{
    char *name = strdup(run);
    if (name && cut_name(name) && cut_name(name) && name[0] && strcmp(name, ".") != 0) return name;
    free(name);
    const char *slash = strrchr(folder, '/');
    return strdup(slash && slash[1] ? slash + 1 : "/");
}

static srq_status add_ticket(srq_report *report, const char *run, char *folder, int *index)
{
    *index = 0;
    while (*index < report->ticket_count && strcmp(report->tickets[*index].folder, folder) != 0) ++*index;
    if (*index < report->ticket_count) {
        free(folder);
        return SRQ_OK;
    }
    const size_t size = ((size_t)report->ticket_count + 1) * sizeof *report->tickets;
    srq_report_ticket *larger = realloc(report->tickets, size);
    if (!larger) free(folder);
    if (!larger) return srq_fail_memory(size, "the tickets");
    report->tickets = larger;
    report->tickets[report->ticket_count++] = (srq_report_ticket){.folder = folder, .name = name_ticket(run, folder)};
    return report->tickets[*index].name ? SRQ_OK : srq_fail_memory(strlen(run), "the tickets");
}

srq_status srq_report_find_tickets(srq_report *report)
{
    for (int i = 0; i < report->run_count; i++) {
        srq_report_run *run = &report->runs[i];
        char *folder = NULL;
        if (run->problem || !srq_report_find_stage(run->path, srq_config_settings(run->config), &run->stage, &folder))
            continue;
        SRQ_TRY(add_ticket(report, run->name, folder, &run->ticket));
    }
    return SRQ_OK;
}

void srq_report_free_tickets(srq_report *report)
{
    for (int i = 0; i < report->ticket_count; i++) {
        srq_report_ticket *ticket = &report->tickets[i];
        srq_comparison_destroy(&ticket->comparison);
        free(ticket->stages);
        free(ticket->seeds);
        free(ticket->folder);
        free(ticket->name);
    }
    free(report->tickets);
}

/* --- Their stages and seeds */

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

static srq_status list_stages(const srq_report *report, int index)
{
    srq_report_ticket *ticket = &report->tickets[index];
    const size_t most = (size_t)report->run_count;
    ticket->stages = calloc(most, sizeof *ticket->stages);
    ticket->seeds = calloc(most, sizeof *ticket->seeds);
    if (!ticket->stages || !ticket->seeds) return srq_fail_memory(most * sizeof *ticket->stages, "the stages");
    for (int i = 0; i < report->run_count; i++) {
        const srq_report_run *run = &report->runs[i];
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

/* --- What they have come to */

/* A run that is twice there, by two paths, is one. */
static srq_status add_run(srq_report_ticket *ticket, const srq_report_run *run)
{
    const srq_log_eval *e = srq_report_last_eval(run);
    srq_outcome o = {.there = true,
                     .error = e->error,
                     .loss = e->loss,
                     .mean_bits = e->mean_bits,
                     .bytes = e->bytes,
                     .bops = e->bops,
                     .relative_bops = e->w8a8_bops > 0 ? e->bops / e->w8a8_bops : NAN,
                     .kept = e->kept};
    snprintf(o.data_sha256, sizeof o.data_sha256, "%s", run->log->data_sha256);
    const srq_status status = srq_comparison_set(&ticket->comparison, stage_of(ticket, &run->stage),
                                                 seed_of(ticket, run->seed), run->path, &o);
    if (status == SRQ_ERROR_DATA)
        srq_text_append(ticket->note, sizeof ticket->note, "Left out: %.500s. ", srq_message());
    return status == SRQ_ERROR_DATA ? SRQ_OK : status;
}

static srq_status compare(const srq_report *report, int index)
{
    srq_report_ticket *ticket = &report->tickets[index];
    SRQ_TRY(list_stages(report, index));
    SRQ_TRY(srq_comparison_create(ticket->stage_count, ticket->stages, ticket->seed_count, ticket->seeds,
                                  &ticket->comparison));
    for (int i = 0; i < report->run_count; i++) {
        const srq_report_run *run = &report->runs[i];
        if (run->ticket == index && srq_report_is_finished(run) && isfinite(srq_report_last_eval(run)->error))
            SRQ_TRY(add_run(ticket, run));
    }
    return SRQ_OK;
}

/* "LeNet-5, srq 6/3, bits learned; seeds 1, 2; 12 of 14 runs are finished; pruned to level 1 of 3" */
static void describe(const srq_report *report, int index)
{
    srq_report_ticket *ticket = &report->tickets[index];
    const srq_settings *first = NULL, *s;
    const int last = ticket->stages[ticket->stage_count - 1].level;
    int levels = 0;
    for (int i = 0; !first && i < report->group_count; i++)
        if (report->groups[i].ticket == index) first = srq_config_settings(report->groups[i].config);
    for (int i = 0; i < report->run_count; i++) {
        if (report->runs[i].ticket != index) continue;
        s = srq_config_settings(report->runs[i].config);
        if (s->prune.levels > levels) levels = s->prune.levels;
    }
    srq_text_append(ticket->about, sizeof ticket->about, "%s, ", first->model.name);
    srq_report_describe(first, ticket->about, sizeof ticket->about);
    srq_text_append(ticket->about, sizeof ticket->about, "; seed%s", ticket->seed_count == 1 ? "" : "s");
    for (int i = 0; i < ticket->seed_count && i < 20; i++)
        srq_text_append(ticket->about, sizeof ticket->about, "%s %lld", i ? "," : "", ticket->seeds[i]);
    if (ticket->seed_count > 20) srq_text_append(ticket->about, sizeof ticket->about, ", ... (%d)", ticket->seed_count);
    srq_text_append(ticket->about, sizeof ticket->about, "; %d of %d runs that have begun are finished",
                    ticket->finished, ticket->run_count);
    if (levels > last)
        srq_text_append(ticket->about, sizeof ticket->about, "; pruning is at level %d of %d", last, levels);
}

/* --- ticket.json: figures are of the runs, but whoever reads the file should know whether it says the same */

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
    static const char advice[] = "; figures here are those of the runs (`srq ticket ... --stage compare` writes it). ";
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

srq_status srq_report_compare_tickets(srq_report *report)
{
    for (int i = 0; i < report->ticket_count; i++) {
        SRQ_TRY(compare(report, i));
        describe(report, i);
        SRQ_TRY(check_file(&report->tickets[i]));
    }
    return SRQ_OK;
}

/* --- Pruning */

/* The figures of a stage, if a run of it is finished. */
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
    srq_stage_figures rewound = {0}, random = {0};
    bool one = find_figures(ticket, n ? SRQ_STAGE_PRUNE : SRQ_STAGE_REWIND, n, &level->rewound.stage, &rewound);
    bool other = find_figures(ticket, n ? SRQ_STAGE_REINIT : SRQ_STAGE_SCRATCH, n, &level->random.stage, &random);
    if (n == 0 && !one) one = find_figures(ticket, SRQ_STAGE_LEARN, 0, &level->rewound.stage, &rewound);
    if (n == 0 && !other) other = find_figures(ticket, SRQ_STAGE_LEARN, 0, &level->random.stage, &random);
    level->level = n;
    level->rewound.error = rewound.error;
    level->random.error = random.error;
    level->kept = one ? rewound.kept.mean : random.kept.mean;
    return one || other;
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
