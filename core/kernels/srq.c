/* Backward of Semi-Relaxed Quantization (method.md, section 3), built three times like vector.c.
 *
 * Edges of the bins are e_j = alpha a_j, a_j = m - 1/2 + j, j = 0..n, and F_j = S((e_j - x) / sigma), so that r_k =
 * (F_{j+1} - F_j) / (F_n - F_0) with j = k - m. Everything is expressed by
 *     ratio = alpha / sigma,   s = e^((e_p - x) / sigma) for an edge p near x,   Q_j = e^(-(j - p) ratio),
 * because F_j = s / (s + Q_j) and F_i - F_j = s (Q_j - Q_i) / ((s + Q_i)(s + Q_j)): the outer edges 0 and n then cancel
 * in the denominator of every r_k. The rest needs one exponential for each element, and no difference of nearly equal
 * numbers. This is also true far above the grid, where every F underflows.
 *
 * r depends on x, alpha and sigma through u = log s = ratio a_p - x / sigma and ratio only. With f_u and f_q the
 * derivatives of any f(u, ratio):
 *     df/dx = -f_u / sigma,   df/dalpha = (a_p f_u + f_q) / sigma,   df/dsigma = -(u f_u + ratio f_q) / sigma.
 *
 * e^-REACH is an eighth of the last place of 1 in float32, so edges farther than REACH sigma from x are ignored. */
#include "core/kernels/srq.h"

#include "core/kernels/polynomial.h"

static const double REACH = 18;

/* Sums have LANES accumulators: in float32 over CHUNK blocks, and in float64 over chunks. */
enum { LANES = 16, CHUNK = 16 };

static const double LN_2 = 0.69314718055994531;

typedef uint32_t pack_bits __attribute__((vector_size(PACK * sizeof(float))));

static inline pack pack_fill(float x)
{
    return (pack){0} + x;
}

/* v > bound ? v : bound, and the same with <: NaN gives the bound. This is one instruction; the compiler would need
 * three. */
static inline pack pack_at_least(pack v, float bound)
{
#if defined __AVX512F__
    return _mm512_max_ps(v, pack_fill(bound));
#elif defined __AVX2__
    return _mm256_max_ps(v, pack_fill(bound));
#elif defined __SSE2__
    return _mm_max_ps(v, pack_fill(bound));
#else
    pack_mask above = v > bound;
    return (pack)((above & (pack_mask)v) | (~above & (pack_mask)pack_fill(bound)));
#endif
}

static inline pack pack_at_most(pack v, float bound)
{
#if defined __AVX512F__
    return _mm512_min_ps(v, pack_fill(bound));
#elif defined __AVX2__
    return _mm256_min_ps(v, pack_fill(bound));
#elif defined __SSE2__
    return _mm_min_ps(v, pack_fill(bound));
#else
    pack_mask below = v < bound;
    return (pack)((below & (pack_mask)v) | (~below & (pack_mask)pack_fill(bound)));
#endif
}

static inline pack pack_abs(pack v)
{
    return (pack)((pack_bits)v & 0x7fffffffu);
}

/* The sign bit of v. pack_flip flips other signs with it, which is cheaper than a product with 1 or -1. */
static inline pack_bits pack_sign(pack v)
{
    return (pack_bits)v & 0x80000000u;
}

static inline pack pack_flip(pack v, pack_bits sign)
{
    return (pack)((pack_bits)v ^ sign);
}

/* Adding it rounds to an integer, ties to even, and leaves the integer in the low bits. */
static const float MAGIC = 12582912.0f; /* 1.5 * 2^23 */

/* 2^x for -126 <= x <= 127 to 2 units in the last place, exact at integers. The polynomial has the least relative error
 * of its degree, 9e-8. */
static inline pack pack_exp2(pack x)
{
    pack shifted = x + MAGIC, f = x - (shifted - MAGIC), square = f * f;
    pack high = (5.550733745e-2f + 9.671512677e-3f * f) + 1.326472668e-3f * square;
    pack p = 1 + f * ((6.931469776e-1f + 2.402224208e-1f * f) + high * square);
    return (pack)((pack_bits)p + ((pack_bits)shifted << 23));
}

