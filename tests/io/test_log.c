/* The reader of log.jsonl: logs of normal, killed and resumed runs, and damaged and malicious logs. */
#include "io/log.h"
#include "io/run_list.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <math.h>
#include <sys/stat.h>

#define START                                                                                                          \
    "{\"event\": \"start\", \"time\": \"2026-01-02T03:04:05Z\", \"ranks\": 2, \"batch\": 10, \"steps\": 100, "         \
    "\"steps_per_epoch\": 10, \"seed\": 1, \"engine\": \"oneDNN mixed\", \"data_sha256\": \"abc\"}\n"
#define STEP(n, loss)                                                                                                  \
    "{\"event\": \"step\", \"time\": \"2026-01-02T03:04:15Z\", \"step\": " #n ", \"epoch\": 1.5, \"loss\": " loss      \
    ", \"error\": 0.25, \"images_per_second\": 100.0}\n"
#define EVAL(n, error, bits)                                                                                           \
    "{\"event\": \"eval\", \"time\": \"2026-01-02T03:04:25Z\", \"step\": " #n ", \"epoch\": 2, \"test_loss\": 0.5, "   \
    "\"test_error\": " error ", \"mean_weight_bits\": 3, \"layers\": [{\"name\": \"conv1\", \"weight_bits\": " bits    \
    "},{\"name\": \"act1\", \"activation_bits\": 4},{\"name\": \"fc\", \"weight_bits\": 2}]}\n"
#define STOP(reason, status)                                                                                           \
    "{\"event\": \"stop\", \"time\": \"2026-01-02T03:05:05Z\", \"step\": 100, \"reason\": \"" reason                   \
    "\", \"status\": " status "}\n"

static srq_log *read_text(const char *text)
{
    srq_log *log = NULL;
    scratch_write("log.jsonl", text, strlen(text));
    ck_assert_msg(srq_log_create(scratch("log.jsonl"), &log) == SRQ_OK, "%s", srq_message());
    return log;
}

START_TEST(whole_run)
{
    srq_log *log = read_text(START STEP(5, "1.5") EVAL(10, "0.125", "8") STEP(15, "0.5") EVAL(20, "0.0625", "3")
                                 STOP("done", "0"));
    ck_assert_int_eq(log->state, SRQ_LOG_FINISHED);
    ck_assert_str_eq(log->reason, "done");
    ck_assert_int_eq(log->step_count, 2);
    ck_assert(log->steps[1].step == 15 && log->steps[1].loss == 0.5 && log->steps[1].error == 0.25);
    ck_assert_int_eq(log->eval_count, 2);
    ck_assert(log->evals[0].error == 0.125 && log->evals[1].error == 0.0625 && log->evals[1].mean_bits == 3);
    ck_assert(isnan(log->evals[0].gated_bits));
    /* Layers with weights only. */
    ck_assert_int_eq(log->layer_count, 2);
    ck_assert_str_eq(log->layers[1], "fc");
    ck_assert(log->evals[0].bits[0] == 8 && log->evals[1].bits[0] == 3 && log->evals[1].bits[1] == 2);
    ck_assert(log->ranks == 2 && log->total_steps == 100 && log->steps_per_epoch == 10 && log->batch == 10);
    ck_assert_str_eq(log->data_sha256, "abc");
    ck_assert_double_eq(log->seconds, 60);
    ck_assert_double_eq(log->first_time, 1767323045);
    ck_assert_int_eq(log->bad_lines, 0);
    srq_log_destroy(&log);
    ck_assert_ptr_null(log);
}
END_TEST

/* With masks, the share of all weights. Invalid values are NaN. */
START_TEST(weights_that_are_left)
{
    static const struct {
        const char *numbers;
        double kept;
    } cases[] = {{"\"kept\": 128, \"weights\": 512", 0.25},
                 {"\"weights\": 512", 1},
                 {"\"kept\": 3", NAN},
                 {"\"kept\": 9, \"weights\": 3", NAN},
                 {"\"weights\": 0", NAN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "{\"event\": \"eval\", \"step\": 1, %s}\n", cases[i].numbers);
        srq_log *log = read_text(text);
        ck_assert_int_eq(log->eval_count, 1);
        const double kept = log->evals[0].kept;
        ck_assert_msg(isnan(cases[i].kept) ? isnan(kept) : kept == cases[i].kept, "%s: %g", cases[i].numbers, kept);
        srq_log_destroy(&log);
    }
}
END_TEST

#define VALID(n, error)                                                                                                \
    "{\"event\": \"eval\", \"step\": " #n ", \"validation_loss\": 0.5, \"validation_error\": " error "}\n"
