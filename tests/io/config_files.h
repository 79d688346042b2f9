/* Configurations and models for the tests of configurations, and how to check them. */
#ifndef SRQ_TESTS_IO_CONFIG_FILES_H
#define SRQ_TESTS_IO_CONFIG_FILES_H

#include "io/config.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

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

/* A block with a nested block, parameters in expressions, and names used from outside. */
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

/* Ahead of every test: c.cfg and model.cfg. */
static inline void setup(void)
{
    scratch_write("c.cfg", good, strlen(good));
    scratch_write("model.cfg", model, strlen(model));
}

/* The status of loading a configuration of the scratch folder with these --set. */
static inline srq_status load(const char *name, int count, const char *const *sets)
{
    srq_config *c = NULL;
    srq_status status = srq_config_load(scratch(name), count, sets, &c);
    srq_config_destroy(&c);
    return status;
}

/* Expects a failure whose message starts with the scratch path of `file`, followed by `rest`. */
static inline void expect_message(const char *file, const char *rest)
{
    char expected[2048];
    snprintf(expected, sizeof expected, "%s%s", scratch(file), rest);
    ck_assert_int_eq(load("c.cfg", 0, NULL), SRQ_ERROR_USAGE);
    ck_assert_msg(strncmp(srq_message(), expected, strlen(expected)) == 0, "found:    %s\nexpected: %s", srq_message(),
                  expected);
}

static inline int run_tests(Suite *suite, TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 120);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}

#endif
