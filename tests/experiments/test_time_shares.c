/* Time shares over ranks, slow ranks, and the trace, on 1 and 3 ranks. Every rank checks its own results. */
#include "experiments/srq/train/time_shares.h"
#include "experiments/srq/train/trace.h"
#include "io/config.h"
#include "io/file.h"
#include "io/progress.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static srq_comm *comm;

START_TEST(the_slowest)
{
    double room[5], factor;
    ck_assert_int_eq(srq_slowest((const double[]){1, 1, 4}, 3, room, &factor), 2);
    ck_assert_double_eq(factor, 4);
    /* Of two, the faster is the measure. */
    ck_assert_int_eq(srq_slowest((const double[]){3, 2}, 2, room, &factor), 0);
    ck_assert_double_eq(factor, 1.5);
    ck_assert_int_eq(srq_slowest((const double[]){5, 1, 2, 9, 3}, 5, room, &factor), 3);
    ck_assert_double_eq(factor, 3);
    ck_assert_int_eq(srq_slowest((const double[]){7}, 1, room, &factor), 0);
    ck_assert_double_eq(factor, 1);
    ck_assert_int_eq(srq_slowest((const double[]){0, 0}, 2, room, &factor), 0);
    ck_assert_double_eq(factor, 1);
}
END_TEST

/* Rank r computes (r + 1) / 10 of windows of 10 s. */
START_TEST(windows)
{
    const int rank = srq_comm_rank(comm), ranks = srq_comm_size(comm);
    srq_shares *s = NULL;
    srq_times t = {0};
    ck_assert_int_eq(srq_shares_create(comm, 2, &s), SRQ_OK);
    for (int window = 1; window <= 120; window++) {
        t.compute += rank + 1;
        t.passes += rank == 1 ? 4 : 2; /* rank 1 is slow */
        t.exchange += 2;
        t.data += 1.5;
        srq_shares_leave_out(s, 0.5);
        const srq_times now = srq_shares_now(s, &t, 10);
        ck_assert_double_eq_tol(now.compute, (rank + 1) / 10.0, 1e-9);
        const srq_window w = srq_shares_end_window(s, &t, 10);
        ck_assert_double_eq_tol(w.mean.compute, (ranks + 1) / 20.0, 1e-9);
        ck_assert_double_eq_tol(w.mean.exchange, 0.2, 1e-9);
        ck_assert_double_eq_tol(w.mean.data, 0.1, 1e-9);
        ck_assert_int_eq(w.slowest_rank, ranks - 1);
        ck_assert_double_eq_tol(w.slowest.compute, ranks / 10.0, 1e-9);
        const bool named = ranks > 1 && (window == SRQ_SLOW_WINDOWS || (window - SRQ_SLOW_WINDOWS) % 50 == 0);
        ck_assert_int_eq(w.slow_rank, named ? 1 : -1);
        if (named) ck_assert_double_eq(w.slow_factor, 2);
    }
    srq_shares_destroy(&s);
}
END_TEST

/* If different ranks are slow in turn, or windows are too short, no rank is named. */
START_TEST(noise)
{
    const int rank = srq_comm_rank(comm), ranks = srq_comm_size(comm);
    srq_shares *s = NULL;
    srq_times t = {0};
    ck_assert_int_eq(srq_shares_create(comm, 1, &s), SRQ_OK);
    for (int window = 0; window < 30; window++) {
        t.passes += rank == window / 2 % ranks ? 2 : 1;
        ck_assert_int_eq(srq_shares_end_window(s, &t, 10).slow_rank, -1);
    }
    for (int window = 0; window < 30; window++) {
        t.passes += rank == 0 ? 0.02 : 0.001;
        ck_assert_int_eq(srq_shares_end_window(s, &t, 10).slow_rank, -1);
    }
    srq_shares_destroy(&s);
}
END_TEST

static int count(const char *text, const char *word)
{
    int found = 0;
    for (; (text = strstr(text, word)); text++) found++;
    return found;
}

