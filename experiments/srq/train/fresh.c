#include "experiments/srq/train/fresh.h"

#include "io/masks.h"
#include "io/run_place.h"
#include "io/weights.h"

#include <string.h>

static srq_status read_masks(const srq_settings *s, srq_graph *graph)
{
    char path[4200];
    if (strcmp(s->train.masks, "none") == 0) return SRQ_OK;
    srq_status status = srq_run_place(s->train.masks, path, sizeof path);
    if (status == SRQ_OK) status = srq_masks_load(path, graph);
    return status == SRQ_OK ? SRQ_OK : srq_fail_in(status, "train.masks");
}

srq_status srq_fresh_read(const srq_settings *s, srq_graph *graph, FILE *notes)
{
    char path[4200];
    if (strcmp(s->train.init, "random") == 0) return read_masks(s, graph);
    const bool partial = strcmp(s->train.init_match, "partial") == 0;
    srq_status status = srq_run_place(s->train.init, path, sizeof path);
    if (status == SRQ_OK) status = srq_weights_read(path, partial, graph, notes);
    return status == SRQ_OK ? read_masks(s, graph) : srq_fail_in(status, "train.init");
}

srq_status srq_fresh_start(const srq_settings *s, srq_graph *graph, srq_batches *batches, int32_t *labels, FILE *notes)
{
    const uint64_t draw = (uint64_t)s->train.init_draw;
    srq_graph_initialize(graph, (uint64_t)s->train.seed + draw * 0x9E3779B97F4A7C15u, s->train.init_gain);
    SRQ_TRY(srq_fresh_read(s, graph, notes));
    int n = srq_batches_fill(batches, 0, 0, graph, 0, labels);
    SRQ_TRY(srq_batches_status(batches));
    const size_t images = batches->dataset->splits[SRQ_TRAIN].count;
    if (n == 0)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: %zu training images are fewer than the %d shards of a batch (train.shards), so that the "
                        "first has none to set step sizes with; use train.shards = %zu or less, or more images",
                        s->data.file, images, s->train.shards, images);
    return srq_graph_start(graph, n);
}
