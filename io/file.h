/* Whole files, written so that a reader finds the old one or the new one and never a part. */
#ifndef SRQ_IO_FILE_H
#define SRQ_IO_FILE_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Writes `size` bytes to `path`: a temporary file beside it (".NAME.tmp.PID"), fsync, rename, fsync of the folder. On
 * failure the temporary file is removed, what was at `path` is untouched, and the status is SRQ_ERROR_RUN with a
 * message naming path, the operation and the system's reason. Interrupted and short writes are continued. */
srq_status srq_file_write_atomic(const char *path, const void *data, size_t size);

/* Gives the whole file at `made` the name `path`, safely: it is synced, renamed, and its folder synced. SRQ_ERROR_RUN;
 * `made` is then left where it is. */
srq_status srq_file_publish(const char *made, const char *path);

/* Creates a folder and its parents; fine if it is there. SRQ_ERROR_RUN if it cannot be. */
srq_status srq_folder_create(const char *path);

/* Reads a whole text file (at most `limit` bytes) into a zero-terminated buffer that the caller frees.
 * SRQ_ERROR_DATA with a message if it is missing, a folder, or larger than the limit. */
srq_status srq_file_read_text(const char *path, size_t limit, char **text);

#endif
