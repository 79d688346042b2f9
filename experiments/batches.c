#include "experiments/batches.h"

#include "core/random.h"

#include <stdlib.h>

srq_status srq_batches_create(const srq_dataset *dataset, uint64_t seed, int batch, int shards, srq_batches *b)
{
    const int channels = dataset->channels;
    *b = (srq_batches){.dataset = dataset,
                       .seed = seed,
                       .count = (long)dataset->splits[SRQ_TRAIN].count,
                       .batch = batch,
                       .shards = shards};
    b->steps_per_epoch = (b->count + batch - 1) / batch;
    b->table = malloc((size_t)channels * 256 * sizeof *b->table);
    if (!b->table) return srq_fail_memory((size_t)channels * 256 * sizeof *b->table, "the table of pixels");
    for (int c = 0; c < channels; c++)
        for (int v = 0; v < 256; v++) b->table[c * 256 + v] = ((float)v / 255.0f - dataset->mean[c]) / dataset->std[c];
    return SRQ_OK;
}

void srq_batches_destroy(srq_batches *batches)
{
    free(batches->table);
    batches->table = NULL;
}

int srq_batches_capacity(const srq_batches *b)
{
    return (b->batch + b->shards - 1) / b->shards;
}

int srq_batches_size(const srq_batches *b, long step)
{
    long left = b->count - step % b->steps_per_epoch * b->batch;
    return left < b->batch ? (int)left : b->batch;
}

static void copy_image(const srq_batches *b, const srq_split *split, size_t sample, float *to)
{
    const size_t channels = (size_t)b->dataset->channels;
    const size_t pixels = (size_t)b->dataset->height * (size_t)b->dataset->width;
    const uint8_t *from = split->images + sample * pixels * channels;
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) *to++ = b->table[c * 256 + *from++];
}

static size_t features(const srq_dataset *d)
{
    return (size_t)d->height * (size_t)d->width * (size_t)d->channels;
}

int srq_batches_fill(const srq_batches *b, long step, long shard, srq_graph *graph, int32_t *labels)
{
    const srq_split *split = &b->dataset->splits[SRQ_TRAIN];
    const long size = srq_batches_size(b, step), epoch = step / b->steps_per_epoch;
    const long first = size * shard / b->shards, last = size * (shard + 1) / b->shards;
    const long begin = step % b->steps_per_epoch * b->batch;
    for (long i = first; i < last; i++) {
        uint64_t sample = srq_random_order(b->seed, (uint64_t)epoch, (uint64_t)b->count, (uint64_t)(begin + i));
        copy_image(b, split, sample, srq_graph_input(graph) + (size_t)(i - first) * features(b->dataset));
        labels[i - first] = split->labels[sample];
    }
    return (int)(last - first);
}

void srq_batches_fill_range(const srq_batches *b, srq_split_name name, long first, int n, srq_graph *graph,
                            int32_t *labels)
{
    const srq_split *split = &b->dataset->splits[name];
    for (int i = 0; i < n; i++) {
        copy_image(b, split, (size_t)(first + i), srq_graph_input(graph) + (size_t)i * features(b->dataset));
        labels[i] = split->labels[first + i];
    }
}
