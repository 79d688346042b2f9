/* The paired differences of tickets that differ only in the length of training, against that length, with 95 %
 * confidence intervals. */
#include "experiments/srq/report/plots.h"
#include "io/escape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES_MAX = 6, LINES = SRQ_STYLES, POINTS = 64, LEFT = 90, RIGHT = 870, WIDTH = 900, HEIGHT = 340, ROW = 24 };

typedef struct point {
    double epochs, mean, low, high; /* percentage points */
} point;

/* A pair of stages. */
typedef struct line {
    char name[80];
    int count;
    point points[POINTS];
} line;

typedef struct drawing {
    srq_plot plot;
    double epochs; /* of the ticket whose pairs are added */
    int level;     /* of pruning that is drawn */
    int count;
    line lines[LINES];
    int length_count;
    double lengths[POINTS]; /* ascending */
    double least, most;
} drawing;

/* --- Data */

/* What learning bit-lengths brings, and what the weights bring that are left at the last level of pruning. */
static bool is_drawn(const srq_stage *a, const srq_stage *b, int level)
{
    if (a->kind == SRQ_STAGE_PRUNE) return a->level == level && b->level == level;
    return a->kind == SRQ_STAGE_LEARN && b->level == 0;
}

static line *line_of(drawing *d, const char *name)
{
    for (int i = 0; i < d->count; i++)
        if (strcmp(d->lines[i].name, name) == 0) return &d->lines[i];
    if (d->count == LINES) return NULL;
    snprintf(d->lines[d->count].name, sizeof d->lines[0].name, "%s", name);
    return &d->lines[d->count++];
}

static void add_pair(const srq_comparison *c, int a, int b, const srq_paired *p, int place, void *context)
{
    drawing *d = context;
    char name[80];
    (void)place;
    if (!is_drawn(&c->stages[a], &c->stages[b], d->level)) return;
    snprintf(name, sizeof name, "%s - %s", c->stages[a].name, c->stages[b].name);
    line *to = line_of(d, name);
    if (!to || to->count == POINTS) return;
    const bool single = p->count < 2;
    const point q = {.epochs = d->epochs,
                     .mean = 100 * p->mean,
                     .low = 100 * (single ? p->mean : p->low),
                     .high = 100 * (single ? p->mean : p->high)};
    to->points[to->count++] = q;
    d->least = fmin(d->least, q.low);
    d->most = fmax(d->most, q.high);
}

/* The highest level of pruning that all tickets of the series have; 0 without pruning. */
static int common_level(const srq_report *report, int series)
{
    int common = -1;
    for (int i = 0; i < report->tickets.count; i++) {
        const srq_report_ticket *ticket = &report->tickets.items[i];
        if (ticket->series != series) continue;
        const int last = ticket->stages[ticket->stage_count - 1].level;
        if (common < 0 || last < common) common = last;
    }
    return common;
}

static int by_epochs(const void *a, const void *b)
{
    const double x = (*(const srq_report_ticket *const *)a)->epochs, y = (*(const srq_report_ticket *const *)b)->epochs;
    return (x > y) - (x < y);
}

static void fill(const srq_report *report, int series, drawing *d)
{
    const srq_report_ticket *tickets[POINTS];
    int count = 0;
    d->level = common_level(report, series);
    d->least = d->most = 0; /* the line at 0 is part of the plot */
    for (int i = 0; i < report->tickets.count && count < POINTS; i++)
        if (report->tickets.items[i].series == series) tickets[count++] = &report->tickets.items[i];
    qsort(tickets, (size_t)count, sizeof *tickets, by_epochs);
    for (int i = 0; i < count; i++) {
        d->epochs = tickets[i]->epochs;
        d->lengths[d->length_count++] = d->epochs;
        srq_comparison_visit(&tickets[i]->comparison, add_pair, d);
    }
}

/* --- Drawing */

/* A tick at each length, unless its label would touch that of the one before. */
static void draw_lengths(const drawing *d, double reach)
{
    const double first = d->lengths[0], last = d->lengths[d->length_count - 1];
    double before = 0;
    fputs("set logscale x\nset xtics (", d->plot.body);
    for (int i = 0; i < d->length_count; i++) {
        const bool close = i && log(d->lengths[i] / before) < 0.06 * reach;
        fprintf(d->plot.body, "%s'%s%.4g' %.9g", i ? ", " : "", close ? "\\n" : "", d->lengths[i], d->lengths[i]);
        before = close ? before : d->lengths[i];
    }
    fprintf(d->plot.body, ")\nset xrange [%.9g:%.9g]\n", first / exp(0.06 * reach), last * exp(0.06 * reach));
}

