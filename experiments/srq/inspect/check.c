/* srq check: compares kernels with golden cases. */
#include "core/quant/methods.h"
#include "experiments/srq/commands.h"
#include "io/escape.h"
#include "io/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Errors of a case, relative to the largest magnitude of its results of the same kind. Sums are relative to themselves,
 * or to the largest gradient of x if that is larger. For hard_concrete, z counts as y, and everything else as gates. */
typedef struct errors {
    long codes; /* number of wrong codes */
    double y, x, alpha, sigma, gates;
} errors;

/* The largest errors over the cases of one method (and estimator). */
typedef struct result {
    char name[64];
    long cases, skipped;
    errors worst;
} result;

enum { RESULTS_MAX = 32 };
static const double tolerance = 1e-4, sum_tolerance = 1e-3;

static double worse(double a, double b)
{
    return a > b || isnan(a) ? a : b;
}

static bool is_relaxed(const srq_golden_case *c)
{
    return c->gumbel != NULL;
}

static srq_grid grid_of(const srq_golden_case *c)
{
    srq_grid grid = {.alpha = (float)c->alpha, .sigma = c->has_sigma ? (float)c->sigma : 1};
    grid.min = c->is_signed ? -(1 << (c->bits - 1)) : 0;
    grid.max = grid.min + (1 << c->bits) - 1;
    return grid;
}

/* Compares y, and the codes of methods that have them. */
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

/* LSQ's golden cases have the gradient of alpha without the gradient scale 1 / sqrt(N M), so ste_backward is used for
 * lsq and for ste. */
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

/* The code of an element. Cases of rq_st have only y. */
static double code_of(const srq_golden_case *c, size_t i)
{
    return c->code ? (double)c->code[i] : rint(c->y[i] / c->alpha);
}

/* The largest difference relative to the largest result. */
static double worst_of(size_t n, const float *found, const double *expected)
{
    double largest = 1e-12, worst = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fabs(expected[i]));
        worst = worse(fabs((double)found[i] - expected[i]), worst);
    }
    return worst / largest;
}

static double largest_of(size_t n, const double *v)
{
    double largest = 1e-12;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(v[i]));
    return largest;
}

static double relative(double found, double expected, double least)
{
    return fabs(found - expected) / fmax(fabs(expected), least);
}

/* --- DropBits: the masks of a case are its gates Z. A gate that is 0 or 1 does not change with its logit, so srq
 * computes no gradient for it, and that of the case is not compared. */

static srq_status make_gated(const srq_golden_case *c, srq_quantizer *q)
{
    srq_quantizer_spec spec = {.method = "srq",
                               .estimator =
                                   strcmp(c->estimator, "argmax") == 0 ? SRQ_ESTIMATOR_ARGMAX : SRQ_ESTIMATOR_FULL,
                               .bits = {.count = 1, .bits = {c->bits}},
                               .dropbits = SRQ_DROPBITS_REGULARIZE,
                               .min_bits = c->min_bits};
    double z[SRQ_LEVELS_MAX] = {0};
    SRQ_TRY(srq_quantizer_init(&spec, c->is_signed, 1, q));
    q->training = true;
    q->grid.alpha = (float)c->alpha;
    q->grid.sigma = (float)c->sigma;
    for (size_t i = 0; i < c->gates; i++) z[i] = (double)c->mask[i];
    srq_gates_set(&q->gates, z);
    return SRQ_OK;
}

static srq_status run_gated(const srq_golden_case *c, const srq_vector *vector, int8_t *codes, float *y, float *dx,
                            srq_grid_gradient *sums, errors *e)
{
    srq_quantizer q;
    double masks[SRQ_LEVELS_MAX] = {0}, z[SRQ_LEVELS_MAX];
    SRQ_TRY(make_gated(c, &q));
    const int kept = q.gates.levels.min_bits + q.gates.levels.count;
    srq_grid grid = {.alpha = q.grid.alpha, .sigma = q.grid.sigma, .min = -(1 << (kept - 1))};
    grid.max = -grid.min - 1;
    srq_quantizer_forward(&q, vector, c->count, c->x, codes);
    q.method->backward(&q, vector, &grid, 0, c->count, c->count, c->x, c->grad_out, dx, sums, masks);
    srq_gates_backward(&q.gates, masks, z);
    for (size_t i = 0; i < c->count; i++) y[i] = grid.alpha * (float)codes[i];
    for (size_t i = 0; c->grad_mask && i < c->gates; i++)
        if (c->mask[i] > 0 && c->mask[i] < 1)
            e->gates = worse(fabs(z[i] - c->grad_mask[i]) / largest_of(c->gates, c->grad_mask), e->gates);
    return SRQ_OK;
}

/* --- Hard concrete gates */

