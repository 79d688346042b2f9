/* SRQ with fractional gates of DropBits (method.md, section 4). Built three times, see vector.h.
 *
 * In t = x / alpha + 1/2 everything is symmetric about 0: the c-bit grid covers |t| < L_c = 2^(c-1), edges are the
 * integers, and code k sits at kappa = k + 1/2. So x is reflected to t >= 0, and level(k) depends on |kappa| alone.
 *
 * With p the edge nearest to t, s = e^((e_p - x)/sigma) and Q_d = e^(-d alpha/sigma), the edge d above p has S = s / (s
 * + Q_d), and the code between edges d and d + 1 has the untruncated mass
 *     S_{d+1} - S_d = s (1 - Q_1) w,    w = Q_d / ((s + Q_d)(s + Q_{d+1})),
 * whose derivatives, with gap = (e_p - x)/sigma, rho = alpha/sigma, eta = S_d + S_{d+1}, c = [(d+1)
 * Q_{d+1}/(s+Q_{d+1})^2 - d Q_d/(s+Q_d)^2] / ((1 - Q_1) w), are
 *     d log w / dx = eta/sigma + const,    d log w / dsigma = -(rho c - gap eta)/sigma + const,
 * const the same for all codes. By homogeneity d/dalpha = (c - a_p eta)/sigma with e_p = alpha a_p. So with r ~ m w all
 * derivatives of E = sum g r are covariances of kappa with eta and with c. They are computed with delta = kappa - own,
 * the distance to the hard code. That code has most of the mass, so little cancels. One loop over the codes in the
 * window gives the sums for both estimators, so the cost does not depend on 2^b.
 *
 * The hard code: m p is largest at the nearest code, or at the end code L_c - 1/2 of a smaller grid. p is log-concave,
 * so the code with the largest m p increases with t. End code L_c - 1/2 has the largest until t reaches a threshold T_c
 * >= L_c, which is the same for the whole tensor (gates.h). So the forward pass is a rounding and one comparison for
 * each level. */
#include "core/kernels/gates.h"
#include "core/kernels/polynomial.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

enum { LANES = 64, WINDOW_MAX = 256 };

typedef struct tables {
    double alpha;
    float sigma, rho, share; /* alpha / sigma; 1 / (1 - Q_1) */
    float largest;           /* L_b, edges are -L_b..L_b */
    int window;
    srq_level_ends ends;
    float mask[SRQ_LEVELS_MAX + 1]; /* 1, m_c0+1, ... */
    float q[2 * WINDOW_MAX + 3];    /* Q_d at [WINDOW_MAX + 1 + d] */
} tables;

static void fill(tables *t, const srq_grid *grid, const srq_levels *levels)
{
    const double rho = (double)grid->alpha / (double)grid->sigma;
    *t = (tables){.alpha = (double)grid->alpha, .sigma = grid->sigma, .rho = (float)rho};
    t->share = (float)(-1 / expm1(-rho));
    double least = 1;
    for (int i = 0; i <= levels->count; i++) {
        t->mask[i] = i ? levels->mask[i - 1] : 1;
        least = fmin(least, (double)t->mask[i]);
    }
    srq_level_ends_find(grid, levels, &t->ends);
    t->largest = t->ends.limit[levels->count];
    /* Outside of the window, masses are below e^-18 of the largest, an eighth of the last place, even if the masks
     * inside are small. */
    const double window = ceil(1 + (18 - log(least)) / rho);
    t->window = window < 2 * (double)t->largest ? (int)window : (int)(2 * t->largest);
    for (int d = -t->window - 1; d <= t->window + 1; d++) {
        const double q = exp(-d * rho);
        t->q[WINDOW_MAX + 1 + d] = q < 1e37 ? (float)q : 1e37f;
    }
}

