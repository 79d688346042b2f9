/* Run directories:
 *
 *     DIR/config.cfg             the resolved configuration
 *     DIR/log.jsonl              one JSON object a line: event = start, step, eval, checkpoint, resume, stop
 *     DIR/checkpoints/STEP.h5    step in 8 digits
 *     DIR/last.h5                a link to the newest
 *     DIR/best.h5                with data.validation: a link to the one with the lowest validation error
 *     DIR/events.out.tfevents.*  with train.tensorboard: one file for each job
 *     DIR/classes.json           the last results on the test images by class (io/class_results.h)
 *     DIR/bits.cfg               if bit-lengths are learned: what they are now, for other configurations
 *
 * A lock on log.jsonl, which the system drops when a process ends, keeps two jobs out of one directory. */
#ifndef SRQ_IO_RUN_H
#define SRQ_IO_RUN_H

#include "core/status.h"
#include "io/checkpoint.h"
#include "io/config.h"

/* SRQ_RESUME_FILE: from a checkpoint, or from the newest one of a run directory. */
typedef enum srq_resume { SRQ_RESUME_NEVER, SRQ_RESUME_AUTO, SRQ_RESUME_FILE } srq_resume;

typedef struct srq_run srq_run;

/* Opens `dir` for a run of `config`, and creates it if necessary. SRQ_ERROR_USAGE, without any change, if it holds
 * something else, a run of another configuration, any run while `resume` is SRQ_RESUME_NEVER, or if another job is
 * using it: *busy tells the last from the others, because that job may have ended when a caller looks. SRQ_ERROR_RUN if
 * it cannot be written. If the file system has no locks, a line on `notes` says so. Temporary files of dead jobs are
 * removed. The caller closes *run. */
srq_status srq_run_open(const char *dir, const srq_config *config, srq_resume resume, FILE *notes, bool *busy,
                        srq_run **run);
void srq_run_close(srq_run **run);
/* The step of a checkpoint from its file name, "00001234.h5"; -1 for any other name. */
long srq_run_step_of(const char *name);
const char *srq_run_folder(const srq_run *run);

/* Reads the newest whole checkpoint into graph, optimizer and *point. A checkpoint is whole only together with the best
 * checkpoint that it names (point->best). *found is false if there are no checkpoints.
 * Checkpoints that are not whole are skipped, with a line on `notes`; SRQ_ERROR_DATA if none is left. */
srq_status srq_run_restore(srq_run *run, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                           srq_bits_history *history, bool *found, FILE *notes);

/* The same from the run directory `dir`, which is not opened for a run and not changed. SRQ_ERROR_DATA if it has no
 * checkpoint that can be used. */
srq_status srq_run_read_newest(const char *dir, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                               srq_bits_history *history, FILE *notes);

typedef struct srq_saved {
    long step;
    char file[64]; /* within DIR */
    long bytes;
} srq_saved;

/* Writes checkpoints/STEP.h5, sets last.h5 to it, and removes all except the `keep` newest. Two whole checkpoints are
 * always kept, this and an older one, and the best checkpoints as of these two, to one of which best.h5 is set; files
 * that cannot be read do not count. If `learns_bits`, first writes
 * DIR/bits.cfg: the bit-lengths of conv and dense layers, which can be included in the quantizer group of a
 * configuration. */
srq_status srq_run_checkpoint(srq_run *run, const srq_snapshot *snapshot, int keep, bool learns_bits, srq_saved *saved);

/* The path of the checkpoint of `step`. */
void srq_run_checkpoint_path(const srq_run *run, long step, char *path, size_t size);
/* Sets best.h5. A resumed run may begin before the checkpoint that an earlier job found best. */
srq_status srq_run_link_best(srq_run *run, const srq_best *best);
/* Writes the checkpoint of an earlier step again, for example with the result of an evaluation. Links are not changed.
 * If `learns_bits`, writes DIR/bits.cfg according to it. */
srq_status srq_run_checkpoint_again(srq_run *run, const srq_snapshot *snapshot, bool learns_bits);
/* Copies `file`, the best checkpoint of another run, into this run, and sets best.h5. SRQ_ERROR_DATA if it cannot be
 * used or is not that checkpoint. */
srq_status srq_run_copy_best(srq_run *run, const char *file, const srq_best *best);

/* From now on, the numbers of `step` and `eval` lines of the log are also written to an event file for TensorBoard in
 * DIR (io/events.h). Event files of earlier jobs count up to the step before `first`. Errors as of srq_events_create.
 */
srq_status srq_run_record(srq_run *run, long first);
/* Writes histograms of the weights and step sizes of a graph at `step` to the event file, if there is one. */
srq_status srq_run_record_graph(srq_run *run, const srq_graph *graph, long step);

/* Appends a line to log.jsonl: the object {"event": event, ...}, with further members printed by `format`. Can be
 * called from any thread; `step` and `eval` lines, which go to the event file too, only from one. */
__attribute__((format(printf, 3, 4))) srq_status srq_run_log(srq_run *run, const char *event, const char *format, ...);

#endif
