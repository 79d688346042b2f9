/* Convolution by copying the patches under the kernel into rows (im2col) and one matrix product for a group of images.
 *
 * Rows are [kernel 0][kernel 1][in], so a row of the kernel is contiguous in the channels-last image. The patches of a
 * group of images fit into the second-level cache. The size of a group depends only on the shape, so that sums are
 * always computed in the same order. grouped.c computes convolutions in groups. */
#include "core/kernels/reference/grouped.h"

#include <cblas.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct srq_conv_plan {
    srq_conv_shape shape;
    const srq_vector *vector;
    srq_grouped *grouped; /* used for everything if not NULL */
    int group;            /* images of one matrix product */
    int rows, depth;      /* patches of an image; elements of a patch */
    bool direct;          /* the input can be used as patches directly */
    float *weights;       /* [out][kernel 0][kernel 1][in] */
    size_t patches;       /* floats of the patches of a group, [group * rows][depth], which are scratch memory */
};

static void destroy(srq_conv_plan **plan)
{
    if (!*plan) return;
    srq_grouped_destroy(&(*plan)->grouped);
    free((*plan)->weights);
    free(*plan);
    *plan = NULL;
}

static float *floats(size_t n)
{
    /* Whole cache lines, so that the alignment is the same in every run and on every rank. */
    return aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
}

/* A convolution that is not in groups. */
static srq_status create_whole(srq_conv_plan *plan)
{
    enum { PATCH_BYTES = 1 << 19 };
    const srq_conv_shape *shape = &plan->shape;
    bool covers = shape->kernel[0] == shape->height && shape->kernel[1] == shape->width && plan->rows == 1;
    bool pointwise = shape->kernel[0] == 1 && shape->kernel[1] == 1 && shape->stride[0] == 1 && shape->stride[1] == 1;
    plan->direct = (covers || pointwise) && shape->padding[0] == 0 && shape->padding[1] == 0;
    size_t image = (size_t)plan->rows * (size_t)plan->depth * sizeof(float);
    plan->group = image >= PATCH_BYTES ? 1 : (int)(PATCH_BYTES / image);
    if (plan->group > shape->capacity) plan->group = shape->capacity;
    size_t weights = (size_t)shape->out * (size_t)plan->depth;
    plan->patches = (size_t)plan->group * (size_t)plan->rows * (size_t)plan->depth;
    plan->weights = floats(weights);
    return plan->weights ? SRQ_OK : srq_fail_memory(weights * sizeof(float), "a convolution");
}

static srq_status create(const srq_conv_shape *shape, const srq_vector *vector, srq_conv_plan **out)
{
    srq_conv_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return srq_fail_memory(sizeof *plan, "a convolution");
    plan->shape = *shape;
    plan->vector = vector;
    plan->rows = shape->out_height * shape->out_width;
    plan->depth = shape->kernel[0] * shape->kernel[1] * (shape->in / shape->groups);
    srq_status status = shape->groups > 1 ? srq_grouped_create(shape, vector, &plan->grouped) : create_whole(plan);
    if (status != SRQ_OK)
        destroy(&plan);
    else
        *out = plan;
    return status;
}

static void widen(const srq_vector *vector, srq_dtype dtype, size_t n, const void *from, float *to)
{
    if (dtype == SRQ_FLOAT32)
        memcpy(to, from, n * sizeof(float));
    else if (dtype == SRQ_UINT8)
        vector->widen_u8(n, from, to);
    else
        vector->widen_s8(n, from, to);
}

