/* Configurations: every kind of mistake with its place and its message, in files and in --set. */
#include "io/mistakes.h"
#include "tests/io/config_files.h"

#include <sys/stat.h>

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
        {"train = { batch = 1e18; };\n", ":3: train.batch must be an integer, but is 1e+18"},
        {"train = { batch = 4294967424.0; };\n", ":3: train.batch is 4294967424, but must be from 1 to 1048576"},
        {"train = { batch = -128; };\n", ":3: train.batch is -128, but must be from 1 to 1048576"},
        {"train = { seed = -1; };\n", ":3: train.seed is -1"},
        {"optimizer = { learning_rate = \"0.1\"; };\n", ":3: optimizer.learning_rate must be a number"},
        /* libconfig would read infinity and 0. float32 would hold 0, or 1 where it is to be less. */
        {"optimizer = { learning_rate = 1e400; };\n",
         ":3: the number 1e400 does not fit in 64-bit floating point; use a smaller one"},
        {"optimizer = {\n learning_rate = 1e-400; };\n",
         ":4: the number 1e-400 does not fit in 64-bit floating point; write 0 or a larger one"},
        {"optimizer = { learning_rate = -.5e-310; };\n", ":3: the number -.5e-310 does not fit"},
        {"optimizer = { learning_rate = 1e-50; };\n",
         ":3: optimizer.learning_rate must be 0 or at least 1.2e-38 (float32), but is 1e-50"},
        {"optimizer = { beta1 = 0.9999999999; };\n",
         ":3: optimizer.beta1 must be further below 1, so that float32 can hold it, but is 0.9999999999"},
        {"/* An open\n comment\ntrain = { batch = 0; };\n", ":3: the comment that begins here with /* has no end"},
        {"train = { batch = 64; }; # one\n\n  /* two */ /*\n", ":5: the comment that begins here with /* has no end"},
        {"/*/\n", ":3: the comment that begins here with /* has no end"},
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
        /* 2^32 + 3, 2^64 + 3 */
        {"quantizer = { weight_bits = 4294967299L; };\n",
         ":3: quantizer.weight_bits is 4294967299, but must be from 1"},
        {"quantizer = { weight_bits = \"4294967299\"; };\n",
         ":3: quantizer.weight_bits has a bit-length of 4294967299, but it must be from 1 to 8"},
        {"quantizer = { weight_bits = \"8 until 5ep, then 4294967299\"; };\n",
         ":3: quantizer.weight_bits has a bit-length of 4294967299"},
        {"quantizer = { weight_bits = \"18446744073709551619\"; };\n",
         ":3: quantizer.weight_bits has a bit-length of 9223372036854775807"},
        {"quantizer = { layers = ( { name = \"a\"; bits = 4294967299L; } ); };\n", ":3: bits is 4294967299, but must"},
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
    expect_message("inner.cfg", ":1: @include is nested more than 10 files deep");
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
    /* An open comment of an included file, which would hide the rest of that file. */
    static const char open[] = "train = { batch = 8; };\n/* data = { file = \"x\"; };\n";
    scratch_write("inner.cfg", open, strlen(open));
    scratch_write("c.cfg", outer, strlen(outer));
    expect_message("inner.cfg", ":2: the comment that begins here with /* has no end");
    static const char marked[] = "\xef\xbb\xbftrain = { batch = 8; };\n";
    scratch_write("inner.cfg", marked, strlen(marked));
    char words[700];
    snprintf(words, sizeof words, ":2: @include: %s begins with a byte-order mark", scratch("inner.cfg"));
    expect_message("c.cfg", words);
}
END_TEST

/* A byte-order mark, as some editors put it before UTF-8, in a configuration and in its model. */
START_TEST(byte_order_marks)
{
    static const char mark[] = "\xef\xbb\xbf";
    char text[2048];
    srq_config *c = NULL;
    snprintf(text, sizeof text, "%s%s", mark, good);
    scratch_write("c.cfg", text, strlen(text));
    snprintf(text, sizeof text, "%s%s", mark, model);
    scratch_write("model.cfg", text, strlen(text));
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 0, NULL, &c) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_config_settings(c)->train.batch, 64);
    srq_config_destroy(&c);
    /* Lines are counted as before. Only one mark is one. */
    snprintf(text, sizeof text, "%s\ntrain = 3;\n", mark);
    scratch_write("c.cfg", text, strlen(text));
    expect_message("c.cfg", ":2: train must be a group");
    snprintf(text, sizeof text, "%s%strain = 3;\n", mark, mark);
    scratch_write("c.cfg", text, strlen(text));
    expect_message("c.cfg", ":1: syntax error");
}
END_TEST

