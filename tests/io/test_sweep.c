/* Tables of experiments: the names of runs, which must never change; every mistake with its place and message; and that
 * all configurations and tables of the project can be loaded. */
#include "io/run_list.h"
#include "io/sweep.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <sys/file.h>
#include <sys/stat.h>

static const char model[] = "name = \"net\";\ninput = { height = 4; width = 4; channels = 1; };\n"
                            "layers = ( { name = \"fc\"; type = \"dense\"; out = 10; } );\n";
static const char table[] =
    "title = \"Two rows\";\nseeds = [1, 20];\ninit = \"float32\";\nsets = [\"train.epochs=3\"];\n"
    "rows = (\n"
    "  { name = \"float32\"; config = \"../c/float32.cfg\"; published = 1; source = \"A\"; },\n"
    "  { name = \"srq-w2\"; config = \"../c/srq.cfg\"; sets = [\"train.epochs=4\"]; },\n"
    "  { name = \"plain\"; config = \"../c/srq.cfg\"; init = \"random\"; }\n);\n";

static void write_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text));
}

static void setup(void)
{
    mkdir(scratch("c"), 0777);
    mkdir(scratch("t"), 0777);
    write_text("c/model.cfg", model);
    write_text("c/base.cfg", "model = \"model.cfg\"; data = { file = \"d.h5\"; };\n");
    write_text("c/float32.cfg", "@include \"base.cfg\"\nquantizer = { method = \"float32\"; };\n");
    write_text("c/srq.cfg", "@include \"base.cfg\"\n");
    write_text("t/table.cfg", table);
}

static srq_config *load(const char *name, int count, const char *const *sets)
{
    srq_config *config = NULL;
    ck_assert_msg(srq_config_load(scratch(name), count, sets, &config) == SRQ_OK, "%s", srq_message());
    return config;
}

/* The first 12 digits, as names have them. */
static void digest(const char *name, int count, const char *const *sets, const char *init, char out[13])
{
    char text[SRQ_DIGEST_SIZE];
    srq_config *config = load(name, count, sets);
    ck_assert_int_eq(srq_config_digest(config, init, text), SRQ_OK);
    snprintf(out, 13, "%s", text);
    srq_config_destroy(&config);
}

/* --- Digests */

/* If this fails, existing run directories would not be found again. A change must not affect the digest of
 * configurations that do not use it. */
START_TEST(pinned)
{
    char found[13];
    digest("c/srq.cfg", 0, NULL, NULL, found);
    ck_assert_str_eq(found, "1698d965705b");
    digest("c/float32.cfg", 2, (const char *const[]){"train.epochs=7", "optimizer.learning_rate=0.02"}, NULL, found);
    ck_assert_str_eq(found, "90e90de1d545");
    write_text("c/layers.cfg",
               "@include \"base.cfg\"\nquantizer = { weight_bits = \"8 until 2ep, then 4\"; layers = ( { name = "
               "\"fc\"; bits = 3; } ); };\ndropbits = { mode = \"learn\"; };\n");
    digest("c/layers.cfg", 0, NULL, "run of x", found);
    ck_assert_str_eq(found, "fbb22d3842fe");
}
END_TEST

/* A row that starts from another one has no train.init yet, and its runs have one. Their digests agree all the same. */
START_TEST(settings_of_random_weights)
{
    char row[13], run[13];
    static const char *const sets[] = {"train.init_gain=0.5", "train.init=/runs/float32-seed1-0/last.h5"};
    digest("c/srq.cfg", 1, sets, "run of x", row);
    digest("c/srq.cfg", 2, sets, "run of x", run);
    ck_assert_str_eq(row, run);
    static const char *const match[] = {"train.init_match=partial", "train.init=/runs/float32-seed1-0/last.h5"};
    digest("c/srq.cfg", 1, match, "run of x", row);
    digest("c/srq.cfg", 2, match, "run of x", run);
    ck_assert_str_eq(row, run);
}
END_TEST

