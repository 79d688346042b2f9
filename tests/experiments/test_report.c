/* The computations of a report: means, the Pareto front, grouping runs by configuration and naming the groups, texts in
 * every format, and histograms of weights. */
#include "experiments/srq/report/arrange.h"
#include "experiments/srq/report/describe.h"
#include "experiments/srq/report/gnuplot.h"
#include "experiments/srq/report/labels.h"
#include "experiments/srq/report/pages.h"
#include "experiments/srq/report/run_tables.h"
#include "experiments/srq/report/table.h"
#include "experiments/srq/report/weights.h"
#include "io/escape.h"
#include "tests/io/scratch.h"
#include "tests/suite.h"

#include <math.h>
#include <sys/stat.h>

/* --- Numbers */

START_TEST(mean_and_deviation)
{
    const double values[] = {2, NAN, 4, INFINITY, 9};
    srq_statistic s = srq_statistic_of(5, values);
    ck_assert_int_eq(s.count, 3);
    ck_assert_double_eq(s.mean, 5);
    ck_assert_double_eq_tol(s.deviation, sqrt(13), 1e-12); /* (9 + 1 + 16) / 2 */
    s = srq_statistic_of(1, values);
    ck_assert(s.count == 1 && s.mean == 2 && isnan(s.deviation));
    s = srq_statistic_of(1, values + 1);
    ck_assert(s.count == 0 && isnan(s.mean) && isnan(s.deviation));
    /* A deviation that is small beside the mean is not lost. */
    const double close[] = {1e9 + 1, 1e9 + 2, 1e9 + 3};
    ck_assert_double_eq_tol(srq_statistic_of(3, close).deviation, 1, 1e-9);
}
END_TEST

START_TEST(pareto_front)
{
    const double cost[] = {1, 2, 2, 3, 4, 1, NAN, 5, 0.5}, error[] = {9, 5, 6, 5, 1, 9, 0, 1, NAN};
    const bool expected[] = {true, true, false, false, true, true, false, false, false};
    bool front[9];
    srq_pareto_front(9, cost, error, front);
    for (int i = 0; i < 9; i++) ck_assert_msg(front[i] == expected[i], "point %d", i);
}
END_TEST

/* --- Runs */

static int validation; /* data.validation of the next runs */

/* A run directory: `settings` after the model and the data set, and an evaluation. */
static void make_run(const char *name, const char *settings, const char *sha, double error, const char *stop)
{
    static const char model[] =
        "model = { name = \"m\"; input = { height = 4; width = 4; channels = 1; }; layers = ( "
        "{ name = \"act\"; type = \"quantize\"; }, { name = \"fc\"; type = "
        "\"dense\"; out = 10; } ); };\ndata = { file = \"/nowhere/%s.h5\"; validation = %d; };\n%s\n";
    char path[600], text[4096];
    mkdir(scratch(name), 0777);
    snprintf(path, sizeof path, "%s/config.cfg", name);
    snprintf(text, sizeof text, model, sha, validation, settings);
    scratch_write(path, text, strlen(text));
    snprintf(path, sizeof path, "%s/log.jsonl", name);
    snprintf(text, sizeof text,
             "{\"event\": \"start\", \"time\": \"2026-01-02T03:04:05Z\", \"steps\": 10, \"steps_per_epoch\": 5, "
             "\"batch\": 10, \"data_sha256\": \"%s\"}\n{\"event\": \"eval\", \"time\": \"2026-01-02T03:04:06Z\", "
             "\"step\": 10, \"epoch\": 2, \"test_error\": %g, \"bytes\": 100, \"bops\": 50, \"w8a8_bops\": 200}\n%s",
             sha, error, stop);
    scratch_write(path, text, strlen(text));
}

#define DONE "{\"event\": \"stop\", \"step\": 10, \"reason\": \"done\", \"status\": 0}\n"

static srq_report load(const char *folder, double now)
{
    srq_report report;
    char path[512];
    snprintf(path, sizeof path, "%s", scratch(folder));
    ck_assert_msg(srq_report_create(1, (char *[]){path}, now, &report) == SRQ_OK, "%s", srq_message());
    return report;
}

static const srq_report_group *group_of(const srq_report *report, const char *run)
{
    for (int i = 0; i < report->runs.count; i++)
        if (strcmp(report->runs.items[i].name, run) == 0) return &report->groups.items[report->runs.items[i].group];
    ck_abort_msg("no run %s", run);
}

