/* srq sweep: trains the runs of a table of experiments, one after another. Finished runs are not trained again. */
#include "io/sweep.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/options.h"
#include "experiments/srq/train/trainer.h"
#include "io/dataset.h"
#include "io/escape.h"
#include "io/file.h"
#include "io/log.h"
#include "io/run_list.h"
#include "io/sweep_grid.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 4400 };

typedef struct sweep_options {
    const char *table, *out, *seeds;
    bool list, dry_run, quiet;
    int threads;
    long index; /* -1: all */
    int only_count, set_count;
    const char **only, **sets;
} sweep_options;

typedef enum outcome_of { NOT_TRIED, WAS_FINISHED, DONE, LEFT, FAILED } outcome_of;

/* One run of the table, with its state and outcome. */
typedef struct item {
    int row;
    long long seed;
    enum { MISSING, BEGUN, FINISHED, BUSY, UNUSABLE } state; /* when the sweep looked at it */
    long step, total;                                        /* of a run that was started */
    long saved;   /* step of its last checkpoint, from which it resumes; 0 if there is none */
    double error; /* test error of a finished run, or NaN */
    bool of_best; /* of its checkpoint with the lowest validation error, not of the last one */
    outcome_of outcome;
    char *message; /* why it cannot be used, was skipped or failed; otherwise NULL */
} item;

/* On rank 0. */
typedef struct plan {
    srq_sweep *sweep;
    char folder[PATH_SIZE - 200];
    bool quiet;
    int threads; /* --threads, or 0 */
    int count;
    item *items;
} plan;

/* --- The command line */

static srq_status usage(const char *what, const char *word)
{
    return srq_fail(SRQ_ERROR_USAGE,
                    "sweep: %s%s; usage: srq sweep TABLE|CONFIG [--set path=value,...]... [--out DIR] [--only ROW]... "
                    "[--seeds 1,2] [--index I] "
                    "[--threads N] [--quiet] [--list | --dry-run]",
                    what, word);
}

static srq_status unknown(const char *word)
{
    char hint[SRQ_HINT_SIZE];
    return usage("no option is called ", srq_option_hint("sweep", word, hint, sizeof hint));
}

static srq_status parse_index(const char *word, long *index)
{
    char *end;
    errno = 0;
    *index = strtol(word, &end, 10);
    if (end != word && *end == '\0' && errno == 0 && *index >= 0) return SRQ_OK;
    return usage("--index must be a number from 0, but is ", word);
}

static srq_status parse_word(const char *word, const char *value, sweep_options *options, bool *takes_value)
{
    *takes_value = strcmp(word, "--out") == 0 || strcmp(word, "--only") == 0 || strcmp(word, "--seeds") == 0 ||
                   strcmp(word, "--index") == 0 || strcmp(word, "--set") == 0 || strcmp(word, "--threads") == 0;
    if (*takes_value && !value) return usage("a value is missing after ", word);
    if (strcmp(word, "--index") == 0) return parse_index(value, &options->index);
    if (strcmp(word, "--threads") == 0) return srq_threads_parse("sweep", value, &options->threads);
    if (strcmp(word, "--out") == 0)
        options->out = value;
    else if (strcmp(word, "--only") == 0)
        options->only[options->only_count++] = value;
    else if (strcmp(word, "--set") == 0)
        options->sets[options->set_count++] = value;
    else if (strcmp(word, "--seeds") == 0)
        options->seeds = value;
    else if (strcmp(word, "--list") == 0)
        options->list = true;
    else if (strcmp(word, "--quiet") == 0)
        options->quiet = true;
    else if (strcmp(word, "--dry-run") == 0)
        options->dry_run = true;
    else if (word[0] == '-')
        return unknown(word);
    else if (options->table)
        return usage("one table is expected, but a second one is given: ", word);
    else
        options->table = word;
    return SRQ_OK;
}

