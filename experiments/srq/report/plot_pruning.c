/* Test error against the share of weights that pruning leaves, for rewound and for new weights of several tickets, and
 * for rewound weights with random masks. */
#include "experiments/srq/report/plots.h"
#include "io/escape.h"

#include <math.h>
#include <stdlib.h>

enum {
    KINDS = 3, /* rewound weights, new weights, random masks */
    TOGETHER = 3,
    TICKETS_MAX = 12,
    LINES = KINDS * TOGETHER,
    LEFT = 90,
    RIGHT = 870,
    WIDTH = 900,
    HEIGHT = 340,
    ROW = 24
};

static const double error_floor = 0.005; /* %: the axis is logarithmic */

typedef struct point {
    double kept, error, low, high; /* % */
} point;

typedef struct line {
    int ticket; /* index in the report */
    int kind;   /* 0 .. KINDS - 1 */
    int count;
    point points[SRQ_TICKET_LEVELS];
} line;

typedef struct drawing {
    srq_plot plot;
    int count; /* lines that have points: those of one ticket after those of another */
    line lines[LINES];
    double least[2], most[2]; /* ranges of weights and error */
} drawing;

/* --- Data */

static void add_point(drawing *d, line *to, double kept, const srq_statistic *error)
{
    if (!(kept > 0) || error->count == 0) return;
    const double deviation = error->count > 1 ? 100 * error->deviation : 0,
                 value = fmax(100 * error->mean, error_floor);
    /* An error bar may go below 0, but the logarithmic axis does not. */
    const point p = {.kept = 100 * kept,
                     .error = value,
                     .low = fmax(value - deviation, fmax(value / 2, error_floor)),
                     .high = value + deviation};
    to->points[to->count++] = p;
    d->least[0] = fmin(d->least[0], p.kept);
    d->most[0] = fmax(d->most[0], p.kept);
    d->least[1] = fmin(d->least[1], p.low);
    d->most[1] = fmax(d->most[1], p.high);
}

static void fill(const srq_report *report, int count, const int *tickets, drawing *d)
{
    for (int i = 0; i < 2; i++) {
        d->least[i] = INFINITY;
        d->most[i] = 0;
    }
    for (int i = 0; i < count; i++) {
        srq_ticket_level levels[SRQ_TICKET_LEVELS];
        const int levels_there = srq_report_ticket_levels(&report->tickets.items[tickets[i]], levels);
        for (int kind = 0; kind < KINDS; kind++) {
            line *to = &d->lines[d->count];
            *to = (line){.ticket = tickets[i], .kind = kind};
            for (int k = 0; k < levels_there; k++) {
                const srq_statistic *errors[KINDS] = {&levels[k].rewound.error, &levels[k].random.error,
                                                      &levels[k].drawn.error};
                add_point(d, to, levels[k].kept, errors[kind]);
            }
            d->count += to->count > 0;
        }
    }
}

/* Lines are shifted a little, so that their bars do not cover each other. */
static void print_line(const drawing *d, int i)
{
    const double reach = d->most[0] > d->least[0] ? log(d->most[0] / d->least[0]) : 0.1;
    const double shift = exp(0.006 * reach * (i - (d->count - 1) / 2.0));
    fprintf(d->plot.data, "$l%d << EOD\n", i);
    for (int k = 0; k < d->lines[i].count; k++) {
        const point *p = &d->lines[i].points[k];
        fprintf(d->plot.data, "%.6g %.6g %.6g %.6g\n", p->kept / shift, p->error, p->low, p->high);
    }
    fputs("EOD\n", d->plot.data);
}

/* --- Drawing */

static void draw_key(const srq_report *report, drawing *d)
{
    static const char *const kinds[KINDS] = {"rewound (prune)", "new weights (reinit)", "random masks (random)"};
    for (int i = 0; i < d->count; i++) {
        char text[400], cut[300];
        const srq_report_ticket *ticket = &report->tickets.items[d->lines[i].ticket];
        snprintf(text, sizeof text, "%s: %s", srq_text_cut(ticket->name, 72, cut, sizeof cut), kinds[d->lines[i].kind]);
        srq_plot_key_of(&d->plot, 50, ROW * (d->count - i), i, text);
    }
}

static void draw_lines(drawing *d)
{
    for (int i = 0; i < d->count; i++) print_line(d, i);
    srq_plot_bars(&d->plot, d->count);
}

static void draw_all(const srq_report *report, drawing *d)
{
    const int bottom = ROW * d->count + 76;
    const double space = d->most[0] > d->least[0] ? pow(d->most[0] / d->least[0], 0.04) : 1.1;
    fputs("set grid lc rgb '#e4e4e4' dt 1 lw 0.7\nset tics nomirror out scale 0.5\nset border 3\n"
          "set xlabel 'weights left, % of all (log scale)'\nset ylabel 'test error, % (log scale)'\n",
          d->plot.body);
    draw_key(report, d);
    srq_plot_place(&d->plot, LEFT, bottom, RIGHT, bottom + HEIGHT);
    srq_plot_log_axis(&d->plot, 'x', d->least[0] / space, d->most[0] * space);
    /* The axis goes down from all weights, in the order of pruning. */
    fprintf(d->plot.body, "set xrange [%.9g:%.9g]\n", d->most[0] * space, d->least[0] / space);
    srq_plot_log_axis(&d->plot, 'y', d->least[1] / 1.1, d->most[1] * 1.1);
    draw_lines(d);
}

static srq_status draw(const srq_report *report, int number, int count, const int *tickets, srq_pictures *pictures)
{
    char name[32];
    drawing *d = calloc(1, sizeof *d);
    if (!d) return srq_fail_memory(sizeof *d, "a plot");
    fill(report, count, tickets, d);
    srq_status status = d->most[0] > 0 ? srq_plot_start(WIDTH, ROW * d->count + 76 + HEIGHT + 18, &d->plot) : SRQ_OK;
    if (status == SRQ_OK && d->most[0] > 0) {
        draw_all(report, d);
        snprintf(name, sizeof name, "pruning-%d", number);
        status = srq_plot_finish(&d->plot, pictures, name, "Error against weights left by pruning",
                                 "Mean over seeds; bars are one standard deviation. The points at the left are the "
                                 "networks before pruning: rewind and scratch, or learn if there are none. Both axes "
                                 "are logarithmic; lines are shifted a little so that bars do not cover each other.");
    }
    free(d);
    return status;
}

srq_status srq_draw_pruning(const srq_report *report, srq_pictures *pictures)
{
    int pruned[TICKETS_MAX], count = 0, together = TOGETHER;
    srq_ticket_level levels[SRQ_TICKET_LEVELS];
    for (int i = 0; i < report->tickets.count && count < TICKETS_MAX; i++) {
        const int there = srq_report_ticket_levels(&report->tickets.items[i], levels);
        if (there) pruned[count++] = i;
        /* There are styles for two tickets with three lines each. */
        for (int k = 0; k < there; k++)
            if (levels[k].drawn.stage) together = SRQ_STYLES / KINDS;
    }
    for (int i = 0; i < count; i += together)
        SRQ_TRY(draw(report, i / together + 1, count - i < together ? count - i : together, pruned + i, pictures));
    return SRQ_OK;
}
