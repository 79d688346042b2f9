/* Reads checkpoints, and checks all that the format promises (docs/checkpoint-format.md). */
#include "io/checkpoint.h"

#include "io/h5.h"
#include "io/input_statistics.h"
#include "io/masks.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG "config" /* the data set */
enum { NAME_SIZE = SRQ_PARAMETER_NAME_SIZE + 64 };

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

srq_status srq_checkpoint_config(const srq_h5_reader *reader, srq_config **config)
{
    char *text = NULL;
    SRQ_TRY(srq_h5_read_text(reader, "config", &text));
    const srq_status status = srq_config_parse(text, CONFIG, config);
    free(text);
    if (status != SRQ_OK)
        return srq_fail(
            SRQ_ERROR_DATA,
            "%s: data set config: %s; the checkpoint was made by another version of srq or has been changed",
            srq_h5_reader_path(reader), srq_message());
    return SRQ_OK;
}

/* In bytes; 0: unknown. */
static size_t memory_of_machine(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (size_t)pages * (size_t)size : 0;
}

srq_status srq_checkpoint_make_graph(const srq_h5_reader *reader, const srq_config *config,
                                     const srq_graph_options *options, srq_graph **graph)
{
    const srq_model_spec *model = &srq_config_settings(config)->model;
    srq_graph_options bounded = *options;
    bounded.numbers_max = srq_h5_most_bytes(reader) / sizeof(float);
    bounded.bytes_max = memory_of_machine();
    const srq_status status = srq_graph_create(model, &bounded, graph);
    const char *path = srq_h5_reader_path(reader);
    /* The size of images is in the configuration alone: no tensor of a convolution depends on it. */
    if (status == SRQ_ERROR_RUN)
        return srq_fail(SRQ_ERROR_RUN,
                        "%s: data set " CONFIG ": a network for images of %d x %d x %d: %s; use an earlier checkpoint, "
                        "fewer threads or more memory",
                        path, model->height, model->width, model->channels, srq_message());
    if (status == SRQ_ERROR_DATA)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s in a file of this size; use an earlier checkpoint", path,
                        srq_message());
    /* A layer that is not possible has its place in the text as its origin. */
    if (status == SRQ_ERROR_USAGE && strncmp(srq_message(), CONFIG ":", strlen(CONFIG ":")) == 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s; use an earlier checkpoint", path, srq_message());
    return status;
}

srq_status srq_checkpoint_read_config(const char *path, srq_config **config)
{
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_checkpoint_open(path, &reader));
    const srq_status status = srq_checkpoint_config(reader, config);
    srq_h5_reader_close(&reader);
    return status;
}

/* What the numbers of a tensor must be, beside finite. */
typedef enum demand { ANY_NUMBER, NOT_NEGATIVE, POSITIVE } demand;

/* Step sizes below the normal numbers cannot be divided by: training keeps far away from them. */
static bool is_allowed(float value, demand wanted)
{
    return isfinite(value) && (wanted == ANY_NUMBER || (wanted == NOT_NEGATIVE && value >= 0) || value >= FLT_MIN);
}

/* Training never writes such a number, so the file was damaged or made by hand. */
static srq_status check_values(const srq_h5_reader *reader, const char *name, size_t count, const float *values,
                               demand wanted)
{
    for (size_t i = 0; i < count; i++)
        if (!is_allowed(values[i], wanted))
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: data set %s: element %zu is %g, but it must be finite%s; use an earlier checkpoint",
                            srq_h5_reader_path(reader), name, i, (double)values[i],
                            wanted == POSITIVE       ? " and at least 1.2e-38"
                            : wanted == NOT_NEGATIVE ? " and not below 0"
                                                     : "");
    return SRQ_OK;
}

static demand demand_of(const srq_parameter *p)
{
    if (p->kind == SRQ_PARAMETER_ALPHA || p->kind == SRQ_PARAMETER_SIGMA) return POSITIVE;
    const char *suffix = strrchr(p->name, '/');
    return suffix && strcmp(suffix, "/running_variance") == 0 ? NOT_NEGATIVE : ANY_NUMBER;
}

/* HDF5 would convert other numbers. The format has float32 only. */
static srq_status check_type(const srq_h5_reader *reader, const char *name)
{
    char type[32];
    if (!srq_h5_exists(reader, name) || strcmp(srq_h5_type(reader, name, type, sizeof type), "float32") == 0)
        return SRQ_OK; /* what is missing is reported by the read */
    return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is of type %s, but float32 is expected; write it in that type",
                    srq_h5_reader_path(reader), name, type);
}

