/* Run directories: what is kept, rejected and removed. */
#include "tests/io/run_fixture.h"

/* --- What is kept */

START_TEST(an_older_one_is_always_kept)
{
    EXPECT(SRQ_OK, write_step(1, 1));
    expect_steps(1, (long[]){1});
    EXPECT(SRQ_OK, write_step(2, 1));
    for (long step = 3; step < 6; step++) {
        EXPECT(SRQ_OK, write_step(step, 1));
        expect_steps(2, (long[]){step - 1, step});
        ck_assert_int_eq(load("run/last.h5"), step);
        ck_assert_int_eq(load(step_name(step - 1)), step - 1);
    }
    for (long step = 6; step < 10; step++) EXPECT(SRQ_OK, write_step(step, 3));
    expect_steps(3, (long[]){7, 8, 9});
}
END_TEST

/* After a resume from an earlier step, damaged checkpoints of later steps must not cause the removal of whole ones. */
START_TEST(damaged_ones_do_not_count)
{
    EXPECT(SRQ_OK, write_step(10, 2));
    EXPECT(SRQ_OK, write_step(90, 2));
    EXPECT(SRQ_OK, write_step(91, 3));
    damage(90), damage(91);
    srq_run_close(&run);
    open_run(SRQ_RESUME_AUTO);
    srq_progress_point point;
    bool found;
    EXPECT(SRQ_OK, srq_run_restore(run, graph, optimizer, &point, &history, &found, notes));
    ck_assert(found && point.step == 10);
    expect_words(notes_text, "skipping a checkpoint that cannot be used");
    expect_words(notes_text, "00000091.h5");
    EXPECT(SRQ_OK, write_step(11, 1));
    expect_steps(4, (long[]){10, 11, 90, 91});
    EXPECT(SRQ_OK, write_step(12, 1));
    expect_steps(4, (long[]){11, 12, 90, 91});
    EXPECT(SRQ_OK, write_step(90, 1));
    EXPECT(SRQ_OK, write_step(91, 1));
    expect_steps(2, (long[]){90, 91});
}
END_TEST

/* A checkpoint that was damaged meanwhile is checked before older ones are removed. */
START_TEST(the_last_whole_one_is_never_removed)
{
    EXPECT(SRQ_OK, write_step(1, 5));
    EXPECT(SRQ_OK, write_step(2, 5));
    EXPECT(SRQ_OK, write_step(3, 5));
    srq_run_close(&run);
    damage(3), damage(2);
    open_run(SRQ_RESUME_AUTO); /* knows nothing of them */
    EXPECT(SRQ_OK, write_step(4, 1));
    expect_steps(4, (long[]){1, 2, 3, 4});
    ck_assert_int_eq(load(step_name(1)), 1);
    EXPECT(SRQ_OK, write_step(5, 1));
    expect_steps(2, (long[]){4, 5});
}
END_TEST

START_TEST(a_run_of_damaged_checkpoints_is_not_begun_again)
{
    srq_progress_point point;
    bool found = true;
    EXPECT(SRQ_OK, srq_run_restore(run, graph, optimizer, &point, &history, &found, notes));
    ck_assert(!found);
    EXPECT(SRQ_OK, write_step(1, 2));
    EXPECT(SRQ_OK, write_step(2, 2));
    damage(1), damage(2);
    EXPECT(SRQ_ERROR_DATA, srq_run_restore(run, graph, optimizer, &point, &history, &found, notes));
    expect_words(srq_message(), "none of its 2 checkpoints can be used");
}
END_TEST

/* --- The best one */

/* A checkpoint of `step` as of which `best` is the best. */
static srq_status write_with_best(long step, long best, int keep)
{
    srq_saved saved;
    srq_progress_point point = at(step);
    point.best = (srq_best){.found = true, .step = best, .error = 0.25, .loss = 1, .since = step - best};
    srq_graph_values(graph)[0] = (float)step;
    EXPECT(SRQ_OK, srq_snapshot_take(snapshot, &point, &history));
    return srq_run_checkpoint(run, snapshot, keep, false, &saved);
}

