/* Writes files atomically: a reader finds the old file or the new one, and never a part of it. */
#ifndef SRQ_IO_FILE_H
#define SRQ_IO_FILE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

/* Writes `size` bytes to `path`: to a temporary file beside it (".NAME.tmp.PID"), then fsync, rename, and fsync of the
 * folder. After a failure, the temporary file is removed and `path` is unchanged. SRQ_ERROR_RUN, with a message that
 * names the path, the operation and the system's reason. Interrupted and short writes are continued. */
srq_status srq_file_write_atomic(const char *path, const void *data, size_t size);

/* Makes `path` a symbolic link to `target`, atomically as well. */
srq_status srq_file_link_atomic(const char *path, const char *target);

/* Whether `name` is the name of a temporary file that the two functions above make for the file `of`. */
bool srq_file_is_temporary(const char *name, const char *of);

/* Renames the complete file `made` to `path` safely: syncs it, renames it, and syncs the folder. SRQ_ERROR_RUN; `made`
 * is then kept. */
srq_status srq_file_publish(const char *made, const char *path);
/* The same, but never in place of another file: SRQ_ERROR_USAGE if `path` exists. */
srq_status srq_file_publish_new(const char *made, const char *path);

/* The single operations, each SRQ_ERROR_RUN with a message that names `path`: open a file (the caller closes it); write
 * `size` bytes at its position; cut it to a size; remove it (no error if it does not exist); sync the folder of `path`,
 * so that names in it survive a power failure. */
srq_status srq_file_open(const char *path, int flags, int *file);
srq_status srq_file_append(int file, const char *path, const void *data, size_t size);
srq_status srq_file_cut(int file, const char *path, off_t size);
srq_status srq_file_remove(const char *path);
srq_status srq_file_sync_folder(const char *path);

/* Locks an open file until this process ends, in whatever way: by flock(2), or by an open-file-description lock of
 * fcntl(2) if the file system has no flock. *lock says whether this process has the lock, another process has it, or
 * the file system has no locks. */
typedef enum srq_lock { SRQ_LOCK_TAKEN, SRQ_LOCK_HELD, SRQ_LOCK_NONE } srq_lock;
srq_status srq_file_lock(int file, const char *path, srq_lock *lock);

/* Checks the folder that an option names, "--out", before any work: SRQ_ERROR_USAGE if the name is empty, or that of
 * something else than a folder. It need not exist. */
srq_status srq_folder_check(const char *option, const char *path);

/* Creates a folder and its parents. No error if it exists. SRQ_ERROR_RUN. */
srq_status srq_folder_create(const char *path);

/* Opens a regular file for reading. A folder, a FIFO or a device is refused without waiting for it, because a FIFO
 * without a writer would block the caller for ever. SRQ_ERROR_DATA; *stream is then NULL. The caller closes *stream. */
srq_status srq_file_open_regular(const char *path, FILE **stream);
/* The same as a descriptor, which the caller closes, and its size. An empty file is refused as well. Messages end with
 * `what` to name: "a checkpoint". */
srq_status srq_file_open_whole(const char *path, const char *what, int *file, off_t *size);
/* Whether `path` is a regular file, or a link to one. */
bool srq_file_is_regular(const char *path);

/* Writes what is buffered in an output stream, named `name` in messages. SRQ_ERROR_RUN if anything printed to it since
 * it was opened could not be written. */
srq_status srq_file_flush(FILE *stream, const char *name);

/* Reads a text file of at most `limit` bytes into a zero-terminated buffer, which the caller frees. A byte-order mark
 * at its beginning is left out. SRQ_ERROR_DATA if it is missing, not a regular file, or larger than the limit. */
srq_status srq_file_read_text(const char *path, size_t limit, char **text);

#endif
