/* Values without a gradient: initial weights, batch-norm statistics, and a pass without images. */
#include "tests/core/network.h"

/* Weights have mean 0 and standard deviation gain / sqrt(fan-in). For N weights, the mean of squares has the relative
 * standard error sqrt(2 / N), and the mean has the standard error deviation / sqrt(N). Five standard errors are
 * allowed. */
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

/* Large weights have pages of their own; values can be moved to other memory, with the same results. */
START_TEST(values_move)
{
    net n;
    start(&n, 16, 16, 8);
    add(&n, "a", "dense", "input")->out = 64;
    add(&n, "b", "dense", "a")->out = 10;
    build(&n);
    srq_graph_initialize(n.graph, 7, SRQ_GAIN_HE);
    const srq_parameter *large = named(&n, "a/weight"), *small = named(&n, "b/weight");
    ck_assert(srq_parameter_has_pages(large));
    ck_assert(!srq_parameter_has_pages(small));
    ck_assert_uint_eq(large->offset % SRQ_PAGE_FLOATS, 0);
    for (int i = 0; i < srq_graph_parameter_count(n.graph); i++) {
        const srq_parameter *p = srq_graph_parameter(n.graph, i);
        if (p->offset > large->offset) ck_assert_uint_ge(p->offset, large->offset + 128 * SRQ_PAGE_FLOATS);
        if (p->offset < large->offset) ck_assert_uint_le(p->offset + p->count, large->offset);
    }
    srq_metrics before, after;
    for (size_t i = 0; i < (size_t)IMAGES * 16 * 16 * 8; i++) srq_graph_input(n.graph)[i] = (float)(i % 13) - 6;
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    ck_assert_int_eq(srq_graph_evaluate(n.graph, IMAGES, n.labels, &before), -1);
    float *elsewhere = aligned_alloc(64, srq_graph_size(n.graph) * sizeof *elsewhere);
    srq_graph_move_values(n.graph, elsewhere);
    ck_assert_ptr_eq(srq_graph_values(n.graph), elsewhere);
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    ck_assert_int_eq(srq_graph_evaluate(n.graph, IMAGES, n.labels, &after), -1);
    ck_assert_double_eq(before.loss, after.loss);
    finish(&n);
    free(elsewhere);
}
END_TEST

static void start_batch_norm(net *n)
{
    start(n, 2, 1, 1);
    add(n, "bn", "batch_norm", "input");
    add(n, "c", "dense", "bn")->out = 2;
    build(n);
}

/* Statistics are stored in place of the gradient, multiplied by the shard's share. Evaluation uses the stored ones. */
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

/* Statistics that are computed again are the mean over passes of the images' statistics. Earlier values have no effect.
 */
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

int main(void)
{
    Suite *suite = suite_create("network_values");
    TCase *tests = tcase_create("network_values");
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, initial_weights);
    tcase_add_test(tests, values_move);
    tcase_add_loop_test(tests, batch_norm_statistics, 0, WAYS);
    tcase_add_loop_test(tests, batch_norm_statistics_anew, 0, WAYS);
    tcase_add_test(tests, no_images_give_no_gradient);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
