/* For the files of dist/ only: which ranks are on one node, and how ranks are numbered. */
#ifndef SRQ_DIST_PLACE_H
#define SRQ_DIST_PLACE_H

#include "dist/comm.h"

#include <mpi.h>

enum { SRQ_PLACE_NOTE_SIZE = 256 };

typedef struct srq_place {
    MPI_Comm world;   /* all ranks, numbered by node */
    MPI_Comm mates;   /* those of this node */
    MPI_Comm leaders; /* the first of each node; MPI_COMM_NULL on other ranks */
    srq_node node;
    bool renumbered;
    bool any_shares; /* whether any node has more than one rank */
    char note[SRQ_PLACE_NOTE_SIZE];
} srq_place;

/* Collective over `all`. Ranks of one machine are one node if they can share memory. SRQ_NODE in the environment of a
 * rank divides a machine: only ranks with the same text are one node. Rank 0 of `all` stays rank 0. The caller frees
 * the place, also after a failure. */
srq_status srq_place_create(MPI_Comm all, srq_place *place);
void srq_place_free(srq_place *place);

#endif
