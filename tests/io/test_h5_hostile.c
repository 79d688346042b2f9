/* Files that are damaged, hostile or in use: each is refused with one message, in bounded time and memory. */
#include "core/random.h"
#include "tests/io/h5_files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- In use */

/* Another process has a file open for writing, for so many milliseconds. Returns its number when it has the lock. */
static pid_t lock_for(const char *name, long milliseconds)
{
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    const pid_t other = fork();
    if (other == 0) {
        const struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
        const int file = open(scratch(name), O_RDWR);
        if (file < 0 || flock(file, LOCK_EX) != 0 || write(ready[1], "x", 1) != 1) _exit(1);
        nanosleep(&pause, NULL);
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return other;
}

START_TEST(a_file_in_use_is_waited_for)
{
    int status;
    write_sample("a.h5");
    unsetenv("HDF5_USE_FILE_LOCKING");
    pid_t other = lock_for("a.h5", 300);
    ck_assert_msg(open_test("a.h5") == SRQ_OK, "%s", srq_message());
    srq_h5_reader_close(&reader);
    waitpid(other, &status, 0);
    other = lock_for("a.h5", 60000);
    expect_message(srq_h5_wait(scratch("a.h5")), SRQ_ERROR_DATA, "a.h5: it is in use: another process");
    kill(other, SIGKILL);
    waitpid(other, &status, 0);
}
END_TEST

START_TEST(a_file_left_open_by_a_writer_is_named)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(scratch("a.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Fclose(file);
    size_t size;
    unsigned char *data = scratch_read("a.h5", &size);
    ck_assert(data[8] == 3);
    data[11] |= 5;
    scratch_write("marked.h5", data, size);
    free(data);
    H5Pclose(access);
    expect_message(srq_h5_wait(scratch("marked.h5")), SRQ_ERROR_DATA, "h5clear -s");
}
END_TEST

/* --- Content that is not in the file itself, or without end */

static hid_t foreign_group(hid_t at, const char *name)
{
    return H5Gcreate2(at, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

START_TEST(links_are_never_followed)
{
    write_sample("target.h5");
    for (int kind = 0; kind < 2; kind++) {
        hid_t file = foreign_create("links.h5");
        hid_t group = foreign_group(file, "layers");
        if (kind == 0)
            H5Lcreate_soft("/text", group, "weight", H5P_DEFAULT, H5P_DEFAULT);
        else
            H5Lcreate_external(scratch("target.h5"), "/scalar", group, "weight", H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(group);
        H5Fclose(file);
        expect_message(open_test("links.h5"), SRQ_ERROR_DATA, "/layers/weight is a link to another place");
    }
}
END_TEST

START_TEST(other_files_are_never_read)
{
    const hsize_t four = 4;
    float numbers[4] = {1, 2, 3, 4};
    scratch_write("raw.bin", (const unsigned char *)numbers, sizeof numbers);
    hid_t file = foreign_create("external.h5"), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, scratch("raw.bin"), 0, sizeof numbers);
    foreign_set(file, "weight", H5T_NATIVE_FLOAT, H5Screate_simple(1, &four, NULL), properties, NULL);
    H5Pclose(properties);
    H5Fclose(file);
    expect_message(open_test("external.h5"), SRQ_ERROR_DATA, "data set weight is stored in other files");
    file = foreign_create("virtual.h5");
    properties = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &four, NULL);
    H5Pset_virtual(properties, space, scratch("target.h5"), "/layers/conv1/weight", space);
    H5Sclose(space);
    foreign_set(file, "weight", H5T_NATIVE_FLOAT, H5Screate_simple(1, &four, NULL), properties, NULL);
    H5Pclose(properties);
    H5Fclose(file);
    expect_message(open_test("virtual.h5"), SRQ_ERROR_DATA, "data set weight is stored in other files");
}
END_TEST

/* 100 links of the root to itself: a walk without memory would take 100^16 steps. */
START_TEST(circles_of_groups_are_refused)
{
    hid_t file = foreign_create("circle.h5");
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "again%d", i);
        H5Lcreate_hard(file, "/", file, name, H5P_DEFAULT, H5P_DEFAULT);
    }
    H5Fclose(file);
    expect_message(open_test("circle.h5"), SRQ_ERROR_DATA, "is a group with two names");
}
END_TEST

/* Names of a data set with many attributes: each would be listed with all of them. */
START_TEST(one_set_with_many_names_is_refused)
{
    enum { NAMES = 1500, ATTRIBUTES = 100 };
    char name[16];
    const hsize_t two = 2;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    hid_t file = H5Fcreate(scratch("names.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    foreign_set(file, "set", H5T_STD_I8LE, H5Screate_simple(1, &two, NULL), H5P_DEFAULT, NULL);
    hid_t set = H5Dopen2(file, "set", H5P_DEFAULT), space = H5Screate_simple(1, &two, NULL);
    for (int i = 0; i < ATTRIBUTES; i++) {
        snprintf(name, sizeof name, "%d", i);
        H5Aclose(H5Acreate2(set, name, H5T_STD_I8LE, space, H5P_DEFAULT, H5P_DEFAULT));
    }
    H5Sclose(space), H5Dclose(set), H5Pclose(access);
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "name%d", i);
        H5Lcreate_hard(file, "/set", file, name, H5P_DEFAULT, H5P_DEFAULT);
    }
    H5Fclose(file);
    expect_message(open_test("names.h5"), SRQ_ERROR_DATA, "the file lists far more than one of its size holds");
}
END_TEST

/* 2,000 references to one string of 4 MB would be 8 GB. */
START_TEST(one_string_many_times_is_refused)
{
    enum { COUNT = 2000, LENGTH = 1 << 22 };
    const hsize_t count = COUNT;
    char *text = malloc(LENGTH + 1), **list = NULL;
    const char *texts[COUNT] = {NULL};
    ck_assert_ptr_nonnull(text);
    memset(text, 'a', LENGTH);
    text[LENGTH] = '\0';
    texts[0] = text;
    hid_t file = foreign_create("bomb.h5"), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    foreign_set(file, "texts", type, H5Screate_simple(1, &count, NULL), H5P_DEFAULT, texts);
    H5Tclose(type);
    H5Fclose(file);
    /* The 16 bytes that refer to the first string, in place of all others. */
    size_t size = 0, at = 0, found = 0;
    unsigned char *data = scratch_read("bomb.h5", &size);
    static const unsigned char length[4] = {LENGTH & 255, LENGTH >> 8 & 255, LENGTH >> 16 & 255, LENGTH >> 24 & 255};
    for (; at + COUNT * 16 < size && memcmp(data + at, length, 4) != 0; at++) {
    }
    ck_assert(at + COUNT * 16 < size);
    for (size_t i = 1; i < COUNT; i++) memcpy(data + at + 16 * i, data + at, 16);
    scratch_write("bomb.h5", data, size);
    free(data);
    free(text);
    ck_assert_msg(open_test("bomb.h5") == SRQ_OK, "%s", srq_message());
    expect_message(srq_h5_read_texts(reader, "texts", &found, &list), SRQ_ERROR_DATA,
                   "texts holds more than a file of");
}
END_TEST

/* One chunk of 4 GB of zeros takes 4 MB in a file. */
START_TEST(compressed_bombs_are_refused)
{
    const hsize_t side = (hsize_t)1 << 29, chunk = 1 << 20;
    const size_t shape = (size_t)1 << 29;
    float one = 0;
    float *zeros = calloc(chunk, sizeof *zeros);
    ck_assert_ptr_nonnull(zeros);
    hid_t file = foreign_create("bomb.h5"), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 1, &chunk);
    H5Pset_deflate(properties, 9);
    hid_t space = H5Screate_simple(1, &side, NULL), memory = H5Screate_simple(1, &chunk, NULL);
    hid_t set = H5Dcreate2(file, "zeros", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    for (hsize_t at = 0; at < side; at += 128 * chunk) {
        H5Sselect_hyperslab(space, H5S_SELECT_SET, &at, NULL, &chunk, NULL);
        H5Dwrite(set, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, zeros);
    }
    H5Dclose(set), H5Sclose(memory), H5Sclose(space), H5Pclose(properties), H5Fclose(file);
    free(zeros);
    ck_assert_int_eq(open_test("bomb.h5"), SRQ_OK);
    ck_assert_int_eq(srq_h5_read(reader, "zeros", H5T_NATIVE_FLOAT, 1, &shape, &one), SRQ_ERROR_DATA);
}
END_TEST

/* Two checkpoints that end HDF5 1.10.8 with a segmentation fault. */
START_TEST(files_that_crash_hdf5_are_refused)
{
    static const char *const names[] = {"attribute-message", "attribute-table"};
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        snprintf(path, sizeof path, SRQ_SOURCE_DIR "/tests/data/damaged/%s.h5", names[i]);
        ck_assert_int_eq(srq_h5_reader_open(path, "a checkpoint", NULL, 0, &reader), SRQ_ERROR_DATA);
        ck_assert_msg(strstr(srq_message(), path) != NULL, "%s", srq_message());
    }
}
END_TEST

