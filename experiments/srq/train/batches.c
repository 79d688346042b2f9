#include "experiments/srq/train/batches.h"

#include "core/random.h"
#include "io/progress.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Kinds of sequences. In training, item k is shard k % own of step k / own, counted from the rank's first shard. In a
 * part, item k is its k-th group. */
enum { NOTHING, TRAINING, VALIDATION_GROUPS, TEST_GROUPS };

/* Micro-batches that are ready or being made, in addition to one for each lane. */
enum { SLOTS = 3 };

static size_t features(const srq_batches *b)
{
    return (size_t)b->view.height * (size_t)b->view.width * (size_t)b->view.channels;
}

srq_status srq_batches_create(const srq_dataset *dataset, const srq_settings *settings, int batch, int shards,
                              srq_batches *b)
{
    const bool loaded = dataset->splits[SRQ_TRAIN].labels;
    *b = (srq_batches){.dataset = dataset, .seed = (uint64_t)settings->train.seed, .batch = batch, .shards = shards};
    SRQ_TRY(srq_holdout_create(dataset, loaded ? settings->data.validation : 0, b->seed, &b->holdout));
    b->count = (long)b->holdout.train_count;
    b->steps_per_epoch = (b->count + batch - 1) / batch;
    SRQ_TRY(srq_view_create(dataset, settings, &b->view));
    const size_t numbers = (size_t)srq_batches_capacity(b) * features(b);
    b->spare = calloc(numbers, sizeof *b->spare);
    if (!b->spare) return srq_fail_memory(numbers * sizeof *b->spare, "the images of a shard");
    return srq_view_bench_create(&b->view, &b->bench);
}

void srq_batches_destroy(srq_batches *b)
{
    srq_loader_destroy(&b->loader);
    srq_view_bench_destroy(&b->bench);
    for (int i = 0; b->ahead_benches && i < b->readers; i++) srq_view_bench_destroy(&b->ahead_benches[i]);
    free(b->ahead_benches);
    free(b->spare);
    srq_view_destroy(&b->view);
    srq_holdout_free(&b->holdout);
}

