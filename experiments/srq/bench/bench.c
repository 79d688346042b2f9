/* srq bench: measures quantizers, alone and inside a training step. bench_step.c measures training steps,
 * bench_gradients.c the quality of gradients, and bench_allreduce.c the exchange between ranks. */
#include "core/kernels/gates.h"
#include "core/quant/methods.h"
#include "core/random.h"
#include "experiments/srq/bench/step_timer.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/numbers.h"
#include "experiments/srq/options.h"
#include "io/escape.h"
#include "io/progress.h"
#include "io/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, BITS_MAX = 8, STEP_BITS = 2 };

typedef struct bench_options {
    bool json;
    size_t elements;
    int bits[BITS_MAX], bit_count;
    double seconds;    /* seconds of each measurement, over all rounds */
    const char *model; /* model file; NULL: the built-in LeNet-5; "none": no training steps */
} bench_options;

/* A method, and its measured speed. */
typedef struct contender {
    char label[48];
    const char *method, *estimator;    /* "" if the method has none */
    bool dropbits;                     /* alone: all gates half open; in a step: drawn gates */
    bool alone;                        /* also measured outside of a training step: all except float32 */
    srq_quantizer quantizer;           /* at the measured bit-length */
    double speed[BITS_MAX][2][ROUNDS]; /* alone, elements per second: [0] forward, which writes codes; [1] backward */
    srq_config *config;
    srq_step_timer *timer;
    double step[ROUNDS], share[ROUNDS]; /* in a training step: seconds, and the share of quantizers */
} contender;

typedef struct contenders {
    int count;
    contender *all;
} contenders;

/* --- Contenders: every method of core/quant/methods.h, with both estimators and with gates if it has them */

static void add_contender(contenders *c, const char *method, const char *estimator, bool dropbits, bool alone)
{
    contender *made = &c->all[c->count++];
    *made = (contender){.method = method, .estimator = estimator, .dropbits = dropbits, .alone = alone};
    snprintf(made->label, sizeof made->label, "%s%s%s%s", method, *estimator ? " " : "", estimator,
             dropbits ? "+DropBits" : "");
}

static srq_status create_contenders(contenders *c)
{
    static const char *const estimators[] = {"full", "argmax"};
    const srq_quantizer_method *method;
    int methods = 0;
    while (srq_quantizer_list(methods)) methods++;
    const size_t most = 1 + 4 * (size_t)methods;
    *c = (contenders){.all = calloc(most, sizeof *c->all)};
    if (!c->all) return srq_fail_memory(most * sizeof *c->all, "the methods to time");
    add_contender(c, "float32", "", false, false);
    for (int i = 0; (method = srq_quantizer_list(i)); i++) {
        const bool estimates = srq_quantizer_lists(method, "quantizer.estimator");
        for (int gates = 0; gates <= method->has_gates; gates++)
            for (int e = 0; e < (estimates ? 2 : 1); e++)
                add_contender(c, method->name, estimates ? estimators[e] : "", gates, true);
    }
    return SRQ_OK;
}

static void destroy_contenders(contenders *c)
{
    for (int i = 0; i < c->count; i++) {
        srq_step_timer_destroy(&c->all[i].timer);
        srq_config_destroy(&c->all[i].config);
    }
    free(c->all);
}

/* --- Medians */

typedef struct summary {
    double median, least, most;
} summary;

static summary summarize(const double *samples)
{
    double sorted[ROUNDS];
    memcpy(sorted, samples, sizeof sorted);
    qsort(sorted, ROUNDS, sizeof *sorted, srq_ascending);
    return (summary){.median = sorted[ROUNDS / 2], .least = sorted[0], .most = sorted[ROUNDS - 1]};
}

/* --- Quantizers alone */

typedef struct tensors {
    const srq_vector *vector;
    size_t n;
    float *x, *dy, *dx;
    void *codes;
    float *curves; /* of the quantizer with gates */
} tensors;

static void destroy_tensors(tensors *t)
{
    free(t->x);
    free(t->dy);
    free(t->dx);
    free(t->codes);
    free(t->curves);
}

