/* Model files: the group with name, input and layers (see io/config.h). */
#include "core/ops/op.h"
#include "io/schema.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Which settings a layer type has. */
enum { OUT = 1, KERNEL = 2, STRIDE = 4, PADDING = 8, BIAS = 16, MOMENTUM = 32, EPSILON = 64 };

typedef struct layer_type {
    const char *name;
    unsigned keys, required;
} layer_type;

static const layer_type types[] = {
    {"conv", OUT | KERNEL | STRIDE | PADDING | BIAS, OUT | KERNEL},
    {"dense", OUT | BIAS, OUT},
    {"max_pool", KERNEL | STRIDE | PADDING, KERNEL},
    {"avg_pool", KERNEL | STRIDE | PADDING, 0},
    {"batch_norm", MOMENTUM | EPSILON, 0},
    {"relu", 0, 0},
    {"add", 0, 0},
    {"quantize", 0, 0},
};
enum { TYPE_COUNT = sizeof types / sizeof *types };

static const struct {
    const char *name;
    unsigned key;
} keys[] = {{"name", 0},        {"type", 0},          {"inputs", 0},  {"out", OUT},           {"kernel", KERNEL},
            {"stride", STRIDE}, {"padding", PADDING}, {"bias", BIAS}, {"momentum", MOMENTUM}, {"epsilon", EPSILON}};
enum { KEY_COUNT = sizeof keys / sizeof *keys };

static srq_status bad(const config_setting_t *setting, const char *file, const char *what)
{
    char where[512];
    srq_where(setting, file, where, sizeof where);
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s", where, what);
}

static srq_status mistyped(const config_setting_t *setting, const char *file, const char *key, const char *expected)
{
    char found[160];
    const srq_value v = srq_value_of(setting, file);
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be %s, but is %s", v.where, key, expected,
                    srq_describe(&v, found, sizeof found));
}

static const layer_type *find_type(const char *name)
{
    for (int i = 0; i < TYPE_COUNT; i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}

static srq_status read_integer(const config_setting_t *setting, const char *file, int min, int max, int *value)
{
    srq_value v = srq_value_of(setting, file);
    const char *key = config_setting_name(setting) ? config_setting_name(setting)
                                                   : config_setting_name(config_setting_parent(setting));
    if (v.kind != SRQ_VALUE_INTEGER) return mistyped(setting, file, key, "an integer");
    if (v.integer < min || v.integer > max)
        return srq_fail(SRQ_ERROR_USAGE, "%s: %s is %lld, but must be from %d to %d", v.where, key, v.integer, min,
                        max);
    *value = (int)v.integer;
    return SRQ_OK;
}

/* An integer for both, or [height, width]. */
static srq_status read_pair(const config_setting_t *group, const char *key, const char *file, int min, int max,
                            int values[2])
{
    const config_setting_t *setting = config_setting_get_member(group, key);
    if (!setting) return SRQ_OK;
    if (config_setting_is_array(setting) || config_setting_is_list(setting)) {
        if (config_setting_length(setting) != 2)
            return bad(setting, file, "a pair must be [height, width], such as [3, 3]");
        for (unsigned i = 0; i < 2; i++)
            SRQ_TRY(read_integer(config_setting_get_elem(setting, i), file, min, max, &values[i]));
        return SRQ_OK;
    }
    SRQ_TRY(read_integer(setting, file, min, max, &values[0]));
    values[1] = values[0];
    return SRQ_OK;
}

static srq_status read_fraction(const config_setting_t *group, const char *key, const char *file, float *value)
{
    const config_setting_t *setting = config_setting_get_member(group, key);
    if (!setting) return SRQ_OK;
    srq_value v = srq_value_of(setting, file);
    bool number = v.kind == SRQ_VALUE_INTEGER || v.kind == SRQ_VALUE_FLOAT;
    /* A float is what is kept: 1e-60 would become 0. */
    if (!number || !((float)v.number > 0 && v.number <= 1))
        return mistyped(setting, file, key, "a number above 0 and at most 1");
    *value = (float)v.number;
    return SRQ_OK;
}

static srq_status read_text(const config_setting_t *group, const char *key, const char *file, const char **value)
{
    const config_setting_t *setting = config_setting_get_member(group, key);
    char what[64];
    snprintf(what, sizeof what, "%s is missing; add %s = \"...\";", key, key);
    if (!setting) return bad(group, file, what);
    *value = config_setting_get_string(setting);
    return *value ? SRQ_OK : mistyped(setting, file, key, "a text in quotes");
}

static srq_status read_name(const config_setting_t *group, const char *file, char name[SRQ_NAME_SIZE])
{
    const char *text;
    SRQ_TRY(read_text(group, "name", file, &text));
    size_t n = strlen(text);
    bool valid = n > 0 && n < SRQ_NAME_SIZE && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
    for (size_t i = 0; i < n; i++) valid = valid && (isalnum((unsigned char)text[i]) || strchr("_.-", text[i]));
    if (!valid)
        return bad(config_setting_get_member(group, "name"), file,
                   "a name must have 1 to 63 letters, digits, underscores, points or hyphens");
    memcpy(name, text, n + 1);
    return SRQ_OK;
}

/* --- Layers */

/* Every key of the group must be one that layers have, and this type of layer. */
static srq_status check_keys(const config_setting_t *group, const char *file, const layer_type *type)
{
    const char *names[KEY_COUNT];
    for (int k = 0; k < KEY_COUNT; k++) names[k] = keys[k].name;
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(member);
        char what[256];
        int found = -1;
        for (int k = 0; k < KEY_COUNT; k++)
            if (strcmp(keys[k].name, name) == 0) found = k;
        if (found < 0) {
            snprintf(what, sizeof what, "layers have no setting \"%.64s\"; did you mean \"%s\"?", name,
                     srq_closest(name, names, KEY_COUNT));
            return bad(member, file, what);
        }
        if (keys[found].key && !(type->keys & keys[found].key)) {
            snprintf(what, sizeof what, "a layer of type %s has no setting \"%s\"; remove it", type->name, name);
            return bad(member, file, what);
        }
    }
    for (int k = 0; k < KEY_COUNT; k++)
        if ((type->required & keys[k].key) && !config_setting_get_member(group, keys[k].name)) {
            char what[128];
            snprintf(what, sizeof what, "a layer of type %s needs the setting \"%s\"", type->name, keys[k].name);
            return bad(group, file, what);
        }
    return SRQ_OK;
}

