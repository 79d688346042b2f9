#include "core/deploy_build.h"
#include "core/ops/op.h"

/* y = x if x > 0, otherwise slope x; any shape. NaN is kept. */

enum { SLOPE }; /* index in spec->own */

static srq_status create(srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output =
        (srq_tensor){.height = x->height, .width = x->width, .channels = x->channels, .non_negative = x->non_negative};
    return SRQ_OK;
}

static void forward(const srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    const float slope = layer->spec->own[SLOPE].real, *x = srq_pass_input(pass, layer, 0);
    float *y = srq_pass_output(pass, layer);
    for (size_t i = 0; i < count; i++) y[i] = x[i] < 0 ? slope * x[i] : x[i];
}

/* The slope is above 0, so y has the sign of x. */
static void backward(const srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    const float slope = layer->spec->own[SLOPE].real;
    const float *y = srq_pass_output(pass, layer), *dy = srq_pass_output_gradient(pass, layer);
    float *dx = srq_pass_input_gradient(pass, layer, 0);
    if (!dx) return;
    for (size_t i = 0; i < count; i++) dx[i] = y[i] > 0 ? dy[i] : slope * dy[i];
}

static srq_status deploy(const srq_layer *layer, srq_deployer *deployer)
{
    const srq_deploy_op op = {.kind = SRQ_DEPLOY_LEAKY, .slope = layer->spec->own[SLOPE].real};
    return srq_deployer_simple(deployer, layer, &op);
}

extern const srq_op srq_op_leaky_relu;
const srq_op srq_op_leaky_relu = {
    .type = "leaky_relu",
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_output = true,
    .create = create,
    .forward = forward,
    .backward = backward,
    .deploy = deploy,
    .meaning = "x if x is above 0, otherwise `slope` times x",
    .settings = {{"slope", SRQ_OP_REAL, SRQ_PLACE(own[SLOPE].real), .most = 1, .above = true, .initial = 0.01}},
};
