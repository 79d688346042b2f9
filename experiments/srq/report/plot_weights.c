/* Weights over the grid, by layer and time, from the checkpoints that are kept: how they gather around the codes. */
#include "experiments/srq/report/gnuplot.h"

#include "experiments/srq/report/escape.h"
#include "experiments/srq/report/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES_MAX = 6, TIMES_MAX = 4, LAYERS_MAX = 6, PANEL_WIDTH = 290, PANEL_HEIGHT = 172 };

/* The n-th of `shown` that are spread over `count`, the first and the last among them. */
static int spread(int n, int shown, int count)
{
    return shown > 1 ? (int)lround((double)n * (count - 1) / (shown - 1)) : count - 1;
}

static bool has_weights(const srq_report *report, const srq_report_group *group)
{
    const srq_settings *s = srq_config_settings(group->config);
    if (strcmp(s->quantizer.method, "float32") == 0) return false;
    for (int i = 0; i < group->member_count; i++)
        if (report->runs[group->members[i]].log->eval_count) return true;
    return false;
}

/* Where there are many, the best of each kind. */
static bool is_best_of_kind(const srq_report *report, const srq_report_group *group)
{
    const srq_settings *s = srq_config_settings(group->config);
    for (int i = 0; i < report->group_count; i++) {
        const srq_report_group *other = &report->groups[i];
        const srq_settings *o = srq_config_settings(other->config);
        const bool alike = strcmp(s->model.name, o->model.name) == 0 &&
                           strcmp(s->quantizer.method, o->quantizer.method) == 0 &&
                           strcmp(s->quantizer.estimator, o->quantizer.estimator) == 0 &&
                           strcmp(s->dropbits.mode, o->dropbits.mode) == 0;
        if (alike && other->error.mean < group->error.mean) return false;
    }
    return has_weights(report, group);
}

/* The checkpoints that can be read among those that are kept: one that a run under way has removed meanwhile, or that
 * is damaged, is left out. */
static srq_status read_times(const srq_report_run *run, srq_weight_histograms *times, int *count)
{
    long *steps = NULL;
    int kept;
    *count = 0;
    SRQ_TRY(srq_run_list_steps(run->path, &steps, &kept));
    const int shown = kept < TIMES_MAX ? kept : TIMES_MAX;
    srq_status status = SRQ_OK;
    for (int i = 0; status != SRQ_ERROR_RUN && i < shown; i++) {
        char path[4500];
        snprintf(path, sizeof path, "%s/checkpoints/%08ld.h5", run->path, steps[spread(i, shown, kept)]);
        status = srq_weight_histograms_read(path, &times[*count]);
        if (status != SRQ_OK) continue;
        /* A file put there by hand may be of another network. */
        if (times[*count].count == 0 || times[*count].count != times[0].count)
            srq_weight_histograms_free(&times[*count]);
        else
            ++*count;
    }
    free(steps);
    return status == SRQ_ERROR_RUN ? status : SRQ_OK;
}

/* --- Drawing */

/* Without the bins at the ends, where all that is beyond is heaped up. */
static double highest(const srq_weight_histogram *h)
{
    double most = 0;
    for (int i = 1; i + 1 < h->bins; i++) most = fmax(most, h->density[i]);
    for (int i = 0; i <= h->max - h->min; i++) most = fmax(most, h->codes[i]);
    return most > 0 ? most : 1;
}

static void draw_panel(const srq_weight_histogram *h, long step, double epoch, int number, srq_plot *plot)
{
    const double width = (h->to - h->from) / h->bins;
    fprintf(plot->data, "$w%d << EOD\n", number);
    for (int i = 0; i < h->bins; i++) fprintf(plot->data, "%.5g %.5g\n", h->from + (i + 0.5) * width, h->density[i]);
    fprintf(plot->data, "EOD\n$k%d << EOD\n", number);
    for (int i = 0; i <= h->max - h->min; i++) fprintf(plot->data, "%d %.5g\n", h->min + i, h->codes[i]);
    fputs("EOD\n", plot->data);
    char title[160], name[SRQ_NAME_SIZE];
    if (isfinite(epoch))
        snprintf(title, sizeof title, "%s, %d bits, epoch %.4g", srq_text_cut(h->layer, 18, name, sizeof name), h->bits,
                 epoch);
    else
        snprintf(title, sizeof title, "%s, %d bits, step %ld", srq_text_cut(h->layer, 18, name, sizeof name), h->bits,
                 step);
    fputs("set title ", plot->body);
    srq_print_escaped(title, SRQ_ESCAPE_GNUPLOT, plot->body);
    const int codes = h->max - h->min + 1;
    fprintf(plot->body,
            " noenhanced font ',11' offset 0,-0.6\nset xrange [%.4g:%.4g]\nset yrange [0:%.5g]\nset ytics %.3g\nset "
            "xtics %d\n"
            "plot $w%d using 1:2 with boxes fs solid 1 noborder lc rgb '#9ecae1' notitle, \\\n"
            "  $k%d using 1:2 with impulses lw %s lc rgb '#D55E00' notitle\n",
            h->from, h->to, highest(h) * 1.08, srq_plot_step(highest(h), 2),
            codes <= 8    ? 1
            : codes <= 16 ? 2
                          : codes / 8,
            number, number, codes <= 32 ? "1.6" : "0.6");
}

