/* srq bench step: measures whole training steps on random images, on all ranks, with their time by operator and their
 * memory. */
#include "core/ops/op.h"
#include "core/ops/weighted.h"
#include "core/quant/methods.h"
#include "core/random.h"
#include "dist/tree.h"
#include "experiments/srq/bench/step_limits.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/numbers.h"
#include "experiments/srq/options.h"
#include "experiments/srq/train/stepper.h"
#include "experiments/srq/train/threads.h"
#include "io/escape.h"
#include "io/progress.h"
#include "io/run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { ROUNDS = 5 };

typedef struct step_options {
    bool json, layers, late, coarse;
    const char *model, *engine, *method, *estimator;
    int batch, shards, slices, bits, threads;
    double seconds, bucket_mb;
} step_options;

typedef struct bench {
    srq_comm *comm;
    const step_options *options;
    srq_config *config;
    srq_threads threads;
    srq_graph *graph;
    srq_optimizer *optimizer;
    srq_stepper stepper;
    float *images; /* images of this rank's shards, one shard after another */
    int32_t *labels;
    long steps;
    double since;                 /* when the last layer was done, without the time of the stepper since then */
    double stepper_inside;        /* the stepper's time in backward passes until then */
    double (*phases)[SRQ_PHASES]; /* [layers]: seconds on this rank since the first round */
    double rounds[ROUNDS];        /* seconds of a step */
    double parts[SRQ_STEP_PARTS]; /* seconds of a step on this rank */
    double resident;              /* bytes, sum over ranks */
} bench;

/* --- Building */

static srq_status read_config(const step_options *o, srq_config **config)
{
    char quoted[4200], text[8400];
    snprintf(text, sizeof text,
             "model = %s; data = { file = \"none\"; }; train = { batch = %d; shards = %d; engine = \"%s\"; };"
             "quantizer = { method = \"%s\"; estimator = \"%s\"; weight_bits = %d; activation_bits = %d; };",
             o->model ? srq_json_quote(o->model, quoted, sizeof quoted) : srq_lenet5, o->batch, o->shards, o->engine,
             o->method, o->estimator, o->bits, o->bits);
    return srq_config_parse(text, o->model ? "bench step" : "the built-in model", config);
}

static int shard_capacity(const step_options *o)
{
    return (o->batch + o->shards - 1) / o->shards;
}

static int shard_start(const step_options *o, long shard)
{
    return (int)((long)o->batch * shard / o->shards);
}

/* Uniform pixels and labels, which are functions of the image. */
static void draw(bench *b, int first, int last, size_t features)
{
    const uint32_t classes = (uint32_t)srq_graph_classes(b->graph);
    uint32_t r[4];
    for (int image = first; image < last; image++) {
        float *x = b->images + (size_t)(image - first) * features;
        for (size_t i = 0; i < features; i++) {
            if (i % 4 == 0) srq_random(1, SRQ_RANDOM_TEST, (uint32_t)image, i / 4, r);
            x[i] = (float)(r[i % 4] >> 8) * 0x1p-23f - 1;
        }
        srq_random(2, SRQ_RANDOM_TEST, 0, (uint64_t)image, r);
        b->labels[image - first] = (int32_t)(r[0] % classes);
    }
}

static void layer_done(void *context, const srq_layer *layer, srq_phase phase)
{
    bench *b = context;
    const double now = srq_seconds();
    const double inside = b->stepper.seconds[SRQ_STEP_SUM] + b->stepper.seconds[SRQ_STEP_UNPACK];
    b->phases[layer->index][phase] += now - b->since - (inside - b->stepper_inside);
    b->since = now;
    b->stepper_inside = inside;
}

