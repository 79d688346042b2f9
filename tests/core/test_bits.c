/* The cost and the history of learned bit-lengths: penalties, means and bit operations computed by hand, and their
 * gradients against central differences. */
#include "core/prune.h"
#include "core/target.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Two quantized layers on 4x4 images of one channel. conv: 2 filters of 3x3, 18 weights, 2 * 9 * 4 = 72 MACs on images
 * of 32 bits, 8 bits from 2. dense: 2 * 2 * 2 = 8 inputs, 3 outputs, 24 weights and MACs, on 4-bit activations through
 * a pool of 1x1, 5 bits from 3. fixed: 3 x 2 = 6 weights and MACs, 3 bits, no gates, on float32. */
typedef struct net {
    srq_model_spec spec;
    srq_layer_spec layers[6];
    srq_graph *graph;
} net;

enum { CONV, RELU, ACTIVATION, POOL, DENSE, FIXED, LAYERS };
enum { CONV_GATES = 6, DENSE_GATES = 2 };

static void add(net *n, const char *name, const char *type, const char *input)
{
    srq_layer_spec *l = &n->layers[n->spec.layer_count++];
    *l = (srq_layer_spec){.input_count = 1, .stride = {1, 1}, .bias = true};
    snprintf(l->name, sizeof l->name, "%s", name);
    snprintf(l->type, sizeof l->type, "%s", type);
    snprintf(l->inputs[0], sizeof l->inputs[0], "%s", input);
    snprintf(l->origin, sizeof l->origin, "test:%d", n->spec.layer_count);
    snprintf(l->quantizer.method, sizeof l->quantizer.method, "float32");
}

static void quantize(srq_layer_spec *l, int bits, int min_bits)
{
    snprintf(l->quantizer.method, sizeof l->quantizer.method, "srq");
    l->quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {bits}};
    l->quantizer.sigma_ratio = 1.0f / 3, l->quantizer.open = 0.9f;
    if (min_bits) l->quantizer.dropbits = SRQ_DROPBITS_LEARN, l->quantizer.min_bits = min_bits;
}

static void build(net *n)
{
    *n = (net){.spec = {.name = "test", .height = 4, .width = 4, .channels = 1, .origin = "test:0"}};
    n->spec.layers = n->layers;
    add(n, "conv", "conv", "input");
    n->layers[CONV].out = 2, n->layers[CONV].kernel[0] = n->layers[CONV].kernel[1] = 3;
    add(n, "relu", "relu", "conv");
    add(n, "activation", "quantize", "relu");
    add(n, "pool", "max_pool", "activation");
    n->layers[POOL].kernel[0] = n->layers[POOL].kernel[1] = 1;
    add(n, "dense", "dense", "pool");
    n->layers[DENSE].out = 3;
    add(n, "fixed", "dense", "dense");
    n->layers[FIXED].out = 2;
    quantize(&n->layers[CONV], 8, 2);
    quantize(&n->layers[ACTIVATION], 4, 0);
    quantize(&n->layers[DENSE], 5, 3);
    quantize(&n->layers[FIXED], 3, 0);
    const srq_graph_options options = {.capacity = 1};
    ck_assert_msg(srq_graph_create(&n->spec, &options, &n->graph) == SRQ_OK, "%s", srq_message());
    srq_graph_initialize(n->graph, 1, SRQ_GAIN_HE);
}

static float *logits_of(net *n, int layer, int count)
{
    const srq_parameter *gates = srq_graph_parameter(n->graph, srq_graph_layer(n->graph, layer)->gates);
    ck_assert_int_eq((int)gates->count, count);
    return srq_graph_values(n->graph) + gates->offset;
}

static void set_logits(net *n, const float *conv, const float *dense)
{
    memcpy(logits_of(n, CONV, CONV_GATES), conv, CONV_GATES * sizeof *conv);
    memcpy(logits_of(n, DENSE, DENSE_GATES), dense, DENSE_GATES * sizeof *dense);
}

static const float some_conv[] = {2, 1, 0.5f, 0, -1, -3}, some_dense[] = {0.25f, -0.75f};

/* P(Z != 0) = S(phi + (2/3) log 11). */
static double open(float phi)
{
    return 1 / (1 + exp(-(double)phi - 2.0 / 3 * log(11)));
}

