/* Reads data sets of numbers and strings with the expected type and shape. */
#include "io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

srq_status srq_h5_open_set(const srq_h5_reader *reader, const char *name, H5T_class_t type_class, hid_t *set)
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
                    srq_h5_class_name(found), srq_h5_class_name(type_class));
}

srq_status srq_h5_shape(const srq_h5_reader *reader, const char *name, H5T_class_t type_class, int *rank,
                        size_t shape[8])
{
    hid_t set;
    SRQ_TRY(srq_h5_open_set(reader, name, type_class, &set));
    srq_status status = srq_h5_shape_of(reader, name, set, rank, shape);
    H5Dclose(set);
    return status;
}

/* --- Numbers */

/* A header of a few bytes can claim any shape, and HDF5 fills missing data with zeros. No compression makes numbers
 * 4096 times smaller (deflate, the strongest in use, reaches 1032), so a file that stores less was not written whole.
 * */
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

/* The bytes of the chunks of a data set, or 0 if unknown: without chunks, or compressed. */
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

/* HDF5 1.10 reads past its memory if a damaged header says that a chunk is larger than the stored data. */
srq_status srq_h5_check_stored(const srq_h5_reader *reader, const char *name, hid_t set, int rank, const size_t *shape)
{
    SRQ_TRY(check_size(reader, name, set, rank, shape));
    if (H5Dget_storage_size(set) >= chunk_bytes(set, rank, shape)) return SRQ_OK;
    return srq_fail(SRQ_ERROR_DATA, "%s: data set %s was not written whole (%llu bytes are stored); use another copy",
                    reader->path, name, (unsigned long long)H5Dget_storage_size(set));
}

/* HDF5 would convert 300 to 255 and -1 to 0 when reading wider integers as bytes. Such a read fails instead. */
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

static void print_shape(char *out, size_t size, int rank, const size_t *shape)
{
    size_t n = 0;
    out[0] = '\0';
    if (rank == 0) snprintf(out, size, "a scalar");
    for (int i = 0; i < rank && n < size; i++) n += (size_t)snprintf(out + n, size - n, "[%zu]", shape[i]);
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
    SRQ_TRY(srq_h5_open_set(reader, name, H5Tget_class(type), &set));
    srq_status status = read_checked(reader, name, set, type, rank, shape, data);
    H5Dclose(set);
    return status;
}

/* --- Strings of any kind */

/* Buffers for the raw strings of a data set or an attribute. Each string is then copied. */
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
    SRQ_TRY(srq_h5_open_set(reader, name, H5T_STRING, &set));
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
    srq_status status = srq_h5_open_set(reader, name, H5T_STRING, &set);
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
