#include "experiments/srq/report/svg.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Growing text */

typedef struct text {
    char *bytes;
    size_t length, room;
    bool failed;
} text;

static void add_bytes(text *t, const char *bytes, size_t length)
{
    if (t->length + length + 1 > t->room) {
        const size_t room = 2 * (t->length + length) + 256;
        char *larger = realloc(t->bytes, room);
        t->failed = t->failed || !larger;
        if (!larger) return;
        t->bytes = larger;
        t->room = room;
    }
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = '\0';
}

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *format, ...)
{
    char part[512];
    va_list args;
    va_start(args, format);
    const int length = vsnprintf(part, sizeof part, format, args);
    va_end(args);
    t->failed = t->failed || length < 0 || (size_t)length >= sizeof part;
    if (!t->failed) add_bytes(t, part, (size_t)length);
}

/* Moves the content of `from` to the end of `to`. */
static void move(text *from, text *to)
{
    if (from->length) add_bytes(to, from->bytes, from->length);
    to->failed = to->failed || from->failed;
    from->length = 0;
}

/* Writes a coordinate in tenths of a pixel, with a space before it if it would merge with the previous one. */
static void add_tenths(text *t, long value, bool behind_number)
{
    const long size = labs(value);
    add(t, "%s%ld", value < 0 ? "-" : behind_number ? " " : "", size / 10);
    if (size % 10) add(t, ".%ld", size % 10);
}

/* --- Tags */

typedef struct span {
    const char *start;
    size_t length;
} span;

static bool is_called(span tag, const char *name)
{
    const size_t length = strlen(name);
    if (tag.length < length || strncmp(tag.start, name, length) != 0) return false;
    return tag.length == length || strchr(" \t\r\n/", tag.start[length]) != NULL;
}

/* The value of an attribute. Its start is NULL if there is none. */
static span find_attribute(span tag, const char *name)
{
    const char *at = tag.start, *end = tag.start + tag.length;
    while (at < end) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        const char *open = equals ? equals + 1 + strspn(equals + 1, " \t\r\n") : NULL;
        const char *close = open && open < end ? memchr(open + 1, *open, (size_t)(end - open - 1)) : NULL;
        if (!close) break;
        const char *last = equals;
        while (last > at && strchr(" \t\r\n", last[-1])) last--;
        const char *first = last;
        while (first > at && !strchr(" \t\r\n", first[-1])) first--;
        if ((size_t)(last - first) == strlen(name) && strncmp(first, name, strlen(name)) == 0)
            return (span){open + 1, (size_t)(close - open - 1)};
        at = close + 1;
    }
    return (span){NULL, 0};
}

/* Writes the value to `out`, or `otherwise` if there is none. Colours become #rrggbb. */
static void copy_attribute(span tag, const char *name, const char *otherwise, char *out, size_t size)
{
    const span value = find_attribute(tag, name);
    int red, green, blue;
    if (value.start)
        snprintf(out, size, "%.*s", (int)value.length, value.start);
    else
        snprintf(out, size, "%s", otherwise);
    if (sscanf(out, "rgb(%d ,%d ,%d )", &red, &green, &blue) == 3)
        snprintf(out, size, "#%02x%02x%02x", red & 255, green & 255, blue & 255);
    else if (strcmp(out, "black") == 0)
        snprintf(out, size, "#000");
}

/* --- The output picture */

enum { DEPTH_MAX = 32, LOOK_SIZE = 160 };

typedef struct point {
    long x, y; /* tenths of a pixel */
} point;

typedef struct writer {
    const char *prefix;
    text body;
    char colour[32], stroke[32], width[16]; /* of the current group of lines */
    char groups[DEPTH_MAX]; /* kind of each open <g>: 'l' lines, 't' text, 'e' edges, 'i' ignored, 'c' copied */
    int depth;
    char look[LOOK_SIZE]; /* of the current path */
    text path;
    text labels; /* elements since the beginning of the path, which must come after it */
    span label;  /* the group of the label */
    point *points;
    size_t count, room;
} writer;

