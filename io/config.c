#include "io/config.h"

#include "io/file.h"
#include "io/schema.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_LIMIT = 1 << 20, INCLUDE_LIMIT = 64, INCLUDE_DEPTH = 10, PATH_SIZE = 4096 };

struct srq_config {
    srq_settings settings;
    char *text;
};

long srq_span_steps(srq_span span, long steps_per_epoch)
{
    long steps;
    if (!span.epochs) return span.count;
    return __builtin_mul_overflow(span.count, steps_per_epoch, &steps) ? LONG_MAX : steps;
}

int srq_bits_at(const srq_bits_schedule *schedule, long step, long steps_per_epoch)
{
    int stage = 0;
    while (stage + 1 < schedule->count && step >= srq_span_steps(schedule->until[stage], steps_per_epoch)) stage++;
    return schedule->bits[stage];
}

srq_status srq_bits_check(const srq_model_spec *model, long steps_per_epoch)
{
    for (int l = 0; l < model->layer_count; l++) {
        const srq_bits_schedule *bits = &model->layers[l].quantizer.bits;
        for (int i = 0; i + 2 < bits->count; i++) {
            const long end = srq_span_steps(bits->until[i], steps_per_epoch);
            const long next = srq_span_steps(bits->until[i + 1], steps_per_epoch);
            if (end < next) continue;
            return srq_fail(SRQ_ERROR_USAGE,
                            "layer \"%s\" shall have %d bits until step %ld and then %d bits until step %ld (%ld steps "
                            "make an epoch of this data set): each stage must end after the one before it",
                            model->layers[l].name, bits->bits[i], end, bits->bits[i + 1], next, steps_per_epoch);
        }
    }
    return SRQ_OK;
}

/* --- Paths */

/* `path` seen from `folder`, absolute and without "." and "..". */
static srq_status resolve_path(const char *folder, const char *path, char out[PATH_SIZE])
{
    char full[3 * PATH_SIZE], here[PATH_SIZE] = "";
    bool absolute = path[0] == '/' || folder[0] == '/';
    if (!absolute && !getcwd(here, sizeof here))
        return srq_fail(SRQ_ERROR_USAGE, "the current folder has no path any more; change to another folder");
    int n = path[0] == '/' ? snprintf(full, sizeof full, "%s", path)
                           : snprintf(full, sizeof full, "%s/%s/%s", here, folder, path);
    size_t length = 0;
    if (n < 0 || n >= PATH_SIZE) return srq_fail(SRQ_ERROR_USAGE, "%s: the path is too long", path);
    for (char *part = strtok(full, "/"); part; part = strtok(NULL, "/")) {
        if (strcmp(part, ".") == 0) continue;
        if (strcmp(part, "..") == 0) {
            while (length > 0 && out[--length] != '/') continue;
            continue;
        }
        length += (size_t)snprintf(out + length, PATH_SIZE - length, "/%s", part);
    }
    if (length == 0) out[length++] = '/';
    out[length] = '\0';
    return SRQ_OK;
}

static void folder_of(const char *path, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s", path);
    char *slash = strrchr(out, '/');
    if (slash)
        slash[slash == out] = '\0';
    else
        snprintf(out, PATH_SIZE, ".");
}

/* --- Before libconfig
 *
 * libconfig 1.5 ends the process when it meets an @include of a folder, and cuts an integer of more than 32 bits
 * without an L to its lower half. So a light pass over comments, texts and numbers goes first. */

typedef struct srq_scan {
    const char *path, *folder; /* of the file, for messages; where @include starts */
    int line, depth;
    int *included; /* files so far */
} srq_scan;

static srq_status scan_text(const srq_scan *outer, const char *text);

static srq_status scan_file(const srq_scan *outer, const char *path)
{
    char *text = NULL;
    srq_status status = srq_file_read_text(path, FILE_LIMIT, &text);
    if (status == SRQ_ERROR_DATA) return srq_fail(SRQ_ERROR_USAGE, "%s", srq_message());
    SRQ_TRY(status);
    srq_scan scan = *outer;
    scan.path = path;
    status = scan_text(&scan, text);
    free(text);
    return status;
}

