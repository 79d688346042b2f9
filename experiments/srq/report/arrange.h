/* For the report of a table of experiments: groups have the order and the names of its rows. */
#ifndef SRQ_EXPERIMENTS_REPORT_ARRANGE_H
#define SRQ_EXPERIMENTS_REPORT_ARRANGE_H

#include "experiments/srq/report/contents.h"

/* Sorts the groups in the order of a table's rows and names them after the rows. Other groups follow at the end. The
 * table must outlive the report. */
srq_status srq_report_arrange(srq_report *report, const srq_sweep *sweep);
/* Whether the row of the table has no run with this seed; the number of such missing runs. */
bool srq_report_is_missing(const srq_report *report, int row, long long seed);
int srq_report_missing(const srq_report *report);

#endif
