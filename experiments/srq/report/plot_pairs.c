/* The paired differences of a ticket: a row for each pair of stages, with the 95 % confidence interval as a bar, and a
 * line at 0. */
#include "experiments/srq/report/plots.h"
#include "io/escape.h"

#include <math.h>

enum { ROW = 22, LEFT = 250, RIGHT = 870, WIDTH = 900, BOTTOM = 62, TOP_MARGIN = 14, TICKETS_MAX = 12 };

typedef struct drawing {
    srq_plot plot;
    int rows;
    double least, most; /* percentage points */
    int present[3];     /* number of rows with each style */
    int look;           /* the style that is printed */
} drawing;

/* The styles: the interval is on one side of 0; it contains 0; there is none, with one seed. */
enum { APART, HOLDS, SINGLE, LOOKS };

static int look_of(const srq_paired *p)
{
    if (p->count < 2) return SINGLE;
    return p->high < 0 || p->low > 0 ? APART : HOLDS;
}

static void measure(const srq_comparison *c, int a, int b, const srq_paired *p, int place, void *context)
{
    drawing *d = context;
    const bool single = look_of(p) == SINGLE;
    d->least = fmin(d->least, 100 * (single ? p->mean : p->low));
    d->most = fmax(d->most, 100 * (single ? p->mean : p->high));
    d->present[look_of(p)]++;
    fprintf(d->plot.body, "%s'%s - %s' %d", place ? ", " : "set ytics (", c->stages[a].name, c->stages[b].name,
            d->rows - 1 - place);
}

static void print_row(const srq_comparison *c, int a, int b, const srq_paired *p, int place, void *context)
{
    const drawing *d = context;
    (void)c, (void)a, (void)b;
    if (look_of(p) != d->look) return;
    const bool single = d->look == SINGLE;
    fprintf(d->plot.data, "%.6g %d %.6g %.6g\n", 100 * p->mean, d->rows - 1 - place, 100 * (single ? p->mean : p->low),
            100 * (single ? p->mean : p->high));
}

static void draw_rows(const srq_comparison *c, drawing *d)
{
    static const char *const names[LOOKS] = {"apart", "holds", "single"};
    static const char *const looks[LOOKS] = {"pt 5 lc rgb '#D55E00'", "pt 6 lc rgb '#0072B2'", "pt 8 lc rgb '#666666'"};
    const char *comma = "plot ";
    for (d->look = 0; d->look < LOOKS; d->look++) {
        fprintf(d->plot.data, "$%s << EOD\n", names[d->look]);
        srq_comparison_visit(c, print_row, d);
        fputs("EOD\n", d->plot.data);
        if (!d->present[d->look]) continue;
        fprintf(d->plot.body, "%s$%s using 1:2:3:4 with xerrorbars ps 1 lw 1.6 %s notitle", comma, names[d->look],
                looks[d->look]);
        comma = ", \\\n  ";
    }
    fputc('\n', d->plot.body);
}

static void draw_all(const srq_comparison *c, drawing *d)
{
    srq_plot_place(&d->plot, LEFT, BOTTOM, RIGHT, BOTTOM + ROW * d->rows);
    fputs("set grid x lc rgb '#e4e4e4' dt 1 lw 0.7\nset tics nomirror out scale 0.5\nset border 1\n"
          "set xlabel 'difference in test error, percentage points (below 0: the first stage has the lower error)'\n",
          d->plot.body);
    srq_comparison_visit(c, measure, d);
    const double space = d->most > d->least ? 0.06 * (d->most - d->least) : 0.1;
    fprintf(d->plot.body,
            ") noenhanced\nset yrange [-0.6:%.1f]\nset xrange [%.6g:%.6g]\n"
            "set arrow from 0, graph 0 to 0, graph 1 nohead back lw 1.4 lc rgb '#333333'\n",
            d->rows - 0.4, d->least - space, d->most + space);
    draw_rows(c, d);
}

static srq_status draw(const srq_report_ticket *ticket, int number, srq_pictures *pictures)
{
    char name[32], title[SRQ_PICTURE_TITLE], called[400];
    drawing d = {.rows = srq_comparison_visit(&ticket->comparison, NULL, NULL)};
    if (d.rows == 0) return SRQ_OK;
    SRQ_TRY(srq_plot_start(WIDTH, BOTTOM + ROW * d.rows + TOP_MARGIN, &d.plot));
    draw_all(&ticket->comparison, &d);
    snprintf(name, sizeof name, "ticket-%d", number);
    snprintf(title, sizeof title, "%s: paired differences", srq_report_call_ticket(ticket, called, sizeof called));
    return srq_plot_finish(
        &d.plot, pictures, name, title,
        "Mean over seeds of the difference in test error between two stages of the same seed, and "
        "its 95 % confidence interval. Filled squares: the interval is on one side of 0. Circles: it contains 0, so "
        "the difference is not significant. Triangles: no interval, because there is only one seed.");
}

srq_status srq_draw_pairs(const srq_report *report, srq_pictures *pictures)
{
    for (int i = 0; i < report->tickets.count && i < TICKETS_MAX; i++)
        SRQ_TRY(draw(&report->tickets.items[i], i + 1, pictures));
    return SRQ_OK;
}