static srq_status read_type(const config_setting_t *group, const char *file, srq_layer_spec *layer,
                            const layer_type **type)
{
    const char *text;
    SRQ_TRY(read_text(group, "type", file, &text));
    *type = find_type(text);
    if (!*type) {
        const char *names[TYPE_COUNT];
        char what[256];
        for (int i = 0; i < TYPE_COUNT; i++) names[i] = types[i].name;
        snprintf(what, sizeof what, "no layer type is called \"%.64s\"; did you mean \"%s\"?", text,
                 srq_closest(text, names, TYPE_COUNT));
        return bad(config_setting_get_member(group, "type"), file, what);
    }
    snprintf(layer->type, sizeof layer->type, "%s", text);
    return SRQ_OK;
}

static srq_status read_numbers(const config_setting_t *group, const char *file, const layer_type *type,
                               srq_layer_spec *layer)
{
    const config_setting_t *out = config_setting_get_member(group, "out");
    const config_setting_t *bias = config_setting_get_member(group, "bias");
    if (out) SRQ_TRY(read_integer(out, file, 1, 1 << 20, &layer->out));
    SRQ_TRY(read_pair(group, "kernel", file, 1, 4096, layer->kernel));
    bool pool = !(type->keys & OUT);
    for (int i = 0; i < 2; i++) layer->stride[i] = pool && layer->kernel[i] ? layer->kernel[i] : 1;
    SRQ_TRY(read_pair(group, "stride", file, 1, 4096, layer->stride));
    SRQ_TRY(read_pair(group, "padding", file, 0, 4095, layer->padding));
    if (pool && !layer->kernel[0] &&
        (config_setting_get_member(group, "stride") || config_setting_get_member(group, "padding")))
        return bad(group, file, "an avg_pool without a kernel takes the whole image: stride and padding need a kernel");
    layer->bias = (type->keys & BIAS) != 0;
    if (bias) {
        if (config_setting_type(bias) != CONFIG_TYPE_BOOL) return mistyped(bias, file, "bias", "true or false");
        layer->bias = config_setting_get_bool(bias);
    }
    layer->momentum = 0.1f;
    layer->epsilon = 1e-5f;
    SRQ_TRY(read_fraction(group, "momentum", file, &layer->momentum));
    return read_fraction(group, "epsilon", file, &layer->epsilon);
}

/* Whether a layer at `index` or below it in the file is called `name`. */
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