static srq_status read_parameter(const srq_h5_reader *reader, const srq_parameter *p, const char *folder, float *vector,
                                 demand wanted)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "%s/%s", folder, p->name);
    SRQ_TRY(check_type(reader, name));
    SRQ_TRY(srq_h5_read(reader, name, H5T_NATIVE_FLOAT, p->rank, p->shape, vector + p->offset));
    return check_values(reader, name, p->count, vector + p->offset, wanted);
}

static srq_status read_values(const srq_h5_reader *reader, srq_graph *graph)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        SRQ_TRY(read_parameter(reader, p, "layers", srq_graph_values(graph), demand_of(p)));
    }
    return SRQ_OK;
}

static srq_status read_state(const srq_h5_reader *reader, const srq_graph *graph, const char *folder, float *vector,
                             bool squares)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (p->kind == SRQ_PARAMETER_STATISTIC) continue;
        SRQ_TRY(read_parameter(reader, p, folder, vector, squares ? NOT_NEGATIVE : ANY_NUMBER));
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

/* The result of an evaluation, of attributes such as test_error; all are missing if there was none. */
static srq_status read_result(const srq_h5_reader *reader, const char *images, bool *there, double *error, double *loss,
                              long *count)
{
    char names[3][32];
    int64_t number = 0;
    snprintf(names[0], sizeof names[0], "%s_error", images);
    snprintf(names[1], sizeof names[1], "%s_loss", images);
    snprintf(names[2], sizeof names[2], "%s_count", images);
    *there = srq_h5_has_attribute(reader, "/", names[0]);
    if (!*there) return SRQ_OK;
    SRQ_TRY(srq_h5_read_attribute_double(reader, "/", names[0], error));
    SRQ_TRY(srq_h5_read_attribute_double(reader, "/", names[1], loss));
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", names[2], &number));
    *count = (long)number;
    if (*error >= 0 && *error <= 1 && !(*loss < 0) && number >= 1) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: attributes %s, %s and %s are %g, %g and %lld, but an error is 0 to 1, "
                    "a loss not below 0, and a count 1 or more; use an earlier checkpoint",
                    srq_h5_reader_path(reader), names[0], names[1], names[2], *error, *loss, (long long)number);
}

/* The attributes are missing before the first evaluation, and in runs without validation images. */
static srq_status read_best(const srq_h5_reader *reader, srq_progress_point *point)
{
    int64_t step = 0, since = 0;
    srq_best *best = &point->best;
    if (!srq_h5_has_attribute(reader, "/", "best_step")) return SRQ_OK;
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "best_step", &step));
    SRQ_TRY(srq_h5_read_attribute_double(reader, "/", "best_validation_error", &best->error));
    SRQ_TRY(srq_h5_read_attribute_double(reader, "/", "best_validation_loss", &best->loss));
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "evaluations_since_best", &since));
    best->found = true;
    best->step = (long)step;
    best->since = (long)since;
    /* Every evaluation is at a step of its own. */
    if (step >= 0 && step <= point->step && since >= 0 && since <= point->step - step && best->error >= 0 &&
        best->error <= 1 && best->loss >= 0 && isfinite(best->loss))
        return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: attributes best_step, best_validation_error, best_validation_loss and evaluations_since_best "
                    "are %lld, %g, %g and %lld at step %ld; use an earlier checkpoint",
                    srq_h5_reader_path(reader), (long long)step, best->error, best->loss, (long long)since,
                    point->step);
}

static srq_status read_point(const srq_h5_reader *reader, srq_progress_point *point)
{
    int64_t step, total;
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
    SRQ_TRY(read_best(reader, point));
    SRQ_TRY(read_result(reader, "validation", &point->validated, &point->validation_error, &point->validation_loss,
                        &point->validation_count));
    return read_result(reader, "test", &point->evaluated, &point->test_error, &point->test_loss, &point->test_count);
}

static srq_status read_optimizer(const srq_h5_reader *reader, const srq_graph *graph, long step,
                                 srq_optimizer *optimizer)
{
    int64_t steps;
    SRQ_TRY(srq_h5_read_attribute_int(reader, "optimizer", "steps", &steps));
    if (steps < 0 || steps > step)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: attribute steps of optimizer is %lld, but it must be 0 to %ld, the step; "
                        "use an earlier checkpoint",
                        srq_h5_reader_path(reader), (long long)steps, step);
    srq_optimizer_set_steps(optimizer, (long)steps);
    for (int i = 0; i < srq_optimizer_state_count(optimizer); i++) {
        char folder[64];
        const char *state = srq_optimizer_state_name(optimizer, i);
        snprintf(folder, sizeof folder, "optimizer/%s", state);
        /* v: means of squares, whose root is taken */
        SRQ_TRY(read_state(reader, graph, folder, srq_optimizer_state(optimizer, i), strcmp(state, "v") == 0));
        SRQ_TRY(srq_masks_check(reader, folder, graph, srq_optimizer_state(optimizer, i)));
    }
    return SRQ_OK;
}

