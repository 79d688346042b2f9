#include "io/class_results.h"

#include "io/escape.h"
#include "io/file.h"

#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "srq-classes"
enum { VERSION = 1, CLASSES_MAX = 1 << 20, TEXT_MAX = 1 << 26 };

srq_status srq_class_results_create(int classes, char *const *names, srq_class_results *r)
{
    const size_t n = (size_t)classes, cells = classes <= SRQ_CONFUSION_MAX ? n * n : 0;
    *r = (srq_class_results){.classes = classes,
                             .names = calloc(n, sizeof *r->names),
                             .images = calloc(n, sizeof *r->images),
                             .errors = calloc(n, sizeof *r->errors),
                             .confusion = cells ? calloc(cells, sizeof *r->confusion) : NULL};
    bool whole = r->names && r->images && r->errors && (!cells || r->confusion);
    for (int c = 0; whole && c < classes; c++) whole = (r->names[c] = strdup(names[c])) != NULL;
    return whole ? SRQ_OK : srq_fail_memory((cells + 3 * n) * sizeof(long), "the results by class");
}

void srq_class_results_free(srq_class_results *r)
{
    for (int c = 0; r->names && c < r->classes; c++) free(r->names[c]);
    free(r->names);
    free(r->images);
    free(r->errors);
    free(r->confusion);
    *r = (srq_class_results){0};
}

void srq_class_results_sum(srq_class_results *r)
{
    r->count = r->wrong = 0;
    for (int c = 0; c < r->classes; c++) {
        const long *row = r->confusion ? r->confusion + (size_t)c * (size_t)r->classes : NULL;
        if (row) r->images[c] = 0;
        for (int k = 0; row && k < r->classes; k++) r->images[c] += row[k];
        if (row) r->errors[c] = r->images[c] - row[c];
        r->count += r->images[c];
        r->wrong += r->errors[c];
    }
}

/* --- Writing */

void srq_class_results_print_json(const srq_class_results *r, FILE *out)
{
    if (r->classes >= SRQ_CLASSES_TOP5)
        fprintf(out, "\"top5_error\": %.17g,\n ", r->count ? (double)r->beyond5 / (double)r->count : 0);
    fputs("\"classes\": [", out);
    for (int c = 0; c < r->classes; c++) {
        fputs(c ? ",\n  {\"name\": " : "\n  {\"name\": ", out);
        srq_print_escaped(r->names[c], SRQ_ESCAPE_JSON, out);
        fprintf(out, ", \"count\": %ld, \"wrong\": %ld}", r->images[c], r->errors[c]);
    }
    fputs("\n ]", out);
    for (int c = 0; r->confusion && c < r->classes; c++) {
        const long *row = r->confusion + (size_t)c * (size_t)r->classes;
        fputs(c ? "],\n  [" : ",\n \"confusion\": [\n  [", out);
        for (int k = 0; k < r->classes; k++) fprintf(out, "%s%ld", k ? ", " : "", row[k]);
    }
    if (r->confusion) fputs("]\n ]", out);
}

srq_status srq_class_results_write(const char *folder, const srq_class_results *r)
{
    char *text = NULL, path[4400];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return srq_fail_memory(0, SRQ_CLASS_RESULTS_FILE);
    fprintf(out,
            "{\"format\": \"" FORMAT "\",\n \"version\": %d,\n \"step\": %ld,\n \"test_count\": %ld,\n \"test_wrong\": "
            "%ld,\n ",
            VERSION, r->step, r->count, r->wrong);
    srq_class_results_print_json(r, out);
    fputs("}\n", out);
    snprintf(path, sizeof path, "%s/" SRQ_CLASS_RESULTS_FILE, folder);
    const srq_status status =
        fclose(out) == 0 ? srq_file_write_atomic(path, text, size) : srq_fail_memory(size, SRQ_CLASS_RESULTS_FILE);
    free(text);
    return status;
}

/* --- Reading: the content is not trusted */

/* A count from 0 to 2^40, so that sums over classes do not overflow, or -1. */
static long count_of(const json_t *value)
{
    const json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    return number >= 0 && number <= (json_int_t)1 << 40 ? (long)number : -1;
}

/* Each function returns what is wrong, or NULL. */

