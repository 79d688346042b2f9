/* The main() of every test program: runs one Check suite and prints only failures. */
#ifndef SRQ_TESTS_SUITE_H
#define SRQ_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Sanitizers are slow, so tests skip repetitions that find no memory errors: of a list of values that take the same way
 * through the code, they try every third. */
#ifdef __SANITIZE_ADDRESS__
enum { SRQ_SANITIZED = 1, SRQ_STRIDE = 3 };
#else
enum { SRQ_SANITIZED = 0, SRQ_STRIDE = 1 };
#endif

/* Check makes a system call for every assertion that holds. In a test that compares every element of a tensor, that
 * would take most of the time. */
#undef ck_assert_msg
#define ck_assert_msg(expr, ...)                                                                                       \
    ((expr) ? (void)0 : (void)_ck_assert_failed(__FILE__, __LINE__, "Assertion '" #expr "' failed", __VA_ARGS__))

static inline int srq_suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