static srq_status parse(int argc, char **argv, sweep_options *options)
{
    options->only = calloc((size_t)argc, sizeof *options->only);
    options->sets = calloc((size_t)argc, sizeof *options->sets);
    if (!options->only || !options->sets)
        return srq_fail_memory((size_t)argc * sizeof *options->only, "the command line");
    for (int i = 1; i < argc; i++) {
        bool takes_value;
        SRQ_TRY(parse_word(argv[i], i + 1 < argc ? argv[i + 1] : NULL, options, &takes_value));
        i += takes_value;
    }
    if (!options->table) return usage("no table is named", "");
    if (options->out) SRQ_TRY(srq_folder_check("--out", options->out));
    if (options->list && options->dry_run) return usage("--list and --dry-run cannot be used together", "");
    return SRQ_OK;
}

/* --- Selecting runs */

/* "1,2,3". The caller frees *seeds. */
static srq_status parse_seeds(const char *text, long long **seeds, int *count)
{
    *count = 0;
    *seeds = calloc(strlen(text) + 1, sizeof **seeds);
    if (!*seeds) return srq_fail_memory(strlen(text) * sizeof **seeds, "the seeds");
    for (const char *at = text;; at++) {
        char *end;
        errno = 0;
        const long long seed = strtoll(at, &end, 10);
        if (end == at || errno != 0 || seed < 0 || (*end && *end != ','))
            return usage("--seeds must be a list of integers from 0, for example 1,2,3, but is ", text);
        for (int i = 0; i < *count; i++)
            if ((*seeds)[i] == seed) return usage("--seeds names a seed twice: ", text);
        (*seeds)[(*count)++] = seed;
        if (!*end) return SRQ_OK;
        at = end;
    }
}

static srq_status check_only(const sweep_options *options, const srq_sweep *sweep)
{
    for (int i = 0; i < options->only_count; i++)
        if (srq_sweep_row_called(sweep, options->only[i]) < 0)
            return srq_fail(SRQ_ERROR_USAGE, "--only %s: %s has no row of this name; did you mean %s?",
                            options->only[i], options->table, srq_sweep_row_closest(sweep, options->only[i]));
    return SRQ_OK;
}

static bool is_wanted(const sweep_options *options, const char *row)
{
    bool wanted = options->only_count == 0;
    for (int i = 0; i < options->only_count; i++) wanted = wanted || strcmp(options->only[i], row) == 0;
    return wanted;
}

/* Seed after seed, so that all rows of the table have one seed before the next seed begins. */
static srq_status list_items(const sweep_options *options, plan *p, int seed_count, const long long *seeds)
{
    const size_t most = (size_t)seed_count * (size_t)p->sweep->row_count;
    p->items = calloc(most, sizeof *p->items);
    if (!p->items) return srq_fail_memory(most * sizeof *p->items, "the runs");
    for (int s = 0; s < seed_count; s++)
        for (int r = 0; r < p->sweep->row_count; r++)
            if (is_wanted(options, p->sweep->rows[r].name)) p->items[p->count++] = (item){.row = r, .seed = seeds[s]};
    return SRQ_OK;
}

static srq_status pick_index(const sweep_options *options, plan *p)
{
    if (options->index < 0) return SRQ_OK;
    if (options->index >= p->count)
        return srq_fail(SRQ_ERROR_USAGE, "--index %ld: the table has %d runs, 0 to %d (`--list` shows them)",
                        options->index, p->count, p->count - 1);
    p->items[0] = p->items[options->index];
    p->count = 1;
    return SRQ_OK;
}

static srq_status make_plan(const sweep_options *options, plan *p)
{
    p->quiet = options->quiet;
    p->threads = options->threads;
    SRQ_TRY(options->set_count ? srq_sweep_grid(options->table, options->set_count, options->sets, &p->sweep)
                               : srq_sweep_load(options->table, &p->sweep));
    const int length = options->out ? snprintf(p->folder, sizeof p->folder, "%s", options->out)
                                    : snprintf(p->folder, sizeof p->folder, "runs/%s", p->sweep->name);
    if (length <= 0 || length >= (int)sizeof p->folder) return usage("--out is too long", "");
    for (size_t n = strlen(p->folder); n > 1 && p->folder[n - 1] == '/'; n--) p->folder[n - 1] = '\0';
    SRQ_TRY(check_only(options, p->sweep));
    long long *seeds = NULL;
    int count = 0;
    srq_status status = options->seeds ? parse_seeds(options->seeds, &seeds, &count) : SRQ_OK;
    if (status == SRQ_OK)
        status = list_items(options, p, seeds ? count : p->sweep->seed_count, seeds ? seeds : p->sweep->seeds);
    free(seeds);
    return status == SRQ_OK ? pick_index(options, p) : status;
}