START_TEST(gates_start_open)
{
    net n;
    build(&n);
    const float *phi = logits_of(&n, CONV, CONV_GATES);
    for (int c = 0; c < CONV_GATES; c++) ck_assert_float_eq_tol(phi[c], 2.1972246f, 1e-6f); /* log 9: S = 0.9 */
    ck_assert_int_eq(srq_graph_layer(n.graph, FIXED)->gates, -1);
    ck_assert_int_eq(srq_graph_layer(n.graph, ACTIVATION)->gates, -1);
    srq_graph_destroy(&n.graph);
}
END_TEST

START_TEST(penalties_by_hand)
{
    static const double shares[3][2] = {
        {1, 1}, {18.0 / 42, 24.0 / 42}, {72.0 * 32 / (72 * 32 + 24 * 4), 24.0 * 4 / (72 * 32 + 24 * 4)}};
    net n;
    build(&n);
    set_logits(&n, some_conv, some_dense);
    float *gradient = calloc(srq_graph_size(n.graph), sizeof *gradient);
    double sums[2] = {0};
    for (int c = 0; c < CONV_GATES; c++) sums[0] += open(some_conv[c]);
    for (int c = 0; c < DENSE_GATES; c++) sums[1] += open(some_dense[c]);
    for (int w = SRQ_PENALTY_UNIFORM; w <= SRQ_PENALTY_BOPS; w++) {
        const double expected = 0.02 * (shares[w][0] * sums[0] + shares[w][1] * sums[1]);
        ck_assert_double_eq_tol(srq_graph_penalize(n.graph, (srq_penalty_weights)w, 0.02, gradient), expected, 1e-12);
    }
    free(gradient);
    srq_graph_destroy(&n.graph);
}
END_TEST

/* The penalty is added to the existing gradients of the logits, and to no others. */
START_TEST(gradients_of_penalties)
{
    net n;
    build(&n);
    set_logits(&n, some_conv, some_dense);
    const size_t size = srq_graph_size(n.graph);
    float *gradient = calloc(size, sizeof *gradient), *values = srq_graph_values(n.graph);
    float *unused = calloc(size, sizeof *unused);
    for (int w = SRQ_PENALTY_UNIFORM; w <= SRQ_PENALTY_BOPS; w++) {
        for (size_t i = 0; i < size; i++) gradient[i] = 3;
        srq_graph_penalize(n.graph, (srq_penalty_weights)w, 0.5, gradient);
        for (size_t i = 0; i < size; i++) {
            const float kept = values[i], h = 1.0f / 512;
            values[i] = kept + h;
            const double up = srq_graph_penalize(n.graph, (srq_penalty_weights)w, 0.5, unused);
            const float above = values[i];
            values[i] = kept - h;
            const double down = srq_graph_penalize(n.graph, (srq_penalty_weights)w, 0.5, unused);
            const double slope = (up - down) / ((double)above - (double)values[i]);
            values[i] = kept;
            /* h^2 / 6 times a third derivative below 1/8, and the rounding of 3 + slope. */
            ck_assert_double_eq_tol((double)gradient[i], 3 + slope, 5e-7);
        }
    }
    free(gradient);
    free(unused);
    srq_graph_destroy(&n.graph);
}
END_TEST

START_TEST(means_by_hand)
{
    net n;
    build(&n);
    ck_assert_int_eq(srq_graph_input_bits(n.graph, srq_graph_layer(n.graph, CONV)), 32);
    ck_assert_int_eq(srq_graph_input_bits(n.graph, srq_graph_layer(n.graph, DENSE)), 4);
    ck_assert_int_eq(srq_graph_input_bits(n.graph, srq_graph_layer(n.graph, FIXED)), 32);
    /* Gates that are surely open or closed: 5, 3 and 3 bits. */
    set_logits(&n, (const float[]){50, 50, 50, -50, 50, 50}, (const float[]){-50, 50});
    ck_assert_double_eq_tol(srq_graph_expected(n.graph, false), (18 * 5 + 24 * 3 + 6 * 3) / 48.0, 1e-9);
    ck_assert_double_eq_tol(srq_graph_expected(n.graph, true),
                            (72 * 5 * 32 + 24 * 3 * 4 + 6 * 3 * 32) / (72 * 8 * 32 + 24 * 8 * 8 + 6 * 8 * 32.0), 1e-9);
    set_logits(&n, some_conv, some_dense);
    double conv = 2, dense = 3, product = 1;
    for (int c = 0; c < CONV_GATES; c++) conv += product *= open(some_conv[c]);
    product = 1;
    for (int c = 0; c < DENSE_GATES; c++) dense += product *= open(some_dense[c]);
    ck_assert_double_eq_tol(srq_graph_expected(n.graph, false), (18 * conv + 24 * dense + 6 * 3) / 48, 1e-9);
    srq_graph_destroy(&n.graph);
}
END_TEST

