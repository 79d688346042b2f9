/* Learning curves: training loss and error, and test error, over epochs. Seeds are thin lines, and their mean is a
 * thick line. */
#include "experiments/srq/report/plots.h"

#include "experiments/srq/report/pick.h"
#include "io/escape.h"

#include <math.h>
#include <stdlib.h>

/* Time is divided into as many bins as a panel can show. They are the same for all seeds of a group, so that a mean can
 * be computed. */
enum { BINS = 80, TOGETHER = 6, PICTURES_MAX = 6, SEEDS_MAX = 12, PANELS = 3 };

typedef struct curve {
    double x[BINS], y[BINS]; /* NaN if there is no value */
} curve;

static const struct panel {
    const char *label;
    double floor; /* smaller values are drawn here, because the axis is logarithmic */
    int left, right;
} panels[PANELS] = {{"training loss, nats (log scale)", 1e-6, 90, 390},
                    {"training error, % (log scale)", 0.01, 475, 785},
                    {" error, % (log scale)", 0.005, 870, 1180}};

/* --- Data */

/* The largest step of all seeds. */
static long last_step(const srq_report *report, const srq_report_group *group)
{
    long last = 1;
    for (int i = 0; i < group->member_count; i++) {
        const srq_log *log = report->runs.items[group->members[i]].log;
        if (log->step_count && log->steps[log->step_count - 1].step > last) last = log->steps[log->step_count - 1].step;
        if (log->eval_count && log->evals[log->eval_count - 1].step > last) last = log->evals[log->eval_count - 1].step;
    }
    return last;
}

static void add(curve *c, int counts[BINS], long last, long step, double x, double y)
{
    if (!isfinite(x) || !isfinite(y)) return;
    int bin = (int)((double)step * BINS / (double)last);
    if (bin >= BINS) bin = BINS - 1;
    if (!counts[bin]) c->x[bin] = c->y[bin] = 0;
    c->x[bin] += x;
    c->y[bin] += y;
    counts[bin]++;
}

static void make_curve(const srq_log *log, long last, int panel, curve *c)
{
    int counts[BINS] = {0};
    for (int b = 0; b < BINS; b++) c->x[b] = c->y[b] = NAN;
    for (int i = 0; panel < 2 && i < log->step_count; i++) {
        const srq_log_step *s = &log->steps[i];
        add(c, counts, last, s->step, s->epoch, panel == 0 ? s->loss : 100 * s->error);
    }
    for (int i = 0; panel == 2 && i < log->eval_count; i++)
        add(c, counts, last, log->evals[i].step, log->evals[i].epoch, 100 * srq_log_training_error(&log->evals[i]));
    for (int b = 0; b < BINS; b++) {
        if (!counts[b]) continue;
        c->x[b] /= counts[b];
        c->y[b] = fmax(c->y[b] / counts[b], panels[panel].floor);
    }
}

static int end_of(const curve *c)
{
    int end = BINS;
    while (end > 0 && isnan(c->y[end - 1])) end--;
    return end;
}

/* The mean over seeds, if all seeds that have reached this step have a value. */
static void make_mean(int count, const curve *curves, curve *mean)
{
    for (int b = 0; b < BINS; b++) {
        double x = 0, y = 0;
        int there = 0, expected = 0;
        for (int i = 0; i < count; i++) {
            expected += end_of(&curves[i]) > b;
            if (isnan(curves[i].y[b])) continue;
            x += curves[i].x[b];
            y += curves[i].y[b];
            there++;
        }
        const bool whole = there > 0 && there == expected;
        mean->x[b] = whole ? x / there : NAN;
        mean->y[b] = whole ? y / there : NAN;
    }
}

static void print_curve(const curve *c, const char *name, FILE *out)
{
    fprintf(out, "$%s << EOD\n", name);
    for (int b = 0; b < BINS; b++)
        if (!isnan(c->y[b])) fprintf(out, "%.6g %.6g\n", c->x[b], c->y[b]);
    fputs("EOD\n", out);
}

/* --- One panel */

typedef struct drawing {
    const srq_report *report;
    srq_plot plot;
    curve *curves; /* [SEEDS_MAX + 1]: the seeds of a group, then their mean */
    const char *comma;
    double least, most;
    FILE *commands;
} drawing;

