#include "experiments/srq/inspect/inspect_tensor.h"

#include "experiments/srq/inspect/distribution.h"
#include "experiments/srq/inspect/tensors.h"
#include "io/checkpoint.h"
#include "io/escape.h"
#include "io/progress.h"
#include "io/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 20, ROWS_MAX = 32, SCREEN = 78 };

/* The grid of a layer's weights, according to the file. */
typedef struct grid {
    char method[32];
    int64_t bits, smallest, largest;
    const srq_tensor_info *alphas;
    double *alpha; /* [alphas->count] */
    srq_points points;
    srq_grid_counts counts;
} grid;

/* A tensor and its statistics. */
typedef struct view {
    const srq_tensors *list;
    const srq_tensor_info *tensor;
    double *values;
    srq_statistics statistics;
    bool quantized;
    grid grid;
    int bins;            /* the histogram of a tensor that is not quantized ... */
    size_t counts[BINS]; /* ... over min to max */
} view;

/* --- Reading the file */

static const srq_tensor_info *find_exactly(const srq_tensors *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->all[i].name, name) == 0) return &list->all[i];
    return NULL;
}

/* "layers/conv1/weight" to "layers/conv1". False for other tensors. */
static bool layer_of_weights(const char *name, char *layer, size_t size)
{
    const char *slash = strrchr(name, '/');
    if (strncmp(name, "layers/", 7) != 0 || !slash || strcmp(slash, "/weight") != 0) return false;
    snprintf(layer, size, "%.*s", (int)(slash - name), name);
    return true;
}

/* Reads points, which the file has if they are not the codes themselves. */
static srq_status read_points(view *v, const char *layer)
{
    grid *g = &v->grid;
    char name[SRQ_TENSOR_NAME_MAX + 16];
    float table[SRQ_CODES_MAX];
    double *values = NULL;
    const size_t count = (size_t)(g->largest - g->smallest) + 1;
    snprintf(name, sizeof name, "%s/weight_points", layer);
    const srq_tensor_info *found = find_exactly(v->list, name);
    srq_points_make((int)g->smallest, (int)g->largest, NULL, &g->points);
    if (!found) return SRQ_OK;
    if (found->count != count)
        return srq_fail(SRQ_ERROR_DATA, "%s: %s has %zu points for %zu codes", srq_h5_reader_path(v->list->reader),
                        layer, found->count, count);
    SRQ_TRY(srq_tensor_read(v->list, found, &values));
    for (size_t i = 0; i < count; i++) table[i] = (float)values[i];
    free(values);
    srq_points_set((int)g->smallest, (int)g->largest, table, &g->points);
    return SRQ_OK;
}

static srq_status read_grid(view *v, const char *layer)
{
    const srq_h5_reader *reader = v->list->reader;
    grid *g = &v->grid;
    SRQ_TRY(srq_h5_read_attribute_text(reader, layer, "quantizer", g->method, sizeof g->method));
    SRQ_TRY(srq_h5_read_attribute_int(reader, layer, "bits", &g->bits));
    SRQ_TRY(srq_h5_read_attribute_int(reader, layer, "smallest_code", &g->smallest));
    SRQ_TRY(srq_h5_read_attribute_int(reader, layer, "largest_code", &g->largest));
    if (g->smallest < -SRQ_CODES_MAX || g->largest > SRQ_CODES_MAX || g->smallest > g->largest ||
        g->largest - g->smallest >= SRQ_CODES_MAX)
        return srq_fail(SRQ_ERROR_DATA, "%s: codes of %s are from %lld to %lld, which is not a grid of at most 8 bits",
                        srq_h5_reader_path(reader), layer, (long long)g->smallest, (long long)g->largest);
    const size_t rows = g->alphas->count;
    if (rows == 0 || v->tensor->count % rows != 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: %s has %zu step sizes for %zu weights", srq_h5_reader_path(reader), layer,
                        rows, v->tensor->count);
    SRQ_TRY(read_points(v, layer));
    SRQ_TRY(srq_tensor_read(v->list, g->alphas, &g->alpha));
    srq_grid_count(v->tensor->count, rows, v->values, g->alpha, &g->points, &g->counts);
    v->quantized = true;
    return SRQ_OK;
}

static srq_status fill_view(view *v)
{
    char layer[SRQ_TENSOR_NAME_MAX], name[SRQ_TENSOR_NAME_MAX + 16];
    SRQ_TRY(srq_tensor_read(v->list, v->tensor, &v->values));
    SRQ_TRY(srq_statistics_take(v->tensor->count, v->values, &v->statistics));
    if (layer_of_weights(v->tensor->name, layer, sizeof layer) &&
        srq_h5_has_attribute(v->list->reader, layer, "quantizer")) {
        snprintf(name, sizeof name, "%s/weight_alpha", layer);
        v->grid.alphas = find_exactly(v->list, name);
        if (v->grid.alphas) return read_grid(v, layer);
    }
    const srq_statistics *s = &v->statistics;
    if (s->finite > 1) {
        v->bins = s->min < s->max ? BINS : 1;
        srq_histogram(v->tensor->count, v->values, s->min, s->max, v->bins, v->counts);
    }
    return SRQ_OK;
}

