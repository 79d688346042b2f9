/* Imports of image folders and of CIFAR's binaries, and data sets of encoded images: correct data is imported, wrong
 * data gets a message. */
#include "tests/io/import_source.h"

#include <fcntl.h>
#include <math.h>
#include <zlib.h>

/* --- Image folders */

START_TEST(small_images_become_pixels)
{
    struct stat info;
    double sum = 0;
    make_source();
    expect_import(SRQ_OK, NULL);
    srq_dataset *d = load();
    ck_assert(!d->encoded && d->height == 8 && d->width == 10 && d->channels == 3 && d->classes == 2);
    ck_assert_uint_eq(d->splits[SRQ_TRAIN].count, 3);
    ck_assert_uint_eq(d->splits[SRQ_TEST].count, 2);
    ck_assert_str_eq(d->class_names[0], "cat");
    ck_assert_str_eq(d->name, "src");
    static const int labels[2][3] = {{0, 0, 1}, {0, 1}}, seeds[2][3] = {{1, 2, 3}, {5, 4}};
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < d->splits[s].count; i++) {
            ck_assert_int_eq(d->splits[s].labels[i], labels[s][i]);
            for (int p = 0; p < 80; p++) {
                const int found = d->splits[s].images[i * 240 + (size_t)p * 3];
                ck_assert_int_le(abs(found - value_at(p / 10, p % 10, 0, seeds[s][i])), 12);
                if (s == 0) sum += found / 255.0 / 240;
            }
        }
    ck_assert_float_eq_tol(d->mean[0], (float)sum, 1e-6f);
    srq_dataset_destroy(&d);
    ck_assert_int_ne(stat(scratch("out.h5.parts"), &info), 0);
    ck_assert_int_ne(stat(scratch("out.h5.skipped.txt"), &info), 0);
    /* Again: nothing to do. Another image: another data set. */
    bool done = false;
    ck_assert_int_eq(srq_dataset_import(scratch("src"), scratch("out.h5"), NULL, &done), SRQ_OK);
    ck_assert(done);
    add_image("src/train/dog/1.jpg", 8, 10, 9);
    ck_assert_int_eq(srq_dataset_import(scratch("src"), scratch("out.h5"), NULL, &done), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "holds another data set"));
}
END_TEST

START_TEST(other_images_stay_encoded)
{
    size_t size = 0, file_size = 0;
    make_source();
    add_image("src/train/dog/2.jpg", 70, 90, 6);
    add_image("src/train/dog/3.jpg", 300, 600, 7);
    expect_import(SRQ_OK, NULL);
    srq_dataset *d = load();
    ck_assert(d->encoded && d->height == 0 && d->channels == 3);
    ck_assert_uint_eq(d->splits[SRQ_TRAIN].count, 5);
    ck_assert(d->smallest[0] == 8 && d->smallest[1] == 10 && d->largest[0] == 256 && d->largest[1] == 512);
    uint8_t *bytes = malloc(d->largest_bytes);
    /* The file's own bytes, where it is not too large. */
    ck_assert_int_eq(srq_dataset_read(d, SRQ_TRAIN, 3, bytes, &size), SRQ_OK);
    unsigned char *own = scratch_read("src/train/dog/2.jpg", &file_size);
    ck_assert(size == file_size && memcmp(own, bytes, size) == 0);
    free(own);
    srq_image image = {0};
    ck_assert_int_eq(srq_dataset_read(d, SRQ_TRAIN, 4, bytes, &size), SRQ_OK);
    ck_assert_int_eq(srq_image_decode(bytes, size, &image), SRQ_OK);
    ck_assert(image.height == 256 && image.width == 512);
    srq_image_free(&image);
    free(bytes);
    srq_dataset_destroy(&d);
}
END_TEST

static void expect_bad(const char *name, const void *bytes, size_t size, const char *words)
{
    char *text = NULL;
    size_t length;
    scratch_write(name, bytes, size);
    FILE *out = open_memstream(&text, &length);
    ck_assert_int_eq(import_with(false, out), SRQ_ERROR_DATA);
    fclose(out);
    ck_assert_msg(strstr(srq_message(), "1 of 6 images are bad"), "%s", srq_message());
    ck_assert_msg(strstr(srq_message(), words) && strstr(text, words), "\"%s\" is not in: %s | %s", words,
                  srq_message(), text);
    ck_assert_ptr_nonnull(strstr(text, name + 4));
    free(text);
    unlink(scratch(name));
}

