#include "core/kernels/image_sums.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

/* 2^30 times 2^7 times this is 2^53. */
enum { DEPTH_EXACT = 1 << 16, PATCH_NUMBERS = 1 << 15 };

/* Elements of a patch under the kernel, in one group of channels. */
static size_t depth_of(const srq_conv_shape *s)
{
    return (size_t)s->kernel[0] * (size_t)s->kernel[1] * (size_t)(s->in / s->groups);
}

/* The number of patches of one matrix product: as many as fit into the cache, at least one. */
static size_t patches_of(const srq_conv_shape *s)
{
    const size_t all = (size_t)s->out_height * (size_t)s->out_width, fit = PATCH_NUMBERS / depth_of(s);
    return fit < 1 ? 1 : fit < all ? fit : all;
}

size_t srq_image_sums_weights(const srq_conv_shape *s)
{
    return depth_of(s) * (size_t)s->out;
}

size_t srq_image_sums_scratch(const srq_conv_shape *s)
{
    const size_t image = (size_t)s->height * (size_t)s->width * (size_t)s->in, patches = patches_of(s);
    const size_t outputs = patches * (size_t)(s->out / s->groups);
    return (image + patches * depth_of(s) + outputs) * sizeof(double) + outputs * sizeof(int64_t);
}

/* To [groups][kernel 0][kernel 1][in / groups][out / groups]. */
void srq_image_sums_pack(const srq_conv_shape *s, const int8_t *codes, double *weights)
{
    const size_t in = (size_t)(s->in / s->groups), out = (size_t)(s->out / s->groups), depth = depth_of(s);
    const size_t area = depth / in;
    for (size_t g = 0; g < (size_t)s->groups; g++)
        for (size_t o = 0; o < out; o++)
            for (size_t c = 0; c < in; c++)
                for (size_t a = 0; a < area; a++)
                    weights[(g * depth + a * in + c) * out + o] = codes[((g * out + o) * in + c) * area + a];
}

/* Rounded to the nearest integer, ties to even: float64 have no fraction from 2^52 on. */
static void make_integers(size_t n, const float *x, int fraction, double *to)
{
    const double unit = ldexp(1, fraction), shift = 0x1.8p52;
    for (size_t i = 0; i < n; i++) {
        const double sum = (double)x[i] * unit + shift;
        to[i] = sum - shift;
    }
}

/* Patch number `index` of the channels of a group; what lies outside of the image is 0. */
static void copy_patch(const srq_conv_shape *s, const double *image, size_t group, size_t index, double *to)
{
    const size_t in = (size_t)(s->in / s->groups), row = (size_t)s->kernel[1] * in;
    const int top = (int)(index / (size_t)s->out_width) * s->stride[0] - s->padding[0];
    const int left = (int)(index % (size_t)s->out_width) * s->stride[1] - s->padding[1];
    const bool inside = left >= 0 && left + s->kernel[1] <= s->width;
    for (int y = top; y < top + s->kernel[0]; y++, to += row) {
        if (y < 0 || y >= s->height) {
            memset(to, 0, row * sizeof *to);
            continue;
        }
        const double *line = image + (size_t)y * (size_t)s->width * (size_t)s->in + group * in;
        if (inside && s->groups == 1) {
            memcpy(to, line + (size_t)left * in, row * sizeof *to);
            continue;
        }
        for (int k = 0; k < s->kernel[1]; k++)
            if (left + k < 0 || left + k >= s->width)
                memset(to + (size_t)k * in, 0, in * sizeof *to);
            else
                memcpy(to + (size_t)k * in, line + (size_t)(left + k) * (size_t)s->in, in * sizeof *to);
    }
}

/* sums[count][out / groups] of one group. Parts of long sums are exact as float64, and their total as an integer. */
static void multiply(const srq_conv_shape *s, const double *weights, size_t count, const double *patches, double *sums,
                     int64_t *totals)
{
    const size_t depth = depth_of(s), out = (size_t)(s->out / s->groups);
    memset(totals, 0, count * out * sizeof *totals);
    for (size_t from = 0; from < depth; from += DEPTH_EXACT) {
        const size_t part = depth - from < DEPTH_EXACT ? depth - from : DEPTH_EXACT;
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)count, (blasint)out, (blasint)part, 1,
                    patches + from, (blasint)depth, weights + from * out, (blasint)out, 0, sums, (blasint)out);
        for (size_t i = 0; depth > DEPTH_EXACT && i < count * out; i++) totals[i] += (int64_t)sums[i];
    }
}

void srq_image_sums_run(const srq_conv_shape *s, const double *weights, int fraction, int n, const float *x, float *y,
                        void *scratch)
{
    const size_t size = (size_t)s->height * (size_t)s->width * (size_t)s->in, rows = patches_of(s);
    const size_t all = (size_t)s->out_height * (size_t)s->out_width, out = (size_t)(s->out / s->groups);
    const size_t depth = depth_of(s);
    double *image = scratch, *patches = image + size, *sums = patches + rows * depth;
    int64_t *totals = (int64_t *)(void *)(sums + rows * out);
    const float unit = ldexpf(1, -fraction);
    for (int i = 0; i < n; i++, x += size, y += all * (size_t)s->out) {
        make_integers(size, x, fraction, image);
        for (size_t g = 0; g < (size_t)s->groups; g++)
            for (size_t first = 0; first < all; first += rows) {
                const size_t count = all - first < rows ? all - first : rows;
                for (size_t p = 0; p < count; p++) copy_patch(s, image, g, first + p, patches + p * depth);
                multiply(s, weights + g * depth * out, count, patches, sums, totals);
                for (size_t p = 0; p < count; p++) {
                    float *to = y + (first + p) * (size_t)s->out + g * out;
                    for (size_t o = 0; o < out; o++)
                        to[o] = (depth > DEPTH_EXACT ? (float)totals[p * out + o] : (float)sums[p * out + o]) * unit;
                }
            }
    }
}
