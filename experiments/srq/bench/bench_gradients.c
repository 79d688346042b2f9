/* srq bench gradients: how far the gradients of the engines that round them are from those of float32, in the state of
 * a checkpoint and on a shard of its training images. Every draw is a step of another number, so it has other noise.
 * The forward passes are equal, so all differences come from the backward pass. */
#include "core/finish.h"
#include "core/kernels/engine.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/numbers.h"
#include "experiments/srq/options.h"
#include "experiments/srq/train/batches.h"
#include "experiments/srq/train/evaluate.h"
#include "io/checkpoint.h"
#include "io/escape.h"
#include "io/h5.h"
#include "io/progress.h"
#include "io/run_place.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENGINES = 2 };
static const char *const engines[ENGINES] = {"mixed", "integer"};

typedef struct gradients_options {
    bool json;
    const char *source, *data;
    char checkpoint[4200];
    long draws;
} gradients_options;

/* A network with one engine. */
typedef struct side {
    srq_graph *graph; /* NULL: this CPU or build lacks the engine */
    srq_finish *finish;
    double *slots;
    float *gradient;
    /* [numbers of the vector]: sums over draws of the differences from float32 */
    double *sum;
    /* [parameters]: sums over draws of squared differences, of cosines */
    double *squares, *cosines;
} side;

typedef struct bench {
    const gradients_options *options;
    const srq_settings *settings;
    srq_h5_reader *reader;
    srq_config *config;
    srq_dataset *dataset;
    srq_batches batches;
    srq_progress_point point;
    int n; /* images of the shard */
    int32_t *labels;
    side exact, sides[ENGINES];
    double *norms; /* [parameters]: sums over draws of squares of float32's gradient */
} bench;

/* --- Building */

static srq_status build_side(bench *b, const char *engine, side *s)
{
    const srq_graph_options options = {.capacity = srq_batches_capacity(&b->batches), .engine = engine};
    if (!srq_kernels_find(engine)) return SRQ_OK;
    SRQ_TRY(srq_checkpoint_make_graph(b->reader, b->config, &options, &s->graph));
    SRQ_TRY(srq_checkpoint_load(b->reader, s->graph, NULL, &b->point, NULL));
    SRQ_TRY(srq_finish_create(s->graph, SIZE_MAX, &s->finish));
    const size_t size = srq_graph_size(s->graph), bytes = (size * sizeof(float) + 63) / 64 * 64;
    const size_t count = (size_t)srq_graph_parameter_count(s->graph);
    s->slots = calloc(srq_finish_slot_count(s->finish) + 1, sizeof *s->slots);
    s->gradient = aligned_alloc(64, bytes ? bytes : 64);
    s->sum = calloc(size, sizeof *s->sum);
    s->squares = calloc(count, sizeof *s->squares);
    s->cosines = calloc(count, sizeof *s->cosines);
    const bool complete = s->slots && s->gradient && s->sum && s->squares && s->cosines;
    return complete ? SRQ_OK : srq_fail_memory(size * sizeof *s->sum, "the gradients");
}

static srq_status build(bench *b)
{
    const gradients_options *o = b->options;
    const char *file = o->data ? o->data : b->settings->data.file;
    const int batch = b->settings->train.batch, shards = b->settings->train.shards;
    SRQ_TRY(srq_dataset_load(file, SRQ_LOAD_TRAIN, &b->dataset));
    SRQ_TRY(srq_batches_create(b->dataset, b->settings, batch, shards, &b->batches));
    SRQ_TRY(build_side(b, "float32", &b->exact));
    SRQ_TRY(srq_check_data_fits(b->exact.graph, b->dataset, file));
    srq_batches_set_statistics(&b->batches, b->exact.graph);
    SRQ_TRY(srq_batches_start(&b->batches, 0, 1, 1, 1));
    for (int e = 0; e < ENGINES; e++) SRQ_TRY(build_side(b, engines[e], &b->sides[e]));
    b->labels = calloc((size_t)srq_batches_capacity(&b->batches), sizeof *b->labels);
    b->norms = calloc((size_t)srq_graph_parameter_count(b->exact.graph), sizeof *b->norms);
    return b->labels && b->norms ? SRQ_OK : srq_fail_memory(0, "the labels");
}

static void destroy_side(side *s)
{
    srq_finish_destroy(&s->finish);
    srq_graph_destroy(&s->graph);
    free(s->slots);
    free(s->gradient);
    free(s->sum);
    free(s->squares);
    free(s->cosines);
}

