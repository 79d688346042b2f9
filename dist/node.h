/* The ranks of this node meet, and share memory. */
#ifndef SRQ_DIST_NODE_H
#define SRQ_DIST_NODE_H

#include "dist/comm.h"
#include "dist/pages.h"

/* Waits for all ranks of this node. What they wrote to shared memory before is then visible to all of them. */
void srq_node_meet(const srq_comm *comm);
/* The same; returns the smallest of their values. */
int srq_node_least(const srq_comm *comm, int value);

/* Memory that the ranks of this node share. */
typedef struct srq_shared srq_shared;

/* Collective over all ranks. Each rank provides `bytes` bytes (may be 0), filled with zeros, that all ranks of its node
 * can read and write. SRQ_ERROR_RUN, agreed by all ranks, if there is no memory; the message says that it is for
 * `what`. The caller destroys *shared; others may still use it. */
srq_status srq_shared_create(const srq_comm *comm, size_t bytes, const char *what, srq_shared **shared);
void srq_shared_destroy(srq_shared **shared);
/* What member `member` of this node provides; NULL for 0 bytes. */
void *srq_shared_part(const srq_shared *shared, int member);
/* Collective over all ranks: srq_pages_overlay. Errors as above. *view is valid until srq_shared_destroy. */
srq_status srq_shared_overlay(const srq_comm *comm, srq_shared *shared, int count, const srq_pages_range *ranges,
                              void **view);

#endif
