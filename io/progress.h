/* Progress of long work: one line that is written over on a terminal, plain lines now and then elsewhere. */
#ifndef SRQ_IO_PROGRESS_H
#define SRQ_IO_PROGRESS_H

#include <stdio.h>

typedef struct srq_progress srq_progress;

/* Shows on `out`; NULL for none. Under mpirun, what matters is whether mpirun's own output is a terminal. Returns NULL
 * without memory: every function below takes that. */
srq_progress *srq_progress_create(FILE *out);
void srq_progress_destroy(srq_progress **progress);

/* Seconds of a clock that only moves forward. */
double srq_seconds(void);

/* Something to show now: at most ten times a second on a terminal, once in ten seconds elsewhere. */
__attribute__((format(printf, 2, 3))) void srq_progress_update(srq_progress *progress, const char *format, ...);
/* A line that stays. */
__attribute__((format(printf, 2, 3))) void srq_progress_line(srq_progress *progress, const char *format, ...);

/* "45 s", "3 min 20 s", "2 h 05 min" */
char *srq_duration(double seconds, char *out, size_t size);
/* 1234567 as "1,234,567" */
char *srq_grouped(long value, char *out, size_t size);
/* 582026 * 4 bytes as "2.33 MB" */
char *srq_size(double bytes, char *out, size_t size);

#endif
