#include "io/checkpoint.h"

#include "io/h5.h"
#include "io/masks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = SRQ_PARAMETER_NAME_SIZE + 64, STATES_MAX = 2 };

/* The parts of a layer's quantizer that change during training. */
typedef struct layer_bits {
    int bits, trained_bits, smallest, largest;
} layer_bits;

struct srq_snapshot {
    const srq_config *config;
    const srq_graph *graph;
    srq_optimizer *optimizer;
    const char *versions;
    int state_count;
    float *values, *states[STATES_MAX]; /* with the layout of the graph's values */
    layer_bits *layers;
    long optimizer_steps;
    srq_progress_point point;
    srq_bits_history history;
};

/* --- Snapshots */

srq_status srq_snapshot_create(const srq_config *config, const srq_graph *graph, srq_optimizer *optimizer,
                               const char *versions, srq_snapshot **out)
{
    const size_t bytes = srq_graph_size(graph) * sizeof(float), layers = (size_t)srq_graph_layer_count(graph);
    srq_snapshot *s = calloc(1, sizeof *s);
    if (!s) return srq_fail_memory(sizeof *s, "a snapshot");
    *s = (srq_snapshot){.config = config, .graph = graph, .optimizer = optimizer, .versions = versions};
    s->state_count = srq_optimizer_state_count(optimizer);
    s->values = malloc(bytes + 1);
    s->layers = calloc(layers + 1, sizeof *s->layers);
    bool whole = s->values && s->layers;
    for (int i = 0; i < s->state_count; i++) {
        s->states[i] = malloc(bytes + 1);
        whole = whole && s->states[i];
    }
    /* Write to the memory now, so that the first copy causes no page faults. */
    for (int i = 0; whole && i < s->state_count; i++) memset(s->states[i], 0, bytes);
    if (whole) memset(s->values, 0, bytes);
    if (!whole) {
        srq_snapshot_destroy(&s);
        return srq_fail_memory(bytes * (size_t)(1 + srq_optimizer_state_count(optimizer)), "a snapshot");
    }
    *out = s;
    return SRQ_OK;
}

void srq_snapshot_destroy(srq_snapshot **snapshot)
{
    srq_snapshot *s = *snapshot;
    if (!s) return;
    for (int i = 0; i < STATES_MAX; i++) free(s->states[i]);
    free(s->values);
    free(s->layers);
    srq_bits_history_free(&s->history);
    free(s);
    *snapshot = NULL;
}

srq_status srq_snapshot_take(srq_snapshot *s, const srq_progress_point *point, const srq_bits_history *history)
{
    const size_t bytes = srq_graph_size(s->graph) * sizeof(float);
    /* The history only becomes longer. */
    for (int i = s->history.count; i < history->count; i++)
        SRQ_TRY(srq_bits_history_add(&s->history, history->changes[i]));
    memcpy(s->values, srq_graph_values(s->graph), bytes);
    for (int i = 0; i < s->state_count; i++) memcpy(s->states[i], srq_optimizer_state(s->optimizer, i), bytes);
    for (int i = 0; i < srq_graph_layer_count(s->graph); i++) {
        const srq_quantizer *q = &srq_graph_layer(s->graph, i)->quantizer;
        s->layers[i] = (layer_bits){q->bits, q->trained_bits, q->grid.min, q->grid.max};
    }
    s->optimizer_steps = srq_optimizer_steps(s->optimizer);
    s->point = *point;
    return SRQ_OK;
}

long srq_snapshot_step(const srq_snapshot *snapshot)
{
    return snapshot->point.step;
}

srq_status srq_snapshot_print_bits(const srq_snapshot *s, char **text, size_t *size)
{
    *text = NULL;
    FILE *out = open_memstream(text, size);
    if (!out) return srq_fail_memory(0, "the bit-lengths");
    fprintf(out,
            "# Learned bit-lengths after %ld steps. Use them in another configuration:\n"
            "#     quantizer = { method = \"srq\"; ...\n#       @include \"THIS FILE\"\n#     };\n"
            "layers = (",
            s->point.step);
    const char *comma = "\n";
    for (int i = 0; i < srq_graph_layer_count(s->graph); i++) {
        const srq_layer *layer = srq_graph_layer(s->graph, i);
        if (layer->weight < 0 || !layer->quantizer.method) continue;
        fprintf(out, "%s  { name = \"%s\"; bits = %d; }", comma, layer->spec->name, s->layers[i].bits);
        comma = ",\n";
    }
    fputs("\n);\n", out);
    return fclose(out) == 0 ? SRQ_OK : srq_fail_memory(*size, "the bit-lengths");
}

