/* What `srq train` says about the bits of a network. */
#include "experiments/srq/train/announce.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

/* conv1 has 8 x 1 x 5 x 5 = 200 weights and reads images; fc has 2 x 8 x 12 x 12 = 2304, conv2 8 x 8 x 1 x 1 = 64. */
static const char head[] = "model = { name = \"m\"; input = { height = 28; width = 28; channels = 1; }; layers = (\n"
                           "{ name = \"pool0\"; type = \"max_pool\"; kernel = 1; },\n"
                           "{ name = \"conv1\"; type = \"conv\"; out = 8; kernel = 5; stride = 2; },\n"
                           "{ name = \"relu1\"; type = \"relu\"; }, ";
static const char middle[] = "{ name = \"conv2\"; type = \"conv\"; out = 8; kernel = 1; }, ";
static const char tail[] = "{ name = \"fc\"; type = \"dense\"; out = 2; } ); };\ndata = { file = \"d.h5\"; };\n";

/* Announces the network with the layers `more` and these settings, in `bits` and `note`. */
static void announce(const char *more, const char *quantizer, char bits[400], char note[600])
{
    char text[4096];
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    const srq_graph_options options = {.capacity = 1};
    snprintf(text, sizeof text, "%s%s%s%s%s", head, more, middle, tail, quantizer);
    ck_assert_msg(srq_config_parse(text, "c.cfg", &config) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_graph_create(&srq_config_settings(config)->model, &options, &graph), SRQ_OK);
    srq_announce_quantizers(graph, srq_config_settings(config), bits, 400);
    srq_announce_unquantized(graph, note, 600);
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
}

START_TEST(bits)
{
    static const char act[] = "{ name = \"act1\"; type = \"quantize\"; }, ";
    static const struct {
        const char *more, *quantizer, *bits;
    } cases[] = {
        {"", "quantizer = { method = \"float32\"; };", "float32"},
        {"", "quantizer = { weight_bits = 3; activation_bits = 3; };", "srq, 3-bit weights, float32 activations"},
        {act, "quantizer = { weight_bits = 3; activation_bits = 4; };", "srq, 3-bit weights, 4-bit activations"},
        {act, "quantizer = { weight_bits = \"8 until 1ep, then 4\"; activation_bits = 2; };",
         "srq, 8, then 4-bit weights, 2-bit activations"},
        /* 200 weights at 3 bits, 64 at 4 and 2304 at 2: (600 + 256 + 4608) / 2568 = 2.128 */
        {act,
         "quantizer = { weight_bits = 2; layers = ( { name = \"conv1\"; bits = 3; }, { name = \"conv2\"; bits = 4; } "
         "); };",
         "srq, weights of 2.128 bits in the mean (2 to 4), 2-bit activations"},
        /* All layers alike, but not as in weight_bits */
        {"",
         "quantizer = { weight_bits = 2; layers = ( { name = \"conv1\"; bits = 5; }, { name = \"conv2\"; bits = 5; }, "
         "{ name = \"fc\"; bits = 5; } ); };",
         "srq, 5-bit weights, float32 activations"},
        /* (200 * 32 + 2368 * 2) / 2568 = 4.336 */
        {act, "quantizer = { method = \"lsq\"; layers = ( { name = \"conv1\"; method = \"float32\"; } ); };",
         "lsq, weights of 4.336 bits in the mean (2 to 32), 2-bit activations"},
        {act, "quantizer = { method = \"float32\"; layers = ( { name = \"act1\"; method = \"rq\"; bits = 6; } ); };",
         "rq, float32 weights, 6-bit activations"},
        {act, "quantizer = { estimator = \"argmax\"; layers = ( { name = \"fc\"; method = \"lsq\"; } ); };",
         "srq argmax and lsq, 2-bit weights, 2-bit activations"},
        {act, "quantizer = { weight_bits = 6; }; dropbits = { mode = \"learn\"; };",
         "srq, 6-bit weights, 2-bit activations at the start, bit-lengths learned"},
    };
    char found[400], note[600];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        announce(cases[i].more, cases[i].quantizer, found, note);
        ck_assert_str_eq(found, cases[i].bits);
    }
}
END_TEST

START_TEST(unquantized)
{
    static const char act[] = "{ name = \"act1\"; type = \"quantize\"; }, ";
    static const char more[] = "{ name = \"a\"; type = \"conv\"; out = 8; kernel = 1; }, "
                               "{ name = \"b\"; type = \"conv\"; out = 8; kernel = 1; }, ";
    char found[400], note[600];
    /* conv1 reads images, through a pooling: not a mistake. */
    announce("", "", found, note);
    ck_assert_str_eq(note, "quantized weights that read float32 activations: conv2, fc; their products are computed in "
                           "float32: put a layer of type \"quantize\" ahead of each in the model");
    announce(act, "", found, note);
    ck_assert_msg(strstr(note, "activations: fc; ") && strstr(note, "ahead of it "), "%s", note);
    announce(more, "", found, note);
    ck_assert_msg(strstr(note, ": a, b, conv2 and 1 more; ") != NULL, "%s", note);
    announce("", "quantizer = { method = \"float32\"; };", found, note);
    ck_assert_str_eq(note, "");
    announce(act, "quantizer = { layers = ( { name = \"fc\"; method = \"float32\"; } ); };", found, note);
    ck_assert_str_eq(note, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("announce");
    TCase *tests = tcase_create("announce");
    tcase_add_test(tests, bits);
    tcase_add_test(tests, unquantized);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