enum { PAIRS_MAX = 128 };

/* Values that are equal for all elements of a tensor. */
typedef struct tensor {
    float alpha, alpha_high, alpha_low; /* alpha = high + low; the product of high and (a code + 1/2) is exact */
    float ratio;
    float ratio_log2; /* ratio / log(2), because u is a logarithm to base 2 */
    float log2_s;     /* log2(e) / sigma */
    float min, max;
    float middle; /* of the grid */
    float half;   /* codes from there to an end */
    /* `argmax` */
    float log2_q;                   /* log2(e) ratio */
    float q, q_all, q_both, q_ends; /* e^-ratio, e^(-n ratio), 1 + that, e^(-(n - 1) ratio) */
    float change;                   /* -mass ratio */
    float rate, rate_s;             /* of mass; of the term in s */
    /* `full` */
    float offset, p_most;        /* of the first edge from the middle; of the farthest p */
    float outer, outer_distance; /* Q_n where p is the farthest, and how many edges there are to there */
    int pairs;
    float turn_sigma; /* -rho / log(2) */
    float c[PAIRS_MAX], weight[PAIRS_MAX], weight_c[PAIRS_MAX], weight_q[PAIRS_MAX], weight_e[PAIRS_MAX];
} tensor;

/* The gradient of an element, and its contributions to the sums. The one to sigma is in units of log(2). */
typedef struct terms {
    pack dx, alpha, sigma;
} terms;

typedef terms (*terms_function)(const tensor *t, pack x, pack dy);

static inline __attribute__((always_inline)) void run_pack(terms_function function, const tensor *t, const float *x,
                                                           const float *dy, float *dx, pack *alpha, pack *sigma)
{
    terms e = function(t, pack_load(x), pack_load(dy));
    memcpy(dx, &e.dx, sizeof e.dx);
    *alpha += e.alpha;
    *sigma += e.sigma;
}

static inline void add_lanes(const pack *sums, double *to)
{
    float lane[LANES];
    memcpy(lane, sums, sizeof lane);
    for (int l = 0; l < LANES; l++) to[l] += (double)lane[l];
}

static inline srq_grid_gradient sums_of_lanes(const double *alpha, const double *sigma)
{
    srq_grid_gradient sums = {0};
    for (int l = 0; l < LANES; l++) sums.alpha += alpha[l];
    for (int l = 0; l < LANES; l++) sums.sigma += LN_2 * sigma[l];
    return sums;
}

/* The blocks of the next chunk, of n elements that are left. */
static inline size_t whole_blocks(size_t n)
{
    return n / LANES < CHUNK ? n / LANES : CHUNK;
}

/* Processes `blocks` whole blocks, at most CHUNK. It goes down the columns, to keep the sums in registers. */
static inline __attribute__((always_inline)) void run_chunk(terms_function function, const tensor *t, size_t blocks,
                                                            const float *x, const float *dy, float *dx, double *alpha,
                                                            double *sigma)
{
    pack a[LANES / PACK] = {{0}}, s[LANES / PACK] = {{0}};
    for (size_t l = 0; l < LANES / PACK; l++)
        for (size_t i = l * PACK; i < blocks * LANES; i += LANES)
            run_pack(function, t, x + i, dy + i, dx + i, &a[l], &s[l]);
    add_lanes(a, alpha);
    add_lanes(s, sigma);
}

static inline __attribute__((always_inline)) void run_all(terms_function function, const tensor *t, size_t n,
                                                          const float *x, const float *dy, float *dx,
                                                          srq_grid_gradient *sums)
{
    double alpha[LANES] = {0}, sigma[LANES] = {0};
    size_t i = 0;
    while (n - i >= LANES) {
        const size_t blocks = whole_blocks(n - i);
        run_chunk(function, t, blocks, x + i, dy + i, dx + i, alpha, sigma);
        i += blocks * LANES;
    }
    if (i < n) { /* the last block, filled with zeros of gradient 0 */
        float last_x[LANES] = {0}, last_dy[LANES] = {0}, last_dx[LANES];
        memcpy(last_x, x + i, (n - i) * sizeof *x);
        memcpy(last_dy, dy + i, (n - i) * sizeof *dy);
        run_chunk(function, t, 1, last_x, last_dy, last_dx, alpha, sigma);
        memcpy(dx + i, last_dx, (n - i) * sizeof *dx);
    }
    *sums = sums_of_lanes(alpha, sigma);
}

