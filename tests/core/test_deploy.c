/* Deployed networks: the interpreter against evaluation, packing, and the check of what a file may hold. */
#include "tests/core/network.h"

#include "core/deploy_graph.h"
#include "core/kernels/image_sums.h"
#include "core/mask.h"
#include "core/prune.h"

static char *class_names[] = {"a", "b", "c", "d"};
static float multiply[] = {1.0f / 64, 1.0f / 96}, add_to[] = {-2, -1.5f};

/* Images of pixels, normalized. */
static void fill_pixels(net *n)
{
    float *x = srq_graph_input(n->graph);
    const int channels = n->spec.channels, size = n->spec.height * n->spec.width * channels;
    for (int i = 0; i < IMAGES * size; i++) {
        uint32_t bits[4];
        srq_random(5, SRQ_RANDOM_TEST, 0, (uint64_t)i, bits);
        x[i] = (float)(bits[0] % 256) * multiply[i % channels] + add_to[i % channels];
    }
}

static void set_quantizer(srq_layer_spec *l, const char *method, int bits, bool per_channel)
{
    l->quantizer = (srq_quantizer_spec){.bits = {.count = 1, .bits = {bits}},
                                        .sigma_ratio = 0.3f,
                                        .temperature = 0.5f,
                                        .per_channel = per_channel,
                                        .min_bits = 1};
    snprintf(l->quantizer.method, sizeof l->quantizer.method, "%s", method);
}

static srq_deploy *deployed(net *n)
{
    srq_deploy *d = NULL;
    const srq_deploy_input input = {.multiply = multiply,
                                    .add = add_to,
                                    .channels = n->spec.channels,
                                    .classes = 4,
                                    .class_names = class_names,
                                    .data_name = "pixels"};
    const srq_status status = srq_deploy_create(n->graph, &input, &d);
    ck_assert_msg(status == SRQ_OK, "%s", srq_message());
    return d;
}

/* The largest difference between logits of evaluation and of the interpreter. */
static double largest_difference(net *n, const srq_deploy *d)
{
    srq_deploy_runner *runner = NULL;
    srq_metrics metrics;
    float images[IMAGES * 12 * 12 * 2], logits[4];
    const size_t size = (size_t)(n->spec.height * n->spec.width * n->spec.channels);
    double largest = 0;
    memcpy(images, srq_graph_input(n->graph), IMAGES * size * sizeof *images);
    ck_assert_int_eq(srq_graph_evaluate(n->graph, IMAGES, n->labels, &metrics), -1);
    ck_assert_int_eq(srq_deploy_runner_create(d, &runner), SRQ_OK);
    for (size_t i = 0; i < IMAGES; i++) {
        srq_deploy_run(runner, images + i * size, logits);
        for (size_t c = 0; c < 4; c++)
            largest = fmax(largest, fabs((double)(logits[c] - srq_graph_logits(n->graph)[i * 4 + c])));
    }
    srq_deploy_runner_destroy(&runner);
    return largest;
}

/* Statistics of batch-norm and step sizes as after training, some of the factors below 0. */
static void prepare_trained(net *n)
{
    fill_pixels(n);
    ck_assert_msg(srq_graph_start(n->graph, IMAGES) == SRQ_OK, "%s", srq_message());
    for (int p = 0; p < srq_graph_parameter_count(n->graph); p++) {
        const srq_parameter *q = srq_graph_parameter(n->graph, p);
        float *v = srq_graph_values(n->graph) + q->offset;
        for (size_t i = 0; i < q->count && q->kind == SRQ_PARAMETER_STATISTIC; i++) v[i] = 0.3f + 0.1f * (float)i;
        for (size_t i = 0; i < q->count && strstr(q->name, "/scale"); i += 3) v[i] = -v[i];
    }
    fill_pixels(n);
    ck_assert_msg(srq_graph_prepare(n->graph) == SRQ_OK, "%s", srq_message());
}

/* Most operators, on images that are quantized first: then every sum is of integers, and nothing may differ. Averages
 * and concatenations are quantized before a convolution reads them. */
