/* Learning bit-lengths (method.md, section 5) and what a network's bit-lengths cost. */
#ifndef SRQ_CORE_BITS_H
#define SRQ_CORE_BITS_H

#include "core/graph.h"

/* Bits of what a layer reads: those of the quantizer that gives it, looked for through layers that only choose among
 * values (max-pool); 32 for images and everything else. */
int srq_graph_input_bits(const srq_graph *graph, const srq_layer *layer);

/* Which bit-lengths were in force when: every change, the start included, in order. */
typedef struct srq_bits_change {
    long step;
    int layer; /* index in the graph */
    int bits;  /* in evaluation: of a layer that learns its own, what its gates stand for */
} srq_bits_change;

typedef struct srq_bits_history {
    int count, room;
    srq_bits_change *changes;
} srq_bits_history;

/* Adds the layers whose bit-length is not the last one noted. */
srq_status srq_bits_history_note(srq_bits_history *history, const srq_graph *graph, long step);
srq_status srq_bits_history_add(srq_bits_history *history, srq_bits_change change);
void srq_bits_history_free(srq_bits_history *history);

/* Which share w_l of the penalty a layer has: 1, its share of the gated weights, or of their bit operations. */
typedef enum srq_penalty_weights { SRQ_PENALTY_UNIFORM, SRQ_PENALTY_PARAMS, SRQ_PENALTY_BOPS } srq_penalty_weights;

/* Adds lambda * sum_l w_l sum_c P(Z_c != 0) to the loss: its gradient to the gates' logits. Returns the penalty, 0
 * for a network whose bit-lengths are not learned. */
double srq_graph_penalize(const srq_graph *graph, srq_penalty_weights weights, double lambda, float *gradient);

/* The mean bit-length of the weights under their gates (srq_gates_mean_bits), or as they are without gates, over all
 * weights of the network, 32 where they are not quantized. */
double srq_graph_mean_bits(const srq_graph *graph);
/* Bit operations of one image, sum of MACs x weight bits x activation bits, with the bit-lengths as above, as a share
 * of the same network with every quantized tensor at 8 bits. */
double srq_graph_relative_bops(const srq_graph *graph);
/* Between which values the one (or, `bops`, the other) can be: every learned bit-length at its least and at its most,
 * every schedule at its shortest and at its longest. */
void srq_graph_bits_range(const srq_graph *graph, bool bops, double *least, double *most);

#endif
