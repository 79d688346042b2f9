#include "dist/same.h"
#include "dist/tree.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/train/node_checks.h"
#include "experiments/srq/train/trainer_bits.h"

#include <stdlib.h>
#include <string.h>

static srq_optimizer_method optimizer_method(const srq_settings *s)
{
    if (strcmp(s->optimizer.method, "sgd") == 0) return SRQ_SGD;
    return strcmp(s->optimizer.method, "adamw") == 0 ? SRQ_ADAMW : SRQ_ADAM;
}

static srq_optimizer_options optimizer_options(const srq_comm *comm, const srq_settings *s)
{
    return (srq_optimizer_options){
        .method = optimizer_method(s),
        .learning_rate = s->optimizer.learning_rate,
        .alpha_learning_rate = s->optimizer.alpha_learning_rate,
        .sigma_learning_rate = strcmp(s->quantizer.sigma, "learned") == 0 ? s->optimizer.sigma_learning_rate : 0,
        .gate_learning_rate = s->optimizer.gate_learning_rate,
        .momentum = s->optimizer.momentum,
        .nesterov = s->optimizer.nesterov,
        .beta1 = s->optimizer.beta1,
        .beta2 = s->optimizer.beta2,
        .epsilon = s->optimizer.epsilon,
        .weight_decay = s->optimizer.weight_decay,
        .average = s->train.average,
        .in_parts = srq_comm_size(comm) > 1,
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

/* Images are made on as many threads as compute, because it may take as long. */
static int readers_of(int threads)
{
    enum { MOST = 64 };
    return threads < MOST ? threads : MOST;
}

srq_status srq_trainer_settle_statistics(srq_trainer *t)
{
    const bool any = strcmp(t->settings->data.normalize, "dataset") == 0;
    if (any && srq_graph_mean(t->graph)) return SRQ_OK;
    return srq_graph_set_statistics(t->graph, any ? t->dataset->mean : NULL, any ? t->dataset->std : NULL);
}

/* Builds everything that needs no other rank. */
static srq_status build(srq_trainer *t)
{
    const srq_settings *s = t->settings;
    const unsigned later = srq_comm_shares(t->comm) ? SRQ_LOAD_LATER : 0;
    SRQ_TRY(srq_dataset_load(s->data.file, SRQ_LOAD_TRAIN | SRQ_LOAD_TEST | later, &t->dataset));
    SRQ_TRY(srq_batches_create(t->dataset, s, s->train.batch, s->train.shards, &t->batches));
    if (t->options->trace) SRQ_TRY(srq_trace_create(t->comm, t->options->trace, &t->trace));
    long first_shard, last_shard;
    srq_tree_range(s->train.shards, srq_comm_size(t->comm), srq_comm_rank(t->comm), &first_shard, &last_shard);
    const srq_graph_options options = {.capacity = srq_batches_capacity(&t->batches),
                                       .slices = s->train.slices,
                                       .workers = t->threads.workers,
                                       .lanes = (int)(last_shard - first_shard),
                                       .engine = s->train.engine,
                                       .isa = &t->isa,
                                       .observer = srq_trace_observer(t->trace)};
    SRQ_TRY(srq_graph_create(&s->model, &options, &t->graph));
    SRQ_TRY(srq_check_data_fits(t->graph, t->dataset, s->data.file));
    SRQ_TRY(srq_trainer_settle_statistics(t));
    const srq_optimizer_options optimizer = optimizer_options(t->comm, s);
    SRQ_TRY(srq_optimizer_create(t->graph, &optimizer, &t->optimizer));
    return SRQ_OK;
}

/* Collective. If ranks share memory, the first of each node reads the images for all of them. */
static srq_status load_images(srq_trainer *t)
{
    const bool leads = srq_comm_node(t->comm)->member == 0;
    const size_t bytes = leads ? srq_dataset_images_size(t->dataset) : 0;
    if (!srq_comm_shares(t->comm)) return SRQ_OK;
    SRQ_TRY(srq_shared_create(t->comm, bytes, "the images of the data set", &t->images));
    uint8_t *images = srq_shared_part(t->images, 0);
    SRQ_TRY(srq_comm_agree(t->comm, bytes ? srq_dataset_read_images(t->dataset, images) : SRQ_OK));
    if (images) srq_dataset_use_images(t->dataset, images);
    return SRQ_OK;
}

/* Collective. */
static srq_status build_stepper(srq_trainer *t)
{
    const srq_settings *s = t->settings;
    const srq_stepper_options stepping = {.shards = s->train.shards,
                                          .capacity = srq_batches_capacity(&t->batches),
                                          .bucket_bytes = (size_t)(s->train.bucket_mb * 1e6),
                                          .late = !s->train.overlap,
                                          .coarse = strcmp(s->train.wire, "bfloat16") == 0,
                                          .clip_norm = s->train.clip_norm};
    return srq_stepper_create(t->comm, t->graph, t->optimizer, &stepping, &t->stepper);
}

static srq_status build_loop(srq_trainer *t)
{
    const srq_settings *s = t->settings;
    const int capacity = srq_batches_capacity(&t->batches), readers = readers_of(t->threads.count);
    long first_shard, last_shard;
    srq_stepper_range(&t->stepper, &first_shard, &last_shard);
    t->batches.trace = t->stepper.trace = t->trace;
    SRQ_TRY(srq_batches_start(&t->batches, first_shard, last_shard, readers, srq_graph_lanes(t->graph)));
    t->labels = calloc((size_t)capacity, sizeof *t->labels);
    t->next_bits = calloc((size_t)srq_graph_layer_count(t->graph), sizeof *t->next_bits);
    if (!t->labels || !t->next_bits) return srq_fail_memory((size_t)capacity, "the labels");
    t->learns_bits = strcmp(s->dropbits.mode, "learn") == 0;
    SRQ_TRY(srq_trainer_set_target(t));
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

/* Compares what each rank has read and found. */
static srq_status check_nodes(srq_trainer *t)
{
    char data[128];
    const char *engine = srq_graph_kernels(t->graph)->name;
    snprintf(data, sizeof data, "%s, source SHA-256 %.16s", t->dataset->name, t->dataset->checksum);
    SRQ_TRY(srq_comm_same(t->comm, SRQ_ERROR_DATA, "data sets", data,
                          "put the same file at data.file on all nodes, or use a file that all nodes can read"));
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
    /* First, because --max-time is measured from here. */
    SRQ_TRY(srq_comm_agree(comm, srq_deadline_create(options->max_time, &t->deadline)));
    SRQ_TRY(srq_nodes_settle_isa(comm, t->settings->train.isa, &t->isa));
    SRQ_TRY(srq_threads_create(comm, options->threads, &t->threads));
    SRQ_TRY(srq_comm_agree(comm, build(t)));
    SRQ_TRY(load_images(t));
    SRQ_TRY(build_stepper(t));
    SRQ_TRY(srq_comm_agree(comm, build_loop(t)));
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
    srq_target_destroy(&t->target);
    srq_stepper_destroy(&t->stepper);
    srq_optimizer_destroy(&t->optimizer);
    srq_graph_destroy(&t->graph);
    srq_threads_destroy(&t->threads);
    srq_batches_destroy(&t->batches);
    srq_trace_destroy(&t->trace); /* after the thread that reads ahead, which uses it */
    srq_shares_destroy(&t->shares);
    srq_dataset_destroy(&t->dataset);
    srq_shared_destroy(&t->images);
    free(t->labels);
    free(t->next_bits);
    srq_bits_history_free(&t->history);
}
