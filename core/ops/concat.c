#include "core/deploy_build.h"
#include "core/ops/op.h"

#include <string.h>

/* Concatenation along the channels, x_i [n][h][w][c_i] -> y [n][h][w][sum of c_i]. Inputs may have different grids, so
 * codes are converted to float32 first. */

static srq_status create(srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output = (srq_tensor){.height = x->height, .width = x->width, .non_negative = true};
    for (int i = 0; i < layer->input_count; i++) {
        const srq_tensor *other = layer->inputs[i];
        if (other->height != x->height || other->width != x->width)
            return srq_fail(SRQ_ERROR_USAGE,
                            "inputs of different sizes: \"%s\" is %d x %d and \"%s\" is %d x %d (height x width); only "
                            "their channels may differ",
                            layer->spec->inputs[0], x->height, x->width, layer->spec->inputs[i], other->height,
                            other->width);
        if (__builtin_add_overflow(layer->output.channels, other->channels, &layer->output.channels))
            return srq_fail(SRQ_ERROR_USAGE, "more than 2^31 - 1 channels; make its inputs smaller");
        layer->output.non_negative = layer->output.non_negative && other->non_negative;
    }
    return SRQ_OK;
}

static size_t pixels_of(const srq_layer *layer, const srq_pass *pass)
{
    return (size_t)pass->n * (size_t)layer->output.height * (size_t)layer->output.width;
}

static void forward(const srq_layer *layer, srq_pass *pass)
{
    const size_t pixels = pixels_of(layer, pass), all = (size_t)layer->output.channels;
    float *y = srq_pass_output(pass, layer);
    for (int i = 0; i < layer->input_count; i++) {
        const size_t channels = (size_t)layer->inputs[i]->channels;
        const float *x = srq_pass_input(pass, layer, i);
        for (size_t p = 0; p < pixels; p++) memcpy(y + p * all, x + p * channels, channels * sizeof *y);
        y += channels;
    }
}

static void backward(const srq_layer *layer, srq_pass *pass)
{
    const size_t pixels = pixels_of(layer, pass), all = (size_t)layer->output.channels;
    const float *dy = srq_pass_output_gradient(pass, layer);
    for (int i = 0; i < layer->input_count; i++) {
        const size_t channels = (size_t)layer->inputs[i]->channels;
        float *dx = srq_pass_input_gradient(pass, layer, i);
        for (size_t p = 0; dx && p < pixels; p++) memcpy(dx + p * channels, dy + p * all, channels * sizeof *dx);
        dy += channels;
    }
}

static srq_status deploy(const srq_layer *layer, srq_deployer *deployer)
{
    return srq_deployer_simple(deployer, layer, &(srq_deploy_op){.kind = SRQ_DEPLOY_CONCAT});
}

extern const srq_op srq_op_concat;
const srq_op srq_op_concat = {
    .type = "concat",
    .min_inputs = 2,
    .max_inputs = SRQ_INPUTS_MAX,
    .create = create,
    .forward = forward,
    .backward = backward,
    .deploy = deploy,
    .meaning = "concatenation along the channels; inputs must have the same height and width",
};
