/* Tickets among the runs of a report (docs/tickets.md): their stages, compared anew from the runs' logs, so that a
 * ticket under way, or one whose ticket.json is old, missing or broken, is shown as it stands. */
#ifndef SRQ_EXPERIMENTS_REPORT_TICKETS_H
#define SRQ_EXPERIMENTS_REPORT_TICKETS_H

#include "experiments/srq/report/runs.h"
#include "experiments/srq/study/compare.h"

typedef struct srq_report_ticket {
    char *folder, *name; /* name: how the report calls it */
    int run_count, finished;
    int stage_count, seed_count; /* that have begun */
    srq_stage *stages;           /* in their order */
    long long *seeds;            /* ascending */
    srq_comparison comparison;   /* of the runs that are finished */
    char about[512];             /* what it trains, and how far it has come */
    char note[1024];             /* what is not right with ticket.json or a run; "" if nothing */
} srq_report_ticket;

/* Whether a run is a stage of a ticket: its folder is called TICKET/seed-S/STAGE, and its settings are of that seed and
 * fit the stage. The caller frees *ticket, the folder as the file system has it; NULL if it is none. */
bool srq_report_find_stage(const char *run, const srq_settings *settings, srq_stage *stage, char **ticket);

/* Finds the tickets of a report's runs. */
srq_status srq_report_find_tickets(srq_report *report);
/* Compares their stages, when the runs are in groups. */
srq_status srq_report_compare_tickets(srq_report *report);
void srq_report_free_tickets(srq_report *report);

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
