#include "core/pass.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

srq_status srq_pass_create(const srq_network *network, srq_pass *pass)
{
    /* One cache line more than planned, so that a vector read at the end of a buffer stays inside the block. */
    const size_t bytes = network->pass_size + 64;
    *pass = (srq_pass){.vector = network->vector,
                       .values = network->values,
                       .slices = 1,
                       .shard = pass,
                       .bad = -1,
                       .memory = srq_memory(bytes)};
    return pass->memory ? SRQ_OK : srq_fail_memory(bytes, "activations");
}

void srq_pass_free(srq_pass *pass)
{
    free(pass->memory);
    pass->memory = NULL;
}

void srq_pass_total(const srq_pass *pass, size_t place, size_t offset, size_t count, double *to)
{
    const int slices = pass->slices;
    const double *parts[SRQ_SLICES_MAX];
    double sums[SRQ_SLICES_MAX] = {0};
    for (int s = 0; s < slices; s++) parts[s] = (const double *)srq_pass_at(&pass->shard[s], place) + offset;
    for (size_t i = 0; i < count; i++) {
        for (int s = 0; s < slices; s++) sums[s] = parts[s][i];
        for (int width = 1; width < slices; width *= 2)
            for (int s = 0; s + width < slices; s += 2 * width) sums[s] += sums[s + width];
        to[i] = sums[0];
    }
}
