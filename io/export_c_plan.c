#include "io/export_c.h"

#include "core/plan.h"

#include <limits.h>
#include <stdlib.h>

/* --- Users of outputs */

static int count_users(const srq_deploy *net, int index, int *only)
{
    int users = 0;
    for (int i = index + 1; i < net->op_count; i++)
        for (int k = 0; k < net->ops[i].input_count; k++)
            if (net->ops[i].inputs[k] == index) {
                users++;
                *only = i;
            }
    return users;
}

/* The only user of an output, or -1. */
static int only_user(const srq_deploy *net, int index)
{
    int only = -1;
    return count_users(net, index, &only) == 1 ? only : -1;
}

static int last_use(const srq_deploy *net, int index)
{
    int last = index;
    count_users(net, index, &last);
    return last;
}

/* --- Steps */

/* Whether the float of a channel never becomes smaller when its argument grows. */
static bool is_monotone(srq_deploy_kind kind)
{
    return kind == SRQ_DEPLOY_CLIP || kind == SRQ_DEPLOY_LEAKY;
}

/* Extends a convolution by what follows it, up to its codes if there are any. */
static void follow(const srq_deploy *net, srq_c_step *step)
{
    int at = only_user(net, step->op), pool = -1;
    if (at < 0 || net->ops[at].kind != SRQ_DEPLOY_AFFINE) return;
    step->affine = step->last = at;
    if (step->kind == SRQ_C_REALS) return;
    while ((at = only_user(net, at)) >= 0) {
        const srq_deploy_kind kind = net->ops[at].kind;
        if (kind == SRQ_DEPLOY_QUANTIZE) {
            step->kind = SRQ_C_CODES;
            step->pool = pool;
            step->last = at;
            return;
        }
        if (kind == SRQ_DEPLOY_MAX_POOL && pool < 0)
            pool = at;
        else if (!is_monotone(kind))
            return;
    }
}

static srq_c_step make_step(const srq_deploy *net, int index)
{
    const srq_deploy_op *op = &net->ops[index];
    srq_c_step step = {.kind = SRQ_C_SIMPLE, .op = index, .affine = -1, .pool = -1, .last = index};
    if (op->kind != SRQ_DEPLOY_CONV) return step;
    const bool integer = srq_deploy_is_integer(net, op);
    step.kind = integer ? SRQ_C_SUMS : SRQ_C_REALS;
    /* Thresholds and the start of a maximum need the ends of the type. */
    step.most = integer ? srq_deploy_most(net, op) : 0;
    step.wide = integer && (op->inputs[0] == SRQ_DEPLOY_IMAGES || step.most > (double)(INT32_MAX - 8));
    step.row = (int)(op->weights.count / (size_t)op->output.channels);
    follow(net, &step);
    return step;
}

/* Marks the operations inside of the step. */
static void take_step(srq_c_plan *plan, const srq_c_step *step)
{
    for (int i = step->op; i != step->last; i = only_user(plan->net, i)) plan->step_of[i] = -2;
    plan->step_of[step->last] = plan->step_count;
    plan->steps[plan->step_count++] = *step;
}

/* Steps are in the order of their first operation. An input of a later step may be the end of an earlier one only,
 * because what is inside of a step has no other users. */
static void make_steps(srq_c_plan *plan)
{
    for (int i = 0; i < plan->net->op_count; i++) plan->step_of[i] = -1;
    for (int i = 0; i < plan->net->op_count; i++)
        if (plan->step_of[i] == -1) {
            const srq_c_step step = make_step(plan->net, i);
            take_step(plan, &step);
        }
}

const srq_c_step *srq_c_input(const srq_c_plan *plan, const srq_c_step *step, int k)
{
    const int from = plan->net->ops[step->op].inputs[k];
    return from == SRQ_DEPLOY_IMAGES ? NULL : &plan->steps[plan->step_of[from]];
}

/* --- Memory */

static bool gives_codes(const srq_c_plan *plan, const srq_c_step *step)
{
    return plan->net->ops[step->last].output.grid.bits != 0;
}

static bool can_overwrite(const srq_c_plan *plan, int index)
{
    const srq_c_step *step = &plan->steps[index], *from = srq_c_input(plan, step, 0);
    const srq_deploy_kind kind = plan->net->ops[step->op].kind;
    const bool elements = kind == SRQ_DEPLOY_AFFINE || kind == SRQ_DEPLOY_CLIP || kind == SRQ_DEPLOY_LEAKY ||
                          kind == SRQ_DEPLOY_SIGMOID || kind == SRQ_DEPLOY_ADD;
    return step->kind == SRQ_C_SIMPLE && elements && from && last_use(plan->net, from->last) == step->op;
}

