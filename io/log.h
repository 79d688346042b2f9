/* Reads log.jsonl of a run (docs/checkpoint-format.md), also while the run is still writing it.
 *
 * The content is not trusted. An incomplete last line is read later, when it is complete. Other invalid lines are
 * counted and skipped: those that are not JSON, and those with a number that is impossible, for example a test error
 * above 1. Entries of a long log are thinned out, so that memory is bounded. If steps were done twice,
 * because of a resume, the later line counts. */
#ifndef SRQ_IO_LOG_H
#define SRQ_IO_LOG_H

#include "core/spec.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Numbers that are missing in a line are NaN. */
typedef struct srq_log_step {
    long step;
    double epoch, loss, error; /* of training since the previous line; error 0..1 */
    double rate;               /* images per second */
} srq_log_step;

typedef struct srq_log_eval {
    long step;
    double epoch, loss, error; /* on the test images; NaN in a run with validation images before its test */
    double validation_loss, validation_error; /* on the validation images; in a test, of the best checkpoint */
    double mean_bits;                         /* mean bit-length of a weight, as used by the evaluation */
    double gated_bits;                        /* expected bit-length under the gates, if bit-lengths are learned */
    double zeros;                             /* share of weights */
    double kept;                              /* share of weights that the masks keep: 1 without masks */
    double bytes, float32_bytes, bops, float32_bops, w8a8_bops;
    unsigned char *bits; /* [layer_count of the log] weight bits, 0 if missing; NULL if the line has no layers */
} srq_log_eval;

typedef enum srq_log_state {
    SRQ_LOG_EMPTY,    /* no event yet */
    SRQ_LOG_OPEN,     /* started and not stopped: running or killed */
    SRQ_LOG_FINISHED, /* trained to the end */
    SRQ_LOG_STOPPED,  /* stopped on request, saved */
    SRQ_LOG_FAILED
} srq_log_state;

enum {
    SRQ_LOG_STEPS_MAX = 1 << 16,
    SRQ_LOG_EVALS_MAX = 1 << 13
}; /* largest numbers of entries; above, every second one is dropped */

typedef struct srq_log {
    int step_count, eval_count, layer_count;
    srq_log_step *steps;           /* in the order of steps, each step once */
    srq_log_eval *evals;           /* likewise */
    char (*layers)[SRQ_NAME_SIZE]; /* names of the layers with weights, in the network's order */
    srq_log_state state;
    char *reason;   /* reason of the stop line, or NULL */
    int status;     /* status of the stop line */
    long last_step; /* largest step of any line since the last start */
    /* From the last start line; 0 or "" if missing: */
    long total_steps, steps_per_epoch, batch, ranks;
    char engine[64];
    char data_sha256[65];    /* also "" if it is not ASCII; two runs without one must not be taken for runs on the same
                                data */
    bool tested;             /* with validation images: the test images were evaluated, at the end */
    srq_log_eval test;       /* the result, without `bits`: of the best checkpoint, but at the last step */
    long best_step;          /* of that checkpoint */
    int starts;              /* number of start lines: 1, plus 1 for each resume */
    double first_time, time; /* time of the first and the last line, in seconds since 1970; 0 if missing */
    double seconds;          /* duration of training, over all starts */
    long bad_lines;          /* number of skipped lines */
    char impossible[160];    /* "line 7: test_error is 17.5, but must be from 0 to 1": the first such number, or "" */
    bool half_line;          /* the file ends in the middle of a line */
    bool foreign;            /* and that cannot become a line of srq */
    /* Private: */
    char *path;
    long long offset; /* the file has been read up to here */
    long lines;       /* number of lines up to there */
    double session;   /* time of the last start */
    double before;    /* seconds of the sessions before it */
    int step_room, eval_room;
} srq_log;

/* The error of an evaluation during training: on the validation images if there are any, otherwise on the test images.
 */
double srq_log_training_error(const srq_log_eval *eval);

/* Parses a line, which is changed. Infinities and NaN, which printf writes as words that are not valid JSON, become
 * null. NULL if it is not a JSON object. The caller gives the value back with json_decref (jansson). */
struct json_t *srq_log_parse(char *line, size_t size);

/* Reads the log. SRQ_ERROR_DATA if the file is missing or cannot be read. It may be empty. The caller destroys *log. */
srq_status srq_log_create(const char *path, srq_log **log);
/* The same for the log of a run directory. */
srq_status srq_log_create_of(const char *run, srq_log **log);
/* Reads lines that were added since the last call. *changed says whether there were any; `changed` may be NULL. */
srq_status srq_log_update(srq_log *log, bool *changed);
void srq_log_destroy(srq_log **log);

/* Bit operations as a share of those at 8/8 bits. NaN if it is not known: older versions of srq compared a network
 * without quantized tensors with itself. */
double srq_log_relative_bops(const srq_log_eval *eval);

/* Whether the figures of the log can be used. SRQ_ERROR_DATA if it has an impossible number, or no valid line at all
 * although it is not empty. */
srq_status srq_log_check(const srq_log *log);

#endif
