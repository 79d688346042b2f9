#include "dist/reduce.h"

#include "dist/comm_mpi.h"
#include "dist/tree.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct srq_reduce {
    const srq_comm *comm;
    long shards, first, last, next; /* this rank's shards, and the one to be pushed */
    size_t size;
    srq_reduce_add add;
    srq_tree tree;                    /* of this rank's shards so far */
    float *nodes[SRQ_TREE_NODES_MAX]; /* [size] each: sums of tree.nodes, and the leaf after them */
    int node_room;
    int ranks;
    int *counts;         /* [ranks]: nodes that each rank is left with */
    srq_tree_node *left; /* [all]: those nodes, in the order of ranks */
    int all;
    size_t *begin;   /* [ranks + 1]: slices of the vector */
    float *incoming; /* [all - own][slice] */
    size_t *borders; /* [ranks + 1]: of a gather */
    MPI_Request *requests;
};

/* The nodes that the shards [first, last) leave, into `tree`. */
static void leave_nodes(long shards, long first, long last, srq_tree *tree, int *most)
{
    srq_tree_create(tree, shards);
    for (long leaf = first; leaf < last; leaf++) {
        srq_tree_push(tree, (srq_tree_node){.level = 0, .index = leaf});
        if (tree->count > *most) *most = tree->count;
        while (srq_tree_join(tree)) continue;
    }
}

static srq_status allocate(srq_reduce *r)
{
    const size_t ranks = (size_t)r->ranks, bytes = (r->size * sizeof(float) + 63) / 64 * 64 + 64;
    size_t widest = 0;
    for (int i = 0; i < r->ranks; i++)
        if (r->begin[i + 1] - r->begin[i] > widest) widest = r->begin[i + 1] - r->begin[i];
    const size_t incoming = ((size_t)r->all * widest * sizeof(float) + 63) / 64 * 64 + 64;
    r->incoming = aligned_alloc(64, incoming);
    r->requests = calloc((size_t)r->all + ranks * SRQ_TREE_NODES_MAX, sizeof(MPI_Request));
    r->borders = calloc(ranks + 1, sizeof *r->borders);
    bool whole = r->incoming && r->requests && r->borders;
    for (int i = 0; i < r->node_room; i++) {
        r->nodes[i] = aligned_alloc(64, bytes);
        if (r->nodes[i])
            memset(r->nodes[i], 0, bytes);
        else
            whole = false;
    }
    return whole ? SRQ_OK : srq_fail_memory(bytes * (size_t)r->node_room + incoming, "sums of gradients");
}

static srq_status lay_out(srq_reduce *r, const size_t *begin)
{
    r->counts = calloc((size_t)r->ranks, sizeof *r->counts);
    r->begin = calloc((size_t)r->ranks + 1, sizeof *r->begin);
    r->left = calloc((size_t)r->ranks * SRQ_TREE_NODES_MAX, sizeof *r->left);
    if (!r->counts || !r->begin || !r->left) return srq_fail_memory(sizeof *r->left, "sums of gradients");
    const size_t lines = (r->size + 15) / 16; /* slices end on cache lines */
    for (int i = 0; i < r->ranks; i++) {
        long first, last;
        int most = 0;
        srq_tree tree;
        srq_tree_range(r->shards, r->ranks, i, &first, &last);
        leave_nodes(r->shards, first, last, &tree, &most);
        memcpy(r->left + r->all, tree.nodes, (size_t)tree.count * sizeof *tree.nodes);
        r->counts[i] = tree.count;
        r->all += tree.count;
        size_t end = begin ? begin[i + 1] : lines * (size_t)(i + 1) / (size_t)r->ranks * 16;
        r->begin[i + 1] = end < r->size ? end : r->size;
        if (i == srq_comm_rank(r->comm)) {
            r->first = first;
            r->last = last;
            r->node_room = most;
        }
    }
    return allocate(r);
}

srq_status srq_reduce_create(const srq_comm *comm, long shards, size_t size, const size_t *begin, srq_reduce_add add,
                             srq_reduce **out)
{
    if (srq_comm_size(comm) > shards)
        return srq_fail(
            SRQ_ERROR_USAGE,
            "%d ranks but train.shards = %ld: a rank without a shard has nothing to do; start at most %ld ranks, "
            "or raise train.shards (which changes the result)",
            srq_comm_size(comm), shards, shards);
    if (size > INT_MAX)
        return srq_fail(SRQ_ERROR_USAGE, "%zu parameters: at most %d can be summed; make the model smaller", size,
                        INT_MAX);
    srq_reduce *r = calloc(1, sizeof *r);
    if (!r) return srq_fail_memory(sizeof *r, "sums of gradients");
    r->comm = comm;
    r->shards = shards;
    r->size = size;
    r->add = add;
    r->ranks = srq_comm_size(comm);
    srq_status status = lay_out(r, begin);
    if (status != SRQ_OK) {
        srq_reduce_destroy(&r);
        return status;
    }
    srq_tree_create(&r->tree, shards);
    r->next = r->first;
    *out = r;
    return SRQ_OK;
}

