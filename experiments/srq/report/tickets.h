/* The tickets of a report (docs/tickets.md). Their stages are compared from the logs of the runs, so the result is
 * current even if the ticket is still training, or if ticket.json is old, missing or broken. */
#ifndef SRQ_EXPERIMENTS_REPORT_TICKETS_H
#define SRQ_EXPERIMENTS_REPORT_TICKETS_H

#include "experiments/srq/report/group.h"
#include "experiments/srq/study/compare.h"

typedef struct srq_report_ticket {
    const char *folder, *name; /* as in runs->tickets */
    int run_count, finished;
    int stage_count, seed_count; /* number of started runs */
    srq_stage *stages;           /* in the order of srq_stage_list */
    long long *seeds;            /* ascending */
    srq_comparison comparison;   /* of the finished runs */
    double epochs;               /* length of training of stage learn; NaN if not known */
    int series;                  /* number, from 1, of the tickets that differ from this one only in the length of
                                    training; 0: there are none */
    char about[512];             /* a description: what it trains, and its progress */
    char note[1024];             /* a problem with ticket.json or a run, or "" */
} srq_report_ticket;

typedef struct srq_report_tickets {
    int count;
    srq_report_ticket *items; /* in the order of runs->tickets */
} srq_report_tickets;

/* Compares the stages of each ticket. The runs must be grouped before. The caller frees *tickets before the runs, also
 * after a failure. */
srq_status srq_report_compare_tickets(const srq_report_runs *runs, const srq_report_groups *groups,
                                      srq_report_tickets *tickets);
void srq_report_free_tickets(srq_report_tickets *tickets);

/* "Ticket NAME", or the name alone if it says that it is a ticket. Returns `out`. */
char *srq_report_call_ticket(const srq_report_ticket *ticket, char *out, size_t size);

/* A level of pruning: rewound weights (prune-LL), new weights with the same masks (reinit-LL), and rewound weights with
 * random masks (random-LL). Level 0 is the reference with all weights: rewind, or learn if there is none; scratch, or
 * the same learn; and nothing. */
typedef struct srq_ticket_level {
    int level;
    double kept; /* share of weights */
    struct {
        const char *stage; /* NULL if there is no such run */
        srq_statistic error;
    } rewound, random, drawn;
} srq_ticket_level;

/* Writes the levels with a finished run to levels[SRQ_TICKET_LEVELS]. Returns their number, which may be 0. */
enum { SRQ_TICKET_LEVELS = 100 };
int srq_report_ticket_levels(const srq_report_ticket *ticket, srq_ticket_level *levels);

#endif
