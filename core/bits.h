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

/* Whether the gates of this layer decide its bit-length, in the present stage of its schedule. */
bool srq_layer_learns_bits(const srq_layer *layer);

/* Two measures of a network's bit-lengths. `bops` false: the mean bit-length over all weights that masks keep; 32 for
 * weights that are not quantized. `bops` true: the bit operations of one image, the sum of MACs x weight bits x
 * activation bits over kept weights, divided by that of the whole network with every quantized tensor at 8 bits.
 *
 * Expected: in a training step, where gates are drawn at random (srq_gates_mean_bits). */
double srq_graph_expected(const srq_graph *graph, bool bops);
/* Evaluated: with the whole bit-lengths that the gates select (srq_gates_bits). */
double srq_graph_evaluated(const srq_graph *graph, bool bops);
/* One bit more in a layer adds the quotient of these two to a measure. */
double srq_layer_bits_size(const srq_graph *graph, const srq_layer *layer, bool bops);
double srq_graph_bits_whole(const srq_graph *graph, bool bops);
/* The range of a measure: with every learned bit-length and every
 * schedule at its minimum, and at its maximum. */
void srq_graph_bits_range(const srq_graph *graph, bool bops, double *least, double *most);

#endif
