/* srq diff: checks whether two checkpoints are of the same run at the same step, bit for bit or within a tolerance. */
#include "experiments/srq/commands.h"
#include "experiments/srq/inspect/tensors.h"
#include "experiments/srq/options.h"
#include "io/checkpoint.h"
#include "io/escape.h"
#include "io/input_statistics.h"
#include "io/progress.h"
#include "io/run.h"
#include "io/run_place.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 10, TEXT_SIZE = 128 };

/* A difference between two objects with the same name. */
typedef struct difference {
    char *name;
    enum { ONLY_FIRST, ONLY_SECOND, OF_KIND, OF_VALUE, OF_NUMBERS } kind; /* the most important kinds first */
    char a[TEXT_SIZE], b[TEXT_SIZE]; /* for OF_KIND: type and shape; for OF_VALUE: the values */
    /* for OF_NUMBERS: */
    const srq_tensor_info *tensor;
    size_t differing; /* how many numbers differ */
    size_t at;        /* index of the largest difference, and the values there */
    double value_a, value_b;
    double largest, relative; /* |a - b|, infinite if one is not finite; the same divided by the largest magnitude in
                                 both tensors */
} difference;

typedef struct options {
    const char *words[2];
    bool json, all;
    bool tolerant; /* a tolerance is given */
    double tolerance, relative;
} options;

typedef struct comparison {
    const options *options;
    srq_h5_reader *readers[2];
    srq_tensors lists[2];
    char config[512];                  /* the first setting that differs, or "" */
    long tensors, numbers, attributes; /* compared */
    size_t count, room;
    difference *differences;
    /* Tensors that are equal within the tolerance, but not bit for bit: */
    long near_tensors;
    double nearest; /* the largest relative difference among these */
} comparison;

/* --- The list of differences */

static srq_status note(comparison *c, const difference *d, const char *name)
{
    if (c->count == c->room) {
        const size_t room = c->room ? 2 * c->room : 64;
        difference *larger = realloc(c->differences, room * sizeof *larger);
        if (!larger) return srq_fail_memory(room * sizeof *larger, "the list of differences");
        c->differences = larger;
        c->room = room;
    }
    difference *made = &c->differences[c->count];
    *made = *d;
    made->name = strdup(name);
    if (!made->name) return srq_fail_memory(strlen(name), "the list of differences");
    c->count++;
    return SRQ_OK;
}

static int by_weight(const void *left, const void *right)
{
    const difference *a = left, *b = right;
    if (a->kind != b->kind) return (a->kind > b->kind) - (a->kind < b->kind);
    if (a->kind == OF_NUMBERS && a->relative != b->relative) return (a->relative < b->relative) ? 1 : -1;
    return strcmp(a->name, b->name);
}

/* --- Numbers */

/* The values of a tensor as stored in the file, because their bits are compared. */
typedef struct numbers {
    enum { FLOATS, DOUBLES, INTEGERS } type;
    void *values;
} numbers;

static double number_at(const numbers *n, size_t i)
{
    return n->type == FLOATS    ? (double)((const float *)n->values)[i]
           : n->type == DOUBLES ? ((const double *)n->values)[i]
                                : (double)((const int64_t *)n->values)[i];
}

static size_t size_of(const numbers *n)
{
    return n->type == FLOATS ? sizeof(float) : sizeof(double);
}

static bool same_bits(const numbers *x, const numbers *y, size_t i)
{
    const size_t size = size_of(x);
    return memcmp((const char *)x->values + i * size, (const char *)y->values + i * size, size) == 0;
}

static srq_status read_numbers(const srq_tensors *list, const srq_tensor_info *t, numbers *n)
{
    n->type = t->type[0] != 'f' ? INTEGERS : strcmp(t->type, "float32") == 0 ? FLOATS : DOUBLES;
    const hid_t type = n->type == FLOATS ? H5T_NATIVE_FLOAT : n->type == DOUBLES ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64;
    n->values = malloc((t->count + 1) * size_of(n));
    if (!n->values) return srq_fail_memory(t->count * size_of(n), t->name);
    return srq_h5_read(list->reader, t->name, type, t->rank, t->shape, n->values);
}