START_TEST(bad_images)
{
    size_t size = 0;
    make_source();
    add_image("src/train/dog/5.jpg", 70, 90, 1);
    unsigned char *whole = scratch_read("src/train/dog/5.jpg", &size);
    unlink(scratch("src/train/dog/5.jpg"));
    expect_bad("src/train/dog/5.jpg", "Dear Sir", 8, "neither a JPEG nor a PNG image");
    expect_bad("src/train/dog/5.jpg", "", 0, "an empty file");
    expect_bad("src/train/dog/5.jpg", whole, size / 2, "a truncated JPEG");
    expect_bad("src/val/dog/0.png", whole, 100, "JPEG");
    free(whole);
    /* A line, which training would make as wide as its short side asks for. */
    add_image("src/train/dog/5.jpg", 1025, 1, 1);
    whole = scratch_read("src/train/dog/5.jpg", &size);
    expect_bad("src/train/dog/5.jpg", whole, size,
               "an image of 1025 x 1 pixels (height x width); the long side must be at most 1024 times the short one");
    free(whole);
    add_image("src/train/dog/5.jpg", 2, 2048, 1);
    expect_import(SRQ_OK, NULL);
    unlink(scratch("src/train/dog/5.jpg"));
    unlink(scratch("out.h5"));
    /* A file that cannot be opened; and a named pipe, which must not block. */
    ck_assert_int_eq(symlink("/nowhere", scratch("src/train/dog/5.jpg")), 0);
    ck_assert_int_eq(import_with(false, NULL), SRQ_ERROR_DATA);
    ck_assert_msg(strstr(srq_message(), "dog/5.jpg: No such file or directory"), "%s", srq_message());
    unlink(scratch("src/train/dog/5.jpg"));
    ck_assert_int_eq(mkfifo(scratch("src/train/dog/5.jpg"), 0600), 0);
    ck_assert_int_eq(import_with(false, NULL), SRQ_ERROR_DATA);
    ck_assert_msg(strstr(srq_message(), "dog/5.jpg: not a regular file"), "%s", srq_message());
    unlink(scratch("src/train/dog/5.jpg"));
    expect_import(SRQ_OK, NULL);
}
END_TEST

START_TEST(bad_images_are_skipped)
{
    size_t size = 0;
    make_source();
    scratch_write("src/train/cat/0.jpg", "text", 4);
    scratch_write("src/train/dog/9.jpg", "", 0);
    ck_assert_int_eq(import_with(true, NULL), SRQ_OK);
    srq_dataset *d = load();
    ck_assert_uint_eq(d->splits[SRQ_TRAIN].count, 3);
    ck_assert(d->splits[SRQ_TRAIN].labels[0] == 0 && d->splits[SRQ_TRAIN].labels[2] == 1);
    const int found = d->splits[SRQ_TRAIN].images[2 * 240];
    ck_assert_int_le(abs(found - value_at(0, 0, 0, 3)), 12);
    srq_dataset_destroy(&d);
    char *list = (char *)scratch_read("out.h5.skipped.txt", &size);
    list[size] = '\0';
    ck_assert_msg(strstr(list, "train/cat/0.jpg: neither") && strstr(list, "train/dog/9.jpg: an empty file"), "%s",
                  list);
    free(list);
    /* The same among encoded images. */
    unlink(scratch("out.h5"));
    add_image("src/train/cat/1.jpg", 80, 70, 1);
    ck_assert_int_eq(import_with(true, NULL), SRQ_OK);
    d = load();
    ck_assert(d->encoded && d->splits[SRQ_TRAIN].count == 3);
    uint8_t *bytes = malloc(d->largest_bytes);
    for (size_t i = 0; i < 3; i++) ck_assert_int_eq(srq_dataset_read(d, SRQ_TRAIN, i, bytes, &size), SRQ_OK);
    free(bytes);
    srq_dataset_destroy(&d);
    /* Nothing left. */
    unlink(scratch("out.h5"));
    scratch_write("src/val/dog/1.jpg", "text", 4);
    scratch_write("src/val/cat/1.jpg", "text", 4);
    ck_assert_int_eq(import_with(true, NULL), SRQ_ERROR_DATA);
    ck_assert_msg(strstr(srq_message(), "all of its 2 test images are bad"), "%s", srq_message());
}
END_TEST