/* The last step that reads the output of step `index`, or what overwrites it. */
static int death_of(const srq_c_plan *plan, int index)
{
    int death = index;
    for (int i = index + 1; i < plan->step_count; i++)
        for (int k = 0; k < plan->net->ops[plan->steps[i].op].input_count; k++) {
            if (srq_c_input(plan, &plan->steps[i], k) != &plan->steps[index]) continue;
            const int last = plan->steps[i].in_place && k == 0 ? death_of(plan, i) : i;
            if (last > death) death = last;
        }
    /* The logits are read at the end. */
    return index == plan->step_of[plan->net->op_count - 1] ? plan->step_count : death;
}

/* Places the outputs that are codes, or the others. Offsets in bytes are multiples of 64, so they are whole elements.
 */
static srq_status place(srq_c_plan *plan, bool codes, srq_buffer *buffers, size_t *elements)
{
    size_t total;
    int count = 0;
    const size_t size = codes ? 1 : sizeof(float);
    for (int i = 0; i < plan->step_count; i++) {
        const srq_c_step *step = &plan->steps[i];
        if (step->in_place || gives_codes(plan, step) != codes) continue;
        buffers[count++] = (srq_buffer){.bytes = srq_deploy_size(&plan->net->ops[step->last].output) * size,
                                        .birth = i,
                                        .death = death_of(plan, i)};
    }
    SRQ_TRY(srq_plan_buffers(buffers, count, &total));
    *elements = total / size;
    count = 0;
    for (int i = 0; i < plan->step_count; i++) {
        srq_c_step *step = &plan->steps[i];
        if (gives_codes(plan, step) != codes) continue;
        step->place = step->in_place ? srq_c_input(plan, step, 0)->place : buffers[count++].offset / size;
    }
    return SRQ_OK;
}

static void add_rows(srq_c_plan *plan, const srq_c_step *step)
{
    const srq_deploy_op *op = &plan->net->ops[step->op];
    const srq_deploy_tensor x = srq_deploy_tensor_at(plan->net, op->inputs[0]);
    const bool images = op->inputs[0] == SRQ_DEPLOY_IMAGES;
    size_t *row = step->kind == SRQ_C_REALS ? &plan->real_row : &plan->row;
    for (int k = 0; k < op->input_count; k++)
        if (op->inputs[k] == SRQ_DEPLOY_IMAGES) {
            if (step->kind == SRQ_C_CODES || step->kind == SRQ_C_SUMS)
                plan->fixed = true;
            else
                plan->pixels = true;
        }
    if (step->kind == SRQ_C_SIMPLE) return;
    if ((size_t)step->row > *row) *row = (size_t)step->row;
    /* Codes are unpacked before they become values. */
    if (step->kind == SRQ_C_REALS && op->weights.grid.bits && (size_t)step->row > plan->row)
        plan->row = (size_t)step->row;
    if (step->kind == SRQ_C_REALS && !images && x.grid.bits && srq_deploy_size(&x) > plan->values)
        plan->values = srq_deploy_size(&x);
}

static srq_status make(srq_c_plan *plan)
{
    const size_t ops = (size_t)plan->net->op_count;
    const srq_deploy_tensor images = srq_deploy_tensor_at(plan->net, SRQ_DEPLOY_IMAGES);
    plan->images = srq_deploy_size(&images);
    plan->steps = calloc(ops, sizeof *plan->steps);
    plan->step_of = calloc(ops, sizeof *plan->step_of);
    srq_buffer *buffers = calloc(ops, sizeof *buffers);
    srq_status status = plan->steps && plan->step_of && buffers
                            ? SRQ_OK
                            : srq_fail_memory(ops * sizeof *buffers, "the steps of the C file");
    if (status == SRQ_OK) {
        make_steps(plan);
        for (int i = 0; i < plan->step_count; i++) plan->steps[i].in_place = can_overwrite(plan, i);
        for (int i = 0; i < plan->step_count; i++) add_rows(plan, &plan->steps[i]);
        status = place(plan, true, buffers, &plan->codes);
    }
    if (status == SRQ_OK) status = place(plan, false, buffers, &plan->floats);
    free(buffers);
    return status;
}

/* Sizes in the C file are int, and a bit of the packed weights is counted in 32 bits. */
static srq_status check_sizes(const srq_c_plan *plan)
{
    for (int i = 0; i < plan->net->op_count; i++) {
        const srq_deploy_op *op = &plan->net->ops[i];
        if (op->kind == SRQ_DEPLOY_CONV && op->weights.count > (size_t)1 << 28)
            return srq_fail(SRQ_ERROR_USAGE,
                            "export: layer \"%s\" has %zu weights; the format c holds at most 2^28 in a layer, so use "
                            "another one",
                            op->name, op->weights.count);
    }
    return SRQ_OK;
}

srq_status srq_c_plan_make(const srq_deploy *net, srq_c_plan *plan)
{
    *plan = (srq_c_plan){.net = net};
    srq_status status = check_sizes(plan);
    if (status == SRQ_OK) status = make(plan);
    if (status != SRQ_OK) srq_c_plan_free(plan);
    return status;
}

void srq_c_plan_free(srq_c_plan *plan)
{
    free(plan->steps);
    free(plan->step_of);
    *plan = (srq_c_plan){0};
}
