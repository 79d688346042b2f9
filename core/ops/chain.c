#include "core/ops/chain.h"

#include "core/ops/batchnorm.h"
#include "core/ops/layer_quantizer.h"
#include "core/ops/weighted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A tile consists of units. With pooling, a unit is a line of windows; otherwise, it is a pixel. */
enum { TILE_FLOATS = 4096 };

struct srq_chain {
    const srq_layer *producer;    /* the `deferred` layer that makes the input, or NULL */
    const srq_layer *norm, *pool; /* or NULL */
    srq_layer *quantize;          /* or NULL */
    const srq_layer *tap;         /* the member before it, if its output is written, too; or NULL */
    const srq_layer *last;
    bool adds;  /* the chain has a sum with its second input */
    bool clips; /* the chain has a ReLU */
    float low, high;
    size_t channels;
    size_t image_units, tile_units; /* number of units in an image and in a tile */
    size_t unit_in, unit_out;       /* number of floats in a unit */
    size_t work;                    /* place of srq_batch_norm_work in a pass */
};

/* Buffers for a tile, in the scratch memory of the pass. */
typedef struct tile {
    size_t first, units;  /* number of the first unit, and of units */
    size_t in, out;       /* floats before and after pooling */
    size_t at_in, at_out; /* the first of them in their tensors */
    float *wide;          /* before pooling */
    float *narrow;        /* after; `wide` without pooling */
    float *spread;        /* gradient before pooling */
    int32_t *where;
} tile;

/* --- Which layers make a chain */

/* Whether adjacent windows cover the image. */
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

static bool has_stage(const srq_layer *const *members, int count, srq_chain_stage stage)
{
    for (int i = 0; i < count; i++)
        if (members[i]->op->stage == stage) return true;
    return false;
}

bool srq_chain_takes(const srq_layer *const *members, int count, const srq_layer *layer)
{
    const srq_chain_stage stage = layer->op->stage;
    if (stage == SRQ_CHAIN_NONE || (count > 0 && stage <= members[count - 1]->op->stage)) return false;
    const srq_quantizer *q = &layer->quantizer;
    if (stage == SRQ_CHAIN_QUANTIZE && q->method && (q->method->floats || q->method->by_place)) return false;
    if (stage == SRQ_CHAIN_ADD) return count > 0 && members[count - 1]->op->stage == SRQ_CHAIN_NORM;
    return stage != SRQ_CHAIN_POOL || (!has_stage(members, count, SRQ_CHAIN_ADD) && pools_evenly(layer));
}