/* [out][in][area] <-> [out][area][in] */
static void pack(srq_conv_plan *plan, int worker, const srq_operand *weights, bool backward, void *scratch)
{
    if (plan->grouped) {
        srq_grouped_pack(plan->grouped, weights);
        return;
    }
    (void)worker, (void)backward;
    const srq_conv_shape *s = &plan->shape;
    const size_t in = (size_t)s->in, area = (size_t)(s->kernel[0] * s->kernel[1]), depth = (size_t)plan->depth;
    if (area == 1 || in == 1) {
        widen(plan->vector, weights->dtype, (size_t)s->out * depth, weights->data, plan->weights);
        return;
    }
    for (size_t o = 0; o < (size_t)s->out; o++) {
        const char *from = (const char *)weights->data + o * depth * srq_dtype_size(weights->dtype);
        float *row = scratch, *to = plan->weights + o * depth;
        widen(plan->vector, weights->dtype, depth, from, row);
        for (size_t a = 0; a < area; a++)
            for (size_t c = 0; c < in; c++) to[a * in + c] = row[c * area + a];
    }
}

static void unpack(const srq_conv_plan *plan, int worker, float *dw, void *scratch)
{
    (void)worker;
    if (plan->grouped) {
        srq_grouped_unpack(plan->grouped, dw, scratch);
        return;
    }
    const srq_conv_shape *s = &plan->shape;
    const size_t in = (size_t)s->in, area = (size_t)(s->kernel[0] * s->kernel[1]), depth = (size_t)plan->depth;
    for (size_t o = 0; o < (size_t)s->out && area > 1 && in > 1; o++) {
        float *filter = dw + o * depth, *before = scratch;
        memcpy(before, filter, depth * sizeof *filter);
        for (size_t c = 0; c < in; c++)
            for (size_t a = 0; a < area; a++) filter[c * area + a] = before[a * in + c];
    }
}

/* The columns of a patch row that lie inside the image. */
typedef struct run {
    int skip, count; /* columns of padding before; columns inside */
    size_t offset;   /* offset of the first one in the image, in elements */
} run;

static run find_run(const srq_conv_shape *s, int oy, int ox, int ky)
{
    int y = oy * s->stride[0] - s->padding[0] + ky, x = ox * s->stride[1] - s->padding[1];
    int first = x < 0 ? -x : 0, last = x + s->kernel[1] > s->width ? s->width - x : s->kernel[1];
    if (y < 0 || y >= s->height || last <= first) return (run){.skip = s->kernel[1]};
    return (run){.skip = first,
                 .count = last - first,
                 .offset = ((size_t)y * (size_t)s->width + (size_t)(x + first)) * (size_t)s->in};
}

static void copy_patches(const srq_conv_plan *plan, const srq_operand *x, size_t image, float *to)
{
    const srq_conv_shape *s = &plan->shape;
    const size_t in = (size_t)s->in, width = (size_t)s->kernel[1] * in, size = srq_dtype_size(x->dtype);
    const char *from = (const char *)x->data + image * (size_t)(s->height * s->width) * in * size;
    for (int oy = 0; oy < s->out_height; oy++)
        for (int ox = 0; ox < s->out_width; ox++)
            for (int ky = 0; ky < s->kernel[0]; ky++, to += width) {
                run r = find_run(s, oy, ox, ky);
                size_t before = (size_t)r.skip * in, inside = (size_t)r.count * in;
                if (before) memset(to, 0, before * sizeof *to);
                if (inside) widen(plan->vector, x->dtype, inside, from + r.offset * size, to + before);
                if (before + inside < width) memset(to + before + inside, 0, (width - before - inside) * sizeof *to);
            }
}

static void add_patches(const srq_conv_plan *plan, const float *from, float *image)
{
    const srq_conv_shape *s = &plan->shape;
    const size_t in = (size_t)s->in, width = (size_t)s->kernel[1] * in;
    for (int oy = 0; oy < s->out_height; oy++)
        for (int ox = 0; ox < s->out_width; ox++)
            for (int ky = 0; ky < s->kernel[0]; ky++, from += width) {
                run r = find_run(s, oy, ox, ky);
                if (r.count) plan->vector->add((size_t)r.count * in, image + r.offset, from + (size_t)r.skip * in);
            }
}

/* The patches of images [first, first + count) as float32, in `patches` or the input itself if it can be used directly.
 */
