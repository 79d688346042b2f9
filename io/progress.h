/* Progress of long tasks: on a terminal, one line that is overwritten; otherwise, a new line from time to time. */
#ifndef SRQ_IO_PROGRESS_H
#define SRQ_IO_PROGRESS_H

#include <stdio.h>

typedef struct srq_progress srq_progress;

/* Shows progress on `out`; NULL for none. Under mpirun, the output of mpirun decides whether it is a terminal. Text is
 * made safe for a terminal (io/escape.h). After `out` could not be written, further lines are dropped. Returns NULL
 * without memory; all functions below accept NULL. */
srq_progress *srq_progress_create(FILE *out);
void srq_progress_destroy(srq_progress **progress);

/* Seconds of a monotonic clock. */
double srq_seconds(void);

/* Shows a progress line: at most ten times a second on a terminal, where it is cut to the width of the window;
 * otherwise once in ten seconds. */
__attribute__((format(printf, 2, 3))) void srq_progress_update(srq_progress *progress, const char *format, ...);
/* Prints a permanent line. */
__attribute__((format(printf, 2, 3))) void srq_progress_line(srq_progress *progress, const char *format, ...);

/* "45 s", "3 min 20 s", "2 h 05 min" */
char *srq_duration(double seconds, char *out, size_t size);
/* 1234567 as "1,234,567" */
char *srq_grouped(long value, char *out, size_t size);
/* "" for 1 and "s" for all other numbers: "1 step", "2 steps" */
const char *srq_plural(long count);
/* 582026 * 4 bytes as "2.33 MB" */
char *srq_size(double bytes, char *out, size_t size);

#endif
