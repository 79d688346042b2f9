/* A deployed network: what is left of a trained network when only its predictions are needed. It is a flat list of
 * operations on integer codes and float32 numbers, without quantizers to be trained, batch-norm statistics, or
 * shadow weights. Every format of `srq export` is written from it, and srq_deploy_run (below) defines what they
 * compute.
 *
 * Activations are channels-last, [height][width][channels], of one image. The operations are in the order of
 * evaluation. An operation reads outputs of earlier ones, and the last one gives the logits.
 *
 * What is computed, in an order that any machine can follow:
 *   - float32 operations are IEEE 754 single operations, rounded to nearest, ties to even, one after another as written
 *     below. A product and a sum are two operations; they must not be contracted to a fused multiply-add.
 *   - A sum of codes is an integer and exact. It is converted to float32 at the end, with one rounding.
 *   - Images. A convolution of an image with integer weights is an exact integer sum as well: the normalized pixel x,
 *     float32, becomes the integer X = rint(x 2^fraction) (ties to even, at most 2^30 in magnitude), the sum of X times
 *     codes has 64 bits, and the result is that sum, rounded to float32, times 2^-fraction.
 *   - A sum of products of which one factor is not an integer is a float64 sum of products, which are exact in float64,
 *     in the order [kernel 0][kernel 1][input channel] of the places inside the image, beginning with 0. It is rounded
 *     to float32 once.
 * Everything else is what evaluation computes, bit for bit: sums of integers, scales, folded batch-norm, clipping,
 * pooling, rounding to codes (srq_graph_set_fraction tells evaluation the fraction of the images). With a fraction of
 * 28, X loses at most 2^-29 of a pixel, which is less than float32 loses.
 *
 * Only where a factor is not an integer, evaluation differs: it adds float32 products in an order that its kernels
 * choose for the CPU. So outputs of such convolutions differ from evaluation by its rounding errors, about 1e-7 of
 * their magnitude. If an activation lies that close to a border between two codes, its code can differ by 1. */
#ifndef SRQ_CORE_DEPLOY_H
#define SRQ_CORE_DEPLOY_H

#include "core/spec.h"
#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/* The input of an operation that reads the images. */
enum { SRQ_DEPLOY_IMAGES = -1, SRQ_DEPLOY_FRACTION_MAX = 30 };

typedef enum srq_deploy_kind {
    /* Sums of products with weights [out][in / groups][kernel 0][kernel 1], zero padding, without scales and bias. The
     * factors are:
     *     input    codes of a uniform grid (not their values); values of codes of other grids; float32; images
     *     weights  codes of a uniform grid (not their values); values of codes of other grids; float32
     * A dense layer is a convolution whose kernel covers the whole input. */
    SRQ_DEPLOY_CONV,
    SRQ_DEPLOY_AFFINE,     /* a[c] x + b[c]: scales and bias of a convolution, with batch-norm folded into them */
    SRQ_DEPLOY_CLIP,       /* x < low ? low : x, then > high ? high; high is INFINITY without a ceiling */
    SRQ_DEPLOY_LEAKY,      /* x < 0 ? slope x : x */
    SRQ_DEPLOY_SIGMOID,    /* srq_deploy_sigmoid */
    SRQ_DEPLOY_MAX_POOL,   /* of floats or codes; padding is ignored */
    SRQ_DEPLOY_AVG_POOL,   /* 0 + x + ... row by row, padding left out, times 1.0f / (kernel 0 * kernel 1) */
    SRQ_DEPLOY_ADD,        /* x0 + x1 + ... */
    SRQ_DEPLOY_CONCAT,     /* along the channels */
    SRQ_DEPLOY_QUANTIZE,   /* the code nearest to x / scale (core/quant/points.h) */
    SRQ_DEPLOY_DEQUANTIZE, /* the value of a code: scale * (float)code, or scale * point */
    SRQ_DEPLOY_KINDS
} srq_deploy_kind;

/* A grid of codes min..max of `bits` bits. */
typedef struct srq_deploy_grid {
    int bits, min, max; /* bits 0: there are no codes */
    float *points;      /* [max - min + 1]: the value of a code is scale * its point; NULL, a uniform grid: scale * code
                         */
} srq_deploy_grid;

typedef struct srq_deploy_tensor {
    int height, width, channels;
    srq_deploy_grid grid; /* bits 0: the tensor is float32 */
    float scale;          /* of codes */
} srq_deploy_tensor;

typedef struct srq_deploy_weights {
    size_t count;
    srq_deploy_grid grid; /* bits 0: `floats` */
    int8_t *codes;        /* [count], or NULL */
    float *floats;        /* [count], or NULL */
    int scales;           /* number of scales: 1 or out for codes, 0 for floats */
    float *scale;
    uint8_t *mask; /* core/mask.h, or NULL: a weight that is not kept is 0 in every sum, whatever its code */
    size_t kept;   /* number of kept weights */
} srq_deploy_weights;

