/* Convolution and dense layers on oneDNN (2.x).
 *
 * Activations are channels-last, as in all of srq. Weights are reordered once a step to the layouts that oneDNN's
 * kernels prefer. The gradient of weights stays in oneDNN's layout until the shards are summed. Dense layers are
 * products of plain matrices. They have many weights and few sums, so the weights are not reordered. If the input is an
 * image of several pixels, the input is reordered to the order of the weights, [in][pixels].
 *
 * The forward pass uses integers only if it is exact. With VNNI instructions, products of bytes are added in 32 bits.
 * Without them, pairs of products are added in 16 bits, which saturates unless the codes are small, and oneDNN halves
 * the weights if the input is signed. In the backward pass, codes are exact in bfloat16 (8 significant bits), so only
 * the incoming gradient was rounded; sums are float32. Every primitive runs on `capacity` images, and missing images
 * are zeros. So the order of every sum depends only on the shape. */
#include "core/kernels/onednn/call.h"
#include "core/kernels/onednn/limits.h"
#include "core/kernels/onednn/onednn.h"

#include <dnnl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct srq_conv_plan {
    srq_conv_shape shape;
    const srq_vector *vector;
    srq_onednn_device device;
    bool integer, bfloat16;
    srq_onednn_call forward, by_data, by_weights;
    srq_onednn_call pack, pack_backward, unpack;
    const void *dense,
        *dense_backward; /* dense layers: the weights for both directions, those of the caller or packed */
    size_t count;        /* weights */
    void *packed, *packed_backward;
    size_t packed_size, backward_size; /* bytes */
    size_t gradient_size;              /* bytes of the weights' gradient in oneDNN's layout */
};

/* --- Descriptions of tensors. The kernel of a dense layer is the whole image. */

static void describe_image(const srq_conv_plan *plan, bool output, dnnl_data_type_t type, dnnl_memory_desc_t *md)
{
    const srq_conv_shape *s = &plan->shape;
    dnnl_dims_t in = {s->capacity, s->in, s->height, s->width};
    dnnl_dims_t out = {s->capacity, s->out, s->out_height, s->out_width};
    dnnl_dims_t flat = {s->capacity, output ? s->out : (dnnl_dim_t)s->in * s->height * s->width};
    if (s->covers)
        dnnl_memory_desc_init_by_tag(md, 2, flat, type, dnnl_ab);
    else
        dnnl_memory_desc_init_by_tag(md, 4, output ? out : in, type, dnnl_nhwc);
}

/* In an order that oneDNN chooses, or plain. The weights of dense layers are always plain. */
static void describe_weights(const srq_conv_plan *plan, dnnl_data_type_t type, bool plain, dnnl_memory_desc_t *md)
{
    const srq_conv_shape *s = &plan->shape;
    const int g = s->groups;
    dnnl_dims_t whole = {s->out, s->in, s->kernel[0], s->kernel[1]};
    dnnl_dims_t grouped = {g, s->out / g, s->in / g, s->kernel[0], s->kernel[1]};
    dnnl_dims_t matrix = {s->out, (dnnl_dim_t)s->in * s->height * s->width};
    if (s->covers)
        dnnl_memory_desc_init_by_tag(md, 2, matrix, type, dnnl_ab);
    else if (g > 1)
        dnnl_memory_desc_init_by_tag(md, 5, grouped, type, plain ? dnnl_goihw : dnnl_format_tag_any);
    else
        dnnl_memory_desc_init_by_tag(md, 4, whole, type, plain ? dnnl_oihw : dnnl_format_tag_any);
}

/* --- Primitives */

/* oneDNN's kernels for 1 x 1 windows gather the pixels of a larger stride in a buffer first, by whole blocks of
 * channels: with fewer than a block they write past its end (uxlfoundation/oneDNN issue 6035; 2.6 on AVX2 gives wrong
 * sums). */
static bool overruns(const srq_conv_shape *s)
{
    const int block = 16; /* the largest: AVX-512's */
    return s->kernel[0] == 1 && s->kernel[1] == 1 && (s->stride[0] > 1 || s->stride[1] > 1) &&
           s->in / s->groups < block;
}

