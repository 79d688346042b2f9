#include "io/config.h"

#include "io/config_tree.h"
#include "io/path.h"
#include "io/schema.h"

#include <stdlib.h>
#include <string.h>

struct srq_config {
    srq_settings settings;
    char *text;
};

/* --- Reading settings from the tree */

static bool is_group_of_schema(const char *path)
{
    const size_t length = strlen(path);
    for (int s = 0; s < srq_schema_count; s++)
        if (strncmp(srq_schema[s].path, path, length) == 0 && srq_schema[s].path[length] == '.') return true;
    return false;
}

/* A member of a group that is neither a setting nor a group of settings as it must be. */
static srq_status check_member(const config_setting_t *member, const char *path, const char *file)
{
    char where[512], found[160], hint[128];
    const bool is_group = is_group_of_schema(path);
    srq_where(member, file, where, sizeof where);
    if (is_group && !config_setting_is_group(member)) {
        const srq_value value = srq_value_of(member, file);
        return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be a group such as %s = { ... };, but is %s", where, path, path,
                        srq_describe(&value, found, sizeof found));
    }
    if (is_group || srq_setting_find(path)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s: no setting is called %s; %s", where, path,
                    srq_setting_suggest(path, hint, sizeof hint));
}

/* Notes settings that are not in the schema. */
static srq_status check_known(const config_setting_t *group, const char *prefix, const char *file, srq_mistakes *m)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        char path[256], deeper[260];
        snprintf(path, sizeof path, "%s%s", prefix, config_setting_name(member));
        if (strcmp(path, "model") == 0 || strcmp(path, "quantizer.layers") == 0) continue;
        SRQ_TRY(srq_mistakes_note(m, check_member(member, path, file)));
        snprintf(deeper, sizeof deeper, "%s.", path);
        if (is_group_of_schema(path) && config_setting_is_group(member)) SRQ_TRY(check_known(member, deeper, file, m));
    }
    return SRQ_OK;
}

static srq_status assign_initial(const srq_setting *setting, srq_settings *settings)
{
    char room[64];
    if (!setting->initial) return SRQ_OK;
    srq_value value = srq_value_of_text(setting->initial, room, sizeof room);
    return srq_setting_assign(setting, &value, settings);
}

/* A setting with a mistake has its default for the checks that follow. */
static srq_status assign_all(const config_t *tree, const char *file, srq_mistakes *m, srq_settings *settings)
{
    SRQ_TRY(check_known(config_root_setting(tree), "", file, m));
    for (int s = 0; s < srq_schema_count; s++) {
        SRQ_TRY(assign_initial(&srq_schema[s], settings));
        const config_setting_t *setting = config_lookup(tree, srq_schema[s].path);
        if (!setting) continue;
        srq_value value = srq_value_of(setting, file);
        SRQ_TRY(srq_mistakes_note(m, srq_setting_assign(&srq_schema[s], &value, settings)));
    }
    return SRQ_OK;
}

/* --- The model */

static srq_status read_model_file(const char *path, const char *where, int classes, srq_mistakes *m,
                                  srq_model_spec *model)
{
    config_t tree;
    if (!*path) return srq_fail(SRQ_ERROR_USAGE, "%s: the path of the model file is empty; name a file", where);
    config_init(&tree);
    srq_status status = srq_tree_read(&tree, path);
    if (status == SRQ_OK)
        status = srq_model_read(config_root_setting(&tree), path, classes, m, model);
    else
        status = srq_fail_in(status, "%s", where);
    config_destroy(&tree);
    return status;
}

