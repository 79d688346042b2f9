#include "core/deploy.h"

#include "core/quant/points.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Weights of a convolution in the order of its sums, [out][kernel 0][kernel 1][in / groups]. */
typedef struct ordered {
    int16_t *codes; /* of integer sums */
    float *values;  /* of others */
    bool narrow;    /* the sums fit in 32 bits */
} ordered;

struct srq_deploy_runner {
    const srq_deploy *net;
    ordered *weights; /* [op_count] */
    void **outputs;   /* [op_count]: float, or int16_t for codes */
    int32_t *fixed;   /* the images as X */
    float *scratch;   /* values of the codes that a convolution reads */
    const float *image;
};

/* --- Building */

static srq_status order_weights(const srq_deploy *net, const srq_deploy_op *op, ordered *w)
{
    const srq_deploy_tensor x = srq_deploy_tensor_at(net, op->inputs[0]);
    const size_t taps = (size_t)op->kernel[0] * (size_t)op->kernel[1], in = (size_t)(x.channels / op->groups);
    const size_t row = taps * in, count = op->weights.count;
    const bool integer = srq_deploy_is_integer(net, op);
    w->narrow = integer && op->inputs[0] != SRQ_DEPLOY_IMAGES && srq_deploy_most(net, op) <= INT32_MAX;
    w->codes = integer ? malloc(count * sizeof *w->codes) : NULL;
    w->values = integer ? NULL : malloc(count * sizeof *w->values);
    if (!w->codes && !w->values) return srq_fail_memory(count * sizeof *w->values, "the weights");
    for (size_t o = 0; o < count / row; o++)
        for (size_t c = 0; c < in; c++)
            for (size_t t = 0; t < taps; t++) {
                const float value = srq_deploy_weight(op, o * row + c * taps + t);
                const size_t at = o * row + t * in + c;
                if (integer)
                    w->codes[at] = (int16_t)value;
                else
                    w->values[at] = value;
            }
    return SRQ_OK;
}

static srq_status prepare(srq_deploy_runner *r)
{
    const srq_deploy *net = r->net;
    const srq_deploy_tensor images = srq_deploy_tensor_at(net, SRQ_DEPLOY_IMAGES);
    r->weights = calloc((size_t)net->op_count, sizeof *r->weights);
    r->outputs = calloc((size_t)net->op_count, sizeof *r->outputs);
    r->fixed = malloc(srq_deploy_size(&images) * sizeof *r->fixed);
    if (!r->weights || !r->outputs || !r->fixed) return srq_fail_memory(srq_deploy_size(&images), "an image");
    size_t most = 1;
    for (int i = 0; i < net->op_count; i++) {
        const size_t size = srq_deploy_size(&net->ops[i].output);
        if (size > most) most = size;
    }
    r->scratch = malloc(most * sizeof *r->scratch);
    if (!r->scratch) return srq_fail_memory(most * sizeof *r->scratch, "the activations");
    for (int i = 0; i < net->op_count; i++) {
        const srq_deploy_op *op = &net->ops[i];
        const size_t bytes = srq_deploy_size(&op->output) * (op->output.grid.bits ? sizeof(int16_t) : sizeof(float));
        r->outputs[i] = malloc(bytes);
        if (!r->outputs[i]) return srq_fail_memory(bytes, "the activations");
        if (op->kind == SRQ_DEPLOY_CONV) SRQ_TRY(order_weights(net, op, &r->weights[i]));
    }
    return SRQ_OK;
}

srq_status srq_deploy_runner_create(const srq_deploy *net, srq_deploy_runner **out)
{
    srq_deploy_runner *r = calloc(1, sizeof *r);
    if (!r) return srq_fail_memory(sizeof *r, "the deployed network");
    r->net = net;
    srq_status status = prepare(r);
    if (status == SRQ_OK)
        *out = r;
    else
        srq_deploy_runner_destroy(&r);
    return status;
}

