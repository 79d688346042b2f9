/* What is in a file, for those who do not know beforehand: types of data sets, and attributes. */
#include "io/h5.h"
#include "io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