static const float *patches_of(const srq_conv_plan *plan, const srq_operand *x, int first, int count, float *patches)
{
    const size_t image = (size_t)plan->rows * (size_t)plan->depth;
    if (plan->direct) {
        size_t offset = (size_t)first * image;
        if (x->dtype == SRQ_FLOAT32) return (const float *)x->data + offset;
        widen(plan->vector, x->dtype, (size_t)count * image, (const char *)x->data + offset, patches);
        return patches;
    }
    for (int i = 0; i < count; i++) copy_patches(plan, x, (size_t)(first + i), patches + (size_t)i * image);
    return patches;
}

static int group_at(const srq_conv_plan *plan, int first, int n)
{
    return n - first < plan->group ? n - first : plan->group;
}

static void forward(srq_conv_plan *plan, int worker, int n, const srq_operand *x, float *y, void *scratch)
{
    (void)worker;
    if (plan->grouped) {
        srq_grouped_forward(plan->grouped, n, x, y, scratch);
        return;
    }
    const int out = plan->shape.out, depth = plan->depth;
    for (int i = 0; i < n; i += plan->group) {
        int count = group_at(plan, i, n);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count * plan->rows, out, depth, 1,
                    patches_of(plan, x, i, count, scratch), depth, plan->weights, depth, 0,
                    y + (size_t)i * (size_t)plan->rows * (size_t)out, out);
    }
}

static void backward_data(srq_conv_plan *plan, int worker, int n, const srq_operand *gradient, float *dx, void *scratch)
{
    (void)worker;
    if (plan->grouped) {
        srq_grouped_backward_data(plan->grouped, n, gradient->data, dx);
        return;
    }
    const float *dy = gradient->data;
    const srq_conv_shape *s = &plan->shape;
    const int out = s->out, depth = plan->depth;
    const size_t image = (size_t)(s->height * s->width * s->in);
    for (int i = 0; i < n; i += plan->group) {
        int count = group_at(plan, i, n);
        float *to = plan->direct ? dx + (size_t)i * image : scratch;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, count * plan->rows, depth, out, 1,
                    dy + (size_t)i * (size_t)plan->rows * (size_t)out, out, plan->weights, depth, 0, to, depth);
        if (plan->direct) continue;
        memset(dx + (size_t)i * image, 0, (size_t)count * image * sizeof *dx);
        for (int k = 0; k < count; k++)
            add_patches(plan, to + (size_t)k * (size_t)plan->rows * (size_t)depth, dx + (size_t)(i + k) * image);
    }
}

static void backward_weights(srq_conv_plan *plan, int worker, int n, const srq_operand *x, const srq_operand *gradient,
                             float *dw, void *scratch)
{
    (void)worker;
    if (plan->grouped) {
        srq_grouped_backward_weights(plan->grouped, n, x, gradient->data, dw, scratch);
        return;
    }
    const float *dy = gradient->data;
    const int out = plan->shape.out, depth = plan->depth;
    for (int i = 0; i < n; i += plan->group) {
        int count = group_at(plan, i, n);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, depth, count * plan->rows, 1,
                    dy + (size_t)i * (size_t)plan->rows * (size_t)out, out, patches_of(plan, x, i, count, scratch),
                    depth, i == 0 ? 0.0f : 1.0f, dw, depth);
    }
}

static srq_conv_info info(const srq_conv_plan *plan)
{
    const size_t weights = (size_t)plan->shape.out * (size_t)plan->depth * sizeof(float);
    const size_t scratch =
        plan->grouped ? srq_grouped_scratch(plan->grouped) : (plan->patches + (size_t)plan->depth) * sizeof(float);
    return (srq_conv_info){.forward = "f32",
                           .backward = "f32",
                           .gradient = SRQ_FLOAT32,
                           .scratch = (scratch + 63) / 64 * 64,
                           .weights = weights};
}

const srq_kernels srq_kernels_reference = {
    .name = "reference",
    .conv_create = create,
    .conv_destroy = destroy,
    .conv_info = info,
    .conv_pack = pack,
    .conv_forward = forward,
    .conv_backward_data = backward_data,
    .conv_backward_weights = backward_weights,
    .conv_unpack = unpack,
};