bool srq_chain_taps(const srq_layer *const *members, int count)
{
    return !has_stage(members, count, SRQ_CHAIN_POOL);
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

static void set_member(srq_chain *chain, srq_layer *layer)
{
    const srq_chain_stage stage = layer->op->stage;
    if (stage == SRQ_CHAIN_NORM) chain->norm = layer;
    if (stage == SRQ_CHAIN_ADD) chain->adds = true;
    if (stage == SRQ_CHAIN_POOL) chain->pool = layer;
    if (stage == SRQ_CHAIN_QUANTIZE && layer->quantizer.method) chain->quantize = layer;
    if (stage == SRQ_CHAIN_CLIP) {
        chain->clips = true;
        chain->low = 0;
        if (layer->spec->max > 0) chain->high = layer->spec->max;
    }
    if (layer->tapped) chain->tap = layer;
    chain->last = layer;
}

static size_t whole_lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

srq_status srq_chain_create(srq_layer *const *members, int count, const srq_layer *producer, srq_chain **out)
{
    srq_network *network = members[0]->network;
    srq_chain *chain = calloc(1, sizeof *chain);
    if (!chain) return srq_fail_memory(sizeof *chain, "a chain of layers");
    *out = chain;
    chain->producer = producer;
    chain->low = -INFINITY;
    chain->high = INFINITY;
    for (int i = 0; i < count; i++) set_member(chain, members[i]);
    set_tiles(chain, members[0]->inputs[0]);
    srq_network_need_scratch(network, 4 * whole_lines(chain->tile_units * chain->unit_in * sizeof(float)));
    return srq_batch_norm_reserve(network, chain->last->index, chain->channels, &chain->work);
}

void srq_chain_destroy(srq_chain **chain)
{
    free(*chain);
    *chain = NULL;
}

static srq_batch_norm_work work_in(const srq_chain *chain, const srq_pass *pass)
{
    return srq_batch_norm_work_at(pass, chain->work, chain->channels);
}

/* --- Tiles */

/* The next tile of `units` units, of which `first` are done. */
static tile tile_in(const srq_chain *chain, const srq_pass *pass, size_t first, size_t units)
{
    const size_t bytes = whole_lines(chain->tile_units * chain->unit_in * sizeof(float));
    const size_t count = units - first < chain->tile_units ? units - first : chain->tile_units;
    char *at = pass->scratch;
    tile t = {.first = first,
              .units = count,
              .in = count * chain->unit_in,
              .out = count * chain->unit_out,
              .at_in = first * chain->unit_in,
              .at_out = first * chain->unit_out,
              .wide = (float *)at};
    t.narrow = chain->pool ? (float *)(at + bytes) : t.wide;
    t.spread = (float *)(at + 2 * bytes);
    t.where = (int32_t *)(at + 3 * bytes);
    return t;
}

static size_t rows_of(const srq_chain *chain, int n)
{
    return (size_t)n * chain->image_units * chain->unit_in / chain->channels;
}

static const float *input_in(const srq_chain *chain, const srq_pass *pass)
{
    return srq_pass_floats(pass, chain->last->chain_inputs[0]->place);
}

static void pool_tile(const srq_chain *chain, const srq_vector *vector, const tile *t, const float *wide, float *narrow)
{
    const int *k = chain->pool->spec->kernel;
    const size_t width = (size_t)chain->pool->output.width;
    for (size_t u = 0; u < t->units; u++)
        vector->max_pool_line(width, chain->channels, k[0], k[1], wide + u * chain->unit_in,
                              narrow + u * chain->unit_out, t->where + u * chain->unit_out);
}

/* Computes a tile up to the quantizer, in `narrow`. */
static void compute_tile(const srq_chain *chain, const srq_pass *pass, const srq_batch_norm_work *w, const tile *t,
                         float *narrow)
{
    float *wide = chain->pool ? t->wide : narrow;
    const size_t rows = t->in / chain->channels;
    const float *x = input_in(chain, pass) + t->at_in;
    if (chain->adds)
        pass->vector->affine_add_rows(rows, chain->channels, x, w->lines.a, w->lines.b,
                                      srq_pass_floats(pass, chain->last->chain_inputs[1]->place) + t->at_in, chain->low,
                                      chain->high, wide);
    else
        pass->vector->affine_rows(rows, chain->channels, x, w->lines.a, w->lines.b, chain->low, chain->high, wide);
    if (chain->pool) pool_tile(chain, pass->vector, t, wide, narrow);
}

/* The gradient before pooling, from g after it; without pooling, g itself. */
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

bool srq_chain_measures(const srq_chain *chain)
{
    return chain->norm;
}

void srq_chain_measure(const srq_chain *chain, srq_pass *pass)
{
    const srq_batch_norm_sums sums = work_in(chain, pass).forward;
    srq_batch_norm_clear(&sums, chain->channels);
    if (pass->n)
        pass->vector->moments(rows_of(chain, pass->n), chain->channels, input_in(chain, pass), sums.first, sums.second);
}

/* The linear function of the input elements. */
static void set_lines(const srq_chain *chain, const srq_pass *pass, const srq_batch_norm_work *w)
{
    const float *scales = chain->producer ? srq_weighted_output_scales(chain->producer, pass) : w->ones;
    const float *bias = chain->producer ? srq_weighted_bias(chain->producer) : w->zeros;
    for (size_t c = 0; c < chain->channels; c++) {
        w->ones[c] = 1;
        w->zeros[c] = 0;
    }
    if (!chain->norm) {
        memcpy(w->lines.a, scales, chain->channels * sizeof *scales);
        memcpy(w->lines.b, bias, chain->channels * sizeof *bias);
        return;
    }
    const srq_batch_norm_sums sums =
        pass->training ? srq_batch_norm_total(pass, w, &w->forward, chain->channels) : w->forward;
    srq_batch_norm_forward_lines(chain->norm, pass, rows_of(chain, pass->shard_n), sums.first, sums.second, scales,
                                 bias, &w->lines);
}

/* Computes the input of the quantizer for all images of a slice. */
static void compute_whole(const srq_chain *chain, const srq_pass *pass, float *to)
{
    const srq_batch_norm_work w = work_in(chain, pass);
    const size_t units = (size_t)pass->n * chain->image_units;
    set_lines(chain, pass, &w);
    for (size_t u = 0; u < units;) {
        const tile t = tile_in(chain, pass, u, units);
        compute_tile(chain, pass, &w, &t, to + t.at_out);
        u += t.units;
    }
}

/* Quantizers are initialized from a whole tensor. This is not part of a training step, so memory is allocated
 * temporarily. */
srq_status srq_chain_start(srq_chain *chain, srq_pass *pass)
{
    if (!chain->quantize) return SRQ_OK;
    const size_t image = chain->image_units * chain->unit_out, count = (size_t)pass->shard_n * image;
    float *whole = malloc(count * sizeof *whole), *to = whole;
    if (!whole) return srq_fail_memory(count * sizeof *whole, "the initialization of a quantizer");
    for (int s = 0; s < pass->slices; s++) {
        compute_whole(chain, &pass->shard[s], to);
        to += (size_t)pass->shard[s].n * image;
    }
    srq_layer_start_quantizer(chain->quantize, pass, count, whole);
    srq_quantizer *q = &chain->quantize->quantizer;
    chain->quantize->output.scale = q->grid.alpha = q->alpha[0];
    free(whole);
    return SRQ_OK;
}

void srq_chain_forward(const srq_chain *chain, srq_pass *pass)
{
    const srq_batch_norm_work w = work_in(chain, pass);
    const size_t units = (size_t)pass->n * chain->image_units;
    char *y = srq_pass_at(pass, chain->last->output.place);
    bool finite = true;
    set_lines(chain, pass, &w);
    for (size_t u = 0; u < units;) {
        const tile t = tile_in(chain, pass, u, units);
        float *out = chain->tap        ? srq_pass_output(pass, chain->tap) + t.at_out
                     : chain->quantize ? t.narrow
                                       : (float *)(void *)y + t.at_out;
        compute_tile(chain, pass, &w, &t, out);
        if (chain->quantize)
            finite =
                srq_quantizer_forward(&chain->quantize->quantizer, pass->vector, t.out, out, y + t.at_out) && finite;
        u += t.units;
    }
    if (!finite && pass->bad < 0) pass->bad = chain->quantize->index;
}

/* --- Backward. The first pass over memory goes back to the linear function and computes the sums that batch-norm
 * needs. Its result is the gradient of the second input of a sum; without a sum, it overwrites the gradient of the
 * output. The second pass goes through the linear function. It is only made for batch-norm, and for gradients of 8
 * bits, whose scale the first one finds. With batch-norm, the first is srq_chain_measure_backward. */

/* Whether the producer expects a gradient of 8 bits. Its scale needs a first pass over memory even without batch-norm.
 */
static bool gives8(const srq_chain *chain)
{
    return chain->producer && chain->producer->gradient_type == SRQ_INT8;
}

/* The values that are rounded are kept in `wide`, which the gradient does not need any more. */
static void give8(const srq_chain *chain, const srq_pass *pass, const srq_batch_norm_work *w, const tile *t,
                  const float *g, const float *x)
{
    const srq_gradient8 gradient = srq_weighted_gradient8(chain->producer, pass);
    int8_t *rounded = (int8_t *)srq_pass_input_gradient(pass, chain->last, 0) + t->at_in;
    pass->vector->combine_rows(t->in / chain->channels, chain->channels, g, x, w->by_g, w->by_x, w->constant, t->wide);
    srq_gradient8_round(&gradient, pass, chain->producer->index, t->in, t->wide, t->at_in, rounded);
}

/* Computes the gradient of the chain's input at a tile, from g before pooling and the input x. */
static void give(const srq_chain *chain, const srq_pass *pass, const srq_batch_norm_work *w, const tile *t,
                 const float *g, const float *x)
{
    const srq_vector *vector = pass->vector;
    const size_t rows = t->in / chain->channels, n = chain->channels;
    const bool rounds = chain->producer && chain->producer->gradient_type == SRQ_BFLOAT16;
    if (gives8(chain)) {
        give8(chain, pass, w, t, g, x);
        return;
    }
    float *dx = srq_pass_input_gradient(pass, chain->last, 0);
    uint16_t *rounded = (uint16_t *)dx + t->at_in;
    dx += t->at_in;
    const float *factors = chain->producer ? srq_weighted_scales(chain->producer) : w->ones;
    if (chain->norm && rounds)
        vector->combine_rows_bf16(rows, n, g, x, w->by_g, w->by_x, w->constant, rounded);
    else if (chain->norm)
        vector->combine_rows(rows, n, g, x, w->by_g, w->by_x, w->constant, dx);
    else if (rounds)
        vector->scale_rows_bf16(rows, n, g, factors, rounded);
    else
        vector->scale_rows(rows, n, g, factors, dx);
}

static void widen_ranges(const srq_chain *chain, const srq_pass *pass, const tile *t, const float *g, const float *x)
{
    const srq_gradient8 gradient = srq_weighted_gradient8(chain->producer, pass);
    const size_t rows = t->in / chain->channels;
    pass->vector->extremes(rows, chain->channels, g, gradient.low_g, gradient.high_g);
    if (chain->norm) pass->vector->extremes(rows, chain->channels, x, gradient.low_x, gradient.high_x);
}

/* Whether the gradient goes through the linear function in a second pass. */
static bool has_second_pass(const srq_chain *chain)
{
    return chain->norm || gives8(chain);
}

/* The gradient before the linear function, at a tile: in memory if a second pass reads it. */
static float *gradient_at_line(const srq_chain *chain, const srq_pass *pass, const tile *t)
{
    float *side = chain->adds ? srq_pass_input_gradient(pass, chain->last, 1) : NULL;
    if (!has_second_pass(chain)) return chain->pool ? t->wide : t->spread; /* neither is used any more, or yet */
    return (side ? side : srq_pass_output_gradient(pass, chain->last)) + t->at_out;
}

/* The values up to the quantizer. */
static const float *values_of(const srq_chain *chain, const srq_pass *pass, const srq_batch_norm_work *w, const tile *t)
{
    if (chain->tap) return srq_pass_output(pass, chain->tap) + t->at_out;
    if (chain->quantize || chain->clips || chain->pool) compute_tile(chain, pass, w, t, t->narrow);
    return t->narrow;
}

static void down_to_line(const srq_chain *chain, const srq_pass *pass, const srq_batch_norm_work *w, const tile *t,
                         srq_grid_gradient *sums)
{
    const srq_vector *vector = pass->vector;
    const float *y = values_of(chain, pass, w, t), *x = input_in(chain, pass) + t->at_in;
    const float *g = srq_pass_output_gradient(pass, chain->last) + t->at_out;
    float *to = gradient_at_line(chain, pass, t);
    if (chain->quantize) {
        srq_quantizer_backward_part(&chain->quantize->quantizer, vector, 0, t->out, chain->last->output.features, y, g,
                                    to, sums, NULL);
        g = to;
    }
    if (chain->tap) vector->add(t->out, to, srq_pass_output_gradient(pass, chain->tap) + t->at_out);
    if (chain->clips) {
        vector->clip_backward(t->out, y, g, chain->low, chain->high, to);
        g = to;
    }
    if (chain->adds && g != to) memcpy(to, g, t->out * sizeof *to);
    g = spread_tile(chain, vector, t, g);
    if (gives8(chain)) widen_ranges(chain, pass, t, g, x);
    if (chain->norm)
        vector->products(t->in / chain->channels, chain->channels, g, x, w->backward.first, w->backward.second);
    else if (!gives8(chain))
        give(chain, pass, w, t, g, x);
}

/* Sets the linear function from g and x to the gradient of the chain's input. */
static void set_backward_lines(const srq_chain *chain, const srq_pass *pass, const srq_batch_norm_work *w)
{
    const srq_layer *producer = chain->producer;
    if (chain->norm) {
        const srq_batch_norm_sums sums = srq_batch_norm_total(pass, w, &w->backward, chain->channels);
        srq_batch_norm_backward_lines(chain->norm, pass, rows_of(chain, pass->shard_n), sums.first, sums.second,
                                      &w->lines, producer ? srq_weighted_output_scales(producer, pass) : NULL,
                                      producer ? srq_weighted_scales(producer) : NULL, w->by_g, w->by_x, w->constant);
    } else {
        memcpy(w->by_g, srq_weighted_scales(producer), chain->channels * sizeof *w->by_g);
        memset(w->by_x, 0, chain->channels * sizeof *w->by_x);
        memset(w->constant, 0, chain->channels * sizeof *w->constant);
    }
    if (!gives8(chain)) return;
    const srq_gradient8 gradient = srq_weighted_gradient8(producer, pass);
    srq_gradient8_set_scale(&gradient, chain->channels, w->by_g, w->by_x, w->constant);
}

static void through_line(const srq_chain *chain, const srq_pass *pass, const srq_batch_norm_work *w)
{
    const size_t units = (size_t)pass->n * chain->image_units;
    set_backward_lines(chain, pass, w);
    for (size_t u = 0; u < units;) {
        const tile t = tile_in(chain, pass, u, units);
        if (chain->pool) compute_tile(chain, pass, w, &t, t.narrow);
        give(chain, pass, w, &t, spread_tile(chain, pass->vector, &t, gradient_at_line(chain, pass, &t)),
             input_in(chain, pass) + t.at_in);
        u += t.units;
    }
}

static void back_to_line(const srq_chain *chain, srq_pass *pass, const srq_batch_norm_work *w)
{
    const size_t units = (size_t)pass->n * chain->image_units;
    srq_grid_gradient sums = {0};
    if (gives8(chain)) {
        const srq_gradient8 gradient = srq_weighted_gradient8(chain->producer, pass);
        srq_gradient8_clear(&gradient, chain->channels);
    }
    for (size_t u = 0; u < units;) {
        const tile t = tile_in(chain, pass, u, units);
        down_to_line(chain, pass, w, &t, &sums);
        u += t.units;
    }
    if (chain->quantize) srq_layer_put_gradient(chain->quantize, pass, &sums, NULL);
}

void srq_chain_measure_backward(const srq_chain *chain, srq_pass *pass)
{
    const srq_batch_norm_work w = work_in(chain, pass);
    srq_batch_norm_clear(&w.backward, chain->channels);
    if (pass->n) back_to_line(chain, pass, &w);
}

void srq_chain_backward(const srq_chain *chain, srq_pass *pass)
{
    const srq_batch_norm_work w = work_in(chain, pass);
    if (!chain->norm) back_to_line(chain, pass, &w);
    if (has_second_pass(chain)) through_line(chain, pass, &w);
}

/* --- What the functions above read and write */

static size_t forward_bytes(const srq_chain *chain, size_t in, size_t out)
{
    size_t bytes = in * sizeof(float) * (chain->norm ? 2 : 1); /* the sums, then the values */
    if (chain->adds) bytes += in * sizeof(float);
    if (chain->tap) bytes += out * sizeof(float);
    return bytes + out * srq_dtype_size(chain->last->output.dtype);
}

static size_t backward_bytes(const srq_chain *chain, size_t in, size_t out)
{
    const bool computes = !chain->tap && (chain->quantize || chain->clips || chain->pool);
    const bool changes = chain->quantize || chain->clips || chain->adds;
    const size_t given = in * (chain->producer ? srq_dtype_size(chain->producer->gradient_type) : sizeof(float));
    size_t bytes = out * sizeof(float); /* the gradient of the output */
    if (computes || has_second_pass(chain)) bytes += in * sizeof(float);
    if (computes && chain->adds) bytes += in * sizeof(float);
    if (chain->tap) bytes += 2 * out * sizeof(float); /* the values and their gradient */
    if (!has_second_pass(chain)) return bytes + given;
    if (changes) bytes += out * sizeof(float);
    return bytes + (out + in) * sizeof(float) + given;
}

size_t srq_chain_bytes(const srq_chain *chain, bool backward)
{
    const size_t in = chain->image_units * chain->unit_in, out = chain->image_units * chain->unit_out;
    return backward ? backward_bytes(chain, in, out) : forward_bytes(chain, in, out);
}
