#include "dist/reduce.h"

#include "core/memory.h"
#include "dist/comm_mpi.h"
#include "dist/tree.h"
#include "dist/wire.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct srq_reduce {
    const srq_comm *comm;
    int rank, ranks;
    srq_reduce_plan plan;
    size_t *ends, *slices;
    srq_reduce_range *coarse;
    long all_leaves;     /* of all ranks */
    long first, last;    /* this rank's shards */
    srq_leaves *leaves;  /* the sums over this rank's leaves */
    int *counts;         /* [ranks]: how many nodes each rank has left */
    srq_tree_node *left; /* [all]: those nodes of all ranks, in the order of ranks */
    int all;
    int started;         /* number of buckets that were sent */
    bool posted;         /* the receives of this step were posted */
    uint16_t *outgoing;  /* this rank's nodes, encoded; used with coarse ranges only */
    void *incoming;      /* slices of the other ranks' nodes, for all buckets */
    size_t *incoming_at; /* [buckets]: where each begins, in units */
    float *decoded;      /* the slices of one bucket, decoded */
    MPI_Request *receives, *sends, *joins;
    int send_count, join_count;
    int *join_counts, *join_offsets; /* [buckets][ranks] */
};

static size_t slice_of(const srq_reduce *r, int bucket, int rank)
{
    return r->slices[(size_t)bucket * ((size_t)r->ranks + 1) + (size_t)rank];
}

/* A unit is a 16-bit number, or a float if there are no coarse ranges. */
static size_t units_of(const srq_reduce *r, size_t begin, size_t end)
{
    return r->plan.coarse_count ? srq_wire_size(begin, end, r->plan.coarse_count, r->coarse) : end - begin;
}

static size_t unit_size(const srq_reduce *r)
{
    return r->plan.coarse_count ? sizeof(uint16_t) : sizeof(float);
}

/* --- Building */

/* Sets `tree` to the nodes that are left of the leaves [first, last). */
static void leave_nodes(long leaves, long first, long last, srq_tree *tree)
{
    srq_tree_create(tree, leaves);
    for (long leaf = first; leaf < last; leaf++) {
        srq_tree_push(tree, (srq_tree_node){.level = 0, .index = leaf});
        while (srq_tree_join(tree)) continue;
    }
}

static srq_status copy_plan(srq_reduce *r, const srq_reduce_plan *plan)
{
    r->plan = *plan;
    if (plan->bucket_count == 0) r->plan.bucket_count = 1;
    if (plan->shard_slices == 0) r->plan.shard_slices = 1;
    if (plan->at_work == 0) r->plan.at_work = 1;
    r->all_leaves = r->plan.shards * r->plan.shard_slices;
    const size_t buckets = (size_t)r->plan.bucket_count, borders = (size_t)r->ranks + 1;
    r->ends = calloc(buckets + 1, sizeof *r->ends);
    r->slices = calloc(buckets * borders, sizeof *r->slices);
    r->coarse = calloc((size_t)plan->coarse_count + 1, sizeof *r->coarse);
    if (!r->ends || !r->slices || !r->coarse) return srq_fail_memory(buckets * borders * 8, "sums of gradients");
    if (plan->bucket_count)
        memcpy(r->ends, plan->ends, (buckets + 1) * sizeof *r->ends);
    else
        r->ends[0] = plan->size;
    if (plan->coarse_count) memcpy(r->coarse, plan->coarse, (size_t)plan->coarse_count * sizeof *r->coarse);
    if (plan->slices) {
        memcpy(r->slices, plan->slices, buckets * borders * sizeof *r->slices);
        return SRQ_OK;
    }
    for (size_t b = 0; b < buckets; b++) { /* slices begin on cache lines */
        const size_t begin = r->ends[b + 1], end = r->ends[b], lines = (end - begin + 15) / 16;
        for (size_t i = 0; i < borders; i++) {
            const size_t at = begin + lines * i / (size_t)r->ranks * 16;
            r->slices[b * borders + i] = at < end ? at : end;
        }
    }
    return SRQ_OK;
}

static srq_status lay_out(srq_reduce *r)
{
    r->counts = calloc((size_t)r->ranks, sizeof *r->counts);
    r->left = calloc((size_t)r->ranks * SRQ_TREE_NODES_MAX, sizeof *r->left);
    if (!r->counts || !r->left) return srq_fail_memory(sizeof *r->left, "sums of gradients");
    for (int i = 0; i < r->ranks; i++) {
        long first, last;
        srq_tree tree;
        srq_tree_range(r->plan.shards, r->ranks, i, &first, &last);
        leave_nodes(r->all_leaves, first * r->plan.shard_slices, last * r->plan.shard_slices, &tree);
        memcpy(r->left + r->all, tree.nodes, (size_t)tree.count * sizeof *tree.nodes);
        r->counts[i] = tree.count;
        r->all += tree.count;
        if (i != r->rank) continue;
        r->first = first;
        r->last = last;
    }
    return SRQ_OK;
}

