#include "core/ops/op.h"

#include <string.h>

/* The activation quantizer: codes of its input, unsigned where the input cannot be negative. With method "float32" it
 * passes its input on. */

static srq_status create(srq_graph *graph, srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output = *x;
    layer->output.operand = (srq_operand){.dtype = SRQ_FLOAT32, .scale = 1};
    SRQ_TRY(srq_quantizer_init(&layer->spec->quantizer, !x->non_negative, 1, &layer->quantizer));
    if (layer->quantizer.method && !layer->quantizer.method->floats)
        layer->output.operand.dtype = x->non_negative ? SRQ_UINT8 : SRQ_INT8;
    if (layer->quantizer.method) {
        const int longest = srq_bits_longest(&layer->spec->quantizer.bits);
        layer->output.most = x->non_negative ? (1 << longest) - 1 : 1 << (longest - 1);
    }
    layer->state = graph; /* not owned: where the parameters are */
    return srq_graph_add_quantizer(graph, layer, "activation");
}

static void prepare(srq_layer *layer, srq_pass *pass)
{
    if (!layer->quantizer.method) return;
    srq_layer_load_quantizer(layer->state, layer, pass);
    if (layer->output.operand.dtype != SRQ_FLOAT32) layer->output.operand.scale = layer->quantizer.grid.alpha;
}

static void start(srq_layer *layer, const srq_pass *pass, size_t count, const float *x)
{
    srq_layer_start_quantizer(layer->state, layer, pass, count, x);
    layer->quantizer.grid.alpha = layer->quantizer.alpha[0];
    if (layer->output.operand.dtype != SRQ_FLOAT32) layer->output.operand.scale = layer->quantizer.grid.alpha;
}

static void forward(srq_layer *layer, srq_pass *pass)
{
    srq_quantizer *q = &layer->quantizer;
    const size_t count = (size_t)pass->n * layer->output.features;
    const float *x = layer->inputs[0]->operand.data;
    void *y = (void *)layer->output.operand.data;
    if (!q->method) {
        memcpy(y, x, count * sizeof *x);
        return;
    }
    if (pass->starting || pass->changing) start(layer, pass, count, x);
    q->stream = (uint64_t)layer->index * SRQ_SHARDS_MAX + (uint64_t)pass->shard;
    const bool finite = q->method->floats && !q->training ? srq_quantizer_values(q, pass->vector, count, x, y)
                                                          : srq_quantizer_forward(q, pass->vector, count, x, y);
    if (!finite && pass->bad < 0) pass->bad = layer->index;
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
    srq_layer_quantizer_backward(layer->state, layer, pass, count, layer->output.features,
                                 layer->inputs[0]->operand.data, layer->output_gradient, dx);
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
    .meaning = "quantizes an activation: unsigned where no value can be negative, as after `relu`, else signed",
    .quantizes = SRQ_QUANTIZES_OUTPUT,
};
