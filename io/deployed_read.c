#include "core/mask.h"
#include "io/deployed.h"
#include "io/h5.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE = SRQ_NAME_SIZE + 64, OPS_MAX = 4 * SRQ_LAYERS_MAX, CHANNELS_MAX = 1 << 20 };

static srq_status bad(const srq_h5_reader *reader, const char *what)
{
    return srq_fail(SRQ_ERROR_DATA, "%s: %s; export the network again", srq_h5_reader_path(reader), what);
}

/* --- Arrays, which the caller frees */

static srq_status read_array(const srq_h5_reader *reader, const char *name, size_t count, float **x)
{
    *x = malloc((count + 1) * sizeof **x);
    if (!*x) return srq_fail_memory(count * sizeof **x, name);
    return srq_h5_read(reader, name, H5T_NATIVE_FLOAT, 1, &count, *x);
}

/* --- The table of operations */

static srq_status read_names(const srq_h5_reader *reader, srq_deploy *net)
{
    size_t layers = 0, kinds = 0;
    char **layer = NULL, **kind = NULL;
    srq_status status = srq_h5_read_texts(reader, "operations/layer", &layers, &layer);
    if (status == SRQ_OK) status = srq_h5_read_texts(reader, "operations/kind", &kinds, &kind);
    if (status == SRQ_OK && (layers != kinds || layers < 1 || layers > OPS_MAX))
        status =
            bad(reader, "data sets operations/layer and operations/kind have no operations, or not the same number");
    if (status == SRQ_OK) {
        net->ops = calloc(layers, sizeof *net->ops);
        net->op_count = net->ops ? (int)layers : 0;
        if (!net->ops) status = srq_fail_memory(layers * sizeof *net->ops, "the operations");
    }
    for (int i = 0; status == SRQ_OK && i < net->op_count; i++) {
        srq_deploy_op *op = &net->ops[i];
        op->kind = 0;
        while (op->kind < SRQ_DEPLOY_KINDS && strcmp(srq_deploy_kind_name(op->kind), kind[i]) != 0) op->kind++;
        if (op->kind == SRQ_DEPLOY_KINDS || strlen(layer[i]) >= sizeof op->name || strchr(layer[i], '/'))
            status = bad(reader,
                         "data set operations/kind has an unknown kind, or operations/layer a name that no layer has");
        else
            snprintf(op->name, sizeof op->name, "%s", layer[i]);
    }
    for (size_t i = 0; i < layers; i++) free(layer[i]);
    for (size_t i = 0; i < kinds; i++) free(kind[i]);
    free(layer);
    free(kind);
    return status;
}

static srq_deploy_grid grid_of(int bits, bool is_signed)
{
    return (srq_deploy_grid){.bits = bits,
                             .min = is_signed ? -(1 << (bits - 1)) : 0,
                             .max = is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1};
}

/* Takes a row of /operations/table. False if a number is impossible, as far as memory depends on it; the rest is for
 * srq_deploy_check. */
static bool take_row(const int32_t *x, srq_deploy_op *op)
{
    while (op->input_count < SRQ_INPUTS_MAX && x[op->input_count] != SRQ_DEPLOYED_NO_INPUT) {
        op->inputs[op->input_count] = x[op->input_count];
        op->input_count++;
    }
    for (int k = op->input_count; k < SRQ_INPUTS_MAX; k++)
        if (x[k] != SRQ_DEPLOYED_NO_INPUT) return false;
    x += SRQ_INPUTS_MAX;
    op->output = (srq_deploy_tensor){.height = x[0], .width = x[1], .channels = x[2]};
    const int bits = x[3];
    if (bits < 0 || bits > 8 || x[4] < 0 || x[4] > (bits ? 1 : 0)) return false;
    if (bits) op->output.grid = grid_of(bits, x[4]);
    memcpy(op->kernel, x + 5, sizeof op->kernel);
    memcpy(op->stride, x + 7, sizeof op->stride);
    memcpy(op->padding, x + 9, sizeof op->padding);
    op->groups = x[11];
    op->dense = x[12] == 1;
    op->weights.scales = x[13];
    return op->input_count > 0 && x[0] > 0 && x[1] > 0 && x[2] > 0 && x[2] <= CHANNELS_MAX &&
           (x[12] == 0 || x[12] == 1) && (x[13] == 0 || x[13] == 1 || x[13] == x[2]);
}

