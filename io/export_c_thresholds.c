#include "io/export_c.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* One operation of a step on a float, as the interpreter computes it. */
static float apply(const srq_deploy_op *op, int c, float x)
{
    if (op->kind == SRQ_DEPLOY_AFFINE) return op->a[c] * x + op->b[c];
    if (op->kind == SRQ_DEPLOY_LEAKY) return x < 0 ? op->slope * x : x;
    if (op->kind != SRQ_DEPLOY_CLIP) return x; /* the maximum of one */
    const float y = x < op->low ? op->low : x;
    return y > op->high ? op->high : y;
}

/* The operation after `index` in a step, whose outputs have one user each. */
static int next_op(const srq_deploy *net, int index)
{
    for (int i = index + 1; i < net->op_count; i++)
        for (int k = 0; k < net->ops[i].input_count; k++)
            if (net->ops[i].inputs[k] == index) return i;
    return index;
}

/* From the output of operation `index` to the code at the end of the step. */
static int code_after(const srq_deploy *net, const srq_c_step *step, int index, int c, float x)
{
    for (int i = next_op(net, index); i != step->last; i = next_op(net, i)) x = apply(&net->ops[i], c, x);
    return srq_deploy_code(&net->ops[step->last].output, x);
}

static float unit_of(const srq_deploy *net, const srq_c_step *step)
{
    return net->ops[step->op].inputs[0] == SRQ_DEPLOY_IMAGES ? ldexpf(1, -net->input.fraction) : 1;
}

int srq_c_code_of_sum(const srq_c_plan *plan, const srq_c_step *step, int c, int64_t sum)
{
    return code_after(plan->net, step, step->op, c, (float)sum * unit_of(plan->net, step));
}

bool srq_c_falls(const srq_c_plan *plan, const srq_c_step *step, int c)
{
    return plan->net->ops[step->affine].a[c] < 0;
}

void srq_c_thresholds(const srq_c_plan *plan, const srq_c_step *step, int c, int64_t *thresholds)
{
    const srq_deploy_grid *grid = &plan->net->ops[step->last].output.grid;
    const int64_t flip = srq_c_falls(plan, step, c) ? -1 : 0;
    const int64_t most = (int64_t)step->most + 1;
    for (int code = grid->min + 1; code <= grid->max; code++) {
        /* The smallest v in [low, high] that reaches the code; high is never tried. */
        int64_t low = -most - 1, high = most + 1;
        while (low < high) {
            const int64_t middle = low + (high - low) / 2;
            if (srq_c_code_of_sum(plan, step, c, middle ^ flip) >= code)
                high = middle;
            else
                low = middle + 1;
        }
        thresholds[code - grid->min - 1] = low == most + 1 ? INT64_MAX : low;
    }
}

/* Floats in their order as integers. */
static float float_at(int64_t place)
{
    const uint32_t bits = place < 0 ? 0x80000000u | (uint32_t)-place : (uint32_t)place;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

void srq_c_float_thresholds(const srq_c_plan *plan, const srq_c_step *step, float *thresholds)
{
    const srq_deploy *net = plan->net;
    const srq_deploy_grid *grid = &net->ops[step->last].output.grid;
    const int64_t most = 0x7f7fffff; /* FLT_MAX */
    for (int code = grid->min + 1; code <= grid->max; code++) {
        int64_t low = -most, high = most + 1;
        while (low < high) {
            const int64_t middle = low + (high - low) / 2;
            const float x = float_at(middle);
            const int found = step->kind == SRQ_C_SIMPLE ? srq_deploy_code(&net->ops[step->last].output, x)
                                                         : code_after(net, step, step->affine, 0, x);
            if (found >= code)
                high = middle;
            else
                low = middle + 1;
        }
        thresholds[code - grid->min - 1] = low == most + 1 ? INFINITY : float_at(low);
    }
}
