/* The confusion matrix of a run's result, as a heat map. It is read from classes.json, which training has written. */
#include "experiments/srq/report/plots.h"

#include "experiments/srq/report/pick.h"
#include "io/class_results.h"
#include "io/escape.h"

#include <math.h>
#include <stdlib.h>

/* LEVELS: shades of blue. Cells of matrices of at most NUMBERS_MAX classes show their count. */
enum { PICTURES_MAX = 6, CLASSES_MAX = 100, NUMBERS_MAX = 12, NAMES_MAX = 40, LEVELS = 20, TOP = 14, BOTTOM = 110 };

/* The results of the run's last evaluation. A file that is missing, older than the evaluation, or damaged is no
 * picture.
 */
static bool read_results(const srq_report_run *run, srq_class_results *results)
{
    const srq_log_eval *eval = srq_report_last_eval(run);
    if (!eval || srq_class_results_read(run->path, results) != SRQ_OK) return false;
    const long step = run->log->tested ? run->log->best_step : eval->step;
    const double error = results->count ? (double)results->wrong / (double)results->count : 2;
    if (results->step == step && fabs(error - eval->error) < 1e-6 && results->confusion &&
        results->classes <= CLASSES_MAX)
        return true;
    srq_class_results_free(results);
    return false;
}

static bool has_error(const srq_report *report, const srq_report_group *group)
{
    (void)report;
    return isfinite(group->error.mean);
}

static double share(const srq_class_results *r, int label, int class)
{
    const long images = r->images[label];
    return images ? (double)r->confusion[(size_t)label * (size_t)r->classes + (size_t) class] / (double)images : 0;
}

/* A confusion of a few images in a hundred is to be seen, so shades go by the square root of the share. */
static int level_of(double share)
{
    return share > 0 ? 1 + (int)fmin(LEVELS - 1, sqrt(share) * LEVELS) : 0;
}

/* From white to dark blue. */
static void print_colour(int level, FILE *out)
{
    static const int from[3] = {0xff, 0xff, 0xff}, to[3] = {0x08, 0x45, 0x94};
    const double t = (double)level / LEVELS;
    fputs("'#", out);
    for (int i = 0; i < 3; i++) fprintf(out, "%02x", (unsigned)lround(from[i] + t * (to[i] - from[i])));
    fputc('\'', out);
}

static void draw_cells(const srq_class_results *r, srq_plot *plot)
{
    const char *comma = "plot ";
    for (int level = 1; level <= LEVELS; level++) {
        int count = 0;
        fprintf(plot->data, "$l%d << EOD\n", level);
        for (int l = 0; l < r->classes; l++)
            for (int c = 0; c < r->classes; c++) {
                if (level_of(share(r, l, c)) != level) continue;
                fprintf(plot->data, "%d %d\n", c, l);
                count++;
            }
        fputs("EOD\n", plot->data);
        if (!count) continue;
        fprintf(plot->body, "%s$l%d using 1:2:(0.5):(0.5) with boxxyerror fs solid 1 noborder lc rgb ", comma, level);
        print_colour(level, plot->body);
        fputs(" notitle", plot->body);
        comma = ", \\\n  ";
    }
    for (int shade = 0; shade < 2 && r->classes <= NUMBERS_MAX; shade++) { /* black numbers, then white ones */
        fprintf(plot->data, "$n%d << EOD\n", shade);
        for (int l = 0; l < r->classes; l++)
            for (int c = 0; c < r->classes; c++) {
                const long count = r->confusion[(size_t)l * (size_t)r->classes + (size_t)c];
                if (count && (level_of(share(r, l, c)) > LEVELS / 2) == shade)
                    fprintf(plot->data, "%d %d %ld\n", c, l, count);
            }
        fputs("EOD\n", plot->data);
        fprintf(plot->body, ", \\\n  $n%d using 1:2:3 with labels font ',9' tc rgb '%s' notitle", shade,
                shade ? "#ffffff" : "#222222");
    }
    fputc('\n', plot->body);
}

/* Classes by name, or by number if there are many. */
static void print_tics(const srq_class_results *r, char axis, FILE *out)
{
    char name[100];
    if (r->classes > NAMES_MAX) {
        fprintf(out, "set %ctics 10\n", axis);
        return;
    }
    fprintf(out, "set %ctics (", axis);
    for (int c = 0; c < r->classes; c++) {
        fputs(c ? ", " : "", out);
        srq_print_escaped(srq_text_cut(r->names[c], 16, name, sizeof name), SRQ_ESCAPE_GNUPLOT, out);
        fprintf(out, " %d", c);
    }
    fprintf(out, ") noenhanced%s font ',%d'\n", axis == 'x' ? " rotate by 45 right" : "", r->classes <= 20 ? 10 : 8);
}

static srq_status draw(const srq_report_group *group, const srq_report_run *run, const srq_class_results *r,
                       srq_pictures *pictures, int number)
{
    enum { LEFT = 130, RIGHT = 30, LEAST = 360, CELL = 34 };
    srq_plot plot;
    char name[32], title[SRQ_PICTURE_TITLE], caption[640];
    int side = r->classes * CELL;
    if (side < LEAST) side = LEAST;
    if (side > 620) side = 620;
    SRQ_TRY(srq_plot_start(LEFT + side + RIGHT, BOTTOM + side + TOP, &plot));
    srq_plot_place(&plot, LEFT, BOTTOM, LEFT + side, BOTTOM + side);
    print_tics(r, 'x', plot.body);
    print_tics(r, 'y', plot.body);
    fprintf(plot.body,
            "set tics nomirror out scale 0.3\nset border 15 lw 0.7\nset xrange [-0.5:%d.5]\nset yrange [%d.5:-0.5]\n"
            "set xlabel 'prediction'\nset ylabel 'class of the image' offset 1,0\n",
            r->classes - 1, r->classes - 1);
    draw_cells(r, &plot);
    snprintf(name, sizeof name, "classes-%d", number);
    snprintf(title, sizeof title, "Confusion matrix, configuration %d: %s", group->number, group->name);
    snprintf(caption, sizeof caption,
             "Run %.120s, %ld test images, %ld predicted wrongly. Each row has the images of a class; the darker a "
             "cell, the larger the share of them that is predicted to be of the class of the column.%s",
             run->name, r->count, r->wrong, r->classes <= NUMBERS_MAX ? " The numbers are images." : "");
    return srq_plot_finish(&plot, pictures, name, title, caption);
}

/* Shows the first seed that has results by class. */
static srq_status draw_group(const srq_report *report, const srq_report_group *group, srq_pictures *pictures,
                             int *number)
{
    for (int i = 0; i < group->member_count; i++) {
        const srq_report_run *run = &report->runs.items[group->members[i]];
        srq_class_results results;
        if (!run->counted || !read_results(run, &results)) continue;
        const srq_status status = draw(group, run, &results, pictures, ++*number);
        srq_class_results_free(&results);
        return status;
    }
    return SRQ_OK;
}

srq_status srq_draw_classes(const srq_report *report, srq_pictures *pictures)
{
    int *picked = calloc((size_t)report->groups.count + 1, sizeof *picked), number = 0;
    if (!picked) return srq_fail_memory((size_t)report->groups.count * sizeof *picked, "a plot");
    const int count = srq_report_pick(report, -1, has_error, PICTURES_MAX, picked);
    srq_status status = SRQ_OK;
    for (int i = 0; status == SRQ_OK && i < count; i++)
        status = draw_group(report, &report->groups.items[picked[i]], pictures, &number);
    free(picked);
    return status;
}
