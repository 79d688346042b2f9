/* Runs that are seeds of one configuration, and their figures. */
#include "experiments/report/runs.h"
#include "io/digest.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- The choices of a run */

enum { INITS_MAX = 4 }; /* runs that start from weights of runs that start from ... */

typedef struct collector {
    srq_report_group *group;
    const srq_settings *settings;
    const char *folder; /* of the run */
    int room, depth;
    bool failed;
} collector;

static srq_status describe(const srq_config *config, const char *folder, int depth, srq_report_group *group);
static void forget(srq_report_group *group);

static void add_choice(collector *c, const char *path, char *value, char *shown)
{
    srq_report_group *group = c->group;
    if (group->choice_count == c->room) {
        const int room = c->room ? 2 * c->room : 64;
        srq_choice *larger = realloc(group->choices, (size_t)room * sizeof *larger);
        if (larger) group->choices = larger;
        if (larger) c->room = room;
    }
    if (!value || !shown || group->choice_count == c->room) {
        c->failed = true;
        free(value);
        free(shown);
        return;
    }
    group->choices[group->choice_count++] = (srq_choice){path, value, shown};
}

/* A list in a name: a few digits of its digest. */
static char *short_digest(const char *value)
{
    char text[SRQ_DIGEST_SIZE], *shown = NULL;
    srq_digest *digest = NULL;
    if (!value[0]) return strdup("none");
    if (srq_digest_create(&digest) != SRQ_OK) return NULL;
    srq_digest_add(digest, value, strlen(value));
    srq_digest_finish(&digest, text);
    return asprintf(&shown, "#%.6s", text) < 0 ? NULL : shown;
}

/* Texts without their quotes, numbers without digits that say nothing. */
static char *plain(const char *value)
{
    const size_t length = strlen(value);
    char *end, *shown = NULL;
    const double number = strtod(value, &end);
    if (length > 8 && *end == '\0') return asprintf(&shown, "%.6g", number) < 0 ? NULL : shown;
    const bool quoted = length >= 2 && value[0] == '"' && value[length - 1] == '"';
    return quoted ? strndup(value + 1, length - 2) : strdup(value);
}

/* --- Where weights start from: seeds may each start from the same seed of another configuration */

/* The run directory that a path of weights is in, and what is named in it ("" for its last checkpoint). */
static void split_init(const char *init, char *folder, size_t size, const char **within)
{
    static const char *const parts[] = {"/last.h5", "/checkpoints/"};
    snprintf(folder, size, "%s", init);
    *within = "";
    for (int i = 0; i < 2; i++) {
        char *found = strstr(folder, parts[i]);
        if (!found) continue;
        *within = i == 1 ? init + (found - folder) : "";
        *found = '\0';
    }
    for (size_t n = strlen(folder); n > 1 && folder[n - 1] == '/'; n--) folder[n - 1] = '\0';
}

/* The configuration of that run, where it was or, if all runs have been moved, beside this one; NULL if it is not there
 * or no run. */
static srq_config *load_init(const char *folder, const char *beside)
{
    char path[4500];
    srq_config *config = NULL;
    const char *name = strrchr(folder, '/'), *end = strrchr(beside, '/');
    snprintf(path, sizeof path, "%s/config.cfg", folder);
    if (access(path, R_OK) != 0)
        snprintf(path, sizeof path, "%.*s%s/config.cfg", end ? (int)(end - beside + 1) : 0, beside,
                 name ? name + 1 : folder);
    if (access(path, R_OK) != 0 || srq_config_load(path, 0, NULL, &config) != SRQ_OK) return NULL;
    return config;
}

