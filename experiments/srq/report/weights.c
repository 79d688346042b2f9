#include "experiments/srq/report/weights.h"

#include "core/graph.h"
#include "io/checkpoint.h"
#include "io/h5.h"

#include <math.h>
#include <stdlib.h>

/* Bins are fine enough to show clusters between two grid points, and not finer than a picture can show. */
static int bins_of(int min, int max)
{
    enum { MOST = 240, OF_A_STEP = 20 };
    const int steps = max - min + 3, parts = MOST / steps;
    return steps * (parts > OF_A_STEP ? OF_A_STEP : parts > 1 ? parts : 1);
}

srq_status srq_weight_histogram_make(size_t n, const float *w, size_t channels, const float *alpha,
                                     srq_weight_histogram *h)
{
    if (!h->points.count) srq_points_make(h->min, h->max, NULL, &h->points);
    h->from = h->min - 1.5;
    h->to = h->max + 1.5;
    h->bins = bins_of(h->min, h->max);
    h->density = calloc((size_t)h->bins, sizeof *h->density);
    if (!h->density) return srq_fail_memory((size_t)h->bins * sizeof *h->density, "a histogram");
    const double scale = h->bins / (h->to - h->from);
    for (size_t i = 0; i < n; i++) {
        const double ratio = (double)w[i] / (double)alpha[i / (n / channels)];
        const double x = srq_points_place(&h->points, ratio);
        const double place = fmin(fmax((x - h->from) * scale, 0), h->bins - 1);
        const int code =
            h->points.uniform ? (int)fmin(fmax(rint(x), h->min), h->max) : srq_points_nearest(&h->points, (float)ratio);
        h->density[(int)place] += scale / (double)n;
        h->codes[code - h->min] += 1 / (double)n;
    }
    return SRQ_OK;
}

static srq_status measure_layer(const srq_graph *graph, const srq_layer *layer, srq_weight_histogram *h)
{
    const srq_parameter *weight = srq_graph_parameter(graph, layer->weight);
    const srq_parameter *alpha = srq_graph_parameter(graph, layer->alpha);
    const float *values = srq_graph_values(graph);
    snprintf(h->layer, sizeof h->layer, "%s", layer->spec->name);
    h->bits = layer->quantizer.bits;
    h->min = layer->quantizer.grid.min;
    h->max = layer->quantizer.grid.max;
    srq_quantizer_points(&layer->quantizer, &h->points);
    return srq_weight_histogram_make(weight->count, values + weight->offset, alpha->count, values + alpha->offset, h);
}

static srq_status measure(const srq_graph *graph, srq_weight_histograms *all)
{
    const int layers = srq_graph_layer_count(graph);
    all->layers = calloc((size_t)layers, sizeof *all->layers);
    if (!all->layers) return srq_fail_memory((size_t)layers * sizeof *all->layers, "the histograms");
    for (int i = 0; i < layers; i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (layer->weight < 0 || layer->alpha < 0 || !layer->quantizer.method) continue;
        SRQ_TRY(measure_layer(graph, layer, &all->layers[all->count++]));
    }
    return SRQ_OK;
}

srq_status srq_weight_histograms_read(const char *path, srq_weight_histograms *all)
{
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    srq_progress_point point;
    *all = (srq_weight_histograms){0};
    srq_h5_reader *reader = NULL;
    SRQ_TRY(srq_checkpoint_open(path, &reader));
    const srq_graph_options options = {.capacity = 1};
    srq_status status = srq_checkpoint_config(reader, &config);
    if (status == SRQ_OK) status = srq_checkpoint_make_graph(reader, config, &options, &graph);
    if (status == SRQ_OK) status = srq_checkpoint_load(reader, graph, NULL, &point, NULL);
    srq_h5_reader_close(&reader);
    if (status == SRQ_OK) status = srq_graph_prepare(graph);
    if (status == SRQ_OK) status = measure(graph, all);
    if (status == SRQ_OK) all->step = point.step;
    if (status != SRQ_OK) srq_weight_histograms_free(all);
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
    return status;
}

void srq_weight_histograms_free(srq_weight_histograms *all)
{
    for (int i = 0; i < all->count; i++) free(all->layers[i].density);
    free(all->layers);
    *all = (srq_weight_histograms){0};
}