static void free_plan(plan *p)
{
    for (int i = 0; i < p->count; i++) free(p->items[i].message);
    free(p->items);
    srq_sweep_destroy(&p->sweep);
}

static const char *name_of(const plan *p, const item *it)
{
    static char name[SRQ_RUN_NAME_SIZE];
    return srq_sweep_run_name(p->sweep, it->row, it->seed, name);
}

static void folder_of(const plan *p, int row, long long seed, char path[PATH_SIZE])
{
    char name[SRQ_RUN_NAME_SIZE];
    snprintf(path, PATH_SIZE, "%s/%s", p->folder, srq_sweep_run_name(p->sweep, row, seed, name));
}

/* --- The state of runs */

static bool is_there(const char *dir, const char *name)
{
    char path[PATH_SIZE + 32];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

/* The configuration of the run must agree with the name of its directory. The folder of runs may have been moved, so
 * the run that this one starts from is compared by name. */
static srq_status check_settings(const plan *p, const item *it, const char *dir)
{
    char path[PATH_SIZE + 32], what[512], init[PATH_SIZE + 32];
    srq_config *wanted = NULL, *found = NULL;
    const char *sets[] = {init};
    SRQ_TRY(srq_sweep_config(p->sweep, it->row, it->seed, p->folder, &wanted));
    snprintf(path, sizeof path, "%s/config.cfg", dir);
    srq_status status = srq_config_load(path, 0, NULL, &found);
    if (status == SRQ_OK && p->sweep->rows[it->row].init >= 0) {
        const char *here = srq_config_settings(wanted)->train.init, *there = srq_config_settings(found)->train.init;
        const char *name = strrchr(here, '/'), *other = strrchr(there, '/');
        snprintf(init, sizeof init, "train.init=%s", here);
        const bool moved = name && other && strcmp(name, other) == 0 && strcmp(here, there) != 0;
        if (moved) srq_config_destroy(&found);
        if (moved) status = srq_config_load(path, 1, sets, &found);
    }
    if (status == SRQ_OK && srq_config_differs(wanted, found, false, what, sizeof what))
        status =
            srq_fail(SRQ_ERROR_USAGE,
                     "%s holds a run with other settings than its name says (%s); move it to another place", dir, what);
    srq_config_destroy(&wanted);
    srq_config_destroy(&found);
    return status;
}

/* All runs of a row must use the same data set. This is checked if the data set can be read. */
static srq_status check_data(const plan *p, const item *it, const char *dir, const srq_log *log)
{
    srq_config *config = NULL;
    srq_dataset *dataset = NULL;
    SRQ_TRY(srq_sweep_config(p->sweep, it->row, it->seed, p->folder, &config));
    const char *file = srq_config_settings(config)->data.file;
    srq_status status = SRQ_OK;
    if (!log->data_sha256[0] && log->eval_count > 0)
        status = srq_fail(SRQ_ERROR_DATA,
                          "%s/log.jsonl does not say on which data set the run was trained (data_sha256); restore the "
                          "log from a copy, or use another --out",
                          dir);
    if (log->data_sha256[0] && access(file, F_OK) == 0) status = srq_dataset_load(file, 0, &dataset);
    if (status == SRQ_OK && dataset && strcmp(dataset->checksum, log->data_sha256) != 0)
        status = srq_fail(SRQ_ERROR_DATA,
                          "%s was trained on another data set than %s now contains (source SHA-256 then %.12s..., now "
                          "%.12s...); use the former data set, or another --out",
                          dir, file, log->data_sha256, dataset->checksum);
    srq_dataset_destroy(&dataset);
    srq_config_destroy(&config);
    return status;
}

/* The step from which the run resumes. The log of a killed run may have later steps, which are done again. */
static srq_status read_saved(const char *dir, long *saved)
{
    long *steps = NULL;
    int count = 0;
    const srq_status status = srq_run_list_steps(dir, &steps, &count);
    *saved = status == SRQ_OK && count > 0 ? steps[count - 1] : 0;
    free(steps);
    return status;
}

static srq_status look_into(const plan *p, item *it, const char *dir)
{
    srq_log *log = NULL;
    it->state = BEGUN;
    SRQ_TRY(check_settings(p, it, dir));
    if (!is_there(dir, "log.jsonl")) return SRQ_OK;
    /* Before the log is read: a job that ends between the two leaves a complete one. */
    const bool busy = srq_run_is_busy(dir);
    SRQ_TRY(srq_log_create_of(dir, &log));
    srq_status status = srq_log_check(log);
    if (status == SRQ_OK) status = read_saved(dir, &it->saved);
    it->step = log->last_step;
    it->total = log->total_steps;
    const bool finished = log->state == SRQ_LOG_FINISHED && log->eval_count > 0 && is_there(dir, "last.h5");
    if (finished) {
        it->state = FINISHED;
        it->error = log->tested ? log->test.error : log->evals[log->eval_count - 1].error;
        it->of_best = log->tested;
    } else if (busy) {
        it->state = BUSY;
    }
    if (status == SRQ_OK) status = check_data(p, it, dir, log);
    srq_log_destroy(&log);
    return status;
}

static void note(item *it, outcome_of outcome)
{
    it->outcome = outcome;
    free(it->message);
    it->message = strdup(srq_message());
}

/* Determines the state of a run. */
static void look(const plan *p, item *it)
{
    char dir[PATH_SIZE];
    folder_of(p, it->row, it->seed, dir);
    it->state = MISSING;
    if (!is_there(dir, "config.cfg") || look_into(p, it, dir) == SRQ_OK) return;
    it->state = UNUSABLE;
    note(it, NOT_TRIED);
}

/* --- --list and --dry-run */

/* CONFIG NAME OPTIONS: the arguments of `srq train`, for job scripts, which split a line at blanks. Their bytes are
 * printed as they are. */
static srq_status write_line(const plan *p, const item *it, FILE *out)
{
    const srq_sweep_row *row = &p->sweep->rows[it->row];
    char **sets = NULL;
    int count = 0;
    SRQ_TRY(srq_sweep_sets(p->sweep, it->row, it->seed, p->folder, &sets, &count));
    fprintf(out, "%s %s", row->config, name_of(p, it));
    srq_status status = SRQ_OK;
    if (strpbrk(row->config, " \t\n"))
        status = srq_fail(SRQ_ERROR_USAGE,
                          "%s: row %s: --list cannot print the path %s, because it has blanks; rename it, or use "
                          "--index",
                          row->where, row->name, row->config);
    for (int i = 0; i < count && status == SRQ_OK; i++) {
        if (strpbrk(sets[i], " \t\n"))
            status = srq_fail(SRQ_ERROR_USAGE,
                              "%s: row %s sets \"%s\", but --list cannot print a setting with blanks; put it into the "
                              "row's configuration file, or use --index",
                              row->where, row->name, sets[i]);
        else
            fprintf(out, " --set %s", sets[i]);
    }
    fputc('\n', out);
    srq_sweep_free_sets(sets, count);
    return status;
}

/* All lines or none: a script would start the runs that are printed before a failure. */
static srq_status print_list(const plan *p)
{
    char *lines = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&lines, &size);
    srq_status status = out ? SRQ_OK : srq_fail_memory(size, "the list");
    for (int i = 0; i < p->count && status == SRQ_OK; i++) status = write_line(p, &p->items[i], out);
    if (out && fclose(out) != 0 && status == SRQ_OK) status = srq_fail_memory(size, "the list");
    if (status == SRQ_OK) fwrite(lines, 1, size, stdout);
    free(lines);
    return status;
}