/* The first kernel that oneDNN has for `op`, without those that would write past the end of their buffer. */
static dnnl_status_t choose(const srq_conv_plan *plan, const_dnnl_op_desc_t op, const_dnnl_primitive_attr_t attr,
                            const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *pd)
{
    dnnl_primitive_desc_iterator_t kernels;
    dnnl_status_t status = dnnl_primitive_desc_iterator_create(&kernels, op, attr, plan->device.engine, hint);
    while (status == dnnl_success) {
        const char *name = NULL;
        *pd = dnnl_primitive_desc_iterator_fetch(kernels);
        const bool named = dnnl_primitive_desc_query(*pd, dnnl_query_impl_info_str, 0, &name) == dnnl_success && name;
        if (!overruns(&plan->shape) || (named && !strstr(name, "1x1"))) break;
        dnnl_primitive_desc_destroy(*pd);
        status = dnnl_primitive_desc_iterator_next(kernels);
    }
    dnnl_primitive_desc_iterator_destroy(kernels);
    return status == dnnl_iterator_ends ? dnnl_unimplemented : status;
}

typedef enum direction { FORWARD, BY_DATA, BY_WEIGHTS } direction;

/* `hint` is the descriptor of the forward pass with the same types; NULL for the forward pass itself. */
static dnnl_status_t describe(const srq_conv_plan *plan, direction d, dnnl_data_type_t elements,
                              dnnl_data_type_t weights, const_dnnl_primitive_attr_t attr,
                              const_dnnl_primitive_desc_t hint, dnnl_primitive_desc_t *pd)
{
    const srq_conv_shape *s = &plan->shape;
    dnnl_memory_desc_t x, w, y;
    describe_image(plan, false, d == BY_DATA ? dnnl_f32 : elements, &x);
    describe_image(plan, true, d == FORWARD ? dnnl_f32 : elements, &y);
    describe_weights(plan, d == BY_WEIGHTS ? dnnl_f32 : weights, false, &w);
    if (s->covers) {
        dnnl_inner_product_desc_t op;
        if (d == FORWARD) dnnl_inner_product_forward_desc_init(&op, dnnl_forward_training, &x, &w, NULL, &y);
        if (d == BY_DATA) dnnl_inner_product_backward_data_desc_init(&op, &x, &w, &y);
        if (d == BY_WEIGHTS) dnnl_inner_product_backward_weights_desc_init(&op, &x, &w, NULL, &y);
        return dnnl_primitive_desc_create(pd, &op, attr, plan->device.engine, hint);
    }
    const dnnl_dims_t stride = {s->stride[0], s->stride[1]}, before = {s->padding[0], s->padding[1]};
    dnnl_dims_t after; /* smaller or larger than the padding before, depending on the stride */
    for (int i = 0; i < 2; i++) {
        const int size = i ? s->width : s->height, out = i ? s->out_width : s->out_height;
        after[i] = (out - 1) * s->stride[i] + s->kernel[i] - size - s->padding[i];
    }
    dnnl_convolution_desc_t op;
    dnnl_status_t status = dnnl_success;
    const dnnl_alg_kind_t direct = dnnl_convolution_direct;
    if (d == FORWARD)
        status = dnnl_convolution_forward_desc_init(&op, dnnl_forward_training, direct, &x, &w, NULL, &y, stride,
                                                    before, after);
    if (d == BY_DATA) status = dnnl_convolution_backward_data_desc_init(&op, direct, &x, &w, &y, stride, before, after);
    if (d == BY_WEIGHTS)
        status = dnnl_convolution_backward_weights_desc_init(&op, direct, &x, &w, NULL, &y, stride, before, after);
    return status == dnnl_success ? choose(plan, &op, attr, hint, pd) : status;
}

static const int forward_names[] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
static const dnnl_query_t forward_queries[] = {dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md};
static const int data_names[] = {DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_SRC};
static const dnnl_query_t data_queries[] = {dnnl_query_diff_dst_md, dnnl_query_weights_md, dnnl_query_diff_src_md};
static const int weights_names[] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS};
static const dnnl_query_t weights_queries[] = {dnnl_query_src_md, dnnl_query_diff_dst_md, dnnl_query_diff_weights_md};

