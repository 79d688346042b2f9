/* Finds the checkpoint that a path names, and says what a folder is that names none. Changes nothing. */
#ifndef SRQ_IO_RUN_PLACE_H
#define SRQ_IO_RUN_PLACE_H

#include "core/status.h"

#include <stddef.h>

/* Writes to `out`: `path` itself, or the newest checkpoint if it is a run directory. SRQ_ERROR_DATA for any other
 * folder; the message says what the folder holds, and what to name instead. A path that is no folder is not checked. */
srq_status srq_run_place(const char *path, char *out, size_t size);

#endif