static inline void fill_common(tensor *t, const srq_grid *grid)
{
    const double ratio = (double)grid->alpha / (double)grid->sigma;
    union {
        float value;
        uint32_t bits;
    } high = {.value = grid->alpha};
    high.bits &= 0xfffffe00u; /* 15 bits are left; a product with 9 bits fits in 24 */
    t->alpha = grid->alpha;
    t->alpha_high = high.value;
    t->alpha_low = grid->alpha - high.value;
    t->ratio = (float)ratio;
    t->ratio_log2 = (float)(ratio / LN_2);
    t->log2_s = (float)(1 / (LN_2 * (double)grid->sigma));
    t->min = (float)grid->min;
    t->max = (float)grid->max;
    t->middle = 0.5f * (t->min + t->max);
    t->half = 0.5f * (t->max - t->min);
}

/* log2 of s for the edge at a * alpha above x, on the axis with direction `sign`. The difference is exact near the
 * edge; at code 255, a rounded product would be wrong by 1e-5 alpha. The result is cut at `least`, and at a value where
 * 1 / s is negligible against 1 but its square does not underflow. */
static inline pack log2_of_s(const tensor *t, pack x, pack a, pack_bits sign, float least)
{
    pack gap = pack_flip((t->alpha_high * a - x) + t->alpha_low * a, sign);
    return pack_at_most(pack_at_least(gap * t->log2_s, least), 57);
}

/* Subnormal numbers would be slow, so numbers that are negligible against 1 are set to 0. */
static inline float vanish(double x)
{
    return fabs(x) > 1e-26 ? (float)x : 0;
}

/* clamp(rint(v), min, max), with the same bits as `quantize`. */
static inline pack code_of(const tensor *t, pack v)
{
    return pack_round(pack_at_most(pack_at_least(v, t->min), t->max));
}

/* --- argmax. The axis is reversed if x is below the point of its code, so that the nearer edge p is always the one
 * above the code. With T = e^(-j ratio) for the j codes from there to the end of the grid, A likewise for the k codes
 * to the other end, q = e^-ratio and N = e^(-n ratio):
 *     r = mass V / D,   V = A q s^2 + (1 + N) s + T,   D = (1 + q s)(1 + s),   mass = (1 - q) / (1 - N),
 *     r_u = mass s / D^2 (up + q s (2 (A - T) - s down)),   up = (1 - T) + (N - q T),   down = (1 - A) + (N - q A),
 *     r_q = mass / D ((rate - k - 1) A q s^2 + (rate (1 + N) - n N) s + (rate - j) T + V q s / (1 + q s)),
 *     rate = d log mass / d ratio = q / (1 - q) - n N / (1 - N). */
static void fill_argmax(tensor *t, const srq_grid *grid)
{
    fill_common(t, grid);
    const double n = grid->max - grid->min + 1, ratio = (double)grid->alpha / (double)grid->sigma;
    const double q = exp(-ratio), q_all = exp(-n * ratio), rest = -expm1(-ratio), rest_all = -expm1(-n * ratio);
    const double rate = q / rest - n * q_all / rest_all;
    t->log2_q = (float)(ratio / LN_2);
    t->q = vanish(q);
    t->q_all = vanish(q_all);
    t->q_both = (float)(1 + q_all);
    t->q_ends = vanish(exp((1 - n) * ratio));
    t->change = (float)(-ratio * rest / rest_all);
    t->rate = vanish(rate);
    t->rate_s = vanish(rate * (1 + q_all) - n * q_all);
}

/* s < 1 only above the grid, where everything is proportional to q s. At 2^-40 that is negligible, and A q s^2 is still
 * a normal number. */
