/* For the files io/h5_*.c only. Each calls only those before it in this order: error, describe, read, attribute,
 * digest, then open, write, room. */
#ifndef SRQ_IO_H5_INTERNAL_H
#define SRQ_IO_H5_INTERNAL_H

#include "io/h5.h"

struct srq_h5_reader {
    hid_t file;
    char path[4352];
};

/* --- io/h5_error.c */

enum { SRQ_H5_REASON_SIZE = 256 };

/* Turns off HDF5's own error output. Call it before any other function of HDF5. It can be called several times. */
void srq_h5_quiet(void);
/* HDF5's last error. Returns `text`. */
const char *srq_h5_reason(char text[SRQ_H5_REASON_SIZE]);
/* SRQ_ERROR_RUN: "data set NAME cannot be put into a file in memory", with that reason. */
srq_status srq_h5_cannot_build(const char *name);
/* SRQ_ERROR_DATA: "data set NAME cannot be read", with that reason. */
srq_status srq_h5_broken(const srq_h5_reader *reader, const char *name);

/* --- io/h5_describe.c */

/* "integers", "floats", "strings", "other things". */
const char *srq_h5_class_name(H5T_class_t type_class);
/* The dimensions of an open data set. */
srq_status srq_h5_shape_of(const srq_h5_reader *reader, const char *name, hid_t set, int *rank, size_t shape[8]);

/* --- io/h5_read.c */

/* Opens a data set, which must have this class. The caller closes it with H5Dclose. */
srq_status srq_h5_open_set(const srq_h5_reader *reader, const char *name, H5T_class_t type_class, hid_t *set);
/* Checks that the file stores as many bytes for an open data set as its shape requires. Call it before allocating
 * memory for it. */
srq_status srq_h5_check_stored(const srq_h5_reader *reader, const char *name, hid_t set, int rank, const size_t *shape);
/* Reads `count` strings of any kind from a data set or, with `attribute`, from an attribute with that type and space.
 * Each string is allocated, possibly also after a failure. */
bool srq_h5_read_strings(hid_t object, bool attribute, hid_t type, hid_t space, size_t count, char **texts);

/* --- io/h5_write.c */

/* Link properties that create missing groups. The caller closes them with H5Pclose. */
hid_t srq_h5_link_properties(void);

#endif
