/* srq predict: what a trained network says of images. */
#include "experiments/srq/commands.h"
#include "experiments/srq/options.h"
#include "experiments/srq/train/predict_inputs.h"
#include "experiments/srq/train/predict_network.h"
#include "experiments/srq/train/predict_print.h"
#include "experiments/srq/train/restore.h"
#include "io/escape.h"
#include "io/progress.h"
#include "io/run_place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct predict_options {
    const char *source, *data, *split; /* as given */
    char checkpoint[4200];
    int top;
    bool logits, csv, json;
    int count;
    char **inputs;
    bool of_split; /* the input is a data set */
} predict_options;

/* --- The command line */

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "predict: %s%s; usage: srq predict CHECKPOINT IMAGE|FOLDER... [--data FILE], or srq predict "
                    "CHECKPOINT DATA.h5 [--split test|train|validation], each with [--top K] [--logits] [--csv | "
                    "--json]",
                    what, word);
}

static srq_status unknown(const char *word)
{
    char hint[SRQ_HINT_SIZE];
    return usage("no option is called ", srq_option_hint("predict", word, hint, sizeof hint));
}

static srq_status parse_top(const char *value, predict_options *options)
{
    char *end;
    errno = 0;
    const long top = strtol(value, &end, 10);
    if (errno || end == value || *end || top < 1 || top > 1000000)
        return usage("--top takes a number of classes from 1 on, but here is ", value);
    options->top = (int)top;
    return SRQ_OK;
}

static srq_status parse_value(const char *word, const char *value, predict_options *options)
{
    if (!value) return usage("a value is missing after ", word);
    if (strcmp(word, "--data") == 0) options->data = value;
    if (strcmp(word, "--split") == 0) options->split = value;
    if (strcmp(word, "--top") == 0) SRQ_TRY(parse_top(value, options));
    return SRQ_OK;
}

static srq_status parse_words(int argc, char **argv, predict_options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--data") == 0 || strcmp(word, "--split") == 0 || strcmp(word, "--top") == 0)
            SRQ_TRY(parse_value(word, ++i < argc ? argv[i] : NULL, options));
        else if (strcmp(word, "--logits") == 0)
            options->logits = true;
        else if (strcmp(word, "--csv") == 0)
            options->csv = true;
        else if (strcmp(word, "--json") == 0)
            options->json = true;
        else if (word[0] == '-' && word[1])
            return unknown(word);
        else if (!options->source)
            options->source = word;
        else
            options->inputs[options->count++] = argv[i];
    }
    return SRQ_OK;
}

static srq_status check_split(const predict_options *options)
{
    static const char *const splits[] = {"test", "train", "validation"};
    if (!options->split) return SRQ_OK;
    if (!options->of_split) return usage("--split needs a data set (DATA.h5), but here is ", options->inputs[0]);
    for (int i = 0; i < 3; i++)
        if (strcmp(options->split, splits[i]) == 0) return SRQ_OK;
    return usage("--split takes test, train or validation, but here is ", options->split);
}

static srq_status parse(int argc, char **argv, predict_options *options)
{
    options->top = 1;
    options->inputs = calloc((size_t)argc, sizeof *options->inputs);
    if (!options->inputs) return srq_fail_memory((size_t)argc * sizeof *options->inputs, "the command line");
    SRQ_TRY(parse_words(argc, argv, options));
    if (!options->source) return usage("no checkpoint is named", "");
    if (!options->count) return usage("no image, folder or data set is named after ", options->source);
    if (options->csv && options->json) return usage("--csv and --json exclude each other", "");
    for (int i = 0; i < options->count; i++) {
        if (!options->inputs[i][0]) return usage("the name of an image is empty", "");
        if (!srq_predict_is_dataset(options->inputs[i])) continue;
        if (options->count > 1) return usage("a data set is to be the only input: ", options->inputs[i]);
        options->of_split = true;
    }
    if (options->of_split && options->data)
        return usage("--data names the data set of single images; the input is one itself: ", options->inputs[0]);
    SRQ_TRY(check_split(options));
    return srq_run_place(options->source, options->checkpoint, sizeof options->checkpoint);
}

/* --- Everything that prediction needs */

