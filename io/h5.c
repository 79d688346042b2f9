#include "io/h5_internal.h"

#include "io/digest.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct srq_h5_writer {
    hid_t file;
};

/* --- What HDF5 says about a failure */

typedef struct reason {
    char text[256];
} reason;

static herr_t take_reason(unsigned n, const H5E_error2_t *error, void *data)
{
    (void)n;
    reason *r = data;
    if (error->desc && error->desc[0]) snprintf(r->text, sizeof r->text, "%s", error->desc);
    return 0;
}

/* Walking down from the call ends with the innermost, which tells most. */
static const char *last_reason(reason *r)
{
    snprintf(r->text, sizeof r->text, "no reason given");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, take_reason, r);
    return r->text;
}

static void be_quiet(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static srq_status cannot_build(const char *name)
{
    reason r;
    return srq_fail(SRQ_ERROR_RUN, "data set %s cannot be put into a file in memory: %s; free some memory", name,
                    last_reason(&r));
}

/* --- Writing */

srq_status srq_h5_writer_create(const char *format, int64_t version, srq_h5_writer **out)
{
    be_quiet();
    srq_h5_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return srq_fail_memory(sizeof *writer, "a file");
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, 1 << 20, 0);
    H5Pset_obj_track_times(creation, 0);
    /* The name is of no file: nothing is ever stored under it. */
    writer->file = H5Fcreate("srq-in-memory", H5F_ACC_TRUNC, creation, access);
    H5Pclose(access);
    H5Pclose(creation);
    srq_status status = writer->file < 0 ? cannot_build("/") : SRQ_OK;
    if (status == SRQ_OK) status = srq_h5_write_attribute_text(writer, "/", "format", format);
    if (status == SRQ_OK) status = srq_h5_write_attribute_int(writer, "/", "version", version);
    if (status != SRQ_OK)
        srq_h5_writer_destroy(&writer);
    else
        *out = writer;
    return status;
}

srq_status srq_h5_writer_seal(srq_h5_writer *writer)
{
    char digest[SRQ_DIGEST_SIZE];
    const srq_h5_reader reader = {.file = writer->file, .path = "the file in memory"};
    if (srq_h5_digest(&reader, digest) != SRQ_OK) return srq_fail(SRQ_ERROR_RUN, "%s", srq_message());
    return srq_h5_write_attribute_text(writer, "/", SRQ_H5_DIGEST, digest);
}

srq_status srq_h5_writer_commit(srq_h5_writer *writer, const char *path)
{
    ssize_t size = H5Fflush(writer->file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(writer->file, NULL, 0);
    if (size <= 0) return cannot_build("/");
    void *image = malloc((size_t)size);
    if (!image) return srq_fail_memory((size_t)size, path);
    srq_status status = H5Fget_file_image(writer->file, image, (size_t)size) == size
                            ? srq_file_write_atomic(path, image, (size_t)size)
                            : cannot_build("/");
    free(image);
    return status;
}

void srq_h5_writer_destroy(srq_h5_writer **writer)
{
    if (!*writer) return;
    if ((*writer)->file >= 0) H5Fclose((*writer)->file);
    free(*writer);
    *writer = NULL;
}

/* One chunk, or several along the first dimension where a chunk would be larger than 1 GiB; chunks carry a checksum. */
static hid_t storage(hid_t type, int rank, const hsize_t *shape)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_obj_track_times(properties, 0);
    hsize_t chunk[8], bytes = H5Tget_size(type);
    if (rank == 0) return properties;
    for (int i = 0; i < rank; i++) {
        if (shape[i] == 0) return properties;
        chunk[i] = shape[i];
        bytes *= shape[i];
    }
    while (bytes > ((hsize_t)1 << 30) && chunk[0] > 1) {
        bytes /= 2;
        chunk[0] = (chunk[0] + 1) / 2;
    }
    H5Pset_chunk(properties, rank, chunk);
    H5Pset_fletcher32(properties);
    return properties;
}

static hid_t links(void)
{
    hid_t properties = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(properties, 1);
    return properties;
}