/* Only means with few points are dashed, because dashes of noisy curves cannot be recognized. */
static void draw_line(drawing *d, const curve *c, int panel, int style, int seed)
{
    char name[48];
    const bool mean = seed == SEEDS_MAX;
    int points = 0;
    for (int b = 0; b < BINS; b++) {
        if (isnan(c->y[b])) continue;
        d->least = fmin(d->least, c->y[b]);
        d->most = fmax(d->most, c->y[b]);
        points++;
    }
    if (points == 0) return;
    snprintf(name, sizeof name, "c%d_%d_%d", panel, style, seed);
    print_curve(c, name, d->plot.data);
    const bool dashed = mean && points <= 40;
    fprintf(d->commands, "%s$%s using 1:2 with lines lw %s %s%s%s notitle", d->comma, name, mean ? "2.2" : "0.5",
            dashed ? srq_plot_line(style) : "lc rgb '", dashed ? "" : srq_plot_colour(style), dashed ? "" : "'");
    d->comma = ", \\\n  ";
    if (mean)
        fprintf(d->commands, "%s$%s using 1:2 every %d::%d with points ps 0.7 %s notitle", d->comma, name,
                points <= 40 ? 1 : 10, points <= 40 ? 0 : style, srq_plot_marker(style));
}

static void draw_group(drawing *d, const srq_report_group *group, int panel, int style)
{
    int count = 0;
    const long last = last_step(d->report, group);
    for (int i = 0; i < group->member_count && count < SEEDS_MAX; i++) {
        const srq_report_run *run = &d->report->runs.items[group->members[i]];
        if (!run->counted) continue;
        make_curve(run->log, last, panel, &d->curves[count]);
        count += end_of(&d->curves[count]) > 0;
    }
    make_mean(count, d->curves, &d->curves[SEEDS_MAX]);
    for (int i = 0; count > 1 && i < count; i++) draw_line(d, &d->curves[i], panel, style, i);
    draw_line(d, &d->curves[SEEDS_MAX], panel, style, SEEDS_MAX);
}

/* What is evaluated during training: depends on whether a configuration has validation images. */
static const char *images_of(const srq_report *report, int count, const int *groups)
{
    int validating = 0;
    for (int i = 0; i < count; i++) validating += report->groups.items[groups[i]].validates;
    return validating == 0 ? "test" : validating == count ? "validation" : "test or validation";
}

static srq_status draw_panel(drawing *d, int count, const int *groups, int panel, int bottom, int top)
{
    char *text = NULL;
    size_t size;
    if (!(d->commands = open_memstream(&text, &size))) return srq_fail_memory(0, "a plot");
    d->comma = "plot ";
    d->least = INFINITY;
    d->most = 0;
    for (int i = 0; i < count; i++) draw_group(d, &d->report->groups.items[groups[i]], panel, i);
    if (d->comma[0] == 'p') fputs("set label 1 'nothing yet' at graph 0.5,0.5 center\nplot -1 notitle", d->commands);
    const bool closed = fclose(d->commands) == 0;
    if (!(d->most > 0)) d->least = 1, d->most = 10;
    srq_plot_place(&d->plot, panels[panel].left, bottom, panels[panel].right, top);
    fprintf(d->plot.body, "set ylabel '%s%s'\n", panel == 2 ? images_of(d->report, count, groups) : "",
            panels[panel].label);
    srq_plot_log_axis(&d->plot, 'y', d->least / 1.15, d->most * 1.15);
    fprintf(d->plot.body, "%s\nunset label\nunset arrow\n", closed ? text : "");
    free(text);
    return closed ? SRQ_OK : srq_fail_memory(size, "a plot");
}

/* --- One picture */

static double longest(const srq_report *report, int count, const int *groups)
{
    double epochs = 0;
    for (int g = 0; g < count; g++) {
        const srq_report_group *group = &report->groups.items[groups[g]];
        for (int i = 0; i < group->member_count; i++) {
            const srq_log *log = report->runs.items[group->members[i]].log;
            if (log->step_count) epochs = fmax(epochs, log->steps[log->step_count - 1].epoch);
            if (log->eval_count) epochs = fmax(epochs, log->evals[log->eval_count - 1].epoch);
        }
    }
    return isfinite(epochs) && epochs > 0 ? epochs : 1;
}

