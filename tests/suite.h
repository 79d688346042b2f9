/* The main() of every test program: runs one Check suite, quietly but for failures. */
#ifndef SRQ_TESTS_SUITE_H
#define SRQ_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

static inline int srq_suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