static srq_status read_model(const config_t *tree, const char *file, const char *folder, int classes, srq_mistakes *m,
                             srq_model_spec *model)
{
    char path[2 * SRQ_PATH_MAX], where[600];
    const config_setting_t *setting = config_lookup(tree, "model");
    if (!setting)
        return srq_fail(SRQ_ERROR_USAGE, "%s: model is missing; add a line such as model = \"models/lenet5.cfg\";",
                        file);
    if (config_setting_is_group(setting)) return srq_model_read(setting, file, classes, m, model);
    srq_value value = srq_value_of(setting, file);
    if (value.kind != SRQ_VALUE_TEXT)
        return srq_fail(SRQ_ERROR_USAGE, "%s: model must be the path of a model file or a group, but is %s",
                        value.where, srq_describe(&value, path, sizeof path));
    /* As the user would write it. */
    if (value.text[0] == '/' || strcmp(folder, ".") == 0)
        snprintf(path, sizeof path, "%s", value.text);
    else
        snprintf(path, sizeof path, "%s/%s", folder, value.text);
    snprintf(where, sizeof where, "%s: model", value.where);
    return read_model_file(path, where, classes, m, model);
}

/* --- --set */

/* Splits "path=value"; the path goes into `path`. */
static srq_status split_set(const char *set, char path[128], const char **value)
{
    const char *equals = strchr(set, '=');
    if (!equals || equals == set || (size_t)(equals - set) >= 128)
        return srq_fail(SRQ_ERROR_USAGE, "--set %s: it must be path=value, such as --set train.epochs=3", set);
    if (strlen(equals + 1) >= SRQ_PATH_MAX)
        return srq_fail(SRQ_ERROR_USAGE, "--set %.100s...: the value is longer than %d characters; use a shorter one",
                        set, SRQ_PATH_MAX - 1);
    snprintf(path, 128, "%.*s", (int)(equals - set), set);
    *value = equals + 1;
    return SRQ_OK;
}

/* Makes the path in a setting absolute, relative to `folder`. */
static srq_status place_path(const srq_setting *setting, const char *folder, srq_settings *settings)
{
    char *path = (char *)settings + setting->offset, given[SRQ_PATH_MAX];
    if (setting->type != SRQ_SET_PATH || !path[0]) return SRQ_OK;
    /* The default is not a path, but a word in quotes. */
    const size_t length = strlen(path);
    if (setting->initial && strncmp(setting->initial + 1, path, length) == 0 && setting->initial[length + 1] == '"')
        return SRQ_OK;
    snprintf(given, sizeof given, "%s", path);
    return srq_path_resolve(folder, given, path);
}

static srq_status apply_set(const char *set, srq_settings *settings)
{
    char path[128], room[SRQ_PATH_MAX], hint[128];
    const char *text = "";
    SRQ_TRY(split_set(set, path, &text));
    if (strcmp(path, "model") == 0) return SRQ_OK; /* read_set_model handles it */
    if (strcmp(path, "quantizer.layers") == 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "--set %s: quantizer.layers is a list, so it can be set only in a file; for one layer, use "
                        "--set quantizer.layers.LAYER.bits=8",
                        set);
    if (srq_overrides_has(path)) return SRQ_OK; /* apply_set_of_layer handles it */
    const srq_setting *setting = srq_setting_find(path);
    if (!setting)
        return srq_fail(SRQ_ERROR_USAGE, "--set %s: no setting is called %s; %s", set, path,
                        srq_setting_suggest(path, hint, sizeof hint));
    srq_value value = srq_value_of_text(text, room, sizeof room);
    /* A file can have the name 2024, so digits are accepted as a text. */
    if ((setting->type == SRQ_SET_TEXT || setting->type == SRQ_SET_PATH) && value.kind != SRQ_VALUE_TEXT) {
        snprintf(room, sizeof room, "%s", text);
        value = (srq_value){.kind = SRQ_VALUE_TEXT, .text = room};
    }
    snprintf(value.where, sizeof value.where, "--set %.400s", set);
    SRQ_TRY(srq_setting_assign(setting, &value, settings));
    return place_path(setting, ".", settings);
}

/* --set quantizer.layers.LAYER.KEY=VALUE, which follows the list of the file. */
static srq_status apply_set_of_layer(const char *set, srq_settings *settings)
{
    char path[128], room[SRQ_PATH_MAX];
    const char *text = "";
    if (!srq_overrides_has(set)) return SRQ_OK;
    SRQ_TRY(split_set(set, path, &text));
    srq_value value = srq_value_of_text(text, room, sizeof room);
    snprintf(value.where, sizeof value.where, "--set %.400s", set);
    return srq_overrides_assign(settings, path, &value);
}

