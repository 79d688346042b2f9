/* The best checkpoint so far of a run that is resumed (docs/validation.md). */
#ifndef SRQ_EXPERIMENTS_TRAIN_BEST_SO_FAR_H
#define SRQ_EXPERIMENTS_TRAIN_BEST_SO_FAR_H

#include "experiments/srq/train/trainer.h"

/* Rank 0, for --resume auto: sets best.h5 to the best checkpoint as of trainer->point, and finds out whether an earlier
 * job has evaluated the test images with it (trainer->tested, trainer->was_tested). */
srq_status srq_trainer_find_best(srq_trainer *trainer);

/* Rank 0, for --resume FILE, before trainer->point takes over *point: drops the best evaluation from *point if it is of
 * other validation images than those of this run. If the weights have seen images that are now validation images, a
 * line on `notes` says so. */
srq_status srq_trainer_compare_validation(const srq_trainer *trainer, const char *file, srq_progress_point *point,
                                          FILE *notes);

/* Rank 0, for --resume FILE: copies the best checkpoint as of trainer->point into this run. It is FILE itself, or
 * stands beside it. If it cannot be used, the best one is sought anew from here on, and a line on `notes` says so. */
srq_status srq_trainer_copy_best(srq_trainer *trainer, const char *file, FILE *notes);

#endif