static double largest_magnitude(const numbers *x, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        const double magnitude = fabs(number_at(x, i));
        if (isfinite(magnitude) && magnitude > largest) largest = magnitude;
    }
    return largest;
}

/* If one of them is not finite, the difference is infinite, unless their bits are equal. */
static double distance(double x, double y)
{
    return isfinite(x) && isfinite(y) ? fabs(x - y) : INFINITY;
}

static srq_status compare_numbers(comparison *c, const srq_tensor_info *t, const numbers *x, const numbers *y)
{
    difference d = {.kind = OF_NUMBERS, .tensor = t, .largest = -1};
    size_t beyond = 0;
    /* Integers are steps and bit-lengths, so there is no tolerance. */
    const bool strict = !c->options->tolerant || x->type == INTEGERS;
    const double scale = fmax(largest_magnitude(x, t->count), largest_magnitude(y, t->count));
    const double bound = fmax(c->options->tolerance, c->options->relative * scale);
    for (size_t i = 0; i < t->count; i++) {
        if (same_bits(x, y, i)) continue;
        const double far = distance(number_at(x, i), number_at(y, i));
        d.differing++;
        beyond += strict || !(far <= bound);
        if (far <= d.largest) continue;
        d.largest = far;
        d.at = i;
    }
    if (d.differing == 0) return SRQ_OK;
    d.value_a = number_at(x, d.at);
    d.value_b = number_at(y, d.at);
    d.relative = scale > 0 ? d.largest / scale : isfinite(d.largest) ? 0 : INFINITY; /* 0 for 0 and -0 */
    if (beyond) return note(c, &d, t->name);
    c->near_tensors++;
    c->nearest = fmax(c->nearest, d.relative);
    return SRQ_OK;
}

/* Texts are names, so there is no tolerance. */
static srq_status compare_texts(comparison *c, const char *name)
{
    size_t counts[2] = {0};
    char **texts[2] = {NULL, NULL};
    difference d = {.kind = OF_VALUE};
    srq_status status = SRQ_OK;
    for (int k = 0; k < 2 && status == SRQ_OK; k++)
        status = srq_h5_read_texts(c->readers[k], name, &counts[k], &texts[k]);
    bool same = counts[0] == counts[1];
    snprintf(d.a, sizeof d.a, "%zu texts", counts[0]);
    snprintf(d.b, sizeof d.b, "%zu texts", counts[1]);
    for (size_t i = 0; status == SRQ_OK && same && i < counts[0]; i++) {
        same = strcmp(texts[0][i], texts[1][i]) == 0;
        if (same) continue;
        snprintf(d.a, sizeof d.a, "%s", texts[0][i]);
        snprintf(d.b, sizeof d.b, "%s", texts[1][i]);
    }
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; texts[k] && i < counts[k]; i++) free(texts[k][i]);
        free(texts[k]);
    }
    return status == SRQ_OK && !same ? note(c, &d, name) : status;
}

/* --- Data sets */

static bool same_kind(const srq_tensor_info *a, const srq_tensor_info *b)
{
    bool same = strcmp(a->type, b->type) == 0 && a->numbers == b->numbers && a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++) same = a->shape[i] == b->shape[i];
    return same;
}

