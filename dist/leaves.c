#include "dist/leaves.h"

#include "core/memory.h"
#include "dist/tree.h"
#include "dist/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A node of the tree over this rank's leaves. Its sum is in the buffer of its first leaf. */
typedef struct node {
    int parent;   /* -1: one of the nodes that are left when all leaves are added */
    long first;   /* its first leaf, counted from the rank's first */
    int right;    /* its right child, or -1 for a leaf */
    bool is_root; /* the root: the whole sum, which is never rounded */
} node;

struct srq_leaves {
    srq_leaves_plan plan; /* its pointers to arrays are not used, except `coarse` */
    size_t *ends;         /* [buckets + 1] */
    int segment_count;
    size_t *segments;     /* [segment_count]: where each begins, in descending order; all borders of buckets are here */
    int *bucket_segments; /* [buckets]: number of segments of each */
    int *bucket_of;       /* [segment_count] */

    node *nodes; /* [node_count]: the rank's leaves, then the sums in the order in which they can be formed */
    int node_count;
    int *left; /* [left_count]: the nodes that are left when all leaves are added */
    int left_count;

    float **buffers; /* [buffer_room] vectors of [size] */
    int buffer_room;
    pthread_mutex_t lock; /* of free_buffers and free_count */
    pthread_cond_t freed;
    int *free_buffers; /* a stack of indices */
    int free_count;
    int *buffer_of;  /* [count]: the buffer of each leaf */
    size_t *reached; /* [count]: how far each leaf is, in segments; used by its thread only */

    /* What has happened in this step: */
    atomic_int *arrived;  /* [node_count][segment_count]: children of a node whose segment is final */
    atomic_int *merged;   /* [node_count]: segments of a node that were added */
    atomic_int *missing;  /* [buckets]: segments of nodes left that are not final */
    atomic_int *complete; /* [buckets]: whether it is complete and converted */
    atomic_int completed; /* number of such buckets */
};

/* --- Building */

int srq_leaves_vectors(const srq_leaves_plan *plan)
{
    int most = 0;
    srq_tree tree;
    srq_tree_create(&tree, plan->all);
    for (long leaf = plan->first; leaf < plan->first + plan->count; leaf++) {
        srq_tree_push(&tree, (srq_tree_node){.level = 0, .index = leaf});
        if (tree.count > most) most = tree.count;
        while (srq_tree_join(&tree)) continue;
    }
    /* If leaves come one after another, at most `most` vectors are in use. Each further one at work may need one more.
     */
    const long wanted = most + plan->at_work - 1;
    return (int)(wanted < plan->count ? wanted : plan->count);
}

size_t srq_leaves_stride(const srq_leaves_plan *plan)
{
    return (plan->size + 15) / 16 * 16;
}

/* Makes the nodes of this rank. Node k < own is leaf k. */
static srq_status make_nodes(srq_leaves *r)
{
    int stack[SRQ_TREE_NODES_MAX];
    srq_tree tree;
    r->nodes = calloc(2 * (size_t)r->plan.count, sizeof *r->nodes);
    if (!r->nodes) return srq_fail_memory(2 * (size_t)r->plan.count * sizeof *r->nodes, "sums of gradients");
    r->node_count = (int)r->plan.count;
    srq_tree_create(&tree, r->plan.all);
    for (int leaf = 0; leaf < r->plan.count; leaf++) {
        srq_tree_push(&tree, (srq_tree_node){.level = 0, .index = r->plan.first + leaf});
        stack[tree.count - 1] = leaf;
        r->nodes[leaf] = (node){.parent = -1, .first = leaf, .right = -1};
        r->nodes[leaf].is_root = 1L << tree.nodes[tree.count - 1].level >= r->plan.all;
        while (srq_tree_join(&tree)) {
            const int sum = r->node_count++, left = stack[tree.count - 1], right = stack[tree.count];
            r->nodes[sum] = (node){.parent = -1, .first = r->nodes[left].first, .right = right};
            r->nodes[sum].is_root = 1L << tree.nodes[tree.count - 1].level >= r->plan.all;
            r->nodes[left].parent = r->nodes[right].parent = sum;
            stack[tree.count - 1] = sum;
        }
    }
    r->left_count = tree.count;
    r->left = calloc((size_t)tree.count, sizeof *r->left);
    if (!r->left) return srq_fail_memory((size_t)tree.count * sizeof *r->left, "sums of gradients");
    memcpy(r->left, stack, (size_t)tree.count * sizeof *stack);
    return SRQ_OK;
}

static int descending(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x < y) - (x > y);
}

