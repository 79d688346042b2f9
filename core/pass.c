#include "core/pass.h"

#include "core/memory.h"

#include <stdlib.h>

srq_status srq_pass_create(const srq_network *network, srq_pass *pass)
{
    /* One cache line more than planned, so that a vector read at the end of a buffer stays inside the block. */
    const size_t scratch = (network->pass_size + 64 + 63) / 64 * 64, bytes = scratch + network->scratch_size + 64;
    *pass = (srq_pass){.vector = network->vector, .values = network->values, .bad = -1, .memory = srq_memory(bytes)};
    if (!pass->memory) return srq_fail_memory(bytes, "activations");
    pass->scratch = pass->memory + scratch;
    return SRQ_OK;
}

void srq_pass_free(srq_pass *pass)
{
    free(pass->memory);
    pass->memory = NULL;
}
