/* The digest of a configuration, which identifies runs with the same configuration. */
#include "io/digest.h"
#include "io/schema.h"

#include <stdlib.h>
#include <string.h>

typedef struct collector {
    srq_settings *initial; /* space for a default */
    const char *init;
    int count, room;
    char **lines; /* "train.batch = 64" */
    bool failed;
} collector;

static void add_line(collector *c, const char *path, const char *value)
{
    if (c->count == c->room) {
        const int room = c->room ? 2 * c->room : 64;
        char **larger = realloc(c->lines, (size_t)room * sizeof *larger);
        c->failed = c->failed || !larger;
        if (!larger) return;
        c->lines = larger;
        c->room = room;
    }
    char *line = NULL;
    if (asprintf(&line, "%s = %s", path, value) < 0) line = NULL;
    c->failed = c->failed || !line;
    if (line) c->lines[c->count++] = line;
}

/* Whether `value`, as printed, is the default of the setting. */
static bool is_default(collector *c, const char *path, const char *value)
{
    const srq_setting *setting = srq_setting_find(path);
    char room[64], *text = NULL;
    size_t size;
    if (!setting) return value[0] == '\0'; /* no quantizer.layers */
    if (!setting->initial) return false;
    const srq_value initial = srq_value_of_text(setting->initial, room, sizeof room);
    FILE *out = open_memstream(&text, &size);
    const bool assigned = out && srq_setting_assign(setting, &initial, c->initial) == SRQ_OK;
    if (assigned) srq_setting_print(setting, c->initial, out);
    const bool whole = out && fclose(out) == 0 && assigned;
    c->failed = c->failed || !whole;
    const bool same = whole && strcmp(text, value) == 0;
    free(text);
    return same;
}

/* Whether weights are read is not known here: `init` replaces train.init, which the run of a table gets only later. So
 * the settings of random weights count even if they have no effect, as they always did. */
static bool is_of_init(const char *path)
{
    return strncmp(path, "train.init_", 11) == 0;
}

static void collect(void *context, const char *path, const char *value, const char *idle)
{
    collector *c = context;
    if (c->failed || (idle && !is_of_init(path)) || strcmp(path, "train.seed") == 0) return;
    if (c->init && strcmp(path, "train.init") == 0)
        add_line(c, path, c->init);
    else if (!is_default(c, path, value))
        add_line(c, path, value);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In another order than the schema, because settings may be moved in the schema. */
static srq_status digest_lines(const collector *c, char text[SRQ_DIGEST_SIZE])
{
    srq_digest *digest = NULL;
    SRQ_TRY(srq_digest_create(&digest));
    qsort(c->lines, (size_t)c->count, sizeof *c->lines, by_text);
    for (int i = 0; i < c->count; i++) srq_digest_add(digest, c->lines[i], strlen(c->lines[i]) + 1);
    srq_digest_finish(&digest, text);
    return SRQ_OK;
}

srq_status srq_config_digest(const srq_config *config, const char *init, char text[SRQ_DIGEST_SIZE])
{
    const char *file = srq_config_settings(config)->data.file, *slash = strrchr(file, '/');
    collector c = {.initial = calloc(1, sizeof *c.initial), .init = init};
    srq_status status = c.initial ? srq_config_visit_choices(config, false, collect, &c)
                                  : srq_fail_memory(sizeof *c.initial, "a configuration's digest");
    if (status == SRQ_OK) add_line(&c, "data", slash ? slash + 1 : file);
    if (status == SRQ_OK) status = c.failed ? srq_fail_memory(0, "a configuration's digest") : digest_lines(&c, text);
    for (int i = 0; i < c.count; i++) free(c.lines[i]);
    free(c.lines);
    free(c.initial);
    return status;
}