/* The text of a checkpoint must not reach for files of the reader's machine. */
START_TEST(texts_include_nothing)
{
    srq_config *c = NULL;
    static const char text[] = "train = {\n@include \"/etc/passwd\"\n};\n",
                      comment[] = "# @include \"x\"\ntrain = 3;\n";
    ck_assert_int_eq(srq_config_parse(text, "last.h5: /config", &c), SRQ_ERROR_USAGE);
    ck_assert_msg(
        strstr(srq_message(), "last.h5: /config:2: @include of \"/etc/passwd\", but this text must be complete"), "%s",
        srq_message());
    ck_assert_int_eq(srq_config_parse(comment, "text", &c), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "text:2: train must be a group"));
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
        {"train.batch=128.5", "--set train.batch=128.5: train.batch must be an integer, but is 128.5"},
        {"train.batch=1e400", "--set train.batch=1e400: train.batch must be an integer, but is 1e400"},
        {"optimizer.learning_rate=1e400",
         "--set optimizer.learning_rate=1e400: optimizer.learning_rate is 1e400, but must"},
        {"optimizer.learning_rate=1e-400", "--set optimizer.learning_rate=1e-400: optimizer.learning_rate must be 0 or "
                                           "at least 1.2e-38 (float32), but is "
                                           "1e-400"},
        {"optimizer.learning_rate=1e-50",
         "--set optimizer.learning_rate=1e-50: optimizer.learning_rate must be 0 or at"},
        {"optimizer.momentum=0.999999999",
         "--set optimizer.momentum=0.999999999: optimizer.momentum must be further below"},
        {"quantizer.weight_bits=4294967299",
         "--set quantizer.weight_bits=4294967299: quantizer.weight_bits is 4294967299"},
        /* Not one text: libconfig would read a comment in it. */
        {"optimizer.method=\"sgd\"; /* \"",
         "--set optimizer.method=\"sgd\"; /* \": optimizer.method is \"\"sgd\"; /* \"\","},
        {"optimizer.learning_rate=nan", "--set optimizer.learning_rate=nan: optimizer.learning_rate must be a number"},
        {"dropbits=off", "--set dropbits=off: no setting is called dropbits; did you mean dropbits.mode?"},
        {"dropbits.mode=regularise", "--set dropbits.mode=regularise: dropbits.mode is"},
        {"quantizer.layers=x", "--set quantizer.layers=x: quantizer.layers is a list, so it can be set only in a file"},
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
                          "train.batch=32.0",
                          "train.epochs=7",
                          "train.epochs=8.0",
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

/* The message must have these lines, each with this beginning. */
static void expect_lines(int count, const char *const *lines)
{
    char text[SRQ_MESSAGE_SIZE];
    snprintf(text, sizeof text, "%s", srq_message());
    char *line = text;
    for (int i = 0; i < count; i++) {
        ck_assert_msg(line != NULL, "%d lines, not %d: %s", i, count, srq_message());
        char *end = strchr(line, '\n');
        if (end) *end = '\0';
        if (i > 0) ck_assert_msg(strncmp(line, "srq: ", 5) == 0, "%s", line);
        const char *body = line + (i > 0 ? 5 : 0);
        const size_t folder = strlen(scratch_folder);
        if (strncmp(body, scratch_folder, folder) == 0) body += folder + 1;
        ck_assert_msg(strncmp(body, lines[i], strlen(lines[i])) == 0, "found:    %s\nexpected: %s", body, lines[i]);
        line = end ? end + 1 : NULL;
    }
    ck_assert_msg(line == NULL, "more lines: %s", line);
}

