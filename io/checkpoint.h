/* Checkpoints: everything that a run needs to go on, in one HDF5 file (docs/checkpoint-format.md).
 *
 * Format "srq-checkpoint" version 2: attributes of the root group (step, ..., the digest of all that follows), /config
 * (the resolved configuration), /layers/LAYER/PARAMETER and /optimizer/STATE/LAYER/PARAMETER, each parameter in its
 * shape and under its name, and /bits_history/{step,layer,bits}. Version 1 had no digest; it is still read. */
#ifndef SRQ_IO_CHECKPOINT_H
#define SRQ_IO_CHECKPOINT_H

#include "core/bits.h"
#include "core/graph.h"
#include "core/optimizer.h"
#include "core/status.h"
#include "io/config.h"

#define SRQ_CHECKPOINT_FORMAT "srq-checkpoint"
/* Beside the weights of a layer, its mask (core/mask.h; io/masks.h). */
#define SRQ_CHECKPOINT_MASK "weight_mask"
enum { SRQ_CHECKPOINT_VERSION = 2 };

/* Where training stands. */
typedef struct srq_progress_point {
    long step;         /* steps done */
    long total_steps;  /* of the whole run */
    bool evaluated;    /* the two numbers below are of this step */
    double test_loss;  /* mean over the test images */
    double test_error; /* share of test images, 0..1 */
    long test_count;
    char data_sha256[65]; /* of the source of the data set trained on */
    char arithmetic[512]; /* what computed it, or "" in checkpoints of before: see docs/checkpoint-format.md */
    double penalty;       /* lambda of learned bit-lengths; it moves if a target is set */
    /* Steps that were left out for an infinity or NaN: of all, and of the last ones in a row. */
    long skipped, skipped_in_a_row;
} srq_progress_point;

/* All that a checkpoint holds, copied out of a network in training, so that it can be written while training goes on.
 * All of its memory but the history's is taken when it is made. */
typedef struct srq_snapshot srq_snapshot;

/* Snapshots of `graph` and `optimizer` in a run of `config`, all of which must live as long; `versions` is one line
 * that names the program and its libraries. The caller destroys *snapshot. */
srq_status srq_snapshot_create(const srq_config *config, const srq_graph *graph, srq_optimizer *optimizer,
                               const char *versions, srq_snapshot **snapshot);
void srq_snapshot_destroy(srq_snapshot **snapshot);

/* Takes everything as it is now. */
srq_status srq_snapshot_take(srq_snapshot *snapshot, const srq_progress_point *point, const srq_bits_history *history);
long srq_snapshot_step(const srq_snapshot *snapshot);

/* The bit-lengths of conv and dense layers as a piece of a configuration's quantizer group, into *text (`size` bytes
 * and a zero), which the caller frees. */
srq_status srq_snapshot_print_bits(const srq_snapshot *snapshot, char **text, size_t *size);

/* Writes a checkpoint atomically. Of the graph and the optimizer only what training does not change is read. */
srq_status srq_checkpoint_write(const char *path, const srq_snapshot *snapshot);

/* Opens a checkpoint of any version that is read, and checks that its content is what its digest says. The caller
 * closes *reader. */
typedef struct srq_h5_reader srq_h5_reader; /* io/h5.h */
srq_status srq_checkpoint_open(const char *path, srq_h5_reader **reader);

/* Reads the configuration that a checkpoint was made with. The caller destroys *config. */
srq_status srq_checkpoint_read_config(const char *path, srq_config **config);

/* Reads parameters and bit-lengths into the graph and, if not NULL, states into the optimizer, *point and *history
 * (whose changes are replaced). SRQ_ERROR_DATA if the
 * file is not whole, or a layer, a shape or a number is not what the graph has: nothing is to be used then. */
srq_status srq_checkpoint_read(const char *path, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                               srq_bits_history *history);

#endif
