/* IDX import and data sets: correct data is read, wrong data gets a message, and nothing crashes. */
#include "core/random.h"
#include "io/dataset.h"
#include "io/digest.h"
#include "io/h5.h"
#include "io/idx.h"
#include "io/import.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <math.h>
#include <sys/stat.h>
#include <zlib.h>

enum { TRAIN = 20, TEST = 6, SIDE = 4 };

static size_t put_header(unsigned char *to, int rank, const unsigned *shape)
{
    to[0] = to[1] = 0;
    to[2] = 8;
    to[3] = (unsigned char)rank;
    for (int i = 0; i < rank; i++)
        for (int b = 0; b < 4; b++) to[4 + 4 * i + b] = (unsigned char)(shape[i] >> (24 - 8 * b));
    return 4 + 4 * (size_t)rank;
}

static void write_images(const char *name, unsigned count)
{
    unsigned char bytes[1024];
    const unsigned shape[] = {count, SIDE, SIDE};
    size_t n = put_header(bytes, 3, shape);
    for (unsigned i = 0; i < count * SIDE * SIDE; i++) bytes[n++] = (unsigned char)(i * 7);
    scratch_write(name, bytes, n);
}

static void write_labels(const char *name, unsigned count, unsigned classes)
{
    unsigned char bytes[1024];
    size_t n = put_header(bytes, 1, &count);
    for (unsigned i = 0; i < count; i++) bytes[n++] = (unsigned char)(i % classes);
    scratch_write(name, bytes, n);
}

static void make_source(void)
{
    mkdir(scratch("src"), 0777);
    write_images("src/train-images-idx3-ubyte", TRAIN);
    write_labels("src/train-labels-idx1-ubyte", TRAIN, 3);
    write_images("src/t10k-images-idx3-ubyte", TEST);
    write_labels("src/t10k-labels-idx1-ubyte", TEST, 3);
    unlink(scratch("out.h5"));
}

/* After every test: no file, data set, group or attribute of HDF5 is open. */
static void clear_source(void)
{
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", scratch("src"));
    if (system(command) != 0) abort();
}

static void expect_import(srq_status status, const char *words)
{
    bool done;
    srq_status found = srq_dataset_import(scratch("src"), scratch("out.h5"), NULL, &done);
    ck_assert_msg(found == status, "status %d, not %d: %s", found, status, srq_message());
    if (words) ck_assert_msg(strstr(srq_message(), words) != NULL, "\"%s\" is not in: %s", words, srq_message());
    struct stat info;
    if (status != SRQ_OK) ck_assert_int_ne(stat(scratch("out.h5"), &info), 0);
}

START_TEST(import_and_load)
{
    bool done;
    srq_dataset *d = NULL;
    expect_import(SRQ_OK, NULL);
    ck_assert_int_eq(srq_dataset_load(scratch("out.h5"), SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &d), SRQ_OK);
    ck_assert_int_eq(d->height, SIDE);
    ck_assert_int_eq(d->width, SIDE);
    ck_assert_int_eq(d->channels, 1);
    ck_assert_int_eq(d->classes, 3);
    ck_assert_str_eq(d->class_names[2], "2");
    ck_assert_str_eq(d->name, "src");
    ck_assert_uint_eq(d->splits[SRQ_TRAIN].count, TRAIN);
    ck_assert_uint_eq(d->splits[SRQ_TEST].count, TEST);
    double sum = 0, squares = 0;
    for (unsigned i = 0; i < TRAIN * SIDE * SIDE; i++) {
        double v = (unsigned char)(i * 7) / 255.0;
        ck_assert_int_eq(d->splits[SRQ_TRAIN].images[i], (unsigned char)(i * 7));
        sum += v / (TRAIN * SIDE * SIDE);
        squares += v * v / (TRAIN * SIDE * SIDE);
    }
    for (int i = 0; i < TRAIN; i++) ck_assert_int_eq(d->splits[SRQ_TRAIN].labels[i], i % 3);
    ck_assert_float_eq_tol(d->mean[0], (float)sum, 1e-6f);
    ck_assert_float_eq_tol(d->std[0], (float)sqrt(squares - sum * sum), 1e-6f);
    srq_dataset_destroy(&d);
    /* Again: nothing to do. Another source: left alone. */
    ck_assert_int_eq(srq_dataset_import(scratch("src"), scratch("out.h5"), NULL, &done), SRQ_OK);
    ck_assert(done);
    write_labels("src/t10k-labels-idx1-ubyte", TEST, 2);
    ck_assert_int_eq(srq_dataset_import(scratch("src"), scratch("out.h5"), NULL, &done), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "another data set"));
    scratch_write("out.h5", "something of the user's", 23);
    ck_assert_int_eq(srq_dataset_import(scratch("src"), scratch("out.h5"), NULL, &done), SRQ_ERROR_USAGE);
    size_t size = 0;
    unsigned char *kept = scratch_read("out.h5", &size);
    ck_assert_uint_eq(size, 23);
    free(kept);
}
END_TEST

