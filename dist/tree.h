/* The fixed tree along which shards are summed (architecture.md, idea 3).
 *
 * Leaves are the V logical shards. Node (level l, index i) is the sum of leaves [i 2^l, (i+1) 2^l) below V, taken as
 * left child plus right child; a right child without leaves is left out. The sum does not depend on who holds which
 * leaf. A rank holds a run of neighbouring shards; whatever nodes lie inside it are summed there. */
#ifndef SRQ_DIST_TREE_H
#define SRQ_DIST_TREE_H

enum { SRQ_TREE_NODES_MAX = 64 }; /* nodes that a run of shards leaves, at most 2 log2 V */

typedef struct srq_tree_node {
    int level;
    long index;
} srq_tree_node;

/* Nodes still to be joined, in the order of their leaves. */
typedef struct srq_tree {
    long leaves; /* V */
    int count;
    srq_tree_node nodes[SRQ_TREE_NODES_MAX];
} srq_tree;

void srq_tree_create(srq_tree *tree, long leaves);
/* Appends a node whose leaves follow those of the last one. */
void srq_tree_push(srq_tree *tree, srq_tree_node node);
/* Joins the last two nodes if they are siblings: returns 1, and the caller adds the last one's sum to the one before.
 * Returns 0 when there is nothing left to join. Call it until then after every push. */
int srq_tree_join(srq_tree *tree);

/* The shards of `rank`: [*first, *last). Ranks get floor or ceil of shards / ranks of them, in order. */
void srq_tree_range(long shards, int ranks, int rank, long *first, long *last);

/* The sum of values[0], values[stride], ... along the tree. */
double srq_tree_sum(long leaves, const double *values, int stride);

#endif
