/* Tickets among the runs of a report (docs/tickets.md): their stages, compared anew from the runs' logs, so that a
 * ticket under way, or one whose ticket.json is old, missing or broken, is shown as it stands. */
#ifndef SRQ_EXPERIMENTS_REPORT_TICKETS_H
#define SRQ_EXPERIMENTS_REPORT_TICKETS_H

#include "experiments/srq/report/group.h"
#include "experiments/srq/study/compare.h"

typedef struct srq_report_ticket {
    const char *folder, *name; /* as in runs->tickets */
    int run_count, finished;
    int stage_count, seed_count; /* that have begun */
    srq_stage *stages;           /* in their order */
    long long *seeds;            /* ascending */
    srq_comparison comparison;   /* of the runs that are finished */
    char about[512];             /* what it trains, and how far it has come */
    char note[1024];             /* what is not right with ticket.json or a run; "" if nothing */
} srq_report_ticket;

typedef struct srq_report_tickets {
    int count;
    srq_report_ticket *items; /* in the order of runs->tickets */
} srq_report_tickets;

/* Compares the stages of each ticket among the runs, once these are in groups. The caller frees *tickets before the
 * runs, whatever is returned. */
srq_status srq_report_compare_tickets(const srq_report_runs *runs, const srq_report_groups *groups,
                                      srq_report_tickets *tickets);
void srq_report_free_tickets(srq_report_tickets *tickets);

/* What is left by pruning: rewound (prune-LL), and with new weights under the same masks (reinit-LL). Level 0 is what
 * they have to keep up with, with all weights: rewind, or learn where there is none, and scratch, or the same learn. */
typedef struct srq_ticket_level {
    int level;
    double kept; /* share of weights */
    struct {
        const char *stage; /* NULL if there is no such run */
        srq_statistic error;
    } rewound, random;
} srq_ticket_level;

/* The levels that a finished run is there of, into levels[SRQ_TICKET_LEVELS]; 0 if the ticket does not prune, or has
 * not come so far. */
enum { SRQ_TICKET_LEVELS = 100 };
int srq_report_ticket_levels(const srq_report_ticket *ticket, srq_ticket_level *levels);

#endif
