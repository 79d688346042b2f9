/* The heavy arithmetic behind one table: convolution, of which a dense layer is the case whose kernel covers the whole
 * image. A back end makes a plan for a shape when the network is built, and allocates nothing afterwards.
 *
 * Operands are codes where the tensor is quantized (architecture.md, idea 1): value = scale * element. The reference
 * back end multiplies the codes as float32, which is exact as long as the sums stay below 2^24, and applies the
 * scales to the result; a back end on integers gives the same numbers. */
#ifndef SRQ_CORE_KERNELS_KERNELS_H
#define SRQ_CORE_KERNELS_KERNELS_H

#include "core/kernels/vector.h"
#include "core/status.h"

typedef enum srq_dtype { SRQ_FLOAT32, SRQ_UINT8, SRQ_INT8 } srq_dtype;

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
    bool per_channel; /* weights may come with `scales` */
} srq_conv_shape;

typedef struct srq_conv_plan srq_conv_plan; /* the back end's own */

typedef struct srq_kernels {
    const char *name;
    srq_status (*conv_create)(const srq_conv_shape *shape, const srq_vector *vector, srq_conv_plan **plan);
    void (*conv_destroy)(srq_conv_plan **plan);
    /* Takes the weights [out][in][kernel 0][kernel 1] into the plan's own order, once for each step. */
    void (*conv_pack)(srq_conv_plan *plan, const srq_operand *weights);
    /* y = x * w, for n <= capacity images. y is float32. */
    void (*conv_forward)(srq_conv_plan *plan, int n, const srq_operand *x, float *y);
    /* dx from dy, float32 both. */
    void (*conv_backward_data)(srq_conv_plan *plan, int n, const float *dy, float *dx);
    /* dw, overwritten: the gradient for scale * element of the weights, as many floats as weights but in the plan's
     * own order, so that shards are summed before anything is transposed. */
    void (*conv_backward_weights)(srq_conv_plan *plan, int n, const srq_operand *x, const float *dy, float *dw);
    /* That gradient, once summed, into the weights' order [out][in][kernel 0][kernel 1]; once for each step. */
    void (*conv_unpack)(const srq_conv_plan *plan, const float *packed, float *dw);
} srq_kernels;

/* Plain C and OpenBLAS; what every other back end is tested against. */
extern const srq_kernels srq_kernels_reference;

/* One BLAS thread, whatever the environment says: results must not depend on it. Called by srq_graph_create. */
void srq_kernels_pin_threads(void);

#endif