/* kappa of the hard code of x = alpha v: the nearest, or an end code. */
static inline pack hard_code(const srq_level_ends *ends, pack v)
{
    const float largest = ends->limit[ends->levels];
    const pack zero = {0};
    const pack there = v + 0.5f, far = zero + 1e37f, away = pack_if_above(zero, there, -there, there);
    /* v may be infinite if x is finite; an infinite threshold is above any v. */
    const pack at = pack_if_above(away, far, far, away);
    pack nearest = pack_if_above(v, zero - largest, v, zero - largest); /* NaN: the smallest */
    nearest = pack_if_above(nearest, zero + (largest - 1), zero + (largest - 1), nearest);
    nearest = pack_round(nearest) + 0.5f;
    pack kappa = pack_if_above(zero, nearest, -nearest, nearest);
    for (int i = ends->levels - 1; i >= 0; i--) {
        const pack end = zero + (ends->limit[i] - 0.5f);
        kappa = pack_if_above(zero + ends->threshold[i], at, pack_if_above(kappa, end, end, kappa), kappa);
    }
    return pack_if_above(zero, nearest, -kappa, kappa);
}

/* Whole blocks are processed without a copy; only the rest of the tensor is copied. */
ALWAYS_INLINE pack quantize_block(const srq_level_ends *ends, float alpha, size_t count, const float *x, int8_t *codes)
{
    float lanes[LANES] = {0};
    int8_t out[LANES];
    pack bad = {0};
    memcpy(lanes, x, count * sizeof *x);
    for (int l = 0; l < LANES; l += PACK) {
        const pack v = pack_load(lanes + l);
        bad += v - v;
        pack_store(lanes + l, hard_code(ends, v / alpha) - 0.5f);
    }
    for (int l = 0; l < LANES; l++) out[l] = (int8_t)(int32_t)lanes[l];
    memcpy(codes, out, count);
    return bad;
}

static bool quantize(size_t n, const float *x, const srq_grid *grid, const srq_levels *levels, int8_t *codes)
{
    srq_level_ends ends;
    pack bad = {0};
    srq_level_ends_find(grid, levels, &ends);
    size_t i = 0;
    for (; n - i >= LANES; i += LANES) bad += quantize_block(&ends, grid->alpha, LANES, x + i, codes + i);
    if (i < n) bad += quantize_block(&ends, grid->alpha, n - i, x + i, codes + i);
    float sum = 0;
    for (int l = 0; l < PACK; l++) sum += bad[l];
    return sum == 0;
}

/* Sums over the codes of one pack of elements. For argmax, the hard code, own, is kept separate. If it has nearly all
 * the mass, its gradient is the small mass of the other codes, which its own terms would cancel away. */
typedef struct moments {
    pack mass, delta, eta, eta_delta, c, c_delta;
    pack own_mass, own_eta, own_c, own_mask;
    pack level[SRQ_LEVELS_MAX],
        level_delta[SRQ_LEVELS_MAX]; /* unmasked sum over the codes of each level; for argmax without own */
} moments;

/* CALL(levels) with a constant, so that each case is compiled separately and keeps its sums in registers. With
 * sanitizers it is a variable, because the cases would take minutes to compile. */
#ifdef __SANITIZE_ADDRESS__
#define BY_LEVELS(levels_, CALL) CALL(levels_);
#else
#define ONE_CASE(level, CALL)                                                                                          \
    case level:                                                                                                        \
        CALL(level);                                                                                                   \
        break
#define BY_LEVELS(levels_, CALL)                                                                                       \
    switch (levels_) {                                                                                                 \
        ONE_CASE(0, CALL);                                                                                             \
        ONE_CASE(1, CALL);                                                                                             \
        ONE_CASE(2, CALL);                                                                                             \
        ONE_CASE(3, CALL);                                                                                             \
        ONE_CASE(4, CALL);                                                                                             \
        ONE_CASE(5, CALL);                                                                                             \
        ONE_CASE(6, CALL);                                                                                             \
        ONE_CASE(7, CALL);                                                                                             \
    }
#endif

typedef struct kind {
    bool argmax;
    int levels;
} kind;

