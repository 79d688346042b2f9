#include "experiments/srq/report/learned.h"

#include "io/escape.h"

#include <math.h>
#include <string.h>

enum { GROUPS_SHOWN = 40 };

srq_learned_bits srq_report_learned(const srq_report_run *run)
{
    const srq_log_eval *e = srq_report_last_eval(run);
    if (!e || !run->config || !isfinite(e->gated_bits)) return (srq_learned_bits){0};
    const srq_settings *s = srq_config_settings(run->config);
    const bool held = srq_bits_are_held(s, e->step, run->log->total_steps, run->log->steps_per_epoch);
    return srq_learned_bits_from(s, e->gated_bits, e->mean_bits, srq_log_relative_bops(e), held);
}

/* Means over the runs of a configuration that count for its figures. */
typedef struct summary {
    int runs, missed, unsettled;
    srq_learned_bits mean;      /* of one run, with the means */
    double expected, evaluated; /* of the runs whose gates have not settled */
    double least, most;         /* what was reached */
} summary;

static summary summarize(const srq_report *report, const srq_report_group *g)
{
    summary s = {.least = INFINITY, .most = -INFINITY};
    double expected = 0, evaluated = 0, reached = 0;
    for (int i = 0; i < g->member_count; i++) {
        const srq_report_run *run = &report->runs.items[g->members[i]];
        const srq_learned_bits b = srq_report_learned(run);
        if (!b.learns || !run->counted || (!g->partial && !srq_report_is_finished(run))) continue;
        s.runs++;
        s.mean = b;
        expected += b.expected;
        evaluated += b.evaluated;
        reached += b.reached;
        s.least = fmin(s.least, b.reached);
        s.most = fmax(s.most, b.reached);
        s.missed += b.has_target && !b.meets;
        if (b.settled) continue;
        s.unsettled++;
        s.expected += b.expected;
        s.evaluated += b.evaluated;
    }
    if (s.runs == 0) return s;
    s.mean.expected = expected / s.runs;
    s.mean.evaluated = evaluated / s.runs;
    s.mean.reached = reached / s.runs;
    if (s.unsettled) s.expected /= s.unsettled, s.evaluated /= s.unsettled;
    return s;
}

static void add_figures(const srq_report_group *g, const summary *s, char *out, size_t size)
{
    char text[96], wanted[64], reached[64];
    srq_text_append(out, size, "#%d: %s", g->number, srq_learned_bits_say(&s->mean, text, sizeof text));
    if (s->mean.has_target)
        srq_text_append(out, size, "; target %s, reached %s",
                        srq_learned_bits_measure(&s->mean, s->mean.wanted, wanted, sizeof wanted),
                        srq_learned_bits_measure(&s->mean, s->mean.reached, reached, sizeof reached));
    srq_text_append(out, size, ". ");
}

static void add_warnings(const srq_report_group *g, const summary *s, char *out, size_t size)
{
    char wanted[64], least[64], most[64];
    if (s->missed)
        srq_text_append(out, size, "#%d: %d of %d runs miss dropbits.target, %s (they have %s%s%s). ", g->number,
                        s->missed, s->runs, srq_learned_bits_measure(&s->mean, s->mean.wanted, wanted, sizeof wanted),
                        srq_learned_bits_measure(&s->mean, s->least, least, sizeof least),
                        s->most > s->least ? " to " : "",
                        s->most > s->least ? srq_learned_bits_measure(&s->mean, s->most, most, sizeof most) : "");
    if (s->unsettled)
        srq_text_append(out, size,
                        "#%d: the gates of %d of %d runs have not settled (expected bits %.2f, evaluated %.2f): their "
                        "test errors are not those of the network that was trained. ",
                        g->number, s->unsettled, s->runs, s->expected, s->evaluated);
}

static char *visit(const srq_report *report,
                   void (*add)(const srq_report_group *g, const summary *s, char *out, size_t size), char *out,
                   size_t size)
{
    int shown = 0, more = 0;
    out[0] = '\0';
    for (int i = 0; i < report->groups.count; i++) {
        const srq_report_group *g = &report->groups.items[i];
        const size_t before = strlen(out);
        const summary s = summarize(report, g);
        if (s.runs == 0) continue;
        if (shown < GROUPS_SHOWN)
            add(g, &s, out, size);
        else
            more++;
        shown += strlen(out) > before;
    }
    if (more) srq_text_append(out, size, "%d more configurations learn bit-lengths. ", more);
    const size_t length = strlen(out);
    if (length) out[length - 1] = '\0'; /* the last space */
    return out;
}

char *srq_report_learned_figures(const srq_report *report, char *out, size_t size)
{
    return visit(report, add_figures, out, size);
}

char *srq_report_learned_warnings(const srq_report *report, char *out, size_t size)
{
    return visit(report, add_warnings, out, size);
}