/* Images can be read later, to memory of the caller. */
START_TEST(images_are_read_later)
{
    enum { BYTES = (TRAIN + TEST) * SIDE * SIDE };
    srq_dataset *d = NULL, *whole = NULL;
    uint8_t images[BYTES + 1];
    expect_import(SRQ_OK, NULL);
    ck_assert_int_eq(srq_dataset_load(scratch("out.h5"), 3, &whole), SRQ_OK);
    ck_assert_int_eq(srq_dataset_load(scratch("out.h5"), 3 | SRQ_LOAD_LATER, &d), SRQ_OK);
    ck_assert_ptr_null(d->splits[SRQ_TRAIN].images);
    ck_assert_int_eq(d->splits[SRQ_TEST].labels[0], whole->splits[SRQ_TEST].labels[0]);
    ck_assert_uint_eq(srq_dataset_images_size(d), BYTES);
    images[BYTES] = 77;
    ck_assert_int_eq(srq_dataset_read_images(d, images), SRQ_OK);
    srq_dataset_use_images(d, images);
    ck_assert_int_eq(images[BYTES], 77);
    ck_assert_mem_eq(d->splits[SRQ_TRAIN].images, whole->splits[SRQ_TRAIN].images, TRAIN * SIDE * SIDE);
    ck_assert_mem_eq(d->splits[SRQ_TEST].images, whole->splits[SRQ_TEST].images, TEST * SIDE * SIDE);
    srq_dataset_destroy(&d);
    srq_dataset_destroy(&whole);
    /* Only the test split: no room for the other. */
    ck_assert_int_eq(srq_dataset_load(scratch("out.h5"), SRQ_LOAD_TEST | SRQ_LOAD_LATER, &d), SRQ_OK);
    ck_assert_uint_eq(srq_dataset_images_size(d), TEST * SIDE * SIDE);
    srq_dataset_destroy(&d);
    unlink(scratch("out.h5"));
    ck_assert_int_eq(srq_dataset_load(scratch("out.h5"), 3 | SRQ_LOAD_LATER, &d), SRQ_ERROR_DATA);
}
END_TEST

START_TEST(class_names_from_a_file)
{
    srq_dataset *d = NULL;
    scratch_write("src/classes.txt", "cat\ndog\r\nfish\n", 14);
    expect_import(SRQ_OK, NULL);
    ck_assert_int_eq(srq_dataset_load(scratch("out.h5"), 0, &d), SRQ_OK);
    ck_assert_str_eq(d->class_names[1], "dog");
    ck_assert_ptr_null(d->splits[SRQ_TRAIN].images);
    srq_dataset_destroy(&d);
    unlink(scratch("out.h5"));
    scratch_write("src/classes.txt", "cat\ndog\n", 8);
    expect_import(SRQ_ERROR_DATA, "classes.txt: 2 names, but the labels have 3 classes");
}
END_TEST

START_TEST(wrong_sources_are_refused)
{
    bool done;
    ck_assert_int_eq(srq_dataset_import(scratch("none"), scratch("out.h5"), NULL, &done), SRQ_ERROR_DATA);
    ck_assert_int_eq(srq_dataset_import(scratch("src/train-images-idx3-ubyte"), scratch("out.h5"), NULL, &done),
                     SRQ_ERROR_DATA);
    ck_assert_ptr_nonnull(strstr(srq_message(), "it is a file"));
    write_labels("src/train-labels-idx1-ubyte", TRAIN - 1, 3);
    expect_import(SRQ_ERROR_DATA, "19 labels");
    write_labels("src/train-labels-idx1-ubyte", TRAIN, 3);
    write_labels("src/t10k-labels-idx1-ubyte", TEST, 5);
    expect_import(SRQ_ERROR_DATA, "label 3 is 3, but the training labels go from 0 to 2");
    write_labels("src/t10k-labels-idx1-ubyte", TEST, 3);
    write_labels("src/train-labels-idx1-ubyte", TRAIN, 1);
    expect_import(SRQ_ERROR_DATA, "every label is 0");
    write_images("src/train-labels-idx1-ubyte", TRAIN);
    expect_import(SRQ_ERROR_DATA, "mixed up");
    write_labels("src/train-labels-idx1-ubyte", TRAIN, 3);
    unlink(scratch("src/t10k-images-idx3-ubyte"));
    expect_import(SRQ_ERROR_DATA, "t10k-images-idx3-ubyte (or with .gz) is missing");
    mkdir(scratch("src/t10k-images-idx3-ubyte"), 0777);
    expect_import(SRQ_ERROR_DATA, "it is a folder");
}
END_TEST

