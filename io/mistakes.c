#include "io/mistakes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A part of a message is of no use, so one that does not fit is only counted. */
enum { ROOM = SRQ_MESSAGE_SIZE - 64 };

srq_status srq_mistakes_note(srq_mistakes *m, srq_status status)
{
    if (status != SRQ_ERROR_USAGE) return status;
    const char *message = srq_message();
    const size_t length = strlen(m->text);
    const bool fits = length + strlen(message) + 6 < ROOM || m->count == 0;
    if (m->count++ < SRQ_MISTAKES_SHOWN && fits)
        snprintf(m->text + length, sizeof m->text - length, "%s%s", length ? "\nsrq: " : "", message);
    return SRQ_OK;
}

srq_status srq_mistakes_result(const srq_mistakes *m)
{
    int shown = 1;
    if (m->count == 0) return SRQ_OK;
    for (const char *at = m->text; (at = strstr(at, "\nsrq: ")); at++) shown++;
    if (shown >= m->count) return srq_fail(SRQ_ERROR_USAGE, "%s", m->text);
    return srq_fail(SRQ_ERROR_USAGE, "%s\nsrq: and %d more mistake%s", m->text, m->count - shown,
                    m->count - shown == 1 ? "" : "s");
}
