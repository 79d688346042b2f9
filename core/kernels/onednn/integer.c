/* Convolutions with integers in all three products. The forward pass is that of the mixed back end. The gradient of the
 * output has 8 bits and one scale:
 *
 * - By data: oneDNN's transposed convolution (deconvolution) of s8 by s8, whose sums of 32 bits are multiplied by the
 *   scale on their way to memory.
 * - By weights: core/kernels/vnni/, since oneDNN has no such primitive.
 *
 * Dense layers, convolutions in groups, and those whose input or weights are not codes, or whose input is signed, are
 * left to the mixed back end. */
#include "core/kernels/onednn/call.h"
#include "core/kernels/onednn/limits.h"
#include "core/kernels/onednn/onednn.h"
#include "core/kernels/vnni/by_weights.h"

#include <stdlib.h>
#include <string.h>

struct srq_conv_plan {
    srq_conv_plan *mixed; /* that of the mixed back end */
    bool integer;         /* the gradient has 8 bits; otherwise `mixed` computes everything */
    srq_conv_shape shape;
    srq_onednn_device device;
    srq_onednn_call by_data, pack;
    void *packed;
    size_t packed_size;
    srq_by_weights *by_weights;
};

static const srq_kernels *const mixed = &srq_kernels_onednn_mixed;

bool srq_onednn_has_integer(void)
{
    return srq_by_weights_built() && srq_onednn_cpu_has(dnnl_cpu_isa_avx512_core_vnni);
}

static bool takes(const srq_conv_shape *s)
{
    return s->input == SRQ_UINT8 && s->weight_codes && !s->covers && s->groups == 1;
}

/* The transposed convolution: its input is dy, its output is dx, and the first dimension of its weights is that of dx.
 * The scale is a factor of one number after the sums. */
static dnnl_status_t describe(const srq_conv_plan *plan, dnnl_primitive_attr_t attr, dnnl_memory_desc_t *scale,
                              dnnl_primitive_desc_t *pd)
{
    const srq_conv_shape *s = &plan->shape;
    const dnnl_dims_t dx_dims = {s->capacity, s->in, s->height, s->width}, one = {1, 1, 1, 1};
    const dnnl_dims_t dy_dims = {s->capacity, s->out, s->out_height, s->out_width};
    const dnnl_dims_t weights = {s->in, s->out, s->kernel[0], s->kernel[1]};
    const dnnl_dims_t stride = {s->stride[0], s->stride[1]}, before = {s->padding[0], s->padding[1]};
    dnnl_dims_t after; /* smaller or larger than the padding before, depending on the stride */
    for (int i = 0; i < 2; i++) {
        const int size = i ? s->width : s->height, out = i ? s->out_width : s->out_height;
        after[i] = (out - 1) * s->stride[i] + s->kernel[i] - size - s->padding[i];
    }
    dnnl_memory_desc_t dx, dy, w;
    dnnl_post_ops_t post;
    dnnl_deconvolution_desc_t op;
    dnnl_memory_desc_init_by_tag(&dx, 4, dx_dims, dnnl_f32, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&dy, 4, dy_dims, dnnl_s8, dnnl_nhwc);
    dnnl_memory_desc_init_by_tag(&w, 4, weights, dnnl_s8, dnnl_format_tag_any);
    dnnl_memory_desc_init_by_tag(scale, 4, one, dnnl_f32, dnnl_nhwc);
    dnnl_status_t status = dnnl_post_ops_create(&post);
    if (status != dnnl_success) return status;
    status = dnnl_post_ops_append_binary(post, dnnl_binary_mul, scale);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attr, post);
    dnnl_post_ops_destroy(post);
    if (status == dnnl_success)
        status = dnnl_deconvolution_forward_desc_init(&op, dnnl_forward_training, dnnl_deconvolution_direct, &dy, &w,
                                                      NULL, &dx, stride, before, after);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &op, attr, plan->device.engine, NULL) : status;
}

static srq_status make_by_data(srq_conv_plan *plan, const_dnnl_primitive_desc_t pd, const dnnl_memory_desc_t *scale)
{
    const srq_conv_shape *s = &plan->shape;
    const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    const srq_onednn_argument arguments[] = {{DNNL_ARG_SRC, dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0)},
                                             {DNNL_ARG_WEIGHTS, packed},
                                             {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, scale},
                                             {DNNL_ARG_DST, dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0)}};
    const dnnl_dims_t weights = {s->in, s->out, s->kernel[0], s->kernel[1]};
    dnnl_memory_desc_t plain;
    dnnl_primitive_attr_t attr;
    dnnl_memory_desc_init_by_tag(&plain, 4, weights, dnnl_s8, dnnl_iohw);
    SRQ_TRY(srq_onednn_make(&plan->device, pd, 4, arguments, &plan->by_data));
    SRQ_TRY(srq_onednn_attributes(&attr));
    const srq_status status = srq_onednn_make_reorder(&plan->device, &plain, packed, attr, &plan->pack);
    dnnl_primitive_attr_destroy(attr);
    plan->packed = srq_onednn_memory(packed, &plan->packed_size);
    return status != SRQ_OK || plan->packed ? status : srq_fail_memory(plan->packed_size, "packed weights");
}

