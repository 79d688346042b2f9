#include "experiments/srq/train/trainer.h"

#include "experiments/srq/train/batchnorm_statistics.h"
#include "experiments/srq/train/trainer_bits.h"
#include "experiments/srq/train/trainer_step.h"
#include "experiments/srq/train/validation.h"
#include "io/escape.h"
#include "io/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The times of this rank since training began. */
static srq_times times_of(const srq_trainer *t)
{
    const double *s = t->stepper.seconds;
    return (srq_times){.compute = t->prepared + s[SRQ_STEP_COMPUTE] + s[SRQ_STEP_SUM] + s[SRQ_STEP_UNPACK] +
                                  s[SRQ_STEP_FINISH] + s[SRQ_STEP_OPTIMIZE],
                       .exchange = s[SRQ_STEP_EXCHANGE] + s[SRQ_STEP_JOIN],
                       .data = t->batches.waited,
                       .passes = s[SRQ_STEP_COMPUTE]};
}

/* "  expected bits 4.74, evaluated 3.09", or "". */
static char *say_bits(const srq_trainer *t, char *out, size_t size)
{
    const srq_learned_bits bits = srq_trainer_bits(t);
    snprintf(out, size, "  ");
    srq_learned_bits_say(&bits, bits.learns ? out + 2 : out, size - 2);
    return out;
}

/* Members of a line of the log, or "". The measures of the network, if the line has them, include mean_weight_bits. */
static char *bits_json(const srq_trainer *t, bool alone, char *out, size_t size)
{
    int n = 0;
    const srq_learned_bits bits = srq_trainer_bits(t);
    if (alone && bits.learns) n = snprintf(out, size, "\"mean_weight_bits\": %.9g, ", bits.evaluated);
    srq_learned_bits_json(&bits, out + n, size - (size_t)n);
    return out;
}

/* Members of a `step` line with train.clip_norm: the mean norm and the number of clipped steps; otherwise "". */
static char *norms_json(const srq_norms *norms, char *out, size_t size)
{
    out[0] = '\0';
    if (norms->count)
        snprintf(out, size, "\"gradient_norm\": %.6g, \"clipped_steps\": %ld, ", norms->sum / (double)norms->count,
                 norms->clipped);
    return out;
}

static void show_progress(srq_trainer *t)
{
    if (!t->progress || t->recent.count == 0) return;
    const double now = srq_seconds();
    const long done = t->point.step - t->started_at, left = t->point.total_steps - t->point.step;
    const srq_times times = times_of(t), shares = srq_shares_now(t->shares, &times, now - t->recent_since);
    char rate[32], time_left[32], skipped[48] = "", bits[96];
    if (t->point.skipped) snprintf(skipped, sizeof skipped, "  skipped %ld", t->point.skipped);
    srq_grouped((long)((double)t->recent.count / fmax(1e-9, now - t->recent_since)), rate, sizeof rate);
    srq_duration((now - t->started) / (double)(done ? done : 1) * (double)left, time_left, sizeof time_left);
    srq_progress_update(
        t->progress,
        "epoch %ld/%ld  step %ld/%ld  loss %.4f  error %5.2f %%%s  %s images/s  comm %.0f %%  data "
        "%.0f %%%s  %s left",
        (t->point.step - 1) / t->batches.steps_per_epoch + 1,
        (t->point.total_steps - 1) / t->batches.steps_per_epoch + 1, t->point.step, t->point.total_steps,
        t->recent.loss / (double)t->recent.count, 100 - 100.0 * (double)t->recent.correct / (double)t->recent.count,
        say_bits(t, bits, sizeof bits), rate, 100 * shares.exchange, 100 * shares.data, skipped, time_left);
}

static srq_status name_slow_rank(srq_trainer *t, const srq_window *w)
{
    if (!t->run || w->slow_rank < 0) return SRQ_OK;
    const char *host = srq_comm_host(t->comm, w->slow_rank);
    char quoted[160];
    srq_progress_line(t->progress,
                      "slow: rank %d on %s computes %.1f times as long as the median rank, and all ranks wait for it; "
                      "look at what else runs there, at its clock rate and at its binding to cores",
                      w->slow_rank, host, w->slow_factor);
    return srq_run_log(t->run, "slow", "\"step\": %ld, \"rank\": %d, \"host\": %s, \"factor\": %.2f", t->point.step,
                       w->slow_rank, srq_json_quote(host, quoted, sizeof quoted), w->slow_factor);
}

