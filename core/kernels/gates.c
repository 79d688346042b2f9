#include "core/kernels/gates.h"

#include "core/kernels/curves.h"

#include <math.h>

/* --- Thresholds */

/* log p of the code at kappa, up to a constant: p = sinh(rho/2) / (cosh(rho/2) + cosh(rho (t - kappa))). */
static double log_mass(double rho, double t, double kappa)
{
    const double far = fabs(t - kappa) * rho;
    return -far - log(2 * exp(-far) * cosh(rho / 2) + 1 + exp(-2 * far));
}

static double mask_of(const srq_levels *levels, int i)
{
    return i ? (double)levels->mask[i - 1] : 1;
}

/* Whether a code of a level above i has a larger mass at t than the end code of level i. */
static bool outer_wins(const srq_levels *levels, const srq_level_ends *ends, double rho, double at, int i)
{
    const double own = log(mask_of(levels, i)) + log_mass(rho, at, (double)ends->limit[i] - 0.5);
    for (int c = i + 1; c <= ends->levels; c++) {
        const double first = (double)ends->limit[c - 1] + 0.5, last = (double)ends->limit[c] - 0.5;
        const double nearest = fmin(last, fmax(first, floor(at) + 0.5));
        if (log(mask_of(levels, c)) + log_mass(rho, at, nearest) > own) return true;
    }
    return false;
}

static float find_threshold(const srq_levels *levels, const srq_level_ends *ends, double rho, int i)
{
    /* Far outside of the grid, the ratios are constant. A code that is not the largest there never is. */
    double low = (double)ends->limit[i], high = (double)ends->limit[ends->levels] + 50 / rho;
    if (i == ends->levels || !outer_wins(levels, ends, rho, high, i)) return INFINITY;
    for (int step = 0; step < 60; step++) {
        const double middle = 0.5 * (low + high);
        if (outer_wins(levels, ends, rho, middle, i))
            high = middle;
        else
            low = middle;
    }
    return (float)high;
}

void srq_level_ends_find(const srq_grid *grid, const srq_levels *levels, srq_level_ends *ends)
{
    const double rho = (double)grid->alpha / (double)grid->sigma;
    ends->levels = levels->count;
    for (int i = 0; i <= levels->count; i++) ends->limit[i] = (float)(1 << (levels->min_bits + i - 1));
    for (int i = 0; i <= levels->count; i++) ends->threshold[i] = find_threshold(levels, ends, rho, i);
}

/* --- Curves */

static const double RHO_LEAST = 2, RHO_MOST = 4.2, MASK_LEAST = 1e-3;

/* Outside of these bins, the shares of the codes change by less than e^-14. Codes outside of the window have less than
 * e^-18 of the largest mass, even if the masks inside are small. */
enum { OUTSIDE_MAX = 11, WINDOW_MAX = 14 };

/* The codes that affect a bin: those between the edges d and d + 1, counted from `edge`, for d = -window - 1 .. window.
 */
typedef struct codes {
    double rho, share, edge; /* share: 1 / (1 - Q_1) */
    double largest;
    int window;
    double q[2 * WINDOW_MAX + 3]; /* Q_d at [d + window + 1] */
    double mask[2 * WINDOW_MAX + 2];
    int level[2 * WINDOW_MAX + 2]; /* 0: the grid below all gates; -1: no code */
} codes;

static void see_bin(const srq_levels *levels, const srq_level_ends *ends, int bin, codes *c)
{
    c->edge = fmin(bin, c->largest);
    for (int k = 0; k < 2 * c->window + 2; k++) {
        const double away = fabs(c->edge + (k - c->window - 1) + 0.5);
        int level = 0;
        while (level <= ends->levels && away > (double)ends->limit[level]) level++;
        c->level[k] = level <= ends->levels ? level : -1;
        c->mask[k] = level <= ends->levels ? mask_of(levels, level) : 0;
    }
}

