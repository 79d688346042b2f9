/* srq eval: test error and loss of a checkpoint, or of the weights with which a configuration starts. */
#include "experiments/srq/commands.h"
#include "experiments/srq/inspect/tensors.h"
#include "experiments/srq/options.h"
#include "experiments/srq/train/eval_deployed.h"
#include "experiments/srq/train/evaluate.h"
#include "experiments/srq/train/fresh.h"
#include "experiments/srq/train/node_checks.h"
#include "experiments/srq/train/restore.h"
#include "experiments/srq/train/say_classes.h"
#include "experiments/srq/train/threads.h"
#include "io/checkpoint.h"
#include "io/deployed.h"
#include "io/escape.h"
#include "io/input_statistics.h"
#include "io/run_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct eval_options {
    const char *source; /* as given */
    char checkpoint[4200];
    bool of_config; /* the source is a configuration */
    const char *data;
    bool trained; /* not the average of train.average, but the weights of training */
    bool json, classes;
    int threads; /* 0: as many as cores */
    int set_count;
    const char **sets;
} eval_options;

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "eval: %s%s; usage: srq eval CHECKPOINT [--data FILE] [--trained] [--classes] [--threads N] "
                    "[--json], or srq eval CONFIG.cfg [--set path=value]... [--classes] [--threads N] [--json]",
                    what, word);
}

static srq_status unknown(const char *word)
{
    char hint[SRQ_HINT_SIZE];
    return usage("no option is called ", srq_option_hint("eval", word, hint, sizeof hint));
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), part = strlen(end);
    return length >= part && strcmp(text + length - part, end) == 0;
}

static srq_status parse_word(const char *word, const char *value, eval_options *options, bool *takes_value)
{
    *takes_value = strcmp(word, "--data") == 0 || strcmp(word, "--set") == 0 || strcmp(word, "--threads") == 0;
    if (*takes_value && !value) return usage("a value is missing after ", word);
    if (strcmp(word, "--data") == 0)
        options->data = value;
    else if (strcmp(word, "--set") == 0)
        options->sets[options->set_count++] = value;
    else if (strcmp(word, "--threads") == 0)
        SRQ_TRY(srq_threads_parse("eval", value, &options->threads));
    else if (strcmp(word, "--json") == 0)
        options->json = true;
    else if (strcmp(word, "--trained") == 0)
        options->trained = true;
    else if (strcmp(word, "--classes") == 0)
        options->classes = true;
    else if (word[0] == '-')
        return unknown(word);
    else if (options->source)
        return usage("one checkpoint is expected, but a second one is given: ", word);
    else
        options->source = word;
    return SRQ_OK;
}

static srq_status parse(int argc, char **argv, eval_options *options)
{
    options->sets = calloc((size_t)argc, sizeof *options->sets);
    if (!options->sets) return srq_fail_memory((size_t)argc * sizeof *options->sets, "the command line");
    for (int i = 1; i < argc; i++) {
        bool takes_value;
        SRQ_TRY(parse_word(argv[i], i + 1 < argc ? argv[i + 1] : NULL, options, &takes_value));
        i += takes_value;
    }
    if (!options->source) return usage("no checkpoint or configuration is named", "");
    struct stat info;
    const bool is_folder = stat(options->source, &info) == 0 && S_ISDIR(info.st_mode);
    options->of_config =
        ends_with(options->source, ".cfg") || (options->set_count && !is_folder && !ends_with(options->source, ".h5"));
    if (options->set_count && !options->of_config)
        return usage("--set needs a configuration (CONFIG.cfg); a checkpoint has its own settings: ", options->source);
    if (options->data && options->of_config)
        return usage("for a configuration, use --set data.file=FILE in place of --data ", options->data);
    if (options->trained && options->of_config)
        return usage("--trained is for a checkpoint, but this is a configuration: ", options->source);
    if (options->of_config) return SRQ_OK;
    return srq_run_place(options->source, options->checkpoint, sizeof options->checkpoint);
}

/* Everything that evaluation needs; each rank has its own. */
typedef struct evaluation {
    const srq_config *config;
    const srq_settings *settings;
    const eval_options *options;
    bool root;
    srq_h5_reader *reader; /* of a checkpoint */
    srq_dataset *dataset;
    srq_batches batches;
    srq_threads threads;
    srq_graph *graph;
    srq_progress_point point;  /* of a checkpoint */
    int32_t *labels;           /* of a configuration */
    srq_tally tally;           /* with --classes */
    srq_class_results results; /* likewise; rank 0 */
} evaluation;

