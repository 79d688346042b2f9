/* The functions of the C file, as text. In those for one type of input, @N is a suffix, @T the type of an element, @R
 * that of a sum, and @L the lowest sum. */
#include "io/export_c.h"

#include <string.h>

static const char mul[] =
    "/* A product that is rounded to float before it is added: never part of a fused multiply-add. */\n"
    "static float mul(float a, float b)\n"
    "{\n"
    "    volatile float product = a * b;\n"
    "    return product;\n"
    "}\n";

static const char conv[] = "/* A convolution of [height][width][in], weights [out][kernel 0][kernel 1][in / groups]. "
                           "Codes have `bits` bits in\n"
                           " * two's complement; each output begins with a byte. With a mask (a bit for each weight), "
                           "`codes` has only the kept\n"
                           " * weights, one after another. */\n"
                           "typedef struct {\n"
                           "    int height, width, in, out_height, out_width, out;\n"
                           "    int kernel[2], stride[2], padding[2], groups, bits;\n"
                           "    const uint8_t *codes, *mask;\n"
                           "} conv;\n\n"
                           "static int row_of(const conv *c)\n"
                           "{\n"
                           "    return c->kernel[0] * c->kernel[1] * (c->in / c->groups);\n"
                           "}\n\n"
                           "static int is_kept(const conv *c, uint32_t weight)\n"
                           "{\n"
                           "    return !c->mask || (c->mask[weight / 8] >> weight % 8 & 1);\n"
                           "}\n";

static const char unpack[] =
    "/* The weights of one output, and with a mask, the number of kept weights before them. */\n"
    "static int8_t row[ROW];\n"
    "static uint32_t kept;\n\n"
    "static int8_t signed_code(unsigned field, int bits)\n"
    "{\n"
    "    const int sign = 1 << (bits - 1);\n"
    "    return (int8_t)(((int)(field & ((1u << bits) - 1)) ^ sign) - sign);\n"
    "}\n\n"
    "static void unpack_kept(const conv *c, int o)\n"
    "{\n"
    "    const uint32_t n = (uint32_t)row_of(c), bits = (uint32_t)c->bits;\n"
    "    if (o == 0) kept = 0;\n"
    "    for (uint32_t i = 0; i < n; i++) {\n"
    "        const uint32_t at = kept * bits;\n"
    "        row[i] = 0;\n"
    "        if (!is_kept(c, (uint32_t)o * n + i)) continue;\n"
    "        row[i] = signed_code((unsigned)(c->codes[at / 8] | c->codes[at / 8 + 1] << 8) >> at % 8, c->bits);\n"
    "        kept++;\n"
    "    }\n"
    "}\n\n"
    "static void unpack(const conv *c, int o)\n"
    "{\n"
    "    const int n = row_of(c), bits = c->bits;\n"
    "    const uint8_t *from = c->codes + (uint32_t)o * (((uint32_t)n * (uint32_t)bits + 7) / 8);\n"
    "    unsigned hold = 0;\n"
    "    int have = 0;\n"
    "    if (c->mask) {\n"
    "        unpack_kept(c, o);\n"
    "        return;\n"
    "    }\n"
    "    for (int i = 0; 8 % bits == 0 && i < n; from++) {\n"
    "        unsigned byte = *from;\n"
    "        for (int k = 0; k < 8 && i < n; k += bits, byte >>= bits) row[i++] = signed_code(byte, bits);\n"
    "    }\n"
    "    for (int i = 0; 8 % bits != 0 && i < n; i++, have -= bits, hold >>= bits) {\n"
    "        if (have < bits) {\n"
    "            hold |= (unsigned)*from++ << have;\n"
    "            have += 8;\n"
    "        }\n"
    "        row[i] = signed_code(hold, bits);\n"
    "    }\n"
    "}\n";

