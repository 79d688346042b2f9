#include "io/checkpoint.h"

#include "core/ops/op.h"
#include "io/h5.h"
#include "io/input_statistics.h"
#include "io/masks.h"

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
    float *trained; /* with an average, which is then in `values`: what training continues with; otherwise NULL */
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
    if (srq_optimizer_average(optimizer)) s->trained = malloc(bytes + 1);
    bool whole = s->values && s->layers && (s->trained || !srq_optimizer_average(optimizer));
    for (int i = 0; i < s->state_count; i++) {
        s->states[i] = malloc(bytes + 1);
        whole = whole && s->states[i];
    }
    /* Write to the memory now, so that the first copy causes no page faults. */
    for (int i = 0; whole && i < s->state_count; i++) memset(s->states[i], 0, bytes);
    if (whole) memset(s->values, 0, bytes);
    if (whole && s->trained) memset(s->trained, 0, bytes);
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
    free(s->trained);
    free(s->layers);
    srq_bits_history_free(&s->history);
    free(s);
    *snapshot = NULL;
}

/* Exchanges the averaged parameters of values and trained. */
static void exchange_averaged(srq_snapshot *s)
{
    for (int i = 0; i < srq_graph_parameter_count(s->graph); i++) {
        const srq_parameter *p = srq_graph_parameter(s->graph, i);
        if (srq_average_has(p->kind)) srq_average_exchange(p->count, s->values + p->offset, s->trained + p->offset);
    }
}

srq_status srq_snapshot_take(srq_snapshot *s, const srq_progress_point *point, const srq_bits_history *history)
{
    const size_t bytes = srq_graph_size(s->graph) * sizeof(float);
    /* The history only becomes longer. */
    for (int i = s->history.count; i < history->count; i++)
        SRQ_TRY(srq_bits_history_add(&s->history, history->changes[i]));
    memcpy(s->values, srq_graph_values(s->graph), bytes);
    if (s->trained) {
        memcpy(s->trained, srq_optimizer_average(s->optimizer), bytes);
        if (!srq_optimizer_shows_average(s->optimizer)) exchange_averaged(s);
    }
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

const srq_best *srq_snapshot_best(const srq_snapshot *snapshot)
{
    return &snapshot->point.best;
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

static bool is_any(srq_parameter_kind kind)
{
    (void)kind;
    return true;
}

static bool is_learned(srq_parameter_kind kind)
{
    return kind != SRQ_PARAMETER_STATISTIC;
}

/* The parameters of some kinds. */
static srq_status write_vector(srq_h5_writer *writer, const srq_graph *graph, const char *folder, const float *vector,
                               bool (*has)(srq_parameter_kind kind))
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (!has(p->kind)) continue;
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

static srq_status write_setting(srq_h5_writer *writer, const char *name, const srq_layer_spec *spec,
                                const srq_op_setting *setting)
{
    const char *place = (const char *)spec + setting->place;
    char height[SRQ_NAME_SIZE + 16], width[SRQ_NAME_SIZE + 16];
    switch (setting->kind) {
    case SRQ_OP_REAL:
        return srq_h5_write_attribute_double(writer, name, setting->name, (double)*(const float *)place);
    case SRQ_OP_FLAG:
        return srq_h5_write_attribute_int(writer, name, setting->name, *(const bool *)place);
    case SRQ_OP_PAIR:
        snprintf(height, sizeof height, "%s_height", setting->name);
        snprintf(width, sizeof width, "%s_width", setting->name);
        SRQ_TRY(srq_h5_write_attribute_int(writer, name, height, ((const int *)place)[0]));
        return srq_h5_write_attribute_int(writer, name, width, ((const int *)place)[1]);
    default:
        return srq_h5_write_attribute_int(writer, name, setting->name, *(const int *)place);
    }
}

/* The settings of a layer and its inputs, so that the network can be built without reading the configuration. */
static srq_status write_settings(srq_h5_writer *writer, const char *name, const srq_layer *layer)
{
    char inputs[SRQ_INPUTS_MAX * (SRQ_NAME_SIZE + 1)] = "";
    size_t n = 0;
    for (int i = 0; i < layer->spec->input_count; i++)
        n += (size_t)snprintf(inputs + n, sizeof inputs - n, "%s%s", i ? " " : "", layer->spec->inputs[i]);
    SRQ_TRY(srq_h5_write_attribute_text(writer, name, "inputs", inputs));
    for (int i = 0; i < srq_op_setting_count(layer->op); i++)
        SRQ_TRY(write_setting(writer, name, layer->spec, &layer->op->settings[i]));
    return SRQ_OK;
}

/* What a reader needs to interpret a layer without the configuration. */
static srq_status describe_layer(srq_h5_writer *writer, const srq_layer *layer, const layer_bits *bits)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "layers/%s", layer->spec->name);
    SRQ_TRY(srq_h5_write_group(writer, name));
    SRQ_TRY(srq_h5_write_attribute_text(writer, name, "type", layer->spec->type));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "index", layer->index));
    SRQ_TRY(write_settings(writer, name, layer));
    const srq_quantizer *q = &layer->quantizer;
    if (!q->method) return SRQ_OK;
    SRQ_TRY(srq_h5_write_attribute_text(writer, name, "quantizer", q->method->name));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "bits", bits->bits));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "trained_bits", bits->trained_bits));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "smallest_code", bits->smallest));
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "largest_code", bits->largest));
    return write_points(writer, layer, bits);
}

