/* srq report --follow: how a run goes, while it goes. */
#ifndef SRQ_EXPERIMENTS_REPORT_FOLLOW_H
#define SRQ_EXPERIMENTS_REPORT_FOLLOW_H

#include "core/status.h"

/* Shows the run in `folder` until it ends or an interrupt: a screen that is written anew on a terminal, else a line for
 * what is new. SRQ_ERROR_DATA if there is no run, or several. */
srq_status srq_report_follow(const char *folder);

#endif