static void start_integers(net *n, const char *method, bool per_channel)
{
    start(n, 12, 12, 2);
    set_quantizer(add(n, "q0", "quantize", "input"), method, 6, false);
    set_quantizer(with_window(add(n, "c1", "conv", "q0"), 6, 3, 3, 2, 1, 2, 1), method, 4, per_channel);
    add(n, "n1", "batch_norm", "c1");
    add(n, "r1", "relu", "n1")->max = 1.5f;
    set_quantizer(add(n, "q1", "quantize", "r1"), method, 3, false);
    srq_layer_spec *depthwise = with_window(add(n, "c2", "conv", "q1"), 6, 3, 3, 1, 1, 1, 1);
    depthwise->groups = 6;
    set_quantizer(depthwise, method, 2, per_channel);
    add(n, "n2", "batch_norm", "c2");
    srq_layer_spec *sum = add(n, "s", "add", "n2");
    sum->input_count = 2;
    snprintf(sum->inputs[1], sizeof sum->inputs[1], "q1");
    with_window(add(n, "p", "max_pool", "s"), 0, 3, 2, 2, 2, 1, 0);
    set_quantizer(add(n, "q2", "quantize", "p"), method, 8, false);
    set_quantizer(with_window(add(n, "c3", "conv", "q2"), 4, 1, 1, 1, 1, 0, 0), method, 8, per_channel);
    add(n, "g", "sigmoid", "c3");
    srq_layer_spec *both = add(n, "b", "concat", "g");
    both->input_count = 2;
    snprintf(both->inputs[1], sizeof both->inputs[1], "q2");
    with_window(add(n, "a", "avg_pool", "b"), 0, 2, 2, 1, 1, 1, 1);
    set_quantizer(add(n, "q3", "quantize", "a"), method, 1, false);
    srq_layer_spec *dense = add(n, "d", "dense", "q3");
    dense->out = 4;
    set_quantizer(dense, method, 1, per_channel);
    build(n);
    prepare_trained(n);
}

START_TEST(integers_have_the_bits_of_evaluation)
{
    if (!take_way(_i)) return;
    static const char *const methods[] = {"srq", "lsq", "ste"};
    for (int m = 0; m < 3; m++) {
        net n;
        start_integers(&n, methods[m], m == 1);
        srq_deploy *d = deployed(&n);
        ck_assert_double_eq(largest_difference(&n, d), 0);
        srq_deploy_destroy(&d);
        finish(&n);
    }
}
END_TEST

/* Images and floats that meet weights: up to the rounding errors of evaluation. Method rq makes floats of activations.
 */
START_TEST(floats_are_close_to_evaluation)
{
    if (!take_way(_i)) return;
    static const char *const methods[] = {"srq", "rq", "float32"};
    for (int m = 0; m < 3; m++) {
        net n;
        start(&n, 12, 12, 2);
        set_quantizer(with_window(add(&n, "c1", "conv", "input"), 6, 5, 5, 2, 2, 2, 2), methods[m], 4, false);
        add(&n, "n1", "batch_norm", "c1");
        add(&n, "r1", "leaky_relu", "n1")->own[0].real = 0.1f;
        with_window(add(&n, "a", "avg_pool", "r1"), 0, 2, 2, 2, 2, 0, 0);
        set_quantizer(with_window(add(&n, "c2", "conv", "a"), 5, 2, 2, 1, 1, 0, 0), methods[m], 3, false);
        add(&n, "r2", "relu", "c2");
        set_quantizer(add(&n, "q", "quantize", "r2"), methods[m], 4, false);
        srq_layer_spec *dense = add(&n, "d", "dense", "q");
        dense->out = 4;
        set_quantizer(dense, methods[m], 2, false);
        build(&n);
        prepare_trained(&n);
        srq_deploy *d = deployed(&n);
        ck_assert_int_eq(d->input.fraction, 29); /* pixels reach 2 */
        ck_assert_double_lt(largest_difference(&n, d), 1e-5);
        srq_deploy_destroy(&d);
        finish(&n);
    }
}
END_TEST

/* Convolutions in groups and not, and a dense layer, that read images: with the fraction of the deployed network,
 * evaluation has its bits. */
