#include "experiments/srq/statistics.h"

#include <math.h>

srq_statistic srq_statistic_of(int count, const double *values)
{
    srq_statistic s = {.mean = NAN, .deviation = NAN};
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++) {
        if (!isfinite(values[i])) continue;
        sum += values[i];
        s.count++;
    }
    if (s.count > 0) s.mean = sum / s.count;
    for (int i = 0; i < count; i++)
        if (isfinite(values[i])) squares += (values[i] - s.mean) * (values[i] - s.mean);
    if (s.count > 1) s.deviation = sqrt(squares / (s.count - 1));
    return s;
}

static bool better(double cost_a, double error_a, double cost_b, double error_b)
{
    return cost_a <= cost_b && error_a <= error_b && (cost_a < cost_b || error_a < error_b);
}

void srq_pareto_front(int count, const double *cost, const double *error, bool *front)
{
    for (int i = 0; i < count; i++) {
        front[i] = isfinite(cost[i]) && isfinite(error[i]);
        for (int k = 0; front[i] && k < count; k++)
            if (isfinite(cost[k]) && isfinite(error[k]) && better(cost[k], error[k], cost[i], error[i]))
                front[i] = false;
    }
}