static srq_status compare_tensor(comparison *c, const srq_tensor_info *a, const srq_tensor_info *b)
{
    c->tensors++;
    if (!same_kind(a, b)) {
        char shape[SRQ_SHAPE_TEXT];
        difference d = {.kind = OF_KIND};
        snprintf(d.a, sizeof d.a, "%s, %s", srq_shape_print(a->rank, a->shape, shape), a->type);
        snprintf(d.b, sizeof d.b, "%s, %s", srq_shape_print(b->rank, b->shape, shape), b->type);
        return note(c, &d, a->name);
    }
    if (!a->numbers) return compare_texts(c, a->name);
    numbers x = {0}, y = {0};
    c->numbers += (long)a->count;
    srq_status status = read_numbers(&c->lists[0], a, &x);
    if (status == SRQ_OK) status = read_numbers(&c->lists[1], b, &y);
    if (status == SRQ_OK) status = compare_numbers(c, a, &x, &y);
    free(x.values);
    free(y.values);
    return status;
}

static srq_status note_only(comparison *c, const char *name, bool first)
{
    const difference d = {.kind = first ? ONLY_FIRST : ONLY_SECOND};
    return note(c, &d, name);
}

/* The groups from which training resumes. /config is not compared, because two runs with other settings, such as paths,
 * can have the same state. Other objects were added by others. */
static bool is_compared(const char *name)
{
    static const char *const groups[] = {"layers/", "optimizer/", "bits_history/"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strncmp(name, groups[i], strlen(groups[i])) == 0) return true;
    return false;
}

/* Objects that checkpoints of earlier versions do not have, and are equal without: compared if both have them. */
static bool is_compared_in_both(const char *name)
{
    static const char group[] = SRQ_INPUT_STATISTICS "/";
    return strncmp(name, group, strlen(group)) == 0;
}

/* Both lists are in the same order. */
static srq_status compare_tensors(comparison *c)
{
    int i = 0, k = 0;
    const srq_tensors *a = &c->lists[0], *b = &c->lists[1];
    while (i < a->count || k < b->count) {
        const int order = i == a->count ? 1 : k == b->count ? -1 : strcmp(a->all[i].name, b->all[k].name);
        const char *name = order <= 0 ? a->all[i].name : b->all[k].name;
        if (is_compared(name))
            SRQ_TRY(order == 0 ? compare_tensor(c, &a->all[i], &b->all[k]) : note_only(c, name, order < 0));
        else if (order == 0 && is_compared_in_both(name))
            SRQ_TRY(compare_tensor(c, &a->all[i], &b->all[k]));
        i += order <= 0;
        k += order >= 0;
    }
    return SRQ_OK;
}

/* --- Attributes */

static srq_status compare_attribute(comparison *c, const char *object, const char *attribute)
{
    char name[2 * SRQ_TENSOR_NAME_MAX];
    const bool in_a = srq_h5_has_attribute(c->readers[0], object, attribute);
    difference d = {.kind = OF_VALUE};
    snprintf(name, sizeof name, "%s of %s", attribute, object);
    if (in_a != srq_h5_has_attribute(c->readers[1], object, attribute)) return note_only(c, name, in_a);
    if (!in_a) return SRQ_OK;
    c->attributes++;
    SRQ_TRY(srq_h5_print_attribute(c->readers[0], object, attribute, d.a, sizeof d.a));
    SRQ_TRY(srq_h5_print_attribute(c->readers[1], object, attribute, d.b, sizeof d.b));
    return strcmp(d.a, d.b) == 0 ? SRQ_OK : note(c, &d, name);
}

/* Compares all attributes of an object that is in both files, each once. */
static srq_status compare_attributes(comparison *c, const char *object)
{
    for (int k = 0; k < 2; k++) {
        size_t count = 0;
        char **names = NULL;
        srq_status status = srq_h5_attributes(c->readers[k], object, &count, &names);
        for (size_t i = 0; i < count; i++) {
            const bool done = k == 1 && srq_h5_has_attribute(c->readers[0], object, names[i]);
            if (status == SRQ_OK && !done) status = compare_attribute(c, object, names[i]);
            free(names[i]);
        }
        free(names);
        SRQ_TRY(status);
    }
    return SRQ_OK;
}

