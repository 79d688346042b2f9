/* Measures of a network: bits, codes in use, quantization error, packed size, and operations of one image.
 *
 * The packed size is the size of a deployed network: weights at their bit-length, each tensor in whole bytes; step
 * sizes, biases, and batch-norm scales, shifts and statistics as float32; no noise scales, because only training needs
 * them. Weights with a mask (core/mask.h) are packed as the mask, one bit per weight, and the kept weights at their
 * bit-length, if that is smaller.
 *
 * MACs are multiply-accumulates of convolutions and dense layers for one image, without biases. BOPs (bit operations)
 * are MACs x bits of the weight x bits of the activation. Tensors that are not quantized count 32 bits: images, and
 * everything in a float32 network. "Bayesian Bits" (van Baalen et al., arXiv 2005.07093) counts in the same way. UNIQ
 * (Baskin et al., arXiv 1804.10969), which introduced BOPs, also counts the additions of the accumulator. Weights that
 * a mask does not keep have no MACs and no BOPs. The figures for comparison (float32, 8/8) are those of the whole
 * network. */
#ifndef SRQ_EXPERIMENTS_INSPECT_MEASURE_H
#define SRQ_EXPERIMENTS_INSPECT_MEASURE_H

#include "core/bits.h"
#include "core/graph.h"

#include <stdio.h>

/* The range of a tensor's step sizes or noise scales. There is one, or one for each output channel. */
typedef struct srq_range {
    size_t count; /* 0: there are none, and min and max are undefined */
    float min, max;
} srq_range;

/* A layer that has parameters or quantizes an activation. */
typedef struct srq_layer_measures {
    const srq_layer *layer;
    size_t weights, kept; /* number of weights, and of those that the mask keeps; 0 if the layer has no weights */
    int weight_bits,
        input_bits;         /* for layers with weights: bits of the weights and of the input, 32 if not quantized */
    srq_range alpha, sigma; /* for the quantizer of weights or of the activation */
    int codes, codes_used;  /* number of codes of quantized weights, and how many of them are used; else 0 */
    double zeros;           /* share of weights whose quantized value (or value, if not quantized) is 0 */
    double error;           /* |w - quantized value|^2 / |w|^2 over the weights w; 0 if not quantized */
    double bytes, float32_bytes; /* packed size, and size without quantization */
    size_t macs;
    double bops, float32_bops;   /* float32: 32 x 32 */
    double w8a8_bops;            /* the same network with each quantized tensor at 8 bits; if it has none, with all
                                    weights and quantize layers at 8 bits */
    int gates;                   /* number of DropBits' gates */
    double open[SRQ_LEVELS_MAX]; /* their probabilities S(phi) */
} srq_layer_measures;

typedef struct srq_measures {
    int count;
    srq_layer_measures *layers; /* [count], in the network's order */
    bool masked;                /* whether any layer has a mask */
    size_t weights, kept, macs; /* from here on: sums over layers */
    double bytes, float32_bytes;
    double bops, float32_bops, w8a8_bops;
    double mean_bits; /* mean bit-length of the kept weights */
    double zeros;     /* share of all weights that are 0 */
    /* Private: */
    const srq_graph *graph;
    uint8_t *scratch;
} srq_measures;

/* Measures a prepared graph (srq_graph_prepare), which must outlive the measures. SRQ_ERROR_RUN without memory. The
 * caller destroys *measures. */
srq_status srq_measures_create(const srq_graph *graph, srq_measures **measures);
/* Measures the graph again. It must be prepared after its last change. Allocates nothing. */
void srq_measures_update(srq_measures *measures);
void srq_measures_destroy(srq_measures **measures);

/* Writes the shape to `out`: "512x1024" for weights, "4x4x64" for an activation. */
void srq_measures_shape(const srq_layer_measures *layer, const srq_graph *graph, char *out, size_t size);
/* Prints members of a JSON object, without its braces: totals, and the list "layers", with `separator` before each
 * object. */
void srq_measures_print_json(const srq_measures *measures, const char *separator, FILE *out);

/* The signal-to-quantization-noise ratio in decibels, -10 log10(error). The error must not be 0. */
double srq_measures_decibels(double error);

#endif