/* Makes segments from the plan's segments and the borders of buckets. */
static srq_status make_segments(srq_leaves *r, const srq_leaves_plan *plan)
{
    const size_t buckets = (size_t)r->plan.bucket_count, most = (size_t)plan->segment_count + buckets;
    r->ends = calloc(buckets + 1, sizeof *r->ends);
    r->segments = calloc(most, sizeof *r->segments);
    r->bucket_segments = calloc(buckets, sizeof *r->bucket_segments);
    r->bucket_of = calloc(most, sizeof *r->bucket_of);
    if (!r->ends || !r->segments || !r->bucket_segments || !r->bucket_of)
        return srq_fail_memory(most * sizeof *r->segments, "sums of gradients");
    memcpy(r->ends, plan->ends, (buckets + 1) * sizeof *r->ends);
    if (plan->segment_count) memcpy(r->segments, plan->segments, (size_t)plan->segment_count * sizeof *r->segments);
    memcpy(r->segments + plan->segment_count, r->ends + 1, buckets * sizeof *r->segments);
    qsort(r->segments, most, sizeof *r->segments, descending);
    for (size_t i = 0; i < most; i++)
        if (r->segments[i] < plan->size && (i == 0 || r->segments[i] != r->segments[i - 1]))
            r->segments[r->segment_count++] = r->segments[i];
    for (int s = 0, b = 0; s < r->segment_count; s++) {
        while (r->segments[s] < r->ends[b + 1]) b++;
        r->bucket_of[s] = b;
        r->bucket_segments[b]++;
    }
    return SRQ_OK;
}

static srq_status make_buffers(srq_leaves *r)
{
    const size_t nodes = (size_t)r->node_count, buckets = (size_t)r->plan.bucket_count,
                 bytes = r->plan.size * sizeof(float);
    r->buffers = calloc((size_t)r->buffer_room, sizeof *r->buffers);
    r->free_buffers = calloc((size_t)r->buffer_room, sizeof *r->free_buffers);
    r->buffer_of = calloc((size_t)r->plan.count, sizeof *r->buffer_of);
    r->reached = calloc((size_t)r->plan.count, sizeof *r->reached);
    r->arrived = calloc(nodes * (size_t)r->segment_count, sizeof *r->arrived);
    r->merged = calloc(nodes, sizeof *r->merged);
    r->missing = calloc(buckets, sizeof *r->missing);
    r->complete = calloc(buckets, sizeof *r->complete);
    if (!r->buffers || !r->free_buffers || !r->buffer_of || !r->reached || !r->arrived || !r->merged || !r->missing ||
        !r->complete)
        return srq_fail_memory(nodes * (size_t)r->segment_count * sizeof *r->arrived, "sums of gradients");
    for (int i = 0; i < r->buffer_room; i++) {
        r->buffers[i] =
            r->plan.memory ? r->plan.memory + (size_t)i * srq_leaves_stride(&r->plan) : srq_memory_zeros(bytes);
        if (!r->buffers[i]) return srq_fail_memory(bytes, "sums of gradients");
    }
    return SRQ_OK;
}

srq_status srq_leaves_create(const srq_leaves_plan *plan, srq_leaves **out)
{
    srq_leaves *r = calloc(1, sizeof *r);
    if (!r) return srq_fail_memory(sizeof *r, "sums of gradients");
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->freed, NULL);
    r->plan = *plan;
    r->buffer_room = srq_leaves_vectors(plan);
    srq_status status = make_nodes(r);
    if (status == SRQ_OK) status = make_segments(r, plan);
    if (status == SRQ_OK) status = make_buffers(r);
    if (status != SRQ_OK) {
        srq_leaves_destroy(&r);
        return status;
    }
    srq_leaves_begin(r);
    *out = r;
    return SRQ_OK;
}

void srq_leaves_destroy(srq_leaves **leaves)
{
    srq_leaves *r = *leaves;
    if (!r) return;
    for (int i = 0; r->buffers && !r->plan.memory && i < r->buffer_room; i++) free(r->buffers[i]);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->freed);
    free(r->buffers);
    free(r->free_buffers);
    free(r->buffer_of);
    free(r->reached);
    free(r->arrived);
    free(r->merged);
    free(r->missing);
    free(r->complete);
    free(r->nodes);
    free(r->left);
    free(r->ends);
    free(r->segments);
    free(r->bucket_segments);
    free(r->bucket_of);
    free(r);
    *leaves = NULL;
}

size_t srq_leaves_memory(const srq_leaves *r)
{
    return (size_t)r->buffer_room * r->plan.size * sizeof(float);
}

