#include "io/export_c.h"

#include <math.h>

/* The address of a step's output, or of the images. */
static void write_place(const srq_c_plan *plan, const srq_c_step *from, bool fixed, FILE *out)
{
    if (!from) {
        fputs(fixed ? "fixed" : "image", out);
        return;
    }
    const srq_deploy_grid *grid = &plan->net->ops[from->last].output.grid;
    if (grid->min < 0)
        fprintf(out, "(int8_t *)(codes + %zu)", from->place);
    else
        fprintf(out, "%s + %zu", grid->bits ? "codes" : "floats", from->place);
}

/* The same as bytes without a sign. */
static void write_bytes_place(const srq_c_step *from, FILE *out)
{
    fprintf(out, "codes + %zu", from->place);
}

static void write_conv_call(const srq_c_plan *plan, int index, FILE *out)
{
    const srq_c_step *s = &plan->steps[index], *from = srq_c_input(plan, s, 0);
    if (s->kind == SRQ_C_CODES) {
        fprintf(out, "    codes_%s(&conv_%d, &codes_of_%d, ", srq_c_suffix(plan, s), index, index);
        write_place(plan, from, true, out);
        fprintf(out, ", codes + %zu);\n", s->place);
        return;
    }
    fprintf(out, "    floats_%s(&conv_%d, ", srq_c_suffix(plan, s), index);
    if (s->affine >= 0)
        fprintf(out, "a_%d, b_%d, ", index, index);
    else
        fputs("0, 0, ", out);
    const int bits = from ? 0 : plan->net->input.fraction;
    fprintf(out, bits ? "0x1p-%df, " : "1, ", bits);
    write_place(plan, from, true, out);
    fprintf(out, ", floats + %zu);\n", s->place);
}

static void write_real_call(const srq_c_plan *plan, int index, FILE *out)
{
    const srq_c_step *s = &plan->steps[index], *from = srq_c_input(plan, s, 0);
    const srq_deploy_tensor x = srq_deploy_tensor_at(plan->net, plan->net->ops[s->op].inputs[0]);
    if (x.grid.bits) {
        fprintf(out, "    values_of(inputs_%d, %d, %zu, ", index, (1 << x.grid.bits) - 1, srq_deploy_size(&x));
        write_bytes_place(from, out);
        fputs(", values);\n", out);
    }
    fprintf(out, "    convolve_reals(&conv_%d, &reals_%d, ", index, index);
    if (s->affine >= 0)
        fprintf(out, "a_%d, b_%d, ", index, index);
    else
        fputs("0, 0, ", out);
    if (x.grid.bits)
        fputs("values", out);
    else
        write_place(plan, from, false, out);
    fprintf(out, ", floats + %zu);\n", s->place);
}

static void write_add(const srq_c_plan *plan, const srq_c_step *s, FILE *out)
{
    const srq_deploy_op *op = &plan->net->ops[s->op];
    const size_t n = srq_deploy_size(&op->output);
    if (!s->in_place) {
        fprintf(out, "    memcpy(floats + %zu, ", s->place);
        write_place(plan, srq_c_input(plan, s, 0), false, out);
        fprintf(out, ", %zu * sizeof *floats);\n", n);
    }
    for (int k = 1; k < op->input_count; k++) {
        fprintf(out, "    add(%zu, ", n);
        write_place(plan, srq_c_input(plan, s, k), false, out);
        fprintf(out, ", floats + %zu);\n", s->place);
    }
}

static void write_concat(const srq_c_plan *plan, const srq_c_step *s, FILE *out)
{
    const srq_deploy_op *op = &plan->net->ops[s->op];
    size_t first = 0;
    for (int k = 0; k < op->input_count; k++) {
        const int channels = srq_deploy_tensor_at(plan->net, op->inputs[k]).channels;
        fprintf(out, "    join(%d, %d, %d, ", op->output.height * op->output.width, channels, op->output.channels);
        write_place(plan, srq_c_input(plan, s, k), false, out);
        fprintf(out, ", floats + %zu);\n", s->place + first);
        first += (size_t)channels;
    }
}

