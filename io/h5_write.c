/* Builds files in memory. */
#include "io/h5_internal.h"

#include "io/file.h"

#include <stdlib.h>
#include <string.h>

struct srq_h5_writer {
    hid_t file;
};

srq_status srq_h5_writer_create(const char *format, int64_t version, srq_h5_writer **out)
{
    srq_h5_quiet();
    srq_h5_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return srq_fail_memory(sizeof *writer, "a file");
    hid_t access = H5Pcreate(H5P_FILE_ACCESS), creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_fapl_core(access, 1 << 20, 0);
    H5Pset_obj_track_times(creation, 0);
    /* HDF5 requires a name, but nothing is stored there. */
    writer->file = H5Fcreate("srq-in-memory", H5F_ACC_TRUNC, creation, access);
    H5Pclose(access);
    H5Pclose(creation);
    srq_status status = writer->file < 0 ? srq_h5_cannot_build("/") : SRQ_OK;
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
    hsize_t size = 0;
    if (H5Fflush(writer->file, H5F_SCOPE_GLOBAL) < 0 || H5Fget_filesize(writer->file, &size) < 0)
        return srq_h5_cannot_build("/");
    srq_h5_file file = {.file = writer->file, .path = "the file in memory", .bytes = size, .left = UINT64_MAX};
    if (srq_h5_digest_of(&file, digest) != SRQ_OK) return srq_fail(SRQ_ERROR_RUN, "%s", srq_message());
    return srq_h5_write_attribute_text(writer, "/", SRQ_H5_DIGEST, digest);
}

srq_status srq_h5_writer_commit(srq_h5_writer *writer, const char *path)
{
    ssize_t size = H5Fflush(writer->file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(writer->file, NULL, 0);
    if (size <= 0) return srq_h5_cannot_build("/");
    char *image = malloc((size_t)size + SRQ_H5_TRAILER);
    if (!image) return srq_fail_memory((size_t)size, path);
    srq_status status = H5Fget_file_image(writer->file, image, (size_t)size) == size
                            ? srq_h5_make_trailer(image, (size_t)size, image + size)
                            : srq_h5_cannot_build("/");
    if (status == SRQ_OK) status = srq_file_write_atomic(path, image, (size_t)size + SRQ_H5_TRAILER);
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

/* --- Data sets and groups */

hid_t srq_h5_link_properties(void)
{
    hid_t properties = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(properties, 1);
    return properties;
}

/* One chunk, or several along the first dimension if it would be larger than 1 GiB. Chunks have a checksum. */
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

srq_status srq_h5_write(srq_h5_writer *writer, const char *name, hid_t type, int rank, const size_t *shape,
                        const void *data)
{
    hsize_t dimensions[8] = {0};
    for (int i = 0; i < rank; i++) dimensions[i] = shape[i];
    hid_t space = rank ? H5Screate_simple(rank, dimensions, NULL) : H5Screate(H5S_SCALAR);
    hid_t properties = storage(type, rank, dimensions), link = srq_h5_link_properties();
    hid_t set = H5Dcreate2(writer->file, name, type, space, link, properties, H5P_DEFAULT);
    bool whole = set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    srq_status status = whole ? SRQ_OK : srq_h5_cannot_build(name);
    if (set >= 0) H5Dclose(set);
    H5Pclose(link);
    H5Pclose(properties);
    H5Sclose(space);
    return status;
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
    srq_status status = srq_h5_write(writer, name, type, 0, NULL, text);
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
    srq_status status = srq_h5_write(writer, name, type, 1, &count, table);
    H5Tclose(type);
    free(table);
    return status;
}

srq_status srq_h5_write_group(srq_h5_writer *writer, const char *name)
{
    hid_t link = srq_h5_link_properties(), properties = H5Pcreate(H5P_GROUP_CREATE);
    H5Pset_obj_track_times(properties, 0);
    hid_t group = H5Gcreate2(writer->file, name, link, properties, H5P_DEFAULT);
    srq_status status = group >= 0 ? SRQ_OK : srq_h5_cannot_build(name);
    if (group >= 0) H5Gclose(group);
    H5Pclose(properties);
    H5Pclose(link);
    return status;
}

/* --- Attributes */

static srq_status write_attribute(srq_h5_writer *writer, const char *name, const char *attribute, hid_t type,
                                  const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t set = H5Acreate_by_name(writer->file, name, attribute, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    srq_status status = set >= 0 && H5Awrite(set, type, value) >= 0 ? SRQ_OK : srq_h5_cannot_build(attribute);
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
