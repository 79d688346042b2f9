/* The best evaluation of a run on validation images (docs/validation.md). */
#ifndef SRQ_IO_BEST_H
#define SRQ_IO_BEST_H

#include <stdbool.h>

typedef struct srq_best {
    bool found;         /* there was an evaluation; otherwise everything is 0 */
    long step;          /* of the evaluation */
    double error, loss; /* on the validation images: error 0..1, loss in nats */
    long since;         /* number of evaluations after it, none of which was better */
} srq_best;

/* Takes an evaluation at `step`, which is after those before. It becomes the best one if its error is lower, or if its
 * error is equal and its loss is lower. Otherwise the earlier one stays, and `since` grows. Returns whether it is the
 * best. */
bool srq_best_take(srq_best *best, long step, double error, double loss);

/* Whether training ends by train.patience: after `patience` evaluations without a better one. Never if it is 0. */
bool srq_best_ends(const srq_best *best, int patience);

#endif
