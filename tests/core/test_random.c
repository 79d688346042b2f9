#include "core/random.h"
#include "tests/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The known answers for philox4x32-10 from Random123 (kat_vectors). */
START_TEST(philox_known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], out[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t out[4];
        srq_philox(cases[i].counter, cases[i].key, out);
        ck_assert_mem_eq(out, cases[i].out, sizeof out);
    }
}
END_TEST

START_TEST(order_is_a_permutation)
{
    static const uint64_t sizes[] = {1, 2, 3, 5, 16, 17, 100, 4096, 60000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        char *seen = calloc(sizes[s], 1);
        for (uint64_t i = 0; i < sizes[s]; i++) {
            uint64_t sample = srq_random_order(7, 3, sizes[s], i);
            ck_assert_uint_lt(sample, sizes[s]);
            ck_assert_msg(!seen[sample], "n = %lu: %lu comes twice", (unsigned long)sizes[s], (unsigned long)sample);
            seen[sample] = 1;
        }
        free(seen);
    }
}
END_TEST

START_TEST(order_depends_on_seed_and_epoch)
{
    long same_seed = 0, same_epoch = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t base = srq_random_order(1, 0, 10000, i);
        same_seed += base == srq_random_order(2, 0, 10000, i);
        same_epoch += base == srq_random_order(1, 1, 10000, i);
    }
    /* Two random permutations share 1 place on average, Poisson: more than 12 has probability 1e-10. */
    ck_assert_int_le(same_seed, 12);
    ck_assert_int_le(same_epoch, 12);
}
END_TEST

/* The positions of 10 samples over 20,000 epochs: each position is expected 2,000 times. Chi-square of a 10 x 10 table
 * has 81 degrees of freedom and is above 150 with probability 5e-6. */
START_TEST(order_is_uniform)
{
    enum { N = 10, EPOCHS = 20000 };
    long counts[N][N] = {{0}};
    for (uint64_t e = 0; e < EPOCHS; e++)
        for (uint64_t i = 0; i < N; i++) counts[i][srq_random_order(11, e, N, i)]++;
    double chi = 0, expected = (double)EPOCHS / N;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            chi += ((double)counts[i][j] - expected) * ((double)counts[i][j] - expected) / expected;
    ck_assert_double_lt(chi, 150);
}
END_TEST

/* Mean within 5 / sqrt(n), variance within 5 sqrt(2 / n), fourth moment 3 within 5 sqrt(96 / n). */
START_TEST(normal_moments)
{
    enum { N = 100001 };
    float *x = malloc(N * sizeof *x);
    double m = 0, v = 0, k = 0;
    srq_random_normal(5, SRQ_RANDOM_TEST, 0, N, 1, x);
    for (int i = 0; i < N; i++) m += (double)x[i] / N;
    for (int i = 0; i < N; i++) v += (double)x[i] * (double)x[i] / N;
    for (int i = 0; i < N; i++) k += pow((double)x[i], 4) / N;
    ck_assert_double_lt(fabs(m), 5 / sqrt(N));
    ck_assert_double_lt(fabs(v - 1), 5 * sqrt(2.0 / N));
    ck_assert_double_lt(fabs(k - 3), 5 * sqrt(96.0 / N));
    free(x);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *tests = tcase_create("random");
    tcase_add_test(tests, philox_known_answers);
    tcase_add_test(tests, order_is_a_permutation);
    tcase_add_test(tests, order_depends_on_seed_and_epoch);
    tcase_add_test(tests, order_is_uniform);
    tcase_add_test(tests, normal_moments);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