static void run_concrete(const srq_golden_case *c, errors *e)
{
    const srq_concrete concrete = {.gamma = c->gamma, .zeta = c->zeta, .tau = c->tau};
    const double phi = largest_of(c->count, c->grad_phi), open = largest_of(c->count, c->grad_p_open);
    for (size_t i = 0; i < c->count; i++) {
        double slope, open_slope;
        const double z = srq_concrete_gate(&concrete, (double)c->phi[i], (double)c->u[i], &slope);
        const double p = srq_concrete_open(&concrete, (double)c->phi[i], &open_slope);
        e->y = worse(fabs(z - c->z[i]), e->y);
        e->gates = worse(fabs(srq_concrete_mean(&concrete, (double)c->phi[i]) - c->z_eval[i]), e->gates);
        e->gates = worse(fabs(slope * (double)c->grad_out[i] - c->grad_phi[i]) / phi, e->gates);
        e->gates = worse(fabs(p - c->p_open[i]), e->gates);
        e->gates = worse(fabs(open_slope - c->grad_p_open[i]) / open, e->gates);
    }
}

/* --- Cases */

static srq_status run_case(const srq_golden_case *c, const srq_vector *vector, errors *e)
{
    if (c->phi) {
        run_concrete(c, e);
        return SRQ_OK;
    }
    const srq_grid grid = grid_of(c);
    const srq_relaxation relaxation = {.temperature = (float)c->tau, .gumbel = c->gumbel};
    const bool has_codes = strcmp(c->method, "rq") != 0;
    srq_grid_gradient sums;
    int8_t *codes = malloc(c->count);
    float *y = malloc(c->count * sizeof *y), *dx = malloc(c->count * sizeof *dx);
    srq_status status = codes && y && dx ? SRQ_OK : srq_fail_memory(c->count * sizeof *dx, "a golden case");
    if (status == SRQ_OK && c->masked) status = run_gated(c, vector, codes, y, dx, &sums, e);
    if (status == SRQ_OK && !c->masked) {
        run_forward(c, vector, &grid, &relaxation, codes, y);
        run_backward(c, vector, &grid, &relaxation, dx, &sums);
    }
    if (status == SRQ_OK) {
        const double least = largest_of(c->count, c->grad_x);
        for (size_t i = 0; has_codes && i < c->count; i++)
            e->codes += (c->is_signed ? codes[i] : (uint8_t)codes[i]) != code_of(c, i);
        e->y = worst_of(c->count, y, c->y);
        e->x = worst_of(c->count, dx, c->grad_x);
        e->alpha = relative(sums.alpha, c->grad_alpha, least);
        e->sigma = c->has_sigma ? relative(sums.sigma, c->grad_sigma, least) : 0;
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

static srq_status run_all(const char *path, const srq_golden_case *cases, size_t count, result *results,
                          int *result_count)
{
    const srq_vector *vector = srq_vector_best(NULL);
    for (size_t i = 0; i < count; i++) {
        result *r = result_of(&cases[i], results, result_count);
        if (!r) return srq_fail(SRQ_ERROR_DATA, "%s: more than %d kinds of cases in one file", path, RESULTS_MAX);
        if (!cases[i].complete) {
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
        r->worst.gates = worse(e.gates, r->worst.gates);
    }
    return SRQ_OK;
}

static bool passes(const errors *e)
{
    return e->codes == 0 && e->y <= tolerance && e->x <= tolerance && e->gates <= tolerance &&
           e->alpha <= sum_tolerance && e->sigma <= sum_tolerance;
}

static srq_status print_results(const char *path, const result *results, int count)
{
    bool all = true;
    long run = 0;
    srq_say("Largest error of each method, relative to the largest magnitude in the case. Limits: %.0e for y, x and "
            "gates,\n"
            "%.0e for the sums alpha and sigma; %s\n\n",
            tolerance, sum_tolerance, srq_vector_best(NULL)->isa);
    srq_say("%-24s %6s %12s %10s %10s %10s %10s %10s\n", "method", "cases", "wrong codes", "y", "x", "alpha", "sigma",
            "gates");
    for (int i = 0; i < count; i++) {
        const result *r = &results[i];
        run += r->cases;
        if (r->cases == 0) {
            srq_say("%-24s %6ld not run: this version does not have the quantizer\n", r->name, r->skipped);
            continue;
        }
        bool pass = passes(&r->worst);
        all = all && pass;
        srq_say("%-24s %6ld %12ld %10.1e %10.1e %10.1e %10.1e %10.1e  %s\n", r->name, r->cases, r->worst.codes,
                r->worst.y, r->worst.x, r->worst.alpha, r->worst.sigma, r->worst.gates, pass ? "ok" : "TOO LARGE");
    }
    if (run == 0) return srq_fail(SRQ_ERROR_DATA, "%s: this version has none of the methods of its cases", path);
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
    srq_status status = run_all(argv[2], cases, count, results, &result_count);
    if (status == SRQ_OK) status = print_results(argv[2], results, result_count);
    srq_golden_free(cases, count);
    return status;
}
