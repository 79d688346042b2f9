/* HDF5 for the rest of io/. Files are built in memory and written atomically. Messages about reading name the file and
 * the data set. HDF5's own error output is off; its reason becomes part of our message.
 *
 * HDF5 is not to be trusted with bytes that nobody checked: a damaged file can crash it. Therefore every file that is
 * written has a digest of its raw bytes, which is checked first, and every file is read by a process of its own with
 * limits on memory and time, whose death is an error message here (io/h5_internal.h).
 *
 * Debian's HDF5 is not thread-safe, so only one thread may use it at a time: during training, the thread of io/saver.h.
 * */
#ifndef SRQ_IO_H5_H
#define SRQ_IO_H5_H

#include "core/status.h"
#include "io/digest.h"

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file that is being written. It is built in memory (HDF5's core driver) and written by srq_file_write_atomic, so
 * that a full disk causes an error of our write(2) and not one inside HDF5. Object times are not stored, so equal
 * contents give equal bytes. */
typedef struct srq_h5_writer srq_h5_writer;
srq_status srq_h5_writer_create(const char *format, int64_t version, srq_h5_writer **writer);
srq_status srq_h5_writer_commit(srq_h5_writer *writer,
                                const char *path); /* writes the file; the writer can still be used */
void srq_h5_writer_destroy(srq_h5_writer **writer);

/* The attribute of the root group with the digest of the whole content (docs/checkpoint-format.md). Readers check it if
 * a file has it. srq_h5_writer_seal adds it; call it last, before the file is written. */
#define SRQ_H5_DIGEST "content_sha256"
srq_status srq_h5_writer_seal(srq_h5_writer *writer);

/* For data that is too large for memory: adds a one-dimensional data set of `total` bytes (uint8, contiguous) to the
 * file at `path`. The caller writes its content to the file, beginning at *offset. The disk space is allocated first:
 * SRQ_ERROR_RUN if there is not enough. */
srq_status srq_h5_add_room(const char *path, const char *name, size_t total, int64_t *offset);
/* Adds the digest of the raw bytes to a file that was made so; call it last. `without` are the places of such data sets
 * in the file, in order (size 0: none): their content has its own checksums, and is not part of the digest. */
typedef struct srq_h5_span {
    int64_t offset, size;
} srq_h5_span;
srq_status srq_h5_finish(const char *path, const srq_h5_span without[2]);

/* Adds a data set. Missing groups of `name` ("layers/conv1/weight") are created. `type` is a native HDF5 type id; rank
 * 0 is a scalar. Other data sets are stored in one chunk (several if above 1 GiB) with a Fletcher-32 checksum. */
srq_status srq_h5_write(srq_h5_writer *writer, const char *name, hid_t type, int rank, const size_t *shape,
                        const void *data);
srq_status srq_h5_write_text(srq_h5_writer *writer, const char *name, const char *text); /* scalar string */
srq_status srq_h5_write_texts(srq_h5_writer *writer, const char *name, size_t count, const char *const *texts);
/* Add attributes to the object `name` ("/" for the root). The object must exist; srq_h5_write_group makes an empty
 * group. */
srq_status srq_h5_write_group(srq_h5_writer *writer, const char *name);
srq_status srq_h5_write_attribute_text(srq_h5_writer *writer, const char *name, const char *attribute,
                                       const char *text);
srq_status srq_h5_write_attribute_int(srq_h5_writer *writer, const char *name, const char *attribute, int64_t value);
srq_status srq_h5_write_attribute_double(srq_h5_writer *writer, const char *name, const char *attribute, double value);

/* Starts the process that will start those that read files. Call it before MPI and before threads are started; without
 * it, the first file that is opened starts it. SRQ_ERROR_RUN. */
srq_status srq_h5_start(void);

/* A file that is being read. Failures are SRQ_ERROR_DATA, with a message that says what to do; SRQ_ERROR_RUN if the
 * host has no memory or no process left for it. */
typedef struct srq_h5_reader srq_h5_reader;
/* Checks that nothing keeps srq from reading `path` now: permissions, an error of the disk, or a program that has it
 * open for writing, for whose end it waits up to 5 s. What fails here is in use or out of reach. What fails only in
 * srq_h5_reader_open is missing, damaged or of another kind. */
srq_status srq_h5_wait(const char *path);
/* Opens `path` after srq_h5_wait. Checks that its bytes are those that were written, if it has a digest of them, or
 * else that its content matches its digest, if it has one; that the file holds everything it names; and that it has the
 * expected attributes format and version (with format NULL: any). `what` is the kind of file in messages ("a
 * checkpoint"). */
srq_status srq_h5_reader_open(const char *path, const char *what, const char *format, int64_t version,
                              srq_h5_reader **reader);
/* The same if several versions can be read: *version is that of the file, from 1 to `newest`. */
srq_status srq_h5_reader_open_versions(const char *path, const char *what, const char *format, int64_t newest,
                                       int64_t *version, srq_h5_reader **reader);
void srq_h5_reader_close(srq_h5_reader **reader);
/* Computes the digest of the content. SRQ_ERROR_DATA if the file holds something that files with a digest cannot
 * hold. */
srq_status srq_h5_digest(const srq_h5_reader *reader, char text[SRQ_DIGEST_SIZE]);
const char *srq_h5_reader_path(const srq_h5_reader *reader);
/* How many bytes of data the file can hold at most, however it is compressed. */
uint64_t srq_h5_most_bytes(const srq_h5_reader *reader);
bool srq_h5_exists(const srq_h5_reader *reader, const char *name);
bool srq_h5_is_group(const srq_h5_reader *reader, const char *name);
/* The type of the elements of a data set: "float32", "int64", "uint8", "text", "other". Returns `out`. */
char *srq_h5_type(const srq_h5_reader *reader, const char *name, char *out, size_t size);
/* Reads the shape of a data set: *rank dimensions (at most 8), to `shape`. Checks that its class (H5T_INTEGER,
 * H5T_FLOAT, H5T_STRING) is `type_class`. */
srq_status srq_h5_shape(const srq_h5_reader *reader, const char *name, H5T_class_t type_class, int *rank,
                        size_t shape[8]);
/* The offset and the size of the bytes of a data set made by srq_h5_add_room. They can be read with pread(2), from any
 * thread. */
srq_status srq_h5_room(const srq_h5_reader *reader, const char *name, int64_t *offset, size_t *total);
/* Reads a data set to `data`, converted to the native type `type`. Its shape must be exactly `shape`. */
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
/* An attribute of any of these types as text: a number with enough digits to read the same number again, or the text
 * itself. */
srq_status srq_h5_print_attribute(const srq_h5_reader *reader, const char *name, const char *attribute, char *out,
                                  size_t size);
/* The names of the members of a group, in alphabetical order; the caller frees each, then the array. */
srq_status srq_h5_members(const srq_h5_reader *reader, const char *name, size_t *count, char ***names);

#endif
