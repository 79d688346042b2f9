/* Atomic writes under injected faults: each system call fails in turn, and the old file stays. */
#include "io/file.h"
#include "io/file_calls.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <dirent.h>
#include <errno.h>

enum { SIZE = 100000 };
static char old_bytes[SIZE], new_bytes[SIZE];
static int fail_errno, fail_at, calls_seen;

static int fails(void)
{
    if (calls_seen++ != fail_at) return 0;
    errno = fail_errno;
    return 1;
}

static int failing_open(const char *path, int flags, mode_t mode)
{
    return fails() ? -1 : srq_file_system.open(path, flags, mode);
}

static ssize_t failing_write(int file, const void *data, size_t size)
{
    return fails() ? -1 : srq_file_system.write(file, data, size);
}

/* Seven bytes at a time, every other call interrupted. */
static ssize_t hesitant_write(int file, const void *data, size_t size)
{
    if (calls_seen++ % 2) {
        errno = EINTR;
        return -1;
    }
    return srq_file_system.write(file, data, size < 777 ? size : 777);
}

static ssize_t full_write(int file, const void *data, size_t size)
{
    (void)file, (void)data, (void)size;
    return 0;
}

static int failing_fsync(int file)
{
    return fails() ? -1 : srq_file_system.fsync(file);
}

static int failing_close(int file)
{
    int result = srq_file_system.close(file);
    return fails() ? -1 : result;
}

static int failing_rename(const char *from, const char *to)
{
    return fails() ? -1 : srq_file_system.rename(from, to);
}

static int entries(void)
{
    int count = 0;
    DIR *stream = opendir(scratch_folder);
    while (readdir(stream)) count++;
    closedir(stream);
    return count - 2;
}

static void expect_contents(const char *bytes)
{
    size_t size = 0;
    unsigned char *data = scratch_read("file", &size);
    ck_assert_uint_eq(size, SIZE);
    ck_assert_mem_eq(data, bytes, SIZE);
    ck_assert_int_eq(entries(), 1);
    free(data);
}

static void setup(void)
{
    memset(old_bytes, 'o', SIZE);
    memset(new_bytes, 'n', SIZE);
    scratch_write("file", old_bytes, SIZE);
    calls_seen = fail_at = 0;
}

static void expect_failure(const srq_file_calls *calls, const char *words)
{
    calls_seen = 0;
    ck_assert_int_eq(srq_file_write_with(calls, scratch("file"), new_bytes, SIZE), SRQ_ERROR_RUN);
    ck_assert_msg(strstr(srq_message(), words) != NULL, "\"%s\" is not in: %s", words, srq_message());
    expect_contents(old_bytes);
}

START_TEST(every_call_may_fail)
{
    static const int reasons[] = {ENOSPC, EIO, EACCES};
    for (int i = 0; i < 3; i++) {
        fail_errno = reasons[i];
        const char *why = strerror(fail_errno);
        srq_file_calls calls = srq_file_system;
        calls.open = failing_open;
        expect_failure(&calls, why);
        calls = srq_file_system, calls.write = failing_write;
        expect_failure(&calls, why);
        calls = srq_file_system, calls.fsync = failing_fsync;
        expect_failure(&calls, why);
        calls = srq_file_system, calls.close = failing_close;
        expect_failure(&calls, why);
        calls = srq_file_system, calls.rename = failing_rename;
        expect_failure(&calls, why);
    }
    srq_file_calls calls = srq_file_system;
    calls.write = full_write;
    expect_failure(&calls, strerror(ENOSPC));
}
END_TEST

/* Once renamed, the file is the new one, but without its folder on disk success is not claimed. */
START_TEST(a_folder_that_does_not_sync_is_reported)
{
    srq_file_calls calls = srq_file_system;
    calls.fsync = failing_fsync;
    fail_errno = EIO;
    fail_at = 1;
    ck_assert_int_eq(srq_file_write_with(&calls, scratch("file"), new_bytes, SIZE), SRQ_ERROR_RUN);
    expect_contents(new_bytes);
    /* A file system that syncs no folders at all is another matter. */
    fail_errno = EINVAL;
    calls_seen = 0;
    ck_assert_int_eq(srq_file_write_with(&calls, scratch("file"), old_bytes, SIZE), SRQ_OK);
    expect_contents(old_bytes);
}
END_TEST

START_TEST(short_and_interrupted_calls_go_on)
{
    srq_file_calls calls = srq_file_system;
    calls.write = hesitant_write;
    ck_assert_int_eq(srq_file_write_with(&calls, scratch("file"), new_bytes, SIZE), SRQ_OK);
    expect_contents(new_bytes);
    calls = srq_file_system, calls.fsync = failing_fsync, calls.open = failing_open;
    fail_errno = EINTR;
    calls_seen = 0;
    ck_assert_int_eq(srq_file_write_with(&calls, scratch("file"), old_bytes, SIZE), SRQ_OK);
    expect_contents(old_bytes);
}
END_TEST

START_TEST(folders_and_texts)
{
    char *text = NULL;
    ck_assert_int_eq(srq_folder_create(scratch("a/b/c")), SRQ_OK);
    ck_assert_int_eq(srq_folder_create(scratch("a/b/c")), SRQ_OK);
    ck_assert_int_eq(srq_folder_create(scratch("file/x")), SRQ_ERROR_RUN);
    ck_assert_int_eq(srq_folder_create(scratch("file")), SRQ_ERROR_RUN);
    ck_assert_int_eq(srq_folder_create(""), SRQ_ERROR_RUN);
    ck_assert_ptr_nonnull(strstr(srq_message(), "empty"));
    ck_assert_int_eq(srq_file_read_text(scratch("a"), 10, &text), SRQ_ERROR_DATA);
    ck_assert_ptr_nonnull(strstr(srq_message(), "folder"));
    ck_assert_int_eq(srq_file_read_text(scratch("none"), 10, &text), SRQ_ERROR_DATA);
    ck_assert_int_eq(srq_file_read_text(scratch("file"), SIZE - 1, &text), SRQ_ERROR_DATA);
    ck_assert_int_eq(srq_file_read_text(scratch("file"), SIZE, &text), SRQ_OK);
    ck_assert_uint_eq(strlen(text), SIZE);
    free(text);
    scratch_write("zero", "a\0b", 3);
    ck_assert_int_eq(srq_file_read_text(scratch("zero"), 10, &text), SRQ_ERROR_DATA);
    ck_assert_ptr_nonnull(strstr(srq_message(), "offset 1"));
    unlink(scratch("zero"));
    rmdir(scratch("a/b/c")), rmdir(scratch("a/b")), rmdir(scratch("a"));
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("file");
    TCase *tests = tcase_create("file");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, every_call_may_fail);
    tcase_add_test(tests, a_folder_that_does_not_sync_is_reported);
    tcase_add_test(tests, short_and_interrupted_calls_go_on);
    tcase_add_test(tests, folders_and_texts);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
