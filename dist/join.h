/* For dist/reduce.c: every rank's slices of a vector are sent to all nodes. */
#ifndef SRQ_DIST_JOIN_H
#define SRQ_DIST_JOIN_H

#include "dist/comm.h"

#include <stddef.h>

typedef struct srq_join srq_join;

/* `slices` is [buckets][ranks + 1]: where the slice of each rank begins, then the end of the bucket; it must outlive
 * the join. Messages have the tags first_tag + bucket. The caller destroys *join. */
srq_status srq_join_create(const srq_comm *comm, int buckets, const size_t *slices, int first_tag, srq_join **join);
void srq_join_destroy(srq_join **join);

/* srq_reduce_join_start, srq_reduce_join_wait and the following functions of dist/reduce.h. */
void srq_join_start(srq_join *join, int bucket, float *vector);
void srq_join_wait(srq_join *join);
void srq_join_move(srq_join *join, float *vector, bool to_rank_0);
size_t srq_join_traffic(const srq_join *join);

#endif