static const char sum[] = "/* The sum of one output at a place; `first` is the first input channel of its group. */\n"
                          "static @R sum_@N(const conv *c, const @T *x, int first, int oy, int ox)\n"
                          "{\n"
                          "    const int in = c->in / c->groups, top = oy * c->stride[0] - c->padding[0];\n"
                          "    const int left = ox * c->stride[1] - c->padding[1], end = c->width - left;\n"
                          "    const int x0 = left < 0 ? -left : 0, x1 = end < c->kernel[1] ? end : c->kernel[1];\n"
                          "    const int together = c->groups == 1 ? x1 - x0 : 1, n = together * in;\n"
                          "    @R sum = 0;\n"
                          "    for (int ky = 0; ky < c->kernel[0]; ky++) {\n"
                          "        if (top + ky < 0 || top + ky >= c->height) continue;\n"
                          "        for (int kx = x0; kx < x1; kx += together) {\n"
                          "            const @T *from = x + ((top + ky) * c->width + left + kx) * c->in + first;\n"
                          "            const @W *w = @V + (ky * c->kernel[1] + kx) * in;\n"
                          "            for (int i = 0; i < n; i++) sum += (@R)from[i] * w[i];\n"
                          "        }\n"
                          "    }\n"
                          "    return sum;\n"
                          "}\n";

static const char floats[] =
    "/* y = a sum + b, or the sum itself. */\n"
    "static void floats_@N(const conv *c, const float *a, const float *b, float unit, const @T *x, float *y)\n"
    "{\n"
    "    for (int o = 0; o < c->out; o++) {\n"
    "        const int first = o / (c->out / c->groups) * (c->in / c->groups);\n"
    "        unpack(c, o);\n"
    "        for (int oy = 0; oy < c->out_height; oy++)\n"
    "            for (int ox = 0; ox < c->out_width; ox++) {\n"
    "                const float s = (float)sum_@N(c, x, first, oy, ox) * unit;\n"
    "                y[(oy * c->out_width + ox) * c->out + o] = a ? mul(a[o], s) + b[o] : s;\n"
    "            }\n"
    "    }\n"
    "}\n";

static const char codes_of[] = "/* From the sums of a convolution to codes: the maximum over windows, then the number "
                               "of thresholds that it reaches.\n"
                               " * Thresholds are [out][levels] integers, or [levels] floats for a sum + b. */\n"
                               "typedef struct {\n"
                               "    int height, width, kernel[2], stride[2], padding[2];\n"
                               "    int min, levels;\n"
                               "    const uint8_t *falls; /* a bit for each output whose codes fall with its sum, "
                               "which becomes -1 - sum; or NULL */\n"
                               "    const int32_t *narrow;\n"
                               "    const int64_t *wide;\n"
                               "    const float *floats, *a, *b;\n"
                               "    float unit;\n"
                               "} codes_of;\n\n"
                               "static int level_of_float(const float *thresholds, int levels, float x)\n"
                               "{\n"
                               "    int level = 0;\n"
                               "    for (int step = (levels + 1) / 2; step > 0; step /= 2)\n"
                               "        if (x >= thresholds[level + step - 1]) level += step;\n"
                               "    return level;\n"
                               "}\n";

