/* Operators together: residual blocks, quantized networks, and chains of operators, against the float64 interpreter. */
#include "tests/core/network.h"

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

/* With straight-through quantizers that clip nothing, the gradients are those of a network in which the rounding errors
 * are constants. This tests codes, scales and their use in convolution, dense, and the float32 copies for add and pool.
 * The test loops over one step size for each weight tensor, and one for each output channel. */
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
    ck_assert_int_eq(srq_graph_layer(n.graph, 3)->output.dtype, SRQ_UINT8);
    ck_assert_int_eq(srq_graph_layer(n.graph, 6)->output.dtype, SRQ_INT8);
    check_gradients(&n);
    finish(&n);
}
END_TEST

/* Every operator of a chain, with windows of several shapes, and a residual block whose chain ends before the add. */
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

/* Residual blocks as chains with a sum, whose values before the quantizer are also the next shortcut. */
typedef enum block {
    RECTIFIED, /* a ReLU before each quantizer, as in ResNet */
    LINEAR,    /* none, as in MobileNetV2, and the shortcut is the first input of a sum */
    IMAGES_ADDED,
    EARLY_USER, /* the other user of a value runs before its quantizer, so they cannot be in a chain together */
    BLOCKS
} block;

static const char *make_part(net *n, const char *name, const char *input, const char *shortcut, block kind)
{
    static char names[15][SRQ_NAME_SIZE];
    static int used;
    char *text[5];
    for (int i = 0; i < 5; i++) text[i] = names[used++ % 15];
    snprintf(text[0], SRQ_NAME_SIZE, "%s_bn", name);
    snprintf(text[1], SRQ_NAME_SIZE, "%s_sum", name);
    snprintf(text[2], SRQ_NAME_SIZE, "%s_relu", name);
    snprintf(text[3], SRQ_NAME_SIZE, "%s_early", name);
    snprintf(text[4], SRQ_NAME_SIZE, "%s_q", name);
    with_window(add(n, name, "conv", input), 2, 3, 3, 1, 1, 1, 1)->bias = false;
    add(n, text[0], "batch_norm", name);
    const char *last = text[0];
    if (shortcut) {
        const bool second = kind == LINEAR;
        srq_layer_spec *sum = add(n, text[1], "add", second ? shortcut : last);
        sum->input_count = 2;
        snprintf(sum->inputs[1], SRQ_NAME_SIZE, "%s", second ? last : shortcut);
        last = text[1];
    }
    if (kind != LINEAR) {
        add(n, text[2], "relu", last)->max = shortcut ? 0 : 1.25f;
        last = text[2];
    }
    const char *value = last;
    if (kind == EARLY_USER && !shortcut) {
        with_window(add(n, text[3], "conv", last), 2, 1, 1, 1, 1, 0, 0);
        value = text[3];
    }
    add(n, text[4], "quantize", last);
    return kind == IMAGES_ADDED ? "input" : value;
}

START_TEST(residual_chains)
{
    const block kind = (block)(_i % BLOCKS);
    if (!take_way(_i / BLOCKS)) return;
    net n;
    start(&n, 6, 5, 2);
    const char *shortcut = make_part(&n, "a", "input", NULL, kind);
    shortcut = make_part(&n, "b", "a_q", shortcut, kind);
    make_part(&n, "d", "b_q", shortcut, kind);
    add(&n, "c", "dense", "d_q")->out = 3;
    for (int i = 0; i < n.spec.layer_count; i++) {
        snprintf(n.layers[i].quantizer.method, sizeof n.layers[i].quantizer.method, "ste");
        n.layers[i].quantizer.bits = (srq_bits_schedule){.count = 1, .bits = {8}};
    }
    build(&n);
    for (int i = 0; i < n.spec.layer_count; i++) {
        const srq_layer *l = srq_graph_layer(n.graph, i);
        const bool sum = strcmp(l->spec->type, "add") == 0, q = strcmp(l->spec->type, "quantize") == 0;
        if (sum && !current->plain) ck_assert(l->in_chain && srq_graph_layer(n.graph, l->chain_end)->chain);
        if (q && !current->plain) ck_assert(l->chain);
        if (l->alpha < 0) continue;
        srq_graph_values(n.graph)[srq_graph_parameter(n.graph, l->alpha)->offset] = q ? 0.05f : 0.02f;
    }
    const int taps = current->plain || kind == IMAGES_ADDED ? 0 : kind == EARLY_USER ? 1 : 2;
    int tapped = 0;
    for (int i = 0; i < n.spec.layer_count; i++) tapped += srq_graph_layer(n.graph, i)->tapped;
    ck_assert_int_eq(tapped, taps);
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
    const float *y = srq_pass_output(srq_graph_pass(n.graph), srq_graph_layer(n.graph, 1));
    for (size_t i = 0; i < IMAGES * features(&srq_graph_layer(n.graph, 1)->output); i++)
        ck_assert_double_eq((double)y[i], n.out[1][i]);
    finish(&n);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graph");
    TCase *tests = tcase_create("graph");
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, residual_block, 0, WAYS);
    tcase_add_loop_test(tests, quantized_networks, 0, 2 * WAYS);
    tcase_add_loop_test(tests, chains, 0, 3 * WAYS);
    tcase_add_loop_test(tests, residual_chains, 0, BLOCKS * WAYS);
    tcase_add_loop_test(tests, codes_give_exact_sums, 0, 3 * WAYS);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