/* `at` is behind @include's opening quote. */
static srq_status scan_include(const srq_scan *scan, const char *at)
{
    char path[2 * PATH_SIZE], *text = NULL;
    size_t length = 0;
    if (*at == '/') /* libconfig puts the folder before it */
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s:%d: @include of \"%.*s\", but its path must start at the folder of the configuration that "
                        "is read, such as \"../base.cfg\"",
                        scan->path, scan->line, (int)strcspn(at, "\"\n"), at);
    if (strcmp(scan->folder, ".") != 0) length = (size_t)snprintf(path, sizeof path, "%s/", scan->folder);
    for (; *at && *at != '"' && length < sizeof path - 1; at++) {
        if (*at == '\\' && at[1]) at++;
        path[length++] = *at;
    }
    path[length] = '\0';
    if (scan->depth >= INCLUDE_DEPTH || ++*scan->included > INCLUDE_LIMIT)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s:%d: @include goes more than %d files deep or takes in more than %d files; does a file "
                        "include itself?",
                        scan->path, scan->line, INCLUDE_DEPTH, INCLUDE_LIMIT);
    /* A file that cannot be read is the mistake of the line that asks for it. */
    if (srq_file_read_text(path, FILE_LIMIT, &text) != SRQ_OK)
        return srq_fail(SRQ_ERROR_USAGE, "%s:%d: @include: %s", scan->path, scan->line, srq_message());
    srq_scan inner = {.path = path, .folder = scan->folder, .depth = scan->depth + 1, .included = scan->included};
    srq_status status = scan_text(&inner, text);
    free(text);
    return status;
}

/* The end of the number at `at`; an integer must be one that libconfig reads in full. */
static srq_status scan_number(const srq_scan *scan, const char *at, const char **end)
{
    const char *digits = at + (*at == '-' || *at == '+');
    const bool hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    const char *behind = digits + strspn(digits, "0123456789");
    *end = behind + strspn(behind, ".0123456789eE+-");
    /* A float or only a sign. */
    if (!hexadecimal && (behind == digits || *end != behind)) return SRQ_OK;
    char *stop;
    errno = 0;
    const long long value = strtoll(at, &stop, hexadecimal ? 16 : 10);
    *end = stop + strspn(stop, "L");
    const int length = (int)(*end - at);
    if (errno == ERANGE)
        return srq_fail(SRQ_ERROR_USAGE, "%s:%d: the integer %.*s does not fit in 64 bits; use a smaller one",
                        scan->path, scan->line, length > 60 ? 60 : length, at);
    if (*end == stop && (value < INT_MIN || value > INT_MAX))
        return srq_fail(SRQ_ERROR_USAGE, "%s:%d: the integer %.*s does not fit in 32 bits; write it as %.*sL",
                        scan->path, scan->line, length, at, length, at);
    return SRQ_OK;
}

static const char *skip_comment(const char *at, int *line)
{
    if (at[0] == '#' || at[1] == '/') return at + strcspn(at, "\n");
    const char *end = strstr(at + 2, "*/");
    end = end ? end + 2 : at + strlen(at);
    for (; at < end; at++) *line += *at == '\n';
    return end;
}

/* libconfig loses memory in a text that has no end. */
static srq_status skip_quoted(srq_scan *scan, const char *at, const char **end)
{
    const int start = scan->line;
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1]) at++;
        scan->line += *at == '\n';
    }
    *end = at + (*at == '"');
    if (*at) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s:%d: the text that begins here has no closing quote; add one", scan->path,
                    start);
}

