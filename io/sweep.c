#include "io/sweep.h"

#include "io/config_tree.h"
#include "io/schema.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096, HASH_DIGITS = 12, ROWS_MAX = 1000, SEEDS_MAX = 1000 };

/* State of reading a table. */
typedef struct reader {
    const char *file, *folder;
    bool in_memory;   /* there is no file, so lines say nothing */
    const char *init; /* of the table */
    const config_setting_t *sets;
    srq_sweep *sweep;
} reader;

/* --- Values */

static srq_status check_keys(const config_setting_t *group, const char *file, const char *what, const char *const *keys,
                             int count)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(member);
        bool known = false;
        char where[512];
        for (int k = 0; k < count; k++) known = known || strcmp(keys[k], name) == 0;
        srq_where(member, file, where, sizeof where);
        if (!known)
            return srq_fail(SRQ_ERROR_USAGE, "%s: %s has no setting called %s; did you mean %s?", where, what, name,
                            srq_closest(name, keys, count));
    }
    return SRQ_OK;
}

static srq_status mistyped(const srq_value *value, const char *key, const char *expected)
{
    char found[160];
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be %s, but is %s", value->where, key, expected,
                    srq_describe(value, found, sizeof found));
}

/* *text stays NULL if it is not given. */
static srq_status read_text(const reader *r, const config_setting_t *group, const char *key, const char **text)
{
    const config_setting_t *setting = config_setting_get_member(group, key);
    *text = NULL;
    if (!setting) return SRQ_OK;
    const srq_value value = srq_value_of(setting, r->file);
    if (value.kind != SRQ_VALUE_TEXT || !value.text[0]) return mistyped(&value, key, "a text in quotes");
    *text = value.text;
    return SRQ_OK;
}

static srq_status copy_text(const reader *r, const config_setting_t *group, const char *key, char *out, size_t size)
{
    const char *text;
    SRQ_TRY(read_text(r, group, key, &text));
    if (text && strlen(text) >= size) {
        const srq_value value = srq_value_of(config_setting_get_member(group, key), r->file);
        return srq_fail(SRQ_ERROR_USAGE, "%s: %s is longer than %zu characters; use a shorter one", value.where, key,
                        size - 1);
    }
    snprintf(out, size, "%s", text ? text : "");
    return SRQ_OK;
}

/* Joins paths: "a/b" and "../c/d" give "a/c/d". */
static void join(const char *folder, const char *path, char *out, size_t size)
{
    char base[PATH_SIZE];
    snprintf(base, sizeof base, "%s", path[0] == '/' ? "" : folder);
    while (strncmp(path, "../", 3) == 0 && base[0]) {
        char *slash = strrchr(base, '/'), *last = slash ? slash + 1 : base;
        if (strcmp(last, "..") == 0 || strcmp(last, ".") == 0 || !last[0]) break;
        last[0] = '\0';
        if (slash && slash > base) slash[0] = '\0';
        path += 3;
    }
    const size_t length = strlen(base);
    snprintf(out, size, "%s%s%s", base, length && base[length - 1] != '/' ? "/" : "", path);
}

/* --- Settings of rows */

static bool is_path(const char *setting, size_t length)
{
    if (length == 5 && strncmp(setting, "model", 5) == 0) return true;
    for (int i = 0; i < srq_schema_count; i++)
        if (srq_schema[i].type == SRQ_SET_PATH && strlen(srq_schema[i].path) == length &&
            strncmp(srq_schema[i].path, setting, length) == 0)
            return true;
    return false;
}

static bool sets(const char *set, const char *path)
{
    const size_t length = strlen(path);
    return strncmp(set, path, length) == 0 && set[length] == '=';
}

/* A later value replaces an earlier one. */
static srq_status add_set(srq_sweep_row *row, const char *set)
{
    int at = 0;
    const size_t length = strcspn(set, "=") + 1;
    while (at < row->set_count && strncmp(row->sets[at], set, length) != 0) at++;
    char *copy = strdup(set);
    char **larger = realloc(row->sets, (size_t)(row->set_count + 1) * sizeof *larger);
    if (larger) row->sets = larger;
    if (!copy || !larger) {
        free(copy);
        return srq_fail_memory(strlen(set), "the table");
    }
    if (at < row->set_count)
        free(row->sets[at]);
    else
        row->set_count++;
    row->sets[at] = copy;
    return SRQ_OK;
}

