/* Checkpoints written in the background: training waits for a copy, and for the file only where it must.
 *
 * A thread, started with the run, writes what srq_saver_save copied: HDF5 image, write, fsync, rename, link, removal of
 * old ones, and the line "checkpoint" of the log. One is written at a time. HDF5 is the thread's alone between
 * srq_saver_save and srq_saver_finish; it calls no MPI. */
#ifndef SRQ_IO_SAVER_H
#define SRQ_IO_SAVER_H

#include "io/run.h"

typedef struct srq_saver srq_saver;

typedef struct srq_saver_options {
    int keep;         /* newest checkpoints that stay */
    bool learns_bits; /* with bits.cfg */
} srq_saver_options;

/* Takes all memory that saving needs but what HDF5 takes for itself, and starts the thread. `run`, `config`, `graph`
 * and `optimizer` must live as long. The caller destroys *saver. */
srq_status srq_saver_create(srq_run *run, const srq_config *config, const srq_graph *graph, srq_optimizer *optimizer,
                            const char *versions, const srq_saver_options *options, srq_saver **saver);
/* Waits for what is being written. NULL is fine. */
void srq_saver_destroy(srq_saver **saver);

/* Copies everything and returns; waits before for a checkpoint that is still being written. If that failed, its error
 * is returned, and nothing is copied. */
srq_status srq_saver_save(srq_saver *saver, const srq_progress_point *point, const srq_bits_history *history);

/* How the checkpoints written so far went, without waiting: the first failure stays. */
srq_status srq_saver_status(srq_saver *saver);

/* The same after waiting for the one that is being written: before the end of a run. */
srq_status srq_saver_finish(srq_saver *saver);

/* When the last one that is whole began to be written and was there, in srq_seconds(): false as long as there is none.
 */
bool srq_saver_last(srq_saver *saver, double *begin, double *end);

#endif