/* Lines are shifted a little, so that their bars do not cover each other. */
static void draw_lines(drawing *d, double reach)
{
    for (int i = 0; i < d->count; i++) {
        const double shift = exp(0.009 * reach * (i - (d->count - 1) / 2.0));
        fprintf(d->plot.data, "$l%d << EOD\n", i);
        for (int k = 0; k < d->lines[i].count; k++) {
            const point *p = &d->lines[i].points[k];
            fprintf(d->plot.data, "%.6g %.6g %.6g %.6g\n", p->epochs * shift, p->mean, p->low, p->high);
        }
        fputs("EOD\n", d->plot.data);
    }
    srq_plot_bars(&d->plot, d->count);
}

static void draw_key(drawing *d)
{
    for (int i = 0; i < d->count; i++) srq_plot_key_of(&d->plot, 50, ROW * (d->count - i), i, d->lines[i].name);
}

static void draw_all(drawing *d)
{
    const int bottom = ROW * d->count + 76;
    const double reach = fmax(log(d->lengths[d->length_count - 1] / d->lengths[0]), 0.1);
    const double space = d->most > d->least ? 0.06 * (d->most - d->least) : 0.1;
    fputs("set grid y lc rgb '#e4e4e4' dt 1 lw 0.7\nset tics nomirror out scale 0.5\nset border 3\n"
          "set xlabel 'length of training, epochs (log scale)'\n"
          "set ylabel 'difference in test error, percentage points'\n",
          d->plot.body);
    draw_key(d);
    srq_plot_place(&d->plot, LEFT, bottom, RIGHT, bottom + HEIGHT);
    draw_lengths(d, reach);
    fprintf(d->plot.body,
            "set yrange [%.6g:%.6g]\nset arrow from graph 0, first 0 to graph 1, first 0 nohead back lw 1.4 lc rgb "
            "'#333333'\n",
            d->least - space, d->most + space);
    draw_lines(d, reach);
}

static void name_tickets(const srq_report *report, int series, char *out, size_t size)
{
    enum { NAMED = 4 };
    int count = 0;
    out[0] = '\0';
    for (int i = 0; i < report->tickets.count; i++) {
        char cut[120];
        if (report->tickets.items[i].series != series || ++count > NAMED) continue;
        srq_text_append(out, size, "%s%s", count > 1 ? ", " : "",
                        srq_text_cut(report->tickets.items[i].name, 100, cut, sizeof cut));
    }
    if (count > NAMED) srq_text_append(out, size, " and %d more", count - NAMED);
}

static srq_status draw(const srq_report *report, int series, srq_pictures *pictures)
{
    char name[32], names[460], title[SRQ_PICTURE_TITLE];
    drawing *d = calloc(1, sizeof *d);
    if (!d) return srq_fail_memory(sizeof *d, "a plot");
    fill(report, series, d);
    srq_status status = d->count ? srq_plot_start(WIDTH, ROW * d->count + 76 + HEIGHT + 18, &d->plot) : SRQ_OK;
    if (status == SRQ_OK && d->count) {
        draw_all(d);
        name_tickets(report, series, names, sizeof names);
        snprintf(name, sizeof name, "lengths-%d", series);
        snprintf(title, sizeof title, "Differences over the length of training: %s", names);
        status = srq_plot_finish(
            &d->plot, pictures, name, title,
            "Mean over seeds of the difference in test error between two stages of the same seed, and its 95 % "
            "confidence interval, against the length of training. Below 0, the first stage has the lower error. A "
            "point without a bar is of one seed. The tickets differ only in settings that are given in epochs or "
            "steps. Points are shifted a little so that bars do not cover each other.");
    }
    free(d);
    return status;
}

srq_status srq_draw_lengths(const srq_report *report, srq_pictures *pictures)
{
    int count = 0;
    for (int i = 0; i < report->tickets.count; i++)
        if (report->tickets.items[i].series > count) count = report->tickets.items[i].series;
    for (int series = 1; series <= count && series <= SERIES_MAX; series++) SRQ_TRY(draw(report, series, pictures));
    return SRQ_OK;
}
