/* SRQ under DropBits with fractional gates (method.md, section 4). Built three times, see vector.h.
 *
 * In t = x / alpha + 1/2 everything is symmetric about 0: the c-bit grid covers |t| < L_c = 2^(c-1), edges are the
 * integers, and code k sits at kappa = k + 1/2. So x is reflected to t >= 0, and level(k) depends on |kappa| alone.
 *
 * With p the edge nearest to t, s = e^((e_p - x)/sigma) and Q_d = e^(-d alpha/sigma), the edge d above p has
 * S = s / (s + Q_d), and the code between edges d and d + 1 has the untruncated mass
 *     S_{d+1} - S_d = s (1 - Q_1) w,    w = Q_d / ((s + Q_d)(s + Q_{d+1})),
 * whose derivatives, with gap = (e_p - x)/sigma, rho = alpha/sigma, eta = S_d + S_{d+1},
 * c = [(d+1) Q_{d+1}/(s+Q_{d+1})^2 - d Q_d/(s+Q_d)^2] / ((1 - Q_1) w), are
 *     d log w / dx = eta/sigma + const,    d log w / dsigma = -(rho c - gap eta)/sigma + const,
 * const the same for all codes. By homogeneity d/dalpha = (c - a_p eta)/sigma with e_p = alpha a_p.
 * So with r ~ m w all derivatives of E = sum g r are covariances of delta = kappa - p with eta and with c: they are
 * taken around p, the middle of what has mass, so little cancels. One loop over the codes within the window gives
 * the sums for both estimators; nothing depends on 2^b.
 *
 * The hard code: m p is largest at the nearest code, or at the end code L_c - 1/2 of a smaller grid. p is log-concave,
 * so the largest moves up with t, and end code L_c - 1/2 wins until t reaches a threshold T_c >= L_c that is the same
 * for the whole tensor: the forward pass is a rounding and a comparison for each level. */
#include "core/kernels/lanes.h"

enum { LANES = 64, WINDOW_MAX = 256 };

typedef struct tables {
    double alpha;
    float sigma, rho, share; /* alpha / sigma; 1 / (1 - Q_1) */
    float largest;           /* L_b, edges are -L_b..L_b */
    int window, levels;
    float limit[SRQ_LEVELS_MAX + 1];     /* L_c0, L_c0+1, ... */
    float threshold[SRQ_LEVELS_MAX + 1]; /* T_c0, ...; that of the last level is never reached */
    float mask[SRQ_LEVELS_MAX + 1];      /* 1, m_c0+1, ... */
    float q[2 * WINDOW_MAX + 3];         /* Q_d at [WINDOW_MAX + 1 + d] */
} tables;

/* log p of the code at kappa, but for a constant: p = sinh(rho/2) / (cosh(rho/2) + cosh(rho (t - kappa))). */
static double log_mass(double rho, double t, double kappa)
{
    const double far = fabs(t - kappa) * rho;
    return -far - log(2 * exp(-far) * cosh(rho / 2) + 1 + exp(-2 * far));
}

/* Whether a code of a level above the i-th beats the end code of the i-th at t. */
static bool outer_wins(const tables *t, double at, int i)
{
    const double rho = (double)t->rho;
    const double own = log((double)t->mask[i]) + log_mass(rho, at, (double)t->limit[i] - 0.5);
    for (int c = i + 1; c <= t->levels; c++) {
        const double first = (double)t->limit[c - 1] + 0.5, last = (double)t->limit[c] - 0.5;
        const double nearest = fmin(last, fmax(first, floor(at) + 0.5));
        if (log((double)t->mask[c]) + log_mass(rho, at, nearest) > own) return true;
    }
    return false;
}

static float find_threshold(const tables *t, int i)
{
    /* Far beyond the grid the odds no longer change: what does not win there never does. */
    double low = (double)t->limit[i], high = (double)t->largest + 50 / (double)t->rho;
    if (i == t->levels || !outer_wins(t, high, i)) return INFINITY;
    for (int step = 0; step < 60; step++) {
        const double middle = 0.5 * (low + high);
        if (outer_wins(t, middle, i))
            high = middle;
        else
            low = middle;
    }
    return (float)high;
}

