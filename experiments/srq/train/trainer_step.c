#include "experiments/srq/train/trainer_step.h"
#include "io/escape.h"

#include "experiments/srq/train/trainer_bits.h"

#include <math.h>
#include <signal.h>
#include <string.h>

/* After so many skipped steps in a row, training ends, because more skipping would not help. */
enum { SKIPS_IN_A_ROW = 100 };

static volatile sig_atomic_t stop_requested;

static void request_stop(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

void srq_trainer_heed_signals(void)
{
    struct sigaction action = {.sa_handler = request_stop, .sa_flags = SA_RESTART}, hangup = {0};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    /* A terminal that was closed stops training like SIGTERM, but under nohup it continues. */
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, NULL);
}

bool srq_trainer_is_to_stop(const srq_comm *comm)
{
    double stop = stop_requested;
    srq_comm_sum(comm, &stop, 1);
    return stop > 0;
}

/* Whether this rank asks to stop after this step. Only rank 0 looks at the clock, so that all ranks decide the same. */
static bool wants_stop(srq_trainer *t)
{
    if (stop_requested) return true;
    if (srq_comm_rank(t->comm) > 0) return false;
    const char *reason = srq_deadline_passed(&t->deadline, srq_seconds());
    if (reason) t->stop_reason = reason;
    return reason != NULL;
}

/* What the stepper asks for on any worker, one shard at a time. */
static int fill_shard(void *context, long shard, int lane, int32_t *labels, bool *stop)
{
    srq_trainer *t = context;
    srq_trace *trace = lane == 0 ? t->trace : NULL;
    const int64_t begin = srq_trace_now(trace);
    const int n = srq_batches_fill(&t->batches, t->point.step, shard, t->graph, lane, labels);
    srq_trace_add(trace, SRQ_LANE_COMPUTE, SRQ_EVENT_DATA, shard, begin);
    *stop = t->stopping || stop_requested;
    return n;
}

/* Forward and backward of this rank's shards. */
static void run_shards(srq_trainer *t)
{
    const srq_stepper_source source = {
        .fill = fill_shard, .context = t, .batch = srq_batches_size(&t->batches, t->point.step)};
    t->stopping = wants_stop(t);
    srq_trace_operators(t->trace, true);
    srq_stepper_run(&t->stepper, &source);
    srq_trace_operators(t->trace, false);
}

static void sum_shards(srq_trainer *t, int *bad)
{
    const int64_t begin = srq_trace_now(t->trace);
    srq_stepper_sum(&t->stepper, bad);
    srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_SUM, t->point.step, begin);
}

static void update(srq_trainer *t)
{
    const int64_t begin = srq_trace_now(t->trace);
    srq_stepper_update(&t->stepper, srq_schedule_factor(&t->schedule, t->point.step));
    srq_trainer_steer(t);
    if (t->learns_bits) srq_graph_follow_gates(t->graph);
    srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_UPDATE, t->point.step, begin);
}

/* An image that could not be read is missing in the count of images. Every rank knows the count after the gather, so
 * all ranks fail together. */
static srq_status check_data(const srq_trainer *t)
{
    if (srq_stepper_total(&t->stepper, SRQ_SHARD_COUNT) >= srq_batches_size(&t->batches, t->point.step)) return SRQ_OK;
    return srq_comm_agree(t->comm, srq_batches_status(&t->batches));
}

/* Describes the first infinity or NaN of this step: in the first layer of the first shard that has one, or in the
 * summed gradient of parameter `bad`. The result is the same on every rank. False if there is none. */
static bool find_nonfinite(const srq_trainer *t, int bad, char *where, size_t size)
{
    for (int s = 0; s < t->settings->train.shards; s++) {
        const int layer = (int)t->stepper.gathered[s * SRQ_SHARD_VALUES + SRQ_SHARD_BAD_LAYER] - 1;
        if (layer < 0) continue;
        snprintf(where, size, "layer \"%s\" produces an infinity or NaN in shard %d",
                 srq_graph_layer(t->graph, layer)->spec->name, s);
        return true;
    }
    if (bad < 0) return false;
    snprintf(where, size, "the gradient of %s, summed over shards, holds an infinity or NaN",
             srq_graph_parameter(t->graph, bad)->name);
    return true;
}

/* train.nonfinite = "skip": the step changes neither weights, statistics, optimizer nor lambda, on any rank. */
static srq_status skip_step(srq_trainer *t, const char *where)
{
    char quoted[2 * SRQ_MESSAGE_SIZE];
    t->point.skipped++;
    t->point.skipped_in_a_row++;
    if (t->run && t->noted_skip == SRQ_OK)
        t->noted_skip = srq_run_log(t->run, "skip", "\"step\": %ld, \"reason\": %s, \"skipped\": %ld", t->point.step,
                                    srq_json_quote(where, quoted, sizeof quoted), t->point.skipped);
    if (t->point.skipped_in_a_row < SKIPS_IN_A_ROW) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN,
                    "step %ld: %s; %d steps in a row had one and were skipped (train.nonfinite); the last checkpoint "
                    "is kept: train with a lower optimizer.learning_rate or a schedule.warmup",
                    t->point.step, where, SKIPS_IN_A_ROW);
}

