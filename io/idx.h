/* IDX files, the format of MNIST and similar data sets: a big-endian header (two zero bytes, type, dimensions, sizes),
 * then the data; plain or gzipped. */
#ifndef SRQ_IO_IDX_H
#define SRQ_IO_IDX_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

/* An IDX file of unsigned bytes. */
typedef struct srq_idx {
    int rank; /* 1..4 */
    size_t shape[4];
    size_t size;   /* product of the shape */
    uint8_t *data; /* [size] */
} srq_idx;

/* Reads the whole file, including gzip's checksum at its end. SRQ_ERROR_DATA, with a message that says what is wrong:
 * not IDX, another type than unsigned bytes, shorter or longer than its header says, a truncated or damaged gzip
 * stream. Memory grows with the data in the file, not with the size in its header. The caller calls srq_idx_free. */
srq_status srq_idx_read(const char *path, srq_idx *idx);
void srq_idx_free(srq_idx *idx);

#endif