static void destroy(bench *b)
{
    destroy_side(&b->exact);
    for (int e = 0; e < ENGINES; e++) destroy_side(&b->sides[e]);
    srq_batches_destroy(&b->batches);
    srq_dataset_destroy(&b->dataset);
    srq_config_destroy(&b->config);
    srq_h5_reader_close(&b->reader);
    free(b->labels);
    free(b->norms);
}

/* --- Running */

static srq_status compute(bench *b, side *s, long draw)
{
    srq_metrics metrics;
    const srq_step step = {.seed = (uint64_t)b->settings->train.seed, .number = b->point.step + draw};
    const size_t features =
        (size_t)b->settings->model.height * (size_t)b->settings->model.width * (size_t)b->settings->model.channels;
    if (s != &b->exact)
        memcpy(srq_graph_input(s->graph), srq_graph_input(b->exact.graph), (size_t)b->n * features * sizeof(float));
    SRQ_TRY(srq_graph_begin_step(s->graph, &step));
    const int bad = srq_graph_train(s->graph, 0, b->n, b->labels, b->n, s->gradient, &metrics);
    if (bad >= 0)
        return srq_fail(SRQ_ERROR_RUN, "%s: layer \"%s\" produces an infinity or NaN; take another checkpoint",
                        b->options->checkpoint, srq_graph_layer(s->graph, bad)->spec->name);
    srq_finish_unpack(s->finish, 0, 0, s->gradient);
    srq_finish_run(s->finish, s->gradient, 0, 0, 1, s->slots);
    srq_finish_collect(s->finish, s->slots, s->gradient);
    return SRQ_OK;
}

/* Adds one draw's differences of parameter p. */
static void compare(const bench *b, side *s, int p)
{
    const srq_parameter *q = srq_graph_parameter(b->exact.graph, p);
    double squares = 0, product = 0, own = 0, norm = 0;
    for (size_t i = q->offset; i < q->offset + q->count; i++) {
        const double x = (double)s->gradient[i], y = (double)b->exact.gradient[i];
        s->sum[i] += x - y;
        squares += (x - y) * (x - y);
        product += x * y;
        own += x * x;
        norm += y * y;
    }
    s->squares[p] += squares;
    s->cosines[p] += own > 0 && norm > 0 ? product / sqrt(own * norm) : own == norm;
}

static void add_norms(bench *b)
{
    for (int p = 0; p < srq_graph_parameter_count(b->exact.graph); p++) {
        const srq_parameter *q = srq_graph_parameter(b->exact.graph, p);
        for (size_t i = q->offset; i < q->offset + q->count; i++)
            b->norms[p] += (double)b->exact.gradient[i] * (double)b->exact.gradient[i];
    }
}

static srq_status run(bench *b)
{
    b->n = srq_batches_fill(&b->batches, 0, 0, b->exact.graph, 0, b->labels);
    SRQ_TRY(srq_batches_status(&b->batches));
    for (long draw = 0; draw < b->options->draws; draw++) {
        SRQ_TRY(compute(b, &b->exact, draw));
        add_norms(b);
        for (int e = 0; e < ENGINES; e++) {
            side *s = &b->sides[e];
            if (!s->graph) continue;
            SRQ_TRY(compute(b, s, draw));
            for (int p = 0; p < srq_graph_parameter_count(s->graph); p++) compare(b, s, p);
        }
    }
    return SRQ_OK;
}

/* --- Printing */

/* What is known of one parameter and engine, relative to the norm of float32's gradient. */
typedef struct quality {
    double cosine, noise; /* of one draw: mean cosine; root mean square of the difference */
    double bias;          /* the norm of the mean difference ... */
    double expected;      /* ... and what noise alone leaves of it, without a bias */
} quality;

static quality quality_of(const bench *b, const side *s, int p)
{
    const srq_parameter *q = srq_graph_parameter(s->graph, p);
    const double draws = (double)b->options->draws, norm = b->norms[p] > 0 ? b->norms[p] : 1;
    double bias = 0;
    for (size_t i = q->offset; i < q->offset + q->count; i++) bias += s->sum[i] * s->sum[i];
    return (quality){.cosine = s->cosines[p] / draws,
                     .noise = sqrt(s->squares[p] / norm),
                     .bias = sqrt(bias / draws / norm),
                     .expected = sqrt(s->squares[p] / draws / norm)};
}

