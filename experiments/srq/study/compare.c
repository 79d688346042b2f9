#include "experiments/srq/study/compare.h"

#include "experiments/srq/inspect/measure.h"
#include "io/escape.h"
#include "io/progress.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static srq_outcome *outcome_of(const srq_comparison *c, int stage, int seed)
{
    return &c->outcomes[(size_t)stage * (size_t)c->seed_count + (size_t)seed];
}

srq_status srq_comparison_create(int stage_count, const srq_stage *stages, int seed_count, const long long *seeds,
                                 srq_comparison *c)
{
    const size_t count = (size_t)stage_count * (size_t)seed_count;
    *c = (srq_comparison){.stage_count = stage_count, .stages = stages, .seed_count = seed_count, .seeds = seeds};
    c->outcomes = calloc(count, sizeof *c->outcomes);
    return c->outcomes ? SRQ_OK : srq_fail_memory(count * sizeof *c->outcomes, "the comparison");
}

void srq_comparison_take_learn(srq_comparison *comparison, const srq_settings *s)
{
    comparison->from_file = strcmp(s->dropbits.mode, "learn") == 0 && strcmp(s->train.init, "random") != 0;
    comparison->from_start = s->prune.rewind.count == 0;
}

void srq_comparison_destroy(srq_comparison *comparison)
{
    free(comparison->outcomes);
    *comparison = (srq_comparison){0};
}

/* Without a digest, it may be any data set. */
static srq_status check_data(const srq_comparison *c, const char *dir, const char *data_sha256)
{
    if (!data_sha256[0])
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: no digest of its data set (data_sha256) is stored, so it cannot be compared with other "
                        "stages; train this stage again",
                        dir);
    for (int i = 0; i < c->stage_count * c->seed_count; i++)
        if (c->outcomes[i].there && strcmp(c->outcomes[i].data_sha256, data_sha256) != 0)
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: this stage was trained on another data set than stage %s of seed %lld (source "
                            "SHA-256 %.12s... and %.12s...): they cannot be compared",
                            dir, c->stages[i / c->seed_count].name, c->seeds[i % c->seed_count], data_sha256,
                            c->outcomes[i].data_sha256);
    return SRQ_OK;
}

srq_status srq_comparison_set(srq_comparison *c, int stage, int seed, const char *dir, const srq_outcome *outcome)
{
    SRQ_TRY(check_data(c, dir, outcome->data_sha256));
    *outcome_of(c, stage, seed) = *outcome;
    return SRQ_OK;
}

srq_status srq_comparison_add(srq_comparison *c, int stage, int seed, const char *dir, const srq_found *found)
{
    srq_measures *m = NULL;
    const srq_settings *s = srq_config_settings(found->config);
    const bool held = srq_bits_are_held(s, found->point.step, found->point.total_steps, 0);
    SRQ_TRY(srq_measures_create(found->graph, &m));
    srq_outcome o = {.there = true,
                     .error = found->point.test_error,
                     .loss = found->point.test_loss,
                     .mean_bits = m->mean_bits,
                     .bytes = m->bytes,
                     .bops = m->bops,
                     .relative_bops = m->bops / m->w8a8_bops,
                     .kept = (double)m->kept / (double)m->weights,
                     .of_best = srq_config_settings(found->config)->data.validation > 0,
                     .learned = srq_learned_bits_of(s, found->graph, held)};
    snprintf(o.data_sha256, sizeof o.data_sha256, "%s", found->point.data_sha256);
    srq_measures_destroy(&m);
    return srq_comparison_set(c, stage, seed, dir, &o);
}

/* --- Differences */

srq_paired srq_comparison_difference(const srq_comparison *c, int a, int b)
{
    int count = 0;
    double *x = calloc(2 * (size_t)c->seed_count, sizeof *x), *y = x ? x + c->seed_count : NULL;
    for (int s = 0; x && s < c->seed_count; s++) {
        if (!outcome_of(c, a, s)->there || !outcome_of(c, b, s)->there) continue;
        x[count] = outcome_of(c, a, s)->error;
        y[count++] = outcome_of(c, b, s)->error;
    }
    const srq_paired p = srq_paired_of(count, x, y);
    free(x);
    return p;
}

