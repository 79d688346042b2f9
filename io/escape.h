/* Makes text safe for each kind of output. Names of folders, layers, classes and settings, and messages of other
 * programs are bytes of unknown origin: they may hold invalid UTF-8, escape sequences of a terminal, formulas of a
 * spreadsheet, or tags. All output of srq that holds such text goes through this file.
 *
 * In every form the output is valid UTF-8: an invalid byte becomes U+FFFD. Control characters (C0, DEL, C1) and
 * characters that change the direction of text become spaces; in JSON, they are written as \uXXXX. */
#ifndef SRQ_IO_ESCAPE_H
#define SRQ_IO_ESCAPE_H

#include <stdbool.h>
#include <stdio.h>

typedef enum srq_escape {
    SRQ_ESCAPE_TERMINAL, /* one line */
    SRQ_ESCAPE_HTML,     /* text, and values of attributes in double quotes; also for SVG */
    SRQ_ESCAPE_MARKDOWN, /* text, also in tables */
    SRQ_ESCAPE_CSV,      /* a field, quoted if RFC 4180 requires it. A field that a spreadsheet would read as a formula
                            (it begins with =, +, - or @ and is not a number) begins with an apostrophe */
    SRQ_ESCAPE_GNUPLOT,  /* a string with its quotes, in which nothing is executed or expanded */
    SRQ_ESCAPE_JSON      /* a string with its quotes */
} srq_escape;

void srq_print_escaped(const char *text, srq_escape escape, FILE *out);
/* Text for a terminal in which line breaks are kept: a message of several lines. */
void srq_print_lines(const char *text, FILE *out);

/* printf and fprintf for people: what the text becomes after formatting is safe for a terminal. Line breaks are those
 * of `format`; if it has one only at its start or end, a line break in an argument becomes a space. */
__attribute__((format(printf, 1, 2))) void srq_say(const char *format, ...);
__attribute__((format(printf, 2, 3))) void srq_say_to(FILE *out, const char *format, ...);

/* Writes `text` to `out` as a JSON string with quotes. Text that does not fit is cut before a character. Returns
 * `out`. */
char *srq_json_quote(const char *text, char *out, size_t size);

/* Replaces bytes of text[size] that are no UTF-8 by question marks, in place. Whether there were any. */
bool srq_text_repair(char *text, size_t size);

/* The number of terminal columns of a text: one for each UTF-8 character. */
int srq_text_width(const char *text);
/* Cuts a text to `columns` characters; a cut text ends with "...". Returns `out`. */
char *srq_text_cut(const char *text, int columns, char *out, size_t size);
/* Takes the next line of at most `columns` characters from *text, which is broken at a space if there is one, and
 * advances *text. False at the end of the text. */
bool srq_text_next_line(const char **text, int columns, char *out, size_t size);
/* Appends to `out`. Text that does not fit is cut. */
__attribute__((format(printf, 3, 4))) void srq_text_append(char *out, size_t size, const char *format, ...);

#endif
