/* Every operator inside small networks, against a float64 interpreter written from the definitions: its forward pass,
 * and its central differences for every kind of parameter. */
#include "core/finish.h"
#include "core/graph.h"
#include "core/optimizer.h"
#include "core/random.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { IMAGES = 3, LAYERS = 16 };

/* Every way to compute: operators one by one or in chains, and the back ends that this CPU and build have. */
typedef struct way {
    const char *engine;
    bool plain;
    /* Of a gradient, in parts of the largest: what rounding may do. float32 passes round to 6e-8 an operation over some
     * hundred terms. bfloat16 gradients are rounded to 2^-9 wherever they enter a layer with weights; errors of up to
     * three such layers in a row add up, and more where a sum cancels. */
    double tolerance;
} way;

static const way ways[] = {{"reference", true, 2e-5}, {"reference", false, 2e-5}, {"float32", true, 2e-5},
                           {"float32", false, 2e-5},  {"mixed", true, 3e-2},      {"mixed", false, 3e-2}};
enum { WAYS = sizeof ways / sizeof *ways };
static const way *current = &ways[0];

/* False if it cannot be had here: a test then has nothing to do. */
static bool take_way(int i)
{
    current = &ways[i];
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

static size_t features(const srq_tensor *t)
{
    return (size_t)t->height * (size_t)t->width * (size_t)t->channels;
}

static const double *input_of(const net *n, const srq_layer *l, int k, double *images)
{
    return l->producers[k] < 0 ? images : n->out[l->producers[k]];
}

static size_t pixel_at(const srq_tensor *t, int i, int y, int z)
{
    return ((size_t)(i * t->height + y) * (size_t)t->width + (size_t)z) * (size_t)t->channels;
}

static double at(const double *x, const srq_tensor *t, int i, int y, int z, int c)
{
    if (y < 0 || z < 0 || y >= t->height || z >= t->width) return 0;
    return x[pixel_at(t, i, y, z) + (size_t)c];
}

static double rounded(const srq_quantizer *q, size_t row, double x)
{
    const float alpha = q->alpha ? q->alpha[row] : q->grid.alpha;
    double v = rint((double)((float)x / alpha));
    v = fmin(fmax(v, q->grid.min), q->grid.max);
    return (double)alpha * v;
}

static const double *value(const net *n, const char *layer, const char *name)
{
    char full[128];
    snprintf(full, sizeof full, "%s/%s", layer, name);
    int p = srq_graph_find_parameter(n->graph, full);
    return p < 0 ? NULL : n->values + srq_graph_parameter(n->graph, p)->offset;
}

static void run_weighted(net *n, const srq_layer *l, const double *x, double *y)
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

static void run_pool(const srq_layer *l, const double *x, double *y)
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

static void run_batch_norm(const net *n, const srq_layer *l, const double *x, double *y)
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

static void run_layer(net *n, const srq_layer *l, double *images)
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
    else
        for (size_t i = 0; i < count; i++) {
            double sum = x[i];
            for (int k = 1; k < l->input_count; k++) sum += input_of(n, l, k, images)[i];
            y[i] = strcmp(l->spec->type, "relu") == 0 ? fmax(sum, 0) : sum;
            if (l->spec->max > 0) y[i] = fmin(y[i], (double)l->spec->max);
        }
    if (strcmp(l->spec->type, "quantize") != 0 || !l->quantizer.method) return;
    for (size_t i = 0; i < count; i++) {
        if (!n->frozen) n->residual[l->index][i] = rounded(&l->quantizer, 0, y[i]) - y[i];
        y[i] += n->residual[l->index][i];
    }
}

