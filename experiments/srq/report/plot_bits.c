/* Bit-lengths over training, for configurations that learn them or have a schedule. Few layers are drawn as lines, many
 * as a map. A second panel shows the error and bit operations. */
#include "experiments/srq/report/plots.h"

#include "experiments/srq/report/pick.h"
#include "io/escape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES_MAX = 6, LINES_MAX = SRQ_STYLES, LAYERS_MAX = 64, SEEDS_MAX = 12, EVALS_MAX = 240, ROW = 15 };

/* --- Selection */

static bool changes(const srq_log *log)
{
    for (int i = 1; i < log->eval_count; i++)
        if (log->evals[0].bits && log->evals[i].bits &&
            memcmp(log->evals[0].bits, log->evals[i].bits, (size_t)log->layer_count) != 0)
            return true;
    return false;
}

static const srq_report_run *member(const srq_report *report, const srq_report_group *group, int i)
{
    const srq_report_run *run = &report->runs.items[group->members[i]];
    return run->counted && run->log->eval_count && run->log->layer_count ? run : NULL;
}

static const srq_report_run *first_run(const srq_report *report, const srq_report_group *group)
{
    for (int i = 0; i < group->member_count; i++)
        if (member(report, group, i)) return member(report, group, i);
    return NULL;
}

static bool has_bits(const srq_report *report, const srq_report_group *group)
{
    const srq_settings *s = srq_config_settings(group->config);
    if (!first_run(report, group)) return false;
    if (strcmp(s->dropbits.mode, "learn") == 0) return true;
    for (int i = 0; i < group->member_count; i++)
        if (member(report, group, i) && changes(member(report, group, i)->log)) return true;
    return false;
}

/* --- Data */

/* One of how many evaluations is drawn. */
static int stride(const srq_log *log)
{
    return log->eval_count / EVALS_MAX + 1;
}

static bool is_drawn(const srq_log *log, int i)
{
    return i % stride(log) == 0 || i + 1 == log->eval_count;
}

/* Columns: epoch, error in %, bit operations in % of 8/8, expected mean bits, then the bits of each layer. */
static void print_run(const srq_log *log, int number, FILE *out)
{
    fprintf(out, "$r%d << EOD\n", number);
    for (int i = 0; i < log->eval_count; i++) {
        const srq_log_eval *e = &log->evals[i];
        if (!is_drawn(log, i)) continue;
        fprintf(out, "%.6g %.6g %.6g ", e->epoch, 100 * srq_log_training_error(e), 100 * srq_log_relative_bops(e));
        fprintf(out, "%.6g", e->gated_bits);
        for (int l = 0; l < log->layer_count && l < LINES_MAX; l++)
            if (e->bits && e->bits[l])
                fprintf(out, " %d", e->bits[l]);
            else
                fputs(" NaN", out);
        fputc('\n', out);
    }
    fputs("EOD\n", out);
}

static bool has_gates(const srq_log *log)
{
    return isfinite(log->evals[log->eval_count - 1].gated_bits);
}

static int most_bits(const srq_log *log)
{
    int most = 4;
    for (int i = 0; i < log->eval_count; i++)
        for (int l = 0; log->evals[i].bits && l < log->layer_count; l++)
            if (log->evals[i].bits[l] > most && log->evals[i].bits[l] <= 8) most = log->evals[i].bits[l];
    return most;
}

/* --- Panels */

/* Lines of layers with the same bit-length are shifted, so that they do not cover each other. */
static void draw_lines(const srq_log *log, int runs, srq_plot *plot)
{
    const int layers = log->layer_count;
    fprintf(plot->body, "set ylabel 'weight bits'\nset yrange [0.5:%d.6]\nset ytics 1\n", most_bits(log));
    const char *comma = "plot ";
    for (int l = 0; l < layers; l++) {
        const double shift = 0.07 * (l - (layers - 1) / 2.0);
        for (int r = 0; r < runs; r++) {
            fprintf(plot->body, "%s$r%d using 1:($%d+(%.3f)) with lines lw %s %s notitle", comma, r, l + 5, shift,
                    r ? "0.7" : "2.2", srq_plot_line(l));
            comma = ", \\\n  ";
        }
        fprintf(plot->body, ", \\\n  $r0 using 1:($%d+(%.3f)) every %d with points ps 0.7 %s notitle", l + 5, shift,
                log->eval_count / 20 + 1, srq_plot_marker(l));
    }
    if (has_gates(log)) fputs(", \\\n  $r0 using 1:4 with lines dt (2,3) lw 2 lc rgb '#444444' notitle", plot->body);
    fputc('\n', plot->body);
}

