/* For dist/reduce.c: the sum of a vector over many ranks, exchanged by halves along the tree.
 *
 * In round k = 0, 1, ..., the partner of a rank is the rank at distance 2^k. Both have the sum of 2^k ranks for a part
 * of the vector. Each sends the half of that part that the other one keeps, and adds what it receives:
 *
 *     rank    0     1     2     3          keeps the slices of ranks
 *              \   /       \   /           0: its partner has the same last bit
 *               01          23             0 and 2, or 1 and 3
 *                 \        /
 *                  0 1 2 3                 its own
 *
 * So additions are those of the tree (dist/tree.h), and the bits are the same as without halves. A rank sends log2 P
 * messages in place of P - 1, with the same number of bytes. Slices that are kept are not neighbours, so that messages
 * are copied together. srq_halves_join_... do the same in the opposite order, without additions.
 *
 * Only the thread that created it calls these functions. */
#ifndef SRQ_DIST_HALVES_H
#define SRQ_DIST_HALVES_H

#include "dist/comm.h"
#include "dist/leaves.h"

typedef struct srq_halves srq_halves;

typedef struct srq_halves_plan {
    int bucket_count;
    const size_t *slices; /* [bucket_count][ranks + 1]: where the slice of each rank begins, then the end */
    srq_leaves_add add;
    int coarse_count; /* ranges that are sent as bfloat16, and rounded at every node except the root */
    const srq_reduce_range *coarse;
    int tag_step, join_tag; /* tags of bucket b: b tag_step for the sum, join_tag + b for the join */
    size_t below; /* a bucket is exchanged by halves if its slices have fewer bytes on average; 0: SRQ_HALVES_BELOW */
} srq_halves_plan;

/* At 100 Gbit/s, a message of 8 kB takes about as long as the 0.5 us that every message costs. */
enum { SRQ_HALVES_BELOW = 8192, SRQ_HALVES_RANKS = 8 };

/* Whether the tree allows halves: the number of ranks is a power of two, of at least SRQ_HALVES_RANKS unless the plan
 * has a `below`, and every rank has the same number of `leaves` / ranks, also a power of two. */
bool srq_halves_fit(int ranks, long leaves, size_t below);

/* `slices` and `coarse` must outlive it. The caller destroys *halves. */
srq_status srq_halves_create(const srq_comm *comm, const srq_halves_plan *plan, srq_halves **halves);
void srq_halves_destroy(srq_halves **halves);
/* Whether a bucket is exchanged by halves. Here and below, NULL takes no bucket, and functions return false and do
 * nothing for a bucket that is not taken. */
bool srq_halves_takes(const srq_halves *halves, int bucket);

/* The sum over ranks of a bucket of their `vector`. Starts it; goes on, without waiting, with those that were started;
 * waits until this rank's slice of `vector` has the sum. The rest of the bucket is overwritten. */
bool srq_halves_start(srq_halves *halves, int bucket, float *vector);
void srq_halves_poll(srq_halves *halves);
bool srq_halves_wait(srq_halves *halves, int bucket);

/* Sends every rank's slice of the bucket to all ranks: starts it for a bucket, and waits for all that were started. */
bool srq_halves_join_start(srq_halves *halves, int bucket, float *vector);
void srq_halves_join_wait(srq_halves *halves);

/* Bytes of memory; bytes that this rank sends for the sum and for the join of a bucket. */
size_t srq_halves_memory(const srq_halves *halves);
size_t srq_halves_sum_traffic(const srq_halves *halves, int bucket);

#endif