/* Of the root group, only attributes from which training resumes are compared. The others describe the file (versions,
 * digest), the total number of steps, or an evaluation, which may be missing in one of them. */
static srq_status compare_root(comparison *c)
{
    static const char *const names[] = {
        "step", "penalty", "best_step", "best_validation_error", "best_validation_loss", "evaluations_since_best"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) SRQ_TRY(compare_attribute(c, "/", names[i]));
    return SRQ_OK;
}

/* Of a layer, only those that belong to the state of training. Its settings are compared with the configuration, and
 * checkpoints of earlier versions do not have them. */
static srq_status compare_layer(comparison *c, const char *layer)
{
    static const char *const names[] = {"type",         "index",         "quantizer",   "bits",
                                        "trained_bits", "smallest_code", "largest_code"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) SRQ_TRY(compare_attribute(c, layer, names[i]));
    return SRQ_OK;
}

static srq_status compare_layers(comparison *c)
{
    size_t count = 0;
    char **names = NULL;
    SRQ_TRY(srq_h5_members(c->readers[0], "layers", &count, &names));
    srq_status status = SRQ_OK;
    for (size_t i = 0; i < count; i++) {
        char layer[2 * SRQ_TENSOR_NAME_MAX];
        snprintf(layer, sizeof layer, "layers/%s", names[i]);
        /* A layer that only one file has is shown by its tensors. Without tensors, it has no effect. */
        if (status == SRQ_OK && srq_h5_exists(c->readers[1], layer)) status = compare_layer(c, layer);
        free(names[i]);
    }
    free(names);
    return status;
}

/* Information for the reader: the first different setting that decides results. It does not affect the exit status. */
static void compare_configs(comparison *c)
{
    srq_config *configs[2] = {NULL, NULL};
    bool read = true;
    for (int k = 0; k < 2 && read; k++)
        read = srq_checkpoint_read_config(srq_h5_reader_path(c->readers[k]), &configs[k]) == SRQ_OK;
    if (!read)
        snprintf(c->config, sizeof c->config, "one cannot be read: %.400s", srq_message());
    else if (!srq_config_differs(configs[0], configs[1], true, c->config, sizeof c->config))
        c->config[0] = '\0';
    for (int k = 0; k < 2; k++) srq_config_destroy(&configs[k]);
}

static srq_status compare(comparison *c)
{
    for (int k = 0; k < 2; k++) {
        char path[4200];
        SRQ_TRY(srq_run_place(c->options->words[k], path, sizeof path));
        SRQ_TRY(srq_checkpoint_open(path, &c->readers[k]));
        SRQ_TRY(srq_tensors_list(c->readers[k], &c->lists[k]));
    }
    compare_configs(c);
    SRQ_TRY(compare_root(c));
    SRQ_TRY(compare_attributes(c, "optimizer"));
    SRQ_TRY(compare_layers(c));
    SRQ_TRY(compare_tensors(c));
    if (c->count) qsort(c->differences, c->count, sizeof *c->differences, by_weight);
    return SRQ_OK;
}

/* --- As text */

static int longest_name(const comparison *c, size_t shown)
{
    int longest = 6;
    for (size_t i = 0; i < shown; i++) {
        const int length = (int)strlen(c->differences[i].name);
        if (c->differences[i].kind == OF_NUMBERS && length > longest) longest = length;
    }
    return longest;
}

static void print_difference(const difference *d, int width, bool *titled)
{
    char place[SRQ_SHAPE_TEXT];
    switch (d->kind) {
    case ONLY_FIRST:
    case ONLY_SECOND:
        srq_say("%s: only in the %s\n", d->name, d->kind == ONLY_FIRST ? "first" : "second");
        return;
    case OF_KIND:
    case OF_VALUE:
        srq_say("%s: %s and %s\n", d->name, d->a, d->b);
        return;
    case OF_NUMBERS:
        break;
    }
    if (!*titled) srq_say("%-*s  %9s  %9s  %9s  %s\n", width, "tensor", "differing", "largest", "relative", "at");
    *titled = true;
    srq_say("%-*s  %9zu  %9.3g  %9.3g%s%s\n", width, d->name, d->differing, d->largest, d->relative,
            d->tensor->rank ? "  " : "", srq_place_print(d->tensor->rank, d->tensor->shape, d->at, place));
}