/* The mean loss. */
static double interpret(net *n)
{
    double images[IMAGES * 512], loss = 0;
    for (size_t i = 0; i < IMAGES * (size_t)(n->spec.height * n->spec.width * n->spec.channels); i++)
        images[i] = (double)srq_graph_input(n->graph)[i];
    for (int i = 0; i < n->spec.layer_count; i++) run_layer(n, srq_graph_layer(n->graph, i), images);
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

/* --- Building */

static srq_layer_spec *add(net *n, const char *name, const char *type, const char *input)
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

static srq_layer_spec *with_window(srq_layer_spec *l, int out, int k0, int k1, int s0, int s1, int p0, int p1)
{
    l->out = out;
    l->kernel[0] = k0, l->kernel[1] = k1;
    l->stride[0] = s0, l->stride[1] = s1;
    l->padding[0] = p0, l->padding[1] = p1;
    return l;
}

static void start(net *n, int height, int width, int channels)
{
    *n = (net){.spec = {.name = "test", .height = height, .width = width, .channels = channels, .origin = "test:0"}};
    n->spec.layers = n->layers;
}

static void build(net *n)
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
static void freeze_values(net *n)
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

static void finish(net *n)
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

/* In three parts, as three ranks would, and in groups of a few layers. */
static void finish_step(net *n, float *gradient)
{
    enum { PARTS = 3 };
    srq_finish *f = NULL;
    ck_assert_int_eq(srq_finish_create(n->graph, 200, &f), SRQ_OK);
    double *slots = calloc(srq_finish_slot_count(f) + 1, sizeof *slots);
    size_t end = srq_graph_size(n->graph);
    for (int g = 0; g < srq_finish_group_count(f); g++) {
        ck_assert_uint_eq(srq_finish_end(f, g), end);
        end = srq_finish_begin(f, g);
        srq_finish_unpack(f, g, gradient);
        for (int i = 0; i < PARTS; i++) srq_finish_run(f, gradient, g, i, PARTS, slots);
    }
    ck_assert_uint_eq(end, 0);
    ck_assert_int_eq(srq_finish_collect(f, slots, gradient), -1);
    free(slots);
    srq_finish_destroy(&f);
}

/* Forward loss, and the gradient of every parameter of the given kinds by central differences. The differences of a
 * float64 function with step 1e-5 are good to 1e-9; the rest is the way's tolerance, of the largest gradient of the
 * parameter, and of the network's where that is 0. */
static void check_gradients(net *n)
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
        /* All elements the first way; the others share the formulas, and a part of them tells a wrong one. Under the
         * sanitizers, which look at srq and not at the differences, a part everywhere. */
        const size_t every = (current == &ways[0] && !SRQ_SANITIZED) || q->count < 24 ? 1 : q->count / 24 | 1;
        for (size_t i = 0; i < q->count; i += every) {
            double *v = &n->values[q->offset + i];
            const double kept = *v, h = 1e-5;
            *v = kept + h;
            double up = interpret(n);
            *v = kept - h;
            double down = interpret(n);
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

START_TEST(convolutions)
{
    if (!take_way(_i)) return;
    static const int shapes[][8] = {
        /* height, width, kernel, kernel, stride, stride, padding, padding */
        {5, 6, 3, 3, 1, 1, 1, 1}, {7, 5, 3, 2, 2, 1, 0, 1}, {4, 4, 1, 1, 1, 1, 0, 0}, {6, 6, 1, 1, 2, 2, 0, 0},
        {5, 5, 5, 5, 1, 1, 0, 0}, {5, 5, 5, 5, 1, 1, 2, 2}, {8, 3, 3, 3, 3, 3, 2, 2}, {1, 9, 1, 4, 1, 2, 0, 3},
    };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int channels = 1; channels <= 3; channels += 2) {
            const int *h = shapes[s];
            net n;
            start(&n, h[0], h[1], channels);
            with_window(add(&n, "a", "conv", "input"), 3, h[2], h[3], h[4], h[5], h[6], h[7]);
            with_window(add(&n, "b", "conv", "a"), 2, 1, 1, 1, 1, 0, 0)->bias = false;
            add(&n, "c", "dense", "b")->out = 4;
            build(&n);
            check_gradients(&n);
            finish(&n);
        }
}
END_TEST

/* In groups, some with several channels on either side, and depthwise with one and with several outputs a channel. */
START_TEST(grouped_convolutions)
{
    if (!take_way(_i)) return;
    static const int shapes[][8] = {
        {5, 6, 3, 3, 1, 1, 1, 1}, {7, 5, 3, 2, 2, 1, 0, 1}, {4, 4, 1, 1, 1, 1, 0, 0}, {6, 5, 1, 1, 2, 2, 0, 0},
        {5, 5, 5, 5, 1, 1, 2, 2}, {8, 3, 3, 3, 3, 3, 2, 2}, {1, 9, 1, 4, 1, 2, 0, 3},
    };
    static const int channels[][3] = {/* in, groups, out */ {3, 3, 3}, {2, 2, 4}, {4, 2, 6}, {6, 3, 3}, {1, 1, 2}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t k = 0; k < sizeof channels / sizeof *channels; k++) {
            const int *h = shapes[s], *c = channels[k];
            net n;
            start(&n, h[0], h[1], 2);
            with_window(add(&n, "a", "conv", "input"), c[0], 1, 1, 1, 1, 0, 0);
            with_window(add(&n, "b", "conv", "a"), c[2], h[2], h[3], h[4], h[5], h[6], h[7])->groups = c[1];
            add(&n, "c", "dense", "b")->out = 3;
            build(&n);
            const srq_layer *b = srq_graph_layer(n.graph, 1);
            const srq_parameter *w = srq_graph_parameter(n.graph, b->weight);
            ck_assert_uint_eq(w->shape[1], (size_t)(c[0] / c[1]));
            ck_assert_uint_eq(b->macs, w->count * (size_t)(b->output.height * b->output.width));
            check_gradients(&n);
            finish(&n);
        }
}
END_TEST

/* ReLU6: no output above the ceiling and no gradient where it is reached. Here a lower one, so that both happen. */
START_TEST(relu_with_a_ceiling)
{
    net n;
    if (!take_way(_i)) return;
    start(&n, 5, 5, 2);
    with_window(add(&n, "a", "conv", "input"), 4, 3, 3, 1, 1, 1, 1);
    add(&n, "r", "relu", "a")->max = 0.75f;
    add(&n, "c", "dense", "r")->out = 3;
    build(&n);
    check_gradients(&n);
    int reached = 0, below = 0;
    srq_metrics metrics;
    ck_assert_int_eq(srq_graph_evaluate(n.graph, IMAGES, n.labels, &metrics), -1);
    const float *y = srq_graph_layer(n.graph, 1)->output.operand.data;
    ck_assert(srq_graph_layer(n.graph, 1)->output.non_negative);
    for (size_t i = 0; i < IMAGES * features(&srq_graph_layer(n.graph, 1)->output); i++) {
        ck_assert(y[i] >= 0 && y[i] <= 0.75f);
        reached += y[i] >= 0.75f;
        below += y[i] > 0 && y[i] < 0.75f;
    }
    ck_assert(reached > 10 && below > 10);
    finish(&n);
}
END_TEST

START_TEST(pools)
{
    if (!take_way(_i)) return;
    static const int shapes[][6] = {{2, 2, 2, 2, 0, 0}, {3, 2, 1, 2, 1, 1}, {2, 3, 3, 1, 1, 0}, {5, 5, 1, 1, 2, 2}};
    static const char *const types[] = {"max_pool", "avg_pool"};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int t = 0; t < 2; t++) {
            const int *h = shapes[s];
            net n;
            start(&n, 7, 6, 2);
            with_window(add(&n, "a", "conv", "input"), 3, 3, 3, 1, 1, 1, 1);
            with_window(add(&n, "p", types[t], "a"), 0, h[0], h[1], h[2], h[3], h[4], h[5]);
            add(&n, "c", "dense", "p")->out = 3;
            build(&n);
            check_gradients(&n);
            finish(&n);
        }
}
END_TEST