START_TEST(wrong_folders)
{
    make_source();
    ck_assert_int_eq(srq_folder_create(scratch("src/train/emu")), SRQ_OK);
    expect_import(SRQ_ERROR_DATA, "train/emu: a class without images");
    scratch_write("src/train/emu/notes.txt", "x", 1);
    expect_import(SRQ_ERROR_DATA, "train/emu: a class without images");
    run("rm -rf '%s'", scratch("src/train/emu"));
    add_image("src/val/emu/1.jpg", 8, 10, 1);
    expect_import(SRQ_ERROR_DATA, "val/emu/1.jpg: its class is not one of the 2 in train/");
    run("rm -rf '%s'", scratch("src/val/emu"));
    run("rm -rf '%s'", scratch("src/train/dog"));
    expect_import(SRQ_ERROR_DATA, "only one class, \"cat\"");
    run("rm -rf '%s'", scratch("src/train/cat"));
    expect_import(SRQ_ERROR_DATA, "src/train: it contains no folders");
    make_source();
    run("rm -rf '%s'", scratch("src/val"));
    expect_import(SRQ_ERROR_DATA, "neither test/ nor val/");
    run("rm -rf '%s'/*", scratch("src"));
    expect_import(SRQ_ERROR_DATA,
                  "it contains no known format; it must contain one of: images as train/CLASS/IMAGE.jpg");
    expect_import(SRQ_ERROR_DATA, "CIFAR-10 as data_batch_1.bin");
}
END_TEST

/* Parts of an interrupted import are used again if their images are unchanged. */
START_TEST(parts_are_used_again)
{
    bool done;
    struct stat info;
    srq_import *import = NULL;
    srq_import_counts counts = {0};
    make_source();
    scratch_write("src/train/cat/0.jpg", "text", 4);
    ck_assert_int_eq(import_with(false, NULL), SRQ_ERROR_DATA);
    ck_assert_int_eq(stat(scratch("out.h5.parts/part-000001.h5"), &info), 0);
    add_image("src/train/cat/0.jpg", 8, 10, 1);
    ck_assert_int_eq(srq_import_open(scratch("src"), scratch("out.h5"), &done, &import), SRQ_OK);
    ck_assert_uint_eq(import->parts, 2);
    for (size_t p = 0; p < 2; p++) ck_assert_int_eq(srq_import_make_part(import, p, &counts, NULL, NULL), SRQ_OK);
    ck_assert(counts.images == 6 && counts.reused == 2 && counts.bad == 0);
    /* A part that is no longer what it was is made again. */
    scratch_write("out.h5.parts/part-000001.h5", "x", 1);
    ck_assert_int_eq(srq_import_make_part(import, 1, &counts, NULL, NULL), SRQ_OK);
    ck_assert(counts.images == 8 && counts.reused == 2);
    scratch_write("out.h5.parts/mine.txt", "x", 1);
    ck_assert_int_eq(srq_import_join(import, false, NULL), SRQ_OK);
    srq_import_destroy(&import);
    /* A file of the user's stays, and with it the folder. */
    ck_assert_int_eq(stat(scratch("out.h5.parts/mine.txt"), &info), 0);
    ck_assert_int_ne(stat(scratch("out.h5.parts/part-000000.h5"), &info), 0);
    srq_dataset *d = load();
    ck_assert_uint_eq(d->splits[SRQ_TRAIN].count, 4);
    srq_dataset_destroy(&d);
}
END_TEST

/* --- CIFAR */

static void write_cifar(const char *name, int labels, int count, int classes)
{
    const size_t record = (size_t)labels + 3072;
    uint8_t *bytes = malloc(record * (size_t)count);
    for (int i = 0; i < count; i++) {
        uint8_t *at = bytes + record * (size_t)i;
        if (labels == 2) *at++ = (uint8_t)(i % 20);
        *at++ = (uint8_t)(i % classes);
        for (int c = 0; c < 3; c++)
            for (int p = 0; p < 1024; p++) *at++ = (uint8_t)(i + 3 * p + 50 * c);
    }
    scratch_write(name, bytes, record * (size_t)count);
    free(bytes);
}

static void make_cifar10(void)
{
    ck_assert_int_eq(srq_folder_create(scratch("src")), SRQ_OK);
    for (int i = 1; i <= 5; i++) {
        char name[64];
        snprintf(name, sizeof name, "src/data_batch_%d.bin", i);
        write_cifar(name, 1, 10 + i, 10);
    }
    write_cifar("src/test_batch.bin", 1, 20, 10);
    scratch_write("src/batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nship\n\n", 24);
}

