/* Checks that a text is the same on all ranks. */
#ifndef SRQ_DIST_SAME_H
#define SRQ_DIST_SAME_H

#include "dist/comm.h"

enum { SRQ_SAME_SIZE = 1024 };

/* Collective: SRQ_OK if `text` is equal on all ranks (its first SRQ_SAME_SIZE - 1 bytes are compared). Otherwise
 * returns `status` on all ranks with the message "ranks have different WHAT: ranks 0 to 2 (host a): TEXT; rank 3 (host
 * b): OTHER; ADVICE". */
srq_status srq_comm_same(const srq_comm *comm, srq_status status, const char *what, const char *text,
                         const char *advice);

/* Collective: copies `bytes` bytes of every rank, in the order of ranks, to `all` on all ranks. */
void srq_comm_collect(const srq_comm *comm, const void *mine, size_t bytes, void *all);

/* The marked ranks as text: "rank 3 (host b)", "ranks 0 to 2, 5 (host a, b)". `marked` has an element for each rank;
 * long lists are cut short. Returns `out`. */
char *srq_comm_name_ranks(const srq_comm *comm, const bool *marked, char *out, size_t out_size);

#endif