/* Batch-norm, ReLU, add, whole-image average: a residual block, whose first output has two users. */
START_TEST(residual_block)
{
    if (!take_way(_i)) return;
    net n;
    start(&n, 6, 6, 2);
    with_window(add(&n, "a", "conv", "input"), 4, 3, 3, 1, 1, 1, 1);
    add(&n, "a_bn", "batch_norm", "a");
    add(&n, "a_relu", "relu", "a_bn");
    with_window(add(&n, "b", "conv", "a_relu"), 4, 3, 3, 1, 1, 1, 1)->bias = false;
    add(&n, "b_bn", "batch_norm", "b");
    srq_layer_spec *sum = add(&n, "sum", "add", "b_bn");
    sum->input_count = 3;
    snprintf(sum->inputs[1], SRQ_NAME_SIZE, "a_relu");
    snprintf(sum->inputs[2], SRQ_NAME_SIZE, "a_relu");
    add(&n, "sum_relu", "relu", "sum");
    add(&n, "pool", "avg_pool", "sum_relu");
    add(&n, "c", "dense", "pool")->out = 5;
    build(&n);
    check_gradients(&n);
    finish(&n);
}
END_TEST

/* With straight-through quantizers whose ranges hold everything, gradients are those of the network with what rounding
 * adds held fixed: codes, scales and their way through convolution, dense and the float32 copies for add and pool.
 * Loop: one step size for each weight tensor, and one for each output channel, all different. */
