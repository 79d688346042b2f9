/* Writes checkpoints in the background. Training waits for a copy in memory, but not for the file.
 *
 * A thread, started with the run, writes what srq_saver_save copied: HDF5 image, write, fsync, rename, link, removal of
 * old checkpoints, and the `checkpoint` line of the log. It writes one checkpoint at a time. Between srq_saver_save and
 * srq_saver_finish, only this thread may use HDF5. It does not call MPI. */
#ifndef SRQ_IO_SAVER_H
#define SRQ_IO_SAVER_H

#include "io/run.h"

typedef struct srq_saver srq_saver;

typedef struct srq_saver_options {
    int keep;         /* number of newest checkpoints to keep */
    bool learns_bits; /* also write bits.cfg */
} srq_saver_options;

/* Allocates all memory for saving, except that of HDF5, and starts the thread. `run`, `config`, `graph` and `optimizer`
 * must outlive the saver. The caller destroys *saver. */
srq_status srq_saver_create(srq_run *run, const srq_config *config, const srq_graph *graph, srq_optimizer *optimizer,
                            const char *versions, const srq_saver_options *options, srq_saver **saver);
/* Waits for the checkpoint that is being written. *saver may be NULL. */
void srq_saver_destroy(srq_saver **saver);

/* Waits for the previous checkpoint if it is still being written. If that failed, returns its error. Otherwise copies
 * the state and returns. */
srq_status srq_saver_save(srq_saver *saver, const srq_progress_point *point, const srq_bits_history *history);

/* The first failure of all checkpoints so far, without waiting. */
srq_status srq_saver_status(srq_saver *saver);

/* The same, after waiting for the checkpoint that is being written. Call it before the end of a run. */
srq_status srq_saver_finish(srq_saver *saver);

/* When writing of the last complete checkpoint began and ended, by srq_seconds(). False if there is none yet. */
bool srq_saver_last(srq_saver *saver, double *begin, double *end);

#endif
