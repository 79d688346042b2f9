#include "core/deploy.h"
#include "core/mask.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* Limits, so that no product of sizes overflows, and 64-bit sums hold every sum of integers: 2^24 products of at most
 * 2^30 times 2^8. */
enum { SIDE_MAX = 1 << 20, SIZE_MAX_HERE = 1 << 28, TAPS_MAX = 1 << 24, CLASSES_MAX = 1 << 20, POINT_BITS_MAX = 8 };

/* "what" of operation `index` is wrong. */
static srq_status wrong(const srq_deploy *net, int index, const char *what)
{
    const srq_deploy_op *op = &net->ops[index];
    return srq_fail(SRQ_ERROR_DATA, "operation %d (%s of layer \"%.64s\") %s", index,
                    (unsigned)op->kind < SRQ_DEPLOY_KINDS ? srq_deploy_kind_name(op->kind) : "unknown", op->name, what);
}

#define EXPECT(condition, what)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) return wrong(net, index, what);                                                              \
    } while (0)

static bool is_size(int side)
{
    return side >= 1 && side <= SIDE_MAX;
}

static bool are_finite(size_t count, const float *x)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

static bool same_shape(const srq_deploy_tensor *a, const srq_deploy_tensor *b)
{
    return a->height == b->height && a->width == b->width && a->channels == b->channels;
}

static bool same_grid(const srq_deploy_tensor *a, const srq_deploy_tensor *b)
{
    const srq_deploy_grid *g = &a->grid, *h = &b->grid;
    if (g->bits != h->bits || g->min != h->min || g->max != h->max || !g->points != !h->points) return false;
    if (g->bits && memcmp(&a->scale, &b->scale, sizeof a->scale) != 0) return false;
    return !g->points || memcmp(g->points, h->points, (size_t)(g->max - g->min + 1) * sizeof *g->points) == 0;
}

/* --- Grids */

/* The codes of b bits are those of unsigned or of two's complement integers. */
static bool is_grid(const srq_deploy_grid *g)
{
    if (g->bits < 1 || g->bits > POINT_BITS_MAX) return false;
    const bool is_unsigned = g->min == 0 && g->max == (1 << g->bits) - 1;
    const bool is_signed = g->min == -(1 << (g->bits - 1)) && g->max == (1 << (g->bits - 1)) - 1;
    if (!is_unsigned && !is_signed) return false;
    for (int i = 0; g->points && i <= g->max - g->min; i++)
        if (!isfinite(g->points[i]) || (i > 0 && g->points[i] < g->points[i - 1])) return false;
    return true;
}

static bool is_float(const srq_deploy_tensor *t)
{
    return t->grid.bits == 0;
}

static srq_status check_output(const srq_deploy *net, int index)
{
    const srq_deploy_op *op = &net->ops[index];
    const srq_deploy_tensor *y = &op->output;
    EXPECT(is_size(y->height) && is_size(y->width) && is_size(y->channels) &&
               (double)y->height * (double)y->width * (double)y->channels <= SIZE_MAX_HERE,
           "has an output without numbers or with too many");
    if (is_float(y)) return SRQ_OK;
    EXPECT(op->kind == SRQ_DEPLOY_QUANTIZE || op->kind == SRQ_DEPLOY_MAX_POOL,
           "gives codes, but only floats are possible");
    EXPECT(is_grid(&y->grid), "has a grid of codes that is not one of 1 to 8 bits");
    EXPECT(isfinite(y->scale) && y->scale > 0, "has a step size that is not above 0");
    return SRQ_OK;
}

/* --- Kinds. Inputs and outputs were checked by themselves. */

/* The size of a side after windows. */
static bool windows_fit(const srq_deploy_op *op, const srq_deploy_tensor *x)
{
    const int in[2] = {x->height, x->width}, out[2] = {op->output.height, op->output.width};
    for (int i = 0; i < 2; i++) {
        if (!is_size(op->kernel[i]) || !is_size(op->stride[i]) || op->padding[i] < 0 || op->padding[i] > SIDE_MAX)
            return false;
        const int reach = in[i] + 2 * op->padding[i] - op->kernel[i];
        if (reach < 0 || out[i] != reach / op->stride[i] + 1) return false;
    }
    return true;
}

/* Without a window that contains only padding. */
static bool pool_fits(const srq_deploy_op *op, const srq_deploy_tensor *x)
{
    return windows_fit(op, x) && op->output.channels == x->channels && 2 * op->padding[0] <= op->kernel[0] &&
           2 * op->padding[1] <= op->kernel[1];
}