static void write_max(const srq_c_plan *plan, int index, FILE *out)
{
    const srq_c_step *s = &plan->steps[index];
    const srq_deploy_grid *grid = &plan->net->ops[s->op].output.grid;
    fprintf(out, "    max_%s(&windows_%d, ", !grid->bits ? "real" : grid->min < 0 ? "s8" : "u8", index);
    write_place(plan, srq_c_input(plan, s, 0), false, out);
    fputs(", ", out);
    write_place(plan, s, false, out);
    fputs(");\n", out);
}

/* What comes before the input in a call of an operation with one input. */
static void write_head(const srq_c_plan *plan, int index, FILE *out)
{
    const srq_deploy_op *op = &plan->net->ops[plan->steps[index].op];
    const srq_deploy_tensor x = srq_deploy_tensor_at(plan->net, op->inputs[0]);
    const size_t n = srq_deploy_size(&op->output);
    const srq_deploy_grid *grid = &op->output.grid;
    if (op->kind == SRQ_DEPLOY_AFFINE)
        fprintf(out, "affine(a_%d, b_%d, %d, %d, ", index, index, op->output.height * op->output.width,
                op->output.channels);
    if (op->kind == SRQ_DEPLOY_CLIP && isinf(op->high))
        fprintf(out, "clip(%af, NEVER, %zu, ", (double)op->low, n);
    else if (op->kind == SRQ_DEPLOY_CLIP)
        fprintf(out, "clip(%af, %af, %zu, ", (double)op->low, (double)op->high, n);
    if (op->kind == SRQ_DEPLOY_LEAKY) fprintf(out, "leaky(%af, %zu, ", (double)op->slope, n);
    if (op->kind == SRQ_DEPLOY_SIGMOID) fprintf(out, "sigmoid(%zu, ", n);
    if (op->kind == SRQ_DEPLOY_AVG_POOL)
        fprintf(out, "average(&windows_%d, %af, ", index, (double)(1.0f / (float)(op->kernel[0] * op->kernel[1])));
    if (op->kind == SRQ_DEPLOY_QUANTIZE)
        fprintf(out, "quantize(levels_%d, %d, %d, %zu, ", index, grid->max - grid->min, grid->min, n);
    if (op->kind == SRQ_DEPLOY_DEQUANTIZE)
        fprintf(out, "values_of(values_%d, %d, %zu, ", index, (1 << x.grid.bits) - 1, n);
}

static void write_simple(const srq_c_plan *plan, int index, FILE *out)
{
    const srq_c_step *s = &plan->steps[index], *from = srq_c_input(plan, s, 0);
    fputs("    ", out);
    write_head(plan, index, out);
    if (plan->net->ops[s->op].kind == SRQ_DEPLOY_DEQUANTIZE)
        write_bytes_place(from, out);
    else
        write_place(plan, from, false, out);
    fprintf(out, ", %s + %zu);\n", plan->net->ops[s->last].output.grid.bits ? "codes" : "floats", s->place);
}

void srq_c_write_call(const srq_c_plan *plan, int index, FILE *out)
{
    const srq_c_step *s = &plan->steps[index];
    const srq_deploy_op *op = &plan->net->ops[s->op];
    fprintf(out, "    /* %s */\n", op->name);
    if (s->kind == SRQ_C_REALS)
        write_real_call(plan, index, out);
    else if (op->kind == SRQ_DEPLOY_CONV)
        write_conv_call(plan, index, out);
    else if (op->kind == SRQ_DEPLOY_ADD)
        write_add(plan, s, out);
    else if (op->kind == SRQ_DEPLOY_CONCAT)
        write_concat(plan, s, out);
    else if (op->kind == SRQ_DEPLOY_MAX_POOL)
        write_max(plan, index, out);
    else
        write_simple(plan, index, out);
}
