#include "core/ops/weighted.h"

#include "core/deploy_build.h"
#include "core/kernels/gates.h"
#include "core/kernels/image_sums.h"
#include "core/mask.h"
#include "core/ops/layer_quantizer.h"
#include "core/quant/methods.h"
#include "core/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct weighted {
    const srq_kernels *kernels;
    srq_conv_plan *plan;
    srq_conv_info info;
    srq_conv_shape shape;
    size_t rows;                 /* number of output pixels of an image */
    size_t count;                /* weights */
    size_t staging;              /* bytes of the converted gradient, at the start of the scratch memory */
    void *codes;                 /* [count] bytes, if quantized */
    float *floats;               /* [count], if the quantizer makes floats in training */
    float *weight_scales, *bias; /* [out]: scales of the weights; the bias, or zeros */
    double *exact;               /* if the layer reads images and has codes: for sums in evaluation (image_sums.h) */
    size_t output_scales;        /* place in a pass: [out], scales of the weights times the scale of the input */
    size_t gradient8;            /* place of srq_gradient8 in a pass, if gradients have 8 bits */
    size_t lines;                /* the same, unless another layer makes them: [out] factors, zeros, zeros */
    srq_grid_gradient *sums;     /* [channels of the quantizer] */
} weighted;

static srq_status add_parameters(srq_layer *layer, int rank, const size_t *dimensions)
{
    srq_network *network = layer->network;
    SRQ_TRY(srq_network_add_parameter(network, layer->spec, "weight", SRQ_PARAMETER_WEIGHT, rank, dimensions,
                                      &layer->weight));
    if (layer->spec->bias)
        SRQ_TRY(
            srq_network_add_parameter(network, layer->spec, "bias", SRQ_PARAMETER_BIAS, 1, dimensions, &layer->bias));
    SRQ_TRY(srq_quantizer_init(&layer->spec->quantizer, true, (int)dimensions[0], &layer->quantizer));
    return srq_layer_add_quantizer(layer, "weight");
}

/* Requests memory for the curves of a quantizer with gates (gates.h). */
static srq_status add_gate_curves(srq_layer *layer, size_t count)
{
    srq_quantizer *q = &layer->quantizer;
    if (layer->gates < 0 || q->channels > 1 || q->spec.estimator != SRQ_ESTIMATOR_FULL) return SRQ_OK;
    const size_t floats = srq_gate_curves_size(q->spec.min_bits, srq_bits_longest(&q->spec.bits));
    q->elements = count;
    return srq_network_share(layer->network, floats * sizeof(float), (void **)&q->gate_curves.rows);
}

static srq_status make_plan(weighted *w, srq_layer *layer, const srq_conv_shape *shape)
{
    const srq_tensor *x = layer->inputs[0];
    const srq_quantizer *q = &layer->quantizer;
    srq_conv_shape whole = *shape;
    whole.workers = layer->network->workers;
    whole.input_gradient = layer->producers[0] >= 0;
    whole.input = x->dtype;
    whole.input_most = x->most;
    whole.weight_codes = q->method && !q->method->floats;
    whole.weights_vary = q->method && q->method->floats && !q->method->point;
    whole.weights_most = q->method ? 1 << (srq_bits_longest(&q->spec.bits) - 1) : 0;
    SRQ_TRY(w->kernels->conv_create(&whole, layer->network->vector, &w->plan));
    w->info = w->kernels->conv_info(w->plan);
    const size_t gradient = (size_t)shape->capacity * w->rows * (size_t)shape->out * srq_dtype_size(w->info.gradient);
    w->staging = (gradient + 63) / 64 * 64;
    srq_network_need_scratch(layer->network, w->staging + w->info.scratch);
    layer->gradient_type = w->info.gradient;
    if (w->info.gradient != SRQ_INT8) return SRQ_OK;
    const size_t out = (size_t)shape->out;
    SRQ_TRY(srq_gradient8_reserve(layer->network, layer->index, out, &w->gradient8));
    return srq_network_reserve(layer->network, layer->index, 3 * out * sizeof(float), &w->lines);
}