START_TEST(all_at_once)
{
    static const char text[] =
        "model = \"model.cfg\";\ntrain = { batch = \"x\"; lr = 1.0;\n  epochs = -1; shards = 4; };\n"
        "optimizr = { method = 3; };\nquantizer = { method = \"LSQ\"; layers = (\n"
        "  { name = \"d\"; bit = 3; },\n  { name = \"q\"; bits = 9; } ); };\n";
    static const char *const sets[] = {"train.seed=-1", "nothing=1"};
    static const char *const lines[] = {
        "c.cfg:2: no setting is called train.lr; did you mean optimizer.learning_rate?",
        "c.cfg:4: no setting is called optimizr; did you mean optimizer?",
        "c.cfg:2: train.batch must be an integer, but is the text \"x\"",
        "c.cfg:3: train.epochs is -1, but must be from 0",
        "c.cfg:5: quantizer.method is \"LSQ\", but must be one of ",
        "--set train.seed=-1: train.seed is -1, but must be from 0",
        "--set nothing=1: no setting is called nothing",
        "c.cfg: data.file is missing",
        "c.cfg:6: an entry of quantizer.layers has no setting \"bit\"; did you mean \"bits\"?",
        "c.cfg:7: bits is 9, but must be from 1 to 8"};
    scratch_write("c.cfg", text, sizeof text - 1);
    ck_assert_int_eq(load("c.cfg", 2, sets), SRQ_ERROR_USAGE);
    expect_lines(10, lines);
    /* Beside a mistake in the model, too. */
    static const char both[] = "data = { file = \"d.h5\"; };\nmodel = { name = \"m\"; };\nepochs = 3;\n";
    static const char *const three[] = {"c.cfg:3: no setting is called epochs; did you mean train.epochs?",
                                        "c.cfg:2: input must be a group", "c.cfg:2: layers must be a list"};
    scratch_write("c.cfg", both, sizeof both - 1);
    ck_assert_int_eq(load("c.cfg", 0, NULL), SRQ_ERROR_USAGE);
    expect_lines(3, three);
    /* All of a model: a layer with mistakes is still there for those that name it, a block is read once for all its
     * instances. */
    static const char wrong[] =
        "name = \"m\"; input = { height = 0; width = 8; channels = 1; };\n"
        "blocks = { pair = { parameters = [\"channels\"]; layers = (\n"
        "  { name = \"a\"; type = \"cnov\"; out = \"channels\"; },\n"
        "  { name = \"b\"; type = \"relu\"; inputs = [\"a\"]; } ); }; };\n"
        "layers = ( { name = \"c\"; type = \"conv\"; outs = 3; kernel = \"x\"; },\n"
        "  { name = \"p\"; block = \"pair\"; channels = 2; }, 3,\n"
        "  { name = \"q\"; block = \"pair\"; channels = 2; inputs = [\"p\"]; },\n"
        "  { name = \"r\"; block = \"pear\"; }, { name = \"s\"; type = \"relu\"; inputs = [\"r\"]; },\n"
        "  { name = \"t\"; type = \"add\"; inputs = [\"s\", \"u\"]; } );\n";
    static const char *const of_model[] = {"model.cfg:1: height is 0, but must be from 1",
                                           "model.cfg:5: layers have no setting \"outs\"; did you mean \"out\"?",
                                           "model.cfg:5: kernel = \"x\": no parameter is called \"x\"",
                                           "model.cfg:3: in \"p\" (block \"pair\", ",
                                           "model.cfg:6: a layer must be a group",
                                           "model.cfg:8: no block is called \"pear\"; did you mean \"pair\"?",
                                           "model.cfg:9: no layer is called \"u\""};
    static const char short_one[] = "data = { file = \"d.h5\"; };\nmodel = \"model.cfg\";\n";
    scratch_write("model.cfg", wrong, sizeof wrong - 1);
    scratch_write("c.cfg", short_one, sizeof short_one - 1);
    ck_assert_int_eq(load("c.cfg", 0, NULL), SRQ_ERROR_USAGE);
    expect_lines(7, of_model);
    scratch_write("model.cfg", model, strlen(model));
    /* No more than ten; the others are counted. */
    char many[600] = "model = \"model.cfg\"; data = { file = \"d.h5\"; };\n";
    const char *eleven[11];
    for (int i = 0; i < 13; i++) {
        const size_t n = strlen(many);
        snprintf(many + n, sizeof many - n, "zzzz%d = 1;\n", i);
    }
    for (int i = 0; i < 10; i++) eleven[i] = "c.cfg:";
    eleven[10] = "and 3 more mistakes";
    scratch_write("c.cfg", many, strlen(many));
    ck_assert_int_eq(load("c.cfg", 0, NULL), SRQ_ERROR_USAGE);
    expect_lines(11, eleven);
    /* What cannot be shown whole is counted. */
    srq_mistakes m = {.count = 0};
    char wide[SRQ_MESSAGE_SIZE];
    memset(wide, 'w', sizeof wide - 1);
    wide[SRQ_MESSAGE_SIZE - 100] = '\0';
    ck_assert_int_eq(srq_mistakes_result(&m), SRQ_OK);
    for (int i = 0; i < 2; i++) ck_assert_int_eq(srq_mistakes_note(&m, srq_fail(SRQ_ERROR_USAGE, "%s", wide)), SRQ_OK);
    ck_assert_int_eq(srq_mistakes_note(&m, SRQ_ERROR_DATA), SRQ_ERROR_DATA);
    ck_assert_int_eq(srq_mistakes_result(&m), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "w\nsrq: and 1 more mistake"));
}
END_TEST

