/* The distribution of the numbers of a tensor: moments, quantiles, histograms, and the position of weights on their
 * grid. */
#ifndef SRQ_EXPERIMENTS_INSPECT_DISTRIBUTION_H
#define SRQ_EXPERIMENTS_INSPECT_DISTRIBUTION_H

#include "core/quant/points.h"
#include "core/status.h"

#include <stddef.h>

enum { SRQ_QUANTILES = 7, SRQ_DISTANCES = 5 };
/* 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99 */
extern const double srq_quantile_shares[SRQ_QUANTILES];

typedef struct srq_statistics {
    size_t count, zeros, nans, infinities;
    size_t finite; /* count of finite numbers; the members below are over these, and NaN if there are none */
    double min, max, mean;
    double deviation; /* root of the mean squared difference from the mean */
    /* Interpolated between the two nearest sorted numbers, like numpy.quantile. */
    double quantiles[SRQ_QUANTILES];
} srq_statistics;

/* Sorts a copy of the numbers. SRQ_ERROR_RUN without memory. */
srq_status srq_statistics_take(size_t n, const double *x, srq_statistics *statistics);

/* Sets counts[bins] to the number of finite numbers in each of `bins` equal bins from min to max. A number on an edge
 * belongs to the bin above it, and `max` to the last bin. Numbers outside are not counted. */
void srq_histogram(size_t n, const double *x, double min, double max, int bins, size_t *counts);

/* Quantized weights on their grid. */
typedef struct srq_grid_counts {
    size_t codes[SRQ_CODES_MAX]; /* [c - smallest]: number of weights with code c */
    /* Weights by their distance from their grid point, in gaps between points: |w / alpha - code| on a uniform grid. In
     * bins of 0.1 from 0 to 0.5 ... */
    size_t distances[SRQ_DISTANCES];
    size_t clipped; /* ... and those more than 0.5 outside of the grid */
} srq_grid_counts;

/* Counts w[n], which has `rows` rows with one step size each. The code of a weight is that of the point nearest to w /
 * alpha in float32. Numbers that are not finite are not counted. */
void srq_grid_count(size_t n, size_t rows, const double *w, const double *alpha, const srq_points *points,
                    srq_grid_counts *counts);

#endif
