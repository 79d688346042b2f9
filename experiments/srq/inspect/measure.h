/* Measures of a network: bits, codes in use, quantization error, packed size, and operations of one image.
 *
 * Packed size is what a deployed network takes: weights at their bit-length, each tensor in whole bytes; step sizes,
 * biases, batch-norm scales, shifts and statistics as float32; no noise scales, which only training reads. Weights
 * under a mask (core/mask.h) are packed as the mask, a bit for each, and the kept ones at their bit-length, where that
 * is less.
 *
 * MACs are multiply-accumulates of convolutions and dense layers for one image, biases left out. BOPs (bit operations)
 * are MACs x bits of the weight x bits of the activation, with 32 for what is not quantized: images, and everything in
 * a float32 network. This is the count of "Bayesian Bits" (van Baalen et al., arXiv 2005.07093); that of UNIQ (Baskin
 * et al., arXiv 1804.10969), where BOPs come from, has the same product and adds the additions of the accumulator.
 * A weight that a mask does not keep makes no MAC and no BOP; the figures of comparison (float32, 8/8) are those of the
 * whole network. */
#ifndef SRQ_EXPERIMENTS_INSPECT_MEASURE_H
#define SRQ_EXPERIMENTS_INSPECT_MEASURE_H

#include "core/bits.h"
#include "core/graph.h"

#include <stdio.h>

/* Values of one parameter that holds a tensor's step sizes or noise scales: one, or one for each output channel. */
typedef struct srq_range {
    size_t count; /* 0: there is none, and min and max mean nothing */
    float min, max;
} srq_range;

/* One layer that holds parameters or quantizes an activation. */
typedef struct srq_layer_measures {
    const srq_layer *layer;
    size_t weights, kept;        /* of a convolution or dense layer, else 0; those that its mask keeps, all without */
    int weight_bits, input_bits; /* of a layer with weights: its own, and those of the activation it reads; 32 each
                                    where not quantized */
    srq_range alpha, sigma;      /* of the weights' quantizer or of the activation's */
    int codes, codes_used;       /* grid points of quantized weights, and those that some weight is on; else 0 */
    double zeros;                /* share of weights whose value on the grid (their own, if not quantized) is 0 */
    double error;                /* |w - value on the grid|^2 / |w|^2 over the weights w; 0 if not quantized */
    double bytes, float32_bytes; /* packed, and with nothing quantized */
    size_t macs;
    double bops, float32_bops;   /* float32: 32 x 32 */
    double w8a8_bops;            /* the same network with each quantized tensor at 8 bits */
    int gates;                   /* of DropBits in force */
    double open[SRQ_LEVELS_MAX]; /* their probabilities S(phi) */
} srq_layer_measures;

typedef struct srq_measures {
    int count;
    srq_layer_measures *layers; /* [count], in the network's order */
    bool masked;                /* some layer has a mask */
    size_t weights, kept, macs; /* from here on: sums over layers */
    double bytes, float32_bytes;
    double bops, float32_bops, w8a8_bops;
    double mean_bits; /* bit-length of a weight, averaged over weights that are kept */
    double zeros;     /* share of all weights */
    /* Private: */
    const srq_graph *graph;
    uint8_t *scratch;
} srq_measures;

/* Measures a prepared graph (srq_graph_prepare), which must live as long. SRQ_ERROR_RUN without memory. The caller
 * destroys *measures. */
srq_status srq_measures_create(const srq_graph *graph, srq_measures **measures);
/* Measures the graph again, as it is now: prepared after its last change. Allocates nothing. */
void srq_measures_update(srq_measures *measures);
void srq_measures_destroy(srq_measures **measures);

/* "512x1024" of weights, "4x4x64" of an activation, into `out`. */
void srq_measures_shape(const srq_layer_measures *layer, const srq_graph *graph, char *out, size_t size);
/* Members of a JSON object, without its braces: totals, and "layers", a list whose objects each come after
 * `separator`. */
void srq_measures_print_json(const srq_measures *measures, const char *separator, FILE *out);

/* Signal to quantization noise in decibels, -10 log10(error); the error must not be 0. */
double srq_measures_decibels(double error);

#endif
