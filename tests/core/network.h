/* Small networks for tests, and a float64 interpreter of them written from the definitions: the forward pass, and
 * central differences for every kind of parameter. A test that loops over WAYS calls take_way() first, and returns if
 * the way is not available. */
#ifndef SRQ_TESTS_CORE_NETWORK_H
#define SRQ_TESTS_CORE_NETWORK_H

#include "core/finish.h"
#include "core/graph.h"
#include "core/kernels/engine.h"
#include "core/random.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 3, LAYERS = 16 };

/* All ways to compute: operators one by one or in chains, with each back end that this CPU and build have. */
typedef struct way {
    const char *engine;
    bool plain;
    /* Tolerances for rounding errors of a gradient, relative to its largest element. float32 passes round to 6e-8 in
     * each of some hundred operations. bfloat16 gradients are rounded to 2^-9 when they enter a layer with weights. The
     * errors of up to three such layers in a row add up, and are larger if a sum cancels. */
    double tolerance;
} way;

static const way ways[] = {{"reference", true, 2e-5}, {"reference", false, 2e-5}, {"float32", true, 2e-5},
                           {"float32", false, 2e-5},  {"mixed", true, 3e-2},      {"mixed", false, 3e-2},
                           {"integer", true, 1e-1},   {"integer", false, 1e-1}};
enum { WAYS = sizeof ways / sizeof *ways };
static const way *current = &ways[0];

/* False if it cannot be had here: a test then has nothing to do. In the runs with limited instruction sets of oneDNN
 * the reference back end, which has none of it, would compute the same again. */
static inline bool take_way(int i)
{
    current = &ways[i];
    if (getenv("ONEDNN_MAX_CPU_ISA") && strcmp(current->engine, "reference") == 0) return false;
    return srq_kernels_find(current->engine) != NULL;
}

/* --- A float64 interpreter of networks */

typedef struct net {
    srq_model_spec spec;
    srq_layer_spec layers[LAYERS];
    srq_graph *graph;
    int32_t labels[IMAGES];
    double *values;           /* the graph's parameters in float64 */
    double *out[LAYERS];      /* [IMAGES][features] */
    double *residual[LAYERS]; /* quantized minus plain output of quantize layers, frozen by the first run */
    double *weight_residual[LAYERS];
    bool frozen;
} net;

static inline size_t features(const srq_tensor *t)
{
    return (size_t)t->height * (size_t)t->width * (size_t)t->channels;
}

static inline const double *input_of(const net *n, const srq_layer *l, int k, double *images)
{
    return l->producers[k] < 0 ? images : n->out[l->producers[k]];
}

static inline size_t pixel_at(const srq_tensor *t, int i, int y, int z)
{
    return ((size_t)(i * t->height + y) * (size_t)t->width + (size_t)z) * (size_t)t->channels;
}

static inline double at(const double *x, const srq_tensor *t, int i, int y, int z, int c)
{
    if (y < 0 || z < 0 || y >= t->height || z >= t->width) return 0;
    return x[pixel_at(t, i, y, z) + (size_t)c];
}

static inline double rounded(const srq_quantizer *q, size_t row, double x)
{
    const float alpha = q->alpha ? q->alpha[row] : q->grid.alpha;
    double v = rint((double)((float)x / alpha));
    v = fmin(fmax(v, q->grid.min), q->grid.max);
    return (double)alpha * v;
}

static inline const double *value(const net *n, const char *layer, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s/%s", layer, name);
    int p = srq_graph_find_parameter(n->graph, full);
    return p < 0 ? NULL : n->values + srq_graph_parameter(n->graph, p)->offset;
}

static inline void run_weighted(net *n, const srq_layer *l, const double *x, double *y)
{
    const bool dense = strcmp(l->spec->type, "dense") == 0;
    const srq_tensor *in = l->inputs[0], *out = &l->output;
    const int kh = dense ? in->height : l->spec->kernel[0], kw = dense ? in->width : l->spec->kernel[1];
    const int *stride = l->spec->stride, *padding = l->spec->padding;
    const double *w = value(n, l->spec->name, "weight"), *b = value(n, l->spec->name, "bias");
    const double *residual = n->weight_residual[l->index];
    const int groups = l->spec->groups ? l->spec->groups : 1, each = in->channels / groups;
    for (int i = 0; i < IMAGES; i++)
        for (int oy = 0; oy < out->height; oy++)
            for (int ox = 0; ox < out->width; ox++)
                for (int o = 0; o < out->channels; o++) {
                    double sum = b ? b[o] : 0;
                    const int first = o / (out->channels / groups) * each;
                    for (int ky = 0; ky < kh; ky++)
                        for (int kx = 0; kx < kw; kx++) {
                            const int sy = dense ? ky : oy * stride[0] - padding[0] + ky;
                            const int sx = dense ? kx : ox * stride[1] - padding[1] + kx;
                            if (sy < 0 || sx < 0 || sy >= in->height || sx >= in->width) continue;
                            const double *pixel = x + pixel_at(in, i, sy, sx) + first;
                            size_t at_w = (size_t)(o * each * kh + ky) * (size_t)kw + (size_t)kx;
                            for (int c = 0; c < each; c++, at_w += (size_t)(kh * kw))
                                sum += (w[at_w] + (residual ? residual[at_w] : 0)) * pixel[c];
                        }
                    *y++ = sum;
                }
}