/* The kinds of stages that are compared. */
static const srq_stage_kind pairs[][2] = {
    {SRQ_STAGE_LEARN, SRQ_STAGE_SCRATCH},    {SRQ_STAGE_LEARN, SRQ_STAGE_REWIND},
    {SRQ_STAGE_REWIND, SRQ_STAGE_SCRATCH},   {SRQ_STAGE_LEARN, SRQ_STAGE_BELOW},
    {SRQ_STAGE_LEARN, SRQ_STAGE_ABOVE},      {SRQ_STAGE_SCRATCH, SRQ_STAGE_BELOW},
    {SRQ_STAGE_SCRATCH, SRQ_STAGE_ABOVE},    {SRQ_STAGE_SCRATCH, SRQ_STAGE_SHUFFLE},
    {SRQ_STAGE_LEARN, SRQ_STAGE_TUNE},       {SRQ_STAGE_LEARN, SRQ_STAGE_TUNE_BELOW},
    {SRQ_STAGE_LEARN, SRQ_STAGE_TUNE_ABOVE}, {SRQ_STAGE_TUNE, SRQ_STAGE_TUNE_BELOW},
    {SRQ_STAGE_TUNE, SRQ_STAGE_TUNE_ABOVE},  {SRQ_STAGE_TUNE, SRQ_STAGE_TUNE_SHUFFLE},
    {SRQ_STAGE_PRUNE, SRQ_STAGE_REINIT},     {SRQ_STAGE_PRUNE, SRQ_STAGE_RANDOM},
    {SRQ_STAGE_PRUNE, SRQ_STAGE_LEARN}};
enum { PAIRS = sizeof pairs / sizeof *pairs };

int srq_comparison_visit(const srq_comparison *c, srq_pair_visitor *visit, void *context)
{
    int count = 0;
    for (int k = 0; k < PAIRS; k++)
        for (int a = 0; a < c->stage_count; a++)
            for (int b = 0; b < c->stage_count; b++) {
                const srq_stage *x = &c->stages[a], *y = &c->stages[b];
                if (x->kind != pairs[k][0] || y->kind != pairs[k][1]) continue;
                if (y->level > 0 && x->level != y->level) continue;
                const srq_paired p = srq_comparison_difference(c, a, b);
                if (p.count == 0) continue;
                if (visit) visit(c, a, b, &p, count, context);
                count++;
            }
    return count;
}

/* --- The conclusion */

/* Finds the pair of these kinds at the highest level. */
static bool find_pair(const srq_comparison *c, srq_stage_kind first, srq_stage_kind second, int *a, int *b)
{
    bool found = false;
    for (int i = 0; i < c->stage_count; i++)
        for (int k = 0; k < c->stage_count; k++) {
            if (c->stages[i].kind != first || c->stages[k].kind != second || c->stages[i].level != c->stages[k].level)
                continue;
            if (srq_comparison_difference(c, i, k).count == 0) continue;
            *a = i;
            *b = k;
            found = true;
        }
    return found;
}

/* If stage learn starts from a file, finds learn and the stage that trains the same weights at the learned bit-lengths:
 * fine-tune, or in folders of older versions rewind. */
static bool find_tuned(const srq_comparison *c, int *a, int *b)
{
    if (!c->from_file) return false;
    return find_pair(c, SRQ_STAGE_LEARN, SRQ_STAGE_TUNE, a, b) ||
           (c->from_start && find_pair(c, SRQ_STAGE_LEARN, SRQ_STAGE_REWIND, a, b));
}

