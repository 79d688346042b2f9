/* Weights from another file, for fine-tuning (train.init). */
#ifndef SRQ_IO_WEIGHTS_H
#define SRQ_IO_WEIGHTS_H

#include "core/graph.h"

#include <stdio.h>

/* Reads what a network computes with, weights, biases, and batch-norm scales, shifts and statistics, but no step sizes,
 * into the graph. `path` is a checkpoint of any network, or any HDF5 file of float tensors such as h5py writes. Tensors
 * are found by name and must have the parameter's shape; in names "/" and "." are one ("conv1/weight",
 * "conv1.weight"), and batch-norm may have PyTorch's (weight, bias, running_mean, running_var).
 *
 * Every parameter must be in the file and every tensor of the file must be used, unless `partial`: then what fits is
 * taken and the rest of the graph stays as it is, but something must fit. SRQ_ERROR_DATA names what does not; the graph
 * is not to be used then.
 *
 * `notes` gets a line, and where something did not fit the list of what matched and what did not; NULL for silence. */
srq_status srq_weights_read(const char *path, bool partial, srq_graph *graph, FILE *notes);

/* Writes such a file, atomically: format "srq-weights" version 1, the tensors under /layers, with the digest of its
 * content (io/h5.h), without which srq_weights_read does not take it. */
#define SRQ_WEIGHTS_FORMAT "srq-weights"
srq_status srq_weights_write(const char *path, const srq_graph *graph, long step);

#endif
