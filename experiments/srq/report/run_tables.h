/* The tables of configurations and of runs. */
#ifndef SRQ_EXPERIMENTS_REPORT_RUN_TABLES_H
#define SRQ_EXPERIMENTS_REPORT_RUN_TABLES_H

#include "experiments/srq/report/contents.h"
#include "experiments/srq/report/table.h"

/* The table of configurations for readers: mean and deviation over seeds. */
srq_status srq_report_print_groups(const srq_report *report, srq_table_format format, FILE *out);
/* The table of runs with their states. */
srq_status srq_report_print_runs(const srq_report *report, srq_table_format format, FILE *out);
/* The same tables with exact numbers, for other programs. */
srq_status srq_report_print_groups_csv(const srq_report *report, FILE *out);
srq_status srq_report_print_runs_csv(const srq_report *report, FILE *out);

#endif