static srq_status build(bench *b)
{
    const step_options *o = b->options;
    SRQ_TRY(read_config(o, &b->config));
    const srq_settings *s = srq_config_settings(b->config);
    long first, last;
    srq_tree_range(o->shards, srq_comm_size(b->comm), srq_comm_rank(b->comm), &first, &last);
    const srq_graph_options options = {.capacity = shard_capacity(o),
                                       .slices = o->slices,
                                       .workers = b->threads.workers,
                                       .lanes = (int)(last - first),
                                       .engine = o->engine,
                                       .observer = {.done = layer_done, .context = b}};
    const srq_optimizer_options rates = {.method = SRQ_SGD,
                                         .learning_rate = 1e-9,
                                         .alpha_learning_rate = 1e-9,
                                         .sigma_learning_rate = 1e-9,
                                         .gate_learning_rate = 1e-9,
                                         .momentum = 0.9,
                                         .weight_decay = 1e-4,
                                         .in_parts = srq_comm_size(b->comm) > 1};
    b->phases = calloc((size_t)s->model.layer_count, sizeof *b->phases);
    if (!b->phases) return srq_fail_memory(0, "the times of layers");
    SRQ_TRY(srq_graph_create(&s->model, &options, &b->graph));
    return srq_optimizer_create(b->graph, &rates, &b->optimizer);
}

static srq_status start(bench *b)
{
    const step_options *o = b->options;
    const srq_model_spec *m = srq_graph_spec(b->graph);
    const size_t features = (size_t)m->height * (size_t)m->width * (size_t)m->channels;
    long first, last;
    srq_stepper_range(&b->stepper, &first, &last);
    const int begin = shard_start(o, first), end = shard_start(o, last), capacity = shard_capacity(o);
    const size_t count = (size_t)(end - begin > capacity ? end - begin : capacity);
    b->images = calloc(count * features, sizeof *b->images);
    b->labels = calloc(count, sizeof *b->labels);
    if (!b->images || !b->labels) return srq_fail_memory(count * features * sizeof *b->images, "the images of a step");
    srq_graph_initialize(b->graph, 1, SRQ_GAIN_HE);
    /* Step sizes are initialized from the same images on every rank. */
    const int n = shard_start(o, 1);
    draw(b, 0, n, features);
    srq_graph_set_images(b->graph, 0, n, b->images);
    SRQ_TRY(srq_graph_start(b->graph, n));
    draw(b, begin, end, features);
    return SRQ_OK;
}

static void destroy(bench *b)
{
    srq_stepper_destroy(&b->stepper);
    srq_optimizer_destroy(&b->optimizer);
    srq_graph_destroy(&b->graph);
    srq_threads_destroy(&b->threads);
    srq_config_destroy(&b->config);
    free(b->images);
    free(b->labels);
    free(b->phases);
}

/* --- Running */

static int fill(void *context, long shard, int lane, int32_t *labels, bool *stop)
{
    bench *b = context;
    const step_options *o = b->options;
    const srq_model_spec *m = srq_graph_spec(b->graph);
    const size_t features = (size_t)m->height * (size_t)m->width * (size_t)m->channels;
    long first, last;
    srq_stepper_range(&b->stepper, &first, &last);
    const int at = shard_start(o, shard) - shard_start(o, first), n = shard_start(o, shard + 1) - shard_start(o, shard);
    srq_graph_set_images(b->graph, lane, n, b->images + (size_t)at * features);
    memcpy(labels, b->labels + at, (size_t)n * sizeof *labels);
    if (lane == 0) b->since = srq_seconds();
    *stop = false;
    return n;
}

static srq_status one_step(bench *b)
{
    const step_options *o = b->options;
    const srq_step step = {.seed = 1, .number = b->steps++};
    const srq_stepper_source source = {.fill = fill, .context = b, .batch = o->batch};
    int bad;
    b->since = srq_seconds();
    SRQ_TRY(srq_graph_begin_step(b->graph, &step));
    srq_stepper_run(&b->stepper, &source);
    srq_stepper_sum(&b->stepper, &bad);
    if (bad >= 0)
        return srq_fail(SRQ_ERROR_RUN,
                        "the gradient of %s holds an infinity or NaN on random images; try another model",
                        srq_graph_parameter(b->graph, bad)->name);
    srq_stepper_update(&b->stepper, 1);
    return SRQ_OK;
}

/* This rank's part of the resident memory: what n processes share counts as an n-th. If the system does not say, its
 * largest resident size. */
static double resident_size(void)
{
    char line[128];
    double kilobytes = 0;
    struct rusage usage;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) found = sscanf(line, "Pss: %lf kB", &kilobytes) == 1;
    if (file) fclose(file);
    getrusage(RUSAGE_SELF, &usage);
    return 1024 * (found ? kilobytes : (double)usage.ru_maxrss);
}