/* Paths are relative to the table's folder, not to the current one. */
static srq_status read_set(const reader *r, const config_setting_t *setting, srq_sweep_row *row)
{
    const srq_value value = srq_value_of(setting, r->file);
    if (value.kind != SRQ_VALUE_TEXT) return mistyped(&value, "an entry of sets", "a text such as \"train.epochs=3\"");
    const char *equals = strchr(value.text, '=');
    if (!equals || equals == value.text)
        return srq_fail(SRQ_ERROR_USAGE, "%s: \"%s\" must be path=value, such as \"train.epochs=3\"", value.where,
                        value.text);
    if (sets(value.text, "train.seed"))
        return srq_fail(SRQ_ERROR_USAGE, "%s: train.seed comes from the table's seeds; remove it from sets",
                        value.where);
    if (!is_path(value.text, (size_t)(equals - value.text)) || strcmp(value.text, "train.init=random") == 0)
        return add_set(row, value.text);
    char path[PATH_SIZE], set[PATH_SIZE + 64];
    join(r->folder, equals + 1, path, sizeof path);
    snprintf(set, sizeof set, "%.*s=%s", (int)(equals - value.text), value.text, path);
    return add_set(row, set);
}

static srq_status read_sets(const reader *r, const config_setting_t *list, srq_sweep_row *row)
{
    if (!list) return SRQ_OK;
    const srq_value value = srq_value_of(list, r->file);
    if (!config_setting_is_array(list) && !config_setting_is_list(list))
        return mistyped(&value, "sets", "an array such as [\"train.epochs=3\"]");
    for (int i = 0; i < config_setting_length(list); i++)
        SRQ_TRY(read_set(r, config_setting_get_elem(list, (unsigned)i), row));
    return SRQ_OK;
}

/* --- Rows */

/* A name that can be part of a folder name, without special characters for shells and SLURM. */
static srq_status check_name(const srq_sweep *sweep, const srq_sweep_row *row)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const char *name = row->name;
    const size_t good = strspn(name, "._+-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    if (!name[0]) return srq_fail(SRQ_ERROR_USAGE, "%s: the row has no name; add name = \"...\";", row->where);
    if (name[good] || !strchr(letters, name[0]))
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: the row's name \"%s\" becomes part of folder names; it must consist of letters, digits "
                        "and . _ + -, and begin with a letter or digit",
                        row->where, name);
    const int other = srq_sweep_row_called(sweep, name);
    if (other < 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s: the row at %s is called %s as well; use different names", row->where,
                    sweep->rows[other].where, name);
}

static srq_status find_init(const reader *r, const config_setting_t *group, srq_sweep_row *row)
{
    const char *init;
    SRQ_TRY(read_text(r, group, "init", &init));
    const bool own = init != NULL;
    if (!own) init = r->init && strcmp(r->init, row->name) != 0 ? r->init : "random";
    row->init = srq_sweep_row_called(r->sweep, init);
    for (int i = 0; i < row->set_count; i++)
        if (row->init >= 0 && sets(row->sets[i], "train.init"))
            return srq_fail(SRQ_ERROR_USAGE,
                            "%s: row %s starts from row %s and sets train.init; remove one of the two (init = "
                            "\"random\" overrides the table's init)",
                            row->where, row->name, init);
    if (row->init >= 0 || strcmp(init, "random") == 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: row %s starts from init = \"%s\", but no row above it has this name; did you mean %s? (for a "
                    "file of weights, use sets = [\"train.init=FILE\"])",
                    row->where, row->name, init, srq_sweep_row_closest(r->sweep, init));
}

static srq_status read_published(const reader *r, const config_setting_t *group, srq_sweep_row *row)
{
    const config_setting_t *setting = config_setting_get_member(group, "published");
    row->published = NAN;
    if (!setting) return SRQ_OK;
    const srq_value value = srq_value_of(setting, r->file);
    const bool number = value.kind == SRQ_VALUE_INTEGER || value.kind == SRQ_VALUE_FLOAT;
    if (!number || !(value.number >= 0 && value.number <= 100))
        return mistyped(&value, "published", "a test error from 0 to 100 (%)");
    row->published = value.number;
    if (row->source[0]) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s: published = %g; needs a source = \"...\"; beside it: who published it",
                    value.where, value.number);
}