#define TEST(n, best)                                                                                                  \
    "{\"event\": \"test\", \"step\": " #n ", \"best_step\": " best ", \"validation_error\": 0.25, "                    \
    "\"test_error\": 0.375, \"test_loss\": 1.5, \"mean_weight_bits\": 2}\n"

/* With validation images, evaluations have no test error; the test is a line of its own. */
START_TEST(validation)
{
    srq_log *log = read_text(START VALID(10, "0.25") VALID(20, "0.5") TEST(20, "10") STOP("early-stop", "0"));
    ck_assert(log->eval_count == 2 && isnan(log->evals[0].error) && log->evals[0].validation_error == 0.25);
    ck_assert_double_eq(srq_log_training_error(&log->evals[1]), 0.5);
    ck_assert(log->tested && log->best_step == 10 && log->test.step == 20 && log->test.error == 0.375);
    ck_assert(log->test.loss == 1.5 && log->test.mean_bits == 2 && log->test.validation_error == 0.25);
    ck_assert(log->state == SRQ_LOG_FINISHED && strcmp(log->reason, "early-stop") == 0);
    srq_log_destroy(&log);
    /* The run lost its last checkpoint, and does its end again. */
    log = read_text(START VALID(10, "0.25") VALID(20, "0.5") TEST(20, "10") START
                    "{\"event\": \"resume\", \"step\": 10}\n");
    ck_assert(!log->tested && log->eval_count == 1);
    srq_log_destroy(&log);
    /* Resumed at its end, it keeps its result. */
    log = read_text(START VALID(20, "0.5") TEST(20, "20") START "{\"event\": \"resume\", \"step\": 20}\n");
    ck_assert(log->tested && log->test.error == 0.375);
    srq_log_destroy(&log);
    log = read_text(START "{\"event\": \"test\", \"step\": 20, \"test_error\": 7}\n");
    ck_assert(!log->tested && srq_log_check(log) == SRQ_ERROR_DATA);
    srq_log_destroy(&log);
    log = read_text(START EVAL(10, "0.125", "8"));
    ck_assert(!log->tested && srq_log_training_error(&log->evals[0]) == 0.125);
    srq_log_destroy(&log);
}
END_TEST

START_TEST(under_way)
{
    static const char first[] = START STEP(5, "1.5") "{\"event\": \"step\", \"step\": 10, \"lo";
    static const char rest[] = "ss\": 0.75}\n" STEP(20, "0.5");
    bool changed = true;
    srq_log *log = read_text(first);
    ck_assert(log->half_line && log->bad_lines == 0 && log->step_count == 1 && log->state == SRQ_LOG_OPEN);
    ck_assert_int_eq(srq_log_update(log, &changed), SRQ_OK);
    ck_assert(!changed && log->half_line && log->step_count == 1);
    char text[sizeof first + sizeof rest];
    snprintf(text, sizeof text, "%s%s", first, rest);
    scratch_write("log.jsonl", text, strlen(text));
    ck_assert_int_eq(srq_log_update(log, &changed), SRQ_OK);
    ck_assert(changed && !log->half_line && log->step_count == 3);
    ck_assert(log->steps[1].step == 10 && log->steps[1].loss == 0.75 && isnan(log->steps[1].error));
    /* A shorter log that replaces it is read from the beginning. */
    scratch_write("log.jsonl", START, strlen(START));
    ck_assert_int_eq(srq_log_update(log, &changed), SRQ_OK);
    ck_assert(log->step_count == 0 && log->starts == 1);
    srq_log_destroy(&log);
}
END_TEST

START_TEST(later_line_counts)
{
    srq_log *log = read_text(
        START STEP(10, "9.0") EVAL(10, "0.9", "8") STEP(20, "8.0") EVAL(20, "0.8", "8") STEP(30, "7.0") START
        "{\"event\": \"resume\", \"time\": \"2026-01-02T03:04:05Z\", \"step\": 10, \"ranks\": 3}\n" STEP(20, "1.0"));
    ck_assert_int_eq(log->starts, 2);
    ck_assert_int_eq(log->step_count, 2);
    ck_assert(log->steps[0].loss == 9 && log->steps[1].step == 20 && log->steps[1].loss == 1);
    ck_assert(log->eval_count == 1 && log->evals[0].step == 10);
    ck_assert_int_eq(log->last_step, 20);
    srq_log_destroy(&log);
    /* Begun anew, without a checkpoint to go on from. */
    log = read_text(START STEP(10, "9.0") STEP(20, "8.0") STOP("out of memory", "4") START STEP(10, "2.0"));
    ck_assert(log->step_count == 1 && log->steps[0].loss == 2 && log->state == SRQ_LOG_OPEN && !log->reason);
    srq_log_destroy(&log);
}
END_TEST

