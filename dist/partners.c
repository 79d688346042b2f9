#include "dist/partners.h"

int srq_partners_of(const srq_node *node, int other)
{
    const int first = node->begin[other];
    return first + node->member % (node->begin[other + 1] - first);
}

void srq_partners_served(const srq_node *node, int other, int *first, int *end)
{
    *first = node->begin[other] + node->member;
    *end = node->begin[other + 1];
}

int srq_partners_node(const srq_node *node, int i)
{
    return (node->index + i) % node->count;
}
