/* Whether all ranks have the same of something. */
#ifndef SRQ_DIST_SAME_H
#define SRQ_DIST_SAME_H

#include "dist/comm.h"

enum { SRQ_SAME_SIZE = 1024 };

/* Collective: SRQ_OK if `text`, of which SRQ_SAME_SIZE - 1 bytes count, is equal on all ranks; else `status` on all of
 * them with the message "ranks have different WHAT: ranks 0 to 2 (host a): TEXT; rank 3 (host b): OTHER; ADVICE". */
srq_status srq_comm_same(const srq_comm *comm, srq_status status, const char *what, const char *text,
                         const char *advice);

/* Collective: `bytes` bytes from every rank to all, rank after rank, into `all`. */
void srq_comm_collect(const srq_comm *comm, const void *mine, size_t bytes, void *all);

/* "rank 3 (host b)", "ranks 0 to 2, 5 (hosts a, b)": those of the `size` ranks that are marked, long lists cut short.
 * Returns `out`. */
char *srq_comm_name_ranks(const srq_comm *comm, const bool *marked, char *out, size_t out_size);

#endif
