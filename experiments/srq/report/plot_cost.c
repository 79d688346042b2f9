/* Test error against bit operations and against size, with the Pareto front: a picture for each task, because a front
 * over several networks or data sets would mean nothing. The names of the points are below. */
#include "experiments/srq/report/plots.h"

#include "experiments/srq/report/labels.h"
#include "experiments/srq/report/pick.h"
#include "io/escape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    PICTURES_MAX = 12,
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
    double cost, spread, error, deviation; /* the spread is a deviation, too; errors in % */
    int number;
    bool front, partial, learned;
} point;

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
            const double value = axis ? q->error : q->cost, spread = axis ? q->deviation : q->spread;
            /* A bar may go below 0, but the logarithmic axis does not. */
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
        const srq_statistic *cost = p->size ? &g->bytes : &g->bops;
        const bool learned = strcmp(srq_config_settings(g->config)->dropbits.mode, "learn") == 0;
        p->points[i] = (point){.cost = cost->mean / p->unit,
                               .spread = isfinite(cost->deviation) ? cost->deviation / p->unit : 0,
                               .error = fmax(100 * g->error.mean, 0.005),
                               .deviation = isfinite(g->error.deviation) ? 100 * g->error.deviation : 0,
                               .number = g->number,
                               .partial = g->partial,
                               .learned = learned};
    }
    find_front(p);
    find_range(p);
}

/* --- Numbers beside the points */

static double place_of(double value, double least, double most, double from, double to)
{
    return from + log(value / least) / log(most / least) * (to - from);
}

static double x_of(const panel *p, double cost)
{
    return place_of(fmin(fmax(cost, p->least[0]), p->most[0]), p->least[0], p->most[0], p->left, p->right);
}

static double y_of(const panel *p, double error)
{
    return place_of(fmin(fmax(error, p->least[1]), p->most[1]), p->least[1], p->most[1], p->bottom, p->top);
}

static srq_rectangle line_between(double x1, double y1, double x2, double y2)
{
    return (srq_rectangle){fmin(x1, x2) - 1, fmin(y1, y2) - 1, fmax(x1, x2) + 1, fmax(y1, y2) + 1};
}

/* The bars, and the steps of the front. The points are in the order of their cost. */
static int list_obstacles(const panel *p, srq_rectangle *obstacles)
{
    int count = 0;
    const point *before = NULL;
    for (int i = 0; i < p->count; i++) {
        const point *q = &p->points[i];
        const double x = x_of(p, q->cost);
        obstacles[count++] = line_between(x, y_of(p, q->error - q->deviation), x, y_of(p, q->error + q->deviation));
        if (q->spread > 0)
            obstacles[count++] = line_between(x_of(p, q->cost - q->spread), y_of(p, q->error),
                                              x_of(p, q->cost + q->spread), y_of(p, q->error));
        if (!q->front) continue;
        if (before) {
            const double from = x_of(p, before->cost), high = y_of(p, before->error), low = y_of(p, q->error);
            obstacles[count++] = line_between(from, high, x, high);
            obstacles[count++] = line_between(x, low, x, high);
        }
        before = q;
    }
    return count;
}

/* A label that is not beside its point has a line to it. */
static void print_label(const srq_label *label, int number, srq_plot *plot)
{
    const double width = plot->width, height = plot->height;
    const double x = fmin(fmax(label->x, label->at.left), label->at.right),
                 y = fmin(fmax(label->y, label->at.bottom), label->at.top);
    if (hypot(x - label->x, y - label->y) > 14)
        fprintf(plot->body, "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 0.6 lc rgb '#888888'\n",
                label->x / width, label->y / height, x / width, y / height);
    fprintf(plot->body, "set label '%d' at screen %.5f,%.5f center front\n", number,
            (label->at.left + label->at.right) / 2 / width, (label->at.bottom + label->at.top) / 2 / height);
}

static void print_labels(const panel *p, srq_plot *plot)
{
    srq_label labels[POINTS_MAX];
    srq_rectangle obstacles[4 * POINTS_MAX];
    const srq_rectangle area = {p->left + 3, p->bottom + 3, p->right + 15, p->top + 8};
    for (int i = 0; i < p->count; i++) {
        const point *q = &p->points[i];
        const int digits = q->number > 999 ? 4 : q->number > 99 ? 3 : q->number > 9 ? 2 : 1;
        labels[i] = (srq_label){
            .x = x_of(p, q->cost), .y = y_of(p, q->error), .width = digits * DIGIT_WIDTH + 2, .height = LABEL_HEIGHT};
    }
    srq_labels_place(p->count, labels, list_obstacles(p, obstacles), obstacles, &area);
    for (int i = 0; i < p->count; i++) print_label(&labels[i], p->points[i].number, plot);
}