static srq_status add_memory(weighted *w, srq_layer *layer, size_t out)
{
    const srq_quantizer *q = &layer->quantizer;
    srq_network *network = layer->network;
    const size_t sums = (size_t)q->channels * sizeof *w->sums, channels = out * sizeof(float);
    if (q->method) SRQ_TRY(srq_network_share(network, w->count, &w->codes));
    if (q->method && q->method->floats)
        SRQ_TRY(srq_network_share(network, w->count * sizeof(float), (void **)&w->floats));
    SRQ_TRY(add_gate_curves(layer, w->count));
    if (q->method && !q->method->point && layer->producers[0] < 0) {
        SRQ_TRY(srq_network_share(network, srq_image_sums_weights(&w->shape) * sizeof(double), (void **)&w->exact));
        srq_network_need_scratch(network, srq_image_sums_scratch(&w->shape));
    }
    SRQ_TRY(srq_network_share(network, sums, (void **)&w->sums));
    SRQ_TRY(srq_network_share(network, channels, (void **)&w->weight_scales));
    SRQ_TRY(srq_network_share(network, channels, (void **)&w->bias));
    return srq_network_reserve(network, layer->index, channels, &w->output_scales);
}

/* Before the kernels see them. A layer of more than 2^48 multiplications an image could not be trained. */
static srq_status check_sizes(const srq_conv_shape *shape, size_t rows, int rank, const size_t *dimensions)
{
    size_t factors[5] = {rows, (size_t)shape->out};
    SRQ_TRY(srq_network_check_product(2, factors, SRQ_NUMBERS_MAX, "the number of outputs for an image"));
    SRQ_TRY(srq_network_check_product(rank - 1, dimensions + 1, SRQ_NUMBERS_MAX, "the number of weights of an output"));
    /* oneDNN 2.6 counts the pixels of a pass in an int: with more, it divides by 0. */
    const size_t pixels[2] = {(size_t)shape->capacity, rows};
    SRQ_TRY(srq_network_check_product(2, pixels, SRQ_NUMBERS_MAX, "the number of pixels of the images in a pass"));
    memcpy(factors + 1, dimensions, (size_t)rank * sizeof *factors);
    return srq_network_check_product(rank + 1, factors, (size_t)1 << 48, "the number of multiplications for an image");
}

srq_status srq_weighted_create(srq_layer *layer, const srq_conv_shape *shape, int rank, const size_t *dimensions)
{
    weighted *w = calloc(1, sizeof *w);
    if (!w) return srq_fail_memory(sizeof *w, layer->spec->name);
    layer->state = w;
    w->kernels = layer->network->kernels;
    w->shape = *shape;
    w->rows = (size_t)shape->out_height * (size_t)shape->out_width;
    SRQ_TRY(check_sizes(shape, w->rows, rank, dimensions));
    SRQ_TRY(add_parameters(layer, rank, dimensions));
    w->count = layer->network->parameters[layer->weight].count;
    layer->macs = w->count * w->rows;
    SRQ_TRY(add_memory(w, layer, (size_t)shape->out));
    return make_plan(w, layer, shape);
}

void srq_weighted_destroy(srq_layer *layer)
{
    weighted *w = layer->state;
    if (!w) return;
    if (w->plan) w->kernels->conv_destroy(&w->plan);
    free(w);
    layer->state = NULL;
}

void srq_weighted_initialize(srq_layer *layer, uint64_t seed, double gain)
{
    const srq_network *network = layer->network;
    const srq_parameter *weight = &network->parameters[layer->weight];
    const size_t fan_in = weight->count / weight->shape[0];
    const float deviation = sqrtf((float)(gain * gain) / (float)fan_in);
    srq_random_normal(seed, SRQ_RANDOM_WEIGHTS, (uint64_t)layer->index, weight->count, deviation,
                      network->values + weight->offset);
    if (layer->gates < 0) return;
    const srq_parameter *gates = &network->parameters[layer->gates];
    const double open = (double)layer->quantizer.spec.open;
    for (size_t i = 0; i < gates->count; i++) network->values[gates->offset + i] = (float)log(open / (1 - open));
}

