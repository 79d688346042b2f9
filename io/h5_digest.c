/* The digest of the content of a file: SHA-256 over a walk in a defined order (docs/checkpoint-format.md). */
#include "io/h5_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, PATH_SIZE = 1024, LINE_SIZE = 2048 };

typedef struct walk {
    srq_h5_file *file;
    srq_digest *digest;
    /* Remaining bytes: srq compresses nothing, so the content cannot be larger than the file. */
    uint64_t left;
} walk;

static srq_status strange(const walk *w, const char *path, const char *what)
{
    return srq_fail(SRQ_ERROR_DATA,
                    "%s: %s %s, which srq never writes: the file was damaged or changed; use another copy",
                    w->file->path, path, what);
}

static srq_status take(walk *w, const char *path, uint64_t bytes)
{
    if (bytes > w->left) return strange(w, path, "holds more than the file has bytes");
    w->left -= bytes;
    return SRQ_OK;
}

/* The name of a type and its little-endian type for reading. False for other types. */
static bool name_type(hid_t type, const char **name, hid_t *as)
{
    static const char *const names[2][4] = {{"uint8", "uint16", "uint32", "uint64"},
                                            {"int8", "int16", "int32", "int64"}};
    const hid_t integers[2][4] = {{H5T_STD_U8LE, H5T_STD_U16LE, H5T_STD_U32LE, H5T_STD_U64LE},
                                  {H5T_STD_I8LE, H5T_STD_I16LE, H5T_STD_I32LE, H5T_STD_I64LE}};
    const H5T_class_t class = H5Tget_class(type);
    const size_t size = H5Tget_size(type);
    const int power = size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : size == 8 ? 3 : -1;
    *as = -1;
    *name = "text";
    if (class == H5T_STRING) return true;
    if (class == H5T_FLOAT && power >= 2) {
        *name = power == 2 ? "float32" : "float64";
        *as = power == 2 ? H5T_IEEE_F32LE : H5T_IEEE_F64LE;
        return true;
    }
    if (class != H5T_INTEGER || power < 0) return false;
    const int sign = H5Tget_sign(type) != H5T_SGN_NONE;
    *name = names[sign][power];
    *as = integers[sign][power];
    return true;
}

/* "data /layers/fc1/weight float32 10x32\n" */
static void add_line(walk *w, const char *kind, const char *name, const char *type, int rank, const size_t *shape)
{
    char line[LINE_SIZE];
    size_t n = (size_t)snprintf(line, sizeof line - 256, "%s %s%s%s%s", kind, name, type[0] ? " " : "", type,
                                type[0] && rank == 0 ? " scalar" : "");
    if (n > sizeof line - 257) n = sizeof line - 257;
    for (int i = 0; i < rank; i++) n += (size_t)snprintf(line + n, sizeof line - n, "%s%zu", i ? "x" : " ", shape[i]);
    line[n++] = '\n';
    srq_digest_add(w->digest, line, n);
}

static srq_status add_texts(walk *w, const char *path, hid_t object, bool attribute, hid_t type, hid_t space,
                            size_t count)
{
    char **texts = calloc(count + 1, sizeof *texts);
    if (!texts) return srq_fail_memory(count * sizeof *texts, path);
    const srq_status status = srq_h5_read_strings(w->file, path, object, attribute, type, space, count, texts);
    for (size_t i = 0; i < count; i++) {
        if (status == SRQ_OK) srq_digest_add(w->digest, texts[i], strlen(texts[i]) + 1);
        free(texts[i]);
    }
    free(texts);
    return status;
}

static srq_status add_numbers(walk *w, const char *path, hid_t object, bool attribute, hid_t as, size_t count)
{
    const size_t bytes = count * H5Tget_size(as);
    void *data = malloc(bytes + 1);
    if (!data) return srq_fail_memory(bytes, path);
    const herr_t result = count == 0  ? 0
                          : attribute ? H5Aread(object, as, data)
                                      : H5Dread(object, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    if (result >= 0) srq_digest_add(w->digest, data, bytes);
    free(data);
    return result >= 0 ? SRQ_OK : srq_h5_broken(w->file->path, path);
}

/* Adds the line and the content of a data set or attribute with this type and space. */
static srq_status add_values(walk *w, const char *kind, const char *path, hid_t object, bool attribute, hid_t type,
                             hid_t space, int rank, const size_t *shape)
{
    const char *name;
    hid_t as;
    if (!name_type(type, &name, &as)) return strange(w, path, "has a type that is neither a number nor a text");
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        if (shape[i] && count > w->file->bytes / shape[i])
            return strange(w, path, "holds more than the file has bytes");
        count *= shape[i];
    }
    SRQ_TRY(take(w, path, (uint64_t)count * H5Tget_size(type)));
    add_line(w, kind, path, name, rank, shape);
    return as < 0 ? add_texts(w, path, object, attribute, type, space, count)
                  : add_numbers(w, path, object, attribute, as, count);
}

