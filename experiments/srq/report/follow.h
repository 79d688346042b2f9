/* srq report --follow: shows a run while it trains. */
#ifndef SRQ_EXPERIMENTS_REPORT_FOLLOW_H
#define SRQ_EXPERIMENTS_REPORT_FOLLOW_H

#include "core/status.h"

/* Shows the run in `folder` until it ends or is interrupted: on a terminal, as a screen that is updated; otherwise, as
 * a line for each event. SRQ_ERROR_DATA if there is no run, SRQ_ERROR_USAGE if there are several. */
srq_status srq_report_follow(const char *folder);

#endif