static srq_status run(bench *b)
{
    for (int i = 0; i < 2; i++) SRQ_TRY(one_step(b)); /* to touch memory and caches */
    double since = srq_seconds();
    SRQ_TRY(one_step(b));
    double once = srq_seconds() - since;
    srq_comm_share(b->comm, &once, sizeof once); /* the number of steps is the same on every rank */
    const long steps = (long)fmax(1, b->options->seconds / ROUNDS / once);
    memset(b->phases, 0, (size_t)srq_graph_layer_count(b->graph) * sizeof *b->phases);
    memset(b->stepper.seconds, 0, sizeof b->stepper.seconds);
    b->stepper_inside = 0;
    for (int r = 0; r < ROUNDS; r++) {
        since = srq_seconds();
        for (long i = 0; i < steps; i++) SRQ_TRY(one_step(b));
        b->rounds[r] = (srq_seconds() - since) / (double)steps;
    }
    const double all = (double)(steps * ROUNDS);
    for (int i = 0; i < srq_graph_layer_count(b->graph); i++)
        for (int p = 0; p < SRQ_PHASES; p++) b->phases[i][p] /= all;
    for (int p = 0; p < SRQ_STEP_PARTS; p++) b->parts[p] = b->stepper.seconds[p] / all;
    srq_comm_barrier(b->comm); /* while all ranks have all of their memory */
    b->resident = resident_size();
    srq_comm_barrier(b->comm);
    srq_comm_sum(b->comm, &b->resident, 1);
    return SRQ_OK;
}

/* --- Printing */

/* The name of a chain: "bn1 relu1 act1". */
static void describe_layer(const bench *b, int index, char *text, size_t size)
{
    text[0] = '\0';
    for (int i = 0; i <= index; i++) {
        const srq_layer *l = srq_graph_layer(b->graph, i);
        if ((l->in_chain ? l->chain_end : i) != index) continue;
        const size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", used ? " " : "", l->spec->name);
    }
}

/* The images of a step whose times the first worker of this rank has. */
static double timed_images(const bench *b)
{
    long first, last;
    srq_stepper_range(&b->stepper, &first, &last);
    return (double)(shard_start(b->options, last) - shard_start(b->options, first)) / srq_graph_passes(b->graph);
}

static void print_phases(const char *name, const double *p, double step)
{
    double all = 0;
    for (int i = 0; i < SRQ_PHASES; i++) all += p[i];
    srq_say("  %-28.28s %9.3f %9.3f %9.3f %9.3f %9.3f  %5.1f %%\n", name, 1e3 * p[SRQ_PHASE_PREPARE],
            1e3 * p[SRQ_PHASE_FORWARD], 1e3 * (p[SRQ_PHASE_BACKWARD] + p[SRQ_PHASE_BACKWARD_DATA]),
            1e3 * p[SRQ_PHASE_BACKWARD_WEIGHTS], 1e3 * all, 100 * all / step);
}

/* Prints a line for the layers of an entry, if there are any. Returns their seconds. */
static double print_family(const bench *b, const char *family, double step)
{
    double sums[SRQ_PHASES] = {0}, all = 0;
    for (int i = 0; i < srq_graph_layer_count(b->graph); i++) {
        if (strcmp(srq_layer_family(srq_graph_layer(b->graph, i)), family) != 0) continue;
        for (int p = 0; p < SRQ_PHASES; p++) sums[p] += b->phases[i][p];
    }
    for (int p = 0; p < SRQ_PHASES; p++) all += sums[p];
    if (all > 0) print_phases(family, sums, step);
    return all;
}