/* Writes a `step` line. Collective, but only rank 0 returns whether it could be written. */
static srq_status log_step(srq_trainer *t)
{
    char bits[256], norms[96];
    const double now = srq_seconds(), count = (double)t->recent.count;
    const srq_times times = times_of(t);
    const srq_window w = srq_shares_end_window(t->shares, &times, now - t->recent_since);
    srq_status status = t->noted_skip;
    if (t->run && status == SRQ_OK && t->recent.count > 0)
        status = srq_run_log(
            t->run, "step",
            "\"step\": %ld, \"epoch\": %.4f, %s\"loss\": %.6g, \"error\": %.6g, \"learning_rate\": %.6g, "
            "%s\"images_per_second\": %.1f, \"compute\": %.4f, \"exchange\": %.4f, \"data_wait\": %.4f, "
            "\"slowest\": {\"rank\": %d, \"compute\": %.4f, \"exchange\": %.4f, \"data_wait\": %.4f}",
            t->point.step, (double)t->point.step / (double)t->batches.steps_per_epoch,
            bits_json(t, true, bits, sizeof bits), t->recent.loss / count, 1 - (double)t->recent.correct / count,
            t->settings->optimizer.learning_rate * srq_schedule_factor(&t->schedule, t->point.step - 1),
            norms_json(&t->recent_norms, norms, sizeof norms), count / fmax(1e-9, now - t->recent_since),
            w.mean.compute, w.mean.exchange, w.mean.data, w.slowest_rank, w.slowest.compute, w.slowest.exchange,
            w.slowest.data);
    if (status == SRQ_OK) status = name_slow_rank(t, &w);
    t->recent = (srq_metrics){0};
    t->recent_norms = (srq_norms){0};
    t->recent_since = now;
    return status;
}

static srq_status measure(srq_trainer *t)
{
    if (!t->measures) SRQ_TRY(srq_measures_create(t->graph, &t->measures));
    srq_measures_update(t->measures);
    return SRQ_OK;
}

/* The evaluation at this step: of the validation images if there are any, otherwise of the test images. */
typedef struct evaluation {
    const char *images;
    double loss, error;
    long count;
} evaluation;

static evaluation evaluation_of(const srq_trainer *t)
{
    const srq_progress_point *p = &t->point;
    return srq_trainer_validates(t)
               ? (evaluation){"validation", p->validation_loss, p->validation_error, p->validation_count}
               : (evaluation){"test", p->test_loss, p->test_error, p->test_count};
}

/* Writes the `eval` line, with the measures of every layer. */
static srq_status log_evaluation(srq_trainer *t)
{
    char *layers = NULL, bits[256];
    size_t size;
    FILE *out = open_memstream(&layers, &size);
    if (!out) return srq_fail_memory(0, "the measures of the network");
    if (t->learns_bits)
        fprintf(out, "\"penalty\": %.9g, %s", srq_trainer_penalty(t), bits_json(t, false, bits, sizeof bits));
    srq_measures_print_json(t->measures, "", out);
    srq_status status = fclose(out) == 0 ? SRQ_OK : srq_fail_memory(size, "the measures of the network");
    const evaluation e = evaluation_of(t);
    if (status == SRQ_OK)
        status = srq_run_log(t->run, "eval",
                             "\"step\": %ld, \"epoch\": %.4f, \"%s_loss\": %.9g, \"%s_error\": %.9g, "
                             "\"%s_count\": %ld, %s",
                             t->point.step, (double)t->point.step / (double)t->batches.steps_per_epoch, e.images,
                             e.loss, e.images, e.error, e.images, e.count, layers);
    free(layers);
    return status;
}

static void show_evaluation(const srq_trainer *t)
{
    char elapsed[32], bits[96];
    const evaluation e = evaluation_of(t);
    srq_progress_line(t->progress, "step %6ld  epoch %6.2f  %s error %6.2f %%  %s loss %.4f%s%s  (%s)", t->point.step,
                      (double)t->point.step / (double)t->batches.steps_per_epoch, e.images, 100 * e.error, e.images,
                      e.loss, say_bits(t, bits, sizeof bits), srq_trainer_is_best(t) ? "  best" : "",
                      srq_duration(srq_seconds() - t->started, elapsed, sizeof elapsed));
}

/* Excludes time from the training rate. */
static void leave_out(srq_trainer *t, double seconds)
{
    t->recent_since += seconds;
    t->started += seconds;
}

/* Called before batch-norm statistics are evaluated or stored. What is stored is then a function of weights and step
 * only, no matter how often a run is stopped. */
