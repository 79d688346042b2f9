#include "experiments/srq/inspect/measure.h"

#include "core/prune.h"
#include "io/escape.h"
#include "io/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FLOAT32_BITS = 32 };

static bool belongs_to(const srq_parameter *parameter, const srq_layer *layer)
{
    const size_t length = strlen(layer->spec->name);
    return strncmp(parameter->name, layer->spec->name, length) == 0 && parameter->name[length] == '/';
}

static double packed_bytes(const srq_layer_measures *m)
{
    const double count = (double)m->weights, all = count * m->weight_bits;
    const double sparse = count + (double)m->kept * m->weight_bits;
    return ceil((m->layer->mask ? fmin(all, sparse) : all) / 8);
}

static void measure_size(const srq_graph *graph, srq_layer_measures *m)
{
    m->bytes = m->float32_bytes = 0;
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        /* Whether a deployed network needs the parameter. */
        if (!belongs_to(p, m->layer) || p->kind == SRQ_PARAMETER_SIGMA || p->kind == SRQ_PARAMETER_GATE) continue;
        const double full = 4 * (double)p->count;
        if (p->kind != SRQ_PARAMETER_ALPHA) m->float32_bytes += full;
        m->bytes += p->kind == SRQ_PARAMETER_WEIGHT ? packed_bytes(m) : full;
    }
}

static srq_range range_of(const srq_graph *graph, int parameter)
{
    if (parameter < 0) return (srq_range){0};
    const srq_parameter *p = srq_graph_parameter(graph, parameter);
    const float *values = srq_graph_values(graph) + p->offset;
    srq_range range = {.count = p->count, .min = values[0], .max = values[0]};
    for (size_t i = 1; i < p->count; i++) {
        range.min = fminf(range.min, values[i]);
        range.max = fmaxf(range.max, values[i]);
    }
    return range;
}

/* Computes codes in use, zeros and the error of quantized weights [out][...], with one step size or one for each
 * output. */
static void measure_codes(const srq_graph *graph, uint8_t *codes, srq_layer_measures *m)
{
    const srq_quantizer *q = &m->layer->quantizer;
    const float *values = srq_graph_values(graph);
    const float *w = values + srq_graph_parameter(graph, m->layer->weight)->offset;
    const srq_parameter *alphas = srq_graph_parameter(graph, m->layer->alpha);
    const size_t each = m->weights / alphas->count;
    long used[SRQ_CODES_MAX] = {0};
    size_t zeros = 0;
    double noise = 0, signal = 0;
    srq_points points;
    srq_quantizer_points(q, &points);
    srq_quantizer_forward(q, srq_graph_vector(graph), m->weights, w, codes);
    for (size_t i = 0; i < m->weights; i++) {
        const double alpha = (double)values[alphas->offset + i / each];
        const int code = q->grid.min < 0 ? (int8_t)codes[i] : codes[i];
        const double point = (double)srq_points_at(&points, code);
        const double difference = (double)w[i] - alpha * point;
        noise += difference * difference;
        signal += (double)w[i] * (double)w[i];
        used[codes[i]]++;
        zeros += point == 0;
    }
    m->codes = points.count;
    m->codes_used = 0;
    for (int k = 0; k < SRQ_CODES_MAX; k++) m->codes_used += used[k] > 0;
    m->zeros = (double)zeros / (double)m->weights;
    m->error = signal > 0 ? noise / signal : 0;
}

static void measure_gates(const srq_graph *graph, srq_layer_measures *m)
{
    m->gates = m->layer->gates >= 0 ? m->layer->quantizer.gates.count : 0;
    if (!m->gates) return;
    const float *phi = srq_graph_values(graph) + srq_graph_parameter(graph, m->layer->gates)->offset;
    for (int c = 0; c < m->gates; c++) m->open[c] = 1 / (1 + exp(-(double)phi[c]));
}

static bool quantizes_nothing(const srq_graph *graph)
{
    for (int i = 0; i < srq_graph_layer_count(graph); i++)
        if (srq_graph_layer(graph, i)->quantizer.method) return false;
    return true;
}

