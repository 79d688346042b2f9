/* The loss: its value by hand, and its gradient against differences, with and without label smoothing. */
#include "core/ops/softmax_loss.h"
#include "tests/suite.h"

#include <math.h>

enum { N = 2, CLASSES = 3 };
static const int32_t labels[N] = {2, 0};

static double loss_of(const float *logits, double smoothing)
{
    double loss = 0;
    long correct = 0;
    srq_softmax_loss(N, CLASSES, logits, labels, smoothing, 0, NULL, &loss, &correct);
    return loss;
}

START_TEST(value)
{
    /* softmax of log 1, log 2, log 5 is 1/8, 2/8, 5/8 */
    const float logits[CLASSES] = {0, logf(2), logf(5)};
    double loss = 0;
    long correct = 0;
    srq_softmax_loss(1, CLASSES, logits, labels, 0, 0, NULL, &loss, &correct);
    ck_assert_double_eq_tol(loss, -log(5.0 / 8), 1e-6);
    ck_assert_int_eq(correct, 1);
    loss = 0;
    srq_softmax_loss(1, CLASSES, logits, labels, 0.3, 0, NULL, &loss, &correct);
    ck_assert_double_eq_tol(loss, -0.8 * log(5.0 / 8) - 0.1 * log(2.0 / 8) - 0.1 * log(1.0 / 8), 1e-6);
}
END_TEST

START_TEST(gradient)
{
    static const double smoothings[] = {0, 0.1, 0.9};
    const float logits[N * CLASSES] = {0.5f, -1, 2, 0.25f, 3, -0.5f};
    for (int s = 0; s < 3; s++) {
        float found[N * CLASSES];
        double loss = 0;
        long correct = 0;
        srq_softmax_loss(N, CLASSES, logits, labels, smoothings[s], 1, found, &loss, &correct);
        for (int i = 0; i < N * CLASSES; i++) {
            float moved[2][N * CLASSES];
            for (int k = 0; k < N * CLASSES; k++) moved[0][k] = moved[1][k] = logits[k];
            moved[0][i] -= 0x1p-8f;
            moved[1][i] += 0x1p-8f;
            /* The error of a central difference is h^2 / 6 times a third derivative, which is below 1 here: 3e-6. */
            const double expected = (loss_of(moved[1], smoothings[s]) - loss_of(moved[0], smoothings[s])) / 0x1p-7;
            ck_assert_double_eq_tol((double)found[i], expected, 5e-6);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("loss");
    TCase *tests = tcase_create("loss");
    tcase_add_test(tests, value);
    tcase_add_test(tests, gradient);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
