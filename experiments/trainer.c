#include "experiments/trainer.h"

#include "core/kernels/kernels.h"
#include "dist/same.h"
#include "experiments/commands.h"
#include "experiments/nodes.h"
#include "experiments/settle.h"
#include "io/masks.h"
#include "io/weights.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop_requested;

/* Steps that are skipped in a row before training ends: what goes on so long does not pass. */
enum { SKIPS_IN_A_ROW = 100 };

static void request_stop(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

/* --- Building */

static srq_optimizer_options optimizer_options(const srq_settings *s)
{
    return (srq_optimizer_options){
        .method = strcmp(s->optimizer.method, "sgd") == 0 ? SRQ_SGD : SRQ_ADAM,
        .learning_rate = s->optimizer.learning_rate,
        .alpha_learning_rate = s->optimizer.alpha_learning_rate,
        .sigma_learning_rate = strcmp(s->quantizer.sigma, "learned") == 0 ? s->optimizer.sigma_learning_rate : 0,
        .gate_learning_rate = s->optimizer.gate_learning_rate,
        .momentum = s->optimizer.momentum,
        .beta1 = s->optimizer.beta1,
        .beta2 = s->optimizer.beta2,
        .epsilon = s->optimizer.epsilon,
        .weight_decay = s->optimizer.weight_decay,
    };
}

static srq_schedule make_schedule(const srq_settings *s, long total, long steps_per_epoch)
{
    static const char *const names[] = {"constant", "step", "linear", "cosine"};
    srq_schedule schedule = {.total = total,
                             .warmup = srq_span_steps(s->schedule.warmup, steps_per_epoch),
                             .step_every = srq_span_steps(s->schedule.step_every, steps_per_epoch),
                             .factor = s->schedule.factor,
                             .final = s->schedule.final};
    for (int i = 0; i < 4; i++)
        if (strcmp(names[i], s->schedule.method) == 0) schedule.method = (srq_schedule_method)i;
    return schedule;
}

/* A target that no gates can reach would move lambda for ever. */
static srq_status check_target(const srq_trainer *t)
{
    const srq_settings *s = t->settings;
    if (!t->learns_bits || s->dropbits.target <= 0) return SRQ_OK;
    const bool bops = strcmp(s->dropbits.target_measure, "bops") == 0;
    double least, most;
    srq_graph_bits_range(t->graph, bops, &least, &most);
    if (s->dropbits.target >= least && s->dropbits.target <= most) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_USAGE,
        "dropbits.target is %g, but %s of this network can be from %.4g (every gate shut) to %.4g (every gate "
        "open); use a target between",
        s->dropbits.target, bops ? "bit operations as a share of those at 8/8" : "the mean bit-length of the weights",
        least, most);
}

/* Everything a rank builds by itself. */
static srq_status build(srq_trainer *t)
{
    const srq_settings *s = t->settings;
    SRQ_TRY(srq_dataset_load(s->data.file, SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &t->dataset));
    SRQ_TRY(srq_batches_create(t->dataset, s, s->train.batch, s->train.shards, &t->batches));
    if (t->options->trace) SRQ_TRY(srq_trace_create(t->comm, t->options->trace, &t->trace));
    const srq_graph_options options = {.capacity = srq_batches_capacity(&t->batches),
                                       .engine = s->train.engine,
                                       .isa = &t->isa,
                                       .observer = srq_trace_observer(t->trace)};
    SRQ_TRY(srq_graph_create(&s->model, &options, &t->graph));
    SRQ_TRY(srq_check_data_fits(t->graph, t->dataset, s->data.file));
    const srq_optimizer_options optimizer = optimizer_options(s);
    SRQ_TRY(srq_optimizer_create(t->graph, &optimizer, &t->optimizer));
    const srq_stepper_options stepping = {.shards = s->train.shards,
                                          .bucket_bytes = (size_t)(s->train.bucket_mb * 1e6),
                                          .late = !s->train.overlap,
                                          .coarse = strcmp(s->train.wire, "bfloat16") == 0};
    SRQ_TRY(srq_stepper_create(t->comm, t->graph, t->optimizer, &stepping, &t->stepper));
    long first_shard, last_shard;
    srq_stepper_range(&t->stepper, &first_shard, &last_shard);
    t->batches.trace = t->stepper.trace = t->trace;
    SRQ_TRY(srq_batches_start(&t->batches, first_shard, last_shard));
    t->labels = calloc((size_t)options.capacity, sizeof *t->labels);
    t->next_bits = calloc((size_t)srq_graph_layer_count(t->graph), sizeof *t->next_bits);
    if (!t->labels || !t->next_bits) return srq_fail_memory((size_t)options.capacity, "the labels");
    t->learns_bits = strcmp(s->dropbits.mode, "learn") == 0;
    SRQ_TRY(check_target(t));
    SRQ_TRY(srq_bits_check(&s->model, t->batches.steps_per_epoch));
    t->point.penalty = s->dropbits.penalty;
    const long limit = srq_span_steps(s->train.max_steps, t->batches.steps_per_epoch);
    long total = srq_span_steps(s->train.epochs, t->batches.steps_per_epoch);
    if (limit > 0 && limit < total) total = limit;
    t->point.total_steps = total;
    memcpy(t->point.data_sha256, t->dataset->checksum, sizeof t->point.data_sha256);
    t->schedule = make_schedule(s, total, t->batches.steps_per_epoch);
    return SRQ_OK;
}