void srq_deploy_runner_destroy(srq_deploy_runner **runner)
{
    srq_deploy_runner *r = *runner;
    if (!r) return;
    for (int i = 0; i < r->net->op_count; i++) {
        if (r->weights) free(r->weights[i].codes);
        if (r->weights) free(r->weights[i].values);
        if (r->outputs) free(r->outputs[i]);
    }
    free(r->weights);
    free(r->outputs);
    free(r->fixed);
    free(r->scratch);
    free(r);
    *runner = NULL;
}

const float *srq_deploy_floats(const srq_deploy_runner *r, int index)
{
    if (index == SRQ_DEPLOY_IMAGES) return r->image;
    return r->net->ops[index].output.grid.bits ? NULL : r->outputs[index];
}

const int16_t *srq_deploy_codes(const srq_deploy_runner *r, int index)
{
    return index == SRQ_DEPLOY_IMAGES || !r->net->ops[index].output.grid.bits ? NULL : r->outputs[index];
}

/* --- Windows */

/* The places of a window that lie inside of the input, y0 <= y < y1, and the corner of the whole window. */
typedef struct window {
    int y0, y1, x0, x1, top, left;
} window;

static window window_at(const srq_deploy_op *op, const srq_deploy_tensor *x, int oy, int ox)
{
    window w = {.top = oy * op->stride[0] - op->padding[0], .left = ox * op->stride[1] - op->padding[1]};
    w.y0 = w.top > 0 ? w.top : 0;
    w.x0 = w.left > 0 ? w.left : 0;
    w.y1 = w.top + op->kernel[0] < x->height ? w.top + op->kernel[0] : x->height;
    w.x1 = w.left + op->kernel[1] < x->width ? w.left + op->kernel[1] : x->width;
    return w;
}

/* --- Sums of products. A run is adjacent in the input and in the weights. */

static int32_t run_narrow(size_t n, const int16_t *x, const int16_t *w)
{
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * w[i];
    return sum;
}

static int64_t run_wide(size_t n, const int16_t *x, const int16_t *w)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * w[i];
    return sum;
}

static int64_t run_fixed(size_t n, const int32_t *x, const int16_t *w)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += (int64_t)x[i] * w[i];
    return sum;
}

static double run_real(size_t n, const float *x, const float *w, double sum)
{
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)w[i];
    return sum;
}

/* What a convolution reads: one of these is not NULL. `reals` are floats, or values of codes. */
typedef struct source {
    const int16_t *codes;
    const int32_t *fixed;
    const float *reals;
} source;

typedef struct sums {
    int64_t integer;
    double real;
} sums;

static void add_run(const source *from, const ordered *w, size_t n, size_t at, size_t weight, sums *s)
{
    if (from->reals)
        s->real = run_real(n, from->reals + at, w->values + weight, s->real);
    else if (from->fixed)
        s->integer += run_fixed(n, from->fixed + at, w->codes + weight);
    else if (w->narrow)
        s->integer += run_narrow(n, from->codes + at, w->codes + weight);
    else
        s->integer += run_wide(n, from->codes + at, w->codes + weight);
}

/* Output channel `o` at one place. */
static sums sum_at(const srq_deploy_op *op, const srq_deploy_tensor *x, const source *from, const ordered *w,
                   const window *at, size_t o)
{
    const size_t channels = (size_t)x->channels, in = channels / (size_t)op->groups;
    const size_t group = o / ((size_t)op->output.channels / (size_t)op->groups), k1 = (size_t)op->kernel[1];
    const size_t row = o * (size_t)op->kernel[0] * k1 * in;
    sums s = {0};
    if (at->x0 >= at->x1) return s; /* the window lies in the padding */
    for (int y = at->y0; y < at->y1; y++) {
        const size_t first = (size_t)y * (size_t)x->width + (size_t)at->x0, width = (size_t)(at->x1 - at->x0);
        const size_t tap = (size_t)(y - at->top) * k1 + (size_t)(at->x0 - at->left);
        if (op->groups == 1)
            add_run(from, w, width * in, first * channels, row + tap * in, &s);
        else
            for (size_t i = 0; i < width; i++)
                add_run(from, w, in, (first + i) * channels + group * in, row + (tap + i) * in, &s);
    }
    return s;
}