/* A network without any quantized tensor is compared with the one that has all weights and all quantize layers at 8
 * bits: compared with itself, it would seem to cost as much as that. */
static double w8a8_bops(const srq_graph *graph, const srq_layer_measures *m, bool quantized)
{
    const bool float32 = quantizes_nothing(graph);
    const bool input = float32 ? srq_graph_input_is_quantizable(graph, m->layer) : m->input_bits < FLOAT32_BITS;
    return (double)m->layer->macs * (quantized || float32 ? 8 : FLOAT32_BITS) * (input ? 8 : FLOAT32_BITS);
}

static void measure_weights(const srq_graph *graph, uint8_t *codes, srq_layer_measures *m)
{
    const srq_parameter *weight = srq_graph_parameter(graph, m->layer->weight);
    const bool quantized = m->layer->quantizer.method;
    m->weights = weight->count;
    m->weight_bits = quantized ? m->layer->quantizer.bits : FLOAT32_BITS;
    m->input_bits = srq_graph_input_bits(graph, m->layer);
    const double all = (double)m->layer->macs;
    m->kept = srq_layer_kept(graph, m->layer);
    m->macs = m->layer->macs / m->weights * m->kept;
    m->bops = (double)m->macs * m->weight_bits * m->input_bits;
    m->float32_bops = all * FLOAT32_BITS * FLOAT32_BITS;
    m->w8a8_bops = w8a8_bops(graph, m, quantized);
    measure_gates(graph, m);
    if (quantized) {
        measure_codes(graph, codes, m);
        return;
    }
    const float *w = srq_graph_values(graph) + weight->offset;
    size_t zeros = 0;
    for (size_t i = 0; i < m->weights; i++) zeros += w[i] == 0;
    m->zeros = (double)zeros / (double)m->weights;
}

static void add_layer(srq_measures *all, const srq_layer_measures *m)
{
    all->masked = all->masked || m->layer->mask;
    all->weights += m->weights;
    all->kept += m->kept;
    all->macs += m->macs;
    all->bytes += m->bytes;
    all->float32_bytes += m->float32_bytes;
    all->bops += m->bops;
    all->float32_bops += m->float32_bops;
    all->w8a8_bops += m->w8a8_bops;
    all->mean_bits += (double)m->kept * m->weight_bits;
    all->zeros += (double)m->weights * m->zeros;
}

void srq_measures_update(srq_measures *all)
{
    const srq_graph *graph = all->graph;
    *all = (srq_measures){.count = all->count, .layers = all->layers, .graph = graph, .scratch = all->scratch};
    for (int i = 0; i < all->count; i++) {
        srq_layer_measures *m = &all->layers[i];
        *m = (srq_layer_measures){.layer = m->layer};
        m->alpha = range_of(graph, m->layer->alpha);
        m->sigma = range_of(graph, m->layer->sigma);
        if (m->layer->weight >= 0) measure_weights(graph, all->scratch, m);
        measure_size(graph, m);
        add_layer(all, m);
    }
    if (all->weights == 0) return;
    if (all->kept) all->mean_bits /= (double)all->kept;
    all->zeros /= (double)all->weights;
}

static bool has_measures(const srq_graph *graph, const srq_layer *layer)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++)
        if (belongs_to(srq_graph_parameter(graph, i), layer)) return true;
    return layer->quantizer.method;
}

srq_status srq_measures_create(const srq_graph *graph, srq_measures **out)
{
    const int layers = srq_graph_layer_count(graph);
    size_t largest = 1;
    srq_measures *all = calloc(1, sizeof *all);
    if (!all) return srq_fail_memory(sizeof *all, "the measures");
    all->graph = graph;
    all->layers = calloc((size_t)layers, sizeof *all->layers);
    for (int i = 0; i < layers; i++) {
        const srq_layer *layer = srq_graph_layer(graph, i);
        if (all->layers && has_measures(graph, layer)) all->layers[all->count++].layer = layer;
        size_t count = layer->weight < 0 ? 0 : srq_graph_parameter(graph, layer->weight)->count;
        if (count > largest) largest = count;
    }
    all->scratch = malloc(largest);
    if (!all->layers || !all->scratch) {
        srq_measures_destroy(&all);
        return srq_fail_memory(largest, "the measures");
    }
    srq_measures_update(all);
    *out = all;
    return SRQ_OK;
}