/* %.3g prints "1" instead of "1.00", and enough digits of small numbers. */
static void judge(const srq_paired *p, const char *this_one, const char *other, const char *holds, const char *fails,
                  char *out, size_t size)
{
    const double mean = 100 * p->mean, low = 100 * p->low, high = 100 * p->high;
    if (p->count < 2)
        snprintf(out, size,
                 "With one seed, the test error of %s is %.3g points %s than that of %s; a confidence interval needs "
                 "two or more seeds.",
                 this_one, fabs(mean), mean <= 0 ? "lower" : "higher", other);
    else if (high < 0 || low > 0)
        snprintf(out, size,
                 "Over %d seeds, the test error of %s is significantly %s than that of %s, by %.3g points (95 %% "
                 "confidence interval %.3g to %.3g): %s.",
                 p->count, this_one, high < 0 ? "lower" : "higher", other, fabs(mean), fmin(fabs(low), fabs(high)),
                 fmax(fabs(low), fabs(high)), high < 0 ? holds : fails);
    else
        snprintf(out, size,
                 "Over %d seeds, the difference in test error between %s and %s is not significant: %+.3g points (the "
                 "95 %% confidence interval %+.3g to %+.3g contains 0).",
                 p->count, this_one, other, mean, low, high);
}

/* Adds text at the end of `out`. */
__attribute__((format(printf, 3, 4))) static void append(char *out, size_t size, const char *format, ...)
{
    const size_t n = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + n, size - n, format, args);
    va_end(args);
}

/* What limits the conclusion: a stage whose gates have not settled, or that misses its target. */
static void limit(const srq_comparison *c, char *out, size_t size)
{
    for (int i = 0; i < c->stage_count; i++) {
        double expected = 0, evaluated = 0;
        int unsettled = 0, missed = 0, runs = 0;
        for (int s = 0; s < c->seed_count; s++) {
            const srq_outcome *o = outcome_of(c, i, s);
            if (!o->there || !o->learned.learns) continue;
            runs++;
            missed += o->learned.has_target && !o->learned.meets;
            if (o->learned.settled) continue;
            unsettled++;
            expected += o->learned.expected;
            evaluated += o->learned.evaluated;
        }
        const char *space = out[0] ? " " : "", *name = c->stages[i].name;
        if (unsettled)
            append(out, size,
                   "%sThe gates of stage %s have not settled with %d of %d seeds (expected bits %.2f, evaluated %.2f): "
                   "its "
                   "test error is not that of the network that was trained.",
                   space, name, unsettled, runs, expected / unsettled, evaluated / unsettled);
        if (missed)
            append(out, size, "%sStage %s misses dropbits.target with %d of %d seeds.", out[0] ? " " : "", name, missed,
                   runs);
    }
}

char *srq_comparison_say(const srq_comparison *c, char *out, size_t size)
{
    int a, b;
    out[0] = '\0';
    if (find_tuned(c, &a, &b)) {
        char other[120];
        const srq_paired p = srq_comparison_difference(c, a, b);
        snprintf(other, sizeof other, "training the same initial weights at the learned bit-lengths (%s)",
                 c->stages[b].name);
        judge(&p, "learning weights and bit-lengths together (learn)", other, "the hypothesis holds here",
              "the hypothesis does not hold here", out, size);
    } else if (c->from_file) {
        /* Stage scratch starts from random weights and is no control of a stage that starts from trained ones. */
    } else if (find_pair(c, SRQ_STAGE_LEARN, SRQ_STAGE_SCRATCH, &a, &b)) {
        const srq_paired p = srq_comparison_difference(c, a, b);
        judge(&p, "learning weights and bit-lengths together (learn)",
              "training new weights at the learned bit-lengths (scratch)", "the hypothesis holds here",
              "the hypothesis does not hold here", out, size);
    } else if (find_pair(c, SRQ_STAGE_PRUNE, SRQ_STAGE_REINIT, &a, &b)) {
        char this_one[96], other[96];
        const srq_paired p = srq_comparison_difference(c, a, b);
        snprintf(this_one, sizeof this_one, "rewinding pruned weights (%s)", c->stages[a].name);
        snprintf(other, sizeof other, "new weights under the same masks (%s)", c->stages[b].name);
        judge(&p, this_one, other, "the weights that are left are a winning ticket",
              "the weights that are left are not a winning ticket", out, size);
    }
    limit(c, out, size);
    return out;
}