/* Long names need a whole line. */
enum { SHORT_NAME = 68, LONGEST_NAME = 145 };

static int key_columns(const srq_report *report, int count, const int *groups)
{
    for (int i = 0; i < count; i++)
        if (srq_text_width(report->groups.items[groups[i]].name) > SHORT_NAME) return 1;
    return 2;
}

static srq_status draw_panels(drawing *d, int count, const int *groups)
{
    const int columns = key_columns(d->report, count, groups), rows = (count + columns - 1) / columns,
              bottom = 24 * rows + 76;
    fprintf(d->plot.body,
            "set multiplot\nset grid lc rgb '#e4e4e4' dt 1 lw 0.7\nset tics nomirror out scale 0.5\nset border 3\n"
            "set xlabel 'epoch'\nset xrange [0:%.6g]\n",
            longest(d->report, count, groups) * 1.02);
    for (int i = 0; i < count; i++) {
        const srq_report_group *group = &d->report->groups.items[groups[i]];
        char cut[600], text[640];
        snprintf(text, sizeof text, "%d  %s", group->number, srq_text_cut(group->name, LONGEST_NAME, cut, sizeof cut));
        srq_plot_key_of(&d->plot, i % columns ? 630 : 60, 24 * (rows - i / columns), i, text);
    }
    for (int p = 0; p < PANELS; p++) SRQ_TRY(draw_panel(d, count, groups, p, bottom, bottom + 270));
    fputs("unset multiplot\n", d->plot.body);
    return SRQ_OK;
}

static srq_status draw_picture(const srq_report *report, srq_pictures *pictures, int number, int count,
                               const int *groups)
{
    char name[32], title[80], caption[400];
    drawing d = {.report = report, .curves = calloc(SEEDS_MAX + 1, sizeof(curve))};
    if (!d.curves) return srq_fail_memory((SEEDS_MAX + 1) * sizeof(curve), "the curves");
    const int columns = key_columns(report, count, groups), first = report->groups.items[groups[0]].number,
              last = report->groups.items[groups[count - 1]].number;
    srq_status status = srq_plot_start(1200, 24 * ((count + columns - 1) / columns) + 362, &d.plot);
    if (status == SRQ_OK) {
        status = draw_panels(&d, count, groups);
        snprintf(name, sizeof name, "curves-%d", number);
        snprintf(title, sizeof title,
                 last > first ? "Learning curves, configurations %d to %d" : "Learning curves, configuration %d", first,
                 last);
        snprintf(
            caption, sizeof caption,
            "Training loss and error since the previous line of the log, and %s error, over epochs. Thick: the mean "
            "over seeds; thin: single seeds. Axes are logarithmic; smaller values are drawn at 0.01 %% (training) or "
            "0.005 %% (%s).",
            images_of(report, count, groups), images_of(report, count, groups));
        const srq_status drawn = srq_plot_finish(&d.plot, pictures, name, title, caption);
        if (status == SRQ_OK) status = drawn;
    }
    free(d.curves);
    return status;
}

static bool has_curves(const srq_report *report, const srq_report_group *group)
{
    for (int i = 0; i < group->member_count; i++) {
        const srq_log *log = report->runs.items[group->members[i]].log;
        if (log->step_count || log->eval_count) return true;
    }
    return false;
}

srq_status srq_draw_curves(const srq_report *report, srq_pictures *pictures)
{
    int *picked = calloc((size_t)report->groups.count + 1, sizeof *picked);
    if (!picked) return srq_fail_memory((size_t)report->groups.count * sizeof *picked, "a plot");
    const int count = srq_report_pick(report, -1, has_curves, TOGETHER * PICTURES_MAX, picked);
    srq_status status = SRQ_OK;
    for (int i = 0; status == SRQ_OK && i < count; i += TOGETHER)
        status =
            draw_picture(report, pictures, i / TOGETHER + 1, count - i < TOGETHER ? count - i : TOGETHER, picked + i);
    free(picked);
    return status;
}
