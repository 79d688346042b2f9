#include "core/deploy_build.h"
#include "core/ops/layer_quantizer.h"
#include "core/ops/op.h"
#include "core/quant/methods.h"

#include <stdlib.h>
#include <string.h>

/* The activation quantizer. Its output is the codes of its input, unsigned if the input cannot be negative. With method
 * "float32", it copies its input. */

static srq_status create(srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    layer->output = *x;
    layer->output.dtype = SRQ_FLOAT32;
    layer->output.scale = 1;
    SRQ_TRY(srq_quantizer_init(&layer->spec->quantizer, !x->non_negative, 1, &layer->quantizer));
    if (layer->quantizer.method && !layer->quantizer.method->floats)
        layer->output.dtype = x->non_negative ? SRQ_UINT8 : SRQ_INT8;
    if (layer->quantizer.method) {
        const int longest = srq_bits_longest(&layer->spec->quantizer.bits);
        layer->output.most = x->non_negative ? (1 << longest) - 1 : 1 << (longest - 1);
    }
    return srq_layer_add_quantizer(layer, "activation");
}

static void prepare(srq_layer *layer, srq_pass *pass)
{
    if (!layer->quantizer.method) return;
    srq_layer_load_quantizer(layer, pass);
    if (layer->output.dtype != SRQ_FLOAT32) layer->output.scale = layer->quantizer.grid.alpha;
}

/* Initializes alpha and sigma from the input of all slices. This is not part of a training step, so memory is allocated
 * temporarily. */
static srq_status start_from(srq_layer *layer, const srq_pass *pass)
{
    const size_t image = layer->output.features, count = (size_t)pass->shard_n * image;
    if (pass->slices == 1) {
        srq_layer_start_quantizer(layer, pass, count, srq_pass_input(pass, layer, 0));
        return SRQ_OK;
    }
    float *whole = malloc(count * sizeof *whole), *to = whole;
    if (!whole) return srq_fail_memory(count * sizeof *whole, "the initialization of a quantizer");
    for (int s = 0; s < pass->slices; s++) {
        const size_t part = (size_t)pass->shard[s].n * image;
        memcpy(to, srq_pass_input(&pass->shard[s], layer, 0), part * sizeof *to);
        to += part;
    }
    srq_layer_start_quantizer(layer, pass, count, whole);
    free(whole);
    return SRQ_OK;
}

static srq_status start(srq_layer *layer, srq_pass *pass)
{
    if (!layer->quantizer.method) return SRQ_OK;
    SRQ_TRY(start_from(layer, pass));
    layer->quantizer.grid.alpha = layer->quantizer.alpha[0];
    if (layer->output.dtype != SRQ_FLOAT32) layer->output.scale = layer->quantizer.grid.alpha;
    return SRQ_OK;
}

/* The quantizer for this pass, with the noise of the pass's leaf. */
static srq_quantizer quantizer_in(const srq_layer *layer, const srq_pass *pass)
{
    srq_quantizer q = layer->quantizer;
    q.stream = (uint64_t)layer->index * SRQ_SHARDS_MAX + (uint64_t)pass->leaf;
    return q;
}

static void forward(const srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    const float *x = srq_pass_input(pass, layer, 0);
    void *y = srq_pass_output(pass, layer);
    if (!layer->quantizer.method) {
        memcpy(y, x, count * sizeof *x);
        return;
    }
    const srq_quantizer q = quantizer_in(layer, pass);
    const bool finite = q.method->floats && !q.training ? srq_quantizer_values(&q, pass->vector, count, x, y)
                                                        : srq_quantizer_forward(&q, pass->vector, count, x, y);
    if (!finite && pass->bad < 0) pass->bad = layer->index;
}

static void backward(const srq_layer *layer, srq_pass *pass)
{
    const size_t count = (size_t)pass->n * layer->output.features;
    float *dx = srq_pass_input_gradient(pass, layer, 0), *dy = srq_pass_output_gradient(pass, layer);
    if (!layer->quantizer.method) {
        if (dx) memcpy(dx, dy, count * sizeof *dx);
        return;
    }
    /* Images need no gradient, but alpha does. So the gradient of images is computed too, and overwrites dy. */
    if (!dx) dx = dy;
    const srq_quantizer q = quantizer_in(layer, pass);
    srq_quantizer_backward(&q, pass->vector, count, layer->output.features, srq_pass_input(pass, layer, 0), dy, dx,
                           srq_pass_gradient(pass, layer, layer->alpha), srq_pass_gradient(pass, layer, layer->sigma),
                           srq_pass_gradient(pass, layer, layer->gates));
}

static srq_status deploy(const srq_layer *layer, srq_deployer *deployer)
{
    int input, index;
    srq_points points;
    const srq_quantizer *q = &layer->quantizer;
    SRQ_TRY(srq_deployer_floats(deployer, layer, 0, &input));
    if (!q->method) {
        srq_deployer_put(deployer, layer, input);
        return SRQ_OK;
    }
    srq_quantizer_points(q, &points);
    const srq_deploy_grid grid = {
        .bits = q->bits, .min = q->grid.min, .max = q->grid.max, .points = points.uniform ? NULL : points.point};
    const srq_deploy_op op = {.kind = SRQ_DEPLOY_QUANTIZE,
                              .input_count = 1,
                              .inputs = {input},
                              .output = {.grid = grid, .scale = q->grid.alpha}};
    SRQ_TRY(srq_deployer_add(deployer, layer, &op, &index));
    srq_deployer_put(deployer, layer, index);
    return SRQ_OK;
}

extern const srq_op srq_op_quantize;
const srq_op srq_op_quantize = {
    .type = "quantize",
    .min_inputs = 1,
    .max_inputs = 1,
    .keeps_input = true,
    .create = create,
    .prepare = prepare,
    .start = start,
    .forward = forward,
    .backward = backward,
    .deploy = deploy,
    .meaning = "quantizes an activation: unsigned after `relu` and `sigmoid`, signed if values may be negative",
    .quantizes = SRQ_QUANTIZES_OUTPUT,
    .stage = SRQ_CHAIN_QUANTIZE,
};
