/* Each operator inside a small network, against the float64 interpreter. */
#include "tests/core/network.h"

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
    const float *y = srq_pass_output(srq_graph_pass(n.graph), srq_graph_layer(n.graph, 1));
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

int main(void)
{
    Suite *suite = suite_create("operators");
    TCase *tests = tcase_create("operators");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, convolutions, 0, WAYS);
    tcase_add_loop_test(tests, grouped_convolutions, 0, WAYS);
    tcase_add_loop_test(tests, relu_with_a_ceiling, 0, WAYS);
    tcase_add_loop_test(tests, pools, 0, WAYS);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
