/* The ranks of a run, and how they agree. The only users of MPI are the files of this folder. */
#ifndef SRQ_DIST_COMM_H
#define SRQ_DIST_COMM_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct srq_comm srq_comm;

/* Starts MPI. With `parallel` false only if a launcher started this process: a command that one rank can do alone
 * (srq inspect) then works with and without mpirun, on rank 0, and needs no MPI when started by hand.
 * SRQ_ERROR_USAGE if the launcher started several tasks that do not see each other (srun without a matching --mpi). */
srq_status srq_comm_create(bool parallel, srq_comm **comm);
/* Ends MPI: collective. */
void srq_comm_destroy(srq_comm **comm);

int srq_comm_rank(const srq_comm *comm);
int srq_comm_size(const srq_comm *comm);

/* Collective: every rank brings its status and leaves with the worst, and with the message of the lowest rank that had
 * it. What one rank cannot do, no rank goes on from. */
srq_status srq_comm_agree(const srq_comm *comm, srq_status status);

/* Collective: `bytes` bytes at `data` from rank 0 to all. */
void srq_comm_share(const srq_comm *comm, void *data, size_t bytes);

/* Collective: element-wise sum of `count` doubles over ranks, in place; exact if all but one rank hold 0. */
void srq_comm_sum(const srq_comm *comm, double *values, int count);

/* Collective: elements [begin[r], begin[r + 1]) of `data`, of `size` bytes each (4 or 8), from each rank r to all;
 * begin has an entry more than there are ranks. */
void srq_comm_gather(const srq_comm *comm, void *data, const size_t *begin, size_t size);

/* For benchmarks. Collective: seconds that a message of `bytes` bytes takes from rank 0 to the last rank or back, the
 * mean of `count` there and back; 0 with one rank. The rate of messages is that of the network between these two. */
double srq_comm_ping(const srq_comm *comm, void *data, size_t bytes, int count);
/* Collective: MPI's own sum of `count` floats over ranks, whose order of additions is MPI's. */
void srq_comm_sum_floats(const srq_comm *comm, float *values, size_t count);

/* Says something about the job that must not wait: `final` if the job ends right after it. */
typedef void (*srq_tell)(void *context, const char *text, bool final);
/* From now on, a rank that waits longer than `warn` seconds for others has the lowest of those that wait say so, naming
 * the ranks that have not arrived; after `end` seconds (0: never) it says so once more and the job ends with exit
 * status
 * 4. warn = 0 turns the watch off. `tell` is called on the rank that speaks. */
void srq_comm_watch(srq_comm *comm, double warn, double end, srq_tell tell, void *context);
/* The step that the watch speaks of. */
void srq_comm_mark(srq_comm *comm, long step);
/* The name of the host that a rank runs on. */
const char *srq_comm_host(const srq_comm *comm, int rank);

/* Collective: `bytes` bytes at `data` from rank `from` to rank 0; of the others nothing is read or changed. */
void srq_comm_fetch(const srq_comm *comm, int from, void *data, size_t bytes);

/* Collective: waits for all. */
void srq_comm_barrier(const srq_comm *comm);

/* "Open MPI v4.1.4, ...", the library's own words up to the first comma. */
void srq_comm_version(char *text, size_t size);

#endif
