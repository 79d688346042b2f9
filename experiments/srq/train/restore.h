/* The network of a checkpoint, ready to evaluate images, for commands that do not train. */
#ifndef SRQ_EXPERIMENTS_TRAIN_RESTORE_H
#define SRQ_EXPERIMENTS_TRAIN_RESTORE_H

#include "io/checkpoint.h"

/* Images in a pass. Evaluation and prediction take the same number, so that they give the same bits. */
enum { SRQ_RESTORE_CAPACITY = 64 };

/* Builds the network of an open checkpoint and of its configuration, which must outlive it, and reads its state.
 * `capacity` is the largest number of images in a pass; the memory is proportional to it and to the number of workers
 * (NULL: the caller alone). If this build lacks the engine of the training, another one is used. The caller destroys
 * *graph. */
srq_status srq_restore(const srq_h5_reader *reader, const srq_config *config, srq_isa isa, int capacity,
                       srq_workers *workers, srq_graph **graph, srq_progress_point *point);

#endif
