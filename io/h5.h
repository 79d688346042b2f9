/* HDF5 for the rest of io/: files built in memory and written atomically, and reading with messages that name the
 * file and the data set. HDF5's own error printing is silenced; its reason is put into our message.
 *
 * HDF5 as Debian builds it must not run in two threads at once: in training, only the thread of io/saver.h uses it. */
#ifndef SRQ_IO_H5_H
#define SRQ_IO_H5_H

#include "core/status.h"
#include "io/digest.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file being written: built in memory (HDF5's core driver), so that a full disk is met by our own write(2) and not
 * inside HDF5, and written by srq_file_write_atomic. Object times are not stored: equal contents make equal bytes. */
typedef struct srq_h5_writer srq_h5_writer;
srq_status srq_h5_writer_create(const char *format, int64_t version, srq_h5_writer **writer);
srq_status srq_h5_writer_commit(srq_h5_writer *writer, const char *path); /* writes the file; the writer stays valid */
void srq_h5_writer_destroy(srq_h5_writer **writer);

/* The digest of all that a file holds (docs/checkpoint-format.md), which readers check wherever a file carries it: the
 * attribute of the root group that srq_h5_writer_seal adds, last before the file is written. */
#define SRQ_H5_DIGEST "content_sha256"
srq_status srq_h5_writer_seal(srq_h5_writer *writer);

/* For what is too large for memory: adds to the file at `path` a one-dimensional data set of `total` bytes (uint8,
 * contiguous) whose contents are left to the caller, who writes them to the file from *offset on. The room on the disk
 * is taken first: SRQ_ERROR_RUN if there is none. */
srq_status srq_h5_add_room(const char *path, const char *name, size_t total, int64_t *offset);

/* Adds a data set; missing groups of `name` ("layers/conv1/weight") are made. `type` is a native HDF5 type id;
 * rank 0 is a scalar. Non-scalar data sets are stored in one chunk (several if over 1 GiB) with a Fletcher-32 checksum.
 */
srq_status srq_h5_write(srq_h5_writer *writer, const char *name, hid_t type, int rank, const size_t *shape,
                        const void *data);
srq_status srq_h5_write_text(srq_h5_writer *writer, const char *name, const char *text); /* scalar string */
srq_status srq_h5_write_texts(srq_h5_writer *writer, const char *name, size_t count, const char *const *texts);
/* Attributes of the object `name` ("/" for the root; the object must exist; srq_h5_write_group makes an empty group).
 */
srq_status srq_h5_write_group(srq_h5_writer *writer, const char *name);
srq_status srq_h5_write_attribute_text(srq_h5_writer *writer, const char *name, const char *attribute,
                                       const char *text);
srq_status srq_h5_write_attribute_int(srq_h5_writer *writer, const char *name, const char *attribute, int64_t value);
srq_status srq_h5_write_attribute_double(srq_h5_writer *writer, const char *name, const char *attribute, double value);

/* A file being read. Failures are SRQ_ERROR_DATA with a message that says what to do. */
typedef struct srq_h5_reader srq_h5_reader;
/* Opens `path`, checks that it is a regular, whole HDF5 file with the attributes format and version as expected (with
 * format NULL: any), and that its content is what its digest says if it carries one. `what` names the kind for messages
 * ("a checkpoint"). */
srq_status srq_h5_reader_open(const char *path, const char *what, const char *format, int64_t version,
                              srq_h5_reader **reader);
/* The same where several versions can be read: *version is the file's, from 1 to `newest`. */
srq_status srq_h5_reader_open_versions(const char *path, const char *what, const char *format, int64_t newest,
                                       int64_t *version, srq_h5_reader **reader);
void srq_h5_reader_close(srq_h5_reader **reader);
/* The digest of the content as it is; SRQ_ERROR_DATA if the file holds what no file with a digest does. */
srq_status srq_h5_digest(const srq_h5_reader *reader, char text[SRQ_DIGEST_SIZE]);
const char *srq_h5_reader_path(const srq_h5_reader *reader);
bool srq_h5_exists(const srq_h5_reader *reader, const char *name);
bool srq_h5_is_group(const srq_h5_reader *reader, const char *name);
/* What the elements of a data set are: "float32", "int64", "uint8", "text", "other". Returns `out`. */
char *srq_h5_type(const srq_h5_reader *reader, const char *name, char *out, size_t size);
/* The shape of a data set: *rank dimensions (at most 8) into `shape`. Checks that its class (H5T_INTEGER,
 * H5T_FLOAT, H5T_STRING) is `type_class`. */
srq_status srq_h5_shape(const srq_h5_reader *reader, const char *name, H5T_class_t type_class, int *rank,
                        size_t shape[8]);
/* Where the bytes of a data set that srq_h5_add_room made begin in the file, and how many there are: the counterpart
 * for reading with pread(2), from any thread. */
srq_status srq_h5_room(const srq_h5_reader *reader, const char *name, int64_t *offset, size_t *total);
/* Reads a data set whose shape must be exactly `shape` into `data` as the native type `type`. */
srq_status srq_h5_read(const srq_h5_reader *reader, const char *name, hid_t type, int rank, const size_t *shape,
                       void *data);
srq_status srq_h5_read_text(const srq_h5_reader *reader, const char *name, char **text); /* the caller frees */
srq_status srq_h5_read_texts(const srq_h5_reader *reader, const char *name, size_t *count,
                             char ***texts); /* the caller frees each, then the array */
srq_status srq_h5_read_attribute_text(const srq_h5_reader *reader, const char *name, const char *attribute, char *text,
                                      size_t size);
srq_status srq_h5_read_attribute_int(const srq_h5_reader *reader, const char *name, const char *attribute,
                                     int64_t *value);
srq_status srq_h5_read_attribute_double(const srq_h5_reader *reader, const char *name, const char *attribute,
                                        double *value);
bool srq_h5_has_attribute(const srq_h5_reader *reader, const char *name, const char *attribute);
/* The names of all attributes of an object, in alphabetical order; the caller frees each, then the array. */
srq_status srq_h5_attributes(const srq_h5_reader *reader, const char *name, size_t *count, char ***names);
/* An attribute of any of the types above as text: digits that read back as the same number, or the text itself. */
srq_status srq_h5_print_attribute(const srq_h5_reader *reader, const char *name, const char *attribute, char *out,
                                  size_t size);
/* The names of the members of a group, in alphabetical order; the caller frees each, then the array. */
srq_status srq_h5_members(const srq_h5_reader *reader, const char *name, size_t *count, char ***names);

#endif
