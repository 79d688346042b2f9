/* Evaluation on all ranks. */
#ifndef SRQ_EXPERIMENTS_TRAIN_EVALUATE_H
#define SRQ_EXPERIMENTS_TRAIN_EVALUATE_H

#include "dist/comm.h"
#include "experiments/srq/train/batches.h"
#include "experiments/srq/train/tally.h"

/* Collective: the sum of losses and the number of correct answers over a whole part. The images are divided into
 * groups of the graph's capacity, which the ranks take in turn. Group sums are added in the order of groups, so the
 * result does not depend on the number of ranks. `tally` gets the counts by class, unless it is NULL. Weights must be
 * prepared (srq_graph_prepare). SRQ_ERROR_RUN after an infinity or NaN, SRQ_ERROR_DATA if an image cannot be read. */
srq_status srq_evaluate(const srq_comm *comm, srq_graph *graph, srq_batches *batches, srq_part part, srq_tally *tally,
                        srq_metrics *metrics);

/* Collective: the same for the test images, with the results by class: they are written to classes.json of the folder
 * (io/class_results.h), on the rank that has one; others pass NULL. `step` is that of the network. Adds SRQ_ERROR_RUN
 * if there is no memory, or the file cannot be written. */
srq_status srq_evaluate_by_class(const srq_comm *comm, srq_graph *graph, srq_batches *batches, long step,
                                 const char *folder, srq_metrics *metrics);

/* SRQ_ERROR_DATA if the shape of the images or the number of classes does not fit the network. */
srq_status srq_check_data_fits(const srq_graph *graph, const srq_dataset *dataset, const char *path);

#endif
