/* Which images are in which shard, and putting them into a network's input. A thread reads ahead
 * (experiments/srq/train/loader.h); what it makes is what the same call would make by itself. */
#ifndef SRQ_EXPERIMENTS_TRAIN_BATCHES_H
#define SRQ_EXPERIMENTS_TRAIN_BATCHES_H

#include "core/graph.h"
#include "experiments/srq/train/image_view.h"
#include "experiments/srq/train/loader.h"
#include "experiments/srq/train/trace.h"

typedef struct srq_batches {
    const srq_dataset *dataset;
    uint64_t seed;
    long count;           /* training images */
    int batch, shards;    /* of a full global batch */
    long steps_per_epoch; /* the last batch of an epoch may be smaller */
    double waited;        /* seconds that fills have waited for data, or read it themselves */
    srq_trace *trace;     /* the caller's to set before srq_batches_start; NULL for none */
    /* The rest is its own. */
    srq_view view;
    srq_view_bench bench, ahead_bench; /* the caller's, the thread's */
    srq_loader *loader;                /* NULL before srq_batches_start */
    long first_shard, last_shard;      /* read ahead in training */
    srq_sequence sequence;             /* that the loader is at, and the next item of it */
    long next;
    srq_status status; /* of the first failure */
    char message[SRQ_MESSAGE_SIZE];
} srq_batches;

/* Batches of training (train.batch, train.shards, train.seed and the data group of the settings) and, for evaluation
 * alone, of any size. The batches stay where they are in memory until they are destroyed. */
srq_status srq_batches_create(const srq_dataset *dataset, const srq_settings *settings, int batch, int shards,
                              srq_batches *batches);
void srq_batches_destroy(srq_batches *batches);

/* Starts the thread; shards [first, last) are those that this rank trains on. */
srq_status srq_batches_start(srq_batches *batches, long first_shard, long last_shard);

/* Most images of a shard. */
int srq_batches_capacity(const srq_batches *batches);
/* Images of the global batch of `step` (0 is the first). */
int srq_batches_size(const srq_batches *batches, long step);
/* Fills the input of `graph` and `labels` with shard `shard` of the batch of `step`; returns its number of images.
 * Steps and shards in order find theirs ready. Where an image cannot be read there are 0 images, and srq_batches_status
 * says why, from then on. */
int srq_batches_fill(srq_batches *batches, long step, long shard, srq_graph *graph, int32_t *labels);

/* Groups of `size` images of a split will be asked for: number `first`, first + stride, ... */
void srq_batches_expect(srq_batches *batches, srq_split_name split, int size, long first, long stride);
/* Fills them with images [first, first + n) of a split, in their order, as a test sees them; on failure as above, with
 * the input as it was. */
void srq_batches_fill_range(srq_batches *batches, srq_split_name split, long first, int n, srq_graph *graph,
                            int32_t *labels);

/* SRQ_OK, or the first failure with its message. */
srq_status srq_batches_status(const srq_batches *batches);

#endif