typedef struct srq_deploy_op {
    srq_deploy_kind kind;
    char name[SRQ_NAME_SIZE]; /* of the layer that it is made of; several operations can be made of one */
    int input_count;
    int inputs[SRQ_INPUTS_MAX]; /* indices of earlier operations, or SRQ_DEPLOY_IMAGES */
    srq_deploy_tensor output;
    /* CONV and pools: */
    int kernel[2], stride[2], padding[2];
    /* CONV: */
    int groups;
    bool dense; /* a dense layer */
    srq_deploy_weights weights;
    /* AFFINE, [channels] each: */
    float *a, *b;
    float low, high; /* CLIP */
    float slope;     /* LEAKY */
} srq_deploy_op;

/* How images become the input: x = (float)pixel * multiply[channel] + add[channel], and where they come from. */
typedef struct srq_deploy_input {
    int height, width, channels;
    float *multiply, *add; /* [channels] */
    int fraction;          /* of X, above: 0 to SRQ_DEPLOY_FRACTION_MAX */
    int resize;            /* the length to which evaluation resizes the short side of images of other sizes; 0: so that
                              they just cover the input, if the images of the training were of one size */
    int classes;
    char **class_names;   /* [classes] */
    char data_name[64];   /* of the data set of training, and ... */
    char data_sha256[65]; /* ... the digest of its source */
} srq_deploy_input;

typedef struct srq_deploy {
    char model[SRQ_NAME_SIZE], method[16]; /* quantizer.method */
    long step;                             /* of the checkpoint */
    srq_deploy_input input;
    int op_count;
    srq_deploy_op *ops;
} srq_deploy;

void srq_deploy_destroy(srq_deploy **net);
/* Frees the arrays of an operation. */
void srq_deploy_free_op(srq_deploy_op *op);

/* Checks a network that was read from a file: SRQ_ERROR_DATA with the first thing that is wrong, such as an input that
 * is not an earlier operation, a shape that does not follow from the inputs, a code outside of its grid, or a number
 * that is not finite. A network that passes can be run and written. */
srq_status srq_deploy_check(const srq_deploy *net);

/* The name of a kind: "Conv", "MaxPool". */
const char *srq_deploy_kind_name(srq_deploy_kind kind);
/* The output of an operation or the images (SRQ_DEPLOY_IMAGES) as a tensor. */
srq_deploy_tensor srq_deploy_tensor_at(const srq_deploy *net, int index);
size_t srq_deploy_size(const srq_deploy_tensor *tensor); /* height * width * channels */
/* Whether a convolution adds integers. */
bool srq_deploy_is_integer(const srq_deploy *net, const srq_deploy_op *conv);
/* A bound of the magnitude of the sums of a convolution that adds integers. */
double srq_deploy_most(const srq_deploy *net, const srq_deploy_op *conv);
/* The value of weight `index`, as a factor of the sums: an integer for codes of a uniform grid. */
float srq_deploy_weight(const srq_deploy_op *conv, size_t index);
/* The value of a code of a tensor. */
float srq_deploy_value(const srq_deploy_tensor *tensor, int code);
/* The code of a float. */
int srq_deploy_code(const srq_deploy_tensor *tensor, float x);
float srq_deploy_sigmoid(float x);
/* Normalized pixels, and their integers X. */
float srq_deploy_pixel(const srq_deploy_input *input, int channel, uint8_t pixel);
int32_t srq_deploy_fixed(const srq_deploy_input *input, float x);
/* The number of fraction bits of X for pixels that become (float)pixel * multiply[c] + add[c]: as many as leave every X
 * at most 2^30 in magnitude, and at most SRQ_DEPLOY_FRACTION_MAX. -1 if even integers are larger than that. */
int srq_deploy_fraction(const float *multiply, const float *add, int channels);
/* Multiply-accumulates of one image. */
double srq_deploy_macs(const srq_deploy_op *conv);
/* --- Packed weights: codes at their bit-length one after another, the first in the lowest bits of the first byte, in
 * two's complement, or float32. With a mask, only the weights that it keeps are packed if the mask and they are
 * smaller than all, or if a code 0 would not be the value 0. */
bool srq_deploy_packs_mask(const srq_deploy_weights *weights);
/* The size in bytes, without the mask. */
size_t srq_deploy_packed_size(const srq_deploy_weights *weights);
void srq_deploy_pack(const srq_deploy_weights *weights, uint8_t *packed);
/* The inverse: fills `codes` or `floats`. Weights that are not kept become 0. */
void srq_deploy_unpack(const uint8_t *packed, srq_deploy_weights *weights);
/* Field `index` of `bits` bits; bytes that are written must be 0 before. */
void srq_deploy_put_code(uint8_t *packed, size_t index, int bits, int code);
int srq_deploy_get_code(const uint8_t *packed, size_t index, int bits);

/* The interpreter, for one image at a time; several can run over one network, each in its own thread. */
typedef struct srq_deploy_runner srq_deploy_runner;
srq_status srq_deploy_runner_create(const srq_deploy *net, srq_deploy_runner **runner);
void srq_deploy_runner_destroy(srq_deploy_runner **runner);
/* From normalized pixels image[height][width][channels] to logits[classes]. */
void srq_deploy_run(srq_deploy_runner *runner, const float *image, float *logits);
/* After a run: the floats of operation `index`, or its codes. NULL if it has the other. */
const float *srq_deploy_floats(const srq_deploy_runner *runner, int index);
const int16_t *srq_deploy_codes(const srq_deploy_runner *runner, int index);

#endif
