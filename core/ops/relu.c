#include "core/ops/op.h"

/* y = max(x, 0), any shape. */

static srq_status create(srq_graph *graph, srq_layer *layer)
{
    (void)graph;
    const srq_tensor *x = layer->inputs[0];
    layer->output = (srq_tensor){.height = x->height, .width = x->width, .channels = x->channels, .non_negative = true};
    return SRQ_OK;
}

static void forward(srq_layer *layer, srq_pass *pass)
{
    pass->vector->relu((size_t)pass->n * layer->output.features, layer->inputs[0]->operand.data,
                       (float *)layer->output.operand.data);
}

static void backward(srq_layer *layer, srq_pass *pass)
{
    if (!layer->input_gradients[0]) return;
    pass->vector->relu_backward((size_t)pass->n * layer->output.features, layer->output.operand.data,
                                layer->output_gradient, layer->input_gradients[0]);
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
};