void srq_measures_destroy(srq_measures **measures)
{
    if (!*measures) return;
    free((*measures)->layers);
    free((*measures)->scratch);
    free(*measures);
    *measures = NULL;
}

double srq_measures_decibels(double error)
{
    return -10 * log10(error);
}

/* --- As text */

void srq_measures_shape(const srq_layer_measures *m, const srq_graph *graph, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    if (m->layer->weight < 0) {
        snprintf(out, size, "%dx%dx%d", m->layer->output.height, m->layer->output.width, m->layer->output.channels);
        return;
    }
    const srq_parameter *weight = srq_graph_parameter(graph, m->layer->weight);
    for (int i = 0; i < weight->rank; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%zu", i ? "x" : "", weight->shape[i]);
}

static void print_range(const char *name, const srq_range *range, FILE *out)
{
    if (range->count == 1) fprintf(out, ", \"%s\": %.9g", name, (double)range->min);
    if (range->count > 1)
        fprintf(out, ", \"%s_count\": %zu, \"%s_min\": %.9g, \"%s_max\": %.9g", name, range->count, name,
                (double)range->min, name, (double)range->max);
}

static void print_layer(const srq_graph *graph, const srq_layer_measures *m, FILE *out)
{
    const srq_quantizer *q = &m->layer->quantizer;
    char name[160], shape[72];
    srq_measures_shape(m, graph, shape, sizeof shape);
    fprintf(out, "{\"name\": %s, \"type\": \"%s\", \"shape\": \"%s\", \"bytes\": %.0f, \"float32_bytes\": %.0f",
            srq_json_quote(m->layer->spec->name, name, sizeof name), m->layer->spec->type, shape, m->bytes,
            m->float32_bytes);
    if (m->layer->mask) fprintf(out, ", \"kept\": %zu", m->kept);
    if (m->weights)
        fprintf(out,
                ", \"weights\": %zu, \"weight_bits\": %d, \"activation_bits\": %d, \"zeros\": %.9g, \"macs\": %zu, "
                "\"bops\": %.0f, \"float32_bops\": %.0f, \"w8a8_bops\": %.0f",
                m->weights, m->weight_bits, m->input_bits, m->zeros, m->macs, m->bops, m->float32_bops, m->w8a8_bops);
    else if (q->method)
        fprintf(out, ", \"activation_bits\": %d", q->bits);
    if (q->method) fprintf(out, ", \"method\": \"%s\"", q->method->name);
    print_range("alpha", &m->alpha, out);
    print_range("sigma", &m->sigma, out);
    if (m->codes)
        fprintf(out, ", \"codes\": %d, \"codes_used\": %d, \"error\": %.9g", m->codes, m->codes_used, m->error);
    if (m->codes && m->error > 0) fprintf(out, ", \"sqnr_db\": %.6g", srq_measures_decibels(m->error));
    for (int c = 0; c < m->gates; c++) fprintf(out, "%s%.6g", c ? ", " : ", \"gates\": [", m->open[c]);
    fputs(m->gates ? "]}" : "}", out);
}

void srq_measures_print_json(const srq_measures *m, const char *separator, FILE *out)
{
    if (m->masked) fprintf(out, "\"kept\": %zu, ", m->kept);
    fprintf(out,
            "\"weights\": %zu, \"mean_weight_bits\": %.9g, \"zeros\": %.9g, \"bytes\": %.0f, \"float32_bytes\": %.0f, "
            "\"macs\": %zu, \"bops\": %.0f, \"float32_bops\": %.0f, \"w8a8_bops\": %.0f, \"layers\": [",
            m->weights, m->mean_bits, m->zeros, m->bytes, m->float32_bytes, m->macs, m->bops, m->float32_bops,
            m->w8a8_bops);
    for (int i = 0; i < m->count; i++) {
        fprintf(out, "%s%s", i ? "," : "", separator);
        print_layer(m->graph, &m->layers[i], out);
    }
    fputc(']', out);
}
