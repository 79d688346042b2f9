/* The points of a grid, in units of the step size alpha: the value of a code is alpha * its point.
 *
 * On a uniform grid, the point of a code is the code itself. A method can have other points (quantizer.h). Evaluation,
 * checkpoints, and the commands that read checkpoints take the points from here. */
#ifndef SRQ_CORE_QUANT_POINTS_H
#define SRQ_CORE_QUANT_POINTS_H

#include <stdbool.h>

enum { SRQ_CODES_MAX = 256 };

/* The point of `code` on a grid with the codes min..max. */
typedef float srq_point(int code, int min, int max);

typedef struct srq_points {
    int min, count; /* codes min..min + count - 1, count <= SRQ_CODES_MAX */
    bool uniform;   /* the point of a code is the code */
    float point[SRQ_CODES_MAX];
    float border[SRQ_CODES_MAX]; /* [i] halfway between the points i and i + 1, in float32 */
} srq_points;

/* Make the points of the codes min..max from a method's function, or from a table [max - min + 1]; NULL: uniform.
 * Points must not decrease with increasing codes. */
void srq_points_make(int min, int max, srq_point *point, srq_points *points);
void srq_points_set(int min, int max, const float *table, srq_points *points);

/* The code whose point is nearest to `ratio`, which is x / alpha in float32. If two are equally near: the even code on
 * a uniform grid, otherwise the lower code. The lowest code for NaN. */
int srq_points_nearest(const srq_points *points, float ratio);
/* The point of a code. */
float srq_points_at(const srq_points *points, int code);
/* The position of `ratio` in codes, so that 0.5 is halfway from code 0 to code 1 on any grid. On a uniform grid, it is
 * `ratio` itself. Otherwise, it is interpolated between the neighbouring points, and extrapolated beyond the grid with
 * the outermost gap. */
double srq_points_place(const srq_points *points, double ratio);

#endif