/* The types of numbers in the file, as HDF5 writes them. The places of bits are the bytes from 2 on. */
START_TEST(types_of_bits_that_are_not_there)
{
    enum { TRAILER = 256 };
    static const struct {
        const char *type; /* class and version, bit field, size, offset, precision, then fields */
        size_t length, place;
        unsigned char value;
    } cases[] = {
        {"\x11\x20\x3f\0\x08\0\0\0\0\0\x40\0\x34\x0b\0\x34", 16, 2, 64},  /* place of the sign */
        {"\x11\x20\x3f\0\x08\0\0\0\0\0\x40\0\x34\x0b\0\x34", 16, 12, 60}, /* of the exponent */
        {"\x11\x20\x3f\0\x08\0\0\0\0\0\x40\0\x34\x0b\0\x34", 16, 14, 64}, /* of the mantissa */
        {"\x11\x20\x3f\0\x08\0\0\0\0\0\x40\0\x34\x0b\0\x34", 16, 15, 80}, /* its size */
        {"\x11\x20\x1f\0\x04\0\0\0\0\0\x20\0\x17\x08\0\x17", 16, 14, 10}, /* the weights' */
        {"\x10\x08\0\0\x08\0\0\0\0\0\x40\0", 12, 8, 8},                   /* offset of an integer */
    };
    write_sample("sound.h5");
    unsigned char bytes[1 << 16], changed[1 << 16];
    FILE *stream = fopen(scratch("sound.h5"), "rb");
    ck_assert_ptr_nonnull(stream);
    const size_t size = fread(bytes, 1, sizeof bytes, stream) - TRAILER;
    fclose(stream);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memcpy(changed, bytes, size);
        unsigned char *type = memmem(changed, size, cases[i].type, cases[i].length);
        ck_assert_msg(type != NULL, "type %zu is not in the file", i);
        type[cases[i].place] = cases[i].value;
        scratch_write("unsound.h5", (char *)changed, size);
        expect_message(open_test("unsound.h5"), SRQ_ERROR_DATA, "describes bits that its numbers do not have");
    }
    /* Numbers that are rare but sound: 16 and 80 bits. */
    hid_t half = H5Tcopy(H5T_IEEE_F32LE), file = foreign_create("rare.h5");
    const hsize_t two = 2;
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_precision(half, 16), H5Tset_size(half, 2), H5Tset_ebias(half, 15);
    foreign_set(file, "half", half, H5Screate_simple(1, &two, NULL), H5P_DEFAULT, NULL);
    foreign_set(file, "long", H5T_NATIVE_LDOUBLE, H5Screate_simple(1, &two, NULL), H5P_DEFAULT, NULL);
    H5Tclose(half), H5Fclose(file);
    ck_assert_msg(open_test("rare.h5") == SRQ_OK, "%s", srq_message());
}
END_TEST

