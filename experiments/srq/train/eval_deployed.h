/* srq eval of a deployed network. */
#ifndef SRQ_EXPERIMENTS_TRAIN_EVAL_DEPLOYED_H
#define SRQ_EXPERIMENTS_TRAIN_EVAL_DEPLOYED_H

#include "dist/comm.h"

#include <stdbool.h>

/* Collective: evaluates the file `path` (io/deployed.h) on the test images of `data`. Prints error and loss, and with
 * `classes` the results by class. `threads` is the value of --threads (srq_threads_create). */
srq_status srq_eval_deployed(srq_comm *comm, const char *path, const char *data, int threads, bool classes, bool json);

#endif
