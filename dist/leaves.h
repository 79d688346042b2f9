/* The sums of one rank's leaves along the fixed tree (dist/tree.h), written by several threads.
 *
 * A thread writes the vector of its leaf into srq_leaves_lease(), from its end to its beginning. It calls
 * srq_leaves_ready() to report how far it is. Two nodes are added as soon as both are known, by the thread that
 * completes the second one, while that is in its cache:
 *
 *     leaf     0     1     2     3     4        a rank with 5 of 8 leaves
 *               \   /       \   /      |        sums have the buffer of their first leaf
 *                01          23        |
 *                  \       /          |
 *                    0123             4        the nodes that are left; other ranks add them further
 *
 * The vector consists of segments, and each is added by itself. So the operands of every addition are fixed, and the
 * result has the same bits, whichever thread does it and whenever. This file knows no ranks and does not use MPI. */
#ifndef SRQ_DIST_LEAVES_H
#define SRQ_DIST_LEAVES_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/* [begin, end) of the vector. */
typedef struct srq_reduce_range {
    size_t begin, end;
} srq_reduce_range;

/* Adds x to y, n floats. The caller provides the arithmetic. */
typedef void (*srq_leaves_add)(size_t n, float *y, const float *x);
/* Converts a bucket of a node that is left, when it is complete, for example to another order of its elements. It must
 * be linear, so that the sum of converted buckets is the converted sum. Called on any thread, with its number. */
typedef void (*srq_leaves_convert)(void *context, int bucket, int thread, float *vector);

typedef struct srq_leaves_plan {
    long all;          /* leaves of all ranks */
    long first, count; /* those of this rank: [first, first + count) */
    int at_work;       /* the largest number of leaves that threads work on at the same time */
    size_t size;       /* length of the vector, in floats */
    /* Bucket b is [ends[b + 1], ends[b]) of the vector: ends[0] = size, ends[bucket_count] = 0. */
    int bucket_count;
    const size_t *ends;
    int segment_count; /* borders of segments, in addition to those of buckets, in any order */
    const size_t *segments;
    srq_leaves_add add;
    srq_leaves_convert convert; /* or NULL */
    void *context;
    /* Ranges, in ascending order, that are rounded to bfloat16 at every node of the tree except its root. */
    int coarse_count;
    const srq_reduce_range *coarse;
    /* Memory for the vectors: srq_leaves_vectors() of srq_leaves_stride() floats each, filled with zeros. NULL: the
     * leaves allocate it. */
    float *memory;
} srq_leaves_plan;

/* For a plan: the number of vectors, and the distance from one to the next. */
int srq_leaves_vectors(const srq_leaves_plan *plan);
size_t srq_leaves_stride(const srq_leaves_plan *plan);

typedef struct srq_leaves srq_leaves;

/* `coarse` and `memory` must outlive the leaves; the other arrays are copied. The caller destroys *leaves. */
srq_status srq_leaves_create(const srq_leaves_plan *plan, srq_leaves **leaves);
void srq_leaves_destroy(srq_leaves **leaves);
/* Bytes of the buffers. */
size_t srq_leaves_memory(const srq_leaves *leaves);

/* Begins a step. No thread may be at work. */
void srq_leaves_begin(srq_leaves *leaves);

/* Any thread. The buffer [size] for the vector of a leaf. Leaves must be leased in order; a thread that works on
 * several at once leases all of them first. It may wait until other threads have completed theirs. Buffers are zeroed
 * once, when they are allocated. */
float *srq_leaves_lease(srq_leaves *leaves, long leaf);
/* Any thread, with its number: the vector of `leaf` is final from `offset` on. */
void srq_leaves_ready(srq_leaves *leaves, int thread, long leaf, size_t offset);

/* Any thread. Whether a bucket of all leaves is complete and converted, and whether all buckets are. */
bool srq_leaves_bucket_complete(const srq_leaves *leaves, int bucket);
bool srq_leaves_complete(const srq_leaves *leaves);
/* The nodes that are left, in the order of leaves, and the vector [size] of each. Known once a bucket is complete. */
int srq_leaves_left(const srq_leaves *leaves);
float *srq_leaves_node(const srq_leaves *leaves, int index);
/* Which of the vectors that is. */
int srq_leaves_place(const srq_leaves *leaves, int index);

#endif
