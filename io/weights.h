/* Reads weights from another file, for fine-tuning (train.init). */
#ifndef SRQ_IO_WEIGHTS_H
#define SRQ_IO_WEIGHTS_H

#include "core/graph.h"

#include <stdio.h>

/* Reads weights, biases, and batch-norm scales, shifts and statistics into the graph, but not step sizes. `path` is a
 * checkpoint of any network, or any HDF5 file of float tensors, for example one written by h5py. Tensors are found by
 * name, and must have the shape of the parameter. "/" and "." in names are equivalent ("conv1/weight", "conv1.weight"),
 * and batch-norm can have PyTorch's names (weight, bias, running_mean, running_var).
 *
 * All parameters must be in the file, and all tensors of the file must be used. With `partial`, the tensors that fit
 * are read and other parameters stay unchanged; at least one must fit. The message of SRQ_ERROR_DATA names what does
 * not fit; do not use the graph then.
 *
 * `notes` gets a summary line and, if something did not fit, a list of all tensors. It may be NULL. */
srq_status srq_weights_read(const char *path, bool partial, srq_graph *graph, FILE *notes);

/* Writes such a file, atomically: format "srq-weights" version 1, with the tensors under /layers and a digest of the
 * content (io/h5.h), which srq_weights_read requires. */
#define SRQ_WEIGHTS_FORMAT "srq-weights"
srq_status srq_weights_write(const char *path, const srq_graph *graph, long step);

#endif
