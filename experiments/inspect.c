/* srq inspect: what is in a checkpoint. */
#include "experiments/commands.h"
#include "experiments/measure.h"
#include "io/checkpoint.h"
#include "io/progress.h"
#include "io/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- The table: as wide as its longest cells */

enum { COLUMNS = 12, TEXT_COLUMNS = 3, CELL_SIZE = 72 };
typedef struct line {
    char cell[COLUMNS][CELL_SIZE];
} line;

static const line titles = {
    {"layer", "type", "shape", "W/A", "alpha", "sigma", "zeros", "codes", "error", "size", "MACs", "BOPs"}};

static void print_range(const srq_range *range, char *out)
{
    if (range->count > 1)
        snprintf(out, CELL_SIZE, "%.3g..%.3g", (double)range->min, (double)range->max);
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

static void fill_line(const srq_graph *graph, const srq_layer_measures *m, line *row)
{
    const srq_quantizer *q = &m->layer->quantizer;
    for (int c = 0; c < COLUMNS; c++) snprintf(row->cell[c], CELL_SIZE, "-");
    snprintf(row->cell[0], CELL_SIZE, "%s", m->layer->spec->name);
    snprintf(row->cell[1], CELL_SIZE, "%s", m->layer->spec->type);
    srq_measures_shape(m, graph, row->cell[2], CELL_SIZE);
    if (m->weights)
        snprintf(row->cell[3], CELL_SIZE, "%d/%d", m->weight_bits, m->input_bits);
    else if (q->method)
        snprintf(row->cell[3], CELL_SIZE, "-/%d", q->bits);
    print_range(&m->alpha, row->cell[4]);
    print_range(&m->sigma, row->cell[5]);
    if (m->weights) snprintf(row->cell[6], CELL_SIZE, "%.1f %%", 100 * m->zeros);
    if (m->codes) snprintf(row->cell[7], CELL_SIZE, "%d/%d", m->codes_used, m->codes);
    if (m->codes) snprintf(row->cell[8], CELL_SIZE, "%.3g", m->error);
    srq_size(m->bytes, row->cell[9], CELL_SIZE);
    if (m->macs) print_count((double)m->macs, row->cell[10], CELL_SIZE);
    if (m->macs) print_count(m->bops, row->cell[11], CELL_SIZE);
}

static void print_line(const line *row, const int *widths)
{
    for (int c = 0; c < COLUMNS; c++)
        printf(c < TEXT_COLUMNS ? "%-*s%s" : "%*s%s", widths[c], row->cell[c], c + 1 < COLUMNS ? "  " : "\n");
}

static srq_status print_rows(const srq_graph *graph, const srq_measures *m)
{
    int widths[COLUMNS] = {0};
    line *rows = calloc((size_t)m->count + 1, sizeof *rows);
    if (!rows) return srq_fail_memory((size_t)m->count * sizeof *rows, "the table");
    rows[0] = titles;
    for (int i = 0; i < m->count; i++) fill_line(graph, &m->layers[i], &rows[i + 1]);
    for (int i = 0; i <= m->count; i++)
        for (int c = 0; c < COLUMNS; c++)
            if ((int)strlen(rows[i].cell[c]) > widths[c]) widths[c] = (int)strlen(rows[i].cell[c]);
    for (int i = 0; i <= m->count; i++) print_line(&rows[i], widths);
    free(rows);
    return SRQ_OK;
}

static void print_totals(const srq_measures *m)
{
    char text[32], full[32];
    printf("\nsize   %s", srq_size(m->bytes, text, sizeof text));
    if (m->bytes < m->float32_bytes)
        printf(", %.1f times smaller than float32 (%s)", m->float32_bytes / m->bytes,
               srq_size(m->float32_bytes, full, sizeof full));
    printf("; %s weights of %.3g bits on average, %.1f %% of them zero\n",
           srq_grouped((long)m->weights, text, sizeof text), m->mean_bits, 100 * m->zeros);
    printf("BOPs   %s an image", print_count(m->bops, text, sizeof text));
    if (m->bops < m->float32_bops)
        printf(", %.3g %% of float32, %.3g %% of the same layers at 8/8 bits", 100 * m->bops / m->float32_bops,
               100 * m->bops / m->w8a8_bops);
    printf("; %s MACs\n", print_count((double)m->macs, text, sizeof text));
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

/* The probability of each level, under DropBits. */
static void print_gates(const srq_graph *graph, const srq_measures *m)
{
    const char *title =
        "\ngates  probability of each level of the grid (bit-lengths: those above one half, from the left)\n";
    for (int i = 0; i < m->count; i++) {
        const srq_layer_measures *layer = &m->layers[i];
        if (!layer->gates) continue;
        printf("%s       %-*s", title, longest_name(graph), layer->layer->spec->name);
        title = "";
        for (int c = 0; c < layer->gates; c++)
            printf("  %d: %.3f", layer->layer->quantizer.spec.min_bits + 1 + c, layer->open[c]);
        printf("\n");
    }
}

/* Bit-lengths over training, of layers that have had more than one. */
static void print_history(const srq_graph *graph, const srq_bits_history *history)
{
    const char *title = "\nbits   over training\n";
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        int changes = 0, shown = 0;
        for (int k = 0; k < history->count; k++) changes += history->changes[k].layer == i;
        if (changes < 2) continue;
        printf("%s       %-*s", title, longest_name(graph), srq_graph_layer(graph, i)->spec->name);
        title = "";
        for (int k = 0; k < history->count; k++) {
            if (history->changes[k].layer != i) continue;
            /* Gates that waver would fill the screen: the last changes tell where they are. */
            if (changes > 12 && shown++ < changes - 12) continue;
            printf("  %d from step %ld", history->changes[k].bits, history->changes[k].step);
        }
        printf("\n");
    }
}

static srq_status print_table(const srq_config *config, const srq_progress_point *point, const srq_graph *graph,
                              const srq_measures *m, const srq_bits_history *history)
{
    const srq_settings *s = srq_config_settings(config);
    printf("%s, %s, step %ld of %ld", s->model.name, s->quantizer.method, point->step, point->total_steps);
    if (point->evaluated) printf(", test error %.2f %%", 100 * point->test_error);
    printf("\n\n");
    SRQ_TRY(print_rows(graph, m));
    print_gates(graph, m);
    print_totals(m);
    print_history(graph, history);
    return SRQ_OK;
}

/* --- JSON */

static void print_json(const srq_config *config, const srq_progress_point *point, const srq_graph *graph,
                       const srq_measures *m, const srq_bits_history *history)
{
    const srq_settings *s = srq_config_settings(config);
    char name[160];
    printf("{\"model\": %s, \"method\": \"%s\", \"step\": %ld, \"total_steps\": %ld,\n",
           srq_json_quote(s->model.name, name, sizeof name), s->quantizer.method, point->step, point->total_steps);
    if (point->evaluated)
        printf(" \"test_error\": %.9g, \"test_loss\": %.9g, \"test_count\": %ld,\n", point->test_error,
               point->test_loss, point->test_count);
    printf(" ");
    srq_measures_print_json(m, "\n    ", stdout);
    printf(",\n \"bits_history\": [");
    for (int i = 0; i < history->count; i++)
        printf("%s{\"step\": %ld, \"layer\": %s, \"bits\": %d}", i ? ", " : "", history->changes[i].step,
               srq_json_quote(srq_graph_layer(graph, history->changes[i].layer)->spec->name, name, sizeof name),
               history->changes[i].bits);
    printf("]}\n");
}

static srq_status show(const srq_config *config, const srq_progress_point *point, const srq_graph *graph,
                       const srq_bits_history *history, bool json)
{
    srq_measures *m = NULL;
    SRQ_TRY(srq_measures_create(graph, &m));
    srq_status status = SRQ_OK;
    if (json)
        print_json(config, point, graph, m, history);
    else
        status = print_table(config, point, graph, m, history);
    srq_measures_destroy(&m);
    return status;
}

static srq_status inspect(const char *path, bool json)
{
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    srq_progress_point point;
    srq_bits_history history = {0};
    SRQ_TRY(srq_checkpoint_read_config(path, &config));
    const srq_graph_options options = {.capacity = 1};
    srq_status status = srq_graph_create(&srq_config_settings(config)->model, &options, &graph);
    if (status == SRQ_OK) status = srq_checkpoint_read(path, graph, NULL, &point, &history);
    if (status == SRQ_OK) status = srq_graph_prepare(graph);
    if (status == SRQ_OK) status = show(config, &point, graph, &history, json);
    srq_bits_history_free(&history);
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
    return status;
}

srq_status srq_command_inspect(int argc, char **argv)
{
    const char *word = NULL;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (argv[i][0] == '-' || word)
            return srq_fail(SRQ_ERROR_USAGE, "inspect: \"%s\" is not expected; usage: srq inspect CHECKPOINT [--json]",
                            argv[i]);
        else
            word = argv[i];
    }
    if (!word)
        return srq_fail(SRQ_ERROR_USAGE, "inspect: no checkpoint is named; usage: srq inspect CHECKPOINT [--json]");
    char path[4200];
    srq_checkpoint_path(word, path, sizeof path);
    return inspect(path, json);
}
