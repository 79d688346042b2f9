#include "core/ops/layer_quantizer.h"

#include <stdio.h>

srq_status srq_layer_add_quantizer(srq_layer *layer, const char *prefix)
{
    const srq_quantizer *q = &layer->quantizer;
    if (!q->method) return SRQ_OK;
    char name[32];
    const size_t channels = (size_t)q->channels;
    const int rank = q->spec.per_channel ? 1 : 0;
    snprintf(name, sizeof name, "%s_alpha", prefix);
    SRQ_TRY(srq_network_add_parameter(layer->network, layer->spec, name, SRQ_PARAMETER_ALPHA, rank, &channels,
                                      &layer->alpha));
    snprintf(name, sizeof name, "%s_sigma", prefix);
    if (q->method->has_sigma)
        SRQ_TRY(srq_network_add_parameter(layer->network, layer->spec, name, SRQ_PARAMETER_SIGMA, rank, &channels,
                                          &layer->sigma));
    const int levels = srq_bits_longest(&q->spec.bits) - q->spec.min_bits;
    if (q->spec.dropbits == SRQ_DROPBITS_OFF || levels < 1) return SRQ_OK;
    const size_t count = (size_t)levels;
    snprintf(name, sizeof name, "%s_gate_logits", prefix);
    return srq_network_add_parameter(layer->network, layer->spec, name, SRQ_PARAMETER_GATE, 1, &count, &layer->gates);
}

/* Sets the grid of evaluation: gates are open up to its bit-length and closed above. */
static void hold_gates(srq_quantizer *q)
{
    double z[SRQ_LEVELS_MAX];
    for (int i = 0; i < q->gates.count; i++) z[i] = q->spec.min_bits + i < q->bits;
    srq_gates_set(&q->gates, z);
}

/* The bit-length of evaluation with gates' logits phi, or without gates if phi is NULL. */
static int evaluated_bits(const srq_quantizer *q, const float *phi)
{
    if (!phi || q->spec.dropbits != SRQ_DROPBITS_LEARN || !q->gates.count) return q->trained_bits;
    return srq_gates_bits(q->spec.min_bits, q->gates.count, phi);
}

static float *values_of(const srq_layer *layer, int parameter)
{
    return srq_network_in(layer->network, layer->network->values, parameter);
}

void srq_layer_load_quantizer(srq_layer *layer, const srq_pass *pass)
{
    srq_quantizer *q = &layer->quantizer;
    q->alpha = values_of(layer, layer->alpha);
    q->sigma = values_of(layer, layer->sigma);
    q->grid.alpha = q->alpha[0];
    if (q->sigma) q->grid.sigma = q->sigma[0];
    q->training = pass->training;
    q->seed = pass->seed;
    q->step = pass->step;
    q->stream = (uint64_t)layer->index * SRQ_SHARDS_MAX;
    const float *phi = values_of(layer, layer->gates);
    srq_quantizer_set_bits(q, q->trained_bits, evaluated_bits(q, phi));
    if (!q->training) return;
    if (phi && pass->gates_held)
        hold_gates(q);
    else if (phi)
        srq_gates_draw(&q->gates, pass->seed, pass->step, layer->index, phi);
    srq_quantizer_begin(q);
}

void srq_layer_start_quantizer(srq_layer *layer, const srq_pass *pass, size_t n, const float *x)
{
    float *alpha = values_of(layer, layer->alpha), *sigma = values_of(layer, layer->sigma);
    srq_quantizer *q = &layer->quantizer;
    const float *phi = q->spec.follow ? values_of(layer, layer->gates) : NULL;
    int from = q->trained_bits; /* bit-length of the grid to which alpha belongs */
    if (pass->starting)
        srq_quantizer_start(q, pass->vector, n, x, alpha, sigma);
    else if (pass->changing && layer->next_bits) {
        from = evaluated_bits(q, phi);
        srq_quantizer_set_bits(q, layer->next_bits, layer->next_bits);
    } else
        return;
    const int to = evaluated_bits(q, phi); /* also when starting, because gates may begin closed */
    if (to != from) srq_quantizer_rescale(q, pass->vector, from, to, n, x, alpha, sigma);
}

void srq_layer_follow_gates(srq_layer *layer)
{
    srq_quantizer *q = &layer->quantizer;
    if (layer->gates < 0 || !q->spec.follow) return;
    const int bits = evaluated_bits(q, values_of(layer, layer->gates));
    if (bits == q->bits) return;
    srq_quantizer_rescale(q, layer->network->vector, q->bits, bits, layer->network->parameters[layer->weight].count,
                          values_of(layer, layer->weight), values_of(layer, layer->alpha),
                          values_of(layer, layer->sigma));
    srq_quantizer_set_bits(q, q->trained_bits, bits);
}

void srq_layer_put_gradient(const srq_layer *layer, const srq_pass *pass, const srq_grid_gradient *sums,
                            const double *masks)
{
    float *alpha = srq_pass_gradient(pass, layer, layer->alpha);
    float *sigma = srq_pass_gradient(pass, layer, layer->sigma);
    float *gates = srq_pass_gradient(pass, layer, layer->gates);
    for (int c = 0; alpha && c < layer->quantizer.channels; c++) alpha[c] = (float)sums[c].alpha;
    for (int c = 0; sigma && c < layer->quantizer.channels; c++) sigma[c] = (float)sums[c].sigma;
    if (gates) srq_quantizer_gate_gradients(&layer->quantizer, masks, gates);
}
