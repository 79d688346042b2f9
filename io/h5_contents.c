/* Lists everything that a file holds: groups, data sets, attributes. In the child. */
#include "io/h5_internal.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* What srq may need in memory for the table: as much as plain files need, several times over. */
enum { DEPTH_MAX = 16, OBJECTS_MAX = 200000, RESERVE = 4 << 20, TIMES = 16 };

typedef struct listing {
    srq_h5_file *file;
    FILE *out;
    void *groups; /* addresses of the groups seen: a tree of tsearch(3) */
    size_t objects;
    uint64_t left; /* bytes that srq may still need */
} listing;

static void put(const listing *l, const void *data, size_t size)
{
    fwrite(data, 1, size, l->out);
}

static void put_text(const listing *l, const char *text)
{
    put(l, text, strlen(text) + 1);
}

static srq_status strange(const listing *l, const char *path, const char *what)
{
    return srq_fail(SRQ_ERROR_DATA, "%s: /%s %s; use another copy", l->file->path, path, what);
}

/* A data set can have any number of names, and its attributes are listed under each. */
static srq_status take(listing *l, const char *path, size_t bytes)
{
    if (bytes > l->left) return strange(l, path, "is too much: the file lists far more than one of its size holds");
    l->left -= bytes;
    return SRQ_OK;
}

/* --- Attributes */

static srq_status put_number(const listing *l, hid_t attribute, hid_t type)
{
    int64_t integer = 0;
    uint64_t wide = 0;
    double number = 0;
    const bool floats = H5Tget_class(type) == H5T_FLOAT;
    /* HDF5 would make INT64_MAX of larger numbers. */
    const bool huge = !floats && H5Tget_sign(type) == H5T_SGN_NONE && H5Tget_size(type) >= 8 &&
                      (H5Aread(attribute, H5T_NATIVE_UINT64, &wide) < 0 || wide > INT64_MAX);
    if (huge || H5Tget_size(type) > 8) {
        put(l, "x", 1);
    } else if (floats) {
        if (H5Aread(attribute, H5T_NATIVE_DOUBLE, &number) < 0) return srq_h5_broken(l->file->path, "attribute");
        put(l, "d", 1);
        put(l, &number, sizeof number);
    } else {
        if (H5Aread(attribute, H5T_NATIVE_INT64, &integer) < 0) return srq_h5_broken(l->file->path, "attribute");
        put(l, "i", 1);
        put(l, &integer, sizeof integer);
    }
    return SRQ_OK;
}

static srq_status put_string(const listing *l, const char *name, hid_t attribute, hid_t type, hid_t space)
{
    char *text = NULL;
    const srq_status status = srq_h5_read_strings(l->file, name, attribute, true, type, space, 1, &text);
    if (status == SRQ_OK) {
        put(l, "t", 1);
        put_text(l, text);
    }
    free(text);
    return status;
}

static srq_status put_value(const listing *l, const char *name, hid_t attribute, hid_t type, hid_t space)
{
    const H5T_class_t found = H5Tget_class(type);
    const bool one = H5Sget_simple_extent_type(space) != H5S_NULL && H5Sget_simple_extent_npoints(space) == 1;
    if (one && found == H5T_STRING) return put_string(l, name, attribute, type, space);
    if (one && (found == H5T_INTEGER || found == H5T_FLOAT)) return put_number(l, attribute, type);
    put(l, "x", 1);
    return SRQ_OK;
}

static srq_status put_attribute(listing *l, const char *path, hid_t object, const char *name)
{
    SRQ_TRY(take(l, path, sizeof(srq_h5_value) + strlen(name)));
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) return srq_h5_broken(l->file->path, name);
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    put_text(l, name);
    srq_status status =
        type < 0 || space < 0 ? srq_h5_broken(l->file->path, name) : srq_h5_check_type(l->file, name, type);
    if (status == SRQ_OK) status = put_value(l, name, attribute, type, space);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    H5Aclose(attribute);
    return status;
}

typedef struct attributes {
    listing *l;
    const char *path;
    uint32_t left; /* a damaged file can have more than it says */
    srq_status status;
} attributes;

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data)
{
    (void)info;
    attributes *a = data;
    if (a->left == 0) return -1;
    a->left--;
    a->status = put_attribute(a->l, a->path, object, name);
    return a->status == SRQ_OK ? 0 : -1;
}

static srq_status put_attributes(listing *l, const char *path, hid_t object, hsize_t count)
{
    const uint32_t number = (uint32_t)count;
    attributes a = {.l = l, .path = path, .left = number, .status = SRQ_OK};
    if (count > l->file->bytes || count > UINT32_MAX)
        return strange(l, path, "has more attributes than its file bytes");
    put(l, &number, sizeof number);
    if (number == 0) return SRQ_OK;
    if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &a) < 0)
        return a.status != SRQ_OK ? a.status : srq_h5_broken(l->file->path, path);
    return a.left == 0 ? SRQ_OK : strange(l, path, "has fewer attributes than it says");
}

