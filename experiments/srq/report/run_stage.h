/* Which runs are stages of a lottery ticket (docs/tickets.md): said by where a run is and by its settings. */
#ifndef SRQ_EXPERIMENTS_REPORT_RUN_STAGE_H
#define SRQ_EXPERIMENTS_REPORT_RUN_STAGE_H

#include "experiments/srq/study/plan.h"

/* Whether a run is a stage of a ticket: its folder is called TICKET/seed-S/STAGE, and its settings are of that seed and
 * fit the stage. The caller frees *ticket, the folder as the file system has it; NULL if it is none. */
bool srq_report_find_stage(const char *run, const srq_settings *settings, srq_stage *stage, char **ticket);

/* What a report calls the ticket in `folder`, by the name of one of its runs: that name without /seed-S/STAGE. Of a
 * ticket that was named itself, or from within, it is the name of the folder. The caller frees; NULL without memory. */
char *srq_report_name_ticket(const char *run, const char *folder);

#endif