/* Sets plan->integer to false if oneDNN has no fast kernel. */
static srq_status build_by_data(srq_conv_plan *plan)
{
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_memory_desc_t scale;
    SRQ_TRY(srq_onednn_attributes(&attr));
    plan->integer = describe(plan, attr, &scale, &pd) == dnnl_success;
    if (pd && srq_onednn_is_slow(pd)) plan->integer = false;
    const srq_status status = plan->integer ? make_by_data(plan, pd, &scale) : SRQ_OK;
    if (pd) dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

static srq_status build(srq_conv_plan *plan, const srq_vector *vector)
{
    const srq_conv_shape *s = &plan->shape;
    SRQ_TRY(mixed->conv_create(s, vector, &plan->mixed));
    plan->integer = takes(s);
    if (!plan->integer) return SRQ_OK;
    SRQ_TRY(srq_onednn_open(s->workers, &plan->device));
    if (s->input_gradient) SRQ_TRY(build_by_data(plan));
    return plan->integer ? srq_by_weights_create(s, false, &plan->by_weights) : SRQ_OK;
}

static void destroy(srq_conv_plan **plan)
{
    srq_conv_plan *p = *plan;
    if (!p) return;
    if (p->mixed) mixed->conv_destroy(&p->mixed);
    srq_onednn_destroy(&p->by_data);
    srq_onednn_destroy(&p->pack);
    srq_onednn_close(&p->device);
    srq_by_weights_destroy(&p->by_weights);
    free(p->packed);
    free(p);
    *plan = NULL;
}

static srq_status create(const srq_conv_shape *shape, const srq_vector *vector, srq_conv_plan **out)
{
    srq_conv_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return srq_fail_memory(sizeof *plan, "a convolution");
    plan->shape = *shape;
    srq_status status = build(plan, vector);
    if (status != SRQ_OK)
        destroy(&plan);
    else
        *out = plan;
    return status;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static srq_conv_info info(const srq_conv_plan *plan)
{
    srq_conv_info info = mixed->conv_info(plan->mixed);
    if (!plan->integer) return info;
    info.backward = "s8";
    info.gradient = SRQ_INT8;
    info.weights += plan->packed_size;
    info.scratch = larger(info.scratch, plan->pack.scratch);
    info.scratch = larger(info.scratch, plan->by_data.scratch);
    info.scratch = srq_onednn_whole_lines(larger(info.scratch, srq_by_weights_scratch(plan->by_weights)));
    return info;
}

static void pack(srq_conv_plan *plan, int worker, const srq_operand *weights, bool backward, void *scratch)
{
    mixed->conv_pack(plan->mixed, worker, weights, backward && !plan->integer, scratch);
    if (!plan->integer || !backward || !plan->packed) return;
    const void *const data[2] = {weights->data, plan->packed};
    srq_onednn_run(&plan->device, &plan->pack, worker, data, NULL, scratch);
}

static void forward(srq_conv_plan *plan, int worker, int n, const srq_operand *x, float *y, void *scratch)
{
    mixed->conv_forward(plan->mixed, worker, n, x, y, scratch);
}

static void backward_data(srq_conv_plan *plan, int worker, int n, const srq_operand *dy, float *dx, void *scratch)
{
    if (!plan->integer) {
        mixed->conv_backward_data(plan->mixed, worker, n, dy, dx, scratch);
        return;
    }
    const srq_conv_shape *s = &plan->shape;
    const size_t image = (size_t)s->out_height * (size_t)s->out_width * (size_t)s->out;
    if (n < s->capacity) memset((char *)dy->data + (size_t)n * image, 0, (size_t)(s->capacity - n) * image);
    const void *const data[4] = {dy->data, plan->packed, &dy->scale, dx};
    srq_onednn_run(&plan->device, &plan->by_data, worker, data, dx, scratch);
}

static void backward_weights(srq_conv_plan *plan, int worker, int n, const srq_operand *x, const srq_operand *dy,
                             float *dw, void *scratch)
{
    if (plan->integer)
        srq_by_weights_run(plan->by_weights, n, x->data, dy->data, dy->scale, dw, scratch);
    else
        mixed->conv_backward_weights(plan->mixed, worker, n, x, dy, dw, scratch);
}

static void unpack(const srq_conv_plan *plan, int worker, float *dw, void *scratch)
{
    if (plan->integer)
        srq_by_weights_unpack(plan->by_weights, dw, scratch);
    else
        mixed->conv_unpack(plan->mixed, worker, dw, scratch);
}

const srq_kernels srq_kernels_onednn_integer = {.name = "oneDNN integer",
                                                .conv_create = create,
                                                .conv_destroy = destroy,
                                                .conv_info = info,
                                                .conv_pack = pack,
                                                .conv_forward = forward,
                                                .conv_backward_data = backward_data,
                                                .conv_backward_weights = backward_weights,
                                                .conv_unpack = unpack};