static const char codes[] =
    "static int level_@N(const codes_of *f, int o, @R sum, @R flip)\n"
    "{\n"
    "    int level = 0;\n"
    "    if (f->floats)\n"
    "        return level_of_float(f->floats, f->levels, mul(f->a[o], (float)(sum ^ flip) * f->unit) + f->b[o]);\n"
    "    for (int step = (f->levels + 1) / 2; step > 0; step /= 2)\n"
    "        if (sum >= f->@H[o * f->levels + level + step - 1]) level += step;\n"
    "    return level;\n"
    "}\n\n"
    "static void codes_@N(const conv *c, const codes_of *f, const @T *x, uint8_t *y)\n"
    "{\n"
    "    for (int o = 0; o < c->out; o++) {\n"
    "        const int first = o / (c->out / c->groups) * (c->in / c->groups);\n"
    "        const @R flip = f->falls && (f->falls[o / 8] >> o % 8 & 1) ? -1 : 0;\n"
    "        unpack(c, o);\n"
    "        for (int at = 0; at < f->height * f->width; at++) {\n"
    "            const int top = at / f->width * f->stride[0] - f->padding[0];\n"
    "            const int left = at % f->width * f->stride[1] - f->padding[1];\n"
    "            @R most = @L;\n"
    "            for (int oy = top; oy < top + f->kernel[0]; oy++)\n"
    "                for (int ox = left; ox < left + f->kernel[1]; ox++) {\n"
    "                    if (oy < 0 || oy >= c->out_height || ox < 0 || ox >= c->out_width) continue;\n"
    "                    const @R v = sum_@N(c, x, first, oy, ox) ^ flip;\n"
    "                    if (v > most) most = v;\n"
    "                }\n"
    "            y[at * c->out + o] = (uint8_t)(f->min + level_@N(f, o, most, flip));\n"
    "        }\n"
    "    }\n"
    "}\n";

static const char reals[] = "/* Weights that are not integers: float32 of kept weights, or codes and their values "
                            "[scales][codes], from `min`. */\n"
                            "typedef struct {\n"
                            "    const float *weights, *values;\n"
                            "    int scales, codes, min;\n"
                            "} reals_of;\n\n"
                            "static float real_row[REAL_ROW];\n\n"
                            "static void unpack_real(const conv *c, const reals_of *r, int o)\n"
                            "{\n"
                            "@D"
                            "    const uint32_t n = (uint32_t)row_of(c);\n"
                            "@U"
                            "@Z"
                            "    for (uint32_t i = 0; i < n; i++) {\n"
                            "        real_row[i] = 0;\n"
                            "        if (!is_kept(c, (uint32_t)o * n + i)) continue;\n"
                            "        real_row[i] = @X;\n"
                            "    }\n"
                            "}\n\n";

static const char convolve_reals[] =
    "static void convolve_reals(const conv *c, const reals_of *r, const float *a, const float *b, const float *x, "
    "float *y)\n"
    "{\n"
    "    for (int o = 0; o < c->out; o++) {\n"
    "        const int first = o / (c->out / c->groups) * (c->in / c->groups);\n"
    "        unpack_real(c, r, o);\n"
    "        for (int oy = 0; oy < c->out_height; oy++)\n"
    "            for (int ox = 0; ox < c->out_width; ox++) {\n"
    "                const float s = (float)sum_real(c, x, first, oy, ox);\n"
    "                y[(oy * c->out_width + ox) * c->out + o] = a ? mul(a[o], s) + b[o] : s;\n"
    "            }\n"
    "    }\n"
    "}\n";

static const char affine[] =
    "static void affine(const float *a, const float *b, int pixels, int channels, const float *x, float *y)\n"
    "{\n"
    "    for (int i = 0; i < pixels * channels; i++) y[i] = mul(a[i % channels], x[i]) + b[i % channels];\n"
    "}\n";

static const char clip[] = "static void clip(float low, float high, int n, const float *x, float *y)\n"
                           "{\n"
                           "    for (int i = 0; i < n; i++) {\n"
                           "        const float v = x[i] < low ? low : x[i];\n"
                           "        y[i] = v > high ? high : v;\n"
                           "    }\n"
                           "}\n";

static const char leaky[] = "static void leaky(float slope, int n, const float *x, float *y)\n"
                            "{\n"
                            "    for (int i = 0; i < n; i++) y[i] = x[i] < 0 ? slope * x[i] : x[i];\n"
                            "}\n";

