/* Tables of text, which can be printed in all formats of a report. */
#ifndef SRQ_EXPERIMENTS_REPORT_TABLE_H
#define SRQ_EXPERIMENTS_REPORT_TABLE_H

#include "core/status.h"

#include <stdio.h>

typedef struct srq_table srq_table;

typedef struct srq_column {
    const char *title;
    enum { SRQ_COLUMN_TEXT, SRQ_COLUMN_NUMBER } kind; /* numbers are right-aligned */
} srq_column;

/* The columns must outlive the table. The caller destroys it. */
srq_status srq_table_create(int columns, const srq_column *titles, srq_table **table);
void srq_table_destroy(srq_table **table);
/* Adds the next cell, row by row from the left. If there is no memory, printing fails later. */
__attribute__((format(printf, 2, 3))) void srq_table_add(srq_table *table, const char *format, ...);
/* For programs: the number with all significant digits; an empty cell if it is not finite. */
void srq_table_add_number(srq_table *table, double value);

typedef enum srq_table_format { SRQ_TABLE_TEXT, SRQ_TABLE_HTML, SRQ_TABLE_MARKDOWN, SRQ_TABLE_CSV } srq_table_format;
/* Prints the table. SRQ_ERROR_RUN if a cell could not be stored. As HTML, to a file with a position, a table above 200
 * kB is cut, and its last row says so. */
srq_status srq_table_print(const srq_table *table, srq_table_format format, FILE *out);

#endif