/* What each rank has read and found by itself. */
static srq_status check_nodes(srq_trainer *t)
{
    char data[128];
    const char *engine = srq_graph_kernels(t->graph)->name;
    snprintf(data, sizeof data, "%s, source SHA-256 %.16s", t->dataset->name, t->dataset->checksum);
    SRQ_TRY(srq_comm_same(t->comm, SRQ_ERROR_DATA, "data sets", data,
                          "put the same file at data.file on all nodes, or use one that all of them reach"));
    SRQ_TRY(srq_nodes_check_arithmetic(t->comm, engine));
    srq_nodes_arithmetic(engine, t->isa, t->point.arithmetic, sizeof t->point.arithmetic);
    return SRQ_OK;
}

srq_status srq_trainer_create(srq_comm *comm, const srq_config *config, const char *versions,
                              const srq_trainer_options *options, srq_trainer *t)
{
    *t = (srq_trainer){.comm = comm,
                       .config = config,
                       .settings = srq_config_settings(config),
                       .versions = versions,
                       .options = options,
                       .stop_reason = "signal",
                       .test_best = 2,
                       .keep_at = -1};
    /* First of all: time runs from here. */
    SRQ_TRY(srq_comm_agree(comm, srq_deadline_create(options->max_time, &t->deadline)));
    SRQ_TRY(srq_nodes_settle_isa(comm, t->settings->train.isa, &t->isa));
    SRQ_TRY(srq_comm_agree(comm, build(t)));
    SRQ_TRY(check_nodes(t));
    long first, last;
    srq_stepper_range(&t->stepper, &first, &last);
    return srq_shares_create(comm, last - first, &t->shares);
}

void srq_trainer_destroy(srq_trainer *t)
{
    srq_progress_destroy(&t->progress);
    srq_measures_destroy(&t->measures);
    srq_saver_destroy(&t->saver);
    srq_run_close(&t->run);
    srq_stepper_destroy(&t->stepper);
    srq_optimizer_destroy(&t->optimizer);
    srq_graph_destroy(&t->graph);
    srq_batches_destroy(&t->batches);
    srq_trace_destroy(&t->trace); /* after the thread that reads ahead */
    srq_shares_destroy(&t->shares);
    srq_dataset_destroy(&t->dataset);
    free(t->labels);
    free(t->next_bits);
    srq_bits_history_free(&t->history);
}

/* --- Where to begin */

static srq_status read_masks(srq_trainer *t)
{
    char path[4200];
    if (strcmp(t->settings->train.masks, "none") == 0) return SRQ_OK;
    srq_checkpoint_path(t->settings->train.masks, path, sizeof path);
    srq_status status = srq_masks_load(path, t->graph);
    return status == SRQ_OK ? SRQ_OK : srq_fail_in(status, "train.masks");
}

/* `notes` gets what was found, NULL for silence. */
static srq_status read_init(srq_trainer *t, FILE *notes)
{
    const char *init = t->settings->train.init;
    char path[4200];
    if (strcmp(init, "random") == 0) return read_masks(t);
    srq_checkpoint_path(init, path, sizeof path);
    const bool partial = strcmp(t->settings->train.init_match, "partial") == 0;
    srq_status status = srq_weights_read(path, partial, t->graph, notes);
    return status == SRQ_OK ? read_masks(t) : srq_fail_in(status, "train.init");
}

/* Every rank starts from the same numbers without a message: weights are functions of the seed or read from one file,
 * and the activations' alpha is taken from shard 0 of the first batch, by every rank alike. */
static srq_status start_fresh(srq_trainer *t)
{
    const uint64_t draw = (uint64_t)t->settings->train.init_draw;
    srq_graph_initialize(t->graph, (uint64_t)t->settings->train.seed + draw * 0x9E3779B97F4A7C15u);
    SRQ_TRY(read_init(t, NULL));
    int n = srq_batches_fill(&t->batches, 0, 0, t->graph, t->labels);
    SRQ_TRY(srq_batches_status(&t->batches));
    if (n == 0) return srq_fail(SRQ_ERROR_DATA, "%s: too few training images", t->settings->data.file);
    return srq_graph_start(t->graph, n);
}

