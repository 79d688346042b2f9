#include "core/mask.h"
#include "io/checkpoint.h"
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
    *x = malloc(count * sizeof **x);
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

/* A column of `width` numbers of 4 bytes, which take() stores in an operation. False if one is impossible. */
static srq_status read_column(const srq_h5_reader *reader, srq_deploy *net, const char *name, hid_t type, size_t width,
                              bool (*take)(const void *from, srq_deploy_op *op))
{
    const size_t shape[2] = {(size_t)net->op_count, width};
    char *table = malloc(shape[0] * width * 4);
    if (!table) return srq_fail_memory(shape[0] * width * 4, name);
    srq_status status = srq_h5_read(reader, name, type, 2, shape, table);
    for (size_t i = 0; status == SRQ_OK && i < shape[0]; i++)
        if (!take(table + i * width * 4, &net->ops[i]))
            status = srq_fail(SRQ_ERROR_DATA,
                              "%s: data set %s: row %zu holds a number that is not possible; export the "
                              "network again",
                              srq_h5_reader_path(reader), name, i);
    free(table);
    return status;
}

/* Operations come after their inputs, which srq_deploy_check compares. */
static bool take_inputs(const void *from, srq_deploy_op *op)
{
    const int32_t *x = from;
    while (op->input_count < SRQ_INPUTS_MAX && x[op->input_count] != SRQ_DEPLOYED_NO_INPUT) {
        op->inputs[op->input_count] = x[op->input_count];
        op->input_count++;
    }
    for (int k = op->input_count; k < SRQ_INPUTS_MAX; k++)
        if (x[k] != SRQ_DEPLOYED_NO_INPUT) return false;
    return op->input_count > 0;
}

static bool take_output(const void *from, srq_deploy_op *op)
{
    const int32_t *x = from;
    op->output.height = x[0];
    op->output.width = x[1];
    op->output.channels = x[2];
    return x[0] > 0 && x[1] > 0 && x[2] > 0 && x[2] <= CHANNELS_MAX;
}

static bool take_window(const void *from, srq_deploy_op *op)
{
    const int32_t *x = from;
    memcpy(op->kernel, x, sizeof op->kernel);
    memcpy(op->stride, x + 2, sizeof op->stride);
    memcpy(op->padding, x + 4, sizeof op->padding);
    return true;
}

static bool take_conv(const void *from, srq_deploy_op *op)
{
    const int32_t *x = from;
    op->groups = x[0];
    op->dense = x[1] == 1;
    return x[1] == 0 || x[1] == 1;
}

static srq_deploy_grid grid_of(int bits, bool is_signed)
{
    return (srq_deploy_grid){.bits = bits,
                             .min = is_signed ? -(1 << (bits - 1)) : 0,
                             .max = is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1};
}

static bool take_grid(const void *from, srq_deploy_op *op)
{
    const int32_t *x = from;
    if (x[0] < 0 || x[0] > 8 || x[1] < 0 || x[1] > 1 || (x[0] == 0 && x[1])) return false;
    if (x[0]) op->output.grid = grid_of(x[0], x[1]);
    return true;
}

static bool take_scale(const void *from, srq_deploy_op *op)
{
    memcpy(&op->output.scale, from, sizeof op->output.scale);
    return true;
}

static bool take_limits(const void *from, srq_deploy_op *op)
{
    const float *x = from;
    op->low = x[0];
    op->high = x[1];
    op->slope = x[2];
    return true;
}

static srq_status read_table(const srq_h5_reader *reader, srq_deploy *net)
{
    SRQ_TRY(read_names(reader, net));
    SRQ_TRY(read_column(reader, net, "operations/inputs", H5T_NATIVE_INT32, SRQ_INPUTS_MAX, take_inputs));
    SRQ_TRY(read_column(reader, net, "operations/output", H5T_NATIVE_INT32, 3, take_output));
    SRQ_TRY(read_column(reader, net, "operations/window", H5T_NATIVE_INT32, 6, take_window));
    SRQ_TRY(read_column(reader, net, "operations/convolution", H5T_NATIVE_INT32, 2, take_conv));
    SRQ_TRY(read_column(reader, net, "operations/grid", H5T_NATIVE_INT32, 2, take_grid));
    SRQ_TRY(read_column(reader, net, "operations/scale", H5T_NATIVE_FLOAT, 1, take_scale));
    return read_column(reader, net, "operations/limits", H5T_NATIVE_FLOAT, 3, take_limits);
}