static srq_status write_dataset(const srq_h5_writer *writer, const char *name, hid_t type, hid_t memory_type, int rank,
                                const size_t *shape, const void *data)
{
    hsize_t dimensions[8] = {0};
    for (int i = 0; i < rank; i++) dimensions[i] = shape[i];
    hid_t space = rank ? H5Screate_simple(rank, dimensions, NULL) : H5Screate(H5S_SCALAR);
    hid_t properties = storage(type, rank, dimensions), link = links();
    hid_t set = H5Dcreate2(writer->file, name, type, space, link, properties, H5P_DEFAULT);
    bool whole = set >= 0 && H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    srq_status status = whole ? SRQ_OK : cannot_build(name);
    if (set >= 0) H5Dclose(set);
    H5Pclose(link);
    H5Pclose(properties);
    H5Sclose(space);
    return status;
}

srq_status srq_h5_write(srq_h5_writer *writer, const char *name, hid_t type, int rank, const size_t *shape,
                        const void *data)
{
    return write_dataset(writer, name, type, type, rank, shape, data);
}

static hid_t text_type(size_t size)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

srq_status srq_h5_write_text(srq_h5_writer *writer, const char *name, const char *text)
{
    hid_t type = text_type(strlen(text) + 1);
    srq_status status = write_dataset(writer, name, type, type, 0, NULL, text);
    H5Tclose(type);
    return status;
}

srq_status srq_h5_write_texts(srq_h5_writer *writer, const char *name, size_t count, const char *const *texts)
{
    size_t width = 1;
    for (size_t i = 0; i < count; i++)
        if (strlen(texts[i]) + 1 > width) width = strlen(texts[i]) + 1;
    char *table = calloc(count ? count : 1, width);
    if (!table) return srq_fail_memory(count * width, name);
    for (size_t i = 0; i < count; i++) memcpy(table + i * width, texts[i], strlen(texts[i]));
    hid_t type = text_type(width);
    srq_status status = write_dataset(writer, name, type, type, 1, &count, table);
    H5Tclose(type);
    free(table);
    return status;
}

srq_status srq_h5_write_group(srq_h5_writer *writer, const char *name)
{
    hid_t link = links(), properties = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(properties, 0);
    hid_t group = H5Gcreate2(writer->file, name, link, properties, H5P_DEFAULT);
    srq_status status = group >= 0 ? SRQ_OK : cannot_build(name);
    if (group >= 0) H5Gclose(group);
    H5Pclose(properties);
    H5Pclose(link);
    return status;
}

static srq_status write_attribute(srq_h5_writer *writer, const char *name, const char *attribute, hid_t type,
                                  const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t set = H5Acreate_by_name(writer->file, name, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    srq_status status = set >= 0 && H5Awrite(set, type, value) >= 0 ? SRQ_OK : cannot_build(attribute);
    if (set >= 0) H5Aclose(set);
    H5Sclose(space);
    return status;
}

srq_status srq_h5_write_attribute_text(srq_h5_writer *writer, const char *name, const char *attribute, const char *text)
{
    hid_t type = text_type(strlen(text) + 1);
    srq_status status = write_attribute(writer, name, attribute, type, text);
    H5Tclose(type);
    return status;
}

srq_status srq_h5_write_attribute_int(srq_h5_writer *writer, const char *name, const char *attribute, int64_t value)
{
    return write_attribute(writer, name, attribute, H5T_NATIVE_INT64, &value);
}

srq_status srq_h5_write_attribute_double(srq_h5_writer *writer, const char *name, const char *attribute, double value)
{
    return write_attribute(writer, name, attribute, H5T_NATIVE_DOUBLE, &value);
}

/* --- Room for bytes that HDF5 does not write */

/* Blocks of the disk for the whole file, so that neither HDF5 nor the caller meets a full one later. */
static srq_status take_room(const char *path, size_t total)
{
    enum { HEADERS = 1 << 16 };
    struct stat info;
    int file = open(path, O_RDWR | O_CLOEXEC), code = 0;
    if (file < 0 || fstat(file, &info) != 0)
        code = errno;
    else
        do code = posix_fallocate(file, info.st_size, (off_t)total + HEADERS);
        while (code == EINTR);
    if (file >= 0) close(file);
    if (code == 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_RUN,
                    "cannot write %s: %s (%zu bytes are needed); free some space or choose another folder", path,
                    strerror(code), total);
}

static hid_t add_bytes(hid_t file, const char *name, size_t total)
{
    const hsize_t size = total;
    hid_t space = H5Screate_simple(1, &size, NULL), properties = H5Pcreate(H5P_DATASET_CREATE), link = links();
    H5Pset_obj_track_times(properties, 0);
    H5Pset_layout(properties, H5D_CONTIGUOUS);
    H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER);
    hid_t set = H5Dcreate2(file, name, H5T_STD_U8LE, space, link, properties, H5P_DEFAULT);
    H5Pclose(link);
    H5Pclose(properties);
    H5Sclose(space);
    return set;
}