/* Whether the weights of this pass are floats. */
static bool gives_floats(const srq_quantizer *q)
{
    return q->method->point || (q->training && q->method->floats);
}

static srq_operand quantized(const weighted *w, srq_layer *layer, const srq_pass *pass, const float *values)
{
    const srq_quantizer *q = &layer->quantizer;
    srq_layer_start_quantizer(layer, pass, w->count, values);
    srq_layer_load_quantizer(layer, pass);
    if (gives_floats(q)) return (srq_operand){.data = w->floats, .dtype = SRQ_FLOAT32, .scale = 1};
    return (srq_operand){
        .data = w->codes, .dtype = SRQ_INT8, .scale = q->grid.alpha, .scales = q->channels > 1 ? q->alpha : NULL};
}

/* Noise may have made a weight that is not kept nonzero. */
static void drop_codes(const weighted *w, const srq_layer *layer, const srq_operand *operand)
{
    if (!layer->mask) return;
    if (operand->dtype == SRQ_FLOAT32)
        srq_mask_floats(layer->mask, 0, w->count, w->floats);
    else
        srq_mask_codes(layer->mask, w->count, w->codes);
}

void srq_weighted_prepare(srq_layer *layer, srq_pass *pass)
{
    weighted *w = layer->state;
    const size_t out = (size_t)layer->output.channels;
    const float *values = srq_pass_values(pass, layer, layer->weight);
    srq_operand operand = {.data = values, .dtype = SRQ_FLOAT32, .scale = 1};
    if (layer->quantizer.method) {
        const srq_quantizer *q = &layer->quantizer;
        operand = quantized(w, layer, pass, values);
        const bool finite = gives_floats(q) && !q->training
                                ? srq_quantizer_values(q, pass->vector, w->count, values, w->floats)
                                : srq_quantizer_forward(q, pass->vector, w->count, values, (void *)operand.data);
        if (!finite && pass->bad < 0) pass->bad = layer->index;
        drop_codes(w, layer, &operand);
    }
    w->kernels->conv_pack(w->plan, pass->worker, &operand, pass->training, pass->scratch);
    if (w->exact && !pass->training) srq_image_sums_pack(&w->shape, w->codes, w->exact);
    for (size_t c = 0; c < out; c++) w->weight_scales[c] = operand.scales ? operand.scales[c] : operand.scale;
    const float *bias = srq_pass_values(pass, layer, layer->bias);
    for (size_t c = 0; c < out; c++) w->bias[c] = bias ? bias[c] : 0;
}

/* If possible, the next layer applies scales and bias, which saves a pass over memory. */
void srq_weighted_forward(const srq_layer *layer, srq_pass *pass)
{
    const weighted *w = layer->state;
    const size_t out = (size_t)layer->output.channels;
    const srq_operand x = srq_pass_operand(pass, layer->inputs[0]);
    float *y = srq_pass_output(pass, layer), *scales = srq_pass_at(pass, w->output_scales);
    const int fraction = layer->network->fraction;
    if (w->exact && pass->exact && fraction >= 0)
        srq_image_sums_run(&w->shape, w->exact, fraction, pass->n, x.data, y, pass->scratch);
    else
        w->kernels->conv_forward(w->plan, pass->worker, pass->n, &x, y, pass->scratch);
    for (size_t c = 0; c < out; c++) scales[c] = x.scale * w->weight_scales[c];
    if (layer->deferred) return;
    pass->vector->affine_rows((size_t)pass->n * w->rows, out, y, scales, w->bias, -INFINITY, INFINITY, y);
}

srq_gradient8 srq_weighted_gradient8(const srq_layer *layer, const srq_pass *pass)
{
    const weighted *w = layer->state;
    return srq_gradient8_at(pass, w->gradient8, (size_t)layer->output.channels);
}

