/* Describes what a file holds: types, shapes, and the members of groups. In the child. */
#include "io/h5_internal.h"

#include <stdlib.h>
#include <string.h>

/* --- Types */

const char *srq_h5_class_name(H5T_class_t type_class)
{
    return type_class == H5T_INTEGER  ? "integers"
           : type_class == H5T_FLOAT  ? "floats"
           : type_class == H5T_STRING ? "strings"
                                      : "other things";
}

char *srq_h5_type_name(const srq_h5_type_info *type, char *out, size_t size)
{
    if (type->type_class == H5T_FLOAT)
        snprintf(out, size, "float%u", 8 * type->size);
    else if (type->type_class == H5T_INTEGER)
        snprintf(out, size, "%sint%u", type->is_signed ? "" : "u", 8 * type->size);
    else
        snprintf(out, size, type->type_class == H5T_STRING ? "text" : "other");
    return out;
}

srq_h5_type_info srq_h5_type_of(hid_t type)
{
    const H5T_class_t found = H5Tget_class(type);
    return (srq_h5_type_info){.type_class = found,
                              .size = (uint32_t)H5Tget_size(type),
                              .is_signed = found == H5T_INTEGER && H5Tget_sign(type) != H5T_SGN_NONE};
}

hid_t srq_h5_native(const srq_h5_type_info *type)
{
    const hid_t integers[2][4] = {{H5T_NATIVE_UINT8, H5T_NATIVE_UINT16, H5T_NATIVE_UINT32, H5T_NATIVE_UINT64},
                                  {H5T_NATIVE_INT8, H5T_NATIVE_INT16, H5T_NATIVE_INT32, H5T_NATIVE_INT64}};
    const int power = type->size == 1 ? 0 : type->size == 2 ? 1 : type->size == 4 ? 2 : type->size == 8 ? 3 : -1;
    if (type->type_class == H5T_INTEGER && power >= 0) return integers[type->is_signed][power];
    if (type->type_class == H5T_FLOAT && power == 2) return H5T_NATIVE_FLOAT;
    if (type->type_class == H5T_FLOAT && power == 3) return H5T_NATIVE_DOUBLE;
    return H5I_INVALID_HID;
}

/* --- Shapes */

srq_status srq_h5_shape_of_space(const char *path, const char *name, hid_t space, int *rank, size_t *shape)
{
    hsize_t dimensions[SRQ_H5_RANK_MAX];
    const int found = H5Sget_simple_extent_ndims(space);
    if (H5Sget_simple_extent_type(space) == H5S_NULL)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s is empty; write the file again", path, name);
    if (found < 0 || found > SRQ_H5_RANK_MAX)
        return srq_fail(SRQ_ERROR_DATA, "%s: data set %s has %d dimensions; at most 8 are expected", path, name, found);
    if (found > 0 && H5Sget_simple_extent_dims(space, dimensions, NULL) != found) return srq_h5_broken(path, name);
    *rank = found;
    for (int i = 0; i < found; i++) shape[i] = (size_t)dimensions[i];
    return SRQ_OK;
}

srq_status srq_h5_shape_of(const srq_h5_file *file, const char *name, hid_t set, int *rank, size_t *shape)
{
    hid_t space = H5Dget_space(set);
    if (space < 0) return srq_h5_broken(file->path, name);
    const srq_status status = srq_h5_shape_of_space(file->path, name, space, rank, shape);
    H5Sclose(space);
    return status;
}

/* --- Members */

typedef struct name_list {
    char **next;
    size_t room; /* a damaged file can have more than it says */
} name_list;

static herr_t take_name(hid_t group, const char *name, const H5L_info_t *info, void *data)
{
    (void)group;
    (void)info;
    name_list *list = data;
    if (list->room == 0) return -1;
    *list->next = strdup(name);
    if (!*list->next) return -1;
    list->next++;
    list->room--;
    return 0;
}

srq_status srq_h5_list_members(const srq_h5_file *file, const char *name, size_t *count, char ***names)
{
    H5G_info_t info;
    if (H5Gget_info_by_name(file->file, name, &info, H5P_DEFAULT) < 0 || info.nlinks > file->bytes)
        return srq_h5_broken(file->path, name);
    const size_t most = (size_t)info.nlinks;
    char **list = calloc(most + 1, sizeof *list);
    if (!list) return srq_fail_memory(most * sizeof *list, name);
    name_list taken = {.next = list, .room = most};
    hsize_t at = 0;
    if (H5Literate_by_name(file->file, name, H5_INDEX_NAME, H5_ITER_INC, &at, take_name, &taken, H5P_DEFAULT) < 0) {
        for (size_t i = 0; i < most; i++) free(list[i]);
        free(list);
        return srq_h5_broken(file->path, name);
    }
    *count = (size_t)(taken.next - list);
    *names = list;
    return SRQ_OK;
}
