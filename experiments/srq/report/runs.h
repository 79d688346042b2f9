/* The runs of a report, read from their folders. */
#ifndef SRQ_EXPERIMENTS_REPORT_RUNS_H
#define SRQ_EXPERIMENTS_REPORT_RUNS_H

#include "experiments/srq/study/plan.h"
#include "io/config.h"
#include "io/log.h"
#include "io/run_list.h"

typedef struct srq_report_run {
    const char *path, *name; /* name: the path below the one folder that was named, else the path */
    srq_config *config;      /* NULL if it cannot be used: ... */
    srq_log *log;            /* NULL likewise */
    char *problem;           /* ... why, else NULL */
    long long seed;
    bool silent; /* started and not stopped, but has said nothing for long: killed? */
    int ticket;  /* that it is a stage of, or -1 */
    srq_stage stage;
    int group;    /* set by grouping (group.h); -1 if it cannot be used */
    bool counted; /* likewise: for the figures of its group, not where another run of the group has the same seed */
} srq_report_run;

/* A folder with stages of a ticket among the runs. */
typedef struct srq_ticket_folder {
    char *path, *name; /* path: as the file system has it; name: how the report calls the ticket */
} srq_ticket_folder;

typedef struct srq_report_runs {
    srq_run_list list; /* of their folders */
    int count;
    srq_report_run *items;
    int ticket_count;
    srq_ticket_folder *tickets;
    double now; /* seconds since 1970 */
} srq_report_runs;

/* Reads the runs in and below `folders`. SRQ_ERROR_DATA if a folder cannot be read or no run is in any. A run that
 * cannot be used is in the list with its problem. The caller frees *runs, whatever is returned. */
srq_status srq_report_read_runs(int count, char *const *folders, double now, srq_report_runs *runs);
void srq_report_free_runs(srq_report_runs *runs);

/* The last evaluation of a run, NULL if there is none. */
const srq_log_eval *srq_report_last_eval(const srq_report_run *run);
bool srq_report_is_finished(const srq_report_run *run);
/* "finished", "running", "stopped (signal)", "failed: ...", at the time `now`. Returns `out`. */
char *srq_report_standing(const srq_report_run *run, double now, char *out, size_t size);
/* "3 of 10", in epochs; "" if that is not known. Returns `out`. */
char *srq_report_place(const srq_report_run *run, char *out, size_t size);
/* Seconds that a run will take to its end, by its last rate; NaN if that is not known. */
double srq_report_time_left(const srq_log *log);

#endif
