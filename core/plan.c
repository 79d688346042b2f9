#include "core/plan.h"

#include <stdbool.h>
#include <stdlib.h>

static size_t rounded(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* Orders by size, largest first. Equal sizes are ordered by their place in the list, so that the plan is always the
 * same. */
static int compare(const void *a, const void *b)
{
    const srq_buffer *x = *(srq_buffer *const *)a, *y = *(srq_buffer *const *)b;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool meet(const srq_buffer *a, const srq_buffer *b)
{
    return a->birth <= b->death && b->birth <= a->death;
}

/* The lowest offset at which `buffer` overlaps with none of the buffers `placed`. */
static size_t find_place(const srq_buffer *buffer, srq_buffer *const *placed, int count)
{
    size_t offset = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const srq_buffer *other = placed[i];
            if (!meet(buffer, other) || offset >= other->offset + rounded(other->bytes) ||
                other->offset >= offset + rounded(buffer->bytes))
                continue;
            offset = other->offset + rounded(other->bytes);
            moved = true;
        }
    }
    return offset;
}

srq_status srq_plan_buffers(srq_buffer *buffers, int count, size_t *total)
{
    *total = 0;
    if (count == 0) return SRQ_OK;
    srq_buffer **order = malloc((size_t)count * sizeof *order);
    if (!order) return srq_fail_memory((size_t)count * sizeof *order, "the memory plan");
    for (int i = 0; i < count; i++) order[i] = &buffers[i];
    qsort(order, (size_t)count, sizeof *order, compare);
    for (int i = 0; i < count; i++) {
        order[i]->offset = find_place(order[i], order, i);
        size_t end = order[i]->offset + rounded(order[i]->bytes);
        if (end > *total) *total = end;
    }
    free(order);
    return SRQ_OK;
}
