#include "io/progress.h"

#include "io/escape.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct srq_progress {
    FILE *out;
    int terminal; /* a file descriptor of the terminal, or -1 */
    bool own;     /* this process has opened it */
    bool open;    /* the screen shows a line that can be overwritten */
    bool closed;  /* nobody reads the output any more */
    double shown;
};

double srq_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Where the standard output of the process goes: a path, or a name such as "pipe:[17]". */
static bool find_output(long pid, char *target, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/fd/1", pid);
    const ssize_t n = readlink(path, target, size - 1);
    if (n > 0) target[n] = '\0';
    return n > 0;
}

/* The parent of another process; 0 if it cannot be found. The second field, a name in parentheses, may contain any
 * character. */
static long find_parent(long pid)
{
    char path[64], text[512];
    long parent = 0;
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    const size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *end = strrchr(text, ')');
    return end && sscanf(end + 1, " %*c %ld", &parent) == 1 ? parent : 0;
}

/* Open MPI always gives its processes a pseudo-terminal, so the output of the launcher is used instead. The launcher is
 * the nearest ancestor that writes to another place: between it and this process may be scripts of the user. The search
 * begins at the parent process, or at the process in SRQ_LAUNCHER, which the supervisor of this process has set. */
static int open_terminal(FILE *out, bool *own)
{
    enum { ANCESTORS_MAX = 16 };
    *own = getenv("OMPI_COMM_WORLD_SIZE") != NULL;
    if (!*own) return isatty(fileno(out)) ? fileno(out) : -1;
    char ours[256], target[256] = "", path[64];
    const char *said = getenv("SRQ_LAUNCHER");
    long pid = said ? atol(said) : (long)getppid();
    /* A script has sent it to a file or through a pipe. */
    if (!isatty(STDOUT_FILENO) || !find_output((long)getpid(), ours, sizeof ours)) return -1;
    for (int i = 0; i < ANCESTORS_MAX && pid > 0; i++, pid = find_parent(pid)) {
        if (!find_output(pid, target, sizeof target)) return -1;
        if (strcmp(target, ours) != 0) break;
    }
    if (pid <= 0 || (strncmp(target, "/dev/pts/", 9) != 0 && strncmp(target, "/dev/tty", 8) != 0)) return -1;
    snprintf(path, sizeof path, "/proc/%ld/fd/1", pid);
    return open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

/* The window may be resized, so its width is asked for each line. */
static int columns_of(const srq_progress *p)
{
    enum { LEAST = 20, USUAL = 80 };
    struct winsize size;
    const char *said = getenv("COLUMNS");
    if (ioctl(p->terminal, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col < LEAST ? LEAST : size.ws_col;
    return said && atoi(said) >= LEAST ? atoi(said) : USUAL;
}

srq_progress *srq_progress_create(FILE *out)
{
    srq_progress *p = out ? calloc(1, sizeof *p) : NULL;
    if (!p) return NULL;
    p->out = out;
    p->terminal = open_terminal(out, &p->own);
    p->shown = srq_seconds();
    return p;
}

/* If the output cannot be written (the reader of a pipe has ended, a disk is full), further lines are dropped: the task
 * is more important than its progress. */
static void flush(srq_progress *p)
{
    p->closed = fflush(p->out) != 0 || ferror(p->out);
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
    if ((*progress)->own && (*progress)->terminal >= 0) close((*progress)->terminal);
    free(*progress);
    *progress = NULL;
}

/* A line that is wider than the terminal would fill two rows, of which only the last can be overwritten. */
static void show(srq_progress *p, const char *format, va_list args)
{
    char line[1024], cut[1024];
    vsnprintf(line, sizeof line, format, args);
    srq_text_cut(line, columns_of(p) - 1, cut, sizeof cut);
    srq_print_escaped(cut, SRQ_ESCAPE_TERMINAL, p->out);
}

/* Permanent lines are never cut. */
static void print(srq_progress *p, const char *format, va_list args)
{
    char *line = NULL;
    if (vasprintf(&line, format, args) < 0) return;
    srq_print_lines(line, p->out);
    fputc('\n', p->out);
    free(line);
}

void srq_progress_update(srq_progress *p, const char *format, ...)
{
    const double interval = p && p->terminal >= 0 ? 0.1 : 10;
    if (!p || p->closed || srq_seconds() - p->shown < interval) return;
    p->shown = srq_seconds();
    clear(p);
    va_list args;
    va_start(args, format);
    if (p->terminal >= 0)
        show(p, format, args);
    else
        print(p, format, args);
    va_end(args);
    p->open = p->terminal >= 0;
    flush(p);
}

void srq_progress_line(srq_progress *p, const char *format, ...)
{
    if (!p || p->closed) return;
    clear(p);
    va_list args;
    va_start(args, format);
    print(p, format, args);
    va_end(args);
    flush(p);
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

const char *srq_plural(long count)
{
    return count == 1 ? "" : "s";
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