srq_status srq_h5_add_room(const char *path, const char *name, size_t total, int64_t *offset)
{
    be_quiet();
    SRQ_TRY(take_room(path, total));
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t set = file < 0 ? H5I_INVALID_HID : add_bytes(file, name, total);
    const haddr_t place = set < 0 ? HADDR_UNDEF : H5Dget_offset(set);
    bool whole = place != HADDR_UNDEF;
    if (set >= 0) whole = H5Dclose(set) >= 0 && whole;
    if (file >= 0) whole = H5Fclose(file) >= 0 && whole;
    *offset = (int64_t)place;
    return whole ? SRQ_OK : cannot_build(name);
}

/* --- Reading */

static srq_status check_regular(const char *path, const char *what)
{
    struct stat info;
    if (stat(path, &info) != 0) return srq_fail(SRQ_ERROR_DATA, "%s: %s; name %s", path, strerror(errno), what);
    if (!S_ISREG(info.st_mode))
        return srq_fail(SRQ_ERROR_DATA, "%s: it is %s; name %s", path,
                        S_ISDIR(info.st_mode) ? "a folder" : "not a regular file", what);
    if (info.st_size == 0) return srq_fail(SRQ_ERROR_DATA, "%s: it is empty; name %s", path, what);
    FILE *stream = fopen(path, "rb");
    if (!stream) return srq_fail(SRQ_ERROR_DATA, "%s: %s; check its rights", path, strerror(errno));
    fclose(stream);
    return SRQ_OK;
}

static srq_status check_format(const srq_h5_reader *reader, const char *what, const char *format, int64_t oldest,
                               int64_t newest, int64_t *version)
{
    char found[64] = "", range[64];
    if (!srq_h5_has_attribute(reader, "/", "format") || !srq_h5_has_attribute(reader, "/", "version"))
        return srq_fail(SRQ_ERROR_DATA, "%s: an HDF5 file, but not %s of srq: it has no attributes format and version",
                        reader->path, what);
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", "format", found, sizeof found));
    if (strcmp(found, format) != 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: its format is \"%s\", but %s (\"%s\") is expected; name another file",
                        reader->path, found, what, format);
    SRQ_TRY(srq_h5_read_attribute_int(reader, "/", "version", version));
    if (*version >= oldest && *version <= newest) return SRQ_OK;
    snprintf(range, sizeof range, oldest < newest ? "versions %lld to %lld" : "version %lld", (long long)oldest,
             (long long)newest);
    return srq_fail(SRQ_ERROR_DATA, "%s: version %lld of the format %s, but this srq reads %s; use a matching srq",
                    reader->path, (long long)*version, format, range);
}

/* Of files that carry one. */
static srq_status check_digest(const srq_h5_reader *reader)
{
    char found[SRQ_DIGEST_SIZE + 1], expected[SRQ_DIGEST_SIZE];
    if (!srq_h5_has_attribute(reader, "/", SRQ_H5_DIGEST)) return SRQ_OK;
    SRQ_TRY(srq_h5_read_attribute_text(reader, "/", SRQ_H5_DIGEST, found, sizeof found));
    SRQ_TRY(srq_h5_digest(reader, expected));
    if (strcmp(found, expected) == 0) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: its content does not match its digest (%.12s..., not %.12s...): it was damaged or changed "
                    "after it was written; use an earlier checkpoint or another copy",
                    reader->path, expected, found);
}

