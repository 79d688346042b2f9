/* Histograms of weights over the grid, by layer, at the last checkpoint and at the first one that is kept. */
#include "experiments/srq/report/plots.h"

#include "experiments/srq/report/pick.h"
#include "experiments/srq/report/weights.h"
#include "io/escape.h"
#include "io/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES_MAX = 6, LAYERS_MAX = 12, COLUMNS = 4, PANEL_WIDTH = 290, PANEL_HEIGHT = 172 };

/* The weights of a run. */
typedef struct weights {
    const srq_report_run *run;
    srq_weight_histograms first, last; /* `first` is empty if there is only one checkpoint */
} weights;

/* Item n of `shown` items that are spread over `count`, including the first and the last. */
static int spread(int n, int shown, int count)
{
    return shown > 1 ? (int)lround((double)n * (count - 1) / (shown - 1)) : count - 1;
}

static bool has_weights(const srq_report *report, const srq_report_group *group)
{
    const srq_settings *s = srq_config_settings(group->config);
    if (strcmp(s->quantizer.method, "float32") == 0) return false;
    for (int i = 0; i < group->member_count; i++)
        if (report->runs.items[group->members[i]].log->eval_count) return true;
    return false;
}

/* If there are many, the best of each kind. */
static bool is_best_of_kind(const srq_report *report, const srq_report_group *group)
{
    const srq_settings *s = srq_config_settings(group->config);
    for (int i = 0; i < report->groups.count; i++) {
        const srq_report_group *other = &report->groups.items[i];
        const srq_settings *o = srq_config_settings(other->config);
        const bool alike = strcmp(s->model.name, o->model.name) == 0 &&
                           strcmp(s->quantizer.method, o->quantizer.method) == 0 &&
                           strcmp(s->quantizer.estimator, o->quantizer.estimator) == 0 &&
                           strcmp(s->dropbits.mode, o->dropbits.mode) == 0;
        if (alike && other->error.mean < group->error.mean) return false;
    }
    return has_weights(report, group);
}

/* Reads a checkpoint if it is whole. One that was removed in the meantime, or is damaged, is not shown. */
static srq_status read_step(const srq_report_run *run, long step, srq_weight_histograms *histograms)
{
    char path[4500];
    snprintf(path, sizeof path, "%s/checkpoints/%08ld.h5", run->path, step);
    const srq_status status = srq_weight_histograms_read(path, histograms);
    return status == SRQ_ERROR_RUN ? status : SRQ_OK;
}

static srq_status read_weights(weights *w)
{
    long *steps = NULL;
    int kept, first = 0;
    SRQ_TRY(srq_run_list_steps(w->run->path, &steps, &kept));
    srq_status status = SRQ_OK;
    for (int i = kept - 1; status == SRQ_OK && i >= 0 && w->last.count == 0; i--) {
        status = read_step(w->run, steps[i], &w->last);
        kept = i;
    }
    for (; status == SRQ_OK && first < kept && w->first.count == 0; first++)
        status = read_step(w->run, steps[first], &w->first);
    /* A file that was put there by hand may belong to another network. */
    if (w->first.count != w->last.count) srq_weight_histograms_free(&w->first);
    free(steps);
    return status;
}

/* --- Drawing */

/* Without the bins at the ends, which contain everything outside. */
static double highest(const srq_weight_histogram *h)
{
    double most = 0;
    for (int i = 1; i + 1 < h->bins; i++) most = fmax(most, h->density[i]);
    for (int i = 0; i <= h->max - h->min; i++) most = fmax(most, h->codes[i]);
    return most > 0 ? most : 1;
}

/* The outline of the bins. Bins that are higher than the axis are cut. */
static void print_outline(const srq_weight_histogram *h, double most, FILE *out)
{
    const double width = (h->to - h->from) / h->bins;
    for (int i = 0; i < h->bins; i++) {
        const double left = h->from + i * width, y = fmin(h->density[i], most);
        fprintf(out, "%.5g %.4g\n%.5g %.4g\n", left, y, left + width, y);
    }
}

/* A panel with the title "fc1, 3 bits". The weights of `before`, if on the same grid, are a line. */
static void draw_panel(const srq_weight_histogram *h, const srq_weight_histogram *before, int number, srq_plot *plot)
{
    const double most = 1.08 * fmax(highest(h), before ? highest(before) : 0);
    const int codes = h->max - h->min + 1;
    char title[100], name[SRQ_NAME_SIZE];
    fprintf(plot->data, "$w%d << EOD\n%.5g 0\n", number, h->from);
    print_outline(h, most, plot->data);
    fprintf(plot->data, "%.5g 0\nEOD\n$b%d << EOD\n", h->to, number);
    if (before) print_outline(before, most, plot->data);
    fprintf(plot->data, "EOD\n$k%d << EOD\n", number);
    for (int i = 0; i < codes; i++)
        if (h->codes[i] > 0) fprintf(plot->data, "%d %.4g\n", h->min + i, h->codes[i]);
    fputs("EOD\n", plot->data);
    snprintf(title, sizeof title, "%s, %d bit%s", srq_text_cut(h->layer, 24, name, sizeof name), h->bits,
             srq_plural(h->bits));
    fputs("set title ", plot->body);
    srq_print_escaped(title, SRQ_ESCAPE_GNUPLOT, plot->body);
    fprintf(
        plot->body,
        " noenhanced font ',11' offset 0,-0.6\nset xrange [%.4g:%.4g]\nset yrange [0:%.5g]\nset ytics %.3g\n"
        "set xtics %d\nplot $w%d using 1:2 with filledcurves closed fs solid 1 noborder lc rgb '#9ecae1' notitle, \\\n",
        h->from, h->to, most, srq_plot_step(most, 2),
        codes <= 8    ? 1
        : codes <= 16 ? 2
                      : codes / 8,
        number);
    fprintf(plot->body, "  $k%d using 1:2 with impulses lw %s lc rgb '#D55E00' notitle", number,
            codes <= 32 ? "1.6" : "0.6");
    if (before) fprintf(plot->body, ", \\\n  $b%d using 1:2 with lines lw 0.8 lc rgb '#555555' notitle", number);
    fputc('\n', plot->body);
}