static srq_status unknown_input(const srq_model_spec *model, int index, const config_setting_t *setting,
                                const char *file)
{
    const char *name = config_setting_get_string(setting);
    char what[320];
    const config_setting_t *layers = config_setting_parent(config_setting_parent(config_setting_parent(setting)));
    if (is_below(layers, index, name)) {
        snprintf(what, sizeof what,
                 "input \"%.64s\" is this layer or one below it; layers must come after their inputs, so move it up "
                 "(a cycle cannot be)",
                 name);
        return bad(setting, file, what);
    }
    const char **names = malloc(((size_t)index + 1) * sizeof *names);
    if (!names) return srq_fail_memory(((size_t)index + 1) * sizeof *names, "names of layers");
    names[0] = "input";
    for (int i = 0; i < index; i++) names[i + 1] = model->layers[i].name;
    snprintf(what, sizeof what, "no layer is called \"%.64s\"; did you mean \"%s\"?", name,
             srq_closest(name, names, index + 1));
    free(names);
    return bad(setting, file, what);
}

/* One input: "input" or the name of an earlier layer. */
static srq_status check_input(const srq_model_spec *model, int index, const config_setting_t *setting, const char *file)
{
    const char *name = config_setting_get_string(setting);
    if (!name) return mistyped(setting, file, "an input", "the name of a layer in quotes");
    if (strcmp(name, "input") == 0) return SRQ_OK;
    for (int i = 0; i < index; i++)
        if (strcmp(name, model->layers[i].name) == 0) return SRQ_OK;
    return unknown_input(model, index, setting, file);
}

static srq_status check_input_count(const config_setting_t *setting, const char *file, const layer_type *type,
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
    return bad(setting, file, what);
}

static srq_status read_inputs(const config_setting_t *group, const char *file, const layer_type *type,
                              const srq_model_spec *model, int index, srq_layer_spec *layer)
{
    const config_setting_t *inputs = config_setting_get_member(group, "inputs");
    if (!inputs) {
        SRQ_TRY(check_input_count(group, file, type, 1));
        layer->input_count = 1;
        snprintf(layer->inputs[0], SRQ_NAME_SIZE, "%s", index ? model->layers[index - 1].name : "input");
        return SRQ_OK;
    }
    if (!config_setting_is_array(inputs) && !config_setting_is_list(inputs))
        return mistyped(inputs, file, "inputs", "a list of names such as [\"relu1\", \"conv2\"]");
    const int count = config_setting_length(inputs);
    SRQ_TRY(check_input_count(inputs, file, type, count));
    for (int i = 0; i < count; i++) {
        const config_setting_t *input = config_setting_get_elem(inputs, (unsigned)i);
        SRQ_TRY(check_input(model, index, input, file));
        snprintf(layer->inputs[i], SRQ_NAME_SIZE, "%s", config_setting_get_string(input));
    }
    layer->input_count = count;
    return SRQ_OK;
}

static srq_status read_layer(const config_setting_t *group, const char *file, srq_model_spec *model, int index)
{
    srq_layer_spec *layer = &model->layers[index];
    const layer_type *type;
    if (!config_setting_is_group(group))
        return bad(group, file,
                   "a layer must be a group such as { name = \"conv1\"; type = \"conv\"; out = 32; kernel = 5; }");
    srq_where(group, file, layer->origin, sizeof layer->origin);
    SRQ_TRY(read_name(group, file, layer->name));
    if (strcmp(layer->name, "input") == 0)
        return bad(group, file, "\"input\" names the images and cannot be the name of a layer");
    for (int i = 0; i < index; i++)
        if (strcmp(model->layers[i].name, layer->name) == 0) {
            char what[SRQ_NAME_SIZE + 2 * SRQ_ORIGIN_SIZE];
            snprintf(what, sizeof what, "a layer called \"%s\" is at %s already; names must be unique", layer->name,
                     model->layers[i].origin);
            return bad(group, file, what);
        }
    SRQ_TRY(read_type(group, file, layer, &type));
    SRQ_TRY(check_keys(group, file, type));
    SRQ_TRY(read_numbers(group, file, type, layer));
    return read_inputs(group, file, type, model, index, layer);
}

