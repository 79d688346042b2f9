/* srq report: makes tables and pictures of runs. */
#include "experiments/srq/commands.h"
#include "experiments/srq/options.h"
#include "experiments/srq/report/arrange.h"
#include "experiments/srq/report/follow.h"
#include "experiments/srq/report/learned.h"
#include "experiments/srq/report/pages.h"
#include "experiments/srq/report/plots.h"
#include "experiments/srq/report/run_tables.h"
#include "experiments/srq/report/ticket_tables.h"
#include "io/escape.h"
#include "io/file.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4400 };

typedef struct report_options {
    const char *out, *table;
    bool follow;
    int count;
    char **folders;
} report_options;

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "report: %s%s; usage: srq report DIR... [--out FOLDER], srq report --table TABLE [DIR...] [--out "
                    "FOLDER], or srq "
                    "report --follow DIR",
                    what, word);
}

static srq_status unknown(const char *word)
{
    char hint[SRQ_HINT_SIZE];
    return usage("no option is called ", srq_option_hint("report", word, hint, sizeof hint));
}

static srq_status parse(int argc, char **argv, report_options *options)
{
    options->folders = calloc((size_t)argc, sizeof *options->folders);
    if (!options->folders) return srq_fail_memory((size_t)argc * sizeof *options->folders, "the command line");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--follow") == 0)
            options->follow = true;
        else if (strcmp(argv[i], "--out") == 0 && i + 1 < argc)
            options->out = argv[++i];
        else if (strcmp(argv[i], "--out") == 0)
            return usage("a folder is missing after --out", "");
        else if (strcmp(argv[i], "--table") == 0 && i + 1 < argc)
            options->table = argv[++i];
        else if (strcmp(argv[i], "--table") == 0)
            return usage("a file is missing after --table", "");
        else if (argv[i][0] == '-')
            return unknown(argv[i]);
        else
            options->folders[options->count++] = argv[i];
    }
    if (!options->count && !options->table) return usage("no run directory is named", "");
    if (options->out) SRQ_TRY(srq_folder_check("--out", options->out));
    for (int i = 0; i < options->count; i++)
        if (!options->folders[i][0]) return usage("the name of a run directory is empty", "");
    if (options->follow && options->count > 1)
        return usage("--follow takes only one run directory, but here is another: ", options->folders[1]);
    if (options->follow && options->table) return usage("--follow shows one run, and takes no --table", "");
    if (options->follow && options->out) return usage("--follow writes no files, and takes no --out", "");
    return SRQ_OK;
}

/* --- The folder of the report */

static void path_of(const char *folder, const char *name, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
}

static bool is_ours(const char *path)
{
    char start[128] = "";
    FILE *file = NULL;
    if (srq_file_open_regular(path, &file) != SRQ_OK) return false;
    start[fread(start, 1, sizeof start - 1, file)] = '\0';
    fclose(file);
    return strstr(start, SRQ_REPORT_MARK) != NULL;
}

/* A page that is not from srq is never overwritten. */
static srq_status check_folder(const char *folder)
{
    static const char *const names[] = {"report.html", "report.md",   "report.csv", "runs.csv",
                                        "tickets.csv", "pruning.csv", "plots"};
    char path[PATH_SIZE];
    struct stat info;
    if (stat(folder, &info) == 0 && !S_ISDIR(info.st_mode))
        return srq_fail(SRQ_ERROR_USAGE, "--out %s: it is a file; choose a folder", folder);
    path_of(folder, "report.html", path);
    if (is_ours(path)) return SRQ_OK;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        path_of(folder, names[i], path);
        if (lstat(path, &info) == 0)
            return srq_fail(SRQ_ERROR_USAGE,
                            "%s exists already and is not from `srq report`; choose another folder with --out", path);
    }
    return SRQ_OK;
}