static srq_status settle(srq_trainer *t)
{
    if (!t->settles || t->settled == t->point.step) return SRQ_OK;
    const double since = srq_seconds(), waited = t->batches.waited;
    const srq_status status = srq_settle(t->graph, &t->batches, t->point.step, t->labels, t->stepper.gradient);
    t->settled = t->point.step;
    srq_shares_leave_out(t->shares, t->batches.waited - waited);
    leave_out(t, srq_seconds() - since);
    return srq_comm_agree(t->comm, status);
}

static void take_test(srq_trainer *t, const srq_metrics *m)
{
    t->point.evaluated = true;
    t->point.test_count = m->count;
    t->point.test_loss = m->loss / (double)m->count;
    t->point.test_error = 1 - (double)m->correct / (double)m->count;
    if (t->point.test_error < t->test_best) t->test_best = t->point.test_error;
}

/* The last evaluation also gives the results by class. */
static srq_status test(srq_trainer *t, srq_metrics *m)
{
    if (!srq_trainer_is_over(t)) return srq_evaluate(t->comm, t->graph, &t->batches, SRQ_PART_TEST, NULL, m);
    const char *folder = t->run ? srq_run_folder(t->run) : NULL;
    return srq_evaluate_by_class(t->comm, t->graph, &t->batches, t->point.step, folder, m);
}

static srq_status evaluate(srq_trainer *t)
{
    srq_metrics m;
    const double since = srq_seconds(), waited = t->batches.waited;
    const int64_t begin = srq_trace_now(t->trace);
    SRQ_TRY(srq_graph_prepare(t->graph));
    if (t->run && t->noted == SRQ_OK) t->noted = srq_bits_history_note(&t->history, t->graph, t->point.step);
    const bool validates = srq_trainer_validates(t);
    if (validates)
        SRQ_TRY(srq_evaluate(t->comm, t->graph, &t->batches, SRQ_PART_VALIDATION, NULL, &m));
    else
        SRQ_TRY(test(t, &m));
    srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_EVALUATE, t->point.step, begin);
    srq_shares_leave_out(t->shares, t->batches.waited - waited);
    if (validates)
        srq_trainer_take_validation(t, &m);
    else
        take_test(t, &m);
    const double took = srq_seconds() - since;
    leave_out(t, took);
    srq_deadline_note(&t->deadline.evaluation, took);
    if (!t->run) return SRQ_OK;
    SRQ_TRY(measure(t));
    show_evaluation(t);
    SRQ_TRY(log_evaluation(t));
    return srq_run_record_graph(t->run, t->graph, t->point.step);
}

static srq_status checkpoint(srq_trainer *t)
{
    srq_stepper_join_state(&t->stepper);
    if (!t->run) return SRQ_OK;
    SRQ_TRY(srq_graph_prepare(t->graph)); /* bit-lengths according to the current gates */
    if (t->noted != SRQ_OK) return srq_fail_memory(0, "the history of bit-lengths");
    return srq_saver_save(t->saver, &t->point, &t->history);
}

static srq_status checkpoint_timed(srq_trainer *t)
{
    const double since = srq_seconds();
    const int64_t begin = srq_trace_now(t->trace);
    const srq_status status = checkpoint(t);
    srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_CHECKPOINT, t->point.step, begin);
    srq_deadline_note(&t->deadline.checkpoint, srq_seconds() - since);
    return status;
}

static bool due(const srq_trainer *t, srq_span every)
{
    long steps = srq_span_steps(every, t->batches.steps_per_epoch);
    return steps > 0 && t->point.step % steps == 0;
}

/* Prints a message of the watch over ranks. Only rank 0 has a log. */
static void tell(void *context, const char *text, bool final)
{
    srq_trainer *t = context;
    if (t->progress)
        srq_progress_line(t->progress, "srq: %s", text);
    else
        srq_say_to(stderr, "srq: %s\n", text);
    if (!final || !t->run) return;
    char quoted[SRQ_MESSAGE_SIZE + 64];
    (void)srq_run_log(t->run, "stop", "\"step\": %ld, \"reason\": %s, \"status\": %d", t->point.step,
                      srq_json_quote(text, quoted, sizeof quoted), SRQ_ERROR_RUN);
}

/* Watches for ranks that do not arrive. `factor` multiplies train.stall_end. */
static void watch_ranks(srq_trainer *t, double factor)
{
    srq_comm_watch(t->comm, t->settings->train.stall_warn, factor * t->settings->train.stall_end, tell, t);
}

/* After a step: log, evaluate and write a checkpoint if they are due. The last step does all three. It is the last one
 * of the run, or the one whose evaluation ends training early. */
