/* One copy of the weights for the ranks of a node.
 *
 * The parameters of a graph are one vector. Large weights have pages of their own (srq_parameter_has_pages). These
 * pages are the same memory in all ranks of a node. Everything else is small, and every rank has it by itself, so that
 * it can compute with it as if it were alone:
 *
 *     whole vector of the node    | 0 | conv2/weight | 1 |     dense1/weight     | 2 |
 *     values of each rank         |own| conv2/weight |own|     dense1/weight     |own|
 *
 * New weights are put into the whole vector, which is exchanged with other nodes, and then taken from it. */
#ifndef SRQ_EXPERIMENTS_TRAIN_NODE_VALUES_H
#define SRQ_EXPERIMENTS_TRAIN_NODE_VALUES_H

#include "core/graph.h"
#include "dist/node.h"

typedef struct srq_node_values {
    srq_graph *graph;
    srq_shared *shared; /* NULL: nothing is shared */
    float *whole;       /* the vector of the node; the values themselves if this rank is alone */
} srq_node_values;

/* Collective over all ranks, whose values must be equal. Moves the graph's values (srq_graph_move_values). If no ranks
 * share memory, they stay where they are. SRQ_ERROR_RUN, agreed by all ranks. The graph must outlive *values, and must
 * not be used after srq_node_values_free. */
srq_status srq_node_values_create(const srq_comm *comm, srq_graph *graph, srq_node_values *values);
void srq_node_values_free(srq_node_values *values);

/* Copies what is not shared in [begin, end) from this rank's values to the whole vector. */
void srq_node_values_put(const srq_node_values *values, size_t begin, size_t end);
/* Copies all weights that are not shared from the whole vector to this rank's values. */
void srq_node_values_take(const srq_node_values *values);

#endif
