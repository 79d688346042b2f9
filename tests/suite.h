/* The main() of every test program: runs one Check suite, quietly but for failures. */
#ifndef SRQ_TESTS_SUITE_H
#define SRQ_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Slow: repetition that tells nothing about memory is left out. */
#ifdef __SANITIZE_ADDRESS__
enum { SRQ_SANITIZED = 1 };
#else
enum { SRQ_SANITIZED = 0 };
#endif

/* Check notes the place of every assertion that holds, by a system call: most of the time of a test that looks at every
 * element of a tensor. */
#undef ck_assert_msg
#define ck_assert_msg(expr, ...) \
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
