/* The measures of networks against numbers worked out by hand. */
#include "core/prune.h"
#include "experiments/srq/inspect/measure.h"
#include "io/config.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct net {
    srq_config *config;
    srq_graph *graph;
    srq_measures *measures;
} net;

static void build(net *n, srq_status status)
{
    const srq_graph_options options = {.capacity = 1};
    ck_assert_msg(status == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_graph_create(&srq_config_settings(n->config)->model, &options, &n->graph), SRQ_OK);
    srq_graph_initialize(n->graph, 1, SRQ_GAIN_HE);
    ck_assert_int_eq(srq_graph_prepare(n->graph), SRQ_OK);
    ck_assert_int_eq(srq_measures_create(n->graph, &n->measures), SRQ_OK);
}

static void destroy(net *n)
{
    srq_measures_destroy(&n->measures);
    srq_graph_destroy(&n->graph);
    srq_config_destroy(&n->config);
}

static void build_lenet5_gated(net *n, const char *method, int bits, const char *dropbits)
{
    char sets[3][64];
    snprintf(sets[0], sizeof sets[0], "quantizer.method=%s", method);
    snprintf(sets[1], sizeof sets[1], "quantizer.weight_bits=%d", bits);
    snprintf(sets[2], sizeof sets[2], "quantizer.activation_bits=%d", bits);
    const char *const words[] = {sets[0], sets[1], sets[2], dropbits};
    build(n, srq_config_load(SRQ_SOURCE_DIR "/experiments/lenet5-mnist/base.cfg", 4, words, &n->config));
}

static void build_lenet5(net *n, const char *method, int bits)
{
    build_lenet5_gated(n, method, bits, "dropbits.mode=off");
}

static const srq_layer_measures *find(const net *n, const char *name)
{
    for (int i = 0; i < n->measures->count; i++)
        if (strcmp(n->measures->layers[i].layer->spec->name, name) == 0) return &n->measures->layers[i];
    ck_abort_msg("no measures of %s", name);
    return NULL;
}

/* LeNet-5, 32C5-MP2-64C5-MP2-512FC-10, on 28 x 28 x 1 without padding:
 *
 *     conv1   28 - 5 + 1 = 24:  24 x 24 outputs x 32 channels x 5 x 5 x  1 =   460,800 MACs,     800 weights
 *     pool1   24 / 2 = 12
 *     conv2   12 - 5 + 1 = 8:    8 x 8  outputs x 64 channels x 5 x 5 x 32 = 3,276,800 MACs,  51,200 weights
 *     pool2   8 / 2 = 4:        4 x 4 x 64 = 1,024 inputs of fc1
 *     fc1                       1,024 x 512                                =   524,288 MACs, 524,288 weights
 *     fc2                         512 x  10                                =     5,120 MACs,   5,120 weights
 *     all                                                                    4,267,008 MACs, 581,408 weights
 *
 * BOPs; conv1 reads images, 32 bits:
 *
 *              2/2                            8/8                              float32
 *     conv1      460,800 x 2 x 32 = 29,491,200   x 8 x 32 = 117,964,800           x 1,024 =   471,859,200
 *     conv2    3,276,800 x 2 x 2  = 13,107,200   x 8 x 8  = 209,715,200           x 1,024 = 3,355,443,200
 *     fc1        524,288 x 2 x 2  =  2,097,152   x 8 x 8  =  33,554,432           x 1,024 =   536,870,912
 *     fc2          5,120 x 2 x 2  =     20,480   x 8 x 8  =     327,680           x 1,024 =     5,242,880
 *     all                           44,716,032              361,562,112                     4,369,416,192
 *
 * Bytes at 2 bits: weights 581,408 x 2 / 8 = 145,352; biases (32 + 64 + 512 + 10) x 4 = 2,472; step sizes of 4 weights
 * and 3 activations, 7 x 4 = 28; together 147,852. In float32: 581,408 x 4 + 2,472 = 2,328,104. */
