#include "experiments/srq/train/deadline.h"

#include "io/progress.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEN_YEARS (3650 * 86400.0)
#define MARGIN 60.0

/* Reads up to nine digits, and moves *text past them. */
static bool read_number(const char **text, double *number)
{
    const char *at = *text;
    for (*number = 0; isdigit((unsigned char)*at); at++) *number = 10 * *number + (*at - '0');
    const bool read = at > *text && at - *text <= 9;
    *text = at;
    return read;
}

/* "1d12h30m15s": each unit at most once, the largest first. */
static bool read_units(const char *text, double *seconds)
{
    static const char units[] = "dhms";
    static const double lengths[] = {86400, 3600, 60, 1};
    for (const char *next = units; *text;) {
        double number;
        if (!read_number(&text, &number) || !*text) return false;
        const char *unit = strchr(next, *text++);
        if (!unit) return false;
        *seconds += number * lengths[unit - units];
        next = unit + 1;
    }
    return true;
}

/* Up to three numbers with colons between them: hours, minutes, seconds. After a number of days, the last two may be
 * missing; otherwise the first may be. */
static bool read_colons(const char *text, bool after_days, double *seconds)
{
    static const double lengths[] = {3600, 60, 1};
    double numbers[3], sum = 0;
    int count = 0;
    for (;;) {
        if (count == 3 || !read_number(&text, &numbers[count])) return false;
        count++;
        if (!*text) break;
        if (*text++ != ':') return false;
    }
    if (!after_days && count < 2) return false;
    const double *length = after_days || count == 3 ? lengths : lengths + 1;
    for (int i = 0; i < count; i++) sum += numbers[i] * length[i];
    *seconds += sum;
    return true;
}

bool srq_time_span(const char *text, double *seconds)
{
    const char *dash = strchr(text, '-');
    *seconds = 0;
    bool read;
    if (dash) {
        double days;
        read = read_number(&text, &days) && text == dash && read_colons(dash + 1, true, seconds);
        *seconds += 86400 * days;
    } else {
        read = *text && (strchr(text, ':') ? read_colons(text, false, seconds) : read_units(text, seconds));
    }
    return read && *seconds > 0 && *seconds <= TEN_YEARS;
}

srq_status srq_deadline_create_at(const char *span, const char *end, time_t wall, double now, srq_deadline *d)
{
    double seconds;
    *d = (srq_deadline){.max_time = HUGE_VAL, .job_end = HUGE_VAL};
    if (span && strcmp(span, "none") == 0) return SRQ_OK;
    if (span && !srq_time_span(span, &seconds))
        return srq_fail(SRQ_ERROR_USAGE,
                        "train: --max-time is \"%.64s\", but must be a time such as 90s, 30m, 2h, 1d12h, 1:30:00 "
                        "(hours, minutes, seconds), 1-12:00:00 (days first), or none",
                        span);
    if (span) d->max_time = now + seconds;
    char *rest = NULL;
    const double left = end ? strtod(end, &rest) - (double)wall : 0;
    /* Ignored if it is no number, or if it has passed (the limit was raised since, or the shell belongs to an old job).
     */
    if (!end || rest == end || *rest || !(left > 0)) return SRQ_OK;
    d->job_end = now + left;
    d->margin = fmin(MARGIN, left / 4);
    return SRQ_OK;
}

srq_status srq_deadline_create(const char *span, srq_deadline *deadline)
{
    return srq_deadline_create_at(span, getenv("SLURM_JOB_END_TIME"), time(NULL), srq_seconds(), deadline);
}

void srq_deadline_note(double *longest, double seconds)
{
    if (seconds > *longest) *longest = seconds;
}

const char *srq_deadline_passed(const srq_deadline *d, double now)
{
    if (now >= d->max_time) return "max-time";
    const double needed = d->margin + d->step + d->evaluation + 2 * d->checkpoint;
    return now >= d->job_end - needed ? "slurm-end-time" : NULL;
}
