/* Names and destinations of imports: names of any bytes, two imports at once, destinations that cannot be written. */
#include "tests/io/import_source.h"

/* Names of any bytes: one line each in the list of skipped images. Classes must be readable. */
START_TEST(names_of_any_bytes)
{
    size_t size = 0;
    make_source();
    scratch_write("src/train/cat/a\nb\\\x1b[31m.jpg", "text", 4);
    scratch_write("src/train/cat/\xe9.jpg", "text", 4);
    ck_assert_int_eq(import_with(true, NULL), SRQ_OK);
    char *list = (char *)scratch_read("out.h5.skipped.txt", &size);
    list[size] = '\0';
    ck_assert_ptr_nonnull(strstr(list, "train/cat/a\\x0ab\\\\\\x1b[31m.jpg: neither a JPEG nor a PNG"));
    ck_assert_ptr_nonnull(strstr(list, "train/cat/\\xe9.jpg: neither a JPEG nor a PNG"));
    ck_assert_ptr_eq(strchr(strchr(list, '\n') + 1, '\n'), list + size - 1);
    free(list);
    unlink(scratch("out.h5"));
    static const char *const names[][2] = {{"d\xe9j\xe0", "src/train/d\\xe9j\\xe0: the name of a class must be UTF-8"},
                                           {"a\nb", "src/train/a\\x0ab: the name"},
                                           {"\x1b]0;x\a", "src/train/\\x1b]0;x\\x07: the name"},
                                           {"\xc2\x9b"
                                            "1m",
                                            "src/train/\\xc2\\x9b1m: the name"},
                                           {"\xed\xa0\x80", "src/train/\\xed\\xa0\\x80: the name"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256];
        snprintf(path, sizeof path, "src/train/%s/1.jpg", names[i][0]);
        add_image(path, 8, 10, 1);
        expect_import(SRQ_ERROR_DATA, names[i][1]);
        snprintf(path, sizeof path, "src/train/%s", names[i][0]);
        run("rm -r '%s'", scratch(path));
    }
    /* The name and the path of the source are stored as readable text. */
    ck_assert_int_eq(rename(scratch("src"), scratch("s\xfc\xdf")), 0);
    add_image("s\xfc\xdf/train/m\xc3\xbcsli/1.jpg", 8, 10, 1);
    bool done;
    ck_assert_int_eq(srq_dataset_import(scratch("s\xfc\xdf"), scratch("out.h5"), NULL, &done), SRQ_ERROR_DATA);
    unlink(scratch("s\xfc\xdf/train/cat/a\nb\\\x1b[31m.jpg"));
    unlink(scratch("s\xfc\xdf/train/cat/\xe9.jpg"));
    ck_assert_int_eq(srq_dataset_import(scratch("s\xfc\xdf"), scratch("out.h5"), NULL, &done), SRQ_OK);
    srq_dataset *d = load();
    ck_assert_str_eq(d->name, "s\\xfc\\xdf");
    ck_assert_str_eq(d->class_names[2], "m\xc3\xbcsli");
    srq_dataset_destroy(&d);
}
END_TEST

/* --- Two imports at once */

START_TEST(one_import_at_a_time)
{
    bool done = false;
    char text[64];
    struct stat info;
    srq_import *first = NULL, *second = NULL;
    srq_import_counts counts = {0};
    make_source();
    /* What a killed import left. */
    scratch_write("out.h5.lock", "process 1 on elsewhere\n", 23);
    ck_assert_int_eq(srq_folder_create(scratch("out.h5.parts")), SRQ_OK);
    scratch_write("out.h5.parts/whole.h5.elsewhere.1", "x", 1);
    ck_assert_int_eq(srq_import_open(scratch("src"), scratch("out.h5"), &done, &first), SRQ_OK);
    ck_assert_int_eq(srq_import_open(scratch("src"), scratch("out.h5"), &done, &second), SRQ_ERROR_USAGE);
    snprintf(text, sizeof text, "out.h5: another import is writing it (process %ld on ", (long)getpid());
    ck_assert_msg(strstr(srq_message(), text), "%s", srq_message());
    for (size_t p = 0; p < first->parts; p++)
        ck_assert_int_eq(srq_import_make_part(first, p, &counts, NULL, NULL), SRQ_OK);
    /* A file that someone else put there meanwhile stays. */
    scratch_write("out.h5", "mine", 4);
    ck_assert_int_eq(srq_import_join(first, false, NULL), SRQ_ERROR_USAGE);
    ck_assert_msg(strstr(srq_message(), "out.h5: another program made it in the meantime"), "%s", srq_message());
    ck_assert(stat(scratch("out.h5"), &info) == 0 && info.st_size == 4);
    unlink(scratch("out.h5"));
    ck_assert_int_eq(srq_import_join(first, false, NULL), SRQ_OK);
    srq_import_destroy(&first);
    ck_assert_int_ne(stat(scratch("out.h5.lock"), &info), 0);
    ck_assert_int_ne(stat(scratch("out.h5.parts"), &info), 0);
    expect_import(SRQ_OK, NULL);
    /* The other formats lock as well. */
    static const char idx[] = SRQ_SOURCE_DIR "/tests/data/fashion-slice";
    srq_dest lock = SRQ_DEST_NONE;
    unlink(scratch("out.h5"));
    ck_assert_int_eq(srq_dest_lock(scratch("out.h5"), &lock), SRQ_OK);
    ck_assert_int_eq(srq_dataset_import(idx, scratch("out.h5"), NULL, &done), SRQ_ERROR_USAGE);
    ck_assert_msg(strstr(srq_message(), "another import is writing it"), "%s", srq_message());
    srq_dest_unlock(scratch("out.h5"), &lock);
    ck_assert_int_eq(srq_dataset_import(idx, scratch("out.h5"), NULL, &done), SRQ_OK);
}
END_TEST

START_TEST(names_of_destinations)
{
    bool done;
    char path[5000];
    make_source();
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    const char *const dests[][2] = {{"", "the name of the data set is empty"},
                                    {scratch("src"), "it is a folder; name the file to write, such as"},
                                    {"new/", "new/: it is a folder; name the file to write, such as new/data.h5"},
                                    {path, "the path has 4999 bytes, but at most 4032 are possible"}};
    for (size_t i = 0; i < sizeof dests / sizeof *dests; i++) {
        ck_assert_int_eq(srq_dataset_import(scratch("src"), dests[i][0], NULL, &done), SRQ_ERROR_USAGE);
        ck_assert_msg(strstr(srq_message(), dests[i][1]) != NULL, "%s", srq_message());
    }
    ck_assert_int_eq(srq_dataset_import("", scratch("out.h5"), NULL, &done), SRQ_ERROR_USAGE);
    ck_assert_ptr_nonnull(strstr(srq_message(), "the name of the source is empty"));
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("import names");
    TCase *tests = tcase_create("import names");
    tcase_add_checked_fixture(tests, NULL, clear_source);
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, names_of_any_bytes);
    tcase_add_test(tests, one_import_at_a_time);
    tcase_add_test(tests, names_of_destinations);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
