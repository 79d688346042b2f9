/* Collects the mistakes of a configuration, so that all of them are reported at once. */
#ifndef SRQ_IO_MISTAKES_H
#define SRQ_IO_MISTAKES_H

#include "core/status.h"

enum { SRQ_MISTAKES_SHOWN = 10 };

typedef struct srq_mistakes {
    int count;
    char text[SRQ_MESSAGE_SIZE]; /* the messages of the first ones */
} srq_mistakes;

/* Takes the status of a check. After SRQ_ERROR_USAGE, notes its message and returns SRQ_OK, so that the next check can
 * follow. Any other status is returned. */
srq_status srq_mistakes_note(srq_mistakes *mistakes, srq_status status);

/* SRQ_OK if there are none. Otherwise SRQ_ERROR_USAGE with a message of one line for each of the first 10 mistakes.
 * Each line after the first begins with "srq: ", as main() begins the first one; a last line counts the others. */
srq_status srq_mistakes_result(const srq_mistakes *mistakes);

#endif