#define SRQ_BITS(bits) "quantizer = { weight_bits = " bits "; activation_bits = 3; };"
#define SEED(n, more) "train = { epochs = 2; seed = " #n "; " more " };"

START_TEST(groups_and_names)
{
    mkdir(scratch("g"), 0777);
    make_run("g/a1", SEED(1, "") SRQ_BITS("2"), "d", 0.1, DONE);
    make_run("g/a2", SEED(2, "keep = 7; log_every = 5; ") SRQ_BITS("2"), "d", 0.3, DONE); /* decides nothing */
    make_run("g/a3", SEED(3, "") SRQ_BITS("2"), "d", 0.9, "");                            /* not finished */
    make_run("g/b1", SEED(1, "") SRQ_BITS("4"), "d", 0.2, DONE);
    make_run("g/c1", SEED(1, "batch = 64; ") SRQ_BITS("4"), "d", 0.25, "");
    make_run("g/d1", SEED(1, "") SRQ_BITS("4"), "other", 0.5, DONE);
    make_run("g/e1", SEED(1, "") "quantizer = { method = \"lsq\"; estimator = \"argmax\"; };", "d", 0.5, DONE);
    make_run("g/e2", SEED(1, "") "quantizer = { method = \"lsq\"; };", "d", 0.5, DONE);
    srq_report report = load("g", 1e9);
    ck_assert_int_eq(report.runs.count, 8);
    ck_assert_int_eq(report.groups.count, 5);
    const srq_report_group *a = group_of(&report, "a1");
    ck_assert(a == group_of(&report, "a2") && a == group_of(&report, "a3"));
    ck_assert(a->member_count == 3 && a->finished == 2 && !a->partial);
    ck_assert_double_eq_tol(a->error.mean, 0.2, 1e-12); /* of the finished two */
    ck_assert_double_eq_tol(a->error.deviation, sqrt(0.02), 1e-12);
    ck_assert_double_eq(a->relative_bops.mean, 0.25);
    ck_assert_str_eq(a->name, "srq 2/3");
    ck_assert_str_eq(group_of(&report, "b1")->name, "srq 4/3");
    ck_assert_str_eq(group_of(&report, "c1")->name, "srq 4/3, batch=64");
    ck_assert(group_of(&report, "c1")->partial && group_of(&report, "c1")->error.mean == 0.25);
    /* Data sets are distinguished by their digests, not by file names. */
    ck_assert_str_eq(group_of(&report, "d1")->name, "srq 4/3, data=other.h5");
    /* lsq has no estimator, so this setting makes no other configuration. */
    ck_assert_ptr_eq(group_of(&report, "e1"), group_of(&report, "e2"));
    ck_assert_ptr_nonnull(strstr(report.groups.common, "batch=128"));
    srq_report_destroy(&report);
}
END_TEST

/* Runs of which it is not known on what they were trained are not seeds of one configuration. */
START_TEST(data_unknown)
{
    mkdir(scratch("u"), 0777);
    make_run("u/a1", SEED(1, ""), "", 0.1, DONE);
    make_run("u/a2", SEED(2, ""), "", 0.3, DONE);
    make_run("u/b1", SEED(1, ""), "\xe9", 0.1, DONE);
    make_run("u/b2", SEED(2, ""), "\xe8", 0.3, DONE);
    srq_report report = load("u", 1e9);
    ck_assert_int_eq(report.groups.count, 4);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(report.groups.items[i].member_count, 1);
    ck_assert_msg(strstr(report.groups.items[0].name, "without a digest in a1/log.jsonl"), "%s",
                  report.groups.items[0].name);
    srq_report_destroy(&report);
}
END_TEST

/* Names say what differs within a task, and lists of layers in words. */
START_TEST(names_of_layers)
{
#define LAYERS(settings) SEED(1, "") "quantizer = { layers = ( { name = \"fc\"; " settings " } ); };"
    mkdir(scratch("l"), 0777);
    make_run("l/a", LAYERS("bits = 8;"), "d", 0.1, DONE);
    make_run("l/b", LAYERS("bits = 1;"), "d", 0.1, DONE);
    make_run("l/c", LAYERS("method = \"float32\";"), "d", 0.1, DONE);
    make_run("l/d", LAYERS("method = \"lsq\"; bits = \"8 until 1ep, then 4\"; granularity = \"channel\";"), "d", 0.1,
             DONE);
    make_run("l/e", SEED(1, "batch = 64; ") "quantizer = { layers = ( { name = \"fc\"; bits = 8; } ); };", "other", 0.1,
             DONE);
    srq_report report = load("l", 1e9);
    ck_assert_str_eq(group_of(&report, "a")->name, "srq 8/2, layers=(fc: 8 bits)");
    ck_assert_str_eq(group_of(&report, "b")->name, "srq 1/2, layers=(fc: 1 bit)");
    ck_assert_str_eq(group_of(&report, "c")->name, "srq 32/2, layers=(fc: float32)");
    ck_assert_str_eq(group_of(&report, "d")->name,
                     "srq 8,4/2, layers=(fc: lsq 8 until 1ep, then 4 bits granularity=channel)");
    ck_assert_str_eq(group_of(&report, "e")->name, "srq 8/2, data=other.h5");
    srq_report_destroy(&report);
}
END_TEST

