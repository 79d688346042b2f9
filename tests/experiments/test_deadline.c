/* Time spans in srq's and in SLURM's notation, and when a run has to stop. */
#include "experiments/srq/train/deadline.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

START_TEST(spans)
{
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"90s", 90},          {"30m", 1800},        {"2h", 7200},           {"1d12h", 129600},
                {"1h30m15s", 5415},   {"1d1s", 86401},      {"30:00", 1800},        {"1:30:00", 5400},
                {"1-12", 129600},     {"1-12:30", 131400},  {"1-00:00:01", 86401},  {"0:05", 5},
                {"90:00", 5400},      {"007s", 7},          {"3650d", 315360000.0}, {"0d1s", 1},
                {"2-0:0:10", 172810}, {"100:00:00", 360000}};
    static const char *const bad[] = {"",     "90",          "s",        "90x",     "1h1h", "1m1h",  "-5s",
                                      "1:",   ":30",         "1::2",     "1:2:3:4", "1-",   "-12",   "1-2-3",
                                      "1.5h", "1 h",         "0s",       "0:00",    "1h30", "3651d", "1-:30",
                                      "soon", "9999999999s", "1:30:00x", "1h ",     "inf",  "1-12:", "1d-12"};
    double seconds;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(srq_time_span(good[i].text, &seconds), "%s is refused", good[i].text);
        ck_assert_msg(seconds == good[i].seconds, "%s is %g", good[i].text, seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!srq_time_span(bad[i], &seconds), "\"%s\" is taken as %g", bad[i], seconds);
}
END_TEST

START_TEST(max_time)
{
    srq_deadline d;
    ck_assert_int_eq(srq_deadline_create_at("90s", NULL, 0, 1000, &d), SRQ_OK);
    ck_assert_ptr_null(srq_deadline_passed(&d, 1089.9));
    ck_assert_str_eq(srq_deadline_passed(&d, 1090), "max-time");
    /* It is when training stops, whatever follows. */
    srq_deadline_note(&d.checkpoint, 500);
    ck_assert_ptr_null(srq_deadline_passed(&d, 1089.9));
    ck_assert_int_eq(srq_deadline_create_at(NULL, NULL, 0, 1000, &d), SRQ_OK);
    ck_assert_ptr_null(srq_deadline_passed(&d, 1e12));
    ck_assert_int_eq(srq_deadline_create_at("1.5h", NULL, 0, 1000, &d), SRQ_ERROR_USAGE);
    ck_assert(strstr(srq_message(), "--max-time is \"1.5h\""));
}
END_TEST

START_TEST(end_of_the_job)
{
    srq_deadline d;
    /* An hour is left: a minute of it, and what has been measured. */
    ck_assert_int_eq(srq_deadline_create_at(NULL, "1700003600", 1700000000, 50, &d), SRQ_OK);
    ck_assert_ptr_null(srq_deadline_passed(&d, 50 + 3539));
    ck_assert_str_eq(srq_deadline_passed(&d, 50 + 3540), "slurm-end-time");
    srq_deadline_note(&d.step, 2);
    srq_deadline_note(&d.step, 1);
    srq_deadline_note(&d.evaluation, 30);
    srq_deadline_note(&d.checkpoint, 10);
    ck_assert_ptr_null(srq_deadline_passed(&d, 50 + 3487));
    ck_assert_str_eq(srq_deadline_passed(&d, 50 + 3488), "slurm-end-time");
    /* Two minutes are left: not half of them for a margin. */
    ck_assert_int_eq(srq_deadline_create_at(NULL, "1700000120", 1700000000, 50, &d), SRQ_OK);
    ck_assert_ptr_null(srq_deadline_passed(&d, 50 + 89));
    ck_assert_str_eq(srq_deadline_passed(&d, 50 + 90), "slurm-end-time");
    /* Whichever comes first. */
    ck_assert_int_eq(srq_deadline_create_at("100s", "1700003600", 1700000000, 50, &d), SRQ_OK);
    ck_assert_str_eq(srq_deadline_passed(&d, 150), "max-time");
    ck_assert_int_eq(srq_deadline_create_at("2h", "1700003600", 1700000000, 50, &d), SRQ_OK);
    ck_assert_str_eq(srq_deadline_passed(&d, 50 + 3540), "slurm-end-time");
}
END_TEST

/* No end: said so, over already, or no number. */
START_TEST(no_end)
{
    static const char *const ends[] = {"1699999999", "1700000000", "", "later", "1700003600 x", "nan"};
    srq_deadline d;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        ck_assert_int_eq(srq_deadline_create_at(NULL, ends[i], 1700000000, 50, &d), SRQ_OK);
        ck_assert_msg(!srq_deadline_passed(&d, 1e12), "%s", ends[i]);
    }
    ck_assert_int_eq(srq_deadline_create_at("none", "1700003600", 1700000000, 50, &d), SRQ_OK);
    ck_assert_ptr_null(srq_deadline_passed(&d, 1e12));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deadline");
    TCase *tests = tcase_create("deadline");
    tcase_add_test(tests, spans);
    tcase_add_test(tests, max_time);
    tcase_add_test(tests, end_of_the_job);
    tcase_add_test(tests, no_end);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