START_TEST(images_have_the_bits_of_evaluation)
{
    if (!take_way(_i)) return;
    for (int kind = 0; kind < 3; kind++) {
        net n;
        start(&n, 12, 11, 2);
        const char *last = "input";
        if (kind < 2) {
            srq_layer_spec *conv = with_window(add(&n, "c1", "conv", "input"), 6, 5, 3, 2, 1, 2, 1);
            conv->groups = kind + 1;
            set_quantizer(conv, kind ? "lsq" : "srq", 4, kind == 1);
            add(&n, "n1", "batch_norm", "c1");
            add(&n, "r1", "relu", "n1");
            set_quantizer(add(&n, "q1", "quantize", "r1"), "lsq", 3, false);
            last = "q1";
        }
        srq_layer_spec *dense = add(&n, "d", "dense", last);
        dense->out = 4;
        set_quantizer(dense, "ste", 8, false);
        build(&n);
        prepare_trained(&n);
        srq_deploy *d = deployed(&n);
        /* Without it, logits without a quantizer after them show the rounding errors of float32 sums. */
        if (kind == 2) ck_assert_double_gt(largest_difference(&n, d), 0);
        srq_graph_set_fraction(n.graph, d->input.fraction);
        fill_pixels(&n);
        ck_assert_double_eq(largest_difference(&n, d), 0);
        srq_deploy_destroy(&d);
        finish(&n);
    }
}
END_TEST

/* A sum of more numbers than are exact in float64, beside the same sum of integers. */
START_TEST(long_sums_of_images_are_exact)
{
    enum { N = 70001, OUT = 2 };
    const srq_conv_shape shape = {.height = 1,
                                  .width = N,
                                  .in = 1,
                                  .out_height = 1,
                                  .out_width = 1,
                                  .out = OUT,
                                  .kernel = {1, N},
                                  .stride = {1, 1},
                                  .groups = 1,
                                  .covers = true};
    float *x = malloc(N * sizeof *x), y[OUT];
    int8_t *codes = malloc(OUT * N);
    double *weights = malloc(srq_image_sums_weights(&shape) * sizeof *weights);
    void *scratch = malloc(srq_image_sums_scratch(&shape));
    int64_t sums[OUT] = {0};
    ck_assert(x && codes && weights && scratch);
    for (int i = 0; i < N; i++) x[i] = i == N / 2 ? 0x1p-20f : i % 2 ? 1 : -0.99999994f;
    for (int i = 0; i < N; i++) {
        codes[i] = i == N / 2 ? 1 : i % 2 ? -128 : 127;
        codes[N + i] = (int8_t)(i % 256 - 128);
        for (int o = 0; o < OUT; o++) sums[o] += (int64_t)rint((double)x[i] * 0x1p30) * codes[o * N + i];
    }
    ck_assert(sums[0] < -((int64_t)1 << 53));
    srq_image_sums_pack(&shape, codes, weights);
    srq_image_sums_run(&shape, weights, 30, 1, x, y, scratch);
    for (int o = 0; o < OUT; o++) ck_assert_float_eq(y[o], (float)sums[o] * 0x1p-30f);
    free(x);
    free(codes);
    free(weights);
    free(scratch);
}
END_TEST

START_TEST(fractions_hold_all_pixels)
{
    const float none[] = {0, 0, 0}, byte[] = {1.0f / 255, 1, 0}, steep[] = {1.0f, 3e6f, 2e7f}, low[] = {-3, 0, 0};
    ck_assert_int_eq(srq_deploy_fraction(byte, none, 1), 30);  /* 1 */
    ck_assert_int_eq(srq_deploy_fraction(byte, low, 1), 28);   /* -3 */
    ck_assert_int_eq(srq_deploy_fraction(byte, none, 2), 22);  /* 255 */
    ck_assert_int_eq(srq_deploy_fraction(steep, none, 2), 0);  /* 7.6e8 */
    ck_assert_int_eq(srq_deploy_fraction(steep, none, 3), -1); /* 5e9 */
}
END_TEST

