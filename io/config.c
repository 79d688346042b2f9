#include "io/config.h"

#include "io/file.h"
#include "io/schema.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_LIMIT = 1 << 20, PATH_SIZE = 4096 };

struct srq_config {
    srq_settings settings;
    char *text;
};

long srq_span_steps(srq_span span, long steps_per_epoch)
{
    return span.epochs ? span.count * steps_per_epoch : span.count;
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

/* --- Reading with libconfig */

static srq_status parsed(config_t *tree, int whole, const char *name)
{
    if (whole == CONFIG_TRUE) return SRQ_OK;
    const char *file = config_error_file(tree);
    return srq_fail(SRQ_ERROR_USAGE, "%s:%d: %s; settings look like `name = value;` and groups like `name = { ... };`",
                    file ? file : name, config_error_line(tree), config_error_text(tree));
}

static srq_status parse_file(config_t *tree, const char *path)
{
    char *text = NULL, folder[PATH_SIZE];
    /* libconfig takes what it gets: that it is a text file of sane size is checked before. */
    srq_status status = srq_file_read_text(path, FILE_LIMIT, &text);
    free(text);
    if (status != SRQ_OK) return srq_fail(SRQ_ERROR_USAGE, "%s", srq_message());
    folder_of(path, folder);
    config_set_include_dir(tree, folder);
    return parsed(tree, config_read_file(tree, path), path);
}

/* --- From the tree to the settings */

/* Settings that the schema does not have. */
static srq_status check_known(const config_setting_t *group, const char *prefix, const char *file)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        char path[256], where[512];
        snprintf(path, sizeof path, "%s%s", prefix, config_setting_name(member));
        if (strcmp(path, "model") == 0) continue;
        const char *names[64] = {"model"};
        int count = 1;
        bool is_setting = false, is_group = false;
        const size_t length = strlen(path);
        for (int s = 0; s < srq_schema_count; s++) {
            names[count++] = srq_schema[s].path;
            is_setting = is_setting || strcmp(srq_schema[s].path, path) == 0;
            is_group =
                is_group || (strncmp(srq_schema[s].path, path, length) == 0 && srq_schema[s].path[length] == '.');
        }
        srq_where(member, file, where, sizeof where);
        if (is_group && config_setting_is_group(member)) {
            char deeper[260];
            snprintf(deeper, sizeof deeper, "%s.", path);
            SRQ_TRY(check_known(member, deeper, file));
        } else if (is_group) {
            return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be a group such as %s = { ... };", where, path, path);
        } else if (!is_setting) {
            return srq_fail(SRQ_ERROR_USAGE, "%s: no setting is called %s; did you mean %s?", where, path,
                            srq_closest(path, names, count));
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

static srq_status read_model_file(const char *path, const char *where, srq_model_spec *model)
{
    config_t tree;
    config_init(&tree);
    srq_status status = parse_file(&tree, path);
    if (status == SRQ_OK)
        status = srq_model_read(config_root_setting(&tree), path, model);
    else
        status = srq_fail_in(status, "%s", where);
    config_destroy(&tree);
    return status;
}

/* `set` is what --set model=... says, or NULL. */
static srq_status read_model(const config_t *tree, const char *file, const char *folder, const char *set,
                             srq_model_spec *model)
{
    char path[2 * PATH_SIZE];
    if (set) return read_model_file(set, "--set model", model);
    const config_setting_t *setting = config_lookup(tree, "model");
    if (!setting)
        return srq_fail(SRQ_ERROR_USAGE, "%s: model is missing; add a line such as model = \"models/lenet5.cfg\";",
                        file);
    if (config_setting_is_group(setting)) return srq_model_read(setting, file, model);
    srq_value value = srq_value_of(setting, file);
    if (value.kind != SRQ_VALUE_TEXT)
        return srq_fail(SRQ_ERROR_USAGE, "%s: model must be the path of a model file, or a group", value.where);
    if (value.text[0] == '/')
        snprintf(path, sizeof path, "%s", value.text);
    else
        snprintf(path, sizeof path, "%s/%s", folder, value.text);
    strncat(value.where, ": model", sizeof value.where - strlen(value.where) - 1);
    return read_model_file(path, value.where, model);
}

/* --- --set */

/* Splits "path=value"; the path goes into `path`. */
static srq_status split_set(const char *set, char path[128], const char **value)
{
    const char *equals = strchr(set, '=');
    if (!equals || equals == set || (size_t)(equals - set) >= 128)
        return srq_fail(SRQ_ERROR_USAGE, "--set %s: it must be path=value, such as --set train.epochs=3", set);
    snprintf(path, 128, "%.*s", (int)(equals - set), set);
    *value = equals + 1;
    return SRQ_OK;
}

static srq_status apply_set(const char *set, srq_settings *settings)
{
    char path[128], room[PATH_SIZE];
    const char *text = "", *names[64] = {"model"};
    int count = 1;
    SRQ_TRY(split_set(set, path, &text));
    if (strcmp(path, "model") == 0) return SRQ_OK; /* taken by read_model */
    for (int s = 0; s < srq_schema_count; s++) {
        names[count++] = srq_schema[s].path;
        if (strcmp(srq_schema[s].path, path) != 0) continue;
        srq_value value = srq_value_of_text(text, room, sizeof room);
        /* A file may be called 2024: where a text is wanted, digits are one. */
        if (srq_schema[s].type == SRQ_SET_TEXT && value.kind != SRQ_VALUE_TEXT) {
            snprintf(room, sizeof room, "%s", text);
            value = (srq_value){.kind = SRQ_VALUE_TEXT, .text = room};
        }
        snprintf(value.where, sizeof value.where, "--set %.400s", set);
        SRQ_TRY(srq_setting_assign(&srq_schema[s], &value, settings));
        if (strcmp(path, "data.file") != 0) return SRQ_OK;
        char given[PATH_SIZE];
        snprintf(given, sizeof given, "%s", settings->data.file);
        return resolve_path(".", given, settings->data.file);
    }
    return srq_fail(SRQ_ERROR_USAGE, "--set %s: no setting is called %s; did you mean %s?", set, path,
                    srq_closest(path, names, count));
}

static const char *set_of_model(int count, const char *const *sets)
{
    const char *value = NULL;
    for (int i = 0; i < count; i++)
        if (strncmp(sets[i], "model=", 6) == 0) value = sets[i] + 6;
    return value;
}

/* --- Putting it together */

static srq_status check_together(const srq_settings *s, const char *file)
{
    if (!s->data.file[0])
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: data.file is missing; add data = { file = \"...\"; }; (`srq data import` makes one)",
                        file);
    if (s->train.shards > s->train.batch)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: train.shards is %d, but a batch has only train.batch = %d images; use fewer shards", file,
                        s->train.shards, s->train.batch);
    return SRQ_OK;
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
                       const char *const *sets)
{
    srq_settings *s = &config->settings;
    SRQ_TRY(assign_all(tree, name, s));
    if (folder && s->data.file[0]) {
        char given[PATH_SIZE];
        snprintf(given, sizeof given, "%s", s->data.file);
        SRQ_TRY(resolve_path(folder, given, s->data.file));
    }
    for (int i = 0; i < set_count; i++) SRQ_TRY(apply_set(sets[i], s));
    SRQ_TRY(read_model(tree, name, folder ? folder : ".", set_of_model(set_count, sets), &s->model));
    SRQ_TRY(check_together(s, name));
    srq_model_set_quantizers(s);
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
    srq_status status = parse_file(&tree, path);
    if (status == SRQ_OK) status = fill(made, &tree, path, folder, set_count, sets);
    return finish(status, &tree, made, config);
}

srq_status srq_config_parse(const char *text, const char *name, srq_config **config)
{
    srq_config *made = calloc(1, sizeof *made);
    if (!made) return srq_fail_memory(sizeof *made, "the configuration");
    config_t tree;
    config_init(&tree);
    srq_status status = parsed(&tree, config_read_string(&tree, text), name);
    if (status == SRQ_OK) status = fill(made, &tree, name, NULL, 0, NULL);
    return finish(status, &tree, made, config);
}

void srq_config_destroy(srq_config **config)
{
    if (!*config) return;
    srq_model_free(&(*config)->settings.model);
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

static void layer_to(char *out, size_t size, const srq_model_spec *model, int index)
{
    snprintf(out, size, "not there");
    if (index >= model->layer_count) return;
    FILE *stream = fmemopen(out, size, "w");
    if (!stream) return;
    srq_model_print_layer(&model->layers[index], stream);
    fclose(stream);
    out[size - 1] = '\0';
}

static bool models_differ(const srq_model_spec *here, const srq_model_spec *there, char *what, size_t what_size)
{
    if (here->height != there->height || here->width != there->width || here->channels != there->channels) {
        snprintf(what, what_size, "the model's input is %d x %d x %d here and %d x %d x %d there", here->height,
                 here->width, here->channels, there->height, there->width, there->channels);
        return true;
    }
    for (int i = 0; i < here->layer_count || i < there->layer_count; i++) {
        char a[1024], b[1024];
        layer_to(a, sizeof a, here, i);
        layer_to(b, sizeof b, there, i);
        if (strcmp(a, b) == 0) continue;
        snprintf(what, what_size, "layer %d of the model is %s here and %s there", i + 1, a, b);
        return true;
    }
    return false;
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
    return models_differ(&here->settings.model, &there->settings.model, what, what_size);
}
