/* System calls that fail on demand: the linker puts these in the place of the calls that io/ makes (--wrap in
 * tests/CMakeLists.txt), so that what is tested is the library as it is built, and it pays nothing for it.
 *
 *     for (int i = 0; faults_arm(FAULT_ENOSPC, i), status = call(...), faults_disarm(); i++) ...
 *
 * makes the call with its first, second, ... system call failing, until it makes no more. */
#ifndef SRQ_TESTS_IO_FAULTS_H
#define SRQ_TESTS_IO_FAULTS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum fault_kind {
    FAULT_EIO,
    FAULT_ENOSPC,
    FAULT_EACCES,
    FAULT_SHORT_ENOSPC, /* half of a write is done, and the next call finds the disk full */
    FAULT_SHORT,        /* half of a write is done, and all goes on */
    FAULT_EINTR,        /* a signal */
    FAULT_KINDS
} fault_kind;

static struct {
    bool armed;
    fault_kind kind;
    int at, seen;
    bool again;       /* the next call fails, too */
    const char *call; /* the name of the call that failed, or NULL */
    int no_locks;     /* 1: flock is not supported; 2: nor are fcntl's locks */
} faults;

static inline const char *fault_reason(fault_kind kind)
{
    return strerror(kind == FAULT_EIO ? EIO : kind == FAULT_EACCES ? EACCES : kind == FAULT_EINTR ? EINTR : ENOSPC);
}

static inline void faults_arm(fault_kind kind, int at)
{
    faults.armed = true;
    faults.kind = kind;
    faults.at = at;
    faults.seen = 0;
    faults.again = false;
    faults.call = NULL;
}

/* Whether a call has failed since. */
static inline bool faults_disarm(void)
{
    faults.armed = false;
    return faults.call != NULL;
}

/* Whether this call is to fail, with errno set. */
static bool fails(const char *call)
{
    if (!faults.armed) return false;
    const bool hit = faults.again || faults.seen == faults.at;
    faults.seen++;
    /* Only writes can be short. */
    if (!hit || (!faults.again && (faults.kind == FAULT_SHORT || faults.kind == FAULT_SHORT_ENOSPC))) return false;
    faults.again = false;
    faults.call = call;
    errno = faults.kind == FAULT_EIO      ? EIO
            : faults.kind == FAULT_EACCES ? EACCES
            : faults.kind == FAULT_EINTR  ? EINTR
                                          : ENOSPC;
    return true;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return fails("open") ? -1 : __real_open(path, flags, mode);
}

ssize_t __real_write(int file, const void *data, size_t size);
ssize_t __wrap_write(int file, const void *data, size_t size);
ssize_t __wrap_write(int file, const void *data, size_t size)
{
    const bool is_short = faults.armed && faults.seen == faults.at && size > 1 &&
                          (faults.kind == FAULT_SHORT || faults.kind == FAULT_SHORT_ENOSPC);
    if (fails("write")) return -1;
    if (!is_short) return __real_write(file, data, size);
    faults.again = faults.kind == FAULT_SHORT_ENOSPC;
    faults.call = "write";
    return __real_write(file, data, size / 2);
}

#define FAULTY(call, parameters, arguments)                                                                            \
    int __real_##call parameters;                                                                                      \
    int __wrap_##call parameters;                                                                                      \
    int __wrap_##call parameters                                                                                       \
    {                                                                                                                  \
        return fails(#call) ? -1 : __real_##call arguments;                                                            \
    }
FAULTY(fsync, (int file), (file))
FAULTY(rename, (const char *from, const char *to), (from, to))
FAULTY(mkdir, (const char *path, mode_t mode), (path, mode))
FAULTY(symlink, (const char *target, const char *path), (target, path))
FAULTY(unlink, (const char *path), (path))
FAULTY(ftruncate, (int file, off_t size), (file, size))

/* A file is closed whatever close says. */
int __real_close(int file);
int __wrap_close(int file);
int __wrap_close(int file)
{
    const int result = __real_close(file);
    return fails("close") ? -1 : result;
}

int __real_flock(int file, int operation);
int __wrap_flock(int file, int operation);
int __wrap_flock(int file, int operation)
{
    if (fails("flock")) return -1;
    errno = ENOSYS;
    return faults.no_locks >= 1 ? -1 : __real_flock(file, operation);
}

int __real_fcntl(int file, int command, ...);
int __wrap_fcntl(int file, int command, ...);
int __wrap_fcntl(int file, int command, ...)
{
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *);
    va_end(args);
    errno = ENOLCK;
    return faults.no_locks >= 2 ? -1 : __real_fcntl(file, command, argument);
}

#endif
