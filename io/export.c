#include "io/export.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT(name) extern const srq_export_format srq_export_##name;
#include "io/export_formats.def"
#undef FORMAT

const srq_export_format *srq_export_at(int index)
{
#define FORMAT(name) &srq_export_##name,
    static const srq_export_format *const formats[] = {
#include "io/export_formats.def"
    };
#undef FORMAT
    return index >= 0 && index < (int)(sizeof formats / sizeof *formats) ? formats[index] : NULL;
}

srq_status srq_export_find(const char *name, const srq_export_format **format)
{
    char names[200] = "";
    size_t n = 0;
    for (int i = 0; (*format = srq_export_at(i)); i++) {
        if (strcmp((*format)->name, name) == 0) return SRQ_OK;
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", (*format)->name);
    }
    return srq_fail(SRQ_ERROR_USAGE, "export: no format is called \"%.100s\"; --to must be one of %s", name, names);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text), ending = strlen(end);
    return length > ending && strcmp(text + length - ending, end) == 0;
}

static srq_status check_style(const srq_export_format *format, const char *style)
{
    if (!style) return SRQ_OK;
    for (int i = 0; format->styles && format->styles[i]; i++)
        if (strcmp(format->styles[i], style) == 0) return SRQ_OK;
    if (!format->styles)
        return srq_fail(SRQ_ERROR_USAGE, "export: the format %s has no styles; leave out --style %.100s", format->name,
                        style);
    char known[100] = "";
    for (int i = 0; format->styles[i]; i++) {
        const size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s",
                 i == 0                  ? ""
                 : format->styles[i + 1] ? ", "
                                         : " or ",
                 format->styles[i]);
    }
    return srq_fail(SRQ_ERROR_USAGE, "export: the format %s has no style \"%.100s\"; use %s", format->name, style,
                    known);
}

static srq_status check_absent(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "export: %s exists already; remove it, or choose another name", path);
}

srq_status srq_export_check(const srq_export_format *format, const char *style, const char *path)
{
    char second[4400];
    if (!ends_with(path, format->suffix))
        return srq_fail(SRQ_ERROR_USAGE,
                        "export: the format %s writes a file whose name ends with %s, not %s; use %s%s", format->name,
                        format->suffix, path, path, format->suffix);
    SRQ_TRY(check_style(format, style));
    SRQ_TRY(check_absent(path));
    if (format->second) {
        format->second(path, second, sizeof second);
        SRQ_TRY(check_absent(second));
    }
    return SRQ_OK;
}

srq_status srq_export_write(const srq_export_format *format, const srq_export_request *request, const char *path)
{
    SRQ_TRY(srq_export_check(format, request->style, path));
    return format->write(request, path);
}