static srq_status check_weights(const srq_deploy *net, int index)
{
    const srq_deploy_op *op = &net->ops[index];
    const srq_deploy_weights *w = &op->weights;
    if (w->mask)
        EXPECT(srq_mask_is_whole(w->mask, w->count) && srq_mask_count(w->mask, w->count) == w->kept,
               "has a mask with another number of kept weights");
    if (!w->grid.bits) {
        EXPECT(w->floats && are_finite(w->count, w->floats), "has a weight that is not finite");
        return SRQ_OK;
    }
    EXPECT(is_grid(&w->grid) && w->grid.min < 0, "has weights whose grid is not a signed one of 1 to 8 bits");
    EXPECT(w->codes && w->scale && (w->scales == 1 || w->scales == op->output.channels),
           "has neither one scale nor one for each output channel");
    for (int i = 0; i < w->scales; i++)
        EXPECT(isfinite(w->scale[i]) && w->scale[i] > 0, "has a scale of weights that is not above 0");
    for (size_t i = 0; i < w->count; i++)
        EXPECT(w->codes[i] >= w->grid.min && w->codes[i] <= w->grid.max, "has a weight code outside of its grid");
    for (size_t i = 0; w->grid.points && i < w->count; i++)
        EXPECT(isfinite(srq_deploy_weight(op, i)), "has a weight that is not finite");
    return SRQ_OK;
}

static srq_status check_conv(const srq_deploy *net, int index, const srq_deploy_tensor *x)
{
    const srq_deploy_op *op = &net->ops[index];
    const int out = op->output.channels;
    EXPECT(windows_fit(op, x), "has a kernel, stride or padding that does not fit its input and output");
    EXPECT(op->groups >= 1 && x->channels % op->groups == 0 && out % op->groups == 0,
           "has groups that do not divide its channels");
    if (op->dense)
        EXPECT(op->kernel[0] == x->height && op->kernel[1] == x->width && op->padding[0] == 0 && op->padding[1] == 0 &&
                   op->groups == 1,
               "is a dense layer, but its kernel is not the whole input");
    const double taps = (double)(x->channels / op->groups) * (double)op->kernel[0] * (double)op->kernel[1];
    EXPECT(taps <= TAPS_MAX, "has sums of more than 2^24 products");
    EXPECT((double)op->weights.count == taps * (double)out, "has another number of weights than its shape");
    return check_weights(net, index);
}

static srq_status check_concat(const srq_deploy *net, int index)
{
    const srq_deploy_op *op = &net->ops[index];
    long channels = 0;
    for (int k = 0; k < op->input_count; k++) {
        const srq_deploy_tensor x = srq_deploy_tensor_at(net, op->inputs[k]);
        EXPECT(x.height == op->output.height && x.width == op->output.width, "joins inputs of different sizes");
        channels += x.channels;
    }
    EXPECT(channels == op->output.channels, "has another number of channels than its inputs");
    return SRQ_OK;
}

static srq_status check_kind(const srq_deploy *net, int index, const srq_deploy_tensor *x)
{
    const srq_deploy_op *op = &net->ops[index];
    const srq_deploy_tensor *y = &op->output;
    if (op->kind == SRQ_DEPLOY_CONV) return check_conv(net, index, x);
    if (op->kind == SRQ_DEPLOY_CONCAT) return check_concat(net, index);
    if (op->kind == SRQ_DEPLOY_MAX_POOL) {
        EXPECT(pool_fits(op, x) && same_grid(x, y), "has a window or a grid that does not fit its input and output");
        return SRQ_OK;
    }
    if (op->kind == SRQ_DEPLOY_AVG_POOL) {
        EXPECT(pool_fits(op, x), "has a window that does not fit its input and output");
        return SRQ_OK;
    }
    for (int k = 0; k < op->input_count; k++) {
        const srq_deploy_tensor other = srq_deploy_tensor_at(net, op->inputs[k]);
        EXPECT(same_shape(&other, y), "has another shape than its input");
    }
    if (op->kind == SRQ_DEPLOY_AFFINE)
        EXPECT(op->a && op->b && are_finite((size_t)y->channels, op->a) && are_finite((size_t)y->channels, op->b),
               "has a factor or a shift that is not finite");
    if (op->kind == SRQ_DEPLOY_CLIP)
        EXPECT(isfinite(op->low) && !isnan(op->high) && op->low <= op->high, "has limits that are not in order");
    if (op->kind == SRQ_DEPLOY_LEAKY) EXPECT(isfinite(op->slope) && op->slope > 0, "has a slope that is not above 0");
    if (op->kind == SRQ_DEPLOY_QUANTIZE) EXPECT(!is_float(y), "has no grid of codes");
    return SRQ_OK;
}

