#include "io/escape.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
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

/* The code point of a character of `length` bytes; -1 for an invalid byte. */
static long code_point(const unsigned char *c, int length)
{
    if (length == 0) return -1;
    if (length == 1) return c[0];
    long code = c[0] & (0x7f >> length);
    for (int i = 1; i < length; i++) code = code << 6 | (c[i] & 0x3f);
    return code;
}

/* Control characters, and those that change the direction of the text around them. */
static bool is_control(long code)
{
    return (code >= 0 && code < 0x20) || (code >= 0x7f && code < 0xa0) || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* Writes the next character of *text to `out` in a safe form, and advances *text. Returns its code point, -1 for an
 * invalid byte. */
static long next(const char **text, char out[8])
{
    const unsigned char *c = (const unsigned char *)*text;
    const int length = character(c);
    const long code = code_point(c, length);
    *text += length ? length : 1;
    if (is_control(code))
        strcpy(out, " ");
    else if (length == 0)
        strcpy(out, "\xef\xbf\xbd");
    else
        snprintf(out, 8, "%.*s", length, (const char *)c);
    return code;
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

/* Whether a spreadsheet would compute the field. Numbers of srq may begin with a minus, but never with a plus. */
static bool is_formula(const char *field)
{
    const char *text = field + strspn(field, " \t\r\n");
    if (!text[0] || !strchr("=+-@", text[0]) || !text[1]) return false;
    if (text[0] != '-') return true;
    const char *rest = text + 1 + strspn(text + 1, "0123456789.");
    if (rest > text + 1 && (*rest == 'e' || *rest == 'E')) {
        rest += 1 + (rest[1] == '-' || rest[1] == '+');
        rest += strspn(rest, "0123456789");
    }
    return *rest != '\0' || rest == text + 1;
}

/* A character of a JSON string: `shown`, or as \uXXXX. */
static const char *in_json(long code, const char *shown, char room[8])
{
    if (code == '"') return "\\\"";
    if (code == '\\') return "\\\\";
    if (!is_control(code)) return shown;
    snprintf(room, 8, "\\u%04lx", (unsigned long)code);
    return room;
}

static const char *in(srq_escape escape, char c)
{
    switch (escape) {
    case SRQ_ESCAPE_HTML:
        return in_html(c);
    case SRQ_ESCAPE_MARKDOWN:
        return in_markdown(c);
    case SRQ_ESCAPE_GNUPLOT:
        return in_gnuplot(c);
    case SRQ_ESCAPE_CSV:
        return in_csv(c);
    default:
        return NULL;
    }
}

/* What encloses a text of this form. */
static const char *quote_of(const char *text, srq_escape escape)
{
    if (escape == SRQ_ESCAPE_GNUPLOT) return "'";
    if (escape == SRQ_ESCAPE_JSON) return "\"";
    return escape == SRQ_ESCAPE_CSV && (strpbrk(text, ",\"\r\n") || text[0] == ' ') ? "\"" : "";
}

void srq_print_escaped(const char *text, srq_escape escape, FILE *out)
{
    const char *quote = quote_of(text, escape);
    fputs(quote, out);
    if (escape == SRQ_ESCAPE_CSV && is_formula(text)) fputc('\'', out);
    while (*text) {
        char c[8], room[8];
        const long code = next(&text, c);
        const char *instead = escape == SRQ_ESCAPE_JSON ? in_json(code, c, room) : in(escape, c[0]);
        fputs(instead ? instead : c, out);
    }
    fputs(quote, out);
}

char *srq_json_quote(const char *text, char *out, size_t size)
{
    size_t n = 0;
    if (size < 3) {
        if (size) out[0] = '\0';
        return out;
    }
    out[n++] = '"';
    while (*text) {
        char c[8], room[8];
        const long code = next(&text, c);
        const char *safe = in_json(code, c, room);
        if (n + strlen(safe) + 2 > size) break;
        n += (size_t)snprintf(out + n, size - n, "%s", safe);
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
}

bool srq_text_repair(char *text, size_t size)
{
    bool found = false;
    for (size_t i = 0; i < size;) {
        unsigned char c[5] = {0}; /* characters do not continue after the end */
        memcpy(c, text + i, size - i < 4 ? size - i : 4);
        const int length = character(c);
        found = found || length == 0;
        if (length == 0) text[i] = '?';
        i += length ? (size_t)length : 1;
    }
    return found;
}

/* --- For people */

static void print_lines(const char *text, bool breaks, FILE *out)
{
    while (*text) {
        char c[8];
        if (next(&text, c) == '\n' && breaks)
            fputc('\n', out);
        else
            fputs(c, out);
    }
}

void srq_print_lines(const char *text, FILE *out)
{
    print_lines(text, true, out);
}

/* `text` is what `format` became. */
static void say(const char *format, char *text, FILE *out)
{
    const size_t before = strspn(format, "\n"), length = strlen(format);
    size_t after = 0, end = strlen(text);
    while (after < length - before && format[length - 1 - after] == '\n') after++;
    const bool inside = memchr(format + before, '\n', length - before - after) != NULL;
    for (size_t i = 0; i < before; i++) fputc('\n', out);
    text[end - after] = '\0';
    print_lines(text + before, inside, out);
    for (size_t i = 0; i < after; i++) fputc('\n', out);
}

static void say_list(FILE *out, const char *format, va_list args)
{
    char room[1024], *text = room;
    va_list again;
    va_copy(again, args);
    const int length = vsnprintf(room, sizeof room, format, args);
    if (length >= (int)sizeof room && vasprintf(&text, format, again) < 0) text = NULL;
    va_end(again);
    if (length >= 0 && text) say(format, text, out);
    if (text != room) free(text);
}

void srq_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(stdout, format, args);
    va_end(args);
}

void srq_say_to(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(out, format, args);
    va_end(args);
}

/* --- Width */

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

bool srq_text_next_line(const char **text, int columns, char *out, size_t size)
{
    const char *at = *text, *space = NULL; /* space: where the text continues after the last one */
    size_t n = 0, kept = 0;
    int width = 0;
    out[0] = '\0';
    if (!*at) return false;
    for (; *at && width < columns; width++) {
        char c[8];
        const long code = next(&at, c);
        if (n + strlen(c) + 1 > size) break;
        if (code == ' ' && n > 0) {
            space = at;
            kept = n;
        }
        n += (size_t)snprintf(out + n, size - n, "%s", c);
    }
    if (*at && *at != ' ' && space) {
        at = space;
        out[kept] = '\0';
    }
    at += strspn(at, " ");
    *text = at;
    return true;
}

void srq_text_append(char *out, size_t size, const char *format, ...)
{
    const size_t n = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + n, size - n, format, args);
    va_end(args);
}