static srq_status write_validation(srq_h5_writer *writer, const srq_progress_point *point)
{
    if (point->best.found) {
        SRQ_TRY(srq_h5_write_attribute_int(writer, "/", "best_step", point->best.step));
        SRQ_TRY(srq_h5_write_attribute_double(writer, "/", "best_validation_error", point->best.error));
        SRQ_TRY(srq_h5_write_attribute_double(writer, "/", "best_validation_loss", point->best.loss));
        SRQ_TRY(srq_h5_write_attribute_int(writer, "/", "evaluations_since_best", point->best.since));
    }
    if (!point->validated) return SRQ_OK;
    SRQ_TRY(srq_h5_write_attribute_double(writer, "/", "validation_loss", point->validation_loss));
    SRQ_TRY(srq_h5_write_attribute_double(writer, "/", "validation_error", point->validation_error));
    return srq_h5_write_attribute_int(writer, "/", "validation_count", point->validation_count);
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
    SRQ_TRY(write_validation(writer, point));
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
    SRQ_TRY(srq_input_statistics_write(writer, s->graph));
    for (int i = 0; i < srq_graph_layer_count(s->graph); i++)
        SRQ_TRY(describe_layer(writer, srq_graph_layer(s->graph, i), &s->layers[i]));
    SRQ_TRY(write_vector(writer, s->graph, "layers", s->values, is_any));
    if (s->trained) {
        SRQ_TRY(srq_h5_write_attribute_double(writer, "/", SRQ_CHECKPOINT_AVERAGE,
                                              srq_config_settings(s->config)->train.average));
        SRQ_TRY(write_vector(writer, s->graph, SRQ_CHECKPOINT_TRAINED, s->trained, srq_average_has));
    }
    SRQ_TRY(srq_masks_write(writer, s->graph));
    SRQ_TRY(write_history(writer, s->graph, &s->history));
    SRQ_TRY(srq_h5_write_group(writer, "optimizer"));
    SRQ_TRY(srq_h5_write_attribute_int(writer, "optimizer", "steps", s->optimizer_steps));
    for (int i = 0; i < s->state_count; i++) {
        char folder[64];
        snprintf(folder, sizeof folder, "optimizer/%s", srq_optimizer_state_name(s->optimizer, i));
        SRQ_TRY(write_vector(writer, s->graph, folder, s->states[i], is_learned));
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
