/* Optimizers and learning-rate schedules, by hand. */
#include "core/clip.h"
#include "core/optimizer.h"
#include "tests/core/network.h"

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

/* Against PyTorch's rules, worked out by hand. */
START_TEST(variants)
{
    net n;
    start(&n, 1, 1, 1);
    add(&n, "c", "dense", "input")->out = 2;
    build(&n);
    float *w = first_of(&n, "c/weight"), *b = first_of(&n, "c/bias");
    srq_optimizer *o = NULL;
    srq_optimizer_options options = {
        .method = SRQ_SGD, .learning_rate = 0.1, .momentum = 0.5, .nesterov = true, .weight_decay = 0.1};
    ck_assert_int_eq(srq_optimizer_create(n.graph, &options, &o), SRQ_OK);
    *w = 2, *b = 1;
    step_by(&n, o, 1); /* w: m = 1.2, step 1.2 + 0.6; b: m = 1, step 1.5 */
    ck_assert_float_eq_tol(*w, 2 - 0.18f, 1e-6f);
    ck_assert_float_eq_tol(*b, 1 - 0.15f, 1e-6f);
    step_by(&n, o, 1); /* b: m = 1.5, step 1 + 0.75 */
    ck_assert_float_eq_tol(*b, 0.85f - 0.175f, 1e-6f);
    srq_optimizer_destroy(&o);

    options = (srq_optimizer_options){
        .method = SRQ_ADAMW, .learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 0.5};
    ck_assert_int_eq(srq_optimizer_create(n.graph, &options, &o), SRQ_OK);
    ck_assert_str_eq(srq_optimizer_state_name(o, 1), "v");
    *w = 2, *b = 2;
    step_by(&n, o, 3); /* the weight shrinks by 1 - 0.05; both move by the learning rate */
    ck_assert_float_eq_tol(*w, 2 * 0.95f - 0.1f, 2e-6f);
    ck_assert_float_eq_tol(*b, 1.9f, 2e-6f);
    srq_optimizer_destroy(&o);
    finish(&n);
}
END_TEST

/* The gradient of a network with every kind of parameter, finished in so many parts; the sum of the weights' squares.
 */
static double find_gradient(net *n, int parts, float *gradient)
{
    srq_metrics metrics;
    srq_finish *f = NULL;
    ck_assert_int_eq(srq_graph_begin_step(n->graph, &first_step), SRQ_OK);
    ck_assert_int_eq(srq_graph_train(n->graph, 0, IMAGES, n->labels, IMAGES, gradient, &metrics), -1);
    ck_assert_int_eq(srq_finish_create(n->graph, SIZE_MAX, &f), SRQ_OK);
    srq_finish_measure(f);
    double *slots = calloc(srq_finish_slot_count(f) + 1, sizeof *slots);
    srq_finish_unpack(f, 0, 0, gradient);
    for (int i = 0; i < parts; i++) srq_finish_run(f, gradient, 0, i, parts, slots);
    ck_assert_int_eq(srq_finish_collect(f, slots, gradient), -1);
    const double squares = srq_finish_squares(f, slots);
    free(slots);
    srq_finish_destroy(&f);
    return squares;
}

/* By definition, in another order: of the weights, or of everything else that is learned with these rates. */
static double squares_of(net *n, const float *gradient, bool weights, bool sigma)
{
    double sum = 0;
    for (int i = 0; i < srq_graph_parameter_count(n->graph); i++) {
        const srq_parameter *p = srq_graph_parameter(n->graph, i);
        const bool is_sigma = p->kind == SRQ_PARAMETER_SIGMA, is_log = p->kind == SRQ_PARAMETER_ALPHA || is_sigma;
        if (p->kind == SRQ_PARAMETER_STATISTIC || (p->kind == SRQ_PARAMETER_WEIGHT) != weights) continue;
        for (size_t k = p->offset; (!is_sigma || sigma) && k < p->offset + p->count; k++) {
            const double g = (double)gradient[k] * (is_log ? (double)srq_graph_values(n->graph)[k] : 1);
            sum += g * g;
        }
    }
    return sum;
}