static const struct {
    const char *name;
    size_t macs, weights;
    double w2a2, w8a8, float32, bytes;
} lenet5[] = {{"conv1", 460800, 800, 29491200, 117964800, 471859200, 200 + 128 + 4},
              {"conv2", 3276800, 51200, 13107200, 209715200, 3355443200, 12800 + 256 + 4},
              {"fc1", 524288, 524288, 2097152, 33554432, 536870912, 131072 + 2048 + 4},
              {"fc2", 5120, 5120, 20480, 327680, 5242880, 1280 + 40 + 4}};

START_TEST(lenet5_at_2_bits)
{
    net n = {0};
    build_lenet5(&n, "srq", 2);
    const srq_measures *all = n.measures;
    for (size_t i = 0; i < sizeof lenet5 / sizeof *lenet5; i++) {
        const srq_layer_measures *m = find(&n, lenet5[i].name);
        ck_assert_uint_eq(m->macs, lenet5[i].macs);
        ck_assert_uint_eq(m->weights, lenet5[i].weights);
        ck_assert_double_eq(m->bops, lenet5[i].w2a2);
        ck_assert_double_eq(m->w8a8_bops, lenet5[i].w8a8);
        ck_assert_double_eq(m->float32_bops, lenet5[i].float32);
        ck_assert_double_eq(m->bytes, lenet5[i].bytes);
        ck_assert_int_eq(m->weight_bits, 2);
        ck_assert_int_eq(m->input_bits, i == 0 ? 32 : 2);
        ck_assert_int_eq(m->codes, 4);
        ck_assert_int_eq((int)m->alpha.count, 1);
        ck_assert(m->alpha.min > 0 && m->alpha.min == m->alpha.max);
    }
    ck_assert_int_eq(all->count, 7); /* 4 layers with weights, 3 activation quantizers */
    ck_assert_uint_eq(all->macs, 4267008);
    ck_assert_uint_eq(all->weights, 581408);
    ck_assert_double_eq(all->bops, 44716032);
    ck_assert_double_eq(all->w8a8_bops, 361562112);
    ck_assert_double_eq(all->float32_bops, 4369416192);
    ck_assert_double_eq(all->bytes, 147852);
    ck_assert_double_eq(all->float32_bytes, 2328104);
    ck_assert_double_eq(all->mean_bits, 2);
    ck_assert_double_eq(find(&n, "act2")->bytes, 4);
    destroy(&n);
}
END_TEST

START_TEST(lenet5_at_8_bits)
{
    net n = {0};
    build_lenet5(&n, "lsq", 8);
    ck_assert_double_eq(n.measures->bops, 361562112);
    ck_assert_double_eq(n.measures->w8a8_bops, 361562112);
    ck_assert_double_eq(n.measures->bytes, 581408 + 2472 + 28);
    ck_assert_int_eq((int)find(&n, "fc1")->sigma.count, 0);
    destroy(&n);
}
END_TEST

/* Gates are not deployed: the size is that without them, here and in float32. */
START_TEST(lenet5_under_gates)
{
    net n = {0};
    build_lenet5_gated(&n, "srq", 8, "dropbits.mode=learn");
    ck_assert_int_eq(find(&n, "fc1")->gates, 6);
    ck_assert_double_eq(find(&n, "conv1")->bytes, 800 + 128 + 4);
    ck_assert_double_eq(n.measures->bytes, 581408 + 2472 + 28);
    ck_assert_double_eq(n.measures->float32_bytes, 2328104);
    destroy(&n);
}
END_TEST

/* Half of conv2's weights are left, and 12 of fc2's: too few to lose by the mask's own bits. Bytes of conv2: 51,200 / 8
 * for the mask and 25,600 x 2 / 8; of fc2: 5,120 / 8 + 12 x 2 / 8. */
