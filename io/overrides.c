/* quantizer.layers: quantizer settings of single layers (see io/config.h). */
#include "io/schema.h"

#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(srq_layer_override, member), sizeof(((srq_layer_override *)0)->member)

const srq_setting srq_override_schema[] = {
    {"method", SRQ_SET_TEXT, AT(method), NULL, 0, 0, SRQ_CHOICES_METHODS, true, NULL},
    {"estimator", SRQ_SET_TEXT, AT(estimator), NULL, 0, 0, "full|argmax", true, NULL},
    {"bits", SRQ_SET_BITS, AT(bits), NULL, 1, 8, NULL, true, NULL},
    {"granularity", SRQ_SET_TEXT, AT(granularity), NULL, 0, 0, "tensor|channel", true, NULL},
    {"sigma_ratio", SRQ_SET_DOUBLE, AT(sigma_ratio), NULL, 0.01, 10, NULL, true, NULL},
    {"dropbits", SRQ_SET_TEXT, AT(dropbits), NULL, 0, 0, "on|off", true, NULL},
};
enum { COUNT = sizeof srq_override_schema / sizeof *srq_override_schema };
const int srq_override_count = COUNT;

/* The name of a layer is a key in a file, but not with --set. */
static srq_status unknown(const char *where, const char *key, bool in_file)
{
    const char *names[COUNT + 1] = {"name"};
    for (int i = 0; i < COUNT; i++) names[i + in_file] = srq_override_schema[i].path;
    return srq_fail(SRQ_ERROR_USAGE, "%s: an entry of quantizer.layers has no setting \"%.64s\"; did you mean \"%s\"?",
                    where, key, srq_closest(key, names, COUNT + in_file));
}

/* The index of a setting, or -1. */
static int find_key(const char *key)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(srq_override_schema[i].path, key) == 0) return i;
    return -1;
}

static srq_status read_member(const config_setting_t *member, const char *file, srq_layer_override *o)
{
    const srq_value v = srq_value_of(member, file);
    const char *key = config_setting_name(member);
    if (strcmp(key, "name") == 0) {
        if (v.kind != SRQ_VALUE_TEXT || strlen(v.text) >= sizeof o->name || !v.text[0])
            return srq_fail(SRQ_ERROR_USAGE, "%s: name must be the name of a layer in quotes", v.where);
        snprintf(o->name, sizeof o->name, "%s", v.text);
        return SRQ_OK;
    }
    const int index = find_key(key);
    if (index < 0) return unknown(v.where, key, true);
    o->given |= 1u << index;
    return srq_setting_assign(&srq_override_schema[index], &v, o);
}

static srq_status read_entry(const config_setting_t *entry, const char *file, srq_settings *settings)
{
    srq_layer_override o = {0};
    srq_where(entry, file, o.where, sizeof o.where);
    if (!config_setting_is_group(entry))
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: an entry of quantizer.layers must be a group such as { name = \"conv1\"; "
                        "bits = 8; }",
                        o.where);
    for (int i = 0; i < config_setting_length(entry); i++)
        SRQ_TRY(read_member(config_setting_get_elem(entry, (unsigned)i), file, &o));
    if (!o.name[0])
        return srq_fail(SRQ_ERROR_USAGE, "%s: an entry of quantizer.layers needs the name of a layer", o.where);
    for (int i = 0; i < settings->quantizer.override_count; i++)
        if (strcmp(settings->quantizer.overrides[i].name, o.name) == 0)
            return srq_fail(SRQ_ERROR_USAGE,
                            "%s: layer \"%s\" is in quantizer.layers already, at %s; keep one of the "
                            "two",
                            o.where, o.name, settings->quantizer.overrides[i].where);
    settings->quantizer.overrides[settings->quantizer.override_count++] = o;
    return SRQ_OK;
}