START_TEST(the_best_one_is_kept)
{
    srq_progress_point point;
    bool found;
    EXPECT(SRQ_OK, write_with_best(1, 1, 1));
    for (long step = 2; step < 6; step++) EXPECT(SRQ_OK, write_with_best(step, 1, 1));
    expect_steps(3, (long[]){1, 4, 5});
    ck_assert(load("run/best.h5") == 1 && load("run/last.h5") == 5);
    /* A resume from the checkpoint before the new best one needs the best one as of that. */
    EXPECT(SRQ_OK, write_with_best(6, 6, 1));
    expect_steps(3, (long[]){1, 5, 6});
    ck_assert_int_eq(load("run/best.h5"), 6);
    srq_run_close(&run);
    damage(6);
    open_run(SRQ_RESUME_AUTO);
    EXPECT(SRQ_OK, srq_run_restore(run, graph, optimizer, &point, &history, &found, notes));
    ck_assert(found && point.step == 5 && point.best.step == 1 && point.best.since == 4 && point.best.error == 0.25);
    EXPECT(SRQ_OK, srq_run_link_best(run, &point.best));
    ck_assert_int_eq(load("run/best.h5"), 1);
    EXPECT(SRQ_OK, write_with_best(6, 6, 1));
    EXPECT(SRQ_OK, write_with_best(7, 6, 1));
    expect_steps(2, (long[]){6, 7});
    for (long step = 8; step < 12; step++) EXPECT(SRQ_OK, write_with_best(step, 6, 3));
    expect_steps(4, (long[]){6, 9, 10, 11});
}
END_TEST

/* Without it, a resumed run could not end like one that was never stopped. */
START_TEST(a_lost_best_one_is_noticed)
{
    srq_progress_point point;
    bool found;
    EXPECT(SRQ_OK, write_with_best(1, 1, 5));
    EXPECT(SRQ_OK, write_with_best(2, 2, 5));
    EXPECT(SRQ_OK, write_with_best(3, 2, 5));
    damage(2);
    srq_run_close(&run);
    open_run(SRQ_RESUME_AUTO);
    EXPECT(SRQ_OK, srq_run_restore(run, graph, optimizer, &point, &history, &found, notes));
    ck_assert(found && point.step == 1);
    expect_words(notes_text, "00000003.h5: its best checkpoint cannot be used");
    damage(1);
    EXPECT(SRQ_ERROR_DATA, srq_run_restore(run, graph, optimizer, &point, &history, &found, notes));
}
END_TEST

START_TEST(the_best_one_of_another_run)
{
    srq_best best = {.found = true, .step = 3, .error = 0.25, .loss = 1};
    EXPECT(SRQ_OK, write_with_best(3, 3, 5));
    EXPECT(SRQ_OK, write_with_best(4, 3, 5));
    ck_assert_int_eq(rename(scratch(step_name(3)), scratch("other.h5")), 0);
    EXPECT(SRQ_ERROR_DATA, srq_run_copy_best(run, scratch(step_name(3)), &best));
    EXPECT(SRQ_ERROR_DATA, srq_run_copy_best(run, scratch(step_name(4)), &best));
    expect_words(srq_message(), "it is not the best checkpoint, that of step 3");
    EXPECT(SRQ_OK, srq_run_copy_best(run, scratch("other.h5"), &best));
    ck_assert(load(step_name(3)) == 3 && load("run/best.h5") == 3 && load("run/last.h5") == 4);
}
END_TEST

/* --- What is refused and swept */

START_TEST(temporary_files_of_dead_jobs_are_swept)
{
    static const char *const dead[] = {"run/checkpoints/.00000007.h5.tmp.123", "run/checkpoints/.123456789.h5.tmp.1",
                                       "run/.last.h5.tmp.77", "run/.bits.cfg.tmp.5", "run/.config.cfg.tmp.6"};
    static const char *const users[] = {"run/checkpoints/mine.txt", "run/checkpoints/.7.h5.tmp.1", "run/.vimrc.tmp.1",
                                        "run/.last.h5", "run/checkpoints/.0000000a.h5.tmp.1"};
    srq_run_close(&run);
    for (int i = 0; i < 5; i++) scratch_write(dead[i], "x", 1), scratch_write(users[i], "x", 1);
    open_run(SRQ_RESUME_AUTO);
    for (int i = 0; i < 5; i++) {
        ck_assert_msg(!is_there(dead[i]), "%s stays", dead[i]);
        ck_assert_msg(is_there(users[i]), "%s was removed", users[i]);
    }
}
END_TEST