/* The identity of a row that starts from another row includes the settings of that row. */
static srq_status digest_row(const srq_sweep *sweep, srq_sweep_row *row)
{
    srq_config *config = NULL;
    SRQ_TRY(srq_config_load(row->config, row->set_count, (const char *const *)row->sets, &config));
    char init[128];
    if (row->init >= 0) snprintf(init, sizeof init, "run of %s", sweep->rows[row->init].digest);
    const srq_status status = srq_config_digest(config, row->init >= 0 ? init : NULL, row->digest);
    srq_config_destroy(&config);
    return status;
}

static srq_status check_new(const srq_sweep *sweep, const srq_sweep_row *row)
{
    for (int i = 0; i < sweep->row_count; i++)
        if (strcmp(sweep->rows[i].digest, row->digest) == 0)
            return srq_fail(
                SRQ_ERROR_USAGE,
                "%s: row %s has the same settings as row %s, apart from settings without effect; remove one of the two",
                row->where, row->name, sweep->rows[i].name);
    return SRQ_OK;
}

static srq_status fill_row(const reader *r, const config_setting_t *group, srq_sweep_row *row)
{
    static const char *const keys[] = {"name", "config", "init", "sets", "published", "source"};
    const char *config;
    char path[PATH_SIZE];
    srq_where(group, r->file, row->where, sizeof row->where);
    if (r->in_memory) snprintf(row->where, sizeof row->where, "%s", r->file);
    if (!config_setting_is_group(group)) {
        const srq_value value = srq_value_of(group, r->file);
        return mistyped(&value, "a row", "a group such as { name = \"...\"; config = \"...\"; }");
    }
    SRQ_TRY(check_keys(group, r->file, "a row", keys, sizeof keys / sizeof *keys));
    SRQ_TRY(copy_text(r, group, "name", row->name, sizeof row->name));
    SRQ_TRY(check_name(r->sweep, row));
    SRQ_TRY(read_text(r, group, "config", &config));
    if (!config)
        return srq_fail(SRQ_ERROR_USAGE, "%s: row %s names no configuration; add config = \"...\";", row->where,
                        row->name);
    join(r->folder, config, path, sizeof path);
    row->config = strdup(path);
    if (!row->config) return srq_fail_memory(strlen(path), "the table");
    SRQ_TRY(read_sets(r, r->sets, row));
    SRQ_TRY(read_sets(r, config_setting_get_member(group, "sets"), row));
    SRQ_TRY(find_init(r, group, row));
    SRQ_TRY(copy_text(r, group, "source", row->source, sizeof row->source));
    SRQ_TRY(read_published(r, group, row));
    const srq_status status = digest_row(r->sweep, row);
    if (status != SRQ_OK) return srq_fail_in(status, "%s: row %s", row->where, row->name);
    return check_new(r->sweep, row);
}

static void free_row(srq_sweep_row *row)
{
    srq_sweep_free_sets(row->sets, row->set_count);
    free(row->config);
}

static srq_status read_rows(const reader *r, const config_setting_t *root)
{
    const config_setting_t *rows = config_setting_get_member(root, "rows");
    if (!rows) return srq_fail(SRQ_ERROR_USAGE, "%s: rows are missing; add rows = ( { name = ...; } );", r->file);
    const srq_value value = srq_value_of(rows, r->file);
    const int count = config_setting_length(rows);
    if (!config_setting_is_list(rows) || count < 1 || count > ROWS_MAX)
        return srq_fail(SRQ_ERROR_USAGE, "%s: rows must be a list of 1 to %d groups: rows = ( { name = ...; }, ... );",
                        value.where, ROWS_MAX);
    r->sweep->rows = calloc((size_t)count, sizeof *r->sweep->rows);
    if (!r->sweep->rows) return srq_fail_memory((size_t)count * sizeof *r->sweep->rows, "the table");
    for (int i = 0; i < count; i++) {
        srq_sweep_row *row = &r->sweep->rows[i];
        const srq_status status = fill_row(r, config_setting_get_elem(rows, (unsigned)i), row);
        if (status != SRQ_OK) free_row(row);
        SRQ_TRY(status);
        r->sweep->row_count++;
    }
    return SRQ_OK;
}

