/* Training: the loop, and everything that it works on. */
#ifndef SRQ_EXPERIMENTS_TRAINER_H
#define SRQ_EXPERIMENTS_TRAINER_H

#include "core/optimizer.h"
#include "experiments/evaluate.h"
#include "experiments/measure.h"
#include "experiments/stepper.h"
#include "io/progress.h"
#include "io/saver.h"

typedef struct srq_trainer {
    srq_comm *comm;
    const srq_config *config;
    const srq_settings *settings;
    const char *versions;
    srq_dataset *dataset;
    srq_batches batches;
    srq_graph *graph;
    srq_optimizer *optimizer;
    srq_schedule schedule;
    srq_stepper stepper;
    srq_run *run;           /* rank 0 only */
    srq_saver *saver;       /* rank 0 only */
    srq_progress *progress; /* rank 0 only */
    srq_measures *measures; /* rank 0 only */
    srq_progress_point point;
    srq_bits_history history; /* rank 0 only */
    srq_status noted;         /* whether the history could be kept; heard of at the next checkpoint */
    bool learns_bits;         /* dropbits.mode is "learn" */
    int *next_bits;           /* [layers] */
    int32_t *labels;          /* [capacity] */
    /* Since the last line of the log: */
    srq_metrics recent;
    double recent_since;
    double recent_waited; /* seconds for data, of all before */
    double started;       /* seconds */
    long started_at;      /* step */
    double test_best;     /* lowest test error so far in this process, or 2 */
} srq_trainer;

/* Collective: builds everything for `config`; SRQ_ERROR_* agreed by all ranks. */
srq_status srq_trainer_create(srq_comm *comm, const srq_config *config, const char *versions, srq_trainer *trainer);
void srq_trainer_destroy(srq_trainer *trainer);

/* Collective: opens the run directory, and brings the network to where it stands there: from a checkpoint, from
 * `file` (SRQ_RESUME_FILE), or from the start. */
srq_status srq_trainer_open(srq_trainer *trainer, const char *dir, srq_resume resume, const char *file);

/* Collective: trains to the end. SRQ_STOPPED after a checkpoint if SIGTERM, SIGINT or SIGUSR1 came to any rank. */
srq_status srq_trainer_run(srq_trainer *trainer);

#endif
