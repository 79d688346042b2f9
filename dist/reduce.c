#include "dist/reduce.h"

#include "core/memory.h"
#include "dist/comm_mpi.h"
#include "dist/halves.h"
#include "dist/join.h"
#include "dist/node.h"
#include "dist/partners.h"
#include "dist/tree.h"
#include "dist/wire.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What a rank shares with the other ranks of its node: which of its vectors hold the sums that it has left, and then
 * the vectors. */
enum { SHARED_HEAD = 4096 };

/* Messages of joins have tags above those of sums, which are bucket * SRQ_TREE_NODES_MAX + index of the sum. */
enum { JOIN_TAG = SRQ_BUCKETS_MAX * SRQ_TREE_NODES_MAX };

struct srq_reduce {
    const srq_comm *comm;
    const srq_node *node;
    int rank, ranks;
    srq_reduce_plan plan;
    size_t *ends, *slices;
    srq_reduce_range *coarse;
    long all_leaves;    /* of all ranks */
    long first, last;   /* this rank's shards */
    srq_leaves *leaves; /* the sums over this rank's leaves */
    srq_shared *shared; /* the vectors of this node's ranks; NULL if it has one rank */
    size_t stride;      /* floats from a vector to the next */
    /* The nodes of the tree that remain when the leaves of each rank of this node are added, in the order of ranks; and
     * when those of each node of the job are added. */
    int *mate_counts; /* [node.size] */
    srq_tree_node *mate_left;
    int *counts; /* [node.count] */
    srq_tree_node *left;
    int all, mates_all;  /* lengths of `left` and `mate_left` */
    int completed;       /* number of buckets that are complete on this rank */
    int started;         /* number of buckets that were sent */
    bool posted;         /* the receives of this step were posted */
    uint16_t *outgoing;  /* what this rank sends, encoded; used with coarse ranges only */
    size_t *outgoing_at; /* [buckets]: where each begins, in units */
    void *incoming;      /* slices of the other nodes' sums, for all buckets */
    size_t *incoming_at; /* [buckets]: where each begins, in units */
    float *decoded;      /* the slices of one bucket, decoded */
    MPI_Request *meets;  /* [buckets]: all ranks of this node have completed the bucket */
    MPI_Request *receives, *sends;
    int send_count;
    srq_join *join;
    srq_halves *halves; /* of some buckets; or NULL */
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

/* Appends the nodes that are left of the leaves of ranks [begin, end) to left[*at], and returns how many they are. */
static int note_left(const srq_reduce *r, int begin, int end, srq_tree_node *left, int *at)
{
    long first, last, unused;
    srq_tree tree;
    srq_tree_range(r->plan.shards, r->ranks, begin, &first, &unused);
    srq_tree_range(r->plan.shards, r->ranks, end - 1, &unused, &last);
    leave_nodes(r->all_leaves, first * r->plan.shard_slices, last * r->plan.shard_slices, &tree);
    memcpy(left + *at, tree.nodes, (size_t)tree.count * sizeof *tree.nodes);
    *at += tree.count;
    return tree.count;
}

static srq_status lay_out(srq_reduce *r)
{
    const srq_node *node = r->node;
    const size_t nodes = (size_t)node->count, mates = (size_t)node->size;
    r->counts = calloc(nodes, sizeof *r->counts);
    r->left = calloc(nodes * SRQ_TREE_NODES_MAX, sizeof *r->left);
    r->mate_counts = calloc(mates, sizeof *r->mate_counts);
    r->mate_left = calloc(mates * SRQ_TREE_NODES_MAX, sizeof *r->mate_left);
    if (!r->counts || !r->left || !r->mate_counts || !r->mate_left)
        return srq_fail_memory((nodes + mates) * SRQ_TREE_NODES_MAX * sizeof *r->left, "sums of gradients");
    for (int i = 0; i < node->count; i++)
        r->counts[i] = note_left(r, node->begin[i], node->begin[i + 1], r->left, &r->all);
    const int first = node->begin[node->index];
    for (int i = 0; i < node->size; i++)
        r->mate_counts[i] = note_left(r, first + i, first + i + 1, r->mate_left, &r->mates_all);
    srq_tree_range(r->plan.shards, r->ranks, r->rank, &r->first, &r->last);
    return SRQ_OK;
}

/* The number of ranks to which this rank sends slices of a bucket; and the number of units that it sends. */
static size_t destinations(const srq_reduce *r, int b, size_t *units)
{
    size_t count = 0;
    *units = 0;
    for (int i = 1; i < r->node->count; i++) {
        int to, end;
        srq_partners_served(r->node, srq_partners_node(r->node, i), &to, &end);
        for (; to < end; to += r->node->size, count++)
            *units += units_of(r, slice_of(r, b, to), slice_of(r, b, to + 1));
    }
    return count;
}

static srq_status make_requests(srq_reduce *r)
{
    size_t units;
    const size_t others = (size_t)(r->all - r->counts[r->node->index]), own = (size_t)r->counts[r->node->index];
    const size_t buckets = (size_t)r->plan.bucket_count, there = destinations(r, 0, &units);
    r->meets = calloc(buckets, sizeof(MPI_Request));
    r->receives = calloc(buckets * others + 1, sizeof(MPI_Request));
    r->sends = calloc(buckets * own * there + 1, sizeof(MPI_Request));
    if (!r->meets || !r->receives || !r->sends)
        return srq_fail_memory(buckets * (others + own * there) * sizeof(MPI_Request), "sums of gradients");
    for (size_t b = 0; b < buckets; b++) r->meets[b] = MPI_REQUEST_NULL;
    return srq_join_create(r->comm, r->plan.bucket_count, r->slices, JOIN_TAG, &r->join);
}

/* Allocates buffers for all buckets of a step. */
static srq_status make_room(srq_reduce *r)
{
    const size_t others = (size_t)(r->all - r->counts[r->node->index]), own = (size_t)r->counts[r->node->index];
    size_t arriving = 0, leaving = 0, widest = 0, units;
    r->incoming_at = calloc((size_t)r->plan.bucket_count, sizeof *r->incoming_at);
    r->outgoing_at = calloc((size_t)r->plan.bucket_count, sizeof *r->outgoing_at);
    if (!r->incoming_at || !r->outgoing_at) return srq_fail_memory(sizeof *r->incoming_at, "sums of gradients");
    SRQ_TRY(make_requests(r));
    for (int b = 0; b < r->plan.bucket_count; b++) {
        const size_t begin = slice_of(r, b, r->rank), end = slice_of(r, b, r->rank + 1);
        r->incoming_at[b] = arriving;
        r->outgoing_at[b] = leaving;
        if (srq_halves_takes(r->halves, b)) continue;
        (void)destinations(r, b, &units);
        arriving += others * units_of(r, begin, end);
        leaving += own * units;
        if (end - begin > widest) widest = end - begin;
    }
    if (r->node->count == 1) return SRQ_OK;
    r->incoming = srq_memory(arriving * unit_size(r));
    if (!r->incoming) return srq_fail_memory(arriving * unit_size(r), "sums of gradients");
    if (!r->plan.coarse_count) return SRQ_OK;
    r->outgoing = srq_memory(leaving * unit_size(r));
    r->decoded = srq_memory(others * widest * sizeof(float));
    return r->outgoing && r->decoded ? SRQ_OK : srq_fail_memory(leaving * unit_size(r), "sums of gradients");
}

/* Only for one rank on every node. */
static srq_status make_halves(srq_reduce *r)
{
    const srq_halves_plan plan = {.bucket_count = r->plan.bucket_count,
                                  .slices = r->slices,
                                  .add = r->plan.add,
                                  .coarse_count = r->plan.coarse_count,
                                  .coarse = r->coarse,
                                  .tag_step = SRQ_TREE_NODES_MAX,
                                  .join_tag = JOIN_TAG,
                                  .below = r->plan.halves_below};
    if (r->node->count < r->ranks || !srq_halves_fit(r->ranks, r->all_leaves, plan.below)) return SRQ_OK;
    return srq_halves_create(r->comm, &plan, &r->halves);
}

static srq_status build(srq_reduce *r, const srq_reduce_plan *plan)
{
    SRQ_TRY(copy_plan(r, plan));
    SRQ_TRY(lay_out(r));
    SRQ_TRY(make_halves(r));
    return make_room(r);
}

/* Collective. The leaves of a rank that is not alone on its node are in memory that all ranks of the node can read. */
static srq_status make_leaves(srq_reduce *r, const srq_reduce_plan *plan)
{
    srq_leaves_plan leaves = {.all = r->all_leaves,
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
    r->stride = srq_leaves_stride(&leaves);
    if (srq_comm_shares(r->comm)) {
        const size_t floats = (size_t)srq_leaves_vectors(&leaves) * r->stride;
        const size_t bytes = r->node->size > 1 ? SHARED_HEAD + floats * sizeof(float) : 0;
        SRQ_TRY(srq_shared_create(r->comm, bytes, "gradients", &r->shared));
        if (bytes) leaves.memory = (float *)(void *)((char *)srq_shared_part(r->shared, r->node->member) + SHARED_HEAD);
    }
    return srq_comm_agree(r->comm, srq_leaves_create(&leaves, &r->leaves));
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
    SRQ_TRY(srq_comm_agree(comm, r ? SRQ_OK : srq_fail_memory(sizeof *r, "sums of gradients")));
    r->comm = comm;
    r->node = srq_comm_node(comm);
    r->rank = srq_comm_rank(comm);
    r->ranks = srq_comm_size(comm);
    srq_status status = srq_comm_agree(comm, build(r, plan));
    if (status == SRQ_OK) status = make_leaves(r, plan);
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
    srq_shared_destroy(&r->shared);
    free(r->ends);
    free(r->slices);
    free(r->coarse);
    free(r->counts);
    free(r->left);
    free(r->mate_counts);
    free(r->mate_left);
    free(r->outgoing);
    free(r->outgoing_at);
    free(r->incoming);
    free(r->incoming_at);
    free(r->decoded);
    free(r->meets);
    free(r->receives);
    free(r->sends);
    srq_join_destroy(&r->join);
    srq_halves_destroy(&r->halves);
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

/* --- Adding along the tree */

/* Sums of neighbouring leaves, in their order, as far as they are added. */
typedef struct operands {
    srq_tree tree;
    float *sums[SRQ_TREE_NODES_MAX]; /* of elements [begin, end) */
    size_t begin, end;
} operands;

/* Appends a sum, and adds it to those before it as far as the tree allows. The first operand of each addition is
 * overwritten. */
static void take(const srq_reduce *r, operands *o, srq_tree_node node, float *sum)
{
    srq_tree_push(&o->tree, node);
    o->sums[o->tree.count - 1] = sum;
    while (srq_tree_join(&o->tree)) {
        float *left = o->sums[o->tree.count - 1];
        r->plan.add(o->end - o->begin, left, o->sums[o->tree.count]);
        if (r->plan.coarse_count && 1L << o->tree.nodes[o->tree.count - 1].level < r->all_leaves)
            srq_wire_round_ranges(left, o->begin, o->end, r->plan.coarse_count, r->coarse);
    }
}

/* The vector of sum k that member `member` of this node has left. */
static float *mate_sum(const srq_reduce *r, int member, int k)
{
    if (member == r->node->member) return srq_leaves_node(r->leaves, k);
    const char *part = srq_shared_part(r->shared, member);
    const int *places = (const int *)(const void *)part;
    return (float *)(void *)(part + SHARED_HEAD) + (size_t)places[k] * r->stride;
}

/* Takes what the ranks of this node have left. */
static void take_mates(const srq_reduce *r, operands *o)
{
    for (int i = 0, at = 0; i < r->node->size; i++)
        for (int k = 0; k < r->mate_counts[i]; k++, at++) take(r, o, r->mate_left[at], mate_sum(r, i, k) + o->begin);
}

static void begin_range(const srq_reduce *r, operands *o, size_t begin, size_t end)
{
    srq_tree_create(&o->tree, r->all_leaves);
    o->begin = begin;
    o->end = end;
}

/* --- Exchange */

/* Receives are posted early, because MPI copies a message twice if it arrives before its receive was posted. */
static void post_receives(srq_reduce *r)
{
    const int others = r->all - r->counts[r->node->index];
    for (int b = 0; b < r->plan.bucket_count; b++) {
        if (srq_halves_takes(r->halves, b)) continue;
        MPI_Request *receive = r->receives + (size_t)b * (size_t)others;
        const size_t width = units_of(r, slice_of(r, b, r->rank), slice_of(r, b, r->rank + 1));
        char *to = (char *)r->incoming + r->incoming_at[b] * unit_size(r);
        for (int other = 0; other < r->node->count; other++)
            for (int k = 0; other != r->node->index && k < r->counts[other]; k++, to += width * unit_size(r))
                MPI_Irecv(to, (int)width, r->plan.coarse_count ? MPI_UINT16_T : MPI_FLOAT,
                          srq_partners_of(r->node, other), b * SRQ_TREE_NODES_MAX + k, srq_comm_mpi(r->comm),
                          receive++);
    }
    r->posted = true;
}

/* Sends rank `to` its slice of the sums that this node has left. Returns the room that is left for encoding. */
static uint16_t *send_slice(srq_reduce *r, int b, int to, uint16_t *room)
{
    operands o;
    const size_t begin = slice_of(r, b, to), end = slice_of(r, b, to + 1), units = units_of(r, begin, end);
    begin_range(r, &o, begin, end);
    take_mates(r, &o);
    for (int k = 0; k < o.tree.count; k++) {
        const void *from = o.sums[k];
        if (room) {
            srq_wire_encode(o.sums[k], begin, end, r->plan.coarse_count, r->coarse, room);
            from = room;
            room += units;
        }
        MPI_Isend(from, (int)units, r->plan.coarse_count ? MPI_UINT16_T : MPI_FLOAT, to, b * SRQ_TREE_NODES_MAX + k,
                  srq_comm_mpi(r->comm), &r->sends[r->send_count++]);
    }
    return room;
}

static void send_bucket(srq_reduce *r, int b)
{
    if (srq_halves_start(r->halves, b, srq_leaves_node(r->leaves, 0))) return;
    uint16_t *room = r->outgoing ? r->outgoing + r->outgoing_at[b] : NULL;
    for (int i = 1; i < r->node->count; i++) {
        int to, end;
        srq_partners_served(r->node, srq_partners_node(r->node, i), &to, &end);
        for (; to < end; to += r->node->size) room = send_slice(r, b, to, room);
    }
}

/* A bucket is complete on this rank: tells the other ranks of the node. */
static void complete_bucket(srq_reduce *r, int b)
{
    if (r->node->size == 1) return;
    int *places = srq_shared_part(r->shared, r->node->member);
    for (int k = 0; b == 0 && k < r->mate_counts[r->node->member]; k++) places[k] = srq_leaves_place(r->leaves, k);
    atomic_thread_fence(memory_order_seq_cst);
    MPI_Ibarrier(srq_comm_mates(r->comm), &r->meets[b]);
}

/* Whether all ranks of the node have completed a bucket. */
static bool has_met(srq_reduce *r, int b)
{
    int done = 1;
    if (r->meets[b] != MPI_REQUEST_NULL) MPI_Test(&r->meets[b], &done, MPI_STATUS_IGNORE);
    atomic_thread_fence(memory_order_seq_cst);
    return done;
}

/* MPI makes progress only inside its own functions. */
static void move_messages(srq_reduce *r)
{
    int done;
    srq_halves_poll(r->halves);
    if (r->send_count) MPI_Testall(r->send_count, r->sends, &done, MPI_STATUSES_IGNORE);
}

void srq_reduce_poll(srq_reduce *r)
{
    if (r->ranks == 1) return;
    if (!r->posted) post_receives(r);
    if (r->plan.late && !srq_reduce_complete(r)) return;
    while (r->completed < r->plan.bucket_count && srq_leaves_bucket_complete(r->leaves, r->completed))
        complete_bucket(r, r->completed++);
    while (r->started < r->completed && has_met(r, r->started)) send_bucket(r, r->started++);
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
    for (; r->started <= b; send_bucket(r, r->started++))
        srq_comm_wait(r->comm, 1, &r->meets[r->started], "the other ranks of its node, which add bucket %d",
                      r->started);
    atomic_thread_fence(memory_order_seq_cst);
    if (srq_halves_wait(r->halves, b)) return;
    const int others = r->all - r->counts[r->node->index];
    const size_t begin = slice_of(r, b, r->rank), end = slice_of(r, b, r->rank + 1), width = end - begin;
    srq_comm_wait(r->comm, others, r->receives + (size_t)b * (size_t)others, "the gradients of bucket %d", b);
    if (!r->decoded) return;
    const uint16_t *from = (const uint16_t *)r->incoming + r->incoming_at[b];
    const size_t units = units_of(r, begin, end);
    for (int i = 0; i < others; i++)
        srq_wire_decode(from + (size_t)i * units, begin, end, r->plan.coarse_count, r->coarse,
                        r->decoded + (size_t)i * width);
}

/* This rank's slices of the other nodes' sums, in the order of nodes. */
static float *arrived_slices(const srq_reduce *r, int b)
{
    return r->plan.coarse_count ? r->decoded : (float *)r->incoming + r->incoming_at[b];
}

/* From the sums of this node's ranks and the received ones, in the order of leaves. Other ranks neither receive nor
 * read this rank's slice, so it can be overwritten. */
float *srq_reduce_add_range(srq_reduce *r, int b, size_t begin, size_t end)
{
    float *result = srq_leaves_node(r->leaves, 0);
    if (r->ranks == 1 || srq_halves_takes(r->halves, b)) return result;
    const size_t slice = slice_of(r, b, r->rank), width = slice_of(r, b, r->rank + 1) - slice;
    float *arrived = r->node->count > 1 ? arrived_slices(r, b) + (begin - slice) : NULL;
    operands o;
    begin_range(r, &o, begin, end);
    for (int i = 0, at = 0; i < r->node->count; at += r->counts[i++]) {
        if (i == r->node->index) take_mates(r, &o);
        for (int k = 0; i != r->node->index && k < r->counts[i]; k++, arrived += width)
            take(r, &o, r->left[at + k], arrived);
    }
    if (o.sums[0] != result + begin) memcpy(result + begin, o.sums[0], (end - begin) * sizeof(float));
    return result;
}

void srq_reduce_end(srq_reduce *r)
{
    srq_comm_wait(r->comm, r->send_count, r->sends, "other ranks to receive its gradients", 0);
    srq_node_meet(r->comm);
    r->send_count = 0;
    r->completed = 0;
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
    if (!srq_halves_join_start(r->halves, b, vector)) srq_join_start(r->join, b, vector);
}

void srq_reduce_join_wait(srq_reduce *r)
{
    srq_halves_join_wait(r->halves);
    srq_join_wait(r->join);
}

void srq_reduce_join(srq_reduce *r, float *vector)
{
    for (int b = 0; b < r->plan.bucket_count; b++) srq_reduce_join_start(r, b, vector);
    srq_reduce_join_wait(r);
}

void srq_reduce_fetch(srq_reduce *r, float *vector)
{
    srq_join_move(r->join, vector, true);
}

void srq_reduce_hand_out(srq_reduce *r, float *vector)
{
    srq_join_move(r->join, vector, false);
}

/* --- Memory and traffic */

size_t srq_reduce_memory(const srq_reduce *r)
{
    size_t arriving = 0, leaving = 0, units;
    for (int b = 0; r->node->count > 1 && b < r->plan.bucket_count; b++) {
        if (srq_halves_takes(r->halves, b)) continue;
        arriving += units_of(r, slice_of(r, b, r->rank), slice_of(r, b, r->rank + 1));
        (void)destinations(r, b, &units);
        leaving += units;
    }
    arriving *= (size_t)(r->all - r->counts[r->node->index]);
    leaving *= r->outgoing ? (size_t)r->counts[r->node->index] : 0;
    return srq_leaves_memory(r->leaves) + srq_halves_memory(r->halves) + (arriving + leaving) * unit_size(r);
}

size_t srq_reduce_sum_traffic(const srq_reduce *r)
{
    size_t bytes = 0, units;
    for (int b = 0; b < r->plan.bucket_count; b++) {
        (void)destinations(r, b, &units);
        bytes += srq_halves_takes(r->halves, b) ? srq_halves_sum_traffic(r->halves, b)
                                                : units * (size_t)r->counts[r->node->index] * unit_size(r);
    }
    return bytes;
}

size_t srq_reduce_join_traffic(const srq_reduce *r)
{
    return srq_join_traffic(r->join);
}
