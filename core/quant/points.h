/* The points of a grid, in units of the step size alpha: the value of a code is alpha * its point.
 *
 * On a uniform grid the point of a code is the code itself. A method may have others (quantizer.h); evaluation, the
 * commands that look into checkpoints, and checkpoints themselves take them from here. */
#ifndef SRQ_CORE_QUANT_POINTS_H
#define SRQ_CORE_QUANT_POINTS_H

#include <stdbool.h>

enum { SRQ_CODES_MAX = 256 };

/* The point of `code` on a grid of the codes min..max. */
typedef float srq_point(int code, int min, int max);

typedef struct srq_points {
    int min, count; /* codes min..min + count - 1, count <= SRQ_CODES_MAX */
    bool uniform;   /* the point of a code is the code */
    float point[SRQ_CODES_MAX];
    float border[SRQ_CODES_MAX]; /* [i] halfway between the points i and i + 1, in float32 */
} srq_points;

/* Of the codes min..max, from the method's function, or from a table [max - min + 1]; NULL: uniform. Points must not
 * fall as codes rise. */
void srq_points_make(int min, int max, srq_point *point, srq_points *points);
void srq_points_set(int min, int max, const float *table, srq_points *points);

/* The code whose point is nearest to `ratio`, x / alpha in float32. Of two that are as near: the even one on a uniform
 * grid, else the lower one. Of NaN the lowest code. */
int srq_points_nearest(const srq_points *points, float ratio);
/* The point of a code. */
float srq_points_at(const srq_points *points, int code);
/* Where `ratio` lies, in codes: on a uniform grid `ratio` itself; else in proportion between the points around it, and
 * beyond the grid by its outermost gap. So 0.5 is halfway from code 0 to code 1 on any grid. */
double srq_points_place(const srq_points *points, double ratio);

#endif