/* Whether the kind reads codes, floats or both. */
static bool reads(srq_deploy_kind kind, bool floats)
{
    if (kind == SRQ_DEPLOY_CONV || kind == SRQ_DEPLOY_MAX_POOL) return true;
    return floats == (kind != SRQ_DEPLOY_DEQUANTIZE);
}

static srq_status check_op(const srq_deploy *net, int index)
{
    const srq_deploy_op *op = &net->ops[index];
    const bool many = op->kind == SRQ_DEPLOY_ADD || op->kind == SRQ_DEPLOY_CONCAT;
    EXPECT((unsigned)op->kind < SRQ_DEPLOY_KINDS, "has an unknown kind");
    EXPECT(op->name[0] && memchr(op->name, 0, sizeof op->name), "has no name, or one that is too long");
    EXPECT(many ? op->input_count >= 2 && op->input_count <= SRQ_INPUTS_MAX : op->input_count == 1,
           "has another number of inputs than its kind");
    for (int k = 0; k < op->input_count; k++) {
        EXPECT(op->inputs[k] >= SRQ_DEPLOY_IMAGES && op->inputs[k] < index, "reads what is not an earlier operation");
        const srq_deploy_tensor x = srq_deploy_tensor_at(net, op->inputs[k]);
        EXPECT(reads(op->kind, is_float(&x)),
               is_float(&x) ? "reads floats, but must read codes" : "reads codes, but must read floats");
    }
    SRQ_TRY(check_output(net, index));
    const srq_deploy_tensor x = srq_deploy_tensor_at(net, op->inputs[0]);
    return check_kind(net, index, &x);
}

static srq_status check_input(const srq_deploy *net)
{
    const srq_deploy_input *in = &net->input;
    const double most = ldexp(1, 30 - in->fraction);
    if (!is_size(in->height) || !is_size(in->width) || !is_size(in->channels) ||
        (double)in->height * (double)in->width * (double)in->channels > SIZE_MAX_HERE)
        return srq_fail(SRQ_ERROR_DATA, "images of %d x %d x %d numbers, which are none or too many", in->height,
                        in->width, in->channels);
    if (in->fraction < 0 || in->fraction > SRQ_DEPLOY_FRACTION_MAX)
        return srq_fail(SRQ_ERROR_DATA, "%d fraction bits of pixels; they must be 0 to %d", in->fraction,
                        SRQ_DEPLOY_FRACTION_MAX);
    for (int c = 0; c < in->channels; c++)
        for (int p = 0; p < 256; p += 255) /* the ends are the extremes */
            if (!(fabs((double)srq_deploy_pixel(in, c, (uint8_t)p)) <= most))
                return srq_fail(SRQ_ERROR_DATA,
                                "channel %d of the images is normalized by %g and %g, which gives numbers above %g", c,
                                (double)in->multiply[c], (double)in->add[c], most);
    if (in->resize < 0 || in->resize > SIDE_MAX)
        return srq_fail(SRQ_ERROR_DATA, "images are resized to %d pixels", in->resize);
    if (in->classes < 2 || in->classes > CLASSES_MAX)
        return srq_fail(SRQ_ERROR_DATA, "%d classes; at least 2 are expected", in->classes);
    return SRQ_OK;
}

srq_status srq_deploy_check(const srq_deploy *net)
{
    SRQ_TRY(check_input(net));
    if (net->op_count < 1) return srq_fail(SRQ_ERROR_DATA, "no operations");
    for (int i = 0; i < net->op_count; i++) SRQ_TRY(check_op(net, i));
    const srq_deploy_tensor *y = &net->ops[net->op_count - 1].output;
    if (!is_float(y) || y->height != 1 || y->width != 1 || y->channels != net->input.classes)
        return srq_fail(SRQ_ERROR_DATA, "the last operation must give %d logits, but gives %d x %d x %d %s",
                        net->input.classes, y->height, y->width, y->channels, is_float(y) ? "numbers" : "codes");
    return SRQ_OK;
}
