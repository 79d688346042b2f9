/* Curves made of characters, for a terminal. */
#ifndef SRQ_EXPERIMENTS_REPORT_CHART_H
#define SRQ_EXPERIMENTS_REPORT_CHART_H

#include <stdbool.h>
#include <stdio.h>

/* Draws values[count] as `rows` lines of `columns` characters, each after `indent` spaces, with the largest and the
 * smallest number before the first and the last line (14 characters of the indent, which must be at least that). The
 * values of a column are averaged, without those that are not finite. `logarithmic` applies if all values are above 0
 * and the largest is more than twice the smallest. Uses block characters of UTF-8, or ASCII. */
void srq_chart_print(int count, const double *values, int rows, int columns, int indent, bool logarithmic, bool utf8,
                     FILE *out);

/* Whether `logarithmic` applies to these values, so that the axis can be marked. */
bool srq_chart_is_logarithmic(int count, const double *values, int columns);

/* Prints one line of small blocks for values between 0 and `most`. */
void srq_chart_print_line(int count, const double *values, double most, int columns, bool utf8, FILE *out);

#endif