/* Multiplies dy by the scales of the weights, in place, and rounds it to 8 bits. */
static void stage8(const weighted *w, const srq_layer *layer, const srq_pass *pass, float *dy, int8_t *to)
{
    const size_t rows = (size_t)pass->n * w->rows, out = (size_t)layer->output.channels;
    const srq_gradient8 g = srq_weighted_gradient8(layer, pass);
    float *by_g = srq_pass_at(pass, w->lines), *by_x = by_g + out, *constant = by_x + out;
    memcpy(by_g, w->weight_scales, out * sizeof *by_g);
    memset(by_x, 0, 2 * out * sizeof *by_x);
    srq_gradient8_clear(&g, out);
    pass->vector->extremes(rows, out, dy, g.low_g, g.high_g);
    srq_gradient8_set_scale(&g, out, by_g, by_x, constant);
    pass->vector->scale_rows(rows, out, dy, by_g, dy);
    srq_gradient8_round(&g, pass, layer->index, rows * out, dy, 0, to);
}

/* The gradient for the kernels: multiplied by the scales of the weights, and rounded once to their type. */
static srq_operand staged(const weighted *w, const srq_layer *layer, const srq_pass *pass)
{
    const size_t rows = (size_t)pass->n * w->rows, out = (size_t)layer->output.channels;
    float *dy = srq_pass_output_gradient(pass, layer);
    srq_operand to = {.data = pass->scratch, .dtype = w->info.gradient, .scale = 1};
    if (layer->deferred || (!layer->quantizer.method && w->info.gradient == SRQ_FLOAT32))
        to.data = dy;
    else if (w->info.gradient == SRQ_INT8)
        stage8(w, layer, pass, dy, pass->scratch);
    else if (w->info.gradient == SRQ_BFLOAT16)
        pass->vector->scale_rows_bf16(rows, out, dy, w->weight_scales, pass->scratch);
    else
        pass->vector->scale_rows(rows, out, dy, w->weight_scales, pass->scratch);
    if (w->info.gradient == SRQ_INT8) to.scale = *srq_weighted_gradient8(layer, pass).scale;
    return to;
}

static void bias_gradient(const weighted *w, const srq_layer *layer, const srq_pass *pass, const srq_operand *dy)
{
    const size_t rows = (size_t)pass->n * w->rows, out = (size_t)layer->output.channels;
    float *to = srq_pass_gradient(pass, layer, layer->bias);
    if (w->info.gradient == SRQ_INT8)
        pass->vector->sum_rows_s8(rows, out, dy->data, to);
    else if (w->info.gradient == SRQ_BFLOAT16)
        pass->vector->sum_rows_bf16(rows, out, dy->data, to);
    else
        pass->vector->sum_rows(rows, out, dy->data, to);
    for (size_t c = 0; c < out; c++) to[c] = dy->scale * to[c] / w->weight_scales[c];
}

void srq_weighted_backward(const srq_layer *layer, srq_pass *pass)
{
    const weighted *w = layer->state;
    const srq_operand x = srq_pass_operand(pass, layer->inputs[0]);
    const srq_operand dy = staged(w, layer, pass);
    float *dx = srq_pass_input_gradient(pass, layer, 0);
    char *scratch = (char *)pass->scratch + w->staging;
    if (layer->bias >= 0) bias_gradient(w, layer, pass, &dy);
    if (dx) w->kernels->conv_backward_data(w->plan, pass->worker, pass->n, &dy, dx, scratch);
    srq_pass_done(pass, layer, SRQ_PHASE_BACKWARD_DATA);
    w->kernels->conv_backward_weights(w->plan, pass->worker, pass->n, &x, &dy,
                                      srq_pass_gradient(pass, layer, layer->weight), scratch);
    srq_pass_done(pass, layer, SRQ_PHASE_BACKWARD_WEIGHTS);
}

/* --- Once a step. If each row has its own step size, units are whole rows. */

enum { UNIT = 16384 };

