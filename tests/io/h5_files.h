/* For the tests of the HDF5 layer: a sample that srq writes, and files as other programs write them. */
#ifndef SRQ_TESTS_IO_H5_FILES_H
#define SRQ_TESTS_IO_H5_FILES_H

#include "io/h5.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <math.h>

static srq_h5_reader *reader;

static inline srq_status open_test(const char *name)
{
    return srq_h5_reader_open(scratch(name), "a test file", "srq-test", 1, &reader);
}

static inline void expect_message(srq_status found, srq_status status, const char *words)
{
    ck_assert_msg(found == status, "status %d, not %d: %s", found, status, srq_message());
    ck_assert_msg(strstr(srq_message(), words) != NULL, "\"%s\" is not in: %s", words, srq_message());
}

/* After every test: no file, data set, group or attribute of HDF5 is open. */
static inline void expect_closed(void)
{
    if (reader) srq_h5_reader_close(&reader);
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

static inline void write_sample(const char *name)
{
    srq_h5_writer *w = NULL;
    const float weights[6] = {0, 1.5f, -2, INFINITY, 1e-40f, -0.0f};
    const size_t shape[2] = {2, 3}, none[2] = {0, 3};
    const int64_t scalar = INT64_MIN;
    const char *const texts[] = {"", "caf\xc3\xa9", "the longest of them"};
    ck_assert_int_eq(srq_h5_writer_create("srq-test", 1, &w), SRQ_OK);
    ck_assert_int_eq(srq_h5_write(w, "layers/conv1/weight", H5T_NATIVE_FLOAT, 2, shape, weights), SRQ_OK);
    ck_assert_int_eq(srq_h5_write(w, "empty", H5T_NATIVE_FLOAT, 2, none, weights), SRQ_OK);
    ck_assert_int_eq(srq_h5_write(w, "scalar", H5T_NATIVE_INT64, 0, NULL, &scalar), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_text(w, "text", "one\ntwo"), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_text(w, "no text", ""), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_texts(w, "texts", 3, texts), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_group(w, "a/b"), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_attribute_text(w, "a/b", "kind", "pool"), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_attribute_int(w, "a", "bits", -7), SRQ_OK);
    ck_assert_int_eq(srq_h5_write_attribute_double(w, "/", "pi", 3.25), SRQ_OK);
    ck_assert_int_eq(srq_h5_write(w, "scalar", H5T_NATIVE_INT64, 0, NULL, &scalar), SRQ_ERROR_RUN);
    ck_assert_int_eq(srq_h5_writer_commit(w, scratch(name)), SRQ_OK);
    srq_h5_writer_destroy(&w);
    ck_assert_ptr_null(w);
    srq_h5_writer_destroy(&w);
}

static inline hid_t foreign_create(const char *name)
{
    hid_t file = H5Fcreate(scratch(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    const char *format = "srq-test";
    const int version = 1;
    H5Tset_size(type, H5T_VARIABLE);
    hid_t a = H5Acreate2(file, "format", type, space, H5P_DEFAULT, H5P_DEFAULT);
    hid_t b = H5Acreate2(file, "version", H5T_STD_I16BE, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(H5Awrite(a, type, &format) >= 0 && H5Awrite(b, H5T_NATIVE_INT, &version) >= 0);
    H5Aclose(a), H5Aclose(b), H5Tclose(type), H5Sclose(space);
    return file;
}

static inline void foreign_set(hid_t file, const char *name, hid_t type, hid_t space, hid_t properties,
                               const void *data)
{
    hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ck_assert(set >= 0);
    if (data) ck_assert(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

#endif
