/* srq inspect: shows the content of a checkpoint. */
#include "experiments/srq/commands.h"
#include "experiments/srq/inspect/inspect_deployed.h"
#include "experiments/srq/inspect/inspect_tensor.h"
#include "experiments/srq/inspect/learned_bits.h"
#include "experiments/srq/inspect/measure.h"
#include "experiments/srq/inspect/tensors.h"
#include "experiments/srq/options.h"
#include "io/checkpoint.h"
#include "io/deployed.h"
#include "io/escape.h"
#include "io/input_statistics.h"
#include "io/log.h"
#include "io/progress.h"
#include "io/run.h"
#include "io/run_list.h"
#include "io/run_place.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- The state of the run */

enum { CHECKPOINTS_SHOWN = 6 };

/* The state of a run directory, beside its newest checkpoint. */
typedef struct run_state {
    long *steps; /* steps of its checkpoints, oldest first */
    int count;
    srq_log *log; /* NULL if it cannot be read */
} run_state;

/* If the folder is not a run directory, opening its checkpoint fails later. */
static void read_run(const char *word, run_state *state)
{
    struct stat info;
    *state = (run_state){0};
    if (stat(word, &info) != 0 || !S_ISDIR(info.st_mode)) return;
    if (srq_log_create_of(word, &state->log) != SRQ_OK) state->log = NULL;
    if (srq_run_list_steps(word, &state->steps, &state->count) != SRQ_OK) state->count = 0;
}

static void free_run(run_state *state)
{
    srq_log_destroy(&state->log);
    free(state->steps);
    state->steps = NULL;
}

/* The index of the first checkpoint to show; only the newest are shown. */
static int first_shown(const run_state *state)
{
    return state->count > CHECKPOINTS_SHOWN ? state->count - CHECKPOINTS_SHOWN : 0;
}

static const char *state_name(const srq_log *log)
{
    static const char *const names[] = {"empty", "open", "finished", "stopped", "failed"};
    return names[log->state];
}

/* The checkpoint to inspect. */
typedef struct source {
    char path[4200]; /* path of the checkpoint */
    bool trained;    /* --trained: not the average of train.average, but the weights of training */
    run_state run;
} source;

static void print_run(const run_state *state, const srq_progress_point *point)
{
    const srq_log *log = state->log;
    if (log) {
        srq_say("run    %s", log->state == SRQ_LOG_OPEN ? "running or killed" : state_name(log));
        if (log->state == SRQ_LOG_FINISHED && strcmp(log->reason, "early-stop") == 0)
            srq_say(" early (train.patience)");
        if (log->state != SRQ_LOG_FINISHED && log->reason) srq_say(" (%.200s)", log->reason);
        if (point->total_steps > 0)
            srq_say("; checkpoint at %.1f %%", 100 * (double)point->step / (double)point->total_steps);
        if (log->last_step > point->step) srq_say(", log at step %ld", log->last_step);
        srq_say("\n");
        if (srq_log_check(log) != SRQ_OK) srq_say("log    %s\n", srq_message());
    }
    if (!state->count) return;
    srq_say("kept   checkpoints of step%s%s", state->count == 1 ? "" : "s", first_shown(state) ? " ..." : "");
    for (int i = first_shown(state); i < state->count; i++)
        srq_say("%s %ld", i > first_shown(state) ? "," : "", state->steps[i]);
    srq_say("\n");
}

/* --- The tables: as wide as their longest cells */

enum { COLUMNS_MAX = 8, CELL_SIZE = 72 };
typedef struct line {
    char cell[COLUMNS_MAX][CELL_SIZE];
} line;

typedef struct table {
    int columns, texts; /* the first `texts` columns are left-aligned */
    const char *titles[COLUMNS_MAX];
    bool (*fill)(const srq_graph *graph, const srq_layer_measures *m,
                 line *row); /* false: the layer is not in this table */
} table;

static void print_range(const srq_range *range, char *out)
{
    if (range->count > 1)
        snprintf(out, CELL_SIZE, "%.2g..%.2g", (double)range->min, (double)range->max);
    else if (range->count == 1)
        snprintf(out, CELL_SIZE, "%.4g", (double)range->min);
}

