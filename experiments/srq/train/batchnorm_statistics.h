/* Batch-norm statistics for networks whose weights are trained at other bit-lengths than they are deployed at. */
#ifndef SRQ_EXPERIMENTS_TRAIN_BATCHNORM_STATISTICS_H
#define SRQ_EXPERIMENTS_TRAIN_BATCHNORM_STATISTICS_H

#include "experiments/srq/train/batches.h"

/* Whether the network has both batch-norm and DropBits' gates. */
bool srq_settles(const srq_graph *graph);

/* Computes the statistics again, at the bit-lengths of evaluation. They are the means over shard 0 of the batches of
 * `step` and of the 63 steps after it, if that shard is full. This is necessary with gates: a training step quantizes
 * weights with other grids than an evaluation does, so its running statistics would normalize the deployed layers
 * wrongly. Training does not use the statistics, so the result does not depend on when they are computed.
 *
 * The result is a function of weights, data and step, and every rank computes the same. `labels` is used as by
 * srq_batches_fill. In `scratch` [srq_graph_size], the elements of the statistics are overwritten. */
srq_status srq_settle(srq_graph *graph, srq_batches *batches, long step, int32_t *labels, float *scratch);

#endif
