#include "core/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The size of a huge page, and the smallest block that uses huge pages. */
enum { LINE = 64, PAGE = 2 << 20, LARGE = 2 * PAGE };

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes / to + (bytes % to != 0)) * to;
}

void *srq_memory(size_t bytes)
{
    if (bytes < LARGE) return aligned_alloc(LINE, bytes ? round_up(bytes, LINE) : LINE);
    void *block = aligned_alloc(PAGE, round_up(bytes, PAGE));
    /* This is only advice: without huge pages, the program is slower but works. The last page stays small, because it
     * may be mostly empty.
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
