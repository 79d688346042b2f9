#include "core/deploy_build.h"
#include "core/ops/op.h"

#include <stdlib.h>
#include <string.h>

/* Pooling over windows, x [n][h][w][c] -> y [n][oh][ow][c]. Max-pooling ignores padding. Average-pooling counts it as
 * zeros, like PyTorch. */

typedef struct pool {
    int kernel[2], stride[2], padding[2];
    size_t where; /* max: place of the positions of the maxima in their windows, int32 [n][oh][ow][c] */
} pool;

/* The part of a window that lies inside the image, in rows and columns. */
typedef struct window {
    int y0, y1, x0, x1; /* inside: y0 <= y < y1 */
    int top, left;      /* corner of the whole window; may be negative */
} window;

static window window_at(const pool *p, const srq_tensor *x, int oy, int ox)
{
    window w = {.top = oy * p->stride[0] - p->padding[0], .left = ox * p->stride[1] - p->padding[1]};
    w.y0 = w.top > 0 ? w.top : 0;
    w.x0 = w.left > 0 ? w.left : 0;
    w.y1 = w.top + p->kernel[0] < x->height ? w.top + p->kernel[0] : x->height;
    w.x1 = w.left + p->kernel[1] < x->width ? w.left + p->kernel[1] : x->width;
    return w;
}

static srq_status infer(srq_layer *layer)
{
    const srq_layer_spec *spec = layer->spec;
    const srq_tensor *x = layer->inputs[0];
    const int size[2] = {x->height, x->width};
    pool *p = calloc(1, sizeof *p);
    if (!p) return srq_fail_memory(sizeof *p, spec->name);
    layer->state = p;
    int out[2];
    for (int i = 0; i < 2; i++) {
        p->kernel[i] = spec->kernel[i] ? spec->kernel[i] : size[i];
        p->stride[i] = spec->kernel[i] ? spec->stride[i] : 1;
        p->padding[i] = spec->padding[i];
        if (2 * p->padding[i] > p->kernel[i])
            return srq_fail(SRQ_ERROR_USAGE,
                            "padding of %d is more than half of the kernel of %d, so some windows would contain only "
                            "padding; use less padding",
                            p->padding[i], p->kernel[i]);
        int reach = size[i] + 2 * p->padding[i] - p->kernel[i];
        if (reach < 0)
            return srq_fail(SRQ_ERROR_USAGE,
                            "the window %d x %d does not fit into the input of %d x %d pixels; use a smaller kernel",
                            p->kernel[0], p->kernel[1], x->height, x->width);
        out[i] = reach / p->stride[i] + 1;
    }
    layer->output =
        (srq_tensor){.height = out[0], .width = out[1], .channels = x->channels, .non_negative = x->non_negative};
    return SRQ_OK;
}

static srq_status max_create(srq_layer *layer)
{
    SRQ_TRY(infer(layer));
    pool *p = layer->state;
    size_t count = (size_t)layer->output.height * (size_t)layer->output.width * (size_t)layer->output.channels;
    return srq_network_reserve(layer->network, layer->index, (size_t)layer->network->capacity * count * sizeof(int32_t),
                               &p->where);
}

static void destroy(srq_layer *layer)
{
    free(layer->state);
    layer->state = NULL;
}

static size_t pixel(const srq_tensor *t, int image, int y, int x)
{
    return (((size_t)image * (size_t)t->height + (size_t)y) * (size_t)t->width + (size_t)x) * (size_t)t->channels;
}

static void max_window(const pool *p, const srq_vector *vector, size_t channels, const window *w, const srq_tensor *in,
                       const float *x, int image, float *y, int32_t *where)
{
    int32_t first = (int32_t)((w->y0 - w->top) * p->kernel[1] + (w->x0 - w->left));
    memcpy(y, x + pixel(in, image, w->y0, w->x0), channels * sizeof *y);
    for (size_t c = 0; c < channels; c++) where[c] = first;
    for (int wy = w->y0; wy < w->y1; wy++)
        for (int wx = w->x0; wx < w->x1; wx++) {
            int32_t k = (int32_t)((wy - w->top) * p->kernel[1] + (wx - w->left));
            if (k != first) vector->max_update(channels, x + pixel(in, image, wy, wx), k, y, where);
        }
}

static void max_forward(const srq_layer *layer, srq_pass *pass)
{
    const pool *p = layer->state;
    const srq_tensor *in = layer->inputs[0], *out = &layer->output;
    const float *x = srq_pass_input(pass, layer, 0);
    float *y = srq_pass_output(pass, layer);
    int32_t *where = srq_pass_at(pass, p->where);
    for (int i = 0; i < pass->n; i++)
        for (int oy = 0; oy < out->height; oy++)
            for (int ox = 0; ox < out->width; ox++) {
                size_t at = pixel(out, i, oy, ox);
                window w = window_at(p, in, oy, ox);
                max_window(p, pass->vector, (size_t)out->channels, &w, in, x, i, y + at, where + at);
            }
}

