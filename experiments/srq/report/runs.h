/* The runs of a report, read from their folders. */
#ifndef SRQ_EXPERIMENTS_REPORT_RUNS_H
#define SRQ_EXPERIMENTS_REPORT_RUNS_H

#include "experiments/srq/study/plan.h"
#include "io/config.h"
#include "io/log.h"
#include "io/run_list.h"

typedef struct srq_report_run {
    const char *path, *name; /* name: the path below the given folder if there is only one, otherwise the path */
    srq_config *config;      /* NULL if the run cannot be used ... */
    srq_log *log;            /* NULL in the same case */
    char *problem;           /* ... for this reason; otherwise NULL */
    long long seed;
    long saved;  /* step of its last checkpoint; 0 if there is none */
    bool silent; /* started and not stopped, but without a log line for a long time: possibly killed */
    int ticket;  /* index of its ticket, or -1 */
    srq_stage stage;
    int group;    /* index of its group, set by group.h; -1 if it cannot be used */
    bool counted; /* whether it counts for the figures of its group, set by group.h; not if another run of the group
                     replaces it */
} srq_report_run;

/* A ticket: a folder with stages among the runs. */
typedef struct srq_ticket_folder {
    char *path, *name; /* path: real path of the folder; name: name of the ticket in the report */
} srq_ticket_folder;

typedef struct srq_report_runs {
    srq_run_list list; /* list of their folders */
    int count;
    srq_report_run *items;
    int ticket_count;
    srq_ticket_folder *tickets;
    double now; /* seconds since 1970 */
} srq_report_runs;

/* Reads the runs in and below `folders`. SRQ_ERROR_DATA if a folder cannot be read or there is no run. A run that
 * cannot be used is in the list with its problem. The caller frees *runs, also after a failure. */
srq_status srq_report_read_runs(int count, char *const *folders, double now, srq_report_runs *runs);
void srq_report_free_runs(srq_report_runs *runs);

/* The evaluation that a run's figures are from, or NULL: that of its best checkpoint on the test images, at the end of
 * a run with validation images; otherwise the last one. */
const srq_log_eval *srq_report_last_eval(const srq_report_run *run);
/* Whether the run has validation images, and its lowest validation error so far, or NaN. */
bool srq_report_validates(const srq_report_run *run);
double srq_report_validation_error(const srq_report_run *run);
bool srq_report_is_finished(const srq_report_run *run);
/* The state of a run at the time `now`: "finished", "running", "stopped (signal)", "failed: ...". Returns `out`. */
char *srq_report_standing(const srq_report_run *run, double now, char *out, size_t size);
/* "3 of 10" epochs; "" if not known. Returns `out`. */
char *srq_report_place(const srq_report_run *run, char *out, size_t size);
/* Seconds until the end of a run, from its last rate; NaN if not known. */
double srq_report_time_left(const srq_log *log);

#endif