static inline terms argmax_terms(const tensor *t, pack x, pack dy, bool both_ends)
{
    pack v = x / t->alpha, code = code_of(t, v);
    pack_bits sign = pack_sign(v - code);
    pack place = pack_flip(code - t->middle, sign), j = t->half - place, k = t->half + place;
    pack log2_s = log2_of_s(t, x, code + pack_flip(pack_fill(0.5f), sign), sign, -40), s = pack_exp2(log2_s),
         qs = t->q * s;
    pack d = (1 + qs) * (1 + s), inverse, top, bottom;
    if (both_ends) { /* T A is the same for all */
        top = pack_exp2(-t->log2_q * j);
        pack quotient = 1 / (d * top);
        inverse = quotient * top;
        bottom = quotient * (d * t->q_ends);
    } else { /* the farther end has no effect */
        pack end = pack_exp2(pack_at_least((pack_abs(place) - t->half) * t->log2_q, -40));
        inverse = 1 / d;
        top = pack_where(place >= 0, end);
        bottom = pack_where(place < 0, end);
    }
    pack low = bottom * (qs * s), value = low + (both_ends ? t->q_both : 1) * s + top, up = 1 - top, down = 1 - bottom;
    pack top_next = t->q * top, bottom_next = t->q * bottom;
    if (both_ends) {
        top_next -= t->q_all;
        bottom_next -= t->q_all;
    }
    up -= top_next;
    down -= bottom_next;
    pack by_u = inverse * (s * inverse) * (up + qs * (2 * (bottom - top) - s * down));
    pack by_q = inverse * (((t->rate - 1 - k) * low + t->rate_s * s) +
                           ((t->rate - j) * top + value * (qs * (inverse * (1 + s)))));
    pack point = dy * code, change = point * t->change;
    terms e;
    e.dx = pack_flip(change, sign) * by_u;
    e.alpha = point - change * ((pack_flip(code, sign) + 0.5f) * by_u + by_q);
    e.sigma = change * (log2_s * by_u + t->ratio_log2 * by_q);
    return e;
}

static inline __attribute__((always_inline)) terms argmax_near(const tensor *t, pack x, pack dy)
{
    return argmax_terms(t, x, dy, true);
}

static inline __attribute__((always_inline)) terms argmax_far(const tensor *t, pack x, pack dy)
{
    return argmax_terms(t, x, dy, false);
}

void SRQ_ISA_NAME(srq_argmax_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                                       srq_grid_gradient *sums)
{
    tensor t;
    fill_argmax(&t, grid);
    if (0.5 * (grid->max - grid->min + 1) * (double)t.ratio < REACH)
        run_all(argmax_near, &t, n, x, dy, dx, sums);
    else
        run_all(argmax_far, &t, n, x, dy, dx, sums);
}

/* --- full. E = sum_k g_k r_k = alpha (M - R), R = sum over the inner edges 0 < j < n of (F_j - F_0) / (F_n - F_0):
 *     R = sum_j A_j (s + Q_n) / (s + Q_j),   A_j = (Q_0 - Q_j) / (Q_0 - Q_n),
 *     R_u = s sum_j K_j / (s + Q_j)^2,       K_j = (Q_0 - Q_j)(Q_j - Q_n) / (Q_0 - Q_n).
 * The axis is reversed if x is below the middle of the grid. Edges are processed in pairs, d above and d below p, which
 * share a division: with c = Q + 1/Q, Q = e^(-d ratio), the pair's D = 1 / (s^2 + c s + 1).
 *
 * A grid with both ends within reach of its middle (`fill_whole`): p is the middle, which need not be an edge, and the
 * pairs are all inner edges. By symmetry K is weight times Q for both, and R_q is odd in u:
 *     R_u = s sum weight D^2 (c (1 + s^2) + 4 s),   R_q = (1 - s^2) sum D^2 (weight_e (1 + s^2) + weight_q s).
 *
 * Otherwise (`fill_window`): the other end has no effect, A = 1 and K_j = Q_j - Q_n. p is the edge nearest to x whose
 * neighbours within reach are all inside the grid. Q_n is only relevant if p is the last such edge, and then it is a
 * constant. With S1 = sum Q D-, S2 = sum D-, S3 = sum d Q D-, where D- is 1 / (s + Q)^2, over single edges:
 *     R_u = s (S1 - Q_n S2),   R_q = (s + Q_n) S3 - (n - p) Q_n (s S2 + S1),
 * and by pairs, the edge p itself as half of one,
 *     S1 = sum D^2 (c (1 + s^2) + 4 s),   S2 = sum D^2 (c^2 - 2 (1 - s^2) + 2 c s),
 *     S3 = (1 - s^2) sum d (1/Q - Q) D^2. */
