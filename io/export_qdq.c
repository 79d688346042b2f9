/* Styles whose graphs compute with floats that lie on grids: `srq export --to onnx --style qdq`, for tools that fuse
 * QuantizeLinear and DequantizeLinear with what is between them, and `srq export --to qonnx`, with nodes Quant, for
 * tool chains of FPGAs.
 *
 * A convolution of core/deploy.h adds products of codes, and the operation after it applies the scales. Here products
 * have their scales already. So the factors a[c] of that operation are divided by them. */
#include "io/export_onnx.h"
#include "io/onnx_lower.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QONNX_DOMAIN "qonnx.custom_op.general"

/* Weights of at most 4 bits are stored in 4; in 2, if there are at most 2 and the style says so. Activations always
 * have 8: ONNX Runtime 1.20 takes UINT4 for QuantizeLinear, but refuses the model where a MaxPool or a Clip is beside
 * it. */
static srq_onnx_type type_of_weights(const srq_lowering *l, const srq_deploy_grid *grid)
{
    if (grid->bits <= 2 && l->style->two_bits) return SRQ_ONNX_INT2;
    return grid->bits <= 4 ? SRQ_ONNX_INT4 : SRQ_ONNX_INT8;
}

static srq_onnx_type type_of_activations(const srq_deploy_grid *grid)
{
    return grid->min < 0 ? SRQ_ONNX_INT8 : SRQ_ONNX_UINT8;
}

static bool has_scales(const srq_deploy_weights *w)
{
    return w->grid.bits && !w->grid.points;
}

/* What a product of the codes of output channel c counts here. */
static double unit_of(const srq_lowering *l, const srq_deploy_op *conv, int c)
{
    const srq_deploy_tensor x = srq_deploy_tensor_at(l->net, conv->inputs[0]);
    const srq_deploy_weights *w = &conv->weights;
    return (x.grid.bits ? (double)x.scale : 1) * (has_scales(w) ? (double)w->scale[w->scales > 1 ? c : 0] : 1);
}

/* The only operation that reads a convolution, if it applies the scales. */
static const srq_deploy_op *affine_of(const srq_lowering *l, int conv)
{
    const srq_deploy_op *found = NULL;
    for (int i = conv + 1; i < l->net->op_count; i++)
        for (int k = 0; k < l->net->ops[i].input_count; k++) {
            if (l->net->ops[i].inputs[k] != conv) continue;
            if (found || l->net->ops[i].kind != SRQ_DEPLOY_AFFINE) return NULL;
            found = &l->net->ops[i];
        }
    return found;
}

/* The weights [out][in / groups][k0][k1] become [in][out] for a dense layer that is a MatMul. */
static size_t place_of(const srq_deploy_op *op, bool turned, size_t o, size_t i)
{
    const size_t out = (size_t)op->output.channels, row = op->weights.count / out;
    return turned ? i * out + o : o * row + i;
}

static int shape_of(const srq_lowering *l, const srq_deploy_op *op, bool turned, int64_t shape[4])
{
    const srq_deploy_tensor x = srq_deploy_tensor_at(l->net, op->inputs[0]);
    const int64_t row = (int64_t)(op->weights.count / (size_t)op->output.channels);
    const int64_t conv[4] = {op->output.channels, x.channels / op->groups, op->kernel[0], op->kernel[1]};
    const int64_t dense[2] = {turned ? row : op->output.channels, turned ? op->output.channels : row};
    memcpy(shape, op->dense ? dense : conv, op->dense ? sizeof dense : sizeof conv);
    return op->dense ? 2 : 4;
}

/* Weights as floats: without a grid, or the points of their grid (`on_grid`: with their scales). */
static const char *add_floats(srq_lowering *l, const srq_deploy_op *op, bool turned, bool on_grid)
{
    int64_t shape[4];
    char name[SRQ_LOWER_NAME];
    const srq_deploy_weights *w = &op->weights;
    const size_t count = w->count, out = (size_t)op->output.channels, row = count / out;
    float *values = malloc(count * sizeof *values);
    if (!values) {
        l->status = srq_fail_memory(count * sizeof *values, "the weights");
        return "";
    }
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < row; i++) {
            const float scale = on_grid ? w->scale[w->scales > 1 ? o : 0] : 1;
            values[place_of(op, turned, o, i)] = scale * srq_deploy_weight(op, o * row + i);
        }
    const int rank = shape_of(l, op, turned, shape);
    const char *as = srq_onnx_floats(l->model, srq_lower_name(l, "_weights", name), rank, shape, values);
    free(values);
    return as;
}