/* Like weights: normal with mean 0. */
static srq_status create_tensors(size_t n, tensors *t)
{
    const size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
    *t = (tensors){.vector = srq_vector_best(NULL), .n = n};
    t->x = aligned_alloc(64, bytes);
    t->dy = aligned_alloc(64, bytes);
    t->dx = aligned_alloc(64, bytes);
    t->codes = aligned_alloc(64, bytes);
    t->curves = malloc(srq_gate_curves_size(1, 8) * sizeof(float));
    if (!t->x || !t->dy || !t->dx || !t->codes || !t->curves) {
        destroy_tensors(t);
        return srq_fail_memory(4 * bytes, "the tensors; use fewer --elements");
    }
    srq_random_normal(1, SRQ_RANDOM_TEST, 0, n, 0.05f, t->x);
    srq_random_normal(1, SRQ_RANDOM_TEST, 1, n, 1, t->dy);
    return SRQ_OK;
}

static srq_status make_quantizer(contender *c, int bits, const tensors *t)
{
    srq_quantizer *q = &c->quantizer;
    static const double half_open[SRQ_LEVELS_MAX] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    srq_quantizer_spec spec = {.bits = {.count = 1, .bits = {bits}},
                               .sigma_ratio = 1.0f / 3,
                               .temperature = 1,
                               .reach = 3,
                               .min_bits = 1,
                               .dropbits = c->dropbits ? SRQ_DROPBITS_REGULARIZE : SRQ_DROPBITS_OFF};
    snprintf(spec.method, sizeof spec.method, "%s", c->method);
    spec.estimator = strcmp(c->estimator, "argmax") == 0 ? SRQ_ESTIMATOR_ARGMAX : SRQ_ESTIMATOR_FULL;
    SRQ_TRY(srq_quantizer_init(&spec, true, 1, q));
    srq_quantizer_start(q, t->vector, t->n, t->x, &q->grid.alpha, &q->grid.sigma);
    q->training = true;
    if (c->dropbits) {
        srq_gates_set(&q->gates, half_open);
        q->gate_curves.rows = t->curves;
        q->elements = t->n;
    }
    srq_quantizer_begin(q);
    return SRQ_OK;
}

static double time_calls(const srq_quantizer *q, const tensors *t, bool backward, double seconds)
{
    const double since = srq_seconds();
    double took, done = 0;
    float alpha, sigma, gates[SRQ_LEVELS_MAX];
    do {
        if (backward)
            srq_quantizer_backward(q, t->vector, t->n, t->n, t->x, t->dy, t->dx, &alpha, &sigma,
                                   q->gates.count ? gates : NULL);
        else
            srq_quantizer_forward(q, t->vector, t->n, t->x, t->codes);
        done += (double)t->n;
        took = srq_seconds() - since;
    } while (took < seconds);
    return done / took;
}

/* Contenders take turns in each round, so that changes of the machine's speed affect all of them. */
static srq_status time_quantizers(const bench_options *o, int b, const tensors *t, srq_progress *progress,
                                  contenders *all, float *alpha)
{
    for (int i = 0; i < all->count; i++) {
        contender *c = &all->all[i];
        if (!c->alone) continue;
        SRQ_TRY(make_quantizer(c, o->bits[b], t));
        *alpha = c->quantizer.grid.alpha;
        for (int d = 0; d < 2; d++) time_calls(&c->quantizer, t, d, 0); /* warm up memory and caches */
    }
    for (int r = 0; r < ROUNDS; r++)
        for (int i = 0; i < all->count; i++) {
            contender *c = &all->all[i];
            if (!c->alone) continue;
            srq_progress_update(progress, "%d bits, round %d of %d: %s", o->bits[b], r + 1, ROUNDS, c->label);
            for (int d = 0; d < 2; d++) c->speed[b][d][r] = time_calls(&c->quantizer, t, d, o->seconds / ROUNDS);
        }
    return SRQ_OK;
}