/* The largest difference with both numbers. */
static void print_worst(const comparison *c)
{
    char place[SRQ_SHAPE_TEXT];
    for (size_t i = 0; i < c->count; i++) {
        const difference *d = &c->differences[i];
        if (d->kind != OF_NUMBERS) continue;
        srq_say("largest: %s%s: %.9g and %.9g\n", d->name,
                srq_place_print(d->tensor->rank, d->tensor->shape, d->at, place), d->value_a, d->value_b);
        return;
    }
}

static void print_tolerance(const options *o)
{
    if (o->tolerance > 0) srq_say(", within %.3g", o->tolerance);
    if (o->relative > 0)
        srq_say("%s %.3g of the tensor's largest magnitude", o->tolerance > 0 ? " or" : ", within", o->relative);
}

static void print_verdict(const comparison *c)
{
    const options *o = c->options;
    if (c->count) {
        srq_say("different: %zu of %ld tensors and attributes", c->count, c->tensors + c->attributes);
        print_tolerance(o);
        srq_say("\n");
        return;
    }
    srq_say("equal: %ld tensor%s, %ld number%s", c->tensors, srq_plural(c->tensors), c->numbers,
            srq_plural(c->numbers));
    if (!c->near_tensors) {
        srq_say(", bit for bit\n");
        return;
    }
    print_tolerance(o);
    srq_say("\nnot bit for bit: %ld tensor%s differ%s, by at most %.3g of the largest magnitude\n", c->near_tensors,
            c->near_tensors == 1 ? "" : "s", c->near_tensors == 1 ? "s" : "", c->nearest);
}

static void print_text(const comparison *c)
{
    const size_t shown = c->options->all || c->count < SHOWN ? c->count : SHOWN;
    const int width = longest_name(c, shown);
    bool titled = false;
    for (size_t i = 0; i < shown; i++) print_difference(&c->differences[i], width, &titled);
    if (c->count > shown) srq_say("... and %zu more (--all)\n", c->count - shown);
    print_worst(c);
    if (c->config[0]) srq_say("configurations: %s\n", c->config);
    print_verdict(c);
}

/* --- As JSON */

static void json_place(const difference *d)
{
    size_t place[8] = {0}, index = d->at;
    for (int i = d->tensor->rank; i-- > 0;) {
        place[i] = index % d->tensor->shape[i];
        index /= d->tensor->shape[i];
    }
    srq_json_shape(d->tensor->rank, place, stdout);
}

static void json_difference(const difference *d)
{
    static const char *const kinds[] = {"only_in_first", "only_in_second", "kind", "value", "numbers"};
    char name[2 * SRQ_TENSOR_NAME_MAX + 64], a[6 * TEXT_SIZE], b[6 * TEXT_SIZE];
    srq_say("{\"name\": %s, \"what\": \"%s\"", srq_json_quote(d->name, name, sizeof name), kinds[d->kind]);
    if (d->kind == OF_KIND || d->kind == OF_VALUE)
        srq_say(", \"first\": %s, \"second\": %s", srq_json_quote(d->a, a, sizeof a),
                srq_json_quote(d->b, b, sizeof b));
    if (d->kind == OF_NUMBERS) {
        srq_say(", \"count\": %zu, \"differing\": %zu, \"largest\": %s", d->tensor->count, d->differing,
                srq_json_number(d->largest, a));
        srq_say(", \"relative\": %s, \"at\": ", srq_json_number(d->relative, a));
        json_place(d);
        srq_say(", \"first\": %s, \"second\": %s", srq_json_number(d->value_a, a), srq_json_number(d->value_b, b));
    }
    srq_say("}");
}

