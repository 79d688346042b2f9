/* One training step, for the loop in trainer.c. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TRAINER_STEP_H
#define SRQ_EXPERIMENTS_TRAIN_TRAINER_STEP_H

#include "experiments/srq/train/trainer.h"

/* Collective: forward, backward, sums over shards, and the update. After an infinity or NaN, train.nonfinite decides.
 * The step is counted in trainer->point, its loss and errors in trainer->recent. SRQ_ERROR_DATA if images could not be
 * read, SRQ_ERROR_RUN after an infinity or NaN, both agreed by all ranks. */
srq_status srq_trainer_step(srq_trainer *trainer);

#endif
