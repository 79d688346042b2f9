/* The common part of all imports: the name of a data set, its destination, and writing it (in the format of
 * io/dataset.h). */
#ifndef SRQ_IO_DATASET_WRITE_H
#define SRQ_IO_DATASET_WRITE_H

#include "core/status.h"
#include "io/h5.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The name of the data set made from `source`: the last part of its real path, so that "." has a name as well, as
 * readable text (io/readable.h). */
void srq_source_name(const char *source, char *name, size_t size);

/* Checks the name of a destination before any work: SRQ_ERROR_USAGE if it is empty, too long or that of a folder. */
srq_status srq_dest_check_name(const char *dest);
/* Checks an existing destination, which is never changed. If it holds the data of this checksum, *done_already is true;
 * otherwise SRQ_ERROR_USAGE. If `checksum` is NULL, only files that are not data sets are rejected. */
srq_status srq_dest_check(const char *dest, const char *checksum, bool *done_already);

/* A destination that one import writes. Two imports of one destination must not share files, so an import locks
 * DEST.lock. The lock ends with the process, whatever ends it, and a DEST.lock that a killed import left does no harm.
 * Initialize it with SRQ_DEST_NONE. */
typedef struct srq_dest {
    int file;       /* DEST.lock, or -1 */
    bool exclusive; /* false: the file system has no locks */
} srq_dest;
#define SRQ_DEST_NONE ((srq_dest){.file = -1})

/* Creates the folder of the destination and locks it. If the destination exists, nothing will be written, and nothing
 * is locked. SRQ_ERROR_USAGE if another import has the lock; the message names its process and host. */
srq_status srq_dest_lock(const char *dest, srq_dest *lock);
/* Removes DEST.lock and unlocks. Nothing for SRQ_DEST_NONE. */
void srq_dest_unlock(const char *dest, srq_dest *lock);

/* The content of a data set without its images. */
typedef struct srq_about {
    const char *name, *source, *checksum;
    int classes;
    const char *const *class_names;
} srq_about;
/* The source is stored as readable text. SRQ_ERROR_DATA if the name of a class is not readable. */
srq_status srq_about_write(const srq_about *about, srq_h5_writer *writer);

/* Images with the same size, in memory. */
typedef struct srq_plain_split {
    size_t count;
    const uint8_t *images; /* [count][height][width][channels] */
    const int32_t *labels;
} srq_plain_split;
/* Writes a data set with such images to `path`, atomically. `shape` is the shape of an image; `splits` are indexed by
 * srq_split_name. */
srq_status srq_plain_write(const srq_about *about, const size_t shape[3], const srq_plain_split splits[2],
                           const char *path);

#endif
