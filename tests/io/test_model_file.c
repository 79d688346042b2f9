/* Model files: layers and blocks, and every kind of mistake with its place and its message. */
#include "tests/io/config_files.h"

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
        {"{ name = \"input\"; type = \"relu\"; }", ":4: \"input\" is the images"},
        {"{ name = \"a\"; type = \"relu\"; },\n{ name = \"a\"; type = \"relu\"; }",
         ":5: there is already a layer called \"a\" at "},
        {"{ name = \"a\"; type = \"relu\"; inputs = [\"b\"]; },\n{ name = \"b\"; type = \"relu\"; }",
         ":4: input \"b\" is this layer or one below it; layers must come after their inputs"},
        {"{ name = \"a\"; type = \"relu\"; inputs = [\"a\"]; }", ":4: input \"a\" is this layer or one below it"},
        {"{ name = \"conv1\"; type = \"relu\"; },\n{ name = \"b\"; type = \"relu\"; inputs = [\"cnov1\"]; }",
         ":5: no layer is called \"cnov1\"; did you mean \"conv1\"?"},
        {"{ name = \"a\"; type = \"relu\"; inputs = [\"input\", \"input\"]; }",
         ":4: a layer of type relu has one input, but this one has 2"},
        {"{ name = \"a\"; type = \"add\"; }", ":4: a layer of type add has 2 to 8 inputs, but this one has 1"},
        {"{ name = \"a\"; type = \"dense\"; out = \"\"; }",
         ":4: out must be an integer or an expression, but is the text \"\""},
        {"{ name = \"a\"; type = \"dense\"; out = \"10/0\"; }", ":4: out = \"10/0\": 10 / 0 is a division by zero"},
        {"{ name = \"a\"; type = \"dense\"; out = \"4.5\"; }", ":4: out = \"4.5\": an operator is missing"},
        {"{ name = \"a\"; type = \"dense\"; out = 4.5; }", ":4: out must be an integer or an expression, but is 4.5"},
        {"{ name = \"a\"; type = \"dense\"; out = 4294967300.0; }", ":4: out is 4294967300, but must be from 1 to"},
        {"{ name = \"a\"; type = \"relu\"; max = 1e-42; }", ":4: max must be at least 1.2e-38 (float32), but is 1e-42"},
        {"{ name = \"a\"; type = \"dense\"; out = \"four\"; }", ":4: out = \"four\": no parameter is called \"four\""},
        {"{ name = \"a\"; type = \"dense\"; out = \"classes\"; }",
         ":4: out = \"classes\": the number of classes is not known; set data.classes in the configuration, or classes "
         "here"},
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
    /* The resolved text has no blocks and no expressions. */
    ck_assert_msg(srq_config_parse(srq_config_text(c), "text", &again) == SRQ_OK, "%s", srq_message());
    ck_assert_str_eq(srq_config_text(c), srq_config_text(again));
    ck_assert(!srq_config_differs(c, again, false, what, sizeof what));
    /* The configuration's number of classes overrides that of the model, also in the resolved text. */
    const char *const sets[] = {"data.classes=9"};
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 1, sets, &more) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_config_settings(more)->model.layers[11].out, 9);
    ck_assert_int_eq(srq_config_settings(more)->model.layers[2].out, 9);
    srq_config_destroy(&again);
    ck_assert_msg(srq_config_parse(srq_config_text(more), "text", &again) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_config_settings(again)->model.layers[11].out, 9);
    ck_assert(srq_config_differs(c, more, false, what, sizeof what));
    srq_config_destroy(&again);
    srq_config_destroy(&more);
    srq_config_destroy(&c);
    /* A model with a fixed number of classes reports it. */
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
         ":18: in \"a\" (block \"twice\", FILE:24): there is already a layer called \"a.second\" at "
         "FILE:17; names must be unique"},
        {"name = \"b\"", "name = \"a\"", ":25: there is already a block called \"a\" at FILE:24; names must be unique"},
        {"name = \"c\"", "name = \"a.sum\"", ":26: there is already a layer called \"a.sum\" at FILE:19"},
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
         ":18: in \"a\" (block \"twice\", FILE:24): \"input\" is the input of the block"},
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

/* Numbers that are whole in another way: expressions of numbers alone, and 5.0. */
START_TEST(constant_expressions)
{
    static const char text[] =
        "name = \"net\"; input = { height = 8; width = \"2 * 4\"; channels = 1.0; };\n"
        "layers = ( { name = \"a\"; type = \"conv\"; out = \"5+5\"; kernel = (3.0, \"6 / 2\"); padding = \"1\"; },\n"
        "  { name = \"d\"; type = \"dense\"; out = \"10\"; } );\n";
    srq_config *c = NULL;
    scratch_write("c.cfg", plain, strlen(plain));
    scratch_write("model.cfg", text, strlen(text));
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 0, NULL, &c) == SRQ_OK, "%s", srq_message());
    const srq_model_spec *m = &srq_config_settings(c)->model;
    ck_assert(m->width == 8 && m->channels == 1);
    ck_assert(m->layers[0].out == 10 && m->layers[0].kernel[0] == 3 && m->layers[0].kernel[1] == 3);
    ck_assert(m->layers[0].padding[1] == 1 && m->layers[1].out == 10);
    srq_config_destroy(&c);
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("model_file");
    TCase *tests = tcase_create("model_file");
    tcase_add_test(tests, mistakes_in_models);
    tcase_add_test(tests, blocks_are_taken_in);
    tcase_add_test(tests, mistakes_in_blocks);
    tcase_add_test(tests, constant_expressions);
    return run_tests(suite, tests);
}
