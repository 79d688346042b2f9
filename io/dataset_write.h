/* What every import shares, whatever it reads: the name of a data set, its destination, and what is written there (the
 * format is that of io/dataset.h). */
#ifndef SRQ_IO_DATASET_WRITE_H
#define SRQ_IO_DATASET_WRITE_H

#include "core/status.h"
#include "io/h5.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The name of the data set that is made of `source`: the last part of its real path, so that "." has one, too. */
void srq_source_name(const char *source, char *name, size_t size);

/* A destination that is there is left alone: fine (*done_already) if it holds the data of this checksum, else
 * SRQ_ERROR_USAGE. Without a checksum (NULL) only what is no data set at all is refused. */
srq_status srq_dest_check(const char *dest, const char *checksum, bool *done_already);
/* Makes the folder that it is to be in. */
srq_status srq_dest_make_folder(const char *dest);

/* What every data set has besides images. */
typedef struct srq_about {
    const char *name, *source, *checksum;
    int classes;
    const char *const *class_names;
} srq_about;
srq_status srq_about_write(const srq_about *about, srq_h5_writer *writer);

/* Images of one size, in memory. */
typedef struct srq_plain_split {
    size_t count;
    const uint8_t *images; /* [count][height][width][channels] */
    const int32_t *labels;
} srq_plain_split;
/* Writes a data set of such images to `path`, atomically; `shape` is that of an image, `splits` are by srq_split_name.
 */
srq_status srq_plain_write(const srq_about *about, const size_t shape[3], const srq_plain_split splits[2],
                           const char *path);

#endif
