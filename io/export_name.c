#include "io/export.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_identifier(const char *name)
{
    if (!isalpha((unsigned char)name[0]) || strlen(name) >= SRQ_EXPORT_NAME) return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_') return false;
    return true;
}

srq_status srq_export_name(const char *path, const char *given, char name[SRQ_EXPORT_NAME])
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *end = strrchr(base, '.');
    const int length = end ? (int)(end - base) : (int)strlen(base), most = SRQ_EXPORT_NAME - 8;
    if (given && !is_identifier(given))
        return srq_fail(SRQ_ERROR_USAGE,
                        "export: --name must be letters, digits and underscores, begin with a letter and have at most "
                        "%d characters, but is \"%.100s\"",
                        SRQ_EXPORT_NAME - 1, given);
    if (given)
        snprintf(name, SRQ_EXPORT_NAME, "%s", given);
    else
        snprintf(name, SRQ_EXPORT_NAME, "%s%.*s", isalpha((unsigned char)base[0]) ? "" : "net_",
                 length < most ? length : most, base);
    for (char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) || (unsigned char)*c > 127) *c = '_';
    return SRQ_OK;
}
