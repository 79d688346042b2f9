#include "io/export_c.h"

#include "core/mask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Lists of numbers, in lines of at most 120 columns */

enum { COLUMNS = 118 };

/* Begins a new line if the number would not fit. */
static void put_number(const char *text, size_t index, size_t *column, FILE *out)
{
    const size_t length = strlen(text) + 1;
    if (index == 0 || *column + length > COLUMNS) {
        fputs("\n    ", out);
        *column = 4;
    }
    fprintf(out, "%s,", text);
    *column += length;
}

void srq_c_write_bytes(const uint8_t *bytes, size_t count, FILE *out)
{
    char text[8];
    size_t column = 0;
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%d", bytes[i]);
        put_number(text, i, &column, out);
    }
}

void srq_c_write_floats(const float *x, size_t count, FILE *out)
{
    char text[40];
    size_t column = 0;
    for (size_t i = 0; i < count; i++) {
        if (isinf(x[i]))
            snprintf(text, sizeof text, "NEVER");
        else
            snprintf(text, sizeof text, "%af", (double)x[i]);
        put_number(text, i, &column, out);
    }
}

void srq_c_write_integers(const int64_t *x, size_t count, bool wide, FILE *out)
{
    char text[40];
    size_t column = 0;
    for (size_t i = 0; i < count; i++) {
        if (x[i] == INT64_MAX)
            snprintf(text, sizeof text, wide ? "INT64_MAX" : "INT32_MAX");
        else
            snprintf(text, sizeof text, wide ? "INT64_C(%lld)" : "%lld", (long long)x[i]);
        put_number(text, i, &column, out);
    }
}

static void write_float_table(const char *name, int step, const float *x, size_t count, FILE *out, size_t *flash)
{
    fprintf(out, "static const float %s_%d[] = {", name, step);
    srq_c_write_floats(x, count, out);
    fputs("\n};\n", out);
    *flash += count * sizeof *x;
}

static void write_byte_table(const char *name, int step, const uint8_t *x, size_t count, FILE *out, size_t *flash)
{
    fprintf(out, "static const uint8_t %s_%d[] = {", name, step);
    srq_c_write_bytes(x, count, out);
    fputs("\n};\n", out);
    *flash += count;
}

/* --- Weights, in the order [out][kernel 0][kernel 1][in / groups] */

/* The place in the network's order [out][in / groups][kernel 0][kernel 1] of a weight in the order of the C file. */
static size_t place_of(const srq_deploy_op *op, size_t index, size_t row)
{
    const size_t taps = (size_t)op->kernel[0] * (size_t)op->kernel[1], in = row / taps;
    const size_t o = index / row, tap = index % row / in, c = index % in;
    return o * row + c * taps + tap;
}

/* The codes as bytes, and the mask in this order; *mask is NULL without one. */
static srq_status pack_codes(const srq_deploy_op *op, size_t row, uint8_t **codes, size_t *bytes)
{
    const srq_deploy_weights *w = &op->weights;
    const size_t bits = (size_t)w->grid.bits, line = (row * bits + 7) / 8, rows = w->count / row;
    const bool masked = srq_deploy_packs_mask(w);
    /* A code of a masked layer is read as two bytes, also the last one. */
    *bytes = masked ? (w->kept * bits + 7) / 8 + 1 : rows * line;
    *codes = calloc(*bytes, 1);
    if (!*codes) return srq_fail_memory(*bytes, "packed weights");
    for (size_t i = 0, k = 0; i < w->count; i++) {
        const size_t from = place_of(op, i, row);
        if (masked && !srq_mask_keeps(w->mask, from)) continue;
        if (masked)
            srq_deploy_put_code(*codes, k++, (int)bits, w->codes[from]);
        else
            srq_deploy_put_code(*codes + i / row * line, i % row, (int)bits, w->codes[from]);
    }
    return SRQ_OK;
}

