#include "io/config_tree.h"

#include "io/file.h"
#include "io/path.h"
#include "io/schema.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 20, INCLUDE_LIMIT = 64, INCLUDE_DEPTH = 10, LEVELS_MAX = 64, MEMBERS_MAX = 4096 };

/* --- Before libconfig */

typedef struct srq_scan {
    const char *path, *folder; /* name of the file, for messages; folder at which @include starts */
    int line, depth;
    int *included; /* files so far; NULL: no file may be included */
} srq_scan;

static srq_status scan_text(const srq_scan *outer, const char *text);

/* libconfig itself opens included files, so that their mark cannot be left out. */
static bool begins_with_mark(const char *path)
{
    char begin[3] = "";
    FILE *stream = fopen(path, "rb");
    const bool whole = stream && fread(begin, 1, sizeof begin, stream) == sizeof begin;
    if (stream) fclose(stream);
    return whole && memcmp(begin, "\xef\xbb\xbf", 3) == 0;
}

/* `at` is after @include's opening quote. */
static srq_status scan_include(const srq_scan *scan, const char *at)
{
    char path[2 * SRQ_PATH_MAX], *text = NULL;
    size_t length = 0;
    if (!scan->included)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s:%d: @include of \"%.*s\", but this text must be complete in itself; only the files of a "
                        "configuration can include others",
                        scan->path, scan->line, (int)strcspn(at, "\"\n"), at);
    if (*at == '/') /* libconfig adds the folder */
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s:%d: @include of \"%.*s\", but its path must start at the folder of the configuration that "
                        "is read, such as \"../base.cfg\"",
                        scan->path, scan->line, (int)strcspn(at, "\"\n"), at);
    if (strcmp(scan->folder, ".") != 0) length = (size_t)snprintf(path, sizeof path, "%s/", scan->folder);
    for (; *at && *at != '"' && length < sizeof path - 1; at++) {
        if (*at == '\\' && at[1]) at++;
        path[length++] = *at;
    }
    path[length] = '\0';
    if (scan->depth >= INCLUDE_DEPTH || ++*scan->included > INCLUDE_LIMIT)
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s:%d: @include is nested more than %d files deep, or includes more than %d files; does a "
                        "file include itself?",
                        scan->path, scan->line, INCLUDE_DEPTH, INCLUDE_LIMIT);
    /* If a file cannot be read, the message names the line that includes it. */
    if (srq_file_read_text(path, FILE_LIMIT, &text) != SRQ_OK)
        return srq_fail(SRQ_ERROR_USAGE, "%s:%d: @include: %s", scan->path, scan->line, srq_message());
    if (begins_with_mark(path)) {
        free(text);
        return srq_fail(SRQ_ERROR_USAGE,
                        "%s:%d: @include: %s begins with a byte-order mark, which libconfig reads only past in the "
                        "outermost file; save it as UTF-8 without the mark",
                        scan->path, scan->line, path);
    }
    srq_scan inner = {.path = path, .folder = scan->folder, .depth = scan->depth + 1, .included = scan->included};
    srq_status status = scan_text(&inner, text);
    free(text);
    return status;
}

/* A float, which must not become infinite, or 0 where it is not. `at` may be a sign alone. */
static srq_status scan_float(const srq_scan *scan, const char *at, int length)
{
    char *stop;
    errno = 0;
    const double value = strtod(at, &stop);
    if (stop == at || errno != ERANGE) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s:%d: the number %.*s does not fit in 64-bit floating point; %s", scan->path,
                    scan->line, length > 60 ? 60 : length, at,
                    fabs(value) > 1 ? "use a smaller one" : "write 0 or a larger one");
}

/* The end of the number at `at`. A number must be one that libconfig does not change. */
static srq_status scan_number(const srq_scan *scan, const char *at, const char **end)
{
    const char *digits = at + (*at == '-' || *at == '+');
    const bool hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
    const char *behind = digits + strspn(digits, "0123456789");
    *end = behind + strspn(behind, ".0123456789eE+-");
    /* A float, or only a sign. */
    if (!hexadecimal && (behind == digits || *end != behind)) return scan_float(scan, at, (int)(*end - at));
    char *stop;
    errno = 0;
    const long long value = strtoll(at, &stop, hexadecimal ? 16 : 10);
    *end = stop + strspn(stop, "L");
    const int length = (int)(*end - at);
    if (errno == ERANGE)
        return srq_fail(SRQ_ERROR_USAGE, "%s:%d: the integer %.*s does not fit in 64 bits; use a smaller one",
                        scan->path, scan->line, length > 60 ? 60 : length, at);
    if (*end == stop && (value < INT_MIN || value > INT_MAX))
        return srq_fail(SRQ_ERROR_USAGE, "%s:%d: the integer %.*s does not fit in 32 bits; write it as %.*sL",
                        scan->path, scan->line, length, at, length, at);
    return SRQ_OK;
}

/* libconfig takes the end of the file for the end of a comment, and with it everything in between. */
static srq_status skip_comment(srq_scan *scan, const char *at, const char **end)
{
    const int start = scan->line;
    if (at[0] == '#' || at[1] == '/') {
        *end = at + strcspn(at, "\n");
        return SRQ_OK;
    }
    const char *close = strstr(at + 2, "*/");
    if (!close)
        return srq_fail(SRQ_ERROR_USAGE, "%s:%d: the comment that begins here with /* has no end; add */", scan->path,
                        start);
    *end = close + 2;
    for (; at < *end; at++) scan->line += *at == '\n';
    return SRQ_OK;
}

