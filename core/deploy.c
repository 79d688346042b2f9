#include "core/deploy.h"

#include "core/kernels/elementary.h"
#include "core/mask.h"
#include "core/quant/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[SRQ_DEPLOY_KINDS] = {
    [SRQ_DEPLOY_CONV] = "Conv",
    [SRQ_DEPLOY_AFFINE] = "Affine",
    [SRQ_DEPLOY_CLIP] = "Clip",
    [SRQ_DEPLOY_LEAKY] = "LeakyRelu",
    [SRQ_DEPLOY_SIGMOID] = "Sigmoid",
    [SRQ_DEPLOY_MAX_POOL] = "MaxPool",
    [SRQ_DEPLOY_AVG_POOL] = "AveragePool",
    [SRQ_DEPLOY_ADD] = "Add",
    [SRQ_DEPLOY_CONCAT] = "Concat",
    [SRQ_DEPLOY_QUANTIZE] = "Quantize",
    [SRQ_DEPLOY_DEQUANTIZE] = "Dequantize",
};

const char *srq_deploy_kind_name(srq_deploy_kind kind)
{
    return names[kind];
}

void srq_deploy_free_op(srq_deploy_op *op)
{
    free(op->output.grid.points);
    free(op->weights.grid.points);
    free(op->weights.codes);
    free(op->weights.floats);
    free(op->weights.scale);
    free(op->weights.mask);
    free(op->a);
    free(op->b);
    *op = (srq_deploy_op){0};
}

void srq_deploy_destroy(srq_deploy **net)
{
    srq_deploy *n = *net;
    if (!n) return;
    for (int i = 0; i < n->op_count; i++) srq_deploy_free_op(&n->ops[i]);
    for (int i = 0; n->input.class_names && i < n->input.classes; i++) free(n->input.class_names[i]);
    free(n->input.class_names);
    free(n->input.multiply);
    free(n->input.add);
    free(n->ops);
    free(n);
    *net = NULL;
}

/* --- Tensors */

srq_deploy_tensor srq_deploy_tensor_at(const srq_deploy *net, int index)
{
    if (index != SRQ_DEPLOY_IMAGES) return net->ops[index].output;
    return (srq_deploy_tensor){.height = net->input.height, .width = net->input.width, .channels = net->input.channels};
}

size_t srq_deploy_size(const srq_deploy_tensor *t)
{
    return (size_t)t->height * (size_t)t->width * (size_t)t->channels;
}

static float point_of(const srq_deploy_grid *grid, int code)
{
    return grid->points ? grid->points[code - grid->min] : (float)code;
}

float srq_deploy_value(const srq_deploy_tensor *t, int code)
{
    return t->scale * point_of(&t->grid, code);
}

int srq_deploy_code(const srq_deploy_tensor *t, float x)
{
    srq_points points;
    points.min = t->grid.min;
    points.count = t->grid.max - t->grid.min + 1;
    points.uniform = true; /* then the rest is not read */
    if (t->grid.points) srq_points_set(t->grid.min, t->grid.max, t->grid.points, &points);
    return srq_points_nearest(&points, x / t->scale);
}

/* As in core/ops/sigmoid.c. */
float srq_deploy_sigmoid(float x)
{
    const float below = x < 87.0f ? x : 87.0f, inside = below > -87.0f ? below : -87.0f;
    return 1.0f / (1.0f + exp_near_lane(-inside));
}

float srq_deploy_pixel(const srq_deploy_input *input, int channel, uint8_t pixel)
{
    return (float)pixel * input->multiply[channel] + input->add[channel];
}

int srq_deploy_fraction(const float *multiply, const float *add, int channels)
{
    float most = 0;
    for (int c = 0; c < channels; c++) {
        const float black = add[c], white = 255.0f * multiply[c] + add[c];
        most = fmaxf(most, fmaxf(fabsf(black), fabsf(white)));
    }
    int fraction = SRQ_DEPLOY_FRACTION_MAX;
    while (fraction >= 0 && !(ldexp((double)most, fraction) <= ldexp(1, 30))) fraction--;
    return fraction;
}

int32_t srq_deploy_fixed(const srq_deploy_input *input, float x)
{
    return (int32_t)rint(ldexp((double)x, input->fraction));
}

/* --- Weights */

bool srq_deploy_is_integer(const srq_deploy *net, const srq_deploy_op *conv)
{
    const srq_deploy_tensor x = srq_deploy_tensor_at(net, conv->inputs[0]);
    const bool weights = conv->weights.grid.bits && !conv->weights.grid.points;
    return weights && (conv->inputs[0] == SRQ_DEPLOY_IMAGES || (x.grid.bits && !x.grid.points));
}

float srq_deploy_weight(const srq_deploy_op *conv, size_t index)
{
    const srq_deploy_weights *w = &conv->weights;
    if (w->mask && !srq_mask_keeps(w->mask, index)) return 0;
    if (!w->grid.bits) return w->floats[index];
    if (!w->grid.points) return (float)w->codes[index];
    const size_t row = w->scales > 1 ? index / (w->count / (size_t)conv->output.channels) : 0;
    return w->scale[row] * point_of(&w->grid, w->codes[index]);
}

/* The largest magnitude of an element that a convolution reads. */
static double largest_input(const srq_deploy *net, const srq_deploy_op *conv)
{
    double most = 0;
    const srq_deploy_tensor x = srq_deploy_tensor_at(net, conv->inputs[0]);
    if (x.grid.bits) return fmax(fabs((double)x.grid.min), (double)x.grid.max);
    for (int c = 0; c < net->input.channels; c++)
        for (int p = 0; p < 256; p++)
            most =
                fmax(most, fabs((double)srq_deploy_fixed(&net->input, srq_deploy_pixel(&net->input, c, (uint8_t)p))));
    return most;
}

double srq_deploy_most(const srq_deploy *net, const srq_deploy_op *conv)
{
    const size_t out = (size_t)conv->output.channels, row = conv->weights.count / out;
    double most = 0;
    for (size_t o = 0; o < out; o++) {
        double sum = 0;
        for (size_t i = 0; i < row; i++) sum += fabs((double)srq_deploy_weight(conv, o * row + i));
        most = fmax(most, sum);
    }
    return most * largest_input(net, conv);
}

double srq_deploy_macs(const srq_deploy_op *conv)
{
    return (double)conv->weights.count * (double)conv->output.height * (double)conv->output.width;
}
