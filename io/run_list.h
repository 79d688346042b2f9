/* Which runs are there: folders that hold a config.cfg and a log.jsonl, and their checkpoints. Only looks. */
#ifndef SRQ_IO_RUN_LIST_H
#define SRQ_IO_RUN_LIST_H

#include "core/status.h"

#include <stdbool.h>

typedef struct srq_run_list {
    int count;
    char **paths; /* each begins with the folder that was named */
} srq_run_list;

/* Adds the run at `folder`, or those below it, by name (s2 before s10), to the list. Links to folders are not followed
 * below `folder`, hidden folders and those of runs are not looked into, and a run that is in the list already is not
 * added again. SRQ_ERROR_DATA if `folder` cannot be read or is none. */
srq_status srq_run_list_add(srq_run_list *list, const char *folder);
void srq_run_list_free(srq_run_list *list);

/* Whether a job is working on the run now. */
bool srq_run_is_busy(const char *run);

/* The steps of a run's checkpoints, oldest first; none if there is no folder of them. The caller frees *steps. */
srq_status srq_run_list_steps(const char *run, long **steps, int *count);

#endif