static void max_backward(const srq_layer *layer, srq_pass *pass)
{
    const pool *p = layer->state;
    const srq_tensor *in = layer->inputs[0], *out = &layer->output;
    const float *gradient = srq_pass_output_gradient(pass, layer);
    const int32_t *where = srq_pass_at(pass, p->where);
    float *dx = srq_pass_input_gradient(pass, layer, 0);
    if (!dx) return;
    memset(dx, 0, (size_t)pass->n * in->features * sizeof *dx);
    for (int i = 0; i < pass->n; i++)
        for (int oy = 0; oy < out->height; oy++)
            for (int ox = 0; ox < out->width; ox++) {
                size_t at = pixel(out, i, oy, ox);
                window w = window_at(p, in, oy, ox);
                for (int y = w.y0; y < w.y1; y++)
                    for (int x = w.x0; x < w.x1; x++)
                        pass->vector->max_scatter((size_t)out->channels, gradient + at, where + at,
                                                  (int32_t)((y - w.top) * p->kernel[1] + (x - w.left)),
                                                  dx + pixel(in, i, y, x));
            }
}

static void avg_forward(const srq_layer *layer, srq_pass *pass)
{
    const pool *p = layer->state;
    const srq_tensor *in = layer->inputs[0], *out = &layer->output;
    const float *x = srq_pass_input(pass, layer, 0);
    const float share = 1.0f / (float)(p->kernel[0] * p->kernel[1]);
    const size_t channels = (size_t)out->channels;
    for (int i = 0; i < pass->n; i++)
        for (int oy = 0; oy < out->height; oy++)
            for (int ox = 0; ox < out->width; ox++) {
                float *y = srq_pass_output(pass, layer) + pixel(out, i, oy, ox);
                window w = window_at(p, in, oy, ox);
                memset(y, 0, channels * sizeof *y);
                for (int wy = w.y0; wy < w.y1; wy++)
                    for (int wx = w.x0; wx < w.x1; wx++) pass->vector->add(channels, y, x + pixel(in, i, wy, wx));
                for (size_t c = 0; c < channels; c++) y[c] *= share;
            }
}

static void avg_backward(const srq_layer *layer, srq_pass *pass)
{
    const pool *p = layer->state;
    const srq_tensor *in = layer->inputs[0], *out = &layer->output;
    const float share = 1.0f / (float)(p->kernel[0] * p->kernel[1]);
    const float *gradient = srq_pass_output_gradient(pass, layer);
    float *dx = srq_pass_input_gradient(pass, layer, 0);
    if (!dx) return;
    memset(dx, 0, (size_t)pass->n * in->features * sizeof *dx);
    for (int i = 0; i < pass->n; i++)
        for (int oy = 0; oy < out->height; oy++)
            for (int ox = 0; ox < out->width; ox++) {
                const float *dy = gradient + pixel(out, i, oy, ox);
                window w = window_at(p, in, oy, ox);
                for (int y = w.y0; y < w.y1; y++)
                    for (int x = w.x0; x < w.x1; x++) {
                        float *to = dx + pixel(in, i, y, x);
                        for (int c = 0; c < out->channels; c++) to[c] += share * dy[c];
                    }
            }
}

static srq_deploy_op deployed(const pool *p, srq_deploy_kind kind)
{
    return (srq_deploy_op){.kind = kind,
                           .kernel = {p->kernel[0], p->kernel[1]},
                           .stride = {p->stride[0], p->stride[1]},
                           .padding = {p->padding[0], p->padding[1]}};
}

/* The largest value is that of the largest code. */
static srq_status max_deploy(const srq_layer *layer, srq_deployer *deployer)
{
    int index;
    srq_deploy_op op = deployed(layer->state, SRQ_DEPLOY_MAX_POOL);
    op.input_count = 1;
    SRQ_TRY(srq_deployer_operand(deployer, layer, 0, &op.inputs[0], &op.output));
    SRQ_TRY(srq_deployer_add(deployer, layer, &op, &index));
    srq_deployer_put(deployer, layer, index);
    return SRQ_OK;
}

static srq_status avg_deploy(const srq_layer *layer, srq_deployer *deployer)
{
    const srq_deploy_op op = deployed(layer->state, SRQ_DEPLOY_AVG_POOL);
    return srq_deployer_simple(deployer, layer, &op);
}

extern const srq_op srq_op_max_pool, srq_op_avg_pool;
const srq_op srq_op_max_pool = {
    .type = "max_pool",
    .min_inputs = 1,
    .max_inputs = 1,
    .create = max_create,
    .destroy = destroy,
    .forward = max_forward,
    .backward = max_backward,
    .deploy = max_deploy,
    .meaning = "maximum over windows; padding is ignored",
    .settings = {{"kernel", SRQ_OP_PAIR, SRQ_PLACE(kernel), .least = 1, .most = 4096, .required = true},
                 {"stride", SRQ_OP_PAIR, SRQ_PLACE(stride), .least = 1, .most = 4096, .like = "kernel"},
                 {"padding", SRQ_OP_PAIR, SRQ_PLACE(padding), .most = 4095}},
    .stage = SRQ_CHAIN_POOL,
    .selects = true,
};
const srq_op srq_op_avg_pool = {
    .type = "avg_pool",
    .min_inputs = 1,
    .max_inputs = 1,
    .create = infer,
    .destroy = destroy,
    .forward = avg_forward,
    .backward = avg_backward,
    .deploy = avg_deploy,
    .meaning = "mean over windows; padding counts as zeros",
    .settings = {{"kernel", SRQ_OP_PAIR, SRQ_PLACE(kernel), .least = 1, .most = 4096, .absent = "the whole image"},
                 {"stride", SRQ_OP_PAIR, SRQ_PLACE(stride), .least = 1, .most = 4096, .like = "kernel",
                  .with = "kernel"},
                 {"padding", SRQ_OP_PAIR, SRQ_PLACE(padding), .most = 4095, .with = "kernel"}},
};
