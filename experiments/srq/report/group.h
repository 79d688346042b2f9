/* The configurations of a report: runs that are seeds of one are a group. */
#ifndef SRQ_EXPERIMENTS_REPORT_GROUP_H
#define SRQ_EXPERIMENTS_REPORT_GROUP_H

#include "experiments/srq/report/choices.h"
#include "experiments/srq/statistics.h"

/* Runs whose settings are equal but for train.seed, on the same data set. Of the stages of a ticket, also but for what
 * a seed's own stage learn has left to them: weights, masks, bit-lengths. */
typedef struct srq_report_group {
    int number;               /* from 1, in tables and pictures */
    const srq_config *config; /* of its first run */
    srq_choices choices;
    char name[256]; /* what differs from the others (name.h); with a table, the row (arrange.h) */
    int row;        /* with a table: its row, or -1 */
    int ticket;     /* that it is a stage of, or -1 */
    srq_stage stage;
    int member_count, *members; /* its runs, by seed */
    int finished;               /* runs that are, each seed once */
    bool partial;               /* none is finished: the figures are of the last evaluations so far */
    srq_statistic error, loss, bits, zeros, bytes, bops, relative_bops, rate; /* error 0..1; relative to 8/8 bits */
    srq_statistic kept;                                                       /* share of weights that masks keep */
} srq_report_group;

typedef struct srq_report_groups {
    int count;
    srq_report_group *items; /* those of tickets stand behind the others */
    char common[1024]; /* settings that groups differ in, as most of them have it: "train.epochs = 10, ..." (name.h) */
} srq_report_groups;

/* Groups the runs that can be used, says in each which group it is in and whether it counts there, and computes the
 * groups' figures. The caller frees *groups before the runs, whatever is returned. */
srq_status srq_report_group_runs(srq_report_runs *runs, srq_report_groups *groups);
void srq_report_free_groups(srq_report_groups *groups);

#endif
