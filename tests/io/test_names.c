/* "Did you mean": the names that people type instead of srq's own. */
#include "io/closest.h"
#include "io/schema.h"
#include "tests/io/config_files.h"

START_TEST(distances)
{
    static const struct {
        const char *a, *b;
        int distance;
        bool near;
    } cases[] = {
        {"train", "train", 0, true},  {"trian", "train", 1, true},
        {"LSQ", "lsq", 0, true},      {"batchSize", "batch_size", 0, true},
        {"ouf", "out", 1, true},      {"MaxPool2d", "max_pool", 1, true},
        {"epoks", "epochs", 2, true}, {"kitten", "sitting", 3, true},
        {"foo", "isa", 3, false},     {"ab", "abcdefgh", 6, false},
        {"", "abc", 3, false},        {"ca", "abc", 3, false},
        {"xyzzy", "train", 5, false}, {"dry-run", "--dry-run", 0, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_msg(srq_distance(cases[i].a, cases[i].b) == cases[i].distance, "%s, %s: %d", cases[i].a, cases[i].b,
                      srq_distance(cases[i].a, cases[i].b));
        ck_assert_int_eq(srq_distance(cases[i].b, cases[i].a), cases[i].distance);
        ck_assert_msg(srq_is_near(cases[i].a, cases[i].b) == cases[i].near, "%s, %s", cases[i].a, cases[i].b);
    }
    /* Longer words than the room for them. */
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    ck_assert_int_eq(srq_distance(longer, ""), 64);
    ck_assert_ptr_null(srq_near("train", NULL, 0));
}
END_TEST

START_TEST(settings)
{
    static const char *const cases[][2] = {
        {"train.lr", "optimizer.learning_rate"},
        {"lr", "optimizer.learning_rate"},
        {"LR", "optimizer.learning_rate"},
        {"learning_rate", "optimizer.learning_rate"},
        {"learningRate", "optimizer.learning_rate"},
        {"batch_size", "train.batch"},
        {"train.batch_size", "train.batch"},
        {"weight_decay", "optimizer.weight_decay"},
        {"train.weight_decay", "optimizer.weight_decay"},
        {"wd", "optimizer.weight_decay"},
        {"epochs", "train.epochs"},
        {"num_epochs", "train.epochs"},
        {"Train.Epochs", "train.epochs"},
        {"train.epcohs", "train.epochs"},
        {"seed", "train.seed"},
        {"optimizer", "optimizer.method"},
        {"scheduler", "schedule.method"},
        {"quantizer.bits", "quantizer.weight_bits"},
        {"quantiser.weight_bits", "quantizer.weight_bits"},
        {"wbits", "quantizer.weight_bits"},
        {"abits", "quantizer.activation_bits"},
        {"method", "quantizer.method"},
        {"optimizer.metod", "optimizer.method"},
        {"momentum", "optimizer.momentum"},
        {"train.momentum", "optimizer.momentum"},
        {"dropbits", "dropbits.mode"},
        {"models", "model"},
        {"trian", "train"},
        {"dataset", "data.file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found = srq_setting_closest(cases[i][0]);
        ck_assert_msg(found && strcmp(found, cases[i][1]) == 0, "%s: %s", cases[i][0], found ? found : "none");
    }
    ck_assert_ptr_null(srq_setting_closest("xyzzy"));
    ck_assert_ptr_null(srq_setting_closest("train.foo"));
    /* Every synonym names a setting, and none hides one. */
    char text[128];
    ck_assert_str_eq(srq_setting_suggest("train.foo", text, sizeof text), "`srq help configuration` lists all");
    for (int i = 0; i < srq_schema_count; i++) ck_assert_ptr_null(srq_setting_synonym(srq_schema[i].path));
}
END_TEST

START_TEST(values)
{
    static const char *const cases[][2] = {
        {"quantizer.method=LSQ", "; did you mean \"lsq\"?"},
        {"quantizer.method=none", "; did you mean \"float32\"?"},
        {"quantizer.method=FP32", "; did you mean \"float32\"?"},
        {"optimizer.method=SGD", "; did you mean \"sgd\"?"},
        {"schedule.method=CosineAnnealingLR", "; did you mean \"cosine\"?"},
        {"schedule.method=none", "; did you mean \"constant\"?"},
        {"quantizer.granularity=per_channel", "; did you mean \"channel\"?"},
        {"train.engine=amp", "; did you mean \"mixed\"?"},
        {"train.engine=int8", "; did you mean \"integer\"?"},
        {"dropbits.mode=Learned", "; did you mean \"learn\"?"},
        {"data.flip=True", ": data.flip must be true or false, but is the text \"True\"; did you mean true?"},
        {"data.flip=no", "; did you mean false?"},
        {"data.flip=1", ": data.flip must be true or false, but is 1; did you mean true?"},
        {"data.flip=maybe", ": data.flip must be true or false, but is the text \"maybe\""},
        {"quantizer.method=xyzzyabc", ", but must be one of srq|lsq|ste|rq|rq_st|float32"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(load("c.cfg", 1, &cases[i][0]), SRQ_ERROR_USAGE);
        const char *end = strstr(srq_message(), cases[i][1]);
        ck_assert_msg(end && strcmp(end, cases[i][1]) == 0, "%s: %s", cases[i][0], srq_message());
    }
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("io/names");
    TCase *tests = tcase_create("names");
    tcase_add_test(tests, distances);
    tcase_add_test(tests, settings);
    tcase_add_test(tests, values);
    return run_tests(suite, tests);
}
