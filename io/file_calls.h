/* The system calls of srq_file_write_atomic, in a table so that tests can make each of them fail. */
#ifndef SRQ_IO_FILE_CALLS_H
#define SRQ_IO_FILE_CALLS_H

#include <sys/types.h>

typedef struct srq_file_calls {
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*write)(int file, const void *data, size_t size);
    int (*fsync)(int file);
    int (*close)(int file);
    int (*rename)(const char *from, const char *to);
} srq_file_calls;

/* The system's own; what srq_file_write_atomic uses. */
extern const srq_file_calls srq_file_system;

#include "core/status.h"

srq_status srq_file_write_with(const srq_file_calls *calls, const char *path, const void *data, size_t size);

#endif
