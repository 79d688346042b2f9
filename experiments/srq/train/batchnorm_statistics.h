/* Batch-norm's running statistics where weights are trained at other bit-lengths than they are deployed at. */
#ifndef SRQ_EXPERIMENTS_TRAIN_BATCHNORM_STATISTICS_H
#define SRQ_EXPERIMENTS_TRAIN_BATCHNORM_STATISTICS_H

#include "experiments/srq/train/batches.h"

/* Whether the network has both batch-norm and DropBits' gates. */
bool srq_settles(const srq_graph *graph);

/* Under gates a training step's weights are cut to other grids than those of evaluation, and the statistics that it
 * leaves behind belong to them: deployed, each layer would be normalized by what another network had. Takes them anew,
 * at the bit-lengths of evaluation, from shard 0 of the batches of `step` and the 63 after it: their mean over full
 * shards. Statistics take no part in training, so a result does not depend on when this is done.
 *
 * A function of weights, data and step; every rank computes it alike. `labels` as for srq_batches_fill; of `scratch`
 * [srq_graph_size] the statistics are overwritten. */
srq_status srq_settle(srq_graph *graph, srq_batches *batches, long step, int32_t *labels, float *scratch);

#endif
