/* Names from outside (folders, files, lists of classes) that may hold any bytes: Latin-1, line breaks, escape sequences
 * of terminals. HDF5 files and text files hold only names that every program reads. */
#ifndef SRQ_IO_READABLE_H
#define SRQ_IO_READABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether the name is valid UTF-8 without control characters. */
bool srq_name_is_readable(const char *name);

/* The name as readable text in one line: a control character or a byte that is not UTF-8 becomes \xHH, and a backslash
 * becomes two. Cut between characters if it does not fit. Returns `out`. */
const char *srq_name_readable(const char *name, char *out, size_t size);

#endif
