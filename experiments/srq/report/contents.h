/* The contents of a report: runs, then configurations (groups of runs), then tasks and tickets. Each is derived from
 * the ones before. */
#ifndef SRQ_EXPERIMENTS_REPORT_CONTENTS_H
#define SRQ_EXPERIMENTS_REPORT_CONTENTS_H

#include "experiments/srq/report/task.h"
#include "experiments/srq/report/tickets.h"
#include "io/sweep.h"

typedef struct srq_report {
    srq_report_runs runs;
    srq_report_groups groups;
    srq_report_tasks tasks;
    srq_report_tickets tickets;
    const srq_sweep *sweep; /* the table of experiments of the report (arrange.h), or NULL */
} srq_report;

/* Reads the runs in and below `folders`, groups them, and compares tickets. SRQ_ERROR_DATA if a folder cannot be read
 * or there is no run. `now`: seconds since 1970. The caller destroys *report. */
srq_status srq_report_create(int count, char *const *folders, double now, srq_report *report);
void srq_report_destroy(srq_report *report);

/* Whether a configuration has validation images. Only then is there something to say about the checkpoint of a figure.
 */
bool srq_report_any_validates(const srq_report *report);

#endif
