#include "core/ops/chain.h"

#include "core/ops/batchnorm.h"
#include "core/ops/weighted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A tile is a number of units: a line of windows with pooling, else a pixel. */
enum { TILE_FLOATS = 4096 };

struct srq_chain {
    const srq_graph *graph;
    srq_layer *producer;               /* that defers to the chain, or NULL */
    srq_layer *norm, *pool, *quantize; /* or NULL */
    srq_layer *last;
    bool clips; /* there is a ReLU */
    float low, high;
    size_t channels;
    size_t image_units, tile_units; /* units of an image, of a tile */
    size_t unit_in, unit_out;       /* floats of a unit */
    srq_batch_norm_lines lines;
    double *sums, *products;       /* [channels] */
    float *by_g, *by_x, *constant; /* [channels] */
    float *ones, *zeros;           /* [channels] */
    void *block;                   /* all of these */
};

/* What a tile is computed in, in the graph's scratch memory. */
typedef struct tile {
    size_t units, in, out; /* of this tile; floats before and after pooling */
    float *wide;           /* before pooling */
    float *narrow;         /* after; `wide` without pooling */
    float *spread;         /* gradient before pooling */
    int32_t *where;
} tile;

/* --- Which layers make a chain */

static bool is_type(const srq_layer *layer, const char *type)
{
    return strcmp(layer->spec->type, type) == 0;
}

static int stage_of(const srq_layer *layer)
{
    static const char *const order[] = {"batch_norm", "relu", "max_pool", "quantize"};
    for (int i = 0; i < 4; i++)
        if (is_type(layer, order[i])) return i;
    return -1;
}

/* Windows side by side that cover the image. */
static bool pools_evenly(const srq_layer *layer)
{
    const srq_layer_spec *s = layer->spec;
    const srq_tensor *x = layer->inputs[0];
    const int size[2] = {x->height, x->width};
    for (int i = 0; i < 2; i++)
        if (s->kernel[i] < 1 || s->stride[i] != s->kernel[i] || s->padding[i] != 0 || size[i] % s->kernel[i] != 0)
            return false;
    return true;
}

bool srq_chain_takes(const srq_layer *const *members, int count, const srq_layer *layer)
{
    const int stage = stage_of(layer);
    if (stage < 0 || (count > 0 && stage <= stage_of(members[count - 1]))) return false;
    const srq_quantizer *q = &layer->quantizer;
    if (is_type(layer, "quantize") && q->method && (q->method->floats || q->method->by_place)) return false;
    return !is_type(layer, "max_pool") || pools_evenly(layer);
}

/* --- Building */

static void set_tiles(srq_chain *chain, const srq_tensor *x)
{
    const int k0 = chain->pool ? chain->pool->spec->kernel[0] : 1;
    chain->channels = (size_t)x->channels;
    if (chain->pool) {
        chain->image_units = (size_t)(x->height / k0);
        chain->unit_in = (size_t)k0 * (size_t)x->width * chain->channels;
        chain->unit_out = (size_t)chain->pool->output.width * chain->channels;
    } else {
        chain->image_units = (size_t)x->height * (size_t)x->width;
        chain->unit_in = chain->unit_out = chain->channels;
    }
    chain->tile_units = TILE_FLOATS / chain->unit_in ? TILE_FLOATS / chain->unit_in : 1;
}

static srq_status allocate(srq_chain *chain)
{
    const size_t doubles = 4, floats = 7, line = (chain->channels + 15) / 16 * 16;
    chain->block = aligned_alloc(64, line * (doubles * sizeof(double) + floats * sizeof(float)));
    if (!chain->block) return srq_fail_memory(line * 64, "a chain of layers");
    double *d = chain->block;
    chain->lines.p = d, chain->lines.q = d + line, chain->sums = d + 2 * line, chain->products = d + 3 * line;
    float *f = (float *)(d + doubles * line);
    chain->lines.a = f, chain->lines.b = f + line, chain->by_g = f + 2 * line, chain->by_x = f + 3 * line;
    chain->constant = f + 4 * line, chain->ones = f + 5 * line, chain->zeros = f + 6 * line;
    for (size_t c = 0; c < chain->channels; c++) {
        chain->ones[c] = 1;
        chain->zeros[c] = 0;
    }
    return SRQ_OK;
}

static void set_member(srq_chain *chain, srq_layer *layer)
{
    if (is_type(layer, "batch_norm")) chain->norm = layer;
    if (is_type(layer, "max_pool")) chain->pool = layer;
    if (is_type(layer, "quantize") && layer->quantizer.method) chain->quantize = layer;
    if (is_type(layer, "relu")) {
        chain->clips = true;
        chain->low = 0;
        if (layer->spec->max > 0) chain->high = layer->spec->max;
    }
    chain->last = layer;
}

static size_t whole_lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