/* Ends the current path. */
static void flush(writer *w)
{
    if (w->path.length) {
        add(&w->body, "<path%s d=\"", w->look);
        move(&w->path, &w->body);
        add(&w->body, "\"/>\n");
    }
    w->look[0] = '\0';
    move(&w->labels, &w->body);
}

/* Adds the prefix to an id or to a reference. */
static void add_with_ids(writer *w, text *out, span copied)
{
    static const char *const marks[] = {" id=\"", " id='", "href='#", "href=\"#", "url(#"};
    const char *end = copied.start + copied.length;
    for (const char *at = copied.start; at < end;) {
        size_t length = 0;
        for (size_t i = 0; i < sizeof marks / sizeof *marks && length == 0; i++)
            if ((size_t)(end - at) >= strlen(marks[i]) && strncmp(at, marks[i], strlen(marks[i])) == 0)
                length = strlen(marks[i]);
        add_bytes(out, at, length ? length : 1);
        if (length) add(out, "%s-", w->prefix);
        at += length ? length : 1;
    }
}

static void copy_tag(writer *w, span tag)
{
    flush(w);
    add_bytes(&w->body, "<", 1);
    add_with_ids(w, &w->body, tag);
    add_bytes(&w->body, ">", 1);
}

/* --- Lines and areas */

static void add_point(writer *w, double x, double y)
{
    if (w->count == w->room) {
        const size_t room = w->room ? 2 * w->room : 256;
        point *larger = realloc(w->points, room * sizeof *larger);
        w->body.failed = w->body.failed || !larger;
        if (!larger) return;
        w->points = larger;
        w->room = room;
    }
    w->points[w->count++] = (point){lround(10 * x), lround(10 * y)};
}

static bool is_between(long a, long b, long c)
{
    return (a <= b && b <= c) || (a >= b && b >= c);
}

/* Whether the picture is the same without b: b lies on a horizontal or vertical line from a to c, or equals a. */
static bool is_idle(point a, point b, point c)
{
    if (a.x == b.x && a.y == b.y) return true;
    return (a.x == b.x && b.x == c.x && is_between(a.y, b.y, c.y)) ||
           (a.y == b.y && b.y == c.y && is_between(a.x, b.x, c.x));
}

static void add_step(text *out, point from, point to, char *command)
{
    const long x = to.x - from.x, y = to.y - from.y;
    const char needed = y == 0 ? 'h' : x == 0 ? 'v' : 'l';
    const bool again = needed == *command;
    if (!again) add(out, "%c", needed);
    if (needed != 'v') add_tenths(out, x, again);
    if (needed != 'h') add_tenths(out, y, again || needed == 'l');
    *command = needed;
}

/* Appends a line, or the outline of an area, to the path. */
static void end_line(writer *w, bool closed)
{
    if (w->count == 0) return;
    char command = '\0';
    point last = w->points[0];
    add(&w->path, "M");
    add_tenths(&w->path, last.x, false);
    add_tenths(&w->path, last.y, true);
    for (size_t i = 1; i < w->count; i++) {
        if (i + 1 < w->count && is_idle(last, w->points[i], w->points[i + 1])) continue;
        add_step(&w->path, last, w->points[i], &command);
        last = w->points[i];
    }
    if (closed) add(&w->path, "z");
    w->count = 0;
}

static void add_to_look(char look[LOOK_SIZE], const char *name, const char *value)
{
    const size_t length = strlen(look);
    snprintf(look + length, LOOK_SIZE - length, " %s=\"%s\"", name, value);
}

/* Reads "90.00,230.54 ". False if there is none before `end`. */
static bool read_point(const char **at, const char *end, double *x, double *y)
{
    char *behind_x, *behind_y;
    *x = strtod(*at, &behind_x);
    if (behind_x == *at || behind_x >= end) return false;
    behind_x += strspn(behind_x, ", ");
    *y = strtod(behind_x, &behind_y);
    if (behind_y == behind_x || behind_y > end) return false;
    *at = behind_y;
    return true;
}

static void begin_look(writer *w, const char *look)
{
    if (strcmp(look, w->look) == 0) return;
    flush(w);
    snprintf(w->look, sizeof w->look, "%s", look);
}

