/* Finds runs, which are folders with a config.cfg and a log.jsonl, and their checkpoints. Changes nothing. */
#ifndef SRQ_IO_RUN_LIST_H
#define SRQ_IO_RUN_LIST_H

#include "core/status.h"

#include <stdbool.h>

typedef struct srq_run_list {
    int count;
    char **paths; /* each begins with the given folder */
} srq_run_list;

/* Adds the run at `folder`, or all runs below it, ordered by name (s2 before s10), to the list. Below `folder`, links
 * to folders are not followed, and hidden folders and run directories are not searched. A run is added only once.
 * SRQ_ERROR_DATA if `folder` cannot be read or is not a folder. */
srq_status srq_run_list_add(srq_run_list *list, const char *folder);
void srq_run_list_free(srq_run_list *list);

/* Whether a job is training the run now. */
bool srq_run_is_busy(const char *run);

/* The steps of a run's checkpoints, oldest first. There may be none. The caller frees *steps. */
srq_status srq_run_list_steps(const char *run, long **steps, int *count);

#endif
