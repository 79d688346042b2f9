/* The quantizer with fractional gates of DropBits and its gradients, against the definition in float64. */
#include "core/kernels/gates.h"
#include "tests/core/dropbits.h"

#include <stdio.h>
#include <stdlib.h>

static int nearness; /* inputs whose two best codes float32 cannot tell apart */
static int inputs;

static void check_codes(const srq_vector *v, const drop_case *c, const float *x, int8_t *codes)
{
    double r[256];
    ck_assert(v->dropbits->quantize(N, x, &c->grid, &c->levels, codes));
    for (int i = 0; i < N; i++) {
        probabilities(&c->d, within_sight((double)x[i], &c->grid), r);
        int best = c->grid.min;
        for (int k = c->grid.min; k <= c->grid.max; k++)
            if (r[k - c->grid.min] > r[best - c->grid.min]) best = k;
        inputs++;
        if (codes[i] == best) continue;
        /* x / alpha + 1/2 and a threshold are rounded to 6e-8 of up to 256, which is 1.5e-5 of a step. The log odds of
         * two codes change with x by at most alpha / sigma per step. The bound is twice the product, because both are
         * rounded. */
        const double odds = log(r[best - c->grid.min] / r[codes[i] - c->grid.min]);
        ck_assert_msg(odds <= 3e-5 * c->d.alpha / c->d.sigma,
                      "bits %d from %d, sigma/alpha %g, x %g: code %d, not %d (%g)",
                      c->levels.min_bits + c->levels.count, c->levels.min_bits, c->d.sigma / c->d.alpha,
                      (double)x[i] / c->d.alpha, codes[i], best, odds);
        nearness++;
    }
}

/* The ways of the backward pass. */
typedef enum way { FULL, ARGMAX, CURVES, WAYS } way;

static bool has_way(way w, const drop_case *c)
{
    const float rho = c->grid.alpha / c->grid.sigma;
    return w != CURVES || (rho >= 2 && rho <= 4.2f && c->levels.mask[c->levels.count - 1] >= 1e-3f);
}

static void run_backward(const srq_vector *v, const drop_case *c, way w, size_t n, const float *x, const float *dy,
                         float *dx, srq_grid_gradient *sums, double *masks)
{
    if (w != CURVES) {
        v->dropbits->backward(n, x, dy, &c->grid, &c->levels, w == ARGMAX, dx, sums, masks);
        return;
    }
    srq_gate_curves curves = {.rows = malloc(srq_gate_curves_size(c->levels.min_bits, 8) * sizeof(float))};
    ck_assert(srq_gate_curves_fit(&c->grid, &c->levels, &curves));
    v->dropbits->curves_backward(n, x, dy, &curves, dx, sums, masks);
    free(curves.rows);
}

static void check_gradients(const srq_vector *v, const drop_case *c, way w, const float *x, const float *dy,
                            const int8_t *codes)
{
    const bool argmax = w == ARGMAX;
    float dx[N];
    double largest = 1e-300, steepest = 0, all = 0, error = 0, masks[SRQ_LEVELS_MAX], mask[SRQ_LEVELS_MAX] = {0},
           mask_size[SRQ_LEVELS_MAX] = {0};
    double alpha = 0, sigma = 0, alpha_size = 0, sigma_size = 0;
    srq_grid_gradient sums;
    run_backward(v, c, w, N, x, dy, dx, &sums, masks);
    for (int i = 0; i < N; i++) {
        const double g = (double)dy[i];
        const slopes s = expected_slopes(&c->d, within_sight((double)x[i], &c->grid), argmax, codes[i]);
        ck_assert_msg(isfinite(dx[i]), "x = %g: gradient %g", (double)x[i], (double)dx[i]);
        largest = fmax(largest, fabs(g * s.x));
        steepest = fmax(steepest, fabs(g));
        all += fabs(g);
        error = fmax(error, fabs((double)dx[i] - g * s.x));
        alpha += g * s.alpha, alpha_size += fabs(g * s.alpha);
        sigma += g * s.sigma, sigma_size += fabs(g * s.sigma);
        for (int k = 0; k < c->levels.count; k++) mask[k] += g * s.mask[k], mask_size[k] += fabs(g * s.mask[k]);
    }
    char which[128];
    snprintf(which, sizeof which, "bits %d from %d, masks to %g, sigma/alpha %g, way %d",
             c->levels.min_bits + c->levels.count, c->levels.min_bits, (double)c->levels.mask[c->levels.count - 1],
             c->d.sigma / c->d.alpha, (int)w);
    /* float32 rounds an argument of S, and the sums and products over the codes nearby, by some 1e-7; where gates close
     * what is left moves little, dE/dx far below 1, and dx is that share of dy. As far in gates: m dL/dm is a
     * difference of positions, in steps. sigma has the distance from an edge in it, up to 128 steps where sigma is ten
     * of them. The polynomials of curves are off by up to 1e-5 where sigma is smallest, and see x / alpha rounded to
     * 6e-8 of itself, which slopes, of D by x / alpha at most alpha / sigma times D, take up. */
    const double fit = w == CURVES ? 1e-5 + 1.2e-7 * (double)c->grid.max * c->d.alpha / c->d.sigma : 0;
    ck_assert_msg(error <= (5e-6 + fit) * largest + 2e-7 * steepest, "%s: dx off by %g of %g", which, error, largest);
    ck_assert_msg(fabs(sums.alpha - alpha) <= 5e-6 * alpha_size, "%s: alpha %g, not %g of %g", which, sums.alpha, alpha,
                  alpha_size);
    ck_assert_msg(fabs(sums.sigma - sigma) <= 1e-4 * sigma_size + 1e-9, "%s: sigma %g, not %g of %g", which, sums.sigma,
                  sigma, sigma_size);
    for (int k = 0; k < c->levels.count; k++) {
        const double rounding = 5e-7 * c->d.alpha * all / c->d.mask[k + 1];
        ck_assert_msg(fabs(masks[k] - mask[k]) <= (5e-6 + fit) * mask_size[k] + rounding,
                      "%s: mask %d: %g, not %g of %g", which, k, masks[k], mask[k], mask_size[k]);
    }
}