/* --- Drawing */

static int by_cost(const void *a, const void *b)
{
    const point *one = a, *other = b;
    return (one->cost > other->cost) - (one->cost < other->cost);
}

/* How points look: by whether they are on the front, whether no run is finished, and whether bit-lengths are learned.
 */
enum { LOOKS = 6 };
static const struct look {
    const char *name, *marker, *colour;
} looks[LOOKS] = {{"other", "pt 6 ps 0.9", "#0072B2"},    {"front", "pt 5 ps 0.9", "#D55E00"},
                  {"going", "pt 8 ps 0.9", "#666666"},    {"goingfront", "pt 9 ps 0.9", "#666666"},
                  {"learned", "pt 12 ps 1.3", "#0072B2"}, {"learnedfront", "pt 13 ps 1.3", "#D55E00"}};

static int look_of(const point *q)
{
    return q->front + (q->partial ? 2 : q->learned ? 4 : 0);
}

static void print_points(const panel *p, int look, FILE *out)
{
    fprintf(out, "$%s%d << EOD\n", looks[look].name, p->size);
    for (int i = 0; i < p->count; i++) {
        const point *q = &p->points[i];
        if (look_of(q) == look) fprintf(out, "%.6g %.6g %.6g %.6g\n", q->cost, q->error, q->spread, q->deviation);
    }
    fputs("EOD\n", out);
}

/* Bars where there are any, then the points. */
static void plot_look(const panel *p, int look, FILE *out)
{
    static const char *const bars[2] = {"1:2:($3 > 0 ? $3 : NaN) with xerrorbars",
                                        "1:2:($4 > 0 ? $4 : NaN) with yerrorbars"};
    const struct look *l = &looks[look];
    int points = 0, with[2] = {0};
    for (int i = 0; i < p->count; i++) {
        const point *q = &p->points[i];
        if (look_of(q) != look) continue;
        points++;
        with[0] += q->spread > 0;
        with[1] += q->deviation > 0;
    }
    for (int axis = 0; axis < 2; axis++)
        if (with[axis])
            fprintf(out, ", \\\n  $%s%d using %s pt 0 lw 1.2 lc rgb '%s' notitle", l->name, p->size, bars[axis],
                    l->colour);
    if (points)
        fprintf(out, ", \\\n  $%s%d using 1:2 with points %s lw 1.2 lc rgb '%s' notitle", l->name, p->size, l->marker,
                l->colour);
}

static void draw_panel(panel *p, srq_plot *plot)
{
    const int size = p->size;
    qsort(p->points, (size_t)p->count, sizeof *p->points, by_cost);
    for (int k = 0; k < LOOKS; k++) print_points(p, k, plot->data);
    fprintf(plot->data, "$line%d << EOD\n", size);
    for (int i = 0; i < p->count; i++)
        if (p->points[i].front) fprintf(plot->data, "%.6g %.6g\n", p->points[i].cost, p->points[i].error);
    fputs("EOD\n", plot->data);
    srq_plot_place(plot, p->left, p->bottom, p->right, p->top);
    srq_plot_log_axis(plot, 'x', p->least[0], p->most[0]);
    srq_plot_log_axis(plot, 'y', p->least[1], p->most[1]);
    fprintf(plot->body, "set xlabel '%s (log scale)'\nset ylabel 'test error, %% (log scale)'\n", p->label);
    print_labels(p, plot);
    fprintf(plot->body, "plot $line%d using 1:2 with steps lw 1.5 dt (8,4) lc rgb '#D55E00' notitle", size);
    for (int k = 0; k < LOOKS; k++) plot_look(p, k, plot->body);
    fputs("\nunset label\nunset arrow\n", plot->body);
}

/* --- Names below, column by column */

enum { CHARACTER_WIDTH = 7, NAME_CHARACTERS = (WIDTH - 40) / CHARACTER_WIDTH };

/* Names are never cut: they have as many columns as fit, and in a single column a long one has several lines. */
static int name_columns(const srq_report *report, int count, const int *groups)
{
    int longest = 0;
    for (int i = 0; i < count; i++) {
        const int width = srq_text_width(report->groups.items[groups[i]].name);
        if (width > longest) longest = width;
    }
    const int columns = NAME_CHARACTERS / (longest + 7); /* with the number */
    return count <= 3 || columns < 1 ? 1 : columns > 4 ? 4 : columns;
}

static int count_lines(const char *name)
{
    int lines = 0;
    char text[600];
    while (srq_text_next_line(&name, NAME_CHARACTERS - 6, text, sizeof text)) lines++;
    return lines > 0 ? lines : 1;
}

