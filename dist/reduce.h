/* The sum of vectors over all logical shards, the same bits for any number of ranks, exchanged in buckets while shards
 * still compute.
 *
 * A rank writes the vector of its next shard into srq_reduce_leaf(), from its end to its beginning, and says with
 * srq_reduce_ready() how far it is; sums are taken along the fixed tree (dist/tree.h) as soon as both halves are there,
 * while they are in cache. In a rank's last shard, a bucket (a range of the vector) that is complete is sent at once:
 * rank r receives slice r of every node that the others are left with, and srq_reduce_finish() ends the tree for that
 * slice; srq_reduce_join() brings slices, or what was made of them, to all. With P dividing V each rank sends and
 * receives 2 (P-1)/P of the vector, the least possible. */
#ifndef SRQ_DIST_REDUCE_H
#define SRQ_DIST_REDUCE_H

#include "dist/comm.h"

#include <stddef.h>

typedef struct srq_reduce srq_reduce;

/* Adds x to y, n floats: the caller's arithmetic. */
typedef void (*srq_reduce_add)(size_t n, float *y, const float *x);

/* [begin, end) of the vector. */
typedef struct srq_reduce_range {
    size_t begin, end;
} srq_reduce_range;

enum { SRQ_BUCKETS_MAX = 500 };

typedef struct srq_reduce_plan {
    long shards; /* at most one rank a shard */
    size_t size; /* floats of the vector */
    /* Bucket b is [ends[b + 1], ends[b]) of the vector: ends[0] = size, ends[bucket_count] = 0. 0: one bucket. */
    int bucket_count;
    const size_t *ends;
    /* [bucket_count][ranks + 1]: where the slice of each rank begins, and the bucket's end. NULL: cut evenly. */
    const size_t *slices;
    srq_reduce_add add;
    /* Changes a bucket of a partial sum before it is sent, such as to another order of its elements; what is linear
     * gives the same sum. NULL: nothing. */
    void (*convert)(void *context, int bucket, float *vector);
    void *context;
    bool late; /* buckets wait for the end of the last shard: no overlap */
    /* Ranges, in order, that are rounded to bfloat16 at every node of the tree but its root, and cross the wire as
     * that; the rounding is a matter of the tree, so the sum is still the same on any number of ranks. */
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

/* Where the next shard's vector goes, [size], zeroed when made. */
float *srq_reduce_leaf(srq_reduce *reduce);
/* That vector is final from `offset` on. Takes part in no wait. */
void srq_reduce_ready(srq_reduce *reduce, size_t offset);
/* All of it is: the next shard follows. */
void srq_reduce_push(srq_reduce *reduce);

/* After every shard was pushed, for each bucket in turn: the sum, [size], of which this rank's slice of the bucket is
 * valid. It is the caller's to change until the next push. */
float *srq_reduce_finish(srq_reduce *reduce, int bucket);

/* Every rank's slice of a bucket of `vector`, [size], to all: started, and waited for, for all buckets that were. */
void srq_reduce_join_start(srq_reduce *reduce, int bucket, float *vector);
void srq_reduce_join_wait(srq_reduce *reduce);
/* Collective: of all buckets. */
void srq_reduce_join(srq_reduce *reduce, float *vector);

/* Bytes that it holds, and bytes that this rank sends for a sum and for a join. */
size_t srq_reduce_memory(const srq_reduce *reduce);
size_t srq_reduce_sum_traffic(const srq_reduce *reduce);
size_t srq_reduce_join_traffic(const srq_reduce *reduce);

#endif
