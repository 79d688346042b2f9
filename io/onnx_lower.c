#include "io/onnx_lower.h"

#include "io/escape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TAPS_MAX = 256 };

/* --- Names and inputs */

char *srq_lower_name(const srq_lowering *l, const char *suffix, char out[SRQ_LOWER_NAME])
{
    const srq_deploy_op *op = &l->net->ops[l->at];
    snprintf(out, SRQ_LOWER_NAME, "%s/%s_%d%s", op->name, srq_deploy_kind_name(op->kind), l->at, suffix);
    return out;
}

bool srq_lower_is_flat(const srq_lowering *l, int index)
{
    return index != SRQ_DEPLOY_IMAGES && l->flat[index];
}

static const char *reshape(srq_lowering *l, const char *x, const char *suffix, int count, const int64_t *shape)
{
    char name[SRQ_LOWER_NAME], list[SRQ_LOWER_NAME], words[32];
    snprintf(words, sizeof words, "%s_shape", suffix);
    srq_lower_name(l, words, list);
    return srq_onnx_node(l->model, "Reshape", srq_lower_name(l, suffix, name), x,
                         srq_onnx_list(l->model, list, count, shape), NULL);
}

const char *srq_lower_input(srq_lowering *l, const srq_deploy_op *op, int k, bool flat)
{
    const int index = op->inputs[k];
    const char *x = index == SRQ_DEPLOY_IMAGES ? l->image : l->values[index];
    char name[SRQ_LOWER_NAME], suffix[32];
    snprintf(suffix, sizeof suffix, "_input%d", k);
    if (flat == srq_lower_is_flat(l, index)) return x;
    if (flat) return srq_onnx_node(l->model, "Flatten", srq_lower_name(l, suffix, name), x, NULL);
    const int64_t shape[4] = {-1, srq_deploy_tensor_at(l->net, index).channels, 1, 1};
    return reshape(l, x, suffix, 4, shape);
}

void srq_lower_window(srq_lowering *l, const srq_deploy_op *op)
{
    const int64_t kernel[2] = {op->kernel[0], op->kernel[1]}, stride[2] = {op->stride[0], op->stride[1]};
    const int64_t pads[4] = {op->padding[0], op->padding[1], op->padding[0], op->padding[1]};
    srq_onnx_set_ints(l->model, "kernel_shape", 2, kernel);
    srq_onnx_set_ints(l->model, "strides", 2, stride);
    srq_onnx_set_ints(l->model, "pads", 4, pads);
}

const char *srq_lower_channels(srq_lowering *l, const char *suffix, bool flat, int channels, const float *values)
{
    char name[SRQ_LOWER_NAME];
    const int64_t shape[3] = {channels, 1, 1};
    return srq_onnx_floats(l->model, srq_lower_name(l, suffix, name), flat ? 1 : 3, shape, values);
}

/* --- Operations on floats */

static bool all_are(int count, const float *values, float value)
{
    for (int i = 0; i < count; i++)
        if (values[i] != value) return false;
    return true;
}

const char *srq_lower_affine(srq_lowering *l, const char *x, bool flat, int channels, const float *a, const float *b)
{
    char name[SRQ_LOWER_NAME];
    if (!all_are(channels, a, 1))
        x = srq_onnx_node(l->model, "Mul", srq_lower_name(l, "_scaled", name), x,
                          srq_lower_channels(l, "_a", flat, channels, a), NULL);
    if (!all_are(channels, b, 0))
        x = srq_onnx_node(l->model, "Add", srq_lower_name(l, "", name), x,
                          srq_lower_channels(l, "_b", flat, channels, b), NULL);
    return x;
}

static const char *lower_affine(srq_lowering *l, const srq_deploy_op *op)
{
    const bool flat = l->flat[l->at];
    return srq_lower_affine(l, srq_lower_input(l, op, 0, flat), flat, op->output.channels, op->a, op->b);
}

static const char *lower_clip(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME], low[SRQ_LOWER_NAME], high[SRQ_LOWER_NAME];
    const char *x = srq_lower_input(l, op, 0, l->flat[l->at]);
    srq_lower_name(l, "", name);
    if (op->low == 0 && isinf(op->high)) return srq_onnx_node(l->model, "Relu", name, x, NULL);
    const char *least = srq_onnx_float(l->model, srq_lower_name(l, "_low", low), op->low);
    if (isinf(op->high)) return srq_onnx_node(l->model, "Clip", name, x, least, NULL);
    return srq_onnx_node(l->model, "Clip", name, x, least,
                         srq_onnx_float(l->model, srq_lower_name(l, "_high", high), op->high), NULL);
}

