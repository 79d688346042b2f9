/* classes.json: what is written is read again, and files that contradict themselves are refused. */
#include "io/class_results.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

static void write_text(const char *text)
{
    scratch_write(SRQ_CLASS_RESULTS_FILE, text, strlen(text));
}

START_TEST(written_and_read)
{
    char *names[12];
    char texts[12][16];
    srq_class_results out, in;
    for (int c = 0; c < 12; c++) {
        snprintf(texts[c], sizeof texts[c], c == 3 ? "a \"b\"\\" : "class %d", c);
        names[c] = texts[c];
    }
    ck_assert_int_eq(srq_class_results_create(12, names, &out), SRQ_OK);
    for (int i = 0; i < 144; i++) out.confusion[i] = i % 13 == 0 ? 50 : i % 5;
    out.step = 77;
    out.beyond5 = 9;
    srq_class_results_sum(&out);
    long wrong = 0, count = 0;
    for (int i = 0; i < 144; i++) {
        count += out.confusion[i];
        wrong += i % 13 ? out.confusion[i] : 0;
    }
    ck_assert(out.wrong == wrong && out.count == count && out.images[0] - out.errors[0] == 50);
    ck_assert_int_eq(srq_class_results_write(scratch_folder, &out), SRQ_OK);
    ck_assert_msg(srq_class_results_read(scratch_folder, &in) == SRQ_OK, "%s", srq_message());
    ck_assert(in.step == 77 && in.classes == 12 && in.count == count && in.wrong == wrong && in.beyond5 == 9);
    ck_assert_int_eq(memcmp(in.confusion, out.confusion, 144 * sizeof(long)), 0);
    for (int c = 0; c < 12; c++) ck_assert_str_eq(in.names[c], names[c]);
    srq_class_results_free(&in);
    srq_class_results_free(&out);
}
END_TEST

/* More classes than a matrix is written for. */
START_TEST(many_classes)
{
    enum { CLASSES = SRQ_CONFUSION_MAX + 1 };
    char **names = calloc(CLASSES, sizeof *names), name[] = "same";
    srq_class_results out, in;
    for (int c = 0; c < CLASSES; c++) names[c] = name;
    ck_assert_int_eq(srq_class_results_create(CLASSES, names, &out), SRQ_OK);
    free(names);
    ck_assert_ptr_null(out.confusion);
    out.images[7] = 10;
    out.errors[7] = 4;
    srq_class_results_sum(&out);
    ck_assert_int_eq(srq_class_results_write(scratch_folder, &out), SRQ_OK);
    ck_assert_msg(srq_class_results_read(scratch_folder, &in) == SRQ_OK, "%s", srq_message());
    ck_assert(in.count == 10 && in.wrong == 4 && in.images[7] == 10 && !in.confusion);
    srq_class_results_free(&in);
    srq_class_results_free(&out);
}
END_TEST

#define TWO(a, b) "{\"name\": \"a\", " a "}, {\"name\": \"b\", " b "}"
#define FILE_OF(head, classes, rest)                                                                                   \
    "{\"format\": \"srq-classes\", \"version\": 1, " head ", \"classes\": [" classes "]" rest "}"
#define HEAD "\"step\": 5, \"test_count\": 5, \"test_wrong\": 2"
#define CLASSES TWO("\"count\": 3, \"wrong\": 1", "\"count\": 2, \"wrong\": 1")

START_TEST(refused)
{
    static const struct {
        const char *text, *words;
    } files[] = {
        {"", "it is not JSON"},
        {"[1]", "no file of the format"},
        {"{\"format\": \"srq-classes\", \"version\": 2}", "of a version"},
        {FILE_OF(HEAD, "", ""), "1 to 2^20 classes"},
        {FILE_OF("\"step\": -1", CLASSES, ""), "\"step\""},
        {FILE_OF(HEAD, TWO("\"count\": 3, \"wrong\": 4", "\"count\": 2, \"wrong\": 1"), ""), "an entry of"},
        {FILE_OF(HEAD, TWO("\"count\": 1e3, \"wrong\": 4", "\"count\": 2, \"wrong\": 1"), ""), "an entry of"},
        {FILE_OF(HEAD, CLASSES, ""), "a row for each class"},
        {FILE_OF(HEAD, CLASSES, ", \"confusion\": [[2, 1]]"), "a row for each class"},
        {FILE_OF(HEAD, CLASSES, ", \"confusion\": [[2, 1, 0], [1, 1]]"), "another length"},
        {FILE_OF(HEAD, CLASSES, ", \"confusion\": [[1, 2], [1, 1]]"), "contradicts \"classes\""},
        {FILE_OF(HEAD, CLASSES, ", \"confusion\": [[4, -1], [1, 1]]"), "contradicts \"classes\""},
        {FILE_OF(HEAD, CLASSES, ", \"confusion\": [[9223372036854775807, 1], [1, 1]]"), "contradicts \"classes\""},
        {FILE_OF("\"step\": 5, \"test_count\": 6, \"test_wrong\": 2", CLASSES, ", \"confusion\": [[2, 1], [1, 1]]"),
         "test_count"},
        {FILE_OF(HEAD ", \"top5_error\": 1.5", CLASSES, ", \"confusion\": [[2, 1], [1, 1]]"), "top5_error"},
    };
    srq_class_results in;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        write_text(files[i].text);
        ck_assert_msg(srq_class_results_read(scratch_folder, &in) == SRQ_ERROR_DATA, "file %zu is read", i);
        ck_assert_msg(strstr(srq_message(), files[i].words) && strstr(srq_message(), SRQ_CLASS_RESULTS_FILE),
                      "file %zu: %s", i, srq_message());
        ck_assert_ptr_null(in.names);
    }
    write_text(FILE_OF(HEAD, CLASSES, ", \"confusion\": [[2, 1], [1, 1]]"));
    ck_assert_int_eq(srq_class_results_read(scratch_folder, &in), SRQ_OK);
    srq_class_results_free(&in);
    remove(scratch(SRQ_CLASS_RESULTS_FILE));
    ck_assert_int_eq(srq_class_results_read(scratch_folder, &in), SRQ_ERROR_DATA);
}
END_TEST

int main(void)
{
    setenv("CK_FORK", "no", 1);
    scratch_create();
    Suite *suite = suite_create("class_results");
    TCase *tests = tcase_create("class_results");
    tcase_add_test(tests, written_and_read);
    tcase_add_test(tests, many_classes);
    tcase_add_test(tests, refused);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