static size_t row_of(const srq_layer *layer)
{
    const weighted *w = layer->state;
    return w->count / (size_t)layer->output.channels;
}

static size_t rows_of_unit(const srq_layer *layer)
{
    const size_t row = row_of(layer);
    return row < UNIT ? UNIT / row : 1;
}

size_t srq_weighted_unit_size(const srq_layer *layer)
{
    return layer->quantizer.channels > 1 ? rows_of_unit(layer) * row_of(layer) : UNIT;
}

/* The slots are masks, then alpha and sigma of each row. */
size_t srq_weighted_unit_slots(const srq_layer *layer)
{
    if (!layer->quantizer.method) return 0;
    return SRQ_LEVELS_MAX + 2 * (layer->quantizer.channels > 1 ? rows_of_unit(layer) : 1);
}

void srq_weighted_unpack(const srq_layer *layer, const srq_pass *pass, float *gradient)
{
    const weighted *w = layer->state;
    w->kernels->conv_unpack(w->plan, pass->worker, gradient, pass->scratch);
}

/* dL/d(scale * code) is the sum of codes times the gradient. That gradient was multiplied by the scale of the weights
 * for the other direction, so this is divided out here, and the scale of the input is applied. */
static void rescale(const srq_layer *layer, size_t begin, size_t end, float *gradient)
{
    const weighted *w = layer->state;
    const size_t row = row_of(layer);
    for (size_t at = begin; at < end;) {
        const size_t c = at / row, last = (c + 1) * row < end ? (c + 1) * row : end;
        const float scale = layer->inputs[0]->scale / w->weight_scales[c];
        for (size_t i = at; i < last; i++) gradient[i - begin] *= scale;
        at = last;
    }
}

void srq_weighted_finish_unit(const srq_layer *layer, const srq_pass *pass, size_t begin, size_t end, float *gradient,
                              double *slots)
{
    const weighted *w = layer->state;
    const srq_quantizer *q = &layer->quantizer;
    const float *x = srq_pass_values(pass, layer, layer->weight);
    rescale(layer, begin, end, gradient);
    /* Weights that are not kept add nothing to the sums of the quantizer. */
    if (layer->mask) srq_mask_floats(layer->mask, begin, end, gradient);
    if (!q->method) return;
    const size_t features = !layer->mask ? w->count : layer->kept ? layer->kept : 1;
    const size_t row = q->channels > 1 ? row_of(layer) : w->count;
    double *sums = slots + SRQ_LEVELS_MAX;
    for (size_t at = begin; at < end; sums += 2) {
        const size_t c = at / row, last = (c + 1) * row < end ? (c + 1) * row : end;
        srq_grid_gradient part = {0};
        srq_quantizer_backward_part(q, pass->vector, c, last - at, features, x + at, gradient + (at - begin),
                                    gradient + (at - begin), &part, slots);
        sums[0] = part.alpha;
        sums[1] = part.sigma;
        at = last;
    }
    if (layer->mask) srq_mask_floats(layer->mask, begin, end, gradient); /* -0 */
}

void srq_weighted_collect(const srq_layer *layer, const srq_pass *pass, int units, size_t stride, const double *slots)
{
    const weighted *w = layer->state;
    const srq_quantizer *q = &layer->quantizer;
    if (!q->method) return;
    const size_t rows = q->channels > 1 ? rows_of_unit(layer) : 1;
    double masks[SRQ_LEVELS_MAX] = {0};
    memset(w->sums, 0, (size_t)q->channels * sizeof *w->sums);
    for (int u = 0; u < units; u++, slots += stride) {
        for (int i = 0; i < SRQ_LEVELS_MAX; i++) masks[i] += slots[i];
        for (size_t r = 0; r < rows; r++) {
            const size_t c = q->channels > 1 ? (size_t)u * rows + r : 0;
            if (c >= (size_t)q->channels) break;
            w->sums[c].alpha += slots[SRQ_LEVELS_MAX + 2 * r];
            w->sums[c].sigma += slots[SRQ_LEVELS_MAX + 2 * r + 1];
        }
    }
    srq_layer_put_gradient(layer, pass, w->sums, masks);
}