static void fill_whole(tensor *t, double n, double ratio)
{
    const double h = 0.5 * n, end = exp(-h * ratio), all = end * end, step = exp(-ratio);
    t->pairs = (int)h;
    t->offset = h > t->pairs ? 0.5f : 0;
    double d = (double)t->offset, q = exp(-d * ratio);
    for (int i = 0; i < t->pairs; i++, d += 1, q *= step) {
        /* If d = 0, the edge itself, as half a pair. */
        const double share = d > 0 ? 1 : 0.5, up = q * end, down = end / q, part = 1 - all;
        const double a_up = (1 - up) / part, a_down = (1 - down) / part; /* A_j of the two, and dA_j / dratio */
        const double e_up = ((h + d) * up * part - (1 - up) * n * all) / (part * part);
        const double e_down = ((h - d) * down * part - (1 - down) * n * all) / (part * part);
        /* dR/dratio of one edge is (.. + first s + zeroth) / (s + Q)^2. */
        const double zeroth_up = q * end * (e_up - a_up * (h - d));
        const double first_up = e_up * (end + q) + a_up * (d * q - h * end);
        const double zeroth_down = end / q * (e_down - a_down * (h + d));
        const double first_down = e_down * (end + 1 / q) - a_down * (d / q + h * end);
        const double weight = share * (1 - up) * (1 - down) / part;
        t->c[i] = (float)(q + 1 / q);
        t->weight[i] = (float)weight;
        t->weight_c[i] = (float)(weight * (q + 1 / q));
        t->weight_e[i] = (float)(share * (zeroth_up / (q * q) + zeroth_down * (q * q)));
        t->weight_q[i] = (float)(share * ((first_up / q + 2 * zeroth_up) / q + (first_down * q + 2 * zeroth_down) * q));
    }
}

static void fill_window(tensor *t, double n, double ratio, int window)
{
    const double h = 0.5 * n, step = exp(-ratio);
    t->pairs = window + 1;
    t->offset = h > floor(h) ? 0.5f : 0;
    t->p_most = (float)(h - 1 - window);
    t->outer = (float)exp(-(window + 1) * ratio);
    if (window == 0) t->outer = vanish((double)t->outer);
    t->outer_distance = (float)(window + 1);
    double q = 1;
    for (int i = 0; i < t->pairs; i++, q *= step) {
        const double share = i > 0 ? 1 : 0.5, c = q + 1 / q;
        t->c[i] = (float)c;
        t->weight[i] = (float)share;
        t->weight_c[i] = (float)(share * c);
        t->weight_e[i] = (float)(share * c * c);
        t->weight_q[i] = (float)(i * (1 / q - q));
    }
}

static inline terms full_terms(const tensor *t, pack x, pack dy, bool whole)
{
    pack v = x / t->alpha, code = code_of(t, v), place = v - t->middle, p = {0};
    pack_bits sign = pack_sign(place);
    if (!whole) p = pack_round(pack_at_most(pack_abs(place) - t->offset, t->p_most - t->offset)) + t->offset;
    pack a = t->middle + pack_flip(p, sign);
    pack log2_s = log2_of_s(t, x, a, sign, -80), s = pack_exp2(log2_s);
    pack normal = pack_at_least(s, 1e-15f), square = normal * normal; /* its square is only added to 1 */
    pack one = {0}, by_c = {0}, by_q = {0}, by_e = {0};
    for (int i = 0; i < t->pairs; i++) {
        pack inverse = 1 / ((1 + square) + s * t->c[i]);
        inverse *= inverse;
        one += inverse * t->weight[i];
        by_c += inverse * t->weight_c[i];
        by_q += inverse * t->weight_q[i];
        by_e += inverse * t->weight_e[i];
    }
    pack r_u = (1 + square) * by_c + 4 * (s * one), r_q;
    if (whole) {
        r_u *= s;
        r_q = (1 - square) * ((1 + square) * by_e + s * by_q);
    } else {
        pack outer = pack_where(p >= t->p_most, pack_fill(t->outer));
        pack alone = (by_e - 2 * (1 - square) * one) + 2 * (s * by_c);
        r_q = (s + outer) * ((1 - square) * by_q) - (t->outer_distance * outer) * (s * alone + r_u);
        r_u = s * (r_u - outer * alone);
    }
    pack change = dy * t->ratio;
    terms e;
    e.dx = change * r_u;
    e.alpha = dy * code - change * (a * r_u + pack_flip(r_q, sign));
    e.sigma = pack_flip(change, sign) * (log2_s * r_u + t->ratio_log2 * r_q);
    return e;
}

