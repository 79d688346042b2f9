/* Steering learned bit-lengths to a target: the choice of bits against all choices, and the path of the logits under
 * random updates. */
#include "core/allot.h"
#include "core/random.h"
#include "core/target.h"
#include "tests/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 4, LEVELS = 6, MIN_BITS = 2 };

/* The shares of LeNet-5's weights: one bit of the third layer is nine tenths of a bit of the mean. */
static const double lenet[LAYERS] = {800 / 581408.0, 51200 / 581408.0, 524288 / 581408.0, 5120 / 581408.0};

static double uniform(long step, int layer, int level)
{
    uint32_t bits[4];
    srq_random(7, SRQ_RANDOM_GATES, (uint64_t)step, (uint64_t)(layer * LEVELS + level), bits);
    return ((double)bits[0] + 0.5) / 4294967296.0;
}

static srq_allotter *allotter_of(int room)
{
    srq_allotter *a = NULL;
    ck_assert_int_eq(srq_allotter_create(room, &a), SRQ_OK);
    return a;
}

/* The value and the sum of a choice, as allot.h defines them. */
static double value_of(const double *shares, float phi[LAYERS][LEVELS], const int *open, double *sum)
{
    double value = 0;
    *sum = 0;
    for (int l = 0; l < LAYERS; l++) {
        *sum += shares[l] * open[l];
        for (int c = 0; c < open[l]; c++) value += shares[l] * ((double)phi[l][c] - 0.1 * c);
    }
    return value;
}

/* The best value of all choices within the slack, and the distance of the closest. */
static void search(const double *shares, float phi[LAYERS][LEVELS], double wanted, double slack, double *best,
                   double *closest)
{
    *best = -INFINITY;
    *closest = INFINITY;
    for (int code = 0; code < 7 * 7 * 7 * 7; code++) {
        const int open[LAYERS] = {code % 7, code / 7 % 7, code / 49 % 7, code / 343};
        double sum;
        const double value = value_of(shares, phi, open, &sum);
        *closest = fmin(*closest, fabs(sum - wanted));
        if (fabs(sum - wanted) <= slack) *best = fmax(*best, value);
    }
}

/* Logits and targets at random, for shares of a network and equal ones. A step of the scale is 6/1024 bits. Two choices
 * at the same place of the scale may differ by so much, so the best value within a slack that is smaller by one step
 * for each layer is always met. */
START_TEST(allots_as_all_choices)
{
    static const double equal[LAYERS] = {0.25, 0.25, 0.25, 0.25};
    srq_allotter *a = allotter_of(LAYERS);
    for (int trial = 0; trial < 200; trial++) {
        const double *shares = trial % 2 ? lenet : equal, step = LAYERS * 6.0 / 1024;
        const double wanted = 6 * uniform(trial, LAYERS, 0), slack = trial % 3 ? 0.05 : 0;
        float phi[LAYERS][LEVELS];
        srq_allot_layer layers[LAYERS];
        double best, closest, sum;
        int open[LAYERS];
        for (int l = 0; l < LAYERS; l++) {
            for (int c = 0; c < LEVELS; c++) phi[l][c] = (float)(8 * uniform(trial, l, c) - 4);
            layers[l] = (srq_allot_layer){.share = shares[l], .levels = LEVELS, .phi = phi[l], .open = -1};
        }
        search(shares, phi, wanted, slack - step, &best, &closest);
        const double told = srq_allot(a, LAYERS, layers, wanted, slack);
        for (int l = 0; l < LAYERS; l++) open[l] = layers[l].open;
        const double value = value_of(shares, phi, open, &sum);
        ck_assert_double_eq_tol(told, sum, 1e-12);
        ck_assert_double_le(fabs(sum - wanted), fmax(slack, closest + step));
        ck_assert_double_ge(value, best - 1e-12);
    }
    srq_allotter_destroy(&a);
}
END_TEST

