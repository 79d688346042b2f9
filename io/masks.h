/* Masks of weights (core/mask.h) in HDF5 files: /layers/LAYER/weight_mask, uint8, one bit for each weight in the order
 * of the data set beside it, the first in the lowest bit; attributes `count` (weights) and `kept`. In checkpoints, and
 * in files of the format "srq-masks" that hold nothing else. */
#ifndef SRQ_IO_MASKS_H
#define SRQ_IO_MASKS_H

#include "core/prune.h"
#include "io/h5.h"

#define SRQ_MASKS_FORMAT "srq-masks"
enum { SRQ_MASKS_VERSION = 1 };

/* Writes the masks of all layers that have one. */
srq_status srq_masks_write(srq_h5_writer *writer, const srq_graph *graph);
/* Reads the masks of a checkpoint into the graph, after its values were read. A layer without a mask in the file has
 * none. SRQ_ERROR_DATA if a size or a count is wrong, or if a weight that is not kept is not 0. */
srq_status srq_masks_read(const srq_h5_reader *reader, srq_graph *graph);
/* Checks a vector with the layout of the graph's values that was read from group `folder`. SRQ_ERROR_DATA if an element
 * is not 0 although its weight is not kept. */
srq_status srq_masks_check(const srq_h5_reader *reader, const char *folder, const srq_graph *graph,
                           const float *vector);

/* Writes a file that contains only masks. */
srq_status srq_masks_save(const char *path, const srq_graph *graph);
/* Reads the masks of such a file, or of a checkpoint, into the graph, and sets weights that are not kept to 0.
 * SRQ_ERROR_DATA as above, and if the file has a mask for a layer that the graph does not have. */
srq_status srq_masks_load(const char *path, srq_graph *graph);

#endif
