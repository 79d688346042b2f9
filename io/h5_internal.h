/* For the files io/h5_*.c only.
 *
 * HDF5 1.10 crashes, loops or reads past its memory on files that are damaged or hostile. Therefore srq itself never
 * opens a file with HDF5 for reading. A process of its own does, with limits on memory and time, and answers requests:
 *
 *     in srq       h5_open, h5_lookup       raw digest, locks; the table of contents, from memory; requests for data
 *     between      h5_process, h5_wire      starts the process, waits for its end; bytes over a socket
 *     in a child   h5_serve                 answers, with h5_contents, h5_digest, h5_read, h5_check, h5_describe
 *
 * h5_write, h5_room and h5_raw write. Each file calls only those before it in this order: error, wire, limits, check,
 * describe, read, contents, digest, serve, process, raw, lookup, open, room, write. */
#ifndef SRQ_IO_H5_INTERNAL_H
#define SRQ_IO_H5_INTERNAL_H

#include "io/h5.h"

#include <stdio.h>
#include <sys/types.h>

enum { SRQ_H5_RATIO = 1032 }; /* no filter in use makes numbers smaller by more than this factor */

enum { SRQ_H5_PATH_SIZE = 4352, SRQ_H5_RANK_MAX = 8 };

/* --- io/h5_error.c */

enum { SRQ_H5_REASON_SIZE = 256 };

/* Turns off HDF5's own error output. Call it before any other function of HDF5. It can be called several times. */
void srq_h5_quiet(void);
/* HDF5's last error. Returns `text`. */
const char *srq_h5_reason(char text[SRQ_H5_REASON_SIZE]);
/* SRQ_ERROR_RUN: "data set NAME cannot be put into a file in memory", with that reason. */
srq_status srq_h5_cannot_build(const char *name);
/* SRQ_ERROR_DATA: "data set NAME cannot be read", with that reason. `path` is that of the file. */
srq_status srq_h5_broken(const char *path, const char *name);

/* --- io/h5_wire.c */

/* Send or receive exactly `size` bytes. False if the other side is gone. */
bool srq_h5_send(int socket, const void *data, size_t size);
bool srq_h5_receive(int socket, void *data, size_t size);
/* The same for a short message with an open file or socket beside it, or -1 for none. The receiver gets a descriptor of
 * its own, which it closes. */
bool srq_h5_send_with(int socket, const void *data, size_t size, int descriptor);
bool srq_h5_receive_with(int socket, void *data, size_t size, int *descriptor);

/* --- io/h5_limits.c */

/* In the child: the limits for a file of `bytes` bytes, and what signals of a crash do. */
void srq_h5_limit(uint64_t bytes);
/* In the child: allows so many bytes of memory more than it uses now, beside a fixed reserve. */
void srq_h5_allow_memory(uint64_t bytes);

/* --- io/h5_process.c */

/* A process that reads one file. */
typedef struct srq_h5_child {
    int socket; /* -1: none */
    pid_t process;
} srq_h5_child;

/* Starts the process for a file of `bytes` bytes: srq_h5_serve runs there. SRQ_ERROR_RUN. */
srq_status srq_h5_child_start(srq_h5_child *child, uint64_t bytes);
/* Closes the socket, which ends the process, and waits for it. Returns its wait status. */
int srq_h5_child_end(srq_h5_child *child);

/* --- A file that is open in the child */

typedef struct srq_h5_file {
    hid_t file;
    const char *path;
    uint64_t bytes; /* the size of the file */
    uint64_t left;  /* so many bytes of content may still be read */
} srq_h5_file;

/* The elements of a type. Content is converted to little-endian numbers of the same kind. */
typedef struct srq_h5_type_info {
    H5T_class_t type_class;
    uint32_t size; /* bytes */
    bool is_signed;
} srq_h5_type_info;

/* A request, and the head of the answer. The status and the message of a failure are those of the failed call; a
 * payload of `size` bytes follows, which is the message of a failure. */
typedef enum srq_h5_verb { SRQ_H5_OPEN, SRQ_H5_DIGEST_OF, SRQ_H5_NUMBERS, SRQ_H5_TEXTS, SRQ_H5_ROOM } srq_h5_verb;

typedef struct srq_h5_request {
    srq_h5_verb verb;
    srq_h5_type_info type; /* NUMBERS */
    int32_t rank;          /* NUMBERS, TEXTS */
    uint64_t shape[SRQ_H5_RANK_MAX];
    char name[SRQ_H5_PATH_SIZE];  /* of the data set; OPEN: the path */
    char shown[SRQ_H5_PATH_SIZE]; /* OPEN: the path in messages */
} srq_h5_request;

typedef struct srq_h5_answer {
    int32_t status;
    uint64_t size;
} srq_h5_answer;

/* --- io/h5_check.c */

/* Opens a data set of any type. Refuses what is not in the file itself or has no plain layout. The caller closes it
 * with H5Dclose. */
srq_status srq_h5_open_any(const srq_h5_file *file, const char *name, hid_t *set);
/* Checks that the file stores what the shape of an open data set requires, chunk by chunk. Call it before memory is
 * allocated for it. */