/* 460800 as "460.8 k" */
static char *print_count(double value, char *out, size_t size)
{
    static const char *const units[] = {"", " k", " M", " G", " T"};
    int unit = 0;
    for (; value >= 1000 && unit < 4; unit++) value /= 1000;
    snprintf(out, size, unit ? "%.4g%s" : "%.0f%s", value, units[unit]);
    return out;
}

static bool fill_layer(const srq_graph *graph, const srq_layer_measures *m, line *row)
{
    const srq_quantizer *q = &m->layer->quantizer;
    snprintf(row->cell[1], CELL_SIZE, "%s", m->layer->spec->type);
    srq_measures_shape(m, graph, row->cell[2], CELL_SIZE);
    if (m->weights)
        snprintf(row->cell[3], CELL_SIZE, "%d/%d", m->weight_bits, m->input_bits);
    else if (q->method)
        snprintf(row->cell[3], CELL_SIZE, "-/%d", q->bits);
    srq_size(m->bytes, row->cell[4], CELL_SIZE);
    if (m->weights) print_count((double)m->macs, row->cell[5], CELL_SIZE);
    if (m->weights) print_count(m->bops, row->cell[6], CELL_SIZE);
    return true;
}

static bool fill_quantizer(const srq_graph *graph, const srq_layer_measures *m, line *row)
{
    (void)graph;
    if (!m->layer->quantizer.method) return false;
    snprintf(row->cell[1], CELL_SIZE, "%s", m->layer->quantizer.method->name);
    print_range(&m->alpha, row->cell[2]);
    print_range(&m->sigma, row->cell[3]);
    if (m->codes) snprintf(row->cell[4], CELL_SIZE, "%d/%d", m->codes_used, m->codes);
    if (m->codes) snprintf(row->cell[5], CELL_SIZE, "%.1f %%", 100 * m->zeros);
    if (m->codes) snprintf(row->cell[6], CELL_SIZE, "%.3g", m->error);
    return true;
}

/* core/mask.h */
static bool fill_mask(const srq_graph *graph, const srq_layer_measures *m, line *row)
{
    (void)graph;
    if (!m->layer->mask) return false;
    srq_grouped((long)m->weights, row->cell[1], CELL_SIZE);
    srq_grouped((long)m->kept, row->cell[2], CELL_SIZE);
    snprintf(row->cell[3], CELL_SIZE, "%.2f %%", 100 * (1 - (double)m->kept / (double)m->weights));
    return true;
}

static const table layers_table = {7, 3, {"layer", "type", "shape", "W/A", "size", "MACs", "BOPs"}, fill_layer};
static const table quantizers_table = {
    7, 2, {"quantizer", "method", "alpha", "sigma", "codes", "zeros", "error"}, fill_quantizer};

static const table masks_table = {4, 1, {"mask", "weights", "kept", "masked"}, fill_mask};

static void print_line(const table *t, const line *row, const int *widths)
{
    for (int c = 0; c < t->columns; c++)
        srq_say(c < t->texts ? "%s%-*s" : "%s%*s", c ? "  " : "", widths[c], row->cell[c]);
    srq_say("\n");
}

static srq_status print_rows(const table *t, const srq_graph *graph, const srq_measures *m)
{
    int widths[COLUMNS_MAX] = {0}, count = 1;
    line *rows = calloc((size_t)m->count + 1, sizeof *rows);
    if (!rows) return srq_fail_memory((size_t)m->count * sizeof *rows, "the table");
    for (int c = 0; c < t->columns; c++) snprintf(rows[0].cell[c], CELL_SIZE, "%s", t->titles[c]);
    for (int i = 0; i < m->count; i++) {
        line *row = &rows[count];
        for (int c = 1; c < t->columns; c++) snprintf(row->cell[c], CELL_SIZE, "-");
        snprintf(row->cell[0], CELL_SIZE, "%s", m->layers[i].layer->spec->name);
        count += t->fill(graph, &m->layers[i], row);
    }
    for (int i = 0; i < count; i++)
        for (int c = 0; c < t->columns; c++)
            if ((int)strlen(rows[i].cell[c]) > widths[c]) widths[c] = (int)strlen(rows[i].cell[c]);
    if (count > 1) srq_say("\n");
    for (int i = 0; count > 1 && i < count; i++) print_line(t, &rows[i], widths);
    free(rows);
    return SRQ_OK;
}

