#include "core/random.h"
#include "dist/comm.h"
#include "io/dataset.h"

#include <stdio.h>

int main(void)
{
    const uint32_t counter[4] = {0}, key[2] = {0};
    uint32_t out[4];
    srq_philox(counter, key, out);
    printf("%08x\n", (unsigned)out[0]);
    srq_dataset *dataset = NULL;
    srq_comm *comm = NULL;
    return srq_dataset_load("none.h5", 0, &dataset) != SRQ_ERROR_DATA || srq_comm_create(false, &comm) != SRQ_OK;
}
