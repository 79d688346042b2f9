/* The fixed tree along which shards are summed (architecture.md, idea 3).
 *
 * The leaves are the V logical shards. Node (level l, index i) is the sum of the leaves [i 2^l, (i+1) 2^l) below V,
 * computed as left child plus right child. A right child without leaves is omitted. The sum does not depend on which
 * rank holds which leaf. A rank holds consecutive shards, and sums all nodes that lie within them. */
#ifndef SRQ_DIST_TREE_H
#define SRQ_DIST_TREE_H

enum { SRQ_TREE_NODES_MAX = 64 }; /* nodes left of consecutive shards, at most 2 log2 V */

typedef struct srq_tree_node {
    int level;
    long index;
} srq_tree_node;

/* The nodes that are not added yet, in the order of their leaves. */
typedef struct srq_tree {
    long leaves; /* V */
    int count;
    srq_tree_node nodes[SRQ_TREE_NODES_MAX];
} srq_tree;

void srq_tree_create(srq_tree *tree, long leaves);
/* Appends a node. Its leaves must follow those of the last node. */
void srq_tree_push(srq_tree *tree, srq_tree_node node);
/* Joins the last two nodes if they are siblings, and returns 1: the caller then adds the sum of the last node to the
 * one before it. Otherwise returns 0. After every push, call it until it returns 0. */
int srq_tree_join(srq_tree *tree);

/* The shards of `rank`: [*first, *last). Each rank gets floor or ceil of shards / ranks shards, in order. */
void srq_tree_range(long shards, int ranks, int rank, long *first, long *last);

/* The sum of values[0], values[stride], ... along the tree. */
double srq_tree_sum(long leaves, const double *values, int stride);

#endif
