/* DropBits' gates against the closed forms of the hard concrete distribution, and the grids that they select. */
#include "core/quant/dropbits.h"
#include "tests/suite.h"

#include <math.h>

static double sigmoid(double t)
{
    return 1 / (1 + exp(-t));
}

enum { DRAWS = 100000 };
static const float logits[SRQ_LEVELS_MAX] = {-4, -2, -0.5f, 0, 1, 2.1972246f, 4};

static void draw(srq_gates *gates, uint64_t seed, long step, int layer)
{
    *gates = (srq_gates){.min_bits = 1, .count = SRQ_LEVELS_MAX};
    srq_gates_draw(gates, seed, step, layer, logits);
}

/* Mean of f(Z)^power over u, by the midpoint rule: Z(u) has two corners, so the error is of order 1 / points^2 at them
 * and far below the 1e-3 that sampling leaves. */
static double moment(double phi, int power)
{
    enum { POINTS = 100000 };
    double sum = 0, slope;
    for (int i = 0; i < POINTS; i++)
        sum += pow(srq_concrete_gate(&srq_dropbits_concrete, phi, (i + 0.5) / POINTS, &slope), power);
    return sum / POINTS;
}

/* Five standard errors: by chance one of these 21 would fail for one seed in 80,000; the seed is fixed. */
START_TEST(gates_follow_their_distribution)
{
    double sum[SRQ_LEVELS_MAX] = {0}, zeros[SRQ_LEVELS_MAX] = {0}, ones[SRQ_LEVELS_MAX] = {0};
    for (long step = 0; step < DRAWS; step++) {
        srq_gates gates;
        draw(&gates, 11, step, 3);
        for (int c = 0; c < SRQ_LEVELS_MAX; c++) {
            ck_assert(gates.z[c] >= 0 && gates.z[c] <= 1);
            sum[c] += gates.z[c];
            zeros[c] += gates.z[c] == 0;
            ones[c] += gates.z[c] == 1;
        }
    }
    /* s = S((log u/(1-u) + phi)/tau) is stretched to (-0.1, 1.1): Z = 0 for s <= 1/12, Z = 1 for s >= 11/12. */
    for (int c = 0; c < SRQ_LEVELS_MAX; c++) {
        const double phi = (double)logits[c], tau = 2.0 / 3.0;
        const double zero = sigmoid(-tau * log(11) - phi), one = sigmoid(phi - tau * log(11));
        const double mean = moment(phi, 1), deviation = sqrt(moment(phi, 2) - mean * mean);
        const double root = sqrt(DRAWS);
        double slope;
        ck_assert_msg(fabs(zeros[c] / DRAWS - zero) <= 5 * sqrt(zero * (1 - zero)) / root, "phi %g: %g of 0, not %g",
                      phi, zeros[c] / DRAWS, zero);
        ck_assert_msg(fabs(ones[c] / DRAWS - one) <= 5 * sqrt(one * (1 - one)) / root, "phi %g: %g of 1, not %g", phi,
                      ones[c] / DRAWS, one);
        ck_assert_msg(fabs(sum[c] / DRAWS - mean) <= 5 * deviation / root, "phi %g: mean %g, not %g", phi,
                      sum[c] / DRAWS, mean);
        ck_assert_double_eq_tol(srq_concrete_open(&srq_dropbits_concrete, phi, &slope), 1 - zero, 1e-14);
    }
}
END_TEST

static double correlation(int lag, int layer, uint64_t seed, int level)
{
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    for (long step = 0; step < DRAWS; step++) {
        srq_gates here, there;
        draw(&here, 11, step, 3);
        draw(&there, seed, step + lag, layer);
        const double x = here.z[3], y = there.z[level];
        a += x, b += y, aa += x * x, bb += y * y, ab += x * y;
    }
    a /= DRAWS, b /= DRAWS;
    return (ab / DRAWS - a * b) / sqrt((aa / DRAWS - a * a) * (bb / DRAWS - b * b));
}

/* Another level, step, layer or seed gives an independent number: correlations are within five standard errors, 1 /
 * sqrt(draws). */
START_TEST(gates_are_independent)
{
    const double bound = 5 / sqrt(DRAWS);
    ck_assert_double_gt(correlation(0, 3, 11, 3), 0.999); /* what this test can see */
    ck_assert_double_le(fabs(correlation(0, 3, 11, 4)), bound);
    ck_assert_double_le(fabs(correlation(1, 3, 11, 3)), bound);
    ck_assert_double_le(fabs(correlation(0, 4, 11, 3)), bound);
    ck_assert_double_le(fabs(correlation(0, 3, 12, 3)), bound);
    /* The last level of a layer is not the first of the next. */
    srq_gates here, next;
    int same = 0;
    for (long step = 0; step < 100; step++) {
        draw(&here, 11, step, 3), draw(&next, 11, step, 4);
        same += here.z[6] == next.z[0] && here.z[6] > 0 && here.z[6] < 1;
    }
    ck_assert_int_eq(same, 0);
}
END_TEST

/* A gate's draw depends only on its own key: not on the order of draws, the number of gates, or their logits. */
START_TEST(gates_go_by_their_key)
{
    srq_gates all, again, few = {.min_bits = 4, .count = 2};
    draw(&all, 5, 77, 2);
    draw(&again, 5, 78, 2);
    draw(&again, 5, 77, 2);
    ck_assert_mem_eq(&all, &again, sizeof all);
    srq_gates_draw(&few, 5, 77, 2, (const float[]){logits[0], 100});
    ck_assert_double_eq(few.z[0], all.z[0]);
    ck_assert_double_eq(few.z[1], 1);
}
END_TEST

