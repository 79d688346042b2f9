/* Which groups a picture shows, where there are too many for all of them. */
#ifndef SRQ_EXPERIMENTS_REPORT_PICK_H
#define SRQ_EXPERIMENTS_REPORT_PICK_H

#include "experiments/srq/report/contents.h"

/* The indices of up to `most` groups that are wanted, in order, into picked[groups.count]; those of the lowest error
 * where there are more. Returns how many. */
int srq_report_pick(const srq_report *report, bool (*wanted)(const srq_report *, const srq_report_group *), int most,
                    int *picked);

#endif