/* --- Objects */

static srq_status put_set(const listing *l, const char *path, hid_t set)
{
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    const srq_h5_type_info info = srq_h5_type_of(type);
    const unsigned char kind[2] = {info.type_class == H5T_INTEGER  ? 0
                                   : info.type_class == H5T_FLOAT  ? 1
                                   : info.type_class == H5T_STRING ? 2
                                                                   : 3,
                                   info.is_signed};
    int rank = -1;
    size_t shape[SRQ_H5_RANK_MAX];
    if (space < 0 || srq_h5_shape_of_space(l->file->path, path, space, &rank, shape) != SRQ_OK) rank = -1;
    const int32_t rank_sent = rank;
    put(l, kind, sizeof kind);
    put(l, &info.size, 4);
    put(l, &rank_sent, 4);
    for (int i = 0; i < rank; i++) put(l, &(uint64_t){shape[i]}, 8);
    const srq_status status = type < 0 ? srq_h5_broken(l->file->path, path) : srq_h5_check_type(l->file, path, type);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return status;
}

static int by_address(const void *a, const void *b)
{
    const haddr_t x = *(const haddr_t *)a, y = *(const haddr_t *)b;
    return (x > y) - (x < y);
}

/* A group that is reached twice makes a walk endless, or exponentially long. */
static srq_status first_visit(listing *l, const char *path, haddr_t address)
{
    haddr_t *own = malloc(sizeof *own);
    if (!own) return srq_fail_memory(sizeof *own, path);
    *own = address;
    haddr_t **found = tsearch(own, &l->groups, by_address);
    if (found && *found == own) return SRQ_OK;
    free(own);
    return found ? strange(l, path, "is a group with two names, which no program writes on purpose")
                 : srq_fail_memory(sizeof *own, path);
}

static srq_status put_object(listing *l, const char *path, int depth);

static srq_status put_member(listing *l, const char *path, const char *name, int depth)
{
    char member[SRQ_H5_PATH_SIZE / 2];
    H5L_info_t link;
    const int n = snprintf(member, sizeof member, "%s%s%s", path, path[0] ? "/" : "", name);
    if (n >= (int)sizeof member) return strange(l, path, "has a name that is too long");
    if (H5Lget_info(l->file->file, member, &link, H5P_DEFAULT) < 0) return srq_h5_broken(l->file->path, member);
    if (link.type != H5L_TYPE_HARD)
        return strange(l, member,
                       "is a link to another place, which srq never follows: write the content itself into the file");
    return put_object(l, member, depth + 1);
}

static srq_status put_members(listing *l, const char *path, haddr_t address, int depth)
{
    size_t count = 0;
    char **names = NULL;
    SRQ_TRY(first_visit(l, path, address));
    SRQ_TRY(srq_h5_list_members(l->file, path[0] ? path : "/", &count, &names));
    srq_status status = SRQ_OK;
    for (size_t i = 0; i < count; i++) {
        if (status == SRQ_OK) status = put_member(l, path, names[i], depth);
        free(names[i]);
    }
    free(names);
    return status;
}

static srq_status put_head(listing *l, const char *path, hid_t object, H5O_type_t type, hsize_t count)
{
    SRQ_TRY(take(l, path, sizeof(srq_h5_object) + strlen(path)));
    put(l, type == H5O_TYPE_GROUP ? "g" : type == H5O_TYPE_DATASET ? "d" : "o", 1);
    put_text(l, path);
    if (type == H5O_TYPE_DATASET) {
        hid_t set;
        SRQ_TRY(srq_h5_open_any(l->file, path, &set));
        const srq_status status = put_set(l, path, set);
        H5Dclose(set);
        SRQ_TRY(status);
    }
    return put_attributes(l, path, object, count);
}

static srq_status put_object(listing *l, const char *path, int depth)
{
    H5O_info_t info;
    if (depth > DEPTH_MAX) return strange(l, path, "is nested too deeply");
    if (++l->objects > OBJECTS_MAX)
        return strange(l, path, "is one object too many: srq reads files with up to 200,000");
    hid_t object = H5Oopen(l->file->file, path[0] ? path : "/", H5P_DEFAULT);
    if (object < 0) return srq_h5_broken(l->file->path, path);
    srq_status status = H5Oget_info2(object, &info, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS) < 0
                            ? srq_h5_broken(l->file->path, path)
                            : put_head(l, path, object, info.type, info.num_attrs);
    H5Oclose(object);
    if (status == SRQ_OK && info.type == H5O_TYPE_GROUP) status = put_members(l, path, info.addr, depth);
    return status;
}

srq_status srq_h5_send_contents(srq_h5_file *file, FILE *out)
{
    listing l = {.file = file, .out = out, .left = RESERVE + TIMES * file->bytes};
    const srq_status status = put_object(&l, "", 0);
    tdestroy(l.groups, free);
    return status;
}
