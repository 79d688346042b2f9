#include "experiments/srq/report/runs.h"

#include "experiments/srq/report/tickets.h"
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
    return srq_log_create_of(run->path, &run->log);
}

/* A run that is under way writes a line now and then: after ten times as long as between lines so far, and a quarter of
 * an hour at least, it has probably been killed. */
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
        return SRQ_OK;
    }
    if (status == SRQ_ERROR_RUN) return status;
    srq_config_destroy(&run->config);
    srq_log_destroy(&run->log);
    run->problem = strdup(srq_message());
    return run->problem ? SRQ_OK : srq_fail_memory(strlen(srq_message()), "a message");
}

/* With one folder named, all paths begin alike: what is below it is name enough. */
static const char *name_run(const char *path, int folders, const char *folder)
{
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    if (folders > 1 || strncmp(path, folder, n) != 0) return path;
    if (path[n] == '/') return path + n + 1;
    return n == 1 && folder[0] == '/' && path[n] ? path + 1 : path;
}

static srq_status find_runs(srq_report *report, int count, char *const *folders)
{
    for (int i = 0; i < count; i++) SRQ_TRY(srq_run_list_add(&report->list, folders[i]));
    if (report->list.count > 0) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_DATA,
        "%s%s: no run is in there, nor in folders below; a run directory of `srq train` holds config.cfg and "
        "log.jsonl",
        folders[0], count > 1 ? " and the other folders" : "");
}

static srq_status read_runs(srq_report *report, int count, char *const *folders)
{
    SRQ_TRY(find_runs(report, count, folders));
    report->runs = calloc((size_t)report->list.count, sizeof *report->runs);
    if (!report->runs) return srq_fail_memory((size_t)report->list.count * sizeof *report->runs, "the runs");
    for (int i = 0; i < report->list.count; i++) {
        srq_report_run *run = &report->runs[report->run_count++];
        run->path = report->list.paths[i];
        run->name = name_run(run->path, count, folders[0]);
        SRQ_TRY(read_run(run, report->now));
    }
    return SRQ_OK;
}

srq_status srq_report_create(int count, char *const *folders, double now, srq_report *report)
{
    *report = (srq_report){.now = now};
    srq_status status = read_runs(report, count, folders);
    if (status == SRQ_OK) status = srq_report_find_tickets(report);
    if (status == SRQ_OK) status = srq_report_group_runs(report);
    if (status == SRQ_OK) srq_report_name_groups(report);
    if (status == SRQ_OK) status = srq_report_compare_tickets(report);
    if (status != SRQ_OK) srq_report_destroy(report);
    return status;
}

static void destroy_group(srq_report_group *group)
{
    srq_report_free_choices(group);
    free(group->members);
}

void srq_report_destroy(srq_report *report)
{
    for (int i = 0; i < report->run_count; i++) {
        srq_config_destroy(&report->runs[i].config);
        srq_log_destroy(&report->runs[i].log);
        free(report->runs[i].problem);
    }
    for (int i = 0; i < report->group_count; i++) destroy_group(&report->groups[i]);
    srq_report_free_tickets(report);
    free(report->runs);
    free(report->groups);
    srq_run_list_free(&report->list);
    *report = (srq_report){0};
}

/* --- What a run has come to */

const srq_log_eval *srq_report_last_eval(const srq_report_run *run)
{
    return run->log && run->log->eval_count ? &run->log->evals[run->log->eval_count - 1] : NULL;
}

bool srq_report_is_finished(const srq_report_run *run)
{
    return run->log && run->log->state == SRQ_LOG_FINISHED && run->log->eval_count > 0;
}

char *srq_report_standing(const srq_report *report, const srq_report_run *run, char *out, size_t size)
{
    char time[32];
    const srq_log *log = run->log;
    if (run->problem)
        snprintf(out, size, "cannot be used: %s", run->problem);
    else if (log->state == SRQ_LOG_EMPTY)
        snprintf(out, size, "nothing in its log yet");
    else if (log->state == SRQ_LOG_FINISHED)
        snprintf(out, size, "finished");
    else if (log->state == SRQ_LOG_STOPPED)
        snprintf(out, size, "stopped (%s)", log->reason);
    else if (log->state == SRQ_LOG_FAILED)
        snprintf(out, size, "failed: %s", log->reason);
    else if (run->silent)
        snprintf(out, size, "silent for %s: killed?", srq_duration(report->now - log->time, time, sizeof time));
    else if (isfinite(srq_report_time_left(log)))
        snprintf(out, size, "running, %s left", srq_duration(srq_report_time_left(log), time, sizeof time));
    else
        snprintf(out, size, "running");
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