/* Makes the forward pass, in integers if that is fast here, and the packing of its weights. */
static srq_status make_forward(srq_conv_plan *plan, const_dnnl_primitive_attr_t attr)
{
    dnnl_primitive_desc_t pd;
    const dnnl_data_type_t codes = plan->shape.input == SRQ_UINT8 ? dnnl_u8 : dnnl_s8;
    if (plan->integer) {
        plan->integer = describe(plan, FORWARD, codes, dnnl_s8, attr, NULL, &pd) == dnnl_success;
        if (plan->integer && srq_onednn_is_slow(pd)) {
            dnnl_primitive_desc_destroy(pd);
            plan->integer = false;
        }
    }
    if (!plan->integer) TRY_DNNL(describe(plan, FORWARD, dnnl_f32, dnnl_f32, attr, NULL, &pd), "a convolution");
    const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dnnl_memory_desc_t plain;
    describe_weights(plan, plan->integer ? dnnl_s8 : dnnl_f32, true, &plain);
    srq_status status = srq_onednn_make_from(&plan->device, pd, 3, forward_names, forward_queries, &plan->forward);
    if (status == SRQ_OK) status = srq_onednn_make_reorder(&plan->device, &plain, packed, attr, &plan->pack);
    const bool as_given =
        plan->shape.covers && (plan->integer || !plan->shape.weight_codes) && !plan->shape.weights_vary;
    if (!as_given) plan->packed = srq_onednn_memory(packed, &plan->packed_size);
    if (status == SRQ_OK && !as_given && !plan->packed) status = srq_fail_memory(plan->packed_size, "packed weights");
    dnnl_primitive_desc_destroy(pd);
    return status;
}

static srq_status make_by_data(srq_conv_plan *plan, const_dnnl_primitive_desc_t pd, const_dnnl_primitive_attr_t attr)
{
    const dnnl_memory_desc_t *packed = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dnnl_memory_desc_t plain;
    describe_weights(plan, plan->bfloat16 ? dnnl_bf16 : dnnl_f32, true, &plain);
    SRQ_TRY(srq_onednn_make_from(&plan->device, pd, 3, data_names, data_queries, &plan->by_data));
    SRQ_TRY(srq_onednn_make_reorder(&plan->device, &plain, packed, attr, &plan->pack_backward));
    if (plan->shape.covers && !plan->bfloat16 && !plan->integer) return SRQ_OK; /* the forward weights */
    plan->packed_backward = srq_onednn_memory(packed, &plan->backward_size);
    return plan->packed_backward ? SRQ_OK : srq_fail_memory(plan->backward_size, "packed weights");
}

static srq_status make_by_weights(srq_conv_plan *plan, const_dnnl_primitive_desc_t pd, const_dnnl_primitive_attr_t attr)
{
    const dnnl_memory_desc_t *gradient = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_weights_md, 0);
    dnnl_memory_desc_t plain;
    describe_weights(plan, dnnl_f32, true, &plain);
    plan->gradient_size = dnnl_memory_desc_get_size(gradient);
    SRQ_TRY(srq_onednn_make_from(&plan->device, pd, 3, weights_names, weights_queries, &plan->by_weights));
    return srq_onednn_make_reorder(&plan->device, gradient, &plain, attr, &plan->unpack);
}

/* Makes both gradients, in one type. */
static srq_status make_backward(srq_conv_plan *plan, const_dnnl_primitive_attr_t attr)
{
    const bool data = plan->shape.input_gradient;
    dnnl_primitive_desc_t hint = NULL, by_data = NULL, by_weights = NULL;
    for (int attempt = 0; attempt < 2; attempt++) {
        const dnnl_data_type_t type = plan->bfloat16 ? dnnl_bf16 : dnnl_f32;
        dnnl_status_t status = describe(plan, FORWARD, type, type, attr, NULL, &hint);
        if (status == dnnl_success && data) status = describe(plan, BY_DATA, type, type, attr, hint, &by_data);
        if (status == dnnl_success) status = describe(plan, BY_WEIGHTS, type, type, attr, hint, &by_weights);
        if (status == dnnl_success &&
            !(plan->bfloat16 && ((data && srq_onednn_is_slow(by_data)) || srq_onednn_is_slow(by_weights))))
            break;
        const bool given_up = !plan->bfloat16;
        plan->bfloat16 = false;
        if (hint) dnnl_primitive_desc_destroy(hint);
        if (by_data) dnnl_primitive_desc_destroy(by_data);
        if (by_weights) dnnl_primitive_desc_destroy(by_weights);
        hint = by_data = by_weights = NULL;
        if (given_up) return srq_onednn_check(status, "the gradient of a convolution");
    }
    srq_status status = data ? make_by_data(plan, by_data, attr) : SRQ_OK;
    if (status == SRQ_OK) status = make_by_weights(plan, by_weights, attr);
    dnnl_primitive_desc_destroy(hint);
    if (by_data) dnnl_primitive_desc_destroy(by_data);
    dnnl_primitive_desc_destroy(by_weights);
    return status;
}