static int name_rows(const srq_report *report, int count, const int *groups, int columns)
{
    int lines = 0;
    if (columns > 1) return (count + columns - 1) / columns;
    for (int i = 0; i < count; i++) lines += count_lines(report->groups.items[groups[i]].name);
    return lines;
}

static void print_name(const char *text, double x, int row, srq_plot *plot)
{
    fputs("set label ", plot->body);
    srq_print_escaped(text, SRQ_ESCAPE_GNUPLOT, plot->body);
    fprintf(plot->body, " at screen %.5f,%.5f left noenhanced\n", x / plot->width,
            row * NAME_HEIGHT / (double)plot->height);
}

static void print_names(const srq_report *report, int count, const int *groups, int columns, int rows, srq_plot *plot)
{
    int row = 0;
    for (int i = 0; i < count; i++) {
        const srq_report_group *g = &report->groups.items[groups[i]];
        const char *rest = g->name;
        char number[16], line[600];
        snprintf(number, sizeof number, "%d", g->number);
        for (bool first = true; srq_text_next_line(&rest, NAME_CHARACTERS - 6, line, sizeof line);
             first = false, row++) {
            const double x = 30 + row / rows * ((WIDTH - 40) / columns);
            if (first) print_name(number, x, rows - row % rows, plot);
            print_name(line, x + 34, rows - row % rows, plot);
        }
    }
}

static void draw_all(const srq_report *report, int count, const int *groups, int columns, int rows, srq_plot *plot)
{
    static panel both[2];
    const bool large = report->groups.items[groups[0]].bytes.mean >= 1e6;
    both[0] = (panel){.label = "bit operations of one image, 10\xe2\x81\xb9", .unit = 1e9, .left = 80, .right = 480};
    both[1] = (panel){
        .label = large ? "size, MB" : "size, kB", .size = true, .unit = large ? 1e6 : 1e3, .left = 580, .right = 980};
    fputs("set multiplot\nset grid lc rgb '#e4e4e4' dt 1 lw 0.7\nset tics nomirror out scale 0.5\nset border 3\n",
          plot->body);
    print_names(report, count, groups, columns, rows, plot);
    for (int i = 0; i < 2; i++) {
        both[i].bottom = BOTTOM + rows * NAME_HEIGHT;
        both[i].top = both[i].bottom + PANEL_HEIGHT;
        fill(report, count, groups, &both[i]);
        draw_panel(&both[i], plot);
    }
    fputs("unset multiplot\n", plot->body);
}

/* `number`: of the picture, 0 if it is the only one. */
static srq_status draw(const srq_report *report, int number, int count, const int *groups, srq_pictures *pictures)
{
    char name[32] = "cost", title[SRQ_PICTURE_TITLE];
    srq_plot plot;
    const int columns = name_columns(report, count, groups), rows = name_rows(report, count, groups, columns);
    SRQ_TRY(srq_plot_start(WIDTH, rows * NAME_HEIGHT + BOTTOM + PANEL_HEIGHT + TOP_MARGIN, &plot));
    draw_all(report, count, groups, columns, rows, &plot);
    if (number > 0) snprintf(name, sizeof name, "cost-%d", number);
    snprintf(title, sizeof title, "Error against bit operations and against size: %s",
             report->tasks.items[report->groups.items[groups[0]].task].name);
    return srq_plot_finish(&plot, pictures, name, title,
                           "Numbers are those of the table; bars are one standard deviation over seeds. Both axes are "
                           "logarithmic. Filled markers and the dashed line: the Pareto front, the configurations for "
                           "which no other one of this network and data set is as cheap and as good. Diamonds: "
                           "bit-lengths are learned. Squares and circles: other configurations. Grey triangles: no "
                           "run is finished yet.");
}

srq_status srq_draw_cost(const srq_report *report, srq_pictures *pictures)
{
    int *picked = calloc((size_t)report->groups.count + 1, sizeof *picked), drawn = 0, possible = 0;
    if (!picked) return srq_fail_memory((size_t)report->groups.count * sizeof *picked, "a plot");
    for (int t = 0; t < report->tasks.count; t++) possible += srq_report_pick(report, t, has_point, 1, picked);
    srq_status status = SRQ_OK;
    for (int t = 0; t < report->tasks.count && drawn < PICTURES_MAX && status == SRQ_OK; t++) {
        const int count = srq_report_pick(report, t, has_point, POINTS_MAX, picked);
        if (count) status = draw(report, possible > 1 ? ++drawn : 0, count, picked, pictures);
    }
    free(picked);
    return status;
}
