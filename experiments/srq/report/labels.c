#include "experiments/srq/report/labels.h"

#include <math.h>

enum { DIRECTIONS = 16, DISTANCES = 14, ROUNDS = 3, POINT_RADIUS = 5 };

bool srq_rectangles_meet(const srq_rectangle *a, const srq_rectangle *b)
{
    return a->left < b->right && b->left < a->right && a->bottom < b->top && b->bottom < a->top;
}

/* The part of `a` that `b` covers. */
static double covered(const srq_rectangle *a, const srq_rectangle *b)
{
    const double width = fmin(a->right, b->right) - fmax(a->left, b->left);
    const double height = fmin(a->top, b->top) - fmax(a->bottom, b->bottom);
    return width > 0 && height > 0 ? width * height / ((a->right - a->left) * (a->top - a->bottom)) : 0;
}

static srq_rectangle around(double x, double y)
{
    return (srq_rectangle){x - POINT_RADIUS, y - POINT_RADIUS, x + POINT_RADIUS, y + POINT_RADIUS};
}

/* A place in one of the directions: beside the point, or farther away. */
static srq_rectangle candidate(const srq_label *label, int direction, int distance)
{
    const double angle = 2 * acos(-1) * direction / DIRECTIONS;
    const double x = label->x + cos(angle) * (8 + label->width / 2 + 9 * distance);
    const double y = label->y + sin(angle) * (7 + label->height / 2 + 9 * distance);
    return (srq_rectangle){x - label->width / 2, y - label->height / 2, x + label->width / 2, y + label->height / 2};
}

typedef struct scene {
    int count;
    const srq_label *labels;
    int placed; /* labels before this one have a place */
    int obstacle_count;
    const srq_rectangle *obstacles, *area;
} scene;

/* Whether the line from a point to its label crosses a rectangle. */
static bool line_crosses(const srq_label *label, const srq_rectangle *at, const srq_rectangle *other)
{
    enum { PARTS = 8 };
    const double x = (at->left + at->right) / 2, y = (at->bottom + at->top) / 2;
    for (int i = 1; i < PARTS; i++) {
        const double share = (double)i / PARTS, px = label->x + share * (x - label->x),
                     py = label->y + share * (y - label->y);
        if (px > other->left && px < other->right && py > other->bottom && py < other->top) return true;
    }
    return false;
}

/* How bad it is to have label number `own` at a place. */
static double cost_of(const scene *s, int own, const srq_rectangle *at, int distance)
{
    double cost = distance;
    if (at->left < s->area->left || at->right > s->area->right || at->bottom < s->area->bottom ||
        at->top > s->area->top)
        cost += 1e6;
    for (int i = 0; i < s->count; i++) {
        const srq_rectangle point = around(s->labels[i].x, s->labels[i].y);
        if (srq_rectangles_meet(at, &point)) cost += 1e3;
        if (i == own || i >= s->placed) continue;
        if (srq_rectangles_meet(at, &s->labels[i].at)) cost += 1e4;
        if (line_crosses(&s->labels[own], at, &s->labels[i].at)) cost += 4;
        if (line_crosses(&s->labels[i], &s->labels[i].at, at)) cost += 4;
    }
    for (int i = 0; i < s->obstacle_count; i++) cost += 20 * sqrt(covered(at, &s->obstacles[i]));
    return cost;
}

static srq_rectangle best_place(const scene *s, int own)
{
    srq_rectangle best = {0};
    double least = INFINITY;
    for (int distance = 0; distance < DISTANCES && distance < least; distance++)
        for (int direction = 0; direction < DIRECTIONS; direction++) {
            const srq_rectangle at = candidate(&s->labels[own], direction, distance);
            const double cost = cost_of(s, own, &at, distance);
            if (cost >= least) continue;
            least = cost;
            best = at;
        }
    return best;
}

/* One after another; then each again, now that all others have a place. */
void srq_labels_place(int count, srq_label *labels, int obstacle_count, const srq_rectangle *obstacles,
                      const srq_rectangle *area)
{
    scene s = {
        .count = count, .labels = labels, .obstacle_count = obstacle_count, .obstacles = obstacles, .area = area};
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < count; i++) {
            s.placed = round ? count : i;
            labels[i].at = best_place(&s, i);
        }
}
