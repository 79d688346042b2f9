/* How many threads each rank computes with, and on which cores. */
#ifndef SRQ_EXPERIMENTS_TRAIN_THREADS_H
#define SRQ_EXPERIMENTS_TRAIN_THREADS_H

#include "core/workers.h"
#include "dist/comm.h"
#include "io/cores.h"

/* One rank, as all others see it. */
typedef struct srq_threads_rank {
    uint64_t granted[SRQ_CORES_WORDS]; /* CPUs, as in srq_cores */
    double quota;                      /* CPUs for all ranks of the node together; 0: no limit */
    uint64_t node;                     /* the same number on ranks of one node */
} srq_threads_rank;

/* The share of rank `rank`: its CPUs, where a CPU that several ranks of the node may use counts for each of them as a
 * part, and at most its part of the quota. At least 1. */
int srq_threads_share(const srq_threads_rank *ranks, int count, int rank);

/* The CPUs for `threads` threads of rank `rank`, in cpus[threads]. False if its threads are not to be bound: it may use
 * other CPUs as well, or ranks of the node have overlapping but different CPUs. */
bool srq_threads_bind(const srq_threads_rank *ranks, int count, int rank, int threads, int *cpus);

typedef struct srq_threads {
    int count;       /* threads of this rank */
    bool bound;      /* each but the first to a CPU of its own (core/workers.h) */
    bool crowded;    /* more than the cores that this rank may use */
    char source[64]; /* where the number is from: "--threads", a variable, or "cores" */
    srq_workers *workers;
} srq_threads;

/* Collective. `wanted` is the value of --threads, or 0: then the environment decides (srq_cores_read), or the rank's
 * share of the cores. Starts the threads. Errors agreed by all ranks: SRQ_ERROR_RUN. */
srq_status srq_threads_create(const srq_comm *comm, int wanted, srq_threads *threads);
void srq_threads_destroy(srq_threads *threads);

/* Reads the value of --threads: 1 to SRQ_WORKERS_MAX. SRQ_ERROR_USAGE with a message that begins with `command`. */
srq_status srq_threads_parse(const char *command, const char *value, int *threads);

#endif