/* Sums of fixed-point pixels are exact: 32 pixels of 1 and -1 in turn, and one of 2^-20, that float32 would lose. */
START_TEST(sums_of_pixels_are_exact)
{
    float x[] = {3, 0x1p-20f, -3}, logits[2];
    int8_t codes[] = {127, 1, 127, 1, 0, 0};
    float scale[] = {1}, a[] = {1, 1}, b[] = {0, 0}, ones[] = {1}, zeros[] = {0};
    srq_deploy_op ops[2] = {{.kind = SRQ_DEPLOY_CONV, .name = "d", .input_count = 1, .inputs = {SRQ_DEPLOY_IMAGES}},
                            {.kind = SRQ_DEPLOY_AFFINE, .name = "d", .input_count = 1, .inputs = {0}, .a = a, .b = b}};
    ops[0].output = ops[1].output = (srq_deploy_tensor){.height = 1, .width = 1, .channels = 2};
    ops[0].kernel[0] = ops[0].stride[0] = ops[0].stride[1] = ops[0].groups = 1;
    ops[0].kernel[1] = 3;
    ops[0].weights = (srq_deploy_weights){.count = 6,
                                          .grid = {.bits = 8, .min = -128, .max = 127},
                                          .codes = codes,
                                          .scales = 1,
                                          .scale = scale,
                                          .kept = 6};
    const srq_deploy d = {
        .input = {.height = 1, .width = 3, .channels = 1, .multiply = ones, .add = zeros, .fraction = 22, .classes = 2},
        .op_count = 2,
        .ops = ops};
    srq_deploy_runner *runner = NULL;
    ck_assert_msg(srq_deploy_check(&d) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_deploy_runner_create(&d, &runner), SRQ_OK);
    srq_deploy_run(runner, x, logits);
    ck_assert_float_eq(logits[0], 0x1p-20f);
    ck_assert_float_eq(logits[1], 3);
    srq_deploy_runner_destroy(&runner);
}
END_TEST

START_TEST(packing_is_reversible)
{
    enum { N = 37 };
    for (int bits = 1; bits <= 8; bits++)
        for (int masked = 0; masked < 2; masked++) {
            int8_t codes[N], found[N];
            uint8_t mask[5] = {0}, packed[N + 1];
            srq_deploy_weights w = {.count = N,
                                    .grid = {.bits = bits, .min = -(1 << (bits - 1)), .max = (1 << (bits - 1)) - 1},
                                    .codes = codes,
                                    .kept = N};
            for (int i = 0; i < N; i++) codes[i] = (int8_t)(w.grid.min + i * 7 % (1 << bits));
            if (masked) {
                for (int i = 0; i < N; i += 8) mask[i / 8] |= 1;
                w.mask = mask;
                w.kept = 5;
                for (int i = 0; i < N; i++) codes[i] = srq_mask_keeps(mask, (size_t)i) ? codes[i] : 0;
            }
            /* The mask of 5 bytes saves something from 2 bits on. */
            ck_assert_int_eq(srq_deploy_packs_mask(&w), masked && bits > 1);
            const size_t fields = srq_deploy_packs_mask(&w) ? 5 : N;
            ck_assert_uint_eq(srq_deploy_packed_size(&w), (fields * (size_t)bits + 7) / 8);
            memset(packed, 0xff, sizeof packed);
            srq_deploy_pack(&w, packed);
            ck_assert_uint_eq(packed[srq_deploy_packed_size(&w)], 0xff);
            srq_deploy_weights back = w;
            back.codes = found;
            if (!srq_deploy_packs_mask(&w)) back.mask = NULL;
            srq_deploy_unpack(packed, &back);
            ck_assert_mem_eq(found, codes, N);
        }
    /* Three fields of 3 bits: 1, -2 and 3 are 001, 110 and 011 from the lowest bit on. */
    uint8_t three[2] = {0};
    srq_deploy_put_code(three, 0, 3, 1);
    srq_deploy_put_code(three, 1, 3, -2);
    srq_deploy_put_code(three, 2, 3, 3);
    ck_assert_uint_eq(three[0], 0xf1);
    ck_assert_uint_eq(three[1], 0);
}
END_TEST