START_TEST(two_jobs_are_refused)
{
    srq_run *second = NULL;
    bool busy = false;
    EXPECT(SRQ_ERROR_USAGE, srq_run_open(scratch("run"), config, SRQ_RESUME_AUTO, notes, &busy, &second));
    expect_words(srq_message(), "another job is running in it");
    ck_assert(busy);
    EXPECT(SRQ_ERROR_USAGE, srq_run_open(scratch("run"), config, SRQ_RESUME_NEVER, notes, &busy, &second));
    ck_assert(!busy);
    srq_run_close(&run);
    faults.no_locks = 1; /* without flock, another kind of lock does it */
    open_run(SRQ_RESUME_AUTO);
    EXPECT(SRQ_ERROR_USAGE, srq_run_open(scratch("run"), config, SRQ_RESUME_AUTO, notes, &busy, &second));
    expect_words(srq_message(), "another job is running in it");
    ck_assert(busy);
    ck_assert_str_eq(notes_text, "");
    srq_run_close(&run);
    faults.no_locks = 2; /* without any, the user is told */
    open_run(SRQ_RESUME_AUTO);
    expect_words(notes_text, "the file system has no locks");
    ck_assert_ptr_null(second);
}
END_TEST

/* --- In the background */

static srq_saver *start_saver(void)
{
    srq_saver *saver = NULL;
    const srq_saver_options options = {.keep = 2, .learns_bits = false};
    EXPECT(SRQ_OK, srq_saver_create(run, config, graph, optimizer, "srq of a test", &options, &saver));
    return saver;
}

/* A checkpoint has the state at the moment of saving, even if training continues. */
START_TEST(a_snapshot_is_of_its_moment)
{
    srq_saver *saver = start_saver();
    for (long step = 1; step <= 20; step++) {
        const srq_progress_point point = at(step);
        float *values = srq_graph_values(graph);
        values[0] = (float)step;
        srq_optimizer_set_steps(optimizer, step);
        EXPECT(SRQ_OK, srq_saver_save(saver, &point, &history));
        values[0] = -1;
        srq_optimizer_set_steps(optimizer, 999);
    }
    EXPECT(SRQ_OK, srq_saver_finish(saver));
    srq_saver_destroy(&saver);
    ck_assert_int_eq(load(step_name(19)), 19);
    ck_assert_int_eq(load("run/last.h5"), 20);
    ck_assert_int_eq(srq_optimizer_steps(optimizer), 20);
    size_t size;
    int lines = 0;
    char *log = (char *)scratch_read("run/log.jsonl", &size);
    log[size] = '\0';
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        char expected[64];
        snprintf(expected, sizeof expected, "\"step\": %d, \"file\": \"checkpoints/%08d.h5\", \"bytes\": ", lines + 1,
                 lines + 1);
        expect_words(line, expected);
        expect_words(line, "\"waited\": 0.");
        expect_words(line, "\"took\": 0.");
    }
    ck_assert_int_eq(lines, 20);
    free(log);
}
END_TEST

/* A failure is returned by all later calls, and nothing is saved after it. */
START_TEST(a_failure_in_the_background_is_heard_of)
{
    EXPECT(SRQ_OK, write_step(1, 2));
    srq_saver *saver = start_saver();
    const srq_progress_point point = at(2);
    srq_graph_values(graph)[0] = 2;
    faults_arm(FAULT_ENOSPC, 1);
    EXPECT(SRQ_OK, srq_saver_save(saver, &point, &history));
    EXPECT(SRQ_ERROR_RUN, srq_saver_finish(saver));
    ck_assert(faults_disarm());
    expect_words(srq_message(), "00000002.h5: No space left on device");
    (void)srq_fail(SRQ_ERROR_RUN, "another");
    EXPECT(SRQ_ERROR_RUN, srq_saver_status(saver));
    expect_words(srq_message(), "No space left on device");
    EXPECT(SRQ_ERROR_RUN, srq_saver_save(saver, &point, &history));
    srq_saver_destroy(&saver);
    expect_no_temporaries();
    expect_steps(1, (long[]){1});
    ck_assert_int_eq(load("run/last.h5"), 1);
}
END_TEST

/* Images of any size can be claimed for the same tensors. */
static void expect_large(const srq_h5_reader *reader, int side, int channels, int capacity, srq_status status,
                         const char *words)
{
    char text[512];
    const srq_graph_options options = {.capacity = capacity};
    srq_config *claimed = NULL;
    srq_graph *made = NULL;
    snprintf(text, sizeof text,
             "model = { name = \"large\"; input = { height = %d; width = %d; channels = %d; };\n"
             "  layers = ( { name = \"c\"; type = \"conv\"; out = 1; kernel = 1; stride = 2; },\n"
             "    { name = \"p\"; type = \"avg_pool\"; }, { name = \"b\"; type = \"dense\"; out = 2; } ); };\n"
             "data = { file = \"d.h5\"; };\n",
             side, side, channels);
    EXPECT(SRQ_OK, srq_config_parse(text, "config", &claimed));
    EXPECT(status, srq_checkpoint_make_graph(reader, claimed, &options, &made));
    expect_words(srq_message(), words);
    ck_assert_ptr_null(made);
    srq_config_destroy(&claimed);
}