/* Reads "M90.00,230.54 L85.13,230.54". False, without any change, if it contains anything else. */
static bool add_lines(writer *w, span d)
{
    const char *at = d.start, *end = d.start + d.length;
    if (strspn(at, "MLZz0123456789+-.eE, \t\r\n") < d.length) return false;
    while (at < end) {
        double x, y;
        at += strspn(at, "L, \t\r\n");
        if (at >= end) break;
        if (*at == 'M' || *at == 'Z' || *at == 'z') {
            end_line(w, *at != 'M');
            at++;
            continue;
        }
        if (!read_point(&at, end, &x, &y)) break;
        add_point(w, x, y);
    }
    end_line(w, false);
    return true;
}

static void add_path(writer *w, span tag)
{
    char look[LOOK_SIZE], stroke[32], dash[48], fill[32];
    const span d = find_attribute(tag, "d");
    copy_attribute(tag, "stroke", w->stroke, stroke, sizeof stroke);
    if (strcmp(stroke, "currentColor") == 0) snprintf(stroke, sizeof stroke, "%s", w->stroke);
    if (strcmp(stroke, "currentColor") == 0) snprintf(stroke, sizeof stroke, "%s", w->colour);
    copy_attribute(tag, "stroke-dasharray", "", dash, sizeof dash);
    copy_attribute(tag, "fill", "none", fill, sizeof fill);
    look[0] = '\0';
    if (strcmp(fill, "none") != 0) add_to_look(look, "fill", fill);
    add_to_look(look, "stroke", stroke);
    if (w->width[0]) add_to_look(look, "stroke-width", w->width);
    if (dash[0]) add_to_look(look, "stroke-dasharray", dash);
    begin_look(w, look);
    if (!d.start || add_lines(w, d)) return;
    flush(w);
    add(&w->body, "<path%s d=\"", look);
    add_bytes(&w->body, d.start, d.length);
    add(&w->body, "\"/>\n");
}

static void add_polygon(writer *w, span tag)
{
    char look[LOOK_SIZE], fill[32], opacity[32];
    const span points = find_attribute(tag, "points");
    copy_attribute(tag, "fill", "#000", fill, sizeof fill);
    copy_attribute(tag, "fill-opacity", "", opacity, sizeof opacity);
    look[0] = '\0';
    add_to_look(look, "fill", fill);
    if (opacity[0]) add_to_look(look, "fill-opacity", opacity);
    if (w->depth > 0 && w->groups[w->depth - 1] == 'e') add_to_look(look, "shape-rendering", "crispEdges");
    begin_look(w, look);
    const char *at = points.start;
    double x, y;
    while (at && read_point(&at, points.start + points.length, &x, &y)) add_point(w, x, y);
    end_line(w, true);
}

/* A marker: `<use xlink:href='#gpPt6' transform='translate(1.00,2.00) scale(3.58)' color='black'/>`. */
static void add_marker(writer *w, span tag)
{
    char href[32], transform[96], colour[32];
    double x, y, scale;
    copy_attribute(tag, "xlink:href", "", href, sizeof href);
    copy_attribute(tag, "transform", "", transform, sizeof transform);
    copy_attribute(tag, "color", w->colour, colour, sizeof colour);
    if (href[0] != '#' || sscanf(transform, "translate(%lf,%lf) scale(%lf)", &x, &y, &scale) != 3) {
        copy_tag(w, tag);
        return;
    }
    flush(w);
    add(&w->body, "<use xlink:href=\"#%s-%s\" transform=\"translate(%.5g %.5g)scale(%.3g)\" color=\"%s\"/>\n",
        w->prefix, href + 1, round(10 * x) / 10, round(10 * y) / 10, scale, colour);
}

/* --- Labels */

