/* Describes an unknown file: groups, and the types and shapes of data sets. */
#include "io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* H5Lexists requires that all groups of the path exist. */
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

const char *srq_h5_class_name(H5T_class_t type_class)
{
    return type_class == H5T_INTEGER  ? "integers"
           : type_class == H5T_FLOAT  ? "floats"
           : type_class == H5T_STRING ? "strings"
                                      : "other things";
}

static void print_type(hid_t type, char *out, size_t size)
{
    const size_t bits = 8 * H5Tget_size(type);
    const H5T_class_t found = H5Tget_class(type);
    if (found == H5T_FLOAT)
        snprintf(out, size, "float%zu", bits);
    else if (found == H5T_INTEGER)
        snprintf(out, size, "%sint%zu", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits);
    else
        snprintf(out, size, found == H5T_STRING ? "text" : "other");
}

char *srq_h5_type(const srq_h5_reader *reader, const char *name, char *out, size_t size)
{
    snprintf(out, size, "other");
    const hid_t set = H5Dopen2(reader->file, name, H5P_DEFAULT);
    if (set < 0) return out;
    const hid_t type = H5Dget_type(set);
    print_type(type, out, size);
    H5Tclose(type);
    H5Dclose(set);
    return out;
}

srq_status srq_h5_shape_of(const srq_h5_reader *reader, const char *name, hid_t set, int *rank, size_t shape[8])
{
    hid_t space = H5Dget_space(set);
    hsize_t dimensions[8];
    int found = H5Sget_simple_extent_ndims(space);
    bool null = H5Sget_simple_extent_type(space) == H5S_NULL;
    if (found >= 0 && found <= 8) H5Sget_simple_extent_dims(space, dimensions, NULL);
    H5Sclose(space);
    if (null) return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is empty; write the file again", reader->path, name);
    if (found < 0 || found > 8)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s has %d dimensions; at most 8 are expected", reader->path, name,
                        found);
    *rank = found;
    for (int i = 0; i < found; i++) shape[i] = (size_t)dimensions[i];
    return SRQ_OK;
}

static herr_t take_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)group;
    (void)info;
    char ***next = data;
    **next = strdup(name);
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