/* Equal logits give equal bit-lengths. A layer whose logits are higher keeps more bits. */
START_TEST(logits_decide)
{
    float same[LEVELS] = {2, 2, 2, 2, 2, 2}, more[LEVELS] = {3, 3, 3, 3, 3, 3}, bad[LEVELS] = {NAN, NAN, INFINITY};
    srq_allotter *a = allotter_of(3);
    srq_allot_layer layers[3];
    for (int l = 0; l < 3; l++) layers[l] = (srq_allot_layer){.share = 1.0 / 3, .levels = LEVELS, .phi = same};
    ck_assert_double_eq_tol(srq_allot(a, 3, layers, 2, 0.01), 2, 1e-12);
    for (int l = 0; l < 3; l++) ck_assert_int_eq(layers[l].open, 2);
    layers[1].phi = more;
    ck_assert_double_eq_tol(srq_allot(a, 3, layers, 4, 0.01), 4, 1e-12);
    ck_assert_int_eq(layers[1].open, 6);
    ck_assert_int_eq(layers[0].open, 3);
    ck_assert_int_eq(layers[2].open, 3);
    /* Whatever logits a file has, there is a choice. */
    for (int l = 0; l < 3; l++) layers[l].phi = bad;
    ck_assert_double_eq_tol(srq_allot(a, 3, layers, 4, 0), 4, 1e-12);
    /* No layer learns. */
    ck_assert_double_eq(srq_allot(a, 0, NULL, 4, 0), 0);
    srq_allotter_destroy(&a);
}
END_TEST

/* A network whose logits are moved by `drift` and noise in each step, and steered. */
typedef struct path {
    double least;              /* lowest mean bit-length of evaluation after the first step */
    double last;               /* at the end */
    double expected;           /* expected bits at the end */
    long reached;              /* the step from which it was within 0.1 bits of the target to the end */
    float phi[LAYERS][LEVELS]; /* at the end */
} path;

static double mean(float phi[LAYERS][LEVELS], bool expected)
{
    double bits = 0;
    for (int l = 0; l < LAYERS; l++)
        bits += lenet[l] *
                (expected ? srq_gates_mean_bits(MIN_BITS, LEVELS, phi[l]) : srq_gates_bits(MIN_BITS, LEVELS, phi[l]));
    return bits;
}

static void steer(srq_allotter *a, double wanted, float phi[LAYERS][LEVELS], double progress)
{
    srq_allot_layer layers[LAYERS];
    for (int l = 0; l < LAYERS; l++) layers[l] = (srq_allot_layer){.share = lenet[l], .levels = LEVELS, .phi = phi[l]};
    srq_allot(a, LAYERS, layers, wanted - MIN_BITS, 0.05);
    for (int l = 0; l < LAYERS; l++) srq_target_move(layers[l].open, LEVELS, phi[l], progress);
}

/* Trains `steps` steps from step `from` with the logits in p->phi. */
static void follow(double wanted, double drift, long from, long steps, path *p)
{
    srq_allotter *a = allotter_of(LAYERS);
    p->least = INFINITY;
    p->reached = -1;
    for (long step = from; step < steps; step++) {
        for (int l = 0; l < LAYERS; l++)
            for (int c = 0; c < LEVELS; c++) p->phi[l][c] += (float)(drift + 0.04 * (uniform(step, l, c) - 0.5));
        steer(a, wanted, p->phi, (double)(step + 1) / (double)steps);
        const double now = mean(p->phi, false);
        p->least = fmin(p->least, now);
        if (fabs(now - wanted) > 0.1) p->reached = -1;
        if (fabs(now - wanted) <= 0.1 && p->reached < 0) p->reached = step + 1;
    }
    p->last = mean(p->phi, false);
    p->expected = mean(p->phi, true);
    srq_allotter_destroy(&a);
}

/* Open gates that a strong penalty closes at once, gates that it hardly moves, gates that the loss opens, and gates
 * that were closed before and have no gradient left: the target is reached in the first 40 % and held, bit-lengths do
 * not fall below it, and in the end training has those of evaluation. */
