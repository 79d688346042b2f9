#include "experiments/srq/inspect/learned_bits.h"

#include "core/bits.h"
#include "core/target.h"
#include "io/span.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool srq_bits_are_held(const srq_settings *s, long step, long total_steps, long steps_per_epoch)
{
    if (steps_per_epoch == 0 && s->train.max_steps.count == 0 && s->train.epochs.epochs && s->train.epochs.count > 0)
        steps_per_epoch = total_steps / s->train.epochs.count;
    if (s->dropbits.until.epochs && steps_per_epoch == 0) return false;
    const long until = srq_span_steps(s->dropbits.until, steps_per_epoch);
    return until > 0 && step >= until;
}

srq_learned_bits srq_learned_bits_from(const srq_settings *s, double expected, double evaluated, double relative_bops,
                                       bool held)
{
    srq_learned_bits b = {.learns = strcmp(s->dropbits.mode, "learn") == 0};
    if (!b.learns) return b;
    b.evaluated = evaluated;
    b.expected = held ? evaluated : expected;
    b.settled = !(fabs(b.expected - b.evaluated) > 0.1);
    b.bops = strcmp(s->dropbits.target_measure, "bops") == 0;
    b.wanted = s->dropbits.target;
    b.reached = b.bops ? relative_bops : evaluated;
    b.has_target = b.wanted > 0 && isfinite(b.reached);
    if (!b.has_target) return b;
    b.meets = fabs(b.reached - b.wanted) <= srq_target_tolerance(b.bops, b.wanted) * (1 + 1e-9);
    return b;
}

srq_learned_bits srq_learned_bits_of(const srq_settings *s, const srq_graph *graph, bool held)
{
    return srq_learned_bits_from(s, srq_graph_expected(graph, false), srq_graph_evaluated(graph, false),
                                 srq_graph_evaluated(graph, true), held);
}

bool srq_learned_bits_warn(const srq_learned_bits *b)
{
    return b->learns && (!b->settled || (b->has_target && !b->meets));
}

/* --- As text */

char *srq_learned_bits_say(const srq_learned_bits *b, char *out, size_t size)
{
    char bops[48] = "";
    if (b->has_target && b->bops) snprintf(bops, sizeof bops, ", BOPs %.1f %% of 8/8", 100 * b->reached);
    if (b->learns)
        snprintf(out, size, "expected bits %.2f, evaluated %.2f%s", b->expected, b->evaluated, bops);
    else
        out[0] = '\0';
    return out;
}

char *srq_learned_bits_measure(const srq_learned_bits *b, double value, char *out, size_t size)
{
    if (b->bops)
        snprintf(out, size, "%.4g %% of the BOPs at 8/8", 100 * value);
    else
        snprintf(out, size, "%.4g bits", value);
    return out;
}

char *srq_learned_bits_judge(const srq_learned_bits *b, char *out, size_t size)
{
    char wanted[64], reached[64], target[192] = "";
    if (b->has_target)
        snprintf(target, sizeof target, "target %s, reached %s%s",
                 srq_learned_bits_measure(b, b->wanted, wanted, sizeof wanted),
                 srq_learned_bits_measure(b, b->reached, reached, sizeof reached),
                 b->meets ? "" : ", which is not the target");
    snprintf(out, size, "%s%s%s", target, target[0] && b->learns && !b->settled ? "; " : "",
             b->learns && !b->settled ? "the gates have not settled: training uses other bit-lengths than evaluation"
                                      : "");
    return out;
}

char *srq_learned_bits_json(const srq_learned_bits *b, char *out, size_t size)
{
    char target[160] = "";
    if (b->has_target)
        snprintf(target, sizeof target,
                 "\"target\": %.9g, \"target_measure\": \"%s\", \"reached\": %.9g, \"target_reached\": %s, ", b->wanted,
                 b->bops ? "bops" : "bits", b->reached, b->meets ? "true" : "false");
    if (b->learns)
        snprintf(out, size, "\"mean_gated_bits\": %.9g, %s", b->expected, target);
    else
        out[0] = '\0';
    return out;
}
