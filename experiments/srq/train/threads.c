#include "experiments/srq/train/threads.h"

#include "experiments/srq/numbers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_cpu(const srq_threads_rank *rank, int cpu)
{
    return rank->granted[cpu / 64] >> (cpu % 64) & 1;
}

/* The number of ranks of the same node, and how many of them come before `rank`. */
static int on_node(const srq_threads_rank *ranks, int count, int rank, int *before)
{
    int all = 0;
    *before = 0;
    for (int r = 0; r < count; r++) {
        if (ranks[r].node != ranks[rank].node) continue;
        all++;
        *before += r < rank;
    }
    return all;
}

int srq_threads_share(const srq_threads_rank *ranks, int count, int rank)
{
    int before;
    double cpus = 0;
    for (int c = 0; c < SRQ_CORES_MAX; c++) {
        int users = 0;
        if (!has_cpu(&ranks[rank], c)) continue;
        for (int r = 0; r < count; r++) users += ranks[r].node == ranks[rank].node && has_cpu(&ranks[r], c);
        cpus += 1.0 / users;
    }
    const double quota = ranks[rank].quota / on_node(ranks, count, rank, &before);
    if (quota > 0 && quota < cpus) cpus = quota;
    const int whole = (int)(cpus + 1e-6);
    return whole < 1 ? 1 : whole > SRQ_WORKERS_MAX ? SRQ_WORKERS_MAX : whole;
}

bool srq_threads_bind(const srq_threads_rank *ranks, int count, int rank, int threads, int *cpus)
{
    const srq_threads_rank *own = &ranks[rank];
    int sharing = 0, before = 0;
    for (int r = 0; r < count; r++) {
        if (ranks[r].node != own->node) continue;
        bool same = true, apart = true;
        for (int w = 0; w < SRQ_CORES_WORDS; w++) {
            same = same && ranks[r].granted[w] == own->granted[w];
            apart = apart && !(ranks[r].granted[w] & own->granted[w]);
        }
        if (!same && !apart) return false;
        sharing += same;
        before += same && r < rank;
    }
    /* Otherwise, other programs are likely to use the same cores. */
    if (threads * sharing != srq_cores_count(own->granted)) return false;
    for (int c = 0, at = -before * threads; c < SRQ_CORES_MAX; c++) {
        if (!has_cpu(own, c)) continue;
        if (at >= 0 && at < threads) cpus[at] = c;
        at++;
    }
    return true;
}

/* FNV-1a. */
static uint64_t number_of(const char *host)
{
    uint64_t hash = 14695981039346656037u;
    for (; *host; host++) hash = (hash ^ (unsigned char)*host) * 1099511628211u;
    return hash;
}

/* Every rank learns what all ranks may use. */
static srq_status gather(const srq_comm *comm, const srq_cores *cores, srq_threads_rank **out)
{
    enum { WORDS = sizeof(srq_threads_rank) / sizeof(uint64_t) };
    const int count = srq_comm_size(comm), rank = srq_comm_rank(comm);
    srq_threads_rank *ranks = calloc((size_t)count, sizeof *ranks);
    size_t *borders = calloc((size_t)count + 1, sizeof *borders);
    srq_status status = ranks && borders ? SRQ_OK : srq_fail_memory((size_t)count * sizeof *ranks, "threads");
    status = srq_comm_agree(comm, status);
    if (status == SRQ_OK) {
        memcpy(ranks[rank].granted, cores->granted, sizeof cores->granted);
        ranks[rank].quota = cores->quota;
        ranks[rank].node = number_of(srq_comm_host(comm, rank));
        for (int r = 0; r <= count; r++) borders[r] = (size_t)r * WORDS;
        srq_comm_gather(comm, ranks, borders, sizeof(uint64_t));
        *out = ranks;
    } else {
        free(ranks);
    }
    free(borders);
    return status;
}

static srq_status start(const srq_threads_rank *ranks, int count, int rank, srq_threads *t)
{
    int *cpus = calloc((size_t)t->count, sizeof *cpus);
    if (!cpus) return srq_fail_memory((size_t)t->count * sizeof *cpus, "threads");
    const int share = srq_threads_share(ranks, count, rank);
    t->crowded = t->count > share;
    t->bound = t->count > 1 && srq_threads_bind(ranks, count, rank, t->count, cpus);
    const srq_workers_options options = {.count = t->count, .spin = !t->crowded, .cpus = t->bound ? cpus : NULL};
    const srq_status status = srq_workers_create(&options, &t->workers);
    free(cpus);
    return status;
}

srq_status srq_threads_create(const srq_comm *comm, int wanted, srq_threads *t)
{
    srq_cores cores;
    srq_threads_rank *ranks = NULL;
    srq_cores_read(&cores);
    *t = (srq_threads){0};
    SRQ_TRY(gather(comm, &cores, &ranks));
    const int rank = srq_comm_rank(comm), count = srq_comm_size(comm);
    const int environment = cores.wanted < SRQ_WORKERS_MAX ? cores.wanted : SRQ_WORKERS_MAX;
    t->count = wanted ? wanted : environment ? environment : srq_threads_share(ranks, count, rank);
    snprintf(t->source, sizeof t->source, "%s", wanted ? "--threads" : environment ? cores.wanted_by : "cores");
    srq_status status = start(ranks, count, rank, t);
    free(ranks);
    return srq_comm_agree(comm, status);
}

void srq_threads_destroy(srq_threads *t)
{
    srq_workers_destroy(&t->workers);
}

srq_status srq_threads_parse(const char *command, const char *value, int *threads)
{
    long number;
    if (!srq_parse_whole(value, 1, SRQ_WORKERS_MAX, &number))
        return srq_fail(
            SRQ_ERROR_USAGE,
            "%s: --threads must be a whole number from 1 to %d, but is \"%.64s\"; leave it out for all cores "
            "that each rank may use",
            command, SRQ_WORKERS_MAX, value);
    *threads = (int)number;
    return SRQ_OK;
}
