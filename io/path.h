/* Room for paths, and paths that a configuration names: they start where it is. */
#ifndef SRQ_IO_PATH_H
#define SRQ_IO_PATH_H

#include "core/status.h"

/* Bytes, with the zero at the end: of a path that is given, and of one that a name or two are put behind. */
enum { SRQ_PATH_MAX = 4096, SRQ_PATH_SIZE = 4352 };

/* `path` seen from `folder`, absolute and without "." and "..". SRQ_ERROR_USAGE if it is too long. */
srq_status srq_path_resolve(const char *folder, const char *path, char out[SRQ_PATH_MAX]);

/* The folder that holds `path`: "." if the path names none. */
void srq_path_folder(const char *path, char out[SRQ_PATH_MAX]);

#endif
