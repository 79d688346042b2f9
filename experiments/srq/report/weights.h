/* Where a checkpoint's weights lie on their grids. */
#ifndef SRQ_EXPERIMENTS_REPORT_WEIGHTS_H
#define SRQ_EXPERIMENTS_REPORT_WEIGHTS_H

#include "core/quant/points.h"
#include "core/spec.h"
#include "core/status.h"

#include <stddef.h>

/* Where a layer's weights lie on its grid (srq_points_place; on a uniform grid that is the weight in units of its step
 * size alpha, each output channel's own), from `from` to `to`, and the codes that they stand for. */
typedef struct srq_weight_histogram {
    char layer[SRQ_NAME_SIZE];
    int bits, min, max; /* of the grid in evaluation: codes min..max ... */
    srq_points points;  /* ... and their points; uniform if they are not given (count 0) */
    double from, to;    /* one step beyond the grid; weights beyond that are in the first or the last bin */
    int bins;
    double *density;   /* [bins] share of the weights for a step of alpha */
    double codes[256]; /* [max - min + 1] share of the weights whose code is min + i */
} srq_weight_histogram;

typedef struct srq_weight_histograms {
    long step;
    int count;
    srq_weight_histogram *layers; /* [count] those whose weights are quantized */
} srq_weight_histograms;

/* Reads a checkpoint. SRQ_ERROR_DATA if it is not whole. The caller frees *histograms. */
srq_status srq_weight_histograms_read(const char *path, srq_weight_histograms *histograms);
void srq_weight_histograms_free(srq_weight_histograms *histograms);

/* Of n weights w, channels rows of them, each with its alpha[channels]; min, max, bits and points are given. */
srq_status srq_weight_histogram_make(size_t n, const float *w, size_t channels, const float *alpha,
                                     srq_weight_histogram *histogram);

#endif
