/* srq inspect CHECKPOINT TENSOR, and --tensors: single data sets. They rely only on HDF5, so that checkpoints that no
 * network can use can be inspected as well. */
#ifndef SRQ_EXPERIMENTS_INSPECT_INSPECT_TENSOR_H
#define SRQ_EXPERIMENTS_INSPECT_INSPECT_TENSOR_H

#include "core/status.h"

#include <stdbool.h>

/* Prints statistics of a tensor and a histogram. For quantized weights, the histogram is over their codes. */
srq_status srq_inspect_tensor(const char *path, const char *name, bool json);
/* Prints a line for each tensor. */
srq_status srq_inspect_tensors(const char *path, bool json);

#endif
