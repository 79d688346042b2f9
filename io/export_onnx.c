/* srq export --to onnx, integer style: codes meet codes in ConvInteger and MatMulInteger, and everything after them is
 * done by the operations of core/deploy.h in its order, so that ONNX Runtime computes the same bits.
 *
 * ONNX Runtime has these operators for unsigned weights alone, so a code w is stored as w + 128 with the zero point
 * 128, and so are signed activations. An image is no tensor of codes: its integers X (core/deploy.h) are divided into
 * four digits of 8 bits, each of which is one convolution. The highest digit has the zero point 128. */
#include "io/export_onnx.h"
#include "io/onnx_lower.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HALF = 128, DIGITS = 4 };

static int zero_point(const srq_deploy_tensor *t)
{
    return t->grid.min < 0 ? HALF : 0;
}

static const char *constant(srq_lowering *l, const char *suffix, int value)
{
    char name[SRQ_LOWER_NAME];
    return srq_onnx_code(l->model, srq_lower_name(l, suffix, name), SRQ_ONNX_UINT8, value);
}

static const char *cast(srq_lowering *l, const char *suffix, const char *x, srq_onnx_type type)
{
    char name[SRQ_LOWER_NAME];
    const char *y = srq_onnx_node(l->model, "Cast", srq_lower_name(l, suffix, name), x, NULL);
    srq_onnx_set_int(l->model, "to", type);
    return y;
}

static const char *with_float(srq_lowering *l, const char *op, const char *suffix, const char *x, float value)
{
    char name[SRQ_LOWER_NAME], other[SRQ_LOWER_NAME], words[40];
    snprintf(words, sizeof words, "%s_value", suffix);
    srq_lower_name(l, words, other);
    return srq_onnx_node(l->model, op, srq_lower_name(l, suffix, name), x, srq_onnx_float(l->model, other, value),
                         NULL);
}

static const char *with_long(srq_lowering *l, const char *op, const char *suffix, const char *x, int64_t value)
{
    char name[SRQ_LOWER_NAME], other[SRQ_LOWER_NAME], words[40];
    snprintf(words, sizeof words, "%s_value", suffix);
    srq_lower_name(l, words, other);
    return srq_onnx_node(l->model, op, srq_lower_name(l, suffix, name), x,
                         srq_onnx_longs(l->model, other, 0, NULL, &value), NULL);
}

/* --- Weights */

/* Codes + 128 in the order of ONNX: [out][in / groups][k0][k1], or, for a dense layer, [in][out]. */
static const char *add_codes(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const size_t count = op->weights.count, out = (size_t)op->output.channels, row = count / out;
    const srq_deploy_tensor x = srq_deploy_tensor_at(l->net, op->inputs[0]);
    const int64_t conv[4] = {op->output.channels, x.channels / op->groups, op->kernel[0], op->kernel[1]};
    const int64_t dense[2] = {(int64_t)row, (int64_t)out};
    int16_t *codes = malloc(count * sizeof *codes);
    if (!codes) {
        l->status = srq_fail_memory(count * sizeof *codes, "the weights");
        return "";
    }
    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < row; i++)
            codes[op->dense ? i * out + o : o * row + i] = (int16_t)(HALF + srq_deploy_weight(op, o * row + i));
    const char *as = srq_onnx_codes(l->model, srq_lower_name(l, "_weights", name), SRQ_ONNX_UINT8, op->dense ? 2 : 4,
                                    op->dense ? dense : conv, codes);
    free(codes);
    return as;
}

static const char *add_floats(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const size_t count = op->weights.count;
    const srq_deploy_tensor x = srq_deploy_tensor_at(l->net, op->inputs[0]);
    const int64_t shape[4] = {op->output.channels, x.channels / op->groups, op->kernel[0], op->kernel[1]};
    const int64_t flat[2] = {op->output.channels, (int64_t)(count / (size_t)op->output.channels)};
    float *values = malloc(count * sizeof *values);
    if (!values) {
        l->status = srq_fail_memory(count * sizeof *values, "the weights");
        return "";
    }
    for (size_t i = 0; i < count; i++) values[i] = srq_deploy_weight(op, i);
    const char *as = srq_onnx_floats(l->model, srq_lower_name(l, "_weights", name), op->dense ? 2 : 4,
                                     op->dense ? flat : shape, values);
    free(values);
    return as;
}