/* --- The table */

static srq_status read_seeds(const reader *r, const config_setting_t *root)
{
    const config_setting_t *list = config_setting_get_member(root, "seeds");
    if (!list) return srq_fail(SRQ_ERROR_USAGE, "%s: seeds are missing; add seeds = [1, 2, 3];", r->file);
    const srq_value all = srq_value_of(list, r->file);
    const int count = config_setting_length(list);
    const bool many = config_setting_is_array(list) || config_setting_is_list(list);
    if (!many || count < 1 || count > SEEDS_MAX) return mistyped(&all, "seeds", "an array such as [1, 2, 3]");
    r->sweep->seeds = calloc((size_t)count, sizeof *r->sweep->seeds);
    if (!r->sweep->seeds) return srq_fail_memory((size_t)count * sizeof *r->sweep->seeds, "the table");
    for (int i = 0; i < count; i++) {
        const srq_value value = srq_value_of(config_setting_get_elem(list, (unsigned)i), r->file);
        long long seed;
        if (!srq_value_whole(&value, &seed) || seed < 0) return mistyped(&value, "a seed", "an integer of 0 or more");
        for (int k = 0; k < i; k++)
            if (r->sweep->seeds[k] == seed)
                return srq_fail(SRQ_ERROR_USAGE, "%s: seed %lld is listed twice", value.where, seed);
        r->sweep->seeds[r->sweep->seed_count++] = seed;
    }
    return SRQ_OK;
}

static srq_status read_table(reader *r, const config_setting_t *root)
{
    static const char *const keys[] = {"title", "seeds", "init", "sets", "rows"};
    if (!config_setting_get_member(root, "rows") && config_setting_get_member(root, "model"))
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: this is a configuration, not a table; to train it several times, add the values to try: "
                        "`srq sweep %s --set train.seed=1,2,3`",
                        r->file, r->file);
    SRQ_TRY(check_keys(root, r->file, "a table", keys, sizeof keys / sizeof *keys));
    SRQ_TRY(copy_text(r, root, "title", r->sweep->title, sizeof r->sweep->title));
    SRQ_TRY(read_seeds(r, root));
    SRQ_TRY(read_text(r, root, "init", &r->init));
    r->sets = config_setting_get_member(root, "sets");
    SRQ_TRY(read_rows(r, root));
    if (!r->init || strcmp(r->init, "random") == 0 || srq_sweep_row_called(r->sweep, r->init) >= 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s: init = \"%s\" is not a row of the table; did you mean %s?", r->file, r->init,
                    srq_sweep_row_closest(r->sweep, r->init));
}

static void name_table(const char *path, srq_sweep *sweep)
{
    const char *slash = strrchr(path, '/');
    snprintf(sweep->name, sizeof sweep->name, "%s", slash ? slash + 1 : path);
    char *end = strrchr(sweep->name, '.');
    if (end && end > sweep->name) *end = '\0';
}

/* From the file `path`, or from `text` unless it is NULL. */
static srq_status load(const char *path, const char *folder, const char *text, srq_sweep **sweep)
{
    srq_sweep *made = calloc(1, sizeof *made);
    config_t tree;
    if (!made) return srq_fail_memory(sizeof *made, "the table");
    reader r = {.file = path, .folder = folder, .in_memory = text, .sweep = made};
    name_table(path, made);
    config_init(&tree);
    srq_status status = text ? srq_tree_parse(&tree, text, path) : srq_tree_read(&tree, path);
    if (status == SRQ_OK) status = read_table(&r, config_root_setting(&tree));
    config_destroy(&tree);
    if (status != SRQ_OK)
        srq_sweep_destroy(&made);
    else
        *sweep = made;
    return status;
}

srq_status srq_sweep_load(const char *path, srq_sweep **sweep)
{
    char folder[PATH_SIZE];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + (slash == path)) : 0, path);
    return load(path, folder, NULL, sweep);
}

srq_status srq_sweep_parse(const char *text, const char *path, srq_sweep **sweep)
{
    return load(path, "", text, sweep);
}

