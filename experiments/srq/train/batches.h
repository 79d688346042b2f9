/* Decides which images are in which shard, and copies them into a network's input. Threads read ahead
 * (experiments/srq/train/loader.h). The result is the same as without reading ahead. */
#ifndef SRQ_EXPERIMENTS_TRAIN_BATCHES_H
#define SRQ_EXPERIMENTS_TRAIN_BATCHES_H

#include "core/graph.h"
#include "experiments/srq/train/holdout.h"
#include "experiments/srq/train/image_view.h"
#include "experiments/srq/train/loader.h"
#include "experiments/srq/train/trace.h"

/* What is evaluated: the test images, or those of data.validation. */
typedef enum srq_part { SRQ_PART_TEST, SRQ_PART_VALIDATION } srq_part;

typedef struct srq_batches {
    const srq_dataset *dataset;
    uint64_t seed;
    long count;           /* number of training images, without validation images */
    int batch, shards;    /* size of a full global batch */
    long steps_per_epoch; /* the last batch of an epoch may be smaller */
    double waited;        /* seconds that lane 0 and pass 0 spent waiting for data or reading it */
    srq_trace *trace;     /* to be set by the caller before srq_batches_start; NULL for none */
    srq_holdout holdout;  /* validation images, if the training split is loaded */
    /* Private: */
    srq_view view;
    srq_view_bench bench;          /* for the caller */
    srq_view_bench *ahead_benches; /* [readers]: for the threads */
    int readers;
    float *spare;                 /* [capacity]: a shard that was not read ahead */
    srq_loader *loader;           /* NULL before srq_batches_start */
    long first_shard, last_shard; /* the sequence that is read ahead in training */
    srq_sequence sequence;        /* the loader's sequence and its next item */
    long next;
    srq_status status; /* the first failure, and its message */
    char message[SRQ_MESSAGE_SIZE];
} srq_batches;

/* Sets up batches for training (train.batch, train.shards, train.seed and the data group of the settings) and for
 * evaluation. Validation images are set apart if the training split is loaded (errors of srq_holdout_create). Do not
 * move *batches in memory before it is destroyed. */
srq_status srq_batches_create(const srq_dataset *dataset, const srq_settings *settings, int batch, int shards,
                              srq_batches *batches);
void srq_batches_destroy(srq_batches *batches);
/* Images are normalized by the statistics of `graph`, if it has some (srq_view_set_statistics). Call it before the
 * first image; the graph must have as many channels as the data set. */
void srq_batches_set_statistics(srq_batches *batches, const srq_graph *graph);

/* Starts `readers` threads that read ahead, for a network that trains on `lanes` shards at the same time. This rank
 * trains on shards [first, last). */
srq_status srq_batches_start(srq_batches *batches, long first_shard, long last_shard, int readers, int lanes);

/* The largest number of images in a shard. */
int srq_batches_capacity(const srq_batches *batches);
/* The number of images in the global batch of `step` (0 is the first). */
int srq_batches_size(const srq_batches *batches, long step);
/* Fills the inputs of lane `lane` of `graph`, and `labels` [srq_batches_capacity], with shard `shard` of the batch of
 * `step`. Returns its number of images. If steps and shards are asked for in order, their images were read ahead. If an
 * image cannot be read, returns 0; from then on srq_batches_status returns the failure. Only one thread at a time may
 * call this function or the one below. */
int srq_batches_fill(srq_batches *batches, long step, long shard, srq_graph *graph, int lane, int32_t *labels);

/* The number of images of a part. */
long srq_batches_part(const srq_batches *batches, srq_part part);
/* Announces which groups of `size` images of a part the caller will ask for: groups `first`, first + stride, ... */
void srq_batches_expect(srq_batches *batches, srq_part part, int size, long first, long stride);
/* Fills the input of pass `pass` of `graph`, and `labels`, with images [first, first + n) of a part, in order and
 * without augmentation. A failure is reported as above, and leaves the input unchanged. */
void srq_batches_fill_range(srq_batches *batches, srq_part part, long first, int n, srq_graph *graph, int pass,
                            int32_t *labels);

/* SRQ_OK, or the first failure with its message. */
srq_status srq_batches_status(const srq_batches *batches);

#endif
