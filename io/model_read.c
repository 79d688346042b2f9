/* Model files: the group with name, input, classes, blocks and layers (see io/config.h, docs/configuration.md). */
#include "core/ops/op.h"
#include "io/expression.h"
#include "io/layers.h"
#include "io/schema.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { PARAMETERS_MAX = 16, DEPTH_MAX = 16, PLACE_SIZE = 1200 };

/* One instance of a block: its name stands for its last layer. */
typedef struct instance {
    char name[SRQ_NAME_SIZE], last[SRQ_NAME_SIZE];
    char origin[SRQ_ORIGIN_SIZE];
} instance;

/* What is being read, for all scopes. */
typedef struct reading {
    const char *file;
    const config_setting_t *blocks; /* NULL without */
    srq_model_spec *model;
    int layer_room;
    instance *instances;
    int instance_count, instance_room;
} reading;

/* Where layers are being read: the model itself, or one instance of a block. */
typedef struct scope {
    const struct scope *outer; /* NULL for the model */
    reading *all;
    const char *block;         /* its name; NULL for the model */
    char name[SRQ_NAME_SIZE];  /* of the instance; "" for the model */
    char where[512];           /* of the instance */
    char input[SRQ_NAME_SIZE]; /* what "input" stands for */
    char last[SRQ_NAME_SIZE];  /* what the next layer reads unless it says otherwise */
    int depth;
    int variable_count;
    srq_variable variables[PARAMETERS_MAX + 1];
} scope;

/* --- Messages */

/* "FILE:LINE", and in a block the instance. */
static const char *place(const scope *in, const config_setting_t *setting, char out[PLACE_SIZE])
{
    char where[512];
    srq_where(setting, in->all->file, where, sizeof where);
    if (in->block)
        snprintf(out, PLACE_SIZE, "%s: in \"%s\" (block \"%.63s\", %s)", where, in->name, in->block, in->where);
    else
        snprintf(out, PLACE_SIZE, "%s", where);
    return out;
}

static srq_status bad(const scope *in, const config_setting_t *setting, const char *what)
{
    char where[PLACE_SIZE];
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s", place(in, setting, where), what);
}

static srq_status mistyped(const scope *in, const config_setting_t *setting, const char *key, const char *expected)
{
    char found[160], where[PLACE_SIZE];
    const srq_value v = srq_value_of(setting, in->all->file);
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be %s, but is %s", place(in, setting, where), key, expected,
                    srq_describe(&v, found, sizeof found));
}

/* Every member of the group must be one of names[count]; "did you mean" otherwise. */
static srq_status check_members(const scope *in, const config_setting_t *group, const char *const *names, int count,
                                const char *owner)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        bool known = false;
        for (int k = 0; k < count; k++) known = known || strcmp(names[k], config_setting_name(member)) == 0;
        if (known) continue;
        char what[256];
        snprintf(what, sizeof what, "%s no setting \"%.64s\"; did you mean \"%s\"?", owner, config_setting_name(member),
                 srq_closest(config_setting_name(member), names, count));
        return bad(in, member, what);
    }
    return SRQ_OK;
}

/* --- Values */

static bool knows(const scope *in, const char *name)
{
    for (int i = 0; i < in->variable_count; i++)
        if (strcmp(in->variables[i].name, name) == 0) return true;
    return false;
}

/* An integer, or an expression over the scope's parameters. */
static srq_status read_integer(const scope *in, const config_setting_t *setting, int min, int max, int *value)
{
    srq_value v = srq_value_of(setting, in->all->file);
    const char *key = config_setting_name(setting) ? config_setting_name(setting)
                                                   : config_setting_name(config_setting_parent(setting));
    char what[600], why[256];
    long number = 0;
    if (v.kind == SRQ_VALUE_TEXT && srq_expression_is(v.text)) {
        if (!srq_expression_evaluate(v.text, in->variable_count, in->variables, &number, why, sizeof why)) {
            const bool classes = !knows(in, "classes") && strcmp(v.text, "classes") == 0;
            snprintf(what, sizeof what, "%.64s = \"%.100s\": %s", key, v.text,
                     classes ? "their number is not known; set data.classes in the configuration, or classes here"
                             : why);
            return bad(in, setting, what);
        }
        v.integer = number;
    } else if (v.kind != SRQ_VALUE_INTEGER) {
        return mistyped(in, setting, key, "an integer");
    }
    if (v.integer < min || v.integer > max) {
        snprintf(what, sizeof what, "%.64s is %lld, but must be from %d to %d", key, v.integer, min, max);
        return bad(in, setting, what);
    }
    *value = (int)v.integer;
    return SRQ_OK;
}