/* The values of codes of a grid that is not uniform, or of codes that meet weights that are not integers. */
static float *values_of(const srq_deploy_runner *r, const srq_deploy_op *op, const srq_deploy_tensor *x)
{
    const int16_t *codes = srq_deploy_codes(r, op->inputs[0]);
    const size_t n = srq_deploy_size(x);
    float *values = r->scratch;
    for (size_t i = 0; i < n; i++) values[i] = x->grid.points ? srq_deploy_value(x, codes[i]) : (float)codes[i];
    return values;
}

static void run_conv(const srq_deploy_runner *r, int index)
{
    const srq_deploy_op *op = &r->net->ops[index];
    const ordered *w = &r->weights[index];
    const srq_deploy_tensor x = srq_deploy_tensor_at(r->net, op->inputs[0]);
    const size_t out = (size_t)op->output.channels;
    const bool images = op->inputs[0] == SRQ_DEPLOY_IMAGES;
    const float unit = images ? ldexpf(1, -r->net->input.fraction) : 1;
    source from = {0};
    if (w->codes && images)
        from.fixed = r->fixed;
    else if (w->codes)
        from.codes = srq_deploy_codes(r, op->inputs[0]);
    else
        from.reals = x.grid.bits ? values_of(r, op, &x) : srq_deploy_floats(r, op->inputs[0]);
    float *y = r->outputs[index];
    for (int oy = 0; oy < op->output.height; oy++)
        for (int ox = 0; ox < op->output.width; ox++, y += out) {
            const window at = window_at(op, &x, oy, ox);
            for (size_t o = 0; o < out; o++) {
                const sums s = sum_at(op, &x, &from, w, &at, o);
                y[o] = w->codes ? (float)s.integer * unit : (float)s.real;
            }
        }
}

/* --- The other kinds */

static void run_max_pool(const srq_deploy_runner *r, const srq_deploy_op *op, void *output)
{
    const srq_deploy_tensor x = srq_deploy_tensor_at(r->net, op->inputs[0]);
    const size_t channels = (size_t)x.channels;
    const float *floats = srq_deploy_floats(r, op->inputs[0]);
    const int16_t *codes = srq_deploy_codes(r, op->inputs[0]);
    for (int oy = 0; oy < op->output.height; oy++)
        for (int ox = 0; ox < op->output.width; ox++)
            for (size_t c = 0; c < channels; c++) {
                const window w = window_at(op, &x, oy, ox);
                const size_t to = ((size_t)oy * (size_t)op->output.width + (size_t)ox) * channels + c;
                size_t best = ((size_t)w.y0 * (size_t)x.width + (size_t)w.x0) * channels + c;
                for (int wy = w.y0; wy < w.y1; wy++)
                    for (int wx = w.x0; wx < w.x1; wx++) {
                        const size_t at = ((size_t)wy * (size_t)x.width + (size_t)wx) * channels + c;
                        if (codes ? codes[at] > codes[best] : floats[at] > floats[best]) best = at;
                    }
                if (codes)
                    ((int16_t *)output)[to] = codes[best];
                else
                    ((float *)output)[to] = floats[best];
            }
}

static void run_avg_pool(const srq_deploy_runner *r, const srq_deploy_op *op, float *y)
{
    const srq_deploy_tensor in = srq_deploy_tensor_at(r->net, op->inputs[0]);
    const size_t channels = (size_t)in.channels;
    const float *x = srq_deploy_floats(r, op->inputs[0]), share = 1.0f / (float)(op->kernel[0] * op->kernel[1]);
    for (int oy = 0; oy < op->output.height; oy++)
        for (int ox = 0; ox < op->output.width; ox++)
            for (size_t c = 0; c < channels; c++) {
                const window w = window_at(op, &in, oy, ox);
                float sum = 0;
                for (int wy = w.y0; wy < w.y1; wy++)
                    for (int wx = w.x0; wx < w.x1; wx++)
                        sum += x[((size_t)wy * (size_t)in.width + (size_t)wx) * channels + c];
                *y++ = sum * share;
            }
}

