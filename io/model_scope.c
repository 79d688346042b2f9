#include "io/model_scope.h"

#include <string.h>

enum { PLACE_SIZE = 1200 };

/* --- Messages */

/* "FILE:LINE", and in a block also the instance. */
static const char *place(const srq_scope *in, const config_setting_t *setting, char out[PLACE_SIZE])
{
    char where[512];
    srq_where(setting, in->all->file, where, sizeof where);
    if (in->block)
        snprintf(out, PLACE_SIZE, "%s: in \"%s\" (block \"%.63s\", %s)", where, in->name, in->block, in->where);
    else
        snprintf(out, PLACE_SIZE, "%s", where);
    return out;
}

srq_status srq_scope_bad(const srq_scope *in, const config_setting_t *setting, const char *what)
{
    char where[PLACE_SIZE];
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s", place(in, setting, where), what);
}

srq_status srq_scope_mistyped(const srq_scope *in, const config_setting_t *setting, const char *key,
                              const char *expected)
{
    char found[160], where[PLACE_SIZE];
    const srq_value v = srq_value_of(setting, in->all->file);
    return srq_fail(SRQ_ERROR_USAGE, "%s: %s must be %s, but is %s", place(in, setting, where), key, expected,
                    srq_describe(&v, found, sizeof found));
}

srq_status srq_scope_check_members(const srq_scope *in, const config_setting_t *group, const char *const *names,
                                   int count, const char *owner)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *member = config_setting_get_elem(group, (unsigned)i);
        bool known = false;
        for (int k = 0; k < count; k++) known = known || strcmp(names[k], config_setting_name(member)) == 0;
        if (known) continue;
        char what[256];
        snprintf(what, sizeof what, "%s no setting \"%.64s\"; did you mean \"%s\"?", owner, config_setting_name(member),
                 srq_closest(config_setting_name(member), names, count));
        return srq_scope_bad(in, member, what);
    }
    return SRQ_OK;
}

/* --- Values */

static bool knows(const srq_scope *in, const char *name)
{
    for (int i = 0; i < in->variable_count; i++)
        if (strcmp(in->variables[i].name, name) == 0) return true;
    return false;
}

srq_status srq_scope_integer(const srq_scope *in, const config_setting_t *setting, int min, int max, int *value)
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
                     classes
                         ? "the number of classes is not known; set data.classes in the configuration, or classes here"
                         : why);
            return srq_scope_bad(in, setting, what);
        }
        v.integer = number;
    } else if (!srq_value_whole(&v, &v.integer)) {
        return srq_scope_mistyped(in, setting, key, "an integer or an expression");
    }
    if (v.integer < min || v.integer > max) {
        snprintf(what, sizeof what, "%.64s is %lld, but must be from %d to %d", key, v.integer, min, max);
        return srq_scope_bad(in, setting, what);
    }
    *value = (int)v.integer;
    return SRQ_OK;
}

srq_status srq_scope_text(const srq_scope *in, const config_setting_t *group, const char *key, const char **value)
{
    const config_setting_t *setting = config_setting_get_member(group, key);
    char what[64];
    snprintf(what, sizeof what, "%s is missing; add %s = \"...\";", key, key);
    if (!setting) return srq_scope_bad(in, group, what);
    *value = config_setting_get_string(setting);
    return *value ? SRQ_OK : srq_scope_mistyped(in, setting, key, "a text in quotes");
}