static void print_totals(const srq_measures *m)
{
    char text[32], full[32];
    srq_say("\nsize   %s", srq_size(m->bytes, text, sizeof text));
    if (m->bytes < m->float32_bytes)
        srq_say(", %.1f times smaller than float32 (%s)", m->float32_bytes / m->bytes,
                srq_size(m->float32_bytes, full, sizeof full));
    srq_say("\nmean   %s weights of %.3g bits, %.1f %% of them zero\n",
            srq_grouped((long)m->weights, text, sizeof text), m->mean_bits, 100 * m->zeros);
    if (m->masked)
        srq_say("masks  keep %s weights, %.4g %%\n", srq_grouped((long)m->kept, text, sizeof text),
                100 * (double)m->kept / (double)m->weights);
    srq_say("BOPs   %s an image", print_count(m->bops, text, sizeof text));
    if (m->bops < m->float32_bops)
        srq_say(", %.3g %% of float32, %.3g %% of 8/8 bits", 100 * m->bops / m->float32_bops,
                100 * m->bops / m->w8a8_bops);
    srq_say("\nMACs   %s an image\n", print_count((double)m->macs, text, sizeof text));
}

static int longest_name(const srq_graph *graph)
{
    size_t longest = 0;
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const size_t length = strlen(srq_graph_layer(graph, i)->spec->name);
        if (length > longest) longest = length;
    }
    return (int)longest;
}

/* What evaluation has, what is expected in training, and the target. */
static void print_learned(const srq_learned_bits *bits)
{
    char text[96], reached[64];
    if (!bits->learns) return;
    srq_say("bits   %s\n", srq_learned_bits_say(bits, text, sizeof text));
    if (bits->has_target)
        srq_say("target %s, reached %s\n", srq_learned_bits_measure(bits, bits->wanted, text, sizeof text),
                srq_learned_bits_measure(bits, bits->reached, reached, sizeof reached));
    if (bits->has_target && !bits->meets) srq_say("       warning: this is not the target\n");
    if (!bits->settled) srq_say("       warning: the gates have not settled: training and evaluation differ\n");
}

/* The probability of each level, with DropBits. */
static void print_gates(const srq_graph *graph, const srq_measures *m)
{
    const char *title = "\ngates  probability that each level is open (bits count those above one half)\n";
    for (int i = 0; i < m->count; i++) {
        const srq_layer_measures *layer = &m->layers[i];
        if (!layer->gates) continue;
        fputs(title, stdout);
        title = "";
        srq_say("       %-*s", longest_name(graph), layer->layer->spec->name);
        for (int c = 0; c < layer->gates; c++)
            srq_say("  %d: %.3f", layer->layer->quantizer.spec.min_bits + 1 + c, layer->open[c]);
        srq_say("\n");
    }
}

/* The changes of one layer. There may be very many, so only the last ones are shown. */
static void print_changes(const srq_bits_history *history, int layer, int changes, int indent)
{
    enum { SHOWN = 12, SCREEN = 79 };
    int column = indent, seen = 0;
    for (int k = 0; k < history->count; k++) {
        char text[48];
        if (history->changes[k].layer != layer || seen++ < changes - SHOWN) continue;
        const int length =
            snprintf(text, sizeof text, "  %d from step %ld", history->changes[k].bits, history->changes[k].step);
        if (column + length > SCREEN) srq_say("\n%*s", indent, "");
        column = column + length > SCREEN ? indent + length : column + length;
        srq_say("%s", text);
    }
    srq_say("\n");
}

/* Bit-lengths over training, for layers with more than one. */
static void print_history(const srq_graph *graph, const srq_bits_history *history)
{
    const char *title = "\nbits   over training\n";
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        int changes = 0;
        for (int k = 0; k < history->count; k++) changes += history->changes[k].layer == i;
        if (changes < 2) continue;
        fputs(title, stdout);
        title = "";
        srq_say("       %-*s", longest_name(graph), srq_graph_layer(graph, i)->spec->name);
        print_changes(history, i, changes, 7 + longest_name(graph));
    }
}

