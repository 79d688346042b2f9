/* Texts that are the same on all ranks, and texts that are not: the message names which ranks have which text. */
#include "dist/same.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

static srq_comm *comm;

START_TEST(test_equal)
{
    ck_assert_int_eq(srq_comm_same(comm, SRQ_ERROR_DATA, "things", "one", "do something"), SRQ_OK);
    ck_assert_int_eq(srq_comm_same(comm, SRQ_ERROR_DATA, "things", "", "do something"), SRQ_OK);
}
END_TEST

START_TEST(test_different)
{
    const int size = srq_comm_size(comm), last = size - 1;
    const char *mine = srq_comm_rank(comm) == last ? "another" : "one";
    char expected[128];
    if (size == 1) return;
    ck_assert_int_eq(srq_comm_same(comm, SRQ_ERROR_DATA, "things", mine, "do something"), SRQ_ERROR_DATA);
    snprintf(expected, sizeof expected,
             size == 2   ? "rank 0 (host "
             : size == 3 ? "ranks 0, 1 (host "
                         : "ranks 0 to %d (host ",
             last - 1);
    ck_assert_msg(strstr(srq_message(), expected) != NULL, "%s: no \"%s\"", srq_message(), expected);
    snprintf(expected, sizeof expected, "; rank %d (host ", last);
    ck_assert_msg(strstr(srq_message(), expected) != NULL, "%s: no \"%s\"", srq_message(), expected);
    ck_assert_ptr_nonnull(strstr(srq_message(), "ranks have different things: "));
    ck_assert_ptr_nonnull(strstr(srq_message(), ": one; "));
    ck_assert_ptr_nonnull(strstr(srq_message(), ": another; do something"));
}
END_TEST

/* A different long text on every rank: the message is still valid, with its advice or cut. */
START_TEST(test_all_different)
{
    char mine[3 * SRQ_SAME_SIZE];
    memset(mine, 'a' + srq_comm_rank(comm), sizeof mine - 1);
    mine[sizeof mine - 1] = '\0';
    if (srq_comm_size(comm) == 1) return;
    ck_assert_int_eq(srq_comm_same(comm, SRQ_ERROR_USAGE, "things", mine, "do something"), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "aaa...; rank 1 (host "));
    ck_assert_ptr_nonnull(strstr(srq_message(), "do something"));
}
END_TEST

START_TEST(test_collect)
{
    int mine = 10 * srq_comm_rank(comm), all[64];
    srq_comm_collect(comm, &mine, sizeof mine, all);
    for (int r = 0; r < srq_comm_size(comm); r++) ck_assert_int_eq(all[r], 10 * r);
}
END_TEST

int main(void)
{
    if (srq_comm_create(true, &comm) != SRQ_OK) return EXIT_FAILURE;
    Suite *suite = suite_create("same");
    TCase *tests = tcase_create("same");
    tcase_add_test(tests, test_equal);
    tcase_add_test(tests, test_different);
    tcase_add_test(tests, test_all_different);
    tcase_add_test(tests, test_collect);
    suite_add_tcase(suite, tests);
    const int status = srq_suite_run(suite);
    srq_comm_destroy(&comm);
    return status;
}
