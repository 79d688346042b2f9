/* Names of groups: what a configuration is, in a few words, and what else sets it apart from the others. */
#ifndef SRQ_EXPERIMENTS_REPORT_NAME_H
#define SRQ_EXPERIMENTS_REPORT_NAME_H

#include "experiments/srq/report/group.h"

/* Names the groups, and says in groups->common what most of them have. */
void srq_report_name_groups(const srq_report_runs *runs, srq_report_groups *groups);

#endif