/* Steps after the last checkpoint are lost. */
static void say_begun(const item *it)
{
    if (it->saved > 0)
        srq_say("unfinished, will resume from step %ld of %ld", it->saved, it->total);
    else
        srq_say("unfinished, without a checkpoint: will begin at step 0");
    if (it->step > it->saved) srq_say(" (its log ends at step %ld)", it->step);
    srq_say("\n");
}

static void print_dry_run(plan *p)
{
    int counts[UNUSABLE + 1] = {0};
    for (int i = 0; i < p->count; i++) {
        item *it = &p->items[i];
        look(p, it);
        counts[it->state]++;
        srq_say("%3d  %s  ", i, name_of(p, it));
        if (it->state == MISSING) puts("missing");
        if (it->state == BEGUN) say_begun(it);
        if (it->state == FINISHED)
            srq_say("finished, test error %.2f %%%s\n", 100 * it->error, it->of_best ? " (of best.h5)" : "");
        if (it->state == BUSY) srq_say("running, step %ld of %ld\n", it->step, it->total);
        if (it->state == UNUSABLE) srq_say("cannot be used: %s\n", it->message ? it->message : "");
    }
    srq_say("\n%d run%s in %s: %d finished, %d running, %d unfinished, %d missing", p->count, srq_plural(p->count),
            p->folder, counts[FINISHED], counts[BUSY], counts[BEGUN], counts[MISSING]);
    if (counts[UNUSABLE]) srq_say(", %d cannot be used", counts[UNUSABLE]);
    putchar('\n');
}