START_TEST(what_matters)
{
    char base[13], found[13];
    digest("c/srq.cfg", 0, NULL, NULL, base);
    /* Settings with default values, the seed, and settings that do not decide results. */
    const char *const same[] = {"train.batch=128",   "optimizer.learning_rate=0.001",
                                "train.init=random", "train.seed=9",
                                "train.keep=9",      "train.eval_every=0",
                                "data.file=/x/d.h5", "quantizer.sigma_ratio=0.3333333333333333"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        digest("c/srq.cfg", 1, &same[i], NULL, found);
        ck_assert_msg(strcmp(found, base) == 0, "%s makes another digest", same[i]);
    }
    const char *const other[] = {"train.batch=64",       "optimizer.learning_rate=0.0011",
                                 "train.init=/x.h5",     "data.file=/x/e.h5",
                                 "data.flip=true",       "train.wire=bfloat16",
                                 "quantizer.method=lsq", "train.max_steps=5"};
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        digest("c/srq.cfg", 1, &other[i], NULL, found);
        ck_assert_msg(strcmp(found, base) != 0, "%s makes no other digest", other[i]);
    }
    /* The model, and only what is in it. */
    write_text("c/model2.cfg",
               "# A comment.\nlayers = ( { type = \"dense\"; out = 10; name = \"fc\"; bias = true; } );\n"
               "input = { channels = 1; height = 4; width = 4; }; name = \"net\";\n");
    char set[600];
    const char *sets[] = {set};
    snprintf(set, sizeof set, "model=%s", scratch("c/model2.cfg"));
    digest("c/srq.cfg", 1, sets, NULL, found);
    ck_assert_str_eq(found, base);
    write_text("c/model2.cfg", "layers = ( { type = \"dense\"; out = 10; name = \"fc\"; bias = false; } );\n"
                               "input = { channels = 1; height = 4; width = 4; }; name = \"net\";\n");
    digest("c/srq.cfg", 1, sets, NULL, found);
    ck_assert_str_ne(found, base);
}
END_TEST

/* --- Reading */

START_TEST(rows_and_runs)
{
    srq_sweep *sweep = NULL;
    ck_assert_msg(srq_sweep_load(scratch("t/table.cfg"), &sweep) == SRQ_OK, "%s", srq_message());
    ck_assert_str_eq(sweep->name, "table");
    ck_assert_str_eq(sweep->title, "Two rows");
    ck_assert(sweep->row_count == 3 && sweep->seed_count == 2 && sweep->seeds[1] == 20);
    ck_assert_str_eq(sweep->rows[1].config, scratch("c/srq.cfg"));
    ck_assert(sweep->rows[0].init == -1 && sweep->rows[1].init == 0 && sweep->rows[2].init == -1);
    ck_assert(sweep->rows[0].published == 1 && isnan(sweep->rows[1].published));
    ck_assert_str_eq(sweep->rows[0].source, "A");

    char name[SRQ_RUN_NAME_SIZE], start[SRQ_RUN_NAME_SIZE], expected[700];
    srq_config *config = NULL;
    ck_assert_int_eq(srq_sweep_config(sweep, 1, 20, "/runs", &config), SRQ_OK);
    const srq_settings *s = srq_config_settings(config);
    ck_assert(s->train.epochs.count == 4 && s->train.epochs.epochs && s->train.seed == 20);
    snprintf(expected, sizeof expected, "/runs/%s", srq_sweep_run_name(sweep, 0, 20, start));
    ck_assert_str_eq(s->train.init, expected);
    ck_assert_int_eq(strncmp(start, "float32-seed20-", 15), 0);
    ck_assert_uint_eq(strlen(srq_sweep_run_name(sweep, 1, 20, name)), strlen("srq-w2-seed20-") + 12);
    int row;
    ck_assert_int_eq(srq_sweep_find(sweep, config, &row), SRQ_OK);
    ck_assert_int_eq(row, 1);
    srq_config_destroy(&config);

    /* The same run in another folder is recognized. A run that starts from a run with another seed, or from another
     * file, is not. */
    char set[700];
    const char *sets[] = {"train.epochs=4", "train.seed=20", set};
    snprintf(set, sizeof set, "train.init=/moved/%s", start);
    config = load("c/srq.cfg", 3, sets);
    ck_assert(srq_sweep_find(sweep, config, &row) == SRQ_OK && row == 1);
    srq_config_destroy(&config);
    sets[1] = "train.seed=1";
    config = load("c/srq.cfg", 3, sets);
    ck_assert(srq_sweep_find(sweep, config, &row) == SRQ_OK && row == -1);
    srq_config_destroy(&config);
    config = load("c/srq.cfg", 1, (const char *const[]){"train.epochs=3"});
    ck_assert(srq_sweep_find(sweep, config, &row) == SRQ_OK && row == 2);
    srq_config_destroy(&config);
    srq_sweep_destroy(&sweep);
}
END_TEST