START_TEST(lenet5_under_masks)
{
    net n;
    build_lenet5(&n, "srq", 2);
    uint8_t mask[51200 / 8];
    memset(mask, 0x33, sizeof mask);
    ck_assert_int_eq(srq_graph_set_mask(n.graph, find(&n, "conv2")->layer->index, mask), SRQ_OK);
    memset(mask, 0, sizeof mask);
    mask[5] = 0xFF;
    mask[639] = 0xF0;
    ck_assert_int_eq(srq_graph_set_mask(n.graph, find(&n, "fc2")->layer->index, mask), SRQ_OK);
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    srq_measures_update(n.measures);
    const srq_layer_measures *conv2 = find(&n, "conv2"), *fc2 = find(&n, "fc2");
    ck_assert(n.measures->masked);
    ck_assert_uint_eq(conv2->kept, 25600);
    ck_assert_uint_eq(conv2->macs, 3276800 / 2);
    ck_assert_double_eq(conv2->bops, 13107200.0 / 2);
    ck_assert_double_eq(conv2->w8a8_bops, 209715200);
    ck_assert_double_ge(conv2->zeros, 0.5);
    ck_assert_uint_eq(fc2->kept, 12);
    ck_assert_double_eq(fc2->bops, 12 * 4);
    /* At 2 bits a mask that keeps half costs as much as it saves: 1 + 2 / 2 = 2 bits a weight. */
    ck_assert_double_eq(n.measures->bytes, 147852 - (5120 * 2 / 8 - (5120 / 8 + 3)));
    ck_assert_uint_eq(n.measures->kept, 581408 - 25600 - (5120 - 12));
    ck_assert_double_eq(n.measures->mean_bits, 2);
    destroy(&n);
}
END_TEST

START_TEST(lenet5_in_float32)
{
    net n = {0};
    build_lenet5(&n, "float32", 2);
    ck_assert_int_eq(n.measures->count, 4);
    ck_assert_double_eq(n.measures->bops, 4369416192);
    ck_assert_double_eq(n.measures->w8a8_bops, 361562112); /* 1,208 % of these */
    ck_assert_double_eq(n.measures->bytes, 2328104);
    ck_assert_double_eq(n.measures->mean_bits, 32);
    ck_assert_int_eq(find(&n, "fc1")->codes, 0);
    destroy(&n);
}
END_TEST

/* Two input pixels of one channel, two outputs, four weights: with alpha = 1 and codes -2..1
 *
 *     w     1.25   0.25   -2.5   0.5
 *     code  1      0      -2     0 (ties to even)      3 of 4 codes in use, half of the weights zero
 *     off   0.25   0.25   -0.5   0.5                   error (0.0625 + 0.0625 + 0.25 + 0.25) / (1.5625 + 0.0625 + 6.25
 * + 0.25)
 *
 * and the batch-norm holds scale, shift, mean and variance of one channel. */
static const char small[] =
    "model = { name = \"small\"; input = { height = 1; width = 2; channels = 1; }; layers = ("
    "{ name = \"bn\"; type = \"batch_norm\"; }, { name = \"fc\"; type = \"dense\"; out = 2; bias = false; } ); };"
    "data = { file = \"none.h5\"; }; quantizer = { method = \"lsq\"; weight_bits = 2; };";

START_TEST(codes_and_error)
{
    static const float weights[4] = {1.25f, 0.25f, -2.5f, 0.5f};
    net n = {0};
    build(&n, srq_config_parse(small, "small", &n.config));
    float *values = srq_graph_values(n.graph);
    memcpy(values + srq_graph_parameter(n.graph, srq_graph_find_parameter(n.graph, "fc/weight"))->offset, weights,
           sizeof weights);
    values[srq_graph_parameter(n.graph, srq_graph_find_parameter(n.graph, "fc/weight_alpha"))->offset] = 1;
    ck_assert_int_eq(srq_graph_prepare(n.graph), SRQ_OK);
    srq_measures_update(n.measures);
    const srq_layer_measures *m = find(&n, "fc");
    ck_assert_int_eq(m->codes_used, 3);
    ck_assert_double_eq(m->zeros, 0.5);
    ck_assert_double_eq(n.measures->zeros, 0.5);
    ck_assert_double_eq_tol(m->error, 0.625 / 8.125, 1e-15);
    ck_assert_double_eq_tol(srq_measures_decibels(m->error), 11.139434, 1e-6);
    ck_assert_double_eq(m->bytes, 1 + 4);
    ck_assert_double_eq(find(&n, "bn")->bytes, 16);
    ck_assert_double_eq(n.measures->bytes, 21);
    ck_assert_double_eq(n.measures->float32_bytes, 16 + 16);
    ck_assert_int_eq(m->input_bits, 32);
    destroy(&n);
}
END_TEST