/* An integer for both, or [height, width]. */
static srq_status read_pair(const scope *in, const config_setting_t *group, const char *key, int min, int max,
                            int values[2])
{
    const config_setting_t *setting = config_setting_get_member(group, key);
    if (!setting) return SRQ_OK;
    if (config_setting_is_array(setting) || config_setting_is_list(setting)) {
        if (config_setting_length(setting) != 2)
            return bad(in, setting, "a pair must be [height, width], such as [3, 3]");
        for (unsigned i = 0; i < 2; i++)
            SRQ_TRY(read_integer(in, config_setting_get_elem(setting, i), min, max, &values[i]));
        return SRQ_OK;
    }
    SRQ_TRY(read_integer(in, setting, min, max, &values[0]));
    values[1] = values[0];
    return SRQ_OK;
}

/* A number above 0 and at most `most`; a float is what is kept: 1e-60 would become 0. */
static srq_status read_number(const scope *in, const config_setting_t *group, const char *key, double most,
                              float *value)
{
    const config_setting_t *setting = config_setting_get_member(group, key);
    if (!setting) return SRQ_OK;
    const srq_value v = srq_value_of(setting, in->all->file);
    const bool number = v.kind == SRQ_VALUE_INTEGER || v.kind == SRQ_VALUE_FLOAT;
    if (!number || !((float)v.number > 0 && v.number <= most)) {
        char expected[64];
        snprintf(expected, sizeof expected, "a number above 0 and at most %g", most);
        return mistyped(in, setting, key, expected);
    }
    *value = (float)v.number;
    return SRQ_OK;
}

static srq_status read_text(const scope *in, const config_setting_t *group, const char *key, const char **value)
{
    const config_setting_t *setting = config_setting_get_member(group, key);
    char what[64];
    snprintf(what, sizeof what, "%s is missing; add %s = \"...\";", key, key);
    if (!setting) return bad(in, group, what);
    *value = config_setting_get_string(setting);
    return *value ? SRQ_OK : mistyped(in, setting, key, "a text in quotes");
}

/* The name of a model, a layer or an instance; inside a block behind the instance's and a point. */
static srq_status read_name(const scope *in, const config_setting_t *group, char name[SRQ_NAME_SIZE])
{
    const char *text;
    char what[256];
    SRQ_TRY(read_text(in, group, "name", &text));
    const config_setting_t *setting = config_setting_get_member(group, "name");
    size_t n = strlen(text);
    bool valid = n > 0 && n < SRQ_NAME_SIZE && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
    for (size_t i = 0; i < n; i++) valid = valid && (isalnum((unsigned char)text[i]) || strchr("_.-", text[i]));
    if (!valid) return bad(in, setting, "a name must have 1 to 63 letters, digits, underscores, points or hyphens");
    const int length = snprintf(name, SRQ_NAME_SIZE, "%s%s%s", in->name, in->block ? "." : "", text);
    if (length < SRQ_NAME_SIZE) return SRQ_OK;
    snprintf(what, sizeof what, "the whole name, \"%s.%s\", has more than 63 characters; use shorter ones", in->name,
             text);
    return bad(in, setting, what);
}

/* --- Names and inputs */

static const srq_layer_spec *find_layer(const reading *all, const char *name)
{
    for (int i = 0; i < all->model->layer_count; i++)
        if (strcmp(all->model->layers[i].name, name) == 0) return &all->model->layers[i];
    return NULL;
}

