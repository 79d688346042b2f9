/* Configurations: every kind of mistake with its place and its message; what is read is what is written. */
#include "core/graph.h"
#include "core/random.h"
#include "io/config.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <limits.h>
#include <sys/stat.h>

static const char good[] =
    "model = \"model.cfg\";\n"
    "data = { file = \"sub/../d.h5\"; };\n"
    "train = { batch = 64; epochs = 3; checkpoint_every = \"200it\"; };\n"
    "optimizer = { learning_rate = 1; };\n"
    "quantizer = { method = \"srq\"; weight_bits = 3; activation_bits = \"8 until epoch 2, "
    "then 4 until step 500, then 2\";\n  layers = ( { name = \"d\"; bits = \"6 until 1it, then 5\"; "
    "granularity = \"channel\"; }, { name = \"q\"; method = \"rq_st\"; bits = 7; } ); };\n"
    "dropbits = { mode = \"learn\"; };\n";
static const char plain[] = "model = \"model.cfg\";\ndata = { file = \"d.h5\"; };\n";
static const char model[] = "name = \"net\";\n"
                            "input = { height = 8; width = 6; channels = 2; };\n"
                            "layers = (\n"
                            "  { name = \"a\"; type = \"conv\"; out = 4; kernel = [3, 2]; padding = 1; },\n"
                            "  { name = \"r\"; type = \"relu\"; },\n"
                            "  { name = \"p\"; type = \"max_pool\"; kernel = 2; },\n"
                            "  { name = \"q\"; type = \"quantize\"; },\n"
                            "  { name = \"s\"; type = \"add\"; inputs = [\"q\", \"p\"]; },\n"
                            "  { name = \"d\"; type = \"dense\"; out = 3; bias = false; }\n"
                            ");\n";

static void setup(void)
{
    scratch_write("c.cfg", good, strlen(good));
    scratch_write("model.cfg", model, strlen(model));
}

static srq_status load(const char *name, int count, const char *const *sets)
{
    srq_config *c = NULL;
    srq_status status = srq_config_load(scratch(name), count, sets, &c);
    srq_config_destroy(&c);
    return status;
}

/* Expects a refusal whose message starts with the scratch path of `file`, then `rest`. */
static void expect_message(const char *file, const char *rest)
{
    char expected[2048];
    snprintf(expected, sizeof expected, "%s%s", scratch(file), rest);
    ck_assert_int_eq(load("c.cfg", 0, NULL), SRQ_ERROR_USAGE);
    ck_assert_msg(strncmp(srq_message(), expected, strlen(expected)) == 0, "found:    %s\nexpected: %s", srq_message(),
                  expected);
}

START_TEST(values_and_defaults)
{
    srq_config *c = NULL;
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 0, NULL, &c) == SRQ_OK, "%s", srq_message());
    const srq_settings *s = srq_config_settings(c);
    ck_assert_str_eq(s->data.file, scratch("d.h5"));
    ck_assert_int_eq(s->train.batch, 64);
    ck_assert_double_eq(s->train.init_gain, SRQ_GAIN_HE);
    ck_assert_int_eq(s->train.shards, 8);
    ck_assert_double_eq(s->optimizer.learning_rate, 1.0);
    ck_assert_int_eq(srq_span_steps(s->train.checkpoint_every, 100), 200);
    ck_assert_int_eq(srq_span_steps(s->train.eval_every, 100), 100);
    ck_assert_int_eq(s->model.layer_count, 6);
    const srq_layer_spec *a = &s->model.layers[0];
    ck_assert_int_eq(a->kernel[0], 3);
    ck_assert_int_eq(a->kernel[1], 2);
    ck_assert_int_eq(a->padding[1], 1);
    ck_assert_int_eq(a->stride[0], 1);
    ck_assert(a->bias);
    ck_assert_str_eq(a->inputs[0], "input");
    ck_assert_str_eq(a->quantizer.method, "srq");
    ck_assert_int_eq(a->quantizer.bits.bits[0], 3);
    ck_assert_int_eq(s->model.layers[2].stride[1], 2);
    ck_assert_int_eq(s->model.layers[3].quantizer.bits.bits[0], 7);
    ck_assert_str_eq(s->model.layers[4].inputs[1], "p");
    ck_assert(!s->model.layers[5].bias);
    srq_config_destroy(&c);
}
END_TEST

START_TEST(bit_lengths_over_training)
{
    srq_config *c = NULL;
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 0, NULL, &c) == SRQ_OK, "%s", srq_message());
    const srq_settings *s = srq_config_settings(c);
    const srq_bits_schedule *bits = &s->quantizer.activation_bits;
    const long steps[] = {0, 199, 200, 499, 500, 1000000};
    const int expected[] = {8, 8, 4, 4, 2, 2};
    for (int i = 0; i < 6; i++) ck_assert_int_eq(srq_bits_at(bits, steps[i], 100), expected[i]);
    /* With 250 steps in an epoch the stage in epochs ends where the next one, in steps, does. */
    srq_layer_spec layer = {.name = "a", .quantizer.bits = *bits};
    const srq_model_spec one = {.layers = &layer, .layer_count = 1};
    ck_assert_int_eq(srq_bits_check(&one, 249), SRQ_OK);
    ck_assert_int_eq(srq_bits_check(&one, 250), SRQ_ERROR_USAGE);
    ck_assert_msg(strstr(srq_message(), "8 bits until step 500 and then 4 bits until step 500 (250 steps") != NULL,
                  "%s", srq_message());
    srq_config_destroy(&c);
}
END_TEST