/* --- The networks of experiments/models/
 *
 * Parameters are weights, biases, scales and shifts; no quantizers and no running statistics, as other frameworks
 * count.
 *
 * ResNet-18 and MobileNetV2: the numbers that torchvision publishes, 11,689,512 and 3,504,872 parameters and 1.81 and
 * 0.30 "GFLOPS" (its word for multiply-accumulates); exactly, of convolutions and the dense layer, 1,814,073,344 and
 * 300,774,272.
 *
 * ResNet-20 with projections, weights of 3 x 3 convolutions:
 *
 *     conv1     3 x 16 x 9                          =     432   x 32 x 32
 *     layer1    6 x 16 x 16 x 9                     =  13,824   x 32 x 32
 *     layer2    16 x 32 x 9 + 5 x 32 x 32 x 9       =  50,688   x 16 x 16
 *     layer3    32 x 64 x 9 + 5 x 64 x 64 x 9       = 202,752   x  8 x  8
 *     shortcuts 16 x 32 = 512 (x 16 x 16), 32 x 64 = 2,048 (x 8 x 8)
 *     fc        64 x 10 + 10                        =     650   x 1 (640 MACs)
 *     scales and shifts  2 x (16 + 6 x 16 + 7 x 32 + 7 x 64) = 1,568
 *     all 272,474 parameters; 442,368 + 14,155,776 + 12,976,128 + 12,976,128 + 131,072 + 131,072 + 640 = 40,813,184
 * MACs
 *
 * VGG-7, weights of 3 x 3 convolutions:
 *
 *     conv1     3 x 128 x 9 =   3,456   x 32 x 32       conv4  256 x 256 x 9 =   589,824   x 16 x 16
 *     conv2   128 x 128 x 9 = 147,456   x 32 x 32       conv5  256 x 512 x 9 = 1,179,648   x  8 x  8
 *     conv3   128 x 256 x 9 = 294,912   x 16 x 16       conv6  512 x 512 x 9 = 2,359,296   x  8 x  8
 *     fc1     4 x 4 x 512 x 1,024 + 1,024 = 8,389,632   fc2    1,024 x 10 + 10 = 10,250
 *     scales and shifts  2 x (2 x 128 + 2 x 256 + 2 x 512) = 3,584
 *     all 12,978,058 parameters; 3,538,944 + 3 x 150,994,944 + 2 x 75,497,472 + 8,388,608 + 10,240 = 615,917,568 MACs
 */
static const struct {
    const char *name;
    size_t parameters, macs;
    int quantized; /* activations */
} networks[] = {
    {"lenet5", 581408 + 32 + 64 + 512 + 10, 4267008, 3}, {"vgg7", 12978058, 615917568, 7},
    {"resnet20", 272474, 40813184, 9 * 2 + 1},           {"resnet18", 11689512, 1814073344, 8 * 2 + 1},
    {"mobilenetv2", 3504872, 300774272, 2 + 16 * 3 + 2},
};

static void build_network(net *n, const char *name, const char *settings)
{
    char text[1024];
    snprintf(text, sizeof text, "model = \"%s/experiments/models/%s.cfg\"; data = { file = \"none.h5\"; }; %s",
             SRQ_SOURCE_DIR, name, settings);
    build(n, srq_config_parse(text, "test", &n->config));
}