/* A row has another identity if the row from which it starts has. */
START_TEST(starts_matter)
{
    srq_sweep *sweep = NULL, *other = NULL;
    char text[2048];
    ck_assert_int_eq(srq_sweep_load(scratch("t/table.cfg"), &sweep), SRQ_OK);
    snprintf(text, sizeof text, "%.*s sets = [\"train.batch=64\"]; %s", (int)(strstr(table, " published") - table),
             table, strstr(table, " published"));
    write_text("t/other.cfg", text);
    ck_assert_msg(srq_sweep_load(scratch("t/other.cfg"), &other) == SRQ_OK, "%s", srq_message());
    ck_assert_str_ne(sweep->rows[0].digest, other->rows[0].digest);
    ck_assert_str_ne(sweep->rows[1].digest, other->rows[1].digest);
    ck_assert_str_eq(sweep->rows[2].digest, other->rows[2].digest);
    srq_sweep_destroy(&sweep);
    srq_sweep_destroy(&other);
}
END_TEST

/* Replaces `old` in the table by `new`, and expects the message to begin with the table's path and `rest`. */
static void expect(const char *old, const char *new, const char *rest)
{
    char text[4096], expected[2048];
    const char *at = strstr(table, old);
    srq_sweep *sweep = NULL;
    ck_assert_ptr_nonnull(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - table), table, new, at + strlen(old));
    write_text("t/bad.cfg", text);
    ck_assert_msg(srq_sweep_load(scratch("t/bad.cfg"), &sweep) == SRQ_ERROR_USAGE, "taken: %s", new);
    snprintf(expected, sizeof expected, "%s%s", scratch("t/bad.cfg"), rest);
    ck_assert_msg(strncmp(srq_message(), expected, strlen(expected)) == 0, "found:    %s\nexpected: %s", srq_message(),
                  expected);
}