/* What the quantizers of layers become from the group, the list of single layers, and the kind of layer. */
START_TEST(quantizers_of_layers)
{
    srq_config *c = NULL;
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 0, NULL, &c) == SRQ_OK, "%s", srq_message());
    const srq_layer_spec *layers = srq_config_settings(c)->model.layers;
    const srq_quantizer_spec *a = &layers[0].quantizer, *q = &layers[3].quantizer, *d = &layers[5].quantizer;
    ck_assert(a->dropbits == SRQ_DROPBITS_LEARN && !a->per_channel && a->bits.bits[0] == 3);
    ck_assert(d->dropbits == SRQ_DROPBITS_LEARN && d->per_channel);
    ck_assert_int_eq(srq_bits_at(&d->bits, 0, 1), 6);
    ck_assert_int_eq(srq_bits_at(&d->bits, 1, 1), 5);
    ck_assert_str_eq(q->method, "rq_st");
    ck_assert_int_eq(q->bits.count, 1);
    ck_assert(q->dropbits == SRQ_DROPBITS_OFF && !q->per_channel);
    srq_config_destroy(&c);
}
END_TEST

/* Lengths of training: plain integers are epochs in train.epochs and steps elsewhere. */
START_TEST(lengths_of_training)
{
    static const struct {
        const char *set, *printed;
        long epochs, max_steps; /* with 100 steps in an epoch */
    } cases[] = {{"train.epochs=160", "  epochs = 160;", 16000, 0},
                 {"train.epochs=160ep", "  epochs = 160;", 16000, 0},
                 {"train.epochs=\"500it\"", "  epochs = \"500it\";", 500, 0},
                 {"train.epochs=0", "  epochs = 0;", 0, 0},
                 {"train.epochs=1000000000000ep", "  epochs = \"1000000000000ep\";", 100000000000000, 0},
                 {"train.max_steps=7", "  max_steps = \"7it\";", 300, 7},
                 {"train.max_steps=7it", "  max_steps = \"7it\";", 300, 7},
                 {"train.max_steps=2ep", "  max_steps = \"2ep\";", 300, 200}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        srq_config *c = NULL, *again = NULL;
        ck_assert_msg(srq_config_load(scratch("c.cfg"), 1, &cases[i].set, &c) == SRQ_OK, "%s", srq_message());
        ck_assert_ptr_nonnull(strstr(srq_config_text(c), cases[i].printed));
        ck_assert_msg(srq_config_parse(srq_config_text(c), "text", &again) == SRQ_OK, "%s", srq_message());
        ck_assert_str_eq(srq_config_text(c), srq_config_text(again));
        ck_assert_int_eq(srq_span_steps(srq_config_settings(again)->train.epochs, 100), cases[i].epochs);
        ck_assert_int_eq(srq_span_steps(srq_config_settings(again)->train.max_steps, 100), cases[i].max_steps);
        srq_config_destroy(&c);
        srq_config_destroy(&again);
    }
    ck_assert_int_eq(srq_span_steps((srq_span){.count = 1000000000000, .epochs = true}, 100000000), LONG_MAX);
}
END_TEST

START_TEST(resolved_text_reads_back)
{
    srq_config *c = NULL, *again = NULL;
    char what[256];
    const char *sets[] = {"optimizer.learning_rate=0.1", "quantizer.sigma_ratio=0.123456789012345678",
                          "train.seed=9223372036854775807", "data.file=\"/a \\\"b\\\" \\x01\\\\\""};
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 4, sets, &c) == SRQ_OK, "%s", srq_message());
    ck_assert_msg(srq_config_parse(srq_config_text(c), "text", &again) == SRQ_OK, "%s", srq_message());
    ck_assert_str_eq(srq_config_text(c), srq_config_text(again));
    ck_assert_int_eq(srq_config_settings(again)->train.seed, INT64_MAX);
    ck_assert_str_eq(srq_config_settings(again)->data.file, "/a \"b\" \x01\\");
    ck_assert(!srq_config_differs(c, again, what, sizeof what));
    srq_config_destroy(&c);
    srq_config_destroy(&again);
}
END_TEST

START_TEST(differences_are_named)
{
    srq_config *a = NULL, *b = NULL;
    char what[2048];
    const char *harmless[] = {"train.keep=7", "train.log_every=3ep", "data.file=/elsewhere.h5"},
               *seed[] = {"train.seed=2"};
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 0, NULL, &a), SRQ_OK);
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 3, harmless, &b), SRQ_OK);
    ck_assert(!srq_config_differs(a, b, what, sizeof what));
    srq_config_destroy(&b);
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 1, seed, &b), SRQ_OK);
    ck_assert(srq_config_differs(a, b, what, sizeof what));
    ck_assert_str_eq(what, "train.seed is 1 here and 2 there");
    srq_config_destroy(&b);
    char changed[sizeof model];
    memcpy(changed, model, sizeof model);
    strstr(changed, "kernel = 2")[9] = '3';
    scratch_write("model.cfg", changed, strlen(changed));
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 0, NULL, &b), SRQ_OK);
    ck_assert(srq_config_differs(a, b, what, sizeof what));
    ck_assert_str_eq(what, "kernel of layer 3 of the model (\"p\") is [2, 2] here and [3, 3] there");
    srq_config_destroy(&a);
    srq_config_destroy(&b);
}
END_TEST

