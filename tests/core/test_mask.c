/* Masks of weights: weights that are not kept are 0 everywhere and add nothing, with every quantizer; the order of
 * pruning. */
#include "core/finish.h"
#include "core/kernels/engine.h"
#include "core/optimizer.h"
#include "core/prune.h"
#include "core/random.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LAYERS = 3, IMAGES = 4, CONV_WEIGHTS = 6 * 2 * 3 * 3, DENSE_WEIGHTS = 5 * 6 * 4 * 4 };

typedef struct net {
    srq_model_spec spec;
    srq_layer_spec layers[LAYERS];
    srq_graph *graph;
    srq_optimizer *optimizer;
    srq_finish *finish;
    float *gradient;
    double *slots;
    int32_t labels[IMAGES];
} net;

/* What quantizes the weights in each turn of the loop. */
static const struct {
    const char *method;
    int bits;
    bool per_channel;
    srq_dropbits dropbits;
    srq_estimator estimator;
} ways[] = {{"float32", 8, false, SRQ_DROPBITS_OFF, SRQ_ESTIMATOR_FULL},
            {"ste", 1, false, SRQ_DROPBITS_OFF, SRQ_ESTIMATOR_FULL},
            {"lsq", 3, true, SRQ_DROPBITS_OFF, SRQ_ESTIMATOR_FULL},
            {"rq", 3, false, SRQ_DROPBITS_OFF, SRQ_ESTIMATOR_FULL},
            {"rq", 1, true, SRQ_DROPBITS_OFF, SRQ_ESTIMATOR_FULL},
            {"rq_st", 2, false, SRQ_DROPBITS_OFF, SRQ_ESTIMATOR_FULL},
            {"srq", 2, false, SRQ_DROPBITS_OFF, SRQ_ESTIMATOR_FULL},
            {"srq", 4, true, SRQ_DROPBITS_OFF, SRQ_ESTIMATOR_ARGMAX},
            {"srq", 5, false, SRQ_DROPBITS_LEARN, SRQ_ESTIMATOR_FULL},
            {"srq", 4, true, SRQ_DROPBITS_REGULARIZE, SRQ_ESTIMATOR_ARGMAX}};
enum { WAYS = sizeof ways / sizeof *ways };

static void add_layer(net *n, int i, const char *name, const char *type, int out, const char *input)
{
    srq_layer_spec *l = &n->layers[i];
    *l = (srq_layer_spec){.out = out, .kernel = {3, 3}, .stride = {1, 1}, .input_count = 1, .bias = true};
    snprintf(l->name, sizeof l->name, "%s", name);
    snprintf(l->type, sizeof l->type, "%s", type);
    snprintf(l->inputs[0], sizeof l->inputs[0], "%s", input);
    snprintf(l->quantizer.method, sizeof l->quantizer.method, "float32");
}

static void build(net *n, int way, srq_optimizer_method method, const char *engine)
{
    *n = (net){.spec = {.name = "test", .height = 6, .width = 6, .channels = 2, .layer_count = LAYERS}};
    n->spec.layers = n->layers;
    add_layer(n, 0, "conv", "conv", 6, "input");
    add_layer(n, 1, "relu", "relu", 0, "conv");
    add_layer(n, 2, "fc", "dense", 5, "relu");
    for (int i = 0; i < LAYERS; i += 2) {
        srq_quantizer_spec *q = &n->layers[i].quantizer;
        *q = (srq_quantizer_spec){.bits = {.count = 1, .bits = {ways[way].bits}},
                                  .estimator = ways[way].estimator,
                                  .per_channel = ways[way].per_channel,
                                  .sigma_ratio = 0.5f,
                                  .temperature = 1,
                                  .reach = 3,
                                  .dropbits = ways[way].dropbits,
                                  .min_bits = 1,
                                  .open = 0.6f};
        snprintf(q->method, sizeof q->method, "%s", ways[way].method);
    }
    const srq_graph_options options = {.capacity = IMAGES, .engine = engine};
    ck_assert_msg(srq_graph_create(&n->spec, &options, &n->graph) == SRQ_OK, "%s", srq_message());
    const srq_optimizer_options rates = {.method = method,
                                         .learning_rate = 0.05,
                                         .alpha_learning_rate = 1e-3,
                                         .sigma_learning_rate = 1e-3,
                                         .gate_learning_rate = 0.1,
                                         .momentum = 0.9,
                                         .beta1 = 0.9,
                                         .beta2 = 0.99,
                                         .epsilon = 1e-8,
                                         .weight_decay = 0.01};
    ck_assert_int_eq(srq_optimizer_create(n->graph, &rates, &n->optimizer), SRQ_OK);
    ck_assert_int_eq(srq_finish_create(n->graph, SIZE_MAX, &n->finish), SRQ_OK);
    n->gradient = calloc(srq_graph_size(n->graph), sizeof *n->gradient);
    n->slots = calloc(srq_finish_slot_count(n->finish) + 1, sizeof *n->slots);
    srq_graph_initialize(n->graph, 7, SRQ_GAIN_HE);
    srq_random_normal(1, SRQ_RANDOM_TEST, 0, IMAGES * 72, 1, srq_graph_input(n->graph));
    for (int i = 0; i < IMAGES; i++) n->labels[i] = i % 5;
}

