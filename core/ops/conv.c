#include "core/ops/weighted.h"

/* Convolution, x [n][h][w][in] -> y [n][oh][ow][out], weights [out][in / groups][kernel 0][kernel 1], zero padding.
 * Channels are divided into groups, and each group is convolved separately. With as many groups as channels, the
 * convolution is depthwise. */

static srq_status check_groups(int groups, int in, int out)
{
    if (in % groups == 0 && out % groups == 0) return SRQ_OK;
    const bool input = in % groups != 0;
    return srq_fail(SRQ_ERROR_USAGE,
                    "%d groups, but the %s %d channels; input and output channels must both be multiples of groups",
                    groups, input ? "input has" : "output (out) has", input ? in : out);
}

static srq_status infer(const srq_layer *layer, int capacity, srq_conv_shape *shape)
{
    const srq_layer_spec *spec = layer->spec;
    const srq_tensor *x = layer->inputs[0];
    const int size[2] = {x->height, x->width};
    const int groups = spec->groups ? spec->groups : 1;
    int out[2];
    SRQ_TRY(check_groups(groups, x->channels, spec->out));
    for (int i = 0; i < 2; i++) {
        int reach = size[i] + 2 * spec->padding[i] - spec->kernel[i];
        if (reach < 0)
            return srq_fail(
                SRQ_ERROR_USAGE,
                "the kernel %d x %d does not fit into the input of %d x %d pixels with padding %d, %d; use a "
                "smaller kernel or more padding",
                spec->kernel[0], spec->kernel[1], x->height, x->width, spec->padding[0], spec->padding[1]);
        out[i] = reach / spec->stride[i] + 1;
    }
    *shape = (srq_conv_shape){.capacity = capacity,
                              .height = x->height,
                              .width = x->width,
                              .in = x->channels,
                              .out_height = out[0],
                              .out_width = out[1],
                              .out = spec->out,
                              .kernel = {spec->kernel[0], spec->kernel[1]},
                              .stride = {spec->stride[0], spec->stride[1]},
                              .padding = {spec->padding[0], spec->padding[1]},
                              .groups = groups};
    return SRQ_OK;
}

static srq_status create(srq_layer *layer)
{
    srq_conv_shape shape;
    SRQ_TRY(infer(layer, layer->network->capacity, &shape));
    layer->output = (srq_tensor){.height = shape.out_height, .width = shape.out_width, .channels = shape.out};
    const size_t dimensions[4] = {(size_t)shape.out, (size_t)(shape.in / shape.groups), (size_t)shape.kernel[0],
                                  (size_t)shape.kernel[1]};
    return srq_weighted_create(layer, &shape, 4, dimensions);
}

extern const srq_op srq_op_conv;
const srq_op srq_op_conv = {
    .type = "conv",
    .create = create,
    SRQ_WEIGHTED_OP,
    .meaning = "convolution with quantized weights; with as many `groups` as input channels it is depthwise",
    .settings = {{"out", SRQ_OP_WHOLE, SRQ_PLACE(out), .least = 1, .most = 1 << 20, .required = true},
                 {"kernel", SRQ_OP_PAIR, SRQ_PLACE(kernel), .least = 1, .most = 4096, .required = true},
                 {"stride", SRQ_OP_PAIR, SRQ_PLACE(stride), .least = 1, .most = 4096, .initial = 1},
                 {"padding", SRQ_OP_PAIR, SRQ_PLACE(padding), .most = 4095},
                 {"groups", SRQ_OP_WHOLE, SRQ_PLACE(groups), .least = 1, .most = 1 << 20, .initial = 1},
                 {"bias", SRQ_OP_FLAG, SRQ_PLACE(bias), .initial = true}},
};