/* A run is continued as it was planned; `--resume FILE` may go on under a longer or shorter plan. */
static srq_status check_point(const srq_trainer *t, const srq_progress_point *point, bool same_run)
{
    if (same_run && point->total_steps != t->point.total_steps)
        return srq_fail(
            SRQ_ERROR_DATA,
            "the run is one of %ld steps, but this configuration and data set make %ld: %s has another number of "
            "images than before; use the data set that the run was started with",
            point->total_steps, t->point.total_steps, t->settings->data.file);
    if (same_run && strcmp(point->data_sha256, t->dataset->checksum) != 0)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: it is not the data set that the run was started with (source SHA-256 %.12s..., then "
                        "%.12s...); use that "
                        "one, or start a new run",
                        t->settings->data.file, t->dataset->checksum, point->data_sha256);
    if (point->step > t->point.total_steps)
        return srq_fail(SRQ_ERROR_USAGE,
                        "the checkpoint is at step %ld, but this configuration ends at %ld; raise train.epochs or "
                        "train.max_steps",
                        point->step, t->point.total_steps);
    return SRQ_OK;
}

/* Computed on other hardware or by other libraries up to here: allowed, and never silent. */
static void note_arithmetic(srq_trainer *t, const char *before)
{
    if (!before[0] || strcmp(before, t->point.arithmetic) == 0) return;
    snprintf(t->arithmetic_before, sizeof t->arithmetic_before, "%s", before);
    fprintf(stderr,
            "srq: from here on the bits may differ from those of a run that was never moved: the checkpoint was "
            "computed by \"%s\", and this job is \"%s\" (docs/reproducibility.md)\n",
            before, t->point.arithmetic);
}

/* Rank 0: takes over what a checkpoint holds; everything but the plan of steps. */
static srq_status take_point(srq_trainer *t, srq_progress_point point, bool same_run)
{
    SRQ_TRY(check_point(t, &point, same_run));
    note_arithmetic(t, point.arithmetic);
    point.total_steps = t->point.total_steps;
    memcpy(point.arithmetic, t->point.arithmetic, sizeof point.arithmetic);
    memcpy(point.data_sha256, t->dataset->checksum, sizeof point.data_sha256);
    t->point = point;
    return SRQ_OK;
}

static void share_state(srq_trainer *t)
{
    const size_t bytes = srq_graph_size(t->graph) * sizeof(float);
    long steps = srq_optimizer_steps(t->optimizer);
    srq_comm_share(t->comm, srq_graph_values(t->graph), bytes);
    for (int i = 0; i < srq_optimizer_state_count(t->optimizer); i++)
        srq_comm_share(t->comm, srq_optimizer_state(t->optimizer, i), bytes);
    srq_comm_share(t->comm, &steps, sizeof steps);
    srq_comm_share(t->comm, &t->point, sizeof t->point);
    for (int i = 0; i < srq_graph_layer_count(t->graph); i++) {
        int bits = srq_graph_layer(t->graph, i)->quantizer.trained_bits;
        srq_comm_share(t->comm, &bits, sizeof bits);
        if (bits) srq_graph_set_bits(t->graph, i, bits);
    }
    srq_optimizer_set_steps(t->optimizer, steps);
}

/* The mask of one layer, from rank 0 to all. */
static srq_status share_mask(srq_trainer *t, int index)
{
    const srq_layer *layer = srq_graph_layer(t->graph, index);
    bool masked = layer->mask;
    srq_comm_share(t->comm, &masked, sizeof masked);
    if (!masked) return srq_graph_set_mask(t->graph, index, NULL);
    const size_t bytes = srq_mask_bytes(srq_graph_parameter(t->graph, layer->weight)->count);
    uint8_t *mask = malloc(bytes);
    srq_status status = srq_comm_agree(t->comm, mask ? SRQ_OK : srq_fail_memory(bytes, "a mask of weights"));
    if (status == SRQ_OK) {
        if (layer->mask) memcpy(mask, layer->mask, bytes);
        srq_comm_share(t->comm, mask, bytes);
        status = srq_comm_agree(t->comm, srq_graph_set_mask(t->graph, index, mask));
    }
    free(mask);
    return status;
}

static srq_status share_masks(srq_trainer *t)
{
    for (int i = 0; i < srq_graph_layer_count(t->graph); i++)
        if (srq_graph_layer(t->graph, i)->weight >= 0) SRQ_TRY(share_mask(t, i));
    return SRQ_OK;
}

static srq_status log_start(srq_trainer *t)
{
    char file[4200], versions[1024];
    const srq_settings *s = t->settings;
    return srq_run_log(t->run, "start",
                       "\"ranks\": %d, \"shards\": %d, \"batch\": %d, \"steps\": %ld, \"steps_per_epoch\": %ld, "
                       "\"seed\": %lld, \"engine\": \"%s\", \"isa\": \"%s\", \"blas_threads\": 1, \"data\": %s, "
                       "\"data_sha256\": \"%s\", \"versions\": %s, \"arithmetic\": \"%s\"",
                       srq_comm_size(t->comm), s->train.shards, s->train.batch, t->point.total_steps,
                       t->batches.steps_per_epoch, (long long)s->train.seed, srq_graph_kernels(t->graph)->name,
                       srq_isa_name(t->isa), srq_json_quote(s->data.file, file, sizeof file), t->dataset->checksum,
                       srq_json_quote(t->versions, versions, sizeof versions), t->point.arithmetic);
}

/* Rank 0: opens the run directory and does what --resume says. A file that cannot be used is met before the directory
 * is made. */
