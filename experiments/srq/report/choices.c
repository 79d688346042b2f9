#include "experiments/srq/report/choices.h"

#include "experiments/srq/report/describe.h"
#include "experiments/srq/report/run_stage.h"
#include "io/digest.h"
#include "io/escape.h"
#include "io/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INITS_MAX = 4 }; /* depth of runs that start from weights of other runs */

typedef struct collector {
    srq_choices *choices;
    const srq_settings *settings;
    const char *folder;     /* of the run */
    const srq_stage *stage; /* its stage, if it is a stage after learn of a ticket; else NULL */
    int room, depth;
    bool failed;
} collector;

static srq_status describe(const srq_config *config, const char *folder, int depth, srq_choices *choices);

static void add_choice(collector *c, const char *path, char *value, char *shown)
{
    srq_choices *choices = c->choices;
    if (choices->count == c->room) {
        const int room = c->room ? 2 * c->room : 64;
        srq_choice *larger = realloc(choices->items, (size_t)room * sizeof *larger);
        if (larger) choices->items = larger;
        if (larger) c->room = room;
    }
    if (!value || !shown || choices->count == c->room) {
        c->failed = true;
        free(value);
        free(shown);
        return;
    }
    choices->items[choices->count++] = (srq_choice){.path = path, .value = value, .shown = shown};
}

/* "8 bits", "lsq 4 bits", "granularity=channel": the settings of a single layer. */
static void append_settings(const srq_layer_override *o, char *out, size_t size)
{
    const char *space = "";
    for (int i = 0; i < srq_override_count; i++) {
        const srq_setting *setting = &srq_override_schema[i];
        char value[200] = "";
        if (!(o->given & (1u << i))) continue;
        FILE *stream = fmemopen(value, sizeof value, "w");
        if (stream) srq_setting_print(setting, o, stream);
        if (stream) fclose(stream);
        const size_t length = strlen(value);
        const bool quoted = length >= 2 && value[0] == '"';
        if (quoted) value[length - 1] = '\0';
        const char *text = value + quoted;
        if (strcmp(setting->path, "bits") == 0)
            srq_text_append(out, size, "%s%s bit%s", space, text, strcmp(text, "1") == 0 ? "" : "s");
        else if (strcmp(setting->path, "method") == 0)
            srq_text_append(out, size, "%s%s", space, text);
        else
            srq_text_append(out, size, "%s%s=%s", space, setting->path, text);
        space = " ";
    }
}

/* Appends the layers with the settings of layer `first`: "conv1, fc2 and 3 more: 8 bits". */
static void append_layers(const srq_settings *s, int first, bool *listed, char *out, size_t size)
{
    enum { NAMED = 3 };
    char own[300] = "", other[300];
    int same = 0;
    append_settings(&s->quantizer.overrides[first], own, sizeof own);
    for (int k = first; k < s->quantizer.override_count; k++) {
        other[0] = '\0';
        append_settings(&s->quantizer.overrides[k], other, sizeof other);
        if (strcmp(own, other) != 0) continue;
        listed[k] = true;
        if (same++ < NAMED) srq_text_append(out, size, "%s%s", same > 1 ? ", " : "", s->quantizer.overrides[k].name);
    }
    if (same > NAMED) srq_text_append(out, size, " and %d more", same - NAMED);
    srq_text_append(out, size, ": %s", own);
}

/* In a name, the list of layers is short: "(conv1, fc2: 8 bits; fc1: float32)". */
static char *short_layers(const srq_settings *s)
{
    enum { ROOM = 400 };
    if (s->quantizer.override_count == 0) return strdup("none");
    char *shown = calloc(1, ROOM);
    bool *listed = calloc((size_t)s->quantizer.override_count, sizeof *listed);
    for (int k = 0; shown && listed && k < s->quantizer.override_count; k++) {
        if (listed[k]) continue;
        srq_text_append(shown, ROOM, k ? "; " : "(");
        append_layers(s, k, listed, shown, ROOM);
    }
    if (shown) srq_text_append(shown, ROOM, ")");
    free(listed);
    return shown;
}

/* Texts without quotes, numbers without unnecessary digits. */
static char *plain(const char *value)
{
    const size_t length = strlen(value);
    char *end, *shown = NULL;
    const double number = strtod(value, &end);
    if (length > 8 && *end == '\0') return asprintf(&shown, "%.6g", number) < 0 ? NULL : shown;
    const bool quoted = length >= 2 && value[0] == '"' && value[length - 1] == '"';
    return quoted ? strndup(value + 1, length - 2) : strdup(value);
}

/* --- Initial weights: each seed may start from the same seed of another configuration */

/* Splits a path of weights into the run directory and the rest ("" means the last checkpoint). */
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

