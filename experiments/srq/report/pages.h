/* What a report says in words and tables, in each of its formats. */
#ifndef SRQ_EXPERIMENTS_REPORT_PAGES_H
#define SRQ_EXPERIMENTS_REPORT_PAGES_H

#include "experiments/srq/report/gnuplot.h"
#include "experiments/srq/report/table.h"
#include "experiments/srq/report/tickets.h"

/* The table of configurations, to be read: mean and deviation over seeds. */
srq_status srq_report_print_groups(const srq_report *report, srq_table_format format, FILE *out);
/* The table of runs: where each stands. */
srq_status srq_report_print_runs(const srq_report *report, srq_table_format format, FILE *out);
/* The same as numbers for other programs. */
srq_status srq_report_print_groups_csv(const srq_report *report, FILE *out);
srq_status srq_report_print_runs_csv(const srq_report *report, FILE *out);

/* report/ticket_tables.c: the paired differences of a ticket, and its error by level of pruning; the same of all
 * tickets as numbers for other programs. */
srq_status srq_report_print_pairs(const srq_report_ticket *ticket, srq_table_format format, FILE *out);
srq_status srq_report_print_levels(const srq_report_ticket *ticket, srq_table_format format, FILE *out);
srq_status srq_report_print_pairs_csv(const srq_report *report, FILE *out);
srq_status srq_report_print_levels_csv(const srq_report *report, FILE *out);

/* The first line of a page, by which a later report knows that it may be replaced. */
#define SRQ_REPORT_MARK "<!-- made by srq report -->"

/* `made` is the line that says when, and by which program. */
srq_status srq_report_print_html(const srq_report *report, const srq_pictures *pictures, const char *made, FILE *out);
srq_status srq_report_print_markdown(const srq_report *report, const srq_pictures *pictures, const char *made,
                                     FILE *out);
/* "48 runs of 17 configurations: 47 finished, 1 failed". Returns `out`. */
char *srq_report_summary(const srq_report *report, char *out, size_t size);
/* What a reader must know of the table: runs that are not finished, seeds that are there twice; "" if nothing. */
char *srq_report_remarks(const srq_report *report, char *out, size_t size);

#endif