START_TEST(wrong_idx_files_are_refused)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *words;
    } cases[] = {
        {"", 0, "it is empty"},
        {"\1\0\10\1", 4, "not an IDX file"},
        {"\0\0\10", 3, "not an IDX file"},
        {"\0\0\15\1\0\0\0\1x", 9, "IDX type 0x0d"},
        {"\0\0\10\0", 4, "0 dimensions"},
        {"\0\0\10\11", 4, "9 dimensions"},
        {"\0\0\10\2\0\0\0\1\0", 9, "inside its header"},
        {"\0\0\10\1\0\0\0\0", 8, "no elements"},
        {"\0\0\10\1\0\0\0\4abc", 11, "3 bytes of data, but its header claims 4"},
        {"\0\0\10\1\0\0\0\2abc", 11, "longer than the 2 bytes"},
        {"\0\0\10\4\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377\377", 20, "more than 2^40"},
        {"\0\0\10\2\0\377\377\377\0\0\0\377abc", 15, "cut short"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        srq_idx idx;
        scratch_write("bad", cases[i].bytes, cases[i].size);
        ck_assert_int_eq(srq_idx_read(scratch("bad"), &idx), SRQ_ERROR_DATA);
        ck_assert_msg(strstr(srq_message(), cases[i].words) != NULL, "\"%s\" is not in: %s", cases[i].words,
                      srq_message());
    }
}
END_TEST

/* Every truncation of a gzipped file is detected, even by one byte, and so is a changed byte of the data. */
START_TEST(damaged_gzip_is_refused)
{
    unsigned char bytes[2000], packed[4000];
    const unsigned shape = 1900;
    size_t n = put_header(bytes, 1, &shape);
    for (unsigned i = 0; i < shape; i++) bytes[n++] = (unsigned char)(i * i >> 3);
    gzFile stream = gzopen(scratch("whole.gz"), "wb");
    gzwrite(stream, bytes, (unsigned)n);
    gzclose(stream);
    size_t size = 0;
    unsigned char *data = scratch_read("whole.gz", &size);
    srq_idx idx;
    ck_assert_int_eq(srq_idx_read(scratch("whole.gz"), &idx), SRQ_OK);
    ck_assert_uint_eq(idx.size, shape);
    srq_idx_free(&idx);
    for (size_t cut = 1; cut < size; cut += cut + 20 < size ? 13 : 1) {
        scratch_write("cut.gz", data, cut);
        ck_assert_msg(srq_idx_read(scratch("cut.gz"), &idx) == SRQ_ERROR_DATA, "cut at %zu of %zu", cut, size);
    }
    memcpy(packed, data, size);
    packed[size / 2] ^= 0x10;
    scratch_write("cut.gz", packed, size);
    ck_assert_int_eq(srq_idx_read(scratch("cut.gz"), &idx), SRQ_ERROR_DATA);
    free(data);
}
END_TEST

static void load_anything(void)
{
    srq_dataset *d = NULL;
    srq_status status = srq_dataset_load(scratch("hurt.h5"), SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &d);
    ck_assert_msg(status == SRQ_OK || status == SRQ_ERROR_DATA, "status %d: %s", status, srq_message());
    srq_dataset_destroy(&d);
}

START_TEST(damaged_datasets_are_refused)
{
    size_t size = 0;
    expect_import(SRQ_OK, NULL);
    unsigned char *data = scratch_read("out.h5", &size);
    for (size_t i = 0; i < 40; i++) {
        srq_dataset *d = NULL;
        scratch_write("hurt.h5", data, size * i / 40);
        ck_assert_int_eq(srq_dataset_load(scratch("hurt.h5"), SRQ_LOAD_TRAIN | SRQ_LOAD_TEST, &d), SRQ_ERROR_DATA);
    }
    for (uint64_t i = 0; i < 200; i++) {
        uint32_t r[4];
        srq_random(1, SRQ_RANDOM_TEST, 0, i, r);
        unsigned char kept = data[r[0] % size];
        data[r[0] % size] ^= (unsigned char)(1 + r[1] % 255);
        scratch_write("hurt.h5", data, size);
        load_anything();
        data[r[0] % size] = kept;
    }
    free(data);
}
END_TEST