static inline void run_pool(const srq_layer *l, const double *x, double *y)
{
    const bool max = strcmp(l->spec->type, "max_pool") == 0;
    const srq_tensor *in = l->inputs[0], *out = &l->output;
    const bool whole = l->spec->kernel[0] == 0;
    const int kh = whole ? in->height : l->spec->kernel[0], kw = whole ? in->width : l->spec->kernel[1];
    for (int i = 0; i < IMAGES; i++)
        for (int oy = 0; oy < out->height; oy++)
            for (int ox = 0; ox < out->width; ox++)
                for (int c = 0; c < out->channels; c++) {
                    double sum = 0, largest = -INFINITY;
                    for (int ky = 0; ky < kh; ky++)
                        for (int kx = 0; kx < kw; kx++) {
                            int sy = whole ? ky : oy * l->spec->stride[0] - l->spec->padding[0] + ky;
                            int sx = whole ? kx : ox * l->spec->stride[1] - l->spec->padding[1] + kx;
                            double v = at(x, in, i, sy, sx, c);
                            sum += v;
                            if (sy >= 0 && sx >= 0 && sy < in->height && sx < in->width) largest = fmax(largest, v);
                        }
                    *y++ = max ? largest : sum / (kh * kw);
                }
}

static inline void run_batch_norm(const net *n, const srq_layer *l, const double *x, double *y)
{
    const int channels = l->output.channels;
    const size_t rows = IMAGES * features(&l->output) / (size_t)channels;
    const double *scale = value(n, l->spec->name, "scale"), *shift = value(n, l->spec->name, "shift");
    for (int c = 0; c < channels; c++) {
        double mean = 0, variance = 0;
        for (size_t r = 0; r < rows; r++) mean += x[r * (size_t)channels + (size_t)c] / (double)rows;
        for (size_t r = 0; r < rows; r++) variance += pow(x[r * (size_t)channels + (size_t)c] - mean, 2) / (double)rows;
        for (size_t r = 0; r < rows; r++)
            y[r * (size_t)channels + (size_t)c] =
                scale[c] * (x[r * (size_t)channels + (size_t)c] - mean) / sqrt(variance + (double)l->spec->epsilon) +
                shift[c];
    }
}

static inline void run_concat(const net *n, const srq_layer *l, double *images, double *y)
{
    const size_t pixels = (size_t)(IMAGES * l->output.height * l->output.width);
    for (size_t p = 0; p < pixels; p++)
        for (int k = 0; k < l->input_count; k++) {
            const size_t channels = (size_t)l->inputs[k]->channels;
            memcpy(y, input_of(n, l, k, images) + p * channels, channels * sizeof *y);
            y += channels;
        }
}

/* Of a sum of inputs. */
static inline double activation(const srq_layer_spec *spec, double x)
{
    if (strcmp(spec->type, "relu") == 0) return spec->max > 0 ? fmin(fmax(x, 0), (double)spec->max) : fmax(x, 0);
    if (strcmp(spec->type, "leaky_relu") == 0) return x > 0 ? x : (double)spec->own[0].real * x;
    return strcmp(spec->type, "sigmoid") == 0 ? 1 / (1 + exp(-x)) : x;
}

static inline void run_layer(net *n, const srq_layer *l, double *images)
{
    const double *x = input_of(n, l, 0, images);
    double *y = n->out[l->index];
    const size_t count = IMAGES * features(&l->output);
    if (l->weight >= 0)
        run_weighted(n, l, x, y);
    else if (strstr(l->spec->type, "pool"))
        run_pool(l, x, y);
    else if (strcmp(l->spec->type, "batch_norm") == 0)
        run_batch_norm(n, l, x, y);
    else if (strcmp(l->spec->type, "concat") == 0)
        run_concat(n, l, images, y);
    else
        for (size_t i = 0; i < count; i++) {
            double sum = x[i];
            for (int k = 1; k < l->input_count; k++) sum += input_of(n, l, k, images)[i];
            y[i] = activation(l->spec, sum);
        }
    if (strcmp(l->spec->type, "quantize") != 0 || !l->quantizer.method) return;
    for (size_t i = 0; i < count; i++) {
        if (!n->frozen) n->residual[l->index][i] = rounded(&l->quantizer, 0, y[i]) - y[i];
        y[i] += n->residual[l->index][i];
    }
}