/* A task is a network on a data set. */
START_TEST(tasks)
{
    char text[1000];
    mkdir(scratch("k"), 0777);
    make_run("k/a", SEED(1, ""), "d", 0.1, DONE);
    make_run("k/b", SEED(1, "") SRQ_BITS("4"), "d", 0.1, DONE);
    make_run("k/c", SEED(1, "") SRQ_BITS("4"), "other", 0.1, DONE);
    make_run("k/d", SEED(2, "") SRQ_BITS("4"), "other", 0.1, DONE);
    srq_report report = load("k", 1e9);
    ck_assert_int_eq(report.tasks.count, 2);
    ck_assert(group_of(&report, "a")->task == group_of(&report, "b")->task);
    ck_assert(group_of(&report, "a")->task != group_of(&report, "c")->task);
    ck_assert_str_eq(srq_report_list_tasks(&report.tasks, text, sizeof text),
                     "m on d.h5, 2 epochs (2 configurations); m on other.h5, 2 epochs (1 configuration).");
    srq_report_destroy(&report);
    mkdir(scratch("k1"), 0777);
    make_run("k1/a", SEED(1, ""), "d", 0.1, DONE);
    report = load("k1", 1e9);
    ck_assert_str_eq(srq_report_list_tasks(&report.tasks, text, sizeof text), "m on d.h5, 2 epochs.");
    srq_report_destroy(&report);
}
END_TEST

/* Float32 is not 100 % of itself: logs of older versions compared it so. */
START_TEST(share_of_8_bits)
{
    const srq_log_eval old = {.bops = 1024, .w8a8_bops = 1024, .float32_bops = 1024},
                       now = {.bops = 4369416192, .w8a8_bops = 361562112, .float32_bops = 4369416192},
                       bits = {.bops = 16, .w8a8_bops = 64, .float32_bops = 1024},
                       missing = {.bops = 16, .w8a8_bops = NAN, .float32_bops = NAN};
    ck_assert(isnan(srq_log_relative_bops(&old)) && isnan(srq_log_relative_bops(&missing)));
    ck_assert_double_eq_tol(srq_log_relative_bops(&now), 12.08, 0.01);
    ck_assert_double_eq(srq_log_relative_bops(&bits), 0.25);
}
END_TEST

/* Numbers of many points that are close to each other: none covers another or a point, and all are within the axes. */
START_TEST(labels_of_a_crowd)
{
    enum { COUNT = 40 };
    srq_label labels[COUNT];
    const srq_rectangle area = {80, 100, 480, 440}, bar = {278, 200, 280, 300};
    for (int i = 0; i < COUNT; i++)
        labels[i] =
            (srq_label){.x = 280 + 9 * (i % 7) - 4 * (i % 3), .y = 110 + 8 * (i % 11), .width = 18, .height = 14};
    srq_labels_place(COUNT, labels, 1, &bar, &area);
    for (int i = 0; i < COUNT; i++) {
        const srq_rectangle *at = &labels[i].at;
        ck_assert(at->left >= 80 && at->right <= 480 && at->bottom >= 100 && at->top <= 440);
        for (int k = 0; k < COUNT; k++) {
            const srq_rectangle point = {labels[k].x - 3, labels[k].y - 3, labels[k].x + 3, labels[k].y + 3};
            ck_assert_msg(!srq_rectangles_meet(at, &point), "label %d covers point %d", i, k);
            ck_assert_msg(i == k || !srq_rectangles_meet(at, &labels[k].at), "label %d covers label %d", i, k);
        }
    }
}
END_TEST

