/* For the files of dist/ alone: the communicator inside, and how to wait for its messages. */
#ifndef SRQ_DIST_COMM_MPI_H
#define SRQ_DIST_COMM_MPI_H

#include "dist/comm.h"

#include <mpi.h>

MPI_Comm srq_comm_mpi(const srq_comm *comm);
/* Waits for all requests under the watch (dist/watch.h): no other wait is to be used. */
void srq_comm_wait(const srq_comm *comm, int count, MPI_Request *requests, const char *what, int index);

#endif