static const instance *find_instance(const reading *all, const char *name)
{
    for (int i = 0; i < all->instance_count; i++)
        if (strcmp(all->instances[i].name, name) == 0) return &all->instances[i];
    return NULL;
}

/* The name as this scope says it, or NULL if it is of another scope. */
static const char *local_name(const scope *in, const char *name)
{
    const size_t length = strlen(in->name);
    if (!in->block) return name;
    return strncmp(name, in->name, length) == 0 && name[length] == '.' ? name + length + 1 : NULL;
}

/* The new name of a layer or instance must not be taken. */
static srq_status check_name(const scope *in, const config_setting_t *group, const char *name)
{
    const srq_layer_spec *layer = find_layer(in->all, name);
    const instance *block = find_instance(in->all, name);
    char what[SRQ_NAME_SIZE + 2 * SRQ_ORIGIN_SIZE];
    if (strcmp(local_name(in, name), "input") == 0)
        return bad(in, group,
                   in->block ? "\"input\" names what the block reads and cannot be the name of a layer"
                             : "\"input\" names the images and cannot be the name of a layer");
    if (!layer && !block) return SRQ_OK;
    snprintf(what, sizeof what, "a %s called \"%s\" is at %s already; names must be unique", layer ? "layer" : "block",
             name, layer ? layer->origin : block->origin);
    return bad(in, group, what);
}

/* Whether a layer or instance called `name` is at place `index` or below it in the list. */
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