void srq_sweep_destroy(srq_sweep **sweep)
{
    if (!*sweep) return;
    for (int i = 0; i < (*sweep)->row_count; i++) free_row(&(*sweep)->rows[i]);
    free((*sweep)->rows);
    free((*sweep)->seeds);
    free(*sweep);
    *sweep = NULL;
}

int srq_sweep_row_called(const srq_sweep *sweep, const char *name)
{
    for (int i = 0; i < sweep->row_count; i++)
        if (strcmp(sweep->rows[i].name, name) == 0) return i;
    return -1;
}

const char *srq_sweep_row_closest(const srq_sweep *sweep, const char *name)
{
    const char *best = sweep->row_count ? sweep->rows[0].name : "random";
    for (int i = 1; i < sweep->row_count; i++)
        best = srq_closest(name, (const char *const[]){best, sweep->rows[i].name}, 2);
    return best;
}

/* --- Runs */

char *srq_sweep_run_name(const srq_sweep *sweep, int row, long long seed, char out[SRQ_RUN_NAME_SIZE])
{
    snprintf(out, SRQ_RUN_NAME_SIZE, "%s-seed%lld-%.*s", sweep->rows[row].name, seed, HASH_DIGITS,
             sweep->rows[row].digest);
    return out;
}

static srq_status fill_sets(const srq_sweep *sweep, const srq_sweep_row *row, long long seed, const char *folder,
                            srq_sweep_row *out)
{
    char name[SRQ_RUN_NAME_SIZE], set[PATH_SIZE + 256];
    for (int i = 0; i < row->set_count; i++) SRQ_TRY(add_set(out, row->sets[i]));
    snprintf(set, sizeof set, "train.seed=%lld", seed);
    SRQ_TRY(add_set(out, set));
    if (row->init < 0) return SRQ_OK;
    snprintf(set, sizeof set, "train.init=%s/%s", folder, srq_sweep_run_name(sweep, row->init, seed, name));
    return add_set(out, set);
}

srq_status srq_sweep_sets(const srq_sweep *sweep, int row, long long seed, const char *folder, char ***out, int *count)
{
    srq_sweep_row made = {.set_count = 0};
    const srq_status status = fill_sets(sweep, &sweep->rows[row], seed, folder, &made);
    if (status != SRQ_OK) {
        srq_sweep_free_sets(made.sets, made.set_count);
        return status;
    }
    *out = made.sets;
    *count = made.set_count;
    return SRQ_OK;
}

void srq_sweep_free_sets(char **list, int count)
{
    for (int i = 0; i < count; i++) free(list[i]);
    free(list);
}

srq_status srq_sweep_config(const srq_sweep *sweep, int row, long long seed, const char *folder, srq_config **config)
{
    char **list = NULL;
    int count = 0;
    SRQ_TRY(srq_sweep_sets(sweep, row, seed, folder, &list, &count));
    const srq_status status = srq_config_load(sweep->rows[row].config, count, (const char *const *)list, config);
    srq_sweep_free_sets(list, count);
    return status;
}

/* Whether a run starts from the table's run of `row`, according to the name of that run's directory. The folder may
 * differ. */
static bool starts_from(const srq_sweep *sweep, int row, const srq_settings *s)
{
    char name[SRQ_RUN_NAME_SIZE];
    const char *slash = strrchr(s->train.init, '/');
    return strcmp(slash ? slash + 1 : s->train.init, srq_sweep_run_name(sweep, row, (long long)s->train.seed, name)) ==
           0;
}

srq_status srq_sweep_find(const srq_sweep *sweep, const srq_config *config, int *row)
{
    char digest[SRQ_DIGEST_SIZE], init[128];
    const srq_settings *s = srq_config_settings(config);
    *row = -1;
    for (int i = -1; i < sweep->row_count; i++) {
        if (i >= 0 && !starts_from(sweep, i, s)) continue;
        if (i >= 0) snprintf(init, sizeof init, "run of %s", sweep->rows[i].digest);
        SRQ_TRY(srq_config_digest(config, i >= 0 ? init : NULL, digest));
        for (int k = 0; k < sweep->row_count; k++)
            if (strcmp(sweep->rows[k].digest, digest) == 0) *row = k;
    }
    return SRQ_OK;
}