START_TEST(mistakes_in_configurations)
{
    static const char head[] = "model = \"model.cfg\";\ndata = { file = \"d.h5\"; };\n";
    static const char *const cases[][2] = {
        {"train = {\n  epoch = 3; };\n", ":4: no setting is called train.epoch; did you mean train.epochs?"},
        {"trian = { };\n", ":3: no setting is called trian; did you mean train?"},
        {"epochs = 3;\n", ":3: no setting is called epochs; did you mean train.epochs?"},
        {"train = 3;\n", ":3: train must be a group such as train = { ... };, but is 3"},
        {"train = { batch = \"many\"; };\n", ":3: train.batch must be an integer, but is the text \"many\""},
        {"train = { batch = 1.5; };\n", ":3: train.batch must be an integer, but is 1.5"},
        {"train = { batch = -128; };\n", ":3: train.batch is -128, but must be from 1 to 1048576"},
        {"train = { seed = -1; };\n", ":3: train.seed is -1"},
        {"optimizer = { learning_rate = \"0.1\"; };\n", ":3: optimizer.learning_rate must be a number"},
        {"optimizer = { learning_rate = 1e400; };\n", ":3: optimizer.learning_rate is inf"},
        {"quantizer = { method = \"sqr\"; };\n",
         ":3: quantizer.method is \"sqr\", but must be one of srq|lsq|ste|rq|rq_st|float32; did you mean \"srq\"?"},
        {"quantizer = { weight_bits = 9; };\n", ":3: quantizer.weight_bits is 9, but must be from 1 to 8"},
        {"quantizer = { weight_bits = [2]; };\n",
         ":3: quantizer.weight_bits must be a bit-length, or a schedule such as"},
        {"quantizer = { weight_bits = true; };\n",
         ":3: quantizer.weight_bits must be a bit-length, or a schedule such as"},
        {"quantizer = { weight_bits = \"8 until 5\"; };\n", ":3: quantizer.weight_bits must be a bit-length, or a"},
        {"quantizer = { weight_bits = \"8 until epoch, then 4\"; };\n",
         ":3: quantizer.weight_bits must be a bit-length"},
        {"quantizer = { weight_bits = \"8 until day 5, then 4\"; };\n",
         ":3: quantizer.weight_bits must be a bit-length"},
        {"quantizer = { weight_bits = \"8 until 99999999999999999999ep, then 4\"; };\n",
         ":3: quantizer.weight_bits must be a bit-length"},
        {"quantizer = { weight_bits = \"8 until 0ep, then 4\"; };\n", ":3: quantizer.weight_bits must be a bit-length"},
        {"quantizer = { weight_bits = \"8 until 5ep, then\"; };\n", ":3: quantizer.weight_bits must be a bit-length"},
        {"quantizer = { weight_bits = \"\"; };\n", ":3: quantizer.weight_bits must be a bit-length"},
        {"quantizer = { weight_bits = \"8 until 5ep, then 12\"; };\n",
         ":3: quantizer.weight_bits has a bit-length of 12"},
        {"quantizer = { weight_bits = \"8 until 5ep, then 4 until 3ep, then 2\"; };\n",
         ":3: quantizer.weight_bits: each stage must end after the one before it"},
        {"quantizer = { weight_bits = \"1 until 1it 2 until 2it 3 until 3it 4 until 4it 5 until 5it 6 until 6it 7 "
         "until "
         "7it 8 until 8it 7\"; };\n",
         ":3: quantizer.weight_bits has more than 8 stages"},
        {"quantizer = { layers = 3; };\n", ":3: quantizer.layers must be a list"},
        {"quantizer = { layers = ( 3 ); };\n", ":3: an entry of quantizer.layers must be a group"},
        {"quantizer = { layers = ( { name = \"x\"; } ); };\n",
         ":3: no conv, dense or quantize layer of the model is called \"x\"; did you mean"},
        {"quantizer = { layers = ( { name = \"a\"; bits = 9; } ); };\n", ":3: bits is 9, but must be from 1 to 8"},
        {"quantizer = {\n layers = ( { name = \"a\"; method = \"lsg\"; } ); };\n",
         ":4: method is \"lsg\", but must be"},
        {"quantizer = { weight_bits = 3; layers = ( { name = \"a\"; dropbits = \"on\"; } ); };\n",
         ":3: layer \"a\" has dropbits = \"on\", but dropbits.mode is \"off\""},
        {"quantizer = { weight_bits = 3; layers = (\n{ name = \"a\"; method = \"lsq\"; dropbits = \"on\"; } ); };\n"
         "dropbits = { mode = \"learn\"; };\n",
         ":4: layer \"a\" has dropbits = \"on\", but only weights quantized by srq have gates"},
        {"dropbits = { mode = \"learn\"; };\n", ":3: dropbits.mode is \"learn\", but there is no bit to drop"},
        {"train = { checkpoint_every = \"3weeks\"; };\n",
         ":3: train.checkpoint_every must be a number of steps or epochs"},
        /* libconfig 1.5 would read 705032704. */
        {"train = { seed = 5000000000; };\n",
         ":3: the integer 5000000000 does not fit in 32 bits; write it as 5000000000L"},
        {"train = { seed = 0x1FFFFFFFF; };\n", ":3: the integer 0x1FFFFFFFF does not fit in 32 bits"},
        {"train = { seed = 99999999999999999999L; };\n", ":3: the integer 99999999999999999999L does not fit in 64"},
        {"optimizer = { beta1 = 1; };\n", ":3: optimizer.beta1 is 1, but must be from 0 to below 1"},
        {"schedule = { factor = 0; };\n", ":3: schedule.factor is 0, but must be from above 0 to 1"},
        {"/* 5000000000\n \" */ // \"\n# 5000000000 \"\ntrain = {\n batch = 0; };\n", ":7: train.batch is 0"},
        {"train = {\n engine = \"auto;\n};\n", ":4: the text that begins here has no closing quote"},
        {"train = { batch = 4; shards = 8; };\n", ":3: train.shards is 8, but a batch has only train.batch = 4 images"},
        {"train = { batch = };\n", ":3: syntax error"},
        {"train = { batch = 3; batch = 4; };\n", ":3: duplicate setting name; keep one of the two"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s", head, cases[i][0]);
        scratch_write("c.cfg", text, strlen(text));
        expect_message("c.cfg", cases[i][1]);
    }
    scratch_write("c.cfg", "model = \"model.cfg\";\n", 21);
    expect_message("c.cfg", ": data.file is missing");
    scratch_write("c.cfg", "data = { file = \"d\"; };\n", 24);
    expect_message("c.cfg", ": model is missing");
    scratch_write("c.cfg", "", 0);
    expect_message("c.cfg", ": model is missing");
    scratch_write("c.cfg", "model = \"none.cfg\"; data = { file = \"d\"; };\n", 44);
    expect_message("c.cfg", ":1: model: ");
    scratch_write("c.cfg", "a\0b", 3);
    expect_message("c.cfg", ": not a text file: it has a zero byte at offset 1");
    char *huge = malloc(1100000);
    ck_assert_ptr_nonnull(huge);
    memset(huge, ' ', 1100000);
    scratch_write("c.cfg", huge, 1100000);
    free(huge);
    expect_message("c.cfg", ": larger than 1048576 bytes");
    ck_assert_int_eq(load("nothing.cfg", 0, NULL), SRQ_ERROR_USAGE);
    ck_assert_int_eq(load(".", 0, NULL), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "folder"));
}
END_TEST