/* The opening quote of an @include, which must be the first thing on its line, or NULL. */
static const char *include_at(const char *text, const char *at)
{
    const char *begin = at, *quote = at + strlen("@include");
    while (begin > text && (begin[-1] == ' ' || begin[-1] == '\t')) begin--;
    if ((begin > text && begin[-1] != '\n') || strncmp(at, "@include", strlen("@include")) != 0) return NULL;
    const size_t blanks = strspn(quote, " \t");
    return blanks && quote[blanks] == '"' ? quote + blanks : NULL;
}

static srq_status scan_text(const srq_scan *outer, const char *text)
{
    srq_scan scan = *outer;
    scan.line = 1;
    for (const char *at = text; *at;) {
        const char *quote;
        if (*at == '#' || (*at == '/' && (at[1] == '/' || at[1] == '*'))) {
            at = skip_comment(at, &scan.line);
        } else if (*at == '@' && (quote = include_at(text, at))) {
            SRQ_TRY(scan_include(&scan, quote + 1));
            at = quote;
        } else if (*at == '"') {
            SRQ_TRY(skip_quoted(&scan, at, &at));
        } else if (isalpha((unsigned char)*at) || *at == '*') {
            while (isalnum((unsigned char)*at) || (*at && strchr("*_-", *at))) at++;
        } else if (*at && strchr("+-.0123456789", *at)) {
            const char *end = at;
            SRQ_TRY(scan_number(&scan, at, &end));
            at = end > at ? end : at + 1;
        } else {
            scan.line += *at == '\n';
            at++;
        }
    }
    return SRQ_OK;
}

/* --- Reading with libconfig */

static srq_status parsed(config_t *tree, int whole, const char *name)
{
    if (whole == CONFIG_TRUE) return SRQ_OK;
    char path[2 * PATH_SIZE];
    const char *text = config_error_text(tree), *hint = "";
    if (strcmp(text, "syntax error") == 0)
        hint = " here or just before; settings look like `name = value;` and groups like `name = { ... };`";
    if (strncmp(text, "duplicate", 9) == 0) hint = "; keep one of the two";
    srq_source(tree, config_error_file(tree), name, path, sizeof path);
    return srq_fail(SRQ_ERROR_USAGE, "%s:%d: %s%s", path, config_error_line(tree), text, hint);
}

srq_status srq_tree_read(config_t *tree, const char *path)
{
    char folder[PATH_SIZE];
    int included = 0;
    folder_of(path, folder);
    SRQ_TRY(scan_file(&(srq_scan){.folder = folder, .included = &included}, path));
    config_set_include_dir(tree, folder);
    return parsed(tree, config_read_file(tree, path), path);
}

static srq_status parse_text(config_t *tree, const char *text, const char *name)
{
    int included = 0;
    SRQ_TRY(scan_text(&(srq_scan){.path = name, .folder = ".", .included = &included}, text));
    return parsed(tree, config_read_string(tree, text), name);
}

/* --- From the tree to the settings */

/* Settings that the schema does not have. */
static srq_status check_known(const config_setting_t *group, const char *prefix, const char *file)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        char path[256], where[512];
        snprintf(path, sizeof path, "%s%s", prefix, config_setting_name(member));
        if (strcmp(path, "model") == 0 || strcmp(path, "quantizer.layers") == 0) continue;
        const bool is_setting = srq_setting_find(path) != NULL;
        bool is_group = false;
        const size_t length = strlen(path);
        for (int s = 0; s < srq_schema_count; s++) {
            const char *known = srq_schema[s].path;
            is_group = is_group || (strncmp(known, path, length) == 0 && known[length] == '.');
        }
        srq_where(member, file, where, sizeof where);
        if (is_group && config_setting_is_group(member)) {
            char deeper[260];
            snprintf(deeper, sizeof deeper, "%s.", path);
            SRQ_TRY(check_known(member, deeper, file));
        } else if (is_group) {
            char found[160];
            const srq_value value = srq_value_of(member, file);
            return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be a group such as %s = { ... };, but is %s", where, path,
                            path, srq_describe(&value, found, sizeof found));
        } else if (!is_setting) {
            return srq_fail(SRQ_ERROR_USAGE, "%s: no setting is called %s; did you mean %s?", where, path,
                            srq_setting_closest(path));
        }
    }
    return SRQ_OK;
}

