/* The pages of a report: words, tables and pictures, as HTML and as Markdown. */
#ifndef SRQ_EXPERIMENTS_REPORT_PAGES_H
#define SRQ_EXPERIMENTS_REPORT_PAGES_H

#include "experiments/srq/report/contents.h"
#include "experiments/srq/report/gnuplot.h"

/* The first line of a page. A later report replaces only files with this line. */
#define SRQ_REPORT_MARK "<!-- made by srq report -->"

/* The largest size of a page in bytes. Pictures, rows of tables and tickets that do not fit are omitted, and the page
 * says where they are. */
enum { SRQ_PAGE_MOST = 1000000 };

/* `made` is the line with the date and the program. Marks the pictures that are omitted. */
srq_status srq_report_print_html(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out);
srq_status srq_report_print_markdown(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out);
/* "48 runs of 17 configurations: 47 finished, 1 failed". Returns `out`. */
char *srq_report_summary(const srq_report *report, char *out, size_t size);
/* Remarks on the table: common settings, unfinished runs, duplicate seeds; or "". Returns `out`. */
char *srq_report_remarks(const srq_report *report, char *out, size_t size);

#endif
