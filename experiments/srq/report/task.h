/* The tasks of a report: a network that is trained on a data set. Errors and costs can be compared within a task only.
 */
#ifndef SRQ_EXPERIMENTS_REPORT_TASK_H
#define SRQ_EXPERIMENTS_REPORT_TASK_H

#include "experiments/srq/report/group.h"

typedef struct srq_report_task {
    int group;        /* index of a group of the task */
    int group_count;  /* number of its groups */
    double epochs[2]; /* the shortest and the longest training of its runs; NaN if no log says it */
    char name[256];   /* "lenet5 on mnist.h5" */
} srq_report_task;

typedef struct srq_report_tasks {
    int count;
    srq_report_task *items; /* in the order of the groups */
} srq_report_tasks;

/* Sets the task of each group. The caller frees *tasks, also after a failure. */
srq_status srq_report_find_tasks(const srq_report_runs *runs, srq_report_groups *groups, srq_report_tasks *tasks);
void srq_report_free_tasks(srq_report_tasks *tasks);

/* "lenet5 on mnist.h5, 5 to 10 epochs (26 configurations); vgg7 on ..." Returns `out`. */
char *srq_report_list_tasks(const srq_report_tasks *tasks, char *out, size_t size);

#endif