static const char *add_codes(srq_lowering *l, const srq_deploy_op *op)
{
    int64_t shape[4];
    char name[SRQ_LOWER_NAME];
    const size_t count = op->weights.count;
    int16_t *codes = malloc(count * sizeof *codes);
    if (!codes) {
        l->status = srq_fail_memory(count * sizeof *codes, "the weights");
        return "";
    }
    for (size_t i = 0; i < count; i++) codes[i] = (int16_t)srq_deploy_weight(op, i);
    const int rank = shape_of(l, op, false, shape);
    const srq_onnx_type type = type_of_weights(l, &op->weights.grid);
    const char *as = srq_onnx_codes(l->model, srq_lower_name(l, "_codes", name), type, rank, shape, codes);
    free(codes);
    return as;
}

/* The factors a[c] without the scales that the sums have already; NULL without memory. */
static float *factors(srq_lowering *l, const srq_deploy_op *conv, const srq_deploy_op *affine)
{
    const int channels = conv->output.channels;
    float *a = malloc((size_t)channels * sizeof *a);
    if (!a) l->status = srq_fail_memory((size_t)channels * sizeof *a, "the scales");
    for (int c = 0; a && c < channels; c++) a[c] = (float)((double)affine->a[c] / unit_of(l, conv, c));
    return a;
}

/* --- An affine operation after a convolution */

/* Without an affine operation of its own, the sums become those of codes again. */
static const char *undo_scales(srq_lowering *l, const srq_deploy_op *op, const char *sums)
{
    const int channels = op->output.channels;
    float *a = calloc((size_t)channels, sizeof *a), *b = calloc((size_t)channels, sizeof *b);
    if (a && b) {
        for (int c = 0; c < channels; c++) a[c] = (float)(1 / unit_of(l, op, c));
        sums = srq_lower_affine(l, sums, op->dense, channels, a, b);
    } else
        l->status = srq_fail_memory((size_t)channels * sizeof *a, "the scales");
    free(a);
    free(b);
    return sums;
}

static void set_conv(srq_lowering *l, const srq_deploy_op *op)
{
    if (op->dense) return;
    srq_lower_window(l, op);
    srq_onnx_set_int(l->model, "group", op->groups);
}

static const srq_deploy_op *conv_before(const srq_lowering *l, const srq_deploy_op *affine)
{
    const int from = affine->inputs[0];
    return from >= 0 && l->net->ops[from].kind == SRQ_DEPLOY_CONV && affine_of(l, from) ? &l->net->ops[from] : NULL;
}

/* As Mul and Add. */
static const char *lower_affine(srq_lowering *l, const srq_deploy_op *op)
{
    const bool flat = l->flat[l->at];
    const srq_deploy_op *conv = conv_before(l, op);
    float *a = conv ? factors(l, conv, op) : NULL;
    if (conv && !a) return NULL;
    const char *x = srq_lower_input(l, op, 0, flat);
    const char *y = srq_lower_affine(l, x, flat, op->output.channels, a ? a : op->a, op->b);
    free(a);
    return y;
}

/* --- QuantizeLinear and DequantizeLinear */

static const char *zero_of(srq_lowering *l, const srq_deploy_grid *grid)
{
    char name[SRQ_LOWER_NAME];
    return srq_onnx_code(l->model, srq_lower_name(l, "_zero", name), type_of_activations(grid), 0);
}

/* The dequantized weights, with scale[count]. */
static const char *dequantize_weights(srq_lowering *l, const srq_deploy_op *op, int count, const float *scale)
{
    char name[SRQ_LOWER_NAME];
    const int64_t shape = count;
    const char *step =
        srq_onnx_floats(l->model, srq_lower_name(l, "_weights_scale", name), count > 1 ? 1 : 0, &shape, scale);
    const char *w =
        srq_onnx_node(l->model, "DequantizeLinear", srq_lower_name(l, "_weights", name), add_codes(l, op), step, NULL);
    if (count > 1) srq_onnx_set_int(l->model, "axis", 0);
    return w;
}

