#include "experiments/srq/train/validation.h"

#include "experiments/srq/train/trainer_bits.h"

#include <stdlib.h>

bool srq_trainer_validates(const srq_trainer *t)
{
    return t->settings->data.validation > 0;
}

void srq_trainer_take_validation(srq_trainer *t, const srq_metrics *m)
{
    srq_progress_point *p = &t->point;
    p->validated = true;
    p->validation_count = m->count;
    p->validation_loss = m->loss / (double)m->count;
    p->validation_error = 1 - (double)m->correct / (double)m->count;
    (void)srq_best_take(&p->best, p->step, p->validation_error, p->validation_loss);
}

bool srq_trainer_is_best(const srq_trainer *t)
{
    return t->point.validated && t->point.best.step == t->point.step;
}

bool srq_trainer_ends_early(const srq_trainer *t)
{
    /* The weights to rewind to must be kept first. */
    return t->point.validated && t->point.step < t->point.total_steps && t->point.step > t->keep_at &&
           srq_best_ends(&t->point.best, t->settings->train.patience);
}

bool srq_trainer_is_over(const srq_trainer *t)
{
    return t->point.step >= t->point.total_steps || srq_trainer_ends_early(t);
}

bool srq_trainer_has_end(const srq_trainer *t)
{
    return t->restored && srq_trainer_is_over(t) &&
           (srq_trainer_validates(t) ? t->point.validated : t->point.evaluated);
}

bool srq_trainer_was_done(const srq_trainer *t)
{
    return srq_trainer_has_end(t) && (t->was_tested || !srq_trainer_validates(t));
}

/* --- The test */

/* Sets the network, and trainer->point, to those of the best checkpoint. */
static srq_status load_best(srq_trainer *t, srq_bits_history *history)
{
    char path[4352];
    srq_status status = SRQ_OK;
    const long total = t->point.total_steps;
    const srq_best best = t->point.best;
    if (t->run) {
        if (t->saver) status = srq_saver_finish(t->saver);
        srq_run_checkpoint_path(t->run, best.step, path, sizeof path);
        if (status == SRQ_OK) status = srq_checkpoint_read(path, t->graph, t->optimizer, &t->point, history);
        if (status == SRQ_OK) status = srq_trainer_settle_statistics(t);
        t->point.total_steps = total; /* it can be of a shorter run (--resume FILE) */
        if (status == SRQ_OK && t->point.best.error != best.error)
            status =
                srq_fail(SRQ_ERROR_DATA,
                         "%s: its validation error is %g, but that of the best checkpoint is %g; remove this file, "
                         "and begin the run again with --resume and an earlier checkpoint",
                         path, t->point.best.error, best.error);
    }
    SRQ_TRY(srq_comm_agree(t->comm, status));
    srq_trainer_share_state(t);
    return SRQ_OK;
}

static srq_status log_test(srq_trainer *t, long step)
{
    char *layers = NULL, text[256];
    size_t size;
    const srq_progress_point *p = &t->point;
    const srq_learned_bits bits = srq_trainer_bits(t);
    if (!t->measures) SRQ_TRY(srq_measures_create(t->graph, &t->measures));
    srq_measures_update(t->measures);
    FILE *out = open_memstream(&layers, &size);
    if (!out) return srq_fail_memory(0, "the measures of the network");
    fputs(srq_learned_bits_json(&bits, text, sizeof text), out);
    srq_measures_print_json(t->measures, "", out);
    srq_status status = fclose(out) == 0 ? SRQ_OK : srq_fail_memory(size, "the measures of the network");
    if (status == SRQ_OK)
        status = srq_run_log(t->run, "test",
                             "\"step\": %ld, \"epoch\": %.4f, \"best_step\": %ld, \"validation_loss\": %.9g, "
                             "\"validation_error\": %.9g, \"test_loss\": %.9g, \"test_error\": %.9g, "
                             "\"test_count\": %ld, %s",
                             step, (double)step / (double)t->batches.steps_per_epoch, p->step, p->best.loss,
                             p->best.error, p->test_loss, p->test_error, p->test_count, layers);
    free(layers);
    return status;
}

/* Writes the best checkpoint again, with the result. */
static srq_status save_best(srq_trainer *t, const srq_bits_history *history)
{
    srq_snapshot *snapshot = NULL;
    SRQ_TRY(srq_snapshot_create(t->config, t->graph, t->optimizer, t->versions, &snapshot));
    srq_status status = srq_snapshot_take(snapshot, &t->point, history);
    if (status == SRQ_OK) status = srq_run_checkpoint_again(t->run, snapshot, t->learns_bits);
    srq_snapshot_destroy(&snapshot);
    return status;
}

static srq_status test_network(srq_trainer *t, long step, const srq_bits_history *history)
{
    srq_metrics m;
    srq_status status = SRQ_OK;
    srq_stepper_show_average(&t->stepper, true);
    SRQ_TRY(srq_comm_agree(t->comm, srq_graph_prepare(t->graph)));
    const char *folder = t->run ? srq_run_folder(t->run) : NULL;
    SRQ_TRY(srq_evaluate_by_class(t->comm, t->graph, &t->batches, t->point.step, folder, &m));
    t->point.evaluated = true;
    t->point.test_count = m.count;
    t->point.test_loss = m.loss / (double)m.count;
    t->point.test_error = 1 - (double)m.correct / (double)m.count;
    if (t->run) status = log_test(t, step);
    if (t->run && status == SRQ_OK) status = save_best(t, history);
    return srq_comm_agree(t->comm, status);
}

srq_status srq_trainer_test(srq_trainer *t)
{
    srq_bits_history history = {0};
    const srq_progress_point last = t->point;
    if (!last.best.found) return SRQ_OK;
    const bool here = last.best.step == last.step; /* the network has the weights already */
    srq_status status = here ? SRQ_OK : load_best(t, &history);
    if (status == SRQ_OK) status = test_network(t, last.step, here ? &t->history : &history);
    srq_bits_history_free(&history);
    t->holds_best = status == SRQ_OK;
    t->tested = t->point;
    t->point = last;
    if (status == SRQ_OK)
        srq_progress_line(t->progress,
                          "test error %.2f %%  test loss %.4f  of best.h5 (step %ld, validation error %.2f %%)",
                          100 * t->tested.test_error, t->tested.test_loss, t->tested.step, 100 * last.best.error);
    return status;
}