static const char *lower_leaky(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const char *y = srq_onnx_node(l->model, "LeakyRelu", srq_lower_name(l, "", name),
                                  srq_lower_input(l, op, 0, l->flat[l->at]), NULL);
    srq_onnx_set_float(l->model, "alpha", op->slope);
    return y;
}

static const char *lower_sigmoid(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    return srq_onnx_node(l->model, "Sigmoid", srq_lower_name(l, "", name), srq_lower_input(l, op, 0, l->flat[l->at]),
                         NULL);
}

/* Of floats, or of codes with their order. */
static const char *lower_max_pool(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const char *y =
        srq_onnx_node(l->model, "MaxPool", srq_lower_name(l, "", name), srq_lower_input(l, op, 0, false), NULL);
    srq_lower_window(l, op);
    return y;
}

static const char *lower_add(srq_lowering *l, const srq_deploy_op *op)
{
    const bool flat = l->flat[l->at];
    const char *sum = srq_lower_input(l, op, 0, flat);
    for (int k = 1; k < op->input_count; k++) {
        char name[SRQ_LOWER_NAME], suffix[16] = "";
        if (k + 1 < op->input_count) snprintf(suffix, sizeof suffix, "_sum%d", k);
        sum =
            srq_onnx_node(l->model, "Add", srq_lower_name(l, suffix, name), sum, srq_lower_input(l, op, k, flat), NULL);
    }
    return sum;
}

static const char *lower_concat(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const char *inputs[SRQ_INPUTS_MAX];
    for (int k = 0; k < op->input_count; k++) inputs[k] = srq_lower_input(l, op, k, l->flat[l->at]);
    const char *y = srq_onnx_node_of(l->model, "Concat", srq_lower_name(l, "", name), op->input_count, inputs);
    srq_onnx_set_int(l->model, "axis", 1);
    return y;
}

/* --- Averages. ONNX leaves the order of the sum open. Where it counts, the sum is written out. */

static bool is_global(const srq_lowering *l, const srq_deploy_op *op)
{
    const srq_deploy_tensor x = srq_deploy_tensor_at(l->net, op->inputs[0]);
    return op->output.height == 1 && op->output.width == 1 && op->padding[0] == 0 && op->padding[1] == 0 &&
           op->kernel[0] == x.height && op->kernel[1] == x.width;
}

static const char *times_share(srq_lowering *l, const srq_deploy_op *op, const char *sum)
{
    char name[SRQ_LOWER_NAME], share[SRQ_LOWER_NAME];
    srq_lower_name(l, "_share", share);
    return srq_onnx_node(l->model, "Mul", srq_lower_name(l, "", name), sum,
                         srq_onnx_float(l->model, share, 1.0f / (float)(op->kernel[0] * op->kernel[1])), NULL);
}

/* CumSum adds one after another; the last one is the sum. The result is [N][C]. */
static const char *average_whole(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const int64_t count = (int64_t)op->kernel[0] * op->kernel[1], shape[3] = {0, op->output.channels, count};
    const int64_t axis = 2, last = count - 1;
    const char *rows = reshape(l, srq_lower_input(l, op, 0, false), "_row", 3, shape);
    const char *along = srq_onnx_longs(l->model, srq_lower_name(l, "_axis", name), 0, NULL, &axis);
    const char *sums = srq_onnx_node(l->model, "CumSum", srq_lower_name(l, "_sums", name), rows, along, NULL);
    const char *at = srq_onnx_longs(l->model, srq_lower_name(l, "_last", name), 0, NULL, &last);
    const char *sum = srq_onnx_node(l->model, "Gather", srq_lower_name(l, "_sum", name), sums, at, NULL);
    srq_onnx_set_int(l->model, "axis", 2);
    l->flat[l->at] = true;
    return times_share(l, op, sum);
}