static const char sigmoid[] =
    "/* 1 / (1 + e^-x) with the polynomial of Cephes for e^x. */\n"
    "static float exp_of(float x)\n"
    "{\n"
    "    static const float p[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,\n"
    "                              4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};\n"
    "    volatile float k = mul(x, 1.44269504f) + 12582912.0f;\n"
    "    k = k - 12582912.0f;\n"
    "    float r = x - mul(k, 0.693359375f);\n"
    "    r = r + mul(k, 2.12194440e-4f);\n"
    "    float y = p[0];\n"
    "    for (int i = 1; i < 6; i++) y = mul(y, r) + p[i];\n"
    "    volatile float square = r * r, sum = mul(y, square) + r;\n"
    "    y = sum + 1.0f;\n"
    "    const uint32_t bits = (uint32_t)((int32_t)k + 127) << 23;\n"
    "    float scale;\n"
    "    memcpy(&scale, &bits, sizeof scale);\n"
    "    return mul(y, scale);\n"
    "}\n\n"
    "static void sigmoid(int n, const float *x, float *y)\n"
    "{\n"
    "    for (int i = 0; i < n; i++) {\n"
    "        const float below = x[i] < 87.0f ? x[i] : 87.0f, inside = below > -87.0f ? below : -87.0f;\n"
    "        y[i] = 1.0f / (1.0f + exp_of(-inside));\n"
    "    }\n"
    "}\n";

static const char windows[] =
    "/* Pooling of [height][width][channels]. */\n"
    "typedef struct {\n"
    "    int height, width, channels, out_height, out_width, kernel[2], stride[2], padding[2];\n"
    "} windows;\n";

static const char max_pool[] = "static void max_@N(const windows *w, const @T *x, @T *y)\n"
                               "{\n"
                               "    const int n = w->channels;\n"
                               "    for (int at = 0; at < w->out_height * w->out_width; at++, y += n) {\n"
                               "        const int top = at / w->out_width * w->stride[0] - w->padding[0];\n"
                               "        const int left = at % w->out_width * w->stride[1] - w->padding[1];\n"
                               "        int found = 0;\n"
                               "        for (int iy = top; iy < top + w->kernel[0]; iy++)\n"
                               "            for (int ix = left; ix < left + w->kernel[1]; ix++) {\n"
                               "                if (iy < 0 || iy >= w->height || ix < 0 || ix >= w->width) continue;\n"
                               "                const @T *from = x + (iy * w->width + ix) * n;\n"
                               "                for (int c = 0; c < n; c++)\n"
                               "                    if (!found || from[c] > y[c]) y[c] = from[c];\n"
                               "                found = 1;\n"
                               "            }\n"
                               "    }\n"
                               "}\n";

static const char avg_pool[] = "static void average(const windows *w, float share, const float *x, float *y)\n"
                               "{\n"
                               "    const int n = w->channels;\n"
                               "    for (int at = 0; at < w->out_height * w->out_width; at++, y += n) {\n"
                               "        const int top = at / w->out_width * w->stride[0] - w->padding[0];\n"
                               "        const int left = at % w->out_width * w->stride[1] - w->padding[1];\n"
                               "        for (int c = 0; c < n; c++) {\n"
                               "            float sum = 0;\n"
                               "            for (int iy = top; iy < top + w->kernel[0]; iy++)\n"
                               "                for (int ix = left; ix < left + w->kernel[1]; ix++)\n"
                               "                    if (iy >= 0 && iy < w->height && ix >= 0 && ix < w->width)\n"
                               "                        sum += x[(iy * w->width + ix) * n + c];\n"
                               "            y[c] = sum * share;\n"
                               "        }\n"
                               "    }\n"
                               "}\n";

static const char add[] = "static void add(int n, const float *x, float *y)\n"
                          "{\n"
                          "    for (int i = 0; i < n; i++) y[i] += x[i];\n"
                          "}\n";

static const char concat[] =
    "static void join(int pixels, int channels, int all, const float *x, float *y)\n"
    "{\n"
    "    for (int p = 0; p < pixels; p++) memcpy(y + p * all, x + p * channels, (size_t)channels * sizeof *y);\n"
    "}\n";

