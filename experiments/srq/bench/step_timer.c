#include "experiments/srq/bench/step_timer.h"

#include "core/finish.h"
#include "core/optimizer.h"
#include "core/random.h"
#include "io/progress.h"

#include <stdlib.h>
#include <string.h>

struct srq_step_timer {
    const srq_settings *settings;
    srq_vector vector; /* the best table of this CPU, with a clock around the functions of quantizers */
    srq_graph *graph;
    srq_optimizer *optimizer;
    float *images;   /* [batch][features] */
    int32_t *labels; /* [batch] */
    float *gradient; /* [size]: gradient of the first shard, and the sum */
    float *shard;    /* [size]: gradient of another shard */
    srq_finish *finish;
    double *slots;
    long steps;
};

/* --- The clock. It is global, because the tables of functions have no place for one. */

static const srq_vector *plain;
static double in_quantizers;

static bool timed_quantize(size_t n, const float *x, const srq_grid *grid, void *codes)
{
    const double since = srq_seconds();
    const bool finite = plain->quantize(n, x, grid, codes);
    in_quantizers += srq_seconds() - since;
    return finite;
}

#define TIMED_BACKWARD(name)                                                                                           \
    static void timed_##name(size_t n, const float *x, const float *dy, const srq_grid *grid, float *dx,               \
                             srq_grid_gradient *sums)                                                                  \
    {                                                                                                                  \
        const double since = srq_seconds();                                                                            \
        plain->name(n, x, dy, grid, dx, sums);                                                                         \
        in_quantizers += srq_seconds() - since;                                                                        \
    }

TIMED_BACKWARD(ste_backward)
TIMED_BACKWARD(srq_full_backward)
TIMED_BACKWARD(srq_argmax_backward)

/* For rq and rq_st. */
#define TIMED_DRAWING_FORWARD(name, type)                                                                              \
    static bool timed_##name(size_t n, const float *x, const srq_grid *grid, const srq_relaxation *relaxation,         \
                             type *y)                                                                                  \
    {                                                                                                                  \
        const double since = srq_seconds();                                                                            \
        const bool finite = plain->name(n, x, grid, relaxation, y);                                                    \
        in_quantizers += srq_seconds() - since;                                                                        \
        return finite;                                                                                                 \
    }
#define TIMED_DRAWING_BACKWARD(name)                                                                                   \
    static void timed_##name(size_t n, const float *x, const float *dy, const srq_grid *grid,                          \
                             const srq_relaxation *relaxation, float *dx, srq_grid_gradient *sums)                     \
    {                                                                                                                  \
        const double since = srq_seconds();                                                                            \
        plain->name(n, x, dy, grid, relaxation, dx, sums);                                                             \
        in_quantizers += srq_seconds() - since;                                                                        \
    }

TIMED_DRAWING_FORWARD(rq_forward, float)
TIMED_DRAWING_FORWARD(rq_st_forward, void)
TIMED_DRAWING_BACKWARD(rq_backward)
TIMED_DRAWING_BACKWARD(rq_st_backward)

static void timed_srq_curves_backward(size_t n, const float *x, const float *dy, const srq_curves *curves, float *dx,
                                      srq_grid_gradient *sums)
{
    const double since = srq_seconds();
    plain->srq_curves_backward(n, x, dy, curves, dx, sums);
    in_quantizers += srq_seconds() - since;
}

static bool timed_dropbits_quantize(size_t n, const float *x, const srq_grid *grid, const srq_levels *levels,
                                    int8_t *codes)
{
    const double since = srq_seconds();
    const bool finite = plain->dropbits->quantize(n, x, grid, levels, codes);
    in_quantizers += srq_seconds() - since;
    return finite;
}

static void timed_dropbits_backward(size_t n, const float *x, const float *dy, const srq_grid *grid,
                                    const srq_levels *levels, bool argmax, float *dx, srq_grid_gradient *sums,
                                    double *gates)
{
    const double since = srq_seconds();
    plain->dropbits->backward(n, x, dy, grid, levels, argmax, dx, sums, gates);
    in_quantizers += srq_seconds() - since;
}

static void timed_dropbits_curves_backward(size_t n, const float *x, const float *dy, const srq_gate_curves *curves,
                                           float *dx, srq_grid_gradient *sums, double *gates)
{
    const double since = srq_seconds();
    plain->dropbits->curves_backward(n, x, dy, curves, dx, sums, gates);
    in_quantizers += srq_seconds() - since;
}

static const srq_dropbits_kernels timed_dropbits = {.quantize = timed_dropbits_quantize,
                                                    .backward = timed_dropbits_backward,
                                                    .curves_backward = timed_dropbits_curves_backward};

/* This must include all functions of the table that only quantizers call in a step. */
static srq_vector timed_vector(void)
{
    plain = srq_vector_best(NULL);
    srq_vector timed = *plain;
    timed.quantize = timed_quantize;
    timed.ste_backward = timed_ste_backward;
    timed.srq_full_backward = timed_srq_full_backward;
    timed.srq_curves_backward = timed_srq_curves_backward;
    timed.srq_argmax_backward = timed_srq_argmax_backward;
    timed.rq_forward = timed_rq_forward;
    timed.rq_backward = timed_rq_backward;
    timed.rq_st_forward = timed_rq_st_forward;
    timed.rq_st_backward = timed_rq_st_backward;
    timed.dropbits = &timed_dropbits;
    return timed;
}

/* --- The network */

