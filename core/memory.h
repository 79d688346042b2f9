/* Allocation of large arrays. */
#ifndef SRQ_CORE_MEMORY_H
#define SRQ_CORE_MEMORY_H

#include <stddef.h>

/* Allocates at least `bytes` bytes (may be 0), aligned to 64 bytes, not cleared. NULL if there is no memory. Free it
 * with free(). Large blocks use huge pages if the system allows it: a step reads hundreds of megabytes, and with small
 * pages VGG-7 spends about 4 % of its time on page lookups (docs/engine.md). */
void *srq_memory(size_t bytes);
/* The same, filled with zeros. */
void *srq_memory_zeros(size_t bytes);

#endif
