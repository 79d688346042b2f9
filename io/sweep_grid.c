#include "io/sweep_grid.h"

#include "io/config_tree.h"
#include "io/schema.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 1000 };

/* One --set. */
typedef struct axis {
    const char *set;
    int path_length;
    bool is_seed;
    int count;
    char **values;
} axis;

typedef struct grid {
    const char *config;
    int count;
    axis *axes;
    int rows;
    long long seed; /* of the configuration */
} grid;

/* --- Values */

/* The end of the value at `at`: a comma outside of quotes, or the end of the text. */
static const char *value_end(const char *at)
{
    bool quoted = false;
    for (; *at && (quoted || *at != ','); at++) {
        if (quoted && *at == '\\' && at[1])
            at++;
        else if (*at == '"')
            quoted = !quoted;
    }
    return at;
}

static srq_status split(const char *set, axis *a)
{
    const char *equals = strchr(set, '=');
    if (!equals || equals == set)
        return srq_fail(SRQ_ERROR_USAGE, "--set %.200s: it must be path=value, or path=value,value,... in a sweep",
                        set);
    *a = (axis){.set = set, .path_length = (int)(equals - set)};
    a->is_seed = strncmp(set, "train.seed=", 11) == 0;
    a->values = calloc(strlen(equals) + 1, sizeof *a->values);
    if (!a->values) return srq_fail_memory(strlen(equals) * sizeof *a->values, "the values of --set");
    for (const char *at = equals + 1;; at++) {
        const char *end = value_end(at);
        if (end == at)
            return srq_fail(SRQ_ERROR_USAGE, "--set %.200s: a value is empty; remove one comma, or add the value", set);
        a->values[a->count] = strndup(at, (size_t)(end - at));
        if (!a->values[a->count]) return srq_fail_memory((size_t)(end - at), "the values of --set");
        a->count++;
        if (!*end) return SRQ_OK;
        at = end;
    }
}

static srq_status check_axis(const grid *g, int index)
{
    const axis *a = &g->axes[index];
    for (int i = 0; i < index; i++)
        if (g->axes[i].path_length == a->path_length && strncmp(g->axes[i].set, a->set, (size_t)a->path_length) == 0)
            return srq_fail(SRQ_ERROR_USAGE, "--set %.200s: %.*s is set twice; put all its values into one --set",
                            a->set, a->path_length, a->set);
    for (int i = 0; a->is_seed && i < a->count; i++) {
        if (a->values[i][strspn(a->values[i], "0123456789")] || strlen(a->values[i]) > 18)
            return srq_fail(SRQ_ERROR_USAGE,
                            "--set %.200s: \"%.60s\" is no seed; seeds are integers of 0 or more, with up to 18 digits",
                            a->set, a->values[i]);
        for (int k = 0; k < i; k++)
            if (strtoll(a->values[k], NULL, 10) == strtoll(a->values[i], NULL, 10))
                return srq_fail(SRQ_ERROR_USAGE, "--set %.200s: seed %s is there twice; remove one of the two", a->set,
                                a->values[i]);
    }
    return SRQ_OK;
}

/* --- The text of the table */

/* Which value of axis `index` row number `row` has. */
static int place_of(const grid *g, int index, int row)
{
    for (int i = g->count - 1; i > index; i--)
        if (!g->axes[i].is_seed) row /= g->axes[i].count;
    return row % g->axes[index].count;
}

static void add_to_name(char name[SRQ_ROW_SIZE + 64], const char *text, int length)
{
    static const char good[] = "._+-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t n = strlen(name);
    for (int i = 0; i < length && text[i] && n < SRQ_ROW_SIZE + 62; i++) {
        if (text[i] == '"') continue;
        name[n++] = strchr(good, text[i]) ? text[i] : '_';
    }
    name[n] = '\0';
}

/* "lenet-weight_bits3"; a name that would be too long ends with the number of the row. */
static void name_row(const grid *g, int row, char name[SRQ_ROW_SIZE + 64])
{
    const char *slash = strrchr(g->config, '/'), *file = slash ? slash + 1 : g->config, *end = strrchr(file, '.');
    name[0] = '\0';
    add_to_name(name, file, end && end > file ? (int)(end - file) : (int)strlen(file));
    if (!name[0] || strchr("._+-", name[0])) name[0] = 'r';
    for (int i = 0; i < g->count; i++) {
        const axis *a = &g->axes[i];
        const char *path = a->set, *layers = "quantizer.layers.";
        if (a->is_seed || a->count == 1) continue;
        /* The last part of the path, and of a setting of one layer also the layer. */
        for (const char *at = path; at < a->set + a->path_length; at++)
            if (*at == '.') path = at + 1;
        if (strncmp(a->set, layers, strlen(layers)) == 0) path = a->set + strlen(layers);
        add_to_name(name, "-", 1);
        add_to_name(name, path, (int)(a->set + a->path_length - path));
        const char *value = a->values[place_of(g, i, row)];
        add_to_name(name, value, (int)strlen(value));
    }
    if (strlen(name) >= SRQ_ROW_SIZE) snprintf(name + SRQ_ROW_SIZE - 10, 10, "-%d", row);
}