static void destroy(net *n)
{
    free(n->gradient);
    free(n->slots);
    srq_finish_destroy(&n->finish);
    srq_optimizer_destroy(&n->optimizer);
    srq_graph_destroy(&n->graph);
}

/* Forward, backward and the end of a step, with the sums of quantizers. */
static void find_gradient(net *n, long step)
{
    const srq_step now = {.seed = 3, .number = step};
    srq_metrics metrics;
    ck_assert_int_eq(srq_graph_begin_step(n->graph, &now), SRQ_OK);
    memset(n->gradient, 0, srq_graph_size(n->graph) * sizeof *n->gradient);
    ck_assert_int_eq(srq_graph_train(n->graph, 0, IMAGES, n->labels, IMAGES, n->gradient, &metrics), -1);
    srq_finish_unpack(n->finish, 0, 0, n->gradient);
    srq_finish_run(n->finish, n->gradient, 0, 0, 1, n->slots);
    ck_assert_int_eq(srq_finish_collect(n->finish, n->slots, n->gradient), -1);
}

static size_t count_of(const net *n, int layer)
{
    return srq_graph_parameter(n->graph, srq_graph_layer(n->graph, layer)->weight)->count;
}

/* Every third weight of both layers goes. */
static void mask_thirds(net *n)
{
    uint8_t mask[DENSE_WEIGHTS / 8 + 1];
    for (int i = 0; i < LAYERS; i += 2) {
        memset(mask, 0, sizeof mask);
        for (size_t k = 0; k < count_of(n, i); k++)
            if (k % 3) mask[k / 8] |= (uint8_t)(1u << (k % 8));
        ck_assert_int_eq(srq_graph_set_mask(n->graph, i, mask), SRQ_OK);
    }
}

static void expect_zeros(const net *n, const float *vector, const char *what)
{
    for (int i = 0; i < LAYERS; i += 2) {
        const srq_layer *layer = srq_graph_layer(n->graph, i);
        const srq_parameter *w = srq_graph_parameter(n->graph, layer->weight);
        static const float zero = 0;
        size_t others = 0;
        for (size_t k = 0; k < w->count; k++) {
            const float *x = &vector[w->offset + k];
            others += k % 3 && memcmp(x, &zero, sizeof zero) != 0;
            ck_assert_msg(k % 3 || memcmp(x, &zero, sizeof zero) == 0, "%s of %s, weight %zu, is %g", what, w->name, k,
                          (double)*x);
        }
        ck_assert_msg(others > 0, "all of %s of %s is 0", what, w->name);
    }
}

START_TEST(masked_weights_stay_zero)
{
    for (int method = SRQ_SGD; method <= SRQ_ADAM; method++) {
        net n;
        build(&n, _i, (srq_optimizer_method)method, "reference");
        mask_thirds(&n);
        ck_assert(srq_graph_has_masks(n.graph));
        ck_assert_uint_eq(srq_layer_kept(n.graph, srq_graph_layer(n.graph, 0)), CONV_WEIGHTS - CONV_WEIGHTS / 3);
        expect_zeros(&n, srq_graph_values(n.graph), "the value");
        ck_assert_int_eq(srq_graph_start(n.graph, IMAGES), SRQ_OK);
        for (long step = 0; step < 5; step++) {
            find_gradient(&n, step);
            expect_zeros(&n, n.gradient, "the gradient");
            srq_optimizer_step(n.optimizer, n.graph, n.gradient, 1);
            expect_zeros(&n, srq_graph_values(n.graph), "the value");
            for (int s = 0; s < srq_optimizer_state_count(n.optimizer); s++)
                expect_zeros(&n, srq_optimizer_state(n.optimizer, s), srq_optimizer_state_name(n.optimizer, s));
        }
        destroy(&n);
    }
}
END_TEST

