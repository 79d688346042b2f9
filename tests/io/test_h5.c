/* The HDF5 layer: written data is read back, equal contents give equal bytes, all kinds of strings are read, and files
 * of other programs, truncated or changed files get one message each. */
#include "tests/io/h5_files.h"

#include <sys/stat.h>

START_TEST(numbers_come_back)
{
    const float expected[6] = {0, 1.5f, -2, INFINITY, 1e-40f, -0.0f};
    float weights[6];
    int64_t scalar = 0, bits = 0;
    double pi = 0;
    int rank = -1;
    size_t shape[8];
    write_sample("a.h5");
    ck_assert_msg(open_test("a.h5") == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(srq_h5_shape(reader, "layers/conv1/weight", H5T_FLOAT, &rank, shape), SRQ_OK);
    ck_assert(rank == 2 && shape[0] == 2 && shape[1] == 3);
    ck_assert_int_eq(srq_h5_read(reader, "layers/conv1/weight", H5T_NATIVE_FLOAT, 2, shape, weights), SRQ_OK);
    ck_assert_mem_eq(weights, expected, sizeof expected);
    ck_assert_int_eq(srq_h5_shape(reader, "empty", H5T_FLOAT, &rank, shape), SRQ_OK);
    ck_assert(rank == 2 && shape[0] == 0 && shape[1] == 3);
    ck_assert_int_eq(srq_h5_read(reader, "empty", H5T_NATIVE_FLOAT, 2, shape, weights), SRQ_OK);
    ck_assert_int_eq(srq_h5_read(reader, "scalar", H5T_NATIVE_INT64, 0, NULL, &scalar), SRQ_OK);
    ck_assert(scalar == INT64_MIN);
    ck_assert_int_eq(srq_h5_read_attribute_int(reader, "a", "bits", &bits), SRQ_OK);
    ck_assert_int_eq(srq_h5_read_attribute_double(reader, "/", "pi", &pi), SRQ_OK);
    ck_assert(bits == -7 && pi == 3.25);
}
END_TEST

START_TEST(texts_and_names_come_back)
{
    char *text = NULL, **list = NULL, kind[3];
    size_t count = 0;
    write_sample("a.h5");
    ck_assert_int_eq(open_test("a.h5"), SRQ_OK);
    ck_assert_int_eq(srq_h5_read_text(reader, "text", &text), SRQ_OK);
    ck_assert_str_eq(text, "one\ntwo");
    free(text);
    ck_assert_int_eq(srq_h5_read_text(reader, "no text", &text), SRQ_OK);
    ck_assert_str_eq(text, "");
    free(text);
    ck_assert_int_eq(srq_h5_read_texts(reader, "texts", &count, &list), SRQ_OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(list[0], "");
    ck_assert_str_eq(list[1], "caf\xc3\xa9");
    ck_assert_str_eq(list[2], "the longest of them");
    for (size_t i = 0; i < count; i++) free(list[i]);
    free(list);
    ck_assert_int_eq(srq_h5_read_attribute_text(reader, "a/b", "kind", kind, sizeof kind), SRQ_OK);
    ck_assert_str_eq(kind, "po"); /* cut to its room */
    ck_assert_int_eq(srq_h5_members(reader, "/", &count, &list), SRQ_OK);
    static const char *const names[] = {"a", "empty", "layers", "no text", "scalar", "text", "texts"};
    ck_assert_uint_eq(count, 7);
    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(list[i], names[i]);
        free(list[i]);
    }
    free(list);
    ck_assert(srq_h5_is_group(reader, "a/b") && !srq_h5_is_group(reader, "text"));
    ck_assert(srq_h5_exists(reader, "a/b") && !srq_h5_exists(reader, "a/b/c") && !srq_h5_exists(reader, "x/y/z"));
}
END_TEST

START_TEST(equal_contents_make_equal_bytes)
{
    size_t sizes[2];
    write_sample("a.h5");
    sleep(1); /* times in a file count seconds */
    write_sample("b.h5");
    unsigned char *a = scratch_read("a.h5", &sizes[0]), *b = scratch_read("b.h5", &sizes[1]);
    ck_assert_uint_eq(sizes[0], sizes[1]);
    ck_assert_mem_eq(a, b, sizes[0]);
    free(a);
    free(b);
}
END_TEST

START_TEST(wrong_reads_are_named)
{
    float numbers[8];
    char *text = NULL, **list = NULL, word[8];
    size_t count = 0;
    int64_t value = 0;
    const size_t shape[2] = {3, 2};
    write_sample("a.h5");
    ck_assert_int_eq(open_test("a.h5"), SRQ_OK);
    expect_message(srq_h5_read(reader, "layers/conv1/weight", H5T_NATIVE_FLOAT, 2, shape, numbers), SRQ_ERROR_DATA,
                   "a.h5: data set layers/conv1/weight is [2][3], but [3][2] is expected");
    expect_message(srq_h5_read(reader, "layers/conv1/weight", H5T_NATIVE_FLOAT, 1, shape, numbers), SRQ_ERROR_DATA,
                   "is [2][3], but [3] is expected");
    expect_message(srq_h5_read(reader, "scalar", H5T_NATIVE_FLOAT, 0, NULL, numbers), SRQ_ERROR_DATA,
                   "data set scalar holds integers, but floats are expected");
    expect_message(srq_h5_read(reader, "none", H5T_NATIVE_FLOAT, 0, NULL, numbers), SRQ_ERROR_DATA,
                   "data set none is missing");
    ck_assert_int_eq(srq_h5_read(reader, "layers", H5T_NATIVE_FLOAT, 0, NULL, numbers), SRQ_ERROR_DATA);
    expect_message(srq_h5_read_text(reader, "scalar", &text), SRQ_ERROR_DATA, "holds integers, but strings");
    expect_message(srq_h5_read_text(reader, "texts", &text), SRQ_ERROR_DATA, "one string is expected");
    expect_message(srq_h5_read_texts(reader, "text", &count, &list), SRQ_ERROR_DATA, "must be a list");
    expect_message(srq_h5_read_attribute_int(reader, "/", "format", &value), SRQ_ERROR_DATA, "one of integers");
    expect_message(srq_h5_read_attribute_int(reader, "/", "none", &value), SRQ_ERROR_DATA, "attribute none of /");
    expect_message(srq_h5_read_attribute_text(reader, "/", "pi", word, 8), SRQ_ERROR_DATA, "one of strings");
    expect_message(srq_h5_members(reader, "none", &count, &list), SRQ_ERROR_DATA, "group none is missing");
}
END_TEST

/* --- Files of other programs, made with HDF5 itself */

static void foreign_texts(hid_t file, const char *name, size_t size, H5T_cset_t set, H5T_str_t pad, const void *data)
{
    const hsize_t two = 2;
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_cset(type, set);
    H5Tset_strpad(type, pad);
    foreign_set(file, name, type, H5Screate_simple(1, &two, NULL), H5P_DEFAULT, data);
    H5Tclose(type);
}

START_TEST(strings_of_any_kind_are_read)
{
    static const char *const names[] = {"ascii", "utf8", "null padded", "variable", "variable utf8"};
    const char *const variable[2] = {"cat", "dog"};
    hid_t file = foreign_create("foreign.h5");
    foreign_texts(file, names[0], 4, H5T_CSET_ASCII, H5T_STR_NULLTERM, "cat\0dog");
    foreign_texts(file, names[1], 6, H5T_CSET_UTF8, H5T_STR_NULLTERM, "cat\0\0\0dog\0\0");
    foreign_texts(file, names[2], 3, H5T_CSET_ASCII, H5T_STR_NULLPAD, "catdog");
    foreign_texts(file, names[3], H5T_VARIABLE, H5T_CSET_ASCII, H5T_STR_NULLTERM, variable);
    foreign_texts(file, names[4], H5T_VARIABLE, H5T_CSET_UTF8, H5T_STR_NULLTERM, variable);
    H5Fclose(file);
    ck_assert_msg(open_test("foreign.h5") == SRQ_OK, "%s", srq_message());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char **texts = NULL;
        size_t count = 0;
        ck_assert_msg(srq_h5_read_texts(reader, names[i], &count, &texts) == SRQ_OK, "%s", srq_message());
        ck_assert_uint_eq(count, 2);
        ck_assert_str_eq(texts[0], "cat");
        ck_assert_str_eq(texts[1], "dog");
        free(texts[0]), free(texts[1]), free(texts);
    }
}
END_TEST