START_TEST(quantizer_under_gates)
{
    static const float ratios[] = {0.01f, 0.1f, 0.2382f, 1.0f / 3, 0.4f, 0.5f, 1, 10};
    const srq_vector *v = srq_vector_best(NULL);
    for (int bits = 2; bits <= 8; bits++)
        for (int min_bits = 1; min_bits<bits; min_bits += bits> 4 ? 3 : 1)
            for (size_t r = 0; r < sizeof ratios / sizeof *ratios; r += SRQ_STRIDE)
                for (int kind = 0; kind < 3; kind++) {
                    float x[N], dy[N];
                    int8_t codes[N];
                    const drop_case c = make_case(bits, min_bits, ratios[r], kind);
                    make_inputs(&c.grid, x, dy);
                    check_codes(v, &c, x, codes);
                    for (way w = 0; w < WAYS; w++)
                        if (has_way(w, &c)) check_gradients(v, &c, w, x, dy, codes);
                }
    ck_assert_int_le(nearness, inputs / 1000);
}
END_TEST

/* Infinity and NaN are reported. Neither they nor dx = dy change the results of other elements. */
START_TEST(bad_numbers_and_places)
{
    const srq_vector *v = srq_vector_best(NULL);
    const float bad[] = {NAN, INFINITY, -INFINITY};
    const drop_case c = make_case(4, 2, 1.0f / 3, 0);
    float x[N], dy[N], dx[N], other[N];
    int8_t codes[N], again[N];
    double masks[SRQ_LEVELS_MAX];
    srq_grid_gradient sums;
    make_inputs(&c.grid, x, dy);
    ck_assert(v->dropbits->quantize(N, x, &c.grid, &c.levels, codes));
    for (way w = 0; w < WAYS; w++) {
        run_backward(v, &c, w, N, x, dy, dx, &sums, masks);
        memcpy(other, dy, sizeof dy);
        run_backward(v, &c, w, N, x, other, other, &sums, masks);
        ck_assert_mem_eq(other, dx, sizeof dx);
        for (int place = 0; place < N; place += 11) {
            float one;
            run_backward(v, &c, w, 1, x + place, dy + place, &one, &sums, masks);
            ck_assert_mem_eq(&one, dx + place, sizeof one);
            const float kept = x[place];
            for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
                x[place] = bad[k];
                ck_assert(!v->dropbits->quantize(N, x, &c.grid, &c.levels, again));
                again[place] = codes[place];
                ck_assert_mem_eq(again, codes, sizeof codes);
                run_backward(v, &c, w, N, x, dy, other, &sums, masks);
                other[place] = dx[place];
                ck_assert_mem_eq(other, dx, sizeof dx);
            }
            x[place] = kept;
        }
    }
}
END_TEST

START_TEST(instruction_sets_agree)
{
    static const char *const names[] = {"avx2", "avx512"};
    const srq_vector *base = srq_vector_best("x86-64");
    ck_assert_ptr_nonnull(base);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const srq_vector *v = srq_vector_best(names[k]);
        if (!v) continue; /* not on this CPU */
        for (int bits = 2; bits <= 8; bits++)
            for (int n = N - 3; n <= N; n++)
                for (way w = 0; w < WAYS; w++) {
                    const drop_case c = make_case(bits, 1, 0.4f, bits % 3);
                    float x[N], dy[N], a[N], b[N];
                    int8_t i[N], j[N];
                    double m[SRQ_LEVELS_MAX] = {0}, others[SRQ_LEVELS_MAX] = {0};
                    srq_grid_gradient s, t;
                    if (!has_way(w, &c)) continue;
                    make_inputs(&c.grid, x, dy);
                    base->dropbits->quantize((size_t)n, x, &c.grid, &c.levels, i);
                    v->dropbits->quantize((size_t)n, x, &c.grid, &c.levels, j);
                    ck_assert_mem_eq(i, j, (size_t)n);
                    run_backward(base, &c, w, (size_t)n, x, dy, a, &s, m);
                    run_backward(v, &c, w, (size_t)n, x, dy, b, &t, others);
                    ck_assert_mem_eq(a, b, (size_t)n * sizeof *a);
                    ck_assert_mem_eq(&s, &t, sizeof s);
                    ck_assert_mem_eq(m, others, sizeof m);
                }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dropbits");
    TCase *tests = tcase_create("dropbits");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, quantizer_under_gates);
    tcase_add_test(tests, bad_numbers_and_places);
    tcase_add_test(tests, instruction_sets_agree);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
