/* The state of a network at the start of training: random weights or those of train.init, masks, and quantizers that
 * are initialized from the weights and the first batch. */
#ifndef SRQ_EXPERIMENTS_TRAIN_FRESH_H
#define SRQ_EXPERIMENTS_TRAIN_FRESH_H

#include "core/graph.h"
#include "experiments/srq/train/batches.h"
#include "io/config.h"

#include <stdio.h>

/* Reads train.init and train.masks into the graph, where the settings name files. Notes about the files are written to
 * `notes`, unless it is NULL. The message of SRQ_ERROR_DATA begins with the name of the setting. */
srq_status srq_fresh_read(const srq_settings *settings, srq_graph *graph, FILE *notes);

/* Initializes the graph. Not collective: all ranks compute the same, because weights are functions of the seed or read
 * from one file, and the step sizes of activations come from shard 0 of the first batch. `labels` [capacity of a shard]
 * is overwritten. The graph must hold a shard of `batches`, and `notes` is as above. */
srq_status srq_fresh_start(const srq_settings *settings, srq_graph *graph, srq_batches *batches, int32_t *labels,
                           FILE *notes);

#endif