START_TEST(quantized_networks)
{
    net n;
    const bool per_channel = _i % 2;
    if (!take_way(_i / 2)) return;
    start(&n, 6, 5, 2);
    add(&n, "q0", "quantize", "input");
    with_window(add(&n, "a", "conv", "q0"), 3, 3, 3, 1, 1, 1, 1);
    add(&n, "r", "relu", "a");
    add(&n, "q1", "quantize", "r");
    with_window(add(&n, "b", "conv", "q1"), 3, 3, 3, 1, 1, 1, 1);
    srq_layer_spec *sum = add(&n, "sum", "add", "b");
    sum->input_count = 2;
    snprintf(sum->inputs[1], SRQ_NAME_SIZE, "q1");
    add(&n, "q2", "quantize", "sum");
    with_window(add(&n, "g", "conv", "q2"), 6, 3, 3, 2, 1, 1, 1)->groups = 3;
    with_window(add(&n, "p", "avg_pool", "g"), 0, 2, 2, 1, 2, 0, 0);
    add(&n, "c", "dense", "p")->out = 4;
    for (int i = 0; i < n.spec.layer_count; i++) {
        srq_layer_spec *l = &n.layers[i];
        snprintf(l->quantizer.method, sizeof l->quantizer.method, "ste");
        l->quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {8}};
        l->quantizer.per_channel = per_channel && strcmp(l->type, "quantize") != 0;
    }
    build(&n);
    for (int p = 0; p < srq_graph_parameter_count(n.graph); p++) {
        const srq_parameter *q = srq_graph_parameter(n.graph, p);
        if (q->kind != SRQ_PARAMETER_ALPHA) continue;
        const bool of_weights = strstr(q->name, "weight");
        ck_assert_uint_eq(q->count, !per_channel || !of_weights ? 1
                                    : q->name[0] == 'c'         ? 4
                                    : q->name[0] == 'g'         ? 6
                                                                : 3);
        for (size_t c = 0; c < q->count; c++)
            srq_graph_values(n.graph)[q->offset + c] = of_weights ? 0.02f + 0.003f * (float)c : 0.1f;
    }
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    ck_assert_int_eq(srq_graph_layer(n.graph, 3)->output.operand.dtype, SRQ_UINT8);
    ck_assert_int_eq(srq_graph_layer(n.graph, 6)->output.operand.dtype, SRQ_INT8);
    check_gradients(&n);
    finish(&n);
}
END_TEST

/* Everything that a chain can hold, with windows of several shapes, and a residual whose chain ends before the add. */
START_TEST(chains)
{
    static const int windows[][2] = {{2, 2}, {2, 3}, {4, 1}};
    if (!take_way(_i / 3)) return;
    const int *k = windows[_i % 3];
    net n;
    start(&n, 8, 6, 2);
    with_window(add(&n, "a", "conv", "input"), 20, 3, 3, 1, 1, 1, 1)->bias = _i % 2;
    add(&n, "a_bn", "batch_norm", "a");
    add(&n, "a_relu", "relu", "a_bn")->max = 1.5f;
    with_window(add(&n, "a_pool", "max_pool", "a_relu"), 0, k[0], k[1], k[0], k[1], 0, 0);
    add(&n, "a_q", "quantize", "a_pool");
    with_window(add(&n, "b", "conv", "a_q"), 20, 3, 1, 1, 1, 1, 0);
    add(&n, "b_bn", "batch_norm", "b");
    srq_layer_spec *sum = add(&n, "sum", "add", "b_bn");
    sum->input_count = 2;
    snprintf(sum->inputs[1], SRQ_NAME_SIZE, "a_q");
    add(&n, "sum_relu", "relu", "sum");
    add(&n, "sum_q", "quantize", "sum_relu");
    with_window(add(&n, "d", "conv", "sum_q"), 3, 1, 1, 1, 1, 0, 0);
    add(&n, "d_relu", "relu", "d")->max = 1;
    add(&n, "d_q", "quantize", "d_relu");
    add(&n, "c", "dense", "d_q")->out = 3;
    for (int i = 0; i < n.spec.layer_count; i++) {
        snprintf(n.layers[i].quantizer.method, sizeof n.layers[i].quantizer.method, "ste");
        n.layers[i].quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {8}};
    }
    build(&n);
    for (int p = 0; p < srq_graph_parameter_count(n.graph); p++) {
        const srq_parameter *q = srq_graph_parameter(n.graph, p);
        if (q->kind == SRQ_PARAMETER_ALPHA)
            srq_graph_values(n.graph)[q->offset] = strstr(q->name, "weight") ? 0.02f : 0.05f;
    }
    check_gradients(&n);
    finish(&n);
}
END_TEST