static srq_status build(srq_conv_plan *plan)
{
    SRQ_TRY(srq_onednn_open(plan->shape.workers, &plan->device));
    dnnl_primitive_attr_t attr;
    SRQ_TRY(srq_onednn_attributes(&attr));
    srq_status status = make_forward(plan, attr);
    if (status == SRQ_OK) status = make_backward(plan, attr);
    dnnl_primitive_attr_destroy(attr);
    return status;
}

static void destroy(srq_conv_plan **plan)
{
    srq_conv_plan *p = *plan;
    if (!p) return;
    srq_onednn_call *calls[] = {&p->forward, &p->by_data, &p->by_weights, &p->pack, &p->pack_backward, &p->unpack};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) srq_onednn_destroy(calls[i]);
    srq_onednn_close(&p->device);
    free(p->packed);
    free(p->packed_backward);
    free(p);
    *plan = NULL;
}

static srq_status create(const srq_conv_shape *shape, const srq_vector *vector, bool mixed, srq_conv_plan **out)
{
    srq_conv_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return srq_fail_memory(sizeof *plan, "a convolution");
    const bool codes = shape->input != SRQ_FLOAT32 && shape->weight_codes;
    const bool vnni = srq_onednn_cpu_has(dnnl_cpu_isa_avx512_core_vnni) || srq_onednn_cpu_has(dnnl_cpu_isa_avx2_vnni);
    const bool small = shape->input == SRQ_UINT8 && 2 * shape->input_most * shape->weights_most <= INT16_MAX;
    plan->shape = *shape;
    plan->vector = vector;
    plan->count =
        (size_t)shape->out * (size_t)(shape->in / shape->groups) * (size_t)shape->kernel[0] * (size_t)shape->kernel[1];
    plan->integer = mixed && codes && (vnni || small);
    plan->bfloat16 = mixed && codes && srq_onednn_cpu_has(dnnl_cpu_isa_avx512_core_bf16);
    srq_status status = build(plan);
    if (status != SRQ_OK)
        destroy(&plan);
    else
        *out = plan;
    return status;
}

static srq_status create_float32(const srq_conv_shape *shape, const srq_vector *vector, srq_conv_plan **plan)
{
    return create(shape, vector, false, plan);
}

static srq_status create_mixed(const srq_conv_shape *shape, const srq_vector *vector, srq_conv_plan **plan)
{
    return create(shape, vector, true, plan);
}

/* --- Scratch memory: first converted data, then oneDNN's scratchpad. */

static size_t input_count(const srq_conv_plan *plan)
{
    const srq_conv_shape *s = &plan->shape;
    return (size_t)s->capacity * (size_t)s->height * (size_t)s->width * (size_t)s->in;
}

