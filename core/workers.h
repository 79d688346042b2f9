/* A team of threads that work on one network together.
 *
 * Worker 0 is the thread that creates the team; the others are threads of the team's own. All of them run one function
 * at a time, srq_workers_run, and wait between runs: first they spin for some microseconds, then they sleep. No other
 * state is shared by means of this file, so what a run computes does not depend on it. */
#ifndef SRQ_CORE_WORKERS_H
#define SRQ_CORE_WORKERS_H

#include "core/status.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* The largest number of workers of a team. */
enum { SRQ_WORKERS_MAX = 4096 };

/* --- A point where several threads wait for each other */

typedef struct srq_barrier {
    int count;
    bool spin;
    atomic_int arrived;
    atomic_uint round;
    pthread_mutex_t lock;
    pthread_cond_t passed;
} srq_barrier;

/* For `count` threads. `spin`: wait actively before sleeping, which is faster if each thread has a core of its own. The
 * barrier must not be moved in memory. */
void srq_barrier_init(srq_barrier *barrier, int count, bool spin);
void srq_barrier_destroy(srq_barrier *barrier);
/* Returns when all threads have called it. What they wrote before is then visible to all of them. */
void srq_barrier_wait(srq_barrier *barrier);

/* --- The team */

typedef struct srq_workers srq_workers;

typedef struct srq_workers_options {
    int count; /* workers, 1 to SRQ_WORKERS_MAX */
    bool spin; /* each worker has a core of its own (srq_barrier) */
    /* [count]: the CPU that each worker is bound to; NULL: they are not bound. A CPU that the system does not grant is
     * ignored. Worker 0 is never bound: threads that it starts later, and later teams, would have its one CPU. */
    const int *cpus;
} srq_workers_options;

/* Starts the threads. They block all signals. SRQ_ERROR_RUN if the system does not grant a thread. The caller destroys
 * *workers, on the same thread. */
srq_status srq_workers_create(const srq_workers_options *options, srq_workers **workers);
void srq_workers_destroy(srq_workers **workers);

/* The number of workers; 1 for NULL. */
int srq_workers_count(const srq_workers *workers);
/* Whether each worker has a core of its own. */
bool srq_workers_spin(const srq_workers *workers);

/* Calls work(context, w) on every worker w at the same time, and returns when all calls have returned. Only worker 0
 * may call it, and not from within `work`. With NULL, it only calls work(context, 0). */
void srq_workers_run(srq_workers *workers, void (*work)(void *context, int worker), void *context);

/* To be called again and again while waiting for another thread: spins at first, then gives up the core. *turn counts
 * the calls and starts at 0. */
void srq_workers_pause(const srq_workers *workers, int *turn);

#endif