static void open_label(writer *w, span tag)
{
    char transform[96], value[64], size[16], anchor[16], family[64];
    double x = 0, y = 0, angle = 0;
    text *out = &w->labels;
    copy_attribute(w->label, "transform", "", transform, sizeof transform);
    copy_attribute(w->label, "fill", "#000", value, sizeof value);
    copy_attribute(w->label, "font-size", "13", size, sizeof size);
    copy_attribute(w->label, "font-family", "sans-serif", family, sizeof family);
    copy_attribute(w->label, "text-anchor", "start", anchor, sizeof anchor);
    const int found = sscanf(transform, "translate(%lf,%lf) rotate(%lf)", &x, &y, &angle);
    const double right = round(10 * x) / 10, down = round(10 * y) / 10;
    if (found == 3)
        add(out, "<text transform=\"translate(%.5g %.5g)rotate(%g)\"", right, down, angle);
    else
        add(out, "<text x=\"%.5g\" y=\"%.5g\"", right, down);
    add(out, " fill=\"%s\" font-size=\"%.4g\"", value, strtod(size, NULL));
    if (strcmp(family, "sans-serif") != 0) add(out, " font-family=\"%s\"", family);
    if (strcmp(anchor, "start") != 0) add(out, " text-anchor=\"%s\"", anchor);
    if (find_attribute(tag, "xml:space").start) add(out, " xml:space=\"preserve\"");
    add(out, ">");
}

/* The parts of a label with another style, such as an exponent. */
static bool open_part(text *out, span tag)
{
    static const char *const names[] = {"font-size", "dy", "font-weight", "font-style"};
    char value[64];
    bool opened = false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        copy_attribute(tag, names[i], "", value, sizeof value);
        if (!value[0]) continue;
        add(out, "%s %s=\"%s\"", opened ? "" : "<tspan", names[i], value);
        opened = true;
    }
    if (opened) add(out, ">");
    return opened;
}

/* Copies from after <text> to after </text>. */
static const char *add_label(writer *w, span tag, const char *at)
{
    bool part = false, first = !find_attribute(tag, "xml:space").start;
    open_label(w, tag);
    while (*at) {
        const size_t words = strcspn(at, "<");
        const size_t blank = first ? strspn(at, " \t\r\n") : 0;
        if (words > blank) add_bytes(&w->labels, at + blank, words - blank);
        first = first && words <= blank;
        at += words;
        const char *close = strchr(at, '>');
        if (!close) break;
        const span inner = {at + 1, (size_t)(close - at - 1)};
        at = close + 1;
        if (is_called(inner, "/text")) break;
        if (is_called(inner, "tspan"))
            part = open_part(&w->labels, inner);
        else if (is_called(inner, "/tspan") && part)
            add(&w->labels, "</tspan>");
    }
    add(&w->labels, "</text>\n");
    return at;
}

/* --- Groups */

static void open_group(writer *w, span tag)
{
    char kind = 'c';
    if (w->depth == DEPTH_MAX) {
        w->body.failed = true;
        return;
    }
    if (find_attribute(tag, "clip-path").start || find_attribute(tag, "opacity").start)
        kind = 'c';
    else if (find_attribute(tag, "font-size").start)
        kind = 't';
    else if (find_attribute(tag, "stroke-width").start)
        kind = 'l';
    else if (find_attribute(tag, "shape-rendering").start)
        kind = 'e';
    else if (find_attribute(tag, "id").start)
        kind = 'i';
    if (kind == 't') w->label = tag;
    if (kind == 'c') copy_tag(w, tag);
    if (kind == 'l') {
        char width[16];
        copy_attribute(tag, "color", "#000", w->colour, sizeof w->colour);
        copy_attribute(tag, "stroke", "currentColor", w->stroke, sizeof w->stroke);
        copy_attribute(tag, "stroke-width", "1", width, sizeof width);
        const double number = strtod(width, NULL);
        w->width[0] = '\0';
        if (fabs(number - 1) > 1e-6) snprintf(w->width, sizeof w->width, "%.3g", number);
    }
    w->groups[w->depth++] = kind;
}

static void close_group(writer *w)
{
    if (w->depth == 0 || w->groups[--w->depth] != 'c') return;
    flush(w);
    add(&w->body, "</g>\n");
}

/* --- The whole picture */

/* The position after an element that is skipped. */
static const char *behind(const char *at, const char *end)
{
    const char *found = strstr(at, end);
    return found ? found + strlen(end) : at + strlen(at);
}