void srq_leaves_begin(srq_leaves *r)
{
    for (size_t i = 0; i < (size_t)r->node_count * (size_t)r->segment_count; i++)
        atomic_store_explicit(&r->arrived[i], 0, memory_order_relaxed);
    for (int i = 0; i < r->node_count; i++) atomic_store_explicit(&r->merged[i], 0, memory_order_relaxed);
    int empty = 0;
    for (int b = 0; b < r->plan.bucket_count; b++) {
        const bool is_empty = r->bucket_segments[b] == 0;
        atomic_store_explicit(&r->missing[b], r->bucket_segments[b] * r->left_count, memory_order_relaxed);
        atomic_store_explicit(&r->complete[b], is_empty, memory_order_relaxed);
        empty += is_empty;
    }
    memset(r->reached, 0, (size_t)r->plan.count * sizeof *r->reached);
    r->free_count = r->buffer_room;
    for (int i = 0; i < r->buffer_room; i++) r->free_buffers[i] = r->buffer_room - 1 - i;
    atomic_store_explicit(&r->completed, empty, memory_order_release);
}

/* --- Use */

/* The sum of a node of this rank. */
static float *sum_of(const srq_leaves *r, int index)
{
    return r->buffers[r->buffer_of[r->nodes[index].first]];
}

float *srq_leaves_lease(srq_leaves *r, long leaf)
{
    pthread_mutex_lock(&r->lock);
    while (!r->free_count) pthread_cond_wait(&r->freed, &r->lock);
    const int buffer = r->free_buffers[--r->free_count];
    r->buffer_of[leaf - r->plan.first] = buffer;
    pthread_mutex_unlock(&r->lock);
    return r->buffers[buffer];
}

/* The right child of a node was added to the left one: its buffer can be used again. */
static void release(srq_leaves *r, const node *right)
{
    pthread_mutex_lock(&r->lock);
    r->free_buffers[r->free_count++] = r->buffer_of[right->first];
    pthread_cond_signal(&r->freed);
    pthread_mutex_unlock(&r->lock);
}

static void round_coarse(const srq_leaves *r, float *vector, size_t begin, size_t end)
{
    srq_wire_round_ranges(vector + begin, begin, end, r->plan.coarse_count, r->plan.coarse);
}

/* One more segment of a kept node is final. */
static void count_segment(srq_leaves *r, int thread, int segment)
{
    const int b = r->bucket_of[segment];
    if (atomic_fetch_sub_explicit(&r->missing[b], 1, memory_order_acq_rel) > 1) return;
    for (int k = 0; r->plan.convert && k < r->left_count; k++)
        r->plan.convert(r->plan.context, b, thread, sum_of(r, r->left[k]));
    atomic_store_explicit(&r->complete[b], 1, memory_order_release);
    atomic_fetch_add_explicit(&r->completed, 1, memory_order_acq_rel);
}

/* A segment of a node is final. Whoever completes the second child of a node adds it to the first, and continues with
 * that node. */
static void climb(srq_leaves *r, int thread, int index, int segment)
{
    const size_t begin = r->segments[segment], end = segment ? r->segments[segment - 1] : r->plan.size;
    while (r->nodes[index].parent >= 0) {
        const int parent = r->nodes[index].parent;
        const node *p = &r->nodes[parent], *right = &r->nodes[p->right];
        const size_t at = (size_t)parent * (size_t)r->segment_count + (size_t)segment;
        if (atomic_fetch_add_explicit(&r->arrived[at], 1, memory_order_acq_rel) == 0) return;
        float *sum = sum_of(r, parent);
        r->plan.add(end - begin, sum + begin, sum_of(r, p->right) + begin);
        if (r->plan.coarse_count && !p->is_root) round_coarse(r, sum, begin, end);
        if (atomic_fetch_add_explicit(&r->merged[parent], 1, memory_order_acq_rel) + 1 == r->segment_count)
            release(r, right);
        index = parent;
    }
    count_segment(r, thread, segment);
}

void srq_leaves_ready(srq_leaves *r, int thread, long leaf, size_t offset)
{
    const long own = leaf - r->plan.first;
    while (r->reached[own] < (size_t)r->segment_count && r->segments[r->reached[own]] >= offset) {
        const int segment = (int)r->reached[own]++;
        const size_t begin = r->segments[segment], end = segment ? r->segments[segment - 1] : r->plan.size;
        if (r->plan.coarse_count && !r->nodes[own].is_root) round_coarse(r, sum_of(r, (int)own), begin, end);
        climb(r, thread, (int)own, segment);
    }
}

bool srq_leaves_bucket_complete(const srq_leaves *r, int bucket)
{
    return atomic_load_explicit(&r->complete[bucket], memory_order_acquire);
}

bool srq_leaves_complete(const srq_leaves *r)
{
    return atomic_load_explicit((atomic_int *)&r->completed, memory_order_acquire) == r->plan.bucket_count;
}

int srq_leaves_left(const srq_leaves *r)
{
    return r->left_count;
}

float *srq_leaves_node(const srq_leaves *r, int index)
{
    return sum_of(r, r->left[index]);
}

int srq_leaves_place(const srq_leaves *r, int index)
{
    return r->buffer_of[r->nodes[r->left[index]].first];
}
