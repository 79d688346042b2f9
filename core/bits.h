/* Learned bit-lengths (method.md, section 5), and the cost of a network's bit-lengths. */
#ifndef SRQ_CORE_BITS_H
#define SRQ_CORE_BITS_H

#include "core/graph.h"

/* The bit-length of a layer's input: that of the quantizer that produces it, also through layers that only select
 * values (max-pool). 32 for images and everything else. */
int srq_graph_input_bits(const srq_graph *graph, const srq_layer *layer);
/* Whether the input of a layer comes from a layer that quantizes it, or would with another method than "float32". */
bool srq_graph_input_is_quantizable(const srq_graph *graph, const srq_layer *layer);

/* The history of bit-lengths: the initial ones and every change, in order. */
typedef struct srq_bits_change {
    long step;
    int layer; /* index of the layer in the graph */
    int bits;  /* in evaluation; for a layer that learns its bit-length, the one that its gates select */
} srq_bits_change;

typedef struct srq_bits_history {
    int count, room;
    srq_bits_change *changes;
} srq_bits_history;

/* Adds the layers whose bit-length differs from their last entry. */
srq_status srq_bits_history_note(srq_bits_history *history, const srq_graph *graph, long step);
srq_status srq_bits_history_add(srq_bits_history *history, srq_bits_change change);
void srq_bits_history_free(srq_bits_history *history);

/* The factor w_l of a layer in the penalty: 1, its share of the gated weights, or its share of their bit operations. */
typedef enum srq_penalty_weights { SRQ_PENALTY_UNIFORM, SRQ_PENALTY_PARAMS, SRQ_PENALTY_BOPS } srq_penalty_weights;

/* Adds the gradient of lambda * sum_l w_l sum_c P(Z_c != 0) to the gradients of the gates' logits. Returns the penalty,
 * which is 0 if no bit-lengths are learned. */
double srq_graph_penalize(const srq_graph *graph, srq_penalty_weights weights, double lambda, float *gradient);

/* The mean bit-length over all weights of the network: the expected one for layers with gates (srq_gates_mean_bits),
 * otherwise the fixed one; 32 for weights that are not quantized. */
double srq_graph_mean_bits(const srq_graph *graph);
/* Bit operations of one image: the sum of MACs x weight bits x activation bits, with bit-lengths as above, divided by
 * that of the same network with every quantized tensor at 8 bits. */
double srq_graph_relative_bops(const srq_graph *graph);
/* The range of the mean bit-length, or, with `bops`, of the bit operations: with every learned bit-length and every
 * schedule at its minimum, and at its maximum. */
void srq_graph_bits_range(const srq_graph *graph, bool bops, double *least, double *most);

#endif