static srq_status open_reader(const char *path, const char *what, const char *format, int64_t oldest, int64_t newest,
                              int64_t *version, srq_h5_reader **out)
{
    be_quiet();
    SRQ_TRY(check_regular(path, what));
    srq_h5_reader *reader = calloc(1, sizeof *reader);
    if (!reader) return srq_fail_memory(sizeof *reader, path);
    snprintf(reader->path, sizeof reader->path, "%s", path);
    reader->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    srq_status status;
    if (reader->file < 0) {
        reason r;
        last_reason(&r);
        bool lock = strstr(r.text, "unable to lock file") != NULL; /* "lock" alone is in "sblock", too */
        status = srq_fail(SRQ_ERROR_DATA, "%s: not a whole HDF5 file (%s); %s", path, r.text,
                          lock ? "set HDF5_USE_FILE_LOCKING=FALSE if the file system has no locks"
                               : "it may have been cut short: use another copy");
    } else {
        status = format ? check_format(reader, what, format, oldest, newest, version) : SRQ_OK;
        if (status == SRQ_OK) status = check_digest(reader);
    }
    if (status != SRQ_OK)
        srq_h5_reader_close(&reader);
    else
        *out = reader;
    return status;
}

srq_status srq_h5_reader_open(const char *path, const char *what, const char *format, int64_t version,
                              srq_h5_reader **reader)
{
    int64_t found;
    return open_reader(path, what, format, version, version, &found, reader);
}

srq_status srq_h5_reader_open_versions(const char *path, const char *what, const char *format, int64_t newest,
                                       int64_t *version, srq_h5_reader **reader)
{
    return open_reader(path, what, format, 1, newest, version, reader);
}

void srq_h5_reader_close(srq_h5_reader **reader)
{
    if (!*reader) return;
    if ((*reader)->file >= 0) H5Fclose((*reader)->file);
    free(*reader);
    *reader = NULL;
}

const char *srq_h5_reader_path(const srq_h5_reader *reader)
{
    return reader->path;
}

/* H5Lexists wants every group on the way to exist. */
bool srq_h5_exists(const srq_h5_reader *reader, const char *name)
{
    char part[512];
    snprintf(part, sizeof part, "%s", name);
    for (char *slash = part; (slash = strchr(slash, '/')); slash++) {
        if (slash == part) continue;
        *slash = '\0';
        bool there = H5Lexists(reader->file, part, H5P_DEFAULT) > 0;
        *slash = '/';
        if (!there) return false;
    }
    return H5Lexists(reader->file, part, H5P_DEFAULT) > 0 && H5Oexists_by_name(reader->file, part, H5P_DEFAULT) > 0;
}

bool srq_h5_is_group(const srq_h5_reader *reader, const char *name)
{
    H5O_info_t info;
    return H5Oget_info_by_name(reader->file, name, &info, H5P_DEFAULT) >= 0 && info.type == H5O_TYPE_GROUP;
}

static const char *class_name(H5T_class_t type_class)
{
    return type_class == H5T_INTEGER  ? "integers"
           : type_class == H5T_FLOAT  ? "floats"
           : type_class == H5T_STRING ? "strings"
                                      : "other things";
}

srq_status srq_h5_broken(const srq_h5_reader *reader, const char *name)
{
    reason r;
    return srq_fail(SRQ_ERROR_DATA, "%s: data set %s cannot be read (%s); the file is damaged: use another copy",
                    reader->path, name, last_reason(&r));
}

