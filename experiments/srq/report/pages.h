/* The pages of a report: words, tables and pictures, as HTML and as Markdown. */
#ifndef SRQ_EXPERIMENTS_REPORT_PAGES_H
#define SRQ_EXPERIMENTS_REPORT_PAGES_H

#include "experiments/srq/report/contents.h"
#include "experiments/srq/report/gnuplot.h"

/* The first line of a page, by which a later report knows that it may be replaced. */
#define SRQ_REPORT_MARK "<!-- made by srq report -->"

/* A page has no more bytes than this, whatever the number of runs: pictures, rows of tables and tickets that do not fit
 * are left out, and it says where they are. */
enum { SRQ_PAGE_MOST = 1000000 };

/* `made` is the line that says when, and by which program. Marks the pictures that are left out. */
srq_status srq_report_print_html(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out);
srq_status srq_report_print_markdown(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out);
/* "48 runs of 17 configurations: 47 finished, 1 failed". Returns `out`. */
char *srq_report_summary(const srq_report *report, char *out, size_t size);
/* What a reader must know of the table: runs that are not finished, seeds that are there twice; "" if nothing. */
char *srq_report_remarks(const srq_report *report, char *out, size_t size);

#endif
