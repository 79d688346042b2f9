#include "experiments/srq/report/runs.h"

#include "experiments/srq/report/run_stage.h"
#include "io/escape.h"
#include "io/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4400 };

/* --- Reading */

static srq_status open_run(srq_report_run *run)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/config.cfg", run->path);
    SRQ_TRY(srq_config_load(path, 0, NULL, &run->config));
    run->seed = (long long)srq_config_settings(run->config)->train.seed;
    SRQ_TRY(srq_log_create_of(run->path, &run->log));
    return srq_log_check(run->log);
}

/* The step from which a killed run resumes: that of its last checkpoint, or 0. */
static long saved_step(const char *path)
{
    long *steps = NULL, last = 0;
    int count = 0;
    if (srq_run_list_steps(path, &steps, &count) == SRQ_OK && count > 0) last = steps[count - 1];
    free(steps);
    return last;
}

/* A run writes a line from time to time while it trains. If there is none for ten times the usual interval, and for at
 * least a quarter of an hour, the run was probably killed. */
static bool is_silent(const srq_log *log, double now)
{
    const double between = log->seconds / (log->step_count + log->eval_count + 1);
    return log->state == SRQ_LOG_OPEN && now - log->time > fmax(900, 10 * between);
}

static srq_status read_run(srq_report_run *run, double now)
{
    const srq_status status = open_run(run);
    run->group = run->ticket = -1;
    if (status == SRQ_OK) {
        run->silent = is_silent(run->log, now);
        run->saved = saved_step(run->path);
        return SRQ_OK;
    }
    if (status == SRQ_ERROR_RUN) return status;
    srq_config_destroy(&run->config);
    srq_log_destroy(&run->log);
    run->problem = strdup(srq_message());
    return run->problem ? SRQ_OK : srq_fail_memory(strlen(srq_message()), "a message");
}

/* With one given folder, all paths begin with it, so the path below it is the name. */
static const char *name_run(const char *path, int folders, const char *folder)
{
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    if (folders > 1 || strncmp(path, folder, n) != 0) return path;
    if (path[n] == '/') return path + n + 1;
    return n == 1 && folder[0] == '/' && path[n] ? path + 1 : path;
}

/* --- Tickets */

static srq_status add_ticket(srq_report_runs *runs, const char *run, char *folder, int *index)
{
    *index = 0;
    while (*index < runs->ticket_count && strcmp(runs->tickets[*index].path, folder) != 0) ++*index;
    if (*index < runs->ticket_count) {
        free(folder);
        return SRQ_OK;
    }
    const size_t size = ((size_t)runs->ticket_count + 1) * sizeof *runs->tickets;
    srq_ticket_folder *larger = realloc(runs->tickets, size);
    if (!larger) free(folder);
    if (!larger) return srq_fail_memory(size, "the tickets");
    runs->tickets = larger;
    runs->tickets[runs->ticket_count++] =
        (srq_ticket_folder){.path = folder, .name = srq_report_name_ticket(run, folder)};
    return runs->tickets[*index].name ? SRQ_OK : srq_fail_memory(strlen(run), "the tickets");
}

static srq_status find_ticket(srq_report_runs *runs, srq_report_run *run)
{
    char *folder = NULL;
    if (run->problem || !srq_report_find_stage(run->path, srq_config_settings(run->config), &run->stage, &folder))
        return SRQ_OK;
    return add_ticket(runs, run->name, folder, &run->ticket);
}

/* --- All runs */

static srq_status find_runs(srq_report_runs *runs, int count, char *const *folders)
{
    for (int i = 0; i < count; i++) SRQ_TRY(srq_run_list_add(&runs->list, folders[i]));
    if (runs->list.count > 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s%s: no run was found there or in folders below; a run directory of `srq train` contains "
                    "config.cfg and log.jsonl",
                    folders[0], count > 1 ? " and the other folders" : "");
}

srq_status srq_report_read_runs(int count, char *const *folders, double now, srq_report_runs *runs)
{
    *runs = (srq_report_runs){.now = now};
    SRQ_TRY(find_runs(runs, count, folders));
    runs->items = calloc((size_t)runs->list.count, sizeof *runs->items);
    if (!runs->items) return srq_fail_memory((size_t)runs->list.count * sizeof *runs->items, "the runs");
    for (int i = 0; i < runs->list.count; i++) {
        srq_report_run *run = &runs->items[runs->count++];
        run->path = runs->list.paths[i];
        run->name = name_run(run->path, count, folders[0]);
        SRQ_TRY(read_run(run, runs->now));
        SRQ_TRY(find_ticket(runs, run));
    }
    return SRQ_OK;
}