static void print_times(const bench *b, double step)
{
    static const char *const parts[] = {"sum over own shards",   "unpack gradients", "sum over ranks",
                                        "quantizers of weights", "optimizer",        "gather weights"};
    srq_say("\n  ms of a step on rank 0         prepare   forward  backward  of weights      all  share\n");
    double known = 0;
    for (int i = 0; i < srq_op_count(); i++)
        if (srq_op_begins_family(i)) known += print_family(b, srq_op_family(srq_op_at(i)), step);
    known += print_family(b, srq_chain_family, step);
    for (int p = SRQ_STEP_SUM; p < SRQ_STEP_PARTS; p++) {
        srq_say("  %-28s %49.3f  %5.1f %%\n", parts[p - SRQ_STEP_SUM], 1e3 * b->parts[p], 100 * b->parts[p] / step);
        known += b->parts[p];
    }
    srq_say("  %-28s %49.3f  %5.1f %%\n", "loss and other", 1e3 * (step - known), 100 * (step - known) / step);
    if (!b->options->layers) return;
    srq_say("\n");
    for (int i = 0; i < srq_graph_layer_count(b->graph); i++) {
        char name[256];
        const srq_layer *l = srq_graph_layer(b->graph, i);
        if (l->in_chain) continue;
        describe_layer(b, i, name, sizeof name);
        print_phases(name, b->phases[i], step);
    }
}

static void print_memory_line(const char *what, double bytes)
{
    char text[32];
    srq_say("  %-44s %10s\n", what, srq_size(bytes, text, sizeof text));
}

static void print_memory(const bench *b)
{
    const srq_graph_memory m = srq_graph_count_memory(b->graph);
    const double vector = (double)srq_graph_size(b->graph) * sizeof(float);
    srq_say("\nMemory of a rank\n");
    print_memory_line("weights and other parameters, float32", (double)m.parameters);
    print_memory_line("weights as codes and in kernel order", (double)m.packed);
    print_memory_line("gradients and their sums", (double)srq_reduce_memory(b->stepper.reduce));
    print_memory_line("optimizer", vector * srq_optimizer_state_count(b->optimizer));
    print_memory_line("activations and their gradients", (double)m.passes);
    print_memory_line("scratch", (double)m.scratch);
    print_memory_line("resident size, sum over ranks", b->resident);
    if (srq_comm_size(b->comm) == 1) return;
    char sent[32];
    srq_say("\nRank 0 sends %s per step to the others, in %d buckets.\n",
            srq_size((double)srq_stepper_traffic(&b->stepper), sent, sizeof sent),
            srq_reduce_bucket_count(b->stepper.reduce));
}

static void print_json(const bench *b, const double *rounds, const srq_machine *machine)
{
    const step_options *o = b->options;
    const srq_graph_memory m = srq_graph_count_memory(b->graph);
    static const char *const parts[] = {"compute", "sum", "unpack", "exchange", "finish", "optimize", "join"};
    static const char *const phases[] = {"prepare", "forward", "backward", "backward_data", "backward_weights"};
    char name[256], quoted[600];
    srq_say(
        "{\"model\": %s, \"engine\": \"%s\", \"isa\": \"%s\", \"method\": \"%s\", \"estimator\": \"%s\", \"bits\": %d, "
        "\"batch\": %d, \"shards\": %d, \"ranks\": %d,\n \"images_per_second\": %.6g, \"seconds\": %.6g, "
        "\"least\": %.6g, \"most\": %.6g,\n \"parts\": {",
        srq_json_quote(srq_graph_spec(b->graph)->name, quoted, sizeof quoted), srq_graph_kernels(b->graph)->name,
        srq_graph_vector(b->graph)->isa, o->method, o->estimator, o->bits, o->batch, o->shards, srq_comm_size(b->comm),
        o->batch / rounds[ROUNDS / 2], rounds[ROUNDS / 2], rounds[0], rounds[ROUNDS - 1]);
    for (int p = 0; p < SRQ_STEP_PARTS; p++) srq_say("%s\"%s\": %.6g", p ? ", " : "", parts[p], b->parts[p]);
    srq_say("},\n \"memory_bandwidth\": %.6g, \"large_convolution\": {\"forward_codes\": %.6g, \"forward_f32\": %.6g, "
            "\"backward_codes\": %.6g, \"backward_f32\": %.6g}",
            machine->bandwidth, machine->codes.forward, machine->floats.forward, machine->codes.backward,
            machine->floats.backward);
    srq_say(",\n \"layers\": [");
    const char *separator = "";
    for (int i = 0; i < srq_graph_layer_count(b->graph); i++) {
        const srq_layer *l = srq_graph_layer(b->graph, i);
        if (l->in_chain) continue;
        describe_layer(b, i, name, sizeof name);
        srq_say("%s\n  {\"name\": %s, \"type\": \"%s\", \"macs\": %zu", separator,
                srq_json_quote(name, quoted, sizeof quoted), srq_layer_family(l), l->macs);
        if (l->weight >= 0)
            srq_say(", \"weights\": %zu, \"forward_in\": \"%s\", \"backward_in\": \"%s\"",
                    srq_graph_parameter(b->graph, l->weight)->count, srq_weighted_info(l)->forward,
                    srq_weighted_info(l)->backward);
        for (int p = 0; p < SRQ_PHASES; p++) srq_say(", \"%s\": %.6g", phases[p], b->phases[i][p]);
        srq_say(", \"bytes\": {");
        for (int p = SRQ_PHASE_FORWARD; p < SRQ_PHASES; p++)
            srq_say("%s\"%s\": %.0f", p > SRQ_PHASE_FORWARD ? ", " : "", phases[p],
                    srq_layer_bytes(l, (srq_phase)p) * timed_images(b));
        srq_say("}}");
        separator = ",";
    }
    srq_say("],\n \"memory\": {\"parameters\": %zu, \"packed\": %zu, \"gradients\": %zu, \"optimizer\": %zu, "
            "\"passes\": %zu, \"scratch\": %zu, \"resident_all_ranks\": %.0f},\n \"bytes_sent\": %zu, \"buckets\": "
            "%d}\n",
            m.parameters, m.packed, srq_reduce_memory(b->stepper.reduce),
            srq_graph_size(b->graph) * sizeof(float) * (size_t)srq_optimizer_state_count(b->optimizer), m.passes,
            m.scratch, b->resident, srq_stepper_traffic(&b->stepper), srq_reduce_bucket_count(b->stepper.reduce));
}