/* Whether a file is a picture of an earlier report, which may have had more pictures. */
static bool is_picture(const char *name)
{
    static const char *const kinds[] = {"curves-",  "bits-",    "classes-", "weights-", "ticket-",
                                        "pruning-", "lengths-", "cost-",    "cost"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t length = strlen(kinds[i]);
        if (strncmp(name, kinds[i], length) != 0) continue;
        const char *rest = name + length + strspn(name + length, "0123456789");
        return strcmp(rest, ".svg") == 0 || strcmp(rest, ".png") == 0;
    }
    return false;
}

static void remove_old_pictures(const char *folder)
{
    char plots[PATH_SIZE], path[2 * PATH_SIZE];
    path_of(folder, "plots", plots);
    DIR *stream = opendir(plots);
    if (!stream) return;
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (!is_picture(entry->d_name)) continue;
        snprintf(path, sizeof path, "%s/%s", plots, entry->d_name);
        unlink(path);
    }
    closedir(stream);
}

/* --- Writing */

typedef srq_status page_printer(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out);

static srq_status print_groups(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out)
{
    (void)pictures, (void)made;
    return srq_report_print_groups_csv(report, out);
}

static srq_status print_runs(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out)
{
    (void)pictures, (void)made;
    return srq_report_print_runs_csv(report, out);
}

static srq_status print_pairs(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out)
{
    (void)pictures, (void)made;
    return srq_report_print_pairs_csv(report, out);
}

static srq_status print_levels(const srq_report *report, srq_pictures *pictures, const char *made, FILE *out)
{
    (void)pictures, (void)made;
    return srq_report_print_levels_csv(report, out);
}

static srq_status write_page(const srq_report *report, srq_pictures *pictures, const char *made, const char *name,
                             page_printer *print)
{
    char *text = NULL, path[PATH_SIZE];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return srq_fail_memory(0, name);
    srq_status status = print(report, pictures, made, out);
    if (fclose(out) != 0 && status == SRQ_OK) status = srq_fail_memory(size, name);
    path_of(pictures->folder, name, path);
    if (status == SRQ_OK) status = srq_file_write_atomic(path, text, size);
    free(text);
    return status;
}

static srq_status draw(const srq_report *report, srq_pictures *pictures)
{
    if (pictures->none) return SRQ_OK;
    SRQ_TRY(srq_draw_pairs(report, pictures));
    SRQ_TRY(srq_draw_pruning(report, pictures));
    SRQ_TRY(srq_draw_lengths(report, pictures));
    SRQ_TRY(srq_draw_cost(report, pictures));
    SRQ_TRY(srq_draw_curves(report, pictures));
    SRQ_TRY(srq_draw_bits(report, pictures));
    SRQ_TRY(srq_draw_classes(report, pictures));
    return srq_draw_weights(report, pictures);
}

/* Written only if there are tickets; those of an earlier report are removed. */
static srq_status write_ticket_files(const srq_report *report, srq_pictures *pictures, const char *made)
{
    static const char *const names[] = {"tickets.csv", "pruning.csv"};
    static page_printer *const printers[] = {print_pairs, print_levels};
    for (int i = 0; i < 2; i++) {
        char path[PATH_SIZE];
        path_of(pictures->folder, names[i], path);
        if (report->tickets.count)
            SRQ_TRY(write_page(report, pictures, made, names[i], printers[i]));
        else
            unlink(path);
    }
    return SRQ_OK;
}

static srq_status write_report(const srq_report *report, srq_pictures *pictures)
{
    char made[640], versions[512], when[32];
    const time_t now = (time_t)report->runs.now;
    struct tm utc;
    srq_versions(versions, sizeof versions);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
    snprintf(made, sizeof made, "Made %s by %.*s.", when, (int)strcspn(versions, ";"), versions);
    /* Pages are first written without pictures. If the program is interrupted, a later report recognizes and replaces
     * them. */
    SRQ_TRY(write_page(report, pictures, made, "report.html", srq_report_print_html));
    SRQ_TRY(draw(report, pictures));
    SRQ_TRY(write_page(report, pictures, made, "report.html", srq_report_print_html));
    SRQ_TRY(write_page(report, pictures, made, "report.md", srq_report_print_markdown));
    SRQ_TRY(write_page(report, pictures, made, "report.csv", print_groups));
    SRQ_TRY(write_page(report, pictures, made, "runs.csv", print_runs));
    return write_ticket_files(report, pictures, made);
}

