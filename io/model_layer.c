#include "io/model_layer.h"

#include "io/layer_settings.h"
#include "io/model_names.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- The type */

static srq_status read_type(const srq_scope *in, const config_setting_t *group, srq_layer_spec *layer,
                            const srq_op **type)
{
    const char *text, *closest = srq_op_at(0)->type;
    SRQ_TRY(srq_scope_text(in, group, "type", &text));
    *type = srq_op_find(text);
    if (*type) {
        snprintf(layer->type, sizeof layer->type, "%s", text);
        return SRQ_OK;
    }
    for (int i = 1; i < srq_op_count(); i++) {
        const char *const pair[] = {closest, srq_op_at(i)->type};
        closest = srq_closest(text, pair, 2);
    }
    char what[256];
    snprintf(what, sizeof what, "no layer type is called \"%.64s\"; did you mean \"%s\"? `srq help layers` lists all",
             text, closest);
    return srq_scope_bad(in, config_setting_get_member(group, "type"), what);
}

/* --- Allowed settings */

static const char *const common[] = {"name", "type", "inputs"};
enum { COMMON = sizeof common / sizeof *common };

static bool is_common(const char *name)
{
    for (int i = 0; i < COMMON; i++)
        if (strcmp(common[i], name) == 0) return true;
    return false;
}

/* Reports a setting that the type does not have: a setting of another type, or a misspelt one. */
static srq_status unknown_setting(const srq_scope *in, const config_setting_t *member, const srq_op *type)
{
    const char *name = config_setting_name(member);
    char what[512], list[256];
    const size_t most = COMMON + ((size_t)srq_op_count() + 1) * SRQ_OP_SETTINGS_MAX;
    const char **names = malloc(most * sizeof *names);
    if (!names) return srq_fail_memory(most * sizeof *names, "names of settings");
    int count = 0;
    bool another = false;
    for (int i = 0; i < COMMON; i++) names[count++] = common[i];
    for (int k = 0; k < srq_op_setting_count(type); k++) names[count++] = type->settings[k].name;
    for (int i = 0; i < srq_op_count(); i++)
        for (int k = 0; k < srq_op_setting_count(srq_op_at(i)); k++) {
            names[count] = srq_op_at(i)->settings[k].name;
            another = another || strcmp(names[count], name) == 0;
            count++;
        }
    if (another)
        snprintf(what, sizeof what, "a layer of type %s has no setting \"%.64s\"; remove it (its settings: %s)",
                 type->type, name, srq_layer_setting_names(type, list, sizeof list));
    else
        snprintf(what, sizeof what, "layers have no setting \"%.64s\"; did you mean \"%s\"?", name,
                 srq_closest(name, names, count));
    free(names);
    return srq_scope_bad(in, member, what);
}

static srq_status check_settings(const srq_scope *in, const config_setting_t *group, const srq_op *type)
{
    char what[256];
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(member);
        if (!is_common(name) && !srq_op_setting_find(type, name)) return unknown_setting(in, member, type);
    }
    for (int k = 0; k < srq_op_setting_count(type); k++) {
        const srq_op_setting *s = &type->settings[k];
        const config_setting_t *member = config_setting_get_member(group, s->name);
        if (!member && s->required) {
            snprintf(what, sizeof what, "a layer of type %s needs the setting \"%s\"", type->type, s->name);
            return srq_scope_bad(in, group, what);
        }
        if (member && s->with && !config_setting_get_member(group, s->with)) {
            snprintf(what, sizeof what, "%s of a layer of type %s has no effect without %s; add %s, or remove %s",
                     s->name, type->type, s->with, s->with, s->name);
            return srq_scope_bad(in, member, what);
        }
    }
    return SRQ_OK;
}

/* --- Their values */

/* One number for both directions, or [height, width]. */
static srq_status read_pair(const srq_scope *in, const config_setting_t *setting, int min, int max, int values[2])
{
    if (config_setting_is_array(setting) || config_setting_is_list(setting)) {
        if (config_setting_length(setting) != 2)
            return srq_scope_bad(in, setting, "a pair must be [height, width], such as [3, 3]");
        for (unsigned i = 0; i < 2; i++)
            SRQ_TRY(srq_scope_integer(in, config_setting_get_elem(setting, i), min, max, &values[i]));
        return SRQ_OK;
    }
    SRQ_TRY(srq_scope_integer(in, setting, min, max, &values[0]));
    values[1] = values[0];
    return SRQ_OK;
}

