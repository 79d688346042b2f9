/* What io/h5.c and io/h5_digest.c share. */
#ifndef SRQ_IO_H5_INTERNAL_H
#define SRQ_IO_H5_INTERNAL_H

#include "io/h5.h"

struct srq_h5_reader {
    hid_t file;
    char path[4352];
};

/* "data set NAME cannot be read", with the reason that HDF5 gave last. */
srq_status srq_h5_broken(const srq_h5_reader *reader, const char *name);

/* The dimensions of an open data set. */
srq_status srq_h5_shape_of(const srq_h5_reader *reader, const char *name, hid_t set, int *rank, size_t shape[8]);

/* That as many bytes are stored for an open data set as its shape wants: to be asked before memory is taken for it. */
srq_status srq_h5_check_stored(const srq_h5_reader *reader, const char *name, hid_t set, int rank, const size_t *shape);

/* `count` strings of any kind of a data set or (`attribute`) an attribute of that type and space, each allocated. On
 * failure some may be. */
bool srq_h5_read_strings(hid_t object, bool attribute, hid_t type, hid_t space, size_t count, char **texts);

#endif
