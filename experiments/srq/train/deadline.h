/* When a run has to stop: --max-time or the end of the SLURM job, whichever comes first. */
#ifndef SRQ_EXPERIMENTS_TRAIN_DEADLINE_H
#define SRQ_EXPERIMENTS_TRAIN_DEADLINE_H

#include "core/status.h"

#include <stdbool.h>
#include <time.h>

/* Seconds of "90s", "30m", "2h", "1d12h", or as SLURM writes times: "30:00" (minutes), "1:30:00", "1-12", "1-12:00",
 * "1-12:00:00" (days first). False if `text` has another form, is 0, or is more than ten years. */
bool srq_time_span(const char *text, double *seconds);

typedef struct srq_deadline {
    double max_time; /* when --max-time ends, by srq_seconds(), or infinity */
    double job_end;  /* when the job ends, by srq_seconds(), or infinity */
    double margin;   /* smallest time to leave before job_end */
    /* The longest so far, in seconds. They bound what may still happen before the run stops. */
    double step, evaluation, checkpoint;
} srq_deadline;

/* `span` is the value of --max-time: a time span, "none" for no limit, or NULL. The end of the job is
 * SLURM_JOB_END_TIME in the environment, if it is set. SRQ_ERROR_USAGE if `span` is not valid. */
srq_status srq_deadline_create(const char *span, srq_deadline *deadline);
/* The same with a given environment and clocks. `end` is NULL, or the end of the job in seconds since 1970, as text.
 * `wall` is the time now in seconds since 1970; `now` is srq_seconds(). */
srq_status srq_deadline_create_at(const char *span, const char *end, time_t wall, double now, srq_deadline *deadline);

/* Records a duration: *longest becomes the maximum. */
void srq_deadline_note(double *longest, double seconds);

/* NULL, or why the run should stop after this step: "max-time" or "slurm-end-time". Before the end of a SLURM job,
 * enough time is left for one step, one evaluation and two checkpoints (one that is due, and the last one), each as
 * long as the longest so far. A margin is added: one minute, or a quarter of the time that was left at the start, if
 * that is less. */
const char *srq_deadline_passed(const srq_deadline *deadline, double now);

#endif