/* --- Over seeds */

static srq_statistic statistic(const srq_comparison *c, int stage, size_t offset)
{
    double *values = calloc((size_t)c->seed_count, sizeof *values);
    int count = 0;
    for (int s = 0; values && s < c->seed_count; s++) {
        const srq_outcome *o = outcome_of(c, stage, s);
        if (o->there) memcpy(&values[count++], (const char *)o + offset, sizeof *values);
    }
    const srq_statistic result = srq_statistic_of(count, values);
    free(values);
    return result;
}

#define STATISTIC(member) statistic(c, stage, offsetof(srq_outcome, member))

srq_stage_figures srq_comparison_figures(const srq_comparison *c, int stage)
{
    return (srq_stage_figures){.error = STATISTIC(error),
                               .loss = STATISTIC(loss),
                               .bits = STATISTIC(mean_bits),
                               .bytes = STATISTIC(bytes),
                               .bops = STATISTIC(bops),
                               .relative = STATISTIC(relative_bops),
                               .kept = STATISTIC(kept)};
}

/* --- As text */

/* The stage whose runs are those of this stage, if it has finished ones; otherwise NULL. */
static const char *find_twin(const srq_comparison *c, int stage)
{
    const srq_stage_kind kind = c->stages[stage].kind;
    if (!c->from_start || (kind != SRQ_STAGE_REWIND && kind != SRQ_STAGE_TUNE)) return NULL;
    for (int i = 0; i < c->stage_count; i++) {
        const bool other = c->stages[i].kind == SRQ_STAGE_REWIND + SRQ_STAGE_TUNE - kind;
        if (other && srq_comparison_figures(c, i).error.count > 0) return c->stages[i].name;
    }
    return NULL;
}

static void print_stage(const srq_comparison *c, int stage, bool masked, FILE *out)
{
    const srq_stage_figures v = srq_comparison_figures(c, stage);
    char size[32], deviation[32] = "";
    if (v.error.count == 0) {
        const char *twin = find_twin(c, stage);
        fprintf(out, "%-18s %5s   %s%s\n", c->stages[stage].name, "-", twin ? "the same run as " : "not finished",
                twin ? twin : "");
        return;
    }
    if (v.error.count > 1) snprintf(deviation, sizeof deviation, "± %.3f", 100 * v.error.deviation);
    fprintf(out, "%-18s %5d %9.3f %-8s %9.3g %10s %10.3g %%", c->stages[stage].name, v.error.count, 100 * v.error.mean,
            deviation, v.bits.mean, srq_size(v.bytes.mean, size, sizeof size), 100 * v.relative.mean);
    if (masked) fprintf(out, " %10.4g %%", 100 * v.kept.mean);
    fputc('\n', out);
}

static void print_pair(const srq_comparison *c, int a, int b, const srq_paired *p, int place, void *context)
{
    FILE *out = context;
    char name[80], interval[64] = "no interval (one seed)";
    if (place == 0)
        fputs("\npaired differences in test error, percentage points; mean and 95 % confidence interval over seeds\n",
              out);
    if (p->count > 1) snprintf(interval, sizeof interval, "[%+.3f, %+.3f]", 100 * p->low, 100 * p->high);
    snprintf(name, sizeof name, "%s - %s", c->stages[a].name, c->stages[b].name);
    fprintf(out, "%-31s %5d %+9.3f  %s\n", name, p->count, 100 * p->mean, interval);
}

/* Whether outcomes are of the checkpoints with the lowest validation error. All stages have the same data.validation.
 */
static bool are_of_best(const srq_comparison *c)
{
    for (int i = 0; i < c->stage_count * c->seed_count; i++)
        if (c->outcomes[i].there) return c->outcomes[i].of_best;
    return false;
}

