/* From a deployed network (core/deploy.h) to an ONNX model: what all styles of the formats onnx and qonnx share. A
 * style adds the operations whose inputs or outputs are codes.
 *
 * Activations are [N][C][H][W], or, after a dense layer, [N][C]. */
#ifndef SRQ_IO_ONNX_LOWER_H
#define SRQ_IO_ONNX_LOWER_H

#include "io/export.h"
#include "io/onnx_model.h"

typedef struct srq_lowering srq_lowering;

/* Adds the current operation, and returns the name of its output; NULL after a failure. */
typedef const char *srq_lower_op(srq_lowering *lowering, const srq_deploy_op *op);

typedef struct srq_lower_style {
    const char *name; /* "onnx", in messages */
    int opset;
    const char *domain;   /* of other operators; NULL: none */
    srq_onnx_type pixels; /* of the images: uint8, or float32 with the same numbers */
    int batch;            /* number of images, or 0 for any */
    bool exact;           /* averages are sums in the order of srq */
    bool two_bits;        /* weights of at most 2 bits are stored in 2 */
    srq_lower_op *conv, *quantize, *dequantize;
    srq_lower_op *affine; /* NULL: Mul and Add */
} srq_lower_style;

struct srq_lowering {
    const srq_lower_style *style;
    const srq_deploy *net;
    srq_onnx *model;
    const char *image;     /* the normalized images, float32 */
    const char **values;   /* [op_count]: the tensors of outputs */
    bool *flat;            /* [op_count]: they are [N][C] */
    const char *digits[4]; /* of X, in the style that adds integers; NULL before they are used */
    int at;                /* the current operation */
    srq_status status;
};

/* Lowers the network and writes the file. SRQ_ERROR_USAGE, with the layer, for what the format cannot hold. */
srq_status srq_lower_write(const srq_export_request *request, const srq_lower_style *style, const char *path);

/* --- For styles */

/* A name for a tensor of the current operation: "conv1/Conv_3" and `suffix`. Returns `out`. */
enum { SRQ_LOWER_NAME = 128 };
char *srq_lower_name(const srq_lowering *lowering, const char *suffix, char out[SRQ_LOWER_NAME]);
/* The tensor of input k of an operation, as [N][C][H][W] or as [N][C H W]. */
const char *srq_lower_input(srq_lowering *lowering, const srq_deploy_op *op, int k, bool flat);
/* Whether that tensor is [N][C] as it is. */
bool srq_lower_is_flat(const srq_lowering *lowering, int index);
/* Sets the attributes of a window for the last node: kernel_shape, strides, pads. */
void srq_lower_window(srq_lowering *lowering, const srq_deploy_op *op);
/* Multiplies `x` by a[c] and adds b[c]; factors of 1 and summands of 0 are left out. */
const char *srq_lower_affine(srq_lowering *lowering, const char *x, bool flat, int channels, const float *a,
                             const float *b);
/* An array [channels] as a constant that is broadcast to all places. */
const char *srq_lower_channels(srq_lowering *lowering, const char *suffix, bool flat, int channels,
                               const float *values);

#endif