/* Bytes of the input converted to the type of the gradient; 0 if it has that type already. */
static size_t converted_input(const srq_conv_plan *plan)
{
    if (plan->shape.input == SRQ_FLOAT32) return 0;
    return srq_onednn_whole_lines(input_count(plan) * (plan->bfloat16 ? 2 : sizeof(float)));
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* If oneDNN's layout pads channels, the gradient is computed in scratch memory and reordered at once. */
static bool gradient_fits(const srq_conv_plan *plan)
{
    return plan->gradient_size == plan->count * sizeof(float);
}

/* Whether this is a dense layer whose input has another order than its weights. */
static bool permutes(const srq_conv_plan *plan)
{
    return plan->shape.covers && plan->shape.height * plan->shape.width > 1 && plan->shape.in > 1;
}

static size_t permuted_size(const srq_conv_plan *plan, size_t element)
{
    return permutes(plan) ? srq_onednn_whole_lines(input_count(plan) * element) : 0;
}

/* Bytes of a convolution's weights in another type. */
static size_t converted_size(const srq_conv_plan *plan)
{
    if (plan->shape.covers) return 0;
    return srq_onednn_whole_lines(plan->count * (plan->integer && plan->bfloat16 ? 2 : sizeof(float)));
}

static srq_conv_info info(const srq_conv_plan *plan)
{
    const size_t input = srq_onednn_whole_lines(input_count(plan) * sizeof(float));
    const size_t gradient = gradient_fits(plan) ? 0 : srq_onednn_whole_lines(plan->gradient_size);
    const size_t permuted = permuted_size(plan, srq_dtype_size(plan->shape.input));
    size_t most = converted_size(plan) + larger(plan->pack.scratch, plan->pack_backward.scratch);
    most = larger(most,
                  permuted + plan->forward.scratch + (plan->integer || plan->shape.input == SRQ_FLOAT32 ? 0 : input));
    most = larger(most, plan->by_data.scratch + permuted_size(plan, sizeof(float)));
    most = larger(most,
                  permuted + converted_input(plan) + gradient + larger(plan->by_weights.scratch, plan->unpack.scratch));
    most = larger(most, gradient_fits(plan) && !plan->shape.covers
                            ? srq_onednn_whole_lines(plan->gradient_size) + plan->unpack.scratch
                            : 0);
    return (srq_conv_info){.forward = !plan->integer                   ? "f32"
                                      : plan->shape.input == SRQ_UINT8 ? "u8s8"
                                                                       : "s8s8",
                           .backward = plan->bfloat16 ? "bf16" : "f32",
                           .gradient = plan->bfloat16 ? SRQ_BFLOAT16 : SRQ_FLOAT32,
                           .scratch = srq_onednn_whole_lines(most),
                           .weights = plan->packed_size + plan->backward_size};
}

/* Returns `from` as type `to`. It is converted in `scratch`, unless it has that type already. */
static const void *as_type(const srq_vector *vector, srq_dtype to, const srq_operand *from, size_t n, void *scratch)
{
    if (from->dtype == to) return from->data;
    if (to == SRQ_FLOAT32 && from->dtype == SRQ_UINT8) vector->widen_u8(n, from->data, scratch);
    if (to == SRQ_FLOAT32 && from->dtype == SRQ_INT8) vector->widen_s8(n, from->data, scratch);
    if (to == SRQ_BFLOAT16 && from->dtype == SRQ_UINT8) vector->widen_u8_bf16(n, from->data, scratch);
    if (to == SRQ_BFLOAT16 && from->dtype == SRQ_INT8) vector->widen_s8_bf16(n, from->data, scratch);
    return scratch;
}

/* Transposes each row, a matrix [from][to] with elements of `size` bytes, to [to][from]. */
static void transpose_rows(size_t rows, size_t from, size_t to, size_t size, const void *x, void *y)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t t = 0; t < to; t++)
            for (size_t f = 0; f < from; f++) {
                const size_t source = (r * from + f) * to + t, target = (r * to + t) * from + f;
                if (size == 1)
                    ((int8_t *)y)[target] = ((const int8_t *)x)[source];
                else
                    ((float *)y)[target] = ((const float *)x)[source];
            }
}

static size_t pixels_of(const srq_conv_plan *plan)
{
    return (size_t)plan->shape.height * (size_t)plan->shape.width;
}

static void pack(srq_conv_plan *plan, int worker, const srq_operand *weights, bool backward, void *scratch)
{
    const srq_dtype forward_type = plan->integer ? SRQ_INT8 : SRQ_FLOAT32;
    const srq_dtype backward_type = plan->bfloat16 ? SRQ_BFLOAT16 : SRQ_FLOAT32;
    const srq_vector *vector = plan->vector;
    if (plan->shape.covers) {
        plan->dense = plan->dense_backward = as_type(vector, forward_type, weights, plan->count, plan->packed);
        if (backward && backward_type != forward_type)
            plan->dense_backward = as_type(vector, backward_type, weights, plan->count, plan->packed_backward);
        return;
    }
    char *own = (char *)scratch + converted_size(plan);
    const void *data[2] = {as_type(vector, forward_type, weights, plan->count, scratch), plan->packed};
    srq_onednn_run(&plan->device, &plan->pack, worker, data, NULL, own);
    if (!backward || !plan->packed_backward) return;
    if (backward_type != forward_type) data[0] = as_type(vector, backward_type, weights, plan->count, scratch);
    data[1] = plan->packed_backward;
    srq_onednn_run(&plan->device, &plan->pack_backward, worker, data, NULL, own);
}

/* Missing images count as zeros. */
static void clear_rest(const srq_conv_plan *plan, int n, const void *data, size_t count, size_t size)
{
    const size_t image = count / (size_t)plan->shape.capacity * size;
    if (n < plan->shape.capacity)
        memset((char *)data + (size_t)n * image, 0, (size_t)(plan->shape.capacity - n) * image);
}

static size_t output_count(const srq_conv_plan *plan)
{
    const srq_conv_shape *s = &plan->shape;
    return (size_t)s->capacity * (size_t)s->out_height * (size_t)s->out_width * (size_t)s->out;
}