static srq_status assign_initial(const srq_setting *setting, srq_settings *settings)
{
    char room[64];
    srq_value value = srq_value_of_text(setting->initial, room, sizeof room);
    return srq_setting_assign(setting, &value, settings);
}

static srq_status assign_all(const config_t *tree, const char *file, srq_settings *settings)
{
    SRQ_TRY(check_known(config_root_setting(tree), "", file));
    for (int s = 0; s < srq_schema_count; s++) {
        const config_setting_t *setting = config_lookup(tree, srq_schema[s].path);
        if (setting) {
            srq_value value = srq_value_of(setting, file);
            SRQ_TRY(srq_setting_assign(&srq_schema[s], &value, settings));
        } else if (srq_schema[s].initial) {
            SRQ_TRY(assign_initial(&srq_schema[s], settings));
        }
    }
    return SRQ_OK;
}

/* --- The model */

static srq_status read_model_file(const char *path, const char *where, int classes, srq_model_spec *model)
{
    config_t tree;
    if (!*path) return srq_fail(SRQ_ERROR_USAGE, "%s: the path of the model file is empty; name a file", where);
    config_init(&tree);
    srq_status status = srq_tree_read(&tree, path);
    if (status == SRQ_OK)
        status = srq_model_read(config_root_setting(&tree), path, classes, model);
    else
        status = srq_fail_in(status, "%s", where);
    config_destroy(&tree);
    return status;
}

static srq_status read_model(const config_t *tree, const char *file, const char *folder, int classes,
                             srq_model_spec *model)
{
    char path[2 * PATH_SIZE], where[600];
    const config_setting_t *setting = config_lookup(tree, "model");
    if (!setting)
        return srq_fail(SRQ_ERROR_USAGE, "%s: model is missing; add a line such as model = \"models/lenet5.cfg\";",
                        file);
    if (config_setting_is_group(setting)) return srq_model_read(setting, file, classes, model);
    srq_value value = srq_value_of(setting, file);
    if (value.kind != SRQ_VALUE_TEXT)
        return srq_fail(SRQ_ERROR_USAGE, "%s: model must be the path of a model file or a group, but is %s",
                        value.where, srq_describe(&value, path, sizeof path));
    /* As short as the user would write it. */
    if (value.text[0] == '/' || strcmp(folder, ".") == 0)
        snprintf(path, sizeof path, "%s", value.text);
    else
        snprintf(path, sizeof path, "%s/%s", folder, value.text);
    snprintf(where, sizeof where, "%s: model", value.where);
    return read_model_file(path, where, classes, model);
}

/* --- --set */

/* Splits "path=value"; the path goes into `path`. */
static srq_status split_set(const char *set, char path[128], const char **value)
{
    const char *equals = strchr(set, '=');
    if (!equals || equals == set || (size_t)(equals - set) >= 128)
        return srq_fail(SRQ_ERROR_USAGE, "--set %s: it must be path=value, such as --set train.epochs=3", set);
    if (strlen(equals + 1) >= PATH_SIZE)
        return srq_fail(SRQ_ERROR_USAGE, "--set %.100s...: the value is longer than %d characters; use a shorter one",
                        set, PATH_SIZE - 1);
    snprintf(path, 128, "%.*s", (int)(equals - set), set);
    *value = equals + 1;
    return SRQ_OK;
}

/* Makes the path that a setting holds absolute, as seen from `folder`. */
static srq_status place_path(const srq_setting *setting, const char *folder, srq_settings *settings)
{
    char *path = (char *)settings + setting->offset, given[PATH_SIZE];
    if (setting->type != SRQ_SET_PATH || !path[0]) return SRQ_OK;
    /* The default is a word in quotes. */
    const size_t length = strlen(path);
    if (setting->initial && strncmp(setting->initial + 1, path, length) == 0 && setting->initial[length + 1] == '"')
        return SRQ_OK;
    snprintf(given, sizeof given, "%s", path);
    return resolve_path(folder, given, path);
}