typedef struct predictor {
    const predict_options *options;
    srq_predict_network network;
    srq_dataset *dataset; /* of the input, or of the names of classes */
    srq_predict_inputs inputs;
    srq_view view;
    srq_view_bench bench;
    srq_predict_printer printer;
    srq_progress *progress;
    long good, bad, wrong;
} predictor;

/* NULL if a deployed network needs none. */
static const char *data_of(const predictor *p)
{
    const predict_options *o = p->options;
    if (o->of_split) return o->inputs[0];
    if (o->data) return o->data;
    return p->network.deployed ? NULL : p->network.settings->data.file;
}

/* Of the data set that was trained on, images need only the names of classes. */
static srq_status load_dataset(predictor *p)
{
    const predict_options *o = p->options;
    const bool test = !o->split || strcmp(o->split, "test") == 0;
    const unsigned which = !o->of_split ? 0 : test ? SRQ_LOAD_TEST : SRQ_LOAD_TRAIN;
    const srq_status status = srq_predict_network_data(&p->network, data_of(p), which, &p->dataset);
    if (status != SRQ_OK && !o->of_split && !o->data && !p->dataset)
        return srq_fail(status,
                        "%s (the data set that the checkpoint names, which has the names of classes; use --data FILE "
                        "to name another)",
                        srq_message());
    SRQ_TRY(status);
    if (o->of_split || p->dataset->channels == 1 || p->dataset->channels == SRQ_IMAGE_CHANNELS) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: its images have %d channels; JPEG and PNG images can be predicted with 1 (grey) or 3 (RGB); "
                    "name a data set as the input",
                    data_of(p) ? data_of(p) : o->checkpoint, p->dataset->channels);
}

static int longest_name(const predictor *p)
{
    char text[64];
    int width = srq_text_width("image");
    for (long i = 0; i < p->inputs.count; i++) {
        const int columns = srq_text_width(srq_predict_name(&p->inputs, i, text, sizeof text));
        if (columns > width) width = columns;
    }
    return width;
}

static void set_printer(predictor *p)
{
    const predict_options *o = p->options;
    const int classes = p->dataset->classes;
    p->printer = (srq_predict_printer){.form = o->json  ? SRQ_PREDICT_JSON
                                               : o->csv ? SRQ_PREDICT_CSV
                                                        : SRQ_PREDICT_TABLE,
                                       .out = stdout,
                                       .classes = classes,
                                       .top = o->top < classes ? o->top : classes,
                                       .labels = o->of_split,
                                       .logits = o->logits,
                                       .name_width = longest_name(p),
                                       .names = p->dataset->class_names,
                                       .checkpoint = o->checkpoint,
                                       .step = p->network.step,
                                       .normalization = p->network.normalization,
                                       .data = data_of(p) ? data_of(p) : ""};
}

/* The memory of a network is proportional to the images in a pass: gigabytes for 64 images of 224 x 224 pixels. */
static int capacity_for(const predictor *p)
{
    if (p->options->of_split || p->inputs.count > SRQ_RESTORE_CAPACITY) return SRQ_RESTORE_CAPACITY;
    return p->inputs.count ? (int)p->inputs.count : 1;
}

static srq_status build(predictor *p)
{
    const predict_options *o = p->options;
    const char *split = o->split ? o->split : "test";
    if (!o->of_split) SRQ_TRY(srq_predict_list(o->count, o->inputs, &p->inputs));
    SRQ_TRY(srq_predict_network_open(o->checkpoint, capacity_for(p), &p->network));
    SRQ_TRY(load_dataset(p));
    if (o->of_split) SRQ_TRY(srq_predict_list_split(p->dataset, p->network.settings, split, &p->inputs));
    SRQ_TRY(srq_predict_network_view(&p->network, p->dataset, &p->view));
    SRQ_TRY(srq_view_bench_create(&p->view, &p->bench));
    set_printer(p);
    return SRQ_OK;
}

static void destroy(predictor *p)
{
    srq_progress_destroy(&p->progress);
    srq_view_bench_destroy(&p->bench);
    srq_view_destroy(&p->view);
    srq_predict_inputs_free(&p->inputs);
    srq_dataset_destroy(&p->dataset);
    srq_predict_network_close(&p->network);
}

/* --- Prediction */

