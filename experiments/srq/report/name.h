/* Names of groups: a short description, and the settings in which a configuration differs from the others of
 * its task. */
#ifndef SRQ_EXPERIMENTS_REPORT_NAME_H
#define SRQ_EXPERIMENTS_REPORT_NAME_H

#include "experiments/srq/report/task.h"

/* Sets the names of the groups, and groups->common to the settings that most of them have. */
void srq_report_name_groups(const srq_report_runs *runs, const srq_report_tasks *tasks, srq_report_groups *groups);

#endif
