/* The sums of srq (dist/) on simulated nodes of one rank each, for experiments/bench/simulate.sh: compiled by SimGrid's
 * smpicc together with dist/reduce.c, halves.c, join.c, partners.c, leaves.c, tree.c and wire.c, which run as they are.
 * This file has what they need from other files: memory, and a communicator that waits by MPI_Waitall instead of
 * polling, because simulated time passes in polls.
 *
 * usage: simulate check|srq|mpi BELOW BUCKET[,BUCKET...]
 * BELOW is srq_reduce_plan.halves_below, in bytes: 0 is the default, 1 turns halves off.
 * BUCKETs are sizes in bytes, in the order in which they are sent. Rank 0 prints the simulated seconds: "srq" of srq's
 * sum with its gathering, "mpi" of MPI_Allreduce for one bucket after the other. "srq" adds nothing, and all arrays of
 * all ranks, which are threads of one process, are one block of memory. "check" computes, and compares each element
 * with the sum along the tree. */
#include "core/memory.h"
#include "dist/comm_mpi.h"
#include "dist/node.h"
#include "dist/reduce.h"
#include "dist/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct srq_comm {
    int rank, ranks;
    srq_node node;
};

static bool check; /* global variables are those of all ranks, and have the same values */

int srq_comm_rank(const srq_comm *comm)
{
    return comm->rank;
}

int srq_comm_size(const srq_comm *comm)
{
    return comm->ranks;
}

const srq_node *srq_comm_node(const srq_comm *comm)
{
    return &comm->node;
}

/* New weights are then sent by messages of srq, and not by a collective operation. */
bool srq_comm_shares(const srq_comm *comm)
{
    (void)comm;
    return true;
}

srq_status srq_comm_agree(const srq_comm *comm, srq_status status)
{
    (void)comm;
    return status;
}

MPI_Comm srq_comm_mates(const srq_comm *comm)
{
    (void)comm;
    return MPI_COMM_SELF;
}

/* A rank is alone on its node. */
void srq_node_meet(const srq_comm *comm)
{
    (void)comm;
}

srq_status srq_shared_create(const srq_comm *comm, size_t bytes, const char *what, srq_shared **shared)
{
    (void)comm, (void)what;
    *shared = NULL;
    return bytes == 0 ? SRQ_OK : srq_fail(SRQ_ERROR_RUN, "a simulated node has one rank");
}

void srq_shared_destroy(srq_shared **shared)
{
    *shared = NULL;
}

void *srq_shared_part(const srq_shared *shared, int member)
{
    (void)shared, (void)member;
    return NULL;
}

MPI_Comm srq_comm_mpi(const srq_comm *comm)
{
    (void)comm;
    return MPI_COMM_WORLD;
}

void srq_comm_wait(const srq_comm *comm, int count, MPI_Request *requests, const char *what, int index)
{
    (void)comm, (void)what, (void)index;
    MPI_Waitall(count, requests, MPI_STATUSES_IGNORE);
}

/* Blocks are not freed. */
void *srq_memory(size_t bytes)
{
    static char *block;
    static size_t room;
    const size_t whole = (bytes + 64) / 64 * 64;
    if (check) return aligned_alloc(64, whole);
    if (whole > room) { /* earlier blocks stay where they are */
        room = whole;
        block = aligned_alloc(64, room);
    }
    return block;
}

void *srq_memory_zeros(size_t bytes)
{
    void *block = srq_memory(bytes);
    if (block && check) memset(block, 0, bytes);
    return block;
}

static void add(size_t n, float *y, const float *x)
{
    for (size_t i = 0; check && i < n; i++) y[i] += x[i];
}

/* Numbers whose sum depends on the order of additions. */
static float number(int rank, size_t i)
{
    const unsigned mixed = ((unsigned)rank * 2654435761u ^ (unsigned)i * 40503u) % 1000003u;
    return (float)mixed / (float)(1 + (mixed % 7) * 1000);
}

/* The text is that of all ranks, and stays as it is. */
static int parse(const char *list, size_t *floats)
{
    int count = 0;
    for (char *end; *list && count < SRQ_BUCKETS_MAX; list = *end ? end + 1 : end)
        floats[count++] = strtoul(list, &end, 10) / sizeof(float);
    return count;
}