static void run_concat(const srq_deploy_runner *r, const srq_deploy_op *op, float *y)
{
    const size_t all = (size_t)op->output.channels, pixels = srq_deploy_size(&op->output) / all;
    for (int k = 0; k < op->input_count; k++) {
        const size_t channels = (size_t)srq_deploy_tensor_at(r->net, op->inputs[k]).channels;
        const float *x = srq_deploy_floats(r, op->inputs[k]);
        for (size_t p = 0; p < pixels; p++) memcpy(y + p * all, x + p * channels, channels * sizeof *y);
        y += channels;
    }
}

static float elementwise(const srq_deploy_op *op, float x, size_t channel)
{
    float y = x;
    if (op->kind == SRQ_DEPLOY_AFFINE) y = op->a[channel] * x + op->b[channel];
    if (op->kind == SRQ_DEPLOY_CLIP) {
        y = x < op->low ? op->low : x;
        y = y > op->high ? op->high : y;
    }
    if (op->kind == SRQ_DEPLOY_LEAKY) y = x < 0 ? op->slope * x : x;
    if (op->kind == SRQ_DEPLOY_SIGMOID) y = srq_deploy_sigmoid(x);
    return y;
}

static void run_elements(const srq_deploy_runner *r, const srq_deploy_op *op, void *output)
{
    const size_t n = srq_deploy_size(&op->output), channels = (size_t)op->output.channels;
    const float *x = srq_deploy_floats(r, op->inputs[0]);
    const int16_t *codes = srq_deploy_codes(r, op->inputs[0]);
    float *y = output;
    if (op->kind == SRQ_DEPLOY_DEQUANTIZE) {
        const srq_deploy_tensor from = srq_deploy_tensor_at(r->net, op->inputs[0]);
        for (size_t i = 0; i < n; i++) y[i] = srq_deploy_value(&from, codes[i]);
    } else if (op->kind == SRQ_DEPLOY_QUANTIZE) {
        srq_points points;
        srq_points_set(op->output.grid.min, op->output.grid.max, op->output.grid.points, &points);
        int16_t *to = output;
        for (size_t i = 0; i < n; i++) to[i] = (int16_t)srq_points_nearest(&points, x[i] / op->output.scale);
    } else if (op->kind == SRQ_DEPLOY_ADD) {
        memcpy(y, x, n * sizeof *y);
        for (int k = 1; k < op->input_count; k++) {
            const float *other = srq_deploy_floats(r, op->inputs[k]);
            for (size_t i = 0; i < n; i++) y[i] += other[i];
        }
    } else
        for (size_t i = 0; i < n; i++) y[i] = elementwise(op, x[i], i % channels);
}

void srq_deploy_run(srq_deploy_runner *r, const float *image, float *logits)
{
    const srq_deploy *net = r->net;
    const srq_deploy_tensor images = srq_deploy_tensor_at(net, SRQ_DEPLOY_IMAGES);
    r->image = image;
    for (size_t i = 0; i < srq_deploy_size(&images); i++) r->fixed[i] = srq_deploy_fixed(&net->input, image[i]);
    for (int i = 0; i < net->op_count; i++) {
        const srq_deploy_op *op = &net->ops[i];
        if (op->kind == SRQ_DEPLOY_CONV)
            run_conv(r, i);
        else if (op->kind == SRQ_DEPLOY_MAX_POOL)
            run_max_pool(r, op, r->outputs[i]);
        else if (op->kind == SRQ_DEPLOY_AVG_POOL)
            run_avg_pool(r, op, r->outputs[i]);
        else if (op->kind == SRQ_DEPLOY_CONCAT)
            run_concat(r, op, r->outputs[i]);
        else
            run_elements(r, op, r->outputs[i]);
    }
    memcpy(logits, r->outputs[net->op_count - 1], (size_t)net->input.classes * sizeof *logits);
}