/* Reading a data set without a value must fail, and not leave the caller's memory unchanged. */
START_TEST(a_set_without_value_is_refused)
{
    float value = 7;
    hid_t file = foreign_create("null.h5");
    foreign_set(file, "null", H5T_NATIVE_FLOAT, H5Screate(H5S_NULL), H5P_DEFAULT, NULL);
    H5Fclose(file);
    ck_assert_int_eq(open_test("null.h5"), SRQ_OK);
    expect_message(srq_h5_read(reader, "null", H5T_NATIVE_FLOAT, 0, NULL, &value), SRQ_ERROR_DATA, "data set null");
}
END_TEST

/* HDF5 would cut 300 to 255 and -1 to 0 without a word. */
START_TEST(numbers_that_do_not_fit_are_refused)
{
    const int16_t right[2] = {255, 0}, high[2] = {300, 0}, low[2] = {0, -1};
    const hsize_t two = 2;
    const size_t shape = 2;
    uint8_t bytes[2] = {0, 0};
    hid_t file = foreign_create("wide.h5");
    foreign_set(file, "right", H5T_NATIVE_INT16, H5Screate_simple(1, &two, NULL), H5P_DEFAULT, right);
    foreign_set(file, "high", H5T_NATIVE_INT16, H5Screate_simple(1, &two, NULL), H5P_DEFAULT, high);
    foreign_set(file, "low", H5T_NATIVE_INT16, H5Screate_simple(1, &two, NULL), H5P_DEFAULT, low);
    H5Fclose(file);
    ck_assert_int_eq(open_test("wide.h5"), SRQ_OK);
    ck_assert_msg(srq_h5_read(reader, "right", H5T_NATIVE_UINT8, 1, &shape, bytes) == SRQ_OK, "%s", srq_message());
    ck_assert(bytes[0] == 255 && bytes[1] == 0);
    expect_message(srq_h5_read(reader, "high", H5T_NATIVE_UINT8, 1, &shape, bytes), SRQ_ERROR_DATA,
                   "data set high holds a number outside the range of 8 bits unsigned");
    expect_message(srq_h5_read(reader, "low", H5T_NATIVE_UINT8, 1, &shape, bytes), SRQ_ERROR_DATA,
                   "data set low holds a number outside the range of 8 bits unsigned");
}
END_TEST