static srq_status unknown_input(const scope *in, const config_setting_t *layer, const config_setting_t *setting)
{
    const reading *all = in->all;
    const char *name = config_setting_get_string(setting);
    char what[320];
    if (is_below(config_setting_parent(layer), config_setting_index(layer), name)) {
        snprintf(what, sizeof what,
                 "input \"%.64s\" is this layer or one below it; layers must come after their inputs, so move it up "
                 "(a cycle cannot be)",
                 name);
        return bad(in, setting, what);
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
    return bad(in, setting, what);
}

/* One input: "input", or the name of an earlier layer or block of the scope. Its layer's whole name goes into `out`. */
static srq_status read_input(const scope *in, const config_setting_t *layer, const config_setting_t *setting,
                             char out[SRQ_NAME_SIZE])
{
    const char *text = config_setting_get_string(setting), *found = NULL;
    char name[2 * SRQ_NAME_SIZE];
    if (!text) return mistyped(in, setting, "an input", "the name of a layer in quotes");
    snprintf(name, sizeof name, "%s%s%.63s", in->name, in->block ? "." : "", text);
    const srq_layer_spec *earlier = find_layer(in->all, name);
    const instance *block = find_instance(in->all, name);
    if (strcmp(text, "input") == 0) found = in->input;
    if (earlier) found = earlier->name;
    if (block) found = block->last;
    if (!found || strlen(text) >= SRQ_NAME_SIZE) return unknown_input(in, layer, setting);
    snprintf(out, SRQ_NAME_SIZE, "%s", found);
    return SRQ_OK;
}

static srq_status check_input_count(const scope *in, const config_setting_t *setting, const srq_layer_type *type,
                                    int count)
{
    const srq_op *op = srq_op_find(type->name);
    char what[128];
    if (count >= op->min_inputs && count <= op->max_inputs) return SRQ_OK;
    if (op->max_inputs > 1)
        snprintf(what, sizeof what, "a layer of type %s has %d to %d inputs, but this one has %d; list them in inputs",
                 type->name, op->min_inputs, op->max_inputs, count);
    else
        snprintf(what, sizeof what, "a layer of type %s has one input, but this one has %d", type->name, count);
    return bad(in, setting, what);
}

/* The list `inputs` of a layer or instance, NULL if it has none. */
static srq_status find_inputs(const scope *in, const config_setting_t *group, const config_setting_t **inputs)
{
    *inputs = config_setting_get_member(group, "inputs");
    if (!*inputs || config_setting_is_array(*inputs) || config_setting_is_list(*inputs)) return SRQ_OK;
    return mistyped(in, *inputs, "inputs", "a list of names such as [\"relu1\", \"conv2\"]");
}

static srq_status read_inputs(const scope *in, const config_setting_t *group, const srq_layer_type *type,
                              srq_layer_spec *layer)
{
    const config_setting_t *inputs;
    SRQ_TRY(find_inputs(in, group, &inputs));
    layer->input_count = inputs ? config_setting_length(inputs) : 1;
    SRQ_TRY(check_input_count(in, inputs ? inputs : group, type, layer->input_count));
    if (!inputs) snprintf(layer->inputs[0], SRQ_NAME_SIZE, "%s", in->last);
    for (int i = 0; inputs && i < layer->input_count; i++)
        SRQ_TRY(read_input(in, group, config_setting_get_elem(inputs, (unsigned)i), layer->inputs[i]));
    return SRQ_OK;
}

/* --- Layers */

/* Every key of the group must be one that layers have, and this type of layer. */
static srq_status check_keys(const scope *in, const config_setting_t *group, const srq_layer_type *type)
{
    const char *names[SRQ_LAYER_KEYS];
    char what[256];
    for (int k = 0; k < SRQ_LAYER_KEYS; k++) names[k] = srq_layer_keys[k].name;
    SRQ_TRY(check_members(in, group, names, SRQ_LAYER_KEYS, "layers have"));
    for (int k = 0; k < SRQ_LAYER_KEYS; k++) {
        const srq_layer_key *key = &srq_layer_keys[k];
        const config_setting_t *member = config_setting_get_member(group, key->name);
        if (member && key->key && !(type->keys & key->key)) {
            snprintf(what, sizeof what, "a layer of type %s has no setting \"%s\"; remove it", type->name, key->name);
            return bad(in, member, what);
        }
        if (!member && (type->required & key->key)) {
            snprintf(what, sizeof what, "a layer of type %s needs the setting \"%s\"", type->name, key->name);
            return bad(in, group, what);
        }
    }
    return SRQ_OK;
}

static srq_status read_type(const scope *in, const config_setting_t *group, srq_layer_spec *layer,
                            const srq_layer_type **type)
{
    const char *text;
    SRQ_TRY(read_text(in, group, "type", &text));
    *type = srq_layer_type_find(text);
    if (!*type) {
        const char *names[SRQ_LAYER_TYPES];
        char what[256];
        for (int i = 0; i < SRQ_LAYER_TYPES; i++) names[i] = srq_layer_types[i].name;
        snprintf(what, sizeof what, "no layer type is called \"%.64s\"; did you mean \"%s\"?", text,
                 srq_closest(text, names, SRQ_LAYER_TYPES));
        return bad(in, config_setting_get_member(group, "type"), what);
    }
    snprintf(layer->type, sizeof layer->type, "%s", text);
    return SRQ_OK;
}

static srq_status read_window(const scope *in, const config_setting_t *group, const srq_layer_type *type,
                              srq_layer_spec *layer)
{
    const bool pool = !(type->keys & SRQ_KEY_OUT);
    SRQ_TRY(read_pair(in, group, "kernel", 1, 4096, layer->kernel));
    for (int i = 0; i < 2; i++) layer->stride[i] = pool && layer->kernel[i] ? layer->kernel[i] : 1;
    SRQ_TRY(read_pair(in, group, "stride", 1, 4096, layer->stride));
    SRQ_TRY(read_pair(in, group, "padding", 0, 4095, layer->padding));
    if (pool && !layer->kernel[0] &&
        (config_setting_get_member(group, "stride") || config_setting_get_member(group, "padding")))
        return bad(in, group, "an avg_pool without a kernel takes the whole image: stride and padding need a kernel");
    return SRQ_OK;
}

static srq_status read_numbers(const scope *in, const config_setting_t *group, const srq_layer_type *type,
                               srq_layer_spec *layer)
{
    const config_setting_t *out = config_setting_get_member(group, "out");
    const config_setting_t *groups = config_setting_get_member(group, "groups");
    const config_setting_t *bias = config_setting_get_member(group, "bias");
    if (out) SRQ_TRY(read_integer(in, out, 1, 1 << 20, &layer->out));
    SRQ_TRY(read_window(in, group, type, layer));
    layer->groups = 1;
    if (groups) SRQ_TRY(read_integer(in, groups, 1, 1 << 20, &layer->groups));
    layer->bias = (type->keys & SRQ_KEY_BIAS) != 0;
    if (bias) {
        if (config_setting_type(bias) != CONFIG_TYPE_BOOL) return mistyped(in, bias, "bias", "true or false");
        layer->bias = config_setting_get_bool(bias);
    }
    layer->momentum = 0.1f;
    layer->epsilon = 1e-5f;
    SRQ_TRY(read_number(in, group, "momentum", 1, &layer->momentum));
    SRQ_TRY(read_number(in, group, "epsilon", 1, &layer->epsilon));
    return read_number(in, group, "max", 1e6, &layer->max);
}

/* A new layer at the end of the model. */
static srq_status add_layer(const scope *in, const config_setting_t *group, srq_layer_spec **layer)
{
    reading *all = in->all;
    srq_model_spec *model = all->model;
    if (model->layer_count == SRQ_LAYERS_MAX) return bad(in, group, "a model has at most 4096 layers");
    if (model->layer_count == all->layer_room) {
        const int room = all->layer_room ? 2 * all->layer_room : 64;
        srq_layer_spec *larger = realloc(model->layers, (size_t)room * sizeof *larger);
        if (!larger) return srq_fail_memory((size_t)room * sizeof *larger, "the layers");
        model->layers = larger;
        all->layer_room = room;
    }
    *layer = &model->layers[model->layer_count];
    **layer = (srq_layer_spec){0};
    return SRQ_OK;
}

static srq_status read_layer(scope *in, const config_setting_t *group)
{
    srq_layer_spec *layer = NULL;
    const srq_layer_type *type;
    SRQ_TRY(add_layer(in, group, &layer));
    srq_where(group, in->all->file, layer->origin, sizeof layer->origin);
    SRQ_TRY(read_name(in, group, layer->name));
    SRQ_TRY(check_name(in, group, layer->name));
    SRQ_TRY(read_type(in, group, layer, &type));
    SRQ_TRY(check_keys(in, group, type));
    SRQ_TRY(read_numbers(in, group, type, layer));
    SRQ_TRY(read_inputs(in, group, type, layer));
    snprintf(in->last, sizeof in->last, "%s", layer->name);
    in->all->model->layer_count++;
    return SRQ_OK;
}

/* --- Blocks */

static srq_status read_layers(scope *in, const config_setting_t *group);

static srq_status find_block(const scope *in, const config_setting_t *group, const config_setting_t **block)
{
    const config_setting_t *blocks = in->all->blocks;
    const char *text, *closest = NULL;
    char what[256];
    SRQ_TRY(read_text(in, group, "block", &text));
    *block = blocks ? config_setting_get_member(blocks, text) : NULL;
    const config_setting_t *place_of_it = config_setting_get_member(group, "block");
    if (*block) {
        for (const scope *s = in; s; s = s->outer)
            if (s->block && strcmp(s->block, text) == 0) {
                snprintf(what, sizeof what, "block \"%.64s\" contains itself; a block can hold only others", text);
                return bad(in, place_of_it, what);
            }
        if (in->depth < DEPTH_MAX) return SRQ_OK;
        return bad(in, place_of_it, "blocks are nested more than 16 deep");
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
    return bad(in, place_of_it, what);
}

/* The names that a block declares in `parameters`, up to PARAMETERS_MAX. */
static srq_status read_parameters(const scope *in, const config_setting_t *block, const char **names, int *count)
{
    const config_setting_t *list = config_setting_get_member(block, "parameters");
    *count = 0;
    if (!list) return SRQ_OK;
    if (!config_setting_is_array(list) && !config_setting_is_list(list))
        return mistyped(in, list, "parameters", "a list of names such as [\"channels\", \"stride\"]");
    if (config_setting_length(list) > PARAMETERS_MAX) return bad(in, list, "a block has at most 16 parameters");
    for (int i = 0; i < config_setting_length(list); i++) {
        const config_setting_t *item = config_setting_get_elem(list, (unsigned)i);
        const char *text = config_setting_get_string(item);
        char what[256];
        if (!text) return mistyped(in, item, "a parameter", "a name in quotes");
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
            return bad(in, item, what);
        }
        names[(*count)++] = text;
    }
    return SRQ_OK;
}

/* The instance's numbers for them, evaluated where the instance stands. */
static srq_status read_arguments(const scope *in, const config_setting_t *group, const config_setting_t *block,
                                 scope *inner)
{
    static const char *const others[] = {"name", "block", "inputs"};
    const char *names[PARAMETERS_MAX + 3];
    char what[256];
    int count;
    SRQ_TRY(read_parameters(inner, block, names, &count));
    memcpy(names + count, others, sizeof others);
    snprintf(what, sizeof what, "block \"%.64s\" has", inner->block);
    SRQ_TRY(check_members(in, group, names, count + 3, what));
    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_member(group, names[i]);
        int value;
        if (!setting) {
            snprintf(what, sizeof what, "block \"%.64s\" needs the parameter \"%s\"; add %s = ...;", inner->block,
                     names[i], names[i]);
            return bad(in, group, what);
        }
        SRQ_TRY(read_integer(in, setting, -(1 << 20), 1 << 20, &value));
        inner->variables[inner->variable_count++] = (srq_variable){.name = names[i], .value = value};
    }
    for (int i = 0; i < in->variable_count; i++)
        if (strcmp(in->variables[i].name, "classes") == 0) inner->variables[inner->variable_count++] = in->variables[i];
    return SRQ_OK;
}

