/* Values in libconfig files and in --set: their place, type and text. */
#include "io/schema.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Reading */

void srq_source(const config_t *tree, const char *file, const char *name, char *path, size_t size)
{
    const char *folder = config_get_include_dir(tree);
    if (file && strcmp(file, name) != 0 && folder && strcmp(folder, ".") != 0)
        snprintf(path, size, "%s/%s", folder, file);
    else
        snprintf(path, size, "%s", file ? file : name);
}

void srq_where(const config_setting_t *setting, const char *name, char *where, size_t size)
{
    char path[8192], line[16] = "";
    srq_source(setting->config, config_setting_source_file(setting), name, path, sizeof path);
    /* A whole file has no line. */
    if (config_setting_source_line(setting))
        snprintf(line, sizeof line, ":%u", (unsigned)config_setting_source_line(setting));
    const size_t length = strlen(path), room = size - 1 - strlen(line);
    if (length <= room)
        snprintf(where, size, "%s%s", path, line);
    else
        snprintf(where, size, "...%s%s", path + length - room + 3, line);
}

static const char *type_name(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_GROUP:
        return "a group";
    case CONFIG_TYPE_LIST:
        return "a list";
    case CONFIG_TYPE_ARRAY:
        return "an array";
    default:
        return "a boolean";
    }
}

srq_value srq_value_of(const config_setting_t *setting, const char *name)
{
    srq_value v = {.kind = SRQ_VALUE_OTHER, .text = type_name(setting)};
    srq_where(setting, name, v.where, sizeof v.where);
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        v.kind = SRQ_VALUE_INTEGER;
        v.integer = config_setting_get_int64(setting);
        /* libconfig 1.5 gives 0 for the 64-bit value of a 32-bit setting. */
        if (config_setting_type(setting) == CONFIG_TYPE_INT) v.integer = config_setting_get_int(setting);
        v.number = (double)v.integer;
        break;
    case CONFIG_TYPE_FLOAT:
        v.kind = SRQ_VALUE_FLOAT;
        v.number = config_setting_get_float(setting);
        v.text = NULL;
        break;
    case CONFIG_TYPE_STRING:
        v.kind = SRQ_VALUE_TEXT;
        v.text = config_setting_get_string(setting);
        break;
    case CONFIG_TYPE_BOOL:
        v.kind = SRQ_VALUE_BOOLEAN;
        v.integer = config_setting_get_bool(setting) != CONFIG_FALSE;
        break;
    default:
        break;
    }
    return v;
}

/* Whether the whole text is an integer in libconfig syntax: decimal or 0x..., with an optional L or LL at the end. */
static bool is_integer(const char *text, long long *integer)
{
    char *end;
    const bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    errno = 0;
    *integer = strtoll(text, &end, hexadecimal ? 16 : 10);
    return end != text && errno == 0 && end[strspn(end, "L")] == '\0';
}

/* Removes quotes and escapes by libconfig's rules. A text with a line break is not parsed, because it could contain an
 * @include. */
static bool unquote(const char *text, char *room, size_t size)
{
    const size_t n = strlen(text);
    if (n < 2 || text[0] != '"' || text[n - 1] != '"' || strpbrk(text, "\r\n")) return false;
    /* One text, and not two with something in between. */
    for (size_t i = 1; i < n - 1; i++) {
        if (text[i] == '"') return false;
        i += text[i] == '\\';
    }
    char line[8192];
    if ((size_t)snprintf(line, sizeof line, "v = %s;", text) >= sizeof line) return false;
    config_t tree;
    const char *value;
    config_init(&tree);
    const bool whole = config_read_string(&tree, line) == CONFIG_TRUE &&
                       config_setting_length(config_root_setting(&tree)) == 1 &&
                       config_lookup_string(&tree, "v", &value) == CONFIG_TRUE;
    if (whole) snprintf(room, size, "%s", value);
    config_destroy(&tree);
    return whole;
}

srq_value srq_value_of_text(const char *text, char *room, size_t size)
{
    srq_value v = {.kind = SRQ_VALUE_INTEGER};
    if (is_integer(text, &v.integer)) {
        v.number = (double)v.integer;
        return v;
    }
    char *end;
    errno = 0;
    v = (srq_value){.kind = SRQ_VALUE_FLOAT, .number = strtod(text, &end)};
    if (errno == ERANGE) v.text = text;
    /* strtod also accepts "inf", "nan" and hexadecimal numbers, which files do not. */
    if (*text && *end == '\0' && text[strspn(text, "+-.0123456789eE")] == '\0') return v;
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return (srq_value){.kind = SRQ_VALUE_BOOLEAN, .integer = text[0] == 't', .text = "a boolean"};
    if (!unquote(text, room, size)) snprintf(room, size, "%s", text);
    return (srq_value){.kind = SRQ_VALUE_TEXT, .text = room};
}

bool srq_value_whole(const srq_value *v, long long *whole)
{
    static const double exact = 9007199254740992; /* 2^53 */
    *whole = v->integer;
    if (v->kind != SRQ_VALUE_FLOAT) return v->kind == SRQ_VALUE_INTEGER;
    if (v->text || !(fabs(v->number) <= exact) || v->number != floor(v->number)) return false;
    *whole = (long long)v->number;
    return true;
}

const char *srq_describe(const srq_value *v, char *out, size_t size)
{
    if (v->kind == SRQ_VALUE_INTEGER)
        snprintf(out, size, "%lld", v->integer);
    else if (v->kind == SRQ_VALUE_FLOAT && v->text)
        snprintf(out, size, "%.100s", v->text);
    else if (v->kind == SRQ_VALUE_FLOAT)
        snprintf(out, size, "%.12g", v->number);
    else if (v->kind == SRQ_VALUE_TEXT)
        snprintf(out, size, "the text \"%.100s\"", v->text);
    else
        snprintf(out, size, "%s", v->text);
    return out;
}

/* --- Writing */

void srq_print_text(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            fprintf(out, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, out);
    }
    fputc('"', out);
}

static void print_literal(const char *digits, FILE *out)
{
    fputs(digits, out);
    if (!strpbrk(digits, ".e")) fputs(".0", out);
}

void srq_print_number(double number, FILE *out)
{
    char text[64];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    print_literal(text, out);
}

void srq_print_float(float number, FILE *out)
{
    char text[64];
    /* Checked as it will be read: through a double. */
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)number);
        if ((float)strtod(text, NULL) == number) break;
    }
    print_literal(text, out);
}
