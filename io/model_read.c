/* Model files: the group with name, input, classes, blocks and layers (see io/config.h, docs/configuration.md). */
#include "io/model_layer.h"
#include "io/model_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

/* --- Blocks */

static srq_status read_layers(srq_scope *in, const config_setting_t *group);

static srq_status find_block(const srq_scope *in, const config_setting_t *group, const config_setting_t **block)
{
    const config_setting_t *blocks = in->all->blocks;
    const char *text, *closest = NULL;
    char what[256];
    SRQ_TRY(srq_scope_text(in, group, "block", &text));
    *block = blocks ? config_setting_get_member(blocks, text) : NULL;
    const config_setting_t *place_of_it = config_setting_get_member(group, "block");
    if (*block) {
        for (const srq_scope *s = in; s; s = s->outer)
            if (s->block && strcmp(s->block, text) == 0) {
                snprintf(what, sizeof what, "block \"%.64s\" contains itself; a block can hold only others", text);
                return srq_scope_bad(in, place_of_it, what);
            }
        if (in->depth < DEPTH_MAX) return SRQ_OK;
        return srq_scope_bad(in, place_of_it, "blocks are nested more than 16 deep");
    }
    const int count = blocks ? config_setting_length(blocks) : 0;
    const char **names = malloc(((size_t)count + 1) * sizeof *names);
    if (!names) return srq_fail_memory(((size_t)count + 1) * sizeof *names, "names of blocks");
    for (int i = 0; i < count; i++) names[i] = config_setting_name(config_setting_get_elem(blocks, (unsigned)i));
    if (count) closest = srq_closest(text, names, count);
    free(names);
    snprintf(what, sizeof what, "no block is called \"%.64s\"; %s%.64s%s", text,
             closest ? "did you mean \"" : "declare it in blocks = { ", closest ? closest : text,
             closest ? "\"?" : " = { ... }; };");
    return srq_scope_bad(in, place_of_it, what);
}

/* Reads the names in `parameters` of a block, at most SRQ_PARAMETERS_MAX. */
static srq_status read_parameters(const srq_scope *in, const config_setting_t *block, const char **names, int *count)
{
    const config_setting_t *list = config_setting_get_member(block, "parameters");
    *count = 0;
    if (!list) return SRQ_OK;
    if (!config_setting_is_array(list) && !config_setting_is_list(list))
        return srq_scope_mistyped(in, list, "parameters", "a list of names such as [\"channels\", \"stride\"]");
    if (config_setting_length(list) > SRQ_PARAMETERS_MAX)
        return srq_scope_bad(in, list, "a block has at most 16 parameters");
    for (int i = 0; i < config_setting_length(list); i++) {
        const config_setting_t *item = config_setting_get_elem(list, (unsigned)i);
        const char *text = config_setting_get_string(item);
        char what[256];
        if (!text) return srq_scope_mistyped(in, item, "a parameter", "a name in quotes");
        bool valid = isalpha((unsigned char)text[0]) && strlen(text) < SRQ_NAME_SIZE;
        for (const char *c = text; *c; c++) valid = valid && (isalnum((unsigned char)*c) || *c == '_');
        static const char *const taken[] = {"name", "block", "inputs", "type", "classes"};
        for (size_t k = 0; k < sizeof taken / sizeof *taken; k++) valid = valid && strcmp(text, taken[k]) != 0;
        for (int k = 0; k < i; k++) valid = valid && strcmp(text, names[k]) != 0;
        if (!valid) {
            snprintf(what, sizeof what,
                     "\"%.64s\" cannot be a parameter: use a letter first, then letters, digits and underscores, each "
                     "name once and none of name, block, inputs, type, classes",
                     text);
            return srq_scope_bad(in, item, what);
        }
        names[(*count)++] = text;
    }
    return SRQ_OK;
}