/* Limits of axes that no integer exponent has. */
START_TEST(axes_without_end)
{
    static const double ends[][2] = {{1, 10}, {1e-320, 1e308}, {0, INFINITY}, {NAN, NAN},
                                     {5, 5},  {-3, 1e308},     {1e308, 1e308}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        srq_plot plot;
        ck_assert_int_eq(srq_plot_start(100, 100, &plot), SRQ_OK);
        srq_plot_log_axis(&plot, 'y', ends[i][0], ends[i][1]);
        ck_assert_int_eq(fclose(plot.data), 0);
        ck_assert_int_eq(fclose(plot.body), 0);
        ck_assert_msg(strstr(plot.texts[1], "set logscale y\nset yrange [") && !strstr(plot.texts[1], "nan") &&
                          !strstr(plot.texts[1], "inf") && strlen(plot.texts[1]) < 100000,
                      "%s", plot.texts[1]);
        free(plot.texts[0]);
        free(plot.texts[1]);
    }
}
END_TEST

/* "Ticket ticket" says nothing twice. */
START_TEST(tickets_by_name)
{
    char text[100];
    ck_assert_str_eq(srq_report_call_ticket(&(srq_report_ticket){.name = "w3a3"}, text, sizeof text), "Ticket w3a3");
    ck_assert_str_eq(srq_report_call_ticket(&(srq_report_ticket){.name = "ticket"}, text, sizeof text), "ticket");
    ck_assert_str_eq(srq_report_call_ticket(&(srq_report_ticket){.name = "a/Ticket-7"}, text, sizeof text),
                     "a/Ticket-7");
}
END_TEST

/* A log with impossible figures, or of something else, is no part of any mean. */
START_TEST(logs_that_cannot_be_used)
{
    mkdir(scratch("w"), 0777);
    make_run("w/a1", SEED(1, ""), "d", 0.1, DONE);
    make_run("w/a2", SEED(2, ""), "d", 17.5, DONE);
    make_run("w/a3", SEED(3, ""), "d", 0.1, DONE);
    char garbage[100000];
    memset(garbage, 'x', sizeof garbage);
    scratch_write("w/a3/log.jsonl", garbage, sizeof garbage);
    srq_report report = load("w", 1e9);
    ck_assert(report.groups.count == 1 && report.groups.items[0].error.count == 1);
    ck_assert_msg(strstr(report.runs.items[1].problem, "test_error is 17.5"), "%s", report.runs.items[1].problem);
    ck_assert_msg(strstr(report.runs.items[2].problem, "none of its lines"), "%s", report.runs.items[2].problem);
    srq_report_destroy(&report);
}
END_TEST

/* Groups are in the order of a table's rows, independent of folder names. Other groups come at the end. */
START_TEST(rows_of_a_table)
{
    static const char configuration[] =
        "model = { name = \"m\"; input = { height = 4; width = 4; channels = 1; }; layers = ( { name = \"act\"; type = "
        "\"quantize\"; }, { name = \"fc\"; type = "
        "\"dense\"; out = 10; } ); };\ndata = { file = \"d.h5\"; };\nquantizer = { activation_bits = 3; };\n";
    static const char rows[] =
        "seeds = [1, 2, 3]; rows = (\n{ name = \"four\"; config = \"t.cfg\"; sets = [\"quantizer.weight_bits=4\"]; },\n"
        "{ name = \"none\"; config = \"t.cfg\"; sets = [\"train.batch=64\"]; published = 3.25; source = \"P\"; },\n"
        "{ name = \"two\"; config = \"t.cfg\"; sets = [\"train.epochs=2\"]; } );\n";
    scratch_write("t.cfg", configuration, strlen(configuration));
    scratch_write("rows.cfg", rows, strlen(rows));
    mkdir(scratch("rows"), 0777);
    make_run("rows/a", SEED(1, "") SRQ_BITS("2"), "d", 0.1, DONE);
    make_run("rows/b", SEED(2, "") SRQ_BITS("2"), "d", 0.2, "");
    make_run("rows/c", SEED(1, "") SRQ_BITS("8"), "d", 0.3, DONE);
    make_run("rows/d", "train = { seed = 7; };" SRQ_BITS("4"), "d", 0.4, DONE);
    make_run("rows/e", SEED(1, "") SRQ_BITS("2"), "e", 0.3, DONE);
    srq_sweep *sweep = NULL;
    ck_assert_msg(srq_sweep_load(scratch("rows.cfg"), &sweep) == SRQ_OK, "%s", srq_message());
    srq_report report = load("rows", 1e9);
    ck_assert_msg(srq_report_arrange(&report, sweep) == SRQ_OK, "%s", srq_message());
    ck_assert_int_eq(report.groups.count, 4);
    ck_assert_str_eq(report.groups.items[0].name, "four");
    ck_assert_str_eq(report.groups.items[1].name, "two");
    ck_assert(report.groups.items[2].row == -1 &&
              report.groups.items[3].row == -1); /* the other data set has another name */
    ck_assert(group_of(&report, "a") == &report.groups.items[1] && group_of(&report, "d") == &report.groups.items[0]);
    ck_assert_int_eq(group_of(&report, "d")->number, 1);
    ck_assert(srq_report_is_missing(&report, 0, 1) && !srq_report_is_missing(&report, 0, 7));
    ck_assert(!srq_report_is_missing(&report, 2, 2) && srq_report_is_missing(&report, 2, 3));
    ck_assert_int_eq(srq_report_missing(&report), 3 + 3 + 1);
    srq_report_destroy(&report);
    srq_sweep_destroy(&sweep);
}
END_TEST