/* A weight that is not kept has no effect on the network: also in training, the output depends only on the other
 * weights. Inputs that only such weights read change nothing. */
START_TEST(masked_weights_do_nothing)
{
    static const char *const engines[] = {"reference", "float32", "mixed"};
    for (size_t e = 0; e < 3; e++) {
        if (!srq_kernels_find(engines[e])) continue;
        net n;
        build(&n, _i, SRQ_SGD, engines[e]);
        uint8_t mask[CONV_WEIGHTS / 8 + 1] = {0};
        for (size_t k = 0; k < CONV_WEIGHTS; k++) /* [6][2][3][3]: what reads the second channel goes */
            if (k / 9 % 2 == 0) mask[k / 8] |= (uint8_t)(1u << (k % 8));
        ck_assert_int_eq(srq_graph_set_mask(n.graph, 0, mask), SRQ_OK);
        ck_assert_int_eq(srq_graph_start(n.graph, IMAGES), SRQ_OK);
        float logits[2][IMAGES * 5];
        for (int turn = 0; turn < 2; turn++) {
            for (size_t i = 1; turn && i < IMAGES * 72; i += 2) srq_graph_input(n.graph)[i] = 100 + (float)i;
            find_gradient(&n, 2);
            memcpy(logits[turn], srq_graph_logits(n.graph), sizeof logits[turn]);
        }
        ck_assert_msg(memcmp(logits[0], logits[1], sizeof logits[0]) == 0, "%s, %s", ways[_i].method, engines[e]);
        destroy(&n);
    }
}
END_TEST

/* alpha, sigma and gates get the gradient of the kept weights only. Here, all weights of the dense layer except one are
 * masked. */
START_TEST(masked_weights_add_nothing_to_sums)
{
    net n;
    build(&n, _i, SRQ_SGD, "reference");
    uint8_t mask[DENSE_WEIGHTS / 8 + 1] = {0};
    mask[3] = 0x10;
    ck_assert_int_eq(srq_graph_start(n.graph, IMAGES), SRQ_OK);
    ck_assert_int_eq(srq_graph_set_mask(n.graph, 2, mask), SRQ_OK);
    const srq_layer *fc = srq_graph_layer(n.graph, 2);
    find_gradient(&n, 0);
    const srq_quantizer *q = &fc->quantizer;
    if (q->method &&
        !q->method->forward) { /* methods without noise: the sum is the backward pass of the one kept weight */
        const srq_parameter *w = srq_graph_parameter(n.graph, fc->weight), *a = srq_graph_parameter(n.graph, fc->alpha);
        double sum = 0;
        for (size_t c = 0; c < a->count; c++) sum += fabs((double)n.gradient[a->offset + c]);
        const float x = srq_graph_values(n.graph)[w->offset + 28];
        const float alpha = q->alpha[28 / (w->count / (size_t)q->channels)];
        const float v = x / alpha, low = (float)q->grid.min, high = (float)q->grid.max;
        if (v > low && v < high && n.gradient[w->offset + 28] != 0) {
            double by_alpha = fabs((double)n.gradient[w->offset + 28] * (double)(rintf(v) - v));
            if (strcmp(q->method->name, "lsq") == 0)
                by_alpha /= sqrt(1.0 / q->channels * q->grid.max); /* N counts the kept weights */
            ck_assert_double_le(fabs(sum - by_alpha), 1e-5 * (by_alpha + 1e-3));
        }
    }
    /* Nothing is kept: no sum has anything in it. */
    mask[3] = 0;
    ck_assert_int_eq(srq_graph_set_mask(n.graph, 2, mask), SRQ_OK);
    find_gradient(&n, 1);
    const int sums[] = {fc->alpha, fc->sigma, fc->gates};
    for (int i = 0; i < 3; i++) {
        if (sums[i] < 0) continue;
        const srq_parameter *p = srq_graph_parameter(n.graph, sums[i]);
        for (size_t k = 0; k < p->count; k++) ck_assert_float_eq(n.gradient[p->offset + k], 0);
    }
    destroy(&n);
}
END_TEST

