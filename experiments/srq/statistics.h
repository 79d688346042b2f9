/* Statistics of the results of runs. */
#ifndef SRQ_EXPERIMENTS_INSPECT_DISTRIBUTION_H
#define SRQ_EXPERIMENTS_INSPECT_DISTRIBUTION_H

#include <stdbool.h>

/* Statistics of the finite values of an array. */
typedef struct srq_statistic {
    int count;
    double mean;      /* NaN without values */
    double deviation; /* of the sample, with count - 1; NaN with fewer than two values */
} srq_statistic;

srq_statistic srq_statistic_of(int count, const double *values);

/* The Pareto front: front[i] is true if no other point has at most the cost and at most the error of point i, and less
 * of one of them. Points that are not finite are never on it. */
void srq_pareto_front(int count, const double *cost, const double *error, bool *front);

#endif