static inline terms full_whole(const tensor *t, pack x, pack dy)
{
    return full_terms(t, x, dy, true);
}

static inline terms full_window(const tensor *t, pack x, pack dy)
{
    return full_terms(t, x, dy, false);
}

void SRQ_ISA_NAME(srq_full_backward)(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,
                                     srq_grid_gradient *sums)
{
    tensor t;
    fill_common(&t, grid);
    const double codes = grid->max - grid->min + 1, ratio = (double)grid->alpha / (double)grid->sigma;
    /* The next edge is at least 1/2 outside of the window. */
    const double window = ceil(fmax(REACH / ratio - 0.5, 0));
    if (0.5 * codes * ratio < REACH || floor(0.5 * codes) < window + 1) {
        fill_whole(&t, codes, ratio);
        run_all(full_whole, &t, n, x, dy, dx, sums);
    } else {
        fill_window(&t, codes, ratio, (int)window);
        run_all(full_window, &t, n, x, dy, dx, sums);
    }
}

/* --- full by its curves (curves.h) */

/* One element is a long chain of dependent instructions, and a CPU does not look far enough ahead to work at several of
 * them. So a chunk goes through it in four loops, which keep their few numbers in the first-level cache. The first
 * finds the bins, the next two compute the polynomials, with their table in registers if those are large, and the last
 * one makes the gradients and sums. */
enum { CHUNK_FLOATS = CHUNK * LANES };
typedef struct curve_chunk {
    _Alignas(64) float bin[CHUNK_FLOATS], part[CHUNK_FLOATS]; /* v rounded; the rest, with the sign of the axis */
    _Alignas(64) int32_t place[CHUNK_FLOATS];                 /* in the table */
    _Alignas(64) float flat[CHUNK_FLOATS], turn[CHUNK_FLOATS];
} curve_chunk;

/* The lower end mirrors the upper one, and bins are counted from the nearer end. Beyond the outermost bins, the curves
 * are constant. v - rint(v) is exact for codes near x. */
static inline void find_places(const tensor *t, size_t n, const float *x, curve_chunk *c)
{
    const float beyond = SRQ_CURVE_OUTSIDE, inner = SRQ_CURVE_BINS - 1, row = PACK == 16 ? 1 : SRQ_CURVE_POWERS;
    const tensor all = *t;
    for (size_t i = 0; i < n; i += PACK) {
        const pack v = pack_at_most(pack_at_least(pack_load(x + i) / all.alpha, all.min - beyond), all.max + beyond);
        const pack bin = pack_round(v);
        const pack place = pack_at_most((all.half + beyond) - pack_abs(bin - all.middle), inner);
        const pack_mask whole = __builtin_convertvector(place * row, pack_mask);
        pack_store(c->bin + i, bin);
        pack_store(c->part + i, pack_flip(v - bin, pack_sign(all.middle - bin)));
        memcpy(c->place + i, &whole, sizeof whole);
    }
}

#if defined __AVX512F__
/* A register holds a power of all bins. */
static inline const float *curve_table(const srq_curves *curves)
{
    return curves->by_power[0];
}

typedef struct lookup {
    __m512i place;
    const __m512 *power;
} lookup;

static inline void look_up(const void *of, int first, pack coefficient[4])
{
    const lookup *l = of;
    for (int i = 0; i < 4; i++) coefficient[i] = _mm512_permutexvar_ps(l->place, l->power[first + i]);
}

