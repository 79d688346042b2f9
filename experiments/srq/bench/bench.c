/* srq bench: how fast quantizers are, alone and inside a training step; by bench_step.c, training steps, and by
 * bench_allreduce.c, the exchange between ranks. */
#include "core/kernels/gates.h"
#include "core/quant/quantizer.h"
#include "core/random.h"
#include "experiments/srq/bench/step_timer.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/numbers.h"
#include "io/progress.h"
#include "io/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, BITS_MAX = 8, STEP_BITS = 2 };

/* What is timed. A new method needs a line. */
typedef struct contender {
    const char *label, *method;
    const char *estimator; /* srq only, else "" */
    bool dropbits;         /* alone: all gates half open; in a step: as they are drawn */
    bool alone, in_step;
} contender;

static const contender contenders[] = {
    {"float32", "float32", "", false, false, true},
    {"ste", "ste", "", false, true, false},
    {"lsq", "lsq", "", false, true, true},
    {"rq", "rq", "", false, true, true},
    {"rq_st", "rq_st", "", false, true, true},
    {"srq full", "srq", "full", false, true, true},
    {"srq argmax", "srq", "argmax", false, true, true},
    {"full+DropBits", "srq", "full", true, true, true},
    {"argmax+DropBits", "srq", "argmax", true, true, true},
};
enum { CONTENDERS = sizeof contenders / sizeof *contenders };

typedef struct bench_options {
    bool json;
    size_t elements;
    int bits[BITS_MAX], bit_count;
    double seconds;    /* of each measurement, over all rounds */
    const char *model; /* NULL: the built-in LeNet-5; "none": no training step */
} bench_options;

/* experiments/models/lenet5.cfg, so that the program needs no file. */
const char srq_lenet5[] =
    "{ name = \"lenet5\"; input = { height = 28; width = 28; channels = 1; }; classes = 10; layers = ("
    "{ name = \"conv1\"; type = \"conv\"; out = 32; kernel = 5; }, { name = \"relu1\"; type = \"relu\"; },"
    "{ name = \"pool1\"; type = \"max_pool\"; kernel = 2; }, { name = \"act1\"; type = \"quantize\"; },"
    "{ name = \"conv2\"; type = \"conv\"; out = 64; kernel = 5; }, { name = \"relu2\"; type = \"relu\"; },"
    "{ name = \"pool2\"; type = \"max_pool\"; kernel = 2; }, { name = \"act2\"; type = \"quantize\"; },"
    "{ name = \"fc1\"; type = \"dense\"; out = 512; }, { name = \"relu3\"; type = \"relu\"; },"
    "{ name = \"act3\"; type = \"quantize\"; }, { name = \"fc2\"; type = \"dense\"; out = \"classes\"; } ); }";

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
    float *curves; /* of the quantizer under gates */
} tensors;

/* Elements a second of one contender at one bit-length; [0] forward with codes out, [1] backward. */
typedef struct speed {
    double samples[2][ROUNDS];
} speed;

static void destroy_tensors(tensors *t)
{
    free(t->x);
    free(t->dy);
    free(t->dx);
    free(t->codes);
    free(t->curves);
}

/* As weights are: normal with mean 0. */
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

