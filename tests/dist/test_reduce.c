/* Sums over shards, run on 1, 2, 3, 4 and 8 ranks: every rank checks its own copy of the result. */
#include "core/random.h"
#include "dist/reduce.h"
#include "dist/tree.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

static srq_comm *comm;
static size_t vector_size;

static void add(size_t n, float *y, const float *x)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

/* The definition: node (level, index) is left plus right, a missing right left out. */
static float tree_value(const float *leaves, long count, long first, long width)
{
    if (width == 1) return leaves[first];
    float left = tree_value(leaves, count, first, width / 2);
    return first + width / 2 < count ? left + tree_value(leaves, count, first + width / 2, width / 2) : left;
}

/* Exact, and linear. */
static void twice(const void *context, float *vector)
{
    for (size_t i = 0; i < vector_size; i++) vector[i] *= *(const float *)context;
}

static void check_sum(long shards, size_t size)
{
    const float factor = 2;
    vector_size = size;
    srq_reduce *r = NULL;
    ck_assert_int_eq(srq_reduce_create(comm, shards, size, NULL, add, &r), SRQ_OK);
    long width = 1;
    while (width < shards) width *= 2;
    float *leaves = malloc((size_t)shards * sizeof *leaves);
    for (uint64_t step = 0; step < 2; step++) {
        long first, last;
        srq_reduce_range(r, &first, &last);
        for (long s = first; s < last; s++) {
            srq_random_normal(step, SRQ_RANDOM_TEST, (uint64_t)s, size, 1, srq_reduce_leaf(r));
            srq_reduce_push(r);
        }
        if (step == 1) srq_reduce_convert(r, twice, &factor);
        float *sum = srq_reduce_scatter(r);
        srq_reduce_join(r, sum);
        float *column = malloc((size_t)shards * size * sizeof *column);
        for (long s = 0; s < shards; s++)
            srq_random_normal(step, SRQ_RANDOM_TEST, (uint64_t)s, size, 1, column + (size_t)s * size);
        for (size_t i = 0; i < size; i++) {
            for (long s = 0; s < shards; s++) leaves[s] = column[(size_t)s * size + i];
            float expected = (step == 1 ? factor : 1) * tree_value(leaves, shards, 0, width);
            ck_assert_msg(memcmp(&expected, &sum[i], sizeof expected) == 0,
                          "V = %ld, size %zu, element %zu: %.9g, not %.9g", shards, size, i, (double)sum[i],
                          (double)expected);
        }
        free(column);
    }
    free(leaves);
    srq_reduce_destroy(&r);
}

START_TEST(sums_follow_the_tree)
{
    static const long shards[] = {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 16, 31, 64};
    static const size_t sizes[] = {1, 15, 16, 17, 1000};
    for (size_t v = 0; v < sizeof shards / sizeof *shards; v++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            if (shards[v] >= srq_comm_size(comm)) check_sum(shards[v], sizes[s]);
}
END_TEST

START_TEST(gather_brings_every_row)
{
    srq_reduce *r = NULL;
    ck_assert_int_eq(srq_reduce_create(comm, 11, 1, NULL, add, &r), SRQ_OK);
    double rows[11][3];
    long first, last;
    srq_reduce_range(r, &first, &last);
    memset(rows, 0, sizeof rows);
    for (long s = first; s < last; s++)
        for (int k = 0; k < 3; k++) rows[s][k] = (double)(s * 10 + k);
    srq_reduce_gather(r, &rows[0][0], 3);
    for (int s = 0; s < 11; s++)
        for (int k = 0; k < 3; k++) ck_assert_double_eq(rows[s][k], s * 10 + k);
    srq_reduce_destroy(&r);
}
END_TEST

START_TEST(more_ranks_than_shards_are_refused)
{
    srq_reduce *r = NULL;
    if (srq_comm_size(comm) == 1) return;
    ck_assert_int_eq(srq_reduce_create(comm, srq_comm_size(comm) - 1, 10, NULL, add, &r), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "train.shards"));
}
END_TEST

START_TEST(the_worst_status_wins_with_its_message)
{
    const int rank = srq_comm_rank(comm), last = srq_comm_size(comm) - 1;
    ck_assert_int_eq(srq_comm_agree(comm, SRQ_OK), SRQ_OK);
    srq_status mine = rank == last ? srq_fail(SRQ_ERROR_DATA, "rank %d has no data", rank)
                                   : (rank == 0 ? srq_fail(SRQ_ERROR_USAGE, "less bad") : SRQ_OK);
    char expected[64];
    snprintf(expected, sizeof expected, "rank %d has no data", last);
    ck_assert_int_eq(srq_comm_agree(comm, mine), SRQ_ERROR_DATA);
    ck_assert_str_eq(srq_message(), expected);
}
END_TEST

START_TEST(shares_and_sums)
{
    const int rank = srq_comm_rank(comm), size = srq_comm_size(comm);
    char text[100000];
    memset(text, rank == 0 ? 'x' : ' ', sizeof text);
    srq_comm_share(comm, text, sizeof text);
    ck_assert_int_eq(text[0], 'x');
    ck_assert_int_eq(text[sizeof text - 1], 'x');
    double values[2] = {1, rank};
    srq_comm_sum(comm, values, 2);
    ck_assert_double_eq(values[0], size);
    ck_assert_double_eq(values[1], size * (size - 1) / 2.0);
}
END_TEST

/* Without MPI: ranges cover every shard once, in order, and differ by at most one. */
START_TEST(ranges_cover_all_shards)
{
    for (long shards = 1; shards <= 20; shards++)
        for (int ranks = 1; ranks <= shards; ranks++) {
            long at = 0;
            for (int r = 0; r < ranks; r++) {
                long first, last;
                srq_tree_range(shards, ranks, r, &first, &last);
                ck_assert_int_eq(first, at);
                ck_assert_int_ge(last - first, shards / ranks);
                ck_assert_int_le(last - first, (shards + ranks - 1) / ranks);
                at = last;
            }
            ck_assert_int_eq(at, shards);
        }
}
END_TEST

START_TEST(tree_sum_by_hand)
{
    /* ((1e16 + 1) + (-1e16 + 1)) + 1: the order decides what rounding loses. */
    const double values[] = {1e16, 1, -1e16, 1, 1};
    ck_assert_double_eq(srq_tree_sum(5, values, 1), ((1e16 + 1) + (-1e16 + 1)) + 1);
}
END_TEST

int main(void)
{
    if (srq_comm_create(true, &comm) != SRQ_OK) return EXIT_FAILURE;
    Suite *suite = suite_create("reduce");
    TCase *tests = tcase_create("reduce");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, sums_follow_the_tree);
    tcase_add_test(tests, gather_brings_every_row);
    tcase_add_test(tests, more_ranks_than_shards_are_refused);
    tcase_add_test(tests, the_worst_status_wins_with_its_message);
    tcase_add_test(tests, shares_and_sums);
    tcase_add_test(tests, ranges_cover_all_shards);
    tcase_add_test(tests, tree_sum_by_hand);
    suite_add_tcase(suite, tests);
    int failed = srq_suite_run(suite);
    srq_comm_destroy(&comm);
    return failed;
}