static srq_status after_step(srq_trainer *t, bool stopping)
{
    const srq_settings *s = t->settings;
    srq_status status = SRQ_OK;
    show_progress(t);
    const bool logs = due(t, s->train.log_every) || srq_trainer_is_over(t) || stopping;
    if (logs) status = log_step(t);
    const bool evaluates = srq_trainer_is_over(t) || due(t, s->train.eval_every);
    bool saves = srq_trainer_is_over(t) || stopping || due(t, s->train.checkpoint_every);
    if (evaluates || saves) {
        SRQ_TRY(srq_comm_agree(t->comm, status));
        srq_stepper_show_average(&t->stepper, true);
        SRQ_TRY(settle(t));
    }
    if (evaluates) status = evaluate(t);
    const bool last = srq_trainer_is_over(t);
    saves = saves || last || srq_trainer_is_best(t);
    if (saves) SRQ_TRY(srq_comm_agree(t->comm, status));
    if (last && !logs) SRQ_TRY(srq_comm_agree(t->comm, log_step(t)));
    if (saves) status = checkpoint_timed(t);
    srq_stepper_show_average(&t->stepper, false);
    /* Only rank 0 notices a full disk, perhaps while it writes a checkpoint in the background. All ranks learn of it
     * here. At the end, the checkpoint must be complete. */
    if (last || stopping || due(t, s->train.log_every) || due(t, s->train.eval_every) ||
        due(t, s->train.checkpoint_every)) {
        if (last || stopping) watch_ranks(t, 10); /* a slow file system must not prevent the last checkpoint */
        if (status == SRQ_OK && t->saver)
            status = last || stopping ? srq_saver_finish(t->saver) : srq_saver_status(t->saver);
        status = srq_comm_agree(t->comm, status);
    }
    return status;
}

/* Writes the trace after its last step. If that fails, training continues. */
static void end_traced_step(srq_trainer *t, bool end)
{
    const char *path;
    const double since = srq_seconds();
    if (!t->trace) return;
    const srq_status status = srq_trace_end_step(t->trace, t->point.step, end, &path);
    if (status != SRQ_OK) srq_progress_line(t->progress, "no trace: %s", srq_message());
    if (status == SRQ_OK && path) srq_progress_line(t->progress, "trace of all ranks: %s (ui.perfetto.dev)", path);
    leave_out(t, srq_seconds() - since);
}

/* Records a checkpoint that was written in the background since the last call. */
static void note_written(srq_trainer *t)
{
    double begin, end;
    if (!t->saver || !srq_saver_last(t->saver, &begin, &end) || end == t->written) return;
    t->written = end;
    srq_deadline_note(&t->deadline.checkpoint, end - begin);
    srq_trace_add_span(t->trace, SRQ_LANE_WRITER, SRQ_EVENT_WRITE, begin, end);
}

/* Stores the weights that later runs rewind to. */
static srq_status keep_weights(srq_trainer *t)
{
    char path[4352];
    srq_status status = SRQ_OK;
    if (t->point.step != t->keep_at) return SRQ_OK;
    if (srq_optimizer_average(t->optimizer)) t->settled = -1; /* statistics of the average do not fit these weights */
    SRQ_TRY(settle(t));
    if (srq_optimizer_average(t->optimizer)) t->settled = -1;
    if (t->saver) status = srq_saver_finish(t->saver); /* until then, only the saver's thread may call HDF5 */
    if (t->run && status == SRQ_OK) {
        snprintf(path, sizeof path, "%s/" SRQ_TRAINER_KEPT, srq_run_folder(t->run));
        status = srq_weights_write(path, t->graph, t->point.step);
    }
    return srq_comm_agree(t->comm, status);
}

/* A run without steps that are left, and without a result in its directory: it evaluates and saves the state it starts
 * from, as it is. With weights from train.init, this is quantization without training. An evaluation of validation
 * images counts only once. */
static srq_status save_start(srq_trainer *t)
{
    SRQ_TRY(keep_weights(t));
    srq_stepper_show_average(&t->stepper, true);
    if (!srq_trainer_validates(t) || !t->point.validated) SRQ_TRY(srq_comm_agree(t->comm, evaluate(t)));
    watch_ranks(t, 10);
    srq_status status = checkpoint_timed(t);
    srq_stepper_show_average(&t->stepper, false);
    if (status == SRQ_OK && t->saver) status = srq_saver_finish(t->saver);
    return srq_comm_agree(t->comm, status);
}

