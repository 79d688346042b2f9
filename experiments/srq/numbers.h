/* Parsing numbers of the command line, and sorting numbers. */
#ifndef SRQ_EXPERIMENTS_NUMBERS_H
#define SRQ_EXPERIMENTS_NUMBERS_H

#include <stdbool.h>

/* Whether the whole of `text` is a number, or an integer, from least to most. *number is then its value. */
bool srq_parse_number(const char *text, double least, double most, double *number);
bool srq_parse_whole(const char *text, long least, long most, long *number);

/* Compares doubles, for qsort. */
int srq_ascending(const void *a, const void *b);

#endif