/* As PyTorch and Keras users store weights: half precision, big-endian, compressed by gzip after a shuffle. */
START_TEST(other_floats_are_converted)
{
    const float values[4] = {1.5f, -2, 0.0625f, 65504};
    const hsize_t four = 4;
    const size_t shape = 4;
    float found[4];
    hid_t half = H5Tcopy(H5T_IEEE_F32LE), file = foreign_create("half.h5");
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    const struct {
        const char *name;
        hid_t type;
        bool compressed;
    } sets[] = {{"half", half, false},
                {"compressed", half, true},
                {"double", H5T_IEEE_F64LE, false},
                {"big-endian", H5T_IEEE_F32BE, true}};
    for (size_t i = 0; i < 4; i++) {
        hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
        if (sets[i].compressed) {
            H5Pset_chunk(properties, 1, &four);
            H5Pset_shuffle(properties);
            H5Pset_deflate(properties, 6);
        }
        hid_t space = H5Screate_simple(1, &four, NULL);
        hid_t set = H5Dcreate2(file, sets[i].name, sets[i].type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
        ck_assert(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
        H5Dclose(set), H5Sclose(space), H5Pclose(properties);
    }
    H5Tclose(half);
    H5Fclose(file);
    ck_assert_int_eq(open_test("half.h5"), SRQ_OK);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_msg(srq_h5_read(reader, sets[i].name, H5T_NATIVE_FLOAT, 1, &shape, found) == SRQ_OK, "%s",
                      srq_message());
        ck_assert_mem_eq(found, values, sizeof values);
    }
}
END_TEST

static size_t keep_all(unsigned flags, size_t n, const unsigned *values, size_t size, size_t *room, void **data)
{
    (void)flags, (void)n, (void)values, (void)room, (void)data;
    return size;
}

/* A filter of another program, as h5py's lzf. */
START_TEST(an_unknown_filter_is_named)
{
    const H5Z_class2_t filter = {.version = H5Z_CLASS_T_VERS,
                                 .id = 32123,
                                 .encoder_present = 1,
                                 .decoder_present = 1,
                                 .name = "zoo",
                                 .filter = keep_all};
    const float values[2] = {1, 2};
    const hsize_t two = 2;
    const size_t shape = 2;
    float found[2];
    hid_t file = foreign_create("filter.h5"), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Zregister(&filter);
    H5Pset_chunk(properties, 1, &two);
    H5Pset_filter(properties, 32123, H5Z_FLAG_MANDATORY, 0, NULL);
    foreign_set(file, "strange", H5T_NATIVE_FLOAT, H5Screate_simple(1, &two, NULL), properties, values);
    H5Pclose(properties);
    H5Fclose(file);
    H5Zunregister(32123);
    ck_assert_int_eq(open_test("filter.h5"), SRQ_OK);
    expect_message(srq_h5_read(reader, "strange", H5T_NATIVE_FLOAT, 1, &shape, found), SRQ_ERROR_DATA,
                   "data set strange is compressed by the filter \"zoo\" (number 32123)");
}
END_TEST

/* A header of a few bytes can claim any amount of data. It is rejected before memory is allocated. */
START_TEST(data_that_was_never_written_is_refused)
{
    const hsize_t many = (hsize_t)1 << 32, chunk = 1 << 16;
    const size_t shape = (size_t)1 << 32;
    hid_t file = foreign_create("sparse.h5"), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 1, &chunk);
    foreign_set(file, "sparse", H5T_NATIVE_UINT8, H5Screate_simple(1, &many, NULL), properties, NULL);
    H5Pclose(properties);
    H5Fclose(file);
    ck_assert_int_eq(open_test("sparse.h5"), SRQ_OK);
    uint8_t one = 0; /* the read must not get as far as to use it */
    expect_message(srq_h5_read(reader, "sparse", H5T_NATIVE_UINT8, 1, &shape, &one), SRQ_ERROR_DATA, "sparse");
}
END_TEST