static void print_speed(const summary *s, int width)
{
    char range[48];
    snprintf(range, sizeof range, "[%.4g..%.4g]", s->least / 1e6, s->most / 1e6);
    srq_say("  %8.4g %-*s", s->median / 1e6, width, range);
}

static void print_quantizers(const bench_options *o, const tensors *t, const contenders *all)
{
    char count[32], size[32];
    srq_say(
        "Quantizers on one core, %s, tensors of %s float32 (%s): million elements per second, median of %d rounds\n\n"
        "%4s  %-19s  %8s %-16s  %8s %s\n",
        t->vector->isa, srq_grouped((long)t->n, count, sizeof count), srq_size(4 * (double)t->n, size, sizeof size),
        ROUNDS, "bits", "method", "forward", "[least..most]", "backward", "[least..most]");
    for (int b = 0; b < o->bit_count; b++)
        for (int i = 0; i < all->count; i++) {
            const contender *c = &all->all[i];
            if (!c->alone) continue;
            const summary forward = summarize(c->speed[b][0]), backward = summarize(c->speed[b][1]);
            srq_say("%4d  %-19s", o->bits[b], c->label);
            print_speed(&forward, 16);
            print_speed(&backward, 0);
            srq_say("\n");
        }
}

static void print_contender_json(const contender *c, const char *separator)
{
    srq_say("%s\n  {\"method\": \"%s\", \"estimator\": \"%s\", \"dropbits\": %s, ", separator, c->method, c->estimator,
            c->dropbits ? "true" : "false");
}

static void print_quantizers_json(const bench_options *o, const tensors *t, const contenders *all, const float *alphas)
{
    static const char *const directions[] = {"forward", "backward"};
    const char *separator = "";
    srq_say("{\"isa\": \"%s\", \"elements\": %zu, \"tensor_bytes\": %zu, \"rounds\": %d, \"seconds\": %.9g,\n"
            " \"quantizers\": [",
            t->vector->isa, t->n, 4 * t->n, ROUNDS, o->seconds);
    for (int i = 0; i < o->bit_count * all->count * 2; i++) {
        const int b = i / 2 / all->count, d = i % 2;
        const contender *c = &all->all[i / 2 % all->count];
        if (!c->alone) continue;
        const summary s = summarize(c->speed[b][d]);
        print_contender_json(c, separator);
        srq_say("\"bits\": %d, \"alpha\": %.9g, \"direction\": \"%s\", \"elements_per_second\": %.6g, \"least\": %.6g, "
                "\"most\": %.6g}",
                o->bits[b], (double)alphas[b], directions[d], s.median, s.least, s.most);
        separator = ",";
    }
    srq_say("]");
}

static srq_status bench_quantizers(const bench_options *o, contenders *all)
{
    tensors t;
    float alphas[BITS_MAX];
    SRQ_TRY(create_tensors(o->elements, &t));
    srq_status status = SRQ_OK;
    srq_progress *progress = srq_progress_create(stderr);
    for (int b = 0; status == SRQ_OK && b < o->bit_count; b++)
        status = time_quantizers(o, b, &t, progress, all, &alphas[b]);
    srq_progress_destroy(&progress);
    if (status == SRQ_OK && o->json) print_quantizers_json(o, &t, all, alphas);
    if (status == SRQ_OK && !o->json) print_quantizers(o, &t, all);
    destroy_tensors(&t);
    return status;
}

/* --- Quantizers in a training step */

static srq_status create_runner(const bench_options *o, contender *c)
{
    char quoted[4200], text[8400];
    const bool built_in = !o->model;
    snprintf(text, sizeof text,
             "model = %s; data = { file = \"none\"; }; train = { batch = 128; shards = 8; }; quantizer = { method = "
             "\"%s\"; estimator = \"%s\"; activation_estimator = \"%s\"; weight_bits = %d; activation_bits = %d; }; "
             "dropbits = { mode = \"%s\"; min_bits = "
             "1; };",
             built_in ? srq_lenet5 : srq_json_quote(o->model, quoted, sizeof quoted), c->method,
             c->estimator[0] ? c->estimator : "full", c->estimator[0] ? c->estimator : "full", STEP_BITS, STEP_BITS,
             c->dropbits ? "regularize" : "off");
    SRQ_TRY(srq_config_parse(text, built_in ? "the built-in model" : "--model", &c->config));
    return srq_step_timer_create(c->config, &c->timer);
}