static srq_status build_from_checkpoint(evaluation *e, srq_isa isa)
{
    const eval_options *o = e->options;
    const char *file = o->data ? o->data : e->settings->data.file;
    SRQ_TRY(srq_restore(e->reader, e->config, isa, SRQ_RESTORE_CAPACITY, e->threads.workers, &e->graph, &e->point));
    if (o->trained) SRQ_TRY(srq_checkpoint_load_trained(e->reader, e->graph));
    srq_status status = srq_dataset_load(file, SRQ_LOAD_TEST, &e->dataset);
    if (status != SRQ_OK && !o->data)
        return srq_fail(status, "%s (the data set that the checkpoint names; use --data FILE to name another)",
                        srq_message());
    SRQ_TRY(status);
    SRQ_TRY(srq_check_data_fits(e->graph, e->dataset, file));
    SRQ_TRY(srq_batches_create(e->dataset, e->settings, SRQ_RESTORE_CAPACITY, 1, &e->batches));
    srq_batches_set_statistics(&e->batches, e->graph);
    if (e->root)
        srq_input_statistics_note(o->checkpoint, e->point.data_sha256, e->settings, e->graph, e->dataset, stderr);
    return srq_batches_start(&e->batches, 0, 0, e->threads.count, srq_graph_lanes(e->graph));
}

/* The same state, and the same sums, as at step 0 of `srq train`. */
static srq_status build_from_config(evaluation *e, srq_isa isa)
{
    const srq_settings *s = e->settings;
    SRQ_TRY(srq_dataset_load(s->data.file, SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &e->dataset));
    SRQ_TRY(srq_batches_create(e->dataset, s, s->train.batch, s->train.shards, &e->batches));
    const int capacity = srq_batches_capacity(&e->batches);
    const srq_graph_options graph = {.capacity = capacity,
                                     .slices = s->train.slices,
                                     .workers = e->threads.workers,
                                     .engine = s->train.engine,
                                     .isa = &isa};
    SRQ_TRY(srq_graph_create(&s->model, &graph, &e->graph));
    SRQ_TRY(srq_check_data_fits(e->graph, e->dataset, s->data.file));
    SRQ_TRY(srq_batches_start(&e->batches, 0, 0, e->threads.count, srq_graph_lanes(e->graph)));
    e->labels = calloc((size_t)capacity, sizeof *e->labels);
    if (!e->labels) return srq_fail_memory((size_t)capacity * sizeof *e->labels, "the labels");
    if (e->root && strcmp(s->train.init, "random") == 0)
        srq_say_to(stderr,
                   "srq: note: train.init is \"random\", so these are untrained weights; to evaluate a run, name "
                   "its folder\n");
    return srq_fresh_start(s, e->graph, &e->batches, e->labels, e->root ? stderr : NULL);
}

static srq_status build(evaluation *e, srq_isa isa)
{
    SRQ_TRY(e->options->of_config ? build_from_config(e, isa) : build_from_checkpoint(e, isa));
    if (e->options->classes) SRQ_TRY(srq_tally_create(srq_graph_classes(e->graph), &e->tally));
    return srq_graph_prepare(e->graph);
}

/* A run with validation images reports the test error of its best checkpoint. */
static void say_rule(const srq_progress_point *point)
{
    const srq_best *best = &point->best;
    if (best->found && best->step == point->step)
        srq_say("of the checkpoint with the lowest validation error, %.2f %% at step %ld\n", 100 * best->error,
                best->step);
    else if (best->found)
        srq_say("of the checkpoint of step %ld; the lowest validation error until then, %.2f %%, has that of step %ld "
                "(best.h5), which is the one to report\n",
                point->step, 100 * best->error, best->step);
}

/* Where the data set has other statistics than the network, which keeps those of its training. */
static void say_statistics(const evaluation *e)
{
    const size_t bytes = (size_t)e->dataset->channels * sizeof(float);
    const float *mean = srq_graph_mean(e->graph), *std = srq_graph_std(e->graph);
    if (strcmp(srq_input_statistics_source(e->settings, e->graph), "network") != 0) return;
    if (memcmp(mean, e->dataset->mean, bytes) != 0 || memcmp(std, e->dataset->std, bytes) != 0)
        srq_say("with the mean and standard deviation of the network's training images, not of these\n");
}