/* --- Writing */

static srq_status write_vector(srq_h5_writer *writer, const srq_graph *graph, const char *folder, const float *vector,
                               bool learned_only)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (learned_only && p->kind == SRQ_PARAMETER_STATISTIC) continue;
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "%s/%s", folder, p->name);
        SRQ_TRY(srq_h5_write(writer, name, H5T_NATIVE_FLOAT, p->rank, p->shape, vector + p->offset));
    }
    return SRQ_OK;
}

/* The points of a grid whose values are not alpha * code. */
static srq_status write_points(srq_h5_writer *writer, const srq_layer *layer, const layer_bits *bits)
{
    char name[NAME_SIZE];
    srq_points points;
    if (!layer->quantizer.method->point) return SRQ_OK;
    srq_points_make(bits->smallest, bits->largest, layer->quantizer.method->point, &points);
    const size_t count = (size_t)points.count;
    snprintf(name, sizeof name, "layers/%s/%s_points", layer->spec->name, layer->weight < 0 ? "activation" : "weight");
    return srq_h5_write(writer, name, H5T_NATIVE_FLOAT, 1, &count, points.point);
}

/* What a reader needs to interpret a layer without the configuration. */
static srq_status describe_layer(srq_h5_writer *writer, const srq_layer *layer, const layer_bits *bits)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "layers/%s", layer->spec->name);
    SRQ_TRY(srq_h5_write_group(writer, name));
    SRQ_TRY(srq_h5_write_attribute_text(writer, name, "type", layer->spec->type));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "index", layer->index));
    const srq_quantizer *q = &layer->quantizer;
    if (!q->method) return SRQ_OK;
    SRQ_TRY(srq_h5_write_attribute_text(writer, name, "quantizer", q->method->name));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "bits", bits->bits));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "trained_bits", bits->trained_bits));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "smallest_code", bits->smallest));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "largest_code", bits->largest));
    return write_points(writer, layer, bits);
}

static srq_status write_point(srq_h5_writer *writer, const srq_progress_point *point)
{
    SRQ_TRY(srq_h5_write_attribute_int(writer, "/", "step", point->step));
    SRQ_TRY(srq_h5_write_attribute_int(writer, "/", "total_steps", point->total_steps));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "data_sha256", point->data_sha256));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "arithmetic", point->arithmetic));
    SRQ_TRY(srq_h5_write_attribute_double(writer, "/", "penalty", point->penalty));
    if (point->skipped) {
        SRQ_TRY(srq_h5_write_attribute_int(writer, "/", "skipped_steps", point->skipped));
        SRQ_TRY(srq_h5_write_attribute_int(writer, "/", "skipped_in_a_row", point->skipped_in_a_row));
    }
    if (!point->evaluated) return SRQ_OK;
    SRQ_TRY(srq_h5_write_attribute_double(writer, "/", "test_loss", point->test_loss));
    SRQ_TRY(srq_h5_write_attribute_double(writer, "/", "test_error", point->test_error));
    return srq_h5_write_attribute_int(writer, "/", "test_count", point->test_count);
}

static srq_status write_columns(srq_h5_writer *writer, const srq_graph *graph, const srq_bits_history *history,
                                int64_t *steps, int64_t *bits, const char **layers)
{
    const size_t count = (size_t)history->count;
    for (size_t i = 0; i < count; i++) {
        steps[i] = history->changes[i].step;
        bits[i] = history->changes[i].bits;
        layers[i] = srq_graph_layer(graph, history->changes[i].layer)->spec->name;
    }
    SRQ_TRY(srq_h5_write(writer, "bits_history/step", H5T_NATIVE_INT64, 1, &count, steps));
    SRQ_TRY(srq_h5_write(writer, "bits_history/bits", H5T_NATIVE_INT64, 1, &count, bits));
    return srq_h5_write_texts(writer, "bits_history/layer", count, layers);
}