START_TEST(mistakes)
{
    expect("seeds", "sedes", ":2: a table has no setting called sedes; did you mean seeds?");
    expect("seeds = [1, 20];", "", ": seeds are missing; add seeds");
    expect("[1, 20]", "[]", ":2: seeds must be an array such as [1, 2, 3], but is an array");
    expect("[1, 20]", "3", ":2: seeds must be an array such as [1, 2, 3], but is 3");
    expect("[1, 20]", "[1, -2]", ":2: a seed must be an integer of 0 or more, but is -2");
    expect("[1, 20]", "[1, 1]", ":2: seed 1 is listed twice");
    expect("init = \"float32\"", "init = \"flaot32\"",
           ":6: row float32 starts from init = \"flaot32\", but no row above it has this name; did you mean");
    expect("\"random\"", "\"sqr-w2\"",
           ":8: row plain starts from init = \"sqr-w2\", but no row above it has this name; did you mean srq-w2?");
    expect("init = \"random\"", "init = 3", ":8: init must be a text in quotes, but is 3");
    expect("name = \"plain\"", "nam = \"plain\"", ":8: a row has no setting called nam; did you mean name?");
    expect("name = \"plain\"; ", "", ":8: the row has no name; add name");
    expect("\"plain\"", "\"a b\"", ":8: the row's name \"a b\" becomes part of folder names");
    expect("\"plain\"", "\"../x\"", ":8: the row's name \"../x\" becomes part of folder names");
    expect("\"plain\"", "\"-x\"", ":8: the row's name \"-x\" becomes part of folder names");
    expect("\"plain\"", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
           ":8: name is longer than 63 characters");
    expect("\"plain\"", "\"srq-w2\"", ":8: the row at ");
    expect("config = \"../c/srq.cfg\"; init", "init", ":8: row plain names no configuration; add config");
    expect("\"../c/srq.cfg\"; init", "\"../c/qrs.cfg\"; init", ":8: row plain: ");
    expect("\"train.epochs=4\"", "\"train.epocs=4\"",
           ":7: row srq-w2: --set train.epocs=4: no setting is called train.epocs; did you mean train.epochs?");
    expect("\"train.epochs=4\"", "4", ":7: an entry of sets must be a text such as \"train.epochs=3\", but is 4");
    expect("\"train.epochs=4\"", "\"train.epochs\"", ":7: \"train.epochs\" must be path=value");
    expect("\"train.epochs=4\"", "\"train.seed=4\"", ":7: train.seed comes from the table's seeds");
    expect("\"train.epochs=4\"", "\"train.init=x.h5\"", ":7: row srq-w2 starts from row float32 and sets train.init");
    expect("published = 1", "published = 101", ":6: published must be a test error from 0 to 100 (%), but is 101");
    expect("published = 1", "published = \"1\"", ":6: published must be a test error");
    expect(" source = \"A\";", "", ":6: published = 1; needs a source");
    expect("sets = [\"train.epochs=4\"];", "init = \"random\";", ":8: row plain has the same settings as row srq-w2");
    expect("rows = (", "rows = [", ":6: syntax error");
    srq_sweep *sweep = NULL;
    write_text("t/bad.cfg", "seeds = [1]; rows = ();\n");
    ck_assert_int_eq(srq_sweep_load(scratch("t/bad.cfg"), &sweep), SRQ_ERROR_USAGE);
    write_text("t/bad.cfg", "seeds = [1]; rows = ( 3 );\n");
    ck_assert_int_eq(srq_sweep_load(scratch("t/bad.cfg"), &sweep), SRQ_ERROR_USAGE);
    ck_assert_int_eq(srq_sweep_load(scratch("t/none.cfg"), &sweep), SRQ_ERROR_USAGE);
    ck_assert_int_eq(srq_sweep_load(scratch("t"), &sweep), SRQ_ERROR_USAGE);
    ck_assert_ptr_null(sweep);
}
END_TEST

/* Files that a row names are looked for from the table. */
START_TEST(paths)
{
    srq_sweep *sweep = NULL;
    write_text("t/paths.cfg", "seeds = [1]; rows = ( { name = \"a\"; config = \"../c/srq.cfg\"; sets = "
                              "[\"train.init=w.h5\", \"data.file=../c/e.h5\", \"model=../c/model.cfg\"]; } );\n");
    ck_assert_msg(srq_sweep_load(scratch("t/paths.cfg"), &sweep) == SRQ_OK, "%s", srq_message());
    srq_config *config = NULL;
    ck_assert_int_eq(srq_sweep_config(sweep, 0, 1, "runs", &config), SRQ_OK);
    ck_assert_str_eq(srq_config_settings(config)->train.init, scratch("t/w.h5"));
    ck_assert_str_eq(srq_config_settings(config)->data.file, scratch("c/e.h5"));
    srq_config_destroy(&config);
    srq_sweep_destroy(&sweep);
}
END_TEST

START_TEST(busy)
{
    mkdir(scratch("run"), 0777);
    ck_assert(!srq_run_is_busy(scratch("run")));
    write_text("run/log.jsonl", "");
    ck_assert(!srq_run_is_busy(scratch("run")));
    const int file = open(scratch("run/log.jsonl"), O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(flock(file, LOCK_EX | LOCK_NB), 0);
    ck_assert(srq_run_is_busy(scratch("run")));
    close(file);
    ck_assert(!srq_run_is_busy(scratch("run")));
}
END_TEST

/* --- What the project ships */

START_TEST(shipped)
{
    glob_t found;
    ck_assert_int_eq(glob(SRQ_SOURCE_DIR "/experiments/*/*.cfg", 0, NULL, &found), 0);
    ck_assert_int_eq(glob(SRQ_SOURCE_DIR "/experiments/*.cfg", GLOB_APPEND, NULL, &found), 0);
    int configurations = 0, tables = 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        srq_config *config = NULL;
        srq_sweep *sweep = NULL;
        if (strstr(path, "/models/")) continue; /* every one is some configuration's */
        if (strstr(path, "/tables/")) {
            ck_assert_msg(srq_sweep_load(path, &sweep) == SRQ_OK, "%s", srq_message());
            tables++;
        } else {
            ck_assert_msg(srq_config_load(path, 0, NULL, &config) == SRQ_OK, "%s", srq_message());
            configurations++;
        }
        srq_config_destroy(&config);
        srq_sweep_destroy(&sweep);
    }
    globfree(&found);
    ck_assert(configurations >= 60 && tables >= 5);
}
END_TEST