static srq_status write_codes(const srq_deploy_op *op, int step, size_t row, FILE *out, size_t *flash)
{
    uint8_t *codes = NULL;
    size_t bytes;
    SRQ_TRY(pack_codes(op, row, &codes, &bytes));
    write_byte_table("weights", step, codes, bytes, out, flash);
    free(codes);
    return SRQ_OK;
}

static srq_status write_mask(const srq_deploy_op *op, int step, size_t row, FILE *out, size_t *flash)
{
    const size_t bytes = srq_mask_bytes(op->weights.count);
    uint8_t *mask = calloc(bytes, 1);
    if (!mask) return srq_fail_memory(bytes, "a mask of weights");
    for (size_t i = 0; i < op->weights.count; i++)
        if (srq_mask_keeps(op->weights.mask, place_of(op, i, row))) mask[i / 8] |= (uint8_t)(1u << i % 8);
    write_byte_table("mask", step, mask, bytes, out, flash);
    free(mask);
    return SRQ_OK;
}

/* Weights that are not quantized: those that the mask keeps, if it is written. */
static srq_status write_plain(const srq_deploy_op *op, int step, size_t row, FILE *out, size_t *flash)
{
    const srq_deploy_weights *w = &op->weights;
    const bool masked = srq_deploy_packs_mask(w);
    float *x = malloc((w->count + 1) * sizeof *x);
    size_t n = 0;
    if (!x) return srq_fail_memory(w->count * sizeof *x, "weights");
    for (size_t i = 0; i < w->count; i++) {
        const size_t from = place_of(op, i, row);
        if (!masked || srq_mask_keeps(w->mask, from)) x[n++] = srq_deploy_weight(op, from);
    }
    if (n == 0) x[n++] = 0; /* C has no empty array */
    write_float_table("weights", step, x, n, out, flash);
    free(x);
    return SRQ_OK;
}

/* The values of weight codes, [scales][codes]. For a uniform grid: the codes, because scales are applied to the sums.
 */
static srq_status write_real_weights(const srq_c_plan *plan, int index, FILE *out, size_t *flash)
{
    const srq_c_step *s = &plan->steps[index];
    const srq_deploy_op *op = &plan->net->ops[s->op];
    const srq_deploy_grid *grid = &op->weights.grid;
    if (!grid->bits) {
        SRQ_TRY(write_plain(op, index, (size_t)s->row, out, flash));
        fprintf(out, "static const reals_of reals_%d = {weights_%d, 0, 0, 0, 0};\n", index, index);
        return SRQ_OK;
    }
    const int codes = grid->max - grid->min + 1, scales = grid->points ? op->weights.scales : 1;
    float *x = malloc((size_t)(codes * scales) * sizeof *x);
    if (!x) return srq_fail_memory((size_t)(codes * scales) * sizeof *x, "values of weights");
    for (int k = 0; k < scales; k++)
        for (int c = 0; c < codes; c++)
            x[k * codes + c] = grid->points ? op->weights.scale[k] * grid->points[c] : (float)(grid->min + c);
    write_float_table("values", index, x, (size_t)(codes * scales), out, flash);
    free(x);
    fprintf(out, "static const reals_of reals_%d = {0, values_%d, %d, %d, %d};\n", index, index, scales, codes,
            grid->min);
    return SRQ_OK;
}

/* --- Convolutions */

static void write_conv(const srq_c_plan *plan, int index, FILE *out)
{
    const srq_deploy_op *op = &plan->net->ops[plan->steps[index].op];
    const srq_deploy_tensor x = srq_deploy_tensor_at(plan->net, op->inputs[0]);
    fprintf(out, "static const conv conv_%d = {\n    %d, %d, %d, %d, %d, %d, {%d, %d}, {%d, %d}, {%d, %d}, %d, %d, ",
            index, x.height, x.width, x.channels, op->output.height, op->output.width, op->output.channels,
            op->kernel[0], op->kernel[1], op->stride[0], op->stride[1], op->padding[0], op->padding[1], op->groups,
            op->weights.grid.bits);
    if (op->weights.grid.bits)
        fprintf(out, "weights_%d, ", index);
    else
        fputs("0, ", out);
    if (srq_deploy_packs_mask(&op->weights))
        fprintf(out, "mask_%d};\n", index);
    else
        fputs("0};\n", out);
}

