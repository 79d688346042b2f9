/* The mean and the standard deviation of the pixels that a network was trained on (srq_graph_mean) in checkpoints:
 * float32 data sets /input/mean and /input/std, both [channels], of pixels / 255. A checkpoint has both if its
 * configuration has data.normalize = "dataset". Checkpoints of earlier versions of srq do not have them; their images
 * are normalized by the statistics of the data set that they come from. */
#ifndef SRQ_IO_INPUT_STATISTICS_H
#define SRQ_IO_INPUT_STATISTICS_H

#include "core/graph.h"
#include "io/config.h"
#include "io/dataset.h"
#include "io/h5.h"

#include <stdio.h>

/* The group of a checkpoint. */
#define SRQ_INPUT_STATISTICS "input"

/* Writes those of the graph, if it has some. */
srq_status srq_input_statistics_write(srq_h5_writer *writer, const srq_graph *graph);
/* Reads and checks them. Afterwards the graph has those of the file, or none if the file has none. SRQ_ERROR_DATA. */
srq_status srq_input_statistics_read(const srq_h5_reader *reader, srq_graph *graph);

/* Whose statistics images are normalized by for the network of a checkpoint: "network", its own; "data", those of the
 * data set of the images, because the checkpoint has none; or "none" (data.normalize). */
const char *srq_input_statistics_source(const srq_settings *settings, const srq_graph *graph);
/* Prints a line to `notes` if the network of `checkpoint` is given images by the statistics of a data set that it was
 * not trained on. `data_sha256` is the digest of the one that it was trained on. */
void srq_input_statistics_note(const char *checkpoint, const char *data_sha256, const srq_settings *settings,
                               const srq_graph *graph, const srq_dataset *dataset, FILE *notes);

#endif