static srq_status print(const bench *b)
{
    const step_options *o = b->options;
    double rounds[ROUNDS];
    memcpy(rounds, b->rounds, sizeof rounds);
    qsort(rounds, ROUNDS, sizeof *rounds, srq_ascending);
    srq_machine machine;
    SRQ_TRY(srq_machine_measure(b->graph, &machine));
    if (o->json) {
        print_json(b, rounds, &machine);
        return SRQ_OK;
    }
    const double step = rounds[ROUNDS / 2];
    char slices[48] = "";
    if (o->slices > 1) snprintf(slices, sizeof slices, " of %d slices", o->slices);
    const bool estimates = srq_quantizer_reads(o->method, "quantizer.estimator");
    srq_say("A training step of %s, %s%s%s %d/%d, batch of %d in %d shards%s, %d rank%s x %d thread%s, %s (%s)\n\n",
            srq_graph_spec(b->graph)->name, o->method, estimates ? " " : "", estimates ? o->estimator : "", o->bits,
            o->bits, o->batch, o->shards, slices, srq_comm_size(b->comm), srq_plural(srq_comm_size(b->comm)),
            b->threads.count, srq_plural(b->threads.count), srq_graph_kernels(b->graph)->name,
            srq_graph_vector(b->graph)->isa);
    srq_say("%.1f images/s, %.4g ms per step [%.4g..%.4g]\n", o->batch / step, 1e3 * step, 1e3 * rounds[0],
            1e3 * rounds[ROUNDS - 1]);
    print_times(b, step);
    const srq_step_sample sample = {.graph = b->graph, .phases = b->phases, .images = timed_images(b)};
    srq_step_limits_print(&sample, &machine);
    print_memory(b);
    return SRQ_OK;
}

/* --- The command */

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "bench: %s%s; usage: srq bench step [--json] [--model FILE] [--batch N] [--shards V] [--slices S] "
                    "[--threads N] [--engine E] "
                    "[--method M] [--estimator full|argmax] [--bits B] [--bucket-mb B] [--wire float32|bfloat16] "
                    "[--no-overlap] [--seconds S] [--layers]",
                    what, word);
}

static srq_status unknown(const char *word)
{
    char hint[SRQ_HINT_SIZE];
    return usage("no option is called ", srq_option_hint("bench", word, hint, sizeof hint));
}