/* Each published figure (docs/tables.md) belongs to a row whose settings agree with its name. */
START_TEST(names_are_true)
{
    glob_t found;
    int published = 0;
    ck_assert_int_eq(glob(SRQ_SOURCE_DIR "/experiments/tables/*.cfg", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        srq_sweep *sweep = NULL;
        ck_assert_int_eq(srq_sweep_load(found.gl_pathv[i], &sweep), SRQ_OK);
        for (int r = 0; r < sweep->row_count; r++) {
            srq_config *config = NULL;
            ck_assert_int_eq(srq_sweep_config(sweep, r, 1, "runs", &config), SRQ_OK);
            const srq_settings *s = srq_config_settings(config);
            char name[128];
            snprintf(name, sizeof name, "%s%s%s-w%da%d", s->quantizer.method,
                     strcmp(s->quantizer.estimator, "argmax") == 0 ? "-argmax" : "",
                     strcmp(s->dropbits.mode, "regularize") == 0 ? "-dropbits" : "", s->quantizer.weight_bits.bits[0],
                     s->quantizer.activation_bits.bits[0]);
            if (strcmp(s->quantizer.method, "float32") == 0) snprintf(name, sizeof name, "float32");
            if (strcmp(s->dropbits.mode, "learn") == 0) snprintf(name, sizeof name, "learn");
            /* A row without a published figure may name further settings: "srq-w2a2-channel". */
            const char *row = sweep->rows[r].name;
            const size_t size = strlen(name);
            const bool further = isnan(sweep->rows[r].published) && strncmp(name, row, size) == 0 && row[size] == '-';
            ck_assert_msg(further || strcmp(name, row) == 0, "%s: row %s is %s", found.gl_pathv[i], row, name);
            published += !isnan(sweep->rows[r].published);
            srq_config_destroy(&config);
        }
        srq_sweep_destroy(&sweep);
    }
    globfree(&found);
    ck_assert_int_ge(published, 21);
}
END_TEST

/* Tables whose float32 runs are the same, so that they are trained once (docs/tables.md). */
START_TEST(shared_rows)
{
    static const char *const pairs[][2] = {{"resnet20-cifar10", "resnet20-cifar10-front"},
                                           {"lenet5-mnist", "lenet5-mnist-argmax"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char names[2][SRQ_RUN_NAME_SIZE];
        for (int k = 0; k < 2; k++) {
            char path[512];
            srq_sweep *sweep = NULL;
            snprintf(path, sizeof path, SRQ_SOURCE_DIR "/experiments/tables/%s.cfg", pairs[i][k]);
            ck_assert_msg(srq_sweep_load(path, &sweep) == SRQ_OK, "%s", srq_message());
            srq_sweep_run_name(sweep, srq_sweep_row_called(sweep, "float32"), 1, names[k]);
            srq_sweep_destroy(&sweep);
        }
        ck_assert_str_eq(names[0], names[1]);
    }
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("io/sweep");
    TCase *tests = tcase_create("sweep");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, pinned);
    tcase_add_test(tests, what_matters);
    tcase_add_test(tests, settings_of_random_weights);
    tcase_add_test(tests, rows_and_runs);
    tcase_add_test(tests, starts_matter);
    tcase_add_test(tests, mistakes);
    tcase_add_test(tests, paths);
    tcase_add_test(tests, busy);
    tcase_add_test(tests, shipped);
    tcase_add_test(tests, names_are_true);
    tcase_add_test(tests, shared_rows);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