/* Integer sums are exact: the output of a quantized convolution is scale times an integer. */
START_TEST(codes_give_exact_sums)
{
    static const int groups[] = {1, 2, 4}; /* whole, two groups, depthwise */
    if (!take_way(_i / 3)) return;
    net n;
    start(&n, 8, 8, 4);
    add(&n, "q", "quantize", "input");
    with_window(add(&n, "a", "conv", "q"), 8, 3, 3, 1, 1, 1, 1)->bias = false;
    n.layers[1].groups = groups[_i % 3];
    add(&n, "c", "dense", "a")->out = 2;
    for (int i = 0; i < 2; i++) {
        snprintf(n.layers[i].quantizer.method, 16, "ste");
        n.layers[i].quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {4}};
    }
    build(&n);
    float *values = srq_graph_values(n.graph);
    values[srq_graph_parameter(n.graph, srq_graph_find_parameter(n.graph, "q/activation_alpha"))->offset] = 0.25f;
    values[srq_graph_parameter(n.graph, srq_graph_find_parameter(n.graph, "a/weight_alpha"))->offset] = 0.0625f;
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    freeze_values(&n);
    srq_metrics metrics;
    ck_assert_int_eq(srq_graph_evaluate(n.graph, IMAGES, n.labels, &metrics), -1);
    interpret(&n);
    const float *y = srq_graph_layer(n.graph, 1)->output.operand.data;
    for (size_t i = 0; i < IMAGES * features(&srq_graph_layer(n.graph, 1)->output); i++)
        ck_assert_double_eq((double)y[i], n.out[1][i]);
    finish(&n);
}
END_TEST

static void start_batch_norm(net *n)
{
    start(n, 2, 1, 1);
    add(n, "bn", "batch_norm", "input");
    add(n, "c", "dense", "bn")->out = 2;
    build(n);
}

static const srq_parameter *named(const net *n, const char *name)
{
    return srq_graph_parameter(n->graph, srq_graph_find_parameter(n->graph, name));
}

/* Statistics go into the gradient's place by the shard's share, and evaluation uses what was kept. */
START_TEST(batch_norm_statistics)
{
    if (!take_way(_i)) return;
    net n;
    start_batch_norm(&n);
    const float images[IMAGES * 2] = {1, 2, 3, 4, 5, 9};
    memcpy(srq_graph_input(n.graph), images, sizeof images);
    float *gradient = calloc(srq_graph_size(n.graph), sizeof *gradient);
    srq_metrics metrics;
    ck_assert_int_eq(srq_graph_begin_step(n.graph, &first_step), SRQ_OK);
    srq_graph_train(n.graph, 0, IMAGES, n.labels, 2 * IMAGES, gradient, &metrics);
    const srq_parameter *mean = named(&n, "bn/running_mean"), *variance = named(&n, "bn/running_variance");
    /* mean 4, unbiased variance (9 + 4 + 1 + 0 + 1 + 25) / 5 = 8, each by half */
    ck_assert_float_eq_tol(gradient[mean->offset], 2, 1e-6f);
    ck_assert_float_eq_tol(gradient[variance->offset], 4, 1e-6f);
    free(gradient);
    finish(&n);
}
END_TEST

/* Statistics taken anew are the mean over passes of the images' own, whatever was there before. */
START_TEST(batch_norm_statistics_anew)
{
    if (!take_way(_i)) return;
    net n;
    start_batch_norm(&n);
    const float images[2][IMAGES * 2] = {{1, 2, 3, 4, 5, 9}, {2, 4, 6, 8, 10, 18}};
    float *scratch = calloc(srq_graph_size(n.graph), sizeof *scratch);
    float *values = srq_graph_values(n.graph);
    const srq_parameter *mean = named(&n, "bn/running_mean"), *variance = named(&n, "bn/running_variance");
    const float weight = values[named(&n, "c/weight")->offset];
    values[mean->offset] = 100;
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    for (int i = 0; i < 2; i++) {
        memcpy(srq_graph_input(n.graph), images[i], sizeof images[i]);
        ck_assert_int_eq(srq_graph_take_statistics(n.graph, IMAGES, i, scratch), -1);
    }
    /* means 4 and 8, unbiased variances 8 and 32 */
    ck_assert_float_eq_tol(values[mean->offset], 6, 1e-6f);
    ck_assert_float_eq_tol(values[variance->offset], 20, 1e-5f);
    ck_assert_float_eq(values[named(&n, "c/weight")->offset], weight);
    free(scratch);
    finish(&n);
}
END_TEST

