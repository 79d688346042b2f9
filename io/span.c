#include "io/span.h"

#include <limits.h>

long srq_span_steps(srq_span span, long steps_per_epoch)
{
    long steps;
    if (!span.epochs) return span.count;
    return __builtin_mul_overflow(span.count, steps_per_epoch, &steps) ? LONG_MAX : steps;
}

int srq_bits_at(const srq_bits_schedule *schedule, long step, long steps_per_epoch)
{
    int stage = 0;
    while (stage + 1 < schedule->count && step >= srq_span_steps(schedule->until[stage], steps_per_epoch)) stage++;
    return schedule->bits[stage];
}

srq_status srq_bits_check(const srq_model_spec *model, long steps_per_epoch)
{
    for (int l = 0; l < model->layer_count; l++) {
        const srq_bits_schedule *bits = &model->layers[l].quantizer.bits;
        for (int i = 0; i + 2 < bits->count; i++) {
            const long end = srq_span_steps(bits->until[i], steps_per_epoch);
            const long next = srq_span_steps(bits->until[i + 1], steps_per_epoch);
            if (end < next) continue;
            return srq_fail(SRQ_ERROR_USAGE,
                            "layer \"%s\" has a schedule of %d bits until step %ld and then %d bits until step %ld (an "
                            "epoch of this data set has %ld steps): each stage must end after the one before it",
                            model->layers[l].name, bits->bits[i], end, bits->bits[i + 1], next, steps_per_epoch);
        }
    }
    return SRQ_OK;
}
