/* Optimizers and learning-rate schedules, by hand. */
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
    tcase_add_test(tests, schedules);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
