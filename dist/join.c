#include "dist/join.h"

#include "dist/comm_mpi.h"
#include "dist/node.h"
#include "dist/partners.h"

#include <stdlib.h>

struct srq_join {
    const srq_comm *comm;
    const srq_node *node;
    int rank, ranks, buckets, first_tag;
    int *counts, *offsets; /* [buckets][ranks] */
    MPI_Request *requests; /* of the joins that were started */
    int request_count;
    MPI_Request *moves; /* [ranks] */
};

/* How many messages this rank sends and receives for a bucket. */
static size_t messages(const srq_join *j)
{
    size_t count = 1; /* of the collective operation, if no ranks share memory */
    for (int i = 1; i < j->node->count; i++) {
        int first, end;
        srq_partners_served(j->node, srq_partners_node(j->node, i), &first, &end);
        for (; first < end; first += j->node->size) count++;
        count++;
    }
    return count;
}

srq_status srq_join_create(const srq_comm *comm, int buckets, const size_t *slices, int first_tag, srq_join **out)
{
    const int ranks = srq_comm_size(comm);
    const size_t all = (size_t)buckets * (size_t)ranks;
    srq_join *j = calloc(1, sizeof *j);
    if (!j) return srq_fail_memory(sizeof *j, "new weights");
    *j = (srq_join){.comm = comm,
                    .node = srq_comm_node(comm),
                    .rank = srq_comm_rank(comm),
                    .ranks = ranks,
                    .buckets = buckets,
                    .first_tag = first_tag};
    j->counts = calloc(all, sizeof *j->counts);
    j->offsets = calloc(all, sizeof *j->offsets);
    j->requests = calloc((size_t)buckets * messages(j), sizeof(MPI_Request));
    j->moves = calloc((size_t)ranks, sizeof(MPI_Request));
    *out = j;
    if (!j->counts || !j->offsets || !j->requests || !j->moves)
        return srq_fail_memory(all * sizeof(MPI_Request), "new weights");
    for (int b = 0; b < buckets; b++)
        for (int r = 0; r < ranks; r++) {
            const size_t *slice = slices + b * (ranks + 1) + r;
            j->offsets[b * ranks + r] = (int)slice[0];
            j->counts[b * ranks + r] = (int)(slice[1] - slice[0]);
        }
    return SRQ_OK;
}

void srq_join_destroy(srq_join **join)
{
    srq_join *j = *join;
    if (!j) return;
    free(j->counts);
    free(j->offsets);
    free(j->requests);
    free(j->moves);
    free(j);
    *join = NULL;
}

/* This rank's slice goes to one rank of every other node, and this rank receives the slices of the ranks that it serves
 * for all of its node. */
static void start_by_node(srq_join *j, int b, float *vector)
{
    const int *counts = j->counts + b * j->ranks, *offsets = j->offsets + b * j->ranks;
    const MPI_Comm comm = srq_comm_mpi(j->comm);
    for (int i = 1; i < j->node->count; i++) {
        const int other = srq_partners_node(j->node, i);
        int from, end;
        srq_partners_served(j->node, other, &from, &end);
        for (; from < end; from += j->node->size)
            MPI_Irecv(vector + offsets[from], counts[from], MPI_FLOAT, from, j->first_tag + b, comm,
                      &j->requests[j->request_count++]);
        MPI_Isend(vector + offsets[j->rank], counts[j->rank], MPI_FLOAT, srq_partners_of(j->node, other),
                  j->first_tag + b, comm, &j->requests[j->request_count++]);
    }
}

void srq_join_start(srq_join *j, int b, float *vector)
{
    if (srq_comm_shares(j->comm))
        start_by_node(j, b, vector);
    else if (j->ranks > 1)
        MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, vector, j->counts + b * j->ranks, j->offsets + b * j->ranks,
                        MPI_FLOAT, srq_comm_mpi(j->comm), &j->requests[j->request_count++]);
}

void srq_join_wait(srq_join *j)
{
    if (j->request_count) srq_comm_wait(j->comm, j->request_count, j->requests, "new weights", 0);
    j->request_count = 0;
    srq_node_meet(j->comm);
}

/* Between rank 0 and rank `rank`, on one of these two. */
static void move_slice(srq_join *j, int b, int rank, float *vector, bool to_rank_0, MPI_Request *request)
{
    const int count = j->counts[b * j->ranks + rank], other = j->rank == 0 ? rank : 0, tag = j->first_tag + b;
    float *slice = vector + j->offsets[b * j->ranks + rank];
    if ((j->rank == 0) == to_rank_0)
        MPI_Irecv(slice, count, MPI_FLOAT, other, tag, srq_comm_mpi(j->comm), request);
    else
        MPI_Isend(slice, count, MPI_FLOAT, other, tag, srq_comm_mpi(j->comm), request);
}

void srq_join_move(srq_join *j, float *vector, bool to_rank_0)
{
    for (int b = 0; j->ranks > 1 && b < j->buckets; b++) {
        int count = 0;
        for (int r = 1; r < j->ranks; r++)
            if (j->rank == 0 || j->rank == r) move_slice(j, b, r, vector, to_rank_0, &j->moves[count++]);
        srq_comm_wait(j->comm, count, j->moves, "the optimizer's state", 0);
    }
}

size_t srq_join_traffic(const srq_join *j)
{
    size_t floats = 0;
    for (int b = 0; b < j->buckets; b++) floats += (size_t)j->counts[b * j->ranks + j->rank];
    return floats * (size_t)(j->node->count - 1) * sizeof(float);
}