ALWAYS_INLINE void add_code(const kind k, const tables *t, moments *m, pack kappa, pack own, pack w, pack eta, pack c)
{
    const pack zero = {0}, delta = kappa - own;
    const pack size = pack_if_above(zero, kappa, -kappa, kappa);
    w = pack_if_above(zero + t->largest, size, w, zero);
    c = pack_if_above(zero + t->largest, size, c, zero);
    const pack_mask is_own = kappa == own;
    const pack wd = w * delta, counted = k.argmax ? pack_where(~is_own, w) : w;
    pack mask = zero + 1;
#pragma GCC unroll 8
    for (int i = 0; i < k.levels; i++) {
        const pack limit = zero + t->ends.limit[i];
        mask = pack_if_above(size, limit, zero + t->mask[i + 1], mask);
        /* The sum of this level is computed by itself, because a difference of larger sums would lose it if the level
         * above is nearer. */
        const pack_mask above = i + 1 < k.levels ? size > zero + t->ends.limit[i + 1] : (pack_mask){0};
        const pack_mask inside = (size > limit) & ~above;
        m->level[i] += pack_where(inside, counted);
        if (!k.argmax) m->level_delta[i] += pack_where(inside, wd);
    }
    const pack mw = mask * w, mc = mask * c, me = mw * eta;
    if (k.argmax) {
        m->mass += pack_where(~is_own, mw);
        m->eta += pack_where(~is_own, me);
        m->c += pack_where(~is_own, mc);
        m->own_mass += pack_where(is_own, w);
        m->own_eta += pack_where(is_own, eta);
        m->own_c += pack_where(is_own, c);
        m->own_mask += pack_where(is_own, mask);
    } else {
        m->mass += mw;
        m->eta += me;
        m->c += mc;
        m->delta += mw * delta;
        m->eta_delta += me * delta;
        m->c_delta += mc * delta;
    }
}

ALWAYS_INLINE void sum_codes(const kind k, const tables *t, moments *m, pack s, pack p, pack own)
{
    *m = (moments){0};
    const float *q = t->q + WINDOW_MAX + 1;
    pack lower = 1 / (s + q[-t->window - 1]);
    for (int d = -t->window - 1; d <= t->window; d++) {
        const pack upper = 1 / (s + q[d + 1]), low = q[d] * lower, up = q[d + 1] * upper;
        const pack w = low * upper, eta = s * lower + s * upper;
        const pack c = ((float)(d + 1) * (up * upper) - (float)d * (low * lower)) * t->share;
        add_code(k, t, m, p + ((float)d + 0.5f), own, w, eta, c);
        lower = upper;
    }
}

/* The result for one pack of elements. */
typedef struct answer {
    pack dx, alpha, sigma;
    pack gate[SRQ_LEVELS_MAX]; /* by the mask of level i */
} answer;

typedef struct place {
    pack s, p, own, sign, gap; /* gap in units of sigma; own and p reflected */
} place;

ALWAYS_INLINE void full_answer(const kind k, const tables *t, const moments *m, const place *at, answer *a)
{
    const pack inverse = 1 / m->mass, mean = m->delta * inverse;
    const pack by_x = t->rho * ((m->eta_delta - mean * m->eta) * inverse);
    const pack by_c = t->rho * ((m->c_delta - mean * m->c) * inverse);
    const pack code = at->own - 0.5f * at->sign, edge = at->p - 0.5f * at->sign;
    a->dx = by_x;
    a->alpha = at->sign * (code + (by_c - edge * by_x));
    a->sigma = at->sign * (at->gap * by_x - t->rho * by_c);
#pragma GCC unroll 8
    for (int i = 0; i < k.levels; i++) {
        a->gate[i] = at->sign * (float)t->alpha * ((m->level_delta[i] - mean * m->level[i]) * inverse);
    }
}

