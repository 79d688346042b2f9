/* srq inspect: what is in a checkpoint. */
#include "experiments/commands.h"
#include "io/checkpoint.h"
#include "io/progress.h"
#include "io/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One line of the table. */
typedef struct row {
    const srq_layer *layer;
    const srq_parameter *weight; /* NULL for an activation quantizer */
    int weight_bits, input_bits; /* 32 where not quantized */
    int codes_used, codes;       /* of weights */
    double zeros;                /* share of weights that are exactly 0 */
    double bytes;                /* packed: weights at their bits, all else as float32 */
    double bops;
} row;

typedef struct totals {
    double bytes, float_bytes, bops, float_bops;
    long weights;
} totals;

/* Bits of the activation that a layer reads: those of its quantizer, looked for through layers that only choose among
 * values (max-pool); 32 for images and everything else. */
static int input_bits(const srq_graph *graph, const srq_layer *layer)
{
    int producer = layer->producers[0];
    while (producer >= 0) {
        const srq_layer *p = srq_graph_layer(graph, producer);
        if (strcmp(p->spec->type, "quantize") == 0) return p->quantizer.method ? p->quantizer.bits : 32;
        if (strcmp(p->spec->type, "max_pool") != 0) return 32;
        producer = p->producers[0];
    }
    return 32;
}

static srq_status count_codes(const srq_graph *graph, row *r)
{
    const srq_quantizer *q = &r->layer->quantizer;
    const float *w = srq_graph_values(graph) + r->weight->offset;
    long zeros = 0, used[256] = {0};
    if (q->method) {
        uint8_t *codes = malloc(r->weight->count);
        if (!codes) return srq_fail_memory(r->weight->count, "codes");
        srq_quantizer_forward(q, srq_graph_vector(graph), r->weight->count, w, codes);
        for (size_t i = 0; i < r->weight->count; i++) used[codes[i]]++;
        free(codes);
        zeros = used[0];
        r->codes = q->grid.max - q->grid.min + 1;
        for (int k = 0; k < 256; k++) r->codes_used += used[k] > 0;
    } else {
        for (size_t i = 0; i < r->weight->count; i++) zeros += w[i] == 0;
    }
    r->zeros = (double)zeros / (double)r->weight->count;
    return SRQ_OK;
}

static srq_status fill_row(const srq_graph *graph, const srq_layer *layer, row *r)
{
    *r = (row){.layer = layer, .weight_bits = 32, .input_bits = 32};
    if (layer->weight < 0) return SRQ_OK;
    r->weight = srq_graph_parameter(graph, layer->weight);
    if (layer->quantizer.method) r->weight_bits = layer->quantizer.bits;
    r->input_bits = input_bits(graph, layer);
    r->bytes = (double)r->weight->count * r->weight_bits / 8;
    if (layer->bias >= 0) r->bytes += 4.0 * (double)srq_graph_parameter(graph, layer->bias)->count;
    r->bops = (double)layer->macs * r->weight_bits * r->input_bits;
    return count_codes(graph, r);
}

static void add_row(const srq_graph *graph, const row *r, totals *t)
{
    if (!r->weight) return;
    double bias = r->layer->bias >= 0 ? 4.0 * (double)srq_graph_parameter(graph, r->layer->bias)->count : 0;
    t->weights += (long)r->weight->count;
    t->bytes += r->bytes;
    t->float_bytes += 4.0 * (double)r->weight->count + bias;
    t->bops += r->bops;
    t->float_bops += (double)r->layer->macs * 32 * 32;
}

