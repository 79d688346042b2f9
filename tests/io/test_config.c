/* Configurations: reading, the meaning of settings, and writing the same text again. */
#include "core/graph.h"
#include "core/random.h"
#include "tests/io/config_files.h"

#include <limits.h>

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
    /* With 250 steps in an epoch, the stage in epochs and the next stage, in steps, end at the same step. */
    srq_layer_spec layer = {.name = "a", .quantizer.bits = *bits};
    const srq_model_spec one = {.layers = &layer, .layer_count = 1};
    ck_assert_int_eq(srq_bits_check(&one, 249), SRQ_OK);
    ck_assert_int_eq(srq_bits_check(&one, 250), SRQ_ERROR_USAGE);
    ck_assert_msg(
        strstr(srq_message(),
               "8 bits until step 500 and then 4 bits until step 500 (an epoch of this data set has 250 steps") != NULL,
        "%s", srq_message());
    srq_config_destroy(&c);
}
END_TEST

/* How the quantizers of layers follow from the group, the list of single layers, and the layer type. */
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
    ck_assert(!srq_config_differs(c, again, false, what, sizeof what));
    srq_config_destroy(&c);
    srq_config_destroy(&again);
}
END_TEST

START_TEST(differences_are_named)
{
    srq_config *a = NULL, *b = NULL;
    char what[2048];
    const char *harmless[] = {"train.keep=7", "train.log_every=3ep", "data.file=/elsewhere.h5",
                              "train.tensorboard=true"},
               *seed[] = {"train.seed=2"};
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 0, NULL, &a), SRQ_OK);
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 4, harmless, &b), SRQ_OK);
    ck_assert(!srq_config_differs(a, b, false, what, sizeof what));
    srq_config_destroy(&b);
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 1, seed, &b), SRQ_OK);
    ck_assert(srq_config_differs(a, b, false, what, sizeof what));
    ck_assert_str_eq(what, "train.seed is 1 here and 2 there");
    srq_config_destroy(&b);
    char changed[sizeof model];
    memcpy(changed, model, sizeof model);
    strstr(changed, "kernel = 2")[9] = '3';
    scratch_write("model.cfg", changed, strlen(changed));
    ck_assert_int_eq(srq_config_load(scratch("c.cfg"), 0, NULL, &b), SRQ_OK);
    ck_assert(srq_config_differs(a, b, false, what, sizeof what));
    ck_assert_str_eq(what, "kernel of layer 3 of the model (\"p\") is [2, 2] here and [3, 3] there");
    srq_config_destroy(&a);
    srq_config_destroy(&b);
}
END_TEST