/* Whether the affine operation after a convolution goes into the scales of its weights and its bias, so that a tool
 * finds DequantizeLinear, Conv, QuantizeLinear. Scales are above 0. */
static bool is_merged(const srq_lowering *l, int conv)
{
    const srq_deploy_op *op = &l->net->ops[conv], *affine = affine_of(l, conv);
    for (int c = 0; affine && c < op->output.channels; c++)
        if (!(affine->a[c] > 0)) return false;
    return affine && has_scales(&op->weights);
}

static const char *add_conv(srq_lowering *l, const srq_deploy_op *op, const char *weights, const char *bias)
{
    char name[SRQ_LOWER_NAME];
    const char *x = srq_lower_input(l, op, 0, op->dense);
    const char *y =
        srq_onnx_node(l->model, op->dense ? "Gemm" : "Conv", srq_lower_name(l, "", name), x, weights, bias, NULL);
    if (op->dense) srq_onnx_set_int(l->model, "transB", 1);
    set_conv(l, op);
    return y;
}

static const char *merged_conv(srq_lowering *l, const srq_deploy_op *op)
{
    const srq_deploy_op *affine = affine_of(l, l->at);
    const int channels = op->output.channels;
    const srq_deploy_weights *w = &op->weights;
    float *scale = factors(l, op, affine);
    if (!scale) return NULL;
    for (int c = 0; c < channels; c++) scale[c] *= w->scale[w->scales > 1 ? c : 0];
    const char *weights = dequantize_weights(l, op, channels, scale);
    free(scale);
    return add_conv(l, op, weights, srq_lower_channels(l, "_bias", true, channels, affine->b));
}

static const char *qdq_conv(srq_lowering *l, const srq_deploy_op *op)
{
    const srq_deploy_weights *w = &op->weights;
    if (is_merged(l, l->at)) return merged_conv(l, op);
    const char *weights =
        has_scales(w) ? dequantize_weights(l, op, w->scales, w->scale) : add_floats(l, op, false, false);
    const char *sums = add_conv(l, op, weights, NULL);
    return affine_of(l, l->at) ? sums : undo_scales(l, op, sums);
}

static const char *qdq_affine(srq_lowering *l, const srq_deploy_op *op)
{
    const int from = op->inputs[0];
    if (conv_before(l, op) && is_merged(l, from)) return l->values[from];
    return lower_affine(l, op);
}

/* Codes of 8 bits have the limits of their type. */
static const char *limit(srq_lowering *l, const srq_deploy_op *op, const char *x)
{
    char name[SRQ_LOWER_NAME], low[SRQ_LOWER_NAME], high[SRQ_LOWER_NAME];
    const srq_deploy_tensor *y = &op->output;
    if (y->grid.bits == 8) return x;
    const char *least = srq_onnx_float(l->model, srq_lower_name(l, "_low", low), y->scale * (float)y->grid.min);
    const char *most = srq_onnx_float(l->model, srq_lower_name(l, "_high", high), y->scale * (float)y->grid.max);
    return srq_onnx_node(l->model, "Clip", srq_lower_name(l, "_limited", name), x, least, most, NULL);
}

static const char *qdq_quantize(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const char *x = limit(l, op, srq_lower_input(l, op, 0, l->flat[l->at]));
    const char *step = srq_onnx_float(l->model, srq_lower_name(l, "_scale", name), op->output.scale);
    const char *zero = zero_of(l, &op->output.grid);
    const char *codes =
        srq_onnx_node(l->model, "QuantizeLinear", srq_lower_name(l, "_codes", name), x, step, zero, NULL);
    return srq_onnx_node(l->model, "DequantizeLinear", srq_lower_name(l, "", name), codes, step, zero, NULL);
}

/* What quantizes has the values of codes already. */
static const char *pass_on(srq_lowering *l, const srq_deploy_op *op)
{
    return srq_lower_input(l, op, 0, l->flat[l->at]);
}