static void write_affine(const srq_c_plan *plan, int index, int op, FILE *out, size_t *flash)
{
    const srq_deploy_op *affine = &plan->net->ops[op];
    write_float_table("a", index, affine->a, (size_t)affine->output.channels, out, flash);
    write_float_table("b", index, affine->b, (size_t)affine->output.channels, out, flash);
}

static void write_unit(const srq_c_plan *plan, const srq_c_step *s, FILE *out)
{
    const bool images = plan->net->ops[s->op].inputs[0] == SRQ_DEPLOY_IMAGES;
    fprintf(out, "%af", images ? ldexp(1, -plan->net->input.fraction) : 1);
}

static srq_status write_integer_thresholds(const srq_c_plan *plan, int index, int levels, FILE *out, size_t *flash)
{
    const srq_c_step *s = &plan->steps[index];
    const int channels = plan->net->ops[s->op].output.channels;
    const size_t all = (size_t)channels * (size_t)levels;
    int64_t *x = malloc(all * sizeof *x);
    if (!x) return srq_fail_memory(all * sizeof *x, "thresholds");
    for (int c = 0; c < channels; c++) srq_c_thresholds(plan, s, c, x + (size_t)c * (size_t)levels);
    fprintf(out, "static const %s levels_%d[] = {", s->wide ? "int64_t" : "int32_t", index);
    srq_c_write_integers(x, all, s->wide, out);
    fputs("\n};\n", out);
    *flash += all * (s->wide ? 8 : 4);
    free(x);
    return SRQ_OK;
}

/* Whether some channel's codes fall with its sum. */
static srq_status write_falls(const srq_c_plan *plan, int index, FILE *out, size_t *flash, bool *falls)
{
    const srq_c_step *s = &plan->steps[index];
    const int channels = plan->net->ops[s->op].output.channels;
    uint8_t *bits = calloc((size_t)channels, 1);
    if (!bits) return srq_fail_memory((size_t)channels, "thresholds");
    *falls = false;
    for (int c = 0; c < channels; c++)
        if (srq_c_falls(plan, s, c)) {
            bits[c / 8] |= (uint8_t)(1u << c % 8);
            *falls = true;
        }
    if (*falls) write_byte_table("falls", index, bits, (size_t)(channels + 7) / 8, out, flash);
    free(bits);
    return SRQ_OK;
}

static srq_status write_codes_of(const srq_c_plan *plan, int index, FILE *out, size_t *flash)
{
    const srq_c_step *s = &plan->steps[index];
    const srq_deploy_op *end = &plan->net->ops[s->last], *pool = s->pool < 0 ? NULL : &plan->net->ops[s->pool];
    const int levels = end->output.grid.max - end->output.grid.min;
    const bool integers = end->output.grid.bits <= SRQ_C_INTEGER_BITS;
    float floats[256];
    bool falls = false;
    SRQ_TRY(write_falls(plan, index, out, flash, &falls));
    if (integers) {
        SRQ_TRY(write_integer_thresholds(plan, index, levels, out, flash));
    } else {
        srq_c_float_thresholds(plan, s, floats);
        write_float_table("levels", index, floats, (size_t)levels, out, flash);
        write_affine(plan, index, s->affine, out, flash);
    }
    fprintf(out, "static const codes_of codes_of_%d = {\n    %d, %d, {%d, %d}, {%d, %d}, {%d, %d}, %d, %d, ", index,
            end->output.height, end->output.width, pool ? pool->kernel[0] : 1, pool ? pool->kernel[1] : 1,
            pool ? pool->stride[0] : 1, pool ? pool->stride[1] : 1, pool ? pool->padding[0] : 0,
            pool ? pool->padding[1] : 0, end->output.grid.min, levels);
    if (falls)
        fprintf(out, "falls_%d, ", index);
    else
        fputs("0, ", out);
    if (!integers)
        fprintf(out, "0, 0, levels_%d, a_%d, b_%d, ", index, index, index);
    else if (s->wide)
        fprintf(out, "0, levels_%d, 0, 0, 0, ", index);
    else
        fprintf(out, "levels_%d, 0, 0, 0, 0, ", index);
    write_unit(plan, s, out);
    fputs("};\n", out);
    return SRQ_OK;
}

