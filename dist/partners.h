/* For the files of dist/ only: which rank of a node exchanges messages with which rank of another node.
 *
 * Every rank d of another node is served by one rank of this node: the one whose number in its node is that of d in its
 * own, modulo the number of ranks here. So every slice crosses once, and the ranks of a node share the work. */
#ifndef SRQ_DIST_PARTNERS_H
#define SRQ_DIST_PARTNERS_H

#include "dist/comm.h"

/* The rank of node `other` that serves this rank. */
int srq_partners_of(const srq_node *node, int other);
/* The ranks of node `other` that this rank serves: *first, *first + node->size, ... below *end. */
void srq_partners_served(const srq_node *node, int other, int *first, int *end);
/* Other nodes, beginning with the right neighbour, so that not all send to the same one at once: i = 1 to count - 1. */
int srq_partners_node(const srq_node *node, int i);

#endif