srq_status srq_overrides_read(const config_setting_t *list, const char *name, srq_mistakes *mistakes,
                              srq_settings *settings)
{
    const srq_value v = srq_value_of(list, name);
    if (!config_setting_is_list(list))
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: quantizer.layers must be a list such as ( { name = \"conv1\"; bits = 8; } )", v.where);
    const int count = config_setting_length(list);
    if (count > SRQ_LAYERS_MAX)
        return srq_fail(SRQ_ERROR_USAGE, "%s: quantizer.layers has more than %d entries", v.where, SRQ_LAYERS_MAX);
    settings->quantizer.overrides = calloc((size_t)count + 1, sizeof *settings->quantizer.overrides);
    if (!settings->quantizer.overrides) return srq_fail_memory((size_t)count, "quantizer.layers");
    for (int i = 0; i < count; i++)
        SRQ_TRY(srq_mistakes_note(mistakes, read_entry(config_setting_get_elem(list, (unsigned)i), name, settings)));
    return SRQ_OK;
}

/* The entry of a layer, which is added if there is none. There must be room for it. */
static srq_layer_override *entry_of(srq_settings *settings, const char *name, const char *where)
{
    srq_layer_override *o = settings->quantizer.overrides;
    const srq_layer_override *end = o + settings->quantizer.override_count;
    while (o < end && strcmp(o->name, name) != 0) o++;
    if (o < end) return o;
    settings->quantizer.override_count++;
    *o = (srq_layer_override){.given = 0};
    snprintf(o->name, sizeof o->name, "%s", name);
    snprintf(o->where, sizeof o->where, "%s", where);
    return o;
}

static void set_bits(srq_settings *settings, const srq_layer_bits *bits)
{
    srq_layer_override *o = entry_of(settings, bits->name, "bit-lengths of layers");
    o->given |= 1u << find_key("bits");
    o->bits = (srq_bits_schedule){.count = 1, .bits = {bits->bits}};
}

static srq_status make_room(srq_settings *settings, int count)
{
    const size_t room = (size_t)settings->quantizer.override_count + (size_t)count + 1;
    srq_layer_override *larger = realloc(settings->quantizer.overrides, room * sizeof *larger);
    if (!larger) return srq_fail_memory(room * sizeof *larger, "quantizer.layers");
    settings->quantizer.overrides = larger;
    return SRQ_OK;
}

static const char prefix[] = "quantizer.layers.";

bool srq_overrides_has(const char *path)
{
    return strncmp(path, prefix, sizeof prefix - 1) == 0;
}

srq_status srq_overrides_assign(srq_settings *settings, const char *path, const srq_value *value)
{
    char name[SRQ_NAME_SIZE];
    const char *from = path + sizeof prefix - 1, *point = strrchr(from, '.');
    if (!point || point == from || (size_t)(point - from) >= sizeof name)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s: it must name a layer and a setting of it, such as --set quantizer.layers.conv1.bits=8",
                        value->where);
    const int index = find_key(point + 1);
    if (index < 0) return unknown(value->where, point + 1, false);
    /* A layer's name may contain points. */
    snprintf(name, sizeof name, "%.*s", (int)(point - from), from);
    SRQ_TRY(make_room(settings, 1));
    srq_layer_override *o = entry_of(settings, name, value->where);
    snprintf(o->where, sizeof o->where, "%s", value->where);
    o->given |= 1u << index;
    return srq_setting_assign(&srq_override_schema[index], value, o);
}

srq_status srq_overrides_set_bits(srq_settings *settings, int count, const srq_layer_bits *bits)
{
    SRQ_TRY(make_room(settings, count));
    for (int i = 0; i < count; i++) set_bits(settings, &bits[i]);
    for (int i = 0; i < settings->quantizer.override_count && strcmp(settings->dropbits.mode, "off") == 0; i++) {
        srq_layer_override *o = &settings->quantizer.overrides[i];
        o->given &= ~(1u << find_key("dropbits"));
        o->dropbits[0] = '\0';
    }
    return SRQ_OK;
}

void srq_overrides_free(srq_settings *settings)
{
    free(settings->quantizer.overrides);
    settings->quantizer.overrides = NULL;
    settings->quantizer.override_count = 0;
}

void srq_overrides_print(const srq_settings *settings, FILE *out)
{
    const int count = settings->quantizer.override_count;
    if (count == 0) return;
    fputs("  layers = (\n", out);
    for (int k = 0; k < count; k++) {
        const srq_layer_override *o = &settings->quantizer.overrides[k];
        fprintf(out, "    { name = \"%s\";", o->name);
        for (int i = 0; i < COUNT; i++) {
            if (!(o->given & (1u << i))) continue;
            fprintf(out, " %s = ", srq_override_schema[i].path);
            srq_setting_print(&srq_override_schema[i], o, out);
            fputc(';', out);
        }
        fputs(k + 1 < count ? " },\n" : " }\n", out);
    }
    fputs("  );\n", out);
}