static srq_status open_run(srq_trainer *t, const char *dir, srq_resume resume, const char *file, bool *found)
{
    srq_progress_point point;
    if (resume == SRQ_RESUME_FILE) {
        SRQ_TRY(srq_checkpoint_read(file, t->graph, t->optimizer, &point, &t->history));
        SRQ_TRY(take_point(t, point, false));
        *found = true;
    }
    char begun[4200];
    snprintf(begun, sizeof begun, "%s/config.cfg", dir);
    if (resume != SRQ_RESUME_FILE && access(begun, F_OK) != 0) SRQ_TRY(read_init(t, stderr));
    SRQ_TRY(srq_run_open(dir, t->config, resume, stderr, &t->run));
    if (resume == SRQ_RESUME_AUTO) {
        SRQ_TRY(srq_run_restore(t->run, t->graph, t->optimizer, &point, &t->history, found, stderr));
        if (*found) SRQ_TRY(take_point(t, point, true));
    }
    SRQ_TRY(log_start(t));
    if (!*found) return SRQ_OK;
    char before[1024];
    return srq_run_log(t->run, "resume", "\"step\": %ld, \"ranks\": %d%s%s", t->point.step, srq_comm_size(t->comm),
                       t->arithmetic_before[0] ? ", \"arithmetic_before\": " : "",
                       t->arithmetic_before[0] ? srq_json_quote(t->arithmetic_before, before, sizeof before) : "");
}

srq_status srq_trainer_open(srq_trainer *t, const char *dir, srq_resume resume, const char *file)
{
    srq_status status = SRQ_OK;
    bool found = false;
    if (srq_comm_rank(t->comm) == 0) {
        status = open_run(t, dir, resume, file, &found);
        t->progress = srq_progress_create(stdout);
    }
    SRQ_TRY(srq_comm_agree(t->comm, status));
    srq_comm_share(t->comm, &found, sizeof found);
    if (found) {
        share_state(t);
        SRQ_TRY(share_masks(t));
    } else {
        SRQ_TRY(srq_comm_agree(t->comm, start_fresh(t)));
    }
    return srq_comm_agree(t->comm, srq_graph_prepare(t->graph));
}

/* --- Steps */

/* Whether this rank asks for an end after this step. Of clocks, rank 0's decides: all hear of it alike. */
static bool wants_stop(srq_trainer *t)
{
    if (stop_requested) return true;
    if (srq_comm_rank(t->comm) > 0) return false;
    const char *reason = srq_deadline_passed(&t->deadline, srq_seconds());
    if (reason) t->stop_reason = reason;
    return reason != NULL;
}

/* Forward and backward of this rank's shards. */
static void run_shards(srq_trainer *t)
{
    long first, last;
    const int batch = srq_batches_size(&t->batches, t->point.step);
    const bool stop = wants_stop(t);
    srq_stepper_range(&t->stepper, &first, &last);
    for (long shard = first; shard < last; shard++) {
        const int64_t begin = srq_trace_now(t->trace);
        const int n = srq_batches_fill(&t->batches, t->point.step, shard, t->graph, t->labels);
        srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_DATA, shard, begin);
        srq_trace_operators(t->trace, true);
        srq_stepper_run(&t->stepper, shard, n, t->labels, batch, stop || stop_requested);
        srq_trace_operators(t->trace, false);
        srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_SHARD, shard, begin);
    }
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
    srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_UPDATE, t->point.step, begin);
}

/* Images that could not be read are missing: known to every rank after the gather, no rank goes on alone. */
static srq_status check_data(const srq_trainer *t)
{
    if (srq_stepper_total(&t->stepper, SRQ_SHARD_COUNT) >= srq_batches_size(&t->batches, t->point.step)) return SRQ_OK;
    return srq_comm_agree(t->comm, srq_batches_status(&t->batches));
}

/* Writes where the first infinity or NaN of this step was met: in the first layer of the first shard that met one, or
 * in the sum of gradients, where `bad` is the parameter. The same on every rank. False if there is none. */
static bool find_nonfinite(const srq_trainer *t, int bad, char *where, size_t size)
{
    for (int s = 0; s < t->settings->train.shards; s++) {
        const int layer = (int)t->stepper.gathered[s * SRQ_SHARD_VALUES + SRQ_SHARD_BAD_LAYER] - 1;
        if (layer < 0) continue;
        snprintf(where, size, "layer \"%s\" meets an infinity or NaN in shard %d",
                 srq_graph_layer(t->graph, layer)->spec->name, s);
        return true;
    }
    if (bad < 0) return false;
    snprintf(where, size, "the gradient of %s, summed over shards, holds an infinity or NaN",
             srq_graph_parameter(t->graph, bad)->name);
    return true;
}

