#include "core/deploy_build.h"
#include "core/ops/op.h"

#include <math.h>

/* y = max(x, 0), or min(max(x, 0), spec->max) with a ceiling (ReLU6), any shape. */

static srq_status create(srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output = (srq_tensor){.height = x->height, .width = x->width, .channels = x->channels, .non_negative = true};
    return SRQ_OK;
}

static void forward(const srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    const float *x = srq_pass_input(pass, layer, 0);
    float *y = srq_pass_output(pass, layer);
    if (layer->spec->max > 0)
        pass->vector->relu_under(count, x, layer->spec->max, y);
    else
        pass->vector->relu(count, x, y);
}

static void backward(const srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    const float *y = srq_pass_output(pass, layer), *dy = srq_pass_output_gradient(pass, layer);
    float *dx = srq_pass_input_gradient(pass, layer, 0);
    if (!dx) return;
    if (layer->spec->max > 0)
        pass->vector->clip_backward(count, y, dy, 0, layer->spec->max, dx);
    else
        pass->vector->relu_backward(count, y, dy, dx);
}

static srq_status deploy(const srq_layer *layer, srq_deployer *deployer)
{
    const float max = layer->spec->max;
    const srq_deploy_op op = {.kind = SRQ_DEPLOY_CLIP, .low = 0, .high = max > 0 ? max : INFINITY};
    return srq_deployer_simple(deployer, layer, &op);
}

extern const srq_op srq_op_relu;
const srq_op srq_op_relu = {
    .type = "relu",
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_output = true,
    .create = create,
    .forward = forward,
    .backward = backward,
    .deploy = deploy,
    .meaning = "max(x, 0). `max = 6.0` is ReLU6; the gradient is 0 at the ceiling",
    .stage = SRQ_CHAIN_CLIP,
    .settings = {{"max", SRQ_OP_REAL, SRQ_PLACE(max), .most = 1e6, .above = true, .absent = "none"}},
};
