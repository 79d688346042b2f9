#include "core/deploy_build.h"
#include "core/ops/op.h"

#include <string.h>

/* y = the sum of the inputs, which all have the same shape. */

static srq_status create(srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    bool non_negative = true;
    for (int i = 0; i < layer->input_count; i++) {
        const srq_tensor *other = layer->inputs[i];
        if (other->height != x->height || other->width != x->width || other->channels != x->channels)
            return srq_fail(
                SRQ_ERROR_USAGE,
                "inputs of different shapes: \"%s\" is %d x %d x %d and \"%s\" is %d x %d x %d (height x width "
                "x channels); give both the same stride and number of channels",
                layer->spec->inputs[0], x->height, x->width, x->channels, layer->spec->inputs[i], other->height,
                other->width, other->channels);
        non_negative = non_negative && other->non_negative;
    }
    layer->output =
        (srq_tensor){.height = x->height, .width = x->width, .channels = x->channels, .non_negative = non_negative};
    return SRQ_OK;
}

static void forward(const srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    float *y = srq_pass_output(pass, layer);
    memcpy(y, srq_pass_input(pass, layer, 0), count * sizeof *y);
    for (int i = 1; i < layer->input_count; i++) pass->vector->add(count, y, srq_pass_input(pass, layer, i));
}

static void backward(const srq_layer *layer, srq_pass *pass)
{
    const size_t bytes = (size_t)pass->n * layer->output.features * sizeof(float);
    for (int i = 0; i < layer->input_count; i++) {
        float *dx = srq_pass_input_gradient(pass, layer, i);
        if (dx) memcpy(dx, srq_pass_output_gradient(pass, layer), bytes);
    }
}

static srq_status deploy(const srq_layer *layer, srq_deployer *deployer)
{
    return srq_deployer_simple(deployer, layer, &(srq_deploy_op){.kind = SRQ_DEPLOY_ADD});
}

extern const srq_op srq_op_add;
const srq_op srq_op_add = {
    .type = "add",
    .min_inputs = 2,
    .max_inputs = SRQ_INPUTS_MAX,
    .create = create,
    .forward = forward,
    .backward = backward,
    .deploy = deploy,
    .meaning = "sum of inputs with the same shape",
    .stage = SRQ_CHAIN_ADD,
};
