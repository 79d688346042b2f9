#include "dist/tree.h"

void srq_tree_create(srq_tree *tree, long leaves)
{
    tree->leaves = leaves;
    tree->count = 0;
}

/* A left child without a sibling equals its parent, so it takes the parent's place. */
static void promote(const srq_tree *tree, srq_tree_node *node)
{
    while (node->index % 2 == 0 && ((node->index + 1) << node->level) >= tree->leaves &&
           (1L << node->level) < tree->leaves) {
        node->index /= 2;
        node->level++;
    }
}

void srq_tree_push(srq_tree *tree, srq_tree_node node)
{
    promote(tree, &node);
    tree->nodes[tree->count++] = node;
}

int srq_tree_join(srq_tree *tree)
{
    if (tree->count < 2) return 0;
    srq_tree_node *left = &tree->nodes[tree->count - 2], *right = &tree->nodes[tree->count - 1];
    if (left->level != right->level || left->index % 2 != 0 || right->index != left->index + 1) return 0;
    left->index /= 2;
    left->level++;
    promote(tree, left);
    tree->count--;
    return 1;
}

void srq_tree_range(long shards, int ranks, int rank, long *first, long *last)
{
    *first = shards * rank / ranks;
    *last = shards * (rank + 1) / ranks;
}

double srq_tree_sum(long leaves, const double *values, int stride)
{
    srq_tree tree;
    double sums[SRQ_TREE_NODES_MAX];
    srq_tree_create(&tree, leaves);
    for (long leaf = 0; leaf < leaves; leaf++) {
        srq_tree_push(&tree, (srq_tree_node){.level = 0, .index = leaf});
        sums[tree.count - 1] = values[leaf * stride];
        while (srq_tree_join(&tree)) sums[tree.count - 1] += sums[tree.count];
    }
    return sums[0];
}
