/* Blocks of the sums are computed one after another: the input channels of two registers (a block) times SUPER panels
 * of output channels, for all positions of the kernel. Their sums stay in the second-level cache. For each of them, the
 * pixels are taken in strips: the input of a strip stays in the first-level cache for all positions and panels, and its
 * gradient in the second-level cache. */
#include "core/kernels/vnni/by_weights.h"

#include "core/kernels/vnni/micro.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
    LINE = 64,
    SUPER = 16,
    BLOCK = SRQ_VNNI_PAIR * SRQ_VNNI_LANES,   /* input channels */
    PIXEL = SRQ_VNNI_PANEL * SRQ_VNNI_IMAGES, /* bytes of a panel's pixel */
    SLAB_BYTES = 32 << 10
};

struct srq_by_weights {
    srq_conv_shape shape;
    srq_vnni_micros micro;
    int blocks, panels, positions;
    int height, width;      /* of an image with its padding, as far as the kernel reaches */
    size_t pixels;          /* of a packed image */
    long most;              /* output pixels of all images of a sum that cannot overflow */
    size_t input, gradient; /* bytes of the packed operands */
    uint8_t *zeros;         /* an image's missing pixel */
};

static size_t whole_lines(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

static int ratio(int a, int b)
{
    return (a + b - 1) / b;
}

bool srq_by_weights_built(void)
{
#ifdef SRQ_HAVE_X86
    return true;
#else
    return false;
#endif
}

/* The registers of a block: the last block may have one. */
static int registers_of(const srq_by_weights *plan, int block)
{
    return ratio(plan->shape.in - block * BLOCK, SRQ_VNNI_LANES) > 1 ? 2 : 1;
}

static int groups_of(int n)
{
    return ratio(n, SRQ_VNNI_IMAGES);
}

srq_status srq_by_weights_create(const srq_conv_shape *shape, bool plain, srq_by_weights **out)
{
    srq_by_weights *plan = calloc(1, sizeof *plan);
    if (!plan) return srq_fail_memory(sizeof *plan, "a convolution");
    const srq_conv_shape *s = &plan->shape;
    plan->shape = *shape;
    plan->micro = srq_vnni_plain;
#ifdef SRQ_HAVE_X86
    if (!plain) plan->micro = srq_vnni_avx512;
#endif
    (void)plain;
    plan->blocks = ratio(s->in, BLOCK);
    plan->panels = ratio(s->out, SRQ_VNNI_PANEL);
    plan->positions = s->kernel[0] * s->kernel[1];
    plan->height = (s->out_height - 1) * s->stride[0] + s->kernel[0];
    plan->width = (s->out_width - 1) * s->stride[1] + s->kernel[1];
    plan->pixels = (size_t)plan->height * (size_t)plan->width;
    plan->most = INT32_MAX / ((long)SRQ_GRADIENT_MOST * (s->input_most > 0 ? s->input_most : UINT8_MAX));
    const size_t groups = (size_t)groups_of(s->capacity), lane = SRQ_VNNI_LANES * SRQ_VNNI_IMAGES;
    plan->input = groups * plan->pixels * (size_t)ratio(s->in, SRQ_VNNI_LANES) * lane;
    plan->gradient = whole_lines(groups * (size_t)s->out_height * (size_t)s->out_width * (size_t)plan->panels * PIXEL);
    const size_t longest = (size_t)(s->in > s->out ? s->in : s->out) + LINE;
    plan->zeros = calloc(1, longest);
    if (!plan->zeros) {
        free(plan);
        return srq_fail_memory(longest, "a convolution");
    }
    *out = plan;
    return SRQ_OK;
}

void srq_by_weights_destroy(srq_by_weights **plan)
{
    if (!*plan) return;
    free((*plan)->zeros);
    free(*plan);
    *plan = NULL;
}

/* Sums of a block and the panels of a super-block: [positions][panels][SRQ_VNNI_PANEL][registers x lanes]. */
static size_t sums_count(const srq_by_weights *plan)
{
    return (size_t)plan->positions * SUPER * SRQ_VNNI_PANEL * BLOCK;
}

size_t srq_by_weights_scratch(const srq_by_weights *plan)
{
    const srq_conv_shape *s = &plan->shape;
    const size_t run = plan->input + plan->gradient + sums_count(plan) * sizeof(int32_t);
    const size_t unpack = whole_lines((size_t)s->in * (size_t)s->out * (size_t)plan->positions * sizeof(float));
    return run > unpack ? run : unpack;
}

/* --- Packing */

/* to[c][4] = the c-th bytes of four images; channels from `n` to `whole` are 0. */
static inline void interleave(int n, int whole, const uint8_t *const from[4], uint8_t *to)
{
    int c = 0;
#ifdef __SSE2__
    for (; c + 16 <= n; c += 16) {
        __m128i v[4];
        for (int k = 0; k < 4; k++) v[k] = _mm_loadu_si128((const __m128i *)(const void *)(from[k] + c));
        const __m128i low = _mm_unpacklo_epi8(v[0], v[1]), high = _mm_unpackhi_epi8(v[0], v[1]);
        const __m128i low2 = _mm_unpacklo_epi8(v[2], v[3]), high2 = _mm_unpackhi_epi8(v[2], v[3]);
        __m128i *at = (__m128i *)(void *)(to + 4 * c);
        _mm_storeu_si128(at, _mm_unpacklo_epi16(low, low2));
        _mm_storeu_si128(at + 1, _mm_unpackhi_epi16(low, low2));
        _mm_storeu_si128(at + 2, _mm_unpacklo_epi16(high, high2));
        _mm_storeu_si128(at + 3, _mm_unpackhi_epi16(high, high2));
    }
#endif
    for (; c < n; c++)
        for (int k = 0; k < 4; k++) to[4 * c + k] = from[k][c];
    if (c < whole) memset(to + 4 * c, 0, (size_t)(whole - c) * 4);
}

/* The four images of a group: `step` bytes from a pixel to the next one, 0 for a missing image. */
typedef struct group {
    const uint8_t *image[SRQ_VNNI_IMAGES];
    size_t step[SRQ_VNNI_IMAGES];
} group;

static group group_at(const srq_by_weights *plan, int n, int g, const void *data, size_t pixels, int channels)
{
    group four;
    for (int k = 0; k < SRQ_VNNI_IMAGES; k++) {
        const int image = g * SRQ_VNNI_IMAGES + k;
        const bool here = image < n;
        four.step[k] = here ? (size_t)channels : 0;
        four.image[k] = here ? (const uint8_t *)data + (size_t)image * pixels * (size_t)channels : plan->zeros;
    }
    return four;
}

/* One row of one block: to[width][registers][lanes][4]. `y` is the row of the image, which may be padding. */
static void pack_row(const srq_by_weights *plan, const group *four, int block, int y, uint8_t *to)
{
    const srq_conv_shape *s = &plan->shape;
    const int registers = registers_of(plan, block), first = block * BLOCK, whole = registers * SRQ_VNNI_LANES;
    const int channels = s->in - first < whole ? s->in - first : whole;
    const int before = s->padding[1] < plan->width ? s->padding[1] : plan->width;
    const int end = before + s->width < plan->width ? before + s->width : plan->width;
    const size_t pixel = (size_t)whole * SRQ_VNNI_IMAGES;
    if (y < 0 || y >= s->height) {
        memset(to, 0, (size_t)plan->width * pixel);
        return;
    }
    const uint8_t *from[SRQ_VNNI_IMAGES];
    for (int k = 0; k < SRQ_VNNI_IMAGES; k++)
        from[k] = four->image[k] + (size_t)y * (size_t)s->width * four->step[k] + first;
    memset(to, 0, (size_t)before * pixel);
    for (int c = before; c < end; c++) {
        interleave(channels, whole, from, to + (size_t)c * pixel);
        for (int k = 0; k < SRQ_VNNI_IMAGES; k++) from[k] += four->step[k];
    }
    memset(to + (size_t)end * pixel, 0, (size_t)(plan->width - end) * pixel);
}

/* The place of a block in the packed input: [block][group][height][width][registers][lanes][4]. */
static size_t block_at(const srq_by_weights *plan, int n, int block)
{
    return (size_t)block * (size_t)groups_of(n) * plan->pixels * BLOCK * SRQ_VNNI_IMAGES;
}

static void pack_input(const srq_by_weights *plan, int n, const uint8_t *x, uint8_t *to)
{
    const srq_conv_shape *s = &plan->shape;
    for (int g = 0; g < groups_of(n); g++) {
        const group four = group_at(plan, n, g, x, (size_t)s->height * (size_t)s->width, s->in);
        for (int r = 0; r < plan->height; r++)
            for (int b = 0; b < plan->blocks; b++) {
                const size_t pixel = (size_t)registers_of(plan, b) * SRQ_VNNI_LANES * SRQ_VNNI_IMAGES;
                const size_t row = ((size_t)g * (size_t)plan->height + (size_t)r) * (size_t)plan->width;
                pack_row(plan, &four, b, r - s->padding[0], to + block_at(plan, n, b) + row * pixel);
            }
    }
}

/* to[panel][group][pixels][SRQ_VNNI_PANEL][4], two panels at a time */
static void pack_gradient(const srq_by_weights *plan, int n, const int8_t *dy, uint8_t *to)
{
    enum { TWO = 2 * SRQ_VNNI_PANEL };
    const srq_conv_shape *s = &plan->shape;
    const size_t pixels = (size_t)s->out_height * (size_t)s->out_width, panel = (size_t)groups_of(n) * pixels * PIXEL;
    for (int g = 0; g < groups_of(n); g++) {
        group four = group_at(plan, n, g, dy, pixels, s->out);
        for (size_t at = 0; at < pixels; at++) {
            uint8_t both[2 * PIXEL], *place = to + ((size_t)g * pixels + at) * PIXEL;
            const uint8_t *from[SRQ_VNNI_IMAGES];
            memcpy(from, four.image, sizeof from);
            for (int o = 0; o < s->out; o += TWO, place += 2 * panel) {
                interleave(s->out - o < TWO ? s->out - o : TWO, TWO, from, both);
                memcpy(place, both, PIXEL);
                if (o + SRQ_VNNI_PANEL < s->out) memcpy(place + panel, both + PIXEL, PIXEL);
                for (int k = 0; k < SRQ_VNNI_IMAGES; k++) from[k] += TWO;
            }
            for (int k = 0; k < SRQ_VNNI_IMAGES; k++) four.image[k] += four.step[k];
        }
    }
}

/* --- Sums */

/* A strip of one block and super-block. */
typedef struct work {
    const srq_by_weights *plan;
    int block, registers, first, count; /* its panels [first, first + count) */
    size_t pixel, panel_step;           /* bytes */
    int32_t *sums;
} work;

/* The strip begins at `x` and at `dy` of the first panel. */
static void add_strip(const work *w, const srq_vnni_strip *strip, const uint8_t *x, const int8_t *dy)
{
    const srq_conv_shape *s = &w->plan->shape;
    const size_t tile = (size_t)w->registers * SRQ_VNNI_LANES * SRQ_VNNI_PANEL;
    int32_t *sums = w->sums;
    for (int ky = 0; ky < s->kernel[0]; ky++)
        for (int kx = 0; kx < s->kernel[1]; kx++, sums += SUPER * tile) {
            const uint8_t *from = x + ((size_t)ky * (size_t)w->plan->width + (size_t)kx) * w->pixel;
            for (int p = 0; p < w->count;) {
                const int8_t *panel = dy + (size_t)p * w->panel_step;
                const bool two = w->registers == 1 && p + 1 < w->count;
                srq_vnni_micro *micro = w->registers == 2 ? w->plan->micro.wide
                                        : two             ? w->plan->micro.narrow
                                                          : w->plan->micro.single;
                micro(strip, from, panel, w->panel_step, sums + (size_t)p * tile);
                p += two ? 2 : 1;
            }
        }
}

/* dw[block][position][out][channels of the block], to which the sums are added, unless they are the first. */
static void put_sums(const work *w, bool first, float scale, float *dw)
{
    const srq_conv_shape *s = &w->plan->shape;
    const int lanes = w->registers * SRQ_VNNI_LANES, channels = s->in - w->block * BLOCK;
    const int width = channels < lanes ? channels : lanes;
    const int begin = w->first * SRQ_VNNI_PANEL, end = begin + w->count * SRQ_VNNI_PANEL;
    float *base = dw + (size_t)w->block * BLOCK * (size_t)s->out * (size_t)w->plan->positions;
    for (int position = 0; position < w->plan->positions; position++)
        for (int o = begin; o < end && o < s->out; o++) {
            const int32_t *from =
                w->sums + ((size_t)position * SUPER * SRQ_VNNI_PANEL + (size_t)(o - begin)) * (size_t)lanes;
            float *to = base + ((size_t)position * (size_t)s->out + (size_t)o) * (size_t)width;
            for (int c = 0; c < width; c++) to[c] = first ? scale * (float)from[c] : to[c] + scale * (float)from[c];
        }
}

/* The rows of a strip whose input fits into the first-level cache. */
static int strip_rows(const work *w)
{
    const srq_conv_shape *s = &w->plan->shape;
    const size_t row = (size_t)w->plan->width * w->pixel, fit = SLAB_BYTES / row;
    const size_t kernel = (size_t)s->kernel[0];
    const size_t rows = fit > kernel ? (fit - kernel) / (size_t)s->stride[0] + 1 : 1;
    return rows < (size_t)s->out_height ? (int)rows : s->out_height;
}

static void run_block(const work *w, int n, const uint8_t *x, const int8_t *dy, float scale, float *dw)
{
    const srq_by_weights *plan = w->plan;
    const srq_conv_shape *s = &plan->shape;
    const int groups = groups_of(n), rows = strip_rows(w);
    const size_t image = plan->pixels * w->pixel;
    const int together = rows < s->out_height ? 1 : image < SLAB_BYTES ? (int)(SLAB_BYTES / image) : 1;
    long pixels = 0;
    bool first = true;
    memset(w->sums, 0, sums_count(plan) * sizeof *w->sums);
    for (int g = 0; g < groups; g += together)
        for (int r = 0; r < s->out_height; r += rows) {
            const srq_vnni_strip strip = {.groups = groups - g < together ? groups - g : together,
                                          .rows = s->out_height - r < rows ? s->out_height - r : rows,
                                          .width = s->out_width,
                                          .group_step = image,
                                          .row_step = (size_t)(s->stride[0] * plan->width) * w->pixel,
                                          .pixel_step = (size_t)s->stride[1] * w->pixel};
            const long more = (long)SRQ_VNNI_IMAGES * strip.groups * strip.rows * strip.width;
            if (pixels > 0 && pixels + more > plan->most) {
                put_sums(w, first, scale, dw);
                memset(w->sums, 0, sums_count(plan) * sizeof *w->sums);
                first = false;
                pixels = 0;
            }
            pixels += more;
            const size_t row = (size_t)g * (size_t)s->out_height + (size_t)r;
            add_strip(w, &strip, x + (size_t)g * image + (size_t)(r * s->stride[0] * plan->width) * w->pixel,
                      dy + row * (size_t)s->out_width * PIXEL);
        }
    put_sums(w, first, scale, dw);
}

void srq_by_weights_run(const srq_by_weights *plan, int n, const uint8_t *x, const int8_t *dy, float scale, float *dw,
                        void *scratch)
{
    uint8_t *input = scratch, *gradient = input + plan->input;
    work w = {.plan = plan, .sums = (int32_t *)(void *)(gradient + plan->gradient)};
    w.panel_step = (size_t)groups_of(n) * (size_t)plan->shape.out_height * (size_t)plan->shape.out_width * PIXEL;
    pack_input(plan, n, x, input);
    pack_gradient(plan, n, dy, gradient);
    for (w.block = 0; w.block < plan->blocks; w.block++) {
        w.registers = registers_of(plan, w.block);
        w.pixel = (size_t)w.registers * SRQ_VNNI_LANES * SRQ_VNNI_IMAGES;
        for (w.first = 0; w.first < plan->panels; w.first += SUPER) {
            w.count = plan->panels - w.first < SUPER ? plan->panels - w.first : SUPER;
            run_block(&w, n, input + block_at(plan, n, w.block),
                      (const int8_t *)gradient + (size_t)w.first * w.panel_step, scale, dw);
        }
    }
}

void srq_by_weights_unpack(const srq_by_weights *plan, float *dw, void *scratch)
{
    const srq_conv_shape *s = &plan->shape;
    const size_t in = (size_t)s->in, out = (size_t)s->out, positions = (size_t)plan->positions;
    const float *from = scratch;
    memcpy(scratch, dw, in * out * positions * sizeof *dw);
    for (size_t first = 0; first < in; first += BLOCK) {
        const size_t width = in - first < BLOCK ? in - first : BLOCK;
        for (size_t o = 0; o < out; o++)
            for (size_t c = 0; c < width; c++)
                for (size_t k = 0; k < positions; k++)
                    dw[(o * in + first + c) * positions + k] = from[(k * out + o) * width + c];
        from += width * out * positions;
    }
}