/* With validation images, figures are those of the test line. Before it, there is no test error. */
START_TEST(figures_of_the_best_checkpoint)
{
#define VALID(step, error)                                                                                             \
    "{\"event\": \"eval\", \"step\": " step ", \"validation_error\": " error ", \"bytes\": 100, \"bops\": 50}\n"
    static const char tested[] = VALID("20", "0.5") VALID("30", "0.25")
        VALID("40", "0.375") "{\"event\": \"test\", \"step\": 40, \"best_step\": 30, \"validation_error\": 0.25, "
                             "\"test_error\": 0.3125, "
                             "\"bytes\": 90, \"bops\": 50}\n{\"event\": \"stop\", \"step\": 40, \"reason\": "
                             "\"early-stop\", \"status\": 0}\n";
    char text[400];
    mkdir(scratch("valid"), 0777);
    validation = 10;
    make_run("valid/a", SEED(1, ""), "d", 0.5, tested);
    make_run("valid/b", SEED(2, ""), "d", 0.5, VALID("20", "0.5") VALID("30", "0.125"));
    make_run("valid/c", SEED(1, "") SRQ_BITS("4"), "d", 0.5, VALID("20", "0.5") VALID("30", "0.125"));
    validation = 0;
    make_run("valid/d", SEED(1, ""), "d", 0.5, DONE);
    srq_report report = load("valid", 1e9);
    const srq_report_group *a = group_of(&report, "a"), *c = group_of(&report, "c"), *d = group_of(&report, "d");
    ck_assert(a == group_of(&report, "b") && a != c && a != d && report.groups.count == 3);
    ck_assert(a->finished == 1 && a->error.count == 1 && a->error.mean == 0.3125 && a->validation.mean == 0.25);
    ck_assert(a->bytes.mean == 90 && a->validates && c->validates && !d->validates);
    ck_assert(c->partial && c->validation.mean == 0.125);
    ck_assert(d->error.mean == 0.5 && d->validation.count == 0);
    ck_assert_str_eq(srq_report_standing(&report.runs.items[0], 1e9, text, sizeof text),
                     "finished early (train.patience)");
    ck_assert(srq_report_any_validates(&report) && !srq_report_is_finished(&report.runs.items[1]));
    char *csv = NULL, *page = NULL;
    size_t size;
    FILE *out = open_memstream(&csv, &size);
    ck_assert_int_eq(srq_report_print_groups_csv(&report, out), SRQ_OK);
    fclose(out);
    out = open_memstream(&page, &size);
    ck_assert_int_eq(srq_report_print_groups(&report, SRQ_TABLE_MARKDOWN, out), SRQ_OK);
    fclose(out);
    ck_assert_msg(strstr(csv, "published_by,of_checkpoint,validation_error_mean,validation_error_deviation\r\n"), "%s",
                  csv);
    ck_assert_msg(strstr(csv, ",best,0.25,\r\n") && strstr(csv, ",best,0.125,\r\n") && strstr(csv, ",last,,\r\n"), "%s",
                  csv);
    ck_assert_msg(strstr(page, "| 31.25 | best | 25.00 |") && strstr(page, "| 50.00 | last | - |"), "%s", page);
    ck_assert_msg(strstr(page, "| 0 of 1 | - | best | 12.50 \\* |"), "%s", page);
    free(csv);
    free(page);
    srq_report_destroy(&report);
}
END_TEST