/* Records steps 2 and 3 of 5, with one operator each. Events before and after are not recorded. */
START_TEST(trace)
{
    static char dir[] = "/tmp/srq-trace-XXXXXX";
    const int rank = srq_comm_rank(comm), ranks = srq_comm_size(comm);
    const srq_graph_options options = {.capacity = 1};
    srq_config *config = NULL;
    srq_graph *graph = NULL;
    srq_trace *t = NULL;
    if (rank == 0) ck_assert_ptr_nonnull(mkdtemp(dir));
    srq_comm_share(comm, dir, sizeof dir);
    ck_assert_int_eq(srq_config_load(SRQ_SOURCE_DIR "/experiments/lenet5-mnist/base.cfg", 0, NULL, &config), SRQ_OK);
    ck_assert_int_eq(srq_graph_create(&srq_config_settings(config)->model, &options, &graph), SRQ_OK);
    ck_assert_int_eq(srq_trace_create(comm, dir, &t), SRQ_OK);
    const srq_observer observer = srq_trace_observer(t);
    ck_assert_int_eq(srq_trace_start(t, graph, 2, 3, 1), SRQ_OK);
    const char *path = NULL;
    for (long step = 1; step <= 5; step++) {
        srq_trace_begin_step(t, step);
        const int64_t begin = srq_trace_now(t);
        ck_assert((begin != 0) == (step == 2 || step == 3));
        srq_trace_operators(t, true);
        observer.done(observer.context, srq_graph_layer(graph, 0), SRQ_PHASE_FORWARD);
        srq_trace_operators(t, false);
        observer.done(observer.context, srq_graph_layer(graph, 0), SRQ_PHASE_FORWARD);
        const double now = srq_seconds();
        srq_trace_add_span(t, SRQ_LANE_COMMUNICATION, SRQ_EVENT_EXCHANGE, now, now + 2e-6);
        srq_trace_add_span(t, SRQ_LANE_COMMUNICATION, SRQ_EVENT_EXCHANGE, now, now + 0.5e-6);
        srq_trace_add(t, SRQ_LANE_COMPUTE, SRQ_EVENT_STEP, step, begin);
        ck_assert_int_eq(srq_trace_end_step(t, step, step == 5, &path), SRQ_OK);
        ck_assert((path != NULL) == (rank == 0 && step == 3));
        if (!path) continue;
        char *text = NULL;
        ck_assert_int_eq(srq_file_read_text(path, 1 << 20, &text), SRQ_OK);
        ck_assert_int_eq(count(text, "\"process_name\""), ranks);
        ck_assert_int_eq(count(text, "\"step 2\""), ranks);
        ck_assert_int_eq(count(text, "\"step 3\""), ranks);
        ck_assert_int_eq(count(text, "\"cat\":\"step\""), 2 * ranks);
        ck_assert_int_eq(count(text, "\"name\":\"conv1\",\"cat\":\"forward\""), 2 * ranks);
        ck_assert_int_eq(count(text, "\"name\":\"exchange\""), 2 * ranks);
        free(text);
        unlink(path);
    }
    if (rank == 0) ck_assert_int_eq(rmdir(dir), 0); /* no temporary file either */
    /* A full lane keeps its events and counts the lost ones. A folder that cannot be made is a failure of rank 0. */
    srq_trace_destroy(&t);
    ck_assert_int_eq(srq_trace_create(comm, "/dev/null/no", &t), SRQ_OK);
    ck_assert_int_eq(srq_trace_start(t, graph, 1, 1, 1), SRQ_OK);
    srq_trace_begin_step(t, 1);
    for (int i = 0; i < 1000; i++) srq_trace_add(t, SRQ_LANE_COMMUNICATION, SRQ_EVENT_JOIN, i, srq_trace_now(t));
    ck_assert_int_eq(srq_trace_end_step(t, 1, true, &path), rank == 0 ? SRQ_ERROR_RUN : SRQ_OK);
    srq_trace_destroy(&t);
    srq_graph_destroy(&graph);
    srq_config_destroy(&config);
}
END_TEST

int main(void)
{
    if (srq_comm_create(true, &comm) != SRQ_OK) return EXIT_FAILURE;
    Suite *suite = suite_create("shares");
    TCase *tests = tcase_create("shares");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, the_slowest);
    tcase_add_test(tests, windows);
    tcase_add_test(tests, noise);
    tcase_add_test(tests, trace);
    suite_add_tcase(suite, tests);
    int failed = srq_suite_run(suite);
    srq_comm_destroy(&comm);
    return failed;
}