/* The rule by which a checkpoint is the best one, and what the run's test error is of. */
static void print_validation(const source *from, const srq_progress_point *point)
{
    const srq_log *log = from->run.log;
    if (point->validated)
        srq_say("valid  error %.2f %%, loss %.4g nats over %ld image%s\n", 100 * point->validation_error,
                point->validation_loss, point->validation_count, srq_plural(point->validation_count));
    if (point->best.found && point->best.step == point->step)
        srq_say("best   this checkpoint has the lowest validation error so far\n");
    else if (point->best.found)
        srq_say(
            "best   checkpoint of step %ld: the lowest validation error, %.2f %% (best.h5); %ld evaluation%s since\n",
            point->best.step, 100 * point->best.error, point->best.since, srq_plural(point->best.since));
    if (log && log->tested && !point->evaluated)
        srq_say("test   error %.2f %%, loss %.4g nats, of best.h5 (step %ld)\n", 100 * log->test.error, log->test.loss,
                log->best_step);
}

static void print_channels(const char *title, const float *x, int channels)
{
    enum { SHOWN = 3 };
    srq_say("%s", title);
    for (int c = 0; c < channels && c < SHOWN; c++) srq_say("%s%.4g", c ? ", " : " ", (double)x[c]);
    if (channels > SHOWN) srq_say(", ...");
}

/* What the network reads of pixels. */
static void print_input(const srq_settings *s, const srq_graph *graph)
{
    const char *whose = srq_input_statistics_source(s, graph);
    if (strcmp(whose, "none") == 0) srq_say("input  pixel / 255\n");
    if (strcmp(whose, "data") == 0)
        srq_say("input  (pixel / 255 - mean) / std of the data set; none are in this checkpoint\n");
    if (strcmp(whose, "network") != 0) return;
    srq_say("input  (pixel / 255 - mean) / std of the training images:\n");
    print_channels("       mean", srq_graph_mean(graph), s->model.channels);
    print_channels("  std", srq_graph_std(graph), s->model.channels);
    srq_say("\n");
}

static void print_head(const source *from, const srq_config *config, const srq_progress_point *point,
                       const srq_graph *graph)
{
    const srq_settings *s = srq_config_settings(config);
    char size[32];
    struct stat info;
    srq_say("%s, %s, step %ld of %ld", s->model.name, s->quantizer.method, point->step, point->total_steps);
    if (point->validated) srq_say(", validation error %.2f %%", 100 * point->validation_error);
    if (point->evaluated) srq_say(", test error %.2f %%", 100 * point->test_error);
    srq_say("\n\nfile   %s", from->path);
    if (stat(from->path, &info) == 0) srq_say(", %s", srq_size((double)info.st_size, size, sizeof size));
    srq_say("\n");
    if (point->evaluated)
        srq_say("test   error %.2f %%, loss %.4g nats over %ld image%s\n", 100 * point->test_error, point->test_loss,
                point->test_count, srq_plural(point->test_count));
    print_validation(from, point);
    if (s->train.average > 0)
        srq_say(from->trained ? "values of training, not their average (train.average = %g), which evaluations have\n"
                              : "values averaged over steps (train.average = %g); --trained shows those of training\n",
                s->train.average);
    print_input(s, graph);
    print_run(&from->run, point);
}

static srq_status print_table(const source *from, const srq_config *config, const srq_progress_point *point,
                              const srq_graph *graph, const srq_measures *m, const srq_learned_bits *bits,
                              const srq_bits_history *history)
{
    print_head(from, config, point, graph);
    SRQ_TRY(print_rows(&layers_table, graph, m));
    SRQ_TRY(print_rows(&quantizers_table, graph, m));
    SRQ_TRY(print_rows(&masks_table, graph, m));
    print_gates(graph, m);
    print_totals(m);
    print_learned(bits);
    print_history(graph, history);
    return SRQ_OK;
}

/* --- JSON */