static srq_status make_quantizer(const contender *c, int bits, const tensors *t, srq_quantizer *q)
{
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

/* Contenders take turns in each round, so that a change of the machine's speed meets all of them. */
static srq_status time_quantizers(const bench_options *o, int bits, const tensors *t, srq_progress *progress,
                                  speed *speeds, float *alpha)
{
    srq_quantizer quantizers[CONTENDERS];
    for (int c = 0; c < CONTENDERS; c++) {
        if (!contenders[c].alone) continue;
        SRQ_TRY(make_quantizer(&contenders[c], bits, t, &quantizers[c]));
        *alpha = quantizers[c].grid.alpha;
        for (int b = 0; b < 2; b++) time_calls(&quantizers[c], t, b, 0); /* to touch memory and caches */
    }
    for (int r = 0; r < ROUNDS; r++)
        for (int c = 0; c < CONTENDERS; c++) {
            if (!contenders[c].alone) continue;
            srq_progress_update(progress, "%d bits, round %d of %d: %s", bits, r + 1, ROUNDS, contenders[c].label);
            for (int b = 0; b < 2; b++) speeds[c].samples[b][r] = time_calls(&quantizers[c], t, b, o->seconds / ROUNDS);
        }
    return SRQ_OK;
}

static void print_speed(const summary *s, int width)
{
    char range[48];
    snprintf(range, sizeof range, "[%.4g..%.4g]", s->least / 1e6, s->most / 1e6);
    printf("  %8.4g %-*s", s->median / 1e6, width, range);
}

static void print_quantizers(const bench_options *o, const tensors *t, const speed (*speeds)[CONTENDERS])
{
    char count[32], size[32];
    printf("Quantizers on one core, %s, tensors of %s float32 (%s): million elements a second, median of %d rounds\n\n"
           "%4s  %-15s  %8s %-16s  %8s %s\n",
           t->vector->isa, srq_grouped((long)t->n, count, sizeof count), srq_size(4 * (double)t->n, size, sizeof size),
           ROUNDS, "bits", "method", "forward", "[least..most]", "backward", "[least..most]");
    for (int b = 0; b < o->bit_count; b++)
        for (int c = 0; c < CONTENDERS; c++) {
            if (!contenders[c].alone) continue;
            const summary forward = summarize(speeds[b][c].samples[0]), backward = summarize(speeds[b][c].samples[1]);
            printf("%4d  %-15s", o->bits[b], contenders[c].label);
            print_speed(&forward, 16);
            print_speed(&backward, 0);
            printf("\n");
        }
}

static void print_quantizers_json(const bench_options *o, const tensors *t, const speed (*speeds)[CONTENDERS],
                                  const float *alphas)
{
    static const char *const directions[] = {"forward", "backward"};
    const char *separator = "";
    printf("{\"isa\": \"%s\", \"elements\": %zu, \"tensor_bytes\": %zu, \"rounds\": %d, \"seconds\": %.9g,\n"
           " \"quantizers\": [",
           t->vector->isa, t->n, 4 * t->n, ROUNDS, o->seconds);
    for (int i = 0; i < o->bit_count * CONTENDERS * 2; i++) {
        const int b = i / 2 / CONTENDERS, c = i / 2 % CONTENDERS, d = i % 2;
        if (!contenders[c].alone) continue;
        const summary s = summarize(speeds[b][c].samples[d]);
        printf("%s\n  {\"method\": \"%s\", \"estimator\": \"%s\", \"dropbits\": %s, \"bits\": %d, \"alpha\": %.9g, "
               "\"direction\": "
               "\"%s\", \"elements_per_second\": %.6g, \"least\": %.6g, \"most\": %.6g}",
               separator, contenders[c].method, contenders[c].estimator, contenders[c].dropbits ? "true" : "false",
               o->bits[b], (double)alphas[b], directions[d], s.median, s.least, s.most);
        separator = ",";
    }
    printf("]");
}

static srq_status bench_quantizers(const bench_options *o)
{
    tensors t;
    speed speeds[BITS_MAX][CONTENDERS];
    float alphas[BITS_MAX];
    SRQ_TRY(create_tensors(o->elements, &t));
    srq_status status = SRQ_OK;
    srq_progress *progress = srq_progress_create(stderr);
    for (int b = 0; status == SRQ_OK && b < o->bit_count; b++)
        status = time_quantizers(o, o->bits[b], &t, progress, speeds[b], &alphas[b]);
    srq_progress_destroy(&progress);
    if (status == SRQ_OK && o->json) print_quantizers_json(o, &t, (const speed(*)[CONTENDERS])speeds, alphas);
    if (status == SRQ_OK && !o->json) print_quantizers(o, &t, (const speed(*)[CONTENDERS])speeds);
    destroy_tensors(&t);
    return status;
}

/* --- Quantizers in a training step */

typedef struct runner {
    srq_config *config;
    srq_step_timer *timer;
    double step[ROUNDS], share[ROUNDS]; /* seconds; quantizers' part of them */
} runner;

static srq_status create_runner(const bench_options *o, const contender *c, runner *r)
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
    SRQ_TRY(srq_config_parse(text, built_in ? "the built-in model" : "--model", &r->config));
    return srq_step_timer_create(r->config, &r->timer);
}

/* Before anything is timed: a model that does not fit is met at once. */
static srq_status create_runners(const bench_options *o, runner *runners)
{
    for (int c = 0; c < CONTENDERS; c++)
        if (contenders[c].in_step) SRQ_TRY(create_runner(o, &contenders[c], &runners[c]));
    return SRQ_OK;
}

static void destroy_runners(runner *runners)
{
    for (int c = 0; c < CONTENDERS; c++) {
        srq_step_timer_destroy(&runners[c].timer);
        srq_config_destroy(&runners[c].config);
    }
}

/* Steps for some time, at least one; the mean of each figure. */
static srq_status run_steps(runner *r, int round, double seconds)
{
    srq_step_times sum = {0}, times;
    long steps = 0;
    while (steps == 0 || sum.step < seconds) {
        SRQ_TRY(srq_step_timer_run(r->timer, &times));
        sum.step += times.step;
        sum.quantizers += times.quantizers;
        steps++;
    }
    r->step[round] = sum.step / (double)steps;
    r->share[round] = sum.quantizers / sum.step;
    return SRQ_OK;
}

