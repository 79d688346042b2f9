/* Evaluation on all ranks. */
#ifndef SRQ_EXPERIMENTS_TRAIN_EVALUATE_H
#define SRQ_EXPERIMENTS_TRAIN_EVALUATE_H

#include "dist/comm.h"
#include "experiments/srq/train/batches.h"

/* Collective: the sum of losses and the number of correct answers over a whole part. The images are divided into
 * groups of the graph's capacity, which the ranks take in turn. Group sums are added in the order of groups, so the
 * result does not depend on the number of ranks. Weights must be prepared (srq_graph_prepare). SRQ_ERROR_RUN after an
 * infinity or NaN, SRQ_ERROR_DATA if an image cannot be read. */
srq_status srq_evaluate(const srq_comm *comm, srq_graph *graph, srq_batches *batches, srq_part part,
                        srq_metrics *metrics);

/* SRQ_ERROR_DATA if the shape of the images or the number of classes does not fit the network. */
srq_status srq_check_data_fits(const srq_graph *graph, const srq_dataset *dataset, const char *path);

#endif