START_TEST(cifar10)
{
    make_cifar10();
    expect_import(SRQ_OK, NULL);
    srq_dataset *d = load();
    ck_assert(d->height == 32 && d->width == 32 && d->channels == 3 && d->classes == 10);
    ck_assert_uint_eq(d->splits[SRQ_TRAIN].count, 11 + 12 + 13 + 14 + 15);
    ck_assert_str_eq(d->class_names[9], "ship");
    ck_assert_int_eq(d->splits[SRQ_TRAIN].labels[11 + 3], 3);
    const uint8_t *image = d->splits[SRQ_TRAIN].images + 14 * 3072;
    for (int p = 0; p < 1024; p++)
        for (int c = 0; c < 3; c++) ck_assert_int_eq(image[3 * p + c], (uint8_t)(3 + 3 * p + 50 * c));
    srq_dataset_destroy(&d);
}
END_TEST

START_TEST(cifar100)
{
    char names[400] = "";
    ck_assert_int_eq(srq_folder_create(scratch("src")), SRQ_OK);
    write_cifar("src/train.bin", 2, 230, 100);
    write_cifar("src/test.bin", 2, 20, 100);
    for (int i = 0; i < 100; i++) snprintf(names + strlen(names), sizeof names - strlen(names), "n%d\n", i);
    scratch_write("src/fine_label_names.txt", names, strlen(names));
    expect_import(SRQ_OK, NULL);
    srq_dataset *d = load();
    ck_assert_int_eq(d->classes, 100);
    ck_assert_str_eq(d->class_names[42], "n42");
    ck_assert_int_eq(d->splits[SRQ_TRAIN].labels[142], 42);
    ck_assert_int_eq(d->splits[SRQ_TRAIN].images[142 * 3072 + 1], (uint8_t)(142 + 50));
    srq_dataset_destroy(&d);
}
END_TEST

START_TEST(wrong_cifar)
{
    size_t size = 0;
    make_cifar10();
    unsigned char *bytes = scratch_read("src/data_batch_3.bin", &size);
    scratch_write("src/data_batch_3.bin", bytes, size - 1000);
    expect_import(SRQ_ERROR_DATA, "data_batch_3.bin: cut short or not of CIFAR-10: 38949 bytes");
    scratch_write("src/data_batch_3.bin", bytes, 0);
    expect_import(SRQ_ERROR_DATA, "data_batch_3.bin: it is empty");
    bytes[3073] = 10;
    scratch_write("src/data_batch_3.bin", bytes, size);
    expect_import(SRQ_ERROR_DATA, "data_batch_3.bin: image 1 has the label 10, but CIFAR-10 has 0 to 9");
    free(bytes);
    unlink(scratch("src/data_batch_3.bin"));
    expect_import(SRQ_ERROR_DATA, "data_batch_3.bin: No such file");
    make_cifar10();
    scratch_write("src/batches.meta.txt", "a\nb\n", 4);
    expect_import(SRQ_ERROR_DATA, "batches.meta.txt: 2 names, but CIFAR-10 has 10 classes");
    unlink(scratch("src/batches.meta.txt"));
    expect_import(SRQ_ERROR_DATA, "batches.meta.txt: No such file");
}
END_TEST

/* --- Damaged data sets of encoded images */

/* Writes one number into a data set of the file. */
static void patch(const char *set, hid_t type, hsize_t place, int64_t value)
{
    const hsize_t one = 1;
    hid_t file = H5Fopen(scratch("out.h5"), H5F_ACC_RDWR, H5P_DEFAULT), data = H5Dopen2(file, set, H5P_DEFAULT);
    hid_t space = H5Dget_space(data), memory = H5Screate_simple(1, &one, NULL);
    if (H5Sget_simple_extent_ndims(space) == 1) {
        H5Sselect_elements(space, H5S_SELECT_SET, 1, &place);
    } else {
        const hsize_t pair[2] = {place / 2, place % 2};
        H5Sselect_elements(space, H5S_SELECT_SET, 1, pair);
    }
    const int32_t narrow = (int32_t)value;
    ck_assert_int_ge(
        H5Dwrite(data, type, memory, space, H5P_DEFAULT, H5Tget_size(type) == 8 ? (const void *)&value : &narrow), 0);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
}

static void expect_damaged(const char *words)
{
    srq_dataset *d = NULL;
    ck_assert_int_eq(srq_dataset_load(scratch("out.h5"), 3, &d), SRQ_ERROR_DATA);
    ck_assert_msg(strstr(srq_message(), words) != NULL, "\"%s\" is not in: %s", words, srq_message());
}

static void make_encoded(void)
{
    make_source();
    add_image("src/train/dog/2.jpg", 70, 90, 6);
    unlink(scratch("out.h5"));
    expect_import(SRQ_OK, NULL);
}

