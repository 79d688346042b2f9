/* Plans memory: places buffers with known lifetimes in one block. */
#ifndef SRQ_CORE_PLAN_H
#define SRQ_CORE_PLAN_H

#include "core/status.h"

#include <stddef.h>

/* A buffer. It is used from time `birth` to time `death`, both included. */
typedef struct srq_buffer {
    size_t bytes;
    int birth, death;
    size_t offset; /* the result, a multiple of 64 */
} srq_buffer;

/* Sets the offset of every buffer, so that buffers that are used at the same time do not overlap. *total is the size of
 * the block. The largest buffers are placed first, each at the lowest free offset. For networks, the result is within a
 * few percent of the minimum. */
srq_status srq_plan_buffers(srq_buffer *buffers, int count, size_t *total);

#endif
