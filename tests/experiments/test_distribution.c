/* Statistics and histograms against numbers worked out by hand. */
#include "experiments/srq/inspect/distribution.h"
#include "tests/suite.h"

#include <float.h>
#include <math.h>

/* 9, 1, NaN, 4, -inf, 0, -0, 1: finite and sorted 0 0 1 1 4 9, mean 15 / 6 = 2.5, squares of the differences
 * 2 x 6.25 + 2 x 2.25 + 2.25 + 42.25 = 61.5, deviation sqrt(10.25). Quantile 0.25 stands at 0.25 x 5 = 1.25, between
 * 0 and 1; 0.95 at 4.75, three quarters from 4 to 9. */
START_TEST(by_hand)
{
    static const double x[] = {9, 1, NAN, 4, -INFINITY, 0, -0.0, 1};
    static const double expected[SRQ_QUANTILES] = {0, 0, 0.25, 1, 3.25, 7.75, 8.75};
    srq_statistics s;
    ck_assert_int_eq(srq_statistics_take(8, x, &s), SRQ_OK);
    ck_assert_uint_eq(s.count, 8);
    ck_assert_uint_eq(s.finite, 6);
    ck_assert_uint_eq(s.zeros, 2);
    ck_assert_uint_eq(s.nans, 1);
    ck_assert_uint_eq(s.infinities, 1);
    ck_assert_double_eq(s.min, 0);
    ck_assert_double_eq(s.max, 9);
    ck_assert_double_eq_tol(s.mean, 2.5, 1e-15);
    ck_assert_double_eq_tol(s.deviation, sqrt(10.25), 1e-15);
    for (int q = 0; q < SRQ_QUANTILES; q++) ck_assert_double_eq_tol(s.quantiles[q], expected[q], 1e-12);
}
END_TEST

START_TEST(of_nothing_and_of_one)
{
    static const double nothing[] = {NAN, INFINITY}, one = -3;
    srq_statistics s;
    ck_assert_int_eq(srq_statistics_take(2, nothing, &s), SRQ_OK);
    ck_assert(s.finite == 0 && isnan(s.min) && isnan(s.mean) && isnan(s.deviation) && isnan(s.quantiles[3]));
    ck_assert_int_eq(srq_statistics_take(0, nothing, &s), SRQ_OK);
    ck_assert(s.count == 0 && isnan(s.max));
    ck_assert_int_eq(srq_statistics_take(1, &one, &s), SRQ_OK);
    ck_assert(s.min == -3 && s.max == -3 && s.mean == -3 && s.deviation == 0);
    for (int q = 0; q < SRQ_QUANTILES; q++) ck_assert_double_eq(s.quantiles[q], -3);
}
END_TEST

/* An inner edge belongs to the bin above it. The last edge belongs to the last bin. */
START_TEST(histogram)
{
    static const double x[] = {0, 0.5, 1, 1.99, 2, 4, NAN, 5, -1, INFINITY}, large[] = {-DBL_MAX, 0, DBL_MAX};
    static const double same[] = {7, 7, 7};
    size_t counts[4];
    srq_histogram(10, x, 0, 4, 4, counts);
    ck_assert(counts[0] == 2 && counts[1] == 2 && counts[2] == 1 && counts[3] == 1);
    srq_histogram(3, large, -DBL_MAX, DBL_MAX, 2, counts);
    ck_assert(counts[0] == 1 && counts[1] == 2);
    srq_histogram(3, same, 7, 7, 1, counts);
    ck_assert_uint_eq(counts[0], 3);
}
END_TEST

/* Codes -2..1, rows with alpha 1 and 2:
 *
 *     w       0.04  -1.25  -2.5  1.75 | 1.1  3.0  -4.9  NaN
 *     ratio   0.04  -1.25  -2.5  1.75 | 0.55 1.5  -2.45
 *     code    0     -1     -2    1    | 1    1    -2
 *     off     0.04   0.25   0.5  0.75 | 0.45 0.5   0.45 */
START_TEST(grid)
{
    static const double w[] = {0.04, -1.25, -2.5, 1.75, 1.1, 3.0, -4.9, NAN}, alpha[] = {1, 2};
    srq_grid_counts c;
    srq_points points;
    srq_points_make(-2, 1, NULL, &points);
    srq_grid_count(8, 2, w, alpha, &points, &c);
    ck_assert(c.codes[0] == 2 && c.codes[1] == 1 && c.codes[2] == 1 && c.codes[3] == 3 && c.codes[4] == 0);
    ck_assert(c.distances[0] == 1 && c.distances[1] == 0 && c.distances[2] == 1 && c.distances[3] == 0);
    ck_assert_uint_eq(c.clipped, 1);
    ck_assert_uint_eq(c.distances[4], 4);
}
END_TEST

/* Codes -2..1 with points -4, -1, 0, 1 of their own: distances are in gaps between points.
 *
 *     w       -4.5   -2.5    -2.4     -0.5  0.75  1.6  -6
 *     code    -2     -2      -1       -1    1     1    -2
 *     off      1/6    1/2    0.4667    0.5  0.25  0.6   2/3 */
START_TEST(grid_of_points)
{
    static const double w[] = {-4.5, -2.5, -2.4, -0.5, 0.75, 1.6, -6}, alpha = 1;
    static const float table[] = {-4, -1, 0, 1};
    srq_grid_counts c;
    srq_points points;
    srq_points_set(-2, 1, table, &points);
    srq_grid_count(7, 1, w, &alpha, &points, &c);
    ck_assert(c.codes[0] == 3 && c.codes[1] == 2 && c.codes[2] == 0 && c.codes[3] == 2);
    ck_assert(c.distances[0] == 0 && c.distances[1] == 1 && c.distances[2] == 1 && c.distances[4] == 3);
    ck_assert_uint_eq(c.clipped, 2);
}
END_TEST

/* A step size that divides by zero or is not a number counts nothing. */
START_TEST(grid_without_a_step)
{
    static const double w[] = {1, 0}, zero = 0, nan = NAN;
    srq_grid_counts c;
    srq_points points;
    srq_points_make(-2, 1, NULL, &points);
    srq_grid_count(2, 1, w, &zero, &points, &c);
    ck_assert(c.codes[0] + c.codes[1] + c.codes[2] + c.codes[3] + c.clipped == 0);
    srq_grid_count(2, 1, w, &nan, &points, &c);
    ck_assert(c.codes[0] + c.codes[1] + c.codes[2] + c.codes[3] + c.clipped == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statistics");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, by_hand);
    tcase_add_test(tests, of_nothing_and_of_one);
    tcase_add_test(tests, histogram);
    tcase_add_test(tests, grid);
    tcase_add_test(tests, grid_of_points);
    tcase_add_test(tests, grid_without_a_step);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