srq_status srq_chain_create(srq_graph *graph, srq_layer *const *members, int count, srq_layer *producer,
                            srq_chain **out)
{
    srq_chain *chain = calloc(1, sizeof *chain);
    if (!chain) return srq_fail_memory(sizeof *chain, "a chain of layers");
    chain->graph = graph;
    chain->producer = producer;
    chain->low = -INFINITY;
    chain->high = INFINITY;
    for (int i = 0; i < count; i++) set_member(chain, members[i]);
    set_tiles(chain, members[0]->inputs[0]);
    srq_status status = allocate(chain);
    if (status != SRQ_OK) {
        srq_chain_destroy(&chain);
        return status;
    }
    srq_graph_need_scratch(graph, 4 * whole_lines(chain->tile_units * chain->unit_in * sizeof(float)));
    *out = chain;
    return SRQ_OK;
}

void srq_chain_destroy(srq_chain **chain)
{
    if (!*chain) return;
    free((*chain)->block);
    free(*chain);
    *chain = NULL;
}

/* --- Tiles */

static tile tile_of(const srq_chain *chain, size_t units)
{
    const size_t bytes = whole_lines(chain->tile_units * chain->unit_in * sizeof(float));
    char *at = srq_graph_scratch(chain->graph);
    tile t = {.units = units, .in = units * chain->unit_in, .out = units * chain->unit_out, .wide = (float *)at};
    t.narrow = chain->pool ? (float *)(at + bytes) : t.wide;
    t.spread = (float *)(at + 2 * bytes);
    t.where = (int32_t *)(at + 3 * bytes);
    return t;
}

static size_t next_units(const srq_chain *chain, size_t done, size_t all)
{
    return all - done < chain->tile_units ? all - done : chain->tile_units;
}

static void pool_tile(const srq_chain *chain, const srq_vector *vector, const tile *t, const float *wide, float *narrow)
{
    const int *k = chain->pool->spec->kernel;
    const size_t width = (size_t)chain->pool->output.width;
    for (size_t u = 0; u < t->units; u++)
        vector->max_pool_line(width, chain->channels, k[0], k[1], wide + u * chain->unit_in,
                              narrow + u * chain->unit_out, t->where + u * chain->unit_out);
}

/* The tile that starts at the element x, as it is before quantization, into `narrow`. */
static void compute_tile(const srq_chain *chain, const srq_vector *vector, const tile *t, const float *x, float *narrow)
{
    float *wide = chain->pool ? t->wide : narrow;
    vector->affine_rows(t->in / chain->channels, chain->channels, x, chain->lines.a, chain->lines.b, chain->low,
                        chain->high, wide);
    if (chain->pool) pool_tile(chain, vector, t, wide, narrow);
}

/* The gradient g after pooling, before it; g itself without. */
static const float *spread_tile(const srq_chain *chain, const srq_vector *vector, const tile *t, const float *g)
{
    if (!chain->pool) return g;
    const int *k = chain->pool->spec->kernel;
    const size_t width = (size_t)chain->pool->output.width;
    for (size_t u = 0; u < t->units; u++)
        vector->max_unpool_line(width, chain->channels, k[0], k[1], g + u * chain->unit_out,
                                t->where + u * chain->unit_out, t->spread + u * chain->unit_in);
    return t->spread;
}

/* --- Forward */

static const srq_tensor *input_of(const srq_chain *chain)
{
    return chain->last->chain_input;
}

static size_t rows_of(const srq_chain *chain, const srq_pass *pass)
{
    return (size_t)pass->n * chain->image_units * chain->unit_in / chain->channels;
}

/* From the elements of the input to what is clipped. */
static void set_lines(srq_chain *chain, const srq_pass *pass)
{
    const srq_tensor *x = input_of(chain);
    const float *scales = x->scales && chain->producer ? x->scales : chain->ones;
    const float *bias = x->bias && chain->producer ? x->bias : chain->zeros;
    const size_t rows = rows_of(chain, pass), bytes = chain->channels * sizeof(double);
    if (!chain->norm) {
        memcpy(chain->lines.a, scales, chain->channels * sizeof *scales);
        memcpy(chain->lines.b, bias, chain->channels * sizeof *bias);
        return;
    }
    memset(chain->sums, 0, bytes);
    memset(chain->products, 0, bytes);
    if (pass->training) pass->vector->moments(rows, chain->channels, x->operand.data, chain->sums, chain->products);
    srq_batch_norm_forward_lines(chain->norm, pass, rows, chain->sums, chain->products, scales, bias, &chain->lines);
}

/* Quantizers take their step sizes from a whole tensor. Not part of a training step: memory for it is of the moment. */
static void start_quantizer(srq_chain *chain, srq_pass *pass)
{
    const float *x = input_of(chain)->operand.data;
    const size_t units = (size_t)pass->n * chain->image_units, count = units * chain->unit_out;
    float *whole = malloc(count * sizeof *whole);
    if (!whole) {
        pass->failed = srq_fail_memory(count * sizeof *whole, "the start of a quantizer");
        return;
    }
    for (size_t u = 0; u < units;) {
        const tile t = tile_of(chain, next_units(chain, u, units));
        compute_tile(chain, pass->vector, &t, x + u * chain->unit_in, whole + u * chain->unit_out);
        u += t.units;
    }
    srq_layer_start_quantizer(chain->graph, chain->quantize, pass, count, whole);
    srq_quantizer *q = &chain->quantize->quantizer;
    chain->last->output.operand.scale = q->grid.alpha = q->alpha[0];
    free(whole);
}