static srq_status apply_set(const char *set, srq_settings *settings)
{
    char path[128], room[PATH_SIZE];
    const char *text = "";
    SRQ_TRY(split_set(set, path, &text));
    if (strcmp(path, "model") == 0) return SRQ_OK; /* taken by read_set_model */
    if (strcmp(path, "quantizer.layers") == 0)
        return srq_fail(SRQ_ERROR_USAGE, "--set %s: quantizer.layers is a list, which only a file can hold", set);
    const srq_setting *setting = srq_setting_find(path);
    if (!setting)
        return srq_fail(SRQ_ERROR_USAGE, "--set %s: no setting is called %s; did you mean %s?", set, path,
                        srq_setting_closest(path));
    srq_value value = srq_value_of_text(text, room, sizeof room);
    /* A file may be called 2024: where a text is wanted, digits are one. */
    if ((setting->type == SRQ_SET_TEXT || setting->type == SRQ_SET_PATH) && value.kind != SRQ_VALUE_TEXT) {
        snprintf(room, sizeof room, "%s", text);
        value = (srq_value){.kind = SRQ_VALUE_TEXT, .text = room};
    }
    snprintf(value.where, sizeof value.where, "--set %.400s", set);
    SRQ_TRY(srq_setting_assign(setting, &value, settings));
    return place_path(setting, ".", settings);
}

/* The --set that decides `path`, the last one, or NULL. */
static const char *find_set(int count, const char *const *sets, const char *path)
{
    const size_t length = strlen(path);
    for (int i = count - 1; i >= 0; i--)
        if (strncmp(sets[i], path, length) == 0 && sets[i][length] == '=') return sets[i];
    return NULL;
}

static srq_status read_set_model(const char *set, int classes, srq_model_spec *model)
{
    char path[128], room[PATH_SIZE], where[600];
    const char *text = "";
    SRQ_TRY(split_set(set, path, &text));
    const srq_value value = srq_value_of_text(text, room, sizeof room);
    snprintf(where, sizeof where, "--set %.400s", set);
    return read_model_file(value.kind == SRQ_VALUE_TEXT ? value.text : text, where, classes, model);
}

/* --- Putting it together */

/* Where the last of two settings, which may be the same, got its value: --set comes after the file. */
static void locate(const config_t *tree, const char *file, int count, const char *const *sets,
                   const char *const paths[2], char where[512])
{
    snprintf(where, 512, "%s", file);
    for (int i = 0; i < 2; i++) {
        const config_setting_t *setting = config_lookup(tree, paths[i]);
        if (setting) srq_where(setting, file, where, 512);
    }
    for (int i = 0; i < 2; i++) {
        const char *set = find_set(count, sets, paths[i]);
        if (set) snprintf(where, 512, "--set %.400s", set);
    }
}

/* Augmentation that makes no sense together or on this network. */
static srq_status check_data(const srq_settings *s, const char *file)
{
    const int side = s->model.height < s->model.width ? s->model.height : s->model.width;
    const bool resized = strcmp(s->data.crop, "resized") == 0;
    if (resized && s->data.pad > 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: data.pad = %d pads plain crops, but data.crop is \"resized\"; leave one of the two out",
                        file, s->data.pad);
    if (s->data.scale_min > s->data.scale_max || s->data.ratio_min > s->data.ratio_max)
        return srq_fail(SRQ_ERROR_USAGE, "%s: data.scale_min and data.ratio_min must not be above their _max", file);
    if (s->data.resize > 0 && s->data.resize < side)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: data.resize is %d, but the model \"%s\" takes %d x %d: use %d or more, or 0", file,
                        s->data.resize, s->model.name, s->model.height, s->model.width, side);
    return SRQ_OK;
}

