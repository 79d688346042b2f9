/* srq check: kernels against golden cases. */
#include "core/kernels/vector.h"
#include "experiments/commands.h"
#include "io/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Errors of a case, relative to the largest magnitude among its answers of the same kind. */
typedef struct errors {
    long codes; /* wrong ones */
    double y, x, alpha, sigma;
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

static bool is_relaxed(const srq_golden_case *c)
{
    return c->gumbel != NULL;
}

/* What this program knows how to run. */
static bool can_run(const srq_golden_case *c)
{
    return c->complete && c->x && !c->masked;
}

static srq_grid grid_of(const srq_golden_case *c)
{
    srq_grid grid = {.alpha = (float)c->alpha, .sigma = c->has_sigma ? (float)c->sigma : 1};
    grid.min = c->is_signed ? -(1 << (c->bits - 1)) : 0;
    grid.max = grid.min + (1 << c->bits) - 1;
    return grid;
}

/* y, and the codes of methods that have them. */
static void run_forward(const srq_golden_case *c, const srq_vector *vector, const srq_grid *grid,
                        const srq_relaxation *relaxation, int8_t *codes, float *y)
{
    if (strcmp(c->method, "rq") == 0) {
        vector->rq_forward(c->count, c->x, grid, relaxation, y);
        return;
    }
    if (is_relaxed(c))
        vector->rq_st_forward(c->count, c->x, grid, relaxation, codes);
    else
        vector->quantize(c->count, c->x, grid, codes);
    for (size_t i = 0; i < c->count; i++) y[i] = grid->alpha * (float)(c->is_signed ? codes[i] : (uint8_t)codes[i]);
}

/* LSQ's golden cases hold the gradient of alpha before its gradient scale 1 / sqrt(N M), so ste_backward is run for
 * both it and ste. */
static void run_backward(const srq_golden_case *c, const srq_vector *vector, const srq_grid *grid,
                         const srq_relaxation *relaxation, float *dx, srq_grid_gradient *sums)
{
    if (strcmp(c->method, "rq") == 0)
        vector->rq_backward(c->count, c->x, c->grad_out, grid, relaxation, dx, sums);
    else if (is_relaxed(c))
        vector->rq_st_backward(c->count, c->x, c->grad_out, grid, relaxation, dx, sums);
    else if (strcmp(c->method, "srq") != 0)
        vector->ste_backward(c->count, c->x, c->grad_out, grid, dx, sums);
    else if (strcmp(c->estimator, "argmax") == 0)
        vector->srq_argmax_backward(c->count, c->x, c->grad_out, grid, dx, sums);
    else
        vector->srq_full_backward(c->count, c->x, c->grad_out, grid, dx, sums);
}

/* The code of the case; cases of rq_st hold it in y only. */
static double code_of(const srq_golden_case *c, size_t i)
{
    return c->code ? (double)c->code[i] : rint(c->y[i] / c->alpha);
}

/* The largest difference relative to the largest answer. */
static double worst_of(size_t n, const float *found, const double *expected)
{
    double largest = 1e-12, worst = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(expected[i]));
        worst = worse(fabs((double)found[i] - expected[i]), worst);
    }
    return worst / largest;
}

static double relative(double found, double expected)
{
    return fabs(found - expected) / fmax(fabs(expected), 1e-12);
}

static srq_status run_case(const srq_golden_case *c, const srq_vector *vector, errors *e)
{
    const srq_grid grid = grid_of(c);
    const srq_relaxation relaxation = {.temperature = (float)c->tau, .gumbel = c->gumbel};
    const bool has_codes = strcmp(c->method, "rq") != 0;
    srq_grid_gradient sums;
    int8_t *codes = malloc(c->count);
    float *y = malloc(c->count * sizeof *y), *dx = malloc(c->count * sizeof *dx);
    srq_status status = codes && y && dx ? SRQ_OK : srq_fail_memory(c->count * sizeof *dx, "a golden case");
    if (status == SRQ_OK) {
        run_forward(c, vector, &grid, &relaxation, codes, y);
        run_backward(c, vector, &grid, &relaxation, dx, &sums);
        for (size_t i = 0; has_codes && i < c->count; i++)
            e->codes += (c->is_signed ? codes[i] : (uint8_t)codes[i]) != code_of(c, i);
        e->y = worst_of(c->count, y, c->y);
        e->x = worst_of(c->count, dx, c->grad_x);
        e->alpha = relative(sums.alpha, c->grad_alpha);
        e->sigma = c->has_sigma ? relative(sums.sigma, c->grad_sigma) : 0;
    }
    free(codes);
    free(y);
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
        if (!can_run(&cases[i])) {
            r->skipped++;
            continue;
        }
        errors e = {0};
        SRQ_TRY(run_case(&cases[i], vector, &e));
        r->cases++;
        r->worst.codes += e.codes;
        r->worst.y = worse(e.y, r->worst.y);
        r->worst.x = worse(e.x, r->worst.x);
        r->worst.alpha = worse(e.alpha, r->worst.alpha);
        r->worst.sigma = worse(e.sigma, r->worst.sigma);
    }
    return SRQ_OK;
}

static bool passes(const errors *e)
{
    return e->codes == 0 && e->y <= tolerance && e->x <= tolerance && e->alpha <= tolerance && e->sigma <= tolerance;
}

static srq_status print_results(const result *results, int count)
{
    bool all = true;
    long run = 0;
    printf("worst error of each method, relative to the largest magnitude in the case (at most %.0e)\n\n", tolerance);
    printf("%-24s %6s %12s %10s %10s %10s %10s\n", "method", "cases", "wrong codes", "y", "x", "alpha", "sigma");
    for (int i = 0; i < count; i++) {
        const result *r = &results[i];
        run += r->cases;
        if (r->cases == 0) {
            printf("%-24s %6ld not run: this version has no such quantizer\n", r->name, r->skipped);
            continue;
        }
        bool pass = passes(&r->worst);
        all = all && pass;
        printf("%-24s %6ld %12ld %10.1e %10.1e %10.1e %10.1e  %s\n", r->name, r->cases, r->worst.codes, r->worst.y,
               r->worst.x, r->worst.alpha, r->worst.sigma, pass ? "ok" : "TOO LARGE");
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
