#include "core/ops/weighted.h"

/* Dense layer, x [n][h][w][c] -> y [n][1][1][out]. Its weights are [out][c * h * w], in the order of a flattened
 * [c][h][w] image in other frameworks. It is computed as a convolution whose kernel covers the whole image. */
static srq_status create(srq_layer *layer)
{
    const srq_tensor *x = layer->inputs[0];
    const srq_conv_shape shape = {.capacity = layer->network->capacity,
                                  .height = x->height,
                                  .width = x->width,
                                  .in = x->channels,
                                  .out_height = 1,
                                  .out_width = 1,
                                  .out = layer->spec->out,
                                  .kernel = {x->height, x->width},
                                  .stride = {1, 1},
                                  .groups = 1,
                                  .covers = true};
    layer->output = (srq_tensor){.height = 1, .width = 1, .channels = shape.out};
    const size_t dimensions[2] = {(size_t)shape.out, x->features};
    return srq_weighted_create(layer, &shape, 2, dimensions);
}

extern const srq_op srq_op_dense;
const srq_op srq_op_dense = {
    .type = "dense",
    .create = create,
    SRQ_WEIGHTED_OP,
    .meaning = "dense layer over the whole image, with quantized weights",
    .settings = {{"out", SRQ_OP_WHOLE, SRQ_PLACE(out), .least = 1, .most = 1 << 20, .required = true},
                 {"bias", SRQ_OP_FLAG, SRQ_PLACE(bias), .initial = true}},
};
