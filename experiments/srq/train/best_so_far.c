#include "experiments/srq/train/best_so_far.h"

#include "io/escape.h"
#include "io/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_SIZE = 4352 };

/* Without a line about the test, as after a kill at the end, the test is done again. */
static bool has_logged_test(const srq_trainer *t)
{
    srq_log *log = NULL;
    const bool tested = srq_log_create_of(srq_run_folder(t->run), &log) == SRQ_OK && log->tested;
    srq_log_destroy(&log);
    return tested;
}

srq_status srq_trainer_find_best(srq_trainer *t)
{
    char path[PATH_SIZE];
    if (!t->point.best.found) return SRQ_OK;
    SRQ_TRY(srq_run_link_best(t->run, &t->point.best));
    srq_run_checkpoint_path(t->run, t->point.best.step, path, sizeof path);
    SRQ_TRY(srq_checkpoint_read_point(path, &t->tested));
    t->was_tested = t->tested.evaluated && has_logged_test(t);
    return SRQ_OK;
}

static bool has_same_images(const srq_trainer *t, const srq_config *config, const srq_progress_point *point)
{
    const srq_settings *here = t->settings, *there = srq_config_settings(config);
    return here->data.validation == there->data.validation && here->train.seed == there->train.seed &&
           strcmp(point->data_sha256, t->dataset->checksum) == 0;
}

srq_status srq_trainer_compare_validation(const srq_trainer *t, const char *file, srq_progress_point *point,
                                          FILE *notes)
{
    srq_config *config = NULL;
    bool same = false;
    if (t->settings->data.validation > 0) {
        SRQ_TRY(srq_checkpoint_read_config(file, &config));
        same = has_same_images(t, config, point);
        srq_config_destroy(&config);
        if (!same && strcmp(point->data_sha256, t->dataset->checksum) == 0)
            srq_say_to(
                notes,
                "srq: note: %s was trained with other validation images (data.validation or train.seed differs), "
                "so its weights may have seen those of this run; then validation errors are too low\n",
                file);
    }
    if (!same) {
        point->best = (srq_best){0};
        point->validated = false;
    }
    if (t->settings->data.validation > 0) point->evaluated = false; /* the test follows at the end */
    return SRQ_OK;
}

/* The path of the best checkpoint: FILE can be a run directory or a checkpoint, also by a link such as last.h5. */
static void place_best(const srq_trainer *t, const char *file, char *path, size_t size)
{
    struct stat info;
    char *real = realpath(file, NULL);
    const char *whole = real ? real : file, *slash = strrchr(whole, '/');
    if (stat(file, &info) == 0 && S_ISDIR(info.st_mode))
        snprintf(path, size, "%s/checkpoints/%08ld.h5", file, t->point.best.step);
    else if (t->point.best.step == t->point.step)
        snprintf(path, size, "%s", file);
    else
        snprintf(path, size, "%.*s%08ld.h5", slash ? (int)(slash - whole + 1) : 0, whole, t->point.best.step);
    free(real);
}

srq_status srq_trainer_copy_best(srq_trainer *t, const char *file, FILE *notes)
{
    char path[PATH_SIZE];
    if (!t->point.best.found) return SRQ_OK;
    place_best(t, file, path, sizeof path);
    const srq_status status = srq_run_copy_best(t->run, path, &t->point.best);
    if (status != SRQ_ERROR_DATA) return status;
    srq_say_to(notes,
               "srq: note: the best checkpoint before this one, that of step %ld, cannot be used: %s; the best one is "
               "sought from step %ld on\n",
               t->point.best.step, srq_message(), t->point.step);
    t->point.best = (srq_best){0};
    t->point.validated = false;
    return SRQ_OK;
}