static srq_status read_block_input(const scope *in, const config_setting_t *group, scope *inner)
{
    const config_setting_t *inputs;
    SRQ_TRY(find_inputs(in, group, &inputs));
    snprintf(inner->input, sizeof inner->input, "%s", in->last);
    if (inputs) {
        if (config_setting_length(inputs) != 1)
            return bad(in, inputs, "a block has one input; name one layer or block in inputs");
        SRQ_TRY(read_input(in, group, config_setting_get_elem(inputs, 0), inner->input));
    }
    snprintf(inner->last, sizeof inner->last, "%s", inner->input);
    return SRQ_OK;
}

static srq_status add_instance(const scope *in, const config_setting_t *group, const scope *inner)
{
    reading *all = in->all;
    if (all->instance_count == all->instance_room) {
        const int room = all->instance_room ? 2 * all->instance_room : 16;
        instance *larger = realloc(all->instances, (size_t)room * sizeof *larger);
        if (!larger) return srq_fail_memory((size_t)room * sizeof *larger, "the blocks");
        all->instances = larger;
        all->instance_room = room;
    }
    instance *made = &all->instances[all->instance_count++];
    snprintf(made->name, sizeof made->name, "%s", inner->name);
    snprintf(made->last, sizeof made->last, "%s", inner->last);
    srq_where(group, all->file, made->origin, sizeof made->origin);
    return SRQ_OK;
}