static const char quantize[] =
    "static void quantize(const float *thresholds, int levels, int min, int n, const float *x, uint8_t *y)\n"
    "{\n"
    "    for (int i = 0; i < n; i++) {\n"
    "        int level = 0;\n"
    "        for (int step = (levels + 1) / 2; step > 0; step /= 2)\n"
    "            if (x[i] >= thresholds[level + step - 1]) level += step;\n"
    "        y[i] = (uint8_t)(min + level);\n"
    "    }\n"
    "}\n";

static const char values[] = "/* The values of codes, which are the lowest bits `ones` of bytes. */\n"
                             "static void values_of(const float *table, int ones, int n, const uint8_t *x, float *y)\n"
                             "{\n"
                             "    for (int i = 0; i < n; i++) y[i] = table[x[i] & ones];\n"
                             "}\n";

/* --- Which are needed */

/* One type of input. */
typedef struct type {
    const char *suffix, *element, *sum, *lowest, *thresholds, *weight, *row;
} type;

static const type types[] = {
    {"u8", "uint8_t", "int32_t", "INT32_MIN", "narrow", "int8_t", "row"},
    {"s8", "int8_t", "int32_t", "INT32_MIN", "narrow", "int8_t", "row"},
    {"u8_wide", "uint8_t", "int64_t", "INT64_MIN", "wide", "int8_t", "row"},
    {"s8_wide", "int8_t", "int64_t", "INT64_MIN", "wide", "int8_t", "row"},
    {"fixed", "int32_t", "int64_t", "INT64_MIN", "wide", "int8_t", "row"},
    {"real", "float", "double", "", "", "float", "real_row"},
};
enum { FIXED = 4, REAL = 5, TYPES = 6 };

static int type_of(const srq_c_plan *plan, const srq_c_step *step)
{
    const srq_deploy_op *op = &plan->net->ops[step->op];
    if (step->kind == SRQ_C_REALS) return REAL;
    if (op->inputs[0] == SRQ_DEPLOY_IMAGES) return FIXED;
    return (plan->net->ops[op->inputs[0]].output.grid.min < 0 ? 1 : 0) + (step->wide ? 2 : 0);
}

const char *srq_c_suffix(const srq_c_plan *plan, const srq_c_step *step)
{
    return types[type_of(plan, step)].suffix;
}

static bool has(const srq_c_plan *plan, srq_c_kind kind, int t)
{
    for (int i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == kind && (t < 0 || type_of(plan, &plan->steps[i]) == t)) return true;
    return false;
}

/* What an operation gives. */
typedef enum gives { ANYTHING, FLOATS, UNSIGNED_CODES, SIGNED_CODES } gives;

static bool has_op(const srq_c_plan *plan, srq_deploy_kind kind, gives what)
{
    for (int i = 0; i < plan->step_count; i++) {
        const srq_c_step *s = &plan->steps[i];
        const srq_deploy_op *op = &plan->net->ops[s->op];
        const gives here = !op->output.grid.bits ? FLOATS : op->output.grid.min < 0 ? SIGNED_CODES : UNSIGNED_CODES;
        if (s->kind == SRQ_C_SIMPLE && op->kind == kind && (what == ANYTHING || what == here)) return true;
    }
    return false;
}

/* Whether weights of REALS are float32, or codes. */
static bool has_reals(const srq_c_plan *plan, bool quantized)
{
    for (int i = 0; i < plan->step_count; i++)
        if (plan->steps[i].kind == SRQ_C_REALS && !plan->net->ops[plan->steps[i].op].weights.grid.bits == !quantized)
            return true;
    return false;
}

static void put_for(const type *t, const char *text, FILE *out)
{
    for (const char *c = text; *c; c++) {
        if (*c != '@') {
            fputc(*c, out);
            continue;
        }
        c++;
        fputs(*c == 'N'   ? t->suffix
              : *c == 'T' ? t->element
              : *c == 'R' ? t->sum
              : *c == 'L' ? t->lowest
              : *c == 'H' ? t->thresholds
              : *c == 'W' ? t->weight
                          : t->row,
              out);
    }
    fputc('\n', out);
}