/* Weights have the mean 0 and the deviation gain / sqrt(fan-in). Of N of them the mean of squares has the relative
 * deviation sqrt(2 / N), the mean that of one over sqrt(N): five of these are allowed. */
START_TEST(initial_weights)
{
    net n;
    start(&n, 8, 8, 4);
    with_window(add(&n, "c", "conv", "input"), 32, 3, 3, 1, 1, 0, 0);
    add(&n, "d", "dense", "c")->out = 8;
    build(&n);
    const double gains[] = {SRQ_GAIN_HE, 0.577, 3};
    const struct {
        const char *weight, *bias;
        double fan_in;
    } layers[] = {{"c/weight", "c/bias", 4 * 3 * 3}, {"d/weight", "d/bias", 32 * 6 * 6}};
    for (int g = 0; g < 3; g++) {
        srq_graph_initialize(n.graph, 42, gains[g]);
        const float *values = srq_graph_values(n.graph);
        for (int l = 0; l < 2; l++) {
            const srq_parameter *weight = named(&n, layers[l].weight), *bias = named(&n, layers[l].bias);
            double sum = 0, squares = 0;
            for (size_t i = 0; i < weight->count; i++) {
                const double w = (double)values[weight->offset + i] * sqrt(layers[l].fan_in) / gains[g];
                sum += w, squares += w * w;
            }
            const double count = (double)weight->count;
            ck_assert_double_eq_tol(squares / count, 1, 5 * sqrt(2 / count));
            ck_assert_double_eq_tol(sum / count, 0, 5 / sqrt(count));
            for (size_t i = 0; i < bias->count; i++) ck_assert_float_eq(values[bias->offset + i], 0);
        }
    }
    finish(&n);
}
END_TEST

START_TEST(no_images_give_no_gradient)
{
    net n;
    start(&n, 2, 2, 1);
    add(&n, "c", "dense", "input")->out = 2;
    build(&n);
    float *gradient = calloc(srq_graph_size(n.graph), sizeof *gradient);
    srq_metrics metrics;
    gradient[0] = 3;
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    ck_assert_int_eq(srq_graph_train(n.graph, 0, 0, NULL, 8, gradient, &metrics), -1);
    for (size_t i = 0; i < srq_graph_size(n.graph); i++) ck_assert_float_eq(gradient[i], 0);
    ck_assert_int_eq(metrics.count, 0);
    free(gradient);
    finish(&n);
}
END_TEST

START_TEST(bad_numbers_name_the_layer)
{
    if (!take_way(_i)) return;
    net n;
    start(&n, 4, 4, 1);
    with_window(add(&n, "a", "conv", "input"), 2, 3, 3, 1, 1, 0, 0);
    add(&n, "q", "quantize", "a");
    add(&n, "c", "dense", "q")->out = 2;
    for (int i = 0; i < 3; i++) {
        snprintf(n.layers[i].quantizer.method, 16, "srq");
        n.layers[i].quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {2}};
        n.layers[i].quantizer.sigma_ratio = 0.3f;
    }
    build(&n);
    float *gradient = calloc(srq_graph_size(n.graph), sizeof *gradient);
    srq_metrics metrics;
    ck_assert_int_eq(srq_graph_begin_step(n.graph, &first_step), SRQ_OK);
    srq_graph_input(n.graph)[5] = NAN;
    ck_assert_int_eq(srq_graph_train(n.graph, 0, IMAGES, n.labels, IMAGES, gradient, &metrics), 1);
    ck_assert_int_eq(srq_graph_evaluate(n.graph, IMAGES, n.labels, &metrics), 1);
    /* Logits, which nothing quantizes. */
    srq_graph_input(n.graph)[5] = 0;
    ck_assert_int_eq(srq_graph_evaluate(n.graph, IMAGES, n.labels, &metrics), -1);
    srq_graph_values(n.graph)[srq_graph_parameter(n.graph, srq_graph_find_parameter(n.graph, "c/bias"))->offset] =
        INFINITY;
    ck_assert_int_eq(srq_graph_begin_step(n.graph, &first_step), SRQ_OK);
    ck_assert_int_eq(srq_graph_train(n.graph, 0, IMAGES, n.labels, IMAGES, gradient, &metrics), 2);
    ck_assert_int_eq(srq_graph_evaluate(n.graph, IMAGES, n.labels, &metrics), 2);
    srq_graph_values(n.graph)[srq_graph_parameter(n.graph, srq_graph_find_parameter(n.graph, "c/weight"))->offset] =
        INFINITY;
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_ERROR_RUN);
    ck_assert_ptr_nonnull(strstr(srq_message(), "\"c\""));
    free(gradient);
    finish(&n);
}
END_TEST

