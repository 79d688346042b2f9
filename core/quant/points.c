#include "core/quant/points.h"

#include <math.h>
#include <stddef.h>

static void set_borders(srq_points *points)
{
    for (int i = 0; i + 1 < points->count; i++) points->border[i] = (points->point[i] + points->point[i + 1]) / 2;
}

void srq_points_make(int min, int max, srq_point *point, srq_points *points)
{
    points->min = min;
    points->count = max - min + 1;
    points->uniform = !point;
    for (int i = 0; i < points->count; i++) points->point[i] = point ? point(min + i, min, max) : (float)(min + i);
    set_borders(points);
}

void srq_points_set(int min, int max, const float *table, srq_points *points)
{
    srq_points_make(min, max, NULL, points);
    if (!table) return;
    points->uniform = false;
    for (int i = 0; i < points->count; i++) points->point[i] = table[i];
    set_borders(points);
}

int srq_points_nearest(const srq_points *points, float ratio)
{
    int low = 0, high = points->count - 1;
    if (points->uniform) {
        const int code = (int)fmaxf((float)points->min, fminf((float)(points->min + high), rintf(ratio)));
        return isnan(ratio) ? points->min : code;
    }
    while (low < high) {
        const int middle = (low + high) / 2;
        if (ratio > points->border[middle])
            low = middle + 1;
        else
            high = middle;
    }
    return points->min + low;
}

float srq_points_at(const srq_points *points, int code)
{
    return points->point[code - points->min];
}

double srq_points_place(const srq_points *points, double ratio)
{
    if (points->uniform || points->count < 2) return ratio;
    int i = 0;
    while (i + 2 < points->count && ratio >= (double)points->point[i + 1]) i++;
    const double gap = (double)points->point[i + 1] - (double)points->point[i];
    const double beyond = ratio - (double)points->point[i];
    return points->min + i + (gap > 0 ? beyond / gap : 0);
}
