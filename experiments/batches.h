/* Which images are in which shard, and putting them into a network's input. */
#ifndef SRQ_EXPERIMENTS_BATCHES_H
#define SRQ_EXPERIMENTS_BATCHES_H

#include "core/graph.h"
#include "io/dataset.h"

typedef struct srq_batches {
    const srq_dataset *dataset;
    uint64_t seed;
    long count;           /* training images */
    int batch, shards;    /* of a full global batch */
    long steps_per_epoch; /* the last batch of an epoch may be smaller */
    float *table;         /* [channels][256]: (byte / 255 - mean) / std */
} srq_batches;

srq_status srq_batches_create(const srq_dataset *dataset, uint64_t seed, int batch, int shards, srq_batches *batches);
void srq_batches_destroy(srq_batches *batches);

/* Most images of a shard. */
int srq_batches_capacity(const srq_batches *batches);
/* Images of the global batch of `step` (0 is the first). */
int srq_batches_size(const srq_batches *batches, long step);
/* Fills the input of `graph` and `labels` with shard `shard` of the batch of `step`; returns its number of images. */
int srq_batches_fill(const srq_batches *batches, long step, long shard, srq_graph *graph, int32_t *labels);
/* Fills them with images [first, first + n) of a split, in their order. */
void srq_batches_fill_range(const srq_batches *batches, srq_split_name split, long first, int n, srq_graph *graph,
                            int32_t *labels);

#endif
