/* The sums of srq (dist/) on simulated nodes, for experiments/bench/simulate.sh: compiled by SimGrid's
 * smpicc together with dist/reduce.c, halves.c, join.c, partners.c, leaves.c, tree.c and wire.c, which run as they are.
 * This file has what they need from other files: memory, and a communicator that waits by MPI_Waitall instead of
 * polling, because simulated time passes in polls.
 *
 * usage: simulate check|sum|mpi EACH BELOW BUCKET[,BUCKET...]
 * Each node has EACH ranks; their memory is shared, because all ranks are threads of one process.
 * BELOW is srq_reduce_plan.halves_below, in bytes: 0 is the default, 1 turns halves off.
 * BUCKETs are sizes in bytes, in the order in which they are sent. Rank 0 prints the simulated seconds: "sum" of srq's
 * sum with its gathering, "mpi" of MPI_Allreduce for one bucket after the other. "sum" adds nothing, and all arrays of
 * all ranks are one block of memory, except those that are shared, of which only the first page is ever written.
 * "check" computes, and compares each element with the sum along the tree. */
#include "core/memory.h"
#include "dist/comm_mpi.h"
#include "dist/node.h"
#include "dist/reduce.h"
#include "dist/tree.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct srq_comm {
    int rank, ranks;
    srq_node node;
    MPI_Comm mates;
    int shared; /* collective calls of srq_shared_create so far */
};

enum { RANKS_MAX = 8192, SHARED_MAX = 4 };

struct srq_shared {
    const srq_comm *comm;
    int number;
};

/* What each rank provides by its first, second, ... call. */
static void *provided[SHARED_MAX][RANKS_MAX];

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
    return comm->mates;
}

void srq_node_meet(const srq_comm *comm)
{
    if (comm->node.size > 1) MPI_Barrier(comm->mates);
}

srq_status srq_shared_create(const srq_comm *comm, size_t bytes, const char *what, srq_shared **shared)
{
    srq_comm *c = (srq_comm *)(uintptr_t)comm;
    (void)what;
    *shared = malloc(sizeof **shared);
    if (!*shared || c->shared == SHARED_MAX) return srq_fail(SRQ_ERROR_RUN, "no memory that is shared");
    **shared = (srq_shared){comm, c->shared++};
    void *part =
        bytes ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) : NULL;
    if (part == MAP_FAILED) return srq_fail_memory(bytes, "memory that is shared");
    provided[(*shared)->number][comm->rank] = part;
    srq_node_meet(comm);
    return SRQ_OK;
}

void srq_shared_destroy(srq_shared **shared)
{
    free(*shared);
    *shared = NULL;
}

void *srq_shared_part(const srq_shared *shared, int member)
{
    return provided[shared->number][shared->comm->node.begin[shared->comm->node.index] + member];
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

/* Equal slices of ranks, which begin on cache lines. */
static size_t *cut(int ranks, int buckets, const size_t *ends)
{
    const size_t borders = (size_t)ranks + 1;
    size_t *slices = calloc((size_t)buckets * borders, sizeof *slices);
    must(!slices, "no memory");
    for (int b = 0; b < buckets; b++)
        for (size_t i = 0; i < borders; i++) {
            const size_t begin = ends[b + 1], end = ends[b], lines = (end - begin + 15) / 16;
            const size_t at = begin + lines * i / (size_t)ranks * 16;
            slices[(size_t)b * borders + i] = at < end ? at : end;
        }
    return slices;
}

/* One sum with its gathering, as in `srq bench allreduce`. Ranks put their slices into the vector of their node. */
static void exchange(srq_reduce *reduce, const srq_comm *comm, const srq_reduce_plan *plan, float *vector)
{
    float *own = srq_reduce_lease(reduce, comm->rank);
    for (size_t i = 0; check && i < plan->size; i++) own[i] = number(comm->rank, i);
    srq_reduce_ready(reduce, 0, comm->rank, 0);
    srq_reduce_poll(reduce);
    for (int b = 0; b < plan->bucket_count; b++) {
        const float *sum = srq_reduce_finish(reduce, b);
        const size_t *slice = plan->slices + (size_t)b * ((size_t)comm->ranks + 1) + comm->rank;
        if (check) memcpy(vector + slice[0], sum + slice[0], (slice[1] - slice[0]) * sizeof *vector);
        srq_reduce_join_start(reduce, b, vector);
    }
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
    srq_shared *shared = NULL;
    must(srq_reduce_create(comm, plan, &reduce) != SRQ_OK, srq_message());
    const size_t bytes = comm->node.member == 0 ? plan->size * sizeof(float) : 0;
    must(srq_shared_create(comm, bytes, "the vector", &shared) != SRQ_OK, srq_message());
    float *vector = check ? srq_shared_part(shared, 0) : srq_memory(plan->size * sizeof *vector);
    must(!vector, "no memory");
    MPI_Barrier(MPI_COMM_WORLD);
    const double since = MPI_Wtime();
    exchange(reduce, comm, plan, vector);
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

static void make_node(srq_comm *comm, int each)
{
    const int count = comm->ranks / each, index = comm->rank / each;
    int *begin = calloc((size_t)count + 1, sizeof *begin);
    must(!begin, "no memory");
    for (int i = 0; i <= count; i++) begin[i] = i * each;
    comm->node = (srq_node){.count = count, .begin = begin, .index = index, .member = comm->rank % each, .size = each};
    comm->shared = 0;
    MPI_Comm_split(MPI_COMM_WORLD, index, comm->rank, &comm->mates);
}

int main(int argc, char **argv)
{
    static size_t floats[SRQ_BUCKETS_MAX], ends[SRQ_BUCKETS_MAX + 1];
    srq_comm comm;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &comm.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &comm.ranks);
    must(argc != 5, "usage: simulate check|sum|mpi EACH BELOW BUCKET[,BUCKET...]");
    check = strcmp(argv[1], "check") == 0;
    const int each = atoi(argv[2]), count = parse(argv[4], floats);
    must(each < 1 || comm.ranks % each || comm.ranks > RANKS_MAX, "ranks that the nodes cannot have");
    make_node(&comm, each);
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
                                  .slices = cut(comm.ranks, count, ends),
                                  .add = add,
                                  .halves_below = strtoul(argv[3], NULL, 10)};
    const double seconds = strcmp(argv[1], "mpi") == 0 ? run_mpi(count, floats) : run_srq(&comm, &plan);
    if (comm.rank == 0) printf("%.9f\n", seconds);
    MPI_Finalize();
    return 0;
}