void srq_batches_set_statistics(srq_batches *b, const srq_graph *graph)
{
    srq_view_set_statistics(&b->view, srq_graph_mean(graph), srq_graph_std(graph));
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

srq_status srq_batches_status(const srq_batches *b)
{
    return b->status == SRQ_OK ? SRQ_OK : srq_fail(b->status, "%s", b->message);
}

static void fail(srq_batches *b, srq_status status, const char *message)
{
    if (status == SRQ_OK || b->status != SRQ_OK) return;
    b->status = status;
    snprintf(b->message, sizeof b->message, "%s", message);
}

/* --- Making micro-batches: functions of their arguments and of constant data only */

static srq_status make_shard(const srq_batches *b, srq_view_bench *bench, long step, long shard, float *images,
                             int32_t *labels, int *n)
{
    const srq_split *split = &b->dataset->splits[SRQ_TRAIN];
    const long size = srq_batches_size(b, step), epoch = step / b->steps_per_epoch;
    const long first = size * shard / b->shards, last = size * (shard + 1) / b->shards;
    const long begin = step % b->steps_per_epoch * b->batch;
    for (long i = first; i < last; i++, images += features(b)) {
        uint64_t sample = srq_random_order(b->seed, (uint64_t)epoch, (uint64_t)b->count, (uint64_t)(begin + i));
        const size_t image = b->holdout.train ? b->holdout.train[sample] : sample;
        SRQ_TRY(srq_view_make(&b->view, bench, SRQ_TRAIN, image, epoch, images));
        labels[i - first] = split->labels[image];
    }
    *n = (int)(last - first);
    return SRQ_OK;
}

static srq_status make_range(const srq_batches *b, srq_view_bench *bench, srq_part part, long first, int n,
                             float *images, int32_t *labels)
{
    const srq_split_name name = part == SRQ_PART_TEST ? SRQ_TEST : SRQ_TRAIN;
    for (int i = 0; i < n; i++, images += features(b)) {
        const size_t at = (size_t)(first + i), image = part == SRQ_PART_TEST ? at : b->holdout.validation[at];
        SRQ_TRY(srq_view_make(&b->view, bench, name, image, SRQ_VIEW_TEST, images));
        labels[i] = b->dataset->splits[name].labels[image];
    }
    return SRQ_OK;
}

long srq_batches_part(const srq_batches *b, srq_part part)
{
    return (long)(part == SRQ_PART_TEST ? b->dataset->splits[SRQ_TEST].count : b->holdout.count);
}

static int group_size(const srq_batches *b, srq_part part, long first, int size)
{
    const long left = srq_batches_part(b, part) - first;
    return left < size ? (int)left : size;
}

static srq_status make_any(srq_batches *b, srq_view_bench *bench, const srq_sequence *sequence, long item,
                           srq_slot *slot)
{
    slot->n = 0;
    if (sequence->kind == TRAINING) {
        const long own = b->last_shard - b->first_shard;
        return make_shard(b, bench, item / own, b->first_shard + item % own, slot->images, slot->labels, &slot->n);
    }
    const srq_part part = sequence->kind == TEST_GROUPS ? SRQ_PART_TEST : SRQ_PART_VALIDATION;
    const long first = item * sequence->size;
    const int n = group_size(b, part, first, sequence->size);
    SRQ_TRY(make_range(b, bench, part, first, n, slot->images, slot->labels));
    slot->n = n;
    return SRQ_OK;
}

/* Runs in a thread that reads ahead. The trace shows the first of them. */
static srq_status make_item(void *context, int thread, const srq_sequence *sequence, long item, srq_slot *slot)
{
    srq_batches *b = context;
    srq_trace *trace = thread == 0 ? b->trace : NULL;
    const int64_t begin = srq_trace_now(trace);
    const srq_status status = make_any(b, &b->ahead_benches[thread], sequence, item, slot);
    srq_trace_add(trace, SRQ_LANE_LOADER, SRQ_EVENT_LOAD, item, begin);
    return status;
}

/* --- Reading ahead */

srq_status srq_batches_start(srq_batches *b, long first_shard, long last_shard, int readers, int lanes)
{
    const size_t capacity = (size_t)srq_batches_capacity(b);
    b->first_shard = first_shard;
    b->last_shard = last_shard;
    b->ahead_benches = calloc((size_t)readers, sizeof *b->ahead_benches);
    if (!b->ahead_benches) return srq_fail_memory((size_t)readers * sizeof *b->ahead_benches, "reading ahead");
    for (; b->readers < readers; b->readers++) SRQ_TRY(srq_view_bench_create(&b->view, &b->ahead_benches[b->readers]));
    return srq_loader_create(readers, SLOTS + lanes, capacity * features(b), capacity, make_item, b, &b->loader);
}

static void begin(srq_batches *b, srq_sequence sequence)
{
    if (!b->loader) return;
    b->sequence = sequence;
    b->next = sequence.first;
    srq_loader_start(b->loader, &sequence);
}

static int kind_of(srq_part part)
{
    return part == SRQ_PART_TEST ? TEST_GROUPS : VALIDATION_GROUPS;
}

void srq_batches_expect(srq_batches *b, srq_part part, int size, long first, long stride)
{
    const long groups = (srq_batches_part(b, part) + size - 1) / size;
    if (size > srq_batches_capacity(b)) return; /* the slots are too small: groups are made when they are asked for */
    begin(b, (srq_sequence){.kind = kind_of(part), .first = first, .stride = stride, .end = groups, .size = size});
}

/* Takes the next item from the loader. Its images are valid until `give_back`. */
static const srq_slot *take(srq_batches *b, bool counts, int32_t *labels, int *n)
{
    double elsewhere = 0;
    const srq_slot *slot = srq_loader_take(b->loader, counts ? &b->waited : &elsewhere);
    *n = slot->status == SRQ_OK ? slot->n : 0;
    fail(b, slot->status, slot->message);
    memcpy(labels, slot->labels, (size_t)*n * sizeof *labels);
    return slot;
}

static void give_back(srq_batches *b)
{
    srq_loader_release(b->loader);
    b->next += b->sequence.stride;
}

int srq_batches_fill(srq_batches *b, long step, long shard, srq_graph *graph, int lane, int32_t *labels)
{
    const long own = b->last_shard - b->first_shard, item = step * own + shard - b->first_shard;
    int n = 0;
    if (b->loader && shard >= b->first_shard && shard < b->last_shard) {
        if (b->sequence.kind != TRAINING || b->next != item)
            begin(b, (srq_sequence){.kind = TRAINING, .first = item, .stride = 1, .end = LONG_MAX});
        const srq_slot *slot = take(b, lane == 0, labels, &n);
        srq_graph_set_images(graph, lane, n, slot->images);
        give_back(b);
        return n;
    }
    /* A shard of another rank, such as shard 0, from which all ranks initialize step sizes. */
    const double since = srq_seconds();
    srq_status status = make_shard(b, &b->bench, step, shard, b->spare, labels, &n);
    if (status != SRQ_OK) fail(b, status, srq_message());
    if (status != SRQ_OK) n = 0;
    srq_graph_set_images(graph, lane, n, b->spare);
    if (lane == 0) b->waited += srq_seconds() - since;
    return n;
}

void srq_batches_fill_range(srq_batches *b, srq_part part, long first, int n, srq_graph *graph, int pass,
                            int32_t *labels)
{
    const srq_sequence *s = &b->sequence;
    float *input = srq_graph_input_of(graph, pass);
    if (b->loader && s->kind == kind_of(part) && b->next < s->end && first == b->next * s->size &&
        n == group_size(b, part, first, s->size)) {
        const srq_slot *slot = take(b, pass == 0, labels, &n);
        memcpy(input, slot->images, (size_t)n * features(b) * sizeof *input);
        give_back(b);
        return;
    }
    const double since = srq_seconds();
    srq_status status = make_range(b, &b->bench, part, first, n, input, labels);
    if (status != SRQ_OK) fail(b, status, srq_message());
    if (pass == 0) b->waited += srq_seconds() - since;
}
