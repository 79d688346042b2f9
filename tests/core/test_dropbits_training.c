/* DropBits in a network's quantizer: gates act only in training, gradients reach their logits, and curves replace the
 * sum over codes if they are accurate. */
#include "core/kernels/gates.h"
#include "tests/core/dropbits.h"

#include <stdlib.h>

static srq_quantizer make_quantizer(srq_dropbits mode, int bits, int min_bits, int channels, srq_estimator estimator)
{
    srq_quantizer_spec spec = {.method = "srq", .estimator = estimator, .dropbits = mode, .min_bits = min_bits};
    spec.bits = (srq_bits_schedule){.count = 1, .bits = {bits}};
    spec.sigma_ratio = 1.0f / 3, spec.open = 0.9f, spec.per_channel = channels > 1;
    srq_quantizer q;
    ck_assert_msg(srq_quantizer_init(&spec, true, channels, &q) == SRQ_OK, "%s", srq_message());
    q.gates.count = bits - min_bits;
    return q;
}

/* In training, the gates cut the grid. In evaluation it is whole, or that of the bit-length. */
START_TEST(gates_act_in_training)
{
    const srq_vector *v = srq_vector_best(NULL);
    const float x[] = {-9, -3.2f, -1.4f, 0, 0.6f, 1.3f, 9}, alpha[] = {1}, sigma[] = {0.3f};
    int8_t codes[7];
    srq_quantizer q = make_quantizer(SRQ_DROPBITS_REGULARIZE, 4, 2, 1, SRQ_ESTIMATOR_FULL);
    q.alpha = alpha, q.sigma = sigma;
    srq_gates_set(&q.gates, (const double[]){0, 0.5});
    q.training = true;
    ck_assert(srq_quantizer_forward(&q, v, 7, x, codes));
    ck_assert_mem_eq(codes, ((int8_t[]){-2, -2, -1, 0, 1, 1, 1}), 7);
    srq_gates_set(&q.gates, (const double[]){1, 0});
    ck_assert(srq_quantizer_forward(&q, v, 7, x, codes));
    ck_assert_mem_eq(codes, ((int8_t[]){-4, -3, -1, 0, 1, 1, 3}), 7);
    q.training = false;
    ck_assert(srq_quantizer_forward(&q, v, 7, x, codes));
    ck_assert_mem_eq(codes, ((int8_t[]){-8, -3, -1, 0, 1, 1, 7}), 7);
    srq_quantizer_set_bits(&q, 4, 3);
    ck_assert(srq_quantizer_forward(&q, v, 7, x, codes));
    ck_assert_mem_eq(codes, ((int8_t[]){-4, -3, -1, 0, 1, 1, 3}), 7);
}
END_TEST

/* dL/dphi through gate, mask and quantizer, for two rows with different alpha and sigma: the definition at phi +-
 * 1/1024, with the draw of the same step. */
START_TEST(gradients_reach_the_logits)
{
    enum { ROWS = 2, BITS = 4, MIN = 2, LEVELS = BITS - MIN };
    const srq_vector *v = srq_vector_best(NULL);
    const float alpha[ROWS] = {0.03f, 0.05f}, sigma[ROWS] = {0.01f, 0.02f}, phi[LEVELS] = {0.75f, 0.5f};
    float x[ROWS * N], dy[ROWS * N], dx[ROWS * N], by_alpha[ROWS], by_sigma[ROWS], gates[LEVELS];
    int8_t codes[ROWS * N];
    int moved[LEVELS] = {0};
    srq_random_normal(8, SRQ_RANDOM_TEST, 1, ROWS * N, 0.2f, x);
    srq_random_normal(8, SRQ_RANDOM_TEST, 2, ROWS * N, 1, dy);
    for (int estimator = 0; estimator < 2; estimator++)
        for (long step = 0; step < 40; step++) {
            srq_quantizer q = make_quantizer(SRQ_DROPBITS_LEARN, BITS, MIN, ROWS, (srq_estimator)estimator);
            q.alpha = alpha, q.sigma = sigma, q.training = true;
            srq_gates_draw(&q.gates, 1, step, 0, phi);
            ck_assert(srq_quantizer_forward(&q, v, ROWS * N, x, codes));
            srq_quantizer_backward(&q, v, ROWS * N, ROWS * N, x, dy, dx, by_alpha, by_sigma, gates);
            for (int c = 0; c < LEVELS; c++) {
                double side[2] = {0}, size = 0;
                const double h = 1.0 / 1024;
                bool corner = false; /* a gate closes or opens between the two: no derivative */
                for (int s = 0; s < 2; s++) {
                    float there[LEVELS];
                    memcpy(there, phi, sizeof phi);
                    there[c] += s ? (float)h : -(float)h;
                    srq_gates moved_gates = q.gates;
                    srq_gates_draw(&moved_gates, 1, step, 0, there);
                    corner = corner || (moved_gates.z[c] > 0) != (q.gates.z[c] > 0) ||
                             (moved_gates.z[c] < 1) != (q.gates.z[c] < 1);
                    definition d = {.mask = {1}, .min_bits = MIN, .count = LEVELS};
                    for (int i = 0; i < LEVELS; i++) d.mask[i + 1] = d.mask[i] * moved_gates.z[i];
                    for (int i = 0; i < ROWS * N; i++) {
                        d.alpha = (double)alpha[i / N], d.sigma = (double)sigma[i / N];
                        const double y =
                            relaxed(&d, (double)x[i], d.alpha, estimator == SRQ_ESTIMATOR_ARGMAX, codes[i]);
                        side[s] += (double)dy[i] * y;
                        size += fabs((double)dy[i] * y);
                    }
                }
                if (corner) continue;
                const double expected = (side[1] - side[0]) / (2 * h);
                moved[c] += expected != 0;
                /* h^2 / 6 times the third derivative by phi, which tau = 2/3 and the shape of r make some 50 of the
                 * values; rounding of float32 sums is less. */
                ck_assert_msg(fabs((double)gates[c] - expected) <= 1e-5 * size,
                              "estimator %d step %ld gate %d: %g, not %g", estimator, step, c, (double)gates[c],
                              expected);
            }
        }
    for (int c = 0; c < LEVELS; c++) ck_assert_int_gt(moved[c], 5);
}
END_TEST