static void must(int wrong, const char *what)
{
    if (!wrong) return;
    fprintf(stderr, "simulate: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* One sum with its gathering, as in `srq bench allreduce`. */
static void exchange(srq_reduce *reduce, int rank, size_t size, float *vector)
{
    float *own = srq_reduce_lease(reduce, rank), *sum = NULL;
    for (size_t i = 0; check && i < size; i++) own[i] = number(rank, i);
    srq_reduce_ready(reduce, 0, rank, 0);
    srq_reduce_poll(reduce);
    for (int b = 0; b < srq_reduce_bucket_count(reduce); b++) {
        sum = srq_reduce_finish(reduce, b);
        if (check && b + 1 == srq_reduce_bucket_count(reduce)) memcpy(vector, sum, size * sizeof *sum);
        if (!check) srq_reduce_join_start(reduce, b, vector);
    }
    for (int b = 0; check && b < srq_reduce_bucket_count(reduce); b++) srq_reduce_join_start(reduce, b, vector);
    srq_reduce_join_wait(reduce);
}

static void compare(int ranks, size_t size, const float *vector)
{
    for (size_t i = 0; i < size; i++) {
        float sums[SRQ_TREE_NODES_MAX];
        srq_tree tree;
        srq_tree_create(&tree, ranks);
        for (int r = 0; r < ranks; r++) {
            srq_tree_push(&tree, (srq_tree_node){.level = 0, .index = r});
            sums[tree.count - 1] = number(r, i);
            while (srq_tree_join(&tree)) sums[tree.count - 1] += sums[tree.count];
        }
        must(memcmp(&sums[0], &vector[i], sizeof(float)) != 0, "a sum has other bits than along the tree");
    }
}

/* Seconds of the slowest rank. */
static double longest(double since)
{
    double own = MPI_Wtime() - since, most = 0;
    MPI_Allreduce(&own, &most, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return most;
}

static double run_srq(const srq_comm *comm, const srq_reduce_plan *plan)
{
    srq_reduce *reduce = NULL;
    must(srq_reduce_create(comm, plan, &reduce) != SRQ_OK, srq_message());
    float *vector = srq_memory_zeros(plan->size * sizeof *vector);
    must(!vector, "no memory");
    MPI_Barrier(MPI_COMM_WORLD);
    const double since = MPI_Wtime();
    exchange(reduce, comm->rank, plan->size, vector);
    const double seconds = longest(since);
    if (check) compare(comm->ranks, plan->size, vector);
    return seconds;
}

static double run_mpi(int count, const size_t *floats)
{
    size_t most = 0;
    for (int b = 0; b < count; b++) most = floats[b] > most ? floats[b] : most;
    float *vector = calloc(most, sizeof *vector);
    must(!vector, "no memory");
    MPI_Barrier(MPI_COMM_WORLD);
    const double since = MPI_Wtime();
    for (int b = 0; b < count; b++)
        MPI_Allreduce(MPI_IN_PLACE, vector, (int)floats[b], MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    return longest(since);
}

int main(int argc, char **argv)
{
    static size_t floats[SRQ_BUCKETS_MAX], ends[SRQ_BUCKETS_MAX + 1];
    srq_comm comm;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &comm.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &comm.ranks);
    must(argc != 4, "usage: simulate check|srq|mpi BELOW BUCKET[,BUCKET...]");
    check = strcmp(argv[1], "check") == 0;
    const int count = parse(argv[3], floats);
    int *begin = calloc((size_t)comm.ranks + 1, sizeof *begin);
    must(!begin, "no memory");
    for (int i = 0; i <= comm.ranks; i++) begin[i] = i;
    comm.node = (srq_node){.count = comm.ranks, .begin = begin, .index = comm.rank, .size = 1};
    size_t size = 0;
    for (int b = count - 1; b >= 0; b--) {
        ends[b + 1] = size;
        size += floats[b];
    }
    ends[0] = size;
    const srq_reduce_plan plan = {.shards = comm.ranks,
                                  .size = size,
                                  .bucket_count = count,
                                  .ends = ends,
                                  .add = add,
                                  .halves_below = strtoul(argv[2], NULL, 10)};
    const double seconds = strcmp(argv[1], "mpi") == 0 ? run_mpi(count, floats) : run_srq(&comm, &plan);
    if (comm.rank == 0) printf("%.9f\n", seconds);
    MPI_Finalize();
    return 0;
}
