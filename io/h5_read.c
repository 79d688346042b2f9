/* Reads data sets of numbers and strings with the expected type and shape. In the child. */
#include "io/h5_internal.h"

#include <stdlib.h>
#include <string.h>

static srq_status open_set(const srq_h5_file *file, const char *name, H5T_class_t type_class, hid_t *set)
{
    SRQ_TRY(srq_h5_open_any(file, name, set));
    hid_t type = H5Dget_type(*set);
    const H5T_class_t found = H5Tget_class(type);
    H5Tclose(type);
    if (found == type_class) return SRQ_OK;
    H5Dclose(*set);
    return srq_fail(SRQ_ERROR_DATA, "%s: data set %s holds %s, but %s are expected", file->path, name,
                    srq_h5_class_name(found), srq_h5_class_name(type_class));
}

/* --- Numbers */

/* HDF5 would convert 300 to 255 and -1 to 0 when reading wider integers as bytes. Such a read fails instead. */
static H5T_conv_ret_t refuse_range(H5T_conv_except_t kind, hid_t from, hid_t to, void *old, void *made, void *data)
{
    (void)from, (void)to, (void)old, (void)made;
    if (kind != H5T_CONV_EXCEPT_RANGE_HI && kind != H5T_CONV_EXCEPT_RANGE_LOW) return H5T_CONV_UNHANDLED;
    *(bool *)data = true;
    return H5T_CONV_ABORT;
}