void srq_reduce_destroy(srq_reduce **reduce)
{
    srq_reduce *r = *reduce;
    if (!r) return;
    for (int i = 0; i < SRQ_TREE_NODES_MAX; i++) free(r->nodes[i]);
    free(r->counts);
    free(r->begin);
    free(r->left);
    free(r->incoming);
    free(r->requests);
    free(r->borders);
    free(r);
    *reduce = NULL;
}

void srq_reduce_range(const srq_reduce *reduce, long *first, long *last)
{
    *first = reduce->first;
    *last = reduce->last;
}

float *srq_reduce_leaf(srq_reduce *reduce)
{
    return reduce->nodes[reduce->tree.count];
}

void srq_reduce_push(srq_reduce *r)
{
    srq_tree_push(&r->tree, (srq_tree_node){.level = 0, .index = r->next++});
    while (srq_tree_join(&r->tree)) r->add(r->size, r->nodes[r->tree.count - 1], r->nodes[r->tree.count]);
}

/* Slice `rank` of the sum, from this rank's nodes and the incoming ones, in the order of leaves; into the first node,
 * which has been sent. */
static void finish_slice(srq_reduce *r, int rank)
{
    const size_t begin = r->begin[rank], width = r->begin[rank + 1] - begin;
    float *sums[SRQ_TREE_NODES_MAX], *arrived = r->incoming;
    srq_tree tree;
    srq_tree_create(&tree, r->shards);
    for (int from = 0, node = 0; from < r->ranks; from++)
        for (int k = 0; k < r->counts[from]; k++, node++) {
            srq_tree_push(&tree, r->left[node]);
            sums[tree.count - 1] = from == rank ? r->nodes[k] + begin : arrived;
            if (from != rank) arrived += width;
            while (srq_tree_join(&tree)) r->add(width, sums[tree.count - 1], sums[tree.count]);
        }
    if (sums[0] != r->nodes[0] + begin) memcpy(r->nodes[0] + begin, sums[0], width * sizeof(float));
}

static void exchange_slices(srq_reduce *r, int rank)
{
    MPI_Comm world = srq_comm_mpi(r->comm);
    const size_t width = r->begin[rank + 1] - r->begin[rank];
    int count = 0;
    float *to = r->incoming;
    for (int from = 0; from < r->ranks; from++)
        for (int k = 0; from != rank && k < r->counts[from]; k++, to += width)
            MPI_Irecv(to, (int)width, MPI_FLOAT, from, k, world, &r->requests[count++]);
    /* Each rank starts with its right neighbour, so that not all send to rank 0 at once. */
    for (int i = 1; i < r->ranks; i++) {
        int dest = (rank + i) % r->ranks;
        for (int k = 0; k < r->counts[rank]; k++)
            MPI_Isend(r->nodes[k] + r->begin[dest], (int)(r->begin[dest + 1] - r->begin[dest]), MPI_FLOAT, dest, k,
                      world, &r->requests[count++]);
    }
    MPI_Waitall(count, r->requests, MPI_STATUSES_IGNORE);
}

void srq_reduce_convert(srq_reduce *r, void (*convert)(const void *context, float *vector), const void *context)
{
    for (int i = 0; i < r->tree.count; i++) convert(context, r->nodes[i]);
}

float *srq_reduce_scatter(srq_reduce *r)
{
    r->tree.count = 0;
    r->next = r->first;
    if (r->ranks == 1) return r->nodes[0];
    const int rank = srq_comm_rank(r->comm);
    exchange_slices(r, rank);
    finish_slice(r, rank);
    return r->nodes[0];
}

size_t srq_reduce_memory(const srq_reduce *r)
{
    const int rank = srq_comm_rank(r->comm);
    const size_t arriving = (size_t)(r->all - r->counts[rank]) * (r->begin[rank + 1] - r->begin[rank]);
    return ((size_t)r->node_room * r->size + arriving) * sizeof(float);
}

void srq_reduce_join(const srq_reduce *r, float *vector)
{
    srq_comm_gather(r->comm, vector, r->begin, sizeof *vector);
}

void srq_reduce_gather(const srq_reduce *r, double *values, int width)
{
    for (int i = 0; i < r->ranks; i++) {
        long first, last;
        srq_tree_range(r->shards, r->ranks, i, &first, &last);
        r->borders[i + 1] = (size_t)last * (size_t)width;
    }
    srq_comm_gather(r->comm, values, r->borders, sizeof *values);
}