/* The elements at place (y, x) of all windows, [N][C][out height][out width]. */
static const char *slice(srq_lowering *l, const srq_deploy_op *op, const char *from, int y, int x)
{
    char name[SRQ_LOWER_NAME], suffix[48];
    const int64_t starts[2] = {y, x}, axes[2] = {2, 3}, steps[2] = {op->stride[0], op->stride[1]};
    const int64_t ends[2] = {y + (int64_t)(op->output.height - 1) * op->stride[0] + 1,
                             x + (int64_t)(op->output.width - 1) * op->stride[1] + 1};
    const int64_t *const lists[4] = {starts, ends, axes, steps};
    const char *inputs[5] = {from};
    for (int i = 0; i < 4; i++) {
        snprintf(suffix, sizeof suffix, "_at%d_%d_%d", y, x, i);
        inputs[i + 1] = srq_onnx_list(l->model, srq_lower_name(l, suffix, name), 2, lists[i]);
    }
    snprintf(suffix, sizeof suffix, "_at%d_%d", y, x);
    return srq_onnx_node_of(l->model, "Slice", srq_lower_name(l, suffix, name), 5, inputs);
}

static const char *average_windows(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME], list[SRQ_LOWER_NAME], suffix[48];
    const char *x = srq_lower_input(l, op, 0, false), *sum = NULL;
    const int64_t pads[8] = {0, 0, op->padding[0], op->padding[1], 0, 0, op->padding[0], op->padding[1]};
    if (op->padding[0] || op->padding[1])
        x = srq_onnx_node(l->model, "Pad", srq_lower_name(l, "_padded", name), x,
                          srq_onnx_list(l->model, srq_lower_name(l, "_pads", list), 8, pads), NULL);
    for (int ky = 0; ky < op->kernel[0]; ky++)
        for (int kx = 0; kx < op->kernel[1]; kx++) {
            const char *tap = slice(l, op, x, ky, kx);
            snprintf(suffix, sizeof suffix, "_sum%d_%d", ky, kx);
            sum = sum ? srq_onnx_node(l->model, "Add", srq_lower_name(l, suffix, name), sum, tap, NULL) : tap;
        }
    return times_share(l, op, sum);
}

static const char *lower_avg_pool(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    if (l->style->exact && is_global(l, op)) return average_whole(l, op);
    if (l->style->exact && op->kernel[0] * op->kernel[1] <= TAPS_MAX) return average_windows(l, op);
    const char *x = srq_lower_input(l, op, 0, false);
    srq_lower_name(l, "", name);
    if (is_global(l, op)) return srq_onnx_node(l->model, "GlobalAveragePool", name, x, NULL);
    const char *y = srq_onnx_node(l->model, "AveragePool", name, x, NULL);
    srq_lower_window(l, op);
    srq_onnx_set_int(l->model, "count_include_pad", 1);
    return y;
}

/* --- The whole network */

static const char *refuse_grid(srq_lowering *l, const srq_deploy_op *op)
{
    l->status = srq_fail(SRQ_ERROR_USAGE,
                         "export: layer \"%s\" has an activation grid that is not evenly spaced (method \"%s\"), which "
                         "the format %s cannot hold; use --to c or --to h5",
                         op->name, l->net->method, l->style->name);
    return NULL;
}

static const char *lower(srq_lowering *l, const srq_deploy_op *op)
{
    static srq_lower_op *const shared[SRQ_DEPLOY_KINDS] = {
        [SRQ_DEPLOY_AFFINE] = lower_affine,     [SRQ_DEPLOY_CLIP] = lower_clip,
        [SRQ_DEPLOY_LEAKY] = lower_leaky,       [SRQ_DEPLOY_SIGMOID] = lower_sigmoid,
        [SRQ_DEPLOY_MAX_POOL] = lower_max_pool, [SRQ_DEPLOY_AVG_POOL] = lower_avg_pool,
        [SRQ_DEPLOY_ADD] = lower_add,           [SRQ_DEPLOY_CONCAT] = lower_concat,
    };
    if (op->output.grid.points) return refuse_grid(l, op);
    if (op->kind == SRQ_DEPLOY_CONV) return l->style->conv(l, op);
    if (op->kind == SRQ_DEPLOY_AFFINE && l->style->affine) return l->style->affine(l, op);
    if (op->kind == SRQ_DEPLOY_QUANTIZE) return l->style->quantize(l, op);
    if (op->kind == SRQ_DEPLOY_DEQUANTIZE) return l->style->dequantize(l, op);
    return shared[op->kind](l, op);
}

/* Whether the output is [N][C]: a dense layer's, or that of elements of such tensors. */
static bool becomes_flat(const srq_lowering *l, const srq_deploy_op *op)
{
    if (op->kind == SRQ_DEPLOY_CONV) return op->dense;
    if (op->kind == SRQ_DEPLOY_MAX_POOL || op->kind == SRQ_DEPLOY_AVG_POOL) return false;
    for (int k = 0; k < op->input_count; k++)
        if (!srq_lower_is_flat(l, op->inputs[k])) return false;
    return true;
}

