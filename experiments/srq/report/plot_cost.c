/* Test error against bit operations and against size, with the Pareto front. The names of the points are below. */
#include "experiments/srq/report/plots.h"

#include "experiments/srq/report/pick.h"
#include "io/escape.h"

#include <math.h>
#include <stdlib.h>

enum {
    POINTS_MAX = 60,
    LABEL_HEIGHT = 14,
    DIGIT_WIDTH = 8,
    WIDTH = 1000,
    BOTTOM = 78, /* distance between the names and the panels */
    PANEL_HEIGHT = 340,
    TOP_MARGIN = 20,
    NAME_HEIGHT = 20
};

typedef struct point {
    double cost, error, deviation; /* % */
    int number;
    bool front, partial;
} point;

typedef struct rectangle {
    double left, bottom, right, top; /* pixels */
} rectangle;

typedef struct panel {
    const char *label;
    bool size; /* otherwise BOPs */
    double unit;
    int left, right, bottom, top;
    double least[2], most[2]; /* ranges of cost and error */
    int count;
    point points[POINTS_MAX];
} panel;

/* --- Data */

static bool has_point(const srq_report *report, const srq_report_group *group)
{
    (void)report;
    return isfinite(group->error.mean) && group->bops.mean > 0 && group->bytes.mean > 0;
}

static void find_front(panel *p)
{
    double cost[POINTS_MAX], error[POINTS_MAX];
    bool front[POINTS_MAX];
    for (int i = 0; i < p->count; i++) {
        cost[i] = p->points[i].cost;
        error[i] = p->points[i].error;
    }
    srq_pareto_front(p->count, cost, error, front);
    for (int i = 0; i < p->count; i++) p->points[i].front = front[i];
}

static void find_range(panel *p)
{
    for (int axis = 0; axis < 2; axis++) {
        double least = INFINITY, most = 0;
        for (int i = 0; i < p->count; i++) {
            const point *q = &p->points[i];
            const double value = axis ? q->error : q->cost, spread = axis ? q->deviation : 0;
            /* An error bar may go below 0, but the logarithmic axis does not. */
            least = fmin(least, fmax(value - spread, value / 2));
            most = fmax(most, value + spread);
        }
        p->least[axis] = least / (most > 1.5 * least ? pow(most / least, 0.08) : 1.15);
        p->most[axis] = most * (most > 1.5 * least ? pow(most / least, 0.08) : 1.15);
    }
}

static void fill(const srq_report *report, int count, const int *groups, panel *p)
{
    p->count = count;
    for (int i = 0; i < count; i++) {
        const srq_report_group *g = &report->groups.items[groups[i]];
        p->points[i] = (point){.cost = (p->size ? g->bytes.mean : g->bops.mean) / p->unit,
                               .error = fmax(100 * g->error.mean, 0.005),
                               .deviation = isfinite(g->error.deviation) ? 100 * g->error.deviation : 0,
                               .number = g->number,
                               .partial = g->partial};
    }
    find_front(p);
    find_range(p);
}

/* --- Numbers beside the points, placed so that none covers another one or a point */

static double place_of(double value, double least, double most, double from, double to)
{
    return from + log(value / least) / log(most / least) * (to - from);
}

static bool meet(const rectangle *a, const rectangle *b)
{
    return a->left < b->right && b->left < a->right && a->bottom < b->top && b->bottom < a->top;
}

static bool is_free(const rectangle *at, int taken_count, const rectangle *taken)
{
    for (int i = 0; i < taken_count; i++)
        if (meet(at, &taken[i])) return false;
    return true;
}