START_TEST(how_runs_end)
{
    srq_log *log = read_text(START STOP("signal", "75"));
    ck_assert_int_eq(log->state, SRQ_LOG_STOPPED);
    srq_log_destroy(&log);
    log = read_text(START STOP("step 3: layer \\\"fc\\\" produces an infinity or NaN", "4"));
    ck_assert_int_eq(log->state, SRQ_LOG_FAILED);
    ck_assert_str_eq(log->reason, "step 3: layer \"fc\" produces an infinity or NaN");
    srq_log_destroy(&log);
    log = read_text("");
    ck_assert(log->state == SRQ_LOG_EMPTY && log->step_count == 0);
    srq_log_destroy(&log);
}
END_TEST

START_TEST(numbers_that_are_none)
{
    srq_log *log = read_text(START STEP(1, "nan") STEP(2, "-nan") STEP(3, "inf") STEP(4, "-inf") STEP(5, "null")
                                 STEP(6, "0.5") STOP("nan inf", "4"));
    ck_assert_int_eq(log->bad_lines, 0);
    ck_assert_int_eq(log->step_count, 6);
    for (int i = 0; i < 5; i++) ck_assert(isnan(log->steps[i].loss) && log->steps[i].error == 0.25);
    ck_assert(log->steps[5].loss == 0.5);
    ck_assert_str_eq(log->reason, "nan inf"); /* inside a string they are words */
    srq_log_destroy(&log);
}
END_TEST

START_TEST(lines_that_make_no_sense)
{
    static const char text[] =
        "nonsense\n[1, 2]\n{}\n{\"event\": 7}\n{\"event\": \"step\", \"step\": -5}\n"
        "{\"event\": \"step\", \"step\": 1e300}\n{\"event\": \"step\", \"step\": 99999999999999999999999999}\n"
        "{\"event\": \"step\"}\n{\"event\": \"eval\", \"step\": 1.5}\n\xff\xfe\n\n" STEP(5, "1.0");
    srq_log *log = read_text(text);
    ck_assert_int_eq(log->bad_lines, 10);
    ck_assert_int_eq(log->step_count, 1);
    srq_log_destroy(&log);
    /* Bytes of zero, and a thousand brackets. */
    char bytes[4096];
    memset(bytes, '[', sizeof bytes);
    memcpy(bytes + 100, "\0\0\0\n", 4);
    bytes[sizeof bytes - 1] = '\n';
    scratch_write("log.jsonl", bytes, sizeof bytes);
    ck_assert_int_eq(srq_log_create(scratch("log.jsonl"), &log), SRQ_OK);
    ck_assert_int_eq(log->bad_lines, 2);
    srq_log_destroy(&log);
}
END_TEST

static void check_says(const char *text, const char *words)
{
    srq_log *log = read_text(text);
    const srq_status status = srq_log_check(log);
    ck_assert_msg(status == (words ? SRQ_ERROR_DATA : SRQ_OK), "status %d of %s", (int)status, text);
    if (words) ck_assert_msg(strstr(srq_message(), words), "\"%s\" is not in: %s", words, srq_message());
    srq_log_destroy(&log);
}

/* Figures that are none are not reported: a test error of 17.5 is not 1750 %. */
START_TEST(impossible_numbers)
{
    check_says(START EVAL(10, "17.5", "8"), "log.jsonl: line 2: test_error is 17.5, but must be from 0 to 1");
    check_says(START EVAL(10, "0.5", "8") EVAL(20, "-1e-9", "8"), "line 3: test_error is -1e-09");
    check_says(START STEP(1, "-5"), "line 2: loss is -5");
    check_says(START STEP(1, "1e308"), "line 2: loss is 1e+308");
    check_says(START EVAL(10, "\"low\"", "8"), "line 2: test_error is not a number");
    static const char *const numbers[] = {
        "zeros\": 1.5",           "bytes\": -1", "bops\": 1e308",          "w8a8_bops\": -2",       "test_loss\": -3",
        "mean_gated_bits\": 1e9", "epoch\": -1", "mean_weight_bits\": 33", "float32_bops\": -1e300"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[400];
        snprintf(text, sizeof text, "%s{\"event\": \"eval\", \"step\": 4, \"%s}\n", START, numbers[i]);
        check_says(text, "line 2: ");
    }
    check_says(START STEP(1, "3.4e38") STEP(2, "-1e-8") EVAL(10, "0", "8") EVAL(20, "1", "8") EVAL(30, "null", "8"),
               NULL);
    /* The line is skipped. */
    srq_log *log = read_text(START EVAL(10, "0.5", "8") EVAL(20, "17.5", "8") STOP("done", "0"));
    ck_assert(log->eval_count == 1 && log->evals[0].step == 10 && log->bad_lines == 1);
    srq_log_destroy(&log);
}
END_TEST