static srq_status write_conv_tables(const srq_c_plan *plan, int index, FILE *out, size_t *flash)
{
    const srq_c_step *s = &plan->steps[index];
    const srq_deploy_op *op = &plan->net->ops[s->op];
    if (op->weights.grid.bits) SRQ_TRY(write_codes(op, index, (size_t)s->row, out, flash));
    if (srq_deploy_packs_mask(&op->weights)) SRQ_TRY(write_mask(op, index, (size_t)s->row, out, flash));
    write_conv(plan, index, out);
    if (s->kind == SRQ_C_REALS) SRQ_TRY(write_real_weights(plan, index, out, flash));
    if (s->kind == SRQ_C_CODES) return write_codes_of(plan, index, out, flash);
    if (s->affine >= 0) write_affine(plan, index, s->affine, out, flash);
    return SRQ_OK;
}

/* --- Other steps */

/* The values of the codes of a tensor, in the order of their lowest bits. `units`: the codes themselves as floats. */
static void write_values(const srq_deploy_tensor *x, const char *name, int index, bool units, FILE *out, size_t *flash)
{
    float values[256];
    const int codes = x->grid.max - x->grid.min + 1;
    for (int c = x->grid.min; c <= x->grid.max; c++)
        values[c & (codes - 1)] = units ? (float)c : srq_deploy_value(x, c);
    write_float_table(name, index, values, (size_t)codes, out, flash);
}

static void write_windows(const srq_c_plan *plan, int index, FILE *out)
{
    const srq_deploy_op *op = &plan->net->ops[plan->steps[index].op];
    const srq_deploy_tensor x = srq_deploy_tensor_at(plan->net, op->inputs[0]);
    fprintf(out, "static const windows windows_%d = {%d, %d, %d, %d, %d, {%d, %d}, {%d, %d}, {%d, %d}};\n", index,
            x.height, x.width, x.channels, op->output.height, op->output.width, op->kernel[0], op->kernel[1],
            op->stride[0], op->stride[1], op->padding[0], op->padding[1]);
}

srq_status srq_c_write_tables(const srq_c_plan *plan, int index, FILE *out, size_t *flash)
{
    const srq_c_step *s = &plan->steps[index];
    const srq_deploy_op *op = &plan->net->ops[s->op];
    const srq_deploy_tensor x = srq_deploy_tensor_at(plan->net, op->inputs[0]);
    float floats[256];
    if (s->kind == SRQ_C_REALS && x.grid.bits) write_values(&x, "inputs", index, !x.grid.points, out, flash);
    if (op->kind == SRQ_DEPLOY_CONV) return write_conv_tables(plan, index, out, flash);
    if (op->kind == SRQ_DEPLOY_AFFINE) write_affine(plan, index, s->op, out, flash);
    if (op->kind == SRQ_DEPLOY_MAX_POOL || op->kind == SRQ_DEPLOY_AVG_POOL) write_windows(plan, index, out);
    if (op->kind == SRQ_DEPLOY_DEQUANTIZE) write_values(&x, "values", index, false, out, flash);
    if (op->kind == SRQ_DEPLOY_QUANTIZE) {
        srq_c_float_thresholds(plan, s, floats);
        write_float_table("levels", index, floats, (size_t)(op->output.grid.max - op->output.grid.min), out, flash);
    }
    return SRQ_OK;
}
