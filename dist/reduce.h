/* The sum of one vector per slice of each logical shard. It has the same bits on any number of ranks and threads. It is
 * exchanged in buckets while shards still compute.
 *
 * The leaves of the tree (dist/tree.h) are the slices of all shards in order: leaf = shard x slices + slice. Threads
 * write the vectors of a rank's leaves, which are summed as far as possible at once (dist/leaves.h).
 *
 * A bucket is a range of the vector. As soon as it is complete in all leaves of a node (srq_comm_node), the sums that
 * its ranks have left are added further, in the memory that they share. Then they are sent: rank r receives part r of
 * the sums that the other nodes have left, each from one rank of that node. srq_reduce_finish() adds them along the
 * rest of the tree for that part. If many nodes share a bucket, so that messages would be small, it is exchanged by
 * halves instead (dist/halves.h), with the same result. srq_reduce_join() then sends the parts, or what was computed
 * from them, to all nodes. If the number of nodes N divides V, each node sends and receives 2 (N-1)/N of the vector,
 * which is the least possible.
 *
 * Only the thread that created the sums calls MPI: functions without "any thread" below are its own. */
#ifndef SRQ_DIST_REDUCE_H
#define SRQ_DIST_REDUCE_H

#include "dist/comm.h"
#include "dist/leaves.h"

#include <stddef.h>

typedef struct srq_reduce srq_reduce;

enum { SRQ_BUCKETS_MAX = 500 };

typedef struct srq_reduce_plan {
    long shards;      /* at least as many as ranks */
    int shard_slices; /* of each shard; 0: 1 */
    int at_work;      /* the largest number of leaves that threads work on at the same time; 0: 1 */
    size_t size;      /* length of the vector, in floats */
    /* Bucket b is [ends[b + 1], ends[b]) of the vector: ends[0] = size, ends[bucket_count] = 0. 0: one bucket. */
    int bucket_count;
    const size_t *ends;
    /* [bucket_count][ranks + 1]: where the slice of each rank begins, then the end of the bucket. NULL: equal slices.
     */
    const size_t *slices;
    /* [segment_count]: the offsets that threads report to srq_reduce_ready. Others are allowed, but a range is only
     * added when it is complete between two of these or the borders of a bucket. */
    int segment_count;
    const size_t *segments;
    srq_leaves_add add;
    srq_leaves_convert convert; /* of the nodes of a bucket before it is sent; NULL: none */
    void *context;
    size_t halves_below; /* of buckets that are exchanged by halves (dist/halves.h); 0: the value for real networks */
    bool late;           /* send no bucket before the last shard ends: no overlap */
    /* Ranges, in ascending order, that are rounded to bfloat16 at every node of the tree except its root, and sent as
     * bfloat16. The rounding belongs to the tree, so the sum is the same on any number of ranks. */
    int coarse_count;
    const srq_reduce_range *coarse;
} srq_reduce_plan;

/* Collective. The arrays of the plan are copied. Errors agreed by all ranks: SRQ_ERROR_USAGE if there are more ranks
 * than shards. The caller destroys *reduce. */
srq_status srq_reduce_create(const srq_comm *comm, const srq_reduce_plan *plan, srq_reduce **reduce);
void srq_reduce_destroy(srq_reduce **reduce);

/* This rank's shards: [*first, *last). */
void srq_reduce_shards(const srq_reduce *reduce, long *first, long *last);
int srq_reduce_bucket_count(const srq_reduce *reduce);

/* Any thread: the buffer of a leaf, and how far its vector is (srq_leaves_lease, srq_leaves_ready). */
float *srq_reduce_lease(srq_reduce *reduce, long leaf);
void srq_reduce_ready(srq_reduce *reduce, int thread, long leaf, size_t offset);
/* Any thread. Whether all leaves of this rank are complete. */
bool srq_reduce_complete(const srq_reduce *reduce);
/* Adds and sends what has become complete, and lets MPI make progress. Does not wait for other ranks. */
void srq_reduce_poll(srq_reduce *reduce);

/* To be called for each bucket in turn, after every leaf is complete: waits for the sums of other ranks. */
void srq_reduce_wait(srq_reduce *reduce, int bucket);
/* Any thread, after srq_reduce_wait(). Computes the sum in [begin, end), which must lie in this rank's part of the
 * bucket, and returns the vector [size] that holds it. The caller may change it until the next step. */
float *srq_reduce_add_range(srq_reduce *reduce, int bucket, size_t begin, size_t end);
/* Ends the step after the last bucket: waits until the other ranks have received or read this rank's sums. */
void srq_reduce_end(srq_reduce *reduce);
/* The three of them for a bucket: waits, and returns the sum; only this rank's part of the bucket is valid. Ends the
 * step after the last bucket. */
float *srq_reduce_finish(srq_reduce *reduce, int bucket);

/* Send every rank's slice of a bucket of `vector` [size] to all nodes: start it for one bucket, and wait for all that
 * were started. The ranks of a node must give the same shared memory (dist/node.h). */
void srq_reduce_join_start(srq_reduce *reduce, int bucket, float *vector);
void srq_reduce_join_wait(srq_reduce *reduce);
/* Collective: both for all buckets. */
void srq_reduce_join(srq_reduce *reduce, float *vector);
/* Collective: copies every rank's slices of its own `vector` [size] to that of rank 0, or those of rank 0 to every
 * rank. Not for use in a step. */
void srq_reduce_fetch(srq_reduce *reduce, float *vector);
void srq_reduce_hand_out(srq_reduce *reduce, float *vector);

/* Bytes of memory in use; bytes that this rank sends for one sum; bytes that it sends for one join. */
size_t srq_reduce_memory(const srq_reduce *reduce);
size_t srq_reduce_sum_traffic(const srq_reduce *reduce);
size_t srq_reduce_join_traffic(const srq_reduce *reduce);

#endif