START_TEST(same_seed_counts_once)
{
    mkdir(scratch("twice"), 0777);
    make_run("twice/a", SEED(1, "") SRQ_BITS("2"), "d", 0.4, "");
    make_run("twice/b", SEED(1, "") SRQ_BITS("2"), "d", 0.1, DONE);
    make_run("twice/c", SEED(2, "") SRQ_BITS("2"), "d", 0.2, DONE);
    srq_report report = load("twice", 1e9);
    ck_assert_int_eq(report.groups.count, 1);
    ck_assert(!report.runs.items[0].counted && report.runs.items[1].counted && report.runs.items[2].counted);
    ck_assert(report.groups.items[0].error.count == 2 && report.groups.items[0].finished == 2);
    srq_report_destroy(&report);
}
END_TEST

START_TEST(seeds_from_seeds)
{
    /* Each seed is tuned from its own seed of one configuration; the last from another configuration. */
    mkdir(scratch("tuned"), 0777);
    make_run("tuned/f1", SEED(1, "") "quantizer = { method = \"float32\"; };", "d", 0.1, DONE);
    make_run("tuned/f2", SEED(2, "") "quantizer = { method = \"float32\"; };", "d", 0.1, DONE);
    make_run("tuned/g1", SEED(1, "batch = 9; ") "quantizer = { method = \"float32\"; };", "d", 0.1, DONE);
    char settings[512];
    static const char *const init[] = {"/gone/f1", "/gone/f2/last.h5", "/gone/g1", "/gone/f1/checkpoints/00000005.h5"};
    for (int i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "tuned/q%d", i);
        snprintf(settings, sizeof settings, "train = { epochs = 2; seed = %d; init = \"%s\"; };" SRQ_BITS("2"), i,
                 init[i]);
        make_run(name, settings, "d", 0.1, DONE);
    }
    srq_report report = load("tuned", 1e9);
    ck_assert_ptr_eq(group_of(&report, "q0"), group_of(&report, "q1"));
    ck_assert_ptr_ne(group_of(&report, "q0"), group_of(&report, "q2"));
    ck_assert_ptr_ne(group_of(&report, "q0"), group_of(&report, "q3"));
    ck_assert_ptr_ne(group_of(&report, "q2"), group_of(&report, "q3"));
    ck_assert_ptr_nonnull(strstr(group_of(&report, "q0")->name, "run of float32"));
    srq_report_destroy(&report);
}
END_TEST

static char *standing_of(const srq_report *report, int run)
{
    static char text[2400];
    return srq_report_standing(&report->runs.items[run], report->runs.now, text, sizeof text);
}

START_TEST(where_runs_stand)
{
    const double then = 1767323046; /* of the last line */
    mkdir(scratch("s"), 0777);
    make_run("s/1", SEED(1, "") SRQ_BITS("2"), "d", 0.1, DONE);
    make_run("s/2", SEED(2, "") SRQ_BITS("2"), "d", 0.1, "");
    make_run("s/3", SEED(3, "") SRQ_BITS("2"), "d", 0.1,
             "{\"event\": \"stop\", \"reason\": \"step 3: layer \\\"fc\\\" meets NaN\", \"status\": 4}\n");
    make_run("s/4", SEED(4, "") SRQ_BITS("2"), "d", 0.1,
             "{\"event\": \"stop\", \"reason\": \"signal\", \"status\": 75}\n");
    make_run("s/5", "train = { epochz = 1; };", "d", 0.1, DONE);
    make_run("s/6", SEED(6, "") SRQ_BITS("2"), "d", 0.1, DONE);
    scratch_write("s/6/log.jsonl", "", 0);
    make_run("s/7", SEED(7, "") SRQ_BITS("2"), "d", 0.1, "");
    static const char unevaluated[] = "{\"event\": \"start\", \"steps\": 0}\n" DONE;
    scratch_write("s/7/log.jsonl", unevaluated, sizeof unevaluated - 1);
    srq_report report = load("s", then + 60);
    ck_assert_str_eq(standing_of(&report, 0), "finished");
    ck_assert_str_eq(standing_of(&report, 1), "running");
    ck_assert_str_eq(standing_of(&report, 2), "failed: step 3: layer \"fc\" meets NaN");
    ck_assert_str_eq(standing_of(&report, 3), "stopped (signal)");
    ck_assert_msg(strstr(standing_of(&report, 4), "epochz"), "%s", standing_of(&report, 4));
    ck_assert_str_eq(standing_of(&report, 5), "its log is empty");
    ck_assert_str_eq(standing_of(&report, 6), "ended without an evaluation");
    char summary[600];
    srq_report_summary(&report, summary, sizeof summary);
    ck_assert_msg(strstr(summary, ": 1 finished, 1 running, 1 stopped, 1 failed, 1 empty, 1 cannot be used, "
                                  "1 without an evaluation") != NULL,
                  "%s", summary);
    srq_report_destroy(&report);
    report = load("s", then + 7200);
    ck_assert_str_eq(standing_of(&report, 1),
                     "no log line for 2 h 00 min, possibly killed before its first checkpoint");
    srq_report_destroy(&report);
    mkdir(scratch("empty"), 0777);
    char path[512];
    snprintf(path, sizeof path, "%s", scratch("empty"));
    ck_assert_int_eq(srq_report_create(1, (char *[]){path}, then, &report), SRQ_ERROR_DATA);
    ck_assert_msg(strstr(srq_message(), "no run was found there"), "%s", srq_message());
}
END_TEST