static srq_status write_history(srq_h5_writer *writer, const srq_graph *graph, const srq_bits_history *history)
{
    if (history->count == 0) return SRQ_OK;
    const size_t count = (size_t)history->count;
    int64_t *columns = calloc(2 * count, sizeof *columns);
    const char **layers = calloc(count, sizeof *layers);
    srq_status status = columns && layers ? SRQ_OK : srq_fail_memory(count * 24, "the history of bit-lengths");
    if (status == SRQ_OK) status = write_columns(writer, graph, history, columns, columns + count, layers);
    free(columns);
    free(layers);
    return status;
}

static srq_status fill(srq_h5_writer *writer, const srq_snapshot *s)
{
    SRQ_TRY(write_point(writer, &s->point));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "versions", s->versions));
    SRQ_TRY(srq_h5_write_text(writer, "config", srq_config_text(s->config)));
    for (int i = 0; i < srq_graph_layer_count(s->graph); i++)
        SRQ_TRY(describe_layer(writer, srq_graph_layer(s->graph, i), &s->layers[i]));
    SRQ_TRY(write_vector(writer, s->graph, "layers", s->values, false));
    SRQ_TRY(srq_masks_write(writer, s->graph));
    SRQ_TRY(write_history(writer, s->graph, &s->history));
    SRQ_TRY(srq_h5_write_group(writer, "optimizer"));
    SRQ_TRY(srq_h5_write_attribute_int(writer, "optimizer", "steps", s->optimizer_steps));
    for (int i = 0; i < s->state_count; i++) {
        char folder[64];
        snprintf(folder, sizeof folder, "optimizer/%s", srq_optimizer_state_name(s->optimizer, i));
        SRQ_TRY(write_vector(writer, s->graph, folder, s->states[i], true));
    }
    return srq_h5_writer_seal(writer);
}

srq_status srq_checkpoint_write(const char *path, const srq_snapshot *snapshot)
{
    srq_h5_writer *writer = NULL;
    SRQ_TRY(srq_h5_writer_create(SRQ_CHECKPOINT_FORMAT, SRQ_CHECKPOINT_VERSION, &writer));
    srq_status status = fill(writer, snapshot);
    if (status == SRQ_OK) status = srq_h5_writer_commit(writer, path);
    srq_h5_writer_destroy(&writer);
    return status;
}

/* --- Reading */

srq_status srq_checkpoint_open(const char *path, srq_h5_reader **reader)
{
    int64_t version;
    SRQ_TRY(srq_h5_reader_open_versions(path, "a checkpoint", SRQ_CHECKPOINT_FORMAT, SRQ_CHECKPOINT_VERSION, &version,
                                        reader));
    if (version < 2 || srq_h5_has_attribute(*reader, "/", SRQ_H5_DIGEST)) return SRQ_OK;
    srq_h5_reader_close(reader);
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: it has no digest (attribute " SRQ_H5_DIGEST "), which every checkpoint of version 2 has; use "
                    "an earlier checkpoint or another copy",
                    path);
}

srq_status srq_checkpoint_read_config(const char *path, srq_config **config)
{
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_checkpoint_open(path, &reader));
    char *text = NULL;
    srq_status status = srq_h5_read_text(reader, "config", &text);
    srq_h5_reader_close(&reader);
    if (status != SRQ_OK) return status;
    status = srq_config_parse(text, "config", config);
    free(text);
    if (status != SRQ_OK)
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: data set config: %s; the checkpoint was made by another version of srq or has been changed", path,
            srq_message());
    return SRQ_OK;
}

/* Training never writes such a number, so the file was damaged or made by hand. */
static srq_status check_values(const srq_h5_reader *reader, const char *name, const srq_parameter *p,
                               const float *values, bool state)
{
    for (size_t i = 0; i < p->count; i++) {
        bool positive = !state && (p->kind == SRQ_PARAMETER_ALPHA || p->kind == SRQ_PARAMETER_SIGMA);
        if (isfinite(values[i]) && (!positive || values[i] > 0)) continue;
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: data set %s: element %zu is %g, but it must be finite%s; use an earlier checkpoint",
                        srq_h5_reader_path(reader), name, i, (double)values[i], positive ? " and above 0" : "");
    }
    return SRQ_OK;
}

static srq_status read_parameter(const srq_h5_reader *reader, const srq_parameter *p, const char *folder, float *vector,
                                 bool state)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s/%s", folder, p->name);
    SRQ_TRY(srq_h5_read(reader, name, H5T_NATIVE_FLOAT, p->rank, p->shape, vector + p->offset));
    return check_values(reader, name, p, vector + p->offset, state);
}