/* Allocates buffers for all buckets of a step. */
static srq_status make_room(srq_reduce *r)
{
    const size_t others = (size_t)(r->all - r->counts[r->rank]), own = (size_t)r->counts[r->rank];
    const size_t buckets = (size_t)r->plan.bucket_count, ranks = (size_t)r->ranks;
    size_t arriving = 0, leaving = 0, widest = 0;
    r->incoming_at = calloc(buckets, sizeof *r->incoming_at);
    r->join_counts = calloc(buckets * ranks, sizeof *r->join_counts);
    r->join_offsets = calloc(buckets * ranks, sizeof *r->join_offsets);
    r->receives = calloc(buckets * others + 1, sizeof(MPI_Request));
    r->sends = calloc(buckets * own * ranks + 1, sizeof(MPI_Request));
    r->joins = calloc(buckets, sizeof(MPI_Request));
    if (!r->incoming_at || !r->join_counts || !r->join_offsets || !r->receives || !r->sends || !r->joins)
        return srq_fail_memory(buckets * ranks * sizeof(MPI_Request), "sums of gradients");
    for (int b = 0; b < r->plan.bucket_count; b++) {
        const size_t begin = slice_of(r, b, r->rank), end = slice_of(r, b, r->rank + 1);
        r->incoming_at[b] = arriving;
        arriving += others * units_of(r, begin, end);
        leaving += own * units_of(r, r->ends[b + 1], r->ends[b]);
        if (end - begin > widest) widest = end - begin;
        for (int i = 0; i < r->ranks; i++) {
            r->join_offsets[b * r->ranks + i] = (int)slice_of(r, b, i);
            r->join_counts[b * r->ranks + i] = (int)(slice_of(r, b, i + 1) - slice_of(r, b, i));
        }
    }
    if (r->ranks == 1) return SRQ_OK;
    r->incoming = srq_memory(arriving * unit_size(r));
    if (!r->incoming) return srq_fail_memory(arriving * unit_size(r), "sums of gradients");
    if (!r->plan.coarse_count) return SRQ_OK;
    r->outgoing = srq_memory(leaving * unit_size(r));
    r->decoded = srq_memory(others * widest * sizeof(float));
    return r->outgoing && r->decoded ? SRQ_OK : srq_fail_memory(leaving * unit_size(r), "sums of gradients");
}

static srq_status build(srq_reduce *r, const srq_reduce_plan *plan)
{
    SRQ_TRY(copy_plan(r, plan));
    SRQ_TRY(lay_out(r));
    SRQ_TRY(make_room(r));
    const srq_leaves_plan leaves = {.all = r->all_leaves,
                                    .first = r->first * r->plan.shard_slices,
                                    .count = (r->last - r->first) * r->plan.shard_slices,
                                    .at_work = r->plan.at_work,
                                    .size = plan->size,
                                    .bucket_count = r->plan.bucket_count,
                                    .ends = r->ends,
                                    .segment_count = plan->segment_count,
                                    .segments = plan->segments,
                                    .add = plan->add,
                                    .convert = plan->convert,
                                    .context = plan->context,
                                    .coarse_count = plan->coarse_count,
                                    .coarse = r->coarse};
    return srq_leaves_create(&leaves, &r->leaves);
}

srq_status srq_reduce_create(const srq_comm *comm, const srq_reduce_plan *plan, srq_reduce **out)
{
    if (srq_comm_size(comm) > plan->shards)
        return srq_fail(
            SRQ_ERROR_USAGE,
            "%d ranks but train.shards = %ld: a rank without a shard has nothing to do; start at most %ld ranks, "
            "or raise train.shards (which changes the result)",
            srq_comm_size(comm), plan->shards, plan->shards);
    if (plan->size > INT_MAX / 2)
        return srq_fail(SRQ_ERROR_USAGE, "%zu parameters: at most %d can be summed; make the model smaller", plan->size,
                        INT_MAX / 2);
    srq_reduce *r = calloc(1, sizeof *r);
    if (!r) return srq_fail_memory(sizeof *r, "sums of gradients");
    r->comm = comm;
    r->rank = srq_comm_rank(comm);
    r->ranks = srq_comm_size(comm);
    srq_status status = build(r, plan);
    if (status != SRQ_OK) {
        srq_reduce_destroy(&r);
        return status;
    }
    *out = r;
    return SRQ_OK;
}