static void draw_panels(const weights *w, int layers, srq_plot *plot)
{
    const int all = w->last.count;
    const char *axis = w->last.layers[0].points.uniform ? "weight / alpha" : "position on the grid";
    fputs("set multiplot\nset tics nomirror out scale 0.5 font ',10'\nset border 3\n", plot->body);
    for (int l = 0; l < layers; l++) {
        const int column = l % COLUMNS, row = l / COLUMNS;
        const int left = 76 + column * PANEL_WIDTH, top = plot->height - 36 - row * PANEL_HEIGHT;
        const srq_weight_histogram *h = &w->last.layers[spread(l, layers, all)];
        const srq_weight_histogram *before = w->first.count ? &w->first.layers[spread(l, layers, all)] : NULL;
        srq_plot_place(plot, left, top - PANEL_HEIGHT + 50, left + PANEL_WIDTH - 48, top);
        fprintf(plot->body, "set ylabel '%s' font ',11' offset 1,0\nset xlabel '%s' font ',11' offset 0,0.6\n",
                column == 0 ? "share / step" : "", l + COLUMNS >= layers ? axis : "");
        draw_panel(h, before && before->min == h->min && before->max == h->max ? before : NULL, l, plot);
    }
    fputs("unset multiplot\n", plot->body);
}

/* "epoch 4.5", or "step 9" if the log does not have the length of an epoch. */
static const char *time_of(const srq_report_run *run, long step, char out[48])
{
    if (run->log->steps_per_epoch > 0)
        snprintf(out, 48, "epoch %.4g", (double)step / (double)run->log->steps_per_epoch);
    else
        snprintf(out, 48, "step %ld", step);
    return out;
}

static srq_status draw(const srq_report_group *group, const weights *w, srq_pictures *pictures, int number)
{
    srq_plot plot;
    char name[32], title[SRQ_PICTURE_TITLE], caption[640], more[64] = "", line[120] = "", time[48];
    const int all = w->last.count, layers = all < LAYERS_MAX ? all : LAYERS_MAX;
    const int columns = layers < COLUMNS ? layers : COLUMNS, rows = (layers + columns - 1) / columns;
    SRQ_TRY(srq_plot_start(columns * PANEL_WIDTH + 46, rows * PANEL_HEIGHT + 40, &plot));
    draw_panels(w, layers, &plot);
    if (w->first.count)
        snprintf(line, sizeof line, " Grey line: the same weights at %s, if the grid was the same.",
                 time_of(w->run, w->first.step, time));
    if (layers < all) snprintf(more, sizeof more, " %d of %d layers are shown.", layers, all);
    snprintf(name, sizeof name, "weights-%d", number);
    snprintf(title, sizeof title, "Weights over the grid, configuration %d: %s", group->number, group->name);
    snprintf(caption, sizeof caption,
             "Run %.120s at %s. Blue: the weights, %s; orange: their codes, with the share of weights that have each "
             "code.%s Shares are for one step of the grid. The first and the last blue bin contain everything outside, "
             "and may be cut.%s",
             w->run->name, time_of(w->run, w->last.step, time),
             w->last.layers[0].points.uniform ? "in units of the step size alpha"
                                              : "by their position between the points of the grid",
             line, more);
    return srq_plot_finish(&plot, pictures, name, title, caption);
}

/* Shows the first seed that has checkpoints. */
static srq_status draw_group(const srq_report *report, const srq_report_group *group, srq_pictures *pictures,
                             int *number)
{
    bool drawn = false;
    for (int i = 0; i < group->member_count && !drawn; i++) {
        weights w = {.run = &report->runs.items[group->members[i]]};
        if (!w.run->counted) continue;
        srq_status status = read_weights(&w);
        drawn = w.last.count > 0;
        if (status == SRQ_OK && drawn) status = draw(group, &w, pictures, ++*number);
        srq_weight_histograms_free(&w.first);
        srq_weight_histograms_free(&w.last);
        SRQ_TRY(status);
    }
    return SRQ_OK;
}

srq_status srq_draw_weights(const srq_report *report, srq_pictures *pictures)
{
    int *picked = calloc((size_t)report->groups.count + 1, sizeof *picked), number = 0;
    if (!picked) return srq_fail_memory((size_t)report->groups.count * sizeof *picked, "a plot");
    int count = srq_report_pick(report, -1, has_weights, report->groups.count, picked);
    if (count > PICTURES_MAX) count = srq_report_pick(report, -1, is_best_of_kind, PICTURES_MAX, picked);
    srq_status status = SRQ_OK;
    for (int i = 0; status == SRQ_OK && i < count; i++)
        status = draw_group(report, &report->groups.items[picked[i]], pictures, &number);
    free(picked);
    return status;
}