/* The mean loss; layers before `first` keep the outputs of the last run. */
static inline double interpret_from(net *n, int first)
{
    double images[IMAGES * 512], loss = 0;
    for (size_t i = 0; i < IMAGES * (size_t)(n->spec.height * n->spec.width * n->spec.channels); i++)
        images[i] = (double)srq_graph_input(n->graph)[i];
    for (int i = first; i < n->spec.layer_count; i++) run_layer(n, srq_graph_layer(n->graph, i), images);
    n->frozen = true;
    const int classes = srq_graph_classes(n->graph);
    const double *logits = n->out[n->spec.layer_count - 1];
    for (int i = 0; i < IMAGES; i++, logits += classes) {
        double sum = 0;
        for (int c = 0; c < classes; c++) sum += exp(logits[c]);
        loss += (log(sum) - logits[n->labels[i]]) / IMAGES;
    }
    return loss;
}

static inline double interpret(net *n)
{
    return interpret_from(n, 0);
}

/* The layer that has the parameter: LAYER/NAME. */
static inline int layer_of(const net *n, const srq_parameter *q)
{
    int i = 0;
    while (strncmp(q->name, n->layers[i].name, strlen(n->layers[i].name)) != 0 ||
           q->name[strlen(n->layers[i].name)] != '/')
        i++;
    return i;
}

/* --- Building */

static inline srq_layer_spec *add(net *n, const char *name, const char *type, const char *input)
{
    srq_layer_spec *l = &n->layers[n->spec.layer_count++];
    *l = (srq_layer_spec){.input_count = 1, .stride = {1, 1}, .bias = true, .momentum = 0.1f, .epsilon = 1e-5f};
    snprintf(l->name, sizeof l->name, "%s", name);
    snprintf(l->type, sizeof l->type, "%s", type);
    snprintf(l->inputs[0], sizeof l->inputs[0], "%s", input);
    snprintf(l->origin, sizeof l->origin, "test:%d", n->spec.layer_count);
    snprintf(l->quantizer.method, sizeof l->quantizer.method, "float32");
    return l;
}

static inline srq_layer_spec *with_window(srq_layer_spec *l, int out, int k0, int k1, int s0, int s1, int p0, int p1)
{
    l->out = out;
    l->kernel[0] = k0, l->kernel[1] = k1;
    l->stride[0] = s0, l->stride[1] = s1;
    l->padding[0] = p0, l->padding[1] = p1;
    return l;
}

static inline void start(net *n, int height, int width, int channels)
{
    *n = (net){.spec = {.name = "test", .height = height, .width = width, .channels = channels, .origin = "test:0"}};
    n->spec.layers = n->layers;
}

static inline void build(net *n)
{
    const srq_graph_options options = {.capacity = IMAGES + 1, .engine = current->engine, .plain = current->plain};
    srq_status status = srq_graph_create(&n->spec, &options, &n->graph);
    ck_assert_msg(status == SRQ_OK, "%s", srq_message());
    srq_graph_initialize(n->graph, 42, SRQ_GAIN_HE);
    srq_random_normal(1, SRQ_RANDOM_TEST, 0, IMAGES * (size_t)(n->spec.height * n->spec.width * n->spec.channels), 1,
                      srq_graph_input(n->graph));
    /* Biases, scales and shifts away from their trivial starts. */
    for (int p = 0; p < srq_graph_parameter_count(n->graph); p++) {
        const srq_parameter *q = srq_graph_parameter(n->graph, p);
        float noise[64];
        if (q->kind != SRQ_PARAMETER_BIAS) continue;
        ck_assert_uint_le(q->count, 64);
        srq_random_normal(2, SRQ_RANDOM_TEST, (uint64_t)p, q->count, 0.1f, noise);
        for (size_t i = 0; i < q->count; i++) srq_graph_values(n->graph)[q->offset + i] += noise[i];
    }
    for (int i = 0; i < IMAGES; i++) n->labels[i] = i % srq_graph_classes(n->graph);
    for (int i = 0; i < n->spec.layer_count; i++) {
        const size_t count = IMAGES * features(&srq_graph_layer(n->graph, i)->output);
        n->out[i] = calloc(count, sizeof(double));
        n->residual[i] = calloc(count, sizeof(double));
    }
    n->values = calloc(srq_graph_size(n->graph), sizeof(double));
}

