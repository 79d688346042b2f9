/* Status codes and messages: how every function of srq that can fail says so.
 *
 * A function that can fail returns a srq_status and leaves one message, as errno does, per thread. The values are
 * the exit statuses of the program, so that main() returns what it was given. Callers check with SRQ_TRY. */
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

/* Longest message kept, with its terminating zero; a longer one is cut. */
enum { SRQ_MESSAGE_SIZE = 2048 };

/* Leaves a message and returns `status`, so that a failing function ends with `return srq_fail(...)`.
 * A message is one sentence or two, without a final newline: what is wrong (file, line, layer or data set; what was
 * found, what was expected), then what to do. */
__attribute__((format(printf, 2, 3))) srq_status srq_fail(srq_status status, const char *format, ...);

/* Puts a prefix before the message that a callee left: the place where it happened. Returns `status`. */
__attribute__((format(printf, 2, 3))) srq_status srq_fail_in(srq_status status, const char *format, ...);

/* The message of this thread's last failure; "" if there was none. Valid until the thread's next failure. */
const char *srq_message(void);

/* srq_fail for a failed allocation of `bytes` bytes for `purpose`. */
srq_status srq_fail_memory(unsigned long bytes, const char *purpose);

/* Returns from the calling function if `call` fails. */
#define SRQ_TRY(call)                                                                                                  \
    do {                                                                                                               \
        srq_status srq_try_status_ = (call);                                                                           \
        if (srq_try_status_ != SRQ_OK) return srq_try_status_;                                                         \
    } while (0)

/* Where something must be released first: stores the status and jumps to `label` if `call` fails. */
#define SRQ_TRY_GOTO(status, call, label)                                                                              \
    do {                                                                                                               \
        (status) = (call);                                                                                             \
        if ((status) != SRQ_OK) goto label;                                                                            \
    } while (0)

#endif