START_TEST(mistakes_in_included_files)
{
    static const char inner[] = "train = {\n batch = \"x\"; };\n";
    static const char syntax[] = "train = {\n batch = ; };\n", itself[] = "@include \"inner.cfg\"\n",
                      comment[] = "/*\n@include \"sub\"\n*/ train = 3;\n";
    static const char outer[] = "model = \"model.cfg\";\n@include \"inner.cfg\"\ndata = { file = \"d.h5\"; };\n";
    scratch_write("inner.cfg", inner, strlen(inner));
    scratch_write("c.cfg", outer, strlen(outer));
    expect_message("inner.cfg", ":2: train.batch must be an integer, but is the text \"x\"");
    scratch_write("inner.cfg", syntax, strlen(syntax));
    expect_message("inner.cfg", ":2: syntax error");
    scratch_write("inner.cfg", itself, strlen(itself));
    expect_message("inner.cfg", ":1: @include goes more than 10 files deep");
    /* libconfig itself ends the process at a folder. */
    static const char *const unreadable[][2] = {{"sub", "it is a folder"}, {"none.cfg", "No such file or directory"}};
    mkdir(scratch("sub"), 0777);
    for (int i = 0; i < 2; i++) {
        char text[256], rest[600];
        snprintf(text, sizeof text, "model = \"model.cfg\";\n  @include \"%s\"\n", unreadable[i][0]);
        snprintf(rest, sizeof rest, ":2: @include: %s: %s", scratch(unreadable[i][0]), unreadable[i][1]);
        scratch_write("c.cfg", text, strlen(text));
        expect_message("c.cfg", rest);
    }
    static const char absolute[] = "\n@include \"/etc/base.cfg\"\n";
    scratch_write("c.cfg", absolute, strlen(absolute));
    expect_message("c.cfg", ":2: @include of \"/etc/base.cfg\", but its path must start at the folder");
    scratch_write("c.cfg", comment, strlen(comment));
    expect_message("c.cfg", ":3: train must be a group");
}
END_TEST

START_TEST(mistakes_in_models)
{
    static const char head[] = "name = \"net\";\ninput = { height = 8; width = 8; channels = 1; };\nlayers = (\n";
    static const char *const cases[][2] = {
        {"{ name = \"a\"; type = \"conv\"; out = 4; kernel = 3; strides = 2; }",
         ":4: layers have no setting \"strides\"; did you mean \"stride\"?"},
        {"{ name = \"a\"; type = \"relu\"; out = 4; }", ":4: a layer of type relu has no setting \"out\""},
        {"{ name = \"a\"; type = \"conv\"; out = 4; }", ":4: a layer of type conv needs the setting \"kernel\""},
        {"{ name = \"a\"; type = \"cnov\"; out = 4; }", ":4: no layer type is called \"cnov\"; did you mean \"conv\"?"},
        {"{ type = \"relu\"; }", ":4: name is missing"},
        {"{ name = \"a/b\"; type = \"relu\"; }", ":4: a name must have"},
        {"{ name = \"..\"; type = \"relu\"; }", ":4: a name must have"},
        {"{ name = \"input\"; type = \"relu\"; }", ":4: \"input\" names the images"},
        {"{ name = \"a\"; type = \"relu\"; },\n{ name = \"a\"; type = \"relu\"; }", ":5: a layer called \"a\" is at "},
        {"{ name = \"a\"; type = \"relu\"; inputs = [\"b\"]; },\n{ name = \"b\"; type = \"relu\"; }",
         ":4: input \"b\" is this layer or one below it; layers must come after their inputs"},
        {"{ name = \"a\"; type = \"relu\"; inputs = [\"a\"]; }", ":4: input \"a\" is this layer or one below it"},
        {"{ name = \"conv1\"; type = \"relu\"; },\n{ name = \"b\"; type = \"relu\"; inputs = [\"cnov1\"]; }",
         ":5: no layer is called \"cnov1\"; did you mean \"conv1\"?"},
        {"{ name = \"a\"; type = \"relu\"; inputs = [\"input\", \"input\"]; }",
         ":4: a layer of type relu has one input, but this one has 2"},
        {"{ name = \"a\"; type = \"add\"; }", ":4: a layer of type add has 2 to 8 inputs, but this one has 1"},
        {"{ name = \"a\"; type = \"dense\"; out = \"4\"; }", ":4: out must be an integer, but is the text \"4\""},
        {"{ name = \"a\"; type = \"dense\"; out = \"four\"; }", ":4: out = \"four\": no parameter is called \"four\""},
        {"{ name = \"a\"; type = \"dense\"; out = \"classes\"; }",
         ":4: out = \"classes\": their number is not known; set data.classes in the configuration, or classes here"},
        {"{ name = \"a\"; type = \"conv\"; out = 4; kernel = 3; groups = 0; }", ":4: groups is 0, but must be from 1"},
        {"{ name = \"a\"; type = \"relu\"; max = 0; }", ":4: max must be a number above 0 and at most 1e+06, but is 0"},
        {"{ name = \"a\"; type = \"relu\"; groups = 2; }", ":4: a layer of type relu has no setting \"groups\""},
        {"{ name = \"a\"; block = \"residual\"; }",
         ":4: no block is called \"residual\"; declare it in blocks = { residual = { ... }; };"},
        {"{ name = \"a\"; type = \"batch_norm\"; epsilon = 1e-60; }",
         ":4: epsilon must be a number above 0 and at most 1, but is 1e-60"},
        {"{ name = \"a\"; type = \"relu\"; inputs = \"input\"; }",
         ":4: inputs must be a list of names such as [\"relu1\", \"conv2\"], but is the text \"input\""},
        {"{ name = \"a\"; type = \"dense\"; out = 0; }", ":4: out is 0, but must be from 1"},
        {"{ name = \"a\"; type = \"conv\"; out = 1; kernel = [3]; }", ":4: a pair must be [height, width]"},
        {"{ name = \"a\"; type = \"dense\"; out = 1; bias = 1; }", ":4: bias must be true or false, but is 1"},
        {"3", ":4: a layer must be a group"},
        {"", ":3: layers must be a list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, "%s%s\n);\n", head, cases[i][0]);
        scratch_write("model.cfg", text, strlen(text));
        expect_message("model.cfg", cases[i][1]);
    }
    static const char sizeless[] = "name = \"net\";\ninput = { height = 8; };\n";
    scratch_write("model.cfg", sizeless, strlen(sizeless));
    expect_message("model.cfg", ":2: input needs height, width and channels");
    scratch_write("model.cfg", "", 0);
    expect_message("model.cfg", ": name is missing");
}
END_TEST