/* The layers of one block, with this instance's numbers. */
static srq_status read_instance(scope *in, const config_setting_t *group)
{
    static const char *const members[] = {"parameters", "layers"};
    const config_setting_t *block = NULL;
    SRQ_TRY(find_block(in, group, &block));
    scope inner = {.outer = in, .all = in->all, .block = config_setting_name(block), .depth = in->depth + 1};
    srq_where(group, in->all->file, inner.where, sizeof inner.where);
    SRQ_TRY(read_name(in, group, inner.name));
    SRQ_TRY(check_name(in, group, inner.name));
    if (!config_setting_is_group(block))
        return bad(&inner, block, "a block must be a group such as residual = { parameters = [...]; layers = (...); }");
    SRQ_TRY(check_members(&inner, block, members, 2, "a block has"));
    SRQ_TRY(read_arguments(in, group, block, &inner));
    SRQ_TRY(read_block_input(in, group, &inner));
    SRQ_TRY(read_layers(&inner, block));
    SRQ_TRY(add_instance(in, group, &inner));
    snprintf(in->last, sizeof in->last, "%s", inner.last);
    return SRQ_OK;
}

static srq_status read_layers(scope *in, const config_setting_t *group)
{
    const config_setting_t *layers = config_setting_get_member(group, "layers");
    if (!layers || !config_setting_is_list(layers) || config_setting_length(layers) < 1)
        return bad(in, layers ? layers : group, "layers must be a list ( { ... }, { ... } ) of at least one layer");
    for (int i = 0; i < config_setting_length(layers); i++) {
        const config_setting_t *layer = config_setting_get_elem(layers, (unsigned)i);
        if (!config_setting_is_group(layer))
            return bad(in, layer,
                       "a layer must be a group such as { name = \"conv1\"; type = \"conv\"; out = 32; kernel = 5; }");
        SRQ_TRY(config_setting_get_member(layer, "block") ? read_instance(in, layer) : read_layer(in, layer));
    }
    return SRQ_OK;
}

