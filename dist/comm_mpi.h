/* For the files of dist/ alone: the communicator inside. */
#ifndef SRQ_DIST_COMM_MPI_H
#define SRQ_DIST_COMM_MPI_H

#include "dist/comm.h"

#include <mpi.h>

MPI_Comm srq_comm_mpi(const srq_comm *comm);

#endif