ALWAYS_INLINE void argmax_answer(const kind k, const tables *t, const moments *m, const place *at, answer *a)
{
    const pack zero = {0};
    const pack own = m->own_mask * m->own_mass, inverse = 1 / (own + m->mass), rate = own * inverse;
    const pack code = at->own - 0.5f * at->sign, edge = at->p - 0.5f * at->sign;
    const pack point = (float)t->alpha * code;
    const pack by_x = rate * ((m->own_eta * m->mass - m->eta) * inverse) / t->sigma;
    const pack by_c = rate * ((m->own_c / m->own_mass * m->mass - m->c) * inverse) / t->sigma;
    a->dx = point * by_x;
    a->alpha = at->sign * (code + point * (by_c - edge * by_x));
    a->sigma = at->sign * point * (at->gap * by_x - t->rho * by_c);
#pragma GCC unroll 8
    for (int i = 0; i < k.levels; i++) {
        pack mine = pack_if_above(at->own, zero + t->ends.limit[i], m->own_mass, zero);
        if (i + 1 < k.levels) mine = pack_if_above(zero + t->ends.limit[i + 1], at->own, mine, zero);
        a->gate[i] = at->sign * point * ((mine * (m->mass * inverse) - rate * m->level[i]) * inverse);
    }
}

static inline void find_place(const tables *t, const float *x, place *at)
{
    const pack zero = {0};
    const pack v = pack_load(x) / (float)t->alpha, there = v + 0.5f;
    at->sign = pack_if_above(zero, there, zero - 1, zero + 1);
    at->p = at->sign * there;
    at->p = pack_if_above(at->p, zero + t->largest, zero + t->largest, at->p);
    at->p = pack_round(at->p);
    const pack own = hard_code(&t->ends, v);
    at->own = pack_if_above(zero, own, -own, own);
    float s[PACK], p[PACK], sign[PACK], gap[PACK];
    pack_store(p, at->p);
    pack_store(sign, at->sign);
    for (int l = 0; l < PACK; l++) {
        /* In float64, in which the product is exact. Beyond 80 sigma, the result is constant. */
        const double x_there = (double)sign[l] * ((double)x[l] + 0.5 * t->alpha);
        gap[l] = (float)fmax(-80, fmin(80, (t->alpha * (double)p[l] - x_there) / (double)t->sigma));
    }
    for (int l = 0; l < PACK; l++) s[l] = exp_lane(gap[l]);
    at->s = pack_load(s);
    at->gap = pack_load(gap);
}

typedef struct lane_sums {
    double alpha[LANES], sigma[LANES], gate[SRQ_LEVELS_MAX][LANES];
} lane_sums;

static inline void add_pack(double *sums, pack v)
{
    float lanes[PACK];
    pack_store(lanes, v);
    for (int l = 0; l < PACK; l++) sums[l] += (double)lanes[l];
}

