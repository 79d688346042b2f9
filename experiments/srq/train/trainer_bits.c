#include "experiments/srq/train/trainer_bits.h"

#include <math.h>
#include <string.h>

/* If the mean bit-length that is expected in training differs by more from that of evaluation, the gates have not
 * settled. */
static const double unsettled = 0.1;

long srq_trainer_gate_steps(const srq_trainer *t)
{
    const long until = srq_span_steps(t->settings->dropbits.until, t->batches.steps_per_epoch);
    return until > 0 && until < t->point.total_steps ? until : t->point.total_steps;
}

bool srq_trainer_holds_gates(const srq_trainer *t)
{
    const long until = srq_span_steps(t->settings->dropbits.until, t->batches.steps_per_epoch);
    return until > 0 && t->point.step >= until;
}

/* --- The target */

static bool counts_bops(const srq_trainer *t)
{
    return strcmp(t->settings->dropbits.target_measure, "bops") == 0;
}

srq_status srq_trainer_set_target(srq_trainer *t)
{
    const double wanted = t->settings->dropbits.target;
    const bool bops = counts_bops(t);
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

static bool differs(const srq_trainer *t, double found)
{
    const double wanted = t->settings->dropbits.target;
    return fabs(found - wanted) > srq_target_tolerance(counts_bops(t), wanted) * (1 + 1e-9);
}

/* --- What evaluation has, and what is expected in training: the same as soon as gates are held */

typedef struct measures {
    double expected, evaluated; /* mean bit-lengths */
    double reached;             /* the measure of the target, in evaluation */
} measures;

static measures measure(const srq_trainer *t)
{
    measures m = {.expected = srq_graph_expected(t->graph, false), .evaluated = srq_graph_evaluated(t->graph, false)};
    if (srq_trainer_holds_gates(t)) m.expected = m.evaluated;
    m.reached = counts_bops(t) ? srq_graph_evaluated(t->graph, true) : m.evaluated;
    return m;
}

char *srq_trainer_say_bits(const srq_trainer *t, char *out, size_t size)
{
    out[0] = '\0';
    if (!t->learns_bits) return out;
    const measures m = measure(t);
    const int n = snprintf(out, size, "expected bits %.2f, evaluated %.2f", m.expected, m.evaluated);
    if (t->target && counts_bops(t) && n > 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, ", BOPs %.1f %% of 8/8", 100 * m.reached);
    return out;
}

char *srq_trainer_bits_json(const srq_trainer *t, char *out, size_t size)
{
    out[0] = '\0';
    if (!t->learns_bits) return out;
    const measures m = measure(t);
    const int n = snprintf(out, size, "\"mean_gated_bits\": %.9g, ", m.expected);
    if (t->target && n > 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n,
                 "\"target\": %.9g, \"target_measure\": \"%s\", \"reached\": %.9g, \"target_reached\": %s, ",
                 t->settings->dropbits.target, t->settings->dropbits.target_measure, m.reached,
                 differs(t, m.reached) ? "false" : "true");
    return out;
}

char *srq_trainer_step_bits_json(const srq_trainer *t, char *out, size_t size)
{
    out[0] = '\0';
    if (!t->learns_bits) return out;
    const int n = snprintf(out, size, "\"mean_weight_bits\": %.9g, ", measure(t).evaluated);
    if (n > 0 && (size_t)n < size) srq_trainer_bits_json(t, out + n, size - (size_t)n);
    return out;
}

/* --- Lines for the user */

static char *print_measure(const srq_trainer *t, double value, char *out, size_t size)
{
    if (counts_bops(t))
        snprintf(out, size, "%.4g %% of the bit operations at 8/8", 100 * value);
    else
        snprintf(out, size, "%.4g bits", value);
    return out;
}

void srq_trainer_show_bits_at_start(srq_trainer *t)
{
    char bits[96], target[64], closest[64];
    if (!t->learns_bits || !t->progress) return;
    srq_trainer_say_bits(t, bits, sizeof bits);
    if (!t->target) {
        srq_progress_line(t->progress, "learned bit-lengths: %s", bits);
        return;
    }
    print_measure(t, t->settings->dropbits.target, target, sizeof target);
    const double by = ceil(srq_target_reached_by() * (double)srq_trainer_gate_steps(t));
    srq_progress_line(t->progress, "learned bit-lengths: %s; target %s from step %.0f", bits, target, by);
    const double found = srq_target_closest(t->target, t->graph);
    if (differs(t, found))
        srq_progress_line(t->progress,
                          "srq: warning: no whole bit-lengths of the layers give dropbits.target, %s; the closest is "
                          "%s, because large layers change it in large steps",
                          target, print_measure(t, found, closest, sizeof closest));
}

void srq_trainer_show_bits_at_end(const srq_trainer *t)
{
    char bits[96], target[64], reached[64], verdict[192] = "", settled[160] = "";
    if (!t->learns_bits || !t->progress) return;
    const measures m = measure(t);
    srq_trainer_say_bits(t, bits, sizeof bits);
    if (t->target)
        snprintf(verdict, sizeof verdict, "; target %s, reached %s",
                 print_measure(t, t->settings->dropbits.target, target, sizeof target),
                 print_measure(t, m.reached, reached, sizeof reached));
    if (fabs(m.expected - m.evaluated) > unsettled)
        snprintf(settled, sizeof settled,
                 "; the gates have not settled: training used other bit-lengths than evaluation (dropbits.until)");
    const bool warns = settled[0] || (t->target && differs(t, m.reached));
    srq_progress_line(t->progress, "%s%s%s%s%s", warns ? "srq: warning: " : "", bits, verdict,
                      t->target && differs(t, m.reached) ? ", which is not the target" : "", settled);
}
