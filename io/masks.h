/* Masks of weights (core/mask.h) in HDF5 files: /layers/LAYER/weight_mask, uint8, one bit for each weight in the order
 * of the data set beside it, the first in the lowest bit; attributes `count` (weights) and `kept`. In checkpoints, and
 * in files of the format "srq-masks" that hold nothing else. */
#ifndef SRQ_IO_MASKS_H
#define SRQ_IO_MASKS_H

#include "core/prune.h"
#include "io/h5.h"

#define SRQ_MASKS_FORMAT "srq-masks"
enum { SRQ_MASKS_VERSION = 1 };

/* The masks of all layers that have one. */
srq_status srq_masks_write(srq_h5_writer *writer, const srq_graph *graph);
/* Those of the file become those of the graph, whose values have been read: a layer without one in the file has none.
 * SRQ_ERROR_DATA names what is not right: a size, a sum, or a weight that is not kept and not 0. */
srq_status srq_masks_read(const srq_h5_reader *reader, srq_graph *graph);
/* SRQ_ERROR_DATA if a vector that was read from the group `folder`, laid out as the graph's values, is not 0 where a
 * weight is not kept. */
srq_status srq_masks_check(const srq_h5_reader *reader, const char *folder, const srq_graph *graph,
                           const float *vector);

/* A file of masks alone. */
srq_status srq_masks_save(const char *path, const srq_graph *graph);
/* The masks of such a file, or of a checkpoint, become those of the graph, and its weights 0 where they are not kept.
 * SRQ_ERROR_DATA as above, and if the file has a mask for a layer that the graph does not have. */
srq_status srq_masks_load(const char *path, srq_graph *graph);

#endif