/* Built before anything is measured, so that a model that does not fit fails at once. */
static srq_status create_runners(const bench_options *o, contenders *all)
{
    for (int i = 0; i < all->count; i++) SRQ_TRY(create_runner(o, &all->all[i]));
    return SRQ_OK;
}

/* Runs steps for some time, at least one, and takes the mean of each figure. */
static srq_status run_steps(contender *c, int round, double seconds)
{
    srq_step_times sum = {0}, times;
    long steps = 0;
    while (steps == 0 || sum.step < seconds) {
        SRQ_TRY(srq_step_timer_run(c->timer, &times));
        sum.step += times.step;
        sum.quantizers += times.quantizers;
        steps++;
    }
    c->step[round] = sum.step / (double)steps;
    c->share[round] = sum.quantizers / sum.step;
    return SRQ_OK;
}

static srq_status time_steps(const bench_options *o, srq_progress *progress, contenders *all)
{
    for (int i = 0; i < all->count; i++) SRQ_TRY(run_steps(&all->all[i], 0, 0)); /* warm up memory and caches */
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < all->count; i++) {
            srq_progress_update(progress, "training steps, round %d of %d: %s", round + 1, ROUNDS, all->all[i].label);
            SRQ_TRY(run_steps(&all->all[i], round, o->seconds / ROUNDS));
        }
    return SRQ_OK;
}

static void print_steps(const contenders *all)
{
    const srq_settings *s = srq_config_settings(all->all[0].config);
    srq_say("\nA training step of %s on one core, %d/%d bits, batch of %d in %d shards\n\n%-19s  %8s %-16s  %8s  %s\n",
            s->model.name, STEP_BITS, STEP_BITS, s->train.batch, s->train.shards, "method", "ms", "[least..most]",
            "images/s", "in quantizers");
    for (int i = 0; i < all->count; i++) {
        const contender *c = &all->all[i];
        char range[48];
        const summary step = summarize(c->step), share = summarize(c->share);
        snprintf(range, sizeof range, "[%.4g..%.4g]", 1e3 * step.least, 1e3 * step.most);
        srq_say("%-19s  %8.4g %-16s  %8.0f  %5.1f %% [%.1f..%.1f]\n", c->label, 1e3 * step.median, range,
                s->train.batch / step.median, 100 * share.median, 100 * share.least, 100 * share.most);
    }
}

static void print_steps_json(const contenders *all)
{
    const srq_settings *s = srq_config_settings(all->all[0].config);
    char name[160];
    srq_say(
        ",\n \"step\": {\"model\": %s, \"weight_bits\": %d, \"activation_bits\": %d, \"batch\": %d, \"shards\": %d, "
        "\"methods\": [",
        srq_json_quote(s->model.name, name, sizeof name), STEP_BITS, STEP_BITS, s->train.batch, s->train.shards);
    for (int i = 0; i < all->count; i++) {
        const contender *c = &all->all[i];
        const summary step = summarize(c->step), share = summarize(c->share);
        print_contender_json(c, i ? "," : "");
        srq_say("\"seconds\": %.6g, \"least\": %.6g, \"most\": %.6g, \"images_per_second\": %.6g, \"quantizer_share\": "
                "%.6g}",
                step.median, step.least, step.most, s->train.batch / step.median, share.median);
    }
    srq_say("]}");
}

static srq_status bench_steps(const bench_options *o, contenders *all)
{
    srq_progress *progress = srq_progress_create(stderr);
    srq_status status = time_steps(o, progress, all);
    srq_progress_destroy(&progress);
    if (status == SRQ_OK && o->json) print_steps_json(all);
    if (status == SRQ_OK && !o->json) print_steps(all);
    return status;
}

