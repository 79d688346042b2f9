/* For the files of dist/ alone: waiting for other ranks, with a watch on it.
 *
 * Every wait of srq is for requests of MPI that have been started, so a rank that waits can look at the clock. Past a
 * first time it asks the others what they are waiting for: a rank that waits, too, answers; one that does not is the
 * one to look at. Past a second time the job is ended, with exit status 4. One thread does all of it. */
#ifndef SRQ_DIST_WATCH_H
#define SRQ_DIST_WATCH_H

#include "dist/comm_mpi.h"

typedef struct srq_watch srq_watch;

/* Collective. The caller destroys *watch. */
srq_status srq_watch_create(MPI_Comm world, srq_watch **watch);
void srq_watch_destroy(srq_watch **watch);

/* srq_comm_watch, srq_comm_mark and srq_comm_host. */
void srq_watch_set(srq_watch *watch, double warn, double end, srq_tell tell, void *context);
void srq_watch_mark(srq_watch *watch, long step);
const char *srq_watch_host(const srq_watch *watch, int rank);

/* Waits for all requests. `what` says for what, with %d for `index`: "the gradients of bucket %d". */
void srq_watch_wait(srq_watch *watch, int count, MPI_Request *requests, const char *what, int index);

#endif