START_TEST(files_of_something_else)
{
    check_says("", NULL);
    check_says("{\"event\": \"sta", NULL); /* a line that is being written */
    check_says("garbage\nmore\n", "none of its lines is a JSON object");
    check_says("\x7f"
               "ELF\x02",
               "none of its lines is a JSON object");
    char text[100001];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    check_says(text, "none of its lines is a JSON object");
    check_says("garbage\n" START, NULL); /* counted, and said with the state of the run */
}
END_TEST

/* A path in Latin-1, as srq wrote it once: the lines count, but a digest of such bytes is none. */
START_TEST(bytes_of_other_encodings)
{
    srq_log *log =
        read_text("{\"event\": \"start\", \"steps\": 7, \"data\": \"/andr\xe9/d.h5\", \"data_sha256\": \"ab\"}\n" STOP(
            "cannot write /andr\xe9/run", "4"));
    ck_assert(log->bad_lines == 0 && log->total_steps == 7 && log->state == SRQ_LOG_FAILED);
    ck_assert_str_eq(log->reason, "cannot write /andr?/run");
    ck_assert_str_eq(log->data_sha256, "ab");
    srq_log_destroy(&log);
    static const char *const digests[] = {"\xe9\xe8", "\xef\xbf\xbd", "a b", ""};
    for (int i = 0; i < 4; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"event\": \"start\", \"steps\": 7, \"data_sha256\": \"%s\"}\n", digests[i]);
        log = read_text(text);
        ck_assert(log->total_steps == 7 && log->data_sha256[0] == '\0');
        srq_log_destroy(&log);
    }
}
END_TEST

