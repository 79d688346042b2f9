/* Training: the loop, and everything that it works on. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TRAINER_H
#define SRQ_EXPERIMENTS_TRAIN_TRAINER_H

#include "core/optimizer.h"
#include "experiments/srq/inspect/measure.h"
#include "experiments/srq/train/deadline.h"
#include "experiments/srq/train/evaluate.h"
#include "experiments/srq/train/stepper.h"
#include "experiments/srq/train/time_shares.h"
#include "experiments/srq/train/trace.h"
#include "io/progress.h"
#include "io/saver.h"

/* What the command line asks for besides the configuration: of how, not of what. */
typedef struct srq_trainer_options {
    const char *max_time;         /* --max-time, or NULL */
    const char *trace;            /* --trace: a folder, or NULL */
    long trace_first, trace_last; /* --trace-steps, or 0 and 0 */
} srq_trainer_options;

/* In the run directory, see keep_at below. */
#define SRQ_TRAINER_KEPT "rewind.h5"

typedef struct srq_trainer {
    srq_comm *comm;
    const srq_config *config;
    const srq_settings *settings;
    const char *versions;
    const srq_trainer_options *options;
    srq_isa isa; /* that all ranks compute with */
    srq_dataset *dataset;
    srq_batches batches;
    srq_graph *graph;
    srq_optimizer *optimizer;
    srq_schedule schedule;
    srq_stepper stepper;
    srq_run *run;           /* rank 0 only */
    srq_saver *saver;       /* rank 0 only */
    double written;         /* when the last checkpoint was there, srq_seconds() */
    srq_progress *progress; /* rank 0 only */
    srq_measures *measures; /* rank 0 only */
    srq_progress_point point;
    srq_bits_history history;    /* rank 0 only */
    char arithmetic_before[512]; /* rank 0: of the checkpoint, if another than this job's */
    srq_status noted;            /* whether the history could be kept; heard of at the next checkpoint */
    bool learns_bits;            /* dropbits.mode is "learn" */
    bool settles;    /* batch-norm's statistics are taken anew (experiments/srq/train/batchnorm_statistics.h) before any
                        use, and */
    long settled;    /* were so at this step, or come from a checkpoint */
    int *next_bits;  /* [layers] */
    int32_t *labels; /* [capacity] */
    srq_deadline deadline;
    const char *stop_reason; /* of rank 0: "signal" unless its clock ended the run */
    srq_status noted_skip;   /* whether the log could be written; heard of at the next line of it */
    srq_trace *trace;        /* NULL without --trace */
    srq_shares *shares;
    double prepared; /* seconds in begin_step, of all steps */
    /* Since the last line of the log: */
    srq_metrics recent;
    double recent_since;
    double started;   /* seconds */
    long started_at;  /* step */
    double test_best; /* lowest test error so far in this process, or 2 */
    long keep_at;     /* -1; the caller's to set before srq_trainer_run: the weights as they are before this step are
                         kept in the run directory (io/weights.h) */
} srq_trainer;

/* Collective: builds everything for `config`; SRQ_ERROR_* agreed by all ranks. The options must live as long. */
srq_status srq_trainer_create(srq_comm *comm, const srq_config *config, const char *versions,
                              const srq_trainer_options *options, srq_trainer *trainer);
void srq_trainer_destroy(srq_trainer *trainer);

/* Collective: opens the run directory, and brings the network to where it stands there: from a checkpoint, from
 * `file` (SRQ_RESUME_FILE), or from the start. */
srq_status srq_trainer_open(srq_trainer *trainer, const char *dir, srq_resume resume, const char *file);

/* From now on SIGTERM, SIGINT and SIGUSR1 ask for an end, which training heeds after the step that it is in. */
void srq_trainer_heed_signals(void);
/* Collective: whether one of them has come to any rank. */
bool srq_trainer_is_to_stop(const srq_comm *comm);

/* Collective: trains to the end. SRQ_STOPPED after a checkpoint if SIGTERM, SIGINT or SIGUSR1 came to any
 * rank, or rank 0's clock says so. */
srq_status srq_trainer_run(srq_trainer *trainer);

#endif
