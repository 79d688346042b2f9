#include "core/mask.h"
#include "io/deployed.h"
#include "io/export.h"
#include "io/h5.h"

#include <stdlib.h>
#include <string.h>

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

/* A row of /operations/table and one of /operations/numbers. */
static void fill_row(const srq_deploy_op *op, int32_t *to, float *numbers)
{
    const srq_deploy_tensor *y = &op->output;
    for (int k = 0; k < SRQ_INPUTS_MAX; k++) to[k] = k < op->input_count ? op->inputs[k] : SRQ_DEPLOYED_NO_INPUT;
    const int rest[SRQ_DEPLOYED_COLUMNS - SRQ_INPUTS_MAX] = {
        y->height,      y->width,      y->channels,   y->grid.bits,      y->grid.min < 0,
        op->kernel[0],  op->kernel[1], op->stride[0], op->stride[1],     op->padding[0],
        op->padding[1], op->groups,    op->dense,     op->weights.scales};
    for (int i = 0; i < SRQ_DEPLOYED_COLUMNS - SRQ_INPUTS_MAX; i++) to[SRQ_INPUTS_MAX + i] = rest[i];
    const float all[SRQ_DEPLOYED_NUMBERS] = {y->scale, op->low, op->high, op->slope};
    memcpy(numbers, all, sizeof all);
}

static srq_status write_table(srq_h5_writer *writer, const srq_deploy *net)
{
    const size_t n = (size_t)net->op_count, shape[2] = {n, SRQ_DEPLOYED_COLUMNS}, wide[2] = {n, SRQ_DEPLOYED_NUMBERS};
    int32_t *table = calloc(n, SRQ_DEPLOYED_COLUMNS * sizeof *table);
    float *numbers = calloc(n, SRQ_DEPLOYED_NUMBERS * sizeof *numbers);
    srq_status status = table && numbers ? SRQ_OK : srq_fail_memory(n * sizeof *table, "the operations");
    for (size_t i = 0; status == SRQ_OK && i < n; i++)
        fill_row(&net->ops[i], table + i * SRQ_DEPLOYED_COLUMNS, numbers + i * SRQ_DEPLOYED_NUMBERS);
    if (status == SRQ_OK) status = write_names(writer, net);
    if (status == SRQ_OK) status = srq_h5_write(writer, "operations/table", H5T_NATIVE_INT32, 2, shape, table);
    if (status == SRQ_OK) status = srq_h5_write(writer, "operations/numbers", H5T_NATIVE_FLOAT, 2, wide, numbers);
    free(table);
    free(numbers);
    return status;
}

/* The same array of all operations, one after another. */
static srq_status write_joined(srq_h5_writer *writer, const srq_deploy *net, const char *name,
                               const float *(*array)(const srq_deploy_op *op, size_t *count))
{
    size_t all = 0, count;
    for (int i = 0; i < net->op_count; i++)
        if (array(&net->ops[i], &count)) all += count;
    float *joined = malloc((all + 1) * sizeof *joined);
    if (!joined) return srq_fail_memory(all * sizeof *joined, name);
    all = 0;
    for (int i = 0; i < net->op_count; i++) {
        const float *from = array(&net->ops[i], &count);
        if (!from) continue;
        memcpy(joined + all, from, count * sizeof *joined);
        all += count;
    }
    srq_status status = srq_h5_write(writer, name, H5T_NATIVE_FLOAT, 1, &all, joined);
    free(joined);
    return status;
}

static const float *factors_of(const srq_deploy_op *op, size_t *count)
{
    *count = (size_t)op->output.channels;
    return op->kind == SRQ_DEPLOY_AFFINE ? op->a : NULL;
}

static const float *summands_of(const srq_deploy_op *op, size_t *count)
{
    *count = (size_t)op->output.channels;
    return op->kind == SRQ_DEPLOY_AFFINE ? op->b : NULL;
}

static const float *scales_of(const srq_deploy_op *op, size_t *count)
{
    *count = (size_t)op->weights.scales;
    return op->kind == SRQ_DEPLOY_CONV ? op->weights.scale : NULL;
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
    snprintf(name, sizeof name, "weights/%s", op->name);
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
        snprintf(name, sizeof name, "masks/%s", op->name);
        SRQ_TRY(srq_h5_write(writer, name, H5T_NATIVE_UINT8, 1, &mask, w->mask));
        SRQ_TRY(srq_h5_write_attribute_int(writer, name, "count", (int64_t)w->count));
        SRQ_TRY(srq_h5_write_attribute_int(writer, name, "kept", (int64_t)w->kept));
    }
    snprintf(name, sizeof name, "points/%s/weights", op->name);
    return w->grid.points ? write_array(writer, name, codes_of(&w->grid), w->grid.points) : SRQ_OK;
}

static srq_status write_arrays(srq_h5_writer *writer, const srq_deploy *net, int index)
{
    char name[NAME_SIZE];
    const srq_deploy_op *op = &net->ops[index];
    const srq_deploy_grid *grid = &op->output.grid;
    if (op->kind == SRQ_DEPLOY_CONV) SRQ_TRY(write_weights(writer, op));
    snprintf(name, sizeof name, "points/%s/output", op->name);
    return grid->points ? write_array(writer, name, codes_of(grid), grid->points) : SRQ_OK;
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
    SRQ_TRY(write_joined(writer, net, "operations/a", factors_of));
    SRQ_TRY(write_joined(writer, net, "operations/b", summands_of));
    SRQ_TRY(write_joined(writer, net, "operations/scales", scales_of));
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

extern const srq_export_format srq_export_h5;
const srq_export_format srq_export_h5 = {
    .name = "h5",
    .summary = "the tensors alone, with codes at their bit-length, for srq and for your own programs",
    .suffix = ".h5",
    .write = export,
};