static void print_json(const evaluation *e, const srq_metrics *m)
{
    char path[8500], number[SRQ_JSON_NUMBER];
    const eval_options *o = e->options;
    if (o->classes) srq_say("{\"format\": \"srq-classes\",\n \"version\": 1,\n");
    srq_say("%s\"%s\": %s,\n", o->classes ? " " : "{", o->of_config ? "config" : "checkpoint",
            srq_json_quote(o->of_config ? o->source : o->checkpoint, path, sizeof path));
    if (!o->of_config && e->settings->train.average > 0)
        srq_say(" \"values\": \"%s\",\n", o->trained ? "trained" : "average");
    srq_say(" \"step\": %ld,\n", o->of_config ? 0 : e->point.step);
    srq_say(" \"data\": %s,\n", srq_json_quote(o->data ? o->data : e->settings->data.file, path, sizeof path));
    srq_say(" \"data_sha256\": %s,\n", srq_json_quote(e->dataset->checksum, path, sizeof path));
    srq_say(" \"normalization\": \"%s\",\n", srq_input_statistics_source(e->settings, e->graph));
    srq_say(" \"test_error\": %s,\n", srq_json_number(1 - (double)m->correct / (double)m->count, number));
    srq_say(" \"test_loss\": %s,\n", srq_json_number(m->loss / (double)m->count, number));
    srq_say(" \"test_wrong\": %ld,\n \"test_count\": %ld%s", m->count - m->correct, m->count,
            o->classes ? ",\n " : "}\n");
    if (!o->classes) return;
    srq_class_results_print_json(&e->results, stdout);
    srq_say("}\n");
}

static void print(const evaluation *e, const srq_metrics *m)
{
    if (e->options->json) {
        print_json(e, m);
        return;
    }
    srq_say("test error %.2f %% (%ld of %ld), loss %.4f\n", 100.0 * (double)(m->count - m->correct) / (double)m->count,
            m->count - m->correct, m->count, m->loss / (double)m->count);
    if (!e->options->of_config) say_rule(&e->point);
    say_statistics(e);
    if (!e->options->of_config && e->settings->train.average > 0)
        srq_say(e->options->trained ? "of the weights of training, not of their average (train.average)\n"
                                    : "of the average of the weights (train.average)\n");
    if (e->options->classes) srq_say_classes(&e->results);
}

static srq_status evaluate(srq_comm *comm, const srq_config *config, const eval_options *options, srq_h5_reader *reader)
{
    const srq_settings *settings = srq_config_settings(config);
    evaluation e = {
        .config = config, .settings = settings, .options = options, .root = srq_comm_rank(comm) == 0, .reader = reader};
    srq_tally *tally = options->classes ? &e.tally : NULL;
    srq_metrics m;
    srq_isa isa;
    srq_status status = srq_nodes_settle_isa(comm, settings->train.isa, &isa);
    /* A checkpoint is evaluated with the instruction set of its training if all CPUs here have it. */
    if (status != SRQ_OK && !options->of_config) status = srq_nodes_settle_isa(comm, "auto", &isa);
    SRQ_TRY(status);
    SRQ_TRY(srq_threads_create(comm, options->threads, &e.threads));
    status = srq_comm_agree(comm, build(&e, isa));
    if (status == SRQ_OK) status = srq_evaluate(comm, e.graph, &e.batches, SRQ_PART_TEST, tally, &m);
    if (status == SRQ_OK && tally && e.root)
        status = srq_tally_results(tally, e.dataset, options->of_config ? 0 : e.point.step, &e.results);
    if (tally) status = srq_comm_agree(comm, status);
    if (status == SRQ_OK && e.root) print(&e, &m);
    srq_class_results_free(&e.results);
    srq_tally_free(&e.tally);
    srq_batches_destroy(&e.batches);
    srq_dataset_destroy(&e.dataset);
    srq_graph_destroy(&e.graph);
    srq_threads_destroy(&e.threads);
    free(e.labels);
    return status;
}

srq_status srq_command_eval(srq_comm *comm, int argc, char **argv)
{
    eval_options options = {0};
    srq_config *config = NULL;
    srq_h5_reader *reader = NULL;
    bool deployed = false;
    srq_status status = parse(argc, argv, &options);
    if (status == SRQ_OK && !options.of_config) status = srq_checkpoint_open(options.checkpoint, &reader);
    if (status == SRQ_OK && srq_comm_rank(comm) == 0)
        status = options.of_config ? srq_config_load(options.source, options.set_count, options.sets, &config)
                                   : srq_checkpoint_config(reader, &config);
    if (status == SRQ_ERROR_DATA && srq_comm_rank(comm) == 0)
        deployed = !options.of_config && srq_deployed_is(options.checkpoint);
    srq_comm_share(comm, &deployed, sizeof deployed);
    if (deployed) {
        srq_h5_reader_close(&reader);
        free(options.sets);
        return srq_eval_deployed(comm, options.checkpoint, options.data, options.threads, options.classes,
                                 options.json);
    }
    status = srq_share_config(comm, status, &config);
    if (status == SRQ_OK) status = evaluate(comm, config, &options, reader);
    srq_h5_reader_close(&reader);
    srq_config_destroy(&config);
    free(options.sets);
    return status;
}