static void fill(tables *t, const srq_grid *grid, const srq_levels *levels)
{
    const double rho = (double)grid->alpha / (double)grid->sigma;
    *t = (tables){.alpha = (double)grid->alpha, .sigma = grid->sigma, .rho = (float)rho, .levels = levels->count};
    t->share = (float)(-1 / expm1(-rho));
    double least = 1;
    for (int i = 0; i <= levels->count; i++) {
        t->mask[i] = i ? levels->mask[i - 1] : 1;
        t->limit[i] = (float)(1 << (levels->min_bits + i - 1));
        least = fmin(least, (double)t->mask[i]);
    }
    t->largest = t->limit[levels->count];
    for (int i = 0; i <= levels->count; i++) t->threshold[i] = find_threshold(t, i);
    /* Beyond it masses are below e^-24 of the largest, however small the mask of what is near. */
    const double window = ceil(1 + (24 - log(least)) / rho);
    t->window = window < 2 * (double)t->largest ? (int)window : (int)(2 * t->largest);
    for (int d = -t->window - 1; d <= t->window + 1; d++) {
        const double q = exp(-d * rho);
        t->q[WINDOW_MAX + 1 + d] = q < 1e37 ? (float)q : 1e37f;
    }
}

/* kappa of the hard code of x = alpha v: the nearest, or an end code. */
static inline float code_lane(const tables *t, float v)
{
    const float there = v + 0.5f, at = there < 0 ? -there : there;
    const float nearest = round_lane(v, -t->largest, t->largest - 1) + 0.5f;
    float kappa = nearest < 0 ? -nearest : nearest;
    for (int i = t->levels - 1; i >= 0; i--) {
        const float end = t->limit[i] - 0.5f;
        kappa = (at < t->threshold[i]) & (kappa > end) ? end : kappa;
    }
    return nearest < 0 ? -kappa : kappa;
}

static bool quantize(size_t n, const float *x, const srq_grid *grid, const srq_levels *levels, int8_t *codes)
{
    tables t;
    fill(&t, grid, levels);
    float bad = 0;
    for (size_t i = 0; i < n; i++) {
        codes[i] = (int8_t)(int32_t)(code_lane(&t, x[i] / grid->alpha) - 0.5f);
        bad += x[i] - x[i];
    }
    return bad == 0;
}

/* Sums over the codes of one pack of elements; `own` is the hard code's share of them. */
typedef struct moments {
    pack mass, delta, eta, eta_delta, c, c_delta;
    pack own_mass, own_eta, own_c, own_mask;
    pack level[SRQ_LEVELS_MAX], level_delta[SRQ_LEVELS_MAX]; /* unmasked, of all codes above level i */
} moments;

static inline void add_code(const tables *t, moments *m, pack kappa, pack own, pack delta, pack w, pack eta, pack c)
{
    const pack zero = {0};
    const pack size = pack_select(kappa < 0, -kappa, kappa);
    const pack_mask inside = size < t->largest;
    w = pack_where(inside, w);
    c = pack_where(inside, c);
    pack mask = zero + 1;
    for (int i = 0; i < t->levels; i++) {
        const pack_mask above = size > t->limit[i];
        mask = pack_select(above, zero + t->mask[i + 1], mask);
        m->level[i] += pack_where(above, w);
        m->level_delta[i] += pack_where(above, w * delta);
    }
    const pack_mask is_own = kappa == own;
    m->own_mass += pack_where(is_own, w);
    m->own_eta += pack_where(is_own, eta);
    m->own_c += pack_where(is_own, c);
    m->own_mask += pack_where(is_own, mask);
    const pack mw = mask * w, mc = mask * c;
    m->mass += mw;
    m->delta += mw * delta;
    m->eta += mw * eta;
    m->eta_delta += mw * eta * delta;
    m->c += mc;
    m->c_delta += mc * delta;
}

static inline void sum_codes(const tables *t, moments *m, pack s, pack p, pack own)
{
    *m = (moments){0};
    const float *q = t->q + WINDOW_MAX + 1;
    pack lower = 1 / (s + q[-t->window - 1]);
    for (int d = -t->window - 1; d <= t->window; d++) {
        const pack upper = 1 / (s + q[d + 1]), delta = (pack){0} + ((float)d + 0.5f);
        const pack w = q[d] * lower * upper;
        const pack eta = s * lower + s * upper;
        const pack c = ((float)(d + 1) * (q[d + 1] * upper * upper) - (float)d * (q[d] * lower * lower)) * t->share;
        add_code(t, m, p + delta, own, delta, w, eta, c);
        lower = upper;
    }
}

/* The answer for one pack of elements, in the reflected coordinates' meaning. */
typedef struct answer {
    pack dx, alpha, sigma;
    pack gate[SRQ_LEVELS_MAX]; /* by the mask of level i */
} answer;

typedef struct place {
    pack s, p, own, sign, gap; /* gap in units of sigma */
} place;