/* Pixels to normalized numbers, by the two operations of srq_deploy_pixel. */
static void lower_image(srq_lowering *l)
{
    const srq_deploy_input *in = &l->net->input;
    const int64_t shape[4] = {l->style->batch, in->channels, in->height, in->width}, channels[3] = {in->channels, 1, 1};
    const char *x = srq_onnx_input(l->model, "image", l->style->pixels, 4, shape);
    if (l->style->pixels != SRQ_ONNX_FLOAT) {
        x = srq_onnx_node(l->model, "Cast", "image_float", x, NULL);
        srq_onnx_set_int(l->model, "to", SRQ_ONNX_FLOAT);
    }
    x = srq_onnx_node(l->model, "Mul", "image_scaled", x,
                      srq_onnx_floats(l->model, "image_multiply", 3, channels, in->multiply), NULL);
    l->image = srq_onnx_node(l->model, "Add", "image_normalized", x,
                             srq_onnx_floats(l->model, "image_add", 3, channels, in->add), NULL);
}

static void put_number(srq_onnx *model, const char *key, long value)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", value);
    srq_onnx_property(model, key, text);
}

/* The names of classes as a JSON list. */
static srq_status put_classes(srq_lowering *l)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) return srq_fail_memory(0, "the names of classes");
    for (int c = 0; c < l->net->input.classes; c++) {
        fputs(c ? ", " : "[", out);
        srq_print_escaped(l->net->input.class_names[c], SRQ_ESCAPE_JSON, out);
    }
    fputc(']', out);
    const bool whole = fclose(out) == 0;
    if (whole) srq_onnx_property(l->model, "classes", text);
    free(text);
    return whole ? SRQ_OK : srq_fail_memory(size, "the names of classes");
}

static srq_status describe(srq_lowering *l, const srq_export_request *request)
{
    const srq_deploy_input *in = &l->net->input;
    char text[400];
    snprintf(text, sizeof text,
             "Written by srq. Input: pixels 0 to 255 as [N][%d][%d][%d] (%s); the normalization is in the graph. "
             "Output: logits [N][%d].",
             in->channels, in->height, in->width, in->channels == 1 ? "grey" : "RGB", in->classes);
    srq_onnx_describe(l->model, text);
    srq_onnx_property(l->model, "srq.checkpoint", request->source);
    srq_onnx_property(l->model, "srq.method", l->net->method);
    put_number(l->model, "srq.step", l->net->step);
    srq_onnx_property(l->model, "srq.data", in->data_name);
    srq_onnx_property(l->model, "srq.data_sha256", in->data_sha256);
    put_number(l->model, "srq.resize", in->resize);
    return put_classes(l);
}

static srq_status lower_all(srq_lowering *l, const srq_export_request *request)
{
    const int64_t shape[2] = {l->style->batch, l->net->input.classes};
    SRQ_TRY(describe(l, request));
    lower_image(l);
    for (l->at = 0; l->at < l->net->op_count; l->at++) {
        l->flat[l->at] = becomes_flat(l, &l->net->ops[l->at]);
        l->values[l->at] = lower(l, &l->net->ops[l->at]);
        SRQ_TRY(l->status);
    }
    srq_onnx_node(l->model, "Flatten", "logits", l->values[l->net->op_count - 1], NULL);
    srq_onnx_output(l->model, "logits", SRQ_ONNX_FLOAT, 2, shape);
    return SRQ_OK;
}

srq_status srq_lower_write(const srq_export_request *request, const srq_lower_style *style, const char *path)
{
    const size_t count = (size_t)request->net->op_count;
    srq_lowering l = {.style = style, .net = request->net};
    l.values = calloc(count, sizeof *l.values);
    l.flat = calloc(count, sizeof *l.flat);
    srq_status status = l.values && l.flat ? SRQ_OK : srq_fail_memory(count * sizeof *l.values, "the ONNX model");
    if (status == SRQ_OK) status = srq_onnx_create(request->net->model, style->opset, &l.model);
    if (status == SRQ_OK && style->domain) srq_onnx_import(l.model, style->domain, 1);
    if (status == SRQ_OK) status = lower_all(&l, request);
    if (status == SRQ_OK) status = srq_onnx_write(l.model, path);
    srq_onnx_destroy(&l.model);
    free(l.values);
    free(l.flat);
    return status;
}