void srq_reduce_destroy(srq_reduce **reduce)
{
    srq_reduce *r = *reduce;
    if (!r) return;
    srq_leaves_destroy(&r->leaves);
    free(r->ends);
    free(r->slices);
    free(r->coarse);
    free(r->counts);
    free(r->left);
    free(r->outgoing);
    free(r->incoming);
    free(r->incoming_at);
    free(r->decoded);
    free(r->receives);
    free(r->sends);
    free(r->joins);
    free(r->join_counts);
    free(r->join_offsets);
    free(r);
    *reduce = NULL;
}

void srq_reduce_shards(const srq_reduce *reduce, long *first, long *last)
{
    *first = reduce->first;
    *last = reduce->last;
}

int srq_reduce_bucket_count(const srq_reduce *reduce)
{
    return reduce->plan.bucket_count;
}

/* --- Exchange */

/* Receives are posted early, because MPI copies a message twice if it arrives before its receive was posted. */
static void post_receives(srq_reduce *r)
{
    int count = 0;
    for (int b = 0; b < r->plan.bucket_count; b++) {
        const size_t width = units_of(r, slice_of(r, b, r->rank), slice_of(r, b, r->rank + 1));
        char *to = (char *)r->incoming + r->incoming_at[b] * unit_size(r);
        for (int from = 0; from < r->ranks; from++)
            for (int k = 0; from != r->rank && k < r->counts[from]; k++, to += width * unit_size(r))
                MPI_Irecv(to, (int)width, r->plan.coarse_count ? MPI_UINT16_T : MPI_FLOAT, from,
                          b * SRQ_TREE_NODES_MAX + k, srq_comm_mpi(r->comm), &r->receives[count++]);
    }
    r->posted = true;
}

static void send_bucket(srq_reduce *r, int b)
{
    /* Each rank starts with its right neighbour, so that not all ranks send to rank 0 at once. */
    uint16_t *room = r->outgoing;
    for (int k = 0; room && b > 0 && k < r->counts[r->rank]; k++) room += units_of(r, r->ends[b], r->plan.size);
    for (int i = 1; i < r->ranks; i++) {
        const int dest = (r->rank + i) % r->ranks;
        const size_t begin = slice_of(r, b, dest), end = slice_of(r, b, dest + 1), units = units_of(r, begin, end);
        for (int k = 0; k < r->counts[r->rank]; k++) {
            const float *sum = srq_leaves_node(r->leaves, k);
            const void *from = sum + begin;
            if (room) {
                srq_wire_encode(sum + begin, begin, end, r->plan.coarse_count, r->coarse, room);
                from = room;
                room += units;
            }
            MPI_Isend(from, (int)units, r->plan.coarse_count ? MPI_UINT16_T : MPI_FLOAT, dest,
                      b * SRQ_TREE_NODES_MAX + k, srq_comm_mpi(r->comm), &r->sends[r->send_count++]);
        }
    }
}

/* MPI makes progress only inside its own functions. */
static void move_messages(srq_reduce *r)
{
    int done;
    if (r->send_count) MPI_Testall(r->send_count, r->sends, &done, MPI_STATUSES_IGNORE);
}

void srq_reduce_poll(srq_reduce *r)
{
    if (r->ranks == 1) return;
    if (!r->posted) post_receives(r);
    if (r->plan.late && !srq_reduce_complete(r)) return;
    while (r->started < r->plan.bucket_count && srq_leaves_bucket_complete(r->leaves, r->started))
        send_bucket(r, r->started++);
    move_messages(r);
}

float *srq_reduce_lease(srq_reduce *r, long leaf)
{
    return srq_leaves_lease(r->leaves, leaf);
}

void srq_reduce_ready(srq_reduce *r, int thread, long leaf, size_t offset)
{
    srq_leaves_ready(r->leaves, thread, leaf, offset);
}

bool srq_reduce_complete(const srq_reduce *r)
{
    return srq_leaves_complete(r->leaves);
}

/* --- The rest of the tree */

void srq_reduce_wait(srq_reduce *r, int b)
{
    if (r->ranks == 1) return;
    srq_reduce_poll(r);
    const int others = r->all - r->counts[r->rank];
    const size_t begin = slice_of(r, b, r->rank), end = slice_of(r, b, r->rank + 1), width = end - begin;
    srq_comm_wait(r->comm, others, r->receives + (size_t)b * (size_t)others, "the gradients of bucket %d", b);
    if (!r->plan.coarse_count) return;
    const uint16_t *from = (const uint16_t *)r->incoming + r->incoming_at[b];
    const size_t units = units_of(r, begin, end);
    for (int i = 0; i < others; i++)
        srq_wire_decode(from + (size_t)i * units, begin, end, r->plan.coarse_count, r->coarse,
                        r->decoded + (size_t)i * width);
}