/* Here the output is the result, unlike progress. */
static srq_status show(const sweep_options *options, plan *p)
{
    signal(SIGPIPE, SIG_DFL);
    if (options->list)
        SRQ_TRY(print_list(p));
    else
        print_dry_run(p);
    return srq_file_flush(stdout, "the output");
}

/* --- Running */

/* The run that this one starts from must be finished. */
static srq_status check_start(const plan *p, const item *it, outcome_of *outcome)
{
    item start = {.row = p->sweep->rows[it->row].init, .seed = it->seed};
    char name[SRQ_RUN_NAME_SIZE];
    if (start.row < 0) return SRQ_OK;
    look(p, &start);
    srq_status status = SRQ_OK;
    srq_sweep_run_name(p->sweep, start.row, start.seed, name);
    if (start.state == BUSY) *outcome = LEFT;
    if (start.state == BUSY)
        status = srq_fail(SRQ_ERROR_DATA, "it starts from %s, which another job is working on", name);
    else if (start.state == UNUSABLE)
        status = srq_fail(SRQ_ERROR_DATA, "it starts from %s, which cannot be used: %s", name,
                          start.message ? start.message : "");
    else if (start.state != FINISHED)
        status = srq_fail(SRQ_ERROR_DATA,
                          "it starts from %s, which is not finished; first run it with --only %s --seeds %lld", name,
                          p->sweep->rows[start.row].name, it->seed);
    free(start.message);
    return status;
}

/* Rank 0: decides whether to train the run now, and makes its configuration. */
static bool prepare(const plan *p, item *it, srq_config **config)
{
    outcome_of outcome = FAILED;
    look(p, it);
    if (it->state == FINISHED || it->state == UNUSABLE) {
        it->outcome = it->state == FINISHED ? WAS_FINISHED : FAILED;
        return false;
    }
    srq_status status = check_start(p, it, &outcome);
    if (status == SRQ_OK && it->state == BUSY) {
        status = srq_fail(SRQ_ERROR_RUN, "another job is working on it");
        outcome = LEFT;
    }
    if (status == SRQ_OK) status = srq_sweep_config(p->sweep, it->row, it->seed, p->folder, config);
    if (status != SRQ_OK) note(it, outcome);
    return status == SRQ_OK;
}

/* Collective. Returns SRQ_STOPPED to end the sweep. A failure of the run becomes its outcome. `it` is NULL on other
 * ranks than 0. */