/* --- Damaged */

/* Reads everything that write_sample wrote. The result is correct, or there is a failure. */
static void read_anything(void)
{
    static const char *const names[] = {"layers/conv1/weight", "empty", "scalar", "text", "texts", "a/b"};
    float numbers[6];
    int64_t value;
    char *text = NULL, **list = NULL;
    size_t count = 0;
    const size_t shape[2] = {2, 3};
    srq_status status = open_test("hurt.h5");
    ck_assert_msg(status == SRQ_OK || status == SRQ_ERROR_DATA, "status %d: %s", status, srq_message());
    if (status != SRQ_OK) return;
    srq_h5_read(reader, names[0], H5T_NATIVE_FLOAT, 2, shape, numbers);
    srq_h5_read(reader, names[2], H5T_NATIVE_INT64, 0, NULL, &value);
    srq_h5_read_attribute_int(reader, "a", "bits", &value);
    if (srq_h5_read_text(reader, names[3], &text) == SRQ_OK) free(text);
    if (srq_h5_read_texts(reader, names[4], &count, &list) == SRQ_OK) {
        for (size_t i = 0; i < count; i++) free(list[i]);
        free(list);
    }
    if (srq_h5_members(reader, "/", &count, &list) == SRQ_OK) {
        for (size_t i = 0; i < count; i++) free(list[i]);
        free(list);
    }
    srq_h5_reader_close(&reader);
}

