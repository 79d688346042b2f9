/* A checkpoint is an HDF5 file with everything that is needed to resume a run (docs/checkpoint-format.md).
 *
 * The format is "srq-checkpoint" version 2. It has attributes of the root group (step, ..., and the digest of the
 * content), /config (the resolved configuration), /input/{mean,std}, /layers/LAYER/PARAMETER and
 * /optimizer/STATE/LAYER/PARAMETER (each parameter with its shape and name), and /bits_history/{step,layer,bits}.
 * Version 1 had no digest; it can still be read. */
#ifndef SRQ_IO_CHECKPOINT_H
#define SRQ_IO_CHECKPOINT_H

#include "core/bits.h"
#include "core/graph.h"
#include "core/optimizer.h"
#include "core/status.h"
#include "io/best.h"
#include "io/config.h"

#define SRQ_CHECKPOINT_FORMAT "srq-checkpoint"
/* The mask of a layer is stored beside its weights (core/mask.h; io/masks.h). */
#define SRQ_CHECKPOINT_MASK "weight_mask"
/* With train.average: an attribute of the root group, and the group of the values that training continues with. */
#define SRQ_CHECKPOINT_AVERAGE "average"
#define SRQ_CHECKPOINT_TRAINED "trained"
enum { SRQ_CHECKPOINT_VERSION = 2 };

/* The state of training. */
typedef struct srq_progress_point {
    long step;         /* steps done */
    long total_steps;  /* number of steps of the whole run */
    bool evaluated;    /* the next members are results of this step, on the test images */
    double test_loss;  /* mean over the test images */
    double test_error; /* share of test images, 0..1 */
    long test_count;
    bool validated;         /* the next members are results of this step, on the validation images */
    double validation_loss; /* as of the test images */
    double validation_error;
    long validation_count;
    srq_best best;        /* the best evaluation on validation images up to this step */
    char data_sha256[65]; /* digest of the source of the training data */
    char arithmetic[512]; /* what the bits depend on (docs/checkpoint-format.md); "" in older checkpoints */
    double penalty;       /* lambda of learned bit-lengths */
    /* The number of steps that were skipped after an infinity or NaN: in total, and in a row until now. */
    long skipped, skipped_in_a_row;
} srq_progress_point;

/* A snapshot is a copy of everything that a checkpoint contains, so that it can be written while training continues.
 * All of its memory except that of the history is allocated when it is created. */
typedef struct srq_snapshot srq_snapshot;

/* For snapshots of `graph` and `optimizer` in a run of `config`. All three must outlive the snapshot. `versions` is one
 * line that names the program and its libraries. The caller destroys *snapshot. */
srq_status srq_snapshot_create(const srq_config *config, const srq_graph *graph, srq_optimizer *optimizer,
                               const char *versions, srq_snapshot **snapshot);
void srq_snapshot_destroy(srq_snapshot **snapshot);

/* Copies the current state. */
srq_status srq_snapshot_take(srq_snapshot *snapshot, const srq_progress_point *point, const srq_bits_history *history);
long srq_snapshot_step(const srq_snapshot *snapshot);
const srq_best *srq_snapshot_best(const srq_snapshot *snapshot);

/* Writes the bit-lengths of conv and dense layers, in the syntax of a configuration's quantizer group, to *text (`size`
 * bytes and a zero). The caller frees it. */
srq_status srq_snapshot_print_bits(const srq_snapshot *snapshot, char **text, size_t *size);

/* Writes a checkpoint atomically. It reads only those parts of the graph and the optimizer that training does not
 * change. */
srq_status srq_checkpoint_write(const char *path, const srq_snapshot *snapshot);

/* Opens a checkpoint of any supported version, and checks its content against its digest. The caller closes *reader. */
typedef struct srq_h5_reader srq_h5_reader; /* io/h5.h */
srq_status srq_checkpoint_open(const char *path, srq_h5_reader **reader);

/* Reads the configuration of an open checkpoint. The caller destroys *config. */
srq_status srq_checkpoint_config(const srq_h5_reader *reader, srq_config **config);
/* Makes the network of that configuration, to load the checkpoint into. SRQ_ERROR_DATA, before its memory is allocated,
 * if it has more numbers than the file can hold; SRQ_ERROR_RUN, likewise, if it needs more memory than the machine has:
 * a damaged configuration may ask for images of any size. The configuration must outlive *graph, which the caller
 * destroys. */
srq_status srq_checkpoint_make_graph(const srq_h5_reader *reader, const srq_config *config,
                                     const srq_graph_options *options, srq_graph **graph);
/* The configuration of a file. */
srq_status srq_checkpoint_read_config(const char *path, srq_config **config);

/* Reads the state of training only, without the tensors. The content is checked against its digest. */
srq_status srq_checkpoint_read_point(const char *path, srq_progress_point *point);

/* Of an open checkpoint: reads parameters, bit-lengths and the statistics of pixels into the graph, states into the
 * optimizer, and *point and *history (which is replaced); these may be NULL. Without an optimizer, the parameters are
 * those that evaluations have: with train.average, the average. With one, they are those that training continues with,
 * and the optimizer gets the average if it has one. SRQ_ERROR_DATA if the file is not whole, or if a layer, a shape or
 * a number does not fit the graph. After a failure, do not use any of them. */
srq_status srq_checkpoint_load(const srq_h5_reader *reader, srq_graph *graph, srq_optimizer *optimizer,
                               srq_progress_point *point, srq_bits_history *history);
/* The same of a file. */
srq_status srq_checkpoint_read(const char *path, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                               srq_bits_history *history);
/* After srq_checkpoint_load without an optimizer: replaces the average by the values that training continues with.
 * SRQ_ERROR_USAGE if the checkpoint has no average. */
srq_status srq_checkpoint_load_trained(const srq_h5_reader *reader, srq_graph *graph);

#endif