/* All gates closed and all open, whatever they are now; an activation from 4 bits to 2. */
START_TEST(range_by_hand)
{
    net n;
    double least, most;
    build(&n);
    set_logits(&n, some_conv, some_dense);
    srq_graph_bits_range(n.graph, false, &least, &most);
    ck_assert_double_eq_tol(least, (18 * 2 + 24 * 3 + 6 * 3) / 48.0, 1e-12);
    ck_assert_double_eq_tol(most, (18 * 8 + 24 * 5 + 6 * 3) / 48.0, 1e-12);
    srq_graph_destroy(&n.graph);
    n.layers[ACTIVATION].quantizer.bits = (srq_bits_schedule){.count = 2, .bits = {4, 2}, .until = {{.count = 1}}};
    const srq_graph_options options = {.capacity = 1};
    ck_assert_int_eq(srq_graph_create(&n.spec, &options, &n.graph), SRQ_OK);
    const double at_eight = 72 * 8 * 32 + 24 * 8 * 8 + 6 * 8 * 32;
    srq_graph_bits_range(n.graph, true, &least, &most);
    ck_assert_double_eq_tol(least, (72 * 2 * 32 + 24 * 3 * 2 + 6 * 3 * 32) / at_eight, 1e-12);
    ck_assert_double_eq_tol(most, (72 * 8 * 32 + 24 * 5 * 4 + 6 * 3 * 32) / at_eight, 1e-12);
    srq_graph_destroy(&n.graph);
}
END_TEST

/* Evaluation has whole bits: 5 and 3, while more are expected. With masks, only kept weights count, as in the measures
 * of `srq inspect`. */
START_TEST(evaluated_by_hand)
{
    static const uint8_t mask[] = {0xFF, 0x01, 0}; /* 9 of 18 weights, each with 4 MACs */
    net n;
    build(&n);
    set_logits(&n, some_conv, some_dense);
    const double at_eight = 72 * 8 * 32 + 24 * 8 * 8 + 6 * 8 * 32;
    ck_assert_double_eq_tol(srq_graph_evaluated(n.graph, false), (18 * 5 + 24 * 4 + 6 * 3) / 48.0, 1e-12);
    ck_assert_double_gt(srq_graph_expected(n.graph, false), srq_graph_evaluated(n.graph, false));
    ck_assert_int_eq(srq_graph_set_mask(n.graph, CONV, mask), SRQ_OK);
    ck_assert_double_eq_tol(srq_graph_evaluated(n.graph, false), (9 * 5 + 24 * 4 + 6 * 3) / 39.0, 1e-12);
    ck_assert_double_eq_tol(srq_graph_evaluated(n.graph, true), (36 * 5 * 32 + 24 * 4 * 4 + 6 * 3 * 32) / at_eight,
                            1e-12);
    srq_graph_destroy(&n.graph);
}
END_TEST

/* A target steers the gates of a network, from any state: open, closed by a penalty, or in between. */
START_TEST(steers_to_targets)
{
    static const float starts[] = {2.2f, -5, 0.1f};
    const bool bops = _i % 2;
    const double wanted = bops ? 0.58 : 4.5;
    net n;
    srq_target *target = NULL;
    build(&n);
    float conv[CONV_GATES], dense[DENSE_GATES];
    for (int c = 0; c < CONV_GATES; c++) conv[c] = starts[_i / 2];
    for (int c = 0; c < DENSE_GATES; c++) dense[c] = starts[_i / 2];
    set_logits(&n, conv, dense);
    ck_assert_int_eq(srq_target_create(n.graph, bops, wanted, &target), SRQ_OK);
    const double closest = srq_target_closest(target, n.graph), slack = srq_target_tolerance(bops, wanted);
    ck_assert_double_eq_tol(closest, wanted, slack);
    for (int step = 1; step <= 50; step++) {
        srq_target_steer(target, n.graph, step / 50.0);
        ck_assert_double_ge(srq_graph_evaluated(n.graph, bops), wanted - slack);
        if (step >= 20) ck_assert_double_eq_tol(srq_graph_evaluated(n.graph, bops), wanted, slack);
    }
    ck_assert_double_eq_tol(srq_graph_expected(n.graph, false), srq_graph_evaluated(n.graph, false), 0.05);
    srq_target_destroy(&target);
    srq_graph_destroy(&n.graph);
}
END_TEST

