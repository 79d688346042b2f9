/* Tables of text, printed in every format of a report. */
#ifndef SRQ_EXPERIMENTS_REPORT_TABLE_H
#define SRQ_EXPERIMENTS_REPORT_TABLE_H

#include "core/status.h"

#include <stdio.h>

typedef struct srq_table srq_table;

typedef struct srq_column {
    const char *title;
    enum { SRQ_COLUMN_TEXT, SRQ_COLUMN_NUMBER } kind; /* numbers stand at the right */
} srq_column;

/* The columns must live as long as the table. The caller destroys it. */
srq_status srq_table_create(int columns, const srq_column *titles, srq_table **table);
void srq_table_destroy(srq_table **table);
/* The next cell, row after row from the left. Without memory, printing says so. */
__attribute__((format(printf, 2, 3))) void srq_table_add(srq_table *table, const char *format, ...);
/* For programs: the number with all digits that count, nothing where it is not finite. */
void srq_table_add_number(srq_table *table, double value);

typedef enum srq_table_format { SRQ_TABLE_TEXT, SRQ_TABLE_HTML, SRQ_TABLE_MARKDOWN, SRQ_TABLE_CSV } srq_table_format;
/* SRQ_ERROR_RUN if a cell could not be kept. As HTML, into a file that can tell its position, a table of more than 200
 * kB is cut short, and says so in its last row. */
srq_status srq_table_print(const srq_table *table, srq_table_format format, FILE *out);

#endif