/* The configuration of that run, at its old place or, if all runs were moved, beside this run. NULL if there is none.
 */
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

/* A run from which another one starts is identified by its settings without the seed, like the runs of a report. */
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
    srq_choices start = {0};
    if (describe(config, folder, c->depth + 1, &start) != SRQ_OK || asprintf(&value, "%s%s", start.digest, within) < 0)
        value = NULL;
    srq_report_describe(srq_config_settings(config), shown, sizeof shown);
    add_choice(c, path, value, strdup(shown));
    srq_choices_free(&start);
    srq_config_destroy(&config);
}

/* Results of stage learn of the same seed count as equal for all seeds. */
static bool is_left_by_learn(const srq_stage *stage, const char *path)
{
    if (strcmp(path, "train.masks") == 0) return stage->level > 0;
    return strcmp(path, "train.init") == 0 || strcmp(path, "quantizer.layers") == 0;
}

static void add_of_stage(collector *c, const char *path)
{
    char *value = NULL;
    if (asprintf(&value, "of stage %s", c->stage->name) < 0) value = NULL;
    add_choice(c, path, value, value ? strdup(value) : NULL);
}

static void collect(void *context, const char *path, const char *value, const char *idle)
{
    collector *c = context;
    if (strcmp(path, "train.seed") == 0 || c->failed) return;
    if (idle) value = idle; /* all values without effect are equal */
    if (c->stage && is_left_by_learn(c->stage, path))
        add_of_stage(c, path);
    else if (strcmp(path, "train.init") == 0)
        add_init(c, path);
    else if (strcmp(path, "model") == 0)
        add_choice(c, path, strdup(value), strdup(c->settings->model.name));
    else if (strcmp(path, "quantizer.layers") == 0)
        add_choice(c, path, strdup(value), short_layers(c->settings));
    else
        add_choice(c, path, strdup(value), plain(value));
    if (!c->failed) c->choices->items[c->choices->count - 1].idle = idle != NULL;
}

/* The data set may have been moved, or replaced under the same name, so its digest from the log is used. Without one,
 * it may be any data set, so the run is in a group of its own. */
static srq_status add_data(const srq_report_run *run, srq_choices *choices)
{
    const srq_settings *s = srq_config_settings(run->config);
    collector c = {.choices = choices, .settings = s, .room = choices->count};
    const char *slash = strrchr(s->data.file, '/'), *name = slash ? slash + 1 : s->data.file;
    char *value = NULL, *shown = NULL;
    if (run->log->data_sha256[0]) {
        value = strdup(run->log->data_sha256);
        shown = strdup(name);
    } else {
        if (asprintf(&value, "unknown, of %s", run->path) < 0) value = NULL;
        if (asprintf(&shown, "%s without a digest in %s/log.jsonl", name, run->name) < 0) shown = NULL;
    }
    add_choice(&c, "data", value, shown);
    return c.failed ? srq_fail_memory(0, "the settings of a run") : SRQ_OK;
}

static srq_status digest_choices(srq_choices *choices)
{
    srq_digest *digest = NULL;
    SRQ_TRY(srq_digest_create(&digest));
    for (int i = 0; i < choices->count; i++) {
        srq_digest_add(digest, choices->items[i].path, strlen(choices->items[i].path) + 1);
        srq_digest_add(digest, choices->items[i].value, strlen(choices->items[i].value) + 1);
    }
    srq_digest_finish(&digest, choices->digest);
    return SRQ_OK;
}

static srq_status describe(const srq_config *config, const char *folder, int depth, srq_choices *choices)
{
    *choices = (srq_choices){0};
    collector c = {.choices = choices, .settings = srq_config_settings(config), .folder = folder, .depth = depth};
    char *ticket = NULL;
    srq_stage stage;
    const bool staged = srq_report_find_stage(folder, c.settings, &stage, &ticket);
    free(ticket);
    if (staged && stage.kind != SRQ_STAGE_LEARN) c.stage = &stage;
    SRQ_TRY(srq_config_visit_choices(config, staged, collect, &c));
    return c.failed ? srq_fail_memory(0, "the settings of a run") : digest_choices(choices);
}

srq_status srq_choices_read(const srq_report_run *run, srq_choices *choices)
{
    SRQ_TRY(describe(run->config, run->path, 0, choices));
    SRQ_TRY(add_data(run, choices));
    return digest_choices(choices);
}

const srq_choice *srq_choices_find(const srq_choices *choices, const char *path)
{
    for (int i = 0; i < choices->count; i++)
        if (strcmp(choices->items[i].path, path) == 0) return &choices->items[i];
    return NULL;
}

void srq_choices_free(srq_choices *choices)
{
    for (int i = 0; i < choices->count; i++) {
        free(choices->items[i].value);
        free(choices->items[i].shown);
    }
    free(choices->items);
}