START_TEST(layers_by_set)
{
    srq_config *c = NULL, *file = NULL;
    static const char *const sets[] = {"quantizer.layers.a.bits=8", "quantizer.layers.q.bits=6",
                                       "quantizer.layers.d.method=lsq", "quantizer.layers.a.granularity=channel"};
    static const char listed[] =
        "model = \"model.cfg\";\ndata = { file = \"sub/../d.h5\"; };\nquantizer = { layers = (\n"
        "{ name = \"q\"; bits = 6; method = \"rq\"; },\n"
        "{ name = \"a\"; bits = 8; granularity = \"channel\"; },\n"
        "{ name = \"d\"; method = \"lsq\"; } ); };\n";
    static const char one[] = "model = \"model.cfg\";\ndata = { file = \"sub/../d.h5\"; };\nquantizer = { layers = (\n"
                              "{ name = \"q\"; bits = 3; method = \"rq\"; } ); };\n";
    scratch_write("c.cfg", one, sizeof one - 1);
    scratch_write("listed.cfg", listed, sizeof listed - 1);
    ck_assert_msg(srq_config_load(scratch("c.cfg"), 4, sets, &c) == SRQ_OK, "%s", srq_message());
    ck_assert_msg(srq_config_load(scratch("listed.cfg"), 0, NULL, &file) == SRQ_OK, "%s", srq_message());
    ck_assert_str_eq(srq_config_text(c), srq_config_text(file));
    srq_config_destroy(&c);
    srq_config_destroy(&file);
    static const char *const bad[][2] = {
        {"quantizer.layers.a.bits=9", "--set quantizer.layers.a.bits=9: bits is 9, but must be from 1 to 8"},
        {"quantizer.layers.a.bit=8",
         "--set quantizer.layers.a.bit=8: an entry of quantizer.layers has no setting \"bit\"; "
         "did you mean \"bits\"?"},
        {"quantizer.layers.a.name=b", "has no setting \"name\""},
        {"quantizer.layers.bits=8", "it must name a layer and a setting of it"},
        {"quantizer.layers..bits=8", "it must name a layer and a setting of it"},
        {"quantizer.layers.conv.bits=8",
         "--set quantizer.layers.conv.bits=8: no conv, dense or quantize layer of the model "
         "is called \"conv\"; did you mean"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(load("c.cfg", 1, &bad[i][0]), SRQ_ERROR_USAGE);
        ck_assert_msg(strstr(srq_message(), bad[i][1]) != NULL, "found:    %s\nexpected: %s", srq_message(), bad[i][1]);
    }
}
END_TEST

/* libconfig needs minutes for the first, because it compares each name with all others. */
START_TEST(endless_texts)
{
    enum { SETTINGS = 60000, LEVELS = 100 };
    srq_config *c = NULL;
    char *text = malloc(SETTINGS * 16), *at = text;
    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < SETTINGS; i++) at += sprintf(at, "a%d = 1;\n", i);
    ck_assert_int_eq(srq_config_parse(text, "c.cfg", &c), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "c.cfg:4097: a group has at most 4096 settings"));
    at = text + sprintf(text, "model = ");
    for (int i = 0; i < LEVELS; i++) *at++ = '(';
    *at = '\0';
    ck_assert_int_eq(srq_config_parse(text, "c.cfg", &c), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "c.cfg:1: groups and lists are nested more than 63 deep"));
    free(text);
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("config_mistakes");
    TCase *tests = tcase_create("config_mistakes");
    tcase_add_test(tests, mistakes_in_configurations);
    tcase_add_test(tests, mistakes_in_included_files);
    tcase_add_test(tests, byte_order_marks);
    tcase_add_test(tests, texts_include_nothing);
    tcase_add_test(tests, overrides);
    tcase_add_test(tests, all_at_once);
    tcase_add_test(tests, layers_by_set);
    tcase_add_test(tests, endless_texts);
    return run_tests(suite, tests);
}