/* What the configuration in a file claims is checked before its memory is taken. */
START_TEST(a_network_is_bounded_by_its_file)
{
    static const char vast[] = "model = { name = \"vast\"; input = { height = 2; width = 2; channels = 1; };\n"
                               "  layers = ( { name = \"a\"; type = \"dense\"; out = 1048576; },\n"
                               "    { name = \"b\"; type = \"dense\"; out = 8000; } ); };\n"
                               "data = { file = \"d.h5\"; };\n";
    static const char impossible[] = "model = { name = \"m\"; input = { height = 2; width = 2; channels = 1; };\n"
                                     "  layers = ( { name = \"a\"; type = \"conv\"; out = 3; kernel = 3; } ); };\n"
                                     "data = { file = \"d.h5\"; };\n";
    const srq_graph_options options = {.capacity = 1, .engine = "float32"};
    srq_h5_reader *reader = NULL;
    srq_config *own = NULL, *claimed = NULL;
    srq_graph *made = NULL;
    EXPECT(SRQ_OK, write_step(1, 1));
    EXPECT(SRQ_OK, srq_checkpoint_open(scratch(step_name(1)), &reader));
    EXPECT(SRQ_OK, srq_checkpoint_config(reader, &own));
    EXPECT(SRQ_OK, srq_checkpoint_make_graph(reader, own, &options, &made));
    EXPECT(SRQ_OK, srq_checkpoint_load(reader, made, NULL, NULL, NULL));
    srq_graph_destroy(&made);
    EXPECT(SRQ_OK, srq_config_parse(vast, "vast", &claimed));
    EXPECT(SRQ_ERROR_DATA, srq_checkpoint_make_graph(reader, claimed, &options, &made));
    expect_words(srq_message(), "00000001.h5: data set vast:3: layer \"b\": with it, the network has 8393");
    expect_words(srq_message(), " are expected in a file of this size; use an earlier checkpoint");
    ck_assert_ptr_null(made);
    srq_config_destroy(&claimed);
    expect_large(reader, 65536, 1, 1, SRQ_ERROR_DATA,
                 "00000001.h5: data set config:1: the input of 65536 x 65536 x 1 numbers an image is too large");
    expect_large(reader, 32768, 1, 256, SRQ_ERROR_DATA,
                 "00000001.h5: data set config:1: the input of 256 images of 32768 x 32768 pixels is too large");
    expect_large(reader, 1024, 1024, 2047, SRQ_ERROR_RUN,
                 "00000001.h5: data set config: a network for images of 1024 x 1024 x 1024: the activations need ");
    EXPECT(SRQ_OK, srq_config_parse(impossible, "config", &claimed));
    EXPECT(SRQ_ERROR_DATA, srq_checkpoint_make_graph(reader, claimed, &options, &made));
    expect_words(srq_message(), "00000001.h5: data set config:2: layer \"a\": ");
    EXPECT(SRQ_ERROR_USAGE, srq_checkpoint_load_trained(reader, graph));
    srq_h5_reader_close(&reader);
    srq_config_destroy(&own);
    srq_config_destroy(&claimed);
}
END_TEST

int main(void)
{
    /* Hundreds of files are synced, so the test uses a memory file system if there is one. */
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0);
    scratch_create();
    setenv("CK_FORK", "no", 1);
    Suite *suite = suite_create("run");
    TCase *tests = tcase_create("run");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, an_older_one_is_always_kept);
    tcase_add_test(tests, a_network_is_bounded_by_its_file);
    tcase_add_test(tests, damaged_ones_do_not_count);
    tcase_add_test(tests, the_last_whole_one_is_never_removed);
    tcase_add_test(tests, a_run_of_damaged_checkpoints_is_not_begun_again);
    tcase_add_test(tests, the_best_one_is_kept);
    tcase_add_test(tests, a_lost_best_one_is_noticed);
    tcase_add_test(tests, the_best_one_of_another_run);
    tcase_add_test(tests, temporary_files_of_dead_jobs_are_swept);
    tcase_add_test(tests, two_jobs_are_refused);
    tcase_add_test(tests, a_snapshot_is_of_its_moment);
    tcase_add_test(tests, a_failure_in_the_background_is_heard_of);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
