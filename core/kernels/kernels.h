/* The heavy arithmetic behind one table: convolution, of which a dense layer is the case whose kernel covers the whole
 * image. A back end makes a plan for a shape when the network is built, and allocates nothing afterwards.
 *
 * Kernels multiply elements: codes where the tensor is quantized (architecture.md, idea 1), floats otherwise. They know
 * no scales; core/ops/weighted.c applies those to what comes out. A sum of products of codes is an integer, exact in
 * float32 below 2^24 and in the back ends that add integers. The gradient that comes in has its scale applied, so that
 * one rounding of it, to the plan's type, serves both directions. */
#ifndef SRQ_CORE_KERNELS_KERNELS_H
#define SRQ_CORE_KERNELS_KERNELS_H

#include "core/kernels/vector.h"
#include "core/status.h"

typedef enum srq_dtype { SRQ_FLOAT32, SRQ_UINT8, SRQ_INT8, SRQ_BFLOAT16 } srq_dtype;

static inline size_t srq_dtype_size(srq_dtype dtype)
{
    return dtype == SRQ_FLOAT32 ? 4 : dtype == SRQ_BFLOAT16 ? 2 : 1;
}

typedef struct srq_operand {
    const void *data;
    srq_dtype dtype;
    float scale;         /* alpha for codes, 1 for float32 */
    const float *scales; /* weights only: one for each output channel, instead of `scale`; else NULL */
} srq_operand;

typedef struct srq_conv_shape {
    int capacity;                   /* most images of one call */
    int height, width, in;          /* input  [n][height][width][in] */
    int out_height, out_width, out; /* output [n][out_height][out_width][out] */
    int kernel[2], stride[2], padding[2];
    int groups;                   /* in and out are multiples of it; a weight sees in / groups channels */
    bool covers;                  /* a dense layer: the kernel is the whole image */
    bool input_gradient;          /* conv_backward_data will be called */
    srq_dtype input;              /* of the input: codes or float32 */
    bool weight_codes;            /* weights come as int8 codes, always; else as float32, or ... */
    bool weights_vary;            /* ... as either */
    int input_most, weights_most; /* codes: the largest magnitude of one */
} srq_conv_shape;

typedef struct srq_conv_plan srq_conv_plan; /* the back end's own */

/* How a plan computes, for the log: "u8s8" or "f32" forward; "bf16" or "f32" gradients. */
typedef struct srq_conv_info {
    const char *forward, *backward;
    srq_dtype gradient; /* what backward functions take: SRQ_FLOAT32 or SRQ_BFLOAT16 */
    size_t scratch;     /* bytes, 64-byte aligned, that every call below needs for itself; nothing is kept there */
    size_t weights;     /* bytes that packed weights hold */
} srq_conv_info;

/* Images beyond n of a call's inputs, up to the capacity, may be overwritten with zeros. */
typedef struct srq_kernels {
    const char *name;
    srq_status (*conv_create)(const srq_conv_shape *shape, const srq_vector *vector, srq_conv_plan **plan);
    void (*conv_destroy)(srq_conv_plan **plan);
    srq_conv_info (*conv_info)(const srq_conv_plan *plan);
    /* Takes the weights [out][in / groups][kernel 0][kernel 1] into the plan's own orders, once for each step;
     * `backward` false leaves out what only the backward pass needs. The operand's data must stay until the next pack.
     */
    void (*conv_pack)(srq_conv_plan *plan, const srq_operand *weights, bool backward, void *scratch);
    /* y = x * w, for n <= capacity images. y is float32. */
    void (*conv_forward)(srq_conv_plan *plan, int n, const srq_operand *x, float *y, void *scratch);
    /* dx, float32, from dy of the type `gradient`. */
    void (*conv_backward_data)(srq_conv_plan *plan, int n, const void *dy, float *dx, void *scratch);
    /* dw, overwritten: sums of x times dy, as many floats as weights but in the plan's own order, so that shards are
     * summed before anything is transposed. */
    void (*conv_backward_weights)(srq_conv_plan *plan, int n, const srq_operand *x, const void *dy, float *dw,
                                  void *scratch);
    /* That gradient, once summed, into the weights' order [out][in / groups][kernel 0][kernel 1], in place; once a
     * step. */
    void (*conv_unpack)(const srq_conv_plan *plan, float *dw, void *scratch);
} srq_kernels;

/* Plain C and OpenBLAS; what every other back end is tested against. */
extern const srq_kernels srq_kernels_reference;

#endif
