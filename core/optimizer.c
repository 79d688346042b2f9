#include "core/optimizer.h"

#include "core/memory.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

struct srq_optimizer {
    srq_optimizer_options options;
    long steps;
    int state_count;
    float *state[2]; /* sgd: momentum; adam: m, v */
    void *blocks[2]; /* the memory of the states */
    float *average;  /* or NULL */
    bool shown;      /* the average is in the graph, and the values of the last step are in `average` */
};

double srq_schedule_factor(const srq_schedule *s, long step)
{
    if (step < s->warmup) return (double)(step + 1) / (double)(s->warmup + 1);
    const long left = s->total - s->warmup, at = step - s->warmup;
    const double progress = left > 0 ? fmin(1.0, (double)at / (double)left) : 1.0;
    switch (s->method) {
    case SRQ_STEP:
        return s->step_every > 0 ? pow(s->factor, (double)(at / s->step_every)) : 1.0;
    case SRQ_LINEAR:
        return 1 + (s->final - 1) * progress;
    case SRQ_COSINE:
        return s->final + (1 - s->final) * 0.5 * (1 + cos(3.141592653589793 * progress));
    case SRQ_CONSTANT:
        break;
    }
    return 1;
}

/* Makes a state vector of zeros. In parts, its pages are only taken when they are used. */
static srq_status make_state(srq_optimizer *o, int index, size_t bytes)
{
    enum { LINE = 64 };
    void *block = o->options.in_parts ? calloc(1, bytes + LINE) : srq_memory_zeros(bytes);
    if (!block) return srq_fail_memory(bytes, "the optimizer's state");
    o->blocks[index] = block;
    const size_t past = (size_t)((uintptr_t)block % LINE);
    o->state[index] = (float *)(void *)((char *)block + (past ? LINE - past : 0));
    return SRQ_OK;
}

srq_status srq_optimizer_create(const srq_graph *graph, const srq_optimizer_options *options, srq_optimizer **out)
{
    srq_optimizer *o = calloc(1, sizeof *o);
    if (!o) return srq_fail_memory(sizeof *o, "the optimizer");
    o->options = *options;
    o->state_count = options->method == SRQ_SGD ? 1 : 2;
    const size_t bytes = srq_graph_size(graph) * sizeof(float);
    for (int i = 0; i < o->state_count; i++) {
        const srq_status status = make_state(o, i, bytes);
        if (status != SRQ_OK) {
            srq_optimizer_destroy(&o);
            return status;
        }
    }
    if (options->average > 0) {
        o->average = srq_memory_zeros(bytes);
        if (!o->average) {
            srq_optimizer_destroy(&o);
            return srq_fail_memory(bytes, "the average of the weights");
        }
        srq_optimizer_begin_average(o, graph);
    }
    *out = o;
    return SRQ_OK;
}

void srq_optimizer_destroy(srq_optimizer **optimizer)
{
    if (!*optimizer) return;
    free((*optimizer)->blocks[0]);
    free((*optimizer)->blocks[1]);
    free((*optimizer)->average);
    free(*optimizer);
    *optimizer = NULL;
}

void srq_optimizer_hold_gates(srq_optimizer *o)
{
    o->options.gate_learning_rate = 0;
}

static double base_rate(const srq_optimizer_options *options, srq_parameter_kind kind)
{
    if (kind == SRQ_PARAMETER_ALPHA) return options->alpha_learning_rate;
    if (kind == SRQ_PARAMETER_SIGMA) return options->sigma_learning_rate;
    if (kind == SRQ_PARAMETER_GATE) return options->gate_learning_rate;
    return options->learning_rate;
}

bool srq_optimizer_learns(const srq_optimizer *o, srq_parameter_kind kind)
{
    return kind != SRQ_PARAMETER_STATISTIC && base_rate(&o->options, kind) > 0;
}

/* SGD with Nesterov's momentum, as in PyTorch: m <- momentum m + g, w <- w - rate (g + momentum m). */
static void step_nesterov(size_t count, float *w, float *m, const float *g, float rate, float momentum, float decay)
{
    for (size_t i = 0; i < count; i++) {
        const float gradient = g[i] + decay * w[i];
        m[i] = momentum * m[i] + gradient;
        w[i] -= rate * (gradient + momentum * m[i]);
    }
}

/* Updates w[count] of parameter p by the gradient g. The state is at `offset`. */
static void update(srq_optimizer *o, const srq_vector *vector, const srq_parameter *p, size_t offset, size_t count,
                   float *w, const float *g, double factor)
{
    const srq_optimizer_options *options = &o->options;
    const double rate = base_rate(options, p->kind) * factor;
    const float decay = p->kind == SRQ_PARAMETER_WEIGHT ? (float)options->weight_decay : 0;
    if (options->method == SRQ_SGD && options->nesterov) {
        step_nesterov(count, w, o->state[0] + offset, g, (float)rate, (float)options->momentum, decay);
        return;
    }
    if (options->method == SRQ_SGD) {
        vector->sgd(count, w, o->state[0] + offset, g, (float)rate, (float)options->momentum, decay);
        return;
    }
    /* m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon), with the corrections outside of the loop. */
    const double t = (double)o->steps + 1;
    const double second = sqrt(1 - pow(options->beta2, t));
    const srq_adam_step step = {.rate = (float)(rate * second / (1 - pow(options->beta1, t))),
                                .beta1 = (float)options->beta1,
                                .beta2 = (float)options->beta2,
                                .epsilon = (float)(options->epsilon * second),
                                .decay = options->method == SRQ_ADAMW ? 0 : decay};
    if (options->method == SRQ_ADAMW && decay > 0) {
        const float kept = (float)(1 - rate * options->weight_decay);
        for (size_t i = 0; i < count; i++) w[i] *= kept;
    }
    vector->adam(count, w, o->state[0] + offset, o->state[1] + offset, g, &step);
}

