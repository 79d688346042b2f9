#include "core/clip.h"

/* Independent sums, so that the compiler can add several numbers at once without another order. The square of a float32
 * is exact in float64. */
enum { SUMS = 8 };

double srq_clip_squares(size_t count, const float *x)
{
    double sums[SUMS] = {0}, all = 0;
    size_t i = 0;
    for (; i + SUMS <= count; i += SUMS)
        for (size_t k = 0; k < SUMS; k++) sums[k] += (double)x[i + k] * (double)x[i + k];
    for (size_t k = 0; i < count; i++, k++) sums[k] += (double)x[i] * (double)x[i];
    for (size_t k = 0; k < SUMS; k++) all += sums[k];
    return all;
}

static double squares_of_logarithms(size_t count, const float *value, const float *gradient)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        const double g = (double)value[i] * (double)gradient[i];
        sum += g * g;
    }
    return sum;
}

static bool is_logarithm(const srq_parameter *p)
{
    return p->kind == SRQ_PARAMETER_ALPHA || p->kind == SRQ_PARAMETER_SIGMA;
}

double srq_clip_squares_of_others(const srq_optimizer *optimizer, const srq_graph *graph, const float *gradient)
{
    double sum = 0;
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (p->kind == SRQ_PARAMETER_WEIGHT || !srq_optimizer_learns(optimizer, p->kind)) continue;
        sum += is_logarithm(p)
                   ? squares_of_logarithms(p->count, srq_graph_values(graph) + p->offset, gradient + p->offset)
                   : srq_clip_squares(p->count, gradient + p->offset);
    }
    return sum;
}

static void scale(size_t count, float *x, float factor)
{
    for (size_t i = 0; i < count; i++) x[i] *= factor;
}

void srq_clip_weights(const srq_graph *graph, float *gradient, size_t begin, size_t end, float factor)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        const size_t first = p->offset > begin ? p->offset : begin;
        const size_t last = p->offset + p->count < end ? p->offset + p->count : end;
        if (p->kind == SRQ_PARAMETER_WEIGHT && first < last) scale(last - first, gradient + first, factor);
    }
}

void srq_clip_others(const srq_graph *graph, float *gradient, float factor)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (p->kind != SRQ_PARAMETER_WEIGHT && p->kind != SRQ_PARAMETER_STATISTIC)
            scale(p->count, gradient + p->offset, factor);
    }
}