/* A block with a nested one, its parameters in expressions, and names seen from outside. */
static const char blocks[] =
    "name = \"net\";\ninput = { height = 8; width = 8; channels = 2; };\nclasses = 7;\n"
    "blocks = {\n"
    "  pair = {\n"
    "    parameters = [\"width\", \"stride\"];\n"
    "    layers = (\n"
    "      { name = \"conv\"; type = \"conv\"; out = \"2 * (width + 1) - width / 2\"; kernel = 1;\n"
    "        stride = (\"stride\", 1); groups = \"-(-width)\"; },\n"
    "      { name = \"relu\"; type = \"relu\"; max = 6.0; }\n"
    "    );\n"
    "  };\n"
    "  twice = {\n"
    "    parameters = [\"channels\"];\n"
    "    layers = (\n"
    "      { name = \"first\"; block = \"pair\"; width = \"channels\"; stride = 1; },\n"
    "      { name = \"second\"; type = \"conv\"; inputs = [\"first\"]; out = \"classes\"; kernel = 1; },\n"
    "      { name = \"third\"; type = \"conv\"; inputs = [\"input\"]; out = 7; kernel = 1; },\n"
    "      { name = \"sum\"; type = \"add\"; inputs = [\"third\", \"second\"]; }\n"
    "    );\n"
    "  };\n"
    "};\n"
    "layers = (\n"
    "  { name = \"a\"; block = \"twice\"; channels = 2; },\n"
    "  { name = \"b\"; block = \"twice\"; inputs = [\"input\"]; channels = 2; },\n"
    "  { name = \"c\"; type = \"add\"; inputs = [\"a\", \"b.third\", \"b\"]; },\n"
    "  { name = \"d\"; type = \"dense\"; out = \"classes\"; }\n"
    ");\n";

START_TEST(blocks_are_taken_in)
{
    static const char *const names[] = {"a.first.conv", "a.first.relu", "a.second", "a.third", "a.sum", "b.first.conv",
                                        "b.first.relu", "b.second",     "b.third",  "b.sum",   "c",     "d"};
    static const char *const inputs[] = {"input",        "a.first.conv", "a.first.relu", "input",   "a.third", "input",
                                         "b.first.conv", "b.first.relu", "input",        "b.third", "a.sum",   "c"};
    srq_config *c = NULL, *again = NULL, *more = NULL;
    char what[256];
    scratch_write("model.cfg", blocks, strlen(blocks));
    scratch_write("c.cfg", "model = \"model.cfg\"; data = { file = \"d.h5\"; };", 47);
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 0, NULL, &c) == SRQ_OK, "%s", srq_message());
    const srq_model_spec *m = &srq_config_settings(c)->model;
    ck_assert_int_eq(m->layer_count, 12);
    for (int i = 0; i < 12; i++) {
        ck_assert_str_eq(m->layers[i].name, names[i]);
        ck_assert_str_eq(m->layers[i].inputs[0], inputs[i]);
    }
    ck_assert_int_eq(m->layers[0].out, 2 * (2 + 1) - 1);
    ck_assert_int_eq(m->layers[0].groups, 2);
    ck_assert_int_eq(m->layers[0].stride[0], 1);
    ck_assert_float_eq(m->layers[1].max, 6);
    ck_assert_int_eq(m->layers[2].out, 7);
    ck_assert_str_eq(m->layers[10].inputs[1], "b.third");
    ck_assert_str_eq(m->layers[10].inputs[2], "b.sum");
    ck_assert_int_eq(m->layers[11].out, 7);
    /* The resolved text stands for itself: no blocks, every number worked out. */
    ck_assert_msg(srq_config_parse(srq_config_text(c), "text", &again) == SRQ_OK, "%s", srq_message());
    ck_assert_str_eq(srq_config_text(c), srq_config_text(again));
    ck_assert(!srq_config_differs(c, again, what, sizeof what));
    /* The configuration's number of classes goes before the model's, and stays with the resolved text. */
    const char *const sets[] = {"data.classes=9"};
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 1, sets, &more) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_config_settings(more)->model.layers[11].out, 9);
    ck_assert_int_eq(srq_config_settings(more)->model.layers[2].out, 9);
    srq_config_destroy(&again);
    ck_assert_msg(srq_config_parse(srq_config_text(more), "text", &again) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_config_settings(again)->model.layers[11].out, 9);
    ck_assert(srq_config_differs(c, more, what, sizeof what));
    srq_config_destroy(&again);
    srq_config_destroy(&more);
    srq_config_destroy(&c);
    /* A model that has its own number for good says so. */
    setup();
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 1, sets, &c), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "data.classes is 9, but the last layer, \"d\", has out = 3"));
}
END_TEST