/* Evaluates the values of the parameters in the scope of the instance. */
static srq_status read_arguments(const srq_scope *in, const config_setting_t *group, const config_setting_t *block,
                                 srq_scope *inner)
{
    static const char *const others[] = {"name", "block", "inputs"};
    const char *names[SRQ_PARAMETERS_MAX + 3];
    char what[256];
    int count;
    SRQ_TRY(read_parameters(inner, block, names, &count));
    memcpy(names + count, others, sizeof others);
    snprintf(what, sizeof what, "block \"%.64s\" has", inner->block);
    SRQ_TRY(srq_scope_check_members(in, group, names, count + 3, what));
    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_member(group, names[i]);
        int value;
        if (!setting) {
            snprintf(what, sizeof what, "block \"%.64s\" needs the parameter \"%s\"; add %s = ...;", inner->block,
                     names[i], names[i]);
            return srq_scope_bad(in, group, what);
        }
        SRQ_TRY(srq_scope_integer(in, setting, -(1 << 20), 1 << 20, &value));
        inner->variables[inner->variable_count++] = (srq_variable){.name = names[i], .value = value};
    }
    for (int i = 0; i < in->variable_count; i++)
        if (strcmp(in->variables[i].name, "classes") == 0) inner->variables[inner->variable_count++] = in->variables[i];
    return SRQ_OK;
}

static srq_status read_block_input(const srq_scope *in, const config_setting_t *group, srq_scope *inner)
{
    const config_setting_t *inputs;
    SRQ_TRY(srq_scope_inputs(in, group, &inputs));
    snprintf(inner->input, sizeof inner->input, "%s", in->last);
    if (inputs) {
        if (config_setting_length(inputs) != 1)
            return srq_scope_bad(in, inputs, "a block has one input; name one layer or block in inputs");
        SRQ_TRY(srq_scope_input(in, group, config_setting_get_elem(inputs, 0), inner->input));
    }
    snprintf(inner->last, sizeof inner->last, "%s", inner->input);
    return SRQ_OK;
}

static srq_status add_instance(const srq_scope *in, const config_setting_t *group, const srq_scope *inner)
{
    srq_reading *all = in->all;
    if (all->instance_count == all->instance_room) {
        const int room = all->instance_room ? 2 * all->instance_room : 16;
        srq_instance *larger = realloc(all->instances, (size_t)room * sizeof *larger);
        if (!larger) return srq_fail_memory((size_t)room * sizeof *larger, "the blocks");
        all->instances = larger;
        all->instance_room = room;
    }
    srq_instance *made = &all->instances[all->instance_count++];
    snprintf(made->name, sizeof made->name, "%s", inner->name);
    snprintf(made->last, sizeof made->last, "%s", inner->last);
    srq_where(group, all->file, made->origin, sizeof made->origin);
    return SRQ_OK;
}

static bool is_bad(const srq_reading *all, const config_setting_t *block)
{
    for (int i = 0; i < all->bad_count; i++)
        if (all->bad_blocks[i] == block) return true;
    return false;
}

/* All but the name of an instance. */
static srq_status read_inside(const srq_scope *in, const config_setting_t *group, srq_scope *inner)
{
    static const char *const members[] = {"parameters", "layers"};
    srq_reading *all = in->all;
    const int before = all->mistakes->count;
    const config_setting_t *block = NULL;
    SRQ_TRY(find_block(in, group, &block));
    inner->block = config_setting_name(block);
    if (!config_setting_is_group(block))
        return srq_scope_bad(inner, block,
                             "a block must be a group such as residual = { parameters = [...]; layers = (...); }");
    SRQ_TRY(srq_scope_check_members(inner, block, members, 2, "a block has"));
    SRQ_TRY(read_arguments(in, group, block, inner));
    SRQ_TRY(read_block_input(in, group, inner));
    if (is_bad(all, block)) return SRQ_OK;
    SRQ_TRY(srq_mistakes_note(all->mistakes, read_layers(inner, block)));
    if (all->mistakes->count > before && all->bad_count < SRQ_MISTAKES_SHOWN) all->bad_blocks[all->bad_count++] = block;
    return SRQ_OK;
}

/* Reads the layers of a block, with the parameters of this instance. */
static srq_status read_instance(srq_scope *in, const config_setting_t *group)
{
    srq_scope inner = {.outer = in, .all = in->all, .depth = in->depth + 1};
    srq_where(group, in->all->file, inner.where, sizeof inner.where);
    SRQ_TRY(srq_scope_name(in, group, inner.name));
    SRQ_TRY(srq_scope_check_name(in, group, inner.name));
    snprintf(inner.last, sizeof inner.last, "%s", in->last);
    const srq_status status = read_inside(in, group, &inner);
    /* Later layers can name it, whatever mistakes it has. */
    SRQ_TRY(add_instance(in, group, &inner));
    snprintf(in->last, sizeof in->last, "%s", inner.last);
    return status;
}