/* Right, left, above, below, then the corners; then the same farther away. */
static rectangle find_place(double x, double y, int width, int taken_count, const rectangle *taken)
{
    static const double directions[8][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
    rectangle at = {0};
    for (int distance = 0; distance < 6; distance++)
        for (int d = 0; d < 8; d++) {
            const double center_x = x + directions[d][0] * (8 + width / 2.0 + 12 * distance);
            const double center_y = y + directions[d][1] * (14 + 10 * distance);
            at = (rectangle){center_x - width / 2.0, center_y - LABEL_HEIGHT / 2.0, center_x + width / 2.0,
                             center_y + LABEL_HEIGHT / 2.0};
            if (is_free(&at, taken_count, taken)) return at;
        }
    return at;
}

static void print_labels(const panel *p, srq_plot *plot)
{
    rectangle taken[2 * POINTS_MAX];
    int count = 0;
    for (int i = 0; i < p->count; i++) {
        const double x = place_of(p->points[i].cost, p->least[0], p->most[0], p->left, p->right);
        const double y = place_of(p->points[i].error, p->least[1], p->most[1], p->bottom, p->top);
        taken[count++] = (rectangle){x - 5, y - 5, x + 5, y + 5};
    }
    for (int i = 0; i < p->count; i++) {
        const point *q = &p->points[i];
        const int width = (q->number > 99 ? 3 : q->number > 9 ? 2 : 1) * DIGIT_WIDTH;
        const rectangle at =
            find_place((taken[i].left + taken[i].right) / 2, (taken[i].bottom + taken[i].top) / 2, width, count, taken);
        const double x = (taken[i].left + taken[i].right) / 2, y = (taken[i].bottom + taken[i].top) / 2;
        if (fabs(at.left + at.right - 2 * x) > 40 || fabs(at.bottom + at.top - 2 * y) > 40)
            fprintf(plot->body, "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 0.6 lc rgb '#888888'\n",
                    x / plot->width, y / plot->height, fmin(fmax(x, at.left), at.right) / plot->width,
                    fmin(fmax(y, at.bottom), at.top) / plot->height);
        fprintf(plot->body, "set label '%d' at screen %.5f,%.5f center front\n", q->number,
                (at.left + at.right) / 2 / plot->width, (at.bottom + at.top) / 2 / plot->height);
        taken[count++] = at;
    }
}

/* --- Drawing */

static int by_cost(const void *a, const void *b)
{
    const point *one = a, *other = b;
    return (one->cost > other->cost) - (one->cost < other->cost);
}

static void print_points(const panel *p, const char *name, bool front, bool partial, FILE *out)
{
    fprintf(out, "$%s%d << EOD\n", name, p->size);
    for (int i = 0; i < p->count; i++) {
        const point *q = &p->points[i];
        if (q->front == front && q->partial == partial)
            fprintf(out, "%.6g %.6g %.6g\n", q->cost, q->error, q->deviation);
    }
    fputs("EOD\n", out);
}

static void draw_panel(panel *p, srq_plot *plot)
{
    static const char *const looks[4][3] = {{"other", "pt 6", "#0072B2"},
                                            {"front", "pt 5", "#D55E00"},
                                            {"going", "pt 8", "#666666"},
                                            {"goingfront", "pt 9", "#666666"}};
    const int size = p->size;
    qsort(p->points, (size_t)p->count, sizeof *p->points, by_cost);
    for (int k = 0; k < 4; k++) print_points(p, looks[k][0], k % 2, k / 2, plot->data);
    fprintf(plot->data, "$line%d << EOD\n", size);
    for (int i = 0; i < p->count; i++)
        if (p->points[i].front) fprintf(plot->data, "%.6g %.6g\n", p->points[i].cost, p->points[i].error);
    fputs("EOD\n", plot->data);
    srq_plot_place(plot, p->left, p->bottom, p->right, p->top);
    srq_plot_log_axis(plot, 'x', p->least[0], p->most[0]);
    srq_plot_log_axis(plot, 'y', p->least[1], p->most[1]);
    fprintf(plot->body, "set xlabel '%s'\nset ylabel 'test error, %%'\n", p->label);
    print_labels(p, plot);
    fprintf(plot->body, "plot $line%d using 1:2 with steps lw 1.5 dt (8,4) lc rgb '#D55E00' notitle", size);
    int present[4] = {0};
    for (int i = 0; i < p->count; i++) present[p->points[i].front + 2 * p->points[i].partial]++;
    for (int k = 0; k < 4; k++)
        if (present[k])
            fprintf(plot->body, ", \\\n  $%s%d using 1:2:3 with yerrorbars %s ps 0.9 lw 1.2 lc rgb '%s' notitle",
                    looks[k][0], size, looks[k][1], looks[k][2]);
    fputs("\nunset label\nunset arrow\n", plot->body);
}

/* --- Names below, column by column */

static int name_columns(const srq_report *report, int count, const int *groups)
{
    int longest = 0;
    for (int i = 0; i < count; i++) {
        const int width = srq_text_width(report->groups.items[groups[i]].name);
        if (width > longest) longest = width;
    }
    return count <= 3 ? 1 : longest <= 24 ? 4 : longest <= 34 ? 3 : 2;
}

static void print_names(const srq_report *report, int count, const int *groups, int columns, srq_plot *plot)
{
    const int rows = (count + columns - 1) / columns, width = (WIDTH - 40) / columns;
    for (int i = 0; i < count; i++) {
        const srq_report_group *g = &report->groups.items[groups[i]];
        char name[300], text[320];
        snprintf(text, sizeof text, "%d  %s", g->number, srq_text_cut(g->name, width / 8, name, sizeof name));
        fputs("set label ", plot->body);
        srq_print_escaped(text, SRQ_ESCAPE_GNUPLOT, plot->body);
        fprintf(plot->body, " at screen %.5f,%.5f left noenhanced\n", (30 + i / rows * width) / (double)WIDTH,
                (rows - i % rows) * NAME_HEIGHT / (double)plot->height);
    }
}

static srq_status draw(const srq_report *report, int count, const int *groups, srq_pictures *pictures)
{
    static panel both[2];
    srq_plot plot;
    const bool large = report->groups.items[groups[0]].bytes.mean >= 1e6;
    both[0] = (panel){.label = "bit operations of one image, 10^9", .unit = 1e9, .left = 80, .right = 480};
    both[1] = (panel){
        .label = large ? "size, MB" : "size, kB", .size = true, .unit = large ? 1e6 : 1e3, .left = 580, .right = 980};
    const int columns = name_columns(report, count, groups), rows = (count + columns - 1) / columns;
    SRQ_TRY(srq_plot_start(WIDTH, rows * NAME_HEIGHT + BOTTOM + PANEL_HEIGHT + TOP_MARGIN, &plot));
    fputs("set multiplot\nset grid lc rgb '#e4e4e4' dt 1 lw 0.7\nset tics nomirror out scale 0.5\nset border 3\n",
          plot.body);
    print_names(report, count, groups, columns, &plot);
    for (int i = 0; i < 2; i++) {
        both[i].bottom = BOTTOM + rows * NAME_HEIGHT;
        both[i].top = both[i].bottom + PANEL_HEIGHT;
        fill(report, count, groups, &both[i]);
        draw_panel(&both[i], &plot);
    }
    fputs("unset multiplot\n", plot.body);
    return srq_plot_finish(&plot, pictures, "cost", "Error against bit operations and against size",
                           "Numbers are those of the table; bars are one standard deviation over seeds. Filled squares "
                           "and the dashed line: the Pareto front, the configurations for which no other one is as "
                           "cheap and as good. Circles: other configurations. Grey "
                           "triangles: no run is finished yet.");
}

srq_status srq_draw_cost(const srq_report *report, srq_pictures *pictures)
{
    int *picked = calloc((size_t)report->groups.count + 1, sizeof *picked);
    if (!picked) return srq_fail_memory((size_t)report->groups.count * sizeof *picked, "a plot");
    const int count = srq_report_pick(report, has_point, POINTS_MAX, picked);
    const srq_status status = count ? draw(report, count, picked, pictures) : SRQ_OK;
    free(picked);
    return status;
}