/* Returns the input in the order of the weights. If it has another order, it is reordered at the start of *scratch, and
 * *scratch is moved past it. */
static srq_operand permuted_input(const srq_conv_plan *plan, const srq_operand *x, char **scratch)
{
    if (!permutes(plan)) return *x;
    srq_operand y = *x;
    y.data = *scratch;
    transpose_rows((size_t)plan->shape.capacity, pixels_of(plan), (size_t)plan->shape.in, srq_dtype_size(x->dtype),
                   x->data, *scratch);
    *scratch += permuted_size(plan, srq_dtype_size(x->dtype));
    return y;
}

static void forward(srq_conv_plan *plan, int worker, int n, const srq_operand *input, float *y, void *scratch)
{
    clear_rest(plan, n, input->data, input_count(plan), srq_dtype_size(input->dtype));
    char *own = scratch;
    const srq_operand x = permuted_input(plan, input, &own);
    const void *from = x.data;
    if (!plan->integer && x.dtype != SRQ_FLOAT32) {
        from = as_type(plan->vector, SRQ_FLOAT32, &x, input_count(plan), own);
        own += srq_onednn_whole_lines(input_count(plan) * sizeof(float));
    }
    const void *const data[3] = {from, plan->shape.covers ? plan->dense : plan->packed, y};
    srq_onednn_run(&plan->device, &plan->forward, worker, data, y, own);
}

static void backward_data(srq_conv_plan *plan, int worker, int n, const srq_operand *gradient, float *dx, void *scratch)
{
    const void *dy = gradient->data;
    clear_rest(plan, n, dy, output_count(plan), plan->bfloat16 ? 2 : sizeof(float));
    char *own = (char *)scratch + permuted_size(plan, sizeof(float));
    float *to = permutes(plan) ? scratch : dx;
    const void *const data[3] = {dy, plan->shape.covers ? plan->dense_backward : plan->packed_backward, to};
    srq_onednn_run(&plan->device, &plan->by_data, worker, data, to, own);
    if (to != dx)
        transpose_rows((size_t)plan->shape.capacity, (size_t)plan->shape.in, pixels_of(plan), sizeof *dx, to, dx);
}

static void backward_weights(srq_conv_plan *plan, int worker, int n, const srq_operand *input,
                             const srq_operand *gradient, float *dw, void *scratch)
{
    const void *dy = gradient->data;
    clear_rest(plan, n, dy, output_count(plan), plan->bfloat16 ? 2 : sizeof(float));
    clear_rest(plan, n, input->data, input_count(plan), srq_dtype_size(input->dtype));
    char *own = scratch;
    const srq_operand x = permuted_input(plan, input, &own);
    const void *from = as_type(plan->vector, plan->bfloat16 ? SRQ_BFLOAT16 : SRQ_FLOAT32, &x, input_count(plan), own);
    own += converted_input(plan);
    float *to = gradient_fits(plan) ? dw : (float *)own;
    if (!gradient_fits(plan)) own += srq_onednn_whole_lines(plan->gradient_size);
    const void *const data[3] = {from, dy, to};
    srq_onednn_run(&plan->device, &plan->by_weights, worker, data, to, own);
    const void *const reorder[2] = {to, dw};
    if (to != dw) srq_onednn_run(&plan->device, &plan->unpack, worker, reorder, dw, own);
}

static void unpack(const srq_conv_plan *plan, int worker, float *dw, void *scratch)
{
    if (!gradient_fits(plan) || plan->shape.covers) return; /* plain already */
    const void *const data[2] = {scratch, dw};
    memcpy(scratch, dw, plan->gradient_size);
    srq_onednn_run(&plan->device, &plan->unpack, worker, data, dw,
                   (char *)scratch + srq_onednn_whole_lines(plan->gradient_size));
}

#define ONEDNN_TABLE(label, make)                                                                                      \
    {                                                                                                                  \
        .name = label, .conv_create = make, .conv_destroy = destroy, .conv_info = info, .conv_pack = pack,             \
        .conv_forward = forward, .conv_backward_data = backward_data, .conv_backward_weights = backward_weights,       \
        .conv_unpack = unpack                                                                                          \
    }

const srq_kernels srq_kernels_onednn_float32 = ONEDNN_TABLE("oneDNN float32", create_float32);
const srq_kernels srq_kernels_onednn_mixed = ONEDNN_TABLE("oneDNN mixed", create_mixed);
