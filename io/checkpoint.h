/* Checkpoints: everything that a run needs to go on, in one HDF5 file (docs/checkpoint-format.md).
 *
 * Format "srq-checkpoint" version 1: attributes of the root group (step, ...), /config (the resolved configuration),
 * /layers/LAYER/PARAMETER and /optimizer/STATE/LAYER/PARAMETER, each parameter in its shape and under its name, and
 * /bits_history/{step,layer,bits}. */
#ifndef SRQ_IO_CHECKPOINT_H
#define SRQ_IO_CHECKPOINT_H

#include "core/bits.h"
#include "core/graph.h"
#include "core/optimizer.h"
#include "core/status.h"
#include "io/config.h"

#define SRQ_CHECKPOINT_FORMAT "srq-checkpoint"
enum { SRQ_CHECKPOINT_VERSION = 1 };

/* Where training stands. */
typedef struct srq_progress_point {
    long step;         /* steps done */
    long total_steps;  /* of the whole run */
    bool evaluated;    /* the two numbers below are of this step */
    double test_loss;  /* mean over the test images */
    double test_error; /* share of test images, 0..1 */
    long test_count;
    char data_sha256[65]; /* of the source of the data set trained on */
    double penalty;       /* lambda of learned bit-lengths; it moves if a target is set */
    /* Steps that were left out for an infinity or NaN: of all, and of the last ones in a row. */
    long skipped, skipped_in_a_row;
} srq_progress_point;

/* Writes a checkpoint atomically. `versions` is one line that names the program and its libraries. */
srq_status srq_checkpoint_write(const char *path, const srq_config *config, const srq_graph *graph,
                                srq_optimizer *optimizer, const srq_progress_point *point,
                                const srq_bits_history *history, const char *versions);

/* Reads the configuration that a checkpoint was made with. The caller destroys *config. */
srq_status srq_checkpoint_read_config(const char *path, srq_config **config);

/* Reads parameters and bit-lengths into the graph and, if not NULL, states into the optimizer, *point and *history
 * (whose changes are replaced). SRQ_ERROR_DATA if the
 * file is not whole, or a layer, a shape or a number is not what the graph has: nothing is to be used then. */
srq_status srq_checkpoint_read(const char *path, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                               srq_bits_history *history);

#endif