START_TEST(mistakes_in_blocks)
{
    static const char *const cases[][3] = {
        /* in the block, replaced; where it is told */
        {"width / 2", "width / 3",
         ":8: in \"a.first\" (block \"pair\", FILE:16): out = \"2 * (width + 1) - width / 3\": 2 / "
         "3 is not an integer"},
        {"width / 2", "widht",
         ":8: in \"a.first\" (block \"pair\", FILE:16): out = \"2 * (width + 1) - widht\": no parameter "
         "is called \"widht\"; did you mean \"width\"?"},
        {"width / 2", "9 * width", ":8: in \"a.first\" (block \"pair\", FILE:16): out is -12, but must be from 1"},
        {"width / 2", "2147483647 * 2 * width",
         ":8: in \"a.first\" (block \"pair\", FILE:16): out = \"2 * (width + 1) - "
         "2147483647 * 2 * width\": the result is too large"},
        {"width / 2", "width)",
         ":8: in \"a.first\" (block \"pair\", FILE:16): out = \"2 * (width + 1) - width)\": an operator "
         "is missing"},
        {"width + 1)", "width + 1",
         ":8: in \"a.first\" (block \"pair\", FILE:16): out = \"2 * (width + 1 - width / 2\": a \")\" "
         "is missing"},
        {"-(-width)", "width *",
         ":9: in \"a.first\" (block \"pair\", FILE:16): groups = \"width *\": it ends too early"},
        {"channels = 2; },", "chanels = 2; },",
         ":24: block \"twice\" has no setting \"chanels\"; did you mean \"channels\"?"},
        {"channels = 2; },", "},", ":24: block \"twice\" needs the parameter \"channels\"; add channels = ...;"},
        {"channels = 2; },", "channels = \"two\"; },", ":24: channels = \"two\": no parameter is called \"two\""},
        {"block = \"pair\"", "block = \"twice\"",
         ":16: in \"a\" (block \"twice\", FILE:24): block \"twice\" contains itself"},
        {"block = \"pair\"", "block = \"pear\"",
         ":16: in \"a\" (block \"twice\", FILE:24): no block is called \"pear\"; did you "
         "mean \"pair\"?"},
        {"inputs = [\"first\"]", "inputs = [\"a.first\"]",
         ":17: in \"a\" (block \"twice\", FILE:24): no layer is called "
         "\"a.first\"; did you mean \"first\"?"},
        {"inputs = [\"first\"]", "inputs = [\"sum\"]",
         ":17: in \"a\" (block \"twice\", FILE:24): input \"sum\" is this layer or "
         "one below it"},
        {"name = \"third\"", "name = \"second\"",
         ":18: in \"a\" (block \"twice\", FILE:24): a layer called \"a.second\" is at "
         "FILE:17 already"},
        {"name = \"b\"", "name = \"a\"", ":25: a block called \"a\" is at FILE:24 already; names must be unique"},
        {"name = \"c\"", "name = \"a.sum\"", ":26: a layer called \"a.sum\" is at FILE:19 already"},
        {"[\"a\", \"b.third\"", "[\"a\", \"d\"", ":26: input \"d\" is this layer or one below it"},
        {"inputs = [\"input\"]; channels", "inputs = [\"c\"]; channels",
         ":25: input \"c\" is this layer or one below it"},
        {"inputs = [\"input\"]; channels", "inputs = [\"a\", \"input\"]; channels", ":25: a block has one input"},
        {"[\"channels\"]", "[\"name\"]", ":14: in \"a\" (block \"twice\", FILE:24): \"name\" cannot be a parameter"},
        {"[\"channels\"]", "[\"c\", \"c\"]", ":14: in \"a\" (block \"twice\", FILE:24): \"c\" cannot be a parameter"},
        {"[\"channels\"]", "3", ":14: in \"a\" (block \"twice\", FILE:24): parameters must be a list of names"},
        {"parameters = [\"width\"", "parametres = [\"width\"",
         ":6: in \"a.first\" (block \"pair\", FILE:16): a block has no setting "
         "\"parametres\"; did you mean \"parameters\"?"},
        {"name = \"first\"", "name = \"a_name_of_63_characters_that_would_do_if_it_stood_for_itself_xx\"",
         ":16: in \"a\" (block \"twice\", FILE:24): the whole name"},
        {"stride = 1; }", "stride = 1; type = \"conv\"; }",
         ":16: in \"a\" (block \"twice\", FILE:24): block \"pair\" has no setting "
         "\"type\""},
        {"out = \"classes\"; }\n)", "out = \"clases\"; }\n)",
         ":27: out = \"clases\": no parameter is called \"clases\"; did you mean "
         "\"classes\"?"},
        {"name = \"third\"", "name = \"input\"",
         ":18: in \"a\" (block \"twice\", FILE:24): \"input\" names what the block reads"},
        {"classes = 7", "classes = 1", ":3: classes is 1, but must be from 2"},
    };
    scratch_write("c.cfg", "model = \"model.cfg\"; data = { file = \"d.h5\"; };", 47);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4096], rest[2048] = "";
        const char *at = strstr(blocks, cases[i][0]), *told = cases[i][2];
        ck_assert_msg(at != NULL, "%s is not in the model", cases[i][0]);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - blocks), blocks, cases[i][1], at + strlen(cases[i][0]));
        for (const char *mark; (mark = strstr(told, "FILE")); told = mark + 4)
            snprintf(rest + strlen(rest), sizeof rest - strlen(rest), "%.*s%s", (int)(mark - told), told,
                     scratch("model.cfg"));
        snprintf(rest + strlen(rest), sizeof rest - strlen(rest), "%s", told);
        scratch_write("model.cfg", text, strlen(text));
        expect_message("model.cfg", rest);
    }
}
END_TEST