static srq_status read_layers(const config_setting_t *group, const char *file, srq_model_spec *model)
{
    const config_setting_t *layers = config_setting_get_member(group, "layers");
    if (!layers || !config_setting_is_list(layers) || config_setting_length(layers) < 1)
        return bad(layers ? layers : group, file, "layers must be a list ( { ... }, { ... } ) of at least one layer");
    const int count = config_setting_length(layers);
    if (count > SRQ_LAYERS_MAX) return bad(layers, file, "a model has at most 4096 layers");
    model->layers = calloc((size_t)count, sizeof *model->layers);
    if (!model->layers) return srq_fail_memory((size_t)count * sizeof *model->layers, "the layers");
    for (int i = 0; i < count; i++) {
        SRQ_TRY(read_layer(config_setting_get_elem(layers, (unsigned)i), file, model, i));
        model->layer_count = i + 1;
    }
    return SRQ_OK;
}

static srq_status check_members(const config_setting_t *group, const char *file, const char *const *names, int count,
                                const char *owner)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        bool known = false;
        for (int k = 0; k < count; k++) known = known || strcmp(names[k], config_setting_name(member)) == 0;
        if (known) continue;
        char what[256];
        snprintf(what, sizeof what, "%s has no setting \"%.64s\"; did you mean \"%s\"?", owner,
                 config_setting_name(member), srq_closest(config_setting_name(member), names, count));
        return bad(member, file, what);
    }
    return SRQ_OK;
}

static srq_status read_image_size(const config_setting_t *group, const char *file, srq_model_spec *model)
{
    static const char *const names[] = {"height", "width", "channels"};
    int *const values[] = {&model->height, &model->width, &model->channels};
    const config_setting_t *input = config_setting_get_member(group, "input");
    if (!input || !config_setting_is_group(input))
        return bad(input ? input : group, file, "input must be a group { height = ...; width = ...; channels = ...; }");
    SRQ_TRY(check_members(input, file, names, 3, "input"));
    for (int i = 0; i < 3; i++) {
        const config_setting_t *setting = config_setting_get_member(input, names[i]);
        if (!setting) return bad(input, file, "input needs height, width and channels");
        SRQ_TRY(read_integer(setting, file, 1, i < 2 ? 1 << 16 : 1024, values[i]));
    }
    return SRQ_OK;
}

srq_status srq_model_read(const config_setting_t *group, const char *file, srq_model_spec *model)
{
    static const char *const names[] = {"name", "input", "layers"};
    srq_where(group, file, model->origin, sizeof model->origin);
    SRQ_TRY(check_members(group, file, names, 3, "a model"));
    SRQ_TRY(read_name(group, file, model->name));
    SRQ_TRY(read_image_size(group, file, model));
    return read_layers(group, file, model);
}

void srq_model_free(srq_model_spec *model)
{
    free(model->layers);
    model->layers = NULL;
    model->layer_count = 0;
}

/* --- Quantizers */

static srq_estimator estimator_of(const char *name)
{
    return strcmp(name, "argmax") == 0 ? SRQ_ESTIMATOR_ARGMAX : SRQ_ESTIMATOR_FULL;
}

static srq_quantizer_spec base_quantizer(const srq_settings *s, bool activation)
{
    static const char *const modes[] = {"off", "regularize", "learn"};
    srq_quantizer_spec spec = {
        .estimator = estimator_of(activation ? s->quantizer.activation_estimator : s->quantizer.estimator),
        .bits = activation ? s->quantizer.activation_bits : s->quantizer.weight_bits,
        .per_channel = !activation && strcmp(s->quantizer.granularity, "channel") == 0,
        .sigma_ratio = (float)s->quantizer.sigma_ratio,
        .temperature = (float)s->quantizer.temperature,
        .reach = (float)s->quantizer.local_grid,
        .min_bits = s->dropbits.min_bits,
        .open = (float)s->dropbits.open};
    snprintf(spec.method, sizeof spec.method, "%s", s->quantizer.method);
    for (int i = 0; !activation && i < 3; i++)
        if (strcmp(s->dropbits.mode, modes[i]) == 0) spec.dropbits = (srq_dropbits)i;
    return spec;
}

static void override_quantizer(const srq_layer_override *o, srq_quantizer_spec *spec)
{
    if (o->method[0]) snprintf(spec->method, sizeof spec->method, "%s", o->method);
    if (o->estimator[0]) spec->estimator = estimator_of(o->estimator);
    if (o->bits.count) spec->bits = o->bits;
    if (o->granularity[0]) spec->per_channel = strcmp(o->granularity, "channel") == 0;
    if (o->sigma_ratio > 0) spec->sigma_ratio = (float)o->sigma_ratio;
    if (strcmp(o->dropbits, "off") == 0) spec->dropbits = SRQ_DROPBITS_OFF;
}

