/* The table of a back end: the functions for convolutions. A dense layer is a convolution whose kernel covers the whole
 * image. A back end makes a plan for a shape when the network is built, and allocates nothing afterwards.
 *
 * Kernels multiply elements: codes if the tensor is quantized, floats otherwise. They do not apply scales;
 * core/ops/weighted.c applies them to the results. A sum of products of codes is an integer. It is exact in float32
 * below 2^24, and in back ends that add integers. The incoming gradient already includes the scales of the weights. So
 * it is rounded to the plan's type only once, for both directions. If that type is SRQ_INT8, the gradient has a scale
 * of its own, which the kernels do apply. */
#ifndef SRQ_CORE_KERNELS_KERNELS_H
#define SRQ_CORE_KERNELS_KERNELS_H

#include "core/kernels/vector.h"
#include "core/status.h"

typedef enum srq_dtype { SRQ_FLOAT32, SRQ_UINT8, SRQ_INT8, SRQ_BFLOAT16 } srq_dtype;

static inline size_t srq_dtype_size(srq_dtype dtype)
{
    return dtype == SRQ_FLOAT32 ? 4 : dtype == SRQ_BFLOAT16 ? 2 : 1;
}

/* The largest magnitude of a gradient of 8 bits. */
enum { SRQ_GRADIENT_MOST = 127 };

typedef struct srq_operand {
    const void *data;
    srq_dtype dtype;
    float scale;         /* alpha for codes, 1 for float32 */
    const float *scales; /* weights only: one scale for each output channel, used instead of `scale`; otherwise NULL */
} srq_operand;

typedef struct srq_conv_shape {
    int capacity;                   /* largest number of images in a call */
    int workers;                    /* number of threads that may call the functions of the plan at the same time */
    int height, width, in;          /* input  [n][height][width][in] */
    int out_height, out_width, out; /* output [n][out_height][out_width][out] */
    int kernel[2], stride[2], padding[2];
    int groups;          /* `in` and `out` are multiples of it; each output channel reads in / groups channels */
    bool covers;         /* a dense layer: the kernel covers the whole image */
    bool input_gradient; /* conv_backward_data will be called */
    srq_dtype input;     /* type of the input: codes or float32 */
    bool weight_codes;   /* weights are always int8 codes; otherwise they are float32, or ... */
    bool weights_vary;   /* ... as either */
    int input_most, weights_most; /* the largest magnitude of a code */
} srq_conv_shape;

typedef struct srq_conv_plan srq_conv_plan; /* private to the back end */

/* The number formats of a plan, for the log: "u8s8" or "f32" forward; "s8", "bf16" or "f32" for gradients. */
typedef struct srq_conv_info {
    const char *forward, *backward;
    srq_dtype gradient; /* type of the incoming gradient: SRQ_FLOAT32, SRQ_BFLOAT16 or SRQ_INT8 */
    size_t scratch; /* bytes of scratch memory for each call below, 64-byte aligned; its contents need not be kept */
    size_t weights; /* bytes of the packed weights */
} srq_conv_info;

/* A call may overwrite images n to `capacity` of its inputs with zeros. `worker` is the number of the calling thread,
 * from 0. Threads with different numbers may make calls at the same time, with scratch memory of their own. conv_pack
 * is the exception: nothing else may use the plan while it runs. */
typedef struct srq_kernels {
    const char *name;
    srq_status (*conv_create)(const srq_conv_shape *shape, const srq_vector *vector, srq_conv_plan **plan);
    void (*conv_destroy)(srq_conv_plan **plan);
    srq_conv_info (*conv_info)(const srq_conv_plan *plan);
    /* Reorders the weights [out][in / groups][kernel 0][kernel 1] to the plan's own orders, once a step. If `backward`
     * is false, the orders for the backward pass are not made. The operand's data must stay valid until the next call.
     */
    void (*conv_pack)(srq_conv_plan *plan, int worker, const srq_operand *weights, bool backward, void *scratch);
    /* y = x * w, for n <= capacity images. y is float32. */
    void (*conv_forward)(srq_conv_plan *plan, int worker, int n, const srq_operand *x, float *y, void *scratch);
    /* dx, float32, from dy of the type `gradient`, multiplied by dy->scale if that is SRQ_INT8. Its values are then
     * from -SRQ_GRADIENT_MOST to SRQ_GRADIENT_MOST. */
    void (*conv_backward_data)(srq_conv_plan *plan, int worker, int n, const srq_operand *dy, float *dx, void *scratch);
    /* dw, overwritten: sums of x times dy, multiplied by dy->scale in the same case. It has as many floats as there are
     * weights, but in the plan's own order, so that shards can be summed before the result is reordered. */
    void (*conv_backward_weights)(srq_conv_plan *plan, int worker, int n, const srq_operand *x, const srq_operand *dy,
                                  float *dw, void *scratch);
    /* Reorders that gradient, after it was summed, to [out][in / groups][kernel 0][kernel 1], in place. Once a step. */
    void (*conv_unpack)(const srq_conv_plan *plan, int worker, float *dw, void *scratch);
} srq_kernels;

/* Plain C and OpenBLAS. The other back ends are tested against it. */
extern const srq_kernels srq_kernels_reference;

#endif
