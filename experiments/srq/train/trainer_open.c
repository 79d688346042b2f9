#include "core/prune.h"
#include "experiments/srq/commands.h"
#include "experiments/srq/train/best_so_far.h"
#include "experiments/srq/train/fresh.h"
#include "io/escape.h"
#include "io/events.h"
#include "io/run_place.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A run resumes with the number of steps that it began with. `--resume FILE` may start a longer or shorter run. */
static srq_status check_point(const srq_trainer *t, const srq_progress_point *point, bool same_run)
{
    if (same_run && point->total_steps != t->point.total_steps)
        return srq_fail(SRQ_ERROR_DATA,
                        "the run has %ld steps, but this configuration and data set give %ld: %s has another number of "
                        "images than before; use the data set that the run was started with",
                        point->total_steps, t->point.total_steps, t->settings->data.file);
    if (same_run && strcmp(point->data_sha256, t->dataset->checksum) != 0)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: it is not the data set that the run was started with (source SHA-256 now %.12s..., then "
                        "%.12s...); use that one, or start a new run",
                        t->settings->data.file, t->dataset->checksum, point->data_sha256);
    if (point->step > t->point.total_steps)
        return srq_fail(SRQ_ERROR_USAGE,
                        "the checkpoint is at step %ld, but this configuration ends at %ld; raise train.epochs or "
                        "train.max_steps",
                        point->step, t->point.total_steps);
    return SRQ_OK;
}

/* A run is resumed with the pixels that it was begun with, to the last bit. */
static srq_status check_statistics(const srq_trainer *t)
{
    const srq_dataset *d = t->dataset;
    const float *mean = srq_graph_mean(t->graph), *std = srq_graph_std(t->graph);
    for (int c = 0; mean && c < d->channels; c++)
        if (mean[c] != d->mean[c] || std[c] != d->std[c])
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: it is not the data set that the run was started with: the mean and std of channel %d "
                            "are %.9g and %.9g, then %.9g and %.9g; use that one, or start a new run",
                            t->settings->data.file, c, (double)d->mean[c], (double)d->std[c], (double)mean[c],
                            (double)std[c]);
    return SRQ_OK;
}

/* The run was computed on other hardware or with other libraries until now. This is allowed, but reported. */
static void note_arithmetic(srq_trainer *t, const char *before)
{
    if (!before[0] || strcmp(before, t->point.arithmetic) == 0) return;
    snprintf(t->arithmetic_before, sizeof t->arithmetic_before, "%s", before);
    srq_say_to(stderr,
               "srq: from here on the bits may differ from those of a run that was never moved: the checkpoint was "
               "computed by \"%s\", and this job computes by \"%s\" (docs/reproducibility.md)\n",
               before, t->point.arithmetic);
}

/* Rank 0: takes over the state of a checkpoint, except the total number of steps. */
static srq_status take_point(srq_trainer *t, srq_progress_point point, bool same_run)
{
    SRQ_TRY(check_point(t, &point, same_run));
    SRQ_TRY(srq_trainer_settle_statistics(t));
    if (same_run) SRQ_TRY(check_statistics(t));
    note_arithmetic(t, point.arithmetic);
    point.total_steps = t->point.total_steps;
    memcpy(point.arithmetic, t->point.arithmetic, sizeof point.arithmetic);
    memcpy(point.data_sha256, t->dataset->checksum, sizeof point.data_sha256);
    t->point = point;
    return SRQ_OK;
}

void srq_trainer_share_state(srq_trainer *t)
{
    const size_t bytes = srq_graph_size(t->graph) * sizeof(float);
    long steps = srq_optimizer_steps(t->optimizer);
    srq_comm_share(t->comm, srq_graph_values(t->graph), bytes);
    srq_stepper_hand_out_state(&t->stepper);
    srq_comm_share(t->comm, &steps, sizeof steps);
    srq_comm_share(t->comm, &t->point, sizeof t->point);
    for (int i = 0; i < srq_graph_layer_count(t->graph); i++) {
        int bits = srq_graph_layer(t->graph, i)->quantizer.trained_bits;
        srq_comm_share(t->comm, &bits, sizeof bits);
        if (bits) srq_graph_set_bits(t->graph, i, bits);
    }
    srq_optimizer_set_steps(t->optimizer, steps);
}

/* Copies the mask of one layer from rank 0 to all ranks. */
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

/* A network keeps the statistics that it was trained with, also on another data set (--resume FILE). */
static srq_status share_statistics(srq_trainer *t)
{
    const float *mean = srq_graph_mean(t->graph), *std = srq_graph_std(t->graph);
    const size_t channels = (size_t)t->dataset->channels;
    if (!mean) return SRQ_OK; /* as on every rank: data.normalize is "none" */
    float *both = malloc(2 * channels * sizeof *both);
    srq_status status = both ? SRQ_OK : srq_fail_memory(2 * channels * sizeof *both, "the statistics of pixels");
    status = srq_comm_agree(t->comm, status);
    if (status == SRQ_OK) {
        memcpy(both, mean, channels * sizeof *both);
        memcpy(both + channels, std, channels * sizeof *both);
        srq_comm_share(t->comm, both, 2 * channels * sizeof *both);
        status = srq_comm_agree(t->comm, srq_graph_set_statistics(t->graph, both, both + channels));
        srq_batches_set_statistics(&t->batches, t->graph);
    }
    free(both);
    return status;
}