/* Settings that have no effect, and settings that have one, for each rule. */
START_TEST(settings_without_effect)
{
    static const struct {
        const char *set, *with, *why;
    } cases[] = {
        {"data.ratio_max=2", "data.crop=plain", "it acts only if data.crop is \"resized\", but that is \"plain\""},
        {"train.init_gain=1", "train.init=/x.h5", "it acts only if train.init is \"random\", but that is \"/x.h5\""},
        {"optimizer.momentum=0.5", "optimizer.method=adam",
         "it acts only if optimizer.method is \"sgd\", but that is \"adam\""},
        {"optimizer.beta2=0.5", "optimizer.method=sgd",
         "it acts only if optimizer.method is \"adam\" or \"adamw\", but that is \"sgd\""},
        {"optimizer.sigma_learning_rate=1", "quantizer.sigma=fixed",
         "it acts only if quantizer.sigma is \"learned\", but that is \"fixed\""},
        {"optimizer.gate_learning_rate=1", "dropbits.mode=off",
         "it acts only if dropbits.mode is \"learn\" or \"regularize\", but that is \"off\""},
        {"schedule.factor=0.5", "schedule.method=cosine",
         "it acts only if schedule.method is \"step\", but that is \"cosine\""},
        {"schedule.final=0.5", "schedule.method=constant",
         "it acts only if schedule.method is \"linear\" or \"cosine\", but that is \"constant\""},
        {"quantizer.sigma_final=0.5", "quantizer.sigma=fixed",
         "it acts only if quantizer.sigma is \"annealed\", but that is \"fixed\""},
        {"dropbits.until=3ep", "dropbits.mode=off",
         "it acts only if dropbits.mode is \"learn\" or \"regularize\", but that is \"off\""},
        {"dropbits.penalty=1", "dropbits.mode=regularize",
         "it acts only if dropbits.mode is \"learn\", but that is \"regularize\""},
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

/* A setting without effect makes no other run: one notion for notes, differences, digests and groups of runs. */
START_TEST(idle_settings_decide_nothing)
{
    static const struct {
        const char *idle, *with; /* `idle` has no effect with `with` */
    } cases[] = {{"prune.rate=0.3", "train.epochs=2"},
                 {"prune.scope=global", "train.epochs=2"},
                 {"prune.rewind=3it", "train.epochs=2"},
                 {"optimizer.momentum=0.5", "optimizer.method=adam"},
                 {"optimizer.beta1=0.5", "optimizer.method=sgd"},
                 {"quantizer.weight_bits=5", "quantizer.method=float32"},
                 {"quantizer.granularity=channel", "quantizer.method=float32"},
                 {"optimizer.alpha_learning_rate=1", "quantizer.method=float32"},
                 {"quantizer.sigma_final=0.5", "quantizer.sigma=learned"},
                 {"dropbits.target_measure=bops", "dropbits.target=0"},
                 {"data.scale_min=0.5", "data.crop=plain"}};
    scratch_write("plain.cfg", plain, strlen(plain));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const sets[] = {cases[i].with, cases[i].idle};
        char why[300], what[2048], digests[2][SRQ_DIGEST_SIZE];
        srq_config *one = NULL, *other = NULL;
        ck_assert_msg(srq_config_load(scratch("plain.cfg"), 1, sets, &one) == SRQ_OK, "%s", srq_message());
        ck_assert_msg(srq_config_load(scratch("plain.cfg"), 2, sets, &other) == SRQ_OK, "%s", srq_message());
        ck_assert_msg(srq_config_is_idle(other, sets[1], why, sizeof why), "%s", sets[1]);
        ck_assert_msg(!srq_config_differs(one, other, false, what, sizeof what), "%s: %s", sets[1], what);
        ck_assert_int_eq(srq_config_digest(one, NULL, digests[0]), SRQ_OK);
        ck_assert_int_eq(srq_config_digest(other, NULL, digests[1]), SRQ_OK);
        ck_assert_msg(strcmp(digests[0], digests[1]) == 0, "%s", sets[1]);
        srq_config_destroy(&one);
        srq_config_destroy(&other);
    }
}
END_TEST

/* How often to evaluate decides a result only with validation images, which select the best checkpoint. */
START_TEST(evaluations_decide_with_validation)
{
    scratch_write("plain.cfg", plain, strlen(plain));
    for (int validates = 0; validates < 2; validates++) {
        const char *const sets[] = {validates ? "data.validation=10" : "data.validation=0", "train.eval_every=3it"};
        char what[2048], digests[2][SRQ_DIGEST_SIZE], why[300];
        srq_config *one = NULL, *other = NULL;
        ck_assert_msg(srq_config_load(scratch("plain.cfg"), 1, sets, &one) == SRQ_OK, "%s", srq_message());
        ck_assert_msg(srq_config_load(scratch("plain.cfg"), 2, sets, &other) == SRQ_OK, "%s", srq_message());
        ck_assert_int_eq(srq_config_differs(one, other, false, what, sizeof what), validates);
        ck_assert(!srq_config_is_idle(other, sets[1], why, sizeof why));
        ck_assert_int_eq(srq_config_digest(one, NULL, digests[0]), SRQ_OK);
        ck_assert_int_eq(srq_config_digest(other, NULL, digests[1]), SRQ_OK);
        ck_assert_int_eq(strcmp(digests[0], digests[1]) != 0, validates);
        srq_config_destroy(&one);
        srq_config_destroy(&other);
    }
}
END_TEST

/* A number of images is an integer, and a share is below 1. Both read back from the resolved text. */
START_TEST(validation_images)
{
    static const struct {
        const char *set;
        double value;
        const char *text;
    } fine[] = {
        {"data.validation=5000", 5000, "validation = 5000;"}, {"data.validation=5000.0", 5000, "validation = 5000;"},
        {"data.validation=1", 1, "validation = 1;"},          {"data.validation=0.1", 0.1, "validation = 0.1;"},
        {"data.validation=0", 0, "validation = 0;"},          {"data.validation=0.0", 0, "validation = 0;"}};
    static const char *const bad[][2] = {
        {"data.validation=1.5", "must be a number of images such as 5000, or a share below 1"},
        {"data.validation=-1", "must be from 0 to 1000000000"},
        {"data.validation=1e10", "must be from 0 to 1000000000"},
        {"data.validation=10%", "must be a number of images such as 5000"},
        {"train.patience=3", "train.patience is 3, but data.validation is 0"}};
    scratch_write("plain.cfg", plain, strlen(plain));
    srq_config *c = NULL, *again = NULL;
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        ck_assert_msg(srq_config_load(scratch("plain.cfg"), 1, &fine[i].set, &c) == SRQ_OK, "%s", srq_message());
        ck_assert_msg(srq_config_settings(c)->data.validation == fine[i].value, "%s", fine[i].set);
        ck_assert_msg(strstr(srq_config_text(c), fine[i].text) != NULL, "%s: %s", fine[i].set, srq_config_text(c));
        ck_assert_int_eq(srq_config_parse(srq_config_text(c), "text", &again), SRQ_OK);
        ck_assert(srq_config_settings(again)->data.validation == fine[i].value);
        srq_config_destroy(&c);
        srq_config_destroy(&again);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(srq_config_load(scratch("plain.cfg"), 1, &bad[i][0], &c), SRQ_ERROR_USAGE);
        ck_assert_msg(strstr(srq_message(), bad[i][1]) != NULL, "%s", srq_message());
    }
    const char *const never[] = {"data.validation=9", "train.patience=3", "train.eval_every=0"};
    ck_assert_int_eq(srq_config_load(scratch("plain.cfg"), 3, never, &c), SRQ_ERROR_USAGE);
    ck_assert_msg(strstr(srq_message(), "but train.eval_every is 0") != NULL, "%s", srq_message());
}
END_TEST