/* --- Sums */

/* The 32-bit sums of one tensor of 8-bit numbers. */
static const char *add_sums(srq_lowering *l, const srq_deploy_op *op, const char *suffix, const char *x, int zero,
                            const char *weights, const char *weight_zero)
{
    char name[SRQ_LOWER_NAME], words[40];
    snprintf(words, sizeof words, "%s_zero", suffix);
    const char *point = constant(l, words, zero);
    srq_lower_name(l, suffix, name);
    if (op->dense) return srq_onnx_node(l->model, "MatMulInteger", name, x, weights, point, weight_zero, NULL);
    const char *sums = srq_onnx_node(l->model, "ConvInteger", name, x, weights, point, weight_zero, NULL);
    srq_lower_window(l, op);
    srq_onnx_set_int(l->model, "group", op->groups);
    return sums;
}

/* The digits of X + 2^31, the lowest first. */
static void make_digits(srq_lowering *l)
{
    static const char *const rests[DIGITS] = {"_x", "_x1", "_x2", "_x3"}, *const digits[DIGITS] = {"_digit0", "_digit1",
                                                                                                   "_digit2",
                                                                                                   "_digit3"};
    const char *x = l->image;
    x = with_float(l, "Mul", "_shifted", x, ldexpf(1, l->net->input.fraction));
    char name[SRQ_LOWER_NAME];
    x = srq_onnx_node(l->model, "Round", srq_lower_name(l, "_rounded", name), x, NULL);
    x = with_long(l, "Add", rests[0], cast(l, "_integers", x, SRQ_ONNX_INT64), (int64_t)1 << 31);
    for (int i = 0; i < DIGITS; i++) {
        char words[40];
        snprintf(words, sizeof words, "%s_long", digits[i]);
        const char *digit = i + 1 < DIGITS ? with_long(l, "Mod", words, x, 256) : x;
        l->digits[i] = cast(l, digits[i], digit, SRQ_ONNX_UINT8);
        if (i + 1 < DIGITS) x = with_long(l, "Div", rests[i + 1], x, 256);
    }
}

/* Of images: sums of the digits, from the highest, in 64 bits. */
static const char *image_sums(srq_lowering *l, const srq_deploy_op *op, const char *weights, const char *weight_zero)
{
    const char *sum = NULL;
    char name[SRQ_LOWER_NAME], words[40];
    if (!l->digits[0]) make_digits(l);
    for (int i = DIGITS - 1; i >= 0; i--) {
        const char *x = l->digits[i];
        snprintf(words, sizeof words, "_flat%d", i);
        if (op->dense) x = srq_onnx_node(l->model, "Flatten", srq_lower_name(l, words, name), x, NULL);
        snprintf(words, sizeof words, "_sums%d", i);
        const char *sums = add_sums(l, op, words, x, i == DIGITS - 1 ? HALF : 0, weights, weight_zero);
        snprintf(words, sizeof words, "_long%d", i);
        sums = cast(l, words, sums, SRQ_ONNX_INT64);
        if (sum) {
            snprintf(words, sizeof words, "_times%d", i);
            sum = with_long(l, "Mul", words, sum, 256);
            snprintf(words, sizeof words, "_joined%d", i);
            sum = srq_onnx_node(l->model, "Add", srq_lower_name(l, words, name), sum, sums, NULL);
        } else
            sum = sums;
    }
    sum = cast(l, "_float", sum, SRQ_ONNX_FLOAT);
    return with_float(l, "Mul", "", sum, ldexpf(1, -l->net->input.fraction));
}

static const char *integer_conv(srq_lowering *l, const srq_deploy_op *op)
{
    const bool images = op->inputs[0] == SRQ_DEPLOY_IMAGES;
    const srq_deploy_tensor x = srq_deploy_tensor_at(l->net, op->inputs[0]);
    /* A digit has 8 bits, and so has a weight. */
    const double most =
        images ? 255.0 * HALF * (double)(op->weights.count / (size_t)op->output.channels) : srq_deploy_most(l->net, op);
    if (most > INT_MAX) {
        l->status = srq_fail(SRQ_ERROR_USAGE,
                             "export: layer \"%s\" has sums of up to %.0f, but those of ONNX have 32 bits; use --style "
                             "qdq, --to c or --to h5",
                             op->name, most);
        return NULL;
    }
    const char *weights = add_codes(l, op), *weight_zero = constant(l, "_weights_zero", HALF);
    if (images) return image_sums(l, op, weights, weight_zero);
    const char *sums =
        add_sums(l, op, "_sums", srq_lower_input(l, op, 0, op->dense), zero_point(&x), weights, weight_zero);
    return cast(l, "", sums, SRQ_ONNX_FLOAT);
}

