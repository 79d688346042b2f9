/* The training loop and its state. */
#ifndef SRQ_EXPERIMENTS_TRAIN_TRAINER_H
#define SRQ_EXPERIMENTS_TRAIN_TRAINER_H

#include "core/optimizer.h"
#include "core/target.h"
#include "experiments/srq/inspect/measure.h"
#include "experiments/srq/train/deadline.h"
#include "experiments/srq/train/evaluate.h"
#include "experiments/srq/train/stepper.h"
#include "experiments/srq/train/threads.h"
#include "experiments/srq/train/time_shares.h"
#include "experiments/srq/train/trace.h"
#include "io/progress.h"
#include "io/saver.h"

/* Options of the command line. They do not change the result of the run. */
typedef struct srq_trainer_options {
    const char *max_time;         /* --max-time, or NULL */
    int threads;                  /* --threads, or 0 */
    bool quiet;                   /* --quiet: no progress */
    const char *trace;            /* --trace: a folder, or NULL */
    long trace_first, trace_last; /* --trace-steps, or 0 and 0 */
    bool *busy;                   /* of srq_run_open, for the caller on rank 0, or NULL; stays as it is without it */
} srq_trainer_options;

/* File in the run directory; see keep_at below. */
#define SRQ_TRAINER_KEPT "rewind.h5"

/* With train.clip_norm: the norms of the gradients of some steps, before clipping. */
typedef struct srq_norms {
    double sum;
    long count, clipped; /* steps; those of them whose gradient was clipped */
} srq_norms;

typedef struct srq_trainer {
    srq_comm *comm;
    const srq_config *config;
    const srq_settings *settings;
    const char *versions;
    const srq_trainer_options *options;
    srq_isa isa; /* the instruction set that all ranks compute with */
    srq_threads threads;
    srq_dataset *dataset;
    srq_shared *images; /* those of the data set, for the ranks of this node, or NULL */
    srq_batches batches;
    srq_graph *graph;
    srq_optimizer *optimizer;
    srq_schedule schedule;
    srq_stepper stepper;
    srq_run *run;           /* rank 0 only */
    srq_saver *saver;       /* rank 0 only */
    double written;         /* when the last checkpoint was written, by srq_seconds() */
    srq_progress *progress; /* rank 0 only */
    srq_measures *measures; /* rank 0 only */
    srq_progress_point point;
    srq_progress_point tested;   /* with data.validation: that of the best checkpoint, evaluated on the test images */
    bool was_tested;             /* by an earlier job */
    bool holds_best;             /* the network is that of the best checkpoint, and not of trainer->point */
    srq_bits_history history;    /* rank 0 only */
    char arithmetic_before[512]; /* rank 0: the arithmetic of the checkpoint, if it differs from this job's */
    srq_status noted;            /* status of keeping the history; returned at the next checkpoint */
    bool restored;               /* the state is that of a checkpoint in the run directory */
    bool learns_bits;            /* dropbits.mode is "learn" */
    srq_target *target;          /* dropbits.target, or NULL */
    bool settles; /* batch-norm statistics are computed again (experiments/srq/train/batchnorm_statistics.h) before each
                     use */
    long settled; /* the step at which they were computed, also by an earlier job */
    int *next_bits;  /* [layers] */
    int32_t *labels; /* [capacity of a shard] */
    bool stopping;   /* this rank asks to stop after this step */
    srq_deadline deadline;
    const char *stop_reason; /* on rank 0: "signal", unless its clock stops the run */
    srq_status noted_skip;   /* status of writing a `skip` line; returned at the next line of the log */
    srq_trace *trace;        /* NULL without --trace */
    srq_shares *shares;
    double prepared; /* seconds spent in begin_step, over all steps */
    /* Since the last `step` line of the log: */
    srq_metrics recent;
    srq_norms recent_norms;
    double recent_since;
    double started;   /* seconds */
    long started_at;  /* step */
    double test_best; /* lowest test error of this process so far, or 2 */
    long keep_at; /* -1, or a step set by the caller before srq_trainer_run: the weights before this step are kept in
                     the run directory (io/weights.h) */
} srq_trainer;

/* Collective: builds everything for `config`. SRQ_ERROR_*, agreed by all ranks. The options must outlive the trainer.
 */
srq_status srq_trainer_create(srq_comm *comm, const srq_config *config, const char *versions,
                              const srq_trainer_options *options, srq_trainer *trainer);
void srq_trainer_destroy(srq_trainer *trainer);

/* Collective: opens the run directory and sets the state of the network: from the last checkpoint there, from `file`
 * (SRQ_RESUME_FILE), or to the start of training. */
srq_status srq_trainer_open(srq_trainer *trainer, const char *dir, srq_resume resume, const char *file);

/* Of this rank, after its network was built, or read from a checkpoint: a network that has no mean and standard
 * deviation of pixels gets those of the data set; with data.normalize = "none" it has none. */
srq_status srq_trainer_settle_statistics(srq_trainer *trainer);

/* Collective: copies the state of rank 0 to all ranks: values, optimizer, point and bit-lengths, but not the masks. */
void srq_trainer_share_state(srq_trainer *trainer);

/* From now on, SIGTERM, SIGINT and SIGUSR1 stop training after the current step. */
void srq_trainer_heed_signals(void);
/* Collective: whether any rank has received one of these signals. */
bool srq_trainer_is_to_stop(const srq_comm *comm);

/* Collective: trains to the end. Returns SRQ_STOPPED, after writing a checkpoint, if any rank received SIGTERM, SIGINT
 * or SIGUSR1, or if a time limit is reached on rank 0. */
srq_status srq_trainer_run(srq_trainer *trainer);

#endif