/* The last --set of `path`, or NULL. */
static const char *find_set(int count, const char *const *sets, const char *path)
{
    const size_t length = strlen(path);
    for (int i = count - 1; i >= 0; i--)
        if (strncmp(sets[i], path, length) == 0 && sets[i][length] == '=') return sets[i];
    return NULL;
}

static srq_status read_set_model(const char *set, int classes, srq_mistakes *m, srq_model_spec *model)
{
    char path[128], room[SRQ_PATH_MAX], where[600];
    const char *text = "";
    SRQ_TRY(split_set(set, path, &text));
    const srq_value value = srq_value_of_text(text, room, sizeof room);
    snprintf(where, sizeof where, "--set %.400s", set);
    return read_model_file(value.kind == SRQ_VALUE_TEXT ? value.text : text, where, classes, m, model);
}

/* --- Checking combinations */

/* The place of the value of two settings (which can be the same): the last --set, or otherwise the file. */
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

/* Rejects combinations of augmentation settings that are not possible, or not on this network. */
static srq_status check_data(const srq_settings *s, const char *file)
{
    const int side = s->model.height < s->model.width ? s->model.height : s->model.width;
    const bool resized = strcmp(s->data.crop, "resized") == 0;
    if (resized && s->data.pad > 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: data.pad = %d pads plain crops, but data.crop is \"resized\"; remove one of the two", file,
                        s->data.pad);
    if (s->data.scale_min > s->data.scale_max || s->data.ratio_min > s->data.ratio_max)
        return srq_fail(SRQ_ERROR_USAGE, "%s: data.scale_min and data.ratio_min must not be above their _max", file);
    if (s->data.resize > 0 && s->data.resize < side)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: data.resize is %d, but the model \"%s\" takes %d x %d: use %d or more, or 0", file,
                        s->data.resize, s->model.name, s->model.height, s->model.width, side);
    return SRQ_OK;
}

/* Early stopping needs validation errors. Those of the test images must not select anything. */
static srq_status check_patience(const srq_settings *s, const config_t *tree, const char *file, int count,
                                 const char *const *sets)
{
    char where[512];
    if (s->train.patience == 0 || (s->data.validation > 0 && s->train.eval_every.count > 0)) return SRQ_OK;
    locate(tree, file, count, sets, (const char *const[]){"train.patience", "train.patience"}, where);
    if (s->data.validation > 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: train.patience is %d, but train.eval_every is 0, so that nothing is evaluated before the "
                        "end; set train.eval_every = \"1ep\"",
                        where, s->train.patience);
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: train.patience is %d, but data.validation is 0, and training must not end by the test error; "
                    "set data.validation to a number or a share of the training images, for example 0.1",
                    where, s->train.patience);
}

static srq_status check_file(const srq_settings *s, const config_t *tree, const char *file, int count,
                             const char *const *sets)
{
    if (s->data.file[0] || config_lookup(tree, "data.file") || find_set(count, sets, "data.file")) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: data.file is missing; add data = { file = \"...\"; }; (`srq data import` makes one)", file);
}

static srq_status check_shards(const srq_settings *s, const config_t *tree, const char *file, int count,
                               const char *const *sets)
{
    if (s->train.shards <= s->train.batch) return SRQ_OK;
    char where[512];
    locate(tree, file, count, sets, (const char *const[]){"train.batch", "train.shards"}, where);
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: train.shards is %d, but a batch has only train.batch = %d images; use fewer shards", where,
                    s->train.shards, s->train.batch);
}

static srq_status check_slices(const srq_settings *s, const config_t *tree, const char *file, int count,
                               const char *const *sets)
{
    if (s->train.shards * s->train.slices <= SRQ_SHARDS_MAX) return SRQ_OK;
    char where[512];
    locate(tree, file, count, sets, (const char *const[]){"train.shards", "train.slices"}, where);
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: train.shards = %d times train.slices = %d is more than %d; use fewer slices or shards", where,
                    s->train.shards, s->train.slices, SRQ_SHARDS_MAX);
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