/* libconfig leaks memory in a text without an end. */
static srq_status skip_quoted(srq_scan *scan, const char *at, const char **end)
{
    const int start = scan->line;
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1]) at++;
        scan->line += *at == '\n';
    }
    *end = at + (*at == '"');
    if (*at) return SRQ_OK;
    return srq_fail(SRQ_ERROR_USAGE, "%s:%d: the text that begins here has no closing quote; add one", scan->path,
                    start);
}

/* The opening quote of an @include, which must be the first thing on its line, or NULL. */
static const char *include_at(const char *text, const char *at)
{
    const char *begin = at, *quote = at + strlen("@include");
    while (begin > text && (begin[-1] == ' ' || begin[-1] == '\t')) begin--;
    if ((begin > text && begin[-1] != '\n') || strncmp(at, "@include", strlen("@include")) != 0) return NULL;
    const size_t blanks = strspn(quote, " \t");
    return blanks && quote[blanks] == '"' ? quote + blanks : NULL;
}

/* The groups and lists around a place, and the number of settings so far in each. */
typedef struct srq_nesting {
    int level, members[LEVELS_MAX];
} srq_nesting;

/* libconfig compares each setting with all before it in its group: minutes for a text of 1 MB with one group. */
static srq_status count_members(const srq_scan *scan, srq_nesting *n, char c)
{
    if (strchr("{([", c)) {
        if (n->level == LEVELS_MAX - 1)
            return srq_fail(SRQ_ERROR_USAGE,
                            "%s:%d: groups and lists are nested more than %d deep; does one of them lack its end?",
                            scan->path, scan->line, LEVELS_MAX - 1);
        n->members[++n->level] = 0;
    } else if (strchr("})]", c)) {
        n->level -= n->level > 0;
    } else if ((c == '=' || c == ':') && ++n->members[n->level] > MEMBERS_MAX) {
        return srq_fail(SRQ_ERROR_USAGE, "%s:%d: a group has at most %d settings; is this a configuration?", scan->path,
                        scan->line, MEMBERS_MAX);
    }
    return SRQ_OK;
}

static srq_status scan_text(const srq_scan *outer, const char *text)
{
    srq_nesting nesting = {0};
    srq_scan scan = *outer;
    scan.line = 1;
    for (const char *at = text; *at;) {
        const char *quote;
        if (*at == '#' || (*at == '/' && (at[1] == '/' || at[1] == '*'))) {
            SRQ_TRY(skip_comment(&scan, at, &at));
        } else if (*at == '@' && (quote = include_at(text, at))) {
            SRQ_TRY(scan_include(&scan, quote + 1));
            at = quote;
        } else if (*at == '"') {
            SRQ_TRY(skip_quoted(&scan, at, &at));
        } else if (isalpha((unsigned char)*at) || *at == '*') {
            while (isalnum((unsigned char)*at) || (*at && strchr("*_-", *at))) at++;
        } else if (*at && strchr("+-.0123456789", *at)) {
            const char *end = at;
            SRQ_TRY(scan_number(&scan, at, &end));
            at = end > at ? end : at + 1;
        } else {
            SRQ_TRY(count_members(&scan, &nesting, *at));
            scan.line += *at == '\n';
            at++;
        }
    }
    return SRQ_OK;
}

/* --- Reading with libconfig */

static srq_status parsed(config_t *tree, int whole, const char *name)
{
    if (whole == CONFIG_TRUE) return SRQ_OK;
    char path[2 * SRQ_PATH_MAX];
    const char *text = config_error_text(tree), *hint = "";
    if (strcmp(text, "syntax error") == 0)
        hint = " here or just before; settings look like `name = value;` and groups like `name = { ... };`";
    if (strncmp(text, "duplicate", 9) == 0) hint = "; keep one of the two";
    srq_source(tree, config_error_file(tree), name, path, sizeof path);
    return srq_fail(SRQ_ERROR_USAGE, "%s:%d: %s%s", path, config_error_line(tree), text, hint);
}

srq_status srq_tree_read(config_t *tree, const char *path)
{
    char folder[SRQ_PATH_MAX], *text = NULL;
    int included = 0;
    srq_path_folder(path, folder);
    srq_status status = srq_file_read_text(path, FILE_LIMIT, &text);
    if (status == SRQ_ERROR_DATA) return srq_fail(SRQ_ERROR_USAGE, "%s", srq_message());
    SRQ_TRY(status);
    status = scan_text(&(srq_scan){.path = path, .folder = folder, .included = &included}, text);
    config_set_include_dir(tree, folder);
    if (status == SRQ_OK) status = parsed(tree, config_read_string(tree, text), path);
    free(text);
    return status;
}

srq_status srq_tree_parse(config_t *tree, const char *text, const char *name)
{
    SRQ_TRY(scan_text(&(srq_scan){.path = name, .folder = "."}, text));
    return parsed(tree, config_read_string(tree, text), name);
}
