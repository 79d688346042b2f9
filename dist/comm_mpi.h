/* For the files of dist/ only: MPI's communicators, and how to wait for their messages. */
#ifndef SRQ_DIST_COMM_MPI_H
#define SRQ_DIST_COMM_MPI_H

#include "dist/comm.h"

#include <mpi.h>

/* All ranks; the ranks of this node. */
MPI_Comm srq_comm_mpi(const srq_comm *comm);
MPI_Comm srq_comm_mates(const srq_comm *comm);
/* Waits for all requests under the watch (dist/watch.h). Use no other function to wait. */
void srq_comm_wait(const srq_comm *comm, int count, MPI_Request *requests, const char *what, int index);

#endif
