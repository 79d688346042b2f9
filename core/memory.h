/* Large blocks of memory for numbers. */
#ifndef SRQ_CORE_MEMORY_H
#define SRQ_CORE_MEMORY_H

#include <stddef.h>

/* At least `bytes` bytes (0 is fine), aligned to 64, not cleared; NULL if there is no memory. Freed by free(). Large
 * blocks are put on huge pages where the system grants them: a step reads hundreds of megabytes, and looking up small
 * pages costs VGG-7 about 4 % of it (docs/engine.md). */
void *srq_memory(size_t bytes);
/* The same, all zeros. */
void *srq_memory_zeros(size_t bytes);

#endif