/* After the last change of the graph's values. */
static inline void freeze_values(net *n)
{
    for (size_t i = 0; i < srq_graph_size(n->graph); i++) n->values[i] = (double)srq_graph_values(n->graph)[i];
    for (int i = 0; i < n->spec.layer_count; i++) {
        const srq_layer *l = srq_graph_layer(n->graph, i);
        if (l->weight < 0 || !l->quantizer.method) continue;
        const srq_parameter *w = srq_graph_parameter(n->graph, l->weight);
        n->weight_residual[i] = calloc(w->count, sizeof(double));
        const size_t row = w->count / (size_t)l->quantizer.channels;
        for (size_t k = 0; k < w->count; k++)
            n->weight_residual[i][k] =
                rounded(&l->quantizer, k / row, n->values[w->offset + k]) - n->values[w->offset + k];
    }
}

static const srq_step first_step = {.seed = 1};

static inline void finish(net *n)
{
    for (int i = 0; i < n->spec.layer_count; i++) {
        free(n->out[i]);
        free(n->residual[i]);
        free(n->weight_residual[i]);
    }
    free(n->values);
    srq_graph_destroy(&n->graph);
}

/* --- Checks */

/* In three parts, like three ranks, and in groups of a few layers. */
static inline void finish_step(net *n, float *gradient)
{
    enum { PARTS = 3 };
    srq_finish *f = NULL;
    ck_assert_int_eq(srq_finish_create(n->graph, 200, &f), SRQ_OK);
    double *slots = calloc(srq_finish_slot_count(f) + 1, sizeof *slots);
    size_t end = srq_graph_size(n->graph);
    for (int g = 0; g < srq_finish_group_count(f); g++) {
        ck_assert_uint_eq(srq_finish_end(f, g), end);
        end = srq_finish_begin(f, g);
        srq_finish_unpack(f, g, 0, gradient);
        for (int i = 0; i < PARTS; i++) srq_finish_run(f, gradient, g, i, PARTS, slots);
    }
    ck_assert_uint_eq(end, 0);
    ck_assert_int_eq(srq_finish_collect(f, slots, gradient), -1);
    free(slots);
    srq_finish_destroy(&f);
}

/* Forward loss, and the gradient of every parameter of the given kinds by central differences. Differences of a float64
 * function with step 1e-5 are accurate to 1e-9. The tolerance of the way is relative to the largest gradient of the
 * parameter, or of the network if that is 0. */
static inline void check_gradients(net *n)
{
    srq_metrics metrics;
    const size_t size = srq_graph_size(n->graph);
    float *gradient = calloc(size, sizeof *gradient);
    ck_assert_int_eq(srq_graph_begin_step(n->graph, &first_step), SRQ_OK);
    freeze_values(n);
    ck_assert_int_eq(srq_graph_train(n->graph, 0, IMAGES, n->labels, IMAGES, gradient, &metrics), -1);
    finish_step(n, gradient);
    const double loss = interpret(n);
    ck_assert_msg(fabs(metrics.loss / IMAGES - loss) < 1e-5 * fmax(1, loss), "loss %.9g, not %.9g",
                  metrics.loss / IMAGES, loss);
    for (int p = 0; p < srq_graph_parameter_count(n->graph); p++) {
        const srq_parameter *q = srq_graph_parameter(n->graph, p);
        if (q->kind != SRQ_PARAMETER_WEIGHT && q->kind != SRQ_PARAMETER_BIAS) continue;
        double largest = 1e-3, error = 0;
        const int layer = layer_of(n, q);
        interpret(n);
        /* The first way checks all elements. The other ways use the same formulas, so some elements are enough. With
         * sanitizers, every way checks only some elements, because sanitizers check srq and not the differences. */
        const size_t every = (current == &ways[0] && !SRQ_SANITIZED) || q->count < 24 ? 1 : q->count / 24 | 1;
        for (size_t i = 0; i < q->count; i += every) {
            double *v = &n->values[q->offset + i];
            const double kept = *v, h = 1e-5;
            *v = kept + h;
            double up = interpret_from(n, layer);
            *v = kept - h;
            double down = interpret_from(n, layer);
            *v = kept;
            double slope = (up - down) / (2 * h);
            largest = fmax(largest, fabs(slope));
            error = fmax(error, fabs(slope - (double)gradient[q->offset + i]));
        }
        ck_assert_msg(error < current->tolerance * fmax(largest, 0.1), "%s, %s: %s: gradient off by %g of %g",
                      current->engine, current->plain ? "plain" : "chains", q->name, error, largest);
    }
    free(gradient);
}

static inline const srq_parameter *named(const net *n, const char *name)
{
    return srq_graph_parameter(n->graph, srq_graph_find_parameter(n->graph, name));
}

#endif