/* train.nonfinite = "skip": the step leaves weights, statistics, optimizer and lambda as they were, on every rank. */
static srq_status skip_step(srq_trainer *t, const char *where)
{
    char quoted[2 * SRQ_MESSAGE_SIZE];
    t->point.skipped++;
    t->point.skipped_in_a_row++;
    if (t->run && t->noted_skip == SRQ_OK)
        t->noted_skip = srq_run_log(t->run, "skip", "\"step\": %ld, \"reason\": %s, \"skipped\": %ld", t->point.step,
                                    srq_json_quote(where, quoted, sizeof quoted), t->point.skipped);
    if (t->point.skipped_in_a_row < SKIPS_IN_A_ROW) return SRQ_OK;
    return srq_fail(
        SRQ_ERROR_RUN,
        "step %ld: %s, and so did each of %d steps in a row, which were skipped (train.nonfinite); the last "
        "checkpoint is kept: train with a lower optimizer.learning_rate or a schedule.warmup",
        t->point.step, where, SKIPS_IN_A_ROW);
}

/* What train.nonfinite says. *skip: the step is to be left out. */
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
                    "schedule.warmup, or leave such steps out (train.nonfinite = \"skip\")",
                    t->point.step, where);
}

/* Goes over to the bit-lengths that schedules ask for at this step: every rank alike, from the weights and shard 0 of
 * the batch. */
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
    const int n = srq_batches_fill(&t->batches, t->point.step, 0, t->graph, t->labels);
    if (t->batches.status != SRQ_OK) return SRQ_OK; /* all ranks hear of it after their shards */
    return srq_graph_change_bits(t->graph, n, t->next_bits);
}

/* quantizer.sigma = "annealed": geometric from the first step to the last. */
static float sigma_ratio(const srq_trainer *t)
{
    const srq_settings *s = t->settings;
    if (strcmp(s->quantizer.sigma, "annealed") != 0) return 0;
    const double progress = t->point.total_steps > 1 ? (double)t->point.step / (double)(t->point.total_steps - 1) : 1;
    return (float)(s->quantizer.sigma_ratio * pow(s->quantizer.sigma_final / s->quantizer.sigma_ratio, progress));
}

/* After dropbits.until. */
static bool gates_are_held(const srq_trainer *t)
{
    const long until = srq_span_steps(t->settings->dropbits.until, t->batches.steps_per_epoch);
    return until > 0 && t->point.step >= until;
}

static srq_status begin_step(srq_trainer *t)
{
    bool changed;
    const bool held = gates_are_held(t);
    srq_comm_mark(t->comm, t->point.step);
    SRQ_TRY(change_bits(t, &changed));
    const srq_step step = {.seed = (uint64_t)t->settings->train.seed,
                           .number = t->point.step,
                           .sigma_ratio = sigma_ratio(t),
                           .gates_held = held};
    if (held) srq_optimizer_hold_gates(t->optimizer);
    SRQ_TRY(srq_graph_begin_step(t->graph, &step));
    /* Learned bit-lengths are noted with evaluations; rank 0 does not stop alone here. */
    if (t->run && (changed || t->history.count == 0) && t->noted == SRQ_OK)
        t->noted = srq_bits_history_note(&t->history, t->graph, t->point.step);
    return SRQ_OK;
}

/* The price of open gates; with a target, lambda rises while the network is above it and falls below: by 1 % a step
 * where it is twice (or none of) the target, so that it follows the gates and does not lead them. */
static void penalize(srq_trainer *t, float *gradient)
{
    const srq_settings *s = t->settings;
    srq_penalty_weights weights = SRQ_PENALTY_UNIFORM;
    if (!t->learns_bits || gates_are_held(t)) return;
    if (strcmp(s->dropbits.weights, "params") == 0) weights = SRQ_PENALTY_PARAMS;
    if (strcmp(s->dropbits.weights, "bops") == 0) weights = SRQ_PENALTY_BOPS;
    srq_graph_penalize(t->graph, weights, t->point.penalty, gradient);
    if (s->dropbits.target <= 0) return;
    const bool bops = strcmp(s->dropbits.target_measure, "bops") == 0;
    const double now = bops ? srq_graph_relative_bops(t->graph) : srq_graph_mean_bits(t->graph);
    const double above = fmax(-1, fmin(1, now / s->dropbits.target - 1));
    t->point.penalty = fmax(1e-8, fmin(1e8, t->point.penalty * exp(0.01 * above)));
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

static srq_status one_step(srq_trainer *t)
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
        update(t);
        t->recent.loss += srq_stepper_total(&t->stepper, SRQ_SHARD_LOSS);
        t->recent.correct += (long)srq_stepper_total(&t->stepper, SRQ_SHARD_CORRECT);
        t->recent.count += (long)srq_stepper_total(&t->stepper, SRQ_SHARD_COUNT);
    }
    t->point.step++;
    t->point.evaluated = false;
    return SRQ_OK;
}

/* --- What is shown and kept */

/* Of this rank, since training began. */
static srq_times times_of(const srq_trainer *t)
{
    const double *s = t->stepper.seconds;
    return (srq_times){.compute = t->prepared + s[SRQ_STEP_COMPUTE] + s[SRQ_STEP_SUM] + s[SRQ_STEP_UNPACK] +
                                  s[SRQ_STEP_FINISH] + s[SRQ_STEP_OPTIMIZE],
                       .exchange = s[SRQ_STEP_EXCHANGE] + s[SRQ_STEP_JOIN],
                       .data = t->batches.waited,
                       .passes = s[SRQ_STEP_COMPUTE]};
}