static srq_status open_set(const srq_h5_reader *reader, const char *name, H5T_class_t type_class, hid_t *set)
{
    if (!srq_h5_exists(reader, name))
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is missing; the file is not what is expected here",
                        reader->path, name);
    *set = H5Dopen2(reader->file, name, H5P_DEFAULT);
    if (*set < 0) return srq_h5_broken(reader, name);
    hid_t type = H5Dget_type(*set);
    H5T_class_t found = H5Tget_class(type);
    H5Tclose(type);
    if (found == type_class) return SRQ_OK;
    H5Dclose(*set);
    return srq_fail(SRQ_ERROR_DATA, "%s: data set %s holds %s, but %s are expected", reader->path, name,
                    class_name(found), class_name(type_class));
}

srq_status srq_h5_shape_of(const srq_h5_reader *reader, const char *name, hid_t set, int *rank, size_t shape[8])
{
    hid_t space = H5Dget_space(set);
    hsize_t dimensions[8];
    int found = H5Sget_simple_extent_ndims(space);
    bool null = H5Sget_simple_extent_type(space) == H5S_NULL;
    if (found >= 0 && found <= 8) H5Sget_simple_extent_dims(space, dimensions, NULL);
    H5Sclose(space);
    if (null) return srq_fail(SRQ_ERROR_DATA, "%s: data set %s has no value; write the file again", reader->path, name);
    if (found < 0 || found > 8)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s has %d dimensions; at most 8 are expected", reader->path, name,
                        found);
    *rank = found;
    for (int i = 0; i < found; i++) shape[i] = (size_t)dimensions[i];
    return SRQ_OK;
}

srq_status srq_h5_shape(const srq_h5_reader *reader, const char *name, H5T_class_t type_class, int *rank,
                        size_t shape[8])
{
    hid_t set;
    SRQ_TRY(open_set(reader, name, type_class, &set));
    srq_status status = srq_h5_shape_of(reader, name, set, rank, shape);
    H5Dclose(set);
    return status;
}

static void print_shape(char *out, size_t size, int rank, const size_t *shape)
{
    size_t n = 0;
    out[0] = '\0';
    if (rank == 0) snprintf(out, size, "a scalar");
    for (int i = 0; i < rank && n < size; i++) n += (size_t)snprintf(out + n, size - n, "[%zu]", shape[i]);
}

/* A header of a few bytes can claim any shape, and HDF5 fills what was never written with zeros. No compression makes
 * numbers 4096 times smaller (deflate, the strongest in use, 1032 times), so less than that was not written by anyone.
 */
static srq_status check_size(const srq_h5_reader *reader, const char *name, hid_t set, int rank, const size_t *shape)
{
    const hsize_t stored = H5Dget_storage_size(set), limit = stored * 4096;
    hsize_t count = 1;
    for (int i = 0; i < rank; i++)
        if (shape[i] == 0) return SRQ_OK;
    for (int i = 0; i < rank; i++) {
        if (count > limit / shape[i])
            return srq_fail(SRQ_ERROR_DATA,
                            "%s: data set %s was not written whole (%llu bytes are stored); use another copy",
                            reader->path, name, (unsigned long long)stored);
        count *= shape[i];
    }
    return SRQ_OK;
}

srq_status srq_h5_room(const srq_h5_reader *reader, const char *name, int64_t *offset, size_t *total)
{
    hid_t set;
    int rank = 0;
    size_t shape[8] = {0};
    SRQ_TRY(open_set(reader, name, H5T_INTEGER, &set));
    srq_status status = srq_h5_shape_of(reader, name, set, &rank, shape);
    hid_t type = H5Dget_type(set);
    const haddr_t place = H5Dget_offset(set);
    const bool bytes = H5Tget_size(type) == 1 && rank == 1;
    H5Tclose(type);
    H5Dclose(set);
    SRQ_TRY(status);
    if (!bytes || place == HADDR_UNDEF)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: data set %s must be one row of bytes, contiguous and without a filter; write it so",
                        reader->path, name);
    struct stat info;
    if (stat(reader->path, &info) != 0 || place > (haddr_t)info.st_size || shape[0] > (haddr_t)info.st_size - place)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s goes past the end of the file; use another copy", reader->path,
                        name);
    *offset = (int64_t)place;
    *total = shape[0];
    return SRQ_OK;
}

