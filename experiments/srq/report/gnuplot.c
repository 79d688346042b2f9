#include "experiments/srq/report/gnuplot.h"

#include "experiments/srq/report/svg.h"
#include "io/escape.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { PATH_SIZE = 4600, SECONDS_MAX = 120, PICTURE_MAX = 64 << 20 };

/* --- The child process */

/* Waits for it with a time limit. Returns its exit status, or -errno. */
static int wait_for(pid_t child)
{
    int status = 0;
    for (int i = 0; i < SECONDS_MAX * 100; i++) {
        const pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (ended < 0 && errno != EINTR) return -errno;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return -ETIMEDOUT;
}

/* Runs gnuplot in a folder, with its output in the file "messages" there. Returns its exit status, or -errno if
 * it could not be run. */
static int run_gnuplot(const char *folder, const char *word)
{
    char *const words[] = {"gnuplot", "--default-settings", (char *)(uintptr_t)word, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    if (posix_spawn_file_actions_init(&actions) != 0) return -ENOMEM;
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "messages", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    const int failed = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed ? -failed : wait_for(child);
}

/* --- The temporary folder */

static const char *const leftovers[] = {"messages", "script", "svg", "whole", "png"};

static const char *temporary_base(void)
{
    const char *base = getenv("TMPDIR");
    return base && base[0] ? base : "/tmp";
}

/* If it fails, errno has the reason. */
static bool make_folder(char *folder, size_t size)
{
    const int n = snprintf(folder, size, "%s/srq-report-XXXXXX", temporary_base());
    if (n > 0 && (size_t)n < size) return mkdtemp(folder) != NULL;
    errno = ENAMETOOLONG;
    return false;
}

static void remove_folder(const char *folder)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < sizeof leftovers / sizeof *leftovers; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, leftovers[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* Reads a whole file, with a terminating zero; NULL if there is none. The caller frees it. */
static char *read_whole(const char *folder, const char *name, size_t *size)
{
    char path[PATH_SIZE], *bytes = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rbe");
    if (!file) return NULL;
    long length = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (length > 0 && length < PICTURE_MAX) bytes = malloc((size_t)length + 1);
    rewind(file);
    *size = bytes ? fread(bytes, 1, (size_t)length, file) : 0;
    if (bytes) bytes[*size] = '\0';
    fclose(file);
    return bytes;
}

/* --- Pictures */

void srq_pictures_start(const char *folder, srq_pictures *pictures)
{
    char work[PATH_SIZE];
    *pictures = (srq_pictures){0};
    snprintf(pictures->folder, sizeof pictures->folder, "%s", folder);
    const bool made = make_folder(work, sizeof work);
    const int reason = errno, status = made ? run_gnuplot(work, "--version") : 0;
    if (made) remove_folder(work);
    pictures->none = !made || status != 0;
    if (!made)
        snprintf(pictures->note, sizeof pictures->note,
                 "There are no plots, because a temporary folder cannot be created in %.200s: %s. Set TMPDIR to a "
                 "folder that exists and can be written to, then make the report again.",
                 temporary_base(), strerror(reason));
    else if (status == -ENOENT)
        snprintf(pictures->note, sizeof pictures->note,
                 "There are no plots, because gnuplot is not installed. Use `apt-get install gnuplot-nox`, then make "
                 "the report again.");
    else if (status < 0)
        snprintf(pictures->note, sizeof pictures->note, "There are no plots, because gnuplot cannot be run: %s.",
                 strerror(-status));
    else if (status > 0)
        snprintf(pictures->note, sizeof pictures->note,
                 "There are no plots, because `gnuplot --version` fails with status %d.", status);
}

void srq_pictures_free(srq_pictures *pictures)
{
    for (int i = 0; i < pictures->count; i++) free(pictures->items[i].svg);
    free(pictures->items);
    *pictures = (srq_pictures){0};
}

static srq_status keep_file(const srq_pictures *pictures, const char *name, const char *ending, const char *bytes,
                            size_t size)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/plots", pictures->folder);
    SRQ_TRY(srq_folder_create(path));
    snprintf(path, sizeof path, "%s/plots/%s.%s", pictures->folder, name, ending);
    return srq_file_write_atomic(path, bytes, size);
}

static srq_status add_picture(srq_pictures *pictures, const srq_picture *picture)
{
    if (pictures->count == pictures->room) {
        const int room = pictures->room ? 2 * pictures->room : 16;
        srq_picture *larger = realloc(pictures->items, (size_t)room * sizeof *larger);
        if (!larger) return srq_fail_memory((size_t)room * sizeof *larger, "the pictures");
        pictures->items = larger;
        pictures->room = room;
    }
    pictures->items[pictures->count++] = *picture;
    return SRQ_OK;
}

/* The last line that is not empty: gnuplot prints an empty one, the command, a mark below it, and then what is wrong.
 */
static const char *last_line(char *text)
{
    size_t end = strlen(text);
    while (end > 0 && strchr("\n ", text[end - 1])) end--;
    text[end] = '\0';
    const char *before = strrchr(text, '\n');
    return before ? before + 1 : text;
}

static void note_failure(srq_pictures *pictures, const char *folder, const char *name)
{
    size_t size = 0;
    char *said = read_whole(folder, "messages", &size);
    const char *line = said ? last_line(said) : "";
    snprintf(pictures->note, sizeof pictures->note, "gnuplot could not draw the picture %s%s%.300s", name,
             line[0] ? ": " : ".", line);
    free(said);
}

static void print_format(const srq_plot *plot, bool svg, FILE *out)
{
    fprintf(out,
            "set terminal %s size %d,%d %s font 'sans-serif,%d' background rgb 'white'\nset output '%s'\n%s"
            "set output\n",
            svg ? "svg" : "pngcairo", plot->width, plot->height, svg ? "dynamic" : "", svg ? 13 : 11,
            svg ? "svg" : "png", plot->texts[1]);
}

/* Draws the plot in both file formats, by one gnuplot, because its start takes longer than most plots. Returns how
 * many files are whole, SVG first: a gnuplot that fails may leave a part of one. */
static int draw_formats(const srq_plot *plot, const char *folder)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/script", folder);
    FILE *file = fopen(path, "wbe");
    if (!file) return 0;
    fprintf(file, "set encoding utf8\n%s", plot->texts[0]);
    print_format(plot, true, file);
    fputs("set print 'whole'\nprint ''\nset print\nreset\n", file);
    print_format(plot, false, file);
    if (fclose(file) != 0) return 0;
    if (run_gnuplot(folder, "script") == 0) return 2;
    snprintf(path, sizeof path, "%s/whole", folder);
    return access(path, F_OK) == 0 ? 1 : 0;
}

static srq_status keep_svg(const srq_pictures *pictures, const srq_picture *picture)
{
    char *file = NULL;
    const int size = asprintf(&file, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n%s", picture->svg);
    if (size < 0) return srq_fail_memory(strlen(picture->svg), "a picture");
    const srq_status status = keep_file(pictures, picture->name, "svg", file, (size_t)size);
    free(file);
    return status;
}

/* SVG comes first and is sufficient: a gnuplot without cairo makes no PNG. */
static srq_status draw_picture(const srq_plot *plot, const char *folder, srq_pictures *pictures, srq_picture *picture)
{
    size_t size = 0;
    const int drawn = draw_formats(plot, folder);
    char *svg = drawn > 0 ? read_whole(folder, "svg", &size) : NULL;
    if (svg) picture->svg = srq_svg_compact(svg, picture->name);
    free(svg);
    srq_status status = picture->svg ? keep_svg(pictures, picture) : SRQ_OK;
    char *png = picture->svg && status == SRQ_OK && drawn > 1 ? read_whole(folder, "png", &size) : NULL;
    if (status == SRQ_OK && !png) note_failure(pictures, folder, picture->name);
    if (png) status = keep_file(pictures, picture->name, "png", png, size);
    free(png);
    if (status == SRQ_OK && picture->svg) status = add_picture(pictures, picture);
    if (status != SRQ_OK) free(picture->svg);
    return status;
}

/* --- Plots */

srq_status srq_plot_start(int width, int height, srq_plot *plot)
{
    *plot = (srq_plot){.width = width, .height = height};
    plot->data = open_memstream(&plot->texts[0], &plot->sizes[0]);
    plot->body = open_memstream(&plot->texts[1], &plot->sizes[1]);
    if (plot->data && plot->body) return SRQ_OK;
    if (plot->data) fclose(plot->data);
    if (plot->body) fclose(plot->body);
    free(plot->texts[0]);
    free(plot->texts[1]);
    return srq_fail_memory(0, "a plot");
}

static srq_status draw(srq_plot *plot, srq_pictures *pictures, srq_picture *picture)
{
    char folder[PATH_SIZE];
    const bool closed = fclose(plot->data) == 0;
    if (fclose(plot->body) != 0 || !closed) return srq_fail_memory(0, "a plot");
    if (!make_folder(folder, sizeof folder)) {
        snprintf(pictures->note, sizeof pictures->note,
                 "Plots are missing, because a temporary folder cannot be created in %.200s: %s", temporary_base(),
                 strerror(errno));
        return SRQ_OK;
    }
    const srq_status status = draw_picture(plot, folder, pictures, picture);
    remove_folder(folder);
    return status;
}

srq_status srq_plot_finish(srq_plot *plot, srq_pictures *pictures, const char *name, const char *title,
                           const char *caption)
{
    srq_picture picture = {.width = plot->width};
    snprintf(picture.name, sizeof picture.name, "%s", name);
    snprintf(picture.title, sizeof picture.title, "%s", title);
    snprintf(picture.caption, sizeof picture.caption, "%s", caption);
    const srq_status status = draw(plot, pictures, &picture);
    free(plot->texts[0]);
    free(plot->texts[1]);
    return status;
}

void srq_plot_place(srq_plot *plot, int left, int bottom, int right, int top)
{
    const double width = plot->width, height = plot->height;
    fprintf(plot->body,
            "set lmargin at screen %.5f\nset rmargin at screen %.5f\nset bmargin at screen %.5f\n"
            "set tmargin at screen %.5f\n",
            left / width, right / width, bottom / height, top / height);
}

/* 1e-4 is shorter than 0.0001. */
static void print_tic(const char *comma, double value, FILE *out)
{
    const int exponent = (int)floor(log10(value) + 1e-9);
    if (exponent < -2)
        fprintf(out, "%s'%.3ge%d' %.9g", comma, value / pow(10, exponent), exponent, value);
    else
        fprintf(out, "%s'%.6g' %.9g", comma, value, value);
}

double srq_plot_step(double range, int parts)
{
    const double decade = pow(10, floor(log10(range / parts))), rest = range / parts / decade;
    return decade * (rest >= 5 ? 5 : rest >= 2 ? 2 : 1);
}

/* For short axes, on which logarithms are nearly linear. */
static void print_even_tics(double least, double most, FILE *out)
{
    const double step = srq_plot_step(most - least, 4);
    const char *comma = "";
    for (double value = ceil(least / step) * step; value <= most && step > 0; value += step) {
        print_tic(comma, value, out);
        comma = ", ";
    }
}

static void print_log_tics(double least, double most, FILE *out)
{
    static const double some[] = {1, 2, 5}, more[] = {1, 1.5, 2, 3, 4, 5, 7};
    const double decades = log10(most / least);
    const double *marks = decades < 1.3 ? more : some;
    const int count = decades < 1.3 ? 7 : decades < 3.2 ? 3 : 1;
    const char *comma = "";
    for (int e = (int)floor(log10(least)); e <= (int)ceil(log10(most)); e++)
        for (int i = 0; i < count; i++) {
            const double value = marks[i] * pow(10, e);
            if (value < least * 0.999 || value > most * 1.001) continue;
            print_tic(comma, value, out);
            comma = ", ";
        }
}

/* A finite number above 0, whose exponent is an int. NaN becomes `otherwise`. */
static double within(double value, double otherwise)
{
    return isnan(value) ? otherwise : fmin(fmax(value, 1e-300), 1e300);
}

void srq_plot_log_axis(srq_plot *plot, char axis, double least, double most)
{
    least = within(least, 1);
    most = within(most, 10);
    if (most < 1.01 * least) most = 1.1 * least;
    if (most >= 1e300) least = fmin(least, 1e299);
    fprintf(plot->body, "set logscale %c\nset %crange [%.9g:%.9g]\nset %ctics (", axis, axis, least, most, axis);
    if (most / least < 2.5)
        print_even_tics(least, most, plot->body);
    else
        print_log_tics(least, most, plot->body);
    fputs(")\n", plot->body);
}

void srq_plot_key(srq_plot *plot, int left, int bottom, const char *line, const char *marker, const char *text)
{
    const double width = plot->width, height = plot->height, y = bottom / height;
    fprintf(plot->body, "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead lw 2 %s\n", left / width, y,
            (left + 34) / width, y, line);
    fprintf(plot->body, "set label '' at screen %.5f,%.5f point ps 0.8 %s\n", (left + 17) / width, y, marker);
    fputs("set label ", plot->body);
    srq_print_escaped(text, SRQ_ESCAPE_GNUPLOT, plot->body);
    fprintf(plot->body, " at screen %.5f,%.5f left noenhanced\n", (left + 42) / width, y);
}

/* --- Styles */

static const char *const colours[SRQ_STYLES] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                "#E69F00", "#56B4E9", "#000000"};

const char *srq_plot_colour(int n)
{
    return colours[n % SRQ_STYLES];
}

const char *srq_plot_line(int n)
{
    static char line[64];
    static const char *const dashes[SRQ_STYLES] = {"1", "(12,4)", "(6,4)", "(12,4,3,4)", "(3,3)", "(18,5)", "1"};
    snprintf(line, sizeof line, "lc rgb '%s' dt %s", colours[n % SRQ_STYLES], dashes[n % SRQ_STYLES]);
    return line;
}

const char *srq_plot_marker(int n)
{
    static char marker[48];
    static const int points[SRQ_STYLES] = {7, 5, 9, 13, 11, 6, 4};
    snprintf(marker, sizeof marker, "pt %d lc rgb '%s'", points[n % SRQ_STYLES], colours[n % SRQ_STYLES]);
    return marker;
}

void srq_plot_key_of(srq_plot *plot, int left, int bottom, int n, const char *text)
{
    char line[64], marker[64]; /* both functions return static memory */
    snprintf(line, sizeof line, "%s", srq_plot_line(n));
    snprintf(marker, sizeof marker, "%s", srq_plot_marker(n));
    srq_plot_key(plot, left, bottom, line, marker, text);
}

void srq_plot_bars(srq_plot *plot, int count)
{
    for (int i = 0; i < count; i++) {
        fprintf(plot->body, "%s$l%d using 1:2 with lines lw 1.8 %s notitle", i ? ", \\\n  " : "plot ", i,
                srq_plot_line(i));
        fprintf(plot->body, ", \\\n  $l%d using 1:2:3:4 with yerrorbars ps 0.9 lw 1.2 %s notitle", i,
                srq_plot_marker(i));
    }
    fputc('\n', plot->body);
}