static void show_progress(srq_trainer *t)
{
    if (!t->progress || t->recent.count == 0) return;
    const double now = srq_seconds();
    const long done = t->point.step - t->started_at, left = t->point.total_steps - t->point.step;
    const srq_times times = times_of(t), shares = srq_shares_now(t->shares, &times, now - t->recent_since);
    char rate[32], time_left[32], skipped[48] = "";
    if (t->point.skipped) snprintf(skipped, sizeof skipped, "  skipped %ld", t->point.skipped);
    srq_grouped((long)((double)t->recent.count / fmax(1e-9, now - t->recent_since)), rate, sizeof rate);
    srq_duration((now - t->started) / (double)(done ? done : 1) * (double)left, time_left, sizeof time_left);
    srq_progress_update(t->progress,
                        "epoch %ld/%ld  step %ld/%ld  loss %.4f  error %5.2f %%  %s images/s  comm %.0f %%  data %.0f "
                        "%%%s  %s left",
                        (t->point.step - 1) / t->batches.steps_per_epoch + 1,
                        (t->point.total_steps - 1) / t->batches.steps_per_epoch + 1, t->point.step,
                        t->point.total_steps, t->recent.loss / (double)t->recent.count,
                        100 - 100.0 * (double)t->recent.correct / (double)t->recent.count, rate, 100 * shares.exchange,
                        100 * shares.data, skipped, time_left);
}

static srq_status name_slow_rank(srq_trainer *t, const srq_window *w)
{
    if (!t->run || w->slow_rank < 0) return SRQ_OK;
    const char *host = srq_comm_host(t->comm, w->slow_rank);
    char quoted[160];
    srq_progress_line(t->progress,
                      "slow: rank %d on %s computes %.1f times as long as the middle rank, so all wait for it; look at "
                      "what else runs there, at its clock and its binding to cores",
                      w->slow_rank, host, w->slow_factor);
    return srq_run_log(t->run, "slow", "\"step\": %ld, \"rank\": %d, \"host\": %s, \"factor\": %.2f", t->point.step,
                       w->slow_rank, srq_json_quote(host, quoted, sizeof quoted), w->slow_factor);
}

/* A line of the log; collective, but only rank 0's status says whether it could be written. */
static srq_status log_step(srq_trainer *t)
{
    const double now = srq_seconds(), count = (double)t->recent.count;
    const srq_times times = times_of(t);
    const srq_window w = srq_shares_end_window(t->shares, &times, now - t->recent_since);
    srq_status status = t->noted_skip;
    if (t->run && status == SRQ_OK && t->recent.count > 0)
        status =
            srq_run_log(t->run, "step",
                        "\"step\": %ld, \"epoch\": %.4f, \"loss\": %.6g, \"error\": %.6g, \"learning_rate\": %.6g, "
                        "\"images_per_second\": %.1f, \"compute\": %.4f, \"exchange\": %.4f, \"data_wait\": %.4f, "
                        "\"slowest\": {\"rank\": %d, \"compute\": %.4f, \"exchange\": %.4f, \"data_wait\": %.4f}",
                        t->point.step, (double)t->point.step / (double)t->batches.steps_per_epoch,
                        t->recent.loss / count, 1 - (double)t->recent.correct / count,
                        t->settings->optimizer.learning_rate * srq_schedule_factor(&t->schedule, t->point.step - 1),
                        count / fmax(1e-9, now - t->recent_since), w.mean.compute, w.mean.exchange, w.mean.data,
                        w.slowest_rank, w.slowest.compute, w.slowest.exchange, w.slowest.data);
    if (status == SRQ_OK) status = name_slow_rank(t, &w);
    t->recent = (srq_metrics){0};
    t->recent_since = now;
    return status;
}

/* With the measures of every layer. */
static srq_status log_evaluation(srq_trainer *t)
{
    char *layers = NULL;
    size_t size;
    if (!t->measures) SRQ_TRY(srq_measures_create(t->graph, &t->measures));
    srq_measures_update(t->measures);
    FILE *out = open_memstream(&layers, &size);
    if (!out) return srq_fail_memory(0, "the measures of the network");
    if (t->learns_bits)
        fprintf(out, "\"penalty\": %.9g, \"mean_gated_bits\": %.9g, ", t->point.penalty, srq_graph_mean_bits(t->graph));
    srq_measures_print_json(t->measures, "", out);
    srq_status status = fclose(out) == 0 ? SRQ_OK : srq_fail_memory(size, "the measures of the network");
    if (status == SRQ_OK)
        status = srq_run_log(t->run, "eval",
                             "\"step\": %ld, \"epoch\": %.4f, \"test_loss\": %.9g, \"test_error\": %.9g, "
                             "\"test_count\": %ld, %s",
                             t->point.step, (double)t->point.step / (double)t->batches.steps_per_epoch,
                             t->point.test_loss, t->point.test_error, t->point.test_count, layers);
    free(layers);
    return status;
}