void srq_report_free_runs(srq_report_runs *runs)
{
    for (int i = 0; i < runs->count; i++) {
        srq_config_destroy(&runs->items[i].config);
        srq_log_destroy(&runs->items[i].log);
        free(runs->items[i].problem);
    }
    for (int i = 0; i < runs->ticket_count; i++) {
        free(runs->tickets[i].path);
        free(runs->tickets[i].name);
    }
    free(runs->items);
    free(runs->tickets);
    srq_run_list_free(&runs->list);
    *runs = (srq_report_runs){0};
}

/* --- The state of a run */

const srq_log_eval *srq_report_last_eval(const srq_report_run *run)
{
    if (run->log && run->log->tested) return &run->log->test;
    return run->log && run->log->eval_count ? &run->log->evals[run->log->eval_count - 1] : NULL;
}

bool srq_report_validates(const srq_report_run *run)
{
    return run->config && srq_config_settings(run->config)->data.validation > 0;
}

double srq_report_validation_error(const srq_report_run *run)
{
    double least = NAN;
    if (!run->log) return NAN;
    if (run->log->tested) return run->log->test.validation_error;
    for (int i = 0; i < run->log->eval_count; i++) least = fmin(least, run->log->evals[i].validation_error);
    return least;
}

bool srq_report_is_finished(const srq_report_run *run)
{
    const srq_log *log = run->log;
    return log && log->state == SRQ_LOG_FINISHED && (srq_report_validates(run) ? log->tested : log->eval_count > 0);
}

char *srq_report_standing(const srq_report_run *run, double now, char *out, size_t size)
{
    char time[32];
    const srq_log *log = run->log;
    out[0] = '\0';
    if (run->problem)
        snprintf(out, size, "cannot be used: %s", run->problem);
    else if (log->state == SRQ_LOG_EMPTY)
        snprintf(out, size, "its log is empty");
    else if (log->state == SRQ_LOG_FINISHED && strcmp(log->reason, "early-stop") == 0)
        snprintf(out, size, "finished early (train.patience)");
    else if (log->state == SRQ_LOG_FINISHED) /* without an evaluation: a run of 0 steps of earlier versions */
        snprintf(out, size, "%s", log->eval_count || log->tested ? "finished" : "ended without an evaluation");
    else if (log->state == SRQ_LOG_STOPPED)
        snprintf(out, size, "stopped (%s)", log->reason);
    else if (log->state == SRQ_LOG_FAILED)
        snprintf(out, size, "failed: %s", log->reason);
    else if (run->silent)
        snprintf(out, size,
                 run->saved > 0 ? "no log line for %s, possibly killed; last checkpoint: step %ld"
                                : "no log line for %s, possibly killed before its first checkpoint",
                 srq_duration(now - log->time, time, sizeof time), run->saved);
    else if (isfinite(srq_report_time_left(log)))
        snprintf(out, size, "running, %s left", srq_duration(srq_report_time_left(log), time, sizeof time));
    else
        snprintf(out, size, "running");
    if (log && log->bad_lines > 0)
        srq_text_append(out, size, "; %ld line%s of its log %s not valid and skipped", log->bad_lines,
                        log->bad_lines == 1 ? "" : "s", log->bad_lines == 1 ? "is" : "are");
    return out;
}

char *srq_report_place(const srq_report_run *run, char *out, size_t size)
{
    const srq_log *log = run->log;
    out[0] = '\0';
    if (!log || log->total_steps <= 0 || log->steps_per_epoch <= 0) return out;
    const double epoch = (double)log->steps_per_epoch;
    snprintf(out, size, "%.4g of %.4g", (double)log->last_step / epoch, (double)log->total_steps / epoch);
    return out;
}

double srq_report_time_left(const srq_log *log)
{
    if (log->step_count == 0 || log->batch <= 0 || log->total_steps <= 0) return NAN;
    const double left = (double)(log->total_steps - log->last_step) * (double)log->batch;
    const double rate = log->steps[log->step_count - 1].rate;
    return rate > 0 && left >= 0 ? left / rate : NAN;
}
