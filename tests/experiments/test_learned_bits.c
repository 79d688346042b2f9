/* The words and figures for learned bit-lengths: when gates are held, when they have settled, when a target is met. */
#include "experiments/srq/inspect/learned_bits.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

static srq_settings learning(double target, const char *measure)
{
    srq_settings s = {.dropbits = {.mode = "learn", .target = target}};
    snprintf(s.dropbits.target_measure, sizeof s.dropbits.target_measure, "%s", measure);
    return s;
}

/* dropbits.until in steps and in epochs. The steps of an epoch are given, follow from train.epochs, or are not known.
 */
START_TEST(held_gates)
{
    srq_settings s = learning(0, "bits");
    s.train.epochs = (srq_span){.count = 5, .epochs = true};
    ck_assert(!srq_bits_are_held(&s, 100, 100, 20));
    s.dropbits.until = (srq_span){.count = 60};
    ck_assert(!srq_bits_are_held(&s, 59, 100, 0));
    ck_assert(srq_bits_are_held(&s, 60, 100, 0));
    s.dropbits.until = (srq_span){.count = 3, .epochs = true};
    ck_assert(!srq_bits_are_held(&s, 59, 100, 20));
    ck_assert(srq_bits_are_held(&s, 60, 100, 20));
    ck_assert(!srq_bits_are_held(&s, 59, 100, 0));
    ck_assert(srq_bits_are_held(&s, 60, 100, 0));
    s.train.max_steps = (srq_span){.count = 100};
    ck_assert(!srq_bits_are_held(&s, 60, 100, 0));
    ck_assert(srq_bits_are_held(&s, 60, 100, 20));
}
END_TEST

START_TEST(words)
{
    static const struct {
        double target;
        const char *measure;
        double expected, evaluated, bops;
        bool held, warns;
        const char *says, *judges, *json;
    } cases[] = {
        {0, "bits", 4.74, 3.09, 0.3, false, true, "expected bits 4.74, evaluated 3.09",
         "the gates have not settled: training uses other bit-lengths than evaluation", "\"mean_gated_bits\": 4.74, "},
        {0, "bits", 4.74, 3.09, 0.3, true, false, "expected bits 3.09, evaluated 3.09", "",
         "\"mean_gated_bits\": 3.09, "},
        {4, "bits", 4.05, 4.1, 0.3, false, false, "expected bits 4.05, evaluated 4.10",
         "target 4 bits, reached 4.1 bits",
         "\"mean_gated_bits\": 4.05, \"target\": 4, \"target_measure\": \"bits\", \"reached\": 4.1, "
         "\"target_reached\": "
         "true, "},
        {4, "bits", 3.8, 3.89, 0.3, false, true, "expected bits 3.80, evaluated 3.89",
         "target 4 bits, reached 3.89 bits, which is not the target",
         "\"mean_gated_bits\": 3.8, \"target\": 4, \"target_measure\": \"bits\", \"reached\": 3.89, "
         "\"target_reached\": "
         "false, "},
        {0.4, "bops", 3, 3, 0.411, false, false, "expected bits 3.00, evaluated 3.00, BOPs 41.1 % of 8/8",
         "target 40 % of the BOPs at 8/8, reached 41.1 % of the BOPs at 8/8",
         "\"mean_gated_bits\": 3, \"target\": 0.4, \"target_measure\": \"bops\", \"reached\": 0.411, "
         "\"target_reached\": true, "},
        {0.4, "bops", 3.2, 3, 0.29, false, true, "expected bits 3.20, evaluated 3.00, BOPs 29.0 % of 8/8",
         "target 40 % of the BOPs at 8/8, reached 29 % of the BOPs at 8/8, which is not the target; the gates have not "
         "settled: training uses other bit-lengths than evaluation",
         "\"mean_gated_bits\": 3.2, \"target\": 0.4, \"target_measure\": \"bops\", \"reached\": 0.29, "
         "\"target_reached\": false, "}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        const srq_settings s = learning(cases[i].target, cases[i].measure);
        const srq_learned_bits b =
            srq_learned_bits_from(&s, cases[i].expected, cases[i].evaluated, cases[i].bops, cases[i].held);
        ck_assert_str_eq(srq_learned_bits_say(&b, text, sizeof text), cases[i].says);
        ck_assert_str_eq(srq_learned_bits_judge(&b, text, sizeof text), cases[i].judges);
        ck_assert_str_eq(srq_learned_bits_json(&b, text, sizeof text), cases[i].json);
        ck_assert_int_eq(srq_learned_bits_warn(&b), cases[i].warns);
    }
}
END_TEST

/* A run that learns no bit-lengths has nothing to say. A figure that is missing in a log is no reason to warn. */
START_TEST(nothing_to_say)
{
    char text[400];
    srq_settings s = learning(4, "bops");
    srq_learned_bits b = srq_learned_bits_from(&s, NAN, 3, NAN, false);
    ck_assert(!srq_learned_bits_warn(&b) && !b.has_target);
    snprintf(s.dropbits.mode, sizeof s.dropbits.mode, "off");
    b = srq_learned_bits_from(&s, 5, 3, 0.3, false);
    ck_assert(!srq_learned_bits_warn(&b));
    ck_assert_str_eq(srq_learned_bits_say(&b, text, sizeof text), "");
    ck_assert_str_eq(srq_learned_bits_judge(&b, text, sizeof text), "");
    ck_assert_str_eq(srq_learned_bits_json(&b, text, sizeof text), "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("learned bits");
    TCase *tests = tcase_create("learned bits");
    tcase_add_test(tests, held_gates);
    tcase_add_test(tests, words);
    tcase_add_test(tests, nothing_to_say);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