void srq_comparison_print(const srq_comparison *c, FILE *out)
{
    char text[SRQ_COMPARISON_TEXT];
    bool masked = false;
    for (int i = 0; i < c->stage_count; i++) masked = masked || c->stages[i].level > 0;
    /* In UTF-8, ± has two bytes but one column, and printf pads by bytes. */
    fprintf(out, "%-18s %5s %9s %-7s %9s %10s %12s%s\n", "stage", "seeds", "error, %", "", "bits", "size",
            "BOPs of 8/8", masked ? "      weights" : "");
    for (int i = 0; i < c->stage_count; i++) print_stage(c, i, masked, out);
    if (are_of_best(c)) fputs("test errors are of the checkpoints with the lowest validation error (best.h5)\n", out);
    srq_comparison_visit(c, print_pair, out);
    srq_comparison_say(c, text, sizeof text);
    if (text[0]) fprintf(out, "\n%s\n", text);
}

/* --- JSON, where NaN is null */

static void print_number(const char *name, double value, FILE *out)
{
    if (isfinite(value))
        fprintf(out, ", \"%s\": %.9g", name, value);
    else
        fprintf(out, ", \"%s\": null", name);
}

static void print_runs(const srq_comparison *c, int stage, FILE *out)
{
    const char *comma = "";
    for (int s = 0; s < c->seed_count; s++) {
        const srq_outcome *o = outcome_of(c, stage, s);
        if (!o->there) continue;
        fprintf(out, "%s\n      {\"seed\": %lld, \"run\": \"seed-%lld/%s\"", comma, c->seeds[s], c->seeds[s],
                c->stages[stage].name);
        print_number("test_error", o->error, out);
        print_number("test_loss", o->loss, out);
        print_number("mean_weight_bits", o->mean_bits, out);
        if (o->learned.learns) {
            print_number("mean_gated_bits", o->learned.expected, out);
            fprintf(out, ", \"settled\": %s", o->learned.settled ? "true" : "false");
        }
        if (o->learned.has_target) {
            print_number("target", o->learned.wanted, out);
            print_number("reached", o->learned.reached, out);
        }
        fprintf(out, ", \"bytes\": %.0f, \"bops\": %.0f", o->bytes, o->bops);
        print_number("relative_bops", o->relative_bops, out);
        print_number("kept", o->kept, out);
        fputc('}', out);
        comma = ",";
    }
}

static void print_json_pair(const srq_comparison *c, int a, int b, const srq_paired *p, int place, void *context)
{
    FILE *out = context;
    fprintf(out, "%s\n    {\"stage\": \"%s\", \"against\": \"%s\", \"seeds\": %d", place ? "," : "", c->stages[a].name,
            c->stages[b].name, p->count);
    print_number("mean", p->mean, out);
    print_number("low", p->low, out);
    print_number("high", p->high, out);
    fputc('}', out);
}

void srq_comparison_print_json(const srq_comparison *c, FILE *out)
{
    char text[SRQ_COMPARISON_TEXT];
    fputs("{\"seeds\": [", out);
    for (int s = 0; s < c->seed_count; s++) fprintf(out, "%s%lld", s ? ", " : "", c->seeds[s]);
    fprintf(out, "],\n \"of_checkpoint\": \"%s\",\n \"stages\": [", are_of_best(c) ? "best" : "last");
    for (int i = 0; i < c->stage_count; i++) {
        const srq_statistic error = statistic(c, i, offsetof(srq_outcome, error));
        fprintf(out, "%s\n    {\"stage\": \"%s\", \"level\": %d, \"count\": %d", i ? "," : "", c->stages[i].name,
                c->stages[i].level, error.count);
        print_number("mean_error", error.mean, out);
        print_number("deviation", error.deviation, out);
        fputs(", \"runs\": [", out);
        print_runs(c, i, out);
        fputs("]}", out);
    }
    fputs("],\n \"differences\": [", out);
    srq_comparison_visit(c, print_json_pair, out);
    fputs("],\n \"confidence\": 0.95,\n \"says\": ", out);
    srq_print_escaped(srq_comparison_say(c, text, sizeof text), SRQ_ESCAPE_JSON, out);
    fputs("}\n", out);
}
