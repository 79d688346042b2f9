/* The sum of one vector per logical shard. It has the same bits on any number of ranks. It is exchanged in buckets
 * while shards still compute.
 *
 * A rank writes the vector of its next shard into srq_reduce_leaf(), from its end to its beginning. It calls
 * srq_reduce_ready() to report how far it is. Sums are taken along the fixed tree (dist/tree.h) as soon as both
 * children are known, while they are in cache.
 *
 * A bucket is a range of the vector. In a rank's last shard, each complete bucket is sent at once: rank r receives
 * slice r of the nodes that the other ranks hold. srq_reduce_finish() adds them along the rest of the tree for that
 * slice. srq_reduce_join() then sends the slices, or what was computed from them, to all ranks. If the number of ranks
 * P divides V, each rank sends and receives 2 (P-1)/P of the vector, which is the least possible. */
#ifndef SRQ_DIST_REDUCE_H
#define SRQ_DIST_REDUCE_H

#include "dist/comm.h"

#include <stddef.h>

typedef struct srq_reduce srq_reduce;

/* Adds x to y, n floats. The caller provides the arithmetic. */
typedef void (*srq_reduce_add)(size_t n, float *y, const float *x);

/* [begin, end) of the vector. */
typedef struct srq_reduce_range {
    size_t begin, end;
} srq_reduce_range;

enum { SRQ_BUCKETS_MAX = 500 };

typedef struct srq_reduce_plan {
    long shards; /* at least as many as ranks */
    size_t size; /* length of the vector, in floats */
    /* Bucket b is [ends[b + 1], ends[b]) of the vector: ends[0] = size, ends[bucket_count] = 0. 0: one bucket. */
    int bucket_count;
    const size_t *ends;
    /* [bucket_count][ranks + 1]: where the slice of each rank begins, then the end of the bucket. NULL: equal slices.
     */
    const size_t *slices;
    srq_reduce_add add;
    /* Converts a bucket of a partial sum before it is sent, for example to another order of its elements. It must be
     * linear, so that the sum of converted buckets is the converted sum. NULL: no conversion. */
    void (*convert)(void *context, int bucket, float *vector);
    void *context;
    bool late; /* send no bucket before the last shard ends: no overlap */
    /* Ranges, in ascending order, that are rounded to bfloat16 at every node of the tree except its root, and sent as
     * bfloat16. The rounding belongs to the tree, so the sum is the same on any number of ranks. */
    int coarse_count;
    const srq_reduce_range *coarse;
} srq_reduce_plan;

/* The arrays of the plan are copied. SRQ_ERROR_USAGE if there are more ranks than shards. The caller destroys *reduce.
 */
srq_status srq_reduce_create(const srq_comm *comm, const srq_reduce_plan *plan, srq_reduce **reduce);
void srq_reduce_destroy(srq_reduce **reduce);

/* This rank's shards: [*first, *last). */
void srq_reduce_shards(const srq_reduce *reduce, long *first, long *last);
int srq_reduce_bucket_count(const srq_reduce *reduce);

/* The buffer [size] for the next shard's vector. It is zeroed once, when it is allocated. */
float *srq_reduce_leaf(srq_reduce *reduce);
/* That vector is final from `offset` on. Does not wait for other ranks. */
void srq_reduce_ready(srq_reduce *reduce, size_t offset);
/* The whole vector is final. The next shard follows. */
void srq_reduce_push(srq_reduce *reduce);

/* To be called for each bucket in turn, after every shard was pushed. Returns the sum [size]; only this rank's slice of
 * the bucket is valid. The caller may change it until the next push. */
float *srq_reduce_finish(srq_reduce *reduce, int bucket);

/* Send every rank's slice of a bucket of `vector` [size] to all ranks: start it for one bucket, and wait for all that
 * were started. */
void srq_reduce_join_start(srq_reduce *reduce, int bucket, float *vector);
void srq_reduce_join_wait(srq_reduce *reduce);
/* Collective: both for all buckets. */
void srq_reduce_join(srq_reduce *reduce, float *vector);

/* Bytes of memory in use; bytes that this rank sends for one sum; bytes that it sends for one join. */
size_t srq_reduce_memory(const srq_reduce *reduce);
size_t srq_reduce_sum_traffic(const srq_reduce *reduce);
size_t srq_reduce_join_traffic(const srq_reduce *reduce);

#endif