static inline void full_answer(const tables *t, const moments *m, const place *at, answer *a)
{
    const pack inverse = 1 / m->mass, mean = m->delta * inverse;
    const pack by_x = t->rho * ((m->eta_delta - mean * m->eta) * inverse);
    const pack by_c = t->rho * ((m->c_delta - mean * m->c) * inverse);
    const pack code = at->own - 0.5f * at->sign, edge = at->p - 0.5f * at->sign;
    a->dx = by_x;
    a->alpha = at->sign * (code + (by_c - edge * by_x));
    a->sigma = at->sign * (at->gap * by_x - t->rho * by_c);
    for (int i = 0; i < t->levels; i++) {
        pack w = m->level[i], wd = m->level_delta[i];
        if (i + 1 < t->levels) {
            w -= m->level[i + 1];
            wd -= m->level_delta[i + 1];
        }
        a->gate[i] = at->sign * (float)t->alpha * ((wd - mean * w) * inverse);
    }
}

static inline void argmax_answer(const tables *t, const moments *m, const place *at, answer *a)
{
    const pack inverse = 1 / m->mass, rate = m->own_mask * m->own_mass * inverse;
    const pack code = at->own - 0.5f * at->sign, edge = at->p - 0.5f * at->sign;
    const pack point = (float)t->alpha * code;
    const pack by_x = rate * (m->own_eta - m->eta * inverse) / t->sigma;
    const pack by_c = rate * (m->own_c / m->own_mass - m->c * inverse) / t->sigma;
    a->dx = point * by_x;
    a->alpha = at->sign * (code + point * (by_c - edge * by_x));
    a->sigma = at->sign * point * (at->gap * by_x - t->rho * by_c);
    for (int i = 0; i < t->levels; i++) {
        pack_mask mine = at->own > t->limit[i];
        pack w = m->level[i];
        if (i + 1 < t->levels) {
            w -= m->level[i + 1];
            mine &= at->own < t->limit[i + 1];
        }
        a->gate[i] = at->sign * point * ((pack_where(mine, m->own_mass) - rate * w) * inverse);
    }
}

static inline void find_place(const tables *t, const float *x, place *at)
{
    float s[PACK], p[PACK], own[PACK], sign[PACK], gap[PACK];
    for (int l = 0; l < PACK; l++) {
        const float v = x[l] / (float)t->alpha + 0.5f, size = v < 0 ? -v : v;
        sign[l] = v < 0 ? -1.0f : 1.0f;
        p[l] = round_lane(size, 0, t->largest);
        const float kappa = code_lane(t, x[l] / (float)t->alpha);
        own[l] = kappa < 0 ? -kappa : kappa;
    }
    for (int l = 0; l < PACK; l++) {
        /* In float64, where the product is exact. */
        const double x_there = (double)sign[l] * ((double)x[l] + 0.5 * t->alpha);
        gap[l] = (float)((t->alpha * (double)p[l] - x_there) / (double)t->sigma);
    }
    for (int l = 0; l < PACK; l++) s[l] = exp_lane(gap[l]);
    *at = (place){pack_load(s), pack_load(p), pack_load(own), pack_load(sign), pack_load(gap)};
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

static void backward(size_t n, const float *x, const float *dy, const srq_grid *grid, const srq_levels *levels,
                     bool argmax, float *dx, srq_grid_gradient *sums, double *gates)
{
    tables t;
    lane_sums lanes = {0};
    fill(&t, grid, levels);
    for (size_t i = 0; i < n; i += PACK) {
        const size_t count = n - i < PACK ? n - i : PACK, lane = i % LANES;
        float in[PACK] = {0}, from[PACK] = {0}, to[PACK];
        memcpy(in, x + i, count * sizeof *x);
        memcpy(from, dy + i, count * sizeof *dy);
        place at;
        moments m;
        answer a;
        find_place(&t, in, &at);
        sum_codes(&t, &m, at.s, at.p, at.own);
        if (argmax)
            argmax_answer(&t, &m, &at, &a);
        else
            full_answer(&t, &m, &at, &a);
        const pack g = pack_load(from);
        pack_store(to, g * a.dx);
        memcpy(dx + i, to, count * sizeof *dx);
        add_pack(lanes.alpha + lane, g * a.alpha);
        add_pack(lanes.sigma + lane, g * a.sigma);
        for (int k = 0; k < t.levels; k++) add_pack(lanes.gate[k] + lane, g * a.gate[k]);
    }
    sums->alpha = total(lanes.alpha);
    sums->sigma = total(lanes.sigma);
    for (int k = 0; k < t.levels; k++) gates[k] = total(lanes.gate[k]);
}

extern const srq_dropbits_kernels SRQ_ISA_NAME(srq_dropbits);
const srq_dropbits_kernels SRQ_ISA_NAME(srq_dropbits) = {.quantize = quantize, .backward = backward};
