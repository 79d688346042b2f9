#include "io/readable.h"

#include <stdio.h>
#include <string.h>

static bool continues(const unsigned char *at, int count)
{
    for (int i = 0; i < count; i++)
        if ((at[i] & 0xc0) != 0x80) return false;
    return true;
}

/* The bytes of the character at `at`, or 0 if it is not valid UTF-8 (Unicode 15, table 3-7) or a control character. */
static int character(const unsigned char *at)
{
    if (*at < 0x80) return *at >= 0x20 && *at != 0x7f;
    if (*at >= 0xc2 && *at <= 0xdf) return continues(at + 1, 1) && !(*at == 0xc2 && at[1] < 0xa0) ? 2 : 0;
    if (*at >= 0xe0 && *at <= 0xef) {
        const bool whole = continues(at + 1, 2), overlong = *at == 0xe0 && at[1] < 0xa0;
        return whole && !overlong && !(*at == 0xed && at[1] > 0x9f) ? 3 : 0;
    }
    if (*at < 0xf0 || *at > 0xf4 || !continues(at + 1, 3)) return 0;
    return (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f) ? 0 : 4;
}

bool srq_name_is_readable(const char *name)
{
    for (const unsigned char *at = (const unsigned char *)name; *at;) {
        const int length = character(at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

const char *srq_name_readable(const char *name, char *out, size_t size)
{
    size_t used = 0;
    for (const unsigned char *at = (const unsigned char *)name; *at;) {
        char piece[8];
        const int length = character(at);
        if (length == 0)
            snprintf(piece, sizeof piece, "\\x%02x", *at);
        else if (*at == '\\')
            snprintf(piece, sizeof piece, "\\\\");
        else
            snprintf(piece, sizeof piece, "%.*s", length, (const char *)at);
        const size_t more = strlen(piece);
        if (used + more >= size) break;
        memcpy(out + used, piece, more);
        used += more;
        at += length ? length : 1;
    }
    out[used] = '\0';
    return out;
}
