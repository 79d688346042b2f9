/* For the tests of run directories: a small network and a run of it in the folder `run` of scratch.h. */
#ifndef SRQ_TESTS_IO_RUN_FIXTURE_H
#define SRQ_TESTS_IO_RUN_FIXTURE_H

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
static inline void expect_status(srq_status expected, srq_status found, const char *what)
{
    ck_assert_msg(found == expected, "%s: status %d, not %d: %s", what, found, expected, srq_message());
}

static inline void expect_words(const char *text, const char *words)
{
    ck_assert_msg(strstr(text, words) != NULL, "\"%s\" is not in: %s", words, text);
}

static inline void open_run(srq_resume resume)
{
    bool busy = true;
    EXPECT(SRQ_OK, srq_run_open(scratch("run"), config, resume, notes, &busy, &run));
    ck_assert(!busy);
}

static inline void setup(void)
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

static inline void teardown(void)
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

static inline srq_progress_point at(long step)
{
    return (srq_progress_point){.step = step, .total_steps = 1000, .data_sha256 = "0"};
}

/* A checkpoint of `step` whose first value is the step. */
static inline srq_status write_step(long step, int keep)
{
    srq_saved saved;
    const srq_progress_point point = at(step);
    srq_graph_values(graph)[0] = (float)step;
    EXPECT(SRQ_OK, srq_snapshot_take(snapshot, &point, &history));
    srq_status status = srq_run_checkpoint(run, snapshot, keep, true, &saved);
    if (status == SRQ_OK) ck_assert(saved.step == step && saved.bytes > 1000);
    return status;
}

static inline const char *step_name(long step)
{
    static char name[64];
    snprintf(name, sizeof name, "run/checkpoints/%08ld.h5", step);
    return name;
}

static inline bool is_there(const char *name)
{
    struct stat info;
    return lstat(scratch(name), &info) == 0;
}

/* The step that a checkpoint holds, or -1 if it is not whole. */
static inline long load(const char *name)
{
    srq_progress_point point;
    float *values = srq_graph_values(graph), first = values[0];
    const bool whole = is_there(name) && srq_checkpoint_read(scratch(name), graph, optimizer, &point, NULL) == SRQ_OK;
    if (whole) ck_assert(values[0] == (float)point.step);
    values[0] = first;
    return whole ? point.step : -1;
}

/* Names in a folder that begin with a dot, or all. */
static inline int count_names(const char *folder, bool hidden)
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

static inline void expect_steps(int count, const long *steps)
{
    ck_assert_int_eq(count_names("run/checkpoints", false), count);
    for (int i = 0; i < count; i++) ck_assert_msg(is_there(step_name(steps[i])), "step %ld is gone", steps[i]);
}

static inline void expect_no_temporaries(void)
{
    ck_assert_msg(count_names("run/checkpoints", true) == 0 && count_names("run", true) == 0,
                  "a temporary file stays after %s", faults.call);
}

/* Overwrites one byte in the middle of a number: HDF5 opens the file, the checksum or the digest does not fit. */
static inline void damage(long step)
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

#endif