/* Whether some weights have at most `bits` bits. */
static bool has_weights_of(const srq_deploy *net, int bits)
{
    for (int i = 0; i < net->op_count; i++) {
        const srq_deploy_op *op = &net->ops[i];
        if (op->kind == SRQ_DEPLOY_CONV && has_scales(&op->weights) && op->weights.grid.bits <= bits) return true;
    }
    return false;
}

srq_status srq_export_qdq(const srq_export_request *request, bool two_bits, const char *path)
{
    const int set = has_weights_of(request->net, 4) ? 21 : 13;
    const srq_lower_style style = {.name = "onnx",
                                   .opset = two_bits && has_weights_of(request->net, 2) ? 25 : set,
                                   .two_bits = two_bits,
                                   .pixels = SRQ_ONNX_UINT8,
                                   .conv = qdq_conv,
                                   .affine = qdq_affine,
                                   .quantize = qdq_quantize,
                                   .dequantize = pass_on};
    return srq_lower_write(request, &style, path);
}

/* --- Quant */

/* Quant(x, scale, 0, bits): scale * the nearest integer of so many bits to x / scale, ties to even. */
static const char *add_quant(srq_lowering *l, const char *suffix, const char *x, const char *scale,
                             const srq_deploy_grid *grid)
{
    char name[SRQ_LOWER_NAME], words[40];
    snprintf(words, sizeof words, "%s_zero", suffix);
    const char *zero = srq_onnx_float(l->model, srq_lower_name(l, words, name), 0);
    snprintf(words, sizeof words, "%s_bits", suffix);
    const char *bits = srq_onnx_float(l->model, srq_lower_name(l, words, name), (float)grid->bits);
    const char *y = srq_onnx_node(l->model, "Quant", srq_lower_name(l, suffix, name), x, scale, zero, bits, NULL);
    srq_onnx_domain(l->model, QONNX_DOMAIN);
    srq_onnx_set_int(l->model, "signed", grid->min < 0);
    srq_onnx_set_int(l->model, "narrow", 0);
    srq_onnx_set_text(l->model, "rounding_mode", "ROUND");
    return y;
}

static const char *quant_weights(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const srq_deploy_weights *w = &op->weights;
    if (!has_scales(w)) return add_floats(l, op, op->dense, false);
    const int64_t conv[4] = {w->scales, 1, 1, 1}, dense[2] = {1, w->scales};
    const int rank = w->scales == 1 ? 0 : op->dense ? 2 : 4;
    const char *scale =
        srq_onnx_floats(l->model, srq_lower_name(l, "_weights_scale", name), rank, op->dense ? dense : conv, w->scale);
    return add_quant(l, "_weights_quant", add_floats(l, op, op->dense, true), scale, &w->grid);
}

static const char *quant_conv(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const char *x = srq_lower_input(l, op, 0, op->dense), *weights = quant_weights(l, op);
    const char *sums =
        srq_onnx_node(l->model, op->dense ? "MatMul" : "Conv", srq_lower_name(l, "", name), x, weights, NULL);
    set_conv(l, op);
    return affine_of(l, l->at) ? sums : undo_scales(l, op, sums);
}

static const char *quant_quantize(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const char *scale = srq_onnx_float(l->model, srq_lower_name(l, "_scale", name), op->output.scale);
    return add_quant(l, "", srq_lower_input(l, op, 0, l->flat[l->at]), scale, &op->output.grid);
}

static srq_status export(const srq_export_request *request, const char *path)
{
    static const srq_lower_style style = {.name = "qonnx",
                                          .opset = 13,
                                          .domain = QONNX_DOMAIN,
                                          .pixels = SRQ_ONNX_FLOAT,
                                          .batch = 1,
                                          .conv = quant_conv,
                                          .affine = lower_affine,
                                          .quantize = quant_quantize,
                                          .dequantize = pass_on};
    return srq_lower_write(request, &style, path);
}

const srq_export_format srq_export_qonnx = {
    .name = "qonnx",
    .summary = "QONNX, with Quant nodes of the true bit-lengths, for FPGA tool chains",
    .suffix = ".onnx",
    .write = export,
};
