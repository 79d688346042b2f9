#include "core/ops/op.h"

#include <string.h>

/* The activation quantizer: codes of its input, unsigned where the input cannot be negative. With method "float32" it
 * passes its input on. */

static srq_status create(srq_graph *graph, srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output = *x;
    layer->output.operand = (srq_operand){.dtype = SRQ_FLOAT32, .scale = 1};
    SRQ_TRY(srq_quantizer_init(&layer->spec->quantizer, !x->non_negative, &layer->quantizer));
    if (layer->quantizer.method) layer->output.operand.dtype = x->non_negative ? SRQ_UINT8 : SRQ_INT8;
    layer->state = graph; /* not owned: where the parameters are */
    return srq_graph_add_quantizer(graph, layer, "activation");
}

static void prepare(srq_layer *layer, srq_pass *pass)
{
    (void)pass;
    if (!layer->quantizer.method) return;
    srq_layer_load_quantizer(layer->state, layer);
    layer->output.operand.scale = layer->quantizer.grid.alpha;
}

static void forward(srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    const float *x = layer->inputs[0]->operand.data;
    void *y = (void *)layer->output.operand.data;
    if (!layer->quantizer.method) {
        memcpy(y, x, count * sizeof *x);
        return;
    }
    if (pass->starting) {
        srq_quantizer_start(&layer->quantizer, pass->vector, count, x);
        srq_layer_store_quantizer(layer->state, layer);
        layer->output.operand.scale = layer->quantizer.grid.alpha;
    }
    if (!srq_quantizer_forward(&layer->quantizer, pass->vector, count, x, y) && pass->bad < 0) pass->bad = layer->index;
}

static void backward(srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    float *dx = layer->input_gradients[0];
    if (!layer->quantizer.method) {
        if (dx) memcpy(dx, layer->output_gradient, count * sizeof *dx);
        return;
    }
    /* Images need no gradient, but alpha does: theirs goes where dy was. */
    if (!dx) dx = (float *)layer->output_gradient;
    srq_grid_gradient sums;
    layer->quantizer.method->backward(&layer->quantizer, pass->vector, count, layer->output.features,
                                      layer->inputs[0]->operand.data, layer->output_gradient, dx, &sums);
    pass->gradient[srq_graph_parameter(layer->state, layer->alpha)->offset] = (float)sums.alpha;
    if (layer->sigma >= 0) pass->gradient[srq_graph_parameter(layer->state, layer->sigma)->offset] = (float)sums.sigma;
}

extern const srq_op srq_op_quantize;
const srq_op srq_op_quantize = {
    .type = "quantize",
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_input = true,
    .create = create,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
