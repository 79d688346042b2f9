#include "experiments/srq/train/trainer_bits.h"

#include "io/escape.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

long srq_trainer_gate_steps(const srq_trainer *t)
{
    const long until = srq_span_steps(t->settings->dropbits.until, t->batches.steps_per_epoch);
    return until > 0 && until < t->point.total_steps ? until : t->point.total_steps;
}

double srq_trainer_penalty(const srq_trainer *t)
{
    const long ramp = srq_span_steps(t->settings->dropbits.ramp, t->batches.steps_per_epoch);
    return t->point.step < ramp ? t->point.penalty * (double)t->point.step / (double)ramp : t->point.penalty;
}

bool srq_trainer_holds_gates(const srq_trainer *t)
{
    return srq_bits_are_held(t->settings, t->point.step, t->point.total_steps, t->batches.steps_per_epoch);
}

srq_status srq_trainer_set_target(srq_trainer *t)
{
    const double wanted = t->settings->dropbits.target;
    const bool bops = strcmp(t->settings->dropbits.target_measure, "bops") == 0;
    double least, most;
    if (!t->learns_bits || wanted <= 0) return SRQ_OK;
    srq_graph_bits_range(t->graph, bops, &least, &most);
    if (wanted >= least && wanted <= most) return srq_target_create(t->graph, bops, wanted, &t->target);
    return srq_fail(SRQ_ERROR_USAGE,
                    "dropbits.target is %g, but %s of this network can only be from %.4g (all gates closed) to %.4g "
                    "(all gates open); use a target in this range",
                    wanted, bops ? "bit operations as a share of those at 8/8" : "the mean bit-length of the weights",
                    least, most);
}

void srq_trainer_steer(srq_trainer *t)
{
    if (!t->target || srq_trainer_holds_gates(t)) return;
    srq_target_steer(t->target, t->graph, (double)(t->point.step + 1) / (double)srq_trainer_gate_steps(t));
}

srq_learned_bits srq_trainer_bits(const srq_trainer *t)
{
    if (!t->learns_bits) return (srq_learned_bits){0};
    const long step = t->holds_best ? t->tested.step : t->point.step;
    const bool held = srq_bits_are_held(t->settings, step, t->point.total_steps, t->batches.steps_per_epoch);
    return srq_learned_bits_of(t->settings, t->graph, held);
}

/* --- Lines for the user */

/* With --quiet, there is no progress, but warnings are still printed. Only rank 0 prints. */
__attribute__((format(printf, 3, 4))) static void say(const srq_trainer *t, bool warns, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    srq_progress_line(t->progress, "%s", text);
    if (warns && t->run && t->options->quiet) srq_say_to(stderr, "%s\n", text);
}

void srq_trainer_show_bits_at_start(srq_trainer *t)
{
    char text[96], target[64], closest[64];
    if (!t->learns_bits || !t->run) return;
    const srq_learned_bits bits = srq_trainer_bits(t);
    srq_learned_bits_say(&bits, text, sizeof text);
    if (!t->target) {
        srq_progress_line(t->progress, "learned bit-lengths: %s", text);
        return;
    }
    srq_learned_bits_measure(&bits, bits.wanted, target, sizeof target);
    srq_progress_line(t->progress, "learned bit-lengths: %s; target %s from step %.0f", text, target,
                      ceil(srq_target_reached_by() * (double)srq_trainer_gate_steps(t)));
    const double found = srq_target_closest(t->target, t->graph);
    if (fabs(found - bits.wanted) > srq_target_tolerance(bits.bops, bits.wanted))
        say(t, true,
            "srq: warning: dropbits.target is %s, but no whole bit-lengths of the layers give that; the "
            "closest is %s, because a bit of a large layer changes it much; use a target close to that",
            target, srq_learned_bits_measure(&bits, found, closest, sizeof closest));
}

void srq_trainer_show_bits_at_end(const srq_trainer *t)
{
    char text[96], judged[320];
    if (!t->learns_bits || !t->run) return;
    const srq_learned_bits bits = srq_trainer_bits(t);
    srq_learned_bits_judge(&bits, judged, sizeof judged);
    say(t, srq_learned_bits_warn(&bits), "%s%s%s%s%s", srq_learned_bits_warn(&bits) ? "srq: warning: " : "",
        srq_learned_bits_say(&bits, text, sizeof text), judged[0] ? "; " : "", judged,
        bits.settled ? "" : " (docs/bit-lengths.md, \"Close the gates before the end of training\")");
}
