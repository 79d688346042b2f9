/* Run directories (architecture.md, idea 5):
 *
 *     DIR/config.cfg             the resolved configuration
 *     DIR/log.jsonl              one JSON object a line: event = start, step, eval, checkpoint, resume, stop
 *     DIR/checkpoints/STEP.h5    step in 8 digits
 *     DIR/last.h5                a link to the newest
 *     DIR/bits.cfg               if bit-lengths are learned: what they are now, for other configurations
 *
 * A lock on log.jsonl, which the system drops when a process ends, keeps two jobs out of one directory. */
#ifndef SRQ_IO_RUN_H
#define SRQ_IO_RUN_H

#include "core/status.h"
#include "io/checkpoint.h"
#include "io/config.h"

typedef enum srq_resume { SRQ_RESUME_NEVER, SRQ_RESUME_AUTO, SRQ_RESUME_FILE } srq_resume;

typedef struct srq_run srq_run;

/* Opens `dir` for a run of `config`, making it if it is not there. SRQ_ERROR_USAGE, and nothing is touched, if it
 * holds something else, a run of another configuration, or any run while `resume` is SRQ_RESUME_NEVER, or if another
 * job is using it; SRQ_ERROR_RUN if it cannot be written. Where the file system has no locks, a line on `notes` says
 * so. Temporary files of dead jobs are removed. The caller closes *run. */
srq_status srq_run_open(const char *dir, const srq_config *config, srq_resume resume, FILE *notes, srq_run **run);
void srq_run_close(srq_run **run);
/* The step of a checkpoint by its file's name, "00001234.h5"; -1 for any other name: such a file is not ours. */
long srq_run_step_of(const char *name);
const char *srq_run_folder(const srq_run *run);

/* Reads the newest checkpoint that is whole into graph, optimizer and *point; *found is false if there is none at all.
 * A newer one that is not whole is passed over with a line on `notes`; SRQ_ERROR_DATA if that leaves none. */
srq_status srq_run_restore(srq_run *run, srq_graph *graph, srq_optimizer *optimizer, srq_progress_point *point,
                           srq_bits_history *history, bool *found, FILE *notes);

typedef struct srq_saved {
    long step;
    char file[64]; /* within DIR */
    long bytes;
} srq_saved;

/* Writes checkpoints/STEP.h5 (and, `learns_bits`, before it DIR/bits.cfg: the bit-lengths of conv and dense layers, to
 * be included in a configuration's quantizer group), moves last.h5 to it, and removes all but the `keep` newest. Two
 * whole ones stay in any case, this and an older one: what cannot be read does not count. */
srq_status srq_run_checkpoint(srq_run *run, const srq_snapshot *snapshot, int keep, bool learns_bits, srq_saved *saved);

/* Appends one line to log.jsonl: the object {"event": event, ...}, whose further members `format` prints. From any
 * thread. */
__attribute__((format(printf, 3, 4))) srq_status srq_run_log(srq_run *run, const char *event, const char *format, ...);

/* `text` as a JSON string with its quotes, into `out`; cut if it does not fit. Returns `out`. */
char *srq_json_quote(const char *text, char *out, size_t size);

#endif
