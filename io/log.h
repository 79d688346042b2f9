/* log.jsonl of a run, for whoever looks at runs (docs/checkpoint-format.md): read while the run may still be writing.
 *
 * What is there is not trusted: a last line that is half written waits for its end, other lines that make no sense are
 * counted and passed over, and what a long run says is thinned out, so that memory is bounded. Where steps were done
 * twice, after a resume, the later line counts. */
#ifndef SRQ_IO_LOG_H
#define SRQ_IO_LOG_H

#include "core/spec.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Numbers that a line does not have are NaN. */
typedef struct srq_log_step {
    long step;
    double epoch, loss, error; /* of training, since the line before; error 0..1 */
    double rate;               /* images a second */
} srq_log_step;

typedef struct srq_log_eval {
    long step;
    double epoch, loss, error; /* on the test images */
    double mean_bits;          /* of a weight */
    double gated_bits;         /* the same under the gates' probabilities, where bit-lengths are learned */
    double zeros;              /* share of weights */
    double kept;               /* share of weights that the masks keep: 1 without masks */
    double bytes, float32_bytes, bops, float32_bops, w8a8_bops;
    unsigned char
        *bits; /* [layer_count of the log] weight bits, 0 where the line names none; NULL if it names no layer */
} srq_log_eval;

typedef enum srq_log_state {
    SRQ_LOG_EMPTY,    /* nothing has been said */
    SRQ_LOG_OPEN,     /* started and not stopped: under way, or killed */
    SRQ_LOG_FINISHED, /* trained to the end */
    SRQ_LOG_STOPPED,  /* on request, saved */
    SRQ_LOG_FAILED
} srq_log_state;

enum { SRQ_LOG_STEPS_MAX = 1 << 16, SRQ_LOG_EVALS_MAX = 1 << 13 }; /* entries that are kept; beyond, every second one */

typedef struct srq_log {
    int step_count, eval_count, layer_count;
    srq_log_step *steps;           /* in order of steps, each step once */
    srq_log_eval *evals;           /* likewise */
    char (*layers)[SRQ_NAME_SIZE]; /* names of the layers with weights, in the network's order */
    srq_log_state state;
    char *reason;   /* what the stop line says, or NULL */
    int status;     /* of the stop line */
    long last_step; /* the last that any line speaks of since the last start */
    /* Of the last start line; 0 or "" where it says nothing: */
    long total_steps, steps_per_epoch, batch, ranks;
    char engine[64], data_sha256[65];
    int starts;              /* lines of that kind: 1, and one for each time the run went on */
    double first_time, time; /* of the first and the last line, seconds since 1970; 0 without */
    double seconds;          /* that the run was worked on, over all starts */
    long bad_lines;          /* passed over */
    bool half_line;          /* the file ends in the middle of a line */
    /* Private: */
    char *path;
    long long offset; /* up to which the file has been read */
    double session;   /* time of the last start */
    double before;    /* seconds of the sessions before it */
    int step_room, eval_room;
} srq_log;

/* Reads what is there. SRQ_ERROR_DATA if the file is missing or none that can be read; an empty one is fine. The caller
 * destroys *log. */
srq_status srq_log_create(const char *path, srq_log **log);
/* The same of the log of a run directory. */
srq_status srq_log_create_of(const char *run, srq_log **log);
/* Reads what has been added since; *changed (not NULL) whether anything has. */
srq_status srq_log_update(srq_log *log, bool *changed);
void srq_log_destroy(srq_log **log);

#endif