srq_status srq_h5_check_stored(const srq_h5_file *file, const char *name, hid_t set, int rank, const size_t *shape);
/* Checks that a type of numbers describes bits that the numbers have; any other type is sound. */
srq_status srq_h5_check_type(const srq_h5_file *file, const char *name, hid_t type);
/* Takes `bytes` from what may still be read. */
srq_status srq_h5_take(srq_h5_file *file, const char *name, uint64_t bytes);

/* --- io/h5_describe.c */

/* "integers", "floats", "strings", "other things". */
const char *srq_h5_class_name(H5T_class_t type_class);
/* "float32", "uint8", "text", "other". Returns `out`. */
char *srq_h5_type_name(const srq_h5_type_info *type, char *out, size_t size);
srq_h5_type_info srq_h5_type_of(hid_t type);
/* The native type of numbers, or -1. */
hid_t srq_h5_native(const srq_h5_type_info *type);
/* The dimensions of an open data set or a space. */
srq_status srq_h5_shape_of_space(const char *path, const char *name, hid_t space, int *rank, size_t *shape);
srq_status srq_h5_shape_of(const srq_h5_file *file, const char *name, hid_t set, int *rank, size_t *shape);
/* The names of the members of a group, in alphabetical order; the caller frees each, then the array. */
srq_status srq_h5_list_members(const srq_h5_file *file, const char *name, size_t *count, char ***names);

/* --- io/h5_read.c */

/* Reads `count` strings of any kind from a data set or, with `attribute`, from an attribute with that type and space.
 * Each string is allocated, possibly also after a failure. Takes their bytes from what may still be read. */
srq_status srq_h5_read_strings(srq_h5_file *file, const char *name, hid_t object, bool attribute, hid_t type,
                               hid_t space, size_t count, char **texts);
/* Reads numbers of exactly the shape of the request, converted to its type. The caller frees *data, also after a
 * failure. It is NULL before the call. */
srq_status srq_h5_load_numbers(srq_h5_file *file, const srq_h5_request *request, char **data, size_t *bytes);
/* Write the payload of an answer: one string or a list of strings, each with its zero; two int64 with the place of
 * bytes. */
srq_status srq_h5_send_texts(srq_h5_file *file, const srq_h5_request *request, FILE *out);
srq_status srq_h5_send_room(srq_h5_file *file, const srq_h5_request *request, FILE *out);

/* --- io/h5_contents.c */

/* Writes the table of contents: every object, each followed by its attributes.
 *
 *     object     kind (1)  path (zero-terminated, without the first '/')
 *                if kind is 'd':  class (1)  signed (1)  bytes of an element (4)  rank (4; -1: none)  dimensions (8
 * each) number of attributes (4) attribute  name (zero-terminated)  kind (1) 'i': int64 (8)   'd': double (8)   't':
 * text (zero-terminated)   'x': something else
 *
 * Refuses links to somewhere else, groups with two names, deep nesting, and content in other files. */
srq_status srq_h5_send_contents(srq_h5_file *file, FILE *out);

/* --- io/h5_digest.c */

/* The digest of the content. */
srq_status srq_h5_digest_of(srq_h5_file *file, char text[SRQ_DIGEST_SIZE]);

/* --- io/h5_serve.c */

/* The child: answers requests until the socket is closed. */
void srq_h5_serve(int socket, uint64_t bytes);

/* --- io/h5_raw.c */

enum { SRQ_H5_TRAILER = 256 };

/* Makes the trailer of a file of `size` bytes in memory. */
srq_status srq_h5_make_trailer(const void *image, size_t size, char trailer[SRQ_H5_TRAILER]);
/* Checks the trailer of an open file of `size` bytes: *whole says whether it has one. SRQ_ERROR_DATA if the bytes of
 * the file are not those that it was made for. */
srq_status srq_h5_check_trailer(int file, int64_t size, const char *path, bool *whole);

/* --- io/h5_lookup.c */

typedef struct srq_h5_value {
    const char *name;
    char kind; /* 'i', 'd', 't', 'x' */
    int64_t integer;
    double number;
    const char *text;
} srq_h5_value;

typedef struct srq_h5_object {
    const char *path; /* without the first '/'; "" is the root */
    char kind;        /* 'g': group, 'd': data set, 'o': something else */
    srq_h5_type_info type;
    int rank; /* -1: no shape that srq reads */
    size_t shape[SRQ_H5_RANK_MAX], first, values;
} srq_h5_object;

struct srq_h5_reader {
    char path[SRQ_H5_PATH_SIZE];
    srq_h5_child child;
    uint64_t bytes; /* the size of the file */
    char *contents; /* the table as it was received; names and texts point into it */
    size_t contents_size;
    srq_h5_object *objects; /* in the order of their paths */
    srq_h5_value *values;
    size_t object_count, value_count;
};

/* Sends a request. On success, *payload (which the caller frees) has *size bytes and one more, which is zero. With
 * `into`, the payload must have exactly *size bytes and goes there. */
srq_status srq_h5_ask(srq_h5_reader *reader, const srq_h5_request *request, void *into, char **payload, size_t *size);
/* Reads the table that srq_h5_send_contents wrote, from reader->contents. */
srq_status srq_h5_read_contents(srq_h5_reader *reader);
void srq_h5_free_contents(srq_h5_reader *reader);

/* --- io/h5_write.c */

/* Link properties that create missing groups. The caller closes them with H5Pclose. */
hid_t srq_h5_link_properties(void);

#endif
