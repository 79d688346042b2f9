/* The configurations of a report. A group has the runs of a configuration with different seeds. */
#ifndef SRQ_EXPERIMENTS_REPORT_GROUP_H
#define SRQ_EXPERIMENTS_REPORT_GROUP_H

#include "experiments/srq/report/choices.h"
#include "experiments/srq/statistics.h"

/* Runs with equal settings except train.seed, on the same data set. For stages of a ticket, weights, masks and
 * bit-lengths that come from stage learn of the same seed may differ as well. */
typedef struct srq_report_group {
    int number;               /* number from 1, in tables and pictures */
    const srq_config *config; /* configuration of its first run */
    srq_choices choices;
    char name[512]; /* the settings that differ from other groups (name.h); with a table, the row (arrange.h) */
    int row;        /* row of the table, or -1 */
    int task;       /* index of its task (task.h) */
    int ticket;     /* index of its ticket, or -1 */
    srq_stage stage;
    int member_count, *members; /* its runs, ordered by seed */
    int finished;               /* number of finished runs, each seed once */
    bool partial;               /* no run is finished: the figures are from the last evaluations so far */
    srq_statistic error, loss, bits, zeros, bytes, bops, relative_bops, rate; /* error 0..1; relative to 8/8 bits */
    bool validates; /* the figures are of the checkpoints with the lowest validation error, not of the last ones */
    srq_statistic validation; /* these validation errors, 0..1 */
    srq_statistic kept;       /* share of weights that masks keep */
} srq_report_group;

typedef struct srq_report_groups {
    int count;
    srq_report_group *items; /* those of tickets are at the end */
    char common[2048];       /* settings in which groups differ, with the value of most groups: "train.epochs = 10, ..."
                                (name.h) */
} srq_report_groups;

/* Groups the runs that can be used. Sets the group of each run and whether it counts, and computes the figures of
 * groups. The caller frees *groups before the runs, also after a failure. */
srq_status srq_report_group_runs(srq_report_runs *runs, srq_report_groups *groups);
void srq_report_free_groups(srq_report_groups *groups);

#endif