/* Applies train.nonfinite. *skip: the update of this step is to be skipped. */
static srq_status check_finite(srq_trainer *t, int bad, bool *skip)
{
    char where[SRQ_MESSAGE_SIZE / 2];
    *skip = find_nonfinite(t, bad, where, sizeof where);
    if (!*skip) {
        t->point.skipped_in_a_row = 0;
        return SRQ_OK;
    }
    if (strcmp(t->settings->train.nonfinite, "skip") == 0) return skip_step(t, where);
    return srq_fail(SRQ_ERROR_RUN,
                    "step %ld: %s; the last checkpoint is kept: train with a lower optimizer.learning_rate or a "
                    "schedule.warmup, or skip such steps (train.nonfinite = \"skip\")",
                    t->point.step, where);
}

/* Changes to the bit-lengths that schedules have at this step. Every rank computes the same from the weights and shard
 * 0 of the batch. */
static srq_status change_bits(srq_trainer *t, bool *changed)
{
    *changed = false;
    for (int i = 0; i < srq_graph_layer_count(t->graph); i++) {
        const srq_quantizer *q = &srq_graph_layer(t->graph, i)->quantizer;
        t->next_bits[i] = 0;
        if (!q->method) continue;
        const int bits = srq_bits_at(&q->spec.bits, t->point.step, t->batches.steps_per_epoch);
        if (bits != q->trained_bits) t->next_bits[i] = bits;
        *changed = *changed || t->next_bits[i];
    }
    if (!*changed) return SRQ_OK;
    const int n = srq_batches_fill(&t->batches, t->point.step, 0, t->graph, 0, t->labels);
    if (t->batches.status != SRQ_OK) return SRQ_OK; /* check_data() reports it to all ranks */
    return srq_graph_change_bits(t->graph, n, t->next_bits);
}

/* quantizer.sigma = "annealed": a geometric sequence from the first step to the last. */
static float sigma_ratio(const srq_trainer *t)
{
    const srq_settings *s = t->settings;
    if (strcmp(s->quantizer.sigma, "annealed") != 0) return 0;
    const double progress = t->point.total_steps > 1 ? (double)t->point.step / (double)(t->point.total_steps - 1) : 1;
    return (float)(s->quantizer.sigma_ratio * pow(s->quantizer.sigma_final / s->quantizer.sigma_ratio, progress));
}

static srq_status begin_step(srq_trainer *t)
{
    bool changed;
    const bool held = srq_trainer_holds_gates(t);
    srq_comm_mark(t->comm, t->point.step);
    SRQ_TRY(change_bits(t, &changed));
    const srq_step step = {.seed = (uint64_t)t->settings->train.seed,
                           .number = t->point.step,
                           .sigma_ratio = sigma_ratio(t),
                           .label_smoothing = (float)t->settings->train.label_smoothing,
                           .gates_held = held};
    if (held) srq_optimizer_hold_gates(t->optimizer);
    SRQ_TRY(srq_graph_begin_step(t->graph, &step));
    /* Learned bit-lengths are noted with evaluations. A failure is returned later, where all ranks agree on it. */
    if (t->run && (changed || t->history.count == 0) && t->noted == SRQ_OK)
        t->noted = srq_bits_history_note(&t->history, t->graph, t->point.step);
    return SRQ_OK;
}

/* Adds the penalty of open gates to the gradient. */
static void penalize(srq_trainer *t, float *gradient)
{
    const srq_settings *s = t->settings;
    srq_penalty_weights weights = SRQ_PENALTY_UNIFORM;
    if (!t->learns_bits || srq_trainer_holds_gates(t)) return;
    if (strcmp(s->dropbits.weights, "params") == 0) weights = SRQ_PENALTY_PARAMS;
    if (strcmp(s->dropbits.weights, "bops") == 0) weights = SRQ_PENALTY_BOPS;
    srq_graph_penalize(t->graph, weights, srq_trainer_penalty(t), gradient);
}

/* train.clip_norm. After the penalty, which is part of the loss. */
static void clip(srq_trainer *t)
{
    if (t->settings->train.clip_norm <= 0) return;
    const double norm = srq_stepper_clip(&t->stepper);
    t->recent_norms.sum += norm;
    t->recent_norms.count++;
    t->recent_norms.clipped += norm > t->settings->train.clip_norm;
}

static srq_status begin_timed(srq_trainer *t)
{
    const double since = srq_seconds();
    const int64_t begin = srq_trace_now(t->trace);
    srq_trace_operators(t->trace, true);
    const srq_status status = begin_step(t);
    srq_trace_operators(t->trace, false);
    srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_BEGIN, t->point.step, begin);
    t->prepared += srq_seconds() - since;
    return status;
}

srq_status srq_trainer_step(srq_trainer *t)
{
    int bad;
    bool skip;
    SRQ_TRY(begin_timed(t));
    run_shards(t);
    sum_shards(t, &bad);
    SRQ_TRY(check_data(t));
    SRQ_TRY(check_finite(t, bad, &skip));
    if (!skip) {
        penalize(t, t->stepper.gradient);
        clip(t);
        update(t);
        t->recent.loss += srq_stepper_total(&t->stepper, SRQ_SHARD_LOSS);
        t->recent.correct += (long)srq_stepper_total(&t->stepper, SRQ_SHARD_CORRECT);
        t->recent.count += (long)srq_stepper_total(&t->stepper, SRQ_SHARD_COUNT);
    }
    t->point.step++;
    t->point.evaluated = t->point.validated = false;
    return SRQ_OK;
}