static srq_status read_numbers(const srq_h5_file *file, const char *name, hid_t set, hid_t type, void *data)
{
    bool outside = false;
    hid_t transfer = H5Pcreate(H5P_DATASET_XFER);
    if (H5Tget_class(type) == H5T_INTEGER) H5Pset_type_conv_cb(transfer, refuse_range, &outside);
    srq_status status = SRQ_OK;
    if (H5Dread(set, type, H5S_ALL, H5S_ALL, transfer, data) < 0)
        status =
            outside ? srq_fail(SRQ_ERROR_DATA,
                               "%s: data set %s holds a number outside the range of %zu bits %s; write it in that type",
                               file->path, name, 8 * H5Tget_size(type),
                               H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned" : "signed")
                    : srq_h5_broken(file->path, name);
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

static srq_status check_shape(const srq_h5_file *file, const srq_h5_request *request, hid_t set, int *rank,
                              size_t shape[SRQ_H5_RANK_MAX])
{
    size_t wanted[SRQ_H5_RANK_MAX] = {0};
    SRQ_TRY(srq_h5_shape_of(file, request->name, set, rank, shape));
    bool same = *rank == request->rank;
    for (int i = 0; i < request->rank; i++) wanted[i] = (size_t)request->shape[i];
    for (int i = 0; same && i < *rank; i++) same = shape[i] == wanted[i];
    if (same) return srq_h5_check_stored(file, request->name, set, *rank, shape);
    char is[256], expected[256];
    print_shape(is, sizeof is, *rank, shape);
    print_shape(expected, sizeof expected, request->rank, wanted);
    return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is %s, but %s is expected", file->path, request->name, is,
                    expected);
}

static srq_status load_numbers(srq_h5_file *file, const srq_h5_request *request, hid_t set, char **data, size_t *bytes)
{
    const hid_t type = srq_h5_native(&request->type);
    int rank = 0;
    size_t shape[SRQ_H5_RANK_MAX];
    SRQ_TRY(check_shape(file, request, set, &rank, shape));
    *bytes = request->type.size;
    for (int i = 0; i < rank; i++) *bytes *= shape[i]; /* the check bounds it */
    SRQ_TRY(srq_h5_take(file, request->name, *bytes));
    srq_h5_allow_memory(4 * (uint64_t)*bytes);
    *data = malloc(*bytes + 1);
    if (!*data) return srq_fail_memory(*bytes, request->name);
    const srq_status status = *bytes ? read_numbers(file, request->name, set, type, *data) : SRQ_OK;
    return status;
}

srq_status srq_h5_load_numbers(srq_h5_file *file, const srq_h5_request *request, char **data, size_t *bytes)
{
    hid_t set;
    SRQ_TRY(open_set(file, request->name, request->type.type_class, &set));
    const srq_status status = load_numbers(file, request, set, data, bytes);
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
    const size_t n = text ? strnlen(text, limit) : 0;
    char *copy = malloc(n + 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

/* Reads some of the strings of a data set to raw[], or the single one of an attribute. */
static srq_status read_some(const srq_h5_file *file, const char *name, hid_t object, bool attribute, hid_t type,
                            hid_t space, hsize_t at, hsize_t count, char **raw)
{
    if (attribute || H5Sget_simple_extent_ndims(space) != 1)
        return (attribute ? read_attribute : read_set)(object, type, raw) >= 0 ? SRQ_OK
                                                                               : srq_h5_broken(file->path, name);
    hid_t memory = H5Screate_simple(1, &count, NULL);
    const bool whole = H5Sselect_hyperslab(space, H5S_SELECT_SET, &at, NULL, &count, NULL) >= 0 &&
                       H5Dread(object, type, memory, space, H5P_DEFAULT, raw) >= 0;
    const srq_status status = whole ? SRQ_OK : srq_h5_broken(file->path, name); /* before HDF5 forgets the reason */
    H5Sclose(memory);
    return status;
}

/* In small parts, because many elements can refer to one long string. */
static srq_status read_variable(srq_h5_file *file, const char *name, hid_t object, bool attribute, hid_t type,
                                hid_t space, size_t count, char **texts)
{
    enum { PART = 8 };
    char *raw[PART];
    uint64_t total = 0; /* each string is in the file once */
    if ((attribute || H5Sget_simple_extent_ndims(space) != 1) && count > 1) return srq_h5_broken(file->path, name);
    for (size_t at = 0; at < count; at += PART) {
        const size_t part = count - at < PART ? count - at : PART;
        memset(raw, 0, sizeof raw);
        SRQ_TRY(read_some(file, name, object, attribute, type, space, at, part, raw));
        srq_status status = SRQ_OK;
        for (size_t i = 0; i < part; i++) {
            const size_t length = raw[i] ? strlen(raw[i]) : 0;
            total += length;
            if (status == SRQ_OK) status = srq_h5_take(file, name, total > file->bytes ? UINT64_MAX : length + 1);
            if (status == SRQ_OK) texts[at + i] = copy_text(raw[i], length);
            free(raw[i]); /* HDF5 allocates with malloc, if it is not told otherwise */
        }
        SRQ_TRY(status);
    }
    return SRQ_OK;
}

static srq_status read_fixed(srq_h5_file *file, const char *name, hid_t object, bool attribute, hid_t type,
                             size_t count, char **texts)
{
    const size_t width = H5Tget_size(type);
    if (width == 0) return srq_h5_broken(file->path, name);
    if (count && width > SIZE_MAX / count) return srq_h5_take(file, name, UINT64_MAX);
    SRQ_TRY(srq_h5_take(file, name, (uint64_t)width * count));
    char *raw = calloc(count ? count : 1, width);
    if (!raw) return srq_fail_memory(width * count, name);
    const read_function read = attribute ? read_attribute : read_set;
    const srq_status status = count == 0 || read(object, type, raw) >= 0 ? SRQ_OK : srq_h5_broken(file->path, name);
    for (size_t i = 0; status == SRQ_OK && i < count; i++) texts[i] = copy_text(raw + i * width, width);
    free(raw);
    return status;
}

srq_status srq_h5_read_strings(srq_h5_file *file, const char *name, hid_t object, bool attribute, hid_t type,
                               hid_t space, size_t count, char **texts)
{
    SRQ_TRY(H5Tis_variable_str(type) > 0 ? read_variable(file, name, object, attribute, type, space, count, texts)
                                         : read_fixed(file, name, object, attribute, type, count, texts));
    for (size_t i = 0; i < count; i++)
        if (!texts[i]) return srq_fail_memory(0, name);
    return SRQ_OK;
}

static srq_status print_strings(srq_h5_file *file, const char *name, hid_t set, size_t count, FILE *out)
{
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    char **texts = calloc(count + 1, sizeof *texts);
    srq_status status = texts ? srq_h5_read_strings(file, name, set, false, type, space, count, texts)
                              : srq_fail_memory(count * sizeof *texts, name);
    for (size_t i = 0; texts && i < count; i++) {
        if (status == SRQ_OK) fwrite(texts[i], 1, strlen(texts[i]) + 1, out);
        free(texts[i]);
    }
    free(texts);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

static srq_status send_texts(srq_h5_file *file, const srq_h5_request *request, hid_t set, FILE *out)
{
    int rank = 0;
    size_t shape[SRQ_H5_RANK_MAX];
    SRQ_TRY(srq_h5_shape_of(file, request->name, set, &rank, shape));
    if (request->rank == 0 && rank != 0)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s has %d dimensions, but one string is expected", file->path,
                        request->name, rank);
    if (request->rank == 1 && (rank != 1 || shape[0] > 1000000))
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s must be a list of at most 1,000,000 strings", file->path,
                        request->name);
    SRQ_TRY(srq_h5_check_stored(file, request->name, set, rank, shape));
    return print_strings(file, request->name, set, rank ? shape[0] : 1, out);
}

srq_status srq_h5_send_texts(srq_h5_file *file, const srq_h5_request *request, FILE *out)
{
    hid_t set;
    SRQ_TRY(open_set(file, request->name, H5T_STRING, &set));
    const srq_status status = send_texts(file, request, set, out);
    H5Dclose(set);
    return status;
}

/* --- Bytes that are read without HDF5 */

srq_status srq_h5_send_room(srq_h5_file *file, const srq_h5_request *request, FILE *out)
{
    hid_t set;
    int rank = 0;
    size_t shape[SRQ_H5_RANK_MAX] = {0};
    SRQ_TRY(open_set(file, request->name, H5T_INTEGER, &set));
    const srq_status status = srq_h5_shape_of(file, request->name, set, &rank, shape);
    hid_t type = H5Dget_type(set);
    const haddr_t place = H5Dget_offset(set);
    const bool bytes = H5Tget_size(type) == 1 && rank == 1;
    H5Tclose(type);
    H5Dclose(set);
    SRQ_TRY(status);
    if (!bytes || place == HADDR_UNDEF)
        return srq_fail(SRQ_ERROR_DATA,
                        "%s: data set %s must be one row of bytes, contiguous and without a filter; write it like this",
                        file->path, request->name);
    if (place > file->bytes || shape[0] > file->bytes - place)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s goes past the end of the file; use another copy", file->path,
                        request->name);
    const int64_t answer[2] = {(int64_t)place, (int64_t)shape[0]};
    fwrite(answer, sizeof answer, 1, out);
    return SRQ_OK;
}
