#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_message[SRQ_MESSAGE_SIZE];

srq_status srq_fail(srq_status status, const char *format, ...)
{
    /* Formatted to another buffer, because an argument may be the last message itself. */
    char text[SRQ_MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    memcpy(last_message, text, sizeof text);
    return status;
}

srq_status srq_fail_in(srq_status status, const char *format, ...)
{
    char prefix[SRQ_MESSAGE_SIZE / 2];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    return srq_fail(status, "%s: %s", prefix, last_message);
}

const char *srq_message(void)
{
    return last_message;
}

srq_status srq_fail_memory(unsigned long bytes, const char *purpose)
{
    return srq_fail(SRQ_ERROR_RUN, "no memory for %s (%lu bytes); free some memory or use a smaller train.batch",
                    purpose, bytes);
}
