/* The man page and the completion of bash, made from the tables of the help and of the settings. */
#ifndef SRQ_EXPERIMENTS_MANUAL_H
#define SRQ_EXPERIMENTS_MANUAL_H

#include <stdio.h>

/* Prints srq(1) in the language of man(7). */
void srq_print_man(FILE *out);
/* Prints a script for bash that completes commands, options, settings and their values. */
void srq_print_completion(FILE *out);

#endif