static void print_run_json(const run_state *state)
{
    char reason[1200];
    if (!state->log) return;
    srq_say(
        " \"run\": {\"state\": \"%s\", \"reason\": %s, \"last_step\": %ld, \"checkpoints\": [", state_name(state->log),
        state->log->reason ? srq_json_quote(state->log->reason, reason, sizeof reason) : "null", state->log->last_step);
    for (int i = 0; i < state->count; i++) srq_say("%s%ld", i ? ", " : "", state->steps[i]);
    srq_say("]},\n");
}

static void json_channels(const char *name, const float *x, int channels)
{
    char number[SRQ_JSON_NUMBER];
    srq_say(" \"%s\": [", name);
    for (int c = 0; c < channels; c++) srq_say("%s%s", c ? ", " : "", srq_json_float((double)x[c], number));
    srq_say("],\n");
}

static void print_json(const source *from, const srq_config *config, const srq_progress_point *point,
                       const srq_graph *graph, const srq_measures *m, const srq_learned_bits *bits,
                       const srq_bits_history *history)
{
    const srq_settings *s = srq_config_settings(config);
    char name[160], path[4600], error[SRQ_JSON_NUMBER], loss[SRQ_JSON_NUMBER], learned[320];
    srq_say("{\"file\": %s,\n \"model\": %s, \"method\": \"%s\", \"step\": %ld, \"total_steps\": %ld,\n",
            srq_json_quote(from->path, path, sizeof path), srq_json_quote(s->model.name, name, sizeof name),
            s->quantizer.method, point->step, point->total_steps);
    if (point->evaluated)
        srq_say(" \"test_error\": %s, \"test_loss\": %s, \"test_count\": %ld,\n",
                srq_json_number(point->test_error, error), srq_json_number(point->test_loss, loss), point->test_count);
    if (point->validated)
        srq_say(" \"validation_error\": %s, \"validation_loss\": %s, \"validation_count\": %ld,\n",
                srq_json_number(point->validation_error, error), srq_json_number(point->validation_loss, loss),
                point->validation_count);
    if (point->best.found)
        srq_say(" \"best\": {\"step\": %ld, \"validation_error\": %s, \"validation_loss\": %s, \"since\": %ld},\n",
                point->best.step, srq_json_number(point->best.error, error), srq_json_number(point->best.loss, loss),
                point->best.since);
    if (s->train.average > 0)
        srq_say(" \"average\": %s, \"values\": \"%s\",\n", srq_json_number(s->train.average, loss),
                from->trained ? "trained" : "average");
    srq_say(" \"data_sha256\": %s,\n", srq_json_quote(point->data_sha256, name, sizeof name));
    srq_say(" \"normalization\": \"%s\",\n", srq_input_statistics_source(s, graph));
    if (srq_graph_mean(graph)) json_channels("mean", srq_graph_mean(graph), s->model.channels);
    if (srq_graph_mean(graph)) json_channels("std", srq_graph_std(graph), s->model.channels);
    if (bits->learns)
        srq_say(" \"penalty\": %s, %s\"settled\": %s,\n", srq_json_number(point->penalty, loss),
                srq_learned_bits_json(bits, learned, sizeof learned), bits->settled ? "true" : "false");
    print_run_json(&from->run);
    srq_say(" ");
    srq_measures_print_json(m, "\n    ", stdout);
    srq_say(",\n \"bits_history\": [");
    for (int i = 0; i < history->count; i++)
        srq_say("%s{\"step\": %ld, \"layer\": %s, \"bits\": %d}", i ? ", " : "", history->changes[i].step,
                srq_json_quote(srq_graph_layer(graph, history->changes[i].layer)->spec->name, name, sizeof name),
                history->changes[i].bits);
    srq_say("]}\n");
}