/* --- Layers */

static srq_status check_text(const srq_h5_reader *reader, const char *name, const char *attribute, const char *expected)
{
    char found[256];
    SRQ_TRY(srq_h5_read_attribute_text(reader, name, attribute, found, sizeof found));
    if (strcmp(found, expected) == 0) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_DATA,
        "%s: attribute %s of %s is \"%.60s\", but the configuration in the file says \"%s\"; use an earlier "
        "checkpoint",
        srq_h5_reader_path(reader), attribute, name, found, expected);
}

static srq_status check_int(const srq_h5_reader *reader, const char *name, const char *attribute, int64_t least,
                            int64_t most, int64_t *found)
{
    SRQ_TRY(srq_h5_read_attribute_int(reader, name, attribute, found));
    if (*found >= least && *found <= most) return SRQ_OK;
    if (least == most)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: attribute %s of %s is %lld, but %lld is expected; use an earlier checkpoint",
                        srq_h5_reader_path(reader), attribute, name, (long long)*found, (long long)least);
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: attribute %s of %s is %lld, but %lld to %lld is expected; use an earlier checkpoint",
                    srq_h5_reader_path(reader), attribute, name, (long long)*found, (long long)least, (long long)most);
}

/* Bit-lengths when the checkpoint was written, possibly in the middle of a schedule; and their grids. */
static srq_status read_bits(const srq_h5_reader *reader, const char *name, srq_graph *graph, int index)
{
    const srq_layer *layer = srq_graph_layer(graph, index);
    int64_t trained = 0, bits = 0, code;
    const int longest = srq_bits_longest(&layer->quantizer.spec.bits);
    SRQ_TRY(check_text(reader, name, "quantizer", layer->quantizer.method->name));
    SRQ_TRY(check_int(reader, name, "trained_bits", 1, longest, &trained));
    SRQ_TRY(check_int(reader, name, "bits", 1, trained, &bits));
    srq_quantizer saved = layer->quantizer;
    srq_quantizer_set_bits(&saved, (int)trained, (int)bits);
    if (saved.gates.count == 0) SRQ_TRY(check_int(reader, name, "bits", trained, trained, &bits));
    SRQ_TRY(check_int(reader, name, "smallest_code", saved.grid.min, saved.grid.min, &code));
    SRQ_TRY(check_int(reader, name, "largest_code", saved.grid.max, saved.grid.max, &code));
    srq_graph_set_bits(graph, index, (int)trained);
    return SRQ_OK;
}

static srq_status read_layers(const srq_h5_reader *reader, srq_graph *graph)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        char name[NAME_SIZE];
        int64_t index;
        snprintf(name, sizeof name, "layers/%s", layer->spec->name);
        SRQ_TRY(check_text(reader, name, "type", layer->spec->type));
        SRQ_TRY(check_int(reader, name, "index", layer->index, layer->index, &index));
        /* Version 1 may lack it. */
        if (layer->quantizer.method && srq_h5_has_attribute(reader, name, "trained_bits"))
            SRQ_TRY(read_bits(reader, name, graph, i));
    }
    return SRQ_OK;
}

/* With train.average, /layers has the average, and /trained has what training continues with. */
static srq_status read_trained(const srq_h5_reader *reader, srq_graph *graph)
{
    double decay;
    float *values = srq_graph_values(graph);
    if (!srq_h5_has_attribute(reader, "/", SRQ_CHECKPOINT_AVERAGE)) return SRQ_OK;
    SRQ_TRY(srq_h5_read_attribute_double(reader, "/", SRQ_CHECKPOINT_AVERAGE, &decay));
    if (!(decay > 0 && decay < 1))
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: attribute " SRQ_CHECKPOINT_AVERAGE " is %g, but a decay is above 0 and below 1; use an "
                        "earlier checkpoint",
                        srq_h5_reader_path(reader), decay);
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (srq_average_has(p->kind)) SRQ_TRY(read_parameter(reader, p, SRQ_CHECKPOINT_TRAINED, values, demand_of(p)));
    }
    return srq_masks_check(reader, SRQ_CHECKPOINT_TRAINED, graph, values);
}

