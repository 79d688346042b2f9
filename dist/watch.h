/* For the files of dist/ only: waiting for other ranks, with a time limit.
 *
 * srq waits only for MPI requests that were started before, so a waiting rank can look at the clock. After a first time
 * it asks the other ranks whether they wait as well. A rank that waits answers; a rank that does not answer is the
 * cause. After a second time the job ends with exit status 4. No other thread is involved. */
#ifndef SRQ_DIST_WATCH_H
#define SRQ_DIST_WATCH_H

#include "dist/comm_mpi.h"

typedef struct srq_watch srq_watch;

/* Collective. The caller destroys *watch. */
srq_status srq_watch_create(MPI_Comm world, srq_watch **watch);
void srq_watch_destroy(srq_watch **watch);

/* The implementation of srq_comm_watch, srq_comm_mark and srq_comm_host. */
void srq_watch_set(srq_watch *watch, double warn, double end, srq_tell tell, void *context);
void srq_watch_mark(srq_watch *watch, long step);
const char *srq_watch_host(const srq_watch *watch, int rank);

/* Waits for all requests. `what` describes what the rank waits for, with %d for `index`: "the gradients of bucket %d".
 */
void srq_watch_wait(srq_watch *watch, int count, MPI_Request *requests, const char *what, int index);

#endif