/* --- Texts */

START_TEST(tables)
{
    static const srq_column columns[] = {{"name", SRQ_COLUMN_TEXT}, {"n", SRQ_COLUMN_NUMBER}};
    static const char *const expected[] = {
        "name   n\na,b    1\n<x>   12\n",
        "<table>\n<thead>\n<tr><th>name</th><th class=\"n\">n</th></tr>\n</thead>\n<tbody>\n"
        "<tr><td>a,b</td><td class=\"n\">1</td></tr>\n<tr><td>&lt;x&gt;</td><td class=\"n\">12</td></tr>\n</tbody>\n"
        "</table>\n",
        "| name | n |\n|---|---:|\n| a,b | 1 |\n| &lt;x\\> | 12 |\n", "name,n\r\n\"a,b\",1\r\n<x>,12\r\n"};
    srq_table *table = NULL;
    ck_assert_int_eq(srq_table_create(2, columns, &table), SRQ_OK);
    srq_table_add(table, "a,b");
    srq_table_add(table, "%d", 1);
    srq_table_add(table, "<x>");
    srq_table_add(table, "%d", 12);
    for (int format = 0; format < 4; format++) {
        char *out = NULL;
        size_t size;
        FILE *stream = open_memstream(&out, &size);
        ck_assert_ptr_nonnull(stream);
        ck_assert_int_eq(srq_table_print(table, (srq_table_format)format, stream), SRQ_OK);
        fclose(stream);
        ck_assert_str_eq(out, expected[format]);
        free(out);
    }
    srq_table_destroy(&table);
}
END_TEST

/* On a terminal a long cell has several lines, and none of it is lost. */
START_TEST(long_cells)
{
    static const srq_column columns[] = {{"name", SRQ_COLUMN_TEXT}, {"n", SRQ_COLUMN_NUMBER}};
    char name[200] = "", *out = NULL;
    for (int i = 0; i < 30; i++) srq_text_append(name, sizeof name, "%sw%02d", i ? " " : "", i);
    srq_table *table = NULL;
    size_t size;
    ck_assert_int_eq(srq_table_create(2, columns, &table), SRQ_OK);
    srq_table_add(table, "%s", name);
    srq_table_add(table, "7");
    FILE *stream = open_memstream(&out, &size);
    ck_assert_int_eq(srq_table_print(table, SRQ_TABLE_TEXT, stream), SRQ_OK);
    fclose(stream);
    const char *line = strchr(out, '\n') + 1;
    ck_assert_uint_eq(strspn(strstr(line, "w17") + 3, " "), 3);
    ck_assert_ptr_nonnull(strstr(line, "w17   7\nw18 "));
    ck_assert_ptr_nonnull(strstr(line, "w29"));
    ck_assert_ptr_null(strstr(out, "..."));
    free(out);
    srq_table_destroy(&table);
}
END_TEST

/* --- Weights */