static srq_status check_together(const srq_settings *s, const config_t *tree, const char *file, int count,
                                 const char *const *sets)
{
    if (!s->data.file[0])
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: data.file is missing; add data = { file = \"...\"; }; (`srq data import` makes one)",
                        file);
    SRQ_TRY(check_data(s, file));
    if (s->train.shards <= s->train.batch) return SRQ_OK;
    char where[512];
    locate(tree, file, count, sets, (const char *const[]){"train.batch", "train.shards"}, where);
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: train.shards is %d, but a batch has only train.batch = %d images; use fewer shards", where,
                    s->train.shards, s->train.batch);
}

static srq_status print_resolved(srq_config *config)
{
    size_t size;
    FILE *out = open_memstream(&config->text, &size);
    if (!out) return srq_fail_memory(0, "the configuration");
    const srq_settings *s = &config->settings;
    char group[32] = "";
    srq_model_print(&s->model, out);
    for (int i = 0; i < srq_schema_count; i++) {
        const char *path = srq_schema[i].path;
        const int length = (int)strcspn(path, ".");
        if (strncmp(group, path, (size_t)length) != 0 || group[length] != '\0') {
            if (strcmp(group, "quantizer") == 0) srq_overrides_print(s, out);
            if (group[0]) fputs("};\n", out);
            snprintf(group, sizeof group, "%.*s", length, path);
            fprintf(out, "%s = {\n", group);
        }
        fprintf(out, "  %s = ", path + length + 1);
        srq_setting_print(&srq_schema[i], s, out);
        fputs(";\n", out);
    }
    fputs("};\n", out);
    return fclose(out) == 0 ? SRQ_OK : srq_fail_memory(size, "the configuration");
}

/* `folder` is where relative paths start, NULL to leave them alone. */
static srq_status fill(srq_config *config, const config_t *tree, const char *name, const char *folder, int set_count,
                       const char *const *sets, int bit_count, const srq_layer_bits *bits)
{
    srq_settings *s = &config->settings;
    SRQ_TRY(assign_all(tree, name, s));
    for (int i = 0; folder && i < srq_schema_count; i++) SRQ_TRY(place_path(&srq_schema[i], folder, s));
    for (int i = 0; i < set_count; i++) SRQ_TRY(apply_set(sets[i], s));
    const char *model = find_set(set_count, sets, "model");
    const int classes = s->data.classes;
    SRQ_TRY(model ? read_set_model(model, classes, &s->model)
                  : read_model(tree, name, folder ? folder : ".", classes, &s->model));
    SRQ_TRY(check_together(s, tree, name, set_count, sets));
    const config_setting_t *overrides = config_lookup(tree, "quantizer.layers");
    if (overrides) SRQ_TRY(srq_overrides_read(overrides, name, s));
    if (bit_count > 0) SRQ_TRY(srq_overrides_set_bits(s, bit_count, bits));
    char where[512];
    locate(tree, name, set_count, sets, (const char *const[]){"dropbits.mode", "dropbits.mode"}, where);
    SRQ_TRY(srq_model_set_quantizers(s, where));
    return print_resolved(config);
}

static srq_status finish(srq_status status, config_t *tree, srq_config *made, srq_config **config)
{
    config_destroy(tree);
    if (status != SRQ_OK)
        srq_config_destroy(&made);
    else
        *config = made;
    return status;
}

srq_status srq_config_load(const char *path, int set_count, const char *const *sets, srq_config **config)
{
    srq_config *made = calloc(1, sizeof *made);
    if (!made) return srq_fail_memory(sizeof *made, "the configuration");
    config_t tree;
    char folder[PATH_SIZE];
    config_init(&tree);
    folder_of(path, folder);
    srq_status status = srq_tree_read(&tree, path);
    if (status == SRQ_OK) status = fill(made, &tree, path, folder, set_count, sets, 0, NULL);
    return finish(status, &tree, made, config);
}