START_TEST(reaches_the_target)
{
    static const double targets[] = {2.5, 3, 4, 6}, drifts[] = {-0.02, -0.0005, 0.01, 0};
    static const float starts[] = {2.2f, 2.2f, 2.2f, -5};
    const double wanted = targets[_i / 4];
    path p;
    for (int l = 0; l < LAYERS; l++)
        for (int c = 0; c < LEVELS; c++) p.phi[l][c] = starts[_i % 4];
    follow(wanted, drifts[_i % 4], 0, 1000, &p);
    ck_assert_double_eq_tol(p.last, wanted, 0.1);
    ck_assert_double_eq_tol(p.expected, p.last, 0.05);
    ck_assert_int_ge(p.reached, 1);
    ck_assert_int_le(p.reached, 400);
    ck_assert_double_ge(p.least, wanted - 0.05);
    if (starts[_i % 4] < 0) ck_assert_int_eq(p.reached, 1); /* opened in the first step */
}
END_TEST

/* In the middle of training, closed gates are opened again. */
START_TEST(opens_closed_gates)
{
    path p;
    for (int l = 0; l < LAYERS; l++)
        for (int c = 0; c < LEVELS; c++) p.phi[l][c] = -6;
    follow(4, 0, 500, 1000, &p);
    ck_assert_int_eq(p.reached, 501);
    ck_assert_double_eq_tol(p.expected, 4, 0.1);
}
END_TEST

/* The logits are the only state: two halves are the same as the whole, bit for bit. */
START_TEST(has_no_other_state)
{
    path whole = {0}, halves = {0};
    srq_allotter *a = allotter_of(LAYERS);
    follow(3, -0.01, 0, 200, &whole);
    for (long step = 0; step < 70; step++) {
        for (int l = 0; l < LAYERS; l++)
            for (int c = 0; c < LEVELS; c++) halves.phi[l][c] += (float)(-0.01 + 0.04 * (uniform(step, l, c) - 0.5));
        steer(a, 3, halves.phi, (double)(step + 1) / 200);
    }
    srq_allotter_destroy(&a);
    follow(3, -0.01, 70, 200, &halves);
    ck_assert_int_eq(memcmp(whole.phi, halves.phi, sizeof whole.phi), 0);
}
END_TEST

/* The bounds on the logits of one layer by hand: two of four levels are chosen. Until 40 %, chosen levels only stay
 * open; the top level is closed at 20 %, the next at 40 %; a logit takes 20 % from 0 to 6. */
START_TEST(bounds_by_hand)
{
    static const struct {
        double progress;
        float from, to[4];
    } cases[] = {{0.1, 2.5f, {2.5f, 2.5f, 2.5f, 2.5f}},
                 {0.1, 9, {9, 9, 9, 3}},
                 {0.2, 2.5f, {2.5f, 2.5f, 2.5f, 0}},
                 {0.3, -1, {0.1f, 0.1f, -1, -3}},
                 {0.4, 0.05f, {0.05f, 0.05f, 0, -6}},
                 {0.5, 1, {3, 3, -3, -6}},
                 {0.6, 0, {6, 6, -6, -6}},
                 {1, 7, {7, 7, -6, -6}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float phi[4] = {cases[i].from, cases[i].from, cases[i].from, cases[i].from};
        srq_target_move(2, 4, phi, cases[i].progress);
        for (int c = 0; c < 4; c++) ck_assert_float_eq_tol(phi[c], cases[i].to[c], 1e-5f);
    }
}
END_TEST

START_TEST(tolerances)
{
    ck_assert_double_eq(srq_target_tolerance(false, 4), 0.1);
    ck_assert_double_eq_tol(srq_target_tolerance(true, 0.4), 0.012, 1e-12);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("target");
    TCase *tests = tcase_create("target");
    tcase_add_test(tests, allots_as_all_choices);
    tcase_add_test(tests, logits_decide);
    tcase_add_loop_test(tests, reaches_the_target, 0, 16);
    tcase_add_test(tests, opens_closed_gates);
    tcase_add_test(tests, has_no_other_state);
    tcase_add_test(tests, bounds_by_hand);
    tcase_add_test(tests, tolerances);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