static srq_status run_item(srq_comm *comm, const plan *p, item *it, int number)
{
    bool busy = false;
    srq_trainer_options how = {.quiet = p->quiet, .threads = p->threads, .busy = &busy};
    srq_config *config = NULL;
    char dir[PATH_SIZE] = "";
    bool runs = it && prepare(p, it, &config);
    srq_comm_share(comm, &runs, sizeof runs);
    srq_comm_share(comm, &how.threads, sizeof how.threads);
    if (it && !runs && it->outcome != WAS_FINISHED)
        srq_say("[%d of %d] %s: %s: %s\n", number, p->count, name_of(p, it), it->outcome == LEFT ? "skipped" : "failed",
                it->message ? it->message : "");
    if (!runs) return SRQ_OK;
    if (it) {
        folder_of(p, it->row, it->seed, dir);
        if (!p->quiet) srq_say("[%d of %d] %s\n", number, p->count, name_of(p, it));
        fflush(stdout);
    }
    srq_status status = srq_share_config(comm, SRQ_OK, &config);
    if (status == SRQ_OK) status = srq_train(comm, config, &how, dir, SRQ_RESUME_AUTO, NULL);
    srq_config_destroy(&config);
    if (status == SRQ_STOPPED || !it) return status == SRQ_STOPPED ? status : SRQ_OK;
    /* If another sweep began the run after this one had looked at it, this one skips it. That sweep may have ended it
     * since, or stopped. */
    if (status != SRQ_OK) {
        note(it, busy ? LEFT : FAILED);
        srq_say("%s: %s\n", it->outcome == LEFT ? "skipped" : "failed", it->message ? it->message : "");
    } else {
        it->outcome = DONE;
    }
    fflush(stdout);
    return SRQ_OK;
}

/* Rank 0: prints the outcomes. Fails if a run has failed. */
static srq_status sum_up(const plan *p)
{
    int counts[FAILED + 1] = {0};
    const item *failed = NULL;
    for (int i = 0; i < p->count; i++) {
        counts[p->items[i].outcome]++;
        if (p->items[i].outcome == FAILED && !failed) failed = &p->items[i];
    }
    srq_say("%d run%s in %s: %d done, %d finished before, %d failed, %d left to other jobs", p->count,
            p->count == 1 ? "" : "s", p->folder, counts[DONE], counts[WAS_FINISHED], counts[FAILED], counts[LEFT]);
    if (counts[NOT_TRIED]) srq_say(", %d not started", counts[NOT_TRIED]);
    putchar('\n');
    for (int i = 0; i < p->count && counts[FAILED] > 1; i++)
        if (p->items[i].outcome == FAILED)
            srq_say("  failed: %s: %s\n", name_of(p, &p->items[i]), p->items[i].message ? p->items[i].message : "");
    fflush(stdout);
    if (!failed) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN, "%d of %d runs failed%s%s: %s", counts[FAILED], p->count,
                    counts[FAILED] > 1 ? "; the first is " : ": ", name_of(p, failed),
                    failed->message ? failed->message : "there was no memory for its message");
}

static srq_status run_all(srq_comm *comm, plan *p)
{
    const bool root = srq_comm_rank(comm) == 0;
    int count = p->count;
    srq_status status = SRQ_OK;
    srq_comm_share(comm, &count, sizeof count);
    srq_trainer_heed_signals();
    for (int i = 0; i < count && status == SRQ_OK; i++) {
        if (srq_trainer_is_to_stop(comm))
            status = SRQ_STOPPED;
        else
            status = run_item(comm, p, root ? &p->items[i] : NULL, i + 1);
    }
    const srq_status summed = root ? sum_up(p) : SRQ_OK;
    if (root && status == SRQ_STOPPED) puts("stopped, saved; the same command resumes");
    return status == SRQ_STOPPED ? status : summed;
}

srq_status srq_command_sweep(srq_comm *comm, int argc, char **argv)
{
    sweep_options options = {.index = -1};
    plan p = {.count = 0};
    const bool root = srq_comm_rank(comm) == 0;
    srq_status status = parse(argc, argv, &options);
    if (status == SRQ_OK && root) status = make_plan(&options, &p);
    status = srq_comm_agree(comm, status);
    if (status == SRQ_OK && (options.list || options.dry_run))
        status = root ? show(&options, &p) : SRQ_OK;
    else if (status == SRQ_OK)
        status = run_all(comm, &p);
    free_plan(&p);
    free(options.only);
    free(options.sets);
    return status;
}
