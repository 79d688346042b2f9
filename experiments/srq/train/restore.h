/* The network of a checkpoint, ready to evaluate images, for commands that do not train. */
#ifndef SRQ_EXPERIMENTS_TRAIN_RESTORE_H
#define SRQ_EXPERIMENTS_TRAIN_RESTORE_H

#include "io/checkpoint.h"

/* Images in a pass. Evaluation and prediction take the same number, so that they give the same bits. */
enum { SRQ_RESTORE_CAPACITY = 64 };

/* Builds the network of `settings`, which are those of the checkpoint at `path` and must outlive it, and reads its
 * state. `capacity` is the largest number of images in a pass; the memory is proportional to it. If this build lacks
 * the engine of the training, another one is used. The caller destroys *graph. */
srq_status srq_restore(const srq_settings *settings, const char *path, srq_isa isa, int capacity, srq_graph **graph,
                       srq_progress_point *point);

#endif