/* --- Weights */

static srq_status read_mask(const srq_h5_reader *reader, const char *layer, srq_deploy_weights *w)
{
    char name[NAME_SIZE];
    const size_t bytes = srq_mask_bytes(w->count);
    snprintf(name, sizeof name, "weights/%s/" SRQ_CHECKPOINT_MASK, layer);
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

static srq_status read_scales(const srq_h5_reader *reader, const srq_deploy_op *op, srq_deploy_weights *w)
{
    char name[NAME_SIZE];
    int rank;
    size_t shape[8];
    snprintf(name, sizeof name, "weights/%s/scale", op->name);
    SRQ_TRY(srq_h5_shape(reader, name, H5T_FLOAT, &rank, shape));
    if (rank != 1 || (shape[0] != 1 && shape[0] != (size_t)op->output.channels))
        return bad(reader, "a convolution has neither one scale of its weights nor one for each output channel");
    w->scales = (int)shape[0];
    SRQ_TRY(read_array(reader, name, shape[0], &w->scale));
    snprintf(name, sizeof name, "weights/%s/points", op->name);
    if (!srq_h5_exists(reader, name)) return SRQ_OK;
    return read_array(reader, name, (size_t)(w->grid.max - w->grid.min + 1), &w->grid.points);
}

static srq_status read_weights(const srq_h5_reader *reader, srq_deploy *net, int index)
{
    char name[NAME_SIZE];
    int64_t bits, count;
    srq_deploy_op *op = &net->ops[index];
    srq_deploy_weights *w = &op->weights;
    SRQ_TRY(count_weights(reader, net, index, &w->count));
    snprintf(name, sizeof name, "weights/%s/codes", op->name);
    if (!srq_h5_exists(reader, name)) snprintf(name, sizeof name, "weights/%s/values", op->name);
    SRQ_TRY(srq_h5_read_attribute_int(reader, name, "bits", &bits));
    SRQ_TRY(srq_h5_read_attribute_int(reader, name, "count", &count));
    if (count != (int64_t)w->count || (bits != 32 && (bits < 1 || bits > 8)))
        return bad(reader, "the attributes count or bits of a convolution's weights do not fit its shape");
    if (bits != 32) {
        w->grid = grid_of((int)bits, true);
        SRQ_TRY(read_scales(reader, op, w));
    }
    SRQ_TRY(read_mask(reader, op->name, w));
    if (w->mask && !srq_deploy_packs_mask(w)) return bad(reader, "a convolution has a mask that saves nothing");
    return read_packed(reader, name, w);
}

static srq_status read_arrays(const srq_h5_reader *reader, srq_deploy *net, int index)
{
    char name[NAME_SIZE];
    srq_deploy_op *op = &net->ops[index];
    const size_t channels = (size_t)op->output.channels;
    if (op->kind == SRQ_DEPLOY_CONV) SRQ_TRY(read_weights(reader, net, index));
    if (op->kind == SRQ_DEPLOY_AFFINE) {
        snprintf(name, sizeof name, "affine/%d/a", index);
        SRQ_TRY(read_array(reader, name, channels, &op->a));
        snprintf(name, sizeof name, "affine/%d/b", index);
        SRQ_TRY(read_array(reader, name, channels, &op->b));
    }
    snprintf(name, sizeof name, "points/%d", index);
    if (!op->output.grid.bits || !srq_h5_exists(reader, name)) return SRQ_OK;
    return read_array(reader, name, (size_t)(op->output.grid.max - op->output.grid.min + 1), &op->output.grid.points);
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
    char format[64] = "";
    if (srq_h5_reader_open(path, "a file of srq", NULL, 0, &reader) != SRQ_OK) return false;
    const bool found = srq_h5_has_attribute(reader, "/", "format") &&
                       srq_h5_read_attribute_text(reader, "/", "format", format, sizeof format) == SRQ_OK;
    srq_h5_reader_close(&reader);
    return found && strcmp(format, SRQ_DEPLOYED_FORMAT) == 0;
}