START_TEST(damaged_tables)
{
    make_encoded();
    srq_dataset *d = load();
    const int64_t first = d->splits[0].offsets[1], last = d->splits[0].offsets[4];
    srq_dataset_destroy(&d);
    patch("train/offsets", H5T_NATIVE_INT64, 2, first - 1);
    expect_damaged("train/offsets puts image 1 at bytes");
    patch("train/offsets", H5T_NATIVE_INT64, 2, last + 1);
    expect_damaged("train/offsets puts image 1 at bytes");
    patch("train/offsets", H5T_NATIVE_INT64, 2, -5);
    expect_damaged("train/offsets puts image 1 at bytes");
    make_encoded();
    patch("train/offsets", H5T_NATIVE_INT64, 4, last + 1000);
    expect_damaged("train/offsets goes from 0 to");
    make_encoded();
    patch("test/sizes", H5T_NATIVE_INT32, 1, 0);
    expect_damaged("test/sizes says 8 x 0 of image 0");
    make_encoded();
    patch("train/labels", H5T_NATIVE_INT32, 1, 2);
    expect_damaged("train/labels: label 1 is 2");
    make_encoded();
    H5Fclose(H5Fopen(scratch("out.h5"), H5F_ACC_RDWR, H5P_DEFAULT));
    hid_t file = H5Fopen(scratch("out.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, "train/bytes", H5P_DEFAULT);
    H5Fclose(file);
    expect_damaged("data set train/bytes is missing");
}
END_TEST

START_TEST(damaged_bytes)
{
    size_t size = 0;
    make_encoded();
    srq_dataset *d = load();
    const int64_t at = d->splits[0].begin + d->splits[0].offsets[2] + 40;
    uint8_t *bytes = malloc(d->largest_bytes);
    ck_assert_int_eq(srq_dataset_read(d, SRQ_TRAIN, 2, bytes, &size), SRQ_OK);
    const uint8_t other = bytes[40] ^ 1;
    const int file = open(scratch("out.h5"), O_WRONLY);
    ck_assert(pwrite(file, &other, 1, at) == 1 && close(file) == 0);
    ck_assert_int_eq(srq_dataset_read(d, SRQ_TRAIN, 2, bytes, &size), SRQ_ERROR_DATA);
    ck_assert_msg(strstr(srq_message(), "the bytes of train image 2 are damaged"), "%s", srq_message());
    ck_assert_int_eq(srq_dataset_read(d, SRQ_TRAIN, 1, bytes, &size), SRQ_OK);
    free(bytes);
    srq_dataset_destroy(&d);
}
END_TEST

START_TEST(any_cut_or_change)
{
    size_t size = 0;
    make_encoded();
    unsigned char *data = scratch_read("out.h5", &size);
    for (uint64_t i = 0; i < 240; i++) {
        uint32_t r[4];
        srq_dataset *d = NULL;
        const bool cut = i < 40;
        srq_random(3, SRQ_RANDOM_TEST, 0, i, r);
        const size_t at = i % 2 ? r[0] % size : r[0] % 4000; /* where the structure is */
        const unsigned char kept = data[at];
        data[at] ^= (unsigned char)(1 + r[1] % 255);
        scratch_write("out.h5", data, cut ? size * i / 40 : size);
        data[at] = kept;
        srq_status status = srq_dataset_load(scratch("out.h5"), 3, &d);
        ck_assert_msg(status == SRQ_ERROR_DATA || (status == SRQ_OK && !cut), "status %d: %s", status, srq_message());
        uint8_t *bytes = status == SRQ_OK ? malloc(d->largest_bytes + 1) : NULL;
        for (int s = 0; status == SRQ_OK && d->encoded && s < 2; s++)
            for (size_t k = 0; k < d->splits[s].count; k++) {
                size_t n;
                (void)srq_dataset_read(d, (srq_split_name)s, k, bytes, &n);
            }
        free(bytes);
        srq_dataset_destroy(&d);
    }
    free(data);
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("import");
    TCase *tests = tcase_create("import");
    tcase_add_checked_fixture(tests, NULL, clear_source);
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, small_images_become_pixels);
    tcase_add_test(tests, other_images_stay_encoded);
    tcase_add_test(tests, bad_images);
    tcase_add_test(tests, bad_images_are_skipped);
    tcase_add_test(tests, wrong_folders);
    tcase_add_test(tests, parts_are_used_again);
    tcase_add_test(tests, cifar10);
    tcase_add_test(tests, cifar100);
    tcase_add_test(tests, wrong_cifar);
    tcase_add_test(tests, damaged_tables);
    tcase_add_test(tests, damaged_bytes);
    tcase_add_test(tests, any_cut_or_change);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
