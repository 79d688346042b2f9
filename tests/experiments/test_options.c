/* The options of commands, read from the usage lines of the help, and what others are meant for. */
#include "experiments/srq/options.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

START_TEST(listed)
{
    static const struct {
        const char *command, *options;
    } cases[] = {
        {"train", "--out DIR, --set path=value, --resume never|auto|FILE|DIR, --threads N, --max-time SPAN, --quiet, --trace DIR, "
                  "--trace-steps A:B, "},
        {"diff", "--tolerance ABSOLUTE, --relative SHARE, --all, --json, "},
        {"report", "--out FOLDER, --table TABLE, --follow DIR, "},
        {"inspect", "--json, --tensors, --trained, "},
        {"version", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char found[400] = "";
        srq_option option;
        for (int place = 0; srq_option_next(srq_topic_find(cases[i].command), &place, &option);) {
            const size_t n = strlen(found);
            snprintf(found + n, sizeof found - n, "%s%s%s, ", option.name, option.value[0] ? " " : "", option.value);
        }
        ck_assert_str_eq(found, cases[i].options);
    }
}
END_TEST

START_TEST(hints)
{
    static const char *const cases[][3] = {
        {"train", "--ouf", "--ouf (did you mean --out?)"},
        {"train", "--OUT", "--OUT (did you mean --out?)"},
        {"train", "--output-dir", "--output-dir (did you mean --out?)"},
        {"train", "--out=runs/a", "--out=runs/a (did you mean --out runs/a?)"},
        {"train", "-o", "-o (did you mean --out?)"},
        {"train", "-out", "-out (did you mean --out?)"},
        {"train", "--lr", "--lr (did you mean --set optimizer.learning_rate=VALUE?)"},
        {"train", "--batch-size=64", "--batch-size=64 (did you mean --set train.batch=VALUE?)"},
        {"train", "--epochs", "--epochs (did you mean --set train.epochs=VALUE?)"},
        {"train", "--seed", "--seed (did you mean --set train.seed=VALUE?)"},
        {"ticket", "--seed", "--seed (did you mean --seeds?)"},
        {"train", "--maxtime", "--maxtime (did you mean --max-time?)"},
        {"train", "--silent", "--silent (did you mean --quiet?)"},
        {"train", "--xyzzy", "--xyzzy"},
        {"train", "--", "--"},
        {"eval", "--dataset", "--dataset (did you mean --data?)"},
        {"diff", "--atol", "--atol (did you mean --tolerance?)"},
        {"inspect", "--lr", "--lr"},
        {"bench", "--elements", "--elements"},
    };
    char out[SRQ_HINT_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(srq_option_hint(cases[i][0], cases[i][1], out, sizeof out), cases[i][2]);
}
END_TEST

START_TEST(commands)
{
    static const char *const cases[][2] = {{"trian", "train"},  {"TRAIN", "train"},     {"evaluate", "eval"},
                                           {"test", "eval"},    {"benchmark", "bench"}, {"import", "data"},
                                           {"compare", "diff"}, {"sweeps", "sweep"},    {"plot", "report"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(srq_topic_closest(cases[i][0]), cases[i][1]);
    ck_assert_ptr_null(srq_topic_closest("xyzzy"));
    for (int i = 0; srq_topic_at(i); i++) ck_assert_ptr_eq(srq_topic_find(srq_topic_at(i)->name), srq_topic_at(i));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, listed);
    tcase_add_test(tests, hints);
    tcase_add_test(tests, commands);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
