/* Steers learned bit-lengths to a target (method.md, section 5).
 *
 * After every update, srq_target_steer chooses the number of bits of each layer such that evaluation meets the target,
 * and that the gates' logits move as little as possible (core/allot.h). Then it moves logits:
 *
 * - A level that is chosen never closes: if the update has closed it, it is opened again. Therefore the bit-lengths of
 *   evaluation never fall below the target, and gates that were closed at the start are opened.
 * - The other levels get a ceiling, which falls with the progress of training. It closes them one after another, the
 *   highest level of a layer first, all of them within the first 40 %.
 * - From then until 60 %, the logits of both kinds move apart to at least 6 and at most -6. There, gates are open or
 *   closed in nearly every step, so training and evaluation use the same grid.
 *
 * The penalty and the loss move the logits between these bounds, and thus decide which levels are chosen. There is no
 * state besides the logits, so a resumed run needs nothing else. */
#ifndef SRQ_CORE_TARGET_H
#define SRQ_CORE_TARGET_H

#include "core/bits.h"

/* The target of a network. */
typedef struct srq_target srq_target;

/* For the mean bit-length of the weights, or, with `bops`, for bit operations as a share of those at 8/8. SRQ_ERROR_RUN
 * without memory. The caller destroys *target before the graph. */
srq_status srq_target_create(const srq_graph *graph, bool bops, double wanted, srq_target **target);
void srq_target_destroy(srq_target **target);

/* The largest difference between the target and what evaluation has that counts as reached: 0.1 bits, or 3 % of the
 * bit operations. */
double srq_target_tolerance(bool bops, double wanted);

/* Moves the logits of the gates after an update. `progress` is the share of the steps with gates that are done, 0..1.
 * Call it on every rank, with the same values. Allocates nothing. */
void srq_target_steer(srq_target *target, srq_graph *graph, double progress);

/* The measure of the target in evaluation that is closest to the target, with the present schedules and masks. */
double srq_target_closest(srq_target *target, const srq_graph *graph);

/* Moves the logits of one layer, of which the first `open` levels are chosen. */
void srq_target_move(int open, int levels, float *phi, double progress);

/* The share of the steps with gates after which evaluation meets the target. */
double srq_target_reached_by(void);

#endif