/* Images are uniform in [0, 1), and labels are uniform over the classes. */
static void draw(srq_step_timer *t, size_t features)
{
    const size_t batch = (size_t)t->settings->train.batch;
    const uint32_t classes = (uint32_t)srq_graph_classes(t->graph);
    uint32_t numbers[4];
    for (size_t i = 0; i < batch * features; i++) {
        if (i % 4 == 0) srq_random(1, SRQ_RANDOM_TEST, 0, i / 4, numbers);
        t->images[i] = (float)(numbers[i % 4] >> 8) * 0x1p-24f;
    }
    for (size_t i = 0; i < batch; i++) {
        srq_random(1, SRQ_RANDOM_TEST, 1, i, numbers);
        t->labels[i] = (int32_t)(numbers[0] % classes);
    }
}

static size_t image_features(const srq_settings *s)
{
    return (size_t)s->model.height * (size_t)s->model.width * (size_t)s->model.channels;
}

/* The first image of a shard. shard = train.shards gives the end. */
static int shard_start(const srq_settings *s, int shard)
{
    return (int)((long)s->train.batch * shard / s->train.shards);
}

static int load_shard(srq_step_timer *t, int shard)
{
    const size_t features = image_features(t->settings);
    const int first = shard_start(t->settings, shard), n = shard_start(t->settings, shard + 1) - first;
    memcpy(srq_graph_input(t->graph), t->images + (size_t)first * features, (size_t)n * features * sizeof *t->images);
    return n;
}

/* Aligned to a cache line, like the gradients in training. */
static float *zeros(size_t count)
{
    const size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
    float *vector = aligned_alloc(64, bytes ? bytes : 64);
    if (vector) memset(vector, 0, bytes);
    return vector;
}

static srq_status build(srq_step_timer *t)
{
    const srq_settings *s = t->settings;
    const srq_graph_options options = {.capacity = (s->train.batch + s->train.shards - 1) / s->train.shards,
                                       .vector = &t->vector,
                                       .engine = s->train.engine};
    const srq_optimizer_options rates = {.method = SRQ_ADAM,
                                         .learning_rate = 1e-9,
                                         .alpha_learning_rate = 1e-9,
                                         .sigma_learning_rate = 1e-9,
                                         .gate_learning_rate = 1e-9,
                                         .beta1 = 0.9,
                                         .beta2 = 0.999,
                                         .epsilon = 1e-8};
    const size_t features = image_features(s), batch = (size_t)s->train.batch;
    SRQ_TRY(srq_graph_create(&s->model, &options, &t->graph));
    SRQ_TRY(srq_optimizer_create(t->graph, &rates, &t->optimizer));
    t->images = calloc(batch * features, sizeof *t->images);
    t->labels = calloc(batch, sizeof *t->labels);
    SRQ_TRY(srq_finish_create(t->graph, SIZE_MAX, &t->finish));
    t->slots = calloc(srq_finish_slot_count(t->finish) + 1, sizeof *t->slots);
    t->gradient = zeros(srq_graph_size(t->graph));
    t->shard = zeros(srq_graph_size(t->graph));
    if (!t->images || !t->labels || !t->gradient || !t->shard || !t->slots)
        return srq_fail_memory(batch * features * sizeof *t->images, "the images of a step");
    draw(t, features);
    srq_graph_initialize(t->graph, (uint64_t)s->train.seed, s->train.init_gain);
    SRQ_TRY(srq_graph_start(t->graph, load_shard(t, 0)));
    return SRQ_OK;
}

srq_status srq_step_timer_create(const srq_config *config, srq_step_timer **timer)
{
    srq_step_timer *t = calloc(1, sizeof *t);
    if (!t) return srq_fail_memory(sizeof *t, "the timer of steps");
    t->settings = srq_config_settings(config);
    t->vector = timed_vector();
    srq_status status = build(t);
    if (status != SRQ_OK)
        srq_step_timer_destroy(&t);
    else
        *timer = t;
    return status;
}

void srq_step_timer_destroy(srq_step_timer **timer)
{
    srq_step_timer *t = *timer;
    if (!t) return;
    srq_finish_destroy(&t->finish);
    free(t->slots);
    srq_optimizer_destroy(&t->optimizer);
    srq_graph_destroy(&t->graph);
    free(t->images);
    free(t->labels);
    free(t->gradient);
    free(t->shard);
    free(t);
    *timer = NULL;
}

srq_status srq_step_timer_run(srq_step_timer *t, srq_step_times *times)
{
    const srq_settings *s = t->settings;
    const double since = srq_seconds();
    srq_metrics metrics;
    const srq_step step = {.seed = (uint64_t)s->train.seed, .number = t->steps++};
    in_quantizers = 0;
    SRQ_TRY(srq_graph_begin_step(t->graph, &step));
    for (int shard = 0; shard < s->train.shards; shard++) {
        const int n = load_shard(t, shard);
        float *gradient = shard == 0 ? t->gradient : t->shard;
        int bad =
            srq_graph_train(t->graph, shard, n, t->labels + shard_start(s, shard), s->train.batch, gradient, &metrics);
        if (bad >= 0)
            return srq_fail(SRQ_ERROR_RUN,
                            "layer \"%s\" produces an infinity or NaN on random images; try another model",
                            srq_graph_layer(t->graph, bad)->spec->name);
        if (shard > 0) t->vector.add(srq_graph_size(t->graph), t->gradient, t->shard);
    }
    srq_finish_unpack(t->finish, 0, 0, t->gradient);
    srq_finish_run(t->finish, t->gradient, 0, 0, 1, t->slots);
    srq_finish_collect(t->finish, t->slots, t->gradient);
    srq_optimizer_step(t->optimizer, t->graph, t->gradient, 1);
    *times = (srq_step_times){.step = srq_seconds() - since, .quantizers = in_quantizers};
    return SRQ_OK;
}
