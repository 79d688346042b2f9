/* The ranks of a run and their collective operations. Only the files of this folder use MPI. */
#ifndef SRQ_DIST_COMM_H
#define SRQ_DIST_COMM_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct srq_comm srq_comm;

/* Starts MPI. If `parallel` is false, MPI is started only if a launcher started this process. A command that one rank
 * can do alone (srq inspect) then works with and without mpirun, on rank 0, and needs no MPI when it is started by
 * hand. */
srq_status srq_comm_create(bool parallel, srq_comm **comm);
/* SRQ_ERROR_USAGE if the launcher started several tasks that do not see each other: if srun offers no PMI that this MPI
 * supports, every task becomes a separate run of one rank. For commands that share work among ranks. Others are right
 * in a shell that such a launcher started. */
srq_status srq_comm_check_launcher(const srq_comm *comm);
/* Ends MPI: collective. */
void srq_comm_destroy(srq_comm **comm);

int srq_comm_rank(const srq_comm *comm);
int srq_comm_size(const srq_comm *comm);

/* The nodes of the job. A node is a machine, or a part of one. Ranks are numbered by node, whatever the launcher does:
 * node i has the ranks [begin[i], begin[i + 1]), and its first rank leads it. The ranks of a node share memory
 * (dist/node.h). If they cannot, each rank is a node. */
typedef struct srq_node {
    int count;        /* of nodes */
    int *begin;       /* [count + 1] */
    int index;        /* this rank's node */
    int size, member; /* the number of its ranks, and which of them this rank is */
} srq_node;

const srq_node *srq_comm_node(const srq_comm *comm);
/* Whether a node has more than one rank. The same on all ranks. */
bool srq_comm_shares(const srq_comm *comm);
/* What the user should know about this, in one line: why ranks of one machine do not share memory, or that ranks have
 * other numbers than the launcher's. "": nothing. The same on all ranks. */
const char *srq_comm_note(const srq_comm *comm);

/* Collective: every rank passes its own status and returns the worst of all, with the message of the lowest rank that
 * had it. So either all ranks continue, or none does. */
srq_status srq_comm_agree(const srq_comm *comm, srq_status status);

/* Collective: copies `bytes` bytes at `data` from rank 0 to all ranks. */
void srq_comm_share(const srq_comm *comm, void *data, size_t bytes);

/* Collective: element-wise sum of `count` doubles over ranks, in place; exact if all but one rank hold 0. */
void srq_comm_sum(const srq_comm *comm, double *values, int count);

/* Collective: copies elements [begin[r], begin[r + 1]) of `data`, of `size` bytes each (4 or 8), from each rank r to
 * all ranks. begin has one entry more than there are ranks. */
void srq_comm_gather(const srq_comm *comm, void *data, const size_t *begin, size_t size);

/* For benchmarks. Collective: the seconds that a message of `bytes` bytes takes one way between rank 0 and the last
 * rank, as the mean over `count` round trips; 0 with one rank. It measures the network between these two ranks. */
double srq_comm_ping(const srq_comm *comm, void *data, size_t bytes, int count);
/* For benchmarks. Collective: the sum of `count` floats over ranks by MPI_Allreduce. MPI chooses the order of
 * additions. */
void srq_comm_sum_floats(const srq_comm *comm, float *values, size_t count);

/* Prints an urgent message about the job. `final`: the job ends right after it. */
typedef void (*srq_tell)(void *context, const char *text, bool final);
/* Turns on the watch over waiting ranks. If ranks wait longer than `warn` seconds for others, the lowest waiting rank
 * calls `tell` with a message that names the ranks that have not arrived. After `end` seconds (0: never) it calls
 * `tell` again, and the job ends with exit status 4. warn = 0 turns the watch off. */
void srq_comm_watch(srq_comm *comm, double warn, double end, srq_tell tell, void *context);
/* Sets the training step that the messages of the watch name. */
void srq_comm_mark(srq_comm *comm, long step);
/* The name of the host that a rank runs on. */
const char *srq_comm_host(const srq_comm *comm, int rank);

/* Collective: copies `bytes` bytes at `data` from rank `from` to rank 0. `data` of the other ranks is neither read nor
 * changed. */
void srq_comm_fetch(const srq_comm *comm, int from, void *data, size_t bytes);

/* Collective: waits until all ranks have called it. */
void srq_comm_barrier(const srq_comm *comm);

/* The version string of the MPI library up to the first comma: "Open MPI v4.1.4". */
void srq_comm_version(char *text, size_t size);

#endif