/* Bytes that the chunks of a data set take, or 0 where that cannot be said: not in chunks, or compressed. */
static hsize_t chunk_bytes(hid_t set, int rank, const size_t *shape)
{
    hid_t properties = H5Dget_create_plist(set), type = H5Dget_type(set);
    hsize_t chunk[8] = {0}, bytes = H5Tget_size(type);
    bool known = H5Pget_layout(properties) == H5D_CHUNKED && H5Pget_chunk(properties, 8, chunk) == rank;
    for (int i = 0, n = H5Pget_nfilters(properties); known && i < n; i++) {
        unsigned flags;
        size_t values = 0;
        known = H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0, NULL, NULL) == H5Z_FILTER_FLETCHER32;
    }
    for (int i = 0; known && i < rank; i++) {
        const hsize_t whole = chunk[i] ? (shape[i] + chunk[i] - 1) / chunk[i] * chunk[i] : 0;
        bytes = whole && bytes > UINT64_MAX / whole ? UINT64_MAX : bytes * whole;
    }
    H5Tclose(type);
    H5Pclose(properties);
    return known ? bytes : 0;
}

/* HDF5 1.10 reads past its memory where a damaged header says that a chunk is larger than what was stored for it. */
srq_status srq_h5_check_stored(const srq_h5_reader *reader, const char *name, hid_t set, int rank, const size_t *shape)
{
    SRQ_TRY(check_size(reader, name, set, rank, shape));
    if (H5Dget_storage_size(set) >= chunk_bytes(set, rank, shape)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: data set %s was not written whole (%llu bytes are stored); use another copy",
                    reader->path, name, (unsigned long long)H5Dget_storage_size(set));
}

/* HDF5 would cut 300 to 255 and -1 to 0 when it makes bytes of wider integers: such a read is ended instead. */
static H5T_conv_ret_t refuse_range(H5T_conv_except_t kind, hid_t from, hid_t to, void *old, void *made, void *data)
{
    (void)from, (void)to, (void)old, (void)made;
    if (kind != H5T_CONV_EXCEPT_RANGE_HI && kind != H5T_CONV_EXCEPT_RANGE_LOW) return H5T_CONV_UNHANDLED;
    *(bool *)data = true;
    return H5T_CONV_ABORT;
}

static srq_status read_numbers(const srq_h5_reader *reader, const char *name, hid_t set, hid_t type, void *data)
{
    bool outside = false;
    hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    if (H5Tget_class(type) == H5T_INTEGER) H5Pset_type_conv_cb(transfer, refuse_range, &outside);
    srq_status status = SRQ_OK;
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, transfer, data) < 0)
        status =
            outside ? srq_fail(SRQ_ERROR_DATA,
                               "%s: data set %s holds a number outside the range of %zu bits %s; write it in that type",
                               reader->path, name, 8 * H5Tget_size(type),
                               H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned" : "signed")
                    : srq_h5_broken(reader, name);
    H5Pclose(transfer);
    return status;
}

static srq_status read_checked(const srq_h5_reader *reader, const char *name, hid_t set, hid_t type, int rank,
                               const size_t *shape, void *data)
{
    int found_rank = 0;
    size_t found[8];
    SRQ_TRY(srq_h5_shape_of(reader, name, set, &found_rank, found));
    bool same = found_rank == rank;
    for (int i = 0; same && i < rank; i++) same = found[i] == shape[i];
    if (!same) {
        char is[128], expected[128];
        print_shape(is, sizeof is, found_rank, found);
        print_shape(expected, sizeof expected, rank, shape);
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is %s, but %s is expected", reader->path, name, is, expected);
    }
    SRQ_TRY(srq_h5_check_stored(reader, name, set, rank, shape));
    return read_numbers(reader, name, set, type, data);
}

srq_status srq_h5_read(const srq_h5_reader *reader, const char *name, hid_t type, int rank, const size_t *shape,
                       void *data)
{
    hid_t set;
    SRQ_TRY(open_set(reader, name, H5Tget_class(type), &set));
    srq_status status = read_checked(reader, name, set, type, rank, shape, data);
    H5Dclose(set);
    return status;
}