static int find_layer(const srq_graph *graph, const char *name)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++)
        if (strcmp(srq_graph_layer(graph, i)->spec->name, name) == 0) return i;
    return -1;
}

static srq_status read_changes(const srq_h5_reader *reader, const srq_graph *graph, long last, size_t count,
                               char **layers, srq_bits_history *history)
{
    int64_t *columns = calloc(2 * count + 1, sizeof *columns);
    if (!columns) return srq_fail_memory(2 * count * sizeof *columns, "the history of bit-lengths");
    srq_status status = srq_h5_read(reader, "bits_history/step", H5T_NATIVE_INT64, 1, &count, columns);
    if (status == SRQ_OK)
        status = srq_h5_read(reader, "bits_history/bits", H5T_NATIVE_INT64, 1, &count, columns + count);
    for (size_t i = 0; status == SRQ_OK && i < count; i++) {
        const int64_t step = columns[i], bits = columns[count + i];
        const int layer = find_layer(graph, layers[i]);
        if (layer < 0 || bits < 1 || bits > 8 || step < 0 || step > last)
            status =
                srq_fail(SRQ_ERROR_DATA,
                         "%s: entry %zu of bits_history (layer %.60s, %lld bits at step %lld of %ld) is not valid; use "
                         "an earlier checkpoint",
                         srq_h5_reader_path(reader), i, layers[i], (long long)bits, (long long)step, last);
        const srq_bits_change change = {.step = (long)step, .layer = layer, .bits = (int)bits};
        if (status == SRQ_OK) status = srq_bits_history_add(history, change);
    }
    free(columns);
    return status;
}

static srq_status read_history(const srq_h5_reader *reader, const srq_graph *graph, long last,
                               srq_bits_history *history)
{
    char **layers = NULL;
    size_t count = 0;
    if (!srq_h5_exists(reader, "bits_history")) return SRQ_OK;
    SRQ_TRY(srq_h5_read_texts(reader, "bits_history/layer", &count, &layers));
    srq_status status = read_changes(reader, graph, last, count, layers, history);
    for (size_t i = 0; i < count; i++) free(layers[i]);
    free(layers);
    return status;
}

/* All parts, also those that the caller does not ask for: what one command refuses, every command refuses. */
static srq_status read_all(const srq_h5_reader *reader, srq_graph *graph, srq_optimizer *optimizer,
                           srq_progress_point *point, srq_bits_history *history)
{
    SRQ_TRY(check_layers(reader, graph));
    SRQ_TRY(read_point(reader, point));
    SRQ_TRY(srq_input_statistics_read(reader, graph));
    SRQ_TRY(read_layers(reader, graph));
    SRQ_TRY(read_values(reader, graph));
    SRQ_TRY(srq_masks_read(reader, graph));
    SRQ_TRY(read_history(reader, graph, point->step, history));
    if (!optimizer) return SRQ_OK;
    srq_optimizer_begin_average(optimizer, graph);
    SRQ_TRY(read_trained(reader, graph));
    return read_optimizer(reader, graph, point->step, optimizer);
}

srq_status srq_checkpoint_read_point(const char *path, srq_progress_point *point)
{
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_checkpoint_open(path, &reader));
    const srq_status status = read_point(reader, point);
    srq_h5_reader_close(&reader);
    return status;
}

srq_status srq_checkpoint_load(const srq_h5_reader *reader, srq_graph *graph, srq_optimizer *optimizer,
                               srq_progress_point *point, srq_bits_history *history)
{
    srq_progress_point found;
    srq_bits_history changes = {0};
    const srq_status status = read_all(reader, graph, optimizer, &found, &changes);
    if (status == SRQ_OK && point) *point = found;
    if (history) {
        srq_bits_history_free(history);
        *history = changes;
    } else {
        srq_bits_history_free(&changes);
    }
    return status;
}

srq_status srq_checkpoint_load_trained(const srq_h5_reader *reader, srq_graph *graph)
{
    if (!srq_h5_has_attribute(reader, "/", SRQ_CHECKPOINT_AVERAGE))
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: it has no average of weights (train.average), so its weights are those of training; leave "
                        "--trained out",
                        srq_h5_reader_path(reader));
    return read_trained(reader, graph);
}

srq_status srq_checkpoint_read(const char *path, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                               srq_bits_history *history)
{
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_checkpoint_open(path, &reader));
    const srq_status status = srq_checkpoint_load(reader, graph, optimizer, point, history);
    srq_h5_reader_close(&reader);
    return status;
}
