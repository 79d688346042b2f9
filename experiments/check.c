/* srq check: kernels against golden cases. */
#include "core/quant/quantizer.h"
#include "experiments/commands.h"
#include "io/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Errors of a case, relative to the largest magnitude among its answers of the same kind. */
typedef struct errors {
    long codes; /* wrong ones */
    double x, alpha, sigma;
} errors;

/* The worst over the cases of one method (and estimator). */
typedef struct result {
    char name[64];
    long cases, skipped;
    errors worst;
} result;

enum { RESULTS_MAX = 32 };
static const double tolerance = 1e-4;

static double worse(double a, double b)
{
    return a > b || isnan(a) ? a : b;
}

/* LSQ's golden cases hold the gradient of alpha before its gradient scale 1 / sqrt(N M), so ste_backward is run for
 * both it and ste. */
static void run_backward(const srq_golden_case *c, const srq_vector *vector, const srq_grid *grid, float *dx,
                         srq_grid_gradient *sums)
{
    if (strcmp(c->method, "srq") != 0)
        vector->ste_backward(c->count, c->x, c->grad_out, grid, dx, sums);
    else if (strcmp(c->estimator, "argmax") == 0)
        vector->srq_argmax_backward(c->count, c->x, c->grad_out, grid, dx, sums);
    else
        vector->srq_full_backward(c->count, c->x, c->grad_out, grid, dx, sums);
}

static double relative(double found, double expected)
{
    return fabs(found - expected) / fmax(fabs(expected), 1e-12);
}

static srq_status run_case(const srq_golden_case *c, const srq_vector *vector, errors *e)
{
    srq_quantizer_spec spec = {.bits = {.count = 1, .bits = {c->bits}}};
    srq_quantizer q;
    srq_grid_gradient sums;
    snprintf(spec.method, sizeof spec.method, "%s", c->method);
    SRQ_TRY(srq_quantizer_init(&spec, c->is_signed, 1, &q));
    q.grid.alpha = (float)c->alpha;
    if (c->has_sigma) q.grid.sigma = (float)c->sigma;
    int8_t *codes = malloc(c->count);
    float *dx = malloc(c->count * sizeof *dx);
    srq_status status = codes && dx ? SRQ_OK : srq_fail_memory(c->count * sizeof *dx, "a golden case");
    if (status == SRQ_OK) {
        double largest = 1e-12, worst = 0;
        srq_quantizer_forward(&q, vector, c->count, c->x, codes);
        run_backward(c, vector, &q.grid, dx, &sums);
        for (size_t i = 0; i < c->count; i++) {
            e->codes += (c->is_signed ? codes[i] : (uint8_t)codes[i]) != c->code[i];
            largest = fmax(largest, fabs(c->grad_x[i]));
            worst = worse(fabs((double)dx[i] - c->grad_x[i]), worst);
        }
        e->x = worst / largest;
        e->alpha = relative(sums.alpha, c->grad_alpha);
        e->sigma = c->has_sigma ? relative(sums.sigma, c->grad_sigma) : 0;
    }
    free(codes);
    free(dx);
    return status;
}

static result *result_of(const srq_golden_case *c, result *results, int *count)
{
    char name[64];
    snprintf(name, sizeof name, "%s%s%s%s", c->method, c->estimator[0] ? ", " : "", c->estimator,
             c->masked ? " (DropBits)" : "");
    for (int i = 0; i < *count; i++)
        if (strcmp(results[i].name, name) == 0) return &results[i];
    if (*count == RESULTS_MAX) return NULL;
    result *r = &results[(*count)++];
    *r = (result){0};
    snprintf(r->name, sizeof r->name, "%s", name);
    return r;
}

static srq_status run_all(const srq_golden_case *cases, size_t count, result *results, int *result_count)
{
    const srq_vector *vector = srq_vector_best(NULL);
    for (size_t i = 0; i < count; i++) {
        result *r = result_of(&cases[i], results, result_count);
        if (!r) return srq_fail(SRQ_ERROR_DATA, "more than %d kinds of cases in one file", RESULTS_MAX);
        if (!cases[i].complete) {
            r->skipped++;
            continue;
        }
        errors e = {0};
        SRQ_TRY(run_case(&cases[i], vector, &e));
        r->cases++;
        r->worst.codes += e.codes;
        r->worst.x = worse(e.x, r->worst.x);
        r->worst.alpha = worse(e.alpha, r->worst.alpha);
        r->worst.sigma = worse(e.sigma, r->worst.sigma);
    }
    return SRQ_OK;
}

static bool passes(const errors *e)
{
    return e->codes == 0 && e->x <= tolerance && e->alpha <= tolerance && e->sigma <= tolerance;
}

static srq_status print_results(const result *results, int count)
{
    bool all = true;
    long run = 0;
    printf("worst error of each method, relative to the largest magnitude in the case (at most %.0e)\n\n", tolerance);
    printf("%-24s %6s %12s %10s %10s %10s\n", "method", "cases", "wrong codes", "x", "alpha", "sigma");
    for (int i = 0; i < count; i++) {
        const result *r = &results[i];
        run += r->cases;
        if (r->cases == 0) {
            printf("%-24s %6ld not run: this version has no such quantizer\n", r->name, r->skipped);
            continue;
        }
        bool pass = passes(&r->worst);
        all = all && pass;
        printf("%-24s %6ld %12ld %10.1e %10.1e %10.1e  %s\n", r->name, r->cases, r->worst.codes, r->worst.x,
               r->worst.alpha, r->worst.sigma, pass ? "ok" : "TOO LARGE");
    }
    if (run == 0) return srq_fail(SRQ_ERROR_DATA, "the file has no case that this version can run");
    return all ? SRQ_OK : SRQ_NO;
}

srq_status srq_command_check(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "golden") != 0)
        return srq_fail(SRQ_ERROR_USAGE, "check: usage: srq check golden FILE.h5");
    srq_golden_case *cases = NULL;
    size_t count;
    result results[RESULTS_MAX];
    int result_count = 0;
    SRQ_TRY(srq_golden_read(argv[2], &cases, &count));
    srq_status status = run_all(cases, count, results, &result_count);
    if (status == SRQ_OK) status = print_results(results, result_count);
    srq_golden_free(cases, count);
    return status;
}