/* What a configuration is made from. */
typedef struct origin {
    const config_t *tree;
    const char *name;   /* of the file, for messages */
    const char *folder; /* at which relative paths start; NULL: they are not changed */
    int set_count, bit_count;
    const char *const *sets;
    const srq_layer_bits *bits;
} origin;

/* Reads what is given, and notes every mistake. */
static srq_status read_all(const origin *from, srq_mistakes *m, srq_settings *s)
{
    SRQ_TRY(assign_all(from->tree, from->name, m, s));
    for (int i = 0; from->folder && i < srq_schema_count; i++)
        SRQ_TRY(srq_mistakes_note(m, place_path(&srq_schema[i], from->folder, s)));
    for (int i = 0; i < from->set_count; i++) SRQ_TRY(srq_mistakes_note(m, apply_set(from->sets[i], s)));
    const char *model = find_set(from->set_count, from->sets, "model");
    const int classes = s->data.classes;
    SRQ_TRY(srq_mistakes_note(
        m, model ? read_set_model(model, classes, m, &s->model)
                 : read_model(from->tree, from->name, from->folder ? from->folder : ".", classes, m, &s->model)));
    SRQ_TRY(srq_mistakes_note(m, check_file(s, from->tree, from->name, from->set_count, from->sets)));
    const config_setting_t *overrides = config_lookup(from->tree, "quantizer.layers");
    if (overrides) SRQ_TRY(srq_mistakes_note(m, srq_overrides_read(overrides, from->name, m, s)));
    for (int i = 0; i < from->set_count; i++) SRQ_TRY(srq_mistakes_note(m, apply_set_of_layer(from->sets[i], s)));
    return SRQ_OK;
}

static srq_status fill(srq_config *config, const origin *from)
{
    srq_settings *s = &config->settings;
    srq_mistakes m = {.count = 0};
    SRQ_TRY(read_all(from, &m, s));
    /* What follows compares settings, so each must be right by itself. */
    if (m.count == 0) {
        SRQ_TRY(srq_mistakes_note(&m, check_data(s, from->name)));
        SRQ_TRY(srq_mistakes_note(&m, check_patience(s, from->tree, from->name, from->set_count, from->sets)));
        SRQ_TRY(srq_mistakes_note(&m, check_shards(s, from->tree, from->name, from->set_count, from->sets)));
        SRQ_TRY(srq_mistakes_note(&m, check_slices(s, from->tree, from->name, from->set_count, from->sets)));
    }
    SRQ_TRY(srq_mistakes_result(&m));
    if (from->bit_count > 0) SRQ_TRY(srq_overrides_set_bits(s, from->bit_count, from->bits));
    char where[512];
    locate(from->tree, from->name, from->set_count, from->sets, (const char *const[]){"dropbits.mode", "dropbits.mode"},
           where);
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
    char folder[SRQ_PATH_MAX];
    config_init(&tree);
    srq_path_folder(path, folder);
    srq_status status = srq_tree_read(&tree, path);
    const origin from = {.tree = &tree, .name = path, .folder = folder, .set_count = set_count, .sets = sets};
    if (status == SRQ_OK) status = fill(made, &from);
    return finish(status, &tree, made, config);
}

static srq_status parse_config(const char *text, const char *name, int set_count, const char *const *sets,
                               int bit_count, const srq_layer_bits *bits, srq_config **config)
{
    srq_config *made = calloc(1, sizeof *made);
    if (!made) return srq_fail_memory(sizeof *made, "the configuration");
    config_t tree;
    config_init(&tree);
    srq_status status = srq_tree_parse(&tree, text, name);
    const origin from = {
        .tree = &tree, .name = name, .set_count = set_count, .sets = sets, .bit_count = bit_count, .bits = bits};
    if (status == SRQ_OK) status = fill(made, &from);
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