/* --- As text */

/* Prints a count, its share, and a bar with a length relative to the largest count. */
static void print_bar(int indent, size_t count, size_t of, size_t largest)
{
    static const char bar[] = "################################################################################";
    char text[32];
    const int room = SCREEN - indent - 26;
    int length = largest ? (int)((double)count / (double)largest * room + 0.5) : 0;
    if (count && !length) length = 1; /* a small count has a bar as well */
    srq_say("%15s  %6.2f %%%s%.*s\n", srq_grouped((long)count, text, sizeof text),
            of ? 100 * (double)count / (double)of : 0, length ? "  " : "", length, bar);
}

static size_t largest_of(int n, const size_t *counts)
{
    size_t largest = 0;
    for (int i = 0; i < n; i++)
        if (counts[i] > largest) largest = counts[i];
    return largest;
}

static void print_statistics(const view *v)
{
    const srq_statistics *s = &v->statistics;
    char shape[SRQ_SHAPE_TEXT], count[32];
    const double all = s->count ? (double)s->count : 1;
    srq_say("shape    %s, %s, %s number%s\n", srq_shape_print(v->tensor->rank, v->tensor->shape, shape),
            v->tensor->type, srq_grouped((long)s->count, count, sizeof count), s->count == 1 ? "" : "s");
    if (s->count == 1) {
        srq_say("value    %.9g\n", v->values[0]);
        return;
    }
    srq_say("zeros    %s (%.2f %%)\n", srq_grouped((long)s->zeros, count, sizeof count), 100 * (double)s->zeros / all);
    if (s->finite == s->count)
        srq_say("finite   all\n");
    else
        srq_say("finite   %s; %zu NaN, %zu infinite\n", srq_grouped((long)s->finite, count, sizeof count), s->nans,
                s->infinities);
    if (!s->finite) return;
    srq_say("\n%11s%11s%11s%11s\n", "least", "largest", "mean", "deviation");
    srq_say("%11.4g%11.4g%11.4g%11.4g\n", s->min, s->max, s->mean, s->deviation);
    srq_say("\nquantiles\n");
    for (int q = 0; q < SRQ_QUANTILES; q++) srq_say("%9.0f %%", 100 * srq_quantile_shares[q]);
    srq_say("\n");
    for (int q = 0; q < SRQ_QUANTILES; q++) srq_say("%11.4g", s->quantiles[q]);
    srq_say("\n");
}

static void print_alphas(const grid *g)
{
    double least = g->alpha[0], most = g->alpha[0];
    for (size_t i = 1; i < g->alphas->count; i++) {
        least = fmin(least, g->alpha[i]);
        most = fmax(most, g->alpha[i]);
    }
    srq_say("\ngrid     %s, %lld bits, codes %lld to %lld\nalpha    %.4g", g->method, (long long)g->bits,
            (long long)g->smallest, (long long)g->largest, least);
    if (g->alphas->count > 1) srq_say("..%.4g, one for each of %zu channels", most, g->alphas->count);
    srq_say("\n");
    if (!g->points.uniform)
        srq_say("points   from %.4g to %.4g times alpha, not evenly spaced\n", (double)g->points.point[0],
                (double)g->points.point[g->points.count - 1]);
}

/* Prints the codes first..last of a row, with their points if these are not the codes. Returns the number of columns.
 */
static int print_label(const grid *g, int first, int last)
{
    char label[32];
    snprintf(label, sizeof label, first < last ? "%d..%d" : "%d", first, last);
    srq_say("%10s", label);
    if (g->points.uniform) return 10;
    const double low = (double)srq_points_at(&g->points, first), high = (double)srq_points_at(&g->points, last);
    snprintf(label, sizeof label, first < last ? "%.3g..%.3g" : "%.4g", low, high);
    srq_say("%20s", label);
    return 30;
}