static srq_status read_rows(const srq_h5_reader *reader, srq_deploy *net, int32_t *table, float *numbers)
{
    const size_t n = (size_t)net->op_count, shape[2] = {n, SRQ_DEPLOYED_COLUMNS}, wide[2] = {n, SRQ_DEPLOYED_NUMBERS};
    SRQ_TRY(srq_h5_read(reader, "operations/table", H5T_NATIVE_INT32, 2, shape, table));
    SRQ_TRY(srq_h5_read(reader, "operations/numbers", H5T_NATIVE_FLOAT, 2, wide, numbers));
    for (size_t i = 0; i < n; i++) {
        srq_deploy_op *op = &net->ops[i];
        if (!take_row(table + i * SRQ_DEPLOYED_COLUMNS, op))
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: data set operations/table: row %zu holds a number that is not possible; export the "
                            "network again",
                            srq_h5_reader_path(reader), i);
        const float *x = numbers + i * SRQ_DEPLOYED_NUMBERS;
        op->output.scale = x[0];
        op->low = x[1];
        op->high = x[2];
        op->slope = x[3];
    }
    return SRQ_OK;
}

static srq_status read_table(const srq_h5_reader *reader, srq_deploy *net)
{
    SRQ_TRY(read_names(reader, net));
    const size_t n = (size_t)net->op_count;
    int32_t *table = malloc(n * SRQ_DEPLOYED_COLUMNS * sizeof *table);
    float *numbers = malloc(n * SRQ_DEPLOYED_NUMBERS * sizeof *numbers);
    srq_status status = table && numbers ? read_rows(reader, net, table, numbers)
                                         : srq_fail_memory(n * sizeof *table, "the operations");
    free(table);
    free(numbers);
    return status;
}

/* --- Arrays of all operations, one after another */

static float **factors_of(srq_deploy_op *op, size_t *count)
{
    *count = op->kind == SRQ_DEPLOY_AFFINE ? (size_t)op->output.channels : 0;
    return &op->a;
}

static float **summands_of(srq_deploy_op *op, size_t *count)
{
    *count = op->kind == SRQ_DEPLOY_AFFINE ? (size_t)op->output.channels : 0;
    return &op->b;
}

static float **scales_of(srq_deploy_op *op, size_t *count)
{
    *count = op->kind == SRQ_DEPLOY_CONV ? (size_t)op->weights.scales : 0;
    return &op->weights.scale;
}

static srq_status read_joined(const srq_h5_reader *reader, srq_deploy *net, const char *name,
                              float **(*array)(srq_deploy_op *op, size_t *count))
{
    size_t all = 0, at = 0, count;
    float *joined = NULL;
    for (int i = 0; i < net->op_count; i++) {
        (void)array(&net->ops[i], &count);
        all += count;
    }
    srq_status status = read_array(reader, name, all, &joined);
    for (int i = 0; status == SRQ_OK && i < net->op_count; i++) {
        float **to = array(&net->ops[i], &count);
        if (!count) continue;
        *to = malloc(count * sizeof **to);
        if (!*to)
            status = srq_fail_memory(count * sizeof **to, name);
        else
            memcpy(*to, joined + at, count * sizeof **to);
        at += count;
    }
    free(joined);
    return status;
}

/* --- Weights */

