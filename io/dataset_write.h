/* The common part of all imports: the name of a data set, its destination, and writing it (in the format of
 * io/dataset.h). */
#ifndef SRQ_IO_DATASET_WRITE_H
#define SRQ_IO_DATASET_WRITE_H

#include "core/status.h"
#include "io/h5.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The name of the data set made from `source`: the last part of its real path, so that "." has a name as well. */
void srq_source_name(const char *source, char *name, size_t size);

/* Checks an existing destination, which is never changed. If it holds the data of this checksum, *done_already is true;
 * otherwise SRQ_ERROR_USAGE. If `checksum` is NULL, only files that are not data sets are rejected. */
srq_status srq_dest_check(const char *dest, const char *checksum, bool *done_already);
/* Creates the folder of the destination. */
srq_status srq_dest_make_folder(const char *dest);

/* The content of a data set without its images. */
typedef struct srq_about {
    const char *name, *source, *checksum;
    int classes;
    const char *const *class_names;
} srq_about;
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