/* A code as a float, without its step size. */
static const char *code_float(srq_lowering *l, const srq_deploy_op *op, bool flat)
{
    const srq_deploy_tensor x = srq_deploy_tensor_at(l->net, op->inputs[0]);
    const char *y = cast(l, "_codes", srq_lower_input(l, op, 0, flat), SRQ_ONNX_FLOAT);
    return zero_point(&x) ? with_float(l, "Sub", "_signed", y, HALF) : y;
}

static const char *float_conv(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME];
    const srq_deploy_tensor x = srq_deploy_tensor_at(l->net, op->inputs[0]);
    const char *from = x.grid.bits ? code_float(l, op, op->dense) : srq_lower_input(l, op, 0, op->dense);
    const char *weights = add_floats(l, op);
    srq_lower_name(l, "", name);
    const char *y = srq_onnx_node(l->model, op->dense ? "Gemm" : "Conv", name, from, weights, NULL);
    if (op->dense) {
        srq_onnx_set_int(l->model, "transB", 1);
    } else {
        srq_lower_window(l, op);
        srq_onnx_set_int(l->model, "group", op->groups);
    }
    return y;
}

static const char *lower_conv(srq_lowering *l, const srq_deploy_op *op)
{
    return srq_deploy_is_integer(l->net, op) ? integer_conv(l, op) : float_conv(l, op);
}

/* --- Codes */

static const char *lower_quantize(srq_lowering *l, const srq_deploy_op *op)
{
    char name[SRQ_LOWER_NAME], scale[SRQ_LOWER_NAME];
    const srq_deploy_grid *grid = &op->output.grid;
    const int zero = zero_point(&op->output);
    const char *x = srq_lower_input(l, op, 0, l->flat[l->at]);
    const char *step = srq_onnx_float(l->model, srq_lower_name(l, "_scale", scale), op->output.scale);
    const char *point = constant(l, "_zero", zero);
    const bool whole = grid->bits == 8;
    const char *y =
        srq_onnx_node(l->model, "QuantizeLinear", srq_lower_name(l, whole ? "" : "_wide", name), x, step, point, NULL);
    if (whole) return y;
    const char *low = constant(l, "_low", zero + grid->min), *high = constant(l, "_high", zero + grid->max);
    return srq_onnx_node(l->model, "Clip", srq_lower_name(l, "", name), y, low, high, NULL);
}

/* Not DequantizeLinear: a runtime may fuse it with what comes next, and change the order of operations. */
static const char *lower_dequantize(srq_lowering *l, const srq_deploy_op *op)
{
    const srq_deploy_tensor x = srq_deploy_tensor_at(l->net, op->inputs[0]);
    return with_float(l, "Mul", "", code_float(l, op, l->flat[l->at]), x.scale);
}

static srq_status export(const srq_export_request *request, const char *path)
{
    static const srq_lower_style integer = {.name = "onnx",
                                            .opset = 13,
                                            .pixels = SRQ_ONNX_UINT8,
                                            .exact = true,
                                            .conv = lower_conv,
                                            .quantize = lower_quantize,
                                            .dequantize = lower_dequantize};
    if (request->style && strcmp(request->style, "qdq") == 0) return srq_export_qdq(request, false, path);
    if (request->style && strcmp(request->style, "qdq-int2") == 0) return srq_export_qdq(request, true, path);
    return srq_lower_write(request, &integer, path);
}

static const char *const styles[] = {"integer", "qdq", "qdq-int2", NULL};

const srq_export_format srq_export_onnx = {
    .name = "onnx",
    .summary = "ONNX, with sums of integers (--style integer) or QuantizeLinear and DequantizeLinear (--style qdq)",
    .suffix = ".onnx",
    .styles = styles,
    .write = export,
};