static void expect_refusal(net *n, const char *words)
{
    const srq_graph_options options = {.capacity = 1};
    srq_graph *graph = NULL;
    ck_assert_int_eq(srq_graph_create(&n->spec, &options, &graph), SRQ_ERROR_USAGE);
    ck_assert_msg(strstr(srq_message(), words) != NULL, "\"%s\" is not in: %s", words, srq_message());
    ck_assert_ptr_null(graph);
}

START_TEST(misfits_are_refused)
{
    net n;
    start(&n, 4, 4, 1);
    with_window(add(&n, "a", "conv", "input"), 2, 5, 5, 1, 1, 0, 0);
    add(&n, "c", "dense", "a")->out = 2;
    expect_refusal(&n, "test:1: layer \"a\": the kernel 5 x 5 does not fit into the input of 4 x 4 pixels");
    start(&n, 4, 4, 1);
    with_window(add(&n, "a", "conv", "input"), 2, 3, 3, 1, 1, 0, 0);
    expect_refusal(&n, "must give 1 x 1 x classes");
    start(&n, 4, 4, 1);
    with_window(add(&n, "a", "conv", "input"), 2, 3, 3, 1, 1, 0, 0);
    srq_layer_spec *sum = add(&n, "sum", "add", "a");
    sum->input_count = 2;
    snprintf(sum->inputs[1], SRQ_NAME_SIZE, "input");
    add(&n, "c", "dense", "sum")->out = 2;
    expect_refusal(&n, "layer \"sum\": inputs of different shapes");
    start(&n, 4, 4, 1);
    with_window(add(&n, "a", "conv", "input"), 2, 3, 3, 1, 1, 0, 0);
    add(&n, "c", "dense", "input")->out = 2;
    expect_refusal(&n, "the output of layer \"a\" is not used");
    start(&n, 4, 4, 6);
    with_window(add(&n, "a", "conv", "input"), 8, 3, 3, 1, 1, 0, 0)->groups = 4;
    add(&n, "c", "dense", "a")->out = 2;
    expect_refusal(&n, "test:1: layer \"a\": 4 groups, but the input has 6 channels, which is no multiple");
    n.layers[0].groups = 3;
    expect_refusal(&n, "test:1: layer \"a\": 3 groups, but the output (out) has 8 channels");
    start(&n, 4, 4, 1);
    add(&n, "c", "dense", "nothing")->out = 2;
    expect_refusal(&n, "input \"nothing\" is not an earlier layer");
    start(&n, 4, 4, 1);
    add(&n, "c", "sigmoid", "input")->out = 2;
    expect_refusal(&n, "no layer type is called \"sigmoid\"");
}
END_TEST

/* --- Optimizers, by hand */

static void step_by(net *n, srq_optimizer *o, float g)
{
    float *gradient = calloc(srq_graph_size(n->graph), sizeof *gradient);
    for (int p = 0; p < srq_graph_parameter_count(n->graph); p++)
        gradient[srq_graph_parameter(n->graph, p)->offset] = g;
    srq_optimizer_step(o, n->graph, gradient, 1);
    free(gradient);
}

static float *first_of(net *n, const char *name)
{
    return srq_graph_values(n->graph) + srq_graph_parameter(n->graph, srq_graph_find_parameter(n->graph, name))->offset;
}