static srq_status read_mask(const srq_h5_reader *reader, const char *layer, srq_deploy_weights *w)
{
    char name[NAME_SIZE];
    const size_t bytes = srq_mask_bytes(w->count);
    snprintf(name, sizeof name, "masks/%s", layer);
    w->kept = w->count;
    if (!srq_h5_exists(reader, name)) return SRQ_OK;
    w->mask = malloc(bytes);
    if (!w->mask) return srq_fail_memory(bytes, name);
    SRQ_TRY(srq_h5_read(reader, name, H5T_NATIVE_UINT8, 1, &bytes, w->mask));
    w->kept = srq_mask_count(w->mask, w->count);
    return SRQ_OK;
}

/* The number of weights follows from the shapes, which are checked here as far as memory depends on them. */
static srq_status count_weights(const srq_h5_reader *reader, const srq_deploy *net, int index, size_t *count)
{
    const srq_deploy_op *op = &net->ops[index];
    if (op->input_count != 1 || op->inputs[0] < SRQ_DEPLOY_IMAGES || op->inputs[0] >= index || op->groups < 1 ||
        op->kernel[0] < 1 || op->kernel[1] < 1)
        return bad(reader, "a convolution has a wrong input, kernel or number of groups");
    const srq_deploy_tensor x = srq_deploy_tensor_at(net, op->inputs[0]);
    const double all = (double)x.channels / op->groups * op->kernel[0] * op->kernel[1] * op->output.channels;
    if (!(all >= 1 && all <= (double)((size_t)1 << 33))) return bad(reader, "a convolution has more than 2^33 weights");
    *count = (size_t)x.channels / (size_t)op->groups * (size_t)op->kernel[0] * (size_t)op->kernel[1] *
             (size_t)op->output.channels;
    return SRQ_OK;
}

static srq_status read_packed(const srq_h5_reader *reader, const char *name, srq_deploy_weights *w)
{
    size_t bytes = srq_deploy_packed_size(w), floats = bytes / sizeof(float);
    uint8_t *packed = malloc(bytes + 1);
    if (w->grid.bits)
        w->codes = malloc(w->count);
    else
        w->floats = malloc(w->count * sizeof *w->floats);
    srq_status status = packed && (w->codes || w->floats) ? SRQ_OK : srq_fail_memory(w->count, name);
    if (status == SRQ_OK)
        status = w->grid.bits ? srq_h5_read(reader, name, H5T_NATIVE_UINT8, 1, &bytes, packed)
                              : srq_h5_read(reader, name, H5T_NATIVE_FLOAT, 1, &floats, packed);
    if (status == SRQ_OK) srq_deploy_unpack(packed, w);
    free(packed);
    return status;
}

static srq_status read_points(const srq_h5_reader *reader, const char *layer, const char *of, srq_deploy_grid *grid)
{
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "points/%s/%s", layer, of);
    if (!grid->bits || !srq_h5_exists(reader, name)) return SRQ_OK;
    return read_array(reader, name, (size_t)(grid->max - grid->min + 1), &grid->points);
}

static srq_status read_weights(const srq_h5_reader *reader, srq_deploy *net, int index)
{
    char name[NAME_SIZE];
    int64_t bits, count;
    srq_deploy_op *op = &net->ops[index];
    srq_deploy_weights *w = &op->weights;
    SRQ_TRY(count_weights(reader, net, index, &w->count));
    snprintf(name, sizeof name, "weights/%s", op->name);
    SRQ_TRY(srq_h5_read_attribute_int(reader, name, "bits", &bits));
    SRQ_TRY(srq_h5_read_attribute_int(reader, name, "count", &count));
    if (count != (int64_t)w->count || (bits != 32 && (bits < 1 || bits > 8)) || (bits == 32) != (w->scales == 0))
        return bad(reader, "the attributes count or bits of a convolution's weights do not fit its shape and scales");
    if (bits != 32) w->grid = grid_of((int)bits, true);
    SRQ_TRY(read_points(reader, op->name, "weights", &w->grid));
    SRQ_TRY(read_mask(reader, op->name, w));
    if (w->mask && !srq_deploy_packs_mask(w)) return bad(reader, "a convolution has a mask that saves nothing");
    return read_packed(reader, name, w);
}

