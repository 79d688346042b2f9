/* Escapes external text (names of folders, settings, messages) for the formats of a report. The output is always one
 * line of valid UTF-8: invalid bytes become U+FFFD, and control characters become spaces. */
#ifndef SRQ_EXPERIMENTS_REPORT_ESCAPE_H
#define SRQ_EXPERIMENTS_REPORT_ESCAPE_H

#include <stdio.h>

typedef enum srq_escape {
    SRQ_ESCAPE_NONE,
    SRQ_ESCAPE_HTML,     /* text, and values of attributes in double quotes */
    SRQ_ESCAPE_MARKDOWN, /* text, also in tables */
    SRQ_ESCAPE_CSV,      /* a field, quoted if RFC 4180 requires it */
    SRQ_ESCAPE_GNUPLOT   /* a string with its quotes, in which nothing is executed or expanded */
} srq_escape;

void srq_print_escaped(const char *text, srq_escape escape, FILE *out);

/* The number of terminal columns of a text: one for each UTF-8 character. */
int srq_text_width(const char *text);
/* Cuts a text to `columns` characters; a cut text ends with "...". Returns `out`. */
char *srq_text_cut(const char *text, int columns, char *out, size_t size);
/* Appends to `out`. Text that does not fit is cut. */
__attribute__((format(printf, 3, 4))) void srq_text_append(char *out, size_t size, const char *format, ...);

#endif
