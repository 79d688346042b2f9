/* Text from outside (names of folders, settings, messages) in the formats of a report. Whatever the bytes are, what is
 * written is UTF-8 on one line: bytes that are none become U+FFFD, control characters spaces. */
#ifndef SRQ_EXPERIMENTS_REPORT_ESCAPE_H
#define SRQ_EXPERIMENTS_REPORT_ESCAPE_H

#include <stdio.h>

typedef enum srq_escape {
    SRQ_ESCAPE_NONE,
    SRQ_ESCAPE_HTML,     /* text, and values of attributes in double quotes */
    SRQ_ESCAPE_MARKDOWN, /* text, in tables too */
    SRQ_ESCAPE_CSV,      /* a field, in quotes where RFC 4180 asks for them */
    SRQ_ESCAPE_GNUPLOT   /* a string with its quotes, in which nothing is run or expanded */
} srq_escape;

void srq_print_escaped(const char *text, srq_escape escape, FILE *out);

/* The columns that a text takes on a terminal, a character of UTF-8 each. */
int srq_text_width(const char *text);
/* The first `columns` characters of a text, ended by "..." where it was longer. Returns `out`. */
char *srq_text_cut(const char *text, int columns, char *out, size_t size);
/* Prints behind what is in `out`; what does not fit is left out. */
__attribute__((format(printf, 3, 4))) void srq_text_append(char *out, size_t size, const char *format, ...);

#endif