START_TEST(weights_over_the_grid)
{
    /* Two rows with an alpha each, a 2-bit grid: -2, -1, 0, 1. */
    const float w[] = {-1.0f, 0.0f, 0.5f, 100.0f, -0.2f, 0.0f, 0.1f, -100.0f}, alpha[] = {0.5f, 0.1f};
    srq_weight_histogram h = {.bits = 2, .min = -2, .max = 1};
    ck_assert_int_eq(srq_weight_histogram_make(8, w, 2, alpha, &h), SRQ_OK);
    ck_assert(h.codes[0] == 3 / 8.0 && h.codes[1] == 0 && h.codes[2] == 2 / 8.0 && h.codes[3] == 3 / 8.0);
    ck_assert(h.from == -3.5 && h.to == 2.5);
    double sum = 0;
    for (int i = 0; i < h.bins; i++) sum += h.density[i] * (h.to - h.from) / h.bins;
    ck_assert_double_eq_tol(sum, 1, 1e-12);
    const double scale = h.bins / (h.to - h.from);
    ck_assert_double_eq_tol(h.density[0], scale / 8, 1e-12); /* -1000 */
    ck_assert_double_eq_tol(h.density[h.bins - 1], scale / 8, 1e-12);
    ck_assert_double_eq_tol(h.density[(int)(3.5 * scale)], scale / 4, 1e-12); /* both zeros */
    free(h.density);
}
END_TEST

/* The bits in a description are those of the network. */
START_TEST(described_bits)
{
    static const char head[] = "model = { name = \"m\"; input = { height = 4; width = 4; channels = 1; }; layers = ("
                               "{ name = \"a\"; type = \"dense\"; out = 3; }, { name = \"r\"; type = \"relu\"; },";
    static const char tail[] = "{ name = \"b\"; type = \"dense\"; out = 2; } ); }; data = { file = \"d.h5\"; };";
    static const char act[] = "{ name = \"q\"; type = \"quantize\"; },";
    static const struct {
        const char *more, *quantizer, *expected;
    } cases[] = {
        {act, "quantizer = { weight_bits = 3; activation_bits = 4; };", "srq 3/4"},
        {"", "quantizer = { weight_bits = 3; activation_bits = 4; };", "srq 3/32"},
        {act, "quantizer = { weight_bits = \"8 until 1ep, then 4\"; };", "srq 8,4/2"},
        {act, "quantizer = { layers = ( { name = \"a\"; bits = 8; } ); };", "srq 2-8/2"},
        {act, "quantizer = { layers = ( { name = \"a\"; bits = 8; }, { name = \"b\"; bits = 8; } ); };", "srq 8/2"},
        {act, "quantizer = { method = \"lsq\"; layers = ( { name = \"a\"; method = \"float32\"; } ); };", "lsq 2-32/2"},
        {act, "quantizer = { method = \"float32\"; layers = ( { name = \"q\"; method = \"rq\"; } ); };", "rq 32/2"},
        {act, "quantizer = { method = \"float32\"; };", "float32"},
        {act, "quantizer = { estimator = \"argmax\"; weight_bits = 6; }; dropbits = { mode = \"learn\"; };",
         "srq argmax 6/2, bits learned"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048], found[128] = "";
        srq_config *config = NULL;
        snprintf(text, sizeof text, "%s%s%s%s", head, cases[i].more, tail, cases[i].quantizer);
        ck_assert_msg(srq_config_parse(text, "c.cfg", &config) == SRQ_OK, "%s", srq_message());
        srq_report_describe(srq_config_settings(config), found, sizeof found);
        ck_assert_str_eq(found, cases[i].expected);
        srq_config_destroy(&config);
    }
}
END_TEST

int main(void)
{
    scratch_create();
    setenv("CK_FORK", "no", 1); /* the folder is removed at the end of a process */
    Suite *suite = suite_create("experiments/report");
    TCase *cases = tcase_create("report");
    tcase_add_test(cases, mean_and_deviation);
    tcase_add_test(cases, pareto_front);
    tcase_add_test(cases, described_bits);
    tcase_add_test(cases, groups_and_names);
    tcase_add_test(cases, data_unknown);
    tcase_add_test(cases, logs_that_cannot_be_used);
    tcase_add_test(cases, names_of_layers);
    tcase_add_test(cases, tasks);
    tcase_add_test(cases, share_of_8_bits);
    tcase_add_test(cases, labels_of_a_crowd);
    tcase_add_test(cases, axes_without_end);
    tcase_add_test(cases, tickets_by_name);
    tcase_add_test(cases, rows_of_a_table);
    tcase_add_test(cases, figures_of_the_best_checkpoint);
    tcase_add_test(cases, same_seed_counts_once);
    tcase_add_test(cases, seeds_from_seeds);
    tcase_add_test(cases, where_runs_stand);
    tcase_add_test(cases, tables);
    tcase_add_test(cases, long_cells);
    tcase_add_test(cases, weights_over_the_grid);
    suite_add_tcase(suite, cases);
    return srq_suite_run(suite);
}