/* A run as the start of another is known by its settings but for the seed, like the runs of a report. */
static void add_init(collector *c, const char *path)
{
    char folder[4200], shown[200] = "run of ", *value = NULL;
    const char *within, *init = c->settings->train.init;
    split_init(init, folder, sizeof folder, &within);
    const bool random = strcmp(init, "random") == 0;
    srq_config *config = random || c->depth >= INITS_MAX ? NULL : load_init(folder, c->folder);
    if (!config) {
        add_choice(c, path, strdup(init), strdup(init));
        return;
    }
    srq_report_group start = {0};
    if (describe(config, folder, c->depth + 1, &start) != SRQ_OK || asprintf(&value, "%s%s", start.digest, within) < 0)
        value = NULL;
    srq_report_describe(srq_config_settings(config), shown, sizeof shown);
    add_choice(c, path, value, strdup(shown));
    forget(&start);
    srq_config_destroy(&config);
}

static void collect(void *context, const char *path, const char *value)
{
    collector *c = context;
    if (strcmp(path, "train.seed") == 0 || c->failed) return;
    if (strcmp(path, "train.init") == 0)
        add_init(c, path);
    else if (strcmp(path, "model") == 0)
        add_choice(c, path, strdup(value), strdup(c->settings->model.name));
    else if (strcmp(path, "quantizer.layers") == 0)
        add_choice(c, path, strdup(value), short_digest(value));
    else
        add_choice(c, path, strdup(value), plain(value));
}

/* The data set's file may stand elsewhere, or be another one of that name: the log knows its digest. */
static srq_status add_data(const srq_report_run *run, srq_report_group *group)
{
    const srq_settings *s = srq_config_settings(run->config);
    collector c = {.group = group, .settings = s, .room = group->choice_count};
    const char *slash = strrchr(s->data.file, '/'), *name = slash ? slash + 1 : s->data.file;
    add_choice(&c, "data", strdup(run->log->data_sha256[0] ? run->log->data_sha256 : name), strdup(name));
    return c.failed ? srq_fail_memory(0, "the settings of a run") : SRQ_OK;
}

static srq_status digest_choices(srq_report_group *group)
{
    srq_digest *digest = NULL;
    SRQ_TRY(srq_digest_create(&digest));
    for (int i = 0; i < group->choice_count; i++) {
        srq_digest_add(digest, group->choices[i].path, strlen(group->choices[i].path) + 1);
        srq_digest_add(digest, group->choices[i].value, strlen(group->choices[i].value) + 1);
    }
    srq_digest_finish(&digest, group->digest);
    return SRQ_OK;
}

static srq_status describe(const srq_config *config, const char *folder, int depth, srq_report_group *group)
{
    *group = (srq_report_group){.config = config};
    collector c = {.group = group, .settings = srq_config_settings(config), .folder = folder, .depth = depth};
    SRQ_TRY(srq_config_visit_choices(config, collect, &c));
    return c.failed ? srq_fail_memory(0, "the settings of a run") : digest_choices(group);
}

static srq_status describe_run(const srq_report_run *run, srq_report_group *group)
{
    SRQ_TRY(describe(run->config, run->path, 0, group));
    SRQ_TRY(add_data(run, group));
    return digest_choices(group);
}

static void forget(srq_report_group *group)
{
    for (int i = 0; i < group->choice_count; i++) {
        free(group->choices[i].value);
        free(group->choices[i].shown);
    }
    free(group->choices);
}

/* --- Grouping */

static srq_status add_member(srq_report_group *group, int run)
{
    int *larger = realloc(group->members, (size_t)(group->member_count + 1) * sizeof *larger);
    if (!larger) return srq_fail_memory((size_t)(group->member_count + 1) * sizeof *larger, "the runs");
    group->members = larger;
    group->members[group->member_count++] = run;
    return SRQ_OK;
}

static srq_status place_run(srq_report *report, int index)
{
    srq_report_run *run = &report->runs[index];
    srq_report_group *made = &report->groups[report->group_count];
    srq_status status = describe_run(run, made);
    if (status != SRQ_OK) {
        forget(made);
        return status;
    }
    int at = 0;
    while (strcmp(report->groups[at].digest, made->digest) != 0) at++;
    if (at < report->group_count)
        forget(made);
    else
        report->group_count++;
    run->group = at;
    report->groups[at].number = at + 1;
    return add_member(&report->groups[at], index);
}

