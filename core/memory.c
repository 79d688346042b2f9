#include "core/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* A huge page, and from where on a block is worth some. */
enum { LINE = 64, PAGE = 2 << 20, LARGE = 2 * PAGE };

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes / to + (bytes % to != 0)) * to;
}

void *srq_memory(size_t bytes)
{
    if (bytes < LARGE) return aligned_alloc(LINE, bytes ? round_up(bytes, LINE) : LINE);
    void *block = aligned_alloc(PAGE, round_up(bytes, PAGE));
    /* Advice: without huge pages it works as well, only slower. The last page stays small, as it may be mostly empty.
     */
    if (block) (void)madvise(block, bytes / PAGE * PAGE, MADV_HUGEPAGE);
    return block;
}

void *srq_memory_zeros(size_t bytes)
{
    void *block = srq_memory(bytes);
    if (block) memset(block, 0, bytes);
    return block;
}
