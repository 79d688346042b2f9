/* Atomic files with injected faults: every system call fails in turn, and the old file is kept until the new one is
 * complete. */
#include "io/file.h"
#include "tests/io/faults.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <dirent.h>

enum { SIZE = 100000 };
static char old_bytes[SIZE], new_bytes[SIZE];

static int entries(void)
{
    int count = 0;
    DIR *stream = opendir(scratch_folder);
    while (readdir(stream)) count++;
    closedir(stream);
    return count - 2;
}

static bool holds(const char *name, const char *bytes)
{
    size_t size = 0;
    unsigned char *data = scratch_read(name, &size);
    const bool same = size == SIZE && memcmp(data, bytes, SIZE) == 0;
    free(data);
    return same;
}

static void setup(void)
{
    memset(old_bytes, 'o', SIZE);
    memset(new_bytes, 'n', SIZE);
    scratch_write("file", old_bytes, SIZE);
}

/* A message with the path and the system's reason. */
static void expect_reason(srq_status status, fault_kind kind, const char *path)
{
    ck_assert_int_eq(status, SRQ_ERROR_RUN);
    ck_assert_msg(strstr(srq_message(), fault_reason(kind)) != NULL, "%s fails: %s", faults.call, srq_message());
    ck_assert_msg(strstr(srq_message(), path) != NULL, "%s fails: %s", faults.call, srq_message());
}

/* What a fault at one call of writing "file" has left behind. */
static void expect_old_or_new(srq_status status, fault_kind kind)
{
    /* A folder that is closed badly has been synced before. */
    const bool goes_on = kind == FAULT_EINTR || kind == FAULT_SHORT;
    ck_assert_msg(!goes_on || status == SRQ_OK, "%s: %s", faults.call, srq_message());
    if (status != SRQ_OK) expect_reason(status, kind, scratch_folder);
    if (status == SRQ_OK) ck_assert_msg(goes_on || strcmp(faults.call, "close") == 0, "%s is not noticed", faults.call);
    /* After the rename, the file is the new one, but the function fails unless the folder was synced. */
    ck_assert(holds("file", new_bytes) || (status != SRQ_OK && holds("file", old_bytes)));
    ck_assert_msg(entries() == 1, "a temporary file stays after %s", faults.call);
}

START_TEST(every_call_may_fail)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        int failed = 0;
        for (int i = 0; i < 20; i++) {
            scratch_write("file", old_bytes, SIZE);
            faults_arm(kind, i);
            const srq_status status = srq_file_write_atomic(scratch("file"), new_bytes, SIZE);
            if (!faults_disarm()) continue;
            failed++;
            expect_old_or_new(status, kind);
            ck_assert_int_eq(srq_file_write_atomic(scratch("file"), new_bytes, SIZE), SRQ_OK);
            ck_assert(holds("file", new_bytes));
        }
        /* open, write, fsync, close, rename; open, fsync, close of the folder. */
        ck_assert_int_eq(failed, kind == FAULT_SHORT || kind == FAULT_SHORT_ENOSPC ? 1 : 8);
    }
}
END_TEST

START_TEST(a_folder_that_does_not_sync_is_reported)
{
    faults_arm(FAULT_EIO, 6);
    ck_assert_int_eq(srq_file_write_atomic(scratch("file"), new_bytes, SIZE), SRQ_ERROR_RUN);
    ck_assert(faults_disarm());
    ck_assert_str_eq(faults.call, "fsync");
    ck_assert_ptr_nonnull(strstr(srq_message(), "cannot sync"));
}
END_TEST

START_TEST(links_and_made_files)
{
    char target[512];
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        const bool goes_on = kind == FAULT_EINTR;
        for (int i = 0; i < 20; i++) {
            ck_assert_int_eq(srq_file_link_atomic(scratch("link"), "old"), SRQ_OK);
            scratch_write("made", new_bytes, SIZE);
            faults_arm(kind, i);
            srq_status status = srq_file_link_atomic(scratch("link"), "new");
            if (faults_disarm() && status != SRQ_OK) expect_reason(status, kind, scratch_folder);
            ck_assert(!goes_on || status == SRQ_OK);
            const ssize_t n = readlink(scratch("link"), target, sizeof target);
            ck_assert(n == 3 && (memcmp(target, "new", 3) == 0 || (status != SRQ_OK && memcmp(target, "old", 3) == 0)));
            ck_assert_int_eq(entries(), 3);
            faults_arm(kind, i);
            status = srq_file_publish(scratch("made"), scratch("file"));
            if (faults_disarm() && status != SRQ_OK) expect_reason(status, kind, scratch_folder);
            ck_assert(!goes_on || status == SRQ_OK);
            /* What was made is never lost. */
            ck_assert(access(scratch("made"), F_OK) == 0 || holds("file", new_bytes));
        }
    }
    unlink(scratch("link")), unlink(scratch("made"));
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
    faults_arm(FAULT_ENOSPC, 2);
    expect_reason(srq_folder_create(scratch("d/e")), FAULT_ENOSPC, "cannot create the folder /");
    ck_assert(faults_disarm());
    ck_assert_str_eq(faults.call, "mkdir");
    rmdir(scratch("d"));
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("file");
    TCase *tests = tcase_create("file");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, every_call_may_fail);
    tcase_add_test(tests, a_folder_that_does_not_sync_is_reported);
    tcase_add_test(tests, links_and_made_files);
    tcase_add_test(tests, folders_and_texts);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