/* --- The model */

static srq_status read_image_size(const scope *in, const config_setting_t *group, srq_model_spec *model)
{
    static const char *const names[] = {"height", "width", "channels"};
    int *const values[] = {&model->height, &model->width, &model->channels};
    const config_setting_t *input = config_setting_get_member(group, "input");
    if (!input || !config_setting_is_group(input))
        return bad(in, input ? input : group, "input must be a group { height = ...; width = ...; channels = ...; }");
    SRQ_TRY(check_members(in, input, names, 3, "input has"));
    for (int i = 0; i < 3; i++) {
        const config_setting_t *setting = config_setting_get_member(input, names[i]);
        if (!setting) return bad(in, input, "input needs height, width and channels");
        SRQ_TRY(read_integer(in, setting, 1, i < 2 ? 1 << 16 : 1024, values[i]));
    }
    return SRQ_OK;
}

/* What "classes" stands for: data.classes, else the model's own number. */
static srq_status read_classes(scope *in, const config_setting_t *group, int classes)
{
    const config_setting_t *setting = config_setting_get_member(group, "classes");
    if (setting) {
        int own = 0;
        SRQ_TRY(read_integer(in, setting, 2, 1 << 20, &own));
        if (!classes) classes = own;
    }
    if (classes) in->variables[in->variable_count++] = (srq_variable){.name = "classes", .value = classes};
    return SRQ_OK;
}

/* data.classes must not be without effect. */
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

static srq_status read_blocks(scope *in, const config_setting_t *group)
{
    in->all->blocks = config_setting_get_member(group, "blocks");
    if (!in->all->blocks || config_setting_is_group(in->all->blocks)) return SRQ_OK;
    return mistyped(in, in->all->blocks, "blocks", "a group such as blocks = { residual = { ... }; };");
}

srq_status srq_model_read(const config_setting_t *group, const char *file, int classes, srq_model_spec *model)
{
    static const char *const names[] = {"name", "input", "classes", "blocks", "layers"};
    reading all = {.file = file, .model = model};
    scope in = {.all = &all, .input = "input", .last = "input"};
    srq_where(group, file, model->origin, sizeof model->origin);
    SRQ_TRY(check_members(&in, group, names, 5, "a model has"));
    SRQ_TRY(read_name(&in, group, model->name));
    SRQ_TRY(read_image_size(&in, group, model));
    SRQ_TRY(read_classes(&in, group, classes));
    SRQ_TRY(read_blocks(&in, group));
    srq_status status = read_layers(&in, group);
    free(all.instances);
    return status == SRQ_OK ? check_classes(model, classes) : status;
}
