/* Convolution in groups, computed by its definition: for every output pixel and every pixel under the kernel, the input
 * channels of each group are multiplied by the weights of the group's output channels.
 *
 * Weights are packed as [kernel 0][kernel 1][in / groups][out], so that a depthwise convolution works on contiguous
 * channels. Sums over the pixels of an image (the gradient of weights) are float64. */
#include "core/kernels/reference/grouped.h"

#include <stdlib.h>
#include <string.h>

struct srq_grouped {
    srq_conv_shape shape;
    const srq_vector *vector;
    size_t in, out; /* channels of one group */
    size_t area;    /* pixels under the kernel */
    size_t count;   /* weights */
    float *weights; /* [area][in][shape.out] */
};

/* The scratch memory of a call: the sums of a gradient, [count], then an image of codes as floats,
 * [height][width][shape.in]. */
static size_t image_floats(const srq_grouped *plan)
{
    return (size_t)plan->shape.height * (size_t)plan->shape.width * (size_t)plan->shape.in;
}

static double *sums_in(void *scratch)
{
    return scratch;
}

static float *image_in(const srq_grouped *plan, void *scratch)
{
    return (float *)(sums_in(scratch) + plan->count);
}

size_t srq_grouped_scratch(const srq_grouped *plan)
{
    return plan->count * sizeof(double) + image_floats(plan) * sizeof(float);
}

void srq_grouped_destroy(srq_grouped **plan)
{
    if (!*plan) return;
    free((*plan)->weights);
    free(*plan);
    *plan = NULL;
}

srq_status srq_grouped_create(const srq_conv_shape *shape, const srq_vector *vector, srq_grouped **out)
{
    srq_grouped *plan = calloc(1, sizeof *plan);
    if (!plan) return srq_fail_memory(sizeof *plan, "a convolution");
    plan->shape = *shape;
    plan->vector = vector;
    plan->in = (size_t)(shape->in / shape->groups);
    plan->out = (size_t)(shape->out / shape->groups);
    plan->area = (size_t)shape->kernel[0] * (size_t)shape->kernel[1];
    plan->count = plan->area * plan->in * (size_t)shape->out;
    plan->weights = malloc(plan->count * sizeof *plan->weights);
    if (!plan->weights) {
        const size_t bytes = plan->count * sizeof *plan->weights;
        srq_grouped_destroy(&plan);
        return srq_fail_memory(bytes, "a convolution");
    }
    *out = plan;
    return SRQ_OK;
}

/* --- Weights: [shape.out][in][area] <-> [area][in][shape.out] */

static float element(const srq_operand *operand, size_t i)
{
    if (operand->dtype == SRQ_FLOAT32) return ((const float *)operand->data)[i];
    return operand->dtype == SRQ_UINT8 ? ((const uint8_t *)operand->data)[i] : ((const int8_t *)operand->data)[i];
}

void srq_grouped_pack(srq_grouped *plan, const srq_operand *weights)
{
    const size_t outputs = (size_t)plan->shape.out, depth = plan->in * plan->area;
    for (size_t o = 0; o < outputs; o++)
        for (size_t c = 0; c < plan->in; c++)
            for (size_t a = 0; a < plan->area; a++)
                plan->weights[(a * plan->in + c) * outputs + o] = element(weights, o * depth + c * plan->area + a);
}

void srq_grouped_unpack(const srq_grouped *plan, float *dw, void *scratch)
{
    float *packed = scratch;
    memcpy(packed, dw, plan->count * sizeof *dw);
    const size_t outputs = (size_t)plan->shape.out, depth = plan->in * plan->area;
    for (size_t o = 0; o < outputs; o++)
        for (size_t c = 0; c < plan->in; c++)
            for (size_t a = 0; a < plan->area; a++)
                dw[o * depth + c * plan->area + a] = packed[(a * plan->in + c) * outputs + o];
}

/* --- One pixel under the kernel: x [shape.in], y [shape.out], w and dw [in][shape.out] */

static void add_products(const srq_grouped *plan, const float *restrict x, const float *restrict w, float *restrict y)
{
    const size_t groups = (size_t)plan->shape.groups, in = plan->in, out = plan->out, outputs = groups * out;
    if (in == 1 && out == 1) {
        for (size_t g = 0; g < groups; g++) y[g] += x[g] * w[g];
        return;
    }
    for (size_t g = 0; g < groups; g++)
        for (size_t c = 0; c < in; c++)
            for (size_t o = g * out; o < (g + 1) * out; o++) y[o] += x[g * in + c] * w[c * outputs + o];
}

static void add_products_backward(const srq_grouped *plan, const float *restrict dy, const float *restrict w,
                                  float *restrict dx)
{
    const size_t groups = (size_t)plan->shape.groups, in = plan->in, out = plan->out, outputs = groups * out;
    if (in == 1 && out == 1) {
        for (size_t g = 0; g < groups; g++) dx[g] += dy[g] * w[g];
        return;
    }
    for (size_t g = 0; g < groups; g++)
        for (size_t c = 0; c < in; c++)
            for (size_t o = g * out; o < (g + 1) * out; o++) dx[g * in + c] += dy[o] * w[c * outputs + o];
}