static srq_status read_layers(srq_scope *in, const config_setting_t *group)
{
    const config_setting_t *layers = config_setting_get_member(group, "layers");
    if (!layers || !config_setting_is_list(layers) || config_setting_length(layers) < 1)
        return srq_scope_bad(in, layers ? layers : group,
                             "layers must be a list ( { ... }, { ... } ) of at least one layer");
    for (int i = 0; i < config_setting_length(layers); i++) {
        const config_setting_t *layer = config_setting_get_elem(layers, (unsigned)i);
        if (!config_setting_is_group(layer)) {
            SRQ_TRY(srq_mistakes_note(
                in->all->mistakes,
                srq_scope_bad(
                    in, layer,
                    "a layer must be a group such as { name = \"conv1\"; type = \"conv\"; out = 32; kernel = 5; }")));
            continue;
        }
        SRQ_TRY(srq_mistakes_note(in->all->mistakes, config_setting_get_member(layer, "block")
                                                         ? read_instance(in, layer)
                                                         : srq_model_read_layer(in, layer)));
    }
    return SRQ_OK;
}

/* --- The model */

static srq_status read_image_size(const srq_scope *in, const config_setting_t *group, srq_model_spec *model)
{
    static const char *const names[] = {"height", "width", "channels"};
    int *const values[] = {&model->height, &model->width, &model->channels};
    const config_setting_t *input = config_setting_get_member(group, "input");
    if (!input || !config_setting_is_group(input))
        return srq_scope_bad(in, input ? input : group,
                             "input must be a group { height = ...; width = ...; channels = ...; }");
    SRQ_TRY(srq_scope_check_members(in, input, names, 3, "input has"));
    for (int i = 0; i < 3; i++) {
        const config_setting_t *setting = config_setting_get_member(input, names[i]);
        if (!setting) return srq_scope_bad(in, input, "input needs height, width and channels");
        SRQ_TRY(srq_scope_integer(in, setting, 1, i < 2 ? 1 << 16 : 1024, values[i]));
    }
    return SRQ_OK;
}

/* The value of "classes": data.classes, or otherwise the model's own number. */
static srq_status read_classes(srq_scope *in, const config_setting_t *group, int classes)
{
    const config_setting_t *setting = config_setting_get_member(group, "classes");
    if (setting) {
        int own = 0;
        SRQ_TRY(srq_scope_integer(in, setting, 2, 1 << 20, &own));
        if (!classes) classes = own;
    }
    if (classes) in->variables[in->variable_count++] = (srq_variable){.name = "classes", .value = classes};
    return SRQ_OK;
}

/* Rejects data.classes if it has no effect. */
static srq_status check_classes(const srq_model_spec *model, int classes)
{
    const srq_layer_spec *last = &model->layers[model->layer_count - 1];
    if (!classes || !last->out || last->out == classes) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_USAGE,
        "%s: data.classes is %d, but the last layer, \"%s\", has out = %d; write out = \"classes\" there, so "
        "that the setting decides",
        last->origin, classes, last->name, last->out);
}

static srq_status read_blocks(srq_scope *in, const config_setting_t *group)
{
    in->all->blocks = config_setting_get_member(group, "blocks");
    if (!in->all->blocks || config_setting_is_group(in->all->blocks)) return SRQ_OK;
    return srq_scope_mistyped(in, in->all->blocks, "blocks", "a group such as blocks = { residual = { ... }; };");
}

srq_status srq_model_read(const config_setting_t *group, const char *file, int classes, srq_mistakes *mistakes,
                          srq_model_spec *model)
{
    static const char *const names[] = {"name", "input", "classes", "blocks", "layers"};
    const int before = mistakes->count;
    srq_reading all = {.file = file, .model = model, .mistakes = mistakes};
    srq_scope in = {.all = &all, .input = "input", .last = "input"};
    srq_where(group, file, model->origin, sizeof model->origin);
    SRQ_TRY(srq_mistakes_note(mistakes, srq_scope_check_members(&in, group, names, 5, "a model has")));
    SRQ_TRY(srq_mistakes_note(mistakes, srq_scope_name(&in, group, model->name)));
    SRQ_TRY(srq_mistakes_note(mistakes, read_image_size(&in, group, model)));
    SRQ_TRY(srq_mistakes_note(mistakes, read_classes(&in, group, classes)));
    SRQ_TRY(srq_mistakes_note(mistakes, read_blocks(&in, group)));
    srq_status status = srq_mistakes_note(mistakes, read_layers(&in, group));
    free(all.instances);
    if (status != SRQ_OK || mistakes->count > before) return status;
    return srq_mistakes_note(mistakes, check_classes(model, classes));
}
