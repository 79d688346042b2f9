#include "experiments/srq/report/escape.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

/* The length of the UTF-8 character that begins here, or 0 if it is not valid. */
static int character(const unsigned char *c)
{
    const int length = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
    for (int i = 1; i < length; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    if (c[0] == 0xe0 && c[1] < 0xa0) return 0;                 /* overlong */
    if (c[0] == 0xed && c[1] > 0x9f) return 0;                 /* surrogates */
    if (c[0] == 0xef && c[1] == 0xbf && c[2] > 0xbd) return 0; /* U+FFFE, U+FFFF: not allowed in XML */
    if (c[0] == 0xf0 && c[1] < 0x90) return 0;
    if (c[0] == 0xf4 && c[1] > 0x8f) return 0;
    return length;
}

/* Writes the next character of *text to `out` in a safe form, and advances *text. */
static void next(const char **text, char out[8])
{
    const unsigned char *c = (const unsigned char *)*text;
    const int length = character(c);
    const bool control = c[0] < 0x20 || c[0] == 0x7f || (c[0] == 0xc2 && length == 2 && c[1] < 0xa0);
    *text += length ? length : 1;
    if (control)
        strcpy(out, " ");
    else if (length == 0)
        strcpy(out, "\xef\xbf\xbd");
    else
        snprintf(out, 8, "%.*s", length, (const char *)c);
}

static const char *in_html(char c)
{
    return c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : NULL;
}

static const char *in_markdown(char c)
{
    static char escaped[3] = "\\";
    if (c == '&') return "&amp;";
    if (c == '<') return "&lt;";
    if (c == '\0' || !strchr("\\`*_[]{}|#~$>!", c)) return NULL;
    escaped[1] = c;
    return escaped;
}

/* gnuplot expands nothing between single quotes. A quote is doubled. */
static const char *in_gnuplot(char c)
{
    return c == '\'' ? "''" : NULL;
}

static const char *in_csv(char c)
{
    return c == '"' ? "\"\"" : NULL;
}

void srq_print_escaped(const char *text, srq_escape escape, FILE *out)
{
    const bool quoted = escape == SRQ_ESCAPE_CSV && (strpbrk(text, ",\"\r\n") || text[0] == ' ');
    if (quoted) fputc('"', out);
    if (escape == SRQ_ESCAPE_GNUPLOT) fputc('\'', out);
    while (*text) {
        char c[8];
        next(&text, c);
        const char *instead = escape == SRQ_ESCAPE_HTML       ? in_html(c[0])
                              : escape == SRQ_ESCAPE_MARKDOWN ? in_markdown(c[0])
                              : escape == SRQ_ESCAPE_GNUPLOT  ? in_gnuplot(c[0])
                              : escape == SRQ_ESCAPE_CSV      ? in_csv(c[0])
                                                              : NULL;
        fputs(instead ? instead : c, out);
    }
    if (quoted) fputc('"', out);
    if (escape == SRQ_ESCAPE_GNUPLOT) fputc('\'', out);
}

int srq_text_width(const char *text)
{
    int width = 0;
    for (char c[8]; *text; width++) next(&text, c);
    return width;
}

char *srq_text_cut(const char *text, int columns, char *out, size_t size)
{
    const bool longer = srq_text_width(text) > columns;
    const int kept = longer ? columns - 3 : columns;
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < kept && *text; i++) {
        char c[8];
        next(&text, c);
        if (n + strlen(c) + 4 > size) break;
        n += (size_t)snprintf(out + n, size - n, "%s", c);
    }
    if (longer) snprintf(out + n, size - n, "...");
    return out;
}

void srq_text_append(char *out, size_t size, const char *format, ...)
{
    const size_t n = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + n, size - n, format, args);
    va_end(args);
}