static srq_status train_to_end(srq_trainer *t)
{
    bool stopping = false;
    if (srq_trainer_is_over(t)) return srq_trainer_has_end(t) ? SRQ_OK : save_start(t);
    while (!srq_trainer_is_over(t) && !stopping) {
        SRQ_TRY(keep_weights(t));
        const double since = srq_seconds();
        srq_trace_begin_step(t->trace, t->point.step + 1);
        const int64_t begin = srq_trace_now(t->trace);
        SRQ_TRY(srq_trainer_step(t));
        srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_STEP, t->point.step, begin);
        srq_deadline_note(&t->deadline.step, srq_seconds() - since);
        stopping = srq_stepper_total(&t->stepper, SRQ_SHARD_STOP) > 0 && t->point.step < t->point.total_steps;
        SRQ_TRY(after_step(t, stopping));
        note_written(t);
        end_traced_step(t, stopping || srq_trainer_is_over(t));
    }
    return srq_trainer_is_over(t) ? SRQ_OK : SRQ_STOPPED;
}

/* The steps of --trace-steps, or the 20 steps after the first. The first is not typical, because caches are cold. */
static srq_status start_trace(srq_trainer *t)
{
    if (!t->trace) return SRQ_OK;
    long first, last, from = t->options->trace_first, to = t->options->trace_last;
    const long next = t->point.step + 1, end = t->point.total_steps;
    if (from == 0) from = next + 1, to = next + 20;
    if (from < next) from = next;
    if (to > end) to = end;
    if (from > to) {
        srq_progress_line(t->progress, "no trace: its steps are not among the steps that are left, %ld to %ld", next,
                          end);
        return SRQ_OK;
    }
    srq_stepper_range(&t->stepper, &first, &last);
    return srq_trace_start(t->trace, t->graph, from, to, last - first);
}

static srq_status start_saving(srq_trainer *t)
{
    const srq_saver_options options = {.keep = t->settings->train.keep, .learns_bits = t->learns_bits};
    srq_status status = SRQ_OK;
    if (t->run) status = srq_saver_create(t->run, t->config, t->graph, t->optimizer, t->versions, &options, &t->saver);
    return srq_comm_agree(t->comm, status);
}

/* For the `stop` line. */
static const char *reason_of(const srq_trainer *t, srq_status status)
{
    if (status != SRQ_OK) return t->stop_reason;
    return srq_trainer_ends_early(t) ? "early-stop" : "done";
}

srq_status srq_trainer_run(srq_trainer *t)
{
    srq_trainer_heed_signals();
    SRQ_TRY(start_trace(t));
    t->started = t->recent_since = srq_seconds();
    srq_shares_leave_out(t->shares,
                         t->batches.waited); /* waiting for the images from which quantizers are initialized */
    t->started_at = t->point.step;
    t->settles = srq_settles(t->graph);
    t->settled = t->point.step;
    watch_ranks(t, 1);
    const bool was_done = srq_trainer_was_done(t);
    srq_status status = start_saving(t);
    if (status == SRQ_OK) status = train_to_end(t);
    if (status == SRQ_OK && srq_trainer_ends_early(t))
        srq_progress_line(t->progress,
                          "training ended early, after step %ld of %ld: no better validation error in %ld evaluation%s "
                          "(train.patience)",
                          t->point.step, t->point.total_steps, t->point.best.since, srq_plural(t->point.best.since));
    if (status == SRQ_OK && srq_trainer_validates(t) && !was_done) {
        watch_ranks(t, 10);
        status = srq_trainer_test(t);
    }
    srq_comm_watch(t->comm, 0, 0, NULL, NULL);
    srq_saver_destroy(&t->saver); /* finishes the checkpoint that is being written, whatever ended training */
    if (t->run && (status == SRQ_OK || status == SRQ_STOPPED)) {
        char reason[256], bits[256];
        srq_status logged = srq_run_log(t->run, "stop", "\"step\": %ld, %s\"reason\": %s, \"status\": %d",
                                        t->point.step, bits_json(t, true, bits, sizeof bits),
                                        srq_json_quote(reason_of(t, status), reason, sizeof reason), (int)status);
        if (logged != SRQ_OK) status = logged;
    }
    if (t->run && status != SRQ_OK && status != SRQ_STOPPED) {
        char message[SRQ_MESSAGE_SIZE], quoted[SRQ_MESSAGE_SIZE + 64];
        snprintf(message, sizeof message, "%s", srq_message());
        /* A failure to log is ignored: the first message is the important one. */
        (void)srq_run_log(t->run, "stop", "\"step\": %ld, \"reason\": %s, \"status\": %d", t->point.step,
                          srq_json_quote(message, quoted, sizeof quoted), (int)status);
        (void)srq_fail(status, "%s", message);
    }
    return srq_comm_agree(t->comm, status);
}
