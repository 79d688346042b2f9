/* The options of commands, as the usage lines of the help list them (topics.h). */
#ifndef SRQ_EXPERIMENTS_OPTIONS_H
#define SRQ_EXPERIMENTS_OPTIONS_H

#include "experiments/srq/topics.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct srq_option {
    char name[32];  /* "--out" */
    char value[48]; /* "DIR", "never|auto|FILE"; "" if it takes none */
} srq_option;

/* The next option of a topic. *place is 0 before the first one. False after the last one. Each option comes once. */
bool srq_option_next(const srq_topic *topic, int *place, srq_option *option);

/* For messages about an option that the command does not have: the word, and what it may be meant for: "--ouf (did you
 * mean --out?)", "--lr (did you mean --set optimizer.learning_rate=VALUE?)". Returns `out`. */
char *srq_option_hint(const char *command, const char *word, char *out, size_t size);

/* Longest word with its hint. */
enum { SRQ_HINT_SIZE = 320 };

#endif
