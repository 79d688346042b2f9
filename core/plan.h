/* Places buffers that live for a known time into one block of memory. */
#ifndef SRQ_CORE_PLAN_H
#define SRQ_CORE_PLAN_H

#include "core/status.h"

#include <stddef.h>

/* One buffer: used from `birth` to `death`, both included. */
typedef struct srq_buffer {
    size_t bytes;
    int birth, death;
    size_t offset; /* the answer, a multiple of 64 */
} srq_buffer;

/* Gives every buffer an offset so that no two of them share a byte at one time; *total is the size of the block.
 * Largest first, each at the lowest place that is free: within a few percent of the least for networks. */
srq_status srq_plan_buffers(srq_buffer *buffers, int count, size_t *total);

#endif
