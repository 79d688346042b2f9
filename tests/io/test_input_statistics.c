/* The mean and standard deviation of pixels in checkpoints. */
#include "io/input_statistics.h"
#include "tests/io/run_fixture.h"

#include <math.h>

static const float mean[] = {0.25f}, std[] = {0.5f};

/* A file with such data sets, NULL for none, and nothing else. */
static void read_made(srq_status expected, hid_t type, size_t channels, const void *m, const void *s, const char *words)
{
    srq_h5_writer *writer = NULL;
    srq_h5_reader *reader = NULL;
    EXPECT(SRQ_OK, srq_h5_writer_create("some", 1, &writer));
    if (m) EXPECT(SRQ_OK, srq_h5_write(writer, "input/mean", type, 1, &channels, m));
    if (s) EXPECT(SRQ_OK, srq_h5_write(writer, "input/std", type, 1, &channels, s));
    EXPECT(SRQ_OK, srq_h5_writer_seal(writer));
    EXPECT(SRQ_OK, srq_h5_writer_commit(writer, scratch("made.h5")));
    srq_h5_writer_destroy(&writer);
    EXPECT(SRQ_OK, srq_h5_reader_open(scratch("made.h5"), "some", "some", 1, &reader));
    EXPECT(expected, srq_input_statistics_read(reader, graph));
    if (words) expect_words(srq_message(), words);
    srq_h5_reader_close(&reader);
}

START_TEST(they_are_kept_with_the_network)
{
    EXPECT(SRQ_OK, write_step(1, 2));
    EXPECT(SRQ_OK, srq_graph_set_statistics(graph, mean, std));
    EXPECT(SRQ_OK, write_step(2, 2));
    EXPECT(SRQ_OK, srq_graph_set_statistics(graph, (float[]){9}, (float[]){9}));
    ck_assert_int_eq(load(step_name(2)), 2);
    ck_assert(*srq_graph_mean(graph) == mean[0] && *srq_graph_std(graph) == std[0]);
    /* What a file does not have, the network does not have either: it may have read another file before. */
    ck_assert_int_eq(load(step_name(1)), 1);
    ck_assert(!srq_graph_mean(graph) && !srq_graph_std(graph));
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    static const float wrong[][2] = {{NAN, 1}, {INFINITY, 1}, {0, 0},         {0, -1},
                                     {0, NAN}, {0, INFINITY}, {0, 0x1p-140f}, {0x1p100f, 0x1p-100f}};
    static const double wide[] = {0.5};
    static const float several[] = {0.5f, 0.5f};
    read_made(SRQ_OK, H5T_NATIVE_FLOAT, 1, mean, std, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        read_made(SRQ_ERROR_DATA, H5T_NATIVE_FLOAT, 1, &wrong[i][0], &wrong[i][1],
                  "made.h5: data sets input/mean and input/std: element 0 is ");
    read_made(SRQ_ERROR_DATA, H5T_NATIVE_DOUBLE, 1, wide, wide,
              "input/mean is of type float64, but float32 is expected");
    read_made(SRQ_ERROR_DATA, H5T_NATIVE_FLOAT, 2, several, several, "input/mean");
    read_made(SRQ_ERROR_DATA, H5T_NATIVE_FLOAT, 1, mean, NULL, "input/std");
    read_made(SRQ_ERROR_DATA, H5T_NATIVE_FLOAT, 1, NULL, std, "input/mean");
    read_made(SRQ_OK, H5T_NATIVE_FLOAT, 1, NULL, NULL, NULL);
    ck_assert_ptr_null(srq_graph_mean(graph));
}
END_TEST

/* Only where the data set of an older checkpoint is not that of its training. */
START_TEST(others_are_said)
{
    const srq_settings *s = srq_config_settings(config);
    srq_settings plain = *s;
    srq_dataset d = {.checksum = "0123", .path = "other.h5"};
    snprintf(plain.data.normalize, sizeof plain.data.normalize, "none");
    ck_assert_str_eq(srq_input_statistics_source(s, graph), "data");
    ck_assert_str_eq(srq_input_statistics_source(&plain, graph), "none");
    srq_input_statistics_note("old.h5", "0123", s, graph, &d, notes);
    srq_input_statistics_note("old.h5", "4567", &plain, graph, &d, notes);
    ck_assert_str_eq(notes_text, "");
    srq_input_statistics_note("old.h5", "4567", s, graph, &d, notes);
    expect_words(notes_text, "srq: note: old.h5, of an earlier version of srq, has no mean");
    expect_words(notes_text, "those of other.h5 are used\n");
    EXPECT(SRQ_OK, srq_graph_set_statistics(graph, mean, std));
    ck_assert_str_eq(srq_input_statistics_source(s, graph), "network");
    const size_t before = strlen(notes_text);
    srq_input_statistics_note("new.h5", "4567", s, graph, &d, notes);
    ck_assert_uint_eq(strlen(notes_text), before);
}
END_TEST

int main(void)
{
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("input statistics");
    TCase *tests = tcase_create("input statistics");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, they_are_kept_with_the_network);
    tcase_add_test(tests, what_cannot_be_is_refused);
    tcase_add_test(tests, others_are_said);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
