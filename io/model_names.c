#include "io/model_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

srq_status srq_scope_name(const srq_scope *in, const config_setting_t *group, char name[SRQ_NAME_SIZE])
{
    const char *text;
    char what[256];
    SRQ_TRY(srq_scope_text(in, group, "name", &text));
    const config_setting_t *setting = config_setting_get_member(group, "name");
    size_t n = strlen(text);
    bool valid = n > 0 && n < SRQ_NAME_SIZE && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
    for (size_t i = 0; i < n; i++) valid = valid && (isalnum((unsigned char)text[i]) || strchr("_.-", text[i]));
    if (!valid)
        return srq_scope_bad(in, setting, "a name must have 1 to 63 letters, digits, underscores, points or hyphens");
    const int length = snprintf(name, SRQ_NAME_SIZE, "%s%s%s", in->name, in->block ? "." : "", text);
    if (length < SRQ_NAME_SIZE) return SRQ_OK;
    snprintf(what, sizeof what, "the whole name, \"%s.%s\", has more than 63 characters; use shorter ones", in->name,
             text);
    return srq_scope_bad(in, setting, what);
}

static const srq_layer_spec *find_layer(const srq_reading *all, const char *name)
{
    for (int i = 0; i < all->model->layer_count; i++)
        if (strcmp(all->model->layers[i].name, name) == 0) return &all->model->layers[i];
    return NULL;
}

static const srq_instance *find_instance(const srq_reading *all, const char *name)
{
    for (int i = 0; i < all->instance_count; i++)
        if (strcmp(all->instances[i].name, name) == 0) return &all->instances[i];
    return NULL;
}

/* The name without the prefix of this scope, or NULL if it belongs to another scope. */
static const char *local_name(const srq_scope *in, const char *name)
{
    const size_t length = strlen(in->name);
    if (!in->block) return name;
    return strncmp(name, in->name, length) == 0 && name[length] == '.' ? name + length + 1 : NULL;
}

srq_status srq_scope_check_name(const srq_scope *in, const config_setting_t *group, const char *name)
{
    const srq_layer_spec *layer = find_layer(in->all, name);
    const srq_instance *block = find_instance(in->all, name);
    char what[SRQ_NAME_SIZE + 2 * SRQ_ORIGIN_SIZE];
    if (strcmp(local_name(in, name), "input") == 0)
        return srq_scope_bad(in, group,
                             in->block ? "\"input\" is the input of the block and cannot be the name of a layer"
                                       : "\"input\" is the images and cannot be the name of a layer");
    if (!layer && !block) return SRQ_OK;
    snprintf(what, sizeof what, "there is already a %s called \"%s\" at %s; names must be unique",
             layer ? "layer" : "block", name, layer ? layer->origin : block->origin);
    return srq_scope_bad(in, group, what);
}

/* Whether a layer or instance with the name `name` is at position `index` of the list or after it. */
static bool is_below(const config_setting_t *layers, int index, const char *name)
{
    for (int i = index; i < config_setting_length(layers); i++) {
        const config_setting_t *layer = config_setting_get_elem(layers, (unsigned)i);
        const char *other;
        if (config_setting_is_group(layer) && config_setting_lookup_string(layer, "name", &other) == CONFIG_TRUE &&
            strcmp(other, name) == 0)
            return true;
    }
    return false;
}

static srq_status unknown_input(const srq_scope *in, const config_setting_t *layer, const config_setting_t *setting)
{
    const srq_reading *all = in->all;
    const char *name = config_setting_get_string(setting);
    char what[320];
    if (is_below(config_setting_parent(layer), config_setting_index(layer), name)) {
        snprintf(what, sizeof what,
                 "input \"%.64s\" is this layer or one below it; layers must come after their inputs, so move it up "
                 "(cycles are not possible)",
                 name);
        return srq_scope_bad(in, setting, what);
    }
    const size_t most = (size_t)(all->model->layer_count + all->instance_count + 1);
    const char **names = malloc(most * sizeof *names);
    if (!names) return srq_fail_memory(most * sizeof *names, "names of layers");
    int count = 0;
    names[count++] = "input";
    for (int i = 0; i < all->model->layer_count; i++)
        if ((names[count] = local_name(in, all->model->layers[i].name))) count++;
    for (int i = 0; i < all->instance_count; i++)
        if ((names[count] = local_name(in, all->instances[i].name))) count++;
    snprintf(what, sizeof what, "no layer is called \"%.64s\"; did you mean \"%s\"?", name,
             srq_closest(name, names, count));
    free(names);
    return srq_scope_bad(in, setting, what);
}

srq_status srq_scope_input(const srq_scope *in, const config_setting_t *layer, const config_setting_t *setting,
                           char out[SRQ_NAME_SIZE])
{
    const char *text = config_setting_get_string(setting), *found = NULL;
    char name[2 * SRQ_NAME_SIZE];
    if (!text) return srq_scope_mistyped(in, setting, "an input", "the name of a layer in quotes");
    snprintf(name, sizeof name, "%s%s%.63s", in->name, in->block ? "." : "", text);
    const srq_layer_spec *earlier = find_layer(in->all, name);
    const srq_instance *block = find_instance(in->all, name);
    if (strcmp(text, "input") == 0) found = in->input;
    if (earlier) found = earlier->name;
    if (block) found = block->last;
    if (!found || strlen(text) >= SRQ_NAME_SIZE) return unknown_input(in, layer, setting);
    snprintf(out, SRQ_NAME_SIZE, "%s", found);
    return SRQ_OK;
}

srq_status srq_scope_inputs(const srq_scope *in, const config_setting_t *group, const config_setting_t **inputs)
{
    *inputs = config_setting_get_member(group, "inputs");
    if (!*inputs || config_setting_is_array(*inputs) || config_setting_is_list(*inputs)) return SRQ_OK;
    return srq_scope_mistyped(in, *inputs, "inputs", "a list of names such as [\"relu1\", \"conv2\"]");
}