/* With held gates, training uses the grid of evaluation, and gates have no gradient. Drawn gates that are half open
 * give another grid. */
START_TEST(held_gates_leave_the_grid_of_evaluation)
{
    net n;
    int others = 0;
    build(&n);
    set_logits(&n, (const float[]){0.5f, 0.3f, 0.2f, -0.1f, -0.2f, -0.3f}, (const float[]){-0.1f, 0.4f});
    for (long number = 0; number < 10; number++)
        for (int held = 0; held < 2; held++) {
            const srq_step step = {.seed = 1, .number = number, .gates_held = held};
            ck_assert_int_eq(srq_graph_begin_step(n.graph, &step), SRQ_OK);
            for (int i = 0; i < 2; i++) {
                const srq_quantizer *q = &srq_graph_layer(n.graph, i ? DENSE : CONV)->quantizer;
                const srq_grid grid = srq_quantizer_grid(q, 0);
                const int bits = i ? 3 : 5;
                ck_assert_int_eq(q->bits, bits);
                if (!held) {
                    others += q->gates.levels.count > 0 || grid.max != (1 << (bits - 1)) - 1;
                    continue;
                }
                ck_assert_int_eq(q->gates.levels.count, 0);
                ck_assert_int_eq(grid.min, -(1 << (bits - 1)));
                ck_assert_int_eq(grid.max, (1 << (bits - 1)) - 1);
                for (int c = 0; c < q->gates.count; c++) ck_assert_double_eq(q->gates.slope[c], 0);
            }
        }
    ck_assert_int_gt(others, 10);
    srq_graph_destroy(&n.graph);
}
END_TEST

static float value_of(const net *n, int parameter)
{
    return srq_graph_values(n->graph)[srq_graph_parameter(n->graph, parameter)->offset];
}

/* The best step size for the weights of CONV on a grid of `bits`. */
static double best_step(const net *n, int bits)
{
    const srq_parameter *weight = srq_graph_parameter(n->graph, srq_graph_layer(n->graph, CONV)->weight);
    return (double)srq_quantizer_best_step(srq_graph_vector(n->graph), -(1 << (bits - 1)), (1 << (bits - 1)) - 1,
                                           weight->count, srq_graph_values(n->graph) + weight->offset);
}

/* If gates select another bit-length, alpha and sigma change by the ratio of the best step sizes, each rounded a few
 * times to float32. They do not change in another layer or without `follow`. */
