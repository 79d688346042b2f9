/* Text of unknown origin in every kind of output, and progress on a terminal. */
#include "io/escape.h"
#include "io/progress.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void escapes_to(const char *text, srq_escape escape, const char *expected)
{
    char *out = NULL;
    size_t size;
    FILE *stream = open_memstream(&out, &size);
    ck_assert_ptr_nonnull(stream);
    srq_print_escaped(text, escape, stream);
    fclose(stream);
    ck_assert_str_eq(out, expected);
    free(out);
}

START_TEST(escapes)
{
    escapes_to("<b a=\"1\">&'", SRQ_ESCAPE_HTML, "&lt;b a=&quot;1&quot;&gt;&amp;'");
    escapes_to("a|b_c*[x](y)`<", SRQ_ESCAPE_MARKDOWN, "a\\|b\\_c\\*\\[x\\](y)\\`&lt;");
    escapes_to("plain", SRQ_ESCAPE_CSV, "plain");
    escapes_to("a,\"b\"", SRQ_ESCAPE_CSV, "\"a,\"\"b\"\"\"");
    escapes_to("it's `id` \"$(x)\"", SRQ_ESCAPE_GNUPLOT, "'it''s `id` \"$(x)\"'");
    /* The output has no line ends; invalid UTF-8 is replaced, and valid text is kept. */
    escapes_to("a\nb\tc\x01", SRQ_ESCAPE_HTML, "a b c ");
    escapes_to("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", SRQ_ESCAPE_HTML, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80");
    escapes_to("\xff \xc0\xaf \xe0\x80\x80 \xed\xa0\x80 \xc3", SRQ_ESCAPE_TERMINAL,
               "\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd "
               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd");
    char cut[16];
    ck_assert_str_eq(srq_text_cut("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 4, cut, sizeof cut), "\xc3\xa4...");
    ck_assert_str_eq(srq_text_cut("abcd", 4, cut, sizeof cut), "abcd");
    ck_assert_int_eq(srq_text_width("\xc3\xa4\xe2\x82\xac"), 2);
}
END_TEST

/* An escape sequence that clears the screen, the same in C1, and a character that reverses the text after it. */
START_TEST(terminals)
{
    escapes_to("a\033[2Jb", SRQ_ESCAPE_TERMINAL, "a [2Jb");
    escapes_to("a\xc2\x9b\x32Jb\x7f", SRQ_ESCAPE_TERMINAL, "a 2Jb ");
    escapes_to("cat\xe2\x80\xaegpj", SRQ_ESCAPE_TERMINAL, "cat gpj");
    escapes_to("a\nsrq: b\r", SRQ_ESCAPE_TERMINAL, "a srq: b ");
}
END_TEST

/* What a spreadsheet would compute becomes text; numbers stay numbers. */
START_TEST(formulas)
{
    static const char *const texts[] = {"=cmd()", "+1",   "@SUM(1)", "-2+3",
                                        "-inf",   "=1,2", "\t=1",    "-cmd|' /C calc'!A0"};
    static const char *const safe[] = {"'=cmd()", "'+1",       "'@SUM(1)", "'-2+3",
                                       "'-inf",   "\"'=1,2\"", "' =1",     "'-cmd|' /C calc'!A0"};
    for (int i = 0; i < 8; i++) escapes_to(texts[i], SRQ_ESCAPE_CSV, safe[i]);
    static const char *const numbers[] = {"-0.25", "-1e-05", "-3", "-", "1", "0.5", "a=b", "runs/-1"};
    for (int i = 0; i < 8; i++) escapes_to(numbers[i], SRQ_ESCAPE_CSV, numbers[i]);
}
END_TEST

/* A reader of JSON gets the text back. Only bytes that are no UTF-8 are replaced. */
static void quotes_to(const char *text, const char *expected)
{
    char quoted[256];
    json_t *value = json_loads(srq_json_quote(text, quoted, sizeof quoted), JSON_DECODE_ANY, NULL);
    ck_assert_msg(value, "not JSON: %s", quoted);
    ck_assert_str_eq(json_string_value(value), expected);
    json_decref(value);
    for (const char *c = quoted; *c; c++) ck_assert_msg((unsigned char)*c >= 0x20 && *c != 0x7f, "raw: %s", quoted);
    escapes_to(text, SRQ_ESCAPE_JSON, quoted);
}

START_TEST(json)
{
    quotes_to("a \"b\" \\ c/d", "a \"b\" \\ c/d");
    quotes_to("\033[2J\n\x7f \xc2\x9b", "\033[2J\n\x7f \xc2\x9b");
    quotes_to("/home/andr\xe9/data.h5", "/home/andr\xef\xbf\xbd/data.h5"); /* Latin-1 */
    quotes_to("\xc3\xa9 \xf0\x9f\x98\x80 \xe2\x80\xae", "\xc3\xa9 \xf0\x9f\x98\x80 \xe2\x80\xae");
    quotes_to("\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd");
    /* A text that does not fit is cut before a character or an escape. */
    for (size_t size = 3; size < 40; size++) {
        char quoted[64];
        memset(quoted, 'x', sizeof quoted);
        json_t *value =
            json_loads(srq_json_quote("\xe2\x82\xac\"\x01\xe9\xe2\x82\xac", quoted, size), JSON_DECODE_ANY, NULL);
        ck_assert_msg(value && strlen(quoted) < size && quoted[size] == 'x', "%zu: %s", size, quoted);
        json_decref(value);
    }
}
END_TEST

static char *said(const char *argument, bool inside)
{
    char *out = NULL;
    size_t size;
    FILE *stream = open_memstream(&out, &size);
    ck_assert_ptr_nonnull(stream);
    if (inside)
        srq_say_to(stream, "\nclass\n%s\n", argument);
    else
        srq_say_to(stream, "\nclass %s\n\n", argument);
    fclose(stream);
    return out;
}

/* Line breaks come from the format. */
START_TEST(what_is_said)
{
    char *out = said("a\nsrq: \033[31mb", false);
    ck_assert_str_eq(out, "\nclass a srq:  [31mb\n\n");
    free(out);
    out = said("a\nb", true);
    ck_assert_str_eq(out, "\nclass\na\nb\n");
    free(out);
    char large[5000];
    memset(large, 'y', sizeof large);
    large[sizeof large - 1] = '\0';
    out = said(large, false);
    ck_assert_uint_eq(strlen(out), strlen("\nclass \n\n") + sizeof large - 1);
    free(out);
}
END_TEST

/* --- Progress */

/* The end of a terminal that a program writes to; *other is where its output can be read. */
static FILE *open_terminal(unsigned short columns, int *other)
{
    const struct winsize size = {.ws_row = 24, .ws_col = columns};
    *other = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(*other >= 0 && grantpt(*other) == 0 && unlockpt(*other) == 0);
    FILE *out = fopen(ptsname(*other), "w");
    ck_assert_ptr_nonnull(out);
    ck_assert_int_eq(ioctl(fileno(out), TIOCSWINSZ, &size), 0);
    return out;
}

/* A line that is wider than the window fills two rows, and the next one would overwrite only the second. */
START_TEST(narrow_window)
{
    int other;
    char read_back[4096];
    FILE *out = open_terminal(40, &other);
    unsetenv("OMPI_COMM_WORLD_SIZE");
    srq_progress *p = srq_progress_create(out);
    usleep(110000); /* lines come at most ten times a second */
    srq_progress_update(p, "epoch 1/10  \xc3\xa4 \033[2J  %0100d", 7);
    srq_progress_line(p, "done: %0100d", 7);
    srq_progress_destroy(&p);
    /* A terminal may hand over what was written in several pieces. */
    size_t n = 0;
    read_back[0] = '\0';
    for (const char *last = NULL; !last || !strchr(last, '\n'); last = strstr(read_back, "done: ")) {
        const ssize_t more = read(other, read_back + n, sizeof read_back - 1 - n);
        ck_assert(more > 0);
        n += (size_t)more;
        read_back[n] = '\0';
    }
    char *line = strstr(read_back, "\r\033[K"), *end = strstr(line ? line : read_back, "done: ");
    ck_assert_msg(line && end, "%s", read_back);
    ck_assert_ptr_null(strstr(read_back, "\033[2J"));
    *line = '\0';
    ck_assert_int_eq(srq_text_width(read_back), 39);
    ck_assert_uint_eq(strcspn(end, "\r\n"), 106); /* a permanent line is whole */
    fclose(out);
    close(other);
}
END_TEST

/* A reader that has ended (`train | head -1`) ends neither the process nor later output. */
START_TEST(nobody_reads)
{
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(pipe(ends), 0);
    FILE *out = fdopen(ends[1], "w");
    srq_progress *p = srq_progress_create(out);
    srq_progress_line(p, "one");
    close(ends[0]);
    for (int i = 0; i < 3; i++) srq_progress_line(p, "two");
    srq_progress_destroy(&p);
    fclose(out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("escape");
    TCase *cases = tcase_create("cases");
    tcase_add_test(cases, escapes);
    tcase_add_test(cases, terminals);
    tcase_add_test(cases, formulas);
    tcase_add_test(cases, json);
    tcase_add_test(cases, what_is_said);
    tcase_add_test(cases, narrow_window);
    tcase_add_test(cases, nobody_reads);
    suite_add_tcase(suite, cases);
    return srq_suite_run(suite);
}
