#include "io/progress.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct srq_progress {
    FILE *out;
    bool terminal;
    bool open; /* the screen shows a line that can be overwritten */
    double shown;
};

double srq_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Open MPI always gives its processes a pseudo-terminal, so the output of the launcher is checked instead. The launcher
 * is the parent process, or the process in SRQ_LAUNCHER, which the supervisor of this process has set. */
static bool is_terminal(FILE *out)
{
    if (!getenv("OMPI_COMM_WORLD_SIZE")) return isatty(fileno(out));
    char path[64], target[64];
    const char *launcher = getenv("SRQ_LAUNCHER");
    snprintf(path, sizeof path, "/proc/%ld/fd/1", launcher ? atol(launcher) : (long)getppid());
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0) return false;
    target[n] = '\0';
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

srq_progress *srq_progress_create(FILE *out)
{
    srq_progress *p = out ? calloc(1, sizeof *p) : NULL;
    if (!p) return NULL;
    p->out = out;
    p->terminal = is_terminal(out);
    p->shown = srq_seconds();
    return p;
}

static void clear(srq_progress *p)
{
    if (p->open) fputs("\r\033[K", p->out);
    p->open = false;
}

void srq_progress_destroy(srq_progress **progress)
{
    if (!*progress) return;
    clear(*progress);
    fflush((*progress)->out);
    free(*progress);
    *progress = NULL;
}

void srq_progress_update(srq_progress *p, const char *format, ...)
{
    const double interval = p && p->terminal ? 0.1 : 10;
    if (!p || srq_seconds() - p->shown < interval) return;
    p->shown = srq_seconds();
    clear(p);
    va_list args;
    va_start(args, format);
    vfprintf(p->out, format, args);
    va_end(args);
    p->open = p->terminal;
    if (!p->terminal) fputc('\n', p->out);
    fflush(p->out);
}

void srq_progress_line(srq_progress *p, const char *format, ...)
{
    if (!p) return;
    clear(p);
    va_list args;
    va_start(args, format);
    vfprintf(p->out, format, args);
    va_end(args);
    fputc('\n', p->out);
    fflush(p->out);
}

char *srq_duration(double seconds, char *out, size_t size)
{
    long s = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (s < 60)
        snprintf(out, size, "%ld s", s);
    else if (s < 3600)
        snprintf(out, size, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(out, size, "%ld h %02ld min", s / 3600, s % 3600 / 60);
    return out;
}

char *srq_grouped(long value, char *out, size_t size)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%ld", value);
    size_t at = 0;
    for (int i = 0; i < n && at + 2 < size; i++) {
        out[at++] = digits[i];
        if (digits[i] != '-' && i + 1 < n && (n - 1 - i) % 3 == 0) out[at++] = ',';
    }
    out[at] = '\0';
    return out;
}

char *srq_size(double bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    int unit = 0;
    while (bytes >= 1000 && unit < 4) {
        bytes /= 1000;
        unit++;
    }
    snprintf(out, size, unit == 0 ? "%.0f %s" : "%.3g %s", bytes, units[unit]);
    return out;
}