/* --- The command */

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "bench: %s%s; usage: srq bench quantizer [--json] [--elements N] [--bits LIST] [--seconds S] "
                    "[--model FILE|none]",
                    what, word);
}

static srq_status unknown(const char *word)
{
    char hint[SRQ_HINT_SIZE];
    return usage("no option is called ", srq_option_hint("bench", word, hint, sizeof hint));
}

static bool parse_bits(const char *text, bench_options *o)
{
    for (o->bit_count = 0; o->bit_count < BITS_MAX; text++) {
        char *end;
        const long bits = strtol(text, &end, 10);
        if (end == text || bits < 1 || bits > 8 || (*end != ',' && *end != '\0')) return false;
        o->bits[o->bit_count++] = (int)bits;
        text = end;
        if (*end == '\0') return true;
    }
    return false;
}

static srq_status parse_value(const char *word, const char *value, bench_options *o)
{
    double number;
    if (strcmp(word, "--elements") == 0) {
        if (!srq_parse_number(value, 1, 1e9, &number) || number != floor(number))
            return usage("--elements must be a number from 1 to 1e9, but is ", value);
        o->elements = (size_t)number;
    } else if (strcmp(word, "--seconds") == 0) {
        if (!srq_parse_number(value, 0, 3600, &o->seconds))
            return usage("--seconds must be a number from 0 to 3600, but is ", value);
    } else if (strcmp(word, "--bits") == 0) {
        if (!parse_bits(value, o))
            return usage("--bits must be at most 8 numbers from 1 to 8 such as 2,4, but is ", value);
    } else if (strcmp(word, "--model") == 0) {
        o->model = value;
    } else {
        return unknown(word);
    }
    return SRQ_OK;
}

static srq_status parse(int argc, char **argv, bench_options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
            continue;
        }
        if (argv[i][0] != '-') return usage("this is not expected: ", argv[i]);
        if (i + 1 == argc) return usage("a value is missing after ", argv[i]);
        SRQ_TRY(parse_value(argv[i], argv[i + 1], o));
        i++;
    }
    return SRQ_OK;
}

static srq_status bench_quantizer_command(int argc, char **argv)
{
    bench_options o = {.elements = 1000000, .bits = {2, 3, 4, 6, 8}, .bit_count = 5, .seconds = 0.5};
    contenders all;
    SRQ_TRY(parse(argc, argv, &o));
    SRQ_TRY(create_contenders(&all));
    const bool steps = !o.model || strcmp(o.model, "none") != 0;
    srq_status status = steps ? create_runners(&o, &all) : SRQ_OK;
    if (status == SRQ_OK) status = bench_quantizers(&o, &all);
    fflush(stdout);
    if (status == SRQ_OK && steps) status = bench_steps(&o, &all);
    if (status == SRQ_OK && o.json) srq_say("}\n");
    destroy_contenders(&all);
    return status;
}

srq_status srq_command_bench(srq_comm *comm, int argc, char **argv)
{
    if (argc < 2)
        return srq_fail(SRQ_ERROR_USAGE,
                        "bench: what to measure is missing; usage: srq bench quantizer|step|gradients|allreduce ...");
    if (strcmp(argv[1], "step") == 0) return srq_bench_step(comm, argc - 1, argv + 1);
    if (strcmp(argv[1], "allreduce") == 0) return srq_bench_allreduce(comm, argc - 1, argv + 1);
    if (strcmp(argv[1], "gradients") == 0)
        return srq_comm_rank(comm) == 0 ? srq_bench_gradients(argc - 1, argv + 1) : SRQ_OK;
    if (strcmp(argv[1], "quantizer") != 0)
        return srq_fail(
            SRQ_ERROR_USAGE,
            "bench: there is no measurement called %s; usage: srq bench quantizer|step|gradients|allreduce ...",
            argv[1]);
    return srq_comm_rank(comm) == 0 ? bench_quantizer_command(argc - 1, argv + 1) : SRQ_OK;
}