static double total(const double *lanes)
{
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

ALWAYS_INLINE void run(const kind k, const tables *t, size_t n, const float *x, const float *dy, float *dx,
                       lane_sums *lanes)
{
    for (size_t i = 0; i < n; i += PACK) {
        const size_t count = n - i < PACK ? n - i : PACK, lane = i % LANES;
        float in[PACK] = {0}, from[PACK] = {0}, to[PACK];
        memcpy(in, x + i, count * sizeof *x);
        memcpy(from, dy + i, count * sizeof *dy);
        place at;
        moments m;
        answer a;
        find_place(t, in, &at);
        sum_codes(k, t, &m, at.s, at.p, at.own);
        if (k.argmax)
            argmax_answer(k, t, &m, &at, &a);
        else
            full_answer(k, t, &m, &at, &a);
        const pack g = pack_load(from);
        pack_store(to, g * a.dx);
        memcpy(dx + i, to, count * sizeof *dx);
        add_pack(lanes->alpha + lane, g * a.alpha);
        add_pack(lanes->sigma + lane, g * a.sigma);
#pragma GCC unroll 8
        for (int c = 0; c < k.levels; c++) add_pack(lanes->gate[c] + lane, g * a.gate[c]);
    }
}

static void backward(size_t n, const float *x, const float *dy, const srq_grid *grid, const srq_levels *levels,
                     bool argmax, float *dx, srq_grid_gradient *sums, double *gates)
{
    tables t;
    lane_sums lanes = {0};
    fill(&t, grid, levels);
#define RUN_ARGMAX(levels_) run((kind){true, levels_}, &t, n, x, dy, dx, &lanes)
#define RUN_FULL(levels_) run((kind){false, levels_}, &t, n, x, dy, dx, &lanes)
    if (argmax)
        BY_LEVELS(t.ends.levels, RUN_ARGMAX)
    else
        BY_LEVELS(t.ends.levels, RUN_FULL)
    sums->alpha = total(lanes.alpha);
    sums->sigma = total(lanes.sigma);
    for (int k = 0; k < t.ends.levels; k++) gates[k] = total(lanes.gate[k]);
}

/* --- `full` by its curves (gates.h): of 1 - D, of T, and of the derivative by each mask, in t >= 0 */

ALWAYS_INLINE void curves_pack(const int levels, const srq_gate_curves *c, size_t count, size_t i, const float *x,
                               const float *dy, float *dx, lane_sums *lanes)
{
    const size_t lane = i % LANES;
    const float beyond = (float)c->bins - 0.5f;
    float in[PACK] = {0}, from[PACK] = {0}, to[PACK];
    memcpy(in, x + i, count * sizeof *x);
    memcpy(from, dy + i, count * sizeof *dy);
    const pack zero = {0}, g = pack_load(from), v = pack_load(in) / c->grid.alpha, there = v + 0.5f;
    const pack sign = pack_if_above(zero, there, zero - 1, zero + 1), own = hard_code(&c->ends, v) - 0.5f;
    pack t = sign * there;
    t = pack_if_above(zero + beyond, t, t, zero + beyond); /* NaN: beyond */
    const pack bin = pack_round(t - 0.5f), part = (t - 0.5f) - bin, square = part * part;
    const row_lookup l = find_rows(c->rows, c->powers, bin);
    const pack flat = polynomial_at(look_up_rows, &l, 0, part, square), slope = 1 - flat;
    const pack turn = polynomial_at(look_up_rows, &l, SRQ_CURVE_DEGREE + 1, part, square);
    /* code - v D + T, with v = middle of its bin + sign * part. */
    const pack middle = sign * (bin + 0.5f) - 0.5f;
    const pack by_alpha = ((own - middle) + middle * flat) - sign * (part * slope - turn);
    pack_store(to, g * slope);
    memcpy(dx + i, to, count * sizeof *dx);
    add_pack(lanes->alpha + lane, g * by_alpha);
    add_pack(lanes->sigma + lane, g * (sign * turn));
#pragma GCC unroll 8
    for (int k = 0; k < levels; k++) {
        const pack gate = polynomial_at(look_up_rows, &l, (2 + k) * (SRQ_CURVE_DEGREE + 1), part, square);
        add_pack(lanes->gate[k] + lane, g * (sign * gate));
    }
}

ALWAYS_INLINE void run_curves(const int levels, const srq_gate_curves *c, size_t n, const float *x, const float *dy,
                              float *dx, lane_sums *lanes)
{
    size_t i = 0;
    for (; n - i >= PACK; i += PACK) curves_pack(levels, c, PACK, i, x, dy, dx, lanes);
    if (i < n) curves_pack(levels, c, n - i, i, x, dy, dx, lanes);
}

static void curves_backward(size_t n, const float *x, const float *dy, const srq_gate_curves *curves, float *dx,
                            srq_grid_gradient *sums, double *gates)
{
    lane_sums lanes = {0};
#define RUN_CURVES(levels_) run_curves(levels_, curves, n, x, dy, dx, &lanes)
    BY_LEVELS(curves->ends.levels, RUN_CURVES)
    sums->alpha = total(lanes.alpha);
    sums->sigma = -(double)curves->grid.alpha / (double)curves->grid.sigma * total(lanes.sigma);
    for (int k = 0; k < curves->ends.levels; k++) gates[k] = (double)curves->grid.alpha * total(lanes.gate[k]);
}

extern const srq_dropbits_kernels SRQ_ISA_NAME(srq_dropbits);
const srq_dropbits_kernels SRQ_ISA_NAME(srq_dropbits) = {
    .quantize = quantize, .backward = backward, .curves_backward = curves_backward};