static void print_json(const comparison *c)
{
    const options *o = c->options;
    char text[4600], number[SRQ_JSON_NUMBER];
    srq_say("{\"first\": %s,\n", srq_json_quote(srq_h5_reader_path(c->readers[0]), text, sizeof text));
    srq_say(" \"second\": %s,\n", srq_json_quote(srq_h5_reader_path(c->readers[1]), text, sizeof text));
    srq_say(" \"equal\": %s, \"bit_for_bit\": %s,\n", c->count ? "false" : "true",
            c->count || c->near_tensors ? "false" : "true");
    srq_say(" \"tolerance\": %s,", o->tolerant ? srq_json_number(o->tolerance, number) : "null");
    srq_say(" \"relative_tolerance\": %s,\n", o->tolerant ? srq_json_number(o->relative, number) : "null");
    srq_say(" \"tensors\": %ld, \"numbers\": %ld, \"attributes\": %ld, \"within_tolerance\": %ld,\n", c->tensors,
            c->numbers, c->attributes, c->near_tensors);
    srq_say(" \"configurations\": %s,\n", c->config[0] ? srq_json_quote(c->config, text, sizeof text) : "null");
    srq_say(" \"differences\": [");
    for (size_t i = 0; i < c->count; i++) {
        srq_say("%s\n  ", i ? "," : "");
        json_difference(&c->differences[i]);
    }
    srq_say("]}\n");
}

/* --- The command */

static const char usage[] = "usage: srq diff A B [--tolerance ABSOLUTE] [--relative SHARE] [--all] [--json]";

static srq_status parse_number(const char *option, const char *text, options *o, double *value)
{
    char *end;
    if (!text) return srq_fail(SRQ_ERROR_USAGE, "diff: a value is missing after %s; %s", option, usage);
    errno = 0;
    *value = strtod(text, &end);
    if (end == text || *end || !isfinite(*value) || *value < 0)
        return srq_fail(SRQ_ERROR_USAGE, "diff: %s must be a number of 0 or more, but is \"%s\"", option, text);
    o->tolerant = true;
    return SRQ_OK;
}

static srq_status parse(int argc, char **argv, options *o)
{
    int words = 0;
    char hint[SRQ_HINT_SIZE];
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            o->json = true;
        else if (strcmp(argv[i], "--all") == 0)
            o->all = true;
        else if (strcmp(argv[i], "--tolerance") == 0)
            SRQ_TRY(parse_number("--tolerance", i + 1 < argc ? argv[++i] : NULL, o, &o->tolerance));
        else if (strcmp(argv[i], "--relative") == 0)
            SRQ_TRY(parse_number("--relative", i + 1 < argc ? argv[++i] : NULL, o, &o->relative));
        else if (argv[i][0] == '-' || words == 2)
            return srq_fail(SRQ_ERROR_USAGE, "diff: this is not expected: %s; %s",
                            srq_option_hint("diff", argv[i], hint, sizeof hint), usage);
        else
            o->words[words++] = argv[i];
    }
    return words == 2 ? SRQ_OK : srq_fail(SRQ_ERROR_USAGE, "diff: two checkpoints are needed; %s", usage);
}

srq_status srq_command_diff(int argc, char **argv)
{
    options o = {0};
    SRQ_TRY(parse(argc, argv, &o));
    comparison c = {.options = &o};
    srq_status status = compare(&c);
    if (status == SRQ_OK) {
        o.json ? print_json(&c) : print_text(&c);
        status = c.count ? SRQ_NO : SRQ_OK;
    }
    for (size_t i = 0; i < c.count; i++) free(c.differences[i].name);
    free(c.differences);
    for (int k = 0; k < 2; k++) {
        srq_tensors_free(&c.lists[k]);
        srq_h5_reader_close(&c.readers[k]);
    }
    return status;
}