static void draw_line_key(const srq_log *log, int left, int top, srq_plot *plot)
{
    int row = 0;
    for (; row < log->layer_count; row++) {
        char text[SRQ_NAME_SIZE];
        srq_plot_key_of(plot, left, top - 22 * row, row, srq_text_cut(log->layers[row], 26, text, sizeof text));
    }
    if (has_gates(log)) srq_plot_key(plot, left, top - 22 * row, "dt (2,3) lc rgb '#444444'", "pt -1", "expected bits");
}

/* A rectangle for each period in which a layer has the same bit-length. */
static void print_map(const srq_log *log, int layers, FILE *out)
{
    fputs("$map << EOD\n", out);
    for (int l = 0; l < layers; l++) {
        double since = 0;
        for (int i = 0; i < log->eval_count; i++) {
            const srq_log_eval *e = &log->evals[i], *next = i + 1 < log->eval_count ? e + 1 : NULL;
            if (!e->bits || !e->bits[l]) continue;
            if (next && next->bits && next->bits[l] == e->bits[l]) continue;
            fprintf(out, "%.6g %d %.6g %.6g %.1f %.1f %d\n", (since + e->epoch) / 2, l, since, e->epoch, l - 0.5,
                    l + 0.5, e->bits[l] > 8 ? 9 : e->bits[l]);
            since = e->epoch;
        }
    }
    fputs("EOD\n", out);
}

static void draw_map(const srq_log *log, int layers, srq_plot *plot)
{
    print_map(log, layers, plot->data);
    fprintf(plot->body,
            "set palette maxcolors 8 defined (1 '#f4f8fc', 2 '#d6e5f2', 3 '#b0cfe6', 4 '#82b4d8', 5 '#5595c8', 6 "
            "'#3073b0', "
            "7 '#175091', 8 '#08306b')\nset cbrange [0.5:8.5]\nset cbtics 1\nset cblabel 'weight bits'\n"
            "unset ylabel\nset yrange [%.1f:-0.5]\nset ytics font ',9' (",
            layers - 0.5);
    for (int l = 0; l < layers; l++) {
        char name[SRQ_NAME_SIZE];
        fputs(l ? ", " : "", plot->body);
        srq_print_escaped(srq_text_cut(log->layers[l], 28, name, sizeof name), SRQ_ESCAPE_GNUPLOT, plot->body);
        fprintf(plot->body, " %d", l);
    }
    fputs(
        ")\nset ytics noenhanced\nplot $map using 1:2:3:4:5:6:7 with boxxyerror fs solid noborder lc palette notitle\n"
        "unset colorbox\nset ytics auto font ',13'\n",
        plot->body);
}

/* What is evaluated during training. */
static const char *images_of(const srq_log *log)
{
    return isfinite(log->evals[log->eval_count - 1].validation_error) ? "validation" : "test";
}

/* The error on the left axis, bit operations on the right. With a map, the expected mean is also drawn here. */
static void draw_outcome(const srq_log *log, int runs, bool gates, srq_plot *plot)
{
    fprintf(
        plot->body,
        "set ylabel '%s error, %%'\nset ytics auto\nset yrange [0:*]\nset y2range [0:*]\nset y2tics\nset border 11\n",
        images_of(log));
    fprintf(plot->body, "set y2label '%s'\n", gates ? "bit operations and bits, % of 8/8" : "bit operations, % of 8/8");
    const char *comma = "plot ";
    for (int r = 0; r < runs; r++) {
        fprintf(plot->body, "%s$r%d using 1:2 with lines lw %s %s notitle", comma, r, r ? "0.7" : "2.2",
                srq_plot_line(1));
        comma = ", \\\n  ";
        fprintf(plot->body, "%s$r%d using 1:3 axes x1y2 with lines lw %s %s notitle", comma, r, r ? "0.7" : "2.2",
                srq_plot_line(0));
    }
    if (gates)
        fputs(", \\\n  $r0 using 1:(100*$4/8) axes x1y2 with lines dt (2,3) lw 2 lc rgb '#444444' notitle", plot->body);
    fprintf(plot->body, ", \\\n  $r0 using 1:2 with points ps 0.6 %s notitle", srq_plot_marker(1));
    fprintf(plot->body, ", \\\n  $r0 using 1:3 axes x1y2 with points ps 0.6 %s notitle\n", srq_plot_marker(0));
}

