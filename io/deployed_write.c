#include "core/mask.h"
#include "io/checkpoint.h"
#include "io/deployed.h"
#include "io/export.h"
#include "io/h5.h"

#include <stdlib.h>

enum { NAME_SIZE = SRQ_NAME_SIZE + 64 };

/* --- The table of operations, a data set for each column */

static srq_status write_names(srq_h5_writer *writer, const srq_deploy *net)
{
    const size_t n = (size_t)net->op_count;
    const char **texts = malloc(n * sizeof *texts);
    if (!texts) return srq_fail_memory(n * sizeof *texts, "the names of operations");
    for (size_t i = 0; i < n; i++) texts[i] = net->ops[i].name;
    srq_status status = srq_h5_write_texts(writer, "operations/layer", n, texts);
    for (size_t i = 0; i < n; i++) texts[i] = srq_deploy_kind_name(net->ops[i].kind);
    if (status == SRQ_OK) status = srq_h5_write_texts(writer, "operations/kind", n, texts);
    free(texts);
    return status;
}

/* Column `name` of `width` integers, which `fill` writes for an operation. */
static srq_status write_integers(srq_h5_writer *writer, const srq_deploy *net, const char *name, size_t width,
                                 void (*fill)(const srq_deploy_op *op, int32_t *to))
{
    const size_t shape[2] = {(size_t)net->op_count, width};
    int32_t *table = calloc(shape[0], width * sizeof *table);
    if (!table) return srq_fail_memory(shape[0] * width * sizeof *table, "the operations");
    for (size_t i = 0; i < shape[0]; i++) fill(&net->ops[i], table + i * width);
    srq_status status = srq_h5_write(writer, name, H5T_NATIVE_INT32, 2, shape, table);
    free(table);
    return status;
}

static srq_status write_floats(srq_h5_writer *writer, const srq_deploy *net, const char *name, size_t width,
                               void (*fill)(const srq_deploy_op *op, float *to))
{
    const size_t shape[2] = {(size_t)net->op_count, width};
    float *table = calloc(shape[0], width * sizeof *table);
    if (!table) return srq_fail_memory(shape[0] * width * sizeof *table, "the operations");
    for (size_t i = 0; i < shape[0]; i++) fill(&net->ops[i], table + i * width);
    srq_status status = srq_h5_write(writer, name, H5T_NATIVE_FLOAT, 2, shape, table);
    free(table);
    return status;
}

static void fill_inputs(const srq_deploy_op *op, int32_t *to)
{
    for (int k = 0; k < SRQ_INPUTS_MAX; k++) to[k] = k < op->input_count ? op->inputs[k] : SRQ_DEPLOYED_NO_INPUT;
}

static void fill_output(const srq_deploy_op *op, int32_t *to)
{
    to[0] = op->output.height;
    to[1] = op->output.width;
    to[2] = op->output.channels;
}

static void fill_window(const srq_deploy_op *op, int32_t *to)
{
    for (int i = 0; i < 2; i++) {
        to[i] = op->kernel[i];
        to[2 + i] = op->stride[i];
        to[4 + i] = op->padding[i];
    }
}

static void fill_conv(const srq_deploy_op *op, int32_t *to)
{
    to[0] = op->groups;
    to[1] = op->dense;
}

static void fill_grid(const srq_deploy_op *op, int32_t *to)
{
    to[0] = op->output.grid.bits;
    to[1] = op->output.grid.min < 0;
}

static void fill_scale(const srq_deploy_op *op, float *to)
{
    to[0] = op->output.scale;
}

static void fill_limits(const srq_deploy_op *op, float *to)
{
    to[0] = op->low;
    to[1] = op->high;
    to[2] = op->slope;
}

static srq_status write_table(srq_h5_writer *writer, const srq_deploy *net)
{
    SRQ_TRY(write_names(writer, net));
    SRQ_TRY(write_integers(writer, net, "operations/inputs", SRQ_INPUTS_MAX, fill_inputs));
    SRQ_TRY(write_integers(writer, net, "operations/output", 3, fill_output));
    SRQ_TRY(write_integers(writer, net, "operations/window", 6, fill_window));
    SRQ_TRY(write_integers(writer, net, "operations/convolution", 2, fill_conv));
    SRQ_TRY(write_integers(writer, net, "operations/grid", 2, fill_grid));
    SRQ_TRY(write_floats(writer, net, "operations/scale", 1, fill_scale));
    return write_floats(writer, net, "operations/limits", 3, fill_limits);
}

/* --- Arrays */

static srq_status write_array(srq_h5_writer *writer, const char *name, size_t count, const float *x)
{
    return srq_h5_write(writer, name, H5T_NATIVE_FLOAT, 1, &count, x);
}

static size_t codes_of(const srq_deploy_grid *grid)
{
    return (size_t)(grid->max - grid->min + 1);
}