static bool is_shown(const srq_parameter *q)
{
    return q->kind == SRQ_PARAMETER_WEIGHT;
}

static void print_text(const bench *b)
{
    srq_say("Gradients of %d images at step %ld of %s against float32, %ld draws. Relative to the norm of float32's:\n"
            "noise of one draw; bias, the mean of all draws; and the bias that noise alone leaves on average.\n\n"
            "  %-32s %-8s  %9s  %9s  %9s  %9s\n",
            b->n, b->point.step, b->options->checkpoint, b->options->draws, "weights", "engine", "cosine", "noise",
            "bias", "by noise");
    for (int p = 0; p < srq_graph_parameter_count(b->exact.graph); p++) {
        const srq_parameter *parameter = srq_graph_parameter(b->exact.graph, p);
        for (int e = 0; e < ENGINES && is_shown(parameter); e++) {
            if (!b->sides[e].graph) continue;
            const quality q = quality_of(b, &b->sides[e], p);
            srq_say("  %-32s %-8s  %9.6f  %9.2e  %9.2e  %9.2e\n", parameter->name, engines[e], q.cosine, q.noise,
                    q.bias, q.expected);
        }
    }
}

static void print_json(const bench *b)
{
    char quoted[8500];
    const char *separator = "";
    srq_say("{\"checkpoint\": %s, \"step\": %ld, \"images\": %d, \"draws\": %ld,\n \"gradients\": [",
            srq_json_quote(b->options->checkpoint, quoted, sizeof quoted), b->point.step, b->n, b->options->draws);
    for (int p = 0; p < srq_graph_parameter_count(b->exact.graph); p++) {
        const srq_parameter *parameter = srq_graph_parameter(b->exact.graph, p);
        for (int e = 0; e < ENGINES && is_shown(parameter); e++) {
            if (!b->sides[e].graph) continue;
            const quality q = quality_of(b, &b->sides[e], p);
            srq_say("%s\n  {\"parameter\": %s, \"engine\": \"%s\", \"cosine\": %.9g, \"noise\": %.6g, \"bias\": %.6g, "
                    "\"bias_by_noise\": %.6g}",
                    separator, srq_json_quote(parameter->name, quoted, sizeof quoted), engines[e], q.cosine, q.noise,
                    q.bias, q.expected);
            separator = ",";
        }
    }
    srq_say("]}\n");
}

/* --- The command */

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "bench: %s%s; usage: srq bench gradients RUN|FILE.h5 [--draws N] [--data FILE] [--json]", what,
                    word);
}

static srq_status parse(int argc, char **argv, gradients_options *o)
{
    char hint[SRQ_HINT_SIZE];
    for (int i = 1; i < argc; i++) {
        const bool draws = strcmp(argv[i], "--draws") == 0, data = strcmp(argv[i], "--data") == 0;
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (draws || data) {
            if (i + 1 == argc) return usage("a value is missing after ", argv[i]);
            i++;
            if (data) o->data = argv[i];
            if (draws && !srq_parse_whole(argv[i], 1, 1000000, &o->draws))
                return usage("--draws must be 1 to 1000000, but is ", argv[i]);
        } else if (argv[i][0] == '-') {
            return usage("no option is called ", srq_option_hint("bench", argv[i], hint, sizeof hint));
        } else if (o->source) {
            return usage("one checkpoint is expected, but a second one is given: ", argv[i]);
        } else {
            o->source = argv[i];
        }
    }
    if (!o->source) return usage("no run or checkpoint is named", "");
    return srq_run_place(o->source, o->checkpoint, sizeof o->checkpoint);
}

srq_status srq_bench_gradients(int argc, char **argv)
{
    gradients_options o = {.draws = 100};
    SRQ_TRY(parse(argc, argv, &o));
    bench b = {.options = &o};
    srq_status status = srq_checkpoint_open(o.checkpoint, &b.reader);
    if (status == SRQ_OK) status = srq_checkpoint_config(b.reader, &b.config);
    if (status == SRQ_OK) {
        b.settings = srq_config_settings(b.config);
        status = build(&b);
    }
    if (status == SRQ_OK) status = run(&b);
    if (status == SRQ_OK) o.json ? print_json(&b) : print_text(&b);
    destroy(&b);
    return status;
}
