/* Whole files, written so that a reader finds the old one or the new one and never a part. */
#ifndef SRQ_IO_FILE_H
#define SRQ_IO_FILE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Writes `size` bytes to `path`: a temporary file beside it (".NAME.tmp.PID"), fsync, rename, fsync of the folder. On
 * failure the temporary file is removed, what was at `path` is untouched, and the status is SRQ_ERROR_RUN with a
 * message naming path, the operation and the system's reason. Interrupted and short writes are continued. */
srq_status srq_file_write_atomic(const char *path, const void *data, size_t size);

/* Makes `path` a symbolic link to `target` in the same way: a reader finds the old link or the new one. */
srq_status srq_file_link_atomic(const char *path, const char *target);

/* Whether a name is that of a temporary file of the two functions above for a file called `of`. */
bool srq_file_is_temporary(const char *name, const char *of);

/* Gives the whole file at `made` the name `path`, safely: it is synced, renamed, and its folder synced. SRQ_ERROR_RUN;
 * `made` is then left where it is. */
srq_status srq_file_publish(const char *made, const char *path);

/* Pieces of the same care, SRQ_ERROR_RUN with a message that names `path`: a file opened for the caller, who closes it;
 * `size` bytes written where it stands; cut to a size; removed (fine if it is not there); the folder that holds `path`
 * written out, so that names in it survive a power cut. */
srq_status srq_file_open(const char *path, int flags, int *file);
srq_status srq_file_append(int file, const char *path, const void *data, size_t size);
srq_status srq_file_cut(int file, const char *path, off_t size);
srq_status srq_file_remove(const char *path);
srq_status srq_file_sync_folder(const char *path);

/* A lock on an open file that ends with the process that holds it, however that ends: flock(2), or where the file
 * system has none, an open-file-description lock of fcntl(2). *lock says whether we have it, another process has it, or
 * the file system has no locks at all. */
typedef enum srq_lock { SRQ_LOCK_TAKEN, SRQ_LOCK_HELD, SRQ_LOCK_NONE } srq_lock;
srq_status srq_file_lock(int file, const char *path, srq_lock *lock);

/* Creates a folder and its parents; fine if it is there. SRQ_ERROR_RUN if it cannot be. */
srq_status srq_folder_create(const char *path);

/* Reads a whole text file (at most `limit` bytes) into a zero-terminated buffer that the caller frees.
 * SRQ_ERROR_DATA with a message if it is missing, a folder, or larger than the limit. */
srq_status srq_file_read_text(const char *path, size_t limit, char **text);

#endif