START_TEST(optimizers)
{
    net n;
    start(&n, 1, 1, 1);
    add(&n, "c", "dense", "input")->out = 2;
    snprintf(n.layers[0].quantizer.method, 16, "srq");
    n.layers[0].quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {2}};
    n.layers[0].quantizer.sigma_ratio = 0.5f;
    build(&n);
    float *w = first_of(&n, "c/weight"), *b = first_of(&n, "c/bias"), *a = first_of(&n, "c/weight_alpha"),
          *s = first_of(&n, "c/weight_sigma");
    srq_optimizer *o = NULL;
    srq_optimizer_options options = {.method = SRQ_SGD,
                                     .learning_rate = 0.1,
                                     .alpha_learning_rate = 0.01,
                                     .sigma_learning_rate = 0,
                                     .momentum = 0.5,
                                     .weight_decay = 0.1};
    ck_assert_int_eq(srq_optimizer_create(n.graph, &options, &o), SRQ_OK);
    *w = 2, *b = 1, *a = 0.5f, *s = 0.25f;
    step_by(&n, o, 1);
    ck_assert_float_eq_tol(*w, 2 - 0.1f * 1.2f, 1e-6f); /* 1 + 0.1 * 2 */
    ck_assert_float_eq_tol(*b, 0.9f, 1e-6f);            /* no decay */
    ck_assert_float_eq_tol(*a, 0.5f * expf(-0.01f * 0.5f), 1e-6f);
    ck_assert_float_eq(*s, 0.25f);
    step_by(&n, o, 1);
    ck_assert_float_eq_tol(*b, 0.9f - 0.1f * 1.5f, 1e-6f);
    ck_assert_int_eq(srq_optimizer_steps(o), 2);
    srq_optimizer_destroy(&o);

    options.method = SRQ_ADAM;
    options.weight_decay = 0;
    options.beta1 = 0.9, options.beta2 = 0.999, options.epsilon = 1e-8;
    ck_assert_int_eq(srq_optimizer_create(n.graph, &options, &o), SRQ_OK);
    *w = 2;
    /* With equal gradients both corrected moments are g and g^2: every step is the learning rate. */
    for (int i = 1; i <= 3; i++) {
        step_by(&n, o, 3);
        ck_assert_float_eq_tol(*w, 2 - 0.1f * (float)i, 2e-6f);
    }
    /* A step size never leaves the positive numbers. */
    for (int i = 0; i < 3000; i++) step_by(&n, o, 1e6f);
    ck_assert(*a > 0);
    srq_optimizer_destroy(&o);
    finish(&n);
}
END_TEST

START_TEST(schedules)
{
    srq_schedule s = {.method = SRQ_CONSTANT, .total = 100};
    ck_assert_double_eq(srq_schedule_factor(&s, 0), 1);
    s.warmup = 4;
    for (int i = 0; i < 4; i++) ck_assert_double_eq_tol(srq_schedule_factor(&s, i), (i + 1) / 5.0, 1e-12);
    ck_assert_double_eq(srq_schedule_factor(&s, 4), 1);
    s = (srq_schedule){.method = SRQ_LINEAR, .total = 100, .final = 0.2};
    ck_assert_double_eq_tol(srq_schedule_factor(&s, 50), 0.6, 1e-12);
    s.method = SRQ_COSINE;
    ck_assert_double_eq_tol(srq_schedule_factor(&s, 0), 1, 1e-12);
    ck_assert_double_eq_tol(srq_schedule_factor(&s, 50), 0.6, 1e-12);
    ck_assert_double_eq_tol(srq_schedule_factor(&s, 100), 0.2, 1e-12);
    s = (srq_schedule){.method = SRQ_STEP, .total = 100, .step_every = 30, .factor = 0.1};
    ck_assert_double_eq_tol(srq_schedule_factor(&s, 29), 1, 1e-12);
    ck_assert_double_eq_tol(srq_schedule_factor(&s, 61), 0.01, 1e-12);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graph");
    TCase *tests = tcase_create("graph");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, convolutions, 0, WAYS);
    tcase_add_loop_test(tests, grouped_convolutions, 0, WAYS);
    tcase_add_loop_test(tests, relu_with_a_ceiling, 0, WAYS);
    tcase_add_loop_test(tests, pools, 0, WAYS);
    tcase_add_loop_test(tests, residual_block, 0, WAYS);
    tcase_add_loop_test(tests, quantized_networks, 0, 2 * WAYS);
    tcase_add_loop_test(tests, chains, 0, 3 * WAYS);
    tcase_add_loop_test(tests, codes_give_exact_sums, 0, 3 * WAYS);
    tcase_add_loop_test(tests, batch_norm_statistics, 0, WAYS);
    tcase_add_loop_test(tests, batch_norm_statistics_anew, 0, WAYS);
    tcase_add_test(tests, initial_weights);
    tcase_add_test(tests, no_images_give_no_gradient);
    tcase_add_loop_test(tests, bad_numbers_name_the_layer, 0, WAYS);
    tcase_add_test(tests, misfits_are_refused);
    tcase_add_test(tests, optimizers);
    tcase_add_test(tests, schedules);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
