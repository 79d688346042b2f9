/* sum = product { (+|-) product }; product = factor { (*|/) factor }; factor = integer | name | ( sum ) | - factor */
#include "io/expression.h"

#include "io/schema.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIABLES_MAX = 64, DEPTH_MAX = 32 };
static const long LARGEST = 0x7fffffff;

typedef struct reader {
    const char *at;
    int depth;
    int count;
    const srq_variable *variables;
    char *what; /* empty until there is a mistake */
    size_t what_size;
} reader;

bool srq_expression_is(const char *text)
{
    for (; *text; text++)
        if (isalnum((unsigned char)*text) || *text == '_') return true;
    return false;
}

static long read_sum(reader *r);

/* The first mistake is reported. */
static long wrong(reader *r, const char *what)
{
    if (!r->what[0]) snprintf(r->what, r->what_size, "%s", what);
    r->at += strlen(r->at);
    return 0;
}

static char next(reader *r)
{
    r->at += strspn(r->at, " \t");
    return *r->at;
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static long read_name(reader *r)
{
    char name[64], what[256];
    const char *names[VARIABLES_MAX];
    size_t length = 0;
    while (is_name(r->at[length])) length++;
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), r->at);
    r->at += length;
    int count = 0;
    for (; count < r->count && count < VARIABLES_MAX; count++) {
        names[count] = r->variables[count].name;
        if (strcmp(names[count], name) == 0) return r->variables[count].value;
    }
    if (count == 0)
        snprintf(what, sizeof what, "no parameter is called \"%s\"", name);
    else
        snprintf(what, sizeof what, "no parameter is called \"%s\"; did you mean \"%s\"?", name,
                 srq_closest(name, names, count));
    return wrong(r, what);
}

static long read_number(reader *r)
{
    char *end;
    const long value = strtol(r->at, &end, 10);
    if (value > LARGEST || is_name(*end)) return wrong(r, "a number is too large or not an integer");
    r->at = end;
    return value;
}

static long read_factor(reader *r)
{
    const char c = next(r);
    long value;
    if (isdigit((unsigned char)c)) return read_number(r);
    if (is_name(c)) return read_name(r);
    if (c != '-' && c != '(') return wrong(r, c ? "a name, a number or \"(\" is expected" : "it ends too early");
    if (++r->depth > DEPTH_MAX) return wrong(r, "it is nested too deeply");
    r->at++;
    if (c == '-') {
        value = -read_factor(r);
    } else {
        value = read_sum(r);
        if (next(r) != ')') return wrong(r, "a \")\" is missing");
        r->at++;
    }
    r->depth--;
    return value;
}

static long bounded(reader *r, long long value)
{
    if (value >= -LARGEST && value <= LARGEST) return (long)value;
    return wrong(r, "the result is too large");
}

static long read_product(reader *r)
{
    long value = read_factor(r);
    while (next(r) == '*' || *r->at == '/') {
        const bool times = *r->at++ == '*';
        const long by = read_factor(r);
        char what[128];
        if (!times && (by == 0 || value % by != 0)) {
            snprintf(what, sizeof what, by ? "%ld / %ld is not an integer" : "%ld / %ld is a division by zero", value,
                     by);
            return wrong(r, what);
        }
        value = times ? bounded(r, (long long)value * by) : value / by;
    }
    return value;
}

static long read_sum(reader *r)
{
    long value = read_product(r);
    while (next(r) == '+' || *r->at == '-') {
        const bool plus = *r->at++ == '+';
        const long other = read_product(r);
        value = bounded(r, plus ? (long long)value + other : (long long)value - other);
    }
    return value;
}

bool srq_expression_evaluate(const char *text, int count, const srq_variable *variables, long *value, char *what,
                             size_t what_size)
{
    reader r = {.at = text, .count = count, .variables = variables, .what = what, .what_size = what_size};
    what[0] = '\0';
    *value = read_sum(&r);
    if (!what[0] && next(&r)) wrong(&r, "an operator is missing between two numbers or names");
    return !what[0];
}