static const char *read_classes(const json_t *classes, srq_class_results *r)
{
    for (int c = 0; c < r->classes; c++) {
        const json_t *entry = json_array_get(classes, (size_t)c);
        const char *name = json_string_value(json_object_get(entry, "name"));
        r->images[c] = count_of(json_object_get(entry, "count"));
        r->errors[c] = count_of(json_object_get(entry, "wrong"));
        if (!name || r->images[c] < 0 || r->errors[c] < 0 || r->errors[c] > r->images[c])
            return "an entry of \"classes\" has no name, or its counts are no numbers of images";
        char *copy = strdup(name);
        if (!copy) return "no memory for the names of classes";
        free(r->names[c]);
        r->names[c] = copy;
    }
    return NULL;
}

static const char *read_confusion(const json_t *rows, srq_class_results *r)
{
    const size_t n = (size_t)r->classes;
    if (!r->confusion) return rows ? "\"confusion\" is only for 1000 classes or fewer" : NULL;
    if (!json_is_array(rows) || json_array_size(rows) != n) return "\"confusion\" must have a row for each class";
    for (size_t c = 0; c < n; c++) {
        const json_t *row = json_array_get(rows, c);
        long sum = 0;
        if (!json_is_array(row) || json_array_size(row) != n) return "a row of \"confusion\" has another length";
        for (size_t k = 0; k < n; k++) {
            const long count = r->confusion[c * n + k] = count_of(json_array_get(row, k));
            if (count < 0 || count > r->images[c] - sum) return "a row of \"confusion\" contradicts \"classes\"";
            sum += count;
        }
        if (sum != r->images[c] || r->images[c] - r->confusion[c * n + c] != r->errors[c])
            return "a row of \"confusion\" contradicts \"classes\"";
    }
    return NULL;
}

static const char *read_all(const json_t *root, srq_class_results *r)
{
    const char *format = json_string_value(json_object_get(root, "format"));
    const json_t *classes = json_object_get(root, "classes"), *top5 = json_object_get(root, "top5_error");
    const size_t n = json_array_size(classes);
    if (!format || strcmp(format, FORMAT) != 0) return "it is no file of the format " FORMAT;
    if (count_of(json_object_get(root, "version")) != VERSION)
        return "it is of a version that this program cannot read";
    if (n < 1 || n > CLASSES_MAX) return "\"classes\" must be a list of 1 to 2^20 classes";
    char *empty = "", **names = calloc(n, sizeof *names);
    for (size_t c = 0; names && c < n; c++) names[c] = empty;
    const srq_status status = names ? srq_class_results_create((int)n, names, r) : SRQ_ERROR_RUN;
    free(names);
    if (status != SRQ_OK) return "no memory for it";
    r->step = count_of(json_object_get(root, "step"));
    if (r->step < 0) return "\"step\" must be a number from 0 on";
    const char *problem = read_classes(classes, r);
    if (!problem) problem = read_confusion(json_object_get(root, "confusion"), r);
    if (problem) return problem;
    srq_class_results_sum(r);
    const double share = json_is_number(top5) ? json_number_value(top5) : 0;
    if (!(share >= 0 && share <= 1)) return "\"top5_error\" must be from 0 to 1";
    r->beyond5 = (long)(share * (double)r->count + 0.5);
    if (count_of(json_object_get(root, "test_count")) != r->count ||
        count_of(json_object_get(root, "test_wrong")) != r->wrong)
        return "\"test_count\" or \"test_wrong\" contradicts \"classes\"";
    return NULL;
}

srq_status srq_class_results_read(const char *folder, srq_class_results *r)
{
    char path[4400], *text = NULL;
    json_error_t error;
    *r = (srq_class_results){0};
    snprintf(path, sizeof path, "%s/" SRQ_CLASS_RESULTS_FILE, folder);
    SRQ_TRY(srq_file_read_text(path, TEXT_MAX, &text));
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    free(text);
    const char *problem = root ? read_all(root, r) : "it is not JSON";
    json_decref(root);
    if (!problem) return SRQ_OK;
    srq_class_results_free(r);
    return srq_fail(SRQ_ERROR_DATA, "%s: %s; make it again with `srq eval %s --classes --json`", path, problem, folder);
}