START_TEST(alpha_follows_gates)
{
    static const float open[] = {9, 9, 9, 9, 9, 9}, some[] = {9, 9, 9, -1, -9, 9}, wide[] = {9, 9};
    const srq_step step = {.seed = 1};
    const bool follow = _i;
    net n;
    build(&n);
    srq_graph_destroy(&n.graph);
    for (int i = 0; i < LAYERS; i++) n.layers[i].quantizer.follow = follow;
    const srq_graph_options options = {.capacity = 1};
    ck_assert_int_eq(srq_graph_create(&n.spec, &options, &n.graph), SRQ_OK);
    srq_graph_initialize(n.graph, 1, SRQ_GAIN_HE);
    const srq_layer *conv = srq_graph_layer(n.graph, CONV), *dense = srq_graph_layer(n.graph, DENSE);
    set_logits(&n, open, wide);
    for (int i = 0; i < 16; i++) srq_graph_input(n.graph)[i] = (float)i;
    ck_assert_int_eq(srq_graph_start(n.graph, 1), SRQ_OK);
    ck_assert_int_eq(srq_graph_begin_step(n.graph, &step), SRQ_OK);
    const double alpha = (double)value_of(&n, conv->alpha), sigma = (double)value_of(&n, conv->sigma);
    const float other = value_of(&n, dense->alpha);
    ck_assert_double_eq_tol(alpha, best_step(&n, 8), 1e-7 * alpha);

    set_logits(&n, some, wide); /* 8 bits, then 5 */
    srq_graph_follow_gates(n.graph);
    const double ratio = follow ? best_step(&n, 5) / best_step(&n, 8) : 1;
    if (follow) ck_assert_double_gt(ratio, 4);
    ck_assert_double_eq_tol((double)value_of(&n, conv->alpha) / alpha, ratio, 1e-6 * ratio);
    ck_assert_double_eq_tol((double)value_of(&n, conv->sigma) / sigma, ratio, 1e-6 * ratio);
    ck_assert_float_eq(value_of(&n, dense->alpha), other);
    for (int twice = 0; twice < 2; twice++) { /* one call is enough, even if the gates are read in between */
        ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
        ck_assert_int_eq(conv->quantizer.bits, 5);
        srq_graph_follow_gates(n.graph);
        ck_assert_double_eq_tol((double)value_of(&n, conv->alpha) / alpha, ratio, 1e-6 * ratio);
    }

    /* The 4 bits of a schedule also limit the gates. alpha is rescaled from the grid of 5 bits if it followed the
     * gates, or from that of 8 bits if it did not. */
    const int bits[LAYERS] = {[CONV] = 4};
    ck_assert_int_eq(srq_graph_change_bits(n.graph, 1, bits), SRQ_OK);
    const double now = best_step(&n, 4) / best_step(&n, 8);
    ck_assert_double_eq_tol((double)value_of(&n, conv->alpha) / alpha, now, 1e-6 * now);
    ck_assert_float_eq(value_of(&n, dense->alpha), other);
    srq_graph_destroy(&n.graph);

    /* If gates begin closed, alpha is initialized for their 2 bits, or for all 8. */
    ck_assert_int_eq(srq_graph_create(&n.spec, &options, &n.graph), SRQ_OK);
    srq_graph_initialize(n.graph, 1, SRQ_GAIN_HE);
    set_logits(&n, (const float[]){-1, 9, 9, 9, 9, 9}, wide);
    for (int i = 0; i < 16; i++) srq_graph_input(n.graph)[i] = (float)i;
    ck_assert_int_eq(srq_graph_start(n.graph, 1), SRQ_OK);
    const double begun = best_step(&n, follow ? 2 : 8);
    ck_assert_double_eq_tol((double)value_of(&n, srq_graph_layer(n.graph, CONV)->alpha), begun, 1e-6 * begun);
    srq_graph_destroy(&n.graph);
}
END_TEST

/* The history has the initial bit-lengths and every change once, and no other entries. */
START_TEST(history_notes_changes)
{
    net n;
    build(&n);
    srq_bits_history h = {0};
    for (int twice = 0; twice < 2; twice++) ck_assert_int_eq(srq_bits_history_note(&h, n.graph, 0), SRQ_OK);
    ck_assert_int_eq(h.count, 4);
    srq_graph_set_bits(n.graph, ACTIVATION, 2);
    ck_assert_int_eq(srq_bits_history_note(&h, n.graph, 10), SRQ_OK);
    ck_assert_int_eq(srq_bits_history_note(&h, n.graph, 11), SRQ_OK);
    srq_graph_set_bits(n.graph, ACTIVATION, 4);
    ck_assert_int_eq(srq_bits_history_note(&h, n.graph, 12), SRQ_OK);
    ck_assert_int_eq(h.count, 6);
    ck_assert_int_eq(h.changes[4].step, 10);
    ck_assert_int_eq(h.changes[4].layer, ACTIVATION);
    ck_assert_int_eq(h.changes[4].bits, 2);
    ck_assert_int_eq(h.changes[5].step, 12);
    ck_assert_int_eq(h.changes[5].bits, 4);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(srq_bits_history_add(&h, (srq_bits_change){.step = 20 + i, .layer = CONV, .bits = 1 + i % 8}),
                         SRQ_OK);
    ck_assert_int_eq(h.count, 106);
    ck_assert_int_eq(h.changes[105].step, 119);
    srq_bits_history_free(&h);
    ck_assert_int_eq(h.count, 0);
    srq_graph_destroy(&n.graph);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bits");
    TCase *tests = tcase_create("bits");
    tcase_add_test(tests, gates_start_open);
    tcase_add_test(tests, penalties_by_hand);
    tcase_add_test(tests, gradients_of_penalties);
    tcase_add_test(tests, means_by_hand);
    tcase_add_test(tests, range_by_hand);
    tcase_add_test(tests, evaluated_by_hand);
    tcase_add_loop_test(tests, steers_to_targets, 0, 6);
    tcase_add_test(tests, held_gates_leave_the_grid_of_evaluation);
    tcase_add_loop_test(tests, alpha_follows_gates, 0, 2);
    tcase_add_test(tests, history_notes_changes);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