START_TEST(clipping)
{
    net n;
    start(&n, 4, 4, 32);
    with_window(add(&n, "c", "conv", "input"), 64, 3, 3, 1, 1, 1, 1); /* 18,432 weights: more than one unit */
    add(&n, "b", "batch_norm", "c");
    add(&n, "f", "dense", "b")->out = 7;
    for (int i = 0; i < 3; i += 2) {
        snprintf(n.layers[i].quantizer.method, 16, "srq");
        n.layers[i].quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {2}};
        n.layers[i].quantizer.sigma_ratio = 0.5f;
    }
    build(&n);
    const size_t size = srq_graph_size(n.graph);
    float *whole = calloc(size, sizeof *whole), *parts = calloc(size, sizeof *parts);
    const double weights = find_gradient(&n, 1, whole);
    ck_assert_double_eq_tol(weights, squares_of(&n, whole, true, true), 1e-12 * weights);
    for (int p = 2; p <= 5; p++) ck_assert_double_eq(find_gradient(&n, p, parts), weights);

    for (int sigma = 0; sigma < 2; sigma++) {
        srq_optimizer *o = NULL;
        const srq_optimizer_options options = {
            .method = SRQ_SGD, .learning_rate = 0.1, .alpha_learning_rate = 0.01, .sigma_learning_rate = 0.01 * sigma};
        ck_assert_int_eq(srq_optimizer_create(n.graph, &options, &o), SRQ_OK);
        ck_assert(srq_optimizer_learns(o, SRQ_PARAMETER_SIGMA) == sigma);
        ck_assert(!srq_optimizer_learns(o, SRQ_PARAMETER_STATISTIC) && !srq_optimizer_learns(o, SRQ_PARAMETER_GATE));
        const double others = squares_of(&n, whole, false, sigma);
        ck_assert_double_gt(others, 0);
        ck_assert_double_eq_tol(srq_clip_squares_of_others(o, n.graph, whole), others, 1e-12 * others);
        srq_optimizer_destroy(&o);
    }

    /* In slices, like ranks. Statistics stay. */
    const size_t middle = srq_graph_parameter(n.graph, srq_graph_find_parameter(n.graph, "c/weight"))->offset + 100;
    memcpy(parts, whole, size * sizeof *parts);
    srq_clip_weights(n.graph, parts, 0, middle, 0.25f);
    srq_clip_weights(n.graph, parts, middle, size, 0.25f);
    srq_clip_others(n.graph, parts, 0.25f);
    for (int i = 0; i < srq_graph_parameter_count(n.graph); i++) {
        const srq_parameter *p = srq_graph_parameter(n.graph, i);
        const float factor = p->kind == SRQ_PARAMETER_STATISTIC ? 1 : 0.25f;
        for (size_t k = p->offset; k < p->offset + p->count; k++) ck_assert_float_eq(parts[k], factor * whole[k]);
    }
    free(whole);
    free(parts);
    finish(&n);
}
END_TEST

/* Any number of numbers, and sums that float32 could not hold. */
START_TEST(squares)
{
    float x[40];
    for (int i = 0; i < 40; i++) x[i] = (float)(i + 1);
    for (size_t n = 0; n <= 40; n++)
        ck_assert_double_eq(srq_clip_squares(n, x), (double)n * (double)(n + 1) * (double)(2 * n + 1) / 6);
    x[0] = 1e30f;
    ck_assert_double_eq_tol(srq_clip_squares(1, x), 1e60, 1e53);
}
END_TEST

/* In float64, from the definition; the weights in two slices, like two ranks. */
START_TEST(average)
{
    enum { STEPS = 30 };
    const double decay = 0.8;
    net n;
    start(&n, 3, 3, 2);
    with_window(add(&n, "c", "conv", "input"), 4, 3, 3, 1, 1, 0, 0);
    add(&n, "b", "batch_norm", "c");
    snprintf(n.layers[0].quantizer.method, 16, "srq");
    n.layers[0].quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {2}};
    n.layers[0].quantizer.sigma_ratio = 0.5f;
    build(&n);
    const size_t size = srq_graph_size(n.graph);
    float *gradient = calloc(size, sizeof *gradient), *values = srq_graph_values(n.graph);
    double *expected = calloc(size, sizeof *expected);
    srq_optimizer *o = NULL;
    const srq_optimizer_options options = {
        .method = SRQ_SGD, .learning_rate = 0.5, .alpha_learning_rate = 0.1, .average = decay};
    ck_assert_int_eq(srq_optimizer_create(n.graph, &options, &o), SRQ_OK);
    srq_optimizer_begin_average(o, n.graph);
    for (size_t i = 0; i < size; i++) expected[i] = (double)values[i];
    for (int s = 1; s <= STEPS; s++) {
        for (int i = 0; i < srq_graph_parameter_count(n.graph); i++) {
            const srq_parameter *p = srq_graph_parameter(n.graph, i);
            srq_random_normal(3, SRQ_RANDOM_TEST, (uint64_t)(s * 100 + i), p->count, 1, gradient + p->offset);
        }
        srq_optimizer_step_weights(o, n.graph, gradient, 0, 5, 1);
        srq_optimizer_step_weights(o, n.graph, gradient, 5, size, 1);
        srq_optimizer_step_others(o, n.graph, gradient, 1);
        const double now = fmin(decay, (1.0 + s) / (10.0 + s));
        for (size_t i = 0; i < size; i++) expected[i] = now * expected[i] + (1 - now) * (double)values[i];
    }
    ck_assert_double_eq(srq_average_decay(decay, 1), 2 / 11.0);
    ck_assert_double_eq(srq_average_decay(decay, 1000), decay);
    float *last = malloc(size * sizeof *last);
    memcpy(last, values, size * sizeof *last);
    for (int shown = 1; shown >= 0; shown--) {
        srq_optimizer_show_average(o, n.graph, shown);
        srq_optimizer_show_average(o, n.graph, shown); /* again: nothing */
        ck_assert(srq_optimizer_shows_average(o) == shown);
        for (int i = 0; i < srq_graph_parameter_count(n.graph); i++) {
            const srq_parameter *p = srq_graph_parameter(n.graph, i);
            for (size_t k = p->offset; k < p->offset + p->count; k++) {
                if (shown && p->kind != SRQ_PARAMETER_ALPHA && p->kind != SRQ_PARAMETER_SIGMA)
                    ck_assert_double_eq_tol((double)values[k], expected[k], 1e-5);
                else
                    ck_assert_float_eq(values[k], last[k]);
            }
        }
    }
    free(last);
    free(expected);
    free(gradient);
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
    Suite *suite = suite_create("optimizer");
    TCase *tests = tcase_create("optimizer");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, optimizers);
    tcase_add_test(tests, variants);
    tcase_add_test(tests, clipping);
    tcase_add_test(tests, squares);
    tcase_add_test(tests, average);
    tcase_add_test(tests, schedules);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