static srq_status log_start(srq_trainer *t)
{
    char file[4200], versions[1024], sha256[600], arithmetic[600], validation[96] = "";
    const srq_settings *s = t->settings;
    if (t->batches.holdout.count)
        snprintf(validation, sizeof validation, "\"train_images\": %ld, \"validation_images\": %zu, ", t->batches.count,
                 t->batches.holdout.count);
    return srq_run_log(
        t->run, "start",
        "\"ranks\": %d, \"nodes\": %d, \"shared\": %s, \"threads\": %d, \"threads_from\": \"%s\", \"threads_bound\": "
        "%s, \"shards\": %d, \"slices\": "
        "%d, \"batch\": %d, \"steps\": %ld, \"steps_per_epoch\": %ld, "
        "\"seed\": %lld, %s\"engine\": \"%s\", \"isa\": \"%s\", \"blas_threads\": 1, \"data\": %s, "
        "\"data_sha256\": %s, \"versions\": %s, \"arithmetic\": %s",
        srq_comm_size(t->comm), srq_comm_nodes(t->comm), srq_comm_shares(t->comm) ? "true" : "false", t->threads.count,
        t->threads.source, t->threads.bound ? "true" : "false", s->train.shards, s->train.slices, s->train.batch,
        t->point.total_steps, t->batches.steps_per_epoch, (long long)s->train.seed, validation,
        srq_graph_kernels(t->graph)->name, srq_isa_name(t->isa), srq_json_quote(s->data.file, file, sizeof file),
        srq_json_quote(t->dataset->checksum, sha256, sizeof sha256),
        srq_json_quote(t->versions, versions, sizeof versions),
        srq_json_quote(t->point.arithmetic, arithmetic, sizeof arithmetic));
}

/* Rank 0: opens the run directory according to --resume. Files are read before the directory is made, so that a file
 * that cannot be used leaves no directory behind. */
static srq_status open_run(srq_trainer *t, const char *dir, srq_resume resume, const char *file, bool *found)
{
    srq_progress_point point;
    struct stat info;
    const bool records = t->settings->train.tensorboard;
    if (records) SRQ_TRY(srq_events_check(dir));
    /* Runs on data sets without a digest could not be told apart. */
    if (!t->dataset->checksum[0])
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: its attribute source_sha256 is empty; write the SHA-256 of its source there, or import "
                        "the data with `srq data import`",
                        t->settings->data.file);
    if (resume == SRQ_RESUME_FILE) {
        char path[8400];
        const bool is_run = stat(file, &info) == 0 && S_ISDIR(info.st_mode);
        SRQ_TRY(srq_run_place(file, path, sizeof path));
        SRQ_TRY(is_run ? srq_run_read_newest(file, t->graph, t->optimizer, &point, &t->history, stderr)
                       : srq_checkpoint_read(file, t->graph, t->optimizer, &point, &t->history));
        SRQ_TRY(srq_trainer_compare_validation(t, path, &point, stderr));
        SRQ_TRY(take_point(t, point, false));
        *found = true;
    }
    char begun[4200];
    snprintf(begun, sizeof begun, "%s/config.cfg", dir);
    if (resume != SRQ_RESUME_FILE && access(begun, F_OK) != 0) SRQ_TRY(srq_fresh_read(t->settings, t->graph, stderr));
    bool busy;
    const srq_status opened = srq_run_open(dir, t->config, resume, stderr, &busy, &t->run);
    if (t->options->busy) *t->options->busy = busy;
    SRQ_TRY(opened);
    if (resume == SRQ_RESUME_FILE) SRQ_TRY(srq_trainer_copy_best(t, file, stderr));
    if (resume == SRQ_RESUME_AUTO) {
        SRQ_TRY(srq_run_restore(t->run, t->graph, t->optimizer, &point, &t->history, found, stderr));
        if (*found) SRQ_TRY(take_point(t, point, true));
        if (*found) SRQ_TRY(srq_trainer_find_best(t));
    }
    if (records) SRQ_TRY(srq_run_record(t->run, *found ? t->point.step + 1 : 0));
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
        t->progress = t->options->quiet ? NULL : srq_progress_create(stdout);
    }
    SRQ_TRY(srq_comm_agree(t->comm, status));
    srq_comm_share(t->comm, &found, sizeof found);
    t->restored = found && resume == SRQ_RESUME_AUTO;
    if (found) {
        srq_trainer_share_state(t);
        srq_comm_share(t->comm, &t->tested, sizeof t->tested);
        srq_comm_share(t->comm, &t->was_tested, sizeof t->was_tested);
        SRQ_TRY(share_masks(t));
        SRQ_TRY(share_statistics(t));
    } else {
        SRQ_TRY(srq_comm_agree(t->comm, srq_fresh_start(t->settings, t->graph, &t->batches, t->labels, NULL)));
        srq_optimizer_begin_average(t->optimizer, t->graph);
    }
    SRQ_TRY(srq_stepper_share_values(&t->stepper));
    return srq_comm_agree(t->comm, srq_graph_prepare(t->graph));
}