static srq_status show(const source *from, const srq_config *config, const srq_progress_point *point,
                       const srq_graph *graph, const srq_bits_history *history, bool json)
{
    srq_measures *m = NULL;
    SRQ_TRY(srq_measures_create(graph, &m));
    const srq_settings *s = srq_config_settings(config);
    const long epoch = from->run.log ? from->run.log->steps_per_epoch : 0;
    const srq_learned_bits bits =
        srq_learned_bits_of(s, graph, srq_bits_are_held(s, point->step, point->total_steps, epoch));
    srq_status status = SRQ_OK;
    if (json)
        print_json(from, config, point, graph, m, &bits, history);
    else
        status = print_table(from, config, point, graph, m, &bits, history);
    srq_measures_destroy(&m);
    return status;
}

static srq_status inspect(const source *from, bool json)
{
    srq_h5_reader *reader = NULL;
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    srq_progress_point point;
    srq_bits_history history = {0};
    SRQ_TRY(srq_checkpoint_open(from->path, &reader));
    const srq_graph_options options = {.capacity = 1};
    srq_status status = srq_checkpoint_config(reader, &config);
    if (status == SRQ_OK) status = srq_checkpoint_make_graph(reader, config, &options, &graph);
    if (status == SRQ_OK) status = srq_checkpoint_load(reader, graph, NULL, &point, &history);
    if (status == SRQ_OK && from->trained) status = srq_checkpoint_load_trained(reader, graph);
    srq_h5_reader_close(&reader);
    if (status == SRQ_OK) status = srq_graph_prepare(graph);
    if (status == SRQ_OK) status = show(from, config, &point, graph, &history, json);
    srq_bits_history_free(&history);
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
    return status;
}

/* --- The command */

typedef struct request {
    const char *checkpoint, *tensor;
    bool tensors, trained, json;
} request;

static srq_status parse(int argc, char **argv, request *r)
{
    static const char usage[] = "usage: srq inspect CHECKPOINT [TENSOR | --tensors | --trained] [--json]";
    char hint[SRQ_HINT_SIZE];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            r->json = true;
        else if (strcmp(argv[i], "--tensors") == 0)
            r->tensors = true;
        else if (strcmp(argv[i], "--trained") == 0)
            r->trained = true;
        else if (argv[i][0] == '-' || r->tensor)
            return srq_fail(SRQ_ERROR_USAGE, "inspect: this is not expected: %s; %s",
                            srq_option_hint("inspect", argv[i], hint, sizeof hint), usage);
        else if (r->checkpoint)
            r->tensor = argv[i];
        else
            r->checkpoint = argv[i];
    }
    if (!r->checkpoint) return srq_fail(SRQ_ERROR_USAGE, "inspect: no checkpoint is named; %s", usage);
    if (r->tensor && !*r->tensor) return srq_fail(SRQ_ERROR_USAGE, "inspect: the name of a tensor is empty; %s", usage);
    if (r->tensor && r->tensors)
        return srq_fail(SRQ_ERROR_USAGE, "inspect: --tensors lists all, so no \"%s\" is expected; %s", r->tensor,
                        usage);
    if (r->trained && (r->tensor || r->tensors))
        return srq_fail(SRQ_ERROR_USAGE,
                        "inspect: --trained is for the tables of layers; the tensors of training are called "
                        "trained/LAYER/NAME; %s",
                        usage);
    return SRQ_OK;
}

static srq_status show_checkpoint(const request *r, source *from)
{
    if (r->tensor) return srq_inspect_tensor(from->path, r->tensor, r->json);
    if (r->tensors) return srq_inspect_tensors(from->path, r->json);
    read_run(r->checkpoint, &from->run);
    const srq_status status = inspect(from, r->json);
    free_run(&from->run);
    return status;
}

srq_status srq_command_inspect(int argc, char **argv)
{
    request r = {0};
    source from;
    SRQ_TRY(parse(argc, argv, &r));
    from.trained = r.trained;
    SRQ_TRY(srq_run_place(r.checkpoint, from.path, sizeof from.path));
    const srq_status status = show_checkpoint(&r, &from);
    if (status != SRQ_ERROR_DATA || !srq_deployed_is(from.path)) return status;
    if (!r.tensor && !r.tensors) return srq_inspect_deployed(from.path, r.json);
    return srq_fail(SRQ_ERROR_USAGE,
                    "inspect: %s is a deployed network, whose tensors are not shown; list them with `h5ls -r`, or name "
                    "its checkpoint",
                    from.path);
}
