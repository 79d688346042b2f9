/* Histograms of a checkpoint's weights over their grids. */
#ifndef SRQ_EXPERIMENTS_REPORT_WEIGHTS_H
#define SRQ_EXPERIMENTS_REPORT_WEIGHTS_H

#include "core/quant/points.h"
#include "core/spec.h"
#include "core/status.h"

#include <stddef.h>

/* The histogram of a layer's weights over positions on the grid (srq_points_place) from `from` to `to`, and of their
 * codes. On a uniform grid, the position is the weight divided by the step size alpha of its output channel. */
typedef struct srq_weight_histogram {
    char layer[SRQ_NAME_SIZE];
    int bits, min, max; /* the grid in evaluation: codes min..max ... */
    srq_points points;  /* ... and their points; if count is 0, the grid is uniform */
    double from, to; /* the range reaches one step beyond the grid; weights outside are in the first or the last bin */
    int bins;
    double *density;   /* [bins]: share of the weights, scaled to one step of the grid */
    double codes[256]; /* [max - min + 1]: share of the weights with code min + i */
} srq_weight_histogram;

typedef struct srq_weight_histograms {
    long step;
    int count;
    srq_weight_histogram *layers; /* [count]: layers with quantized weights */
} srq_weight_histograms;

/* Reads a checkpoint. SRQ_ERROR_DATA if it is not whole. The caller frees *histograms. */
srq_status srq_weight_histograms_read(const char *path, srq_weight_histograms *histograms);
void srq_weight_histograms_free(srq_weight_histograms *histograms);

/* Computes the histogram of w[n], which has `channels` rows with step sizes alpha[channels]. min, max, bits and points
 * must be set. */
srq_status srq_weight_histogram_make(size_t n, const float *w, size_t channels, const float *alpha,
                                     srq_weight_histogram *histogram);

#endif
