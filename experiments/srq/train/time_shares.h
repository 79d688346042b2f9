/* Where the time of ranks goes, compared over all of them at every line of the log. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TIME_SHARES_H
#define SRQ_EXPERIMENTS_TRAIN_TIME_SHARES_H

#include "dist/comm.h"

/* Seconds since training began, or shares of a window's. */
typedef struct srq_times {
    double compute;  /* forward, backward, quantizers, optimizer */
    double exchange; /* sums over ranks and new weights, and waiting for the others: what computing does not hide */
    double data;     /* waiting for images, or making them */
    double passes;   /* of compute: forward and backward alone, by which ranks are compared */
} srq_times;

typedef struct srq_shares srq_shares;

/* A rank that computes this many times as long as the middle one, for so many windows in a row, is slow. */
#define SRQ_SLOW_FACTOR 1.5
enum { SRQ_SLOW_WINDOWS = 3 };

/* What a window has shown: the same on every rank. */
typedef struct srq_window {
    srq_times mean, slowest; /* shares of the window's time: of all ranks, and of the one that computed longest */
    int slowest_rank;
    int slow_rank;      /* to be named now, or -1 */
    double slow_factor; /* how many times the middle rank's time, for each shard, it took */
} srq_window;

/* Collective; `own` is the number of shards of this rank. SRQ_ERROR_RUN agreed by all ranks. */
srq_status srq_shares_create(srq_comm *comm, long own, srq_shares **shares);
void srq_shares_destroy(srq_shares **shares);

/* What went into neither computing nor waiting for data of a step, such as an evaluation, is left out of windows. */
void srq_shares_leave_out(srq_shares *shares, double data);
/* This rank's shares of the window so far, which has taken `seconds`. */
srq_times srq_shares_now(const srq_shares *shares, const srq_times *times, double seconds);
/* Collective: ends a window of `seconds`, in which the times of this rank have come to `times`. */
srq_window srq_shares_end_window(srq_shares *shares, const srq_times *times, double seconds);

/* The rank whose time for each shard is most, and how many times that of the middle rank (the lower of two) it is;
 * `room` takes `ranks` numbers. */
int srq_slowest(const double *seconds, int ranks, double *room, double *factor);

#endif
