/* Networks that the graph rejects, and how a pass reports numbers that are not finite. */
#include "tests/core/network.h"

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
    expect_refusal(&n, "test:1: layer \"a\": 4 groups, but the input has 6 channels; input and output channels must "
                       "both be multiples of groups");
    n.layers[0].groups = 3;
    expect_refusal(&n, "test:1: layer \"a\": 3 groups, but the output (out) has 8 channels");
    start(&n, 4, 4, 1);
    add(&n, "c", "dense", "nothing")->out = 2;
    expect_refusal(&n, "input \"nothing\" is not an earlier layer");
    start(&n, 4, 4, 1);
    add(&n, "c", "softplus", "input")->out = 2;
    expect_refusal(&n, "no layer type is called \"softplus\"");
}
END_TEST

/* Products of sizes that an int or 64 bits cannot hold. Nothing of that size is allocated to find out. */
START_TEST(sizes_that_overflow)
{
    static const char images[] =
        ": the input of 65536 x 65536 x 1 numbers an image is too large: at most 2147483647 are "
        "possible; make it smaller";
    net n;
    start(&n, 65536, 65536, 1);
    add(&n, "c", "dense", "input")->out = 2;
    expect_refusal(&n, images);
    start(&n, 65536, 32767, 1);
    add(&n, "c", "dense", "input")->out = 1 << 20;
    expect_refusal(&n, "layer \"c\": the number of multiplications for an image is too large");
    /* Padding makes the output larger than the input. */
    start(&n, 30000, 30000, 1);
    with_window(add(&n, "a", "conv", "input"), 3, 1, 1, 1, 1, 4095, 4095);
    add(&n, "c", "dense", "a")->out = 2;
    expect_refusal(&n, "layer \"a\": the number of outputs for an image is too large");
    start(&n, 4096, 4096, 128);
    with_window(add(&n, "a", "conv", "input"), 1, 4096, 4096, 1, 1, 0, 0);
    add(&n, "c", "dense", "a")->out = 2;
    expect_refusal(&n, ": the input of 4096 x 4096 x 128 numbers an image is too large");
    start(&n, 8, 8, 1024);
    with_window(add(&n, "a", "conv", "input"), 1, 4096, 4096, 1, 1, 4095, 4095);
    add(&n, "c", "dense", "a")->out = 2;
    expect_refusal(&n, "layer \"a\": the number of weights of an output is too large");
    /* Eight times 2^28 channels. */
    start(&n, 1, 1, 1);
    with_window(add(&n, "a", "conv", "input"), 1 << 20, 1, 1, 1, 1, 0, 0);
    for (int i = 0; i < 4; i++) {
        const char name[2] = {(char)('e' + i)}, from[2] = {(char)(i ? 'd' + i : 'a')};
        srq_layer_spec *c = add(&n, name, "concat", from);
        c->input_count = SRQ_INPUTS_MAX;
        for (int k = 1; k < SRQ_INPUTS_MAX; k++) snprintf(c->inputs[k], SRQ_NAME_SIZE, "%s", from);
    }
    add(&n, "c", "dense", "h")->out = 2;
    expect_refusal(&n, "layer \"h\": more than 2^31 - 1 channels");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("network_checks");
    TCase *tests = tcase_create("network_checks");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, bad_numbers_name_the_layer, 0, WAYS);
    tcase_add_test(tests, misfits_are_refused);
    tcase_add_test(tests, sizes_that_overflow);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
