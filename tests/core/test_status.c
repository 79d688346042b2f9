/* Messages: what is kept of one that is too long. */
#include "core/status.h"
#include "tests/suite.h"

#include <string.h>

START_TEST(long_paths_keep_the_reason)
{
    char path[2 * SRQ_MESSAGE_SIZE], expected[SRQ_MESSAGE_SIZE];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    ck_assert_int_eq(srq_fail(SRQ_ERROR_DATA, "/begin/%s: File name too long; check the path", path), SRQ_ERROR_DATA);
    ck_assert_uint_eq(strlen(srq_message()), SRQ_MESSAGE_SIZE - 1);
    ck_assert_int_eq(strncmp(srq_message(), "/begin/aaa", 10), 0);
    ck_assert_ptr_nonnull(strstr(srq_message(), "a ... a"));
    ck_assert_ptr_nonnull(strstr(srq_message(), "aaa: File name too long; check the path"));
    /* As the reason of another message, and as its place. */
    srq_fail_in(SRQ_ERROR_USAGE, "c.cfg:%d: model", 3);
    ck_assert_int_eq(strncmp(srq_message(), "c.cfg:3: model: /begin/aaa", 25), 0);
    ck_assert_ptr_nonnull(strstr(srq_message(), "aaa: File name too long; check the path"));
    srq_fail(SRQ_ERROR_DATA, "it is a folder");
    srq_fail_in(SRQ_ERROR_DATA, "%s:3: @include", path);
    ck_assert_ptr_nonnull(strstr(srq_message(), "aaa:3: @include: it is a folder"));
    /* What fits stays as it is, up to the last byte. */
    memset(expected, 'b', sizeof expected);
    expected[sizeof expected - 1] = '\0';
    srq_fail(SRQ_ERROR_DATA, "%s", expected);
    ck_assert_str_eq(srq_message(), expected);
    srq_fail(SRQ_ERROR_DATA, "%s", srq_message());
    ck_assert_str_eq(srq_message(), expected);
}
END_TEST

/* Nothing begins or ends inside a character. */
START_TEST(characters_stay_whole)
{
    for (int shift = 0; shift < 4; shift++) {
        char text[2 * SRQ_MESSAGE_SIZE] = "";
        memset(text, 'x', (size_t)shift);
        for (size_t n = (size_t)shift; n + 3 < sizeof text; n += 3) memcpy(text + n, "\xe2\x82\xac", 4);
        srq_fail(SRQ_ERROR_DATA, "%s", text);
        const char *gap = strstr(srq_message(), " ... ");
        ck_assert_ptr_nonnull(gap);
        ck_assert_int_eq(memcmp(gap - 3, "\xe2\x82\xac ... \xe2\x82\xac", 11), 0);
    }
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("status");
    TCase *tests = tcase_create("status");
    tcase_add_test(tests, long_paths_keep_the_reason);
    tcase_add_test(tests, characters_stay_whole);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