/* Time that is no part of the rate of training. */
static void leave_out(srq_trainer *t, double seconds)
{
    t->recent_since += seconds;
    t->started += seconds;
}

/* Before statistics are evaluated or kept. What is kept is then a function of weights and step alone, however often a
 * run is stopped. */
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

static srq_status evaluate(srq_trainer *t)
{
    srq_metrics m;
    const double since = srq_seconds(), waited = t->batches.waited;
    const int64_t begin = srq_trace_now(t->trace);
    SRQ_TRY(srq_graph_prepare(t->graph));
    if (t->run && t->noted == SRQ_OK) t->noted = srq_bits_history_note(&t->history, t->graph, t->point.step);
    SRQ_TRY(srq_evaluate(t->comm, t->graph, &t->batches, SRQ_TEST, &m));
    srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_EVALUATE, t->point.step, begin);
    srq_shares_leave_out(t->shares, t->batches.waited - waited);
    t->point.evaluated = true;
    t->point.test_count = m.count;
    t->point.test_loss = m.loss / (double)m.count;
    t->point.test_error = 1 - (double)m.correct / (double)m.count;
    if (t->point.test_error < t->test_best) t->test_best = t->point.test_error;
    const double took = srq_seconds() - since;
    leave_out(t, took);
    srq_deadline_note(&t->deadline.evaluation, took);
    if (!t->run) return SRQ_OK;
    char elapsed[32], learned[96] = "";
    if (t->learns_bits)
        snprintf(learned, sizeof learned, "  %.2f-bit weights under their gates", srq_graph_mean_bits(t->graph));
    srq_progress_line(t->progress, "step %6ld  epoch %6.2f  test error %6.2f %%  test loss %.4f%s  (%s)", t->point.step,
                      (double)t->point.step / (double)t->batches.steps_per_epoch, 100 * t->point.test_error,
                      t->point.test_loss, learned, srq_duration(srq_seconds() - t->started, elapsed, sizeof elapsed));
    return log_evaluation(t);
}