START_TEST(packing)
{
    const uint8_t mask[2] = {0x81, 0x02};
    ck_assert_uint_eq(srq_mask_bytes(0), 0);
    ck_assert_uint_eq(srq_mask_bytes(8), 1);
    ck_assert_uint_eq(srq_mask_bytes(9), 2);
    ck_assert_uint_eq(srq_mask_count(mask, 10), 3);
    for (size_t i = 0; i < 10; i++) ck_assert_int_eq(srq_mask_keeps(mask, i), i == 0 || i == 7 || i == 9);
    ck_assert(srq_mask_is_whole(mask, 10) && srq_mask_is_whole(mask, 16) && !srq_mask_is_whole(mask, 9));
    float x[4] = {1, 2, -3, 4};
    int8_t codes[10] = {1, 1, 1, 1, 1, 1, 1, -1, 1, -1};
    srq_mask_floats(mask, 6, 10, x);
    ck_assert(x[0] == 0 && x[1] == 2 && x[2] == 0 && x[3] == 4);
    srq_mask_codes(mask, 10, codes);
    for (size_t i = 0; i < 10; i++) ck_assert_int_eq(codes[i] != 0, i == 0 || i == 7 || i == 9);
}
END_TEST

/* The number of kept weights of `layer` whose magnitude is at most `size`. */
static size_t kept_up_to(const net *n, int layer, float size)
{
    const srq_layer *l = srq_graph_layer(n->graph, layer);
    const float *w = srq_graph_values(n->graph) + srq_graph_parameter(n->graph, l->weight)->offset;
    size_t kept = 0;
    for (size_t k = 0; k < count_of(n, layer); k++) kept += srq_mask_keeps(l->mask, k) && fabsf(w[k]) <= size;
    return kept;
}

/* Magnitudes 1, 2, 3, ... with random signs and order, each a hundred times. The conv layer has the first ones. */
static void set_magnitudes(net *n)
{
    for (int i = 0; i < LAYERS; i += 2) {
        float *w =
            srq_graph_values(n->graph) + srq_graph_parameter(n->graph, srq_graph_layer(n->graph, i)->weight)->offset;
        for (size_t k = 0; k < count_of(n, i); k++)
            w[k] = (k % 2 ? -1.0f : 1.0f) * (float)(i * 1000 + (int)((k * 7) % count_of(n, i)) + 1);
    }
}

START_TEST(pruning_by_layer)
{
    net n;
    build(&n, 0, SRQ_SGD, "reference");
    set_magnitudes(&n);
    size_t expected[LAYERS] = {CONV_WEIGHTS, 0, DENSE_WEIGHTS};
    for (int level = 0; level < 5; level++) {
        ck_assert_int_eq(srq_graph_prune(n.graph, 0.2, false), SRQ_OK);
        for (int i = 0; i < LAYERS; i += 2) {
            expected[i] -= expected[i] / 5;
            ck_assert_uint_eq(srq_layer_kept(n.graph, srq_graph_layer(n.graph, i)), expected[i]);
            /* The largest are left. */
            const size_t gone = count_of(&n, i) - expected[i];
            ck_assert_uint_eq(kept_up_to(&n, i, (float)(i * 1000) + (float)gone), 0);
        }
    }
    destroy(&n);
}
END_TEST

START_TEST(pruning_of_all_layers)
{
    net n;
    build(&n, 0, SRQ_SGD, "reference");
    set_magnitudes(&n);
    const size_t all = CONV_WEIGHTS + DENSE_WEIGHTS, goes = (size_t)floor(0.1 * (double)all);
    ck_assert_uint_lt(goes, CONV_WEIGHTS);
    ck_assert_int_eq(srq_graph_prune(n.graph, 0.1, true), SRQ_OK);
    ck_assert_uint_eq(srq_layer_kept(n.graph, srq_graph_layer(n.graph, 0)), CONV_WEIGHTS - goes);
    ck_assert_uint_eq(srq_layer_kept(n.graph, srq_graph_layer(n.graph, 2)), DENSE_WEIGHTS);
    ck_assert_uint_eq(kept_up_to(&n, 0, (float)goes), 0);
    /* Rates at the ends: nothing goes, and one weight stays. */
    ck_assert_int_eq(srq_graph_prune(n.graph, 0, true), SRQ_OK);
    ck_assert_uint_eq(srq_layer_kept(n.graph, srq_graph_layer(n.graph, 0)), CONV_WEIGHTS - goes);
    ck_assert_int_eq(srq_graph_prune(n.graph, 1, true), SRQ_OK);
    ck_assert_uint_eq(srq_layer_kept(n.graph, srq_graph_layer(n.graph, 0)), 0);
    ck_assert_uint_eq(srq_layer_kept(n.graph, srq_graph_layer(n.graph, 2)), 1);
    destroy(&n);
}
END_TEST