/* This rank's slices of the other ranks' nodes, in the order of ranks. */
static float *arrived_slices(const srq_reduce *r, int b)
{
    return r->plan.coarse_count ? r->decoded : (float *)r->incoming + r->incoming_at[b];
}

/* From this rank's nodes and the received ones, in the order of leaves. The result overwrites the first node, which has
 * been sent: other ranks never receive this rank's slice. */
float *srq_reduce_add_range(srq_reduce *r, int b, size_t begin, size_t end)
{
    float *result = srq_leaves_node(r->leaves, 0);
    if (r->ranks == 1) return result;
    const size_t slice = slice_of(r, b, r->rank), width = slice_of(r, b, r->rank + 1) - slice, n = end - begin;
    float *sums[SRQ_TREE_NODES_MAX], *arrived = arrived_slices(r, b) + (begin - slice);
    srq_tree tree;
    srq_tree_create(&tree, r->all_leaves);
    for (int from = 0, at = 0; from < r->ranks; from++)
        for (int k = 0; k < r->counts[from]; k++, at++) {
            srq_tree_push(&tree, r->left[at]);
            sums[tree.count - 1] = from == r->rank ? srq_leaves_node(r->leaves, k) + begin : arrived;
            if (from != r->rank) arrived += width;
            while (srq_tree_join(&tree)) {
                float *sum = sums[tree.count - 1];
                r->plan.add(n, sum, sums[tree.count]);
                if (r->plan.coarse_count && 1L << tree.nodes[tree.count - 1].level < r->all_leaves)
                    srq_wire_round_ranges(sum, begin, end, r->plan.coarse_count, r->coarse);
            }
        }
    if (sums[0] != result + begin) memcpy(result + begin, sums[0], n * sizeof(float));
    return result;
}

void srq_reduce_end(srq_reduce *r)
{
    srq_comm_wait(r->comm, r->send_count, r->sends, "other ranks to receive its gradients", 0);
    r->send_count = 0;
    r->started = 0;
    r->posted = false;
    srq_leaves_begin(r->leaves);
}

float *srq_reduce_finish(srq_reduce *r, int b)
{
    srq_reduce_wait(r, b);
    float *sum = srq_reduce_add_range(r, b, slice_of(r, b, r->rank), slice_of(r, b, r->rank + 1));
    if (b == r->plan.bucket_count - 1) srq_reduce_end(r);
    return sum;
}

/* --- Joining slices */

void srq_reduce_join_start(srq_reduce *r, int b, float *vector)
{
    if (r->ranks == 1) return;
    MPI_Iallgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, vector, r->join_counts + b * r->ranks,
                    r->join_offsets + b * r->ranks, MPI_FLOAT, srq_comm_mpi(r->comm), &r->joins[r->join_count++]);
}

void srq_reduce_join_wait(srq_reduce *r)
{
    if (r->join_count) srq_comm_wait(r->comm, r->join_count, r->joins, "new weights", 0);
    r->join_count = 0;
}

void srq_reduce_join(srq_reduce *r, float *vector)
{
    for (int b = 0; b < r->plan.bucket_count; b++) srq_reduce_join_start(r, b, vector);
    srq_reduce_join_wait(r);
}

/* --- Memory and traffic */

size_t srq_reduce_memory(const srq_reduce *r)
{
    size_t arriving = 0, leaving = 0;
    for (int b = 0; b < r->plan.bucket_count; b++) {
        arriving += units_of(r, slice_of(r, b, r->rank), slice_of(r, b, r->rank + 1));
        leaving += units_of(r, r->ends[b + 1], r->ends[b]);
    }
    arriving *= (size_t)(r->all - r->counts[r->rank]);
    leaving *= r->outgoing ? (size_t)r->counts[r->rank] : 0;
    return srq_leaves_memory(r->leaves) + (arriving + leaving) * unit_size(r);
}

size_t srq_reduce_sum_traffic(const srq_reduce *r)
{
    size_t units = 0;
    for (int b = 0; b < r->plan.bucket_count; b++)
        for (int i = 0; i < r->ranks; i++)
            if (i != r->rank) units += units_of(r, slice_of(r, b, i), slice_of(r, b, i + 1));
    return units * (size_t)r->counts[r->rank] * unit_size(r);
}

size_t srq_reduce_join_traffic(const srq_reduce *r)
{
    size_t floats = 0;
    for (int b = 0; b < r->plan.bucket_count; b++) floats += slice_of(r, b, r->rank + 1) - slice_of(r, b, r->rank);
    return floats * (size_t)(r->ranks - 1) * sizeof(float);
}
