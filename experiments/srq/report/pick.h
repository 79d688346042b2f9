/* Selects the groups of a picture, if there are too many. */
#ifndef SRQ_EXPERIMENTS_REPORT_PICK_H
#define SRQ_EXPERIMENTS_REPORT_PICK_H

#include "experiments/srq/report/contents.h"

/* Writes the indices of up to `most` wanted groups of a task (of all tasks: -1), in order, to picked[groups.count]. If
 * there are more, those with the lowest error. Returns their number. */
int srq_report_pick(const srq_report *report, int task, bool (*wanted)(const srq_report *, const srq_report_group *),
                    int most, int *picked);

#endif
