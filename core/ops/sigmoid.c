#include "core/deploy_build.h"
#include "core/kernels/elementary.h"
#include "core/ops/op.h"

#include <math.h>

/* y = 1 / (1 + e^-x), any shape. NaN is kept. */

static srq_status create(srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output = (srq_tensor){.height = x->height, .width = x->width, .channels = x->channels, .non_negative = true};
    return SRQ_OK;
}

static float sigmoid(float x)
{
    /* Beyond +-87, e^x is not a normal number. y is 1 or below 1e-37 there. NaN becomes 87. */
    const float below = x < 87.0f ? x : 87.0f, inside = below > -87.0f ? below : -87.0f;
    const float y = 1.0f / (1.0f + exp_near_lane(-inside));
    return isnan(x) ? x : y;
}

static void forward(const srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    const float *x = srq_pass_input(pass, layer, 0);
    float *y = srq_pass_output(pass, layer);
    for (size_t i = 0; i < count; i++) y[i] = sigmoid(x[i]);
}

static void backward(const srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    const float *y = srq_pass_output(pass, layer), *dy = srq_pass_output_gradient(pass, layer);
    float *dx = srq_pass_input_gradient(pass, layer, 0);
    if (!dx) return;
    for (size_t i = 0; i < count; i++) dx[i] = dy[i] * (y[i] * (1.0f - y[i]));
}

static srq_status deploy(const srq_layer *layer, srq_deployer *deployer)
{
    return srq_deployer_simple(deployer, layer, &(srq_deploy_op){.kind = SRQ_DEPLOY_SIGMOID});
}

extern const srq_op srq_op_sigmoid;
const srq_op srq_op_sigmoid = {
    .type = "sigmoid",
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_output = true,
    .create = create,
    .forward = forward,
    .backward = backward,
    .deploy = deploy,
    .meaning = "1 / (1 + exp(-x))",
};