START_TEST(damaged_files_do_not_crash)
{
    size_t size = 0;
    write_sample("a.h5");
    unsigned char *data = scratch_read("a.h5", &size);
    for (size_t i = 0; i < 40; i++) {
        scratch_write("hurt.h5", data, size * i / 40);
        ck_assert_int_eq(open_test("hurt.h5"), SRQ_ERROR_DATA);
        ck_assert_msg(!strstr(srq_message(), "LOCKING"), "%s", srq_message());
    }
    const size_t without_trailer = size - 256;
    scratch_write("hurt.h5", data, size - 1);
    expect_message(open_test("hurt.h5"), SRQ_ERROR_DATA, "hurt.h5: it is damaged: 1 bytes at its end are missing");
    for (uint64_t i = 0; i < 100; i++) {
        uint32_t r[4];
        srq_random(2, SRQ_RANDOM_TEST, 0, i, r);
        unsigned char kept = data[r[0] % size];
        data[r[0] % size] ^= (unsigned char)(1 + r[1] % 255);
        scratch_write("hurt.h5", data, without_trailer);
        read_anything();
        if (i < 20 && r[0] % size < without_trailer) {
            scratch_write("hurt.h5", data, size);
            expect_message(open_test("hurt.h5"), SRQ_ERROR_DATA, "hurt.h5: it is damaged: its bytes are not those");
        }
        data[r[0] % size] = kept;
    }
    free(data);
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("h5_hostile");
    TCase *tests = tcase_create("h5_hostile");
    tcase_add_checked_fixture(tests, NULL, expect_closed);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_file_in_use_is_waited_for);
    tcase_add_test(tests, a_file_left_open_by_a_writer_is_named);
    tcase_add_test(tests, links_are_never_followed);
    tcase_add_test(tests, other_files_are_never_read);
    tcase_add_test(tests, circles_of_groups_are_refused);
    tcase_add_test(tests, one_set_with_many_names_is_refused);
    tcase_add_test(tests, one_string_many_times_is_refused);
    tcase_add_test(tests, compressed_bombs_are_refused);
    tcase_add_test(tests, files_that_crash_hdf5_are_refused);
    tcase_add_test(tests, types_of_bits_that_are_not_there);
    tcase_add_test(tests, damaged_files_do_not_crash);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