/* A data set written by another program, with one mistake. */
static void write_variant(const char *wrong)
{
    srq_h5_writer *w = NULL;
    const char *const names[] = {"a", "b"};
    const uint8_t images[2 * 4] = {0, 1, 2, 3, 4, 5, 6, 7};
    int32_t labels[2] = {0, strcmp(wrong, "label") == 0 ? 2 : 1};
    float mean[1] = {strcmp(wrong, "mean") == 0 ? NAN : 0.5f}, std[1] = {strcmp(wrong, "std") == 0 ? -1 : 0.5f};
    const size_t shape[4] = {2, 2, 2, 1}, one = 1, two = strcmp(wrong, "labels count") == 0 ? 1 : 2;
    ck_assert_int_eq(srq_h5_writer_create(strcmp(wrong, "format") == 0 ? "other" : "srq-dataset",
                                          strcmp(wrong, "version") == 0 ? 3 : 1, &w),
                     SRQ_OK);
    srq_h5_write_attribute_text(w, "/", "name", "variant");
    srq_h5_write_attribute_text(w, "/", "source_sha256", "00");
    srq_h5_write_texts(w, "classes", strcmp(wrong, "classes") == 0 ? 1 : 2, names);
    srq_h5_write(w, "mean", H5T_NATIVE_FLOAT, 1, &one, mean);
    srq_h5_write(w, "std", H5T_NATIVE_FLOAT, 1, &one, std);
    for (int s = 0; s < 2; s++) {
        const float pixels[8] = {0};
        bool floats = strcmp(wrong, "type") == 0;
        srq_h5_write(w, s ? "test/images" : "train/images", floats ? H5T_NATIVE_FLOAT : H5T_NATIVE_UINT8,
                     strcmp(wrong, "rank") == 0 ? 3 : 4, shape, floats ? (const void *)pixels : images);
        if (strcmp(wrong, "missing") != 0)
            srq_h5_write(w, s ? "test/labels" : "train/labels", H5T_NATIVE_INT32, 1, &two, labels);
    }
    ck_assert_int_eq(srq_h5_writer_commit(w, scratch("variant.h5")), SRQ_OK);
    srq_h5_writer_destroy(&w);
}

START_TEST(wrong_contents_are_named)
{
    static const char *const cases[][2] = {
        {"label", "train/labels: label 1 is 2, but with 2 classes"},
        {"mean", "mean nan"},
        {"std", "std -1"},
        {"labels count", "data set train/labels is [1], but [2] is expected"},
        {"format", "its format is \"other\""},
        {"version", "version 3 of the format srq-dataset, but this srq reads versions 1 to 2"},
        {"classes", "classes has 1 names"},
        {"type", "train/images holds floats, but integers are expected"},
        {"rank", "train/images must be [count][height][width][channels]"},
        {"missing", "data set train/labels is missing"},
    };
    srq_dataset *d = NULL;
    write_variant("nothing");
    ck_assert_msg(srq_dataset_load(scratch("variant.h5"), 3, &d) == SRQ_OK, "%s", srq_message());
    srq_dataset_destroy(&d);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_variant(cases[i][0]);
        ck_assert_int_eq(srq_dataset_load(scratch("variant.h5"), 3, &d), SRQ_ERROR_DATA);
        ck_assert_msg(strstr(srq_message(), cases[i][1]) != NULL, "%s: \"%s\" is not in: %s", cases[i][0], cases[i][1],
                      srq_message());
    }
    ck_assert_int_eq(srq_dataset_load(scratch("none.h5"), 3, &d), SRQ_ERROR_DATA);
    ck_assert_int_eq(srq_dataset_load(scratch_folder, 3, &d), SRQ_ERROR_DATA);
    ck_assert_ptr_nonnull(strstr(srq_message(), "a folder"));
}
END_TEST

/* FIPS 180-4's example "abc". */
START_TEST(digest)
{
    srq_digest *d = NULL;
    char text[SRQ_DIGEST_SIZE];
    ck_assert_int_eq(srq_digest_create(&d), SRQ_OK);
    srq_digest_add(d, "a", 1);
    srq_digest_add(d, "bc", 2);
    srq_digest_finish(&d, text);
    ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("dataset");
    TCase *tests = tcase_create("dataset");
    tcase_add_checked_fixture(tests, make_source, clear_source);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, import_and_load);
    tcase_add_test(tests, images_are_read_later);
    tcase_add_test(tests, class_names_from_a_file);
    tcase_add_test(tests, wrong_sources_are_refused);
    tcase_add_test(tests, wrong_idx_files_are_refused);
    tcase_add_test(tests, damaged_gzip_is_refused);
    tcase_add_test(tests, damaged_datasets_are_refused);
    tcase_add_test(tests, wrong_contents_are_named);
    tcase_add_test(tests, digest);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