/* A mask: weights that are not kept are 0, and the deployed network has the mask. */
START_TEST(masks_are_kept)
{
    net n;
    uint8_t mask[512];
    take_way(0);
    start_integers(&n, "srq", false);
    const int layer = 15; /* d */
    const size_t count = srq_graph_parameter(n.graph, srq_graph_layer(n.graph, layer)->weight)->count;
    memset(mask, 0, sizeof mask);
    for (size_t i = 0; i < count; i += 3) mask[i / 8] |= (uint8_t)(1u << i % 8);
    ck_assert_int_eq(srq_graph_set_mask(n.graph, layer, mask), SRQ_OK);
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    srq_deploy *d = deployed(&n);
    const srq_deploy_op *dense = &d->ops[d->op_count - 2];
    ck_assert_uint_eq(dense->weights.kept, (count + 2) / 3);
    for (size_t i = 0; i < count; i++) ck_assert(i % 3 == 0 || srq_deploy_weight(dense, i) == 0);
    ck_assert_double_eq(largest_difference(&n, d), 0);
    srq_deploy_destroy(&d);
    finish(&n);
}
END_TEST

/* What a damaged file could say: each is refused with the operation. */
START_TEST(check_finds_what_is_wrong)
{
    net n;
    take_way(0);
    start_integers(&n, "lsq", true);
    srq_deploy *d = deployed(&n);
    srq_deploy_op *conv = NULL, *quantize = &d->ops[0], *affine = &d->ops[d->op_count - 1];
    for (int i = 0; i < d->op_count && !conv; i++)
        if (d->ops[i].kind == SRQ_DEPLOY_CONV) conv = &d->ops[i];
    ck_assert_ptr_nonnull(conv);
    int *const integers[] = {&d->input.height,        &d->input.channels,      &d->input.fraction,
                             &d->input.classes,       &conv->inputs[0],        &conv->input_count,
                             &conv->output.height,    &conv->output.channels,  &conv->kernel[0],
                             &conv->stride[1],        &conv->padding[0],       &conv->groups,
                             &conv->weights.scales,   &conv->weights.grid.max, &quantize->output.grid.bits,
                             &quantize->output.width, &affine->inputs[0],      &affine->output.channels};
    float *const floats[] = {&d->input.multiply[0], &conv->weights.scale[1], &quantize->output.scale, &affine->a[0],
                             &affine->b[3]};
    ck_assert_msg(srq_deploy_check(d) == SRQ_OK, "%s", srq_message());
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        static const int bad[] = {-7, 1000000, 0x7fffffff};
        for (int k = 0; k < 3; k++) {
            const int kept = *integers[i];
            /* That many channels would be possible, and are not there. */
            if (integers[i] == &d->input.channels && bad[k] == 1000000) continue;
            *integers[i] = bad[k];
            ck_assert_msg(srq_deploy_check(d) == SRQ_ERROR_DATA, "integer %zu, %d", i, bad[k]);
            *integers[i] = kept;
        }
    }
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        const float kept = *floats[i];
        *floats[i] = NAN;
        ck_assert_msg(srq_deploy_check(d) == SRQ_ERROR_DATA, "float %zu", i);
        *floats[i] = kept;
    }
    conv->weights.codes[0] = 9; /* of 4 bits */
    ck_assert_int_eq(srq_deploy_check(d), SRQ_ERROR_DATA);
    ck_assert_ptr_nonnull(strstr(srq_message(), "layer \"c1\""));
    srq_deploy_destroy(&d);
    finish(&n);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deploy");
    TCase *cases = tcase_create("deploy");
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, integers_have_the_bits_of_evaluation, 0, WAYS);
    tcase_add_loop_test(cases, floats_are_close_to_evaluation, 0, WAYS);
    tcase_add_loop_test(cases, images_have_the_bits_of_evaluation, 0, WAYS);
    tcase_add_test(cases, long_sums_of_images_are_exact);
    tcase_add_test(cases, fractions_hold_all_pixels);
    tcase_add_test(cases, sums_of_pixels_are_exact);
    tcase_add_test(cases, packing_is_reversible);
    tcase_add_test(cases, masks_are_kept);
    tcase_add_test(cases, check_finds_what_is_wrong);
    suite_add_tcase(suite, cases);
    return srq_suite_run(suite);
}