START_TEST(overrides)
{
    static const char *const bad[][2] = {
        {"train.epochs", "--set train.epochs: it must be path=value"},
        {"train.epoch=3", "--set train.epoch=3: no setting is called train.epoch; did you mean train.epochs?"},
        {"train.epochs=x",
         "--set train.epochs=x: train.epochs must be a number of epochs or steps such as 10, \"10ep\" or \"500it\""},
        {"train.epochs=", "--set train.epochs=: train.epochs must be a number of epochs"},
        {"train.batch=-1", "--set train.batch=-1: train.batch is -1"},
        {"train.batch=true", "--set train.batch=true: train.batch must be an integer, but is a boolean"},
        {"optimizer.learning_rate=nan", "--set optimizer.learning_rate=nan: optimizer.learning_rate must be a number"},
        {"dropbits=off", "--set dropbits=off: no setting is called dropbits; did you mean dropbits.mode?"},
        {"dropbits.mode=regularise", "--set dropbits.mode=regularise: dropbits.mode is"},
        {"quantizer.layers=x", "--set quantizer.layers=x: quantizer.layers is a list, which only a file can hold"},
        {"train.batch=4", "--set train.batch=4: train.shards is 8, but a batch has only train.batch = 4 images"},
        {"data.flip=1", "--set data.flip=1: data.flip must be true or false, but is 1"},
        {"data.pad=-1", "--set data.pad=-1: data.pad is -1, but must be from 0 to 1024"},
        {"data.crop=middle", "--set data.crop=middle: data.crop is \"middle\", but must be one of plain|resized"},
        {"model=/none.cfg", "--set model=/none.cfg: /none.cfg: No such file"},
        {"model=", "--set model=: the path of the model file is empty"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(load("c.cfg", 1, &bad[i][0]), SRQ_ERROR_USAGE);
        ck_assert_msg(strncmp(srq_message(), bad[i][1], strlen(bad[i][1])) == 0, "%s", srq_message());
    }
    srq_config *c = NULL;
    char quoted[600];
    snprintf(quoted, sizeof quoted, "model=\"%s\"", scratch("model.cfg"));
    const char *sets[] = {quoted,
                          "train.batch=0x20",
                          "train.epochs=7",
                          "train.epochs=8",
                          "quantizer.method=lsq",
                          "dropbits.mode=off",
                          "optimizer.method=\"sgd\"",
                          "train.eval_every=5",
                          "data.file=2024"};
    char here[3000], expected[4000];
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 9, sets, &c) == SRQ_OK, "%s", srq_message());
    const srq_settings *s = srq_config_settings(c);
    ck_assert_int_eq(s->train.batch, 32);
    ck_assert_int_eq(srq_span_steps(s->train.epochs, 100), 800);
    ck_assert_str_eq(s->quantizer.method, "lsq");
    ck_assert_str_eq(s->model.layers[0].quantizer.method, "lsq");
    ck_assert_str_eq(s->optimizer.method, "sgd");
    ck_assert_int_eq(srq_span_steps(s->train.eval_every, 100), 5);
    snprintf(expected, sizeof expected, "%s/2024", here);
    ck_assert_str_eq(s->data.file, expected);
    srq_config_destroy(&c);
}
END_TEST

/* What is said in vain, and what is not, one of each rule. */
START_TEST(settings_without_effect)
{
    static const struct {
        const char *set, *with, *why;
    } cases[] = {
        {"data.ratio_max=2", "data.crop=plain", "it acts where data.crop is \"resized\", and it is \"plain\""},
        {"train.init_gain=1", "train.init=/x.h5", "it acts where train.init is \"random\", and it is \"/x.h5\""},
        {"optimizer.momentum=0.5", "optimizer.method=adam",
         "it acts where optimizer.method is \"sgd\", and it is \"adam\""},
        {"optimizer.beta2=0.5", "optimizer.method=sgd",
         "it acts where optimizer.method is \"adam\", and it is \"sgd\""},
        {"optimizer.sigma_learning_rate=1", "quantizer.sigma=fixed",
         "it acts where quantizer.sigma is \"learned\", and it is \"fixed\""},
        {"optimizer.gate_learning_rate=1", "dropbits.mode=off",
         "it acts where dropbits.mode is \"learn\" or \"regularize\", and it is \"off\""},
        {"schedule.factor=0.5", "schedule.method=cosine",
         "it acts where schedule.method is \"step\", and it is \"cosine\""},
        {"schedule.final=0.5", "schedule.method=constant",
         "it acts where schedule.method is \"linear\" or \"cosine\", and it is \"constant\""},
        {"quantizer.sigma_final=0.5", "quantizer.sigma=fixed",
         "it acts where quantizer.sigma is \"annealed\", and it is \"fixed\""},
        {"dropbits.until=3ep", "dropbits.mode=off",
         "it acts where dropbits.mode is \"learn\" or \"regularize\", and it is \"off\""},
        {"dropbits.penalty=1", "dropbits.mode=regularize",
         "it acts where dropbits.mode is \"learn\", and it is \"regularize\""},
        {"dropbits.penalty=1", "dropbits.mode=learn", NULL},
        {"optimizer.momentum=0.5", "optimizer.method=sgd", NULL},
        {"train.epochs=4", "train.batch=8", NULL},
        /* Layer "q" has another method than the rest. */
        {"quantizer.temperature=2", "dropbits.mode=off", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const sets[] = {cases[i].set, cases[i].with};
        char why[300] = "";
        srq_config *c = NULL;
        ck_assert_msg(srq_config_load(scratch("c.cfg"), 2, sets, &c) == SRQ_OK, "%s", srq_message());
        ck_assert_msg(srq_config_is_idle(c, sets[0], why, sizeof why) == (cases[i].why != NULL), "%s with %s: %s",
                      sets[0], sets[1], why);
        if (cases[i].why) ck_assert_str_eq(why, cases[i].why);
        ck_assert(!srq_config_is_idle(c, sets[1], why, sizeof why));
        srq_config_destroy(&c);
    }
    /* Without a list of layers the method is that of all. */
    static const char *const methods[][2] = {
        {"quantizer.estimator=argmax", "lsq"},  {"quantizer.sigma_ratio=0.5", "ste"}, {"quantizer.local_grid=0", "srq"},
        {"quantizer.weight_bits=3", "float32"}, {"quantizer.weight_bits=3", "rq_st"}, {"quantizer.local_grid=0", "rq"}};
    scratch_write("plain.cfg", plain, strlen(plain));
    for (int i = 0; i < 6; i++) {
        char method[64], why[300];
        snprintf(method, sizeof method, "quantizer.method=%s", methods[i][1]);
        const char *const sets[] = {methods[i][0], method};
        srq_config *c = NULL;
        ck_assert_msg(srq_config_load(scratch("plain.cfg"), 2, sets, &c) == SRQ_OK, "%s", srq_message());
        ck_assert_int_eq(srq_config_is_idle(c, sets[0], why, sizeof why), i < 4);
        srq_config_destroy(&c);
    }
    /* What a file of weights does not have is random. */
    const char *const partial[] = {"train.init_gain=1", "train.init=/x.h5", "train.init_match=partial"};
    srq_config *c = NULL;
    char why[300];
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 3, partial, &c) == SRQ_OK, "%s", srq_message());
    ck_assert(!srq_config_is_idle(c, partial[0], why, sizeof why));
    srq_config_destroy(&c);
}
END_TEST