/* The logarithm of a positive parameter v is updated. Its gradient is v dL/dv. */
static void update_logarithm(srq_optimizer *o, const srq_vector *vector, const srq_parameter *p, float *value,
                             const float *gradient, double factor)
{
    for (size_t i = 0; i < p->count; i++) {
        float moved = 0, g = gradient[i] * value[i];
        update(o, vector, p, p->offset + i, 1, &moved, &g, factor);
        moved = fmaxf(-1, fminf(1, moved));
        value[i] = fmaxf(SRQ_STEP_MIN, fminf(SRQ_STEP_MAX, value[i] * expf(moved)));
    }
}

/* Of a parameter, or a part of one, that has just been updated. */
static void move_average(srq_optimizer *o, size_t offset, size_t count, const float *values)
{
    if (o->average)
        srq_average_move(count, o->average + offset, values, srq_average_decay(o->options.average, o->steps + 1));
}

static void update_weights(srq_optimizer *o, const srq_vector *vector, const srq_parameter *p, float *values,
                           const float *gradient, size_t begin, size_t end, double factor)
{
    const size_t first = p->offset > begin ? p->offset : begin;
    const size_t last = p->offset + p->count < end ? p->offset + p->count : end;
    if (first >= last) return;
    update(o, vector, p, first, last - first, values + first, gradient + first, factor);
    move_average(o, first, last - first, values + first);
}

void srq_optimizer_step_weights(srq_optimizer *o, srq_graph *graph, const float *gradient, size_t begin, size_t end,
                                double factor)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (p->kind == SRQ_PARAMETER_WEIGHT)
            update_weights(o, srq_graph_vector(graph), p, srq_graph_values(graph), gradient, begin, end, factor);
    }
}

void srq_optimizer_step_others(srq_optimizer *o, srq_graph *graph, const float *gradient, double factor)
{
    float *values = srq_graph_values(graph);
    const srq_vector *vector = srq_graph_vector(graph);
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        float *value = values + p->offset;
        const float *g = gradient + p->offset;
        if (p->kind == SRQ_PARAMETER_STATISTIC)
            for (size_t k = 0; k < p->count; k++) value[k] += p->momentum * (g[k] - value[k]);
        else if (p->kind == SRQ_PARAMETER_ALPHA || p->kind == SRQ_PARAMETER_SIGMA)
            update_logarithm(o, vector, p, value, g, factor);
        else if (p->kind != SRQ_PARAMETER_WEIGHT)
            update(o, vector, p, p->offset, p->count, value, g, factor);
        if (p->kind != SRQ_PARAMETER_WEIGHT && srq_average_has(p->kind)) move_average(o, p->offset, p->count, value);
    }
    o->steps++;
}

void srq_optimizer_step(srq_optimizer *o, srq_graph *graph, const float *gradient, double factor)
{
    srq_optimizer_step_weights(o, graph, gradient, 0, srq_graph_size(graph), factor);
    srq_optimizer_step_others(o, graph, gradient, factor);
}

float *srq_optimizer_average(srq_optimizer *o)
{
    return o->average;
}

void srq_optimizer_begin_average(srq_optimizer *o, const srq_graph *graph)
{
    if (o->average) srq_average_copy(graph, o->average, srq_graph_values(graph));
    o->shown = false;
}

void srq_optimizer_show_average(srq_optimizer *o, srq_graph *graph, bool shown)
{
    if (!o->average || o->shown == shown) return;
    srq_optimizer_exchange_weights(o, graph, 0, srq_graph_size(graph));
    srq_optimizer_exchange_others(o, graph, shown);
}

void srq_optimizer_exchange_weights(srq_optimizer *o, srq_graph *graph, size_t begin, size_t end)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        const size_t first = p->offset > begin ? p->offset : begin;
        const size_t last = p->offset + p->count < end ? p->offset + p->count : end;
        if (p->kind == SRQ_PARAMETER_WEIGHT && first < last)
            srq_average_exchange(last - first, o->average + first, srq_graph_values(graph) + first);
    }
}

void srq_optimizer_exchange_others(srq_optimizer *o, srq_graph *graph, bool shown)
{
    for (int i = 0; i < srq_graph_parameter_count(graph); i++) {
        const srq_parameter *p = srq_graph_parameter(graph, i);
        if (p->kind != SRQ_PARAMETER_WEIGHT && srq_average_has(p->kind))
            srq_average_exchange(p->count, o->average + p->offset, srq_graph_values(graph) + p->offset);
    }
    o->shown = shown;
}

bool srq_optimizer_shows_average(const srq_optimizer *o)
{
    return o->shown;
}

long srq_optimizer_steps(const srq_optimizer *optimizer)
{
    return optimizer->steps;
}

void srq_optimizer_set_steps(srq_optimizer *optimizer, long steps)
{
    optimizer->steps = steps;
}

int srq_optimizer_state_count(const srq_optimizer *optimizer)
{
    return optimizer->state_count;
}

const char *srq_optimizer_state_name(const srq_optimizer *optimizer, int index)
{
    if (optimizer->options.method == SRQ_SGD) return "momentum";
    return index == 0 ? "m" : "v";
}

float *srq_optimizer_state(srq_optimizer *optimizer, int index)
{
    return optimizer->state[index];
}