static srq_status parse_value(const char *word, const char *value, step_options *o)
{
    long number;
    if (strcmp(word, "--model") == 0) {
        o->model = value;
    } else if (strcmp(word, "--engine") == 0) {
        o->engine = value;
    } else if (strcmp(word, "--method") == 0) {
        o->method = value;
    } else if (strcmp(word, "--estimator") == 0) {
        o->estimator = value;
    } else if (strcmp(word, "--batch") == 0) {
        if (!srq_parse_whole(value, 1, 1000000, &number)) return usage("--batch must be 1 to 1000000, but is ", value);
        o->batch = (int)number;
    } else if (strcmp(word, "--shards") == 0) {
        if (!srq_parse_whole(value, 1, SRQ_SHARDS_MAX, &number))
            return usage("--shards must be 1 to 4096, but is ", value);
        o->shards = (int)number;
    } else if (strcmp(word, "--slices") == 0) {
        if (!srq_parse_whole(value, 1, SRQ_SLICES_MAX, &number))
            return usage("--slices must be 1 to 256, but is ", value);
        o->slices = (int)number;
    } else if (strcmp(word, "--threads") == 0) {
        SRQ_TRY(srq_threads_parse("bench", value, &o->threads));
    } else if (strcmp(word, "--bits") == 0) {
        if (!srq_parse_whole(value, 1, 8, &number)) return usage("--bits must be 1 to 8, but is ", value);
        o->bits = (int)number;
    } else if (strcmp(word, "--wire") == 0) {
        o->coarse = strcmp(value, "bfloat16") == 0;
        if (!o->coarse && strcmp(value, "float32") != 0)
            return usage("--wire must be float32 or bfloat16, but is ", value);
    } else if (strcmp(word, "--bucket-mb") == 0) {
        if (!srq_parse_number(value, 0, 1e6, &o->bucket_mb))
            return usage("--bucket-mb must be a number from 0 to 1000000, but is ", value);
    } else if (strcmp(word, "--seconds") == 0) {
        if (!srq_parse_number(value, 0, 3600, &o->seconds))
            return usage("--seconds must be a number from 0 to 3600, but is ", value);
    } else {
        return unknown(word);
    }
    return SRQ_OK;
}

static srq_status parse(int argc, char **argv, step_options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            o->json = true;
        } else if (strcmp(argv[i], "--layers") == 0) {
            o->layers = true;
        } else if (strcmp(argv[i], "--no-overlap") == 0) {
            o->late = true;
        } else if (argv[i][0] != '-') {
            return usage("this is not expected: ", argv[i]);
        } else if (i + 1 == argc) {
            return usage("a value is missing after ", argv[i]);
        } else {
            SRQ_TRY(parse_value(argv[i], argv[i + 1], o));
            i++;
        }
    }
    return SRQ_OK;
}

srq_status srq_bench_step(srq_comm *comm, int argc, char **argv)
{
    step_options o = {.engine = "auto",
                      .method = srq_quantizer_list(0)->name,
                      .estimator = "full",
                      .batch = 128,
                      .shards = 8,
                      .slices = 1,
                      .bits = 4,
                      .seconds = 5,
                      .bucket_mb = 4};
    SRQ_TRY(parse(argc, argv, &o));
    if (o.shards * o.slices > SRQ_SHARDS_MAX) return usage("--shards times --slices must be at most 4096", "");
    bench b = {.comm = comm, .options = &o};
    srq_status status = srq_threads_create(comm, o.threads, &b.threads);
    if (status == SRQ_OK) status = srq_comm_agree(comm, build(&b));
    const srq_stepper_options stepping = {.shards = o.shards,
                                          .capacity = shard_capacity(&o),
                                          .bucket_bytes = (size_t)(o.bucket_mb * 1e6),
                                          .late = o.late,
                                          .coarse = o.coarse};
    if (status == SRQ_OK) status = srq_stepper_create(comm, b.graph, b.optimizer, &stepping, &b.stepper);
    if (status == SRQ_OK) status = srq_comm_agree(comm, start(&b));
    if (status == SRQ_OK) status = srq_stepper_share_values(&b.stepper);
    if (status == SRQ_OK) status = srq_comm_agree(comm, run(&b));
    if (status == SRQ_OK && srq_comm_rank(comm) == 0) status = print(&b);
    destroy(&b);
    return status;
}