static srq_status read_vector(const srq_h5_reader *reader, const srq_graph *graph, const char *folder, float *vector,
                              bool state)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (state && p->kind == SRQ_PARAMETER_STATISTIC) continue;
        SRQ_TRY(read_parameter(reader, p, folder, vector, state));
    }
    return SRQ_OK;
}

/* Checks that the model has all layers of the file. */
static srq_status check_layers(const srq_h5_reader *reader, const srq_graph *graph)
{
    size_t count = 0;
    char **names = NULL;
    SRQ_TRY(srq_h5_members(reader, "layers", &count, &names));
    srq_status status = SRQ_OK;
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (int k = 0; k < srq_graph_layer_count(graph); k++)
            known = known || strcmp(srq_graph_layer(graph, k)->spec->name, names[i]) == 0;
        if (!known && status == SRQ_OK)
            status = srq_fail(SRQ_ERROR_DATA,
                              "%s: layer \"%s\" is not in the model \"%s\"; this is a checkpoint of another model",
                              srq_h5_reader_path(reader), names[i], srq_graph_spec(graph)->name);
        free(names[i]);
    }
    free(names);
    return status;
}

/* The attributes are missing if no step was skipped. */
static srq_status read_skipped(const srq_h5_reader *reader, srq_progress_point *point)
{
    int64_t all = 0, row = 0;
    if (!srq_h5_has_attribute(reader, "/", "skipped_steps")) return SRQ_OK;
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "skipped_steps", &all));
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "skipped_in_a_row", &row));
    if (row < 0 || all < row || all > point->step)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: attributes skipped_steps and skipped_in_a_row are %lld and %lld at step %ld; use an "
                        "earlier checkpoint",
                        srq_h5_reader_path(reader), (long long)all, (long long)row, point->step);
    point->skipped = (long)all;
    point->skipped_in_a_row = (long)row;
    return SRQ_OK;
}

static srq_status read_point(const srq_h5_reader *reader, srq_progress_point *point)
{
    int64_t step, total, count = 0;
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "step", &step));
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "total_steps", &total));
    if (step < 0 || total < 0 || step > total)
        return srq_fail(SRQ_ERROR_DATA, "%s: attribute step is %lld of total_steps %lld; use an earlier checkpoint",
                        srq_h5_reader_path(reader), (long long)step, (long long)total);
    *point = (srq_progress_point){.step = (long)step, .total_steps = (long)total};
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", "data_sha256", point->data_sha256, sizeof point->data_sha256));
    SRQ_TRY(read_skipped(reader, point));
    if (srq_h5_has_attribute(reader, "/", "arithmetic"))
        SRQ_TRY(srq_h5_read_attribute_text(reader, "/", "arithmetic", point->arithmetic, sizeof point->arithmetic));
    if (srq_h5_has_attribute(reader, "/", "penalty"))
        SRQ_TRY(srq_h5_read_attribute_double(reader, "/", "penalty", &point->penalty));
    if (!(point->penalty >= 0 && point->penalty <= 1e300))
        return srq_fail(SRQ_ERROR_DATA, "%s: attribute penalty is %g; use an earlier checkpoint",
                        srq_h5_reader_path(reader), point->penalty);
    if (!srq_h5_has_attribute(reader, "/", "test_error")) return SRQ_OK;
    SRQ_TRY(srq_h5_read_attribute_double(reader, "/", "test_error", &point->test_error));
    SRQ_TRY(srq_h5_read_attribute_double(reader, "/", "test_loss", &point->test_loss));
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "test_count", &count));
    point->test_count = (long)count;
    point->evaluated = true;
    return SRQ_OK;
}

static srq_status read_optimizer(const srq_h5_reader *reader, const srq_graph *graph, srq_optimizer *optimizer)
{
    int64_t steps;
    SRQ_TRY(srq_h5_read_attribute_int(reader, "optimizer", "steps", &steps));
    if (steps < 0 || steps > SRQ_OPTIMIZER_STEPS_MAX)
        return srq_fail(SRQ_ERROR_DATA, "%s: attribute steps of optimizer is %lld, but it must be from 0 to 10^15",
                        srq_h5_reader_path(reader), (long long)steps);
    srq_optimizer_set_steps(optimizer, (long)steps);
    for (int i = 0; i < srq_optimizer_state_count(optimizer); i++) {
        char folder[64];
        snprintf(folder, sizeof folder, "optimizer/%s", srq_optimizer_state_name(optimizer, i));
        SRQ_TRY(read_vector(reader, graph, folder, srq_optimizer_state(optimizer, i), true));
        SRQ_TRY(srq_masks_check(reader, folder, graph, srq_optimizer_state(optimizer, i)));
    }
    return SRQ_OK;
}