/* Prints codes, several in a row if there are too many for a screen. */
static void print_codes(const view *v)
{
    const grid *g = &v->grid;
    const int codes = (int)(g->largest - g->smallest) + 1, each = (codes + ROWS_MAX - 1) / ROWS_MAX;
    size_t rows[SRQ_CODES_MAX] = {0};
    int used = 0, count = 0;
    for (int c = 0; c < codes; c++) {
        rows[c / each] += g->counts.codes[c];
        used += g->counts.codes[c] > 0;
    }
    count = (codes + each - 1) / each;
    print_alphas(g);
    srq_say("in use   %d of %d codes\n\n%10s", used, codes, each > 1 ? "codes" : "code");
    if (!g->points.uniform) srq_say("%20s", each > 1 ? "points" : "point");
    srq_say("%15s  %8s\n", "weights", "share");
    for (int r = 0; r < count; r++) {
        const int first = (int)g->smallest + r * each, last = first + each - 1;
        const int columns = print_label(g, first, last < g->largest ? last : (int)g->largest);
        print_bar(columns, rows[r], v->statistics.finite, largest_of(count, rows));
    }
}

static void print_distances(const view *v)
{
    const srq_grid_counts *c = &v->grid.counts;
    size_t largest = largest_of(SRQ_DISTANCES, c->distances);
    if (c->clipped > largest) largest = c->clipped;
    srq_say(v->grid.points.uniform ? "\ndistance |w / alpha - code| from the grid, in steps\n\n"
                                   : "\ndistance |w / alpha - point| from the grid, in gaps between points\n\n");
    for (int i = 0; i < SRQ_DISTANCES; i++) {
        char label[32];
        snprintf(label, sizeof label, "%.1f..%.1f", i / 10.0, (i + 1) / 10.0);
        srq_say("%10s", label);
        print_bar(10, c->distances[i], v->statistics.finite, largest);
    }
    srq_say("%10s", "clipped");
    print_bar(10, c->clipped, v->statistics.finite, largest);
}

static void print_histogram(const view *v)
{
    const srq_statistics *s = &v->statistics;
    if (!v->bins) return;
    srq_say("\n%10s  %10s%15s  %8s\n", "from", "to", "numbers", "share");
    for (int i = 0; i < v->bins; i++) {
        const double width = (s->max / v->bins - s->min / v->bins);
        srq_say("%10.3g  %10.3g", s->min + i * width, i + 1 < v->bins ? s->min + (i + 1) * width : s->max);
        print_bar(22, v->counts[i], s->finite, largest_of(v->bins, v->counts));
    }
}

static void print_view(const view *v)
{
    srq_say("%s of %s\n\n", v->tensor->name, srq_h5_reader_path(v->list->reader));
    print_statistics(v);
    if (v->quantized && v->statistics.finite) {
        print_codes(v);
        print_distances(v);
    } else {
        print_histogram(v);
    }
}

/* --- As JSON */

static void json_member(const char *name, double value)
{
    char text[SRQ_JSON_NUMBER];
    srq_say(", \"%s\": %s", name, srq_json_number(value, text));
}

static void json_counts(const char *name, int n, const size_t *counts)
{
    srq_say(", \"%s\": [", name);
    for (int i = 0; i < n; i++) srq_say("%s%zu", i ? ", " : "", counts[i]);
    srq_say("]");
}

/* Prints the members that every tensor has. */
static void json_statistics(const srq_tensor_info *t, const srq_statistics *s)
{
    char name[SRQ_TENSOR_NAME_MAX + 16];
    srq_say("\"name\": %s, \"type\": \"%s\", \"shape\": ", srq_json_quote(t->name, name, sizeof name), t->type);
    srq_json_shape(t->rank, t->shape, stdout);
    if (!s) return;
    srq_say(", \"count\": %zu, \"zeros\": %zu, \"nans\": %zu, \"infinities\": %zu", s->count, s->zeros, s->nans,
            s->infinities);
    json_member("min", s->min);
    json_member("max", s->max);
    json_member("mean", s->mean);
    json_member("deviation", s->deviation);
    srq_say(", \"quantiles\": {");
    for (int q = 0; q < SRQ_QUANTILES; q++) {
        char text[SRQ_JSON_NUMBER];
        srq_say("%s\"%.2f\": %s", q ? ", " : "", srq_quantile_shares[q], srq_json_number(s->quantiles[q], text));
    }
    srq_say("}");
}

static void json_points(const srq_points *points)
{
    srq_say(", \"points\": [");
    for (int i = 0; i < points->count; i++) {
        char text[SRQ_JSON_NUMBER];
        srq_say("%s%s", i ? ", " : "", srq_json_float((double)points->point[i], text));
    }
    srq_say("]");
}

static void json_grid(const view *v)
{
    const grid *g = &v->grid;
    char method[64];
    srq_say(
        ",\n \"grid\": {\"method\": %s, \"bits\": %lld, \"smallest_code\": %lld, \"largest_code\": %lld, \"alpha\": [",
        srq_json_quote(g->method, method, sizeof method), (long long)g->bits, (long long)g->smallest,
        (long long)g->largest);
    for (size_t i = 0; i < g->alphas->count; i++) {
        char text[SRQ_JSON_NUMBER];
        srq_say("%s%s", i ? ", " : "", srq_json_float(g->alpha[i], text));
    }
    srq_say("]");
    if (!g->points.uniform) json_points(&g->points);
    json_counts("counts", (int)(g->largest - g->smallest) + 1, g->counts.codes);
    json_counts("distances", SRQ_DISTANCES, g->counts.distances);
    srq_say(", \"clipped\": %zu}", g->counts.clipped);
}