static srq_status write_packed(srq_h5_writer *writer, const srq_deploy_op *op)
{
    char name[NAME_SIZE];
    const srq_deploy_weights *w = &op->weights;
    const size_t bytes = srq_deploy_packed_size(w);
    uint8_t *packed = calloc(bytes + 1, 1);
    if (!packed) return srq_fail_memory(bytes, "packed weights");
    srq_deploy_pack(w, packed);
    snprintf(name, sizeof name, "weights/%s/%s", op->name, w->grid.bits ? "codes" : "values");
    srq_status status = w->grid.bits ? srq_h5_write(writer, name, H5T_NATIVE_UINT8, 1, &bytes, packed)
                                     : write_array(writer, name, bytes / sizeof(float), (const float *)(void *)packed);
    free(packed);
    SRQ_TRY(status);
    SRQ_TRY(srq_h5_write_attribute_int(writer, name, "bits", w->grid.bits ? w->grid.bits : 32));
    return srq_h5_write_attribute_int(writer, name, "count", (int64_t)w->count);
}

static srq_status write_weights(srq_h5_writer *writer, const srq_deploy_op *op)
{
    char name[NAME_SIZE];
    const srq_deploy_weights *w = &op->weights;
    const size_t mask = srq_mask_bytes(w->count);
    SRQ_TRY(write_packed(writer, op));
    if (srq_deploy_packs_mask(w)) {
        snprintf(name, sizeof name, "weights/%s/" SRQ_CHECKPOINT_MASK, op->name);
        SRQ_TRY(srq_h5_write(writer, name, H5T_NATIVE_UINT8, 1, &mask, w->mask));
        SRQ_TRY(srq_h5_write_attribute_int(writer, name, "count", (int64_t)w->count));
        SRQ_TRY(srq_h5_write_attribute_int(writer, name, "kept", (int64_t)w->kept));
    }
    if (!w->grid.bits) return SRQ_OK;
    snprintf(name, sizeof name, "weights/%s/scale", op->name);
    SRQ_TRY(write_array(writer, name, (size_t)w->scales, w->scale));
    snprintf(name, sizeof name, "weights/%s/points", op->name);
    return w->grid.points ? write_array(writer, name, codes_of(&w->grid), w->grid.points) : SRQ_OK;
}

static srq_status write_arrays(srq_h5_writer *writer, const srq_deploy *net, int index)
{
    char name[NAME_SIZE];
    const srq_deploy_op *op = &net->ops[index];
    const size_t channels = (size_t)op->output.channels;
    if (op->kind == SRQ_DEPLOY_CONV) SRQ_TRY(write_weights(writer, op));
    if (op->kind == SRQ_DEPLOY_AFFINE) {
        snprintf(name, sizeof name, "affine/%d/a", index);
        SRQ_TRY(write_array(writer, name, channels, op->a));
        snprintf(name, sizeof name, "affine/%d/b", index);
        SRQ_TRY(write_array(writer, name, channels, op->b));
    }
    snprintf(name, sizeof name, "points/%d", index);
    return op->output.grid.points ? write_array(writer, name, codes_of(&op->output.grid), op->output.grid.points)
                                  : SRQ_OK;
}

/* --- The file */

static srq_status write_input(srq_h5_writer *writer, const srq_deploy_input *in)
{
    const struct {
        const char *name;
        int value;
    } numbers[] = {{"height", in->height},
                   {"width", in->width},
                   {"channels", in->channels},
                   {"fraction", in->fraction},
                   {"resize", in->resize}};
    SRQ_TRY(srq_h5_write_texts(writer, "classes", (size_t)in->classes, (const char *const *)in->class_names));
    SRQ_TRY(write_array(writer, "input/multiply", (size_t)in->channels, in->multiply));
    SRQ_TRY(write_array(writer, "input/add", (size_t)in->channels, in->add));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        SRQ_TRY(srq_h5_write_attribute_int(writer, "input", numbers[i].name, numbers[i].value));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "input", "data_name", in->data_name));
    return srq_h5_write_attribute_text(writer, "input", "data_sha256", in->data_sha256);
}

static srq_status fill(srq_h5_writer *writer, const srq_deploy *net)
{
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "model", net->model));
    SRQ_TRY(srq_h5_write_attribute_text(writer, "/", "method", net->method));
    SRQ_TRY(srq_h5_write_attribute_int(writer, "/", "step", net->step));
    SRQ_TRY(write_input(writer, &net->input));
    SRQ_TRY(write_table(writer, net));
    for (int i = 0; i < net->op_count; i++) SRQ_TRY(write_arrays(writer, net, i));
    return srq_h5_writer_seal(writer);
}

srq_status srq_deployed_write(const char *path, const srq_deploy *net)
{
    srq_h5_writer *writer = NULL;
    SRQ_TRY(srq_h5_writer_create(SRQ_DEPLOYED_FORMAT, SRQ_DEPLOYED_VERSION, &writer));
    srq_status status = fill(writer, net);
    if (status == SRQ_OK) status = srq_h5_writer_commit(writer, path);
    srq_h5_writer_destroy(&writer);
    return status;
}

static srq_status export(const srq_export_request *request, const char *path)
{
    return srq_deployed_write(path, request->net);
}

const srq_export_format srq_export_h5 = {
    .name = "h5",
    .summary = "the tensors alone, with codes at their bit-length, for srq and for your own programs",
    .suffix = ".h5",
    .write = export,
};
