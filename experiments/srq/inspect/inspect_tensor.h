/* srq inspect CHECKPOINT TENSOR, and --tensors: single data sets, of which nothing is believed but what HDF5 says, so
 * that checkpoints that no network can use are looked into as well. */
#ifndef SRQ_EXPERIMENTS_INSPECT_INSPECT_TENSOR_H
#define SRQ_EXPERIMENTS_INSPECT_INSPECT_TENSOR_H

#include "core/status.h"

#include <stdbool.h>

/* Statistics of one tensor, and a histogram: for quantized weights over their codes. */
srq_status srq_inspect_tensor(const char *path, const char *name, bool json);
/* A line for each. */
srq_status srq_inspect_tensors(const char *path, bool json);

#endif