/* `srq ticket` reads prune.rewind always, and the rate if it prunes. */
START_TEST(settings_of_tickets)
{
    static const struct {
        const char *set;
        bool differs[2]; /* without pruning, with 2 levels */
    } cases[] = {{"prune.rewind=3it", {true, true}},
                 {"prune.rate=0.3", {false, true}},
                 {"prune.scope=global", {false, true}},
                 {"prune.random=true", {false, false}}};
    scratch_write("plain.cfg", plain, strlen(plain));
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *const sets[] = {i % 2 ? "prune.levels=2" : "prune.levels=0", cases[i / 2].set};
        char what[2048];
        srq_config *one = NULL, *other = NULL;
        ck_assert_msg(srq_config_load(scratch("plain.cfg"), 1, sets, &one) == SRQ_OK, "%s", srq_message());
        ck_assert_msg(srq_config_load(scratch("plain.cfg"), 2, sets, &other) == SRQ_OK, "%s", srq_message());
        ck_assert_int_eq(srq_config_differs(one, other, true, what, sizeof what), cases[i / 2].differs[i % 2]);
        srq_config_destroy(&one);
        srq_config_destroy(&other);
    }
}
END_TEST

/* Bits of activations need a layer that quantizes them. */
START_TEST(activations_without_a_layer)
{
    static const char text[] =
        "model = { name = \"m\"; input = { height = 4; width = 4; channels = 1; }; layers = ( { name = "
        "\"fc\"; type = \"dense\"; out = 10; } ); };\ndata = { file = \"d.h5\"; };\n";
    const char *const sets[] = {"quantizer.activation_bits=3", "quantizer.weight_bits=3"};
    char why[300];
    srq_config *config = NULL;
    scratch_write("dense.cfg", text, strlen(text));
    ck_assert_msg(srq_config_load(scratch("dense.cfg"), 2, sets, &config) == SRQ_OK, "%s", srq_message());
    ck_assert(srq_config_is_idle(config, sets[0], why, sizeof why));
    ck_assert_str_eq(why, "it acts only on activations of quantize layers, and the model has none");
    ck_assert(!srq_config_is_idle(config, sets[1], why, sizeof why));
    srq_config_destroy(&config);
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
    ck_assert(srq_config_differs(c, again, false, what, sizeof what));
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
    tcase_add_test(tests, values_and_defaults);
    tcase_add_test(tests, bit_lengths_over_training);
    tcase_add_test(tests, quantizers_of_layers);
    tcase_add_test(tests, lengths_of_training);
    tcase_add_test(tests, resolved_text_reads_back);
    tcase_add_test(tests, differences_are_named);
    tcase_add_test(tests, settings_without_effect);
    tcase_add_test(tests, idle_settings_decide_nothing);
    tcase_add_test(tests, evaluations_decide_with_validation);
    tcase_add_test(tests, validation_images);
    tcase_add_test(tests, settings_of_tickets);
    tcase_add_test(tests, activations_without_a_layer);
    tcase_add_test(tests, data_settings);
    tcase_add_test(tests, damaged_files_do_not_crash);
    tcase_add_test(tests, the_reference_is_current);
    tcase_add_test(tests, shipped_configurations);
    return run_tests(suite, tests);
}