/* --- Of runs with one seed the furthest counts: they are one run, begun twice */

static long steps_done(const srq_report_run *run)
{
    const srq_log_eval *eval = srq_report_last_eval(run);
    return eval ? eval->step : -1;
}

static bool further(const srq_report_run *a, const srq_report_run *b)
{
    if (srq_report_is_finished(a) != srq_report_is_finished(b)) return srq_report_is_finished(a);
    return steps_done(a) > steps_done(b);
}

static void sort_members(const srq_report *report, srq_report_group *group)
{
    for (int i = 1; i < group->member_count; i++)
        for (int k = i; k > 0; k--) {
            int *a = &group->members[k - 1], *b = &group->members[k];
            const srq_report_run *one = &report->runs[*a], *other = &report->runs[*b];
            if (one->seed < other->seed || (one->seed == other->seed && !further(other, one))) break;
            const int kept = *a;
            *a = *b;
            *b = kept;
        }
}

static void count_members(srq_report *report, srq_report_group *group)
{
    group->finished = 0;
    for (int i = 0; i < group->member_count; i++) {
        srq_report_run *run = &report->runs[group->members[i]];
        run->counted = i == 0 || report->runs[group->members[i - 1]].seed != run->seed;
        group->finished += run->counted && srq_report_is_finished(run);
    }
    group->partial = group->finished == 0;
}

/* --- Figures */

enum { ERROR, LOSS, BITS, ZEROS, BYTES, BOPS, RELATIVE, RATE, FIGURES };

static void read_figures(const srq_report_run *run, double figures[FIGURES])
{
    const srq_log_eval *e = srq_report_last_eval(run);
    const srq_log *log = run->log;
    double rate = 0;
    int rates = 0;
    for (int i = 0; i < log->step_count; i++) {
        if (!isfinite(log->steps[i].rate)) continue;
        rate += log->steps[i].rate;
        rates++;
    }
    figures[ERROR] = e->error;
    figures[LOSS] = e->loss;
    figures[BITS] = e->mean_bits;
    figures[ZEROS] = e->zeros;
    figures[BYTES] = e->bytes;
    figures[BOPS] = e->bops;
    figures[RELATIVE] = e->w8a8_bops > 0 ? e->bops / e->w8a8_bops : NAN;
    figures[RATE] = rates ? rate / rates : NAN;
}

static srq_status compute(const srq_report *report, srq_report_group *group)
{
    const size_t members = (size_t)group->member_count;
    double *values = calloc(FIGURES * members, sizeof *values), one[FIGURES];
    if (!values) return srq_fail_memory(FIGURES * members * sizeof *values, "the figures");
    int count = 0;
    for (int i = 0; i < group->member_count; i++) {
        const srq_report_run *run = &report->runs[group->members[i]];
        if (!run->counted || !srq_report_last_eval(run)) continue;
        if (!group->partial && !srq_report_is_finished(run)) continue;
        read_figures(run, one);
        for (size_t f = 0; f < FIGURES; f++) values[f * members + (size_t)count] = one[f];
        count++;
    }
    srq_statistic *figures[FIGURES] = {&group->error, &group->loss, &group->bits,          &group->zeros,
                                       &group->bytes, &group->bops, &group->relative_bops, &group->rate};
    for (size_t f = 0; f < FIGURES; f++) *figures[f] = srq_statistic_of(count, values + f * members);
    free(values);
    return SRQ_OK;
}

srq_status srq_report_group_runs(srq_report *report)
{
    report->groups = calloc((size_t)report->run_count + 1, sizeof *report->groups);
    if (!report->groups) return srq_fail_memory((size_t)report->run_count * sizeof *report->groups, "the report");
    for (int i = 0; i < report->run_count; i++)
        if (!report->runs[i].problem) SRQ_TRY(place_run(report, i));
    for (int i = 0; i < report->group_count; i++) {
        sort_members(report, &report->groups[i]);
        count_members(report, &report->groups[i]);
        SRQ_TRY(compute(report, &report->groups[i]));
    }
    return SRQ_OK;
}
