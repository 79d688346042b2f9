/* What the numbers of a tensor are like: moments, quantiles, histograms, and where weights stand on their grid. */
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
    size_t finite; /* numbers that all below is of; if there are none, all of it is NaN */
    double min, max, mean;
    double deviation; /* root of the mean squared difference from the mean */
    /* Between the two nearest of the sorted numbers in proportion, as numpy.quantile. */
    double quantiles[SRQ_QUANTILES];
} srq_statistics;

/* SRQ_ERROR_RUN without memory: the numbers are sorted beside where they are. */
srq_status srq_statistics_take(size_t n, const double *x, srq_statistics *statistics);

/* How many finite numbers are in each of `bins` bins of one width from min to max, where counts[bins] go. A number on
 * an edge belongs to the bin above, `max` to the last one; numbers outside to none. */
void srq_histogram(size_t n, const double *x, double min, double max, int bins, size_t *counts);

/* Quantized weights on their grid. */
typedef struct srq_grid_counts {
    size_t codes[SRQ_CODES_MAX]; /* [c - smallest]: weights whose code is c */
    /* Weights by their distance from their grid point, in gaps between points: |w / alpha - code| on a uniform grid. In
     * bins of 0.1 from 0 to 0.5 ... */
    size_t distances[SRQ_DISTANCES];
    size_t clipped; /* ... and those more than 0.5 beyond the outermost one */
} srq_grid_counts;

/* Of w[n] in `rows` rows with a step size each; codes are those of the points nearest to w / alpha in float32. What is
 * not finite is not counted. */
void srq_grid_count(size_t n, size_t rows, const double *w, const double *alpha, const srq_points *points,
                    srq_grid_counts *counts);

#endif
