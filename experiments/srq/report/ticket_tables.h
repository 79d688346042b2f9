/* The tables of tickets: paired differences, and error by level of pruning. */
#ifndef SRQ_EXPERIMENTS_REPORT_TICKET_TABLES_H
#define SRQ_EXPERIMENTS_REPORT_TICKET_TABLES_H

#include "experiments/srq/report/contents.h"
#include "experiments/srq/report/table.h"

/* For one ticket, for readers. */
srq_status srq_report_print_pairs(const srq_report_ticket *ticket, srq_table_format format, FILE *out);
srq_status srq_report_print_levels(const srq_report_ticket *ticket, srq_table_format format, FILE *out);
/* For all tickets, with exact numbers for other programs. */
srq_status srq_report_print_pairs_csv(const srq_report *report, FILE *out);
srq_status srq_report_print_levels_csv(const srq_report *report, FILE *out);

#endif