static bool has_quantizer(const srq_layer_spec *layer)
{
    return strcmp(layer->type, "quantize") == 0 || (find_type(layer->type)->keys & OUT);
}

static srq_status apply_override(const srq_layer_override *o, srq_model_spec *model)
{
    const char **names = malloc(((size_t)model->layer_count + 1) * sizeof *names);
    if (!names) return srq_fail_memory((size_t)model->layer_count * sizeof *names, "names of layers");
    int count = 0, found = -1;
    for (int i = 0; i < model->layer_count; i++) {
        if (!has_quantizer(&model->layers[i])) continue;
        names[count++] = model->layers[i].name;
        if (strcmp(model->layers[i].name, o->name) == 0) found = i;
    }
    const char *closest = srq_closest(o->name, names, count);
    free(names);
    if (found < 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: no conv, dense or quantize layer of the model is called \"%s\"; did you "
                        "mean \"%s\"?",
                        o->where, o->name, closest);
    srq_layer_spec *layer = &model->layers[found];
    if (strcmp(layer->type, "quantize") == 0 && (o->granularity[0] || o->dropbits[0]))
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: \"%s\" quantizes an activation: granularity and dropbits are of weights; remove them",
                        o->where, o->name);
    override_quantizer(o, &layer->quantizer);
    return SRQ_OK;
}

/* DropBits that would drop nothing is a mistake. */
static srq_status check_dropbits(const srq_settings *s, const char *where)
{
    if (strcmp(s->dropbits.mode, "off") == 0) return SRQ_OK;
    int longest = 0;
    for (int i = 0; i < s->model.layer_count; i++) {
        const srq_quantizer_spec *q = &s->model.layers[i].quantizer;
        if (q->dropbits == SRQ_DROPBITS_OFF) continue;
        for (int k = 0; k < q->bits.count; k++)
            if (q->bits.bits[k] > longest) longest = q->bits.bits[k];
    }
    if (longest == 0)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: dropbits.mode is \"%s\", but no weights are quantized by srq; use quantizer.method = "
                        "\"srq\" or dropbits.mode = \"off\"",
                        where, s->dropbits.mode);
    if (longest > s->dropbits.min_bits) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE,
                    "%s: dropbits.mode is \"%s\", but there is no bit to drop: weights have at most %d and "
                    "dropbits.min_bits is %d; use more bits, or dropbits.min_bits = 1",
                    where, s->dropbits.mode, longest, s->dropbits.min_bits);
}

/* dropbits = "on" that would change nothing is a mistake. */
static srq_status check_override(const srq_layer_override *o, const srq_settings *s)
{
    if (strcmp(o->dropbits, "on") != 0) return SRQ_OK;
    if (strcmp(s->dropbits.mode, "off") == 0)
        return srq_fail(
            SRQ_ERROR_USAGE,
            "%s: layer \"%s\" has dropbits = \"on\", but dropbits.mode is \"off\"; set it to \"regularize\" or "
            "\"learn\"",
            o->where, o->name);
    for (int i = 0; i < s->model.layer_count; i++) {
        const srq_layer_spec *layer = &s->model.layers[i];
        if (strcmp(layer->name, o->name) == 0 && layer->quantizer.dropbits == SRQ_DROPBITS_OFF)
            return srq_fail(SRQ_ERROR_USAGE,
                            "%s: layer \"%s\" has dropbits = \"on\", but only weights of srq have gates", o->where,
                            o->name);
    }
    return SRQ_OK;
}

srq_status srq_model_set_quantizers(srq_settings *settings, const char *where)
{
    srq_model_spec *model = &settings->model;
    for (int i = 0; i < model->layer_count; i++)
        if (has_quantizer(&model->layers[i]))
            model->layers[i].quantizer = base_quantizer(settings, strcmp(model->layers[i].type, "quantize") == 0);
    for (int i = 0; i < settings->quantizer.override_count; i++)
        SRQ_TRY(apply_override(&settings->quantizer.overrides[i], model));
    /* Gates belong to srq. */
    for (int i = 0; i < model->layer_count; i++)
        if (strcmp(model->layers[i].quantizer.method, "srq") != 0)
            model->layers[i].quantizer.dropbits = SRQ_DROPBITS_OFF;
    for (int i = 0; i < settings->quantizer.override_count; i++)
        SRQ_TRY(check_override(&settings->quantizer.overrides[i], settings));
    return check_dropbits(settings, where);
}