static srq_status time_steps(const bench_options *o, srq_progress *progress, runner *runners)
{
    for (int c = 0; c < CONTENDERS; c++)
        if (contenders[c].in_step) SRQ_TRY(run_steps(&runners[c], 0, 0)); /* to touch memory and caches */
    for (int round = 0; round < ROUNDS; round++)
        for (int c = 0; c < CONTENDERS; c++) {
            if (!contenders[c].in_step) continue;
            srq_progress_update(progress, "training steps, round %d of %d: %s", round + 1, ROUNDS, contenders[c].label);
            SRQ_TRY(run_steps(&runners[c], round, o->seconds / ROUNDS));
        }
    return SRQ_OK;
}

static void print_steps(const runner *runners)
{
    const srq_settings *s = srq_config_settings(runners[0].config);
    printf("\nA training step of %s on one core, %d/%d bits, batch of %d in %d shards\n\n%-15s  %8s %-16s  %8s  %s\n",
           s->model.name, STEP_BITS, STEP_BITS, s->train.batch, s->train.shards, "method", "ms", "[least..most]",
           "images/s", "in quantizers");
    for (int c = 0; c < CONTENDERS; c++) {
        if (!contenders[c].in_step) continue;
        char range[48];
        const summary step = summarize(runners[c].step), share = summarize(runners[c].share);
        snprintf(range, sizeof range, "[%.4g..%.4g]", 1e3 * step.least, 1e3 * step.most);
        printf("%-15s  %8.4g %-16s  %8.0f  %5.1f %% [%.1f..%.1f]\n", contenders[c].label, 1e3 * step.median, range,
               s->train.batch / step.median, 100 * share.median, 100 * share.least, 100 * share.most);
    }
}

static void print_steps_json(const runner *runners)
{
    const srq_settings *s = srq_config_settings(runners[0].config);
    const char *separator = "";
    char name[160];
    printf(",\n \"step\": {\"model\": %s, \"weight_bits\": %d, \"activation_bits\": %d, \"batch\": %d, \"shards\": %d, "
           "\"methods\": [",
           srq_json_quote(s->model.name, name, sizeof name), STEP_BITS, STEP_BITS, s->train.batch, s->train.shards);
    for (int c = 0; c < CONTENDERS; c++) {
        if (!contenders[c].in_step) continue;
        const summary step = summarize(runners[c].step), share = summarize(runners[c].share);
        printf("%s\n  {\"method\": \"%s\", \"estimator\": \"%s\", \"dropbits\": %s, \"seconds\": %.6g, \"least\": "
               "%.6g, \"most\": %.6g, "
               "\"images_per_second\": %.6g, \"quantizer_share\": %.6g}",
               separator, contenders[c].method, contenders[c].estimator, contenders[c].dropbits ? "true" : "false",
               step.median, step.least, step.most, s->train.batch / step.median, share.median);
        separator = ",";
    }
    printf("]}");
}

static srq_status bench_steps(const bench_options *o, runner *runners)
{
    srq_progress *progress = srq_progress_create(stderr);
    srq_status status = time_steps(o, progress, runners);
    srq_progress_destroy(&progress);
    if (status == SRQ_OK && o->json) print_steps_json(runners);
    if (status == SRQ_OK && !o->json) print_steps(runners);
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
        return usage("no option is called ", word);
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
    runner runners[CONTENDERS] = {0};
    SRQ_TRY(parse(argc, argv, &o));
    const bool steps = !o.model || strcmp(o.model, "none") != 0;
    srq_status status = steps ? create_runners(&o, runners) : SRQ_OK;
    if (status == SRQ_OK) status = bench_quantizers(&o);
    fflush(stdout);
    if (status == SRQ_OK && steps) status = bench_steps(&o, runners);
    if (status == SRQ_OK && o.json) printf("}\n");
    destroy_runners(runners);
    return status;
}

srq_status srq_command_bench(srq_comm *comm, int argc, char **argv)
{
    if (argc < 2)
        return srq_fail(SRQ_ERROR_USAGE,
                        "bench: what to time is missing; usage: srq bench quantizer|step|allreduce ...");
    if (strcmp(argv[1], "step") == 0) return srq_bench_step(comm, argc - 1, argv + 1);
    if (strcmp(argv[1], "allreduce") == 0) return srq_bench_allreduce(comm, argc - 1, argv + 1);
    if (strcmp(argv[1], "quantizer") != 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "bench: there is nothing to time called %s; usage: srq bench quantizer|step|allreduce ...",
                        argv[1]);
    return srq_comm_rank(comm) == 0 ? bench_quantizer_command(argc - 1, argv + 1) : SRQ_OK;
}