/* Bit-lengths when the checkpoint was written, possibly in the middle of a schedule. */
static srq_status read_bits(const srq_h5_reader *reader, srq_graph *graph)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        char name[NAME_SIZE];
        int64_t bits;
        snprintf(name, sizeof name, "layers/%s", layer->spec->name);
        if (!layer->quantizer.method || !srq_h5_has_attribute(reader, name, "trained_bits")) continue;
        SRQ_TRY(srq_h5_read_attribute_int(reader, name, "trained_bits", &bits));
        const int longest = srq_bits_longest(&layer->quantizer.spec.bits);
        if (bits < 1 || bits > longest)
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: attribute trained_bits of %s is %lld, but its configuration has 1 to %d; use an "
                            "earlier checkpoint",
                            srq_h5_reader_path(reader), name, (long long)bits, longest);
        srq_graph_set_bits(graph, i, (int)bits);
    }
    return SRQ_OK;
}

static int find_layer(const srq_graph *graph, const char *name)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++)
        if (strcmp(srq_graph_layer(graph, i)->spec->name, name) == 0) return i;
    return -1;
}

static srq_status read_changes(const srq_h5_reader *reader, const srq_graph *graph, size_t count, char **layers,
                               srq_bits_history *history)
{
    int64_t *columns = calloc(2 * count + 1, sizeof *columns);
    if (!columns) return srq_fail_memory(2 * count * sizeof *columns, "the history of bit-lengths");
    srq_status status = srq_h5_read(reader, "bits_history/step", H5T_NATIVE_INT64, 1, &count, columns);
    if (status == SRQ_OK)
        status = srq_h5_read(reader, "bits_history/bits", H5T_NATIVE_INT64, 1, &count, columns + count);
    for (size_t i = 0; status == SRQ_OK && i < count; i++) {
        const srq_bits_change change = {
            .step = (long)columns[i], .layer = find_layer(graph, layers[i]), .bits = (int)columns[count + i]};
        if (change.layer < 0 || change.bits < 1 || change.bits > 8 || change.step < 0)
            status = srq_fail(SRQ_ERROR_DATA, "%s: entry %zu of bits_history is not valid; use an earlier checkpoint",
                              srq_h5_reader_path(reader), i);
        if (status == SRQ_OK) status = srq_bits_history_add(history, change);
    }
    free(columns);
    return status;
}

static srq_status read_history(const srq_h5_reader *reader, const srq_graph *graph, srq_bits_history *history)
{
    char **layers = NULL;
    size_t count = 0;
    srq_bits_history_free(history);
    if (!srq_h5_exists(reader, "bits_history")) return SRQ_OK;
    SRQ_TRY(srq_h5_read_texts(reader, "bits_history/layer", &count, &layers));
    srq_status status = read_changes(reader, graph, count, layers, history);
    for (size_t i = 0; i < count; i++) free(layers[i]);
    free(layers);
    return status;
}

srq_status srq_checkpoint_read(const char *path, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                               srq_bits_history *history)
{
    srq_h5_reader *reader = NULL;
    srq_progress_point found;
    SRQ_TRY(srq_checkpoint_open(path, &reader));
    srq_status status = check_layers(reader, graph);
    if (status == SRQ_OK) status = read_vector(reader, graph, "layers", srq_graph_values(graph), false);
    if (status == SRQ_OK) status = srq_masks_read(reader, graph);
    if (status == SRQ_OK) status = read_bits(reader, graph);
    if (status == SRQ_OK) status = read_point(reader, &found);
    if (status == SRQ_OK && history) status = read_history(reader, graph, history);
    if (status == SRQ_OK && optimizer) status = read_optimizer(reader, graph, optimizer);
    if (status == SRQ_OK && point) *point = found;
    srq_h5_reader_close(&reader);
    return status;
}