/* --- Output */

static void show_tickets(const srq_report *report)
{
    char text[SRQ_COMPARISON_TEXT], called[400];
    for (int i = 0; i < report->tickets.count; i++) {
        const srq_report_ticket *ticket = &report->tickets.items[i];
        const char *says = srq_comparison_say(&ticket->comparison, text, sizeof text);
        srq_say("\n%s: %s\n", srq_report_call_ticket(ticket, called, sizeof called),
                says[0] ? says : "nothing to compare yet.");
        if (ticket->note[0]) srq_say("  %s\n", ticket->note);
    }
}

static srq_status show(const srq_report *report, const srq_pictures *pictures)
{
    char text[4800];
    srq_say("%s\n", srq_report_summary(report, text, sizeof text));
    srq_say("%s\n\n", srq_report_list_tasks(&report->tasks, text, sizeof text));
    SRQ_TRY(srq_report_print_groups(report, SRQ_TABLE_TEXT, stdout));
    if (srq_report_remarks(report, text, sizeof text)[0]) srq_say("\n%s\n", text);
    if (srq_report_learned_figures(report, text, sizeof text)[0]) srq_say("\n%s\n", text);
    if (srq_report_learned_warnings(report, text, sizeof text)[0]) srq_say("\nwarning: %s\n", text);
    const char *title = "\nNot finished:\n";
    int shown = 0;
    for (int i = 0; i < report->runs.count; i++) {
        const srq_report_run *run = &report->runs.items[i];
        if (srq_report_is_finished(run) || ++shown > 20) continue;
        fputs(title, stdout);
        title = "";
        srq_say("  %s: %s\n", run->name, srq_report_standing(run, report->runs.now, text, sizeof text));
    }
    if (shown > 20) srq_say("  and %d more\n", shown - 20);
    show_tickets(report);
    if (pictures->note[0]) srq_say("\n%s\n", pictures->note);
    srq_say("\n%s/report.html (report.md, report.csv, runs.csv, %splots/)\n", pictures->folder,
            report->tickets.count ? "tickets.csv, pruning.csv, " : "");
    return SRQ_OK;
}

static srq_status make(const report_options *options, const srq_sweep *sweep)
{
    srq_report report;
    srq_pictures pictures;
    char folder[PATH_SIZE];
    if (options->out)
        snprintf(folder, sizeof folder, "%s", options->out);
    else
        path_of(options->folders[0], "report", folder);
    SRQ_TRY(srq_report_create(options->count, options->folders, (double)time(NULL), &report));
    srq_pictures_start(folder, &pictures);
    srq_status status = sweep ? srq_report_arrange(&report, sweep) : SRQ_OK;
    if (status == SRQ_OK) status = check_folder(folder);
    if (status == SRQ_OK) status = srq_folder_create(folder);
    if (status == SRQ_OK) remove_old_pictures(folder);
    if (status == SRQ_OK) status = write_report(&report, &pictures);
    if (status == SRQ_OK) status = show(&report, &pictures);
    srq_pictures_free(&pictures);
    srq_report_destroy(&report);
    return status;
}

/* By default, the runs that `srq sweep` makes. */
static srq_status make_table(report_options *options)
{
    srq_sweep *sweep = NULL;
    char folder[SRQ_ROW_SIZE + 8];
    SRQ_TRY(srq_sweep_load(options->table, &sweep));
    snprintf(folder, sizeof folder, "runs/%s", sweep->name);
    if (!options->count) options->folders[options->count++] = folder;
    const srq_status status = make(options, sweep);
    srq_sweep_destroy(&sweep);
    return status;
}

srq_status srq_command_report(int argc, char **argv)
{
    report_options options = {0};
    srq_status status = parse(argc, argv, &options);
    if (status == SRQ_OK)
        status = options.follow  ? srq_report_follow(options.folders[0])
                 : options.table ? make_table(&options)
                                 : make(&options, NULL);
    free(options.folders);
    return status;
}