const srq_conv_info *srq_weighted_info(const srq_layer *layer)
{
    const weighted *w = layer->state;
    return layer->weight >= 0 ? &w->info : NULL;
}

const float *srq_weighted_scales(const srq_layer *layer)
{
    const weighted *w = layer->state;
    return w->weight_scales;
}

const float *srq_weighted_output_scales(const srq_layer *layer, const srq_pass *pass)
{
    const weighted *w = layer->state;
    return srq_pass_at(pass, w->output_scales);
}

const float *srq_weighted_bias(const srq_layer *layer)
{
    const weighted *w = layer->state;
    return w->bias;
}

/* --- The deployed network */

static void *copied(const void *from, size_t bytes)
{
    void *to = malloc(bytes);
    if (to) memcpy(to, from, bytes);
    return to;
}

/* Codes, or floats without a quantizer, in the order of the parameter. */
static void copy_weights(const weighted *w, const srq_layer *layer, srq_deploy_weights *to)
{
    const srq_quantizer *q = &layer->quantizer;
    const float *values = srq_network_in(layer->network, layer->network->values, layer->weight);
    srq_points points;
    if (!q->method) {
        to->floats = copied(values, w->count * sizeof *values);
        return;
    }
    srq_quantizer_points(q, &points);
    to->grid = (srq_deploy_grid){.bits = q->bits, .min = q->grid.min, .max = q->grid.max};
    to->scales = q->channels;
    to->scale = copied(q->alpha, (size_t)q->channels * sizeof *q->alpha);
    to->codes = copied(w->codes, w->count);
    if (points.uniform || !to->codes) return;
    to->grid.points = copied(points.point, (size_t)points.count * sizeof *points.point);
    for (size_t i = 0; i < w->count; i++) {
        const float alpha = q->alpha[i / (w->count / (size_t)q->channels)];
        to->codes[i] = (int8_t)srq_points_nearest(&points, values[i] / alpha);
    }
}

/* The input's scale is in its codes, and that of the weights in theirs, unless the sums have their values. */
static srq_status put_deployed(const weighted *w, const srq_layer *layer, srq_deployer *deployer, int index,
                               float input)
{
    const srq_quantizer *q = &layer->quantizer;
    const int out = layer->output.channels;
    const bool codes = q->method && !q->method->point;
    float *scales = malloc((size_t)out * sizeof *scales);
    if (!scales) return srq_fail_memory((size_t)out * sizeof *scales, layer->spec->name);
    for (int c = 0; c < out; c++) scales[c] = input * (codes ? q->alpha[q->channels > 1 ? c : 0] : 1);
    srq_status status = srq_deployer_put_sums(deployer, layer, index, scales, w->bias);
    free(scales);
    return status;
}

srq_status srq_weighted_deploy(const srq_layer *layer, srq_deployer *deployer)
{
    const weighted *w = layer->state;
    const srq_conv_shape *s = &w->shape;
    srq_deploy_op op = {.kind = SRQ_DEPLOY_CONV,
                        .input_count = 1,
                        .kernel = {s->kernel[0], s->kernel[1]},
                        .stride = {s->stride[0], s->stride[1]},
                        .padding = {s->padding[0], s->padding[1]},
                        .groups = s->groups,
                        .dense = s->covers,
                        .weights = {.count = w->count, .kept = layer->mask ? layer->kept : w->count}};
    srq_deploy_tensor x;
    int index;
    SRQ_TRY(srq_deployer_operand(deployer, layer, 0, &op.inputs[0], &x));
    copy_weights(w, layer, &op.weights);
    if (layer->mask) op.weights.mask = copied(layer->mask, srq_mask_bytes(w->count));
    SRQ_TRY(srq_deployer_add(deployer, layer, &op, &index));
    return put_deployed(w, layer, deployer, index, x.grid.bits && !x.grid.points ? x.scale : 1);
}
