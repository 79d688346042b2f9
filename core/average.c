#include "core/average.h"

#include <math.h>
#include <string.h>

bool srq_average_has(srq_parameter_kind kind)
{
    return kind == SRQ_PARAMETER_WEIGHT || kind == SRQ_PARAMETER_BIAS || kind == SRQ_PARAMETER_STATISTIC;
}

double srq_average_decay(double decay, long steps)
{
    return fmin(decay, (1 + (double)steps) / (10 + (double)steps));
}

void srq_average_move(size_t count, float *average, const float *values, double decay)
{
    const float share = (float)(1 - decay);
    for (size_t i = 0; i < count; i++) average[i] += share * (values[i] - average[i]);
}

void srq_average_copy(const srq_graph *graph, float *to, const float *from)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (srq_average_has(p->kind)) memcpy(to + p->offset, from + p->offset, p->count * sizeof *to);
    }
}

void srq_average_exchange(size_t count, float *a, float *b)
{
    for (size_t k = 0; k < count; k++) {
        const float kept = a[k];
        a[k] = b[k];
        b[k] = kept;
    }
}
