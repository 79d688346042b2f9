/* Lengths of training in steps, and bit-lengths that change with them. */
#ifndef SRQ_IO_SPAN_H
#define SRQ_IO_SPAN_H

#include "core/spec.h"
#include "core/status.h"

/* Steps of a span, with `steps_per_epoch` steps in an epoch; LONG_MAX if there are more. */
long srq_span_steps(srq_span span, long steps_per_epoch);

/* The bit-length in force at `step` (0 is the first). */
int srq_bits_at(const srq_bits_schedule *schedule, long step, long steps_per_epoch);

/* SRQ_ERROR_USAGE if a stage of a layer's bit-lengths ends before the one ahead of it, which schedules in steps and
 * epochs only show when the data set is known. */
srq_status srq_bits_check(const srq_model_spec *model, long steps_per_epoch);

#endif
