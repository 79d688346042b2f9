/* How cores are divided among the ranks of a node, and which threads are bound to which. */
#include "experiments/srq/train/threads.h"
#include "tests/suite.h"

#include <string.h>

enum { RANKS = 4 };

/* CPUs [first, last) of a node, below 64. */
static srq_threads_rank rank_of(uint64_t node, int first, int last, double quota)
{
    srq_threads_rank r = {.node = node, .quota = quota};
    for (int c = first; c < last; c++) r.granted[0] |= (uint64_t)1 << c;
    return r;
}

START_TEST(shares)
{
    const srq_threads_rank alone[] = {rank_of(1, 0, 16, 0)};
    ck_assert_int_eq(srq_threads_share(alone, 1, 0), 16);
    const srq_threads_rank together[RANKS] = {rank_of(1, 0, 16, 0), rank_of(1, 0, 16, 0), rank_of(1, 0, 16, 0),
                                              rank_of(2, 0, 16, 0)};
    for (int r = 0; r < 3; r++) ck_assert_int_eq(srq_threads_share(together, RANKS, r), 5); /* 16 / 3 */
    ck_assert_int_eq(srq_threads_share(together, RANKS, 3), 16);
    /* Bound by the launcher: each has its own. */
    const srq_threads_rank apart[] = {rank_of(1, 0, 8, 0), rank_of(1, 8, 12, 0)};
    ck_assert_int_eq(srq_threads_share(apart, 2, 0), 8);
    ck_assert_int_eq(srq_threads_share(apart, 2, 1), 4);
    /* Overlapping: 4 of its own, and half of 4. */
    const srq_threads_rank over[] = {rank_of(1, 0, 8, 0), rank_of(1, 4, 12, 0)};
    ck_assert_int_eq(srq_threads_share(over, 2, 0), 6);
    /* A quota is that of all ranks of the node; there is always one thread. */
    const srq_threads_rank limited[] = {rank_of(1, 0, 16, 6.5), rank_of(1, 0, 16, 6.5)};
    ck_assert_int_eq(srq_threads_share(limited, 2, 0), 3);
    const srq_threads_rank half[] = {rank_of(1, 0, 16, 0.5)};
    ck_assert_int_eq(srq_threads_share(half, 1, 0), 1);
    const srq_threads_rank many[] = {rank_of(1, 0, 1, 0), rank_of(1, 0, 1, 0)};
    ck_assert_int_eq(srq_threads_share(many, 2, 1), 1);
    const srq_threads_rank unknown[] = {rank_of(1, 0, 0, 0)};
    ck_assert_int_eq(srq_threads_share(unknown, 1, 0), 1);
}
END_TEST

START_TEST(binding)
{
    int cpus[16];
    const srq_threads_rank together[] = {rank_of(1, 2, 10, 0), rank_of(2, 0, 8, 0), rank_of(1, 2, 10, 0)};
    ck_assert(srq_threads_bind(together, 3, 2, 4, cpus)); /* the second rank of node 1 */
    for (int i = 0; i < 4; i++) ck_assert_int_eq(cpus[i], 6 + i);
    ck_assert(srq_threads_bind(together, 3, 0, 4, cpus));
    for (int i = 0; i < 4; i++) ck_assert_int_eq(cpus[i], 2 + i);
    ck_assert(srq_threads_bind(together, 3, 1, 8, cpus));
    ck_assert(!srq_threads_bind(together, 3, 0, 3, cpus)); /* would leave cores to others */
    ck_assert(!srq_threads_bind(together, 3, 0, 5, cpus)); /* more threads than cores */
    const srq_threads_rank over[] = {rank_of(1, 0, 8, 0), rank_of(1, 4, 12, 0)};
    ck_assert(!srq_threads_bind(over, 2, 0, 8, cpus));
    const srq_threads_rank apart[] = {rank_of(1, 0, 8, 0), rank_of(1, 8, 12, 0)};
    ck_assert(srq_threads_bind(apart, 2, 1, 4, cpus));
    for (int i = 0; i < 4; i++) ck_assert_int_eq(cpus[i], 8 + i);
}
END_TEST

START_TEST(words)
{
    static const char *const bad[] = {"0", "-1", "all", "4097", "2.5", "", " ", "3x", "99999999999999999999"};
    int threads = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(srq_threads_parse("train", bad[i], &threads), SRQ_ERROR_USAGE);
        ck_assert_ptr_nonnull(strstr(srq_message(), "--threads must be a whole number from 1 to 4096"));
        ck_assert_int_eq(threads, 7);
    }
    ck_assert_int_eq(srq_threads_parse("train", "4096", &threads), SRQ_OK);
    ck_assert_int_eq(threads, 4096);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("threads");
    tcase_add_test(tests, shares);
    tcase_add_test(tests, binding);
    tcase_add_test(tests, words);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