static srq_status read_arrays(const srq_h5_reader *reader, srq_deploy *net, int index)
{
    srq_deploy_op *op = &net->ops[index];
    if (op->kind == SRQ_DEPLOY_CONV) SRQ_TRY(read_weights(reader, net, index));
    return read_points(reader, op->name, "output", &op->output.grid);
}

/* --- The file */

static srq_status read_input(const srq_h5_reader *reader, srq_deploy_input *in)
{
    size_t classes = 0;
    const struct {
        const char *name;
        int *value;
    } numbers[] = {{"height", &in->height},
                   {"width", &in->width},
                   {"channels", &in->channels},
                   {"fraction", &in->fraction},
                   {"resize", &in->resize}};
    SRQ_TRY(srq_h5_read_texts(reader, "classes", &classes, &in->class_names));
    in->classes = (int)classes; /* at most what HDF5's reader takes */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        int64_t value;
        SRQ_TRY(srq_h5_read_attribute_int(reader, "input", numbers[i].name, &value));
        if (value < 0 || value > CHANNELS_MAX) return bad(reader, "an attribute of the group input is not possible");
        *numbers[i].value = (int)value;
    }
    if (in->channels < 1) return bad(reader, "the images have no channels");
    SRQ_TRY(srq_h5_read_attribute_text(reader, "input", "data_name", in->data_name, sizeof in->data_name));
    SRQ_TRY(srq_h5_read_attribute_text(reader, "input", "data_sha256", in->data_sha256, sizeof in->data_sha256));
    SRQ_TRY(read_array(reader, "input/multiply", (size_t)in->channels, &in->multiply));
    return read_array(reader, "input/add", (size_t)in->channels, &in->add);
}

static srq_status read_all(const srq_h5_reader *reader, srq_deploy *net)
{
    int64_t step;
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", "model", net->model, sizeof net->model));
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", "method", net->method, sizeof net->method));
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "step", &step));
    net->step = (long)step;
    SRQ_TRY(read_input(reader, &net->input));
    SRQ_TRY(read_table(reader, net));
    SRQ_TRY(read_joined(reader, net, "operations/a", factors_of));
    SRQ_TRY(read_joined(reader, net, "operations/b", summands_of));
    SRQ_TRY(read_joined(reader, net, "operations/scales", scales_of));
    for (int i = 0; i < net->op_count; i++) SRQ_TRY(read_arrays(reader, net, i));
    srq_status status = srq_deploy_check(net);
    return status == SRQ_OK ? SRQ_OK : srq_fail_in(status, "%s", srq_h5_reader_path(reader));
}

srq_status srq_deployed_read(const char *path, srq_deploy **out)
{
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_h5_wait(path));
    SRQ_TRY(srq_h5_reader_open(path, "a deployed network", SRQ_DEPLOYED_FORMAT, SRQ_DEPLOYED_VERSION, &reader));
    srq_deploy *net = calloc(1, sizeof *net);
    srq_status status = net ? read_all(reader, net) : srq_fail_memory(sizeof *net, path);
    srq_h5_reader_close(&reader);
    if (status == SRQ_OK)
        *out = net;
    else
        srq_deploy_destroy(&net);
    return status;
}

bool srq_deployed_is(const char *path)
{
    srq_h5_reader *reader = NULL;
    char format[64] = "", before[SRQ_MESSAGE_SIZE];
    snprintf(before, sizeof before, "%s", srq_message());
    if (srq_h5_reader_open(path, "a file of srq", NULL, 0, &reader) == SRQ_OK) {
        if (srq_h5_has_attribute(reader, "/", "format"))
            (void)srq_h5_read_attribute_text(reader, "/", "format", format, sizeof format);
        srq_h5_reader_close(&reader);
    }
    (void)srq_fail(SRQ_ERROR_DATA, "%s", before);
    return strcmp(format, SRQ_DEPLOYED_FORMAT) == 0;
}
