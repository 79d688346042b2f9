/* Run directories: what is kept, rejected and removed; and every system call of a checkpoint fails in turn. */
#include "io/events.h"
#include "io/h5.h"
#include "io/saver.h"
#include "tests/io/faults.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <dirent.h>

static const char settings[] = "model = \"model.cfg\"; data = { file = \"d.h5\"; };\n"
                               "quantizer = { method = \"srq\"; weight_bits = 3; };\n";
static const char model[] =
    "name = \"net\"; input = { height = 2; width = 2; channels = 1; };\n"
    "layers = ( { name = \"a\"; type = \"dense\"; out = 3; }, { name = \"r\"; type = \"relu\"; },\n"
    "  { name = \"q\"; type = \"quantize\"; }, { name = \"b\"; type = \"dense\"; out = 2; } );\n";

static srq_config *config;
static srq_graph *graph;
static srq_optimizer *optimizer;
static srq_snapshot *snapshot;
static srq_bits_history history;
static srq_run *run;
static FILE *notes;
static char notes_text[4096];

#define EXPECT(status, call) expect_status(status, call, #call)
static void expect_status(srq_status expected, srq_status found, const char *what)
{
    ck_assert_msg(found == expected, "%s: status %d, not %d: %s", what, found, expected, srq_message());
}

static void expect_words(const char *text, const char *words)
{
    ck_assert_msg(strstr(text, words) != NULL, "\"%s\" is not in: %s", words, text);
}

static void open_run(srq_resume resume)
{
    EXPECT(SRQ_OK, srq_run_open(scratch("run"), config, resume, notes, &run));
}

static void setup(void)
{
    const srq_graph_options options = {.capacity = 1, .engine = "float32"};
    const srq_optimizer_options adam = {.method = SRQ_ADAM, .learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.99};
    scratch_write("c.cfg", settings, strlen(settings));
    scratch_write("model.cfg", model, strlen(model));
    EXPECT(SRQ_OK, srq_config_load(scratch("c.cfg"), 0, NULL, &config));
    EXPECT(SRQ_OK, srq_graph_create(&srq_config_settings(config)->model, &options, &graph));
    EXPECT(SRQ_OK, srq_optimizer_create(graph, &adam, &optimizer));
    srq_graph_initialize(graph, 1, SRQ_GAIN_HE);
    EXPECT(SRQ_OK, srq_snapshot_create(config, graph, optimizer, "srq of a test", &snapshot));
    notes = fmemopen(notes_text, sizeof notes_text, "w");
    setvbuf(notes, NULL, _IONBF, 0);
    notes_text[0] = '\0';
    open_run(SRQ_RESUME_NEVER);
}

static void teardown(void)
{
    char command[600];
    srq_run_close(&run);
    srq_snapshot_destroy(&snapshot);
    srq_optimizer_destroy(&optimizer);
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
    srq_bits_history_free(&history);
    fclose(notes);
    faults.no_locks = 0;
    snprintf(command, sizeof command, "rm -rf '%s'", scratch("run"));
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

static srq_progress_point at(long step)
{
    return (srq_progress_point){.step = step, .total_steps = 1000, .data_sha256 = "0"};
}

/* A checkpoint of `step` whose first value is the step. */
static srq_status write_step(long step, int keep)
{
    srq_saved saved;
    const srq_progress_point point = at(step);
    srq_graph_values(graph)[0] = (float)step;
    EXPECT(SRQ_OK, srq_snapshot_take(snapshot, &point, &history));
    srq_status status = srq_run_checkpoint(run, snapshot, keep, true, &saved);
    if (status == SRQ_OK) ck_assert(saved.step == step && saved.bytes > 1000);
    return status;
}

static const char *step_name(long step)
{
    static char name[64];
    snprintf(name, sizeof name, "run/checkpoints/%08ld.h5", step);
    return name;
}

static bool is_there(const char *name)
{
    struct stat info;
    return lstat(scratch(name), &info) == 0;
}

/* The step that a checkpoint holds, or -1 if it is not whole. */
static long load(const char *name)
{
    srq_progress_point point;
    float *values = srq_graph_values(graph), first = values[0];
    const bool whole = is_there(name) && srq_checkpoint_read(scratch(name), graph, optimizer, &point, NULL) == SRQ_OK;
    if (whole) ck_assert(values[0] == (float)point.step);
    values[0] = first;
    return whole ? point.step : -1;
}

/* Names in a folder that begin with a dot, or all. */
static int count_names(const char *folder, bool hidden)
{
    int count = 0;
    DIR *stream = opendir(scratch(folder));
    ck_assert_ptr_nonnull(stream);
    for (struct dirent *entry; (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        count += !hidden || entry->d_name[0] == '.';
    }
    closedir(stream);
    return count;
}

static void expect_steps(int count, const long *steps)
{
    ck_assert_int_eq(count_names("run/checkpoints", false), count);
    for (int i = 0; i < count; i++) ck_assert_msg(is_there(step_name(steps[i])), "step %ld is gone", steps[i]);
}

static void expect_no_temporaries(void)
{
    ck_assert_msg(count_names("run/checkpoints", true) == 0 && count_names("run", true) == 0,
                  "a temporary file stays after %s", faults.call);
}

/* Overwrites one byte in the middle of a number: HDF5 opens the file, the checksum or the digest does not fit. */
static void damage(long step)
{
    FILE *stream = fopen(scratch(step_name(step)), "r+b");
    ck_assert_ptr_nonnull(stream);
    fseek(stream, 0, SEEK_END);
    const long size = ftell(stream);
    for (long i = size / 4; i < size; i += 97) {
        fseek(stream, i, SEEK_SET);
        fputc(0x5a, stream);
    }
    fclose(stream);
}

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
    EXPECT(SRQ_ERROR_USAGE, srq_run_open(scratch("run"), config, SRQ_RESUME_AUTO, notes, &second));
    expect_words(srq_message(), "another job is running in it");
    srq_run_close(&run);
    faults.no_locks = 1; /* without flock, another kind of lock does it */
    open_run(SRQ_RESUME_AUTO);
    EXPECT(SRQ_ERROR_USAGE, srq_run_open(scratch("run"), config, SRQ_RESUME_AUTO, notes, &second));
    expect_words(srq_message(), "another job is running in it");
    ck_assert_str_eq(notes_text, "");
    srq_run_close(&run);
    faults.no_locks = 2; /* without any, the user is told */
    open_run(SRQ_RESUME_AUTO);
    expect_words(notes_text, "the file system has no locks");
    ck_assert_ptr_null(second);
}
END_TEST

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
            const srq_status status = srq_run_open(scratch("run"), config, SRQ_RESUME_AUTO, notes, &run);
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
    tcase_add_test(tests, every_call_of_a_checkpoint_may_fail);
    tcase_add_test(tests, every_call_of_opening_may_fail);
    tcase_add_test(tests, a_full_disk_cuts_no_line_of_the_log);
    tcase_add_test(tests, events_that_cannot_be_written_are_errors);
    tcase_add_test(tests, a_snapshot_is_of_its_moment);
    tcase_add_test(tests, a_failure_in_the_background_is_heard_of);
    suite_add_tcase(suite, tests);
    return srq_suite_run(suite);
}