static void add_outer_products(const srq_grouped *plan, const float *restrict x, const float *restrict dy,
                               double *restrict dw)
{
    const size_t groups = (size_t)plan->shape.groups, in = plan->in, out = plan->out, outputs = groups * out;
    if (in == 1 && out == 1) {
        for (size_t g = 0; g < groups; g++) dw[g] += (double)x[g] * (double)dy[g];
        return;
    }
    for (size_t g = 0; g < groups; g++)
        for (size_t c = 0; c < in; c++)
            for (size_t o = g * out; o < (g + 1) * out; o++)
                dw[c * outputs + o] += (double)x[g * in + c] * (double)dy[o];
}

/* --- Images */

/* The range [first, last) of kernel pixels inside the image, for each axis. */
typedef struct window {
    int first[2], last[2];
    int from[2]; /* image pixel under the first kernel pixel; may be outside */
} window;

static window window_at(const srq_conv_shape *s, int oy, int ox)
{
    const int at[2] = {oy, ox}, size[2] = {s->height, s->width};
    window w;
    for (int i = 0; i < 2; i++) {
        w.from[i] = at[i] * s->stride[i] - s->padding[i];
        w.first[i] = w.from[i] < 0 ? -w.from[i] : 0;
        w.last[i] = w.from[i] + s->kernel[i] > size[i] ? size[i] - w.from[i] : s->kernel[i];
    }
    return w;
}

/* The offsets of pixel ky, kx of a window in the image and in the packed weights. */
static size_t image_offset(const srq_conv_shape *s, const window *w, int ky, int kx)
{
    return ((size_t)(w->from[0] + ky) * (size_t)s->width + (size_t)(w->from[1] + kx)) * (size_t)s->in;
}

static size_t weight_offset(const srq_grouped *plan, int ky, int kx)
{
    return (size_t)(ky * plan->shape.kernel[1] + kx) * plan->in * (size_t)plan->shape.out;
}

/* Image i of x as floats. */
static const float *image_of(const srq_grouped *plan, const srq_operand *x, size_t i, void *scratch)
{
    const size_t count = image_floats(plan);
    float *image = image_in(plan, scratch);
    if (x->dtype == SRQ_FLOAT32) return (const float *)x->data + i * count;
    if (x->dtype == SRQ_UINT8)
        plan->vector->widen_u8(count, (const uint8_t *)x->data + i * count, image);
    else
        plan->vector->widen_s8(count, (const int8_t *)x->data + i * count, image);
    return image;
}

void srq_grouped_forward(const srq_grouped *plan, int n, const srq_operand *x, float *y, void *scratch)
{
    const srq_conv_shape *s = &plan->shape;
    const size_t outputs = (size_t)s->out;
    for (int i = 0; i < n; i++) {
        const float *image = image_of(plan, x, (size_t)i, scratch);
        for (int oy = 0; oy < s->out_height; oy++)
            for (int ox = 0; ox < s->out_width; ox++, y += outputs) {
                const window w = window_at(s, oy, ox);
                memset(y, 0, outputs * sizeof *y);
                for (int ky = w.first[0]; ky < w.last[0]; ky++)
                    for (int kx = w.first[1]; kx < w.last[1]; kx++)
                        add_products(plan, image + image_offset(s, &w, ky, kx),
                                     plan->weights + weight_offset(plan, ky, kx), y);
            }
    }
}

void srq_grouped_backward_data(const srq_grouped *plan, int n, const float *dy, float *dx)
{
    const srq_conv_shape *s = &plan->shape;
    const size_t image = (size_t)s->height * (size_t)s->width * (size_t)s->in;
    memset(dx, 0, (size_t)n * image * sizeof *dx);
    for (int i = 0; i < n; i++, dx += image)
        for (int oy = 0; oy < s->out_height; oy++)
            for (int ox = 0; ox < s->out_width; ox++, dy += s->out) {
                const window w = window_at(s, oy, ox);
                for (int ky = w.first[0]; ky < w.last[0]; ky++)
                    for (int kx = w.first[1]; kx < w.last[1]; kx++)
                        add_products_backward(plan, dy, plan->weights + weight_offset(plan, ky, kx),
                                              dx + image_offset(s, &w, ky, kx));
            }
}

void srq_grouped_backward_weights(const srq_grouped *plan, int n, const srq_operand *x, const float *dy, float *dw,
                                  void *scratch)
{
    const srq_conv_shape *s = &plan->shape;
    double *sums = sums_in(scratch);
    memset(sums, 0, plan->count * sizeof *sums);
    for (int i = 0; i < n; i++) {
        const float *image = image_of(plan, x, (size_t)i, scratch);
        for (int oy = 0; oy < s->out_height; oy++)
            for (int ox = 0; ox < s->out_width; ox++, dy += s->out) {
                const window w = window_at(s, oy, ox);
                for (int ky = w.first[0]; ky < w.last[0]; ky++)
                    for (int kx = w.first[1]; kx < w.last[1]; kx++)
                        add_outer_products(plan, image + image_offset(s, &w, ky, kx), dy,
                                           sums + weight_offset(plan, ky, kx));
            }
    }
    for (size_t k = 0; k < plan->count; k++) dw[k] = (float)sums[k];
}