static void draw_panels(const srq_log *log, int runs, double epochs, srq_plot *plot)
{
    const int bottom = 60, top = plot->height - 30;
    const bool lines = log->layer_count <= LINES_MAX;
    fprintf(
        plot->body,
        "set multiplot\nset grid ytics lc rgb '#e4e4e4' dt 1 lw 0.7\nset tics nomirror out scale 0.5\nset border 3\n"
        "set xlabel 'epoch'\nset xrange [0:%.6g]\n",
        epochs * 1.02);
    if (lines) draw_line_key(log, 500, top - 10, plot);
    char error[32];
    for (int i = 0; i < 2; i++) {
        snprintf(error, sizeof error, "%s error (left)", images_of(log));
        srq_plot_key_of(plot, i ? 960 : 790, top + 16, 1 - i, i ? "bit operations (right)" : error);
    }
    if (!lines && has_gates(log))
        srq_plot_key(plot, 560, top + 16, "dt (2,3) lc rgb '#444444'", "pt -1", "expected bits (right)");
    srq_plot_place(plot, lines ? 70 : 170, bottom, lines ? 480 : 560, top);
    if (lines)
        draw_lines(log, runs, plot);
    else
        draw_map(log, log->layer_count < LAYERS_MAX ? log->layer_count : LAYERS_MAX, plot);
    fputs("unset label\nunset arrow\n", plot->body);
    srq_plot_place(plot, 760, bottom, 1120, top);
    draw_outcome(log, runs, !lines && has_gates(log), plot);
    fputs("unset multiplot\n", plot->body);
}

static srq_status draw(const srq_report *report, const srq_report_group *group, srq_pictures *pictures, int number)
{
    srq_plot plot;
    char name[32], title[SRQ_PICTURE_TITLE], caption[400], seeds[80] = "";
    const srq_log *first = first_run(report, group)->log;
    const int shown = first->layer_count < LAYERS_MAX ? first->layer_count : LAYERS_MAX;
    const bool lines = first->layer_count <= LINES_MAX;
    SRQ_TRY(srq_plot_start(1200, lines || shown * ROW < 250 ? 340 : 90 + shown * ROW, &plot));
    int runs = 0;
    double epochs = 0;
    for (int i = 0; i < group->member_count && runs < SEEDS_MAX; i++) {
        const srq_report_run *run = member(report, group, i);
        if (!run || run->log->layer_count != first->layer_count) continue;
        print_run(run->log, runs++, plot.data);
        epochs = fmax(epochs, run->log->evals[run->log->eval_count - 1].epoch);
    }
    draw_panels(first, runs, epochs > 0 ? epochs : 1, &plot);
    if (runs > 1) snprintf(seeds, sizeof seeds, " Thick: the first of %d seeds; thin: the others.", runs);
    snprintf(name, sizeof name, "bits-%d", number);
    snprintf(title, sizeof title, "Bit-lengths, configuration %d: %s", group->number, group->name);
    snprintf(caption, sizeof caption,
             "Bit-length of each layer's weights in evaluations%s, with %s error and bit operations.%s%s",
             lines ? " (lines are shifted so that they do not cover each other)" : " (first seed)", images_of(first),
             seeds, shown < first->layer_count ? " The first 64 layers are shown." : "");
    return srq_plot_finish(&plot, pictures, name, title, caption);
}

srq_status srq_draw_bits(const srq_report *report, srq_pictures *pictures)
{
    int *picked = calloc((size_t)report->groups.count + 1, sizeof *picked);
    if (!picked) return srq_fail_memory((size_t)report->groups.count * sizeof *picked, "a plot");
    const int count = srq_report_pick(report, -1, has_bits, PICTURES_MAX, picked);
    srq_status status = SRQ_OK;
    for (int i = 0; status == SRQ_OK && i < count; i++)
        status = draw(report, &report->groups.items[picked[i]], pictures, i + 1);
    free(picked);
    return status;
}
