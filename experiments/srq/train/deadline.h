/* When a run has to end: --max-time, and the end that SLURM has set to the job. Whichever comes first counts. */
#ifndef SRQ_EXPERIMENTS_TRAIN_DEADLINE_H
#define SRQ_EXPERIMENTS_TRAIN_DEADLINE_H

#include "core/status.h"

#include <stdbool.h>
#include <time.h>

/* Seconds of "90s", "30m", "2h", "1d12h", or as SLURM writes times: "30:00" (minutes), "1:30:00", "1-12", "1-12:00",
 * "1-12:00:00" (days in front). False if `text` is nothing of that, or 0, or beyond ten years. */
bool srq_time_span(const char *text, double *seconds);

typedef struct srq_deadline {
    double max_time; /* seconds of srq_seconds() when --max-time is over, or infinity */
    double job_end;  /* when the job is over, or infinity */
    double margin;   /* of that, at least */
    /* The longest so far, in seconds: what may still come before the run has ended. */
    double step, evaluation, checkpoint;
} srq_deadline;

/* `span` is the word after --max-time: a time span, "none" for no end at all, or NULL. SLURM's end is
 * SLURM_JOB_END_TIME of the environment, where it is set. SRQ_ERROR_USAGE. */
srq_status srq_deadline_create(const char *span, srq_deadline *deadline);
/* The same with a given environment and clocks: `end` is NULL or the seconds since 1970 as text, `wall` the same of
 * now, `now` srq_seconds(). */
srq_status srq_deadline_create_at(const char *span, const char *end, time_t wall, double now, srq_deadline *deadline);

/* Keeps the longest. */
void srq_deadline_note(double *longest, double seconds);

/* NULL, or why the run should end after this step: "max-time" or "slurm-end-time". Of SLURM's end, enough is left for
 * what may come: a step, an evaluation and two checkpoints (the one that was due, and the last one) as long as the
 * longest so far, and a minute besides (or a quarter of what was left at the start, if that is less). */
const char *srq_deadline_passed(const srq_deadline *deadline, double now);

#endif