START_TEST(slopes_of_gates)
{
    int inside = 0;
    for (int i = -40; i <= 40; i++)
        for (int j = 1; j < 20; j++) {
            const double phi = 0.1 * i, u = 0.05 * j, h = 1e-5;
            double slope, unused;
            const double z = srq_concrete_gate(&srq_dropbits_concrete, phi, u, &slope);
            const double up = srq_concrete_gate(&srq_dropbits_concrete, phi + h, u, &unused);
            const double down = srq_concrete_gate(&srq_dropbits_concrete, phi - h, u, &unused);
            if (z == 0 || z == 1) ck_assert_double_eq(slope, 0);
            if (down > 0 && up < 1) {
                inside++;
                ck_assert_double_eq_tol(slope, (up - down) / (2 * h), 1e-9); /* h^2 and 1e-16 / h */
            }
            const double open = srq_concrete_open(&srq_dropbits_concrete, phi + h, &unused) -
                                srq_concrete_open(&srq_dropbits_concrete, phi - h, &unused);
            srq_concrete_open(&srq_dropbits_concrete, phi, &slope);
            ck_assert_double_eq_tol(slope, open / (2 * h), 1e-9);
        }
    ck_assert_int_gt(inside, 200);
    ck_assert_double_eq_tol(srq_concrete_mean(&srq_dropbits_concrete, 0), 0.5, 1e-15);
    ck_assert_double_eq(srq_concrete_mean(&srq_dropbits_concrete, 9), 1);
    ck_assert_double_eq(srq_concrete_mean(&srq_dropbits_concrete, -9), 0);
}
END_TEST

static srq_gates set(int min_bits, int count, const double *z)
{
    srq_gates gates = {.min_bits = min_bits, .count = count};
    srq_gates_set(&gates, z);
    return gates;
}

/* Open gates at the bottom belong to the grid, a closed one ends it. */
START_TEST(levels_that_gates_leave)
{
    srq_gates g = set(2, 5, (const double[]){1, 1, 0.5, 0.25, 0});
    ck_assert_int_eq(g.levels.min_bits, 4);
    ck_assert_int_eq(g.levels.count, 2);
    ck_assert_float_eq(g.levels.mask[0], 0.5f);
    ck_assert_float_eq(g.levels.mask[1], 0.125f);
    g = set(2, 3, (const double[]){0, 1, 1});
    ck_assert_int_eq(g.levels.min_bits, 2);
    ck_assert_int_eq(g.levels.count, 0);
    g = set(1, 3, (const double[]){0.5, 1, 1});
    ck_assert_int_eq(g.levels.min_bits, 1);
    ck_assert_int_eq(g.levels.count, 3);
    ck_assert_float_eq(g.levels.mask[2], 0.5f);
    g = set(1, 7, (const double[]){1, 1, 1, 1, 1, 1, 1});
    ck_assert_int_eq(g.levels.min_bits, 8);
    ck_assert_int_eq(g.levels.count, 0);
    ck_assert_int_eq(srq_gates_bits(2, 3, (const float[]){0.1f, -0.1f, 5}), 3);
    ck_assert_int_eq(srq_gates_bits(2, 3, (const float[]){0, 5, 5}), 2);
    ck_assert_int_eq(srq_gates_bits(1, 3, (const float[]){1, 1, 1}), 4);
    ck_assert_double_eq_tol(srq_gates_mean_bits(2, 2, (const float[]){100, -100}), 3, 1e-12);
    /* P(Z != 0) at phi = 0 is 11^(2/3) / (1 + 11^(2/3)) = 0.831822. */
    ck_assert_double_eq_tol(srq_gates_mean_bits(2, 2, (const float[]){0, 0}), 2 + 0.831822 + 0.831822 * 0.831822, 1e-5);
}
END_TEST

/* dL/dZ for L = sum a_c m_c(Z). Each mask is linear in each gate, so differences are exact up to rounding. */
START_TEST(gradient_of_gates)
{
    static const double cases[][4] = {{0.5, 0.25, 0.75, 0.9}, {1, 0.5, 1, 0.3}, {1, 1, 0.2, 0}, {0.7, 0, 0.5, 0.5}};
    const double a[4] = {0.3, -1.2, 2, 0.7}, h = 1e-3;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        srq_gates g = set(2, 4, cases[k]);
        double masks[SRQ_LEVELS_MAX] = {0}, z[SRQ_LEVELS_MAX] = {0};
        for (int i = 0; i < g.levels.count; i++) masks[i] = a[g.levels.min_bits - 2 + i];
        srq_gates_backward(&g, masks, z);
        for (int c = 0; c < 4; c++) {
            double side[2];
            for (int s = 0; s < 2; s++) {
                double mask = 1;
                side[s] = 0;
                for (int i = 0; i < 4; i++) {
                    mask *= cases[k][i] + (i == c ? (s ? h : -h) : 0);
                    side[s] += a[i] * mask;
                }
            }
            /* A gate that is 0 or 1 passes nothing to its logit (its slope is 0). */
            const bool fractional = cases[k][c] > 0 && cases[k][c] < 1;
            const bool dead = k == 3 && c > 1; /* above a closed gate */
            const double expected = fractional && !dead ? (side[1] - side[0]) / (2 * h) : 0;
            ck_assert_msg(fabs(z[c] - expected) <= 1e-6, "case %zu gate %d: %g, not %g", k, c, z[c], expected);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gates");
    TCase *tests = tcase_create("gates");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, gates_follow_their_distribution);
    tcase_add_test(tests, gates_are_independent);
    tcase_add_test(tests, gates_go_by_their_key);
    tcase_add_test(tests, slopes_of_gates);
    tcase_add_test(tests, levels_that_gates_leave);
    tcase_add_test(tests, gradient_of_gates);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