/* --- Attributes */

static srq_status add_attribute(walk *w, hid_t object, const char *name)
{
    hid_t set = H5Aopen(object, name, H5P_DEFAULT);
    if (set < 0) return srq_h5_broken(w->file->path, name);
    hid_t type = H5Aget_type(set), space = H5Aget_space(set);
    size_t shape[SRQ_H5_RANK_MAX];
    int rank = 0;
    srq_status status = srq_h5_shape_of_space(w->file->path, name, space, &rank, shape);
    if (status == SRQ_OK) status = add_values(w, "attribute", name, set, true, type, space, rank, shape);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(set);
    return status;
}

typedef struct attributes {
    walk *w;
    bool root;
    srq_status status;
} attributes;

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data)
{
    (void)info;
    attributes *a = data;
    if (a->root && strcmp(name, SRQ_H5_DIGEST) == 0) return 0;
    a->status = add_attribute(a->w, object, name);
    return a->status == SRQ_OK ? 0 : -1;
}

static srq_status add_attributes(walk *w, hid_t object, const char *path)
{
    attributes a = {.w = w, .root = strcmp(path, "/") == 0};
    if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &a) >= 0) return SRQ_OK;
    return a.status != SRQ_OK ? a.status : srq_h5_broken(w->file->path, path);
}

/* --- Groups and data sets */

static srq_status add_set(walk *w, hid_t set, const char *path)
{
    int rank = 0;
    size_t shape[SRQ_H5_RANK_MAX];
    SRQ_TRY(srq_h5_shape_of(w->file, path, set, &rank, shape));
    SRQ_TRY(srq_h5_check_stored(w->file, path, set, rank, shape));
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    srq_status status = add_values(w, "data", path, set, false, type, space, rank, shape);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

static srq_status add_object(walk *w, const char *path, int depth);

static srq_status add_members(walk *w, const char *path, int depth)
{
    size_t count = 0;
    char **names = NULL;
    SRQ_TRY(srq_h5_list_members(w->file, path, &count, &names));
    srq_status status = SRQ_OK;
    for (size_t i = 0; i < count; i++) {
        char member[PATH_SIZE];
        H5L_info_t link;
        const int n = snprintf(member, sizeof member, "%s/%s", strcmp(path, "/") == 0 ? "" : path, names[i]);
        if (status == SRQ_OK && n >= (int)sizeof member) status = strange(w, path, "has a name that is too long");
        if (status == SRQ_OK &&
            (H5Lget_info(w->file->file, member, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD))
            status = strange(w, member, "is a link to another place");
        if (status == SRQ_OK) status = add_object(w, member, depth + 1);
        free(names[i]);
    }
    free(names);
    return status;
}

static srq_status add_object(walk *w, const char *path, int depth)
{
    H5O_info_t info;
    if (depth > DEPTH_MAX) return strange(w, path, "is nested too deeply");
    SRQ_TRY(take(w, path, 16));
    hid_t object = H5Oopen(w->file->file, path, H5P_DEFAULT);
    if (object < 0 || H5Oget_info(object, &info) < 0) {
        if (object >= 0) H5Oclose(object);
        return srq_h5_broken(w->file->path, path);
    }
    srq_status status = SRQ_OK;
    if (info.type == H5O_TYPE_GROUP)
        add_line(w, "group", path, "", 0, NULL);
    else
        status = info.type == H5O_TYPE_DATASET ? add_set(w, object, path)
                                               : strange(w, path, "is neither a group nor a data set");
    if (status == SRQ_OK) status = add_attributes(w, object, path);
    H5Oclose(object);
    return status == SRQ_OK && info.type == H5O_TYPE_GROUP ? add_members(w, path, depth) : status;
}

srq_status srq_h5_digest_of(srq_h5_file *file, char text[SRQ_DIGEST_SIZE])
{
    walk w = {.file = file, .left = file->bytes};
    SRQ_TRY(srq_digest_create(&w.digest));
    const srq_status status = add_object(&w, "/", 0);
    srq_digest_finish(&w.digest, text);
    return status;
}