/* Values that give the same name ("a b" and "a_b") get the number of the row. */
static void name_rows(const grid *g, int row, char name[SRQ_ROW_SIZE + 64])
{
    char other[SRQ_ROW_SIZE + 64];
    name_row(g, row, name);
    for (int i = 0; i < g->rows; i++) {
        name_row(g, i, other);
        if (i == row || strcmp(name, other) != 0) continue;
        const size_t n = strlen(name) < SRQ_ROW_SIZE - 10 ? strlen(name) : SRQ_ROW_SIZE - 10;
        snprintf(name + n, 10, "-%d", row);
        return;
    }
}

static void print_seeds(const grid *g, FILE *out)
{
    const axis *seeds = NULL;
    for (int i = 0; i < g->count; i++)
        if (g->axes[i].is_seed) seeds = &g->axes[i];
    fputs("seeds = [", out);
    if (!seeds) fprintf(out, "%lldL", g->seed);
    for (int i = 0; seeds && i < seeds->count; i++)
        fprintf(out, "%s%lldL", i ? ", " : "", strtoll(seeds->values[i], NULL, 10));
    fputs("]; rows = (", out);
}

static void print_row(const grid *g, int row, FILE *out)
{
    char name[SRQ_ROW_SIZE + 64];
    name_rows(g, row, name);
    fprintf(out, "%s{ name = \"%s\"; config = ", row ? "," : "", name);
    srq_print_text(g->config, out);
    fputs("; sets = (", out);
    for (int i = 0, n = 0; i < g->count; i++) {
        char *set = NULL;
        const axis *a = &g->axes[i];
        if (a->is_seed) continue;
        if (asprintf(&set, "%.*s=%s", a->path_length, a->set, a->values[place_of(g, i, row)]) < 0) set = NULL;
        if (n++) fputc(',', out);
        srq_print_text(set ? set : "", out); /* without memory, the table is refused as it is read */
        free(set);
    }
    fputs("); }", out);
}

/* --- */

/* Reads the configuration with the first value of each setting, so that mistakes in it are reported as such. */
static srq_status check_config(grid *g)
{
    char **sets = calloc((size_t)g->count + 1, sizeof *sets);
    srq_config *config = NULL;
    srq_status status = sets ? SRQ_OK : srq_fail_memory((size_t)g->count * sizeof *sets, "the settings of the sweep");
    for (int i = 0; i < g->count && status == SRQ_OK; i++) {
        const axis *a = &g->axes[i];
        if (asprintf(&sets[i], "%.*s=%s", a->path_length, a->set, a->values[0]) < 0) {
            sets[i] = NULL;
            status = srq_fail_memory(strlen(a->set), "the settings of the sweep");
        }
    }
    if (status == SRQ_OK) status = srq_config_load(g->config, g->count, (const char *const *)sets, &config);
    if (status == SRQ_OK) g->seed = (long long)srq_config_settings(config)->train.seed;
    srq_config_destroy(&config);
    for (int i = 0; sets && i < g->count; i++) free(sets[i]);
    free(sets);
    return status;
}

static srq_status check_is_config(const char *path)
{
    config_t tree;
    config_init(&tree);
    srq_status status = srq_tree_read(&tree, path);
    if (status == SRQ_OK && config_lookup(&tree, "rows"))
        status =
            srq_fail(SRQ_ERROR_USAGE,
                     "%s: this is a table, which has its own settings; leave out --set, or name a configuration", path);
    config_destroy(&tree);
    return status;
}

static srq_status make(grid *g, int set_count, const char *const *sets, char **text)
{
    size_t size;
    SRQ_TRY(check_is_config(g->config));
    g->axes = calloc((size_t)set_count + 1, sizeof *g->axes);
    if (!g->axes) return srq_fail_memory((size_t)set_count * sizeof *g->axes, "the settings of the sweep");
    g->rows = 1;
    for (int i = 0; i < set_count; i++) {
        g->count++;
        SRQ_TRY(split(sets[i], &g->axes[i]));
        SRQ_TRY(check_axis(g, i));
        if (g->axes[i].is_seed) continue;
        if (g->axes[i].count > ROWS_MAX / g->rows)
            return srq_fail(SRQ_ERROR_USAGE,
                            "--set %.200s: the sweep has more than %d combinations besides the seeds; use fewer values",
                            sets[i], ROWS_MAX);
        g->rows *= g->axes[i].count;
    }
    SRQ_TRY(check_config(g));
    FILE *out = open_memstream(text, &size);
    if (!out) return srq_fail_memory(0, "the table of the sweep");
    print_seeds(g, out);
    for (int r = 0; r < g->rows; r++) print_row(g, r, out);
    fputs(");", out);
    return fclose(out) == 0 ? SRQ_OK : srq_fail_memory(size, "the table of the sweep");
}

srq_status srq_sweep_grid(const char *config, int set_count, const char *const *sets, srq_sweep **sweep)
{
    grid g = {.config = config};
    char *text = NULL;
    srq_status status = make(&g, set_count, sets, &text);
    if (status == SRQ_OK) status = srq_sweep_parse(text, config, sweep);
    for (int i = 0; i < g.count; i++) {
        for (int k = 0; k < g.axes[i].count; k++) free(g.axes[i].values[k]);
        free(g.axes[i].values);
    }
    free(g.axes);
    free(text);
    return status;
}
