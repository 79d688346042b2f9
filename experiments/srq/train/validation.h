/* The part of training that validation images decide (docs/validation.md): the best checkpoint, early stopping, and the
 * evaluation of the test images at the end. */
#ifndef SRQ_EXPERIMENTS_TRAIN_VALIDATION_H
#define SRQ_EXPERIMENTS_TRAIN_VALIDATION_H

#include "experiments/srq/train/trainer.h"

/* Whether there are validation images. */
bool srq_trainer_validates(const srq_trainer *trainer);

/* Takes the result of an evaluation of the validation images at this step. */
void srq_trainer_take_validation(srq_trainer *trainer, const srq_metrics *metrics);
/* Whether this step has the best evaluation so far, so that it needs a checkpoint. */
bool srq_trainer_is_best(const srq_trainer *trainer);

/* Whether training ends by train.patience, at this step. */
bool srq_trainer_ends_early(const srq_trainer *trainer);
/* Whether no step is left: by train.epochs, train.max_steps or train.patience. */
bool srq_trainer_is_over(const srq_trainer *trainer);
/* Whether an earlier job has done all steps, and has evaluated and saved the last one. */
bool srq_trainer_has_end(const srq_trainer *trainer);
/* Whether an earlier job has done everything: with validation images, also the test. Then srq_trainer_run only ends the
 * log. */
bool srq_trainer_was_done(const srq_trainer *trainer);

/* Collective, after the last step and its checkpoint: evaluates the test images with the best checkpoint. The result is
 * in trainer->tested, in the log, and in that checkpoint, which is written again. The network has its weights now.
 * Errors are agreed by all ranks. */
srq_status srq_trainer_test(srq_trainer *trainer);

#endif