static void draw_panels(const srq_report_run *run, int count, const srq_weight_histograms *times, int layers,
                        int columns, srq_plot *plot)
{
    const int all = times[0].count, panels = layers * count;
    const char *axis = times[0].layers[0].points.uniform ? "weight / alpha" : "place on the grid";
    int number = 0;
    fputs("set multiplot\nset tics nomirror out scale 0.5 font ',10'\nset border 3\nset boxwidth 1 relative\n",
          plot->body);
    for (int l = 0; l < layers; l++)
        for (int t = 0; t < count; t++, number++) {
            const int column = number % columns, row = number / columns;
            const int left = 76 + column * PANEL_WIDTH, top = plot->height - 36 - row * PANEL_HEIGHT;
            srq_plot_place(plot, left, top - PANEL_HEIGHT + 50, left + PANEL_WIDTH - 48, top);
            fprintf(plot->body, "set ylabel '%s' font ',11' offset 1,0\nset xlabel '%s' font ',11' offset 0,0.6\n",
                    column == 0 ? "share / step" : "", number + columns >= panels ? axis : "");
            const double epoch =
                run->log->steps_per_epoch > 0 ? (double)times[t].step / (double)run->log->steps_per_epoch : NAN;
            draw_panel(&times[t].layers[spread(l, layers, all)], times[t].step, epoch, number, plot);
        }
    fputs("unset multiplot\n", plot->body);
}

static srq_status draw(const srq_report_group *group, const srq_report_run *run, int count,
                       const srq_weight_histograms *times, srq_pictures *pictures, int number)
{
    srq_plot plot;
    char name[32], title[160], caption[600], more[64] = "";
    const int all = times[0].count, layers = all < LAYERS_MAX ? all : LAYERS_MAX;
    const int columns = count > 1 ? count : layers < 4 ? layers : 4, rows = (layers * count + columns - 1) / columns;
    SRQ_TRY(srq_plot_start(columns * PANEL_WIDTH + 46, rows * PANEL_HEIGHT + 40, &plot));
    draw_panels(run, count, times, layers, columns, &plot);
    if (layers < all) snprintf(more, sizeof more, " %d of %d layers are shown.", layers, all);
    snprintf(name, sizeof name, "weights-%d", number);
    snprintf(title, sizeof title, "Weights over the grid, configuration %d: %.100s", group->number, group->name);
    snprintf(caption, sizeof caption,
             "Run %.200s, from the checkpoints that it keeps. Blue: the weights as they are trained, %s; "
             "orange: the codes that they stand for, each at its share of all weights. Both are shares for one "
             "step of "
             "the grid; the first and the last blue bar hold all that is beyond, and may be cut.%s",
             run->name,
             times[0].layers[0].points.uniform ? "in units of the step size alpha"
                                               : "by their place between the points of the grid",
             more);
    return srq_plot_finish(&plot, pictures, name, title, caption);
}

/* Of the first seed that has checkpoints. */
static srq_status draw_group(const srq_report *report, const srq_report_group *group, srq_pictures *pictures,
                             int *number)
{
    srq_weight_histograms times[TIMES_MAX];
    int count = 0;
    for (int i = 0; i < group->member_count && count == 0; i++) {
        const srq_report_run *run = &report->runs[group->members[i]];
        if (!run->counted) continue;
        srq_status status = read_times(run, times, &count);
        if (status == SRQ_OK && count) status = draw(group, run, count, times, pictures, ++*number);
        for (int t = 0; t < count; t++) srq_weight_histograms_free(&times[t]);
        SRQ_TRY(status);
    }
    return SRQ_OK;
}

srq_status srq_draw_weights(const srq_report *report, srq_pictures *pictures)
{
    int *picked = calloc((size_t)report->group_count + 1, sizeof *picked), number = 0;
    if (!picked) return srq_fail_memory((size_t)report->group_count * sizeof *picked, "a plot");
    int count = srq_report_pick(report, has_weights, report->group_count, picked);
    if (count > PICTURES_MAX) count = srq_report_pick(report, is_best_of_kind, PICTURES_MAX, picked);
    srq_status status = SRQ_OK;
    for (int i = 0; status == SRQ_OK && i < count; i++)
        status = draw_group(report, &report->groups[picked[i]], pictures, &number);
    free(picked);
    return status;
}