/* D, T and the derivative by each mask, at t: the covariances that dropbits.c explains. */
static void slopes(const codes *c, int levels, double t, double *d, double *turn, double *gate)
{
    const double gap = c->rho * (c->edge - t), s = exp(gap);
    double mass = 0, place = 0, eta = 0, eta_place = 0, by = 0, by_place = 0;
    double level[SRQ_LEVELS_MAX + 1] = {0}, level_place[SRQ_LEVELS_MAX + 1] = {0};
    double lower = 1 / (s + c->q[0]);
    for (int k = 0; k < 2 * c->window + 2; k++) {
        const double upper = 1 / (s + c->q[k + 1]), low = c->q[k] * lower, up = c->q[k + 1] * upper;
        const double distance = k - c->window - 1, i = distance + 0.5, w = low * upper;
        const double mw = c->mask[k] * w, me = mw * s * (lower + upper);
        const double mc = c->mask[k] * c->share * ((distance + 1) * up * upper - distance * low * lower);
        lower = upper;
        if (c->level[k] < 0) continue;
        mass += mw, place += mw * i;
        eta += me, eta_place += me * i;
        by += mc, by_place += mc * i;
        level[c->level[k]] += w, level_place[c->level[k]] += w * i;
    }
    const double mean = place / mass;
    *d = c->rho * (eta_place - mean * eta) / mass;
    *turn = c->rho * ((by_place - mean * by) / mass) - (c->edge - t) * *d;
    for (int k = 0; k < levels; k++) gate[k] = (level_place[k + 1] - mean * level[k + 1]) / mass;
}

static void fit_bin(const srq_curve_basis *basis, const codes *c, int bin, int levels, float *row)
{
    double values[SRQ_LEVELS_MAX + 2][SRQ_CURVE_DEGREE + 1], gate[SRQ_LEVELS_MAX];
    for (int i = 0; i <= SRQ_CURVE_DEGREE; i++) {
        slopes(c, levels, bin + 0.5 + basis->at[i], &values[0][i], &values[1][i], gate);
        values[0][i] = 1 - values[0][i];
        for (int k = 0; k < levels; k++) values[2 + k][i] = gate[k];
    }
    for (int k = 0; k < levels + 2; k++) {
        double powers[SRQ_CURVE_DEGREE + 1];
        srq_curve_fit(basis, values[k], powers);
        for (int p = 0; p <= SRQ_CURVE_DEGREE; p++) row[k * (SRQ_CURVE_DEGREE + 1) + p] = (float)powers[p];
    }
}

bool srq_gate_curves_fit(const srq_grid *grid, const srq_levels *levels, srq_gate_curves *curves)
{
    const double rho = (double)grid->alpha / (double)grid->sigma;
    const double least = mask_of(levels, levels->count); /* masks do not increase */
    curves->fitted = rho >= RHO_LEAST && rho <= RHO_MOST && least >= MASK_LEAST;
    if (!curves->fitted) return false;
    curves->grid = *grid;
    srq_level_ends_find(grid, levels, &curves->ends);
    codes c = {.rho = rho, .share = -1 / expm1(-rho), .largest = (double)curves->ends.limit[levels->count]};
    c.window = (int)ceil(1 + (18 - log(least)) / rho);
    for (int k = 0; k < 2 * c.window + 3; k++) c.q[k] = exp(-(k - c.window - 1) * rho);
    curves->bins = (int)c.largest + (int)ceil((14 - log(least)) / rho);
    curves->powers = (2 + levels->count) * (SRQ_CURVE_DEGREE + 1);
    srq_curve_basis basis;
    srq_curve_basis_make(&basis);
    for (int bin = 0; bin < curves->bins; bin++) {
        see_bin(levels, &curves->ends, bin, &c);
        fit_bin(&basis, &c, bin, levels->count, curves->rows + (size_t)bin * (size_t)curves->powers);
    }
    return true;
}

size_t srq_gate_curves_size(int min_bits, int bits)
{
    const size_t bins = (size_t)(1 << (bits - 1)) + OUTSIDE_MAX, levels = (size_t)(bits - min_bits);
    return bins * (2 + levels) * (SRQ_CURVE_DEGREE + 1);
}