static size_t count_kept(const uint8_t *mask, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) kept += mask[i / 8] >> (i % 8) & 1;
    return kept;
}

/* Random masks keep exactly as many weights of each layer. Those of fewer weights are among those of more. Every weight
 * is kept in its share of the seeds, and the weights that are not kept become 0. */
START_TEST(random_masks)
{
    enum { SEEDS = 400, LEVELS = 3 };
    static int often[LEVELS][DENSE_WEIGHTS];
    static uint8_t before[LAYERS][DENSE_WEIGHTS / 8 + 1];
    size_t kept[LEVELS][LAYERS] = {{0}};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        net n;
        build(&n, 0, SRQ_SGD, "reference");
        for (int level = 0; level < LEVELS; level++) {
            ck_assert_int_eq(srq_graph_prune(n.graph, 0.3, true), SRQ_OK);
            for (int l = 0; l < LAYERS; l++) kept[level][l] = srq_layer_kept(n.graph, srq_graph_layer(n.graph, l));
            ck_assert_int_eq(srq_graph_mask_random(n.graph, seed), SRQ_OK);
            for (int l = 0; l < LAYERS; l++) {
                const srq_layer *layer = srq_graph_layer(n.graph, l);
                if (layer->weight < 0) continue;
                const srq_parameter *w = srq_graph_parameter(n.graph, layer->weight);
                const float *values = srq_graph_values(n.graph) + w->offset;
                ck_assert_uint_eq(count_kept(layer->mask, w->count), kept[level][l]);
                ck_assert_uint_eq(srq_layer_kept(n.graph, layer), kept[level][l]);
                for (size_t i = 0; i < w->count; i++) {
                    const bool keeps = srq_mask_keeps(layer->mask, i);
                    ck_assert(keeps || values[i] == 0);
                    ck_assert(!keeps || level == 0 || srq_mask_keeps(before[l], i));
                    if (w->count == DENSE_WEIGHTS) often[level][i] += keeps;
                }
                memcpy(before[l], layer->mask, srq_mask_bytes(w->count));
            }
        }
        destroy(&n);
    }
    /* The share at level 0 is about 0.7. Five standard deviations of 400 draws are 0.115. */
    double sum = 0;
    for (int i = 0; i < DENSE_WEIGHTS; i++) sum += often[0][i];
    const double share = sum / SEEDS / DENSE_WEIGHTS;
    for (int i = 0; i < DENSE_WEIGHTS; i++)
        ck_assert_double_eq_tol(often[0][i] / (double)SEEDS, share, 5 * sqrt(share * (1 - share) / SEEDS));
}
END_TEST

/* Among equal magnitudes, the first weights are pruned. A kept weight that is 0 is the smallest of all. Signs do not
 * matter. */
START_TEST(ties_go_by_place)
{
    net n;
    build(&n, 0, SRQ_SGD, "reference");
    const srq_layer *conv = srq_graph_layer(n.graph, 0);
    float *w = srq_graph_values(n.graph) + srq_graph_parameter(n.graph, conv->weight)->offset;
    for (size_t k = 0; k < CONV_WEIGHTS; k++) w[k] = k % 2 ? -0.5f : 0.5f;
    w[100] = -0.0f;
    w[3] = 0.5000001f;
    ck_assert_int_eq(srq_graph_prune(n.graph, 0.1, false), SRQ_OK);
    const size_t goes = CONV_WEIGHTS / 10; /* 100, and the first others but 3 */
    for (size_t k = 0; k < CONV_WEIGHTS; k++)
        ck_assert_int_eq(!srq_mask_keeps(conv->mask, k), k == 100 || (k != 3 && k < goes));
    destroy(&n);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mask");
    TCase *tests = tcase_create("mask");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, packing);
    tcase_add_loop_test(tests, masked_weights_stay_zero, 0, WAYS);
    tcase_add_loop_test(tests, masked_weights_do_nothing, 0, WAYS);
    tcase_add_loop_test(tests, masked_weights_add_nothing_to_sums, 0, WAYS);
    tcase_add_test(tests, pruning_by_layer);
    tcase_add_test(tests, pruning_of_all_layers);
    tcase_add_test(tests, ties_go_by_place);
    tcase_add_test(tests, random_masks);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