static void json_view(const view *v)
{
    char path[4600];
    srq_say("{\"file\": %s, ", srq_json_quote(srq_h5_reader_path(v->list->reader), path, sizeof path));
    json_statistics(v->tensor, &v->statistics);
    if (v->statistics.count == 1) json_member("value", v->values[0]);
    if (v->quantized) json_grid(v);
    if (v->bins) {
        srq_say(",\n \"histogram\": {\"bins\": %d", v->bins);
        json_counts("counts", v->bins, v->counts);
        srq_say("}");
    }
    srq_say("}\n");
}

/* --- The commands */

static srq_status inspect_one(const srq_tensors *list, const char *name, bool json)
{
    view v = {.list = list};
    SRQ_TRY(srq_tensors_find(list, name, &v.tensor));
    srq_status status = fill_view(&v);
    if (status == SRQ_OK) json ? json_view(&v) : print_view(&v);
    free(v.values);
    free(v.grid.alpha);
    return status;
}

/* Prints a row of the table. Without statistics, `instead` says why. */
static void print_row(const srq_tensor_info *t, const srq_statistics *s, const char *instead, int width)
{
    char shape[SRQ_SHAPE_TEXT], last[32];
    srq_shape_print(t->rank, t->shape, shape);
    if (!s) {
        srq_say("%-*s  %-14s%10s\n", width, t->name, t->numbers ? shape : "-", instead);
        return;
    }
    if (s->finite < s->count)
        snprintf(last, sizeof last, "%zu bad", s->count - s->finite);
    else
        snprintf(last, sizeof last, "%.3g", s->deviation);
    srq_say("%-*s  %-14s%10.3g%10.3g %9s\n", width, t->name, shape, s->min, s->max, last);
}

static void json_row(const srq_tensor_info *t, const srq_statistics *s, bool damaged, bool first)
{
    srq_say("%s\n  {", first ? "" : ",");
    json_statistics(t, s);
    srq_say("%s}", damaged ? ", \"damaged\": true" : "");
}

/* If a tensor is damaged, the others are shown nevertheless. The command returns its status at the end. */
static srq_status inspect_row(const srq_tensors *list, int i, int width, bool json)
{
    const srq_tensor_info *t = &list->all[i];
    double *values = NULL;
    srq_statistics s;
    srq_status status = t->numbers ? srq_tensor_read(list, t, &values) : SRQ_OK;
    if (status == SRQ_OK && t->numbers) status = srq_statistics_take(t->count, values, &s);
    free(values);
    const srq_statistics *known = status == SRQ_OK && t->numbers ? &s : NULL;
    if (json)
        json_row(t, known, status != SRQ_OK, i == 0);
    else
        print_row(t, known, status == SRQ_OK ? t->type : "damaged", width);
    return status;
}

static srq_status inspect_all(const srq_tensors *list, bool json)
{
    char path[4600];
    size_t width = 6;
    srq_status worst = SRQ_OK;
    for (int i = 0; i < list->count; i++)
        if (strlen(list->all[i].name) > width) width = strlen(list->all[i].name);
    if (json)
        srq_say("{\"file\": %s, \"tensors\": [", srq_json_quote(srq_h5_reader_path(list->reader), path, sizeof path));
    else
        srq_say("%-*s  %-14s%10s%10s%10s\n", (int)width, "tensor", "shape", "least", "largest", "deviation");
    for (int i = 0; i < list->count; i++) {
        const srq_status status = inspect_row(list, i, (int)width, json);
        if (status > worst) worst = status;
    }
    srq_say(json ? "]}\n" : "\nbad: NaN or infinite\n");
    return worst;
}

static srq_status inspect(const char *path, const char *name, bool json)
{
    srq_h5_reader *reader = NULL;
    srq_tensors list;
    SRQ_TRY(srq_checkpoint_open(path, &reader));
    srq_status status = srq_tensors_list(reader, &list);
    if (status == SRQ_OK) status = name ? inspect_one(&list, name, json) : inspect_all(&list, json);
    srq_tensors_free(&list);
    srq_h5_reader_close(&reader);
    return status;
}

srq_status srq_inspect_tensor(const char *path, const char *name, bool json)
{
    return inspect(path, name, json);
}

srq_status srq_inspect_tensors(const char *path, bool json)
{
    return inspect(path, NULL, json);
}