/* Augmentation that goes together, and that does not. */
START_TEST(data_settings)
{
    static const struct {
        const char *sets[2], *words;
    } bad[] = {
        {{"data.crop=resized", "data.pad=4"}, "data.pad = 4 pads plain crops, but data.crop is \"resized\""},
        {{"data.scale_min=0.5", "data.scale_max=0.4"}, "data.scale_min and data.ratio_min must not be above"},
        {{"data.ratio_min=1.5", "data.flip=true"}, "data.scale_min and data.ratio_min must not be above"},
        {{"data.resize=3", "data.flip=false"}, "data.resize is 3, but the model \"net\" takes"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(load("c.cfg", 2, bad[i].sets), SRQ_ERROR_USAGE);
        ck_assert_msg(strstr(srq_message(), bad[i].words) != NULL, "%s", srq_message());
    }
    srq_config *c = NULL, *again = NULL;
    const char *sets[] = {"data.pad=4", "data.flip=true"};
    char what[200];
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 2, sets, &c), SRQ_OK);
    ck_assert(srq_config_settings(c)->data.flip && srq_config_settings(c)->data.pad == 4);
    ck_assert_int_eq(srq_config_parse(srq_config_text(c), "again", &again), SRQ_OK);
    ck_assert_str_eq(srq_config_text(c), srq_config_text(again));
    srq_config_destroy(&again);
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 1, sets, &again), SRQ_OK);
    ck_assert(srq_config_differs(c, again, what, sizeof what));
    ck_assert_str_eq(what, "data.flip is true here and false there");
    srq_config_destroy(&again);
    srq_config_destroy(&c);
}
END_TEST

/* Random changes of bytes: read or refused, never a crash. */
START_TEST(damaged_files_do_not_crash)
{
    for (uint64_t i = 0; i < 600; i++) {
        uint32_t r[4];
        const bool in_model = i % 3;
        char text[4096];
        const char *from = i % 3 == 0 ? good : i % 3 == 1 ? model : blocks;
        const size_t n = strlen(from);
        setup();
        memcpy(text, from, n);
        for (int k = 0; k < 3; k++) {
            srq_random(2, SRQ_RANDOM_TEST, (uint64_t)k, i, r);
            text[r[0] % n] = r[2] % 2 ? (char)r[1] : "{}()[];=\",\n@"[r[1] % 12];
        }
        scratch_write(in_model ? "model.cfg" : "c.cfg", text, n);
        srq_status status = load("c.cfg", 0, NULL);
        ck_assert_msg(status == SRQ_OK || status == SRQ_ERROR_USAGE, "status %d: %s", status, srq_message());
    }
}
END_TEST

/* docs/configuration.md holds what `srq help configuration --markdown` prints. */
START_TEST(the_reference_is_current)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    srq_config_reference(out, true);
    fclose(out);
    FILE *page = fopen(SRQ_SOURCE_DIR "/docs/configuration.md", "rb");
    ck_assert_msg(page != NULL, "docs/configuration.md is missing");
    char *found = calloc(1, 1 << 18);
    size_t n = fread(found, 1, (1 << 18) - 1, page);
    fclose(page);
    ck_assert_uint_gt(n, 0);
    ck_assert_msg(
        strstr(found, text) != NULL,
        "docs/configuration.md is not current: put the output of `srq help configuration --markdown` into it");
    free(found);
    free(text);
}
END_TEST

/* Every configuration that is shipped can be read. */
START_TEST(shipped_configurations)
{
    static const char *const names[] = {"quickstart",
                                        "lenet5-mnist/float32",
                                        "lenet5-mnist/lsq-w2a2",
                                        "lenet5-mnist/srq-w2a2",
                                        "lenet5-mnist/srq-w3a3",
                                        "lenet5-mnist/srq-w4a4",
                                        "vgg7-cifar10/float32",
                                        "vgg7-cifar10/srq-w4a4",
                                        "vgg7-cifar10/srq-dropbits-w4a4",
                                        "resnet20-cifar10/float32",
                                        "resnet20-cifar10/srq-w4a4",
                                        "resnet20-cifar10/srq-dropbits-w4a4"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[512];
        srq_config *c = NULL;
        snprintf(path, sizeof path, SRQ_SOURCE_DIR "/experiments/%s.cfg", names[i]);
        ck_assert_msg(srq_config_load(path, 0, NULL, &c) == SRQ_OK, "%s", srq_message());
        srq_config_destroy(&c);
    }
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("config");
    TCase *tests = tcase_create("config");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, values_and_defaults);
    tcase_add_test(tests, bit_lengths_over_training);
    tcase_add_test(tests, quantizers_of_layers);
    tcase_add_test(tests, lengths_of_training);
    tcase_add_test(tests, resolved_text_reads_back);
    tcase_add_test(tests, differences_are_named);
    tcase_add_test(tests, mistakes_in_configurations);
    tcase_add_test(tests, mistakes_in_included_files);
    tcase_add_test(tests, mistakes_in_models);
    tcase_add_test(tests, blocks_are_taken_in);
    tcase_add_test(tests, mistakes_in_blocks);
    tcase_add_test(tests, overrides);
    tcase_add_test(tests, settings_without_effect);
    tcase_add_test(tests, data_settings);
    tcase_add_test(tests, damaged_files_do_not_crash);
    tcase_add_test(tests, the_reference_is_current);
    tcase_add_test(tests, shipped_configurations);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