static srq_status checkpoint(srq_trainer *t)
{
    srq_stepper_join_state(&t->stepper);
    if (!t->run) return SRQ_OK;
    SRQ_TRY(srq_graph_prepare(t->graph)); /* bit-lengths as the gates now are */
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

/* What the watch over ranks says; other ranks than 0 have no log. */
static void tell(void *context, const char *text, bool final)
{
    srq_trainer *t = context;
    if (t->progress)
        srq_progress_line(t->progress, "srq: %s", text);
    else
        fprintf(stderr, "srq: %s\n", text);
    if (!final || !t->run) return;
    char quoted[SRQ_MESSAGE_SIZE + 64];
    (void)srq_run_log(t->run, "stop", "\"step\": %ld, \"reason\": %s, \"status\": %d", t->point.step,
                      srq_json_quote(text, quoted, sizeof quoted), SRQ_ERROR_RUN);
}

/* `factor` times the patience of the settings with ranks that have not arrived. */
static void watch_ranks(srq_trainer *t, double factor)
{
    srq_comm_watch(t->comm, t->settings->train.stall_warn, factor * t->settings->train.stall_end, tell, t);
}

/* After a step: log, evaluation and checkpoint where they are due; the last step has all of them. */
static srq_status after_step(srq_trainer *t, bool stopping)
{
    const srq_settings *s = t->settings;
    const bool last = t->point.step == t->point.total_steps;
    srq_status status = SRQ_OK;
    show_progress(t);
    if (due(t, s->train.log_every) || last || stopping) status = log_step(t);
    const bool evaluates = last || due(t, s->train.eval_every);
    const bool saves = last || stopping || due(t, s->train.checkpoint_every);
    if (evaluates || saves) {
        SRQ_TRY(srq_comm_agree(t->comm, status));
        SRQ_TRY(settle(t));
    }
    if (evaluates) status = evaluate(t);
    if (saves) SRQ_TRY(srq_comm_agree(t->comm, status));
    if (saves) status = checkpoint_timed(t);
    /* A full disk is met by rank 0 alone, perhaps while it writes a checkpoint in the background: the others hear of it
     * here, where all of them are. At the end the checkpoint must be there. */
    if (last || stopping || due(t, s->train.log_every) || due(t, s->train.eval_every) ||
        due(t, s->train.checkpoint_every)) {
        if (last || stopping) watch_ranks(t, 10); /* a slow file system must not cost the last checkpoint */
        if (status == SRQ_OK && t->saver)
            status = last || stopping ? srq_saver_finish(t->saver) : srq_saver_status(t->saver);
        status = srq_comm_agree(t->comm, status);
    }
    return status;
}

/* The trace, where its window is over. One that cannot be written ends nothing. */
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

/* A checkpoint that has been written behind since the last look. */
static void note_written(srq_trainer *t)
{
    double begin, end;
    if (!t->saver || !srq_saver_last(t->saver, &begin, &end) || end == t->written) return;
    t->written = end;
    srq_deadline_note(&t->deadline.checkpoint, end - begin);
    srq_trace_add_span(t->trace, SRQ_LANE_WRITER, SRQ_EVENT_WRITE, begin, end);
}

/* What later runs rewind to. */
static srq_status keep_weights(srq_trainer *t)
{
    char path[4352];
    srq_status status = SRQ_OK;
    if (t->point.step != t->keep_at) return SRQ_OK;
    SRQ_TRY(settle(t));
    if (t->saver) status = srq_saver_finish(t->saver); /* HDF5 is its thread's until then */
    if (t->run && status == SRQ_OK) {
        snprintf(path, sizeof path, "%s/" SRQ_TRAINER_KEPT, srq_run_folder(t->run));
        status = srq_weights_write(path, t->graph, t->point.step);
    }
    return srq_comm_agree(t->comm, status);
}

static srq_status train_to_end(srq_trainer *t)
{
    bool stopping = false;
    while (t->point.step < t->point.total_steps && !stopping) {
        SRQ_TRY(keep_weights(t));
        const double since = srq_seconds();
        srq_trace_begin_step(t->trace, t->point.step + 1);
        const int64_t begin = srq_trace_now(t->trace);
        SRQ_TRY(one_step(t));
        srq_trace_add(t->trace, SRQ_LANE_COMPUTE, SRQ_EVENT_STEP, t->point.step, begin);
        srq_deadline_note(&t->deadline.step, srq_seconds() - since);
        stopping = srq_stepper_total(&t->stepper, SRQ_SHARD_STOP) > 0 && t->point.step < t->point.total_steps;
        SRQ_TRY(after_step(t, stopping));
        note_written(t);
        end_traced_step(t, stopping || t->point.step == t->point.total_steps);
    }
    return stopping ? SRQ_STOPPED : SRQ_OK;
}

/* --trace-steps, or the 20 steps after the first, which warms caches up. */
static srq_status start_trace(srq_trainer *t)
{
    if (!t->trace) return SRQ_OK;
    long first, last, from = t->options->trace_first, to = t->options->trace_last;
    const long next = t->point.step + 1, end = t->point.total_steps;
    if (from == 0) from = next + 1, to = next + 20;
    if (from < next) from = next;
    if (to > end) to = end;
    if (from > to) {
        srq_progress_line(t->progress, "no trace: its steps are not among those that are left, %ld to %ld", next, end);
        return SRQ_OK;
    }
    srq_stepper_range(&t->stepper, &first, &last);
    return srq_trace_start(t->trace, t->graph, from, to, last - first);
}

void srq_trainer_heed_signals(void)
{
    struct sigaction action = {.sa_handler = request_stop, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
}

bool srq_trainer_is_to_stop(const srq_comm *comm)
{
    double stop = stop_requested;
    srq_comm_sum(comm, &stop, 1);
    return stop > 0;
}

static srq_status start_saving(srq_trainer *t)
{
    const srq_saver_options options = {.keep = t->settings->train.keep, .learns_bits = t->learns_bits};
    srq_status status = SRQ_OK;
    if (t->run) status = srq_saver_create(t->run, t->config, t->graph, t->optimizer, t->versions, &options, &t->saver);
    return srq_comm_agree(t->comm, status);
}

srq_status srq_trainer_run(srq_trainer *t)
{
    srq_trainer_heed_signals();
    SRQ_TRY(start_trace(t));
    t->started = t->recent_since = srq_seconds();
    srq_shares_leave_out(t->shares, t->batches.waited); /* by quantizers, for the images that they start from */
    t->started_at = t->point.step;
    t->settles = srq_settles(t->graph);
    t->settled = t->point.step;
    watch_ranks(t, 1);
    srq_status status = start_saving(t);
    if (status == SRQ_OK) status = train_to_end(t);
    srq_comm_watch(t->comm, 0, 0, NULL, NULL);
    srq_saver_destroy(&t->saver); /* whatever ended training: what is being written becomes whole */
    if (t->run && (status == SRQ_OK || status == SRQ_STOPPED)) {
        srq_status logged = srq_run_log(t->run, "stop", "\"step\": %ld, \"reason\": \"%s\", \"status\": %d",
                                        t->point.step, status == SRQ_OK ? "done" : t->stop_reason, (int)status);
        if (logged != SRQ_OK) status = logged;
    }
    if (t->run && status != SRQ_OK && status != SRQ_STOPPED) {
        char message[SRQ_MESSAGE_SIZE], quoted[SRQ_MESSAGE_SIZE + 64];
        snprintf(message, sizeof message, "%s", srq_message());
        /* Best effort: the first message is the one that counts. */
        (void)srq_run_log(t->run, "stop", "\"step\": %ld, \"reason\": %s, \"status\": %d", t->point.step,
                          srq_json_quote(message, quoted, sizeof quoted), (int)status);
        (void)srq_fail(status, "%s", message);
    }
    return srq_comm_agree(t->comm, status);
}
