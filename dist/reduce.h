/* The sum of vectors over all logical shards, on every rank, the same bits for any number of ranks.
 *
 * A rank writes the vector of its next shard into srq_reduce_leaf() and pushes it; sums are taken along the fixed tree
 * (dist/tree.h) as soon as both halves are there, so that only log2 of the rank's shards vectors are kept. When all
 * shards are in, srq_reduce_scatter() joins the ranks: rank r receives slice r of every node that the others are left
 * with, and finishes the tree for that slice; srq_reduce_join() brings slices, or what was made of them, to all. With P
 * dividing V each rank sends and receives 2 (P-1)/P of the vector, the least possible. */
#ifndef SRQ_DIST_REDUCE_H
#define SRQ_DIST_REDUCE_H

#include "dist/comm.h"

#include <stddef.h>

typedef struct srq_reduce srq_reduce;

/* Adds x to y, n floats: the caller's arithmetic. */
typedef void (*srq_reduce_add)(size_t n, float *y, const float *x);

/* For vectors of `size` floats over `shards` shards, at most one rank a shard (SRQ_ERROR_USAGE otherwise). Slice r is
 * [begin[r], begin[r + 1]); NULL cuts evenly. The caller destroys *reduce. */
srq_status srq_reduce_create(const srq_comm *comm, long shards, size_t size, const size_t *begin, srq_reduce_add add,
                             srq_reduce **reduce);
void srq_reduce_destroy(srq_reduce **reduce);

/* This rank's shards: [*first, *last). */
void srq_reduce_range(const srq_reduce *reduce, long *first, long *last);

/* Where the next shard's vector goes, [size], zeroed when made; pushing makes it part of the sum. */
float *srq_reduce_leaf(srq_reduce *reduce);
void srq_reduce_push(srq_reduce *reduce);

/* After every shard was pushed: changes each partial sum that this rank is left with, such as to another order of its
 * elements; what is linear gives the same sum. */
void srq_reduce_convert(srq_reduce *reduce, void (*convert)(const void *context, float *vector), const void *context);

/* Collective, after every shard was pushed: the sum, [size], of which this rank's slice is valid. It is the caller's to
 * change until the next push. */
float *srq_reduce_scatter(srq_reduce *reduce);
/* Bytes that it holds. */
size_t srq_reduce_memory(const srq_reduce *reduce);

/* Collective: every rank's slice of `vector`, [size], to all. */
void srq_reduce_join(const srq_reduce *reduce, float *vector);

/* Collective: `values` [shards][width], of which this rank has filled the rows of its shards; fills the others. */
void srq_reduce_gather(const srq_reduce *reduce, double *values, int width);

#endif