/* Curves are not fitted if they would be inaccurate, and a quantizer uses them only for tensors that are large enough.
 */
START_TEST(curves_where_they_do)
{
    enum { MANY = 1 << 14 };
    const srq_vector *v = srq_vector_best(NULL);
    srq_gate_curves curves = {.rows = malloc(srq_gate_curves_size(1, 8) * sizeof(float))};
    drop_case c = make_case(4, 2, 0.51f, 0);
    ck_assert(!srq_gate_curves_fit(&c.grid, &c.levels, &curves) && !curves.fitted);
    c = make_case(4, 2, 0.23f, 0);
    ck_assert(!srq_gate_curves_fit(&c.grid, &c.levels, &curves));
    c = make_case(8, 2, 1.0f / 3, 2); /* masks below 1e-3 */
    ck_assert(!srq_gate_curves_fit(&c.grid, &c.levels, &curves));
    for (int bits = 2; bits <= 8; bits++) { /* the widest rows that the size allows for */
        c = make_case(bits, 1, 0.4999f, 0);
        for (int i = 0; i < c.levels.count; i++) c.levels.mask[i] = 1e-3f;
        ck_assert(srq_gate_curves_fit(&c.grid, &c.levels, &curves));
        ck_assert_uint_le((size_t)curves.bins * (size_t)curves.powers, srq_gate_curves_size(1, bits));
    }

    float *x = malloc(MANY * sizeof *x), *dy = malloc(MANY * sizeof *dy), *dx = malloc(MANY * sizeof *dx);
    float *other = malloc(MANY * sizeof *other);
    const float alpha[] = {0.05f}, sigma[] = {0.017f};
    float by_alpha[2], by_sigma[2], gates[2][2];
    srq_random_normal(8, SRQ_RANDOM_TEST, 1, MANY, 0.2f, x);
    srq_random_normal(8, SRQ_RANDOM_TEST, 2, MANY, 1, dy);
    srq_quantizer q = make_quantizer(SRQ_DROPBITS_REGULARIZE, 4, 2, 1, SRQ_ESTIMATOR_FULL);
    q.alpha = alpha, q.sigma = sigma, q.training = true;
    srq_gates_set(&q.gates, (const double[]){0.7, 0.4});
    q.gates.slope[0] = q.gates.slope[1] = 1;
    for (int i = 0; i < 2; i++) {
        q.gate_curves.rows = i ? curves.rows : NULL;
        q.elements = MANY;
        srq_quantizer_begin(&q);
        ck_assert_int_eq(q.gate_curves.fitted, i);
        srq_quantizer_backward(&q, v, MANY, MANY, x, dy, i ? dx : other, &by_alpha[i], &by_sigma[i], gates[i]);
    }
    ck_assert(memcmp(dx, other, MANY * sizeof *dx) != 0); /* two ways */
    double error = 0, size = 0;
    for (int i = 0; i < MANY; i++) {
        error = fmax(error, fabs((double)dx[i] - (double)other[i]));
        size += fabs((double)dy[i]);
    }
    /* As above; alpha / sigma is 2.9. */
    ck_assert_double_le(error, 1e-5 * 4);
    ck_assert_double_le(fabs((double)by_alpha[0] - (double)by_alpha[1]), 1e-5 * size);
    ck_assert_double_le(fabs((double)by_sigma[0] - (double)by_sigma[1]), 1e-5 * size);
    for (int i = 0; i < 2; i++)
        ck_assert_double_le(fabs((double)gates[0][i] - (double)gates[1][i]), 1e-5 * size * (double)alpha[0] * 8);
    q.elements = 100; /* fitting would take longer than it saves */
    srq_quantizer_begin(&q);
    ck_assert(!q.gate_curves.fitted);
    srq_gates_set(&q.gates, (const double[]){1, 0}); /* an ordinary grid */
    q.elements = MANY;
    srq_quantizer_begin(&q);
    ck_assert(!q.gate_curves.fitted && q.curves.fitted);
    free(x), free(dy), free(dx), free(other), free(curves.rows);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dropbits_training");
    TCase *tests = tcase_create("dropbits_training");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, curves_where_they_do);
    tcase_add_test(tests, gates_act_in_training);
    tcase_add_test(tests, gradients_reach_the_logits);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
