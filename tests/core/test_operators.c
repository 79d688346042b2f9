/* Each operator inside a small network, against the float64 interpreter. */
#include "core/bits.h"
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

/* As many as `inputs` of them. */
static srq_layer_spec *with_inputs(srq_layer_spec *l, int count, const char *const *inputs)
{
    l->input_count = count;
    for (int i = 0; i < count; i++) snprintf(l->inputs[i], sizeof l->inputs[i], "%s", inputs[i]);
    return l;
}

START_TEST(sigmoid_and_leaky_relu)
{
    net n;
    if (!take_way(_i)) return;
    start(&n, 5, 4, 2);
    with_window(add(&n, "a", "conv", "input"), 4, 3, 3, 1, 1, 1, 1);
    add(&n, "l", "leaky_relu", "a")->own[0].real = 0.2f;
    with_window(add(&n, "b", "conv", "l"), 3, 3, 3, 1, 1, 1, 1);
    add(&n, "s", "sigmoid", "b");
    add(&n, "r", "leaky_relu", "s")->own[0].real = 0.2f;
    add(&n, "c", "dense", "r")->out = 3;
    build(&n);
    check_gradients(&n);
    ck_assert(!srq_graph_layer(n.graph, 1)->output.non_negative);
    ck_assert(srq_graph_layer(n.graph, 3)->output.non_negative);
    ck_assert(srq_graph_layer(n.graph, 4)->output.non_negative); /* as its input is */
    finish(&n);
}
END_TEST

/* To a few units in the last place, or 2e-38, over all of float32; NaN stays. */
START_TEST(sigmoid_values)
{
    enum { COUNT = 4000 };
    net n;
    current = &ways[0];
    start(&n, 40, 50, 2);
    add(&n, "s", "sigmoid", "input");
    add(&n, "c", "dense", "s")->out = 2;
    const srq_graph_options options = {.capacity = 1, .engine = current->engine};
    ck_assert_int_eq(srq_graph_create(&n.spec, &options, &n.graph), SRQ_OK);
    const float ends[] = {-INFINITY, INFINITY, NAN, 0, -0.0f, 3e38f, -3e38f, 1e-40f};
    float *x = srq_graph_input(n.graph);
    for (int i = 0; i < COUNT; i++) x[i] = (float)(i - COUNT / 2) * 0.06f;
    memcpy(x, ends, sizeof ends);
    srq_metrics metrics;
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    srq_graph_evaluate(n.graph, 1, n.labels, &metrics);
    const float *y = srq_pass_output(srq_graph_pass(n.graph), srq_graph_layer(n.graph, 0));
    for (int i = 0; i < COUNT; i++) {
        const double exact = 1 / (1 + exp(-(double)x[i]));
        const bool right = isnan(x[i]) ? isnan(y[i]) : fabs((double)y[i] - exact) <= 3e-7 * exact + 2e-38;
        ck_assert_msg(right, "sigmoid(%g) = %.9g, not %.9g", (double)x[i], (double)y[i], exact);
    }
    srq_graph_destroy(&n.graph);
}
END_TEST

/* Inputs with different channels, one of them twice, one that other layers use as well, and the images. */
START_TEST(concatenation)
{
    net n;
    static const char *const first[] = {"a", "input", "b", "a"}, *const second[] = {"r", "j"};
    if (!take_way(_i)) return;
    start(&n, 4, 5, 2);
    with_window(add(&n, "a", "conv", "input"), 3, 3, 3, 1, 1, 1, 1);
    with_window(add(&n, "b", "conv", "a"), 1, 1, 1, 1, 1, 0, 0);
    with_inputs(add(&n, "j", "concat", ""), 4, first);
    with_window(add(&n, "d", "conv", "j"), 2, 3, 3, 1, 1, 1, 1);
    add(&n, "r", "relu", "d");
    with_inputs(add(&n, "k", "concat", ""), 2, second);
    add(&n, "c", "dense", "k")->out = 3;
    build(&n);
    ck_assert_int_eq(srq_graph_layer(n.graph, 2)->output.channels, 3 + 2 + 1 + 3);
    ck_assert_int_eq(srq_graph_layer(n.graph, 5)->output.channels, 2 + 9);
    ck_assert(!srq_graph_layer(n.graph, 5)->output.non_negative);
    check_gradients(&n);
    finish(&n);
}
END_TEST

/* Codes of two grids, signed and unsigned. Another layer reads them as codes, and concat as float32. */
START_TEST(concatenation_of_codes)
{
    net n;
    static const char *const inputs[] = {"q", "u"};
    if (!take_way(_i)) return;
    start(&n, 4, 4, 2);
    with_window(add(&n, "a", "conv", "input"), 3, 3, 3, 1, 1, 1, 1);
    add(&n, "q", "quantize", "a");
    with_window(add(&n, "b", "conv", "q"), 2, 3, 3, 1, 1, 1, 1);
    add(&n, "r", "relu", "b");
    add(&n, "u", "quantize", "r");
    with_inputs(add(&n, "j", "concat", ""), 2, inputs);
    add(&n, "c", "dense", "j")->out = 3;
    for (int i = 1; i < 5; i += 3) {
        snprintf(n.layers[i].quantizer.method, sizeof n.layers[i].quantizer.method, "ste");
        n.layers[i].quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {8}};
    }
    build(&n);
    srq_graph_values(n.graph)[named(&n, "q/activation_alpha")->offset] = 0.1f;
    srq_graph_values(n.graph)[named(&n, "u/activation_alpha")->offset] = 0.07f;
    ck_assert_int_eq(srq_graph_layer(n.graph, 1)->output.dtype, SRQ_INT8);
    ck_assert_int_eq(srq_graph_layer(n.graph, 4)->output.dtype, SRQ_UINT8);
    for (int k = 0; k < 2; k++) ck_assert_int_eq(srq_graph_layer(n.graph, 5)->inputs[k]->dtype, SRQ_FLOAT32);
    ck_assert_int_eq(srq_graph_input_bits(n.graph, srq_graph_layer(n.graph, 6)), 32);
    check_gradients(&n);
    finish(&n);
}
END_TEST

START_TEST(concatenation_of_different_sizes)
{
    net n;
    srq_graph *graph = NULL;
    static const char *const inputs[] = {"a", "input"};
    const srq_graph_options options = {.capacity = 1};
    start(&n, 4, 5, 2);
    with_window(add(&n, "a", "conv", "input"), 3, 3, 3, 1, 1, 0, 0);
    with_inputs(add(&n, "j", "concat", ""), 2, inputs);
    ck_assert_int_eq(srq_graph_create(&n.spec, &options, &graph), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "test:2: layer \"j\": inputs of different sizes: \"a\" is 2 x 3 and "
                                                "\"input\" is 4 x 5 (height x width)"));
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
    tcase_add_loop_test(tests, sigmoid_and_leaky_relu, 0, WAYS);
    tcase_add_test(tests, sigmoid_values);
    tcase_add_loop_test(tests, concatenation, 0, WAYS);
    tcase_add_loop_test(tests, concatenation_of_codes, 0, WAYS);
    tcase_add_test(tests, concatenation_of_different_sizes);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
