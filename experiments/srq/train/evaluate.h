/* Evaluation spread over ranks. */
#ifndef SRQ_EXPERIMENTS_TRAIN_EVALUATE_H
#define SRQ_EXPERIMENTS_TRAIN_EVALUATE_H

#include "dist/comm.h"
#include "experiments/srq/train/batches.h"

/* Collective: loss (sum) and correct answers of the whole split. Groups of the graph's capacity go round the ranks;
 * each group's sums are computed by one rank and added in the order of groups, so that the result does not depend on
 * the number of ranks. Weights must be prepared. SRQ_ERROR_RUN if a layer meets an infinity or NaN,
 * SRQ_ERROR_DATA if an image cannot be read. */
srq_status srq_evaluate(const srq_comm *comm, srq_graph *graph, srq_batches *batches, srq_split_name split,
                        srq_metrics *metrics);

/* SRQ_ERROR_DATA if images or classes of a data set are not what the network takes. */
srq_status srq_check_data_fits(const srq_graph *graph, const srq_dataset *dataset, const char *path);

#endif
