#include "core/status.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local char last_message[SRQ_MESSAGE_SIZE];

static bool inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80; /* of UTF-8 */
}

/* Stores a text as the last message. Of a text that is too long, the middle is left out: the end says what is wrong,
 * and what comes before is usually a path. */
static void keep(const char *text, size_t length)
{
    static const char gap[] = " ... ";
    if (length < SRQ_MESSAGE_SIZE) {
        memcpy(last_message, text, length + 1);
        return;
    }
    size_t head = SRQ_MESSAGE_SIZE / 4, tail = length - (SRQ_MESSAGE_SIZE - head - sizeof gap);
    while (head > 0 && inside_character(text[head])) head--;
    while (inside_character(text[tail])) tail++;
    memcpy(last_message, text, head);
    memcpy(last_message + head, gap, sizeof gap - 1);
    memcpy(last_message + head + sizeof gap - 1, text + tail, length - tail + 1);
}

/* Formatted to another buffer, because an argument may be the last message itself. */
__attribute__((format(printf, 1, 0))) static void keep_formatted(const char *format, va_list args)
{
    char text[SRQ_MESSAGE_SIZE], *whole = NULL;
    va_list again;
    va_copy(again, args);
    const int length = vsnprintf(text, sizeof text, format, args);
    if (length >= (int)sizeof text) whole = malloc((size_t)length + 1);
    if (whole) vsnprintf(whole, (size_t)length + 1, format, again);
    va_end(again);
    const char *made = whole ? whole : text;
    keep(made, strlen(made));
    free(whole);
}

srq_status srq_fail(srq_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    keep_formatted(format, args);
    va_end(args);
    return status;
}

srq_status srq_fail_in(srq_status status, const char *format, ...)
{
    char reason[SRQ_MESSAGE_SIZE];
    va_list args;
    memcpy(reason, last_message, sizeof reason);
    va_start(args, format);
    keep_formatted(format, args);
    va_end(args);
    char place[SRQ_MESSAGE_SIZE];
    memcpy(place, last_message, sizeof place);
    return srq_fail(status, "%s: %s", place, reason);
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