void srq_chain_forward(srq_chain *chain, srq_pass *pass)
{
    const float *x = input_of(chain)->operand.data;
    const size_t units = (size_t)pass->n * chain->image_units;
    char *y = (char *)chain->last->output.operand.data;
    bool finite = true;
    set_lines(chain, pass);
    if (chain->quantize && (pass->starting || pass->changing)) start_quantizer(chain, pass);
    for (size_t u = 0; u < units;) {
        const tile t = tile_of(chain, next_units(chain, u, units));
        float *out = chain->quantize ? t.narrow : (float *)y + u * chain->unit_out;
        compute_tile(chain, pass->vector, &t, x + u * chain->unit_in, out);
        if (chain->quantize)
            finite =
                srq_quantizer_forward(&chain->quantize->quantizer, pass->vector, t.out, out, y + u * chain->unit_out) &&
                finite;
        u += t.units;
    }
    if (!finite && pass->bad < 0) pass->bad = chain->quantize->index;
}

/* --- Backward. First down to the line, with the sums that batch-norm needs; what comes out goes where the gradient of
 * the output was. Then through the line. */

/* The gradient of the chain's input from g before pooling and the input x, at element `at`. */
static void give(const srq_chain *chain, const srq_vector *vector, const tile *t, const float *g, const float *x,
                 size_t at)
{
    const size_t rows = t->in / chain->channels, n = chain->channels;
    const bool rounds = chain->producer && chain->producer->gradient_type == SRQ_BFLOAT16;
    float *dx = chain->last->input_gradients[0];
    uint16_t *rounded = (uint16_t *)dx + at;
    const float *factors = chain->producer ? srq_weighted_scales(chain->producer) : chain->ones;
    if (chain->norm && rounds)
        vector->combine_rows_bf16(rows, n, g, x, chain->by_g, chain->by_x, chain->constant, rounded);
    else if (chain->norm)
        vector->combine_rows(rows, n, g, x, chain->by_g, chain->by_x, chain->constant, dx + at);
    else if (rounds)
        vector->scale_rows_bf16(rows, n, g, factors, rounded);
    else
        vector->scale_rows(rows, n, g, factors, dx + at);
}

static void down_to_line(srq_chain *chain, srq_pass *pass, const tile *t, const float *x, float *dy, size_t at,
                         srq_grid_gradient *sums)
{
    const srq_vector *vector = pass->vector;
    if (chain->quantize || chain->clips || chain->pool) compute_tile(chain, vector, t, x, t->narrow);
    if (chain->quantize)
        srq_quantizer_backward_part(&chain->quantize->quantizer, vector, 0, t->out, chain->last->output.features,
                                    t->narrow, dy, dy, sums, NULL);
    if (chain->clips) vector->clip_backward(t->out, t->narrow, dy, chain->low, chain->high, dy);
    const float *g = spread_tile(chain, vector, t, dy);
    if (chain->norm)
        vector->products(t->in / chain->channels, chain->channels, g, x, chain->sums, chain->products);
    else
        give(chain, vector, t, g, x, at);
}

static void through_norm(srq_chain *chain, srq_pass *pass)
{
    const srq_vector *vector = pass->vector;
    const float *x = input_of(chain)->operand.data, *dy = chain->last->output_gradient;
    const size_t units = (size_t)pass->n * chain->image_units;
    srq_batch_norm_backward_lines(chain->norm, pass, rows_of(chain, pass), chain->sums, chain->products, &chain->lines,
                                  chain->producer ? srq_weighted_scales(chain->producer) : NULL, chain->by_g,
                                  chain->by_x, chain->constant);
    for (size_t u = 0; u < units;) {
        const tile t = tile_of(chain, next_units(chain, u, units));
        const float *from = x + u * chain->unit_in;
        if (chain->pool) compute_tile(chain, vector, &t, from, t.narrow);
        give(chain, vector, &t, spread_tile(chain, vector, &t, dy + u * chain->unit_out), from, u * chain->unit_in);
        u += t.units;
    }
}

void srq_chain_backward(srq_chain *chain, srq_pass *pass)
{
    const float *x = input_of(chain)->operand.data;
    float *dy = (float *)chain->last->output_gradient;
    const size_t units = (size_t)pass->n * chain->image_units, bytes = chain->channels * sizeof(double);
    srq_grid_gradient sums = {0};
    memset(chain->sums, 0, bytes);
    memset(chain->products, 0, bytes);
    for (size_t u = 0; u < units;) {
        const tile t = tile_of(chain, next_units(chain, u, units));
        down_to_line(chain, pass, &t, x + u * chain->unit_in, dy + u * chain->unit_out, u * chain->unit_in, &sums);
        u += t.units;
    }
    if (chain->quantize) srq_layer_put_gradient(chain->graph, chain->quantize, pass, &sums, NULL);
    if (chain->norm) through_norm(chain, pass);
}