static void put(bool needed, const char *text, FILE *out)
{
    if (needed) fprintf(out, "%s\n", text);
}

static void put_reals(const srq_c_plan *plan, FILE *out)
{
    const bool coded = has_reals(plan, true), plain = has_reals(plan, false);
    const char *value = "r->values[(r->scales > 1 ? o * r->codes : 0) + row[i] - r->min]",
               *weight = "r->weights[next++]";
    for (const char *c = reals; *c; c++) {
        if (*c != '@') {
            fputc(*c, out);
            continue;
        }
        c++;
        if (*c == 'D' && plain) fputs("    static uint32_t next; /* kept weights of earlier outputs */\n", out);
        if (*c == 'Z' && plain) fputs("    if (o == 0) next = 0;\n", out);
        if (*c == 'U' && coded) fputs(plain ? "    if (r->values) unpack(c, o);\n" : "    unpack(c, o);\n", out);
        if (*c == 'X' && coded && plain)
            fprintf(out, "r->values ? %s\n                                : %s", value, weight);
        else if (*c == 'X')
            fputs(coded ? value : weight, out);
    }
}

void srq_c_write_kernels(const srq_c_plan *plan, FILE *out)
{
    const bool convolves = has(plan, SRQ_C_CODES, -1) || has(plan, SRQ_C_SUMS, -1) || has(plan, SRQ_C_REALS, -1);
    put(true, mul, out);
    put(convolves, conv, out);
    put(plan->row > 0, unpack, out);
    put(has(plan, SRQ_C_CODES, -1), codes_of, out);
    for (int t = 0; t < REAL; t++) {
        const bool gives_codes = has(plan, SRQ_C_CODES, t), gives_floats = has(plan, SRQ_C_SUMS, t);
        if (gives_codes || gives_floats) put_for(&types[t], sum, out);
        if (gives_floats) put_for(&types[t], floats, out);
        if (gives_codes) put_for(&types[t], codes, out);
    }
    if (has(plan, SRQ_C_REALS, -1)) {
        put_reals(plan, out);
        put_for(&types[REAL], sum, out);
        put(true, convolve_reals, out);
    }
    const type signed_codes = {.suffix = "s8", .element = "int8_t"},
               unsigned_codes = {.suffix = "u8", .element = "uint8_t"},
               reals_type = {.suffix = "real", .element = "float"};
    const bool pools = has_op(plan, SRQ_DEPLOY_MAX_POOL, ANYTHING),
               averages = has_op(plan, SRQ_DEPLOY_AVG_POOL, ANYTHING);
    put(pools || averages, windows, out);
    if (has_op(plan, SRQ_DEPLOY_MAX_POOL, FLOATS)) put_for(&reals_type, max_pool, out);
    if (has_op(plan, SRQ_DEPLOY_MAX_POOL, UNSIGNED_CODES)) put_for(&unsigned_codes, max_pool, out);
    if (has_op(plan, SRQ_DEPLOY_MAX_POOL, SIGNED_CODES)) put_for(&signed_codes, max_pool, out);
    put(averages, avg_pool, out);
    put(has_op(plan, SRQ_DEPLOY_AFFINE, ANYTHING), affine, out);
    put(has_op(plan, SRQ_DEPLOY_CLIP, ANYTHING), clip, out);
    put(has_op(plan, SRQ_DEPLOY_LEAKY, ANYTHING), leaky, out);
    put(has_op(plan, SRQ_DEPLOY_SIGMOID, ANYTHING), sigmoid, out);
    put(has_op(plan, SRQ_DEPLOY_ADD, ANYTHING), add, out);
    put(has_op(plan, SRQ_DEPLOY_CONCAT, ANYTHING), concat, out);
    put(has_op(plan, SRQ_DEPLOY_QUANTIZE, ANYTHING), quantize, out);
    put(has_op(plan, SRQ_DEPLOY_DEQUANTIZE, ANYTHING) || plan->values, values, out);
}
