#include "core/kernels/curves.h"

#include <math.h>
#include <string.h>

enum { NODES = SRQ_CURVE_DEGREE + 1, EDGES = 40 };

/* From the lower end, p = 0 in the formulas of srq.c: s = e^u, u = rho (a_0 - v), Q_j = e^(-j rho), and E / alpha = M -
 * R, R = sum over inner edges of A_j (s + Q_n) / (s + Q_j), A_j = (1 - Q_j) / (1 - Q_n). Edges beyond EDGES have no
 * effect on any bin. */
typedef struct edges {
    double rho, first;                                          /* a_0 */
    int count;                                                  /* number of inner edges that are used */
    double last, n;                                             /* Q_n; codes */
    double q[EDGES], part[EDGES], change[EDGES], weight[EDGES]; /* Q_j, A_j, dA_j / drho, K_j */
} edges;

static void set_edges(const srq_grid *grid, edges *e)
{
    e->rho = (double)grid->alpha / (double)grid->sigma;
    e->first = (double)grid->min - 0.5;
    e->n = grid->max - grid->min + 1;
    e->last = exp(-e->n * e->rho);
    e->count = grid->max - grid->min < EDGES ? grid->max - grid->min : EDGES;
    const double rest = 1 - e->last;
    for (int i = 0; i < e->count; i++) {
        const double j = i + 1, q = exp(-j * e->rho);
        e->q[i] = q;
        e->part[i] = (1 - q) / rest;
        e->change[i] = (j * q * rest - (1 - q) * e->n * e->last) / (rest * rest);
        e->weight[i] = (1 - q) * (q - e->last) / rest;
    }
}

/* D and T at v. R_u = s sum K_j / (s + Q_j)^2, D = rho R_u; T = -rho (R_u (a_0 - v) + R_rho). */
static void slopes(const edges *e, double v, double *d, double *t)
{
    const double gap = e->first - v, s = exp(e->rho * gap);
    double by_u = 0, by_rho = 0;
    for (int i = 0; i < e->count; i++) {
        const double inverse = 1 / (s + e->q[i]), j = i + 1;
        by_u += e->weight[i] * inverse * inverse;
        by_rho += e->change[i] * (s + e->last) * inverse +
                  e->part[i] * inverse * inverse * ((s + e->last) * j * e->q[i] - e->n * e->last * (s + e->q[i]));
    }
    by_u *= s;
    *d = e->rho * by_u;
    *t = -e->rho * (by_u * gap + by_rho);
}

void srq_curve_basis_make(srq_curve_basis *basis)
{
    const double pi = 3.14159265358979323846;
    double before[NODES] = {0}, now[NODES] = {1}; /* the powers of T_k in t */
    double cosines[NODES], last[NODES], here[NODES];
    *basis = (srq_curve_basis){.at = {0}};
    for (int i = 0; i < NODES; i++) {
        cosines[i] = cos(pi * (i + 0.5) / NODES);
        basis->at[i] = 0.5 * cosines[i];
        last[i] = cosines[i], here[i] = 1; /* T_-1 = T_1 and T_0 */
    }
    for (int k = 0; k < NODES; k++) {
        double next[NODES] = {0};
        for (int p = 0; p < NODES; p++)
            for (int i = 0; i < NODES; i++)
                basis->powers[p][i] += now[p] * (k ? 2.0 : 1.0) / NODES * here[i]; /* T_k at node i */
        for (int p = 0; p < NODES; p++) {
            if (p + 1 < NODES) next[p + 1] += (k ? 2 : 1) * 2 * now[p];
            next[p] -= k ? before[p] : 0;
        }
        memcpy(before, now, sizeof before);
        memcpy(now, next, sizeof now);
        for (int i = 0; i < NODES; i++) {
            const double following = 2 * cosines[i] * here[i] - last[i];
            last[i] = here[i], here[i] = following;
        }
    }
}

void srq_curve_fit(const srq_curve_basis *basis, const double *values, double *powers)
{
    for (int p = 0; p < NODES; p++) {
        powers[p] = 0;
        for (int i = 0; i < NODES; i++) powers[p] += basis->powers[p][i] * values[i];
    }
}

static void fit(const srq_curve_basis *basis, const double *values, int bin, int first, srq_curves *curves)
{
    double powers[NODES];
    srq_curve_fit(basis, values, powers);
    for (int p = 0; p < NODES; p++)
        curves->by_power[first + p][bin] = curves->by_bin[bin][first + p] = (float)powers[p];
}

bool srq_curves_fit(const srq_grid *grid, srq_curves *curves)
{
    const double rho = (double)grid->alpha / (double)grid->sigma;
    curves->fitted = rho >= 2 && rho <= 4.5 && grid->max > grid->min;
    if (!curves->fitted) return false;
    edges e;
    set_edges(grid, &e);
    curves->grid = *grid;
    srq_curve_basis basis;
    srq_curve_basis_make(&basis);
    for (int bin = 0; bin < SRQ_CURVE_BINS; bin++) {
        double flat[NODES], turn[NODES];
        for (int i = 0; i < NODES; i++) {
            slopes(&e, grid->min + bin - SRQ_CURVE_OUTSIDE + basis.at[i], &flat[i], &turn[i]);
            flat[i] = 1 - flat[i];
        }
        fit(&basis, flat, bin, 0, curves);
        fit(&basis, turn, bin, NODES, curves);
    }
    return true;
}
