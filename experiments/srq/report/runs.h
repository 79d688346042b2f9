/* The runs of a report, and the configurations that they are seeds of. */
#ifndef SRQ_EXPERIMENTS_REPORT_RUNS_H
#define SRQ_EXPERIMENTS_REPORT_RUNS_H

#include "experiments/srq/statistics.h"
#include "experiments/srq/study/plan.h"
#include "io/config.h"
#include "io/log.h"
#include "io/run_list.h"
#include "io/sweep.h"

typedef struct srq_report_run {
    const char *path, *name; /* name: the path below the one folder that was named, else the path */
    srq_config *config;      /* NULL if it cannot be used: ... */
    srq_log *log;            /* NULL likewise */
    char *problem;           /* ... why, else NULL */
    long long seed;
    int group;  /* -1 if it cannot be used */
    int ticket; /* that it is a stage of, or -1 */
    srq_stage stage;
    bool counted; /* for the figures of its group: not where another run of the group has the same seed */
    bool silent;  /* started and not stopped, but has said nothing for long: killed? */
} srq_report_run;

/* A setting that decides results, and its value; the model's name and "..." stand for long ones in `shown`. */
typedef struct srq_choice {
    const char *path;
    char *value, *shown;
} srq_choice;

/* Runs whose settings are equal but for train.seed, on the same data set. Of the stages of a ticket, also but for what
 * a seed's own stage learn has left to them: weights, masks, bit-lengths. */
typedef struct srq_report_group {
    int number; /* from 1, in tables and pictures */
    char digest[65];
    const srq_config *config; /* of its first run */
    int choice_count;
    srq_choice *choices;
    char name[256]; /* what differs from the others; with a table, the row */
    int row;        /* with a table: its row, or -1 */
    int ticket;     /* that it is a stage of, or -1 */
    srq_stage stage;
    int member_count, *members; /* its runs, by seed */
    int finished;               /* runs that are, each seed once */
    bool partial;               /* none is finished: the figures are of the last evaluations so far */
    srq_statistic error, loss, bits, zeros, bytes, bops, relative_bops, rate; /* error 0..1; relative to 8/8 bits */
    srq_statistic kept;                                                       /* share of weights that masks keep */
} srq_report_group;

typedef struct srq_report {
    srq_run_list list;
    int run_count, group_count;
    srq_report_run *runs;
    srq_report_group *groups; /* those of tickets stand behind the others */
    int ticket_count;
    struct srq_report_ticket *tickets; /* experiments/srq/report/tickets.h */
    const srq_sweep *sweep;            /* the table that the report is of, or NULL */
    double now;                        /* seconds since 1970 */
    char common[1024]; /* settings that groups differ in, as most of them have it: "train.epochs = 10, ..." */
} srq_report;

/* Reads the runs in and below `folders`. SRQ_ERROR_DATA if a folder cannot be read or no run is in any. A run that
 * cannot be used is in the list with its problem. The caller destroys *report. */
srq_status srq_report_create(int count, char *const *folders, double now, srq_report *report);
void srq_report_destroy(srq_report *report);

/* report/choices.c: the choices of a run, and their digest, into a group without any. The caller frees them, whatever
 * is returned. */
srq_status srq_report_read_choices(const srq_report_run *run, srq_report_group *group);
void srq_report_free_choices(srq_report_group *group);

/* report/group.c: groups the runs and computes their figures. */
srq_status srq_report_group_runs(srq_report *report);
/* report/name.c: names the groups by what differs. */
void srq_report_name_groups(srq_report *report);
/* Adds a configuration in a few words, "srq argmax 2/2 + DropBits", to `out`. */
void srq_report_describe(const srq_settings *settings, char *out, size_t size);

/* report/arrange.c: brings the groups into the order of a table's rows, and calls them so; others stand behind. The
 * table must live as long as the report. */
srq_status srq_report_arrange(srq_report *report, const srq_sweep *sweep);
/* Whether the table's row has no run with this seed; how many such runs there are. */
bool srq_report_is_missing(const srq_report *report, int row, long long seed);
int srq_report_missing(const srq_report *report);

/* report/pick.c: the indices of up to `most` groups that are wanted, in order, into picked[group_count]; those of the
 * lowest error where there are more. Returns how many. */
int srq_report_pick(const srq_report *report, bool (*wanted)(const srq_report *, const srq_report_group *), int most,
                    int *picked);

/* The last evaluation of a run, NULL if there is none. */
const srq_log_eval *srq_report_last_eval(const srq_report_run *run);
bool srq_report_is_finished(const srq_report_run *run);
/* "finished", "running", "stopped (signal)", "failed: ...". Returns `out`. */
char *srq_report_standing(const srq_report *report, const srq_report_run *run, char *out, size_t size);
/* "3 of 10", in epochs; "" if that is not known. Returns `out`. */
char *srq_report_place(const srq_report_run *run, char *out, size_t size);
/* Seconds that a run will take to its end, by its last rate; NaN if that is not known. */
double srq_report_time_left(const srq_log *log);

#endif