START_TEST(hostile_sizes)
{
    /* A line that is too long, and a valid one after it. */
    const size_t length = (17 << 20) + 5;
    char *text = malloc(length + 4096);
    ck_assert_ptr_nonnull(text);
    memset(text, ' ', length);
    snprintf(text + length, 4096, "\n%s", STEP(5, "1.0"));
    scratch_write("log.jsonl", text, strlen(text));
    free(text);
    srq_log *log = NULL;
    ck_assert_int_eq(srq_log_create(scratch("log.jsonl"), &log), SRQ_OK);
    ck_assert(log->bad_lines == 1 && log->step_count == 1 && log->steps[0].step == 5);
    srq_log_destroy(&log);

    /* More lines than are kept: thinned out, in order, the last one there. */
    FILE *file = fopen(scratch("log.jsonl"), "w");
    ck_assert_ptr_nonnull(file);
    const int lines = SRQ_LOG_STEPS_MAX + 1000;
    for (int i = 1; i <= lines; i++) fprintf(file, "{\"event\": \"step\", \"step\": %d, \"loss\": 2}\n", i);
    for (int i = 1; i <= SRQ_LOG_EVALS_MAX + 10; i++)
        fprintf(file, "{\"event\": \"eval\", \"step\": %d, \"layers\": [{\"name\": \"a\", \"weight_bits\": 2}]}\n", i);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(srq_log_create(scratch("log.jsonl"), &log), SRQ_OK);
    ck_assert(log->step_count <= SRQ_LOG_STEPS_MAX && log->step_count > SRQ_LOG_STEPS_MAX / 4);
    ck_assert(log->eval_count <= SRQ_LOG_EVALS_MAX && log->evals[log->eval_count - 1].step == SRQ_LOG_EVALS_MAX + 10);
    ck_assert_int_eq(log->steps[log->step_count - 1].step, lines);
    for (int i = 1; i < log->step_count; i++)
        ck_assert(log->steps[i].step > log->steps[i - 1].step && log->steps[i].loss == 2);
    srq_log_destroy(&log);

    /* Names and numbers of layers. */
    file = fopen(scratch("log.jsonl"), "w");
    ck_assert_ptr_nonnull(file);
    fputs("{\"event\": \"eval\", \"step\": 1, \"layers\": [", file);
    for (int i = 0; i < SRQ_LAYERS_MAX + 100; i++)
        fprintf(file, "%s{\"name\": \"%0*d\", \"weight_bits\": %d}", i ? "," : "", i ? 8 : 300, i,
                i == 3 ? 1000000 : 4);
    fputs("]}\n", file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(srq_log_create(scratch("log.jsonl"), &log), SRQ_OK);
    ck_assert_int_eq(log->layer_count, SRQ_LAYERS_MAX - 1);
    ck_assert(strlen(log->layers[0]) == SRQ_NAME_SIZE - 1 && log->evals[0].bits[1] == 4);
    srq_log_destroy(&log);
}
END_TEST

START_TEST(files_that_are_none)
{
    srq_log *log = NULL;
    ck_assert_int_eq(srq_log_create(scratch("nothing"), &log), SRQ_ERROR_DATA);
    ck_assert_int_eq(srq_log_create(scratch_folder, &log), SRQ_ERROR_DATA);
    ck_assert_msg(strstr(srq_message(), "it is a folder"), "%s", srq_message());
    ck_assert_ptr_null(log);
    /* A FIFO without a writer would block for ever. */
    ck_assert_int_eq(mkfifo(scratch("pipe"), 0600), 0);
    ck_assert_int_eq(srq_log_create(scratch("pipe"), &log), SRQ_ERROR_DATA);
    ck_assert_msg(strstr(srq_message(), "not a regular file"), "%s", srq_message());
    ck_assert_ptr_null(log);
}
END_TEST

/* --- Finding runs */

static void make_run(const char *name)
{
    char path[700];
    ck_assert_int_eq(mkdir(scratch(name), 0777), 0);
    snprintf(path, sizeof path, "%s/config.cfg", name);
    scratch_write(path, "", 0);
    snprintf(path, sizeof path, "%s/log.jsonl", name);
    scratch_write(path, "", 0);
}

START_TEST(finds_runs)
{
    srq_run_list list = {0};
    ck_assert_int_eq(mkdir(scratch("runs"), 0777), 0);
    ck_assert_int_eq(srq_run_list_add(&list, scratch("runs")), SRQ_OK);
    ck_assert_int_eq(list.count, 0);
    make_run("runs/s10");
    make_run("runs/s2");
    ck_assert_int_eq(mkdir(scratch("runs/more"), 0777), 0);
    make_run("runs/more/b");
    make_run("runs/.hidden");
    ck_assert_int_eq(symlink(scratch_folder, scratch("runs/loop")), 0);
    ck_assert_int_eq(srq_run_list_add(&list, scratch("runs/")), SRQ_OK);
    ck_assert_int_eq(srq_run_list_add(&list, scratch("runs/s2")), SRQ_OK); /* again */
    ck_assert_int_eq(list.count, 3);
    ck_assert(strstr(list.paths[0], "runs/more/b") && strstr(list.paths[1], "runs/s2") &&
              strstr(list.paths[2], "runs/s10"));
    ck_assert_int_eq(srq_run_list_add(&list, scratch("nowhere")), SRQ_ERROR_DATA);
    ck_assert_int_eq(srq_run_list_add(&list, ""), SRQ_ERROR_DATA);

    long *steps = NULL;
    int count;
    ck_assert_int_eq(srq_run_list_steps(list.paths[1], &steps, &count), SRQ_OK);
    ck_assert_int_eq(count, 0);
    free(steps);
    ck_assert_int_eq(mkdir(scratch("runs/s2/checkpoints"), 0777), 0);
    scratch_write("runs/s2/checkpoints/00000020.h5", "", 0);
    scratch_write("runs/s2/checkpoints/00000005.h5", "", 0);
    scratch_write("runs/s2/checkpoints/.00000007.h5.tmp.1", "", 0);
    scratch_write("runs/s2/checkpoints/mine.h5", "", 0);
    ck_assert_int_eq(srq_run_list_steps(list.paths[1], &steps, &count), SRQ_OK);
    ck_assert(count == 2 && steps[0] == 5 && steps[1] == 20);
    free(steps);
    srq_run_list_free(&list);
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1); /* the folder is removed at the end of a process */
    Suite *suite = suite_create("io/log");
    TCase *cases = tcase_create("log.jsonl");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, whole_run);
    tcase_add_test(cases, weights_that_are_left);
    tcase_add_test(cases, validation);
    tcase_add_test(cases, under_way);
    tcase_add_test(cases, later_line_counts);
    tcase_add_test(cases, how_runs_end);
    tcase_add_test(cases, numbers_that_are_none);
    tcase_add_test(cases, lines_that_make_no_sense);
    tcase_add_test(cases, impossible_numbers);
    tcase_add_test(cases, files_of_something_else);
    tcase_add_test(cases, bytes_of_other_encodings);
    tcase_add_test(cases, hostile_sizes);
    tcase_add_test(cases, files_that_are_none);
    tcase_add_test(cases, finds_runs);
    suite_add_tcase(suite, cases);
    return srq_suite_run(suite);
}
