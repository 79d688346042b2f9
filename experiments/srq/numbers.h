/* Numbers of the command line, and numbers in order. */
#ifndef SRQ_EXPERIMENTS_NUMBERS_H
#define SRQ_EXPERIMENTS_NUMBERS_H

#include <stdbool.h>

/* Whether the whole of `text` is a number from least to most, or a whole number; *number is then that. */
bool srq_parse_number(const char *text, double least, double most, double *number);
bool srq_parse_whole(const char *text, long least, long most, long *number);

/* Of doubles, for qsort. */
int srq_ascending(const void *a, const void *b);

#endif
