/* How the ranks spend their time. All ranks are compared at every `step` line of the log. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TIME_SHARES_H
#define SRQ_EXPERIMENTS_TRAIN_TIME_SHARES_H

#include "dist/comm.h"

/* Seconds since training began, or shares of the time of a window. */
typedef struct srq_times {
    double compute;  /* forward, backward, quantizers, optimizer */
    double exchange; /* sums over ranks, gathering new weights, and waiting for other ranks, if not hidden by
                        computation */
    double data;     /* waiting for images or making them */
    double passes;   /* the part of `compute` in forward and backward passes, by which ranks are compared */
} srq_times;

typedef struct srq_shares srq_shares;

/* A rank is slow if it computes this many times as long as the median rank in so many windows in a row. */
#define SRQ_SLOW_FACTOR 1.5
enum { SRQ_SLOW_WINDOWS = 3 };

/* The result of a window, the same on every rank. */
typedef struct srq_window {
    /* Shares of the window's time: the mean over ranks, and those of the rank that computed longest. */
    srq_times mean, slowest;
    int slowest_rank;
    int slow_rank;      /* the rank to name as slow now, or -1 */
    double slow_factor; /* its time per shard divided by that of the median rank */
} srq_window;

/* Collective; `own` is the number of shards of this rank. SRQ_ERROR_RUN agreed by all ranks. */
srq_status srq_shares_create(srq_comm *comm, long own, srq_shares **shares);
void srq_shares_destroy(srq_shares **shares);

/* Excludes `data` seconds of waiting for images from the window, because they belong to no step (to an evaluation, for
 * example). */
void srq_shares_leave_out(srq_shares *shares, double data);
/* This rank's shares of the window so far, which has lasted `seconds`. */
srq_times srq_shares_now(const srq_shares *shares, const srq_times *times, double seconds);
/* Collective: ends a window of `seconds`. `times` are the times of this rank since training began. */
srq_window srq_shares_end_window(srq_shares *shares, const srq_times *times, double seconds);

/* Returns the rank with the largest time. *factor is its time divided by that of the median rank (with an even number
 * of ranks, the smaller of the two in the middle). `room` is work space for `ranks` numbers. */
int srq_slowest(const double *seconds, int ranks, double *room, double *factor);

#endif
