/* Lengths of training in steps, and schedules of bit-lengths. */
#ifndef SRQ_IO_SPAN_H
#define SRQ_IO_SPAN_H

#include "core/spec.h"
#include "core/status.h"

/* The number of steps of a span, with `steps_per_epoch` steps in an epoch; at most LONG_MAX. */
long srq_span_steps(srq_span span, long steps_per_epoch);

/* The bit-length of a schedule at `step` (0 is the first). */
int srq_bits_at(const srq_bits_schedule *schedule, long step, long steps_per_epoch);

/* SRQ_ERROR_USAGE if a stage of a layer's bit-lengths does not end after the stage before it. If a schedule uses steps
 * and epochs, this can be checked only when the data set is known. */
srq_status srq_bits_check(const srq_model_spec *model, long steps_per_epoch);

#endif
