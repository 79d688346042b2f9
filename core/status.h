/* Status codes and messages: how functions report failures.
 *
 * A function that can fail returns an srq_status and leaves one message for its thread, similar to errno. The values
 * are the exit statuses of the program, so main() returns the status of the command. Callers check with SRQ_TRY. */
#ifndef SRQ_CORE_STATUS_H
#define SRQ_CORE_STATUS_H

typedef enum srq_status {
    SRQ_OK = 0,          /* done */
    SRQ_NO = 1,          /* the answer is no (diff, check) */
    SRQ_ERROR_USAGE = 2, /* command line or configuration */
    SRQ_ERROR_DATA = 3,  /* data set or checkpoint */
    SRQ_ERROR_RUN = 4,   /* run-time failure: memory, disk, network */
    SRQ_STOPPED = 75     /* stopped on request after saving; can be resumed */
} srq_status;

/* Size of the longest message, with its terminating zero. Of a longer one, the middle is left out. */
enum { SRQ_MESSAGE_SIZE = 8192 };

/* Stores a message and returns `status`, so that a failing function ends with `return srq_fail(...)`. A message has one
 * or two sentences on one line and no final newline (io/mistakes.h joins several). It says what is wrong (file, line,
 * layer or data set; what was found, what was expected) and then what to do. */
__attribute__((format(printf, 2, 3))) srq_status srq_fail(srq_status status, const char *format, ...);

/* Adds a prefix to the message of a called function, to say where the failure happened. Returns `status`. */
__attribute__((format(printf, 2, 3))) srq_status srq_fail_in(srq_status status, const char *format, ...);

/* The message of this thread's last failure, or "" if there was none. It is valid until the thread's next failure. */
const char *srq_message(void);

/* srq_fail for a failed allocation of `bytes` bytes for `purpose`. */
srq_status srq_fail_memory(unsigned long bytes, const char *purpose);

/* Returns from the calling function if `call` fails. */
#define SRQ_TRY(call)                                                                                                  \
    do {                                                                                                               \
        srq_status srq_try_status_ = (call);                                                                           \
        if (srq_try_status_ != SRQ_OK) return srq_try_status_;                                                         \
    } while (0)

/* For functions that have to release something first: stores the status, and jumps to `label` if `call` fails. */
#define SRQ_TRY_GOTO(status, call, label)                                                                              \
    do {                                                                                                               \
        (status) = (call);                                                                                             \
        if ((status) != SRQ_OK) goto label;                                                                            \
    } while (0)

#endif
