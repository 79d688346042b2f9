/* Places labels beside points, so that none covers another one or a point. */
#ifndef SRQ_EXPERIMENTS_REPORT_LABELS_H
#define SRQ_EXPERIMENTS_REPORT_LABELS_H

#include <stdbool.h>

/* Pixels, from the lower left corner. */
typedef struct srq_rectangle {
    double left, bottom, right, top;
} srq_rectangle;

typedef struct srq_label {
    double x, y;          /* of the point */
    double width, height; /* of the text */
    srq_rectangle at;     /* where the label is: the result */
} srq_label;

bool srq_rectangles_meet(const srq_rectangle *a, const srq_rectangle *b);

/* Places `count` labels within `area`. Labels and points are avoided before `obstacles` (bars, lines). The result is
 * the same for the same input. */
void srq_labels_place(int count, srq_label *labels, int obstacle_count, const srq_rectangle *obstacles,
                      const srq_rectangle *area);

#endif