/* `count` strings of the type of a data set or attribute, read by `read`, copied one by one. Strings of any kind. */
typedef herr_t (*read_function)(hid_t object, hid_t type, void *data);

static herr_t read_set(hid_t set, hid_t type, void *data)
{
    return H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
}

static herr_t read_attribute(hid_t attribute, hid_t type, void *data)
{
    return H5Aread(attribute, type, data);
}

static char *copy_text(const char *text, size_t limit)
{
    size_t n = text ? strnlen(text, limit) : 0;
    char *copy = malloc(n + 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

static bool read_variable(hid_t object, hid_t type, hid_t space, size_t count, read_function read, char **texts)
{
    char **raw = calloc(count ? count : 1, sizeof *raw);
    bool whole = raw && read(object, type, raw) >= 0;
    for (size_t i = 0; whole && i < count; i++) texts[i] = copy_text(raw[i], 1 << 24);
    if (whole) H5Dvlen_reclaim(type, space, H5P_DEFAULT, raw);
    free(raw);
    return whole;
}

static bool read_fixed(hid_t object, hid_t type, size_t count, read_function read, char **texts)
{
    const size_t width = H5Tget_size(type);
    if (width == 0 || width > (1 << 24) || (count && width > ((size_t)1 << 30) / count)) return false;
    char *raw = calloc(count ? count : 1, width);
    bool whole = raw && read(object, type, raw) >= 0;
    for (size_t i = 0; whole && i < count; i++) texts[i] = copy_text(raw + i * width, width);
    free(raw);
    return whole;
}

bool srq_h5_read_strings(hid_t object, bool attribute, hid_t type, hid_t space, size_t count, char **texts)
{
    const read_function read = attribute ? read_attribute : read_set;
    bool whole = H5Tis_variable_str(type) > 0 ? read_variable(object, type, space, count, read, texts)
                                              : read_fixed(object, type, count, read, texts);
    for (size_t i = 0; whole && i < count; i++) whole = texts[i] != NULL;
    return whole;
}

static srq_status read_texts(const srq_h5_reader *reader, const char *name, hid_t set, size_t count, char **texts)
{
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    srq_status status =
        srq_h5_read_strings(set, false, type, space, count, texts) ? SRQ_OK : srq_h5_broken(reader, name);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

srq_status srq_h5_read_text(const srq_h5_reader *reader, const char *name, char **text)
{
    int rank = 0;
    size_t shape[8];
    SRQ_TRY(srq_h5_shape(reader, name, H5T_STRING, &rank, shape));
    if (rank != 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s has %d dimensions, but one string is expected", reader->path,
                        name, rank);
    hid_t set;
    SRQ_TRY(open_set(reader, name, H5T_STRING, &set));
    *text = NULL;
    srq_status status = read_texts(reader, name, set, 1, text);
    H5Dclose(set);
    if (status != SRQ_OK) free(*text);
    return status;
}

srq_status srq_h5_read_texts(const srq_h5_reader *reader, const char *name, size_t *count, char ***texts)
{
    int rank = 0;
    size_t shape[8];
    SRQ_TRY(srq_h5_shape(reader, name, H5T_STRING, &rank, shape));
    if (rank != 1 || shape[0] > 1000000)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s must be a list of at most 1,000,000 strings", reader->path,
                        name);
    char **list = calloc(shape[0] + 1, sizeof *list);
    if (!list) return srq_fail_memory(shape[0] * sizeof *list, name);
    hid_t set;
    srq_status status = open_set(reader, name, H5T_STRING, &set);
    if (status == SRQ_OK) {
        status = read_texts(reader, name, set, shape[0], list);
        H5Dclose(set);
    }
    if (status == SRQ_OK) {
        *count = shape[0];
        *texts = list;
        return SRQ_OK;
    }
    for (size_t i = 0; i < shape[0]; i++) free(list[i]);
    free(list);
    return status;
}

bool srq_h5_has_attribute(const srq_h5_reader *reader, const char *name, const char *attribute)
{
    return H5Aexists_by_name(reader->file, name, attribute, H5P_DEFAULT) > 0;
}

/* Opens a scalar attribute of a class. */
static srq_status open_attribute(const srq_h5_reader *reader, const char *name, const char *attribute,
                                 H5T_class_t type_class, hid_t *out)
{
    if (!srq_h5_has_attribute(reader, name, attribute))
        return srq_fail(SRQ_ERROR_DATA, "%s: attribute %s of %s is missing; the file is not what is expected here",
                        reader->path, attribute, name);
    *out = H5Aopen_by_name(reader->file, name, attribute, H5P_DEFAULT, H5P_DEFAULT);
    if (*out < 0) return srq_h5_broken(reader, attribute);
    hid_t type = H5Aget_type(*out), space = H5Aget_space(*out);
    bool right = H5Tget_class(type) == type_class && H5Sget_simple_extent_npoints(space) == 1;
    H5Sclose(space);
    H5Tclose(type);
    if (right) return SRQ_OK;
    H5Aclose(*out);
    return srq_fail(SRQ_ERROR_DATA, "%s: attribute %s of %s must be one of %s", reader->path, attribute, name,
                    class_name(type_class));
}

srq_status srq_h5_read_attribute_text(const srq_h5_reader *reader, const char *name, const char *attribute, char *text,
                                      size_t size)
{
    hid_t set;
    SRQ_TRY(open_attribute(reader, name, attribute, H5T_STRING, &set));
    hid_t type = H5Aget_type(set), space = H5Aget_space(set);
    char *value = NULL;
    srq_status status =
        srq_h5_read_strings(set, true, type, space, 1, &value) ? SRQ_OK : srq_h5_broken(reader, attribute);
    if (status == SRQ_OK) snprintf(text, size, "%s", value);
    free(value);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(set);
    return status;
}

static srq_status read_number(const srq_h5_reader *reader, const char *name, const char *attribute, hid_t type,
                              void *value)
{
    hid_t set;
    SRQ_TRY(open_attribute(reader, name, attribute, H5Tget_class(type), &set));
    srq_status status = H5Aread(set, type, value) >= 0 ? SRQ_OK : srq_h5_broken(reader, attribute);
    H5Aclose(set);
    return status;
}

srq_status srq_h5_read_attribute_int(const srq_h5_reader *reader, const char *name, const char *attribute,
                                     int64_t *value)
{
    return read_number(reader, name, attribute, H5T_NATIVE_INT64, value);
}

srq_status srq_h5_read_attribute_double(const srq_h5_reader *reader, const char *name, const char *attribute,
                                        double *value)
{
    return read_number(reader, name, attribute, H5T_NATIVE_DOUBLE, value);
}

static herr_t take_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)group;
    (void)info;
    char ***next = data;
    **next = copy_text(name, 1 << 16);
    if (!**next) return -1;
    ++*next;
    return 0;
}

srq_status srq_h5_members(const srq_h5_reader *reader, const char *name, size_t *count, char ***names)
{
    H5G_info_t info;
    if ((strcmp(name, "/") != 0 && !srq_h5_exists(reader, name)) ||
        H5Gget_info_by_name(reader->file, name, &info, H5P_DEFAULT) < 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: group %s is missing; the file is not what is expected here", reader->path,
                        name);
    if (info.nlinks > 1000000) return srq_h5_broken(reader, name);
    char **list = calloc((size_t)info.nlinks + 1, sizeof *list), **next = list;
    if (!list) return srq_fail_memory((size_t)info.nlinks * sizeof *list, name);
    hsize_t at = 0;
    if (H5Literate_by_name(reader->file, name, H5_INDEX_NAME, H5_ITER_INC, &at, take_name, &next, H5P_DEFAULT) < 0) {
        for (size_t i = 0; i < info.nlinks; i++) free(list[i]);
        free(list);
        return srq_h5_broken(reader, name);
    }
    *count = (size_t)(next - list);
    *names = list;
    return SRQ_OK;
}