static srq_status parse_config(const char *text, const char *name, int set_count, const char *const *sets,
                               int bit_count, const srq_layer_bits *bits, srq_config **config)
{
    srq_config *made = calloc(1, sizeof *made);
    if (!made) return srq_fail_memory(sizeof *made, "the configuration");
    config_t tree;
    config_init(&tree);
    srq_status status = parse_text(&tree, text, name);
    if (status == SRQ_OK) status = fill(made, &tree, name, NULL, set_count, sets, bit_count, bits);
    return finish(status, &tree, made, config);
}

srq_status srq_config_parse(const char *text, const char *name, srq_config **config)
{
    return parse_config(text, name, 0, NULL, 0, NULL, config);
}

srq_status srq_config_derive(const srq_config *from, int set_count, const char *const *sets, int bit_count,
                             const srq_layer_bits *bits, srq_config **config)
{
    return parse_config(from->text, "the configuration", set_count, sets, bit_count, bits, config);
}

void srq_config_destroy(srq_config **config)
{
    if (!*config) return;
    srq_model_free(&(*config)->settings.model);
    srq_overrides_free(&(*config)->settings);
    free((*config)->text);
    free(*config);
    *config = NULL;
}

const srq_settings *srq_config_settings(const srq_config *config)
{
    return &config->settings;
}

const char *srq_config_text(const srq_config *config)
{
    return config->text;
}

/* --- Comparison */

static void print_to(char *out, size_t size, const srq_setting *setting, const srq_settings *settings)
{
    FILE *stream = fmemopen(out, size, "w");
    out[0] = '\0';
    if (!stream) return;
    srq_setting_print(setting, settings, stream);
    fclose(stream);
    out[size - 1] = '\0';
}

static bool overrides_differ(const srq_config *here, const srq_config *there)
{
    char *text[2] = {NULL, NULL};
    const srq_config *both[2] = {here, there};
    for (int i = 0; i < 2; i++) {
        size_t size;
        FILE *out = open_memstream(&text[i], &size);
        if (!out) continue;
        srq_overrides_print(&both[i]->settings, out);
        fclose(out);
    }
    const bool differ = !text[0] || !text[1] || strcmp(text[0], text[1]) != 0;
    free(text[0]);
    free(text[1]);
    return differ;
}

bool srq_config_differs(const srq_config *here, const srq_config *there, char *what, size_t what_size)
{
    for (int i = 0; i < srq_schema_count; i++) {
        char a[PATH_SIZE], b[PATH_SIZE];
        if (!srq_schema[i].decides) continue;
        print_to(a, sizeof a, &srq_schema[i], &here->settings);
        print_to(b, sizeof b, &srq_schema[i], &there->settings);
        if (strcmp(a, b) == 0) continue;
        snprintf(what, what_size, "%s is %s here and %s there", srq_schema[i].path, a, b);
        return true;
    }
    if (overrides_differ(here, there)) {
        snprintf(what, what_size, "quantizer.layers is not the same here and there");
        return true;
    }
    return srq_model_differs(&here->settings.model, &there->settings.model, what, what_size);
}

srq_status srq_config_visit_choices(const srq_config *config, srq_choice_visitor *visit, void *context)
{
    const srq_settings *s = &config->settings;
    for (int i = 0; i < srq_schema_count; i++) {
        char value[PATH_SIZE];
        if (!srq_schema[i].decides) continue;
        print_to(value, sizeof value, &srq_schema[i], s);
        visit(context, srq_schema[i].path, value);
    }
    for (int part = 0; part < 2; part++) {
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        if (!out) return srq_fail_memory(0, "a configuration's text");
        if (part == 0)
            srq_overrides_print(s, out);
        else
            srq_model_print(&s->model, out);
        const bool whole = fclose(out) == 0;
        if (whole) visit(context, part == 0 ? "quantizer.layers" : "model", text);
        free(text);
        if (!whole) return srq_fail_memory(size, "a configuration's text");
    }
    return SRQ_OK;
}
