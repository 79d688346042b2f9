/* Series of tickets that differ only in the length of training. */
#ifndef SRQ_EXPERIMENTS_REPORT_LENGTHS_H
#define SRQ_EXPERIMENTS_REPORT_LENGTHS_H

#include "experiments/srq/report/tickets.h"

/* Sets `epochs` and `series` of every ticket. Tickets are in a series if the settings of their stages learn are equal
 * except train.epochs, train.max_steps and those that are given in steps or epochs (dropbits.until, schedule.warmup),
 * and if their lengths differ. A ticket whose seeds have different settings is in no series. */
void srq_report_find_series(const srq_report_runs *runs, const srq_report_groups *groups, srq_report_tickets *tickets);

#endif
