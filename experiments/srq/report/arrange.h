/* A report of a table of experiments: groups in the order of its rows, called like them. */
#ifndef SRQ_EXPERIMENTS_REPORT_ARRANGE_H
#define SRQ_EXPERIMENTS_REPORT_ARRANGE_H

#include "experiments/srq/report/contents.h"

/* Brings the groups into the order of a table's rows, and calls them so; others stand behind. The table must live as
 * long as the report. */
srq_status srq_report_arrange(srq_report *report, const srq_sweep *sweep);
/* Whether the table's row has no run with this seed; how many such runs there are. */
bool srq_report_is_missing(const srq_report *report, int row, long long seed);
int srq_report_missing(const srq_report *report);

#endif