/* Loop: over networks. Everything is quantized: all weights to 4 bits and every input of a convolution or dense layer,
 * but the images. */
START_TEST(published_networks)
{
    net n = {0};
    build_network(&n, networks[_i].name, "quantizer = { weight_bits = 4; activation_bits = 4; };");
    size_t parameters = 0;
    int quantized = 0;
    for (int p = 0; p < srq_graph_parameter_count(n.graph); p++) {
        const srq_parameter *q = srq_graph_parameter(n.graph, p);
        if (q->kind == SRQ_PARAMETER_WEIGHT || q->kind == SRQ_PARAMETER_BIAS) parameters += q->count;
    }
    ck_assert_uint_eq(parameters, networks[_i].parameters);
    ck_assert_uint_eq(n.measures->macs, networks[_i].macs);
    double bops = 0;
    for (int i = 0; i < n.measures->count; i++) {
        const srq_layer_measures *m = &n.measures->layers[i];
        const bool first = m->weights && m->layer->producers[0] < 0;
        quantized += strcmp(m->layer->spec->type, "quantize") == 0;
        if (!m->weights) continue;
        ck_assert_int_eq(m->weight_bits, 4);
        ck_assert_msg(m->input_bits == (first ? 32 : 4), "%s reads %d bits", m->layer->spec->name, m->input_bits);
        bops += (double)m->macs * 4 * (first ? 32 : 4);
    }
    ck_assert_int_eq(quantized, networks[_i].quantized);
    ck_assert_double_eq(n.measures->bops, bops);
    destroy(&n);
}
END_TEST

/* MobileNetV2: signed codes behind linear bottlenecks, unsigned ones behind ReLU6; depthwise weights [out][1][3][3]. */
START_TEST(signs_of_mobilenetv2)
{
    net n = {0};
    build_network(&n, "mobilenetv2", "");
    int is_signed = 0;
    for (int i = 0; i < srq_graph_layer_count(n.graph); i++) {
        const srq_layer *layer = srq_graph_layer(n.graph, i);
        const char *name = layer->spec->name;
        if (strcmp(layer->spec->type, "quantize") != 0) continue;
        const bool linear = strstr(name, ".act0") && strcmp(name, "features.1.act0") != 0;
        ck_assert_msg((layer->quantizer.grid.min < 0) == (linear || strcmp(name, "act") == 0), "%s", name);
        is_signed += layer->quantizer.grid.min < 0;
    }
    ck_assert_int_eq(is_signed, 16 + 1);
    const srq_layer_measures *m = find(&n, "features.2.conv.1.0");
    ck_assert_uint_eq(m->weights, 96 * 9);
    ck_assert_uint_eq(m->macs, 96 * 9 * 56 * 56);
    destroy(&n);
}
END_TEST

START_TEST(classes_are_settable)
{
    net n = {0};
    build_network(&n, "resnet20", "");
    ck_assert_int_eq(srq_graph_classes(n.graph), 10);
    destroy(&n);
    n = (net){0};
    const srq_status status =
        srq_config_parse("model = \"" SRQ_SOURCE_DIR "/experiments/models/resnet20.cfg\"; data = { file "
                         "= \"none.h5\"; classes = 100; };",
                         "test", &n.config);
    build(&n, status);
    ck_assert_int_eq(srq_graph_classes(n.graph), 100);
    destroy(&n);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("measure");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, lenet5_at_2_bits);
    tcase_add_test(tests, lenet5_at_8_bits);
    tcase_add_test(tests, lenet5_under_gates);
    tcase_add_test(tests, lenet5_under_masks);
    tcase_add_test(tests, lenet5_in_float32);
    tcase_add_test(tests, codes_and_error);
    tcase_add_loop_test(tests, published_networks, 0, sizeof networks / sizeof *networks);
    tcase_add_test(tests, signs_of_mobilenetv2);
    tcase_add_test(tests, classes_are_settable);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