/* --- Files that are not whole */

START_TEST(other_files_are_refused)
{
    unsigned char noise[4096];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (unsigned char)(i * i * 31 + i);
    scratch_write("noise.h5", noise, sizeof noise);
    scratch_write("none.h5", noise, 0);
    mkdir(scratch("folder.h5"), 0777);
    mkfifo(scratch("pipe.h5"), 0666);
    expect_message(open_test("missing.h5"), SRQ_ERROR_DATA, "missing.h5: No such file");
    expect_message(open_test("noise.h5"), SRQ_ERROR_DATA, "noise.h5: not a whole HDF5 file");
    expect_message(open_test("none.h5"), SRQ_ERROR_DATA, "none.h5: it is empty");
    expect_message(open_test("folder.h5"), SRQ_ERROR_DATA, "folder.h5: it is a folder");
    expect_message(open_test("pipe.h5"), SRQ_ERROR_DATA, "pipe.h5: it is not a regular file");
    hid_t file = H5Fcreate(scratch("plain.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    expect_message(open_test("plain.h5"), SRQ_ERROR_DATA, "the attributes format and version are missing");
    write_sample("a.h5");
    expect_message(srq_h5_reader_open(scratch("a.h5"), "a zoo", "srq-zoo", 1, &reader), SRQ_ERROR_DATA, "a zoo");
    expect_message(srq_h5_reader_open(scratch("a.h5"), "a test", "srq-test", 2, &reader), SRQ_ERROR_DATA, "version 1");
    ck_assert_ptr_null(reader);
}
END_TEST

/* The checksum of a chunk detects a changed number. */
START_TEST(a_changed_number_is_noticed)
{
    const float weights[2] = {1.5f, -2};
    float numbers[6];
    const size_t shape[2] = {2, 3};
    size_t size = 0, at = 0;
    write_sample("a.h5");
    unsigned char *data = scratch_read("a.h5", &size);
    while (at + sizeof weights < size && memcmp(data + at, weights, sizeof weights) != 0) at++;
    ck_assert(at + sizeof weights < size);
    data[at] ^= 1;
    scratch_write("hurt.h5", data, size - 256); /* without the digest of the raw bytes */
    free(data);
    ck_assert_int_eq(open_test("hurt.h5"), SRQ_OK);
    expect_message(srq_h5_read(reader, "layers/conv1/weight", H5T_NATIVE_FLOAT, 2, shape, numbers), SRQ_ERROR_DATA,
                   "data set layers/conv1/weight cannot be read");
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("h5");
    TCase *tests = tcase_create("h5");
    tcase_add_checked_fixture(tests, NULL, expect_closed);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, numbers_come_back);
    tcase_add_test(tests, texts_and_names_come_back);
    tcase_add_test(tests, equal_contents_make_equal_bytes);
    tcase_add_test(tests, wrong_reads_are_named);
    tcase_add_test(tests, strings_of_any_kind_are_read);
    tcase_add_test(tests, a_set_without_value_is_refused);
    tcase_add_test(tests, numbers_that_do_not_fit_are_refused);
    tcase_add_test(tests, other_floats_are_converted);
    tcase_add_test(tests, an_unknown_filter_is_named);
    tcase_add_test(tests, data_that_was_never_written_is_refused);
    tcase_add_test(tests, other_files_are_refused);
    tcase_add_test(tests, a_changed_number_is_noticed);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
