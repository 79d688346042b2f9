/* Which evaluation is the best one, and when training ends by train.patience. */
#include "io/best.h"
#include "tests/suite.h"

START_TEST(lower_error_then_lower_loss_then_earlier)
{
    static const struct {
        double error, loss;
        long best, since;                                    /* afterwards */
    } evaluations[] = {{0.5, 2, 10, 0},                      /* the first one */
                       {0.5, 2, 10, 1},                      /* equal: the earlier one stays */
                       {0.6, 1, 10, 2},                      /* a lower loss does not make up for a higher error */
                       {0.5, 1.5, 40, 0},                    /* an equal error with a lower loss */
                       {0.5, 1.75, 40, 1}, {0.25, 9, 60, 0}, /* a lower error, whatever its loss */
                       {0, 0, 70, 0},      {0, 0, 70, 1}};
    srq_best best = {0};
    for (int i = 0; i < (int)(sizeof evaluations / sizeof *evaluations); i++) {
        const long step = 10 * (i + 1);
        const bool taken = srq_best_take(&best, step, evaluations[i].error, evaluations[i].loss);
        ck_assert_msg(best.step == evaluations[i].best && best.since == evaluations[i].since, "evaluation %d", i);
        ck_assert(best.found && taken == (best.step == step));
    }
}
END_TEST

/* Step 0 can be the best one: a run without steps is evaluated, too. */
START_TEST(step_zero)
{
    srq_best best = {0};
    ck_assert(srq_best_take(&best, 0, 0.9, 2) && best.found && best.step == 0);
    ck_assert(!srq_best_take(&best, 5, 0.9, 2) && best.step == 0 && best.since == 1);
}
END_TEST

START_TEST(patience)
{
    srq_best best = {0};
    ck_assert(!srq_best_ends(&best, 1) && !srq_best_ends(&best, 0));
    srq_best_take(&best, 1, 0.5, 1);
    ck_assert(!srq_best_ends(&best, 1));
    srq_best_take(&best, 2, 0.5, 1);
    ck_assert(srq_best_ends(&best, 1) && !srq_best_ends(&best, 2) && !srq_best_ends(&best, 0));
    srq_best_take(&best, 3, 0.5, 1);
    ck_assert(srq_best_ends(&best, 1) && srq_best_ends(&best, 2) && !srq_best_ends(&best, 3));
    srq_best_take(&best, 4, 0.25, 1);
    ck_assert(!srq_best_ends(&best, 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("io/best");
    TCase *tests = tcase_create("best");
    tcase_add_test(tests, lower_error_then_lower_loss_then_earlier);
    tcase_add_test(tests, step_zero);
    tcase_add_test(tests, patience);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