static const char *add_element(writer *w, span tag, const char *at)
{
    if (is_called(tag, "title")) return behind(at, "</title>");
    if (is_called(tag, "desc")) return behind(at, "</desc>");
    if (is_called(tag, "defs")) return behind(at, "</defs>");
    if (is_called(tag, "text")) return add_label(w, tag, at);
    if (tag.length > 0 && (tag.start[0] == '!' || tag.start[0] == '?')) return at;
    if (is_called(tag, "g"))
        open_group(w, tag);
    else if (is_called(tag, "/g"))
        close_group(w);
    else if (is_called(tag, "path"))
        add_path(w, tag);
    else if (is_called(tag, "polygon"))
        add_polygon(w, tag);
    else if (is_called(tag, "use"))
        add_marker(w, tag);
    else
        copy_tag(w, tag);
    return at;
}

static void add_elements(writer *w, const char *at, const char *end)
{
    while ((at = strchr(at, '<')) != NULL && at < end) {
        const char *close = strchr(at, '>');
        if (!close || close > end) break;
        at = add_element(w, (span){at + 1, (size_t)(close - at - 1)}, close + 1);
    }
    flush(w);
}

/* Whether `where` contains a reference to the definition. */
static bool is_used(const writer *w, span definition, const text *where)
{
    char id[32], reference[96];
    copy_attribute(definition, "id", "", id, sizeof id);
    snprintf(reference, sizeof reference, "#%.48s-%s\"", w->prefix, id);
    if (where->length && strstr(where->bytes, reference)) return true;
    reference[strlen(reference) - 1] = '\'';
    return where->length && strstr(where->bytes, reference);
}

/* Copies the markers that the body uses, and the definitions that these use. A definition comes after those to which it
 * refers. */
static void add_definitions(writer *w, const char *at, const char *end, text *out)
{
    const char *tags[64], *close;
    bool used[64] = {false};
    int count = 0;
    text kept = {0};
    while (count < 64 && (at = strchr(at, '<')) != NULL && at < end && (close = strchr(at, '>')) != NULL) {
        tags[count++] = at;
        at = close + 1;
    }
    for (int i = count - 1; i >= 0; i--) {
        const span tag = {tags[i] + 1, (size_t)(strchr(tags[i], '>') - tags[i] - 1)};
        if (!find_attribute(tag, "id").start || tag.start[tag.length - 1] != '/') continue;
        used[i] = is_used(w, tag, &w->body) || is_used(w, tag, &kept);
        if (used[i]) add_with_ids(w, &kept, tag);
    }
    add(out, "<defs>\n");
    for (int i = 0; i < count; i++) {
        if (!used[i]) continue;
        add_with_ids(w, out, (span){tags[i], (size_t)(strchr(tags[i], '>') - tags[i] + 1)});
        add(out, "\n");
    }
    add(out, "</defs>\n");
    out->failed = out->failed || kept.failed;
    free(kept.bytes);
}

char *srq_svg_compact(const char *svg, const char *prefix)
{
    const char *root = strstr(svg, "<svg"), *inner = root ? strchr(root, '>') : NULL;
    const char *end = inner ? strstr(inner, "</svg>") : NULL;
    if (!end) return NULL;
    char view[64];
    writer w = {.prefix = prefix, .colour = "#000", .stroke = "#000"};
    text out = {0};
    copy_attribute((span){root + 1, (size_t)(inner - root - 1)}, "viewBox", "", view, sizeof view);
    add_elements(&w, inner + 1, end);
    add(&out,
        "<svg viewBox=\"%s\" xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" "
        "fill=\"none\" font-family=\"sans-serif\">\n",
        view);
    const char *defs = strstr(inner, "<defs>");
    if (defs) add_definitions(&w, defs + 6, strstr(defs, "</defs>") ? strstr(defs, "</defs>") : end, &out);
    move(&w.body, &out);
    add(&out, "</svg>\n");
    const bool failed = out.failed || w.path.failed || w.labels.failed;
    free(w.body.bytes);
    free(w.path.bytes);
    free(w.labels.bytes);
    free(w.points);
    if (failed) free(out.bytes);
    return failed ? NULL : out.bytes;
}