/* --- Printing */

static void print_inputs(const srq_layer_spec *layer, FILE *out)
{
    for (int i = 0; i < layer->input_count; i++) fprintf(out, "%s\"%s\"", i ? ", " : "[", layer->inputs[i]);
    fputc(']', out);
}

static void print_value(const srq_layer_spec *layer, const char *key, FILE *out)
{
    if (strcmp(key, "name") == 0) srq_print_text(layer->name, out);
    if (strcmp(key, "type") == 0) srq_print_text(layer->type, out);
    if (strcmp(key, "inputs") == 0) print_inputs(layer, out);
    if (strcmp(key, "out") == 0) fprintf(out, "%d", layer->out);
    if (strcmp(key, "kernel") == 0) fprintf(out, "[%d, %d]", layer->kernel[0], layer->kernel[1]);
    if (strcmp(key, "stride") == 0) fprintf(out, "[%d, %d]", layer->stride[0], layer->stride[1]);
    if (strcmp(key, "padding") == 0) fprintf(out, "[%d, %d]", layer->padding[0], layer->padding[1]);
    if (strcmp(key, "bias") == 0) fputs(layer->bias ? "true" : "false", out);
    if (strcmp(key, "momentum") == 0) srq_print_float(layer->momentum, out);
    if (strcmp(key, "epsilon") == 0) srq_print_float(layer->epsilon, out);
}

/* Whether the layer has the k-th key; an avg_pool of the whole image has no sizes. */
static bool has_key(const srq_layer_spec *layer, int k)
{
    const unsigned has = find_type(layer->type)->keys, sizes = KERNEL | STRIDE | PADDING;
    if (!keys[k].key) return true;
    return (has & keys[k].key) && (!(keys[k].key & sizes) || layer->kernel[0]);
}

static void print_layer(const srq_layer_spec *layer, FILE *out)
{
    fputc('{', out);
    for (int k = 0; k < KEY_COUNT; k++) {
        if (!has_key(layer, k)) continue;
        fprintf(out, " %s = ", keys[k].name);
        print_value(layer, keys[k].name, out);
        fputc(';', out);
    }
    fputs(" }", out);
}

void srq_model_print(const srq_model_spec *model, FILE *out)
{
    fprintf(out, "model = {\n  name = \"%s\";\n  input = { height = %d; width = %d; channels = %d; };\n  layers = (\n",
            model->name, model->height, model->width, model->channels);
    for (int i = 0; i < model->layer_count; i++) {
        fputs("    ", out);
        print_layer(&model->layers[i], out);
        fputs(i + 1 < model->layer_count ? ",\n" : "\n", out);
    }
    fputs("  );\n};\n", out);
}

/* --- Comparison */

static void value_to(char *out, size_t size, const srq_layer_spec *layer, int k)
{
    snprintf(out, size, "not there");
    if (!has_key(layer, k)) return;
    FILE *stream = fmemopen(out, size, "w");
    if (!stream) return;
    print_value(layer, keys[k].name, stream);
    fclose(stream);
    out[size - 1] = '\0';
}

static bool layer_differs(const srq_layer_spec *here, const srq_layer_spec *there, int number, char *what,
                          size_t what_size)
{
    for (int k = 0; k < KEY_COUNT; k++) {
        char a[1024], b[1024];
        value_to(a, sizeof a, here, k);
        value_to(b, sizeof b, there, k);
        if (strcmp(a, b) == 0) continue;
        snprintf(what, what_size, "%s of layer %d of the model (\"%s\") is %s here and %s there", keys[k].name, number,
                 here->name, a, b);
        return true;
    }
    return false;
}

bool srq_model_differs(const srq_model_spec *here, const srq_model_spec *there, char *what, size_t what_size)
{
    if (here->height != there->height || here->width != there->width || here->channels != there->channels) {
        snprintf(what, what_size, "the model's input is %d x %d x %d here and %d x %d x %d there", here->height,
                 here->width, here->channels, there->height, there->width, there->channels);
        return true;
    }
    for (int i = 0; i < here->layer_count && i < there->layer_count; i++)
        if (layer_differs(&here->layers[i], &there->layers[i], i + 1, what, what_size)) return true;
    if (here->layer_count == there->layer_count) return false;
    snprintf(what, what_size, "the model has %d layers here and %d there", here->layer_count, there->layer_count);
    return true;
}
