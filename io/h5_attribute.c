/* Attributes that are read. */
#include "io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                    srq_h5_class_name(type_class));
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

/* --- Any attribute */

/* The class of an attribute's type. */
static H5T_class_t attribute_class(const srq_h5_reader *reader, const char *name, const char *attribute)
{
    const hid_t set = H5Aopen_by_name(reader->file, name, attribute, H5P_DEFAULT, H5P_DEFAULT);
    if (set < 0) return H5T_NO_CLASS;
    const hid_t type = H5Aget_type(set);
    const H5T_class_t found = H5Tget_class(type);
    H5Tclose(type);
    H5Aclose(set);
    return found;
}

srq_status srq_h5_print_attribute(const srq_h5_reader *reader, const char *name, const char *attribute, char *out,
                                  size_t size)
{
    const H5T_class_t found = attribute_class(reader, name, attribute);
    double number;
    int64_t integer;
    if (found == H5T_STRING) return srq_h5_read_attribute_text(reader, name, attribute, out, size);
    if (found == H5T_FLOAT) {
        SRQ_TRY(srq_h5_read_attribute_double(reader, name, attribute, &number));
        snprintf(out, size, "%.17g", number);
    } else {
        SRQ_TRY(srq_h5_read_attribute_int(reader, name, attribute, &integer));
        snprintf(out, size, "%lld", (long long)integer);
    }
    return SRQ_OK;
}

static herr_t take_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data)
{
    (void)object;
    (void)info;
    char ***next = data;
    **next = strdup(name);
    if (!**next) return -1;
    ++*next;
    return 0;
}

srq_status srq_h5_attributes(const srq_h5_reader *reader, const char *name, size_t *count, char ***names)
{
    H5O_info_t info;
    if (H5Oget_info_by_name(reader->file, name, &info, H5P_DEFAULT) < 0 || info.num_attrs > 65536)
        return srq_h5_broken(reader, name);
    const size_t most = (size_t)info.num_attrs;
    char **list = calloc(most + 1, sizeof *list), **next = list;
    if (!list) return srq_fail_memory(most * sizeof *list, name);
    hsize_t at = 0;
    if (H5Aiterate_by_name(reader->file, name, H5_INDEX_NAME, H5_ITER_INC, &at, take_attribute, &next, H5P_DEFAULT) <
        0) {
        for (size_t i = 0; i < most; i++) free(list[i]);
        free(list);
        return srq_h5_broken(reader, name);
    }
    *count = (size_t)(next - list);
    *names = list;
    return SRQ_OK;
}