static void print_shape(const row *r, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    if (!r->weight) {
        snprintf(out, size, "%dx%dx%d", r->layer->output.height, r->layer->output.width, r->layer->output.channels);
        return;
    }
    for (int i = 0; i < r->weight->rank; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%zu", i ? "x" : "", r->weight->shape[i]);
}

static void print_bits(const row *r, char *out, size_t size)
{
    const srq_quantizer *q = &r->layer->quantizer;
    if (r->weight)
        snprintf(out, size, "%d/%d", r->weight_bits, r->input_bits);
    else
        snprintf(out, size, "-/%d", q->method ? q->bits : 32);
}

static void print_row(const row *r)
{
    const srq_quantizer *q = &r->layer->quantizer;
    char shape[64], bits[16], alpha[24] = "-", sigma[24] = "-", zeros[16] = "-", codes[16] = "-", size[32] = "-";
    print_shape(r, shape, sizeof shape);
    print_bits(r, bits, sizeof bits);
    if (q->method) snprintf(alpha, sizeof alpha, "%.4g", (double)q->grid.alpha);
    if (r->layer->sigma >= 0) snprintf(sigma, sizeof sigma, "%.4g", (double)q->grid.sigma);
    if (r->weight) snprintf(zeros, sizeof zeros, "%.1f %%", 100 * r->zeros);
    if (r->codes) snprintf(codes, sizeof codes, "%d/%d", r->codes_used, r->codes);
    if (r->weight) srq_size(r->bytes, size, sizeof size);
    printf("%-12s %-10s %-14s %6s %9s %9s %8s %8s %9s %9.4g\n", r->layer->spec->name, r->layer->spec->type, shape, bits,
           alpha, sigma, zeros, codes, size, r->bops);
}

static void print_table(const srq_config *config, const srq_progress_point *point, const row *rows, int count,
                        const totals *t)
{
    const srq_settings *s = srq_config_settings(config);
    char size[32], full[32], weights[32];
    printf("%s, %s, step %ld of %ld", s->model.name, s->quantizer.method, point->step, point->total_steps);
    if (point->evaluated) printf(", test error %.2f %%", 100 * point->test_error);
    printf("\n\n%-12s %-10s %-14s %6s %9s %9s %8s %8s %9s %9s\n", "layer", "type", "shape", "W/A", "alpha", "sigma",
           "zeros", "codes", "size", "BOPs");
    for (int i = 0; i < count; i++) print_row(&rows[i]);
    printf("\n%s weights in %s; float32 takes %s (%.1f times as much); %.4g BOPs, %.1f times fewer than float32\n",
           srq_grouped(t->weights, weights, sizeof weights), srq_size(t->bytes, size, sizeof size),
           srq_size(t->float_bytes, full, sizeof full), t->float_bytes / t->bytes, t->bops, t->float_bops / t->bops);
}

static void print_json_row(const row *r, bool last)
{
    const srq_quantizer *q = &r->layer->quantizer;
    char name[160], shape[64];
    print_shape(r, shape, sizeof shape);
    printf("    {\"name\": %s, \"type\": \"%s\", \"shape\": \"%s\"",
           srq_json_quote(r->layer->spec->name, name, sizeof name), r->layer->spec->type, shape);
    if (r->weight)
        printf(", \"weights\": %zu, \"macs\": %zu, \"weight_bits\": %d, \"activation_bits\": %d, \"zeros\": %.9g, "
               "\"bytes\": %.0f, \"bops\": %.0f",
               r->weight->count, r->layer->macs, r->weight_bits, r->input_bits, r->zeros, r->bytes, r->bops);
    if (!r->weight && q->method) printf(", \"activation_bits\": %d", q->bits);
    if (q->method) printf(", \"method\": \"%s\", \"alpha\": %.9g", q->method->name, (double)q->grid.alpha);
    if (r->layer->sigma >= 0) printf(", \"sigma\": %.9g", (double)q->grid.sigma);
    if (r->codes) printf(", \"codes\": %d, \"codes_used\": %d", r->codes, r->codes_used);
    printf("}%s\n", last ? "" : ",");
}

static void print_json(const srq_config *config, const srq_progress_point *point, const row *rows, int count,
                       const totals *t)
{
    const srq_settings *s = srq_config_settings(config);
    char name[160];
    printf("{\"model\": %s, \"method\": \"%s\", \"step\": %ld, \"total_steps\": %ld,\n",
           srq_json_quote(s->model.name, name, sizeof name), s->quantizer.method, point->step, point->total_steps);
    if (point->evaluated)
        printf(" \"test_error\": %.9g, \"test_loss\": %.9g, \"test_count\": %ld,\n", point->test_error,
               point->test_loss, point->test_count);
    printf(" \"weights\": %ld, \"bytes\": %.0f, \"float32_bytes\": %.0f, \"bops\": %.0f, \"float32_bops\": %.0f,\n "
           "\"layers\": [\n",
           t->weights, t->bytes, t->float_bytes, t->bops, t->float_bops);
    for (int i = 0; i < count; i++) print_json_row(&rows[i], i + 1 == count);
    printf("  ]}\n");
}

static srq_status show(const srq_config *config, const srq_progress_point *point, const srq_graph *graph, bool json)
{
    const int layers = srq_graph_layer_count(graph);
    totals t = {0};
    int count = 0;
    row *rows = calloc((size_t)layers, sizeof *rows);
    if (!rows) return srq_fail_memory((size_t)layers * sizeof *rows, "the table");
    srq_status status = SRQ_OK;
    for (int i = 0; status == SRQ_OK && i < layers; i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (layer->weight < 0 && !layer->quantizer.method) continue;
        status = fill_row(graph, layer, &rows[count]);
        add_row(graph, &rows[count++], &t);
    }
    if (status == SRQ_OK && json) print_json(config, point, rows, count, &t);
    if (status == SRQ_OK && !json) print_table(config, point, rows, count, &t);
    free(rows);
    return status;
}

static srq_status inspect(const char *path, bool json)
{
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    srq_progress_point point;
    SRQ_TRY(srq_checkpoint_read_config(path, &config));
    const srq_graph_options options = {.capacity = 1};
    srq_status status = srq_graph_create(&srq_config_settings(config)->model, &options, &graph);
    if (status == SRQ_OK) status = srq_checkpoint_read(path, graph, NULL, &point, NULL);
    if (status == SRQ_OK) status = srq_graph_prepare(graph);
    if (status == SRQ_OK) status = show(config, &point, graph, json);
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