/* A group of images: those that could be read are in the input of the graph. */
typedef struct group {
    int count, good;
    long first;
    char *problems[SRQ_RESTORE_CAPACITY]; /* NULL for good images */
} group;

static srq_status fill(predictor *p, long first, group *g)
{
    const size_t features = (size_t)p->view.height * (size_t)p->view.width * (size_t)p->view.channels;
    *g = (group){.first = first};
    while (g->count < p->network.capacity && first + g->count < p->inputs.count) {
        float *to = srq_predict_network_input(&p->network) + (size_t)g->good * features;
        const srq_status status = srq_predict_make(&p->inputs, &p->view, &p->bench, first + g->count, to);
        if (status != SRQ_OK && status != SRQ_ERROR_DATA) return status;
        if (status == SRQ_OK)
            g->good++;
        else if (!(g->problems[g->count] = strdup(srq_message())))
            return srq_fail_memory(SRQ_MESSAGE_SIZE, "a message");
        g->count++;
    }
    return SRQ_OK;
}

static void print_group(predictor *p, const group *g, const float *logits)
{
    const int classes = p->printer.classes;
    for (int i = 0; i < g->count; i++) {
        char text[64];
        const srq_prediction x = {.image = srq_predict_name(&p->inputs, g->first + i, text, sizeof text),
                                  .label = srq_predict_label(&p->inputs, g->first + i),
                                  .logits = logits,
                                  .problem = g->problems[i]};
        srq_predict_print(&p->printer, &x);
        p->bad += x.problem != NULL;
        if (x.problem) continue;
        p->good++;
        p->wrong += x.label >= 0 && srq_predict_best(logits, classes) != x.label;
        logits += classes;
    }
}

static srq_status run_group(predictor *p, long first, group *g)
{
    const float *logits = NULL;
    SRQ_TRY(fill(p, first, g));
    if (g->good) SRQ_TRY(srq_predict_network_run(&p->network, g->good, &logits));
    print_group(p, g, logits);
    return SRQ_OK;
}

static void show_progress(predictor *p, long done, double since)
{
    char some[32], all[32], left[32];
    const double seconds = srq_seconds() - since;
    srq_progress_update(p->progress, "%s of %s images  %s left", srq_grouped(done, some, sizeof some),
                        srq_grouped(p->inputs.count, all, sizeof all),
                        srq_duration(seconds / (double)done * (double)(p->inputs.count - done), left, sizeof left));
}

static srq_status predict_all(predictor *p)
{
    srq_status status = srq_predict_print_begin(&p->printer);
    const double since = srq_seconds();
    for (long first = 0; status == SRQ_OK && first < p->inputs.count; first += p->network.capacity) {
        group g = {0};
        status = run_group(p, first, &g);
        for (int i = 0; i < g.count; i++) free(g.problems[i]);
        if (status == SRQ_OK) show_progress(p, first + g.count, since);
    }
    srq_progress_destroy(&p->progress);
    srq_predict_print_end(&p->printer, p->wrong, p->good);
    return status;
}

static srq_status predict(const predict_options *options)
{
    predictor p = {.options = options};
    srq_status status = build(&p);
    /* A table on a terminal shows by itself how far it has come. */
    if (status == SRQ_OK && !isatty(STDOUT_FILENO)) p.progress = srq_progress_create(stderr);
    if (status == SRQ_OK && p.inputs.left_out)
        srq_say_to(stderr, "srq: note: %ld other file%s in the folders %s no .jpg, .jpeg or .png\n", p.inputs.left_out,
                   srq_plural(p.inputs.left_out), p.inputs.left_out == 1 ? "is" : "are");
    if (status == SRQ_OK) status = predict_all(&p);
    const long count = p.good + p.bad;
    if (status == SRQ_OK && p.bad)
        status = srq_fail(SRQ_ERROR_DATA,
                          "predict: %ld of %ld images could not be read (named above); replace them or leave them out",
                          p.bad, count);
    destroy(&p);
    return status;
}

srq_status srq_command_predict(int argc, char **argv)
{
    predict_options options = {0};
    srq_status status = parse(argc, argv, &options);
    if (status == SRQ_OK) status = predict(&options);
    free(options.inputs);
    return status;
}
