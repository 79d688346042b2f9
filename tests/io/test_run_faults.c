/* Run directories: every system call of a checkpoint fails in turn. */
#include "tests/io/run_fixture.h"

/* --- Faults */

/* One fault was met: a message with the reason, or the call was one that may fail. */
static void expect_reason(srq_status status, fault_kind kind)
{
    if (kind == FAULT_EINTR || kind == FAULT_SHORT) {
        ck_assert_msg(status == SRQ_OK, "%s is not gone on with: %s", faults.call, srq_message());
        return;
    }
    if (status == SRQ_OK) {
        ck_assert_msg(strcmp(faults.call, "close") == 0 || strcmp(faults.call, "unlink") == 0, "%s fails unnoticed",
                      faults.call);
        return;
    }
    /* The configuration of the run that is there is read like any other. */
    if (status == SRQ_ERROR_USAGE && strcmp(faults.call, "open") == 0) {
        expect_words(srq_message(), fault_reason(kind));
        expect_words(srq_message(), "config.cfg");
        return;
    }
    ck_assert_int_eq(status, SRQ_ERROR_RUN);
    expect_words(srq_message(), fault_reason(kind));
    /* A folder may be missed from the root on. */
    if (strcmp(faults.call, "mkdir") != 0) expect_words(srq_message(), scratch_folder);
    ck_assert(strncmp(srq_message(), "cannot ", 7) == 0);
}

/* All kinds of errors take one of two ways: a call fails, or does a half and then fails. Sanitizers follow one kind on
 * each. */
static bool is_left_out(int kind)
{
    return SRQ_SANITIZED && kind != FAULT_ENOSPC && kind != FAULT_SHORT_ENOSPC;
}

START_TEST(every_call_of_a_checkpoint_may_fail)
{
    long step = 2;
    EXPECT(SRQ_OK, write_step(1, 1));
    EXPECT(SRQ_OK, write_step(2, 1));
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        if (is_left_out(kind)) continue;
        int failed = 0;
        for (int i = 0; i < 25; i++) {
            srq_saved saved;
            const srq_progress_point point = at(++step);
            srq_graph_values(graph)[0] = (float)step;
            EXPECT(SRQ_OK, srq_snapshot_take(snapshot, &point, &history));
            faults_arm(kind, i);
            const srq_status status = srq_run_checkpoint(run, snapshot, 1, true, &saved);
            if (faults_disarm()) {
                failed++;
                expect_reason(status, kind);
                expect_no_temporaries();
                /* The previous checkpoint is whole, and the link points to a whole one. */
                ck_assert_int_eq(load(step_name(step - 1)), step - 1);
                ck_assert_int_ge(load("run/last.h5"), step - 1);
                ck_assert(load(step_name(step)) == step || !is_there(step_name(step)));
            }
            EXPECT(SRQ_OK, write_step(step, 1));
            expect_steps(2, (long[]){step - 1, step});
            ck_assert_int_eq(load("run/last.h5"), step);
            if (!faults.call && kind != FAULT_SHORT && kind != FAULT_SHORT_ENOSPC) break;
        }
        /* Two files, a link (unlink, symlink, rename, folder), and one removed. */
        ck_assert_int_eq(failed, kind == FAULT_SHORT || kind == FAULT_SHORT_ENOSPC ? 2 : 2 * 8 + 6 + 1);
    }
}
END_TEST

START_TEST(every_call_of_opening_may_fail)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        if (is_left_out(kind)) continue;
        int failed = 0;
        for (int i = 0; i < 40; i++) {
            /* Every other time a new run, else one that was killed. */
            const bool fresh = i % 2 == 0;
            srq_run_close(&run);
            if (fresh) {
                char command[600];
                snprintf(command, sizeof command, "rm -rf '%s'", scratch("run"));
                ck_assert_int_eq(system(command), 0);
            } else {
                scratch_write("run/log.jsonl", "{}\n{\"ev", 7);
                scratch_write("run/.bits.cfg.tmp.5", "x", 1);
            }
            faults_arm(kind, i / 2);
            bool busy;
            const srq_status status = srq_run_open(scratch("run"), config, SRQ_RESUME_AUTO, notes, &busy, &run);
            if (faults_disarm()) {
                failed++;
                expect_reason(status, kind);
            }
            if (status != SRQ_OK) open_run(SRQ_RESUME_AUTO);
            EXPECT(SRQ_OK, srq_run_log(run, "step", "\"step\": %d", i));
            size_t size;
            char *log = (char *)scratch_read("run/log.jsonl", &size);
            log[size] = '\0';
            const char *line = fresh ? log : log + 3;
            ck_assert_msg(strncmp(line, "{\"event\": \"step\"", 16) == 0, "%s", log);
            free(log);
            ck_assert(is_there("run/checkpoints") && is_there("run/config.cfg"));
            /* What cannot be removed stays until the next time. */
            if (!faults.call || strcmp(faults.call, "unlink") != 0) expect_no_temporaries();
        }
        ck_assert_int_ge(failed, kind == FAULT_SHORT || kind == FAULT_SHORT_ENOSPC ? 1 : 15);
    }
}
END_TEST

START_TEST(a_full_disk_cuts_no_line_of_the_log)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++) {
        faults_arm(kind, 0);
        const srq_status status = srq_run_log(run, "step", "\"step\": %d", kind);
        ck_assert(faults_disarm());
        expect_reason(status, kind);
        EXPECT(SRQ_OK, srq_run_log(run, "step", "\"step\": %d", 100 + kind));
    }
    size_t size, lines = 0;
    char *log = (char *)scratch_read("run/log.jsonl", &size);
    log[size] = '\0';
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"), lines++)
        ck_assert_msg(strncmp(line, "{\"event\"", 8) == 0 && line[strlen(line) - 1] == '}', "%s", line);
    ck_assert_uint_eq(lines, FAULT_KINDS + 2); /* short and interrupted writes went on */
    free(log);
}
END_TEST

/* An event file that cannot be written is an error like that of the log, whose line is whole before it. */
START_TEST(events_that_cannot_be_written_are_errors)
{
    if (srq_events_check("here") != SRQ_OK) return;
    EXPECT(SRQ_OK, srq_run_record(run, 0));
    for (int i = 1; i < 4; i++) { /* open, and two writes; call 0 is that of the log */
        faults_arm(FAULT_ENOSPC, i);
        const srq_status status = srq_run_log(run, "step", "\"step\": 1, \"loss\": 0.5");
        ck_assert(faults_disarm());
        expect_reason(status, FAULT_ENOSPC);
        expect_words(srq_message(), "events.out.tfevents.");
    }
    EXPECT(SRQ_OK, srq_run_log(run, "step", "\"step\": 2, \"loss\": 0.5"));
    faults_arm(FAULT_ENOSPC, 0);
    expect_reason(srq_run_record_graph(run, graph, 2), FAULT_ENOSPC);
    ck_assert(faults_disarm());
    EXPECT(SRQ_OK, srq_run_record_graph(run, graph, 2));
}
END_TEST

int main(void)
{
    /* Hundreds of files are synced, so the test uses a memory file system if there is one. */
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("run_faults");
    TCase *tests = tcase_create("run_faults");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, every_call_of_a_checkpoint_may_fail);
    tcase_add_test(tests, every_call_of_opening_may_fail);
    tcase_add_test(tests, a_full_disk_cuts_no_line_of_the_log);
    tcase_add_test(tests, events_that_cannot_be_written_are_errors);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
