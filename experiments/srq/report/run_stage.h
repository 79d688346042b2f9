/* Recognizes stages of a lottery ticket (docs/tickets.md) by the folder and the settings of a run. */
#ifndef SRQ_EXPERIMENTS_REPORT_RUN_STAGE_H
#define SRQ_EXPERIMENTS_REPORT_RUN_STAGE_H

#include "experiments/srq/study/plan.h"

/* Whether a run is a stage of a ticket: its folder is TICKET/seed-S/STAGE, and its settings have that seed and fit the
 * stage. *ticket is the real path of the ticket's folder, which the caller frees, or NULL. */
bool srq_report_find_stage(const char *run, const srq_settings *settings, srq_stage *stage, char **ticket);

/* The name of the ticket in `folder`, from the name of one of its runs: that name without /seed-S/STAGE. If the ticket
 * itself, or a folder in it, was given to the report, it is the name of the folder. The caller frees it; NULL without
 * memory. */
char *srq_report_name_ticket(const char *run, const char *folder);

#endif