static inline void compute_curve(const float *table, size_t n, const curve_chunk *c, float *y)
{
    __m512 power[SRQ_CURVE_POWERS / 2];
    for (int i = 0; i < SRQ_CURVE_POWERS / 2; i++) power[i] = _mm512_loadu_ps(table + i * SRQ_CURVE_BINS);
    for (size_t i = 0; i < n; i += PACK) {
        const lookup l = {.place = _mm512_load_si512(c->place + i), .power = power};
        const pack part = pack_load(c->part + i);
        pack_store(y + i, polynomial_at(look_up, &l, 0, part, part * part));
    }
}

static inline void compute_curves(const float *table, size_t n, curve_chunk *c)
{
    compute_curve(table, n, c, c->flat);
    compute_curve(table + SRQ_CURVE_POWERS / 2 * SRQ_CURVE_BINS, n, c, c->turn);
}
#else
/* Elsewhere, rows are read: all powers of a bin. */
static inline const float *curve_table(const srq_curves *curves)
{
    return curves->by_bin[0];
}

static inline void compute_curves(const float *table, size_t n, curve_chunk *c)
{
    for (size_t i = 0; i < n; i += PACK) {
        row_lookup l = {.table = table};
        const pack part = pack_load(c->part + i), square = part * part;
        memcpy(l.start, c->place + i, sizeof l.start);
        pack_store(c->flat + i, polynomial_at(look_up_rows, &l, 0, part, square));
        pack_store(c->turn + i, polynomial_at(look_up_rows, &l, SRQ_CURVE_POWERS / 2, part, square));
    }
}
#endif

static inline terms curve_terms(const tensor *t, const curve_chunk *c, size_t i, pack dy)
{
    const pack bin = pack_load(c->bin + i), code = pack_at_most(pack_at_least(bin, t->min), t->max);
    const pack_bits sign = pack_sign(t->middle - bin);
    const pack part = pack_flip(pack_load(c->part + i), sign), turn = pack_flip(pack_load(c->turn + i), sign);
    const pack flat = pack_load(c->flat + i), slope = 1 - flat;
    terms e;
    e.dx = dy * slope;
    e.alpha = dy * (((code - bin) + bin * flat) - (part * slope - turn));
    e.sigma = dy * turn * t->turn_sigma;
    return e;
}

/* Like run_chunk. */
static inline void run_curves(const tensor *t, const float *table, size_t blocks, const float *x, const float *dy,
                              float *dx, double *alpha, double *sigma)
{
    curve_chunk c;
    find_places(t, blocks * LANES, x, &c);
    compute_curves(table, blocks * LANES, &c);
    pack a[LANES / PACK] = {{0}}, s[LANES / PACK] = {{0}};
    for (size_t l = 0; l < LANES / PACK; l++)
        for (size_t i = l * PACK; i < blocks * LANES; i += LANES) {
            const terms e = curve_terms(t, &c, i, pack_load(dy + i));
            pack_store(dx + i, e.dx);
            a[l] += e.alpha;
            s[l] += e.sigma;
        }
    add_lanes(a, alpha);
    add_lanes(s, sigma);
}

void SRQ_ISA_NAME(srq_curves_backward)(size_t n, const float *x, const float *dy, const srq_curves *curves, float *dx,
                                       srq_grid_gradient *sums)
{
    tensor t;
    const float *table = curve_table(curves);
    double alpha[LANES] = {0}, sigma[LANES] = {0};
    size_t i = 0;
    fill_common(&t, &curves->grid);
    t.turn_sigma = -t.ratio_log2;
    while (n - i >= LANES) {
        const size_t blocks = whole_blocks(n - i);
        run_curves(&t, table, blocks, x + i, dy + i, dx + i, alpha, sigma);
        i += blocks * LANES;
    }
    if (i < n) {
        float last_x[LANES] = {0}, last_dy[LANES] = {0}, last_dx[LANES];
        memcpy(last_x, x + i, (n - i) * sizeof *x);
        memcpy(last_dy, dy + i, (n - i) * sizeof *dy);
        run_curves(&t, table, 1, last_x, last_dy, last_dx, alpha, sigma);
        memcpy(dx + i, last_dx, (n - i) * sizeof *dx);
    }
    *sums = sums_of_lanes(alpha, sigma);
}
