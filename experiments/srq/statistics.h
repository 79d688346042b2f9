/* What a report computes from the results of runs. */
#ifndef SRQ_EXPERIMENTS_INSPECT_DISTRIBUTION_H
#define SRQ_EXPERIMENTS_INSPECT_DISTRIBUTION_H

#include <stdbool.h>

/* Of the finite ones among some values. */
typedef struct srq_statistic {
    int count;
    double mean;      /* NaN of none */
    double deviation; /* of the sample, with count - 1; NaN of fewer than two */
} srq_statistic;

srq_statistic srq_statistic_of(int count, const double *values);

/* The Pareto front: front[i] is true if no other point is at most as costly and at most as wrong as point i, and less
 * of one of them. Points that are not finite are never on it. */
void srq_pareto_front(int count, const double *cost, const double *error, bool *front);

#endif
