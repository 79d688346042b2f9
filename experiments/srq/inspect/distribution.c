#include "experiments/srq/inspect/distribution.h"

#include "experiments/srq/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double srq_quantile_shares[SRQ_QUANTILES] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

static double quantile(size_t n, const double *sorted, double share)
{
    const double place = share * (double)(n - 1);
    const size_t below = (size_t)place, above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

/* Counts numbers, and copies the finite ones to `finite`. */
static void sort_out(size_t n, const double *x, srq_statistics *s, double *finite)
{
    for (size_t i = 0; i < n; i++) {
        s->zeros += x[i] == 0;
        s->nans += isnan(x[i]) != 0;
        s->infinities += isinf(x[i]) != 0;
        if (isfinite(x[i])) finite[s->finite++] = x[i];
    }
}

static void take_moments(const double *x, srq_statistics *s)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < s->finite; i++) sum += x[i];
    s->mean = sum / (double)s->finite;
    for (size_t i = 0; i < s->finite; i++) squares += (x[i] - s->mean) * (x[i] - s->mean);
    s->deviation = sqrt(squares / (double)s->finite);
}

srq_status srq_statistics_take(size_t n, const double *x, srq_statistics *s)
{
    *s = (srq_statistics){.count = n, .min = NAN, .max = NAN, .mean = NAN, .deviation = NAN};
    for (int q = 0; q < SRQ_QUANTILES; q++) s->quantiles[q] = NAN;
    double *sorted = malloc((n + 1) * sizeof *sorted);
    if (!sorted) return srq_fail_memory(n * sizeof *sorted, "sorting a tensor");
    sort_out(n, x, s, sorted);
    if (s->finite) {
        take_moments(sorted, s);
        qsort(sorted, s->finite, sizeof *sorted, srq_ascending);
        s->min = sorted[0];
        s->max = sorted[s->finite - 1];
        for (int q = 0; q < SRQ_QUANTILES; q++) s->quantiles[q] = quantile(s->finite, sorted, srq_quantile_shares[q]);
    }
    free(sorted);
    return SRQ_OK;
}

void srq_histogram(size_t n, const double *x, double min, double max, int bins, size_t *counts)
{
    memset(counts, 0, (size_t)bins * sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] >= min && x[i] <= max)) continue;
        /* Computed with halves, because max - min of the largest doubles is infinite. */
        const int bin = max > min ? (int)((x[i] / 2 - min / 2) / (max / 2 - min / 2) * bins) : 0;
        counts[bin < bins ? bin : bins - 1]++;
    }
}

void srq_grid_count(size_t n, size_t rows, const double *w, const double *alpha, const srq_points *points,
                    srq_grid_counts *counts)
{
    *counts = (srq_grid_counts){0};
    const size_t each = rows ? n / rows : 0;
    for (size_t i = 0; i < rows * each; i++) {
        const float ratio = (float)w[i] / (float)alpha[i / each];
        if (!isfinite(ratio)) continue;
        const int code = srq_points_nearest(points, ratio);
        const float distance = fabsf((float)srq_points_place(points, (double)ratio) - (float)code);
        counts->codes[code - points->min]++;
        if (distance > 0.5F) {
            counts->clipped++;
            continue;
        }
        const int bin = (int)(distance * 2 * SRQ_DISTANCES);
        counts->distances[bin < SRQ_DISTANCES ? bin : SRQ_DISTANCES - 1]++;
    }
}