/* The value is stored as float, in which 1e-60 would become 0. */
static srq_status read_real(const srq_scope *in, const config_setting_t *setting, const srq_op_setting *s, float *value)
{
    const srq_value v = srq_value_of(setting, in->all->file);
    const bool number = v.kind == SRQ_VALUE_INTEGER || v.kind == SRQ_VALUE_FLOAT;
    const double kept = number ? (double)(float)v.number : 0;
    if (!number || !(s->above ? kept > s->least : kept >= s->least) || !(v.number <= s->most)) {
        char expected[96];
        snprintf(expected, sizeof expected, s->above ? "a number above %g and at most %g" : "a number from %g to %g",
                 s->least, s->most);
        return srq_scope_mistyped(in, setting, s->name, expected);
    }
    if (v.number != 0 && fabs(v.number) < FLT_MIN)
        return srq_scope_mistyped(in, setting, s->name,
                                  s->above ? "at least 1.2e-38 (float32)" : "0 or at least 1.2e-38 (float32)");
    *value = (float)v.number;
    return SRQ_OK;
}

static srq_status read_flag(const srq_scope *in, const config_setting_t *setting, const srq_op_setting *s, bool *value)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
        return srq_scope_mistyped(in, setting, s->name, "true or false");
    *value = config_setting_get_bool(setting);
    return SRQ_OK;
}

static srq_status read_settings(const srq_scope *in, const config_setting_t *group, const srq_op *type,
                                srq_layer_spec *layer)
{
    for (int k = 0; k < srq_op_setting_count(type); k++) {
        const srq_op_setting *s = &type->settings[k];
        const config_setting_t *member = config_setting_get_member(group, s->name);
        void *to = (char *)layer + s->place;
        if (!member) {
            srq_layer_setting_default(type, s, layer);
            continue;
        }
        if (s->kind == SRQ_OP_WHOLE) SRQ_TRY(srq_scope_integer(in, member, (int)s->least, (int)s->most, to));
        if (s->kind == SRQ_OP_PAIR) SRQ_TRY(read_pair(in, member, (int)s->least, (int)s->most, to));
        if (s->kind == SRQ_OP_REAL) SRQ_TRY(read_real(in, member, s, to));
        if (s->kind == SRQ_OP_FLAG) SRQ_TRY(read_flag(in, member, s, to));
    }
    return SRQ_OK;
}

/* --- Inputs */

static srq_status check_input_count(const srq_scope *in, const config_setting_t *setting, const srq_op *type, int count)
{
    char what[128];
    if (count >= type->min_inputs && count <= type->max_inputs) return SRQ_OK;
    if (type->max_inputs > 1)
        snprintf(what, sizeof what, "a layer of type %s has %d to %d inputs, but this one has %d; list them in inputs",
                 type->type, type->min_inputs, type->max_inputs, count);
    else
        snprintf(what, sizeof what, "a layer of type %s has one input, but this one has %d", type->type, count);
    return srq_scope_bad(in, setting, what);
}

static srq_status read_inputs(const srq_scope *in, const config_setting_t *group, const srq_op *type,
                              srq_layer_spec *layer)
{
    const config_setting_t *inputs;
    SRQ_TRY(srq_scope_inputs(in, group, &inputs));
    layer->input_count = inputs ? config_setting_length(inputs) : 1;
    SRQ_TRY(check_input_count(in, inputs ? inputs : group, type, layer->input_count));
    if (!inputs) snprintf(layer->inputs[0], SRQ_NAME_SIZE, "%s", in->last);
    for (int i = 0; inputs && i < layer->input_count; i++)
        SRQ_TRY(srq_scope_input(in, group, config_setting_get_elem(inputs, (unsigned)i), layer->inputs[i]));
    return SRQ_OK;
}

/* --- The layer */

/* Adds a layer to the end of the model. */
static srq_status add_layer(const srq_scope *in, const config_setting_t *group, srq_layer_spec **layer)
{
    srq_reading *all = in->all;
    srq_model_spec *model = all->model;
    if (model->layer_count == SRQ_LAYERS_MAX) return srq_scope_bad(in, group, "a model has at most 4096 layers");
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

/* All but its name. Notes a mistake of each part. */
static srq_status read_rest(const srq_scope *in, const config_setting_t *group, srq_layer_spec *layer)
{
    const srq_op *type;
    srq_mistakes *m = in->all->mistakes;
    SRQ_TRY(read_type(in, group, layer, &type));
    SRQ_TRY(srq_mistakes_note(m, check_settings(in, group, type)));
    SRQ_TRY(srq_mistakes_note(m, read_settings(in, group, type, layer)));
    return srq_mistakes_note(m, read_inputs(in, group, type, layer));
}

srq_status srq_model_read_layer(srq_scope *in, const config_setting_t *group)
{
    srq_layer_spec *layer = NULL;
    SRQ_TRY(add_layer(in, group, &layer));
    srq_where(group, in->all->file, layer->origin, sizeof layer->origin);
    SRQ_TRY(srq_scope_name(in, group, layer->name));
    SRQ_TRY(srq_scope_check_name(in, group, layer->name));
    const srq_status status = read_rest(in, group, layer);
    /* Later layers can name it, whatever mistakes it has. */
    snprintf(in->last, sizeof in->last, "%s", layer->name);
    in->all->model->layer_count++;
    return status;
}
